"""Actions to joint targets, for all worlds and any number of arms at once.

Both controllers move a target that the joints' position servos chase, and keep it within a leash of where the
arm really is, so that pushing against the table does not wind the target up.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.geometry import columns, cross, norm, turn, wrap
from envs.physics import Physics
from envs.scene import TICK, ArmIndex
from envs.world import World

MAX_STEP = 0.02  # (m) tool displacement that a full action asks for in a tick
MAX_TURN = 0.12  # (rad) tool yaw that a full action asks for in a tick; 3 rad/s
_LEASH = 0.04  # (m) the target never runs further ahead of the tool
_YAW_LEASH = 0.3  # (rad)
_JOINT_STEP = 0.06  # (rad) joint displacement that a full action asks for in a tick
_JOINT_LEASH = 0.12  # (rad)
_GRIPPER_SPEED = 0.1  # (m/s) Franka Hand data sheet: 50 mm/s a finger
_SQUEEZE = 0.0045  # (m) the servo (8000 N/m) reaches the hand's 35 N a finger at this leash
_DAMPING = 0.03  # of the pseudo-inverse; an order below the arm's singular values (0.3 to 1) in the workspace
_DAMPED = _DAMPING**2 * np.eye(6)
_POSTURE_GAIN = 0.15  # share of the way home that the redundant joint goes in a tick


class Controller:
    """Turns actions in [-1, 1] into servo targets.

    Attributes:
        arm_action: names of the action elements of one arm.
        arrays: the controller's own state, arrays with a leading world axis.
    """

    arm_action: tuple[str, ...]

    def __init__(self, physics: Physics) -> None:
        self._physics = physics
        self._arms = physics.scene.arms
        self.arrays: dict[str, np.ndarray] = {}

    @property
    def action_names(self) -> tuple[str, ...]:
        """Names of the action elements of all arms."""
        if len(self._arms) == 1:
            return self.arm_action
        return tuple(f"arm{arm}_{name}" for arm in range(len(self._arms)) for name in self.arm_action)

    def reset(self, worlds: np.ndarray, world: World) -> None:
        """Start from rest in `worlds`; `world` measures those alone."""

    def apply(self, actions: np.ndarray) -> None:
        """Write servo targets for (num_worlds, A) actions in [-1, 1]."""
        world = World(self._physics.scene, self._physics.arrays)
        for i, arm in enumerate(self._arms):
            action = actions[:, i * len(self.arm_action) : (i + 1) * len(self.arm_action)]
            self._move_arm(i, arm, action[:, :-1], world)
            self._move_gripper(i, arm, action[:, -1], world)

    def _move_arm(self, i: int, arm: ArmIndex, action: np.ndarray, world: World) -> None:
        raise NotImplementedError

    def _move_gripper(self, i: int, arm: ArmIndex, action: np.ndarray, world: World) -> None:
        """-1 closes and 1 opens at full speed; 0 keeps the opening, or the grip on what is between the fingers."""
        target = self._physics.arrays["ctrl"][:, arm.gripper] + _GRIPPER_SPEED * TICK * action
        opening = world.gripper_opening(i)
        target = _clip(target, opening - _SQUEEZE, opening + _SQUEEZE)
        self._physics.arrays["ctrl"][:, arm.gripper] = _clip(target, 0.0, arm.robot.max_opening)


def _clip(values: np.ndarray, low: Any, high: Any) -> np.ndarray:
    """As `np.clip`, in half the time for the few numbers of one world."""
    return np.minimum(np.maximum(values, low), high)


def checked(actions: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray | int]:
    """Actions in [-1, 1], and how many elements of each world had to be clipped; 0 where none had.

    Raises:
        ValueError: the actions are not of this shape (num_worlds, A), or not finite.
    """
    actions = np.asarray(actions, dtype=np.float64)
    if actions.shape != shape:
        raise ValueError(f"actions must have the shape {shape}, not {actions.shape}")
    # one pass for the usual case: NaN and infinity fail the comparison with 1 too
    outside = ~(np.abs(actions) <= 1.0)
    if not outside.any():
        return actions, 0
    bad = ~np.isfinite(actions).all(axis=1)
    if bad.any():
        world = int(np.flatnonzero(bad)[0])
        raise ValueError(f"action of world {world} is not finite: {actions[world].tolist()}")
    return np.clip(actions, -1.0, 1.0), outside.sum(axis=1)


class CartesianController(Controller):
    """Change of tool position (base frame), of yaw and of gripper opening. The tool keeps pointing down."""

    arm_action = ("dx", "dy", "dz", "dyaw", "opening")

    def __init__(self, physics: Physics) -> None:
        super().__init__(physics)
        shape = (physics.num_worlds, len(self._arms))
        self.arrays = {"target_position": np.zeros((*shape, 3)), "target_yaw": np.zeros(shape)}
        model = physics.scene.model
        self._limits = [model.jnt_range[arm.joint_ids].T for arm in self._arms]
        self._workspace = [np.array((arm.robot.workspace_low, arm.robot.workspace_high)) for arm in self._arms]
        self._homes = [np.array(arm.robot.home) for arm in self._arms]
        # A servo kp (target - q) - kv q' settles at the speed (target - q) kp / kv
        self._max_lead = [
            np.array(arm.robot.velocity_limits)
            * -model.actuator_biasprm[arm.controls, 2]
            / model.actuator_gainprm[arm.controls, 0]
            for arm in self._arms
        ]

    def reset(self, worlds: np.ndarray, world: World) -> None:
        for i in range(len(self._arms)):
            self.arrays["target_position"][worlds, i] = world.tool_base_position(i)
            self.arrays["target_yaw"][worlds, i] = world.tool_base_yaw(i)

    def _move_arm(self, i: int, arm: ArmIndex, action: np.ndarray, world: World) -> None:
        robot = arm.robot
        at, yaw = world.tool_base_position(i), world.tool_base_yaw(i)
        lead = self.arrays["target_position"][:, i] + MAX_STEP * action[:, :3] - at
        # the leash is a ball, so that it shortens a step without turning it
        lead *= np.minimum(1.0, _LEASH / np.maximum(norm(lead), 1e-9))[:, None]
        position = _clip(at + lead, *self._workspace[i])
        turned = wrap(self.arrays["target_yaw"][:, i] + MAX_TURN * action[:, 3] - yaw)
        heading = _clip(yaw + _clip(turned, -_YAW_LEASH, _YAW_LEASH), -robot.max_yaw, robot.max_yaw)
        self.arrays["target_position"][:, i] = position
        self.arrays["target_yaw"][:, i] = heading
        to_target = turn(position - at, arm.base.yaw)
        joints = world.joint_positions(i)
        homewards = _POSTURE_GAIN * (self._homes[i] - joints)
        step = self._inverse_kinematics(arm, world, to_target, heading + arm.base.yaw, homewards)
        step = _clip(step, -self._max_lead[i], self._max_lead[i])
        self._physics.arrays["ctrl"][:, arm.controls] = _clip(joints + step, *self._limits[i])

    def _inverse_kinematics(
        self, arm: ArmIndex, world: World, to_target: np.ndarray, yaw: np.ndarray, homewards: np.ndarray
    ) -> np.ndarray:
        """(N, J) rad: joint step towards a tool displacement (N, 3) and a world-frame yaw (N,), pointing down.

        Damped least squares (Nakamura and Hanafusa 1986, "Inverse kinematic solutions with singularity
        robustness"), with the step `homewards` (N, J) taken in the null space, where the redundant joint moves.
        """
        jacobian = tool_jacobian(arm, world)
        x0, y0, z0, x1, y1, z1, x2, y2, _ = world.arrays["site_xmat"][:, arm.tool].T
        c, s = np.cos(yaw), np.sin(yaw)
        # Half the sum of the cross products of the tool's axes with the wanted ones, (c, s, 0), (s, -c, 0) and
        # (0, 0, -1), is the rotation vector's sine: exact to third order for small errors.
        turned = columns(y2 * c - x2 * s - z1, x2 * c + y2 * s + z0, (x0 - y1) * s - (x1 + y0) * c) / 2
        error = np.concatenate((to_target, turned), axis=-1)[..., None]
        posture = homewards[..., None]
        transposed = jacobian.swapaxes(1, 2)
        square = jacobian @ transposed + _DAMPED
        return (transposed @ np.linalg.solve(square, error - jacobian @ posture) + posture)[..., 0]


def tool_jacobian(arm: ArmIndex, world: World) -> np.ndarray:
    """(N, 6, J) world-frame velocity (m/s) and angular velocity (rad/s) of the tool for joint velocities (rad/s).

    A hinge moves the tool along axis x (tool - anchor) and turns it about its axis.
    """
    axes = world.arrays["xaxis"][:, arm.joint_ids]
    anchors = world.arrays["xanchor"][:, arm.joint_ids]
    arms = world.arrays["site_xpos"][:, arm.tool][:, None] - anchors
    return np.concatenate((cross(axes, arms), axes), axis=-1).swapaxes(1, 2)


class JointController(Controller):
    """Change of every joint's target and of the gripper opening."""

    def __init__(self, physics: Physics) -> None:
        super().__init__(physics)
        self.arm_action = (*(f"d_{name}" for name in self._arms[0].robot.joints), "opening")
        self._limits = [physics.scene.model.jnt_range[arm.joint_ids].T for arm in self._arms]

    def _move_arm(self, i: int, arm: ArmIndex, action: np.ndarray, world: World) -> None:
        joints = world.joint_positions(i)
        moved = self._physics.arrays["ctrl"][:, arm.controls] + _JOINT_STEP * action
        moved = _clip(moved, joints - _JOINT_LEASH, joints + _JOINT_LEASH)
        self._physics.arrays["ctrl"][:, arm.controls] = _clip(moved, *self._limits[i])


CONTROLLERS: dict[str, type[Controller]] = {"cartesian": CartesianController, "joints": JointController}
