"""The one list of options of a training. It is saved with the run, and the command line is made from it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from envs.control import CONTROLLERS
from envs.names import check_name
from envs.registration import OBSERVATIONS, REWARDS, TASK_NAMES
from envs.robots import ROBOTS
from envs.scene import TICK
from envs.tasks import task_class
from envs.vector import DuetVectorEnv
from policies.system1.settings import ALGORITHMS, Settings, tuned
from policies.system2.plan import Planner
from policies.system2.planners import make_planner

SYSTEMS = ("single", "dual")
ALL = "all"  # the name of the mixture of tasks
MIXTURE = ("PickPlace", "Stack", "Tidy", "Handover", "HandoverPlace", "Relay")
DEVICES = ("auto", "cpu", "cuda")
_LIMITS = {
    "seed": (0, 2**32 - 2),  # what Stable-Baselines3 can seed NumPy with
    "steps": (1, 10**12),
    "num_worlds": (1, 2**16),
    "gamma": (0, 1),
    "starts": (0, 1),
    "demonstrations": (0, 2**16),
    "threads": (0, 1024),
    "latency": (0, 60),
    "checkpoint_every": (1, 10**12),
    "episodes": (1, 10**6),
}


@dataclass(frozen=True)
class TrainConfig:
    """Options of a training. Those that are None are taken from the tuned settings of the task and algorithm."""

    task: str = "PickPlace"
    """What to learn: a task, or with the dual system also all, a mixture of tasks."""
    system: str = "single"
    """single: one policy for everything. dual: System 1, commanded by a planner, acts for every arm."""
    algorithm: str = "ppo"
    """ppo, or sac or td3 with hindsight goals."""
    seed: int = 0
    """Of everything random in the training."""
    steps: int | None = None
    """Environment steps in all."""
    num_worlds: int | None = None
    """Worlds stepped together."""
    planner: str | None = None
    """System 2 of the dual system: symbolic, scripted, learned, frozen, shuffled, random or none."""
    planner_file: str | None = None
    """What the learned planner has learned, or the one that frozen and shuffled hand on: see
    policies/system2/learned.py."""
    latency: float = 0.0
    """(s) training episodes of the dual system draw System 2's latency from 0 to this."""
    objects: int | None = None
    """How many objects, in tasks that leave a choice."""
    robot: str = "panda"
    """Which robot."""
    control: str = "cartesian"
    """What actions mean: cartesian (tool displacement, yaw and opening) or joints (joint displacements and opening)."""
    observation: str | None = None
    """What the policy sees: state or goal."""
    reward: str | None = None
    """dense or sparse."""
    learning_rate: float | None = None
    """Of the optimiser, at the start."""
    gamma: float | None = None
    """Discount factor a tick."""
    starts: float | None = None
    """Share of training episodes that begin at a later state, which the scripted expert passed through."""
    demonstrations: int | None = None
    """Episodes of the scripted expert to begin with: imitated (ppo) or in the replay buffer (sac, td3); 0 for none."""
    randomize: bool = True
    """Draw sizes, masses and frictions of objects in every episode."""
    threads: int = 0
    """Physics threads; 0 means one for every CPU."""
    device: str = "auto"
    """Where networks are: auto, cpu or cuda. Auto takes the CPU for ppo, whose networks are too small for a GPU."""
    checkpoint_every: int = 100_000
    """Environment steps between checkpoints."""
    episodes: int = 300
    """Layouts of the evaluation at the end."""
    video: bool = True
    """Write a video at the end."""

    def resolved(self) -> TrainConfig:
        """The same with nothing left open.

        Raises:
            ValueError: an option has a value that is not allowed; the message lists what is.
        """
        check_name("system", self.system, SYSTEMS)
        dual = self.system == "dual"
        check_name("task", self.task, (*TASK_NAMES, ALL) if dual or self.task == ALL else TASK_NAMES)
        check_name("algorithm", self.algorithm, ALGORITHMS)
        if self.task == ALL and not dual:
            raise ValueError("one policy for all tasks needs the dual system; pass --system dual, or one task")
        if dual and self.algorithm != "ppo":
            raise ValueError(f"the dual system learns with ppo, not with {self.algorithm}")
        settings = self.settings()
        config = dataclasses.replace(
            self,
            **{f.name: getattr(settings, f.name) for f in fields(settings) if getattr(self, f.name, 0) is None},
            planner=self.planner or ("symbolic" if dual else None),
        )
        config._check()
        return config

    def settings(self) -> Settings:
        """The tuned settings, with this configuration's own values in place of theirs."""
        settings = tuned(self.algorithm, self.task, self.demonstrations, self.system)
        own = {f.name: getattr(self, f.name) for f in fields(settings) if getattr(self, f.name, None) is not None}
        return dataclasses.replace(settings, **own)

    def _check(self) -> None:
        for name, hint in get_type_hints(TrainConfig).items():
            value, kinds = getattr(self, name), (get_args(hint) or (hint,))
            if type(value) not in kinds and not (float in kinds and type(value) is int):
                raise ValueError(f"{name} must be {' or '.join(k.__name__ for k in kinds)}, not {value!r}")
        check_name("robot", self.robot, ROBOTS)
        check_name("control mode", self.control, CONTROLLERS)
        check_name("observation mode", str(self.observation), OBSERVATIONS)
        check_name("reward", str(self.reward), REWARDS)
        check_name("device", self.device, DEVICES)
        for name, (low, high) in _LIMITS.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be from {low} to {high}, not {getattr(self, name)}")
        if not self.learning_rate or not 0 < self.learning_rate < 1:
            raise ValueError(f"learning_rate must be between 0 and 1, not {self.learning_rate}")
        if self.algorithm != "ppo" and self.observation != "goal":
            raise ValueError(f"{self.algorithm} learns from hindsight goals: its observation must be goal")
        if self.observation == "pixels":
            raise ValueError("training from pixels is not supported yet; observation must be state or goal")
        if self.system == "dual":
            self.make_planner()
            if self.observation != "state" or self.reward != "dense" or self.control != "cartesian":
                raise ValueError(
                    "the dual system's arms see their commands and act in Cartesian control; "
                    "leave --observation, --reward and --control as they are"
                )
        elif self.planner is not None or self.planner_file is not None or self.latency:
            raise ValueError("the single system has no planner; leave out its flags, or add --system dual")
        if self.num_worlds is not None and self.num_worlds < len(self.tasks):
            raise ValueError(f"{len(self.tasks)} tasks need as many worlds; num_worlds is {self.num_worlds}")
        if self.objects is not None:
            if self.task == ALL:
                raise ValueError("the mixture of all tasks has its usual numbers of objects; leave out --objects")
            task_class(self.task)(ROBOTS[self.robot], self.objects)
        if (self.starts or self.demonstrations) and self.control != "cartesian":
            raise ValueError(
                "the expert that shows the task acts in Cartesian control; pass --starts 0 --demonstrations 0"
            )
        if self.demonstrations and self.algorithm == "ppo" and self.observation != "state":
            raise ValueError("ppo imitates demonstrations with state observations only; pass --demonstrations 0")

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that are learned."""
        return MIXTURE if self.task == ALL else (self.task,)

    @property
    def latency_ticks(self) -> tuple[int, int]:
        """The range of System 2's latency in training episodes."""
        return 0, round(self.latency / TICK)

    def make_planner(self) -> Planner:
        """System 2 of the dual system.

        Raises:
            ValueError: there is none of this name, or its file is missing or damaged.
        """
        return make_planner(str(self.planner), file=None if self.planner_file is None else Path(self.planner_file))

    def make_env(self, **changes: Any) -> DuetVectorEnv:
        """The environment of this (resolved) configuration; `changes` replace its arguments."""
        arguments: dict[str, Any] = {
            "num_envs": self.num_worlds,
            "task": self.task,
            "robot": self.robot,
            "reward": self.reward,
            "observation": self.observation,
            "control": self.control,
            "num_objects": self.objects,
            "randomize": self.randomize,
            "threads": self.threads,
        }
        return DuetVectorEnv(**(arguments | changes))
