"""Tidy: put every cube into the zone of its colour."""

from __future__ import annotations

import numpy as np

from envs.geometry import Array, array_namespace, near
from envs.layout import Draw, Layout
from envs.object_task import FAR
from envs.objects import CUBE, Area, draw_all, spread, standing, to_world
from envs.progress import Stage
from envs.robots import RobotSpec
from envs.sorting_task import SortingTask
from envs.task import Goal, jittered_home, mark
from envs.world import World

_COLOURS = ("orange", "blue", "green", "yellow")
_X, _Y = (0.36, 0.66), (-0.18, 0.18)  # (m) where cubes start, base frame: between the zones
_RADIUS = 0.055  # (m) the open gripper goes around one cube without touching the next
_YAW = np.pi / 4  # (rad) a cube looks the same after a quarter turn
_SITES = np.array(((0.42, 0.30), (0.62, 0.30), (0.42, -0.30), (0.62, -0.30)))  # (m) middles of zones, base frame
_JITTER = 0.02  # (m) of zones
_HALF = 0.045  # (m) half the side of the square that a zone has for each of its cubes


class Tidy(SortingTask):
    """Success: every cube in the zone of its colour, at rest and let go, for 0.2 s.

    Cube k has colour k mod 4. A zone has a square of 9 cm for each cube of its colour, side by side.
    Goal: for each cube the middle of its square (m, world frame), with a heading that does not count.
    """

    object_counts = (3, 1, 2, 4, 5, 6, 7, 8)
    last_stage = "tidy"
    seconds = 5.0

    def __init__(self, robot: RobotSpec, num_objects: int | None = None) -> None:
        super().__init__(robot, num_objects)
        count = self.count
        self.objects = tuple(CUBE.spec(f"cube{k}", _COLOURS[k % len(_COLOURS)]) for k in range(count))
        # the squares of two cubes of one colour lie on both sides of the zone's middle
        self._aside = np.zeros(count)
        for k in range(len(_COLOURS), count):
            self._aside[[k - len(_COLOURS), k]] = -_HALF, _HALF

    def layout(self, draw: Draw, randomize: bool) -> Layout:
        n, count = len(draw), self.count
        joints = jittered_home(draw, self.robot, self.num_arms)
        places = spread(draw, [Area(_X, _Y, _RADIUS)] * count)
        yaws = draw.uniform(-_YAW, _YAW, count)
        half_sizes, masses, frictions = draw_all([CUBE] * count, draw, randomize)
        sites = _SITES + draw.uniform(-_JITTER, _JITTER, 8).reshape(n, 4, 2)
        order = np.argsort(draw.uniform(0.0, 1.0, 4), axis=1)
        zones = np.take_along_axis(sites, order[..., None], axis=1)[:, np.arange(count) % len(_COLOURS)]
        squares = to_world(zones + np.stack((np.zeros(count), self._aside), axis=-1), 0)
        goal = np.concatenate((squares, half_sizes[..., 2:], np.zeros((n, count, 1))), axis=-1)
        return Layout(joints, standing(places, half_sizes[..., 2], yaws), half_sizes, masses, frictions,
                      goal.reshape(n, -1))  # fmt: skip

    def _within(self, offset: Array, thing: int) -> Array:
        # anywhere in the zone, which reaches to both sides where there are two squares
        xp = array_namespace(offset)
        long = _HALF * (2 if self._aside[thing] else 1)
        return (
            (xp.abs(offset[..., 0]) < _HALF)
            & (xp.abs(offset[..., 1] + self._aside[thing]) < long)
            & (xp.abs(offset[..., 2]) < _HALF / 2)
        )

    def way(self, world: World, thing: int) -> dict[str, Stage]:
        away = self.distance_to_goal(world, thing)
        carried = 0.5 * near(away, 0.0, FAR) + 0.5 * near(away, 0.0, 0.1)
        return self.grasp_stages(world, 0, thing) | {"carry": Stage(self.in_place(world, thing), carried)}

    def goals_to_draw(self, goal: np.ndarray) -> tuple[Goal, ...]:
        squares = goal.reshape(-1, 4)
        return tuple(
            mark(square, (_HALF, _HALF), "box", 0.0, spec.colour)
            for square, spec in zip(squares, self.objects, strict=True)
        )
