"""Who can act in a session: the runs that were given, and what can be put together from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from envs.names import check_name
from envs.registration import TASK_NAMES
from envs.scene import TICK
from envs.vector import DuetVectorEnv
from evaluation.contenders import SCRIPTED
from evaluation.run import Run, RunError, digest
from policies.agents import Agent, DualAgent, SingleAgent
from policies.system1.policy import LearnedPolicy
from policies.system2.plan import Planner
from policies.system2.planners import PLANNERS, make_planner

_SAME = ("robot", "control", "objects", "randomize")  # what runs must have in common to share one world


@dataclass(frozen=True)
class Role:
    """Who acts."""

    system: str
    """One of `Cast.systems`."""
    planner: str | None = None
    """One of `Cast.planners`, for a system that has one."""

    @property
    def text(self) -> str:
        """In a few words."""
        return self.system if self.planner is None else f"{self.system} under the {self.planner} planner"


@dataclass(frozen=True)
class Cast:
    """Who can act on one task.

    The systems are `single` and `dual`, as the runs have them, and with Cartesian control the scripted System 1,
    under any planner.
    """

    task: str
    objects: int | None
    runs: dict[str, Run] = field(default_factory=dict)
    """By the name of the system."""
    policies: dict[str, LearnedPolicy] = field(default_factory=dict)
    """Of the runs, by the name of the system."""
    checkpoints: dict[str, Path] = field(default_factory=dict)
    """That the policies come from."""

    @classmethod
    def of(
        cls,
        runs: Sequence[Run],
        task: str | None = None,
        objects: int | None = None,
        checkpoints: Sequence[Path] = (),
    ) -> Cast:
        """The runs' systems on a task that they have in common, or without runs the scripted System 1 on any.

        `checkpoints` are those whose policies act, where they are still there; otherwise, the runs' last.

        Raises:
            RunError: the runs cannot share a world, or one is damaged.
            ValueError: there is no such task, or it does not come with so many objects.
        """
        if not runs:
            if task is None:
                raise ValueError("name a run folder, or a task with --task")
            check_name("task", task, TASK_NAMES)
            return cls(task, objects)
        common = [name for name in runs[0].config.tasks if all(name in run.config.tasks for run in runs)]
        if not common:
            learned = "; ".join(f"{run.folder} learned {run.config.task}" for run in runs)
            raise RunError(f"the runs are of different tasks: {learned}; name runs of one task")
        if task is not None and task not in common:
            raise RunError(f"--task is {task}; what all these runs have learned is {', '.join(common)}")
        for name in _SAME:
            if name == "objects" and objects is not None:
                continue
            values = [getattr(run.config, name) for run in runs]
            if any(value != values[0] for value in values):
                told = "; ".join(f"{run.folder} has {value}" for run, value in zip(runs, values, strict=True))
                raise RunError(f"the runs differ in {name}: {told}; name runs that share one world")
        named: dict[str, Run] = {}
        for run in runs:
            name = run.config.system
            if sum(other.config.system == name for other in runs) > 1:
                name = f"{name} {run.folder.resolve().name}"
            if name in named:
                raise RunError(f"{run.folder} is named twice; name another run, or one")
            named[name] = run
        own = objects if objects is not None else runs[0].config.objects
        paths = {
            name: path if path.is_file() else run.checkpoint()
            for (name, run), path in zip(named.items(), checkpoints or [Path()] * len(runs), strict=True)
        }
        policies = {name: run.policy(paths[name]) for name, run in named.items()}
        cast = cls(task or common[0], own, named, policies, paths)
        env = cast.make_env()
        for name, run in named.items():
            if run.config.system == "single":
                run.agent(cast.policies[name], env)  # it can act there now or never
        env.close()
        return cast

    @property
    def systems(self) -> tuple[str, ...]:
        """Names, the first of which begins."""
        cartesian = all(run.config.control == "cartesian" for run in self.runs.values())
        return (*self.runs, SCRIPTED) if cartesian else tuple(self.runs)

    @property
    def planners(self) -> tuple[str, ...]:
        """Names, the runs' own first."""
        own = [run.config.planner for run in self.runs.values() if run.config.planner]
        return tuple(dict.fromkeys([*own, *(name for name in PLANNERS if name != "learned")]))

    def plans(self, system: str) -> bool:
        """Whether a system has a planner."""
        return system not in self.runs or self.runs[system].config.system == "dual"

    def role(self, system: str | None = None, planner: str | None = None) -> Role:
        """The system (the first by default) with the planner (its own by default).

        Raises:
            ValueError: there is no such system or planner, or the system has none.
        """
        system = check_name("system", system or self.systems[0], self.systems)
        if not self.plans(system):
            if planner is not None:
                raise ValueError(f"{system} is one policy; it has no planner")
            return Role(system)
        run = self.runs.get(system)
        return Role(system, check_name("planner", planner or (run and run.config.planner) or "symbolic", self.planners))

    def make_env(self) -> DuetVectorEnv:
        """One world of the task, which does not reset by itself."""
        changes: dict[str, Any] = {"num_envs": 1, "task": self.task, "num_objects": self.objects, "autoreset": False}
        if not self.runs:
            return DuetVectorEnv(**changes, threads=1)
        # a single system must be shown what it has learned from; a dual one looks for itself
        run = min(self.runs.values(), key=lambda run: run.config.system != "single")
        return run.make_env(**changes, threads=1)

    def agent(self, role: Role, latency: float) -> Agent:
        """Who plays a role, with System 2 `latency` s late."""
        if role.planner is None:
            return SingleAgent(self.policies[role.system].act)
        act = self.policies[role.system].act if role.system in self.policies else None
        ticks = round(latency / TICK)
        return DualAgent(self._planner(role.planner), act, latency=(ticks, ticks))

    def _planner(self, name: str) -> Planner:
        for run in self.runs.values():
            if run.config.planner == name:
                return run.config.make_planner()
        return make_planner(name)


def fingerprint(checkpoint: Path) -> str:
    """What tells a policy from every other; empty where there is no file."""
    return digest(checkpoint) if checkpoint.is_file() else ""
