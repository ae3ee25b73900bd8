"""Who is compared: the systems as they were trained, placebos of them, and bounds on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from envs.scene import TICK
from envs.vector import DuetVectorEnv
from evaluation.run import Run, RunError
from policies.agents import Agent, DualAgent, SingleAgent
from policies.system1.config import ALL
from policies.system1.policy import LearnedPolicy
from policies.system1.training import last_checkpoint
from policies.system2.faulty import System2Faults
from policies.system2.plan import Planner
from policies.system2.planners import make_planner

PLACEBOS = {  # planner -> what it leaves of the dual system
    "frozen": "dual, frozen plan",
    "shuffled": "dual, shuffled plan",
    "random": "dual, random commands",
    "none": "dual, no command",
}
SCRIPTED, ORACLE = "scripted System 1", "oracle planner"
# Not part of what a training was: who it is, and what does not change what it learns.
_APART = ("task", "seed", "threads", "device", "checkpoint_every", "episodes", "video")
_BARE = ("planner", "algorithm")  # traits whose value says it all
Kind = Literal["system", "placebo", "bound"]


@dataclass(frozen=True)
class Contender:
    """One row of a comparison."""

    name: str
    kind: Kind
    system: str
    """single or dual."""
    runs: tuple[Run, ...]
    """Its trainings: of every task one for each seed, or one for all tasks. The scripted System 1, which was not
    trained, takes its worlds from them."""
    planner: str | None = None
    """System 2, by name; None where there is none."""
    planner_file: str | None = None
    """What a learned planner has learned, or the one that a placebo hands on."""
    inner: str = "symbolic"
    """The planner whose plans a placebo hands on."""

    @property
    def trained(self) -> bool:
        """Whether it acts as its runs have learned."""
        return self.name != SCRIPTED

    @property
    def falters(self) -> bool:
        """Whether faults of System 2 change what it does."""
        return self.system == "dual" and self.name != ORACLE

    def seeds(self, task: str) -> tuple[int, ...]:
        """Training seeds on a task, in order; one pseudo-seed for what was not trained."""
        if not self.trained:
            return (0,)
        return tuple(sorted(run.config.seed for run in self.runs if task in run.config.tasks))

    def run(self, task: str, seed: int) -> Run:
        """The training of a seed for a task; where nothing was trained, one whose worlds are used."""
        for run in self.runs:
            if task in run.config.tasks and (run.config.seed == seed or not self.trained):
                return run
        raise RunError(f"{self.name} has no run with seed {seed} on {task}")

    def make_env(
        self, task: str, seed: int, num_envs: int, objects: int | None = None, **changes: Any
    ) -> DuetVectorEnv:
        """Worlds of a task to be evaluated in; `objects` where it is not the number of the training."""
        run = self.run(task, seed)
        if objects is None and task == run.config.task:
            objects = run.config.objects
        changes = {"task": task, "num_envs": num_envs, "num_objects": objects, "autoreset": False} | changes
        return run.make_env(**changes)

    def agent(self, env: DuetVectorEnv, task: str, seed: int, faults: System2Faults | None = None) -> Agent:
        """Who acts in such worlds.

        Raises:
            CannotAct: the policy observes something else than these worlds have.
            RunError: the run holds no whole policy.
        """
        faults = faults or System2Faults()
        if self.name == SCRIPTED:
            return DualAgent(self.make_planner(), faults=faults)
        policy = policy_of(self.run(task, seed))
        if self.name == ORACLE:
            return DualAgent(self.make_planner(), policy.act, rate=1 / TICK, true_poses=True)
        if self.system == "dual":
            return DualAgent(self.make_planner(), policy.act, faults=faults)
        own, there = policy.observation_space, env.single_observation_space
        if own != there:
            numbers = " and ".join(str(space.shape[0]) for space in (own, there) if space.shape)
            raise CannotAct(
                f"one policy for everything observes a fixed number of objects: {numbers} numbers in training and "
                f"with {len(env.scene.objects)} objects"
            )
        return SingleAgent(policy.act)

    def make_planner(self) -> Planner:
        """System 2.

        Raises:
            ValueError: there is none of this name, or its file is missing or damaged.
        """
        assert self.planner is not None
        file = None if self.planner_file is None else Path(self.planner_file)
        return make_planner(self.planner, self.inner, file)


class CannotAct(ValueError):
    """A policy that was made for other observations."""


def policy_of(run: Run) -> LearnedPolicy:
    """The last policy of a run; read once.

    Raises:
        RunError: there is none, or it is damaged.
    """
    return _policy(run.folder, last_checkpoint(run.folder))


@lru_cache(maxsize=64)
def _policy(folder: Path, checkpoint: Path | None) -> LearnedPolicy:
    return Run.open(folder).policy(checkpoint)


def systems_of(runs: Sequence[Run]) -> list[Contender]:
    """The runs, sorted into systems: trainings that differ in more than task and seed are not the same system.

    Systems that share a name otherwise have what tells them apart behind it, such as `single (sac)`.

    Raises:
        ValueError: two runs are the same training.
    """
    groups: dict[tuple[str, _Odd], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.config.system, _odd(run, runs)), []).append(run)
    for (system, _), members in groups.items():
        known: dict[tuple[str, int], Run] = {}
        for run in members:
            for task in run.config.tasks:
                other = known.setdefault((task, run.config.seed), run)
                if other is not run:
                    raise RunError(
                        f"{other.folder} and {run.folder} are the same training ({system}, {task}, seed "
                        f"{run.config.seed}); leave out one"
                    )
    ordered = sorted(groups, key=lambda group: (group[0] != "single", group[1]))
    labels = _labels(ordered)
    return [
        Contender(
            f"{group[0]} ({label})" if label else group[0],
            "system",
            group[0],
            tuple(sorted(groups[group], key=lambda run: (run.config.task, run.config.seed))),
            groups[group][0].config.planner,
            groups[group][0].config.planner_file,
        )
        for group, label in zip(ordered, labels, strict=True)
    ]


_Odd = tuple[tuple[str, str], ...]  # what tells a training from others, by name


def _odd(run: Run, runs: Sequence[Run]) -> _Odd:
    """What tells a run from others of its system that can act in the same task; what says most comes first."""
    alike = [r for r in runs if r.config.system == run.config.system and set(r.config.tasks) & set(run.config.tasks)]
    own, others = _traits(run), [_traits(other) for other in alike]
    return tuple((name, str(value)) for name, value in own.items() if any(t.get(name) != value for t in others))


def _labels(groups: Sequence[tuple[str, _Odd]]) -> list[str]:
    """As few words for each group as tell it from the others of its system."""
    for count in range(1 + max(len(odd) for _, odd in groups)):
        short = [odd[:count] for _, odd in groups]
        if len({(system, odd) for (system, _), odd in zip(groups, short, strict=True)}) == len(groups):
            break
    return [", ".join(value if name in _BARE else f"{name} {value}" for name, value in odd) for odd in short]


def _traits(run: Run) -> dict[str, Any]:
    config = {name: value for name, value in dataclasses.asdict(run.config).items() if name not in _APART}
    first = {name: config.pop(name) for name in _BARE} | {"trained on": "all" if run.config.task == ALL else "one task"}
    return first | config | (run.settings or {})


def check_planners(planners: Sequence[str], file: str | None) -> None:
    """Whether dual systems can be put under these planners.

    Raises:
        ValueError: there is no such planner, or a file is missing or damaged.
    """
    if len(set(planners)) < len(planners):
        raise ValueError("a planner is named twice")
    for planner in planners:
        if planner in PLACEBOS:
            raise ValueError(f"{planner} is a placebo; --placebos compares with all of them")
        make_planner(planner, file=None if file is None else Path(file))


def with_planners(systems: Sequence[Contender], planners: Sequence[str], file: str | None) -> tuple[Contender, ...]:
    """The systems, with each of these planners in place of the dual systems' own; without planners as they are."""
    found: list[Contender] = []
    for one in systems:
        if one.system != "dual" or not planners:
            found.append(one)
            continue
        for planner in planners:
            name = one.name
            if len(planners) > 1 or planner != one.planner:
                name = f"{name[:-1]}, {planner})" if name.endswith(")") else f"{name} ({planner})"
            own_file = file if planner == "learned" else None
            found.append(dataclasses.replace(one, name=name, planner=planner, planner_file=own_file))
    return tuple(found)


def controls_of(systems: Sequence[Contender], placebos: bool, bounds: bool) -> tuple[Contender, ...]:
    """What the first dual system is compared with to learn why it does well, or badly."""
    dual = next((one for one in systems if one.system == "dual"), None)
    found: list[Contender] = []
    if placebos and dual is not None:
        for planner, name in PLACEBOS.items():
            inner = dual.planner if dual.planner and dual.planner not in PLACEBOS else "symbolic"
            found.append(Contender(name, "placebo", "dual", dual.runs, planner, dual.planner_file, inner))
    if bounds and dual is not None:
        found += [Contender(name, "bound", "dual", dual.runs, "symbolic") for name in (SCRIPTED, ORACLE)]
    return tuple(found)
