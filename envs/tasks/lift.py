"""Lift: raise a cube from the table to a height and hold it there."""

from __future__ import annotations

import numpy as np

from envs.geometry import Array, array_namespace, near
from envs.layout import Draw, Layout
from envs.objects import CUBE
from envs.observation import Part
from envs.progress import Progress, Stage, climb
from envs.scene import BASES
from envs.task import STILL_SPEED, Goal, Targets, Task, ball, jittered_home
from envs.tasks.pick_place import draw_cube, grasp_progress, held
from envs.world import World

_HEIGHT = (0.10, 0.30)  # (m) of the cube's centre over the table
_TOLERANCE = 0.02  # (m)


class Lift(Task):
    """Success: the cube held within 2 cm of the height, at rest, for 0.2 s. Goal: that height (m)."""

    objects = (CUBE.spec("cube", "orange"),)
    stages = ("reach", "grasp", "raise", "hold")
    goal_size = 1
    time_limit = 4.0

    def layout(self, draw: Draw, randomize: bool) -> Layout:
        joints = jittered_home(draw, self.robot, self.num_arms)
        poses, half_sizes, masses, frictions = draw_cube(draw, randomize)
        return Layout(joints, poses, half_sizes, masses, frictions, draw.uniform(*_HEIGHT, 1))

    def _height_error(self, world: World) -> Array:
        xp = array_namespace(world.goal)
        return xp.abs(world.object_position(0)[:, 2] - world.goal[:, 0])

    def settled(self, world: World) -> Array:
        return held(world) & (self._height_error(world) < _TOLERANCE) & (world.object_speed(0) < STILL_SPEED)

    def progress(self, world: World, success: Array) -> Progress:
        away = self._height_error(world)
        return climb(
            grasp_progress(world)
            | {
                "raise": Stage(
                    held(world) & (away < _TOLERANCE), 0.5 * near(away, 0.0, 0.3) + 0.5 * near(away, 0.0, 0.1)
                ),
                "hold": Stage(success, near(world.object_speed(0), 0.0, 0.5)),
            }
        )

    def targets(self, world: World) -> Targets:
        xp = array_namespace(world.goal)
        over = xp.concat((world.object_position(0)[:, :2], world.goal), axis=-1)
        in_air = xp.ones(world.goal.shape, dtype=xp.bool)
        return Targets(over[:, None], 0.0 * world.goal, in_air, turned=(False,), below=(None,))

    def parts(self) -> tuple[Part, ...]:
        def goal_over_cube(world: World) -> Array:
            return world.goal[:, 0] - world.object_position(0)[:, 2]

        return (Part("goal_over_cube", 1, "m", "base", -2, 2, goal_over_cube, goal=True),)

    def achieved_goal(self, world: World) -> Array:
        # a thrown cube passes every height: only one that is held counts as raised
        xp = array_namespace(world.goal)
        height = world.object_position(0)[:, 2]
        return xp.where(held(world), height, 0.0 * height)[:, None]

    def desired_goal(self, world: World) -> Array:
        return world.goal

    def goal_distance(self, achieved: Array, desired: Array) -> Array:
        return array_namespace(achieved).abs(achieved[..., 0] - desired[..., 0])

    def goal_reached(self, achieved: Array, desired: Array) -> Array:
        return self.goal_distance(achieved, desired) < _TOLERANCE

    def goals_to_draw(self, goal: np.ndarray) -> tuple[Goal, ...]:
        # a height has no place: it is drawn over the middle of the workspace
        return (ball(np.array([BASES[0].position[0] + 0.5, 0.0, goal[0]]), _TOLERANCE),)
