"""What a planner is told, and what it answers: the whole interface of System 2."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from envs.object_task import holds
from envs.scene import Scene
from envs.task import TOUCH_FORCE, Task
from envs.vector import DuetVectorEnv
from envs.world import World
from policies.commands import NOTHING, SKILLS

_ALONE = ("reach", "hold")  # skills that mean something without an object

Pose = tuple[float, float, float, float]  # x, y, z (m) and heading (rad), world frame


@dataclass(frozen=True)
class Command:
    """What one arm is to do. See `policies.commands.Commands` for the terms; here the target is in the world frame."""

    skill: str
    thing: int = NOTHING
    grip: float = 0.0
    heading: float = 0.0
    target: Pose = (0.0, 0.0, 0.0, 0.0)
    turned: bool = False


@dataclass(frozen=True)
class Step:
    """One command for every arm; done when all that can be done are."""

    commands: tuple[Command, ...]
    label: str
    """In a few words, for a picture."""

    @property
    def signature(self) -> tuple[tuple[str, int], ...]:
        """What it is, whatever its numbers are."""
        return tuple((command.skill, command.thing) for command in self.commands)


@dataclass(frozen=True)
class Plan:
    """Steps in order."""

    steps: tuple[Step, ...]
    no_plan: str = ""
    """Why there is none, as a sentence; empty otherwise."""


@dataclass(frozen=True)
class SceneEstimate:
    """One world as a planner sees it: nothing that the single system's observation does not hold.

    A arms, K objects; m and rad, world frame unless it says otherwise.
    """

    world: int
    """Index in the batch: for planners with a memory."""
    scene: Scene
    """What is the same in every world: bases, and the objects' names, kinds and symmetry."""
    tools: np.ndarray
    """(A, 3)"""
    tool_yaws: np.ndarray
    """(A,) base frame."""
    holds: np.ndarray
    """(A, K) bool: both fingers press on the object."""
    touches: np.ndarray
    """(A, K) bool: a finger does."""
    positions: np.ndarray
    """(K, 3)"""
    yaws: np.ndarray
    """(K,)"""
    half_sizes: np.ndarray
    """(K, 3)"""


@dataclass(frozen=True)
class Goals:
    """What one episode asks for: one world's row of `envs.task.Targets`, whose terms these are."""

    positions: np.ndarray
    yaws: np.ndarray
    in_air: np.ndarray
    turned: tuple[bool, ...]
    below: tuple[int | None, ...]
    tool: np.ndarray | None


class Planner(Protocol):
    """System 2."""

    def plan(self, scene: SceneEstimate, goals: Goals) -> Plan:
        """What to do from here. Called at System 2's rate and when something happened."""


def is_sound(plan: Any, scene: SceneEstimate) -> bool:
    """Whether a plan is one: commands for all arms, of skills and objects that there are, with finite numbers."""
    return (
        isinstance(plan, Plan)
        and isinstance(plan.no_plan, str)
        and all(
            isinstance(step, Step)
            and len(step.commands) == len(scene.tools)
            and all(_can_be_done(command, len(scene.positions)) for command in step.commands)
            for step in plan.steps
        )
    )


def _can_be_done(command: Any, things: int) -> bool:
    return (
        isinstance(command, Command)
        and command.skill in SKILLS
        and command.thing in range(NOTHING if command.skill in _ALONE else 0, things)
        and len(command.target) == 4
        and all(map(math.isfinite, (*command.target, command.grip, command.heading)))
        and command.turned in (False, True)
    )


def plan_from(saved: dict[str, Any]) -> Plan:
    """The plan that `dataclasses.asdict` made plain values of."""

    def command(values: dict[str, Any]) -> Command:
        return Command(**values | {"target": tuple(values["target"])})

    steps = (Step(tuple(command(c) for c in step["commands"]), step["label"]) for step in saved["steps"])
    return Plan(tuple(steps), saved["no_plan"])


def begin(planner: Planner, env: DuetVectorEnv, worlds: np.ndarray, layout_seeds: np.ndarray) -> None:
    """Tell a planner with a memory that episodes have begun in some worlds (indices)."""
    if hasattr(planner, "begin"):
        planner.begin(env, worlds, layout_seeds)


def estimates(scene: Scene, task: Task, world: World, numbers: Iterable[int]) -> list[tuple[SceneEstimate, Goals]]:
    """What a planner sees of every world that `world` measures; `numbers` are their indices in the batch."""
    arms, things = range(len(scene.arms)), range(len(scene.objects))
    n, count = len(world.goal), len(scene.objects)

    def rows(measures: list[np.ndarray], *empty: int) -> np.ndarray:
        """(N, len(measures), ...); of the shape (N, 0, *empty) without any."""
        return np.stack(measures, axis=1) if measures else np.zeros((n, 0, *empty))

    def by_arm(measure: Callable[[int, int], np.ndarray]) -> np.ndarray:
        """(N, A, K) bool."""
        if not count:
            return np.zeros((n, len(arms), 0), dtype=bool)
        return rows([rows([measure(a, k) for k in things]) for a in arms])

    tools = rows([world.tool_position(a) for a in arms])
    tool_yaws = rows([world.tool_base_yaw(a) for a in arms])
    grips = by_arm(lambda a, k: holds(world, a, k))
    touches = by_arm(lambda a, k: world.touch_force(a, k) >= TOUCH_FORCE)
    positions = rows([world.object_position(k) for k in things], 3)
    yaws = rows([world.object_yaw(k) for k in things])
    sizes = rows([world.object_half_size(k) for k in things], 3)
    asked = task.targets(world)
    return [
        (
            SceneEstimate(
                number, scene, tools[i], tool_yaws[i], grips[i], touches[i], positions[i], yaws[i], sizes[i]
            ),
            Goals(
                asked.positions[i], asked.yaws[i], asked.in_air[i], asked.turned, asked.below,
                None if asked.tool is None else asked.tool[i],
            ),
        )
        for i, number in enumerate(numbers)
    ]  # fmt: skip
