"""A comparison: which contenders meet which conditions, on which layouts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evaluation.alike import check_alike, check_complete, tasks_of
from evaluation.cells import Cell
from evaluation.conditions import Condition, conditions_of, forks_of
from evaluation.contenders import Contender, check_planners, controls_of, policy_of, systems_of, with_planners
from evaluation.phase import PhaseGrid, phase_disturbance
from evaluation.request import Request, check_request
from evaluation.run import Run

VERSION = 1  # of a comparison's files


@dataclass(frozen=True)
class Comparison:
    """Everything that is compared. Its results follow from it alone."""

    tasks: tuple[str, ...]
    layout_seeds: str
    contenders: tuple[Contender, ...]
    conditions: dict[str, tuple[Condition, ...]]
    """Of each task."""
    same_within: float
    phase: PhaseGrid | None = None

    @property
    def cells(self) -> list[Cell]:
        """All cells but those of the phase diagram, in the order of the report."""
        return [
            Cell(contender, task, condition, seed, self.layout_seeds)
            for task in self.tasks
            for condition in self.conditions[task]
            for contender in self.contenders
            for seed in contender.seeds(task)
        ]

    @property
    def all_cells(self) -> list[Cell]:
        """With those of the phase diagram."""
        return [*self.cells, *(self.phase.cells if self.phase else ())]

    @property
    def work(self) -> list[Cell]:
        """The cells that have to be evaluated, each once."""
        return list({cell.key: cell for cell in (cell.source for cell in self.all_cells)}.values())

    @property
    def all_conditions(self) -> tuple[Condition, ...]:
        """Those of any task, each once."""
        return tuple({one.name: one for task in self.tasks for one in self.conditions[task]}.values())

    @property
    def condition_names(self) -> tuple[str, ...]:
        """Of all conditions."""
        return tuple(one.name for one in self.all_conditions)

    @property
    def dual(self) -> Contender:
        """The first dual system: the one that placebos and bounds are about."""
        return next(one for one in self.systems if one.system == "dual")

    @property
    def systems(self) -> tuple[Contender, ...]:
        """Without placebos and bounds."""
        return tuple(one for one in self.contenders if one.kind == "system")

    @classmethod
    def of(cls, folders: Sequence[Path], request: Request) -> Comparison:
        """The comparison of runs that is asked for.

        Raises:
            ValueError: it cannot be made; in a sentence, with what can be compared instead.
        """
        check_request(request)
        runs = [Run.open(folder) for folder in dict.fromkeys(Path(f) for f in folders)]
        tasks = tasks_of(runs, request.task)
        check_alike(runs)
        systems = systems_of(runs)
        check_complete(systems, tasks)
        config = runs[0].config
        conditions = check_plan(request, tasks, [one.system for one in systems], config.robot, str(config.observation))
        if request.forks and any(run.config.control != "cartesian" for run in runs):
            raise ValueError("--forks begin with a scripted System 1, which acts in Cartesian control alone")
        under = with_planners(systems, request.planners, request.planner_file)
        contenders = (*under, *controls_of(under, request.placebos, request.bounds))
        for run in runs:
            policy_of(run)  # damaged now or never
        for one in contenders:
            if one.system == "dual":
                one.make_planner()
        layout_seeds = str(request.layout_seeds)
        whole = cls(tasks, layout_seeds, contenders, conditions, request.same_within)
        if not request.phase:
            return whole
        return replace(whole, phase=PhaseGrid.of(request, tasks[0], whole.systems, str(config.observation)))


def check_plan(
    request: Request,
    tasks: tuple[str, ...],
    systems: Sequence[str],
    robot: str = "panda",
    observation: str = "state",
) -> dict[str, tuple[Condition, ...]]:
    """The conditions of each task; whether what is asked for fits the tasks and systems is known before any work.

    Args:
        request: what is asked for.
        tasks: names.
        systems: single or dual, of each.
        robot: name.
        observation: mode.

    Raises:
        ValueError: it does not fit.
    """
    dual = "dual" in systems
    for name in ("placebos", "bounds", "planners", "phase"):
        if getattr(request, name) and not dual:
            raise ValueError(f"--{name} is about a dual system, and there is none among those compared")
    controls = request.placebos or request.bounds or request.phase or len(request.planners) > 1
    if len(systems) < 2 and not controls:
        raise ValueError(
            f"a comparison takes two systems, and there is one, {systems[0]}; add runs of another, or compare a dual "
            "system with its controls (--placebos, --bounds)"
        )
    if request.phase:
        if len(tasks) > 1:
            raise ValueError(f"the phase diagram is of one task, not of {', '.join(tasks)}; name one with --task")
        phase_disturbance(request, tasks[0], observation)
    check_planners(request.planners, request.planner_file)
    conditions = conditions_of(tasks, request.perturb, request.objects, dual, robot, observation)
    if not request.forks:
        return conditions
    moments = {task: forks_of(own) for task, own in conditions.items()}
    if not any(moments.values()):
        raise ValueError("--forks continue disturbances that come in mid-episode; name some with --perturb, or all")
    return {task: (*own, *moments[task]) for task, own in conditions.items()}
