"""Reach: bring the tool to a point in the air and keep it there."""

from __future__ import annotations

import numpy as np

from envs.geometry import Array, array_namespace, near
from envs.layout import Draw, Layout
from envs.observation import Part
from envs.progress import Progress, Stage, climb
from envs.scene import BASES
from envs.task import STILL_SPEED, Goal, Targets, Task, ball, distance, jittered_home
from envs.world import World

_X, _Y, _Z = (0.32, 0.68), (-0.3, 0.3), (0.05, 0.40)  # (m) goals, base frame
_TOLERANCE = 0.015  # (m)
_FAR = 0.4  # (m) progress starts here


class Reach(Task):
    """Success: the tool within 1.5 cm of the goal, at rest, for 0.2 s. Goal: the point (m, world frame)."""

    stages = ("near", "stay")
    goal_size = 3
    time_limit = 3.0

    def layout(self, draw: Draw, randomize: bool) -> Layout:
        n, base = len(draw), BASES[0].position
        joints = jittered_home(draw, self.robot, self.num_arms)
        goal = np.stack([draw.uniform(*span) + base[i] for i, span in enumerate((_X, _Y, _Z))], axis=-1)
        return Layout(joints, np.zeros((n, 0, 7)), np.zeros((n, 0, 3)), np.zeros((n, 0)), np.zeros((n, 0)), goal)

    def _at_goal(self, world: World) -> Array:
        return distance(world.tool_position(0), world.goal) < _TOLERANCE

    def settled(self, world: World) -> Array:
        return self._at_goal(world) & (world.tool_speed(0) < STILL_SPEED)

    def progress(self, world: World, success: Array) -> Progress:
        away = distance(world.tool_position(0), world.goal)
        return climb(
            {
                "near": Stage(self._at_goal(world), 0.5 * near(away, 0.0, _FAR) + 0.5 * near(away, 0.0, 0.1)),
                "stay": Stage(success, near(world.tool_speed(0), 0.0, 0.5)),
            }
        )

    def targets(self, world: World) -> Targets:
        xp = array_namespace(world.goal)
        none = xp.zeros((world.goal.shape[0], 0))
        return Targets(xp.zeros((*none.shape, 3)), none, none > 0, turned=(), below=(), tool=world.goal)

    def parts(self) -> tuple[Part, ...]:
        return (
            Part(
                "goal_from_tool", 3, "m", "base", -2, 2,
                lambda w: w.turned_to_base(0, w.goal - w.tool_position(0)), goal=True,
            ),
        )  # fmt: skip

    def achieved_goal(self, world: World) -> Array:
        return world.tool_base_position(0)

    def desired_goal(self, world: World) -> Array:
        return world.in_base(0, world.goal)

    def goal_distance(self, achieved: Array, desired: Array) -> Array:
        return distance(achieved, desired)

    def goal_reached(self, achieved: Array, desired: Array) -> Array:
        return distance(achieved, desired) < _TOLERANCE

    def goals_to_draw(self, goal: np.ndarray) -> tuple[Goal, ...]:
        return (ball(goal, _TOLERANCE),)
