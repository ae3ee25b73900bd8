"""Relay: two arms sort bars, cubes and cylinders over the table; some must cross it."""

from __future__ import annotations

import numpy as np

from envs.geometry import Array, array_namespace, near
from envs.layout import Draw, Layout
from envs.object_task import FAR, holds
from envs.objects import BAR, CUBE, CYLINDER, Area, draw_all, spread, standing
from envs.progress import Stage
from envs.robots import RobotSpec
from envs.sorting_task import SortingTask
from envs.task import jittered_home
from envs.tasks.handover import on_one_side
from envs.world import World

_KINDS = (("bar", BAR, "orange"), ("cube", CUBE, "blue"), ("cylinder", CYLINDER, "green"), ("block", CUBE, "yellow"))
_Y = (-0.34, 0.34)  # (m)
_X = (0.34, 0.45)  # (m) base frame of the one arm that reaches there, for the middle of what is not a bar
_RADIUS = {BAR: 0.09, CUBE: 0.055, CYLINDER: 0.055}  # (m) room to grip one thing beside another


class Relay(SortingTask):
    """Success: every object within 2 cm of its goal, at rest and let go, for 0.2 s; the bar also within 0.2 rad.

    Objects start and end on either side of the table, where only one arm reaches. The first and every other one
    at random must cross. Hands can pass a bar; what is smaller crosses by way of the middle of the table.
    Goal: for each object its middle (m) and heading (rad), world frame; the heading counts for the bar.
    """

    num_arms = 2
    object_counts = (3, 2, 4)
    last_stage = "sorted"
    seconds = 8.0

    def __init__(self, robot: RobotSpec, num_objects: int | None = None) -> None:
        super().__init__(robot, num_objects)
        self._kinds = [kind for _, kind, _ in _KINDS[: self.count]]
        self.objects = tuple(kind.spec(name, colour) for name, kind, colour in _KINDS[: self.count])

    def turns(self, thing: int) -> bool:
        return self._kinds[thing] is BAR

    def layout(self, draw: Draw, randomize: bool) -> Layout:
        n, count = len(draw), self.count
        joints = jittered_home(draw, self.robot, self.num_arms)
        half_sizes, masses, frictions = draw_all(self._kinds, draw, randomize)
        side = (draw.uniform(0.0, 1.0, count) < 0.5).astype(int)
        crosses = draw.uniform(0.0, 1.0, count) < 0.5
        crosses[:, 0] = True
        yaws = draw.uniform(-np.pi / 2, np.pi / 2, 2 * count)
        # starts and then goals, all apart from each other, drawn as if on the first arm's side
        areas = [self._area(k, half_sizes, yaws[:, k]) for k in range(count)]
        areas += [self._area(k, half_sizes, yaws[:, count + k]) for k in range(count)]
        sides = np.concatenate((side, np.where(crosses, 1 - side, side)), axis=1)
        places = spread(draw, areas, sides)
        starts = standing(places[:, :count], half_sizes[..., 2], yaws[:, :count])
        goal = np.concatenate((places[:, count:], half_sizes[..., 2:], yaws[:, count:, None]), axis=-1)
        return Layout(joints, starts, half_sizes, masses, frictions, goal.reshape(n, -1))

    def _area(self, thing: int, half_sizes: Array, yaw: Array) -> Area:
        kind = self._kinds[thing]
        if kind is not BAR:
            return Area(_X, _Y, _RADIUS[kind])
        return Area(on_one_side(half_sizes[:, thing], yaw), _Y, _RADIUS[kind])

    def way(self, world: World, thing: int) -> dict[str, Stage]:
        # in whichever hands
        xp = array_namespace(world.goal)
        away = self.distance_to_goal(world, thing)
        tools = [near(world.grasp_distance(arm, thing), 0.03, FAR) for arm in range(self.num_arms)]
        gripped = holds(world, 0, thing) | holds(world, 1, thing)
        carried = 0.3 * near(away, 0.0, 2 * FAR) + 0.4 * near(away, 0.0, 0.2)
        if self.turns(thing):
            turned = xp.abs(self.turn_to_goal(world, thing))
            carried = carried * (0.7 + 0.3 * near(turned, 0.0, np.pi / 2))
        return {
            "grasp": Stage(gripped, xp.maximum(tools[0], tools[1])),
            "carry": Stage(self.in_place(world, thing), carried),
        }
