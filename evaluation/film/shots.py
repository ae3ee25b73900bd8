"""Which episodes a film shows: of trained runs, in a condition, with the outcome that was counted where one was."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.names import check_name
from envs.robots import ROBOTS
from envs.scene import compose
from envs.tasks import task_class
from envs.vector import DuetVectorEnv
from evaluation.conditions import NO_FAULTS, UNDISTURBED, Condition, conditions_of
from evaluation.contenders import Contender, systems_of
from evaluation.evaluate import parse_seeds
from evaluation.film.overlay import Title
from evaluation.film.take import Shot
from evaluation.run import EVALUATION, Run, RunError, read_json

Key = tuple[str, str, str, int, int]  # contender, task, condition, training seed, layout seed


@dataclass(frozen=True)
class Pick:
    """An episode to be shown."""

    task: str
    layout_seed: int
    seed: int | None = None
    """Of the training; None is the first one."""
    note: str = ""
    """Why it is shown."""


@dataclass(frozen=True)
class Counted:
    """How episodes ended where they were counted."""

    file: str = ""
    outcomes: Mapping[Key, bool] = dataclasses.field(default_factory=dict)


def shots_of(
    contenders: Sequence[Contender],
    picks: Sequence[Pick],
    condition: Condition = UNDISTURBED,
    counted: Counted | None = None,
) -> Iterator[tuple[Shot, ...]]:
    """For each pick, an episode of each contender on the same layout.

    Raises:
        ValueError: somebody cannot act there, or the condition cannot be filmed.
    """
    counted = counted or Counted()
    if condition.fork:
        raise ValueError(f"{condition.name!r} begins in a saved moment, which is not filmed; film its disturbance")
    with ExitStack() as opened:
        envs: dict[tuple[int, str, int], DuetVectorEnv] = {}  # side by side, everybody has a world of their own
        for pick in picks:
            group = []
            for place, one in enumerate(contenders):
                seed = _seed(one, pick)
                key = place, pick.task, seed
                if key not in envs:
                    envs[key] = opened.enter_context(closing(_env(one, pick.task, seed, condition)))
                env = envs[key]
                group.append(
                    Shot(
                        env,
                        one.agent(env, pick.task, seed, condition.faults if one.falters else NO_FAULTS),
                        pick.layout_seed,
                        one.name,
                        _actor(one, pick.task, seed),
                        condition.name,
                        seed,
                        condition.make_perturbation(pick.task, env.observation_mode),
                        counted.outcomes.get((one.name, pick.task, condition.name, seed, pick.layout_seed)),
                        counted.file,
                        pick.note,
                    )
                )
            yield tuple(group)


def _seed(one: Contender, pick: Pick) -> int:
    seeds = one.seeds(pick.task)
    if not seeds:
        raise RunError(f"{one.name} has no run on {pick.task}")
    return pick.seed if pick.seed in seeds else seeds[0]


def _env(one: Contender, task: str, seed: int, condition: Condition) -> DuetVectorEnv:
    return one.make_env(task, seed, 1, condition.objects, **condition.world_changes)


def _actor(one: Contender, task: str, seed: int) -> str:
    if one.kind != "system":
        return one.name
    run = one.run(task, seed)
    return run.actor if one.planner == run.config.planner else f"System 1 under the {one.planner} planner"


# Runs


def contenders_of(runs: Sequence[Run]) -> list[Contender]:
    """The runs as contenders, under names of their own.

    Raises:
        RunError: one is named twice or holds no policy, or they share no task.
    """
    if len({run.folder.resolve() for run in runs}) < len(runs):
        raise RunError("a run is named twice")
    for run in runs:
        run.policy()  # it is damaged now or never
    if not tasks_of(runs):
        learned = " and ".join(f"{run.folder} has learned {run.config.task}" for run in runs)
        raise RunError(f"side by side needs one task: {learned}")
    found = [systems_of([run])[0] for run in runs]
    names, folders = Counter(one.name for one in found), Counter(run.folder.name for run in runs)
    own = []
    for one, run in zip(found, runs, strict=True):
        where = run.folder.name if folders[run.folder.name] == 1 else run.folder
        own.append(one if names[one.name] == 1 else dataclasses.replace(one, name=f"{one.name} ({where})"))
    return own


def tasks_of(runs: Sequence[Run]) -> tuple[str, ...]:
    """Tasks that all runs have learned."""
    return tuple(task for task in runs[0].config.tasks if all(task in run.config.tasks for run in runs))


def condition_of(name: str | None, task: str, runs: Sequence[Run]) -> Condition:
    """What happens to episodes of a task: nothing, a perturbation, or a fault of System 2.

    Raises:
        ValueError: the task has no such thing; the message lists what it has.
    """
    if name is None:
        return UNDISTURBED
    first = runs[0].config
    planned = any(run.config.system == "dual" for run in runs)
    found = conditions_of([task], [name], None, planned, first.robot, str(first.observation))[task][1:]
    if len(found) != 1:
        raise ValueError(f"a film shows one perturbation; name one of {', '.join(one.name for one in found)}")
    return found[0]


def check_cameras(names: Sequence[str], tasks: Sequence[str], robot: str = "panda") -> None:
    """Whether the scenes of all tasks have these cameras.

    Raises:
        ValueError: one has not; the message lists those that there are.
    """
    for arms in sorted({task_class(task).num_arms for task in tasks}):
        model = compose(ROBOTS[robot], arms, ()).picture_model
        for name in names:
            check_name("camera", name, [model.camera(i).name for i in range(model.ncam)])


def counted_of(contenders: Sequence[Contender]) -> Counted:
    """The outcomes in the evaluations of runs.

    Raises:
        RunError: an evaluation is damaged.
    """
    outcomes: dict[Key, bool] = {}
    for one in contenders:
        for run in one.runs:
            for task, (seeds, failed) in _evaluated(run).items():
                for layout_seed in seeds.tolist():
                    key = one.name, task, UNDISTURBED.name, run.config.seed, layout_seed
                    outcomes[key] = layout_seed not in failed
    return Counted(EVALUATION, outcomes)


def failures_of(run: Run, task: str) -> list[int]:
    """Layout seeds of the counted failures of a run.

    Raises:
        RunError: nothing was counted, or its file is damaged.
    """
    counted = _evaluated(run)
    if task not in counted:
        raise RunError(f"{run.folder} has no {EVALUATION}; make one with: python -m evaluation {run.folder}")
    return sorted(counted[task][1])


def _evaluated(run: Run) -> dict[str, tuple[np.ndarray, set[int]]]:
    """By task, the layout seeds that a run was evaluated on, and those of its failures; nothing without evaluation."""
    result = _evaluation(run)
    if not result:
        return {}
    try:
        seeds = parse_seeds(result["layout_seeds"])
        parts = result.get("tasks", {result["task"]: result})
        return {task: (seeds, set(part["failed_layout_seeds"])) for task, part in parts.items()}
    except (KeyError, TypeError, AttributeError, ValueError):
        raise RunError(f"{run.folder / EVALUATION} is damaged; evaluate the run again") from None


def _evaluation(run: Run) -> dict[str, Any]:
    path = run.folder / EVALUATION
    return read_json(path) if path.exists() else {}


def title_of(runs: Sequence[Run], condition: Condition = UNDISTURBED) -> Title:
    """What is shown, and how well it does: for the card before a film."""
    lines = []
    for run in runs:
        result, who = _evaluation(run), [] if len(runs) == 1 else [run.config.system]
        if len(runs) == 1:
            lines.append(run.actor)
        if result:
            rate = f"{result['success_rate']:.1%}" if result["episodes"] > 100 else f"{result['success_rate']:.0%}"
            text = f"{rate} of {result['episodes']} unseen layouts, after {result['train_seconds'] / 60:.1f} minutes"
            who.append(f"{text} of training" if len(runs) == 1 else text)
        if who:
            lines.append(": ".join(who))
    if condition != UNDISTURBED:
        lines.append(f"with {condition.name.replace('_', ' ')}")
    return Title(" and ".join(dict.fromkeys(run.config.task for run in runs)), tuple(lines))
