"""Scenes: the robot's geometry and limits, the table's surroundings, and what touches what."""

import itertools
from functools import lru_cache

import mujoco
import numpy as np
import pytest

from envs.robots import PANDA
from envs.scene import BASES, COLOURS, ObjectSpec, Scene, arm_prefix, compose

_CUBE = ObjectSpec("cube", (0.02, 0.02, 0.02))
_VISUAL_GROUP = 2
_DOWN = np.diag([1.0, -1.0, -1.0])  # tool axes in the base frame: x ahead, z down
_TOOL_AT_HOME = (0.45, 0.0, 0.22)  # (m) base frame

# Franka Robotics, "Robot and interface specifications", limits of the Panda; Franka Hand product manual
_RANGES = (  # (rad)
    (-2.8973, 2.8973),
    (-1.7628, 1.7628),
    (-2.8973, 2.8973),
    (-3.0718, -0.0698),
    (-2.8973, 2.8973),
    (-0.0175, 3.7525),
    (-2.8973, 2.8973),
)
_TORQUES = (87, 87, 87, 87, 12, 12, 12)  # (N m)
_FINGER_FORCE = 35  # (N) half of the 70 N continuous grasping force


@lru_cache
def _scene(num_arms: int = 1) -> Scene:
    return compose(PANDA, num_arms, (_CUBE,))


def _at(scene: Scene, joints: tuple[float, ...] = PANDA.home, finger: float = 0.04) -> mujoco.MjData:
    """The scene with all arms at `joints` (rad), each finger `finger` (m) from the middle, the cube out of reach."""
    data = mujoco.MjData(scene.model)
    for arm in scene.arms:
        data.qpos[arm.joints] = joints
        data.qpos[arm.fingers] = finger
    pose = scene.objects[0].pose
    data.qpos[pose.start : pose.start + 3] = (0, 0.55, 0.02)
    mujoco.mj_forward(scene.model, data)
    return data


def _tool(scene: Scene, data: mujoco.MjData, arm: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Position (m) and axes of an arm's tool, in its base frame."""
    base = BASES[arm]
    cos, sin = np.cos(base.yaw), np.sin(base.yaw)
    to_world = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    site = scene.arms[arm].tool
    position = to_world.T @ (data.site_xpos[site] - base.position)
    return position, to_world.T @ data.site_xmat[site].reshape(3, 3)


def _reach(scene: Scene, target: np.ndarray) -> mujoco.MjData:
    """The arm with its tool at `target` (m, base frame), pointing down, or as near as it gets.

    Damped least squares from home; the far corners of the workspace are out of reach.
    """
    data = _at(scene)
    arm = scene.arms[0]
    low, high = scene.model.jnt_range[arm.joint_ids].T
    jacobian = np.zeros((6, scene.model.nv))
    for _ in range(300):
        position, axes = _tool(scene, data)
        turn = 0.5 * sum(np.cross(axes[:, i], _DOWN[:, i]) for i in range(3))
        error = np.concatenate([target - position, turn])  # the first base's axes are the world's
        if np.abs(error).max() < 1e-5:
            break
        mujoco.mj_jacSite(scene.model, data, jacobian[:3], jacobian[3:], arm.tool)
        jac = jacobian[:, arm.joints]
        step = jac.T @ np.linalg.solve(jac @ jac.T + 1e-3 * np.eye(6), error)
        data.qpos[arm.joints] = np.clip(data.qpos[arm.joints] + step.clip(-0.2, 0.2), low, high)
        mujoco.mj_forward(scene.model, data)
    return data


def _corners() -> list[tuple[float, ...]]:
    return list(itertools.product(*zip(PANDA.workspace_low, PANDA.workspace_high, strict=True)))


def _joints_apart(model: mujoco.MjModel, body: int, other: int) -> int:
    """The number of hinges between two bodies; those of the fingers do not count."""

    def joints_above(body: int) -> set[int]:
        found: set[int] = set()
        while body:
            found.update(range(model.body_jntadr[body], model.body_jntadr[body] + model.body_jntnum[body]))
            body = int(model.body_parentid[body])
        return found

    apart = joints_above(body) ^ joints_above(other)
    slides = {joint for joint in apart if model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_SLIDE}
    return len(apart - slides)


def _arm_geoms(model: mujoco.MjModel, arm: int = 0) -> list[int]:
    """The geoms of an arm that can touch something."""
    return [
        geom
        for geom in range(model.ngeom)
        if model.geom_contype[geom] and model.body(model.geom_bodyid[geom]).name.startswith(arm_prefix(arm))
    ]


def test_the_tool_is_over_the_workspace_at_home_and_points_down() -> None:
    scene = _scene()
    position, axes = _tool(scene, _at(scene))
    np.testing.assert_allclose(position, _TOOL_AT_HOME, atol=1e-3)
    np.testing.assert_allclose(axes, _DOWN, atol=1e-3)


def test_limits_are_those_that_the_maker_publishes() -> None:
    model = _scene().model
    for name, limits, torque in zip(PANDA.joints, _RANGES, _TORQUES, strict=True):
        np.testing.assert_array_equal(model.joint(arm_prefix(0) + name).range, limits)
        np.testing.assert_array_equal(model.actuator(arm_prefix(0) + name).forcerange, (-torque, torque))
    gripper = model.actuator(arm_prefix(0) + PANDA.gripper)
    np.testing.assert_array_equal(gripper.forcerange, (-_FINGER_FORCE, _FINGER_FORCE))
    np.testing.assert_array_equal(gripper.ctrlrange, (0, PANDA.max_opening))


@pytest.mark.parametrize(("finger", "opening"), [(0.0, 0.0), (0.01, 0.02), (0.04, PANDA.max_opening)])
def test_the_pads_are_as_far_apart_as_the_opening(finger: float, opening: float) -> None:
    scene = _scene()
    data = _at(scene, finger=finger)
    pads = [scene.model.geom(f"{arm_prefix(0)}{side}_pad").id for side in ("left", "right")]
    gap = mujoco.mj_geomDistance(scene.model, data, *pads, 1.0, None)
    assert gap == pytest.approx(opening, abs=1e-4)


def test_the_tool_is_midway_between_the_pads() -> None:
    scene = _scene()
    data = _at(scene)
    pads = [data.geom(f"{arm_prefix(0)}{side}_pad").xpos for side in ("left", "right")]
    np.testing.assert_allclose(np.mean(pads, axis=0), data.site_xpos[scene.arms[0].tool], atol=1e-4)


def test_pads_look_the_way_they_touch() -> None:
    model = _scene().picture_model
    for side in ("left", "right"):
        pad = model.geom(f"{arm_prefix(0)}{side}_pad")
        twins = [
            geom
            for geom in range(model.ngeom)
            if model.geom_bodyid[geom] == pad.bodyid[0]
            and model.geom_group[geom] == _VISUAL_GROUP
            and np.array_equal(model.geom_size[geom], pad.size)
            and np.array_equal(model.geom_pos[geom], pad.pos)
        ]
        assert len(twins) == 1


def test_two_arms_are_one_arm_and_its_half_turn_about_the_middle_of_the_table() -> None:
    scene = _scene(2)
    data = _at(scene)
    half_turn = np.diag([-1.0, -1.0, 1.0])
    first, second = (
        [body for body in range(scene.model.nbody) if scene.model.body(body).name.startswith(arm_prefix(arm))]
        for arm in (0, 1)
    )
    np.testing.assert_allclose(data.xpos[second], data.xpos[first] @ half_turn, atol=1e-9)
    np.testing.assert_allclose(
        data.xmat[second].reshape(-1, 3, 3), half_turn @ data.xmat[first].reshape(-1, 3, 3), atol=1e-9
    )


@pytest.mark.parametrize("target", [_TOOL_AT_HOME, *_corners()])
def test_an_arm_does_not_run_into_itself_in_the_workspace(target: tuple[float, ...]) -> None:
    """By distance, as the collision bits leave out contacts within an arm; links one joint apart may overlap."""
    scene = _scene()
    model = scene.model
    data = _reach(scene, np.array(target))
    own = _arm_geoms(model)
    for one, other in itertools.combinations(own, 2):
        bodies = [int(model.geom_bodyid[geom]) for geom in (one, other)]
        if _joints_apart(model, *bodies) < 2:
            continue
        assert mujoco.mj_geomDistance(model, data, one, other, 0.5, None) > 0, [
            model.body(body).name for body in bodies
        ]
    within = [contact for contact in data.contact if contact.geom1 in own and contact.geom2 in own]
    assert not within


@pytest.mark.parametrize("num_arms", [1, 2])
def test_what_is_only_seen_weighs_nothing_and_touches_nothing(num_arms: int) -> None:
    scene = _scene(num_arms)
    seen = scene.picture_model
    visual = seen.geom_group == _VISUAL_GROUP
    assert visual.any()
    assert not seen.geom_contype[visual].any()
    assert not seen.geom_conaffinity[visual].any()
    np.testing.assert_allclose(seen.body_mass, scene.model.body_mass)
    np.testing.assert_allclose(seen.body_inertia, scene.model.body_inertia)


def test_arms_weigh_what_was_identified() -> None:
    model = _scene().model
    masses = [model.body(f"{arm_prefix(0)}link{i}").mass[0] for i in range(1, 8)]
    # Gaz et al., RA-L 2019
    np.testing.assert_allclose(
        masses, (4.970684, 0.646926, 3.228604, 3.587895, 1.225946, 1.666555, 0.735522), atol=1e-3
    )


@pytest.mark.parametrize("num_arms", [1, 2])
def test_cameras_exist(num_arms: int) -> None:
    model = _scene(num_arms).picture_model
    names = {model.camera(i).name for i in range(model.ncam)}
    wrists = {f"{arm_prefix(arm)}wrist" for arm in range(num_arms)}
    assert names == {"front", "side", "top", "overview"} | wrists
    for wrist in wrists:
        body = model.body(model.camera(wrist).bodyid[0]).name
        assert body == wrist.replace("wrist", PANDA.hand)


@pytest.mark.parametrize("num_arms", [1, 2])
def test_the_table_top_is_the_plane_of_height_zero_under_every_workspace(num_arms: int) -> None:
    model = _scene(num_arms).model
    table = model.geom("table")
    low, high = table.pos - table.size, table.pos + table.size
    assert high[2] == pytest.approx(0)
    for base in BASES[:num_arms]:
        ahead = np.cos(base.yaw)
        for x in (0.0, PANDA.workspace_high[0]):
            assert low[0] < base.position[0] + ahead * x < high[0]
    assert low[1] < PANDA.workspace_low[1] < PANDA.workspace_high[1] < high[1]


def test_a_scene_has_places_for_so_many_arms() -> None:
    with pytest.raises(ValueError, match="3 arms"):
        compose(PANDA, 3, ())


def test_objects_have_the_shape_size_and_colour_of_their_specs() -> None:
    box = ObjectSpec("plank", (0.1, 0.02, 0.015), "blue", symmetry=2)
    can = ObjectSpec("can", (0.025, 0.025, 0.04), "green", symmetry=0, shape="cylinder")
    scene = compose(PANDA, 2, (box, can))
    plank, cylinder = scene.model.geom("plank"), scene.model.geom("can")
    assert plank.type[0] == mujoco.mjtGeom.mjGEOM_BOX
    assert cylinder.type[0] == mujoco.mjtGeom.mjGEOM_CYLINDER
    np.testing.assert_allclose(plank.size, (0.1, 0.02, 0.015))
    np.testing.assert_allclose(cylinder.size[:2], (0.025, 0.04))
    for geom, spec in ((plank, box), (cylinder, can)):
        np.testing.assert_allclose(geom.rgba, COLOURS[spec.colour])
    assert [thing.spec for thing in scene.objects] == [box, can]
    columns = [range(thing.pose.start, thing.pose.stop) for thing in scene.objects]
    columns += [range(part.start, part.stop) for arm in scene.arms for part in (arm.joints, arm.fingers)]
    assert sorted(itertools.chain(*columns)) == list(range(scene.model.nq)), "every column of qpos has one owner"
