"""Handover: one arm picks a bar up and passes it to the other, which holds it at a goal."""

from __future__ import annotations

import numpy as np

from envs.geometry import Array, array_namespace, near, norm
from envs.layout import Draw, Layout
from envs.object_task import FAR, FIRM_GRIP, ObjectTask, grasp_stages, holds
from envs.objects import BAR, grip_offset, standing, to_world
from envs.progress import Progress, Stage, climb
from envs.task import TOUCH_FORCE, jittered_home
from envs.world import World

ONE_SIDE = (0.29, 0.495)  # (m) from an arm's base: its tool gets there, and the other arm's fingers 1 cm less far
SIDE_Y = (-0.25, 0.25)  # (m)
_MEET_X, _MEET_Z = 0.04, 0.10  # (m) this near to the middle of the table, and over it, both arms reach the bar
_GOAL_X, _GOAL_Z = (0.37, 0.40), (0.12, 0.30)  # (m) of the bar's middle, receiver's base frame


def on_one_side(half_sizes: Array, yaw: Array) -> Array:
    """(n, 2) range of x (m, base frame) for the middle of a bar at a heading (n,) that only the nearer arm can grip."""
    along, across = np.abs(np.cos(yaw)), np.abs(np.sin(yaw))
    nearest = ONE_SIDE[0] + grip_offset(half_sizes[:, 0]) * along
    furthest = ONE_SIDE[1] - half_sizes[:, 0] * along - half_sizes[:, 1] * across
    return np.stack((nearest, furthest), axis=-1)


def bar_place(draw: Draw, half_sizes: Array, yaw: Array) -> Array:
    """(n, 2) places (m, base frame) for the middle of a bar at a heading (n,) that only the nearer arm can grip."""
    low, high = on_one_side(half_sizes, yaw).T
    return np.stack((low + (high - low) * draw.uniform(0, 1), draw.uniform(*SIDE_Y)), axis=-1)


class Handover(ObjectTask):
    """Success: the receiver alone holds the bar within 2 cm of the goal, at rest, for 0.2 s.

    The bar starts on either side of the table, where only one arm reaches, and the goal is on the other side.
    Goal: the bar's middle (m, world frame), with a heading that does not count.
    """

    num_arms = 2
    objects = (BAR.spec("bar", "orange"),)
    stages = ("reach", "grasp", "meet", "both", "pass", "carry", "settle")
    time_limit = 10.0
    in_air = True

    def layout(self, draw: Draw, randomize: bool) -> Layout:
        joints = jittered_home(draw, self.robot, self.num_arms)
        half_sizes, masses, frictions = BAR.draw(draw, randomize)
        giver = (draw.uniform(0.0, 1.0) < 0.5).astype(int)
        yaw = draw.uniform(-np.pi / 2, np.pi / 2)
        place = to_world(bar_place(draw, half_sizes, yaw), giver)
        goal = self._goal(draw, half_sizes, 1 - giver)
        pose = standing(place, half_sizes[:, 2], yaw)
        return Layout(joints, pose[:, None], half_sizes[:, None], masses[:, None], frictions[:, None], goal)

    def _goal(self, draw: Draw, half_sizes: Array, receiver: Array) -> Array:
        """(n, 4) where the receiver must hold the bar."""
        place = to_world(np.stack((draw.uniform(*_GOAL_X), draw.uniform(*SIDE_Y)), axis=-1), receiver)
        return np.column_stack((place, draw.uniform(*_GOAL_Z), np.zeros(len(draw))))

    def progress(self, world: World, success: Array) -> Progress:
        xp = array_namespace(world.goal)
        # what the stages are with either arm as the giver, and then the right one of the two
        either = [self._ladder(world, success, giver) for giver in (0, 1)]
        first = world.goal[:, 0] > 0
        return climb(
            {
                name: Stage(
                    xp.where(first, either[0][name].done, either[1][name].done),
                    xp.where(first, either[0][name].fraction, either[1][name].fraction),
                )
                for name in self.stages
            }
        )

    def _ladder(self, world: World, success: Array, giver: int) -> dict[str, Stage]:
        return passing(world, giver, 0) | self._ending(world, success, 1 - giver)

    def _ending(self, world: World, success: Array, receiver: int) -> dict[str, Stage]:
        away = self.distance_to_goal(world, 0)
        alone = holds(world, receiver, 0) & (world.touch_force(1 - receiver, 0) < TOUCH_FORCE)
        carried = 0.5 * near(away, 0.0, FAR) + 0.5 * near(away, 0.0, 0.1)
        return {
            "carry": Stage(alone & self.in_place(world, 0), carried),
            "settle": Stage(success, near(world.object_speed(0), 0.0, 0.5)),
        }


def passing(world: World, giver: int, thing: int) -> dict[str, Stage]:
    """The stages from a bar on the giver's side to the receiver holding it alone."""
    receiver = 1 - giver
    gives = holds(world, giver, thing)
    takes = holds(world, receiver, thing)
    middle = world.object_position(thing)
    xp = array_namespace(middle)
    off = xp.abs(middle[:, 0])
    met = (off < _MEET_X) & (middle[:, 2] > _MEET_Z)
    brought = 0.4 * near(off, 0.0, FAR) + 0.3 * near(off, 0.0, 0.1) + 0.3 * xp.clip(middle[:, 2] / _MEET_Z, 0.0, 1.0)
    taking = grasp_stages(world, receiver, thing, BAR.symmetry, _from_end(world, receiver, thing))
    take = 0.5 * taking["reach"].fraction + 0.5 * taking["grasp"].fraction
    alone = takes & (world.touch_force(giver, thing) < TOUCH_FORCE)
    loose = near(world.touch_force(giver, thing), 0.0, FIRM_GRIP)
    return grasp_stages(world, giver, thing, BAR.symmetry, _from_end(world, giver, thing)) | {
        "meet": Stage(gives & met, brought),
        # whether or not the giver still does: its grip is gone before its touch, and nothing is lost by that
        "both": Stage(takes, take),
        "pass": Stage(alone, loose),
    }


def _from_end(world: World, arm: int, thing: int) -> Array:
    """(N,) m from the tool to where this arm grips a bar: near the end on its own side."""
    offset = grip_offset(world.object_half_size(thing)[:, 0])
    return norm(world.object_from_tool(arm, thing) - offset[:, None] * world.bar_axis(arm, thing))
