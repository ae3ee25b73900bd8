"""The expert of every task: the yardstick for learned policies, and a source of demonstrations.

Tasks with one arm and one cube have an expert of their own, without a memory: what it does follows from what it sees at
this tick. In all others the symbolic planner commands a scripted System 1. Both can take over anywhere, and pick up
again what they dropped.
"""

from __future__ import annotations

import numpy as np

from envs.control import MAX_STEP, MAX_TURN, CartesianController
from envs.geometry import norm, wrap
from envs.task import TOUCH_FORCE
from envs.tasks.pick_place import held
from envs.vector import DuetVectorEnv
from envs.world import World
from policies.dual import DualRuntime
from policies.scripted import scripted_actions
from policies.system2.symbolic import SymbolicPlanner

_OPEN, _CLOSED = 1.0, -1.0
_HOVER = 0.09  # (m) the tool passes this high over a cube before it descends, and over the table with one
_LINED_UP = 0.012  # (m) horizontally over the cube: the fingers clear it
_AROUND = 0.008  # (m) from the cube's centre: closing now grasps it
_LOWEST_TOOL = 0.014  # (m) the fingertips reach 9 mm below the tool and must not press on the table
_ARRIVED = 0.013  # (m) within every task's tolerance of 2 cm; a learner that stops a little short still sees a release
_GAIN = 0.6  # share of the remaining way asked for in a tick; the servos lag two ticks behind


class Expert:
    """Acts in every task with Cartesian control. `act` gives (num_worlds, A) actions; call it once a tick.

    Raises:
        ValueError: the environment has another action space.
    """

    def __init__(self, env: DuetVectorEnv) -> None:
        if env.controller.arm_action != CartesianController.arm_action:
            raise ValueError("the expert acts in Cartesian control; make the environment with control='cartesian'")
        self._env = env
        self._act = EXPERTS.get(env.task_name)
        self._runtime: DualRuntime | None = None

    def act(self) -> np.ndarray:
        """Actions for the worlds as they are now."""
        if self._act is None:
            return self._commanded()
        world = self._env.seen()
        way, turn, opening = self._act(world)
        lead = world.arrays["target_position"][:, 0] - world.tool_base_position(0)
        yaw_lead = world.arrays["target_yaw"][:, 0] - world.tool_base_yaw(0)
        action = np.column_stack(((way - lead) / MAX_STEP, (turn - yaw_lead) / MAX_TURN, opening))
        # shorten a long step without turning it
        action[:, :3] /= np.maximum(1.0, np.abs(action[:, :3]).max(axis=1, keepdims=True))
        return np.clip(action, -1.0, 1.0)

    def _commanded(self) -> np.ndarray:
        n = self._env.num_envs
        begun = np.flatnonzero(self._env.ticks == 0)
        if self._runtime is None:
            self._runtime, begun = DualRuntime(self._env, SymbolicPlanner()), np.arange(n)
        elif len(begun) < n:
            self._runtime.update()
        if len(begun):
            self._runtime.begin(begun)
        return scripted_actions(self._runtime.actors).reshape(n, -1)


def _reach(world: World) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = len(world.goal)
    return _GAIN * world.turned_to_base(0, world.goal - world.tool_position(0)), np.zeros(n), np.full(n, _OPEN)


def _grasp(world: World) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Way to go, turn and opening that lead to a grasp, and (N,) whether the cube is gripped."""
    to_cube = world.object_from_tool(0, 0).copy()
    turn = wrap(world.object_turn(0, 0), np.pi / 2)
    gripped = held(world)
    sideways = np.hypot(to_cube[:, 0], to_cube[:, 1])
    ready = (sideways < _LINED_UP) & (np.abs(turn) < 0.1)
    # stay over a cube until lined up; once the fingers are beside it, small errors no longer matter
    beside = (to_cube[:, 2] > -0.03) & (sideways < 2 * _LINED_UP)
    descend = ready | beside
    height = world.tool_base_position(0)[:, 2]
    to_cube[:, 2] = np.maximum(to_cube[:, 2], _LOWEST_TOOL - height)
    around = norm(to_cube) < _AROUND
    way = _GAIN * to_cube
    way[:, 2] = np.where(descend, way[:, 2], _GAIN * (to_cube[:, 2] + _HOVER))
    close = around | gripped | (beside & (world.touch_force(0, 0) > TOUCH_FORCE))
    return way, _GAIN * turn, np.where(close, _CLOSED, _OPEN), gripped


def _lift(world: World) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    way, turn, opening, gripped = _grasp(world)
    up = np.zeros_like(way)
    up[:, 2] = _GAIN * (world.goal[:, 0] - world.object_position(0)[:, 2])
    return np.where(gripped[:, None], up, way), np.where(gripped, 0.0, turn), opening


def _pick_place(world: World) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    way, turn, opening, gripped = _grasp(world)
    to_goal = world.turned_to_base(0, world.goal[:, :3] - world.object_position(0))
    away = norm(to_goal)
    on_table = world.goal[:, 3] < 0.5
    sideways = np.hypot(to_goal[:, 0], to_goal[:, 1])
    carry = _GAIN * to_goal
    # travel above the table, and come down only over the goal
    clearance = world.goal[:, 2] + _HOVER / 2 - world.object_position(0)[:, 2]
    carry[:, 2] = np.where(on_table & (sideways > 0.01), _GAIN * clearance, carry[:, 2])
    placed = on_table & (away < _ARRIVED)
    # what lies within a hair of its goal is left alone, also by a gripper still around it
    rest = placed | (on_table & (away < _ARRIVED + 0.005) & ~gripped)
    opening = np.where(rest, _OPEN, opening)
    way = np.where((gripped & ~rest)[:, None], carry, np.where(rest[:, None], 0.0, way))
    return way, np.where(gripped | rest, 0.0, turn), opening


# task -> way to go, turn and opening, where one arm needs no plan
EXPERTS = {"Reach": _reach, "Lift": _lift, "PickPlace": _pick_place}
