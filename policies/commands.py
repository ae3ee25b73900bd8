"""Commands: what a planner tells each arm, what an arm sees of its own, and when one is done."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from envs.geometry import columns, norm, turn, wrap
from envs.scene import Scene
from envs.task import GRIP_FORCE, TOUCH_FORCE
from envs.world import World

SKILLS = ("reach", "pick", "carry", "place", "release", "hold")
REACH, PICK, CARRY, PLACE, RELEASE, HOLD = range(len(SKILLS))
NOTHING = -1  # the object of a command that concerns none

# Completion tests. The tolerances of the last step before an object is let go lie within every task's.
_REACHED = 0.02  # (m)
_CARRIED = 0.02  # (m) on the way, where a place or another hand follows
_PLACED, _PLACED_TURN = 0.012, 0.1  # (m, rad)
_DOWN = 0.004  # (m) over its place, what is put down is let go of at most
_TURNED = 0.15  # (rad)
_MOST_TURNED = 1.7  # (rad) the tool, base frame: within every robot's `max_yaw`
FIRM = 8.0  # (N) each finger: a pick is done when the object will not slip
_CLEAR = 0.06  # (m) a released object is this far from the tool


@dataclass
class Commands:
    """One command for every arm of N worlds. All arrays are (N, A) or (N, A, ...)."""

    skill: np.ndarray
    """Index in SKILLS."""
    thing: np.ndarray
    """Index of the object, or NOTHING."""
    grip: np.ndarray
    """(m) grasp point: from the object's middle, along its x axis, against the heading of the grasp."""
    heading: np.ndarray
    """(rad) of the tool in a grasp, base frame; the nearest heading that the object's symmetry allows is meant."""
    target: np.ndarray
    """(N, A, 4) m and rad, base frame: where the object goes (carry, place, hold with an object) or the tool."""
    turned: np.ndarray
    """bool: whether the target's heading counts."""
    observed: np.ndarray
    """(s) time in the episode of the observation behind the command."""
    time_to_live: np.ndarray
    """(s) from `observed` on; after it, the arm holds."""

    @classmethod
    def holding(cls, num_worlds: int, num_arms: int) -> Commands:
        """Hold, with nothing, at the origin: to be filled."""
        shape = (num_worlds, num_arms)
        return cls(
            skill=np.full(shape, HOLD),
            thing=np.full(shape, NOTHING),
            grip=np.zeros(shape),
            heading=np.zeros(shape),
            target=np.zeros((*shape, 4)),
            turned=np.zeros(shape, dtype=bool),
            observed=np.zeros(shape),
            time_to_live=np.full(shape, np.inf),
        )

    def copy(self) -> Commands:
        return Commands(**{field.name: getattr(self, field.name).copy() for field in fields(self)})


class Actors:
    """What every arm of every world sees of itself and of its command, at one tick. Rows are (N, A, ...).

    Everything is arm-centric: in the base frame of the arm, relative to its tool. It is all that System 1, the
    completion tests and its reward are made from, and nothing here is hidden from the single system.
    """

    def __init__(self, scene: Scene, world: World, commands: Commands) -> None:
        arms, things = range(len(scene.arms)), range(len(scene.objects))
        self.world, self.commands = world, commands
        self.tool = np.stack([world.tool_base_position(a) for a in arms], axis=1)
        self.yaw = np.stack([world.tool_base_yaw(a) for a in arms], axis=1)
        self.velocity = np.stack([world.turned_to_base(a, world.tool_velocity(a)) for a in arms], axis=1)
        self.opening = np.stack([world.gripper_opening(a) for a in arms], axis=1)
        self.opening_speed = np.stack([world.gripper_speed(a) for a in arms], axis=1)
        self.squeeze = np.stack([world.arrays["ctrl"][:, arm.gripper] for arm in scene.arms], axis=1) - self.opening
        self.lead = world.arrays["target_position"] - self.tool
        self.yaw_lead = world.arrays["target_yaw"] - self.yaw
        n, count = self.yaw.shape
        self.has_object = commands.thing != NOTHING
        if not len(scene.objects):
            self._see_nothing(n, count)
        else:
            symmetries = np.array([thing.spec.symmetry for thing in scene.objects])

            def mine(measures: list[list[np.ndarray]]) -> np.ndarray:
                """(N, A, ...) of the commanded objects, from measures by arm and object."""
                every = np.stack([np.stack(of_arm, axis=1) for of_arm in measures], axis=1)
                return every[np.arange(n)[:, None], np.arange(count), np.maximum(commands.thing, 0)]

            self.object = mine([[world.object_from_tool(a, k) for k in things] for a in arms])
            self.object_turn = mine([[world.object_turn(a, k) for k in things] for a in arms])
            self.object_velocity = mine(
                [[world.turned_to_base(a, world.object_velocity(k)) for k in things] for a in arms]
            )
            self.half_size = mine([[world.object_half_size(k) for k in things] for _ in arms])
            self.forces = mine([[world.finger_forces(a, k) for k in things] for a in arms])
            self.symmetry = symmetries[np.maximum(commands.thing, 0)]
        self._aim()

    def _see_nothing(self, n: int, count: int) -> None:
        self.object, self.object_velocity, self.half_size = (np.zeros((n, count, 3)) for _ in range(3))
        self.object_turn, self.symmetry = np.zeros((n, count)), np.zeros((n, count), dtype=int)
        self.forces = np.zeros((n, count, 2))

    def _aim(self) -> None:
        """Where each command leads: the way and turn that are left."""
        commands = self.commands
        period = np.where(self.symmetry > 0, 2 * np.pi / np.maximum(self.symmetry, 1), np.inf)
        finite = np.where(np.isfinite(period), period, 1.0)

        def least(angle: np.ndarray) -> np.ndarray:
            return np.where(np.isfinite(period), wrap(angle, finite), 0.0)

        # the heading that the object has now, nearest to the one that was asked for
        object_yaw = self.object_turn + self.yaw
        asked = commands.heading + least(object_yaw - commands.heading)
        # of the long axis' two directions, the one that the tool will point in: it grips the end behind it
        self.axis = columns(np.cos(asked), np.sin(asked), np.zeros_like(asked))
        self.grasp = self.object - commands.grip[..., None] * self.axis
        self.grasp_turn = wrap(np.where(self.symmetry > 0, asked, commands.heading) - self.yaw)
        with_object = self.has_object & (commands.skill != REACH) & (commands.skill != RELEASE)
        subject = np.where(with_object[..., None], self.tool + self.object, self.tool)
        subject_yaw = np.where(with_object, object_yaw, self.yaw)
        way = commands.target[..., :3] - subject
        left = commands.target[..., 3] - subject_yaw
        shortest = least(left)
        # the other way around, where the shortest would take the tool further than it turns
        too_far = np.abs(self.yaw + shortest) > _MOST_TURNED
        shortest = np.where(too_far, shortest - np.sign(shortest) * finite, shortest)
        left = np.where(commands.turned, np.where(with_object, shortest, wrap(left)), 0.0)
        # out of what was let go of, straight up
        way[..., :2] *= (commands.skill != RELEASE)[..., None]
        picks = commands.skill == PICK
        self.way = np.where(picks[..., None], self.grasp, way)
        self.turn = np.where(picks, self.grasp_turn, left)
        self.away = norm(self.way)
        self.grip_force = self.forces.min(axis=-1)
        self.touch_force = self.forces.max(axis=-1)
        self.held = self.has_object & (self.grip_force > GRIP_FORCE)

    def done(self) -> np.ndarray:
        """(N, A) bool: which commands are completed. A hold never is."""
        skill, turned = self.commands.skill, np.abs(self.turn)
        picked = self.held & (self.grip_force > FIRM) & (np.abs(self.grasp).max(axis=-1) < 0.03)
        clear = (self.touch_force < TOUCH_FORCE) & (self._gap() > _CLEAR)
        return np.select(
            [skill == s for s in (REACH, PICK, CARRY, PLACE, RELEASE)],
            [
                (self.away < _REACHED) & (turned < _TURNED),
                picked,
                self.held & (self.away < _CARRIED) & (turned < _TURNED),
                (self.away < _PLACED) & (self.way[..., 2] > -_DOWN) & (turned < _PLACED_TURN),
                clear,
            ],
            default=False,
        )

    def _gap(self) -> np.ndarray:
        """(N, A) m from the tool to the nearest point of the object's long axis."""
        long = np.maximum(self.half_size[..., 0] - self.half_size[..., 1], 0.0)
        along = np.clip(-(self.object * self.axis).sum(axis=-1), -long, long)
        return norm(self.object + along[..., None] * self.axis)

    def lost(self) -> np.ndarray:
        """(N, A) bool: the object of a command that takes one in the hand is not in it."""
        skill = self.commands.skill
        needs = (skill == CARRY) | (skill == HOLD) | ((skill == PLACE) & (self.away > 2 * _PLACED))
        return self.has_object & needs & ~self.held


def to_base(scene: Scene, arm: int, place: np.ndarray) -> np.ndarray:
    """(..., 4) position (m) and heading (rad), world frame, in the base frame of an arm."""
    base = scene.arms[arm].base
    moved = turn(place[..., :3] - np.asarray(base.position), -base.yaw)
    return np.concatenate((moved, wrap(place[..., 3:] - base.yaw)), axis=-1)
