"""Tasks that ask where objects must be: the goal, what is observed of it, and when it is met, for any of them."""

from __future__ import annotations

import numpy as np

from envs.geometry import Array, array_namespace, columns, near, norm, wrap
from envs.observation import CLOSE_BY, Part
from envs.progress import Stage
from envs.scene import BASES, ObjectSpec
from envs.task import GRIP_FORCE, STILL_SPEED, TOUCH_FORCE, Goal, Targets, Task, distance, mark
from envs.world import World

TOLERANCE = 0.02  # (m) from the goal
TURN_TOLERANCE = 0.2  # (rad) 11 degrees
FAR = 0.5  # (m) progress starts here
FIRM_GRIP = 35.0  # (N) what a finger can press
SPARE = 0.02  # (m) between fingers and object, both sides together: wide enough to get around it
_NUMBERS = 4  # of a goal for each object: position and heading
_MARGIN = 0.012  # (m) by which the mark of a place is larger on all sides than what goes there


class ObjectTask(Task):
    """A task with a goal for some of its objects, the first ones: x, y, z (m) and yaw (rad), world frame, for each.

    A table goal is met by an object at rest there that no finger touches, a goal in the air by an object that the
    arm nearer to the goal holds there, and no other.
    """

    in_air = False
    """Whether the goals are in the air."""

    @property
    def asked(self) -> tuple[ObjectSpec, ...]:
        """The objects with a goal: all, or the first of them."""
        return self.objects

    def turns(self, thing: int) -> bool:
        """Whether an object's heading counts."""
        return False

    def below(self, thing: int) -> int | None:
        """The object that another must stand on; None is the table."""
        return None

    @property
    def goal_size(self) -> int:  # type: ignore[override]
        """Numbers in a goal."""
        return _NUMBERS * len(self.asked)

    # The goal as every part of the task reads it

    def goal_position(self, world: World, thing: int) -> Array:
        """(N, 3) where an object must be, world frame."""
        return world.goal[:, _NUMBERS * thing : _NUMBERS * thing + 3]

    def goal_yaw(self, world: World, thing: int) -> Array:
        """(N,) rad, world frame."""
        return world.goal[:, _NUMBERS * thing + 3]

    def targets(self, world: World) -> Targets:
        xp, things = array_namespace(world.goal), range(len(self.asked))
        air = xp.ones if self.in_air else xp.zeros
        return Targets(
            positions=xp.stack([self.goal_position(world, k) for k in things], axis=1),
            yaws=xp.stack([self.goal_yaw(world, k) for k in things], axis=1),
            in_air=air((world.goal.shape[0], len(self.asked)), dtype=xp.bool),
            turned=tuple(self.turns(k) for k in things),
            below=tuple(self.below(k) for k in things),
        )

    def distance_to_goal(self, world: World, thing: int) -> Array:
        """(N,) m"""
        return distance(world.object_position(thing), self.goal_position(world, thing))

    def turn_to_goal(self, world: World, thing: int) -> Array:
        """(N,) rad that an object must turn; the nearest of the turns that look the same."""
        turn = self.goal_yaw(world, thing) - world.object_yaw(thing)
        return wrap(turn, 2 * np.pi / self.objects[thing].symmetry)

    def hands_right(self, world: World, thing: int) -> Array:
        """(N,) bool: no finger touches an object whose goal is on the table; the arm at a goal in the air holds it."""
        arms = range(self.num_arms)
        touches = [world.touch_force(arm, thing) >= TOUCH_FORCE for arm in arms]
        if not self.in_air:
            return ~_any(touches)
        grips = [world.grip_force(arm, thing) > GRIP_FORCE for arm in arms]
        at = [self._is_at(world, thing, arm) for arm in arms]
        return _any([at[arm] & grips[arm] & ~_any([touches[o] for o in arms if o != arm]) for arm in arms])

    def _is_at(self, world: World, thing: int, arm: int) -> Array:
        """(N,) bool: whether a goal lies on an arm's side of the table."""
        x = self.goal_position(world, thing)[:, 0]
        return (x < 0) == (BASES[arm].position[0] < 0) if self.num_arms > 1 else x == x

    def in_place(self, world: World, thing: int) -> Array:
        """(N,) bool: an object is where and how it must be, whatever touches it."""
        offset = world.object_position(thing) - self.goal_position(world, thing)
        there = self._within(world.turned_to_base(0, offset), thing)
        if self.turns(thing):
            there = there & (array_namespace(there).abs(self.turn_to_goal(world, thing)) < TURN_TOLERANCE)
        return there

    def _within(self, offset: Array, thing: int) -> Array:
        """(...) bool: whether an object (..., 3) m from its goal, in the first arm's base frame, is near enough."""
        return norm(offset) < TOLERANCE

    def met(self, world: World, thing: int) -> Array:
        """(N,) bool: the goal of one object is met at this tick."""
        still = world.object_speed(thing) < STILL_SPEED
        return self.in_place(world, thing) & still & self.hands_right(world, thing)

    def settled(self, world: World) -> Array:
        met = [self.met(world, thing) for thing in range(len(self.asked))]
        settled = met[0]
        for other in met[1:]:
            settled = settled & other
        return settled

    # Observation

    def parts(self) -> tuple[Part, ...]:
        return tuple(part for thing in range(len(self.asked)) for part in self._parts(thing))

    def _parts(self, thing: int) -> tuple[Part, ...]:
        def offset(world: World) -> Array:
            return world.turned_to_base(0, self.goal_position(world, thing) - world.object_position(thing))

        def heading(world: World) -> Array:
            turn = self.objects[thing].symmetry * self.turn_to_goal(world, thing)
            xp = array_namespace(turn)
            return columns(xp.cos(turn), xp.sin(turn))

        name = self.objects[thing].name
        parts: tuple[Part, ...] = (
            Part(f"goal_from_{name}", 3, "m", "base", -2, 2, offset, goal=True),
            Part(f"{name}_goal_close_by", 3, "m", "base", -CLOSE_BY, CLOSE_BY, offset, goal=True),
        )
        if self.turns(thing):
            turns = f"cos, sin of {self.objects[thing].symmetry} yaw"
            parts += (Part(f"{name}_goal_turn", 2, turns, "object", -1, 1, heading, goal=True),)
        return parts

    # Goals as hindsight needs them: for each object position, heading where it counts, and "hands off" as 0 or 1

    def achieved_goal(self, world: World) -> Array:
        things = range(len(self.asked))
        return self._goal_rows(
            world,
            [world.object_position(k) for k in things],
            [world.object_yaw(k) for k in things],
            [~self.hands_right(world, k) for k in things],
        )

    def desired_goal(self, world: World) -> Array:
        things, right = range(len(self.asked)), world.goal[:, 0] != world.goal[:, 0]
        positions, yaws = [self.goal_position(world, k) for k in things], [self.goal_yaw(world, k) for k in things]
        return self._goal_rows(world, positions, yaws, [right for _ in things])

    def _goal_rows(self, world: World, positions: list[Array], yaws: list[Array], wrong: list[Array]) -> Array:
        xp = array_namespace(world.goal)
        rows: list[Array] = []
        for k in range(len(self.asked)):
            rows.append(world.in_base(0, positions[k]))
            if self.turns(k):
                turned = self.objects[k].symmetry * yaws[k]
                rows.append(columns(xp.cos(turned), xp.sin(turned)))
            rows.append(xp.astype(wrong[k], world.goal.dtype)[:, None])
        return xp.concat(rows, axis=-1)

    def _columns(self) -> list[tuple[int, int]]:
        """For each object, its first column in a goal row, and the column of its hands."""
        found, at = [], 0
        for k in range(len(self.asked)):
            hands = at + (5 if self.turns(k) else 3)
            found.append((at, hands))
            at = hands + 1
        return found

    def goal_distance(self, achieved: Array, desired: Array) -> Array:
        """(...) m: the mean over the objects."""
        ways = [distance(achieved[..., at : at + 3], desired[..., at : at + 3]) for at, _ in self._columns()]
        return sum(ways[1:], start=ways[0]) / len(ways)

    def goal_reached(self, achieved: Array, desired: Array) -> Array:
        xp = array_namespace(achieved)
        reached = achieved[..., 0] == achieved[..., 0]
        for k, (at, hands) in enumerate(self._columns()):
            reached = reached & self._within(achieved[..., at : at + 3] - desired[..., at : at + 3], k)
            reached = reached & (xp.abs(achieved[..., hands] - desired[..., hands]) < 0.5)
            if self.turns(k):
                a, d = achieved[..., at + 3 : at + 5], desired[..., at + 3 : at + 5]
                aligned = a[..., 0] * d[..., 0] + a[..., 1] * d[..., 1]
                reached = reached & (aligned > np.cos(self.objects[k].symmetry * TURN_TOLERANCE))
        return reached

    def goals_to_draw(self, goal: np.ndarray) -> tuple[Goal, ...]:
        drawn = []
        for k, spec in enumerate(self.asked):
            position, yaw = goal[_NUMBERS * k : _NUMBERS * k + 3], goal[_NUMBERS * k + 3]
            x, y, _ = spec.max_half_size
            if self.in_air:
                drawn.append(Goal(position, (TOLERANCE,) * 3, colour=spec.colour))
            else:  # a disc where every heading will do
                shape = "box" if self.turns(k) else "cylinder"
                drawn.append(mark(position, (x + _MARGIN, y + _MARGIN), shape, yaw, spec.colour))
        return tuple(drawn)

    # Steps that several tasks are made of

    def grasp_stages(self, world: World, arm: int, thing: int) -> dict[str, Stage]:
        """The tool around an object, then both fingers on it."""
        return grasp_stages(world, arm, thing, self.objects[thing].symmetry, world.grasp_distance(arm, thing))

    def letting_go(self, world: World, thing: int) -> Array:
        """(N,) in [0, 1]: how near to let go and at rest; graded, since a firm grip takes several ticks to loosen."""
        touch = world.touch_force(0, thing)
        for arm in range(1, self.num_arms):
            touch = array_namespace(touch).maximum(touch, world.touch_force(arm, thing))
        right = array_namespace(touch).astype(touch < TOUCH_FORCE, touch.dtype)
        calm = 0.5 + 0.5 * near(world.object_speed(thing), 0.0, 0.5)
        return (0.5 * near(touch, 0.0, FIRM_GRIP) + 0.5 * right) * calm


def grasp_stages(world: World, arm: int, thing: int, symmetry: int, away: Array) -> dict[str, Stage]:
    """The stages that a grasp is made of: the tool `away` (N,) m from where it grips, then both fingers on the object.

    A closed or turned gripper cannot get around the object, so that opening and turning it are steps on the way.
    """
    forces = world.finger_forces(arm, thing)
    xp = array_namespace(away)
    touching = xp.sum(xp.astype(forces > TOUCH_FORCE, forces.dtype), axis=-1) / 2
    spare = world.gripper_opening(arm) - 2 * world.object_half_size(thing)[:, 1]
    opened = xp.clip(spare / SPARE, 0.0, 1.0)
    if symmetry:
        most = np.pi / symmetry
        aligned = 1.0 - xp.abs(wrap(world.object_turn(arm, thing), 2 * most)) / most
    else:
        aligned = xp.ones_like(away)
    # the last centimetres count only for a gripper that can take them: pressing on an object from above is no way in
    approach = 0.3 * near(away, 0.01, FAR) + 0.4 * near(away, 0.01, 0.1) * opened * aligned
    return {
        "reach": Stage(away < 0.015, approach + 0.15 * opened + 0.15 * aligned),
        "grasp": Stage(holds(world, arm, thing), 0.5 * touching),
    }


def holds(world: World, arm: int, thing: int) -> Array:
    """(N,) bool: both fingers of an arm press on an object."""
    return world.grip_force(arm, thing) > GRIP_FORCE


def _any(flags: list[Array]) -> Array:
    found = flags[0]
    for flag in flags[1:]:
        found = found | flag
    return found
