"""Objects: what is drawn of them, where they may lie, what they weigh, and that they stand and can be gripped."""

import itertools
from dataclasses import replace

import mujoco
import numpy as np
import pytest

from envs.control import MAX_STEP, MAX_TURN
from envs.layout import Draw
from envs.objects import BAR, CUBE, CYLINDER, FRICTION, Area, grip_offset, spread, standing, to_world
from envs.robots import PANDA
from envs.scene import BASES, compose
from envs.tasks import task_class
from envs.vector import DuetVectorEnv

KINDS = {"cube": CUBE, "bar": BAR, "cylinder": CYLINDER}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


# Kinds


@every_kind
def test_what_is_drawn_spans_its_ranges(kind):
    half_sizes, masses, frictions = kind.draw(Draw("Objects", range(500)), True)
    for values, (low, high) in zip(
        (*half_sizes.T, masses, frictions), (*kind.half_sizes, kind.mass, FRICTION), strict=True
    ):
        assert values.min() >= low
        assert values.max() <= high
        assert np.ptp(values) > 0.95 * (high - low)
    assert (half_sizes <= kind.spec("thing", "orange").max_half_size).all()


@every_kind
def test_axes_with_one_range_share_one_number(kind):
    half_sizes, *_ = kind.draw(Draw("Objects", range(100)), True)
    for a, b in itertools.combinations(range(3), 2):
        same = kind.half_sizes[a] == kind.half_sizes[b]
        assert (half_sizes[:, a] == half_sizes[:, b]).all() == same


@every_kind
def test_without_randomisation_all_of_a_kind_are_average(kind):
    half_sizes, masses, frictions = kind.draw(Draw("Objects", range(20)), False)
    np.testing.assert_allclose(half_sizes, np.tile(np.mean(kind.half_sizes, axis=1), (20, 1)))
    np.testing.assert_allclose(masses, np.mean(kind.mass))
    np.testing.assert_allclose(frictions, np.mean(FRICTION))


@every_kind
def test_inertia_is_mujocos(kind):
    """That of a solid of the same size and mass, as MuJoCo's compiler computes it from a density."""
    thing = compose(PANDA, 1, (kind.spec("thing", "orange"),)).objects[0]
    half_sizes, *_ = kind.draw(Draw("Objects", range(5)), True)
    for half_size in half_sizes:
        spec = mujoco.MjSpec()
        body = spec.worldbody.add_body(name="thing")
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_CYLINDER if kind is CYLINDER else mujoco.mjtGeom.mjGEOM_BOX,
            size=thing.geom_size(half_size[None])[0],
            density=700.0,
        )
        model = spec.compile()
        found = model.body("thing")
        # the compiler sorts the axes of its inertia, and says by a rotation which is which
        rotation = np.zeros(9)
        mujoco.mju_quat2Mat(rotation, found.iquat)
        turned = rotation.reshape(3, 3) @ np.diag(found.inertia) @ rotation.reshape(3, 3).T
        expected = thing.inertia(half_size[None], found.mass)[0]
        np.testing.assert_allclose(turned, np.diag(expected), rtol=1e-6, atol=1e-12)
        volume = 8 * half_size.prod() * (np.pi / 4 if kind is CYLINDER else 1)
        assert found.mass[0] == pytest.approx(700.0 * volume)


@every_kind
def test_sizes_survive_the_way_through_mujoco(kind):
    thing = compose(PANDA, 1, (kind.spec("thing", "orange"),)).objects[0]
    half_sizes, *_ = kind.draw(Draw("Objects", range(5)), True)
    np.testing.assert_array_equal(thing.half_size(thing.geom_size(half_sizes)), half_sizes)


# Places


def test_places_in_base_frames_are_where_the_arms_see_them():
    places = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 3, 2))
    arms = np.random.default_rng(1).integers(0, 2, (20, 3))
    world = DuetVectorEnv(20, task="Handover").world()
    found = to_world(places, arms)
    assert found.shape == places.shape
    for arm in (0, 1):
        np.testing.assert_allclose(to_world(places, arm)[arms == arm], found[arms == arm])
        for k in range(3):
            point = np.column_stack((to_world(places[:, k], arm), np.full(20, 0.1)))
            np.testing.assert_allclose(world.in_base(arm, point)[:, :2], places[:, k], atol=1e-12)
    np.testing.assert_allclose(to_world(np.zeros((1, 2)), np.array([1]))[0], BASES[1].position[:2])


def test_places_are_in_their_areas_and_apart():
    draw = Draw("Objects", range(300))
    ranges = np.column_stack((np.linspace(0.3, 0.4, 300), np.full(300, 0.5)))
    areas = [Area((0.3, 0.6), (-0.2, 0.2), 0.05), Area(ranges, (0.0, 0.3), 0.06), Area((0.3, 0.6), (-0.3, 0.3), 0.04)]
    places = spread(draw, areas)
    seen = places - BASES[0].position[:2]
    for k, area in enumerate(areas):
        low, high = np.broadcast_to(area.x, (300, 2)).T
        assert ((seen[:, k, 0] >= low) & (seen[:, k, 0] <= high)).all()
        assert (seen[:, k, 1] >= area.y[0]).all()
        assert (seen[:, k, 1] <= area.y[1]).all()
        assert np.ptp(seen[:, k, 1]) > 0.9 * (area.y[1] - area.y[0])
    for a, b in itertools.combinations(range(3), 2):
        assert (np.linalg.norm(places[:, a] - places[:, b], axis=1) >= areas[a].radius + areas[b].radius).all()


def test_where_there_is_no_room_the_clearest_place_is_taken():
    areas = [Area((0.4, 0.5), (0.0, 0.1), 0.2)] * 3
    places = spread(Draw("Objects", range(200)), areas)
    apart = np.linalg.norm(places[:, 0] - places[:, 1], axis=1)
    at_random = spread(Draw("Objects", range(200)), [replace(area, radius=0.0) for area in areas])
    assert apart.mean() > 1.3 * np.linalg.norm(at_random[:, 0] - at_random[:, 1], axis=1).mean()


def gap(pose, half_size, other_pose, other_half_size):
    """(n,) m between the outlines of boxes on a table, at least; negative where they overlap. Separating axes."""
    outlines, axes = [], []
    for at, half in ((pose, half_size), (other_pose, other_half_size)):
        yaw = 2 * np.arctan2(at[:, 6], at[:, 3])
        x, y = np.stack((np.cos(yaw), np.sin(yaw)), -1), np.stack((-np.sin(yaw), np.cos(yaw)), -1)
        signs = itertools.product((-1, 1), repeat=2)
        outlines.append(np.stack([at[:, :2] + a * half[:, :1] * x + b * half[:, 1:2] * y for a, b in signs], axis=1))
        axes += [x, y]
    gaps = []
    for axis in axes:
        first, second = ((outline * axis[:, None]).sum(axis=-1) for outline in outlines)
        gaps.append(np.maximum(second.min(axis=1) - first.max(axis=1), first.min(axis=1) - second.max(axis=1)))
    return np.max(gaps, axis=0)


def layouts(task, count, n):
    return task_class(task)(PANDA, count).layout(Draw(task, range(n)), True)


def least_gap(poses, half_sizes):
    """(n,) m between the two nearest of (n, K) objects."""
    pairs = itertools.combinations(range(poses.shape[1]), 2)
    return np.min([gap(poses[:, a], half_sizes[:, a], poses[:, b], half_sizes[:, b]) for a, b in pairs], axis=0)


@pytest.mark.parametrize(
    ("task", "count", "room", "share"),
    [
        # a finger is 1 to 2 cm thick, and opens by 1 to 2 cm beside what it grips
        ("Stack", None, 0.03, 1.0),
        ("Tidy", 3, 0.03, 1.0),
        ("Tidy", 5, 0.02, 0.999),
        ("Tidy", 8, 0.02, 0.98),
        ("Relay", 2, 0.02, 0.995),
        ("Relay", 3, 0.02, 0.99),
        ("Relay", 4, 0.02, 0.99),
    ],
)
def test_objects_start_apart(task, count, room, share):
    layout = layouts(task, count, 1000)
    least = least_gap(layout.poses, layout.half_sizes)
    assert least.min() > 0.0
    assert (least > room).mean() >= share


@pytest.mark.parametrize("count", [2, 3, 4])
def test_goals_of_a_relay_are_apart(count):
    layout = layouts("Relay", count, 1000)
    x, y, z, yaw = np.moveaxis(layout.goal.reshape(1000, count, 4), -1, 0)
    least = least_gap(standing(np.stack((x, y), -1), z, yaw), layout.half_sizes)
    assert least.min() > -0.01  # half of what they may be off
    assert (least > 0.0).mean() >= 0.999


@pytest.mark.parametrize(("task", "count"), [("Stack", None), ("Tidy", 3), ("Tidy", 8), ("Relay", 3), ("Relay", 4)])
def test_objects_rest_where_a_layout_puts_them(task, count):
    env = DuetVectorEnv(32, task=task, num_objects=count, autoreset=False)
    env.reset(options={"layout_seeds": range(32)})
    things = range(len(env.task.objects))
    before = [env.world().object_position(k).copy() for k in things]
    for _ in range(25):
        env.step(np.zeros((32, len(env.action_names))))
    for k in things:
        # a table gives way by less than a millimetre
        np.testing.assert_allclose(env.world().object_position(k), before[k], atol=1e-3)
        assert (env.world().object_speed(k) < 1e-3).all()


# Standing and gripping


def go(env, target, yaw, opening, ticks):
    """Drive the first arm's tool to (N, 3) points (m, world frame) and (N,) headings (rad, base frame)."""
    for _ in range(ticks):
        world, actions = env.world(), np.zeros((env.num_envs, len(env.action_names)))
        way = 0.6 * (target - world.tool_position(0))  # the servos lag two ticks behind
        lead = world.arrays["target_position"][:, 0] - world.tool_base_position(0)
        actions[:, :3] = np.clip((way - lead) / MAX_STEP, -1, 1)
        actions[:, 3] = np.clip((yaw - world.tool_base_yaw(0)) / MAX_TURN, -1, 1)
        actions[:, 4] = opening
        env.step(actions)


def test_cylinders_of_every_size_stand_and_are_gripped_at_every_heading():
    n, thing = 12, 2
    env = DuetVectorEnv(n, task="Relay", autoreset=False)
    assert env.task.objects[thing].shape == "cylinder"
    env.reset(options={"layout_seeds": range(n)})
    layout, (radius, _, height) = env.layout(range(n)), CYLINDER.half_sizes
    half_sizes, masses, poses = layout.half_sizes.copy(), layout.masses.copy(), layout.poses.copy()
    extremes = itertools.cycle(itertools.product(radius, height, CYLINDER.mass))
    for i, (r, h, mass) in zip(range(n), extremes, strict=False):
        half_sizes[i, thing], masses[i, thing] = (r, r, h), mass
    poses[:, :, 1] = (-0.3, 0.3, 0.0)
    poses[:, :, 0], poses[:, :, 2] = (0.3, 0.3, -0.2), half_sizes[..., 2]
    env.physics.reset(np.arange(n), replace(layout, half_sizes=half_sizes, masses=masses, poses=poses))
    start = env.world().object_position(thing).copy()
    headings = np.linspace(-1.5, 1.5, n)
    go(env, start + [0.0, 0.0, 0.1], headings, 1.0, 50)
    upright = env.world().arrays["xmat"][:, env.scene.objects[thing].body, 8]
    assert (upright > 1 - 1e-6).all()
    np.testing.assert_allclose(env.world().object_position(thing), start, atol=1e-3)
    go(env, start, headings, 1.0, 25)
    go(env, start, headings, -1.0, 15)
    assert (env.world().grip_force(0, thing) > 20).all()
    go(env, start + [0.0, 0.0, 0.15], headings, 0.0, 30)
    lifted = env.world().object_position(thing)
    np.testing.assert_allclose(lifted, start + [0.0, 0.0, 0.15], atol=0.02)
    assert (env.world().arrays["xmat"][:, env.scene.objects[thing].body, 8] > 0.98).all()


def test_fingers_feel_the_object_between_them_and_no_other():
    pairs = list(itertools.product(range(2), range(4)))
    env = DuetVectorEnv(len(pairs), task="Relay", num_objects=4, autoreset=False)
    env.reset(options={"layout_seeds": range(len(pairs))})
    actions = np.zeros((len(pairs), 10))
    actions[:, 4::5] = -1.0
    for _ in range(20):
        for i, (arm, thing) in enumerate(pairs):
            half = env.world().tool_base_yaw(arm)[i] / 2  # or half a turn more, which looks the same
            pose = (*env.world().tool_position(arm)[i], np.cos(half), 0.0, 0.0, np.sin(half))
            env.physics.arrays["qpos"][i, env.scene.objects[thing].pose] = pose
        env.step(actions)
    for i, held in enumerate(pairs):
        for pair in pairs:
            forces = env.world().finger_forces(*pair)[i]
            assert (forces > 1.0).all() if pair == held else (forces == 0.0).all(), (held, pair, forces)


def test_a_bar_is_long_enough_for_two_hands():
    half_lengths = np.array(BAR.half_sizes[0])
    offset = grip_offset(half_lengths)
    assert (2 * offset > 0.12).all()  # two hands of 6 cm each
    assert (offset < half_lengths - 0.01).all()  # half a finger's width


def test_of_a_bars_two_directions_an_arm_means_the_one_away_from_it():
    env = DuetVectorEnv(40, task="Handover")
    env.reset(seed=0)
    world = env.world()
    axis = np.stack((np.cos(world.object_yaw(0)), np.sin(world.object_yaw(0)), np.zeros(40)), axis=-1)
    for arm in (0, 1):
        away = world.bar_axis(arm, 0)
        assert (away[:, 0] >= 0).all()
        np.testing.assert_allclose(np.abs((world.turned_to_base(arm, axis) * away).sum(axis=-1)), 1.0)
    # and each of two arms takes the end on its own side
    np.testing.assert_allclose(world.bar_axis(0, 0), world.bar_axis(1, 0), atol=1e-12)
