"""Controllers, provoked on one arm and on two."""

import mujoco
import numpy as np
import pytest

from envs.control import CartesianController, JointController, tool_jacobian
from envs.layout import Layout
from envs.physics import Physics
from envs.robots import PANDA
from envs.scene import TICK, ObjectSpec, compose
from envs.world import World

CUBE = ObjectSpec("cube", (0.026,) * 3)


class Rig:
    """Worlds of `num_arms` arms that start at home, moved by jitter (rad), with one controller."""

    def __init__(self, controller, num_worlds=1, num_arms=1, objects=(), half_size=0.022, jitter=0.0):
        self.scene = compose(PANDA, num_arms, objects)
        self.physics = Physics(self.scene, num_worlds, threads=1)
        random = np.random.default_rng(0)
        joints = np.array(PANDA.home) + random.uniform(-jitter, jitter, (num_worlds, num_arms, 7))
        count = (num_worlds, len(objects))
        poses = np.zeros((*count, 7))
        # a cube under the tool's home of the first arm
        poses[..., :4] = -0.65 + 0.45, 0.0, half_size, 1.0
        layout = Layout(
            joints, poses, np.full((*count, 3), half_size), np.full(count, 0.1), np.full(count, 1.0), np.zeros((1, 0))
        )
        everyone = np.arange(num_worlds)
        self.physics.reset(everyone, layout)
        self.controller = controller(self.physics)
        self.controller.reset(everyone, World(self.scene, self.physics.arrays))

    def world(self):
        return World(self.scene, self.physics.arrays | self.controller.arrays)

    def act(self, action, ticks=1):
        """Repeat one action, (A,) or (num_worlds, A). Returns the world after every tick, as copies."""
        actions = np.broadcast_to(action, (self.physics.num_worlds, len(self.controller.action_names))).astype(float)
        seen = []
        for _ in range(ticks):
            self.controller.apply(actions)
            assert not self.physics.step().any()
            seen.append(self.world().take(np.arange(self.physics.num_worlds)))
        return seen


def tilt(world, arm):
    """(N,) rad between the tool's z axis and straight down."""
    return np.arccos(np.clip(-world.arrays["site_xmat"][:, world.scene.arms[arm].tool, 8], -1, 1))


# Jacobian


@pytest.mark.parametrize("num_arms", [1, 2])
def test_the_jacobian_is_mujocos(num_arms):
    rig = Rig(CartesianController, num_worlds=4, num_arms=num_arms, jitter=0.5)
    for i, arm in enumerate(rig.scene.arms):
        jacobian = tool_jacobian(arm, rig.world())
        for world in range(4):
            model, data = rig.physics.view(world)
            position, rotation = np.zeros((3, model.nv)), np.zeros((3, model.nv))
            mujoco.mj_jacSite(model, data, position, rotation, arm.tool)
            expected = np.concatenate((position, rotation))[:, arm.joints]
            np.testing.assert_allclose(jacobian[world], expected, atol=1e-12, err_msg=f"arm {i}")


def test_the_jacobian_predicts_small_displacements():
    rig = Rig(CartesianController, jitter=0.3)
    arm, step = rig.scene.arms[0], 1e-6
    jacobian = tool_jacobian(arm, rig.world())[0]
    model, data = rig.physics.view(0)
    before = data.site_xpos[arm.tool].copy()
    for joint in range(7):
        moved = mujoco.MjData(model)
        moved.qpos[:] = data.qpos
        moved.qpos[joint] += step
        mujoco.mj_kinematics(model, moved)
        np.testing.assert_allclose((moved.site_xpos[arm.tool] - before) / step, jacobian[:3, joint], atol=1e-5)


# Cartesian control


def test_no_action_holds_the_pose():
    rig = Rig(CartesianController, num_worlds=16, num_arms=2, jitter=0.05)
    rig.act(np.zeros(10), 10)  # the redundant joint and the tilt settle
    start = rig.act(np.zeros(10))[-1]
    for world in rig.act(np.zeros(10), 50):
        for arm in (0, 1):
            drift = np.linalg.norm(world.tool_position(arm) - start.tool_position(arm), axis=-1)
            assert drift.max() < 1e-3
            assert np.abs(world.tool_base_yaw(arm) - start.tool_base_yaw(arm)).max() < 0.01


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("arm", [0, 1])
def test_a_displacement_is_along_its_axis_of_the_base(arm, axis, sign):
    rig = Rig(CartesianController, num_arms=2)
    start = rig.world().tool_base_position(arm).copy()
    action = np.zeros(10)
    action[5 * arm + axis] = sign
    worlds = rig.act(action, 6)
    moved = (worlds[-1].tool_base_position(arm) - start)[0]
    speed = sign * moved[axis] / (6 * TICK)
    assert 0.15 < speed < 1.0, "m/s"
    assert np.abs(np.delete(moved, axis)).max() < 0.15 * abs(moved[axis])
    other = 1 - arm
    still = rig.world().tool_base_position(other)
    np.testing.assert_allclose(still, worlds[0].tool_base_position(other), atol=2e-3)


def test_both_arms_do_the_same_in_their_own_frames():
    rig = Rig(CartesianController, num_arms=2)
    action = np.array([0.5, -0.3, 0.2, 0.4, -1.0])
    for world in rig.act(np.concatenate((action, action)), 15):
        np.testing.assert_allclose(world.tool_base_position(0), world.tool_base_position(1), atol=1e-6)
        np.testing.assert_allclose(world.tool_base_yaw(0), world.tool_base_yaw(1), atol=1e-6)


def test_the_workspace_and_the_joint_limits_hold():
    corners = np.array(np.meshgrid(*[(-1.0, 1.0)] * 4)).reshape(4, -1).T
    actions = np.column_stack((corners, np.ones(len(corners))))
    rig = Rig(CartesianController, num_worlds=len(actions))
    worlds = rig.act(actions, 75)
    limits = rig.scene.model.jnt_range[rig.scene.arms[0].joint_ids]
    low, high = np.array(PANDA.workspace_low), np.array(PANDA.workspace_high)
    for world in worlds:
        at = world.tool_base_position(0)
        assert (at > low - 0.02).all()
        assert (at < high + 0.02).all()
        joints = world.joint_positions(0)
        assert (joints > limits[:, 0] - 1e-2).all()
        assert (joints < limits[:, 1] + 1e-2).all()
        speeds = np.abs(world.joint_velocities(0)).max(axis=0)
        assert (speeds < 1.25 * np.array(PANDA.velocity_limits)).all()
        assert np.abs(world.tool_base_yaw(0)).max() < PANDA.max_yaw + 0.1
    reached = worlds[-1].tool_base_position(0)
    assert (np.ptp(reached, axis=0) > 0.5 * (high - low)).all(), "the arm does not get anywhere"


def test_the_tool_keeps_pointing_down():
    rig = Rig(CartesianController, num_worlds=32)
    random = np.random.default_rng(1)
    tilts = [tilt(world, 0) for _ in range(12) for world in rig.act(random.uniform(-1, 1, (32, 5)), 8)]
    # the rest are on the table or at the ends of the workspace, at full speed
    assert np.quantile(tilts, 0.95) < np.deg2rad(3)
    assert np.max(tilts) < np.deg2rad(12)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_yaw_follows_and_the_tool_stays_where_it_is(sign):
    rig = Rig(CartesianController)
    start = rig.world().tool_base_position(0).copy()
    worlds = rig.act([0, 0, 0, sign, 0], 10)
    turned = sign * worlds[-1].tool_base_yaw(0)[0]
    assert 0.4 < turned < 1.3
    assert np.abs(worlds[-1].tool_base_position(0) - start).max() < 0.01
    rested = rig.act(np.zeros(5), 15)[-1]
    np.testing.assert_allclose(rested.tool_base_yaw(0), rested.arrays["target_yaw"][:, 0], atol=0.02)


def test_pushing_on_the_table_does_not_wind_the_target_up():
    rig = Rig(CartesianController)
    rig.act([0, 0, -1, 0, 0], 60)
    low = rig.world().tool_base_position(0)[0, 2]
    up = [world.tool_base_position(0)[0, 2] for world in rig.act([0, 0, 1, 0, 0], 5)]
    assert up[-1] > low + 0.03


# Gripper


def test_the_gripper_keeps_to_its_speed_and_its_range():
    rig = Rig(CartesianController)
    opening = [0.08]
    for action in (-1, 1):
        opening += [world.gripper_opening(0)[0] for world in rig.act([0, 0, 0, 0, action], 30)]
    assert np.abs(np.diff(opening)).max() / TICK < 0.13  # m/s; 0.1 by the data sheet
    assert min(opening) == pytest.approx(0.0, abs=2e-3)
    assert opening[-1] == pytest.approx(PANDA.max_opening, abs=2e-3)


def test_a_gripped_cube_is_pressed_by_what_the_hand_can():
    rig = Rig(CartesianController, objects=(CUBE,))
    rig.act([0, 0, 0, 0, 1], 5)
    for _ in range(60):  # down, until the fingers are around the cube
        height = rig.world().tool_base_position(0)[0, 2] - 0.022
        rig.act([0, 0, np.clip(-height / 0.04, -1, 1), 0, 1])
    forces = np.array([world.finger_forces(0, 0)[0] for world in rig.act([0, 0, 0, 0, -1], 40)])
    np.testing.assert_allclose(forces[-1], 35.0, rtol=0.15)
    assert forces.max() < 100
    held = rig.act(np.zeros(5), 50)[-1]
    assert (held.finger_forces(0, 0) > 15).all(), "keeping the opening keeps the grip"
    rig.act([0, 0, 0, 0, 1], 8)  # soon, however long it has been closing
    np.testing.assert_array_equal(rig.world().finger_forces(0, 0), 0.0)


# Joint control


def test_joints_go_where_they_are_told_and_no_further_than_their_limits():
    rig = Rig(JointController, num_worlds=14)
    home = np.array(PANDA.home)
    action = np.zeros((14, 8))
    action[np.arange(7), np.arange(7)] = 1.0
    action[np.arange(7, 14), np.arange(7)] = -1.0
    first = rig.act(action, 5)[-1].joint_positions(0) - home
    for world, sign in enumerate([1] * 7 + [-1] * 7):
        joint = world % 7
        assert sign * first[world, joint] > 0.1
        assert np.abs(np.delete(first[world], joint)).max() < 0.03
    limits = rig.scene.model.jnt_range[rig.scene.arms[0].joint_ids]
    for world in rig.act(action, 120):
        assert (world.joint_positions(0) > limits[:, 0] - 1e-2).all()
        assert (world.joint_positions(0) < limits[:, 1] + 1e-2).all()


def test_no_joint_action_holds_the_pose():
    rig = Rig(JointController, num_worlds=4, jitter=0.2)
    start = rig.act(np.zeros(8), 10)[-1].joint_positions(0)
    end = rig.act(np.zeros(8), 50)[-1].joint_positions(0)
    np.testing.assert_allclose(start, end, atol=1e-3)


def test_actions_are_named():
    assert len(Rig(CartesianController, num_arms=2).controller.action_names) == 10
    rig = Rig(JointController)
    assert rig.controller.arm_action == (*(f"d_joint{i}" for i in range(1, 8)), "opening")
