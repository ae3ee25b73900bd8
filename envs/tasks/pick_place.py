"""PickPlace: pick a cube up and bring it to a goal, on the table or in the air."""

from __future__ import annotations

import numpy as np

from envs.geometry import Array, array_namespace, near
from envs.layout import Draw, Layout
from envs.object_task import FAR, FIRM_GRIP, TOLERANCE, grasp_stages, holds
from envs.objects import CUBE, FRICTION
from envs.observation import CLOSE_BY, Part
from envs.progress import Progress, Stage, climb
from envs.scene import BASES
from envs.task import STILL_SPEED, TOUCH_FORCE, Goal, Targets, Task, ball, distance, jittered_home, upright_pose
from envs.world import World

CUBE_HALF_SIZE, CUBE_MASS, CUBE_FRICTION = CUBE.half_sizes[0], CUBE.mass, FRICTION
CUBE_X, CUBE_Y = (0.36, 0.66), (-0.25, 0.25)  # (m) where cubes start, base frame
CUBE_YAW = np.pi / 4  # (rad) a cube looks the same after a quarter turn

_GOAL_X, _GOAL_Y, _GOAL_Z = (0.36, 0.66), (-0.25, 0.25), (0.10, 0.30)  # (m) base frame; z of goals in the air
_APART = 0.12  # (m) at least, horizontally, from the cube's start to the goal


def draw_cube(draw: Draw, randomize: bool) -> tuple[Array, Array, Array, Array]:
    """Poses (n, 1, 7), half-sizes (n, 1, 3), masses (n, 1) and frictions (n, 1) of one cube on the table."""
    x, y = draw.uniform(*CUBE_X), draw.uniform(*CUBE_Y)
    yaw = draw.uniform(-CUBE_YAW, CUBE_YAW)
    half, mass, friction = (
        draw.uniform(*span) if randomize else draw.uniform(sum(span) / 2, sum(span) / 2)
        for span in (CUBE_HALF_SIZE, CUBE_MASS, CUBE_FRICTION)
    )
    poses = upright_pose(x, y, half, yaw)[:, None]
    return poses, np.repeat(half[:, None, None], 3, axis=2), mass[:, None], friction[:, None]


def grasp_progress(world: World) -> dict[str, Stage]:
    """The stages that every task with one cube begins with: the tool around the cube, then both fingers on it."""
    return grasp_stages(world, 0, 0, CUBE.symmetry, world.grasp_distance(0, 0))


def held(world: World) -> Array:
    """(N,) bool: both fingers press on the cube."""
    return holds(world, 0, 0)


class PickPlace(Task):
    """Success: the cube within 2 cm of the goal, at rest, for 0.2 s; on the table also let go.

    Goal: centre of the cube (m, world frame), and 1 for a goal in the air, where the gripper holds on, else 0.
    """

    objects = (CUBE.spec("cube", "orange"),)
    stages = ("reach", "grasp", "carry", "settle")
    goal_size = 4
    time_limit = 5.0

    def layout(self, draw: Draw, randomize: bool) -> Layout:
        joints = jittered_home(draw, self.robot, self.num_arms)
        poses, half_sizes, masses, frictions = draw_cube(draw, randomize)
        base = np.asarray(BASES[0].position)
        # the first of eight candidates that is far enough from the cube; 1 in 10,000 layouts has none
        xs, ys = draw.uniform(*_GOAL_X, 8) + base[0], draw.uniform(*_GOAL_Y, 8) + base[1]
        apart = (xs - poses[:, 0, :1]) ** 2 + (ys - poses[:, 0, 1:2]) ** 2 > _APART**2
        first, rows = np.argmax(apart, axis=1), np.arange(len(draw))
        in_air = draw.uniform(0, 1) < 0.5
        z = np.where(in_air, draw.uniform(*_GOAL_Z), half_sizes[:, 0, 2])
        goal = np.stack((xs[rows, first], ys[rows, first], z, in_air.astype(float)), axis=-1)
        return Layout(joints, poses, half_sizes, masses, frictions, goal)

    def _goal_distance(self, world: World) -> Array:
        return distance(world.object_position(0), world.goal[:, :3])

    def _hands_right(self, world: World) -> Array:
        """(N,) bool: held where the goal is in the air, let go where it is on the table."""
        xp = array_namespace(world.goal)
        return xp.where(world.goal[:, 3] > 0.5, held(world), world.touch_force(0, 0) < TOUCH_FORCE)

    def settled(self, world: World) -> Array:
        return (
            (self._goal_distance(world) < TOLERANCE) & (world.object_speed(0) < STILL_SPEED) & self._hands_right(world)
        )

    def progress(self, world: World, success: Array) -> Progress:
        away = self._goal_distance(world)
        xp = array_namespace(away)
        # letting go is graded, since it takes several ticks to loosen a firm grip
        loosened = 0.5 * near(world.touch_force(0, 0), 0.0, FIRM_GRIP)
        right = xp.astype(self._hands_right(world), away.dtype)
        right = xp.where(world.goal[:, 3] > 0.5, right, loosened + 0.5 * right)
        return climb(
            grasp_progress(world)
            | {
                "carry": Stage(away < TOLERANCE, 0.5 * near(away, 0.0, FAR) + 0.5 * near(away, 0.0, 0.1)),
                "settle": Stage(success, right * (0.5 + 0.5 * near(world.object_speed(0), 0.0, 0.5))),
            }
        )

    def targets(self, world: World) -> Targets:
        positions, yaws = world.goal[:, None, :3], 0.0 * world.goal[:, :1]
        return Targets(positions, yaws, world.goal[:, 3:] > 0.5, turned=(False,), below=(None,))

    def parts(self) -> tuple[Part, ...]:
        def goal_from_cube(world: World) -> Array:
            return world.turned_to_base(0, world.goal[:, :3] - world.object_position(0))

        return (
            Part("goal_from_cube", 3, "m", "base", -2, 2, goal_from_cube, goal=True),
            Part("goal_close_by", 3, "m", "base", -CLOSE_BY, CLOSE_BY, goal_from_cube, goal=True),
            Part("goal_in_air", 1, "0 or 1", "-", 0, 1, lambda w: w.goal[:, 3], goal=True),
        )

    def achieved_goal(self, world: World) -> Array:
        xp = array_namespace(world.goal)
        touched = xp.astype(world.touch_force(0, 0) >= TOUCH_FORCE, world.goal.dtype)
        return xp.concat((world.in_base(0, world.object_position(0)), touched[:, None]), axis=-1)

    def desired_goal(self, world: World) -> Array:
        xp = array_namespace(world.goal)
        return xp.concat((world.in_base(0, world.goal[:, :3]), world.goal[:, 3:]), axis=-1)

    def goal_distance(self, achieved: Array, desired: Array) -> Array:
        return distance(achieved[..., :3], desired[..., :3])

    def goal_reached(self, achieved: Array, desired: Array) -> Array:
        xp = array_namespace(achieved)
        return (self.goal_distance(achieved, desired) < TOLERANCE) & (xp.abs(achieved[..., 3] - desired[..., 3]) < 0.5)

    def goals_to_draw(self, goal: np.ndarray) -> tuple[Goal, ...]:
        return (ball(goal[:3], TOLERANCE),)
