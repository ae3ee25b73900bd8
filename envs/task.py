"""What a task is: a scene, a distribution over layouts, a goal and its stages. One file a task, in `envs/tasks/`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from envs.geometry import Array, array_namespace, norm
from envs.layout import Draw, Layout
from envs.observation import Part
from envs.progress import Progress
from envs.robots import RobotSpec
from envs.scene import BASES, ObjectSpec
from envs.world import World

HOLD_TICKS = 5  # (ticks) success must last: 0.2 s
STILL_SPEED = 0.05  # (m/s) at rest
GRIP_FORCE = 1.0  # (N) each finger presses at least this on an object that is held
TOUCH_FORCE = 0.05  # (N) a finger that presses less has let go
_FLAT = 0.0008  # (m) half the height of what marks a place on the table


@dataclass(frozen=True)
class Goal:
    """What is drawn of a goal in a picture."""

    position: np.ndarray
    """(3,) m, world frame."""
    half_size: tuple[float, float, float]
    """(m) along its own axes; a sphere's radius is the first, a cylinder's radius and half-height the first two."""
    shape: str = "sphere"
    """sphere, box or cylinder."""
    yaw: float = 0.0
    """(rad)"""
    colour: str = "green"
    """As of objects."""


@dataclass(frozen=True)
class Targets:
    """What N episodes ask for, as a planner is told: where objects must be, or the tool. World frame."""

    positions: Array
    """(N, G, 3) m: centres of the first G objects."""
    yaws: Array
    """(N, G) rad."""
    in_air: Array
    """(N, G) bool: whether the object is held there in the air; else it rests there, let go."""
    turned: tuple[bool, ...]
    """For each object, whether its heading counts."""
    below: tuple[int | None, ...]
    """For each object, the object that it must rest on; None is the table."""
    tool: Array | None = None
    """(N, 3) m: where the tool must be, in a task without objects."""


def ball(position: np.ndarray, radius: float) -> Goal:
    """A goal that is a point with a tolerance."""
    return Goal(position, (radius,) * 3)


def mark(position: np.ndarray, half_size: tuple[float, float], shape: str, yaw: float, colour: str) -> Goal:
    """A goal that is a place on the table: a flat box, or a disc with the radius as its first half-size."""
    size = (*half_size, _FLAT) if shape == "box" else (half_size[0], _FLAT, 0.0)
    return Goal(np.array((*position[:2], _FLAT)), size, shape, yaw, colour)


class Task(ABC):
    """A task for one batch of worlds. Uses only named measurements and array API functions."""

    num_arms: ClassVar[int] = 1
    object_counts: ClassVar[tuple[int, ...]] = ()
    """Numbers of objects that one may ask for, the usual one first; empty where there is no choice."""
    objects: tuple[ObjectSpec, ...] = ()
    stages: tuple[str, ...]
    """Names of the stages in order; the last is success."""
    goal_size: int
    """Numbers in a goal."""
    time_limit: float
    """(s) an episode ends without success after this."""

    def __init__(self, robot: RobotSpec, num_objects: int | None = None) -> None:
        """Args:
            robot: which robot acts.
            num_objects: one of `object_counts`; None means the usual number.

        Raises:
            ValueError: the task does not come with this number of objects.
        """
        self.robot = robot
        if num_objects is not None and num_objects not in self.object_counts:
            name, counts = type(self).__name__, ", ".join(map(str, sorted(self.object_counts)))
            allowed = f"{name} comes with {counts}" if counts else f"the number of {name}'s objects is fixed"
            raise ValueError(f"num_objects is {num_objects}; {allowed}")

    @abstractmethod
    def layout(self, draw: Draw, randomize: bool) -> Layout:
        """Layouts for `len(draw)` episodes; sizes, masses and frictions at their middle unless `randomize`."""

    @abstractmethod
    def settled(self, world: World) -> Array:
        """(N,) bool: everything that success asks for is true at this tick."""

    @abstractmethod
    def progress(self, world: World, success: Array) -> Progress:
        """Stages done; `success` (N,) bool says where `settled` has lasted for HOLD_TICKS."""

    @abstractmethod
    def targets(self, world: World) -> Targets:
        """The goals in the terms that all tasks share."""

    @abstractmethod
    def parts(self) -> tuple[Part, ...]:
        """Observation parts of the task, besides those of the arms."""

    @abstractmethod
    def achieved_goal(self, world: World) -> Array:
        """(N, G) what is the case now, in the terms of `desired_goal`; base frame of the first arm."""

    @abstractmethod
    def desired_goal(self, world: World) -> Array:
        """(N, G) what the episode asks for."""

    @abstractmethod
    def goal_distance(self, achieved: Array, desired: Array) -> Array:
        """(...) m between (..., G) goals."""

    @abstractmethod
    def goal_reached(self, achieved: Array, desired: Array) -> Array:
        """(...) bool: whether (..., G) goals agree."""

    @abstractmethod
    def goals_to_draw(self, goal: np.ndarray) -> tuple[Goal, ...]:
        """What a picture shows of one world's (G,) goal."""


def jittered_home(draw: Draw, robot: RobotSpec, num_arms: int, jitter: float = 0.05) -> Array:
    """(n, num_arms, J) rad: the home pose, each joint moved by up to `jitter`."""
    offsets = draw.uniform(-jitter, jitter, num_arms * len(robot.joints))
    return np.reshape(offsets, (len(draw), num_arms, -1)) + np.asarray(robot.home)


def upright_pose(x: Array, y: Array, z: Array, yaw: Array) -> Array:
    """(n, 7) world-frame pose of objects standing at (x, y, z) in the first arm's base frame, turned by `yaw`."""
    xp = array_namespace(x)
    base, zero = BASES[0].position, xp.zeros_like(x)
    place = (x + base[0], y + base[1], z + base[2])
    return xp.stack((*place, xp.cos(yaw / 2), zero, zero, xp.sin(yaw / 2)), axis=-1)


def distance(a: Array, b: Array) -> Array:
    """(...) m between (..., 3) points."""
    return norm(a - b)
