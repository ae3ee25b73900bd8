"""Stack: put one cube on another and let go of it."""

from __future__ import annotations

import numpy as np

from envs.geometry import Array, array_namespace, near
from envs.layout import Draw, Layout
from envs.object_task import FAR, ObjectTask
from envs.objects import CUBE, Area, draw_all, spread, standing
from envs.progress import Progress, Stage, climb
from envs.scene import ObjectSpec
from envs.task import jittered_home
from envs.world import World

_X, _Y = (0.36, 0.66), (-0.25, 0.25)  # (m) base frame
_RADIUS = 0.06  # (m) the open gripper goes around one cube without touching the other
_YAW = np.pi / 4  # (rad) a cube looks the same after a quarter turn


class Stack(ObjectTask):
    """Success: the orange cube stands on the blue one, within 2 cm of its middle, let go and at rest, for 0.2 s.

    Goal: where the orange cube was to stand at the start (m and rad, world frame); it follows the blue one.
    """

    objects = (CUBE.spec("cube", "orange"), CUBE.spec("base", "blue"))
    stages = ("reach", "grasp", "carry", "stack")
    time_limit = 6.0

    @property
    def asked(self) -> tuple[ObjectSpec, ...]:
        return self.objects[:1]

    def below(self, thing: int) -> int:
        return 1

    def layout(self, draw: Draw, randomize: bool) -> Layout:
        joints = jittered_home(draw, self.robot, self.num_arms)
        places = spread(draw, [Area(_X, _Y, _RADIUS)] * 2)
        yaws = draw.uniform(-_YAW, _YAW, 2)
        half_sizes, masses, frictions = draw_all([CUBE] * len(self.objects), draw, randomize)
        poses = standing(places, half_sizes[..., 2], yaws)
        top = 2 * half_sizes[:, 1, 2] + half_sizes[:, 0, 2]
        goal = np.column_stack((places[:, 1], top, yaws[:, 1]))
        return Layout(joints, poses, half_sizes, masses, frictions, goal)

    def goal_position(self, world: World, thing: int) -> Array:
        xp = array_namespace(world.goal)
        up = world.object_half_size(0)[:, 2] + world.object_half_size(1)[:, 2]
        base = world.object_position(1)
        return xp.concat((base[:, :2], (base[:, 2] + up)[:, None]), axis=-1)

    def goal_yaw(self, world: World, thing: int) -> Array:
        return world.object_yaw(1)

    def progress(self, world: World, success: Array) -> Progress:
        away = self.distance_to_goal(world, 0)
        carried = 0.5 * near(away, 0.0, FAR) + 0.5 * near(away, 0.0, 0.1)
        return climb(
            self.grasp_stages(world, 0, 0)
            | {
                "carry": Stage(self.in_place(world, 0), carried),
                "stack": Stage(success, self.letting_go(world, 0)),
            }
        )

    def goals_to_draw(self, goal: np.ndarray) -> tuple:
        return ()  # the blue cube shows it
