"""Physics, provoked: broken states, pushes, drops and slippery cubes."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from envs.layout import Draw
from envs.scene import SUBSTEP, TICK
from envs.tasks.pick_place import CUBE_FRICTION, CUBE_HALF_SIZE, CUBE_MASS
from envs.vector import DuetVectorEnv
from policies.expert import Expert

GRAVITY = 9.81  # (m/s^2)


def random_actions(env, ticks, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (ticks, *env.action_space.shape))


def begin(num_worlds=1, task="PickPlace", **kwargs):
    env = DuetVectorEnv(num_worlds, task=task, autoreset=False, **kwargs)
    env.reset(options={"layout_seeds": range(num_worlds)})
    return env


def cube_position(env):
    return env.world().object_position(0).copy()


# State


def test_a_restored_state_continues_bit_by_bit():
    env = begin(4)
    actions = random_actions(env, 40)
    for action in actions[:20]:
        env.step(action)
    saved = env.physics.save()
    future = []
    for _ in range(2):
        env.physics.restore(saved)
        steps = []
        for control in actions[20:, :, :1] * 0.1:
            env.physics.arrays["ctrl"][:, :7] = np.array(env.task.robot.home) + control
            env.physics.step()
            steps.append({name: values.copy() for name, values in env.physics.arrays.items()})
        future.append(steps)
        env.reset(options={"layout_seeds": [9, 9, 9, 9]})
    for first, second in zip(*future, strict=True):
        for name in first:
            np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_some_worlds_can_be_restored_into_others():
    env = begin(3)
    for action in random_actions(env, 10):
        env.step(action)
    saved = env.physics.save()
    env.physics.restore({name: values[[2]] for name, values in saved.items()}, np.array([0]))
    for name, values in env.physics.save().items():
        np.testing.assert_array_equal(values[0], saved[name][2], err_msg=name)
        np.testing.assert_array_equal(values[1:], saved[name][1:], err_msg=name)


def test_a_view_is_the_world_it_shows():
    env = begin(3)
    for action in random_actions(env, 10):
        env.step(action)
    for world in range(3):
        model, data = env.physics.view(world)
        np.testing.assert_array_equal(data.qpos, env.physics.arrays["qpos"][world])
        np.testing.assert_array_equal(model.geom_size, env.physics.arrays["geom_size"][world])
        np.testing.assert_allclose(data.site_xpos, env.physics.arrays["site_xpos"][world], atol=1e-12)


def test_a_tick_is_the_same_as_mujocos_own_steps():
    env = begin()
    model, data = env.physics.view(0)
    for action in random_actions(env, 25):
        env.controller.apply(action)
        data.ctrl[:] = env.physics.arrays["ctrl"][0]
        env.physics.step()
        mujoco.mj_step(model, data, round(TICK / SUBSTEP))
        np.testing.assert_allclose(env.physics.arrays["qpos"][0], data.qpos, atol=1e-9)


# Breakdown


@pytest.mark.parametrize("autoreset", [False, True])
@pytest.mark.parametrize("bad", [np.nan, 1e12])
def test_a_world_that_diverges_is_reported_and_harms_no_other(bad, autoreset):
    whole, broken = (DuetVectorEnv(4, autoreset=autoreset) for _ in range(2))
    actions = random_actions(whole, 30)
    for env in (whole, broken):
        env.reset(seed=3)
    others = [0, 1, 3]
    for tick, action in enumerate(actions):
        if tick == 10:
            broken.physics.arrays["qvel"][2] = bad
        expected, expected_reward, *_ = whole.step(action)
        seen, reward, terminated, truncated, infos = broken.step(action)
        np.testing.assert_array_equal(seen[others], expected[others])
        np.testing.assert_array_equal(reward[others], expected_reward[others])
        assert np.isfinite(seen).all()
        assert np.isfinite(reward).all()
        assert not terminated.any()
        np.testing.assert_array_equal(truncated, [False, False, tick == 10, False])
        ended = infos["final_info"] if autoreset and tick == 10 else infos
        np.testing.assert_array_equal(ended["diverged"], [False, False, tick == 10, False])
        if autoreset and tick == 10:
            assert np.isfinite(infos["final_obs"][2]).all()
            assert infos["tick"][2] == 0
            assert not infos["diverged"].any()


# Forces


def test_a_pushed_cube_leaves_the_table_and_the_world_goes_on():
    env = begin()
    start = cube_position(env)
    still = np.zeros((1, 5))
    env.physics.arrays["xfrc_applied"][0, env.scene.objects[0].body, 1] = 8.0
    for _ in range(30):
        env.step(still)
    env.physics.arrays["xfrc_applied"][:] = 0.0
    assert cube_position(env)[0, 1] > start[0, 1] + 0.3
    for _ in range(60):
        seen, *_, infos = env.step(still)
        assert np.isfinite(seen).all()
    assert cube_position(env)[0, 2] < -0.5
    assert not infos["is_success"].any()
    env.reset(options={"layout_seeds": [0]})
    np.testing.assert_array_equal(cube_position(env), start)
    np.testing.assert_array_equal(env.physics.arrays["xfrc_applied"], 0.0)


def test_a_dropped_cube_falls_freely_and_comes_to_rest():
    env = begin()
    pose = env.scene.objects[0].pose
    half = env.world().object_half_size(0)[0, 2]
    height = 0.3
    env.physics.arrays["qpos"][0, pose.start : pose.start + 3] = -0.2, 0.4, half + height
    still = np.zeros((1, 5))
    for _ in range(5):
        env.step(still)
    fallen = half + height - cube_position(env)[0, 2]
    assert fallen == pytest.approx(0.5 * GRAVITY * (5 * TICK) ** 2, rel=0.05)
    for _ in range(50):
        env.step(still)
    assert env.world().object_speed(0)[0] < 1e-3
    assert cube_position(env)[0, 2] == pytest.approx(half, abs=2e-3)


def test_a_resting_cube_does_not_creep():
    env = begin(8)
    start = cube_position(env)
    for _ in range(100):
        env.step(np.zeros((8, 5)))
    assert np.abs(cube_position(env) - start).max() < 5e-4


# Randomisation


def test_sizes_masses_and_frictions_span_their_ranges():
    env = DuetVectorEnv(1)
    layout = env.layout(range(500))
    for values, (low, high) in (
        (layout.half_sizes, CUBE_HALF_SIZE),
        (layout.masses, CUBE_MASS),
        (layout.frictions, CUBE_FRICTION),
    ):
        assert values.min() >= low
        assert values.max() <= high
        assert np.ptp(values) > 0.95 * (high - low)


def test_without_randomisation_all_cubes_are_average():
    env = DuetVectorEnv(1, randomize=False)
    layout = env.layout(range(50))
    for values, span in (
        (layout.half_sizes, CUBE_HALF_SIZE),
        (layout.masses, CUBE_MASS),
        (layout.frictions, CUBE_FRICTION),
    ):
        np.testing.assert_allclose(values, sum(span) / 2)
    assert np.ptp(layout.poses[:, 0, 0]) > 0.1, "places are still drawn"


def test_physics_uses_what_the_layout_drew():
    env = begin(3)
    layout, body = env.layout(range(3)), env.scene.objects[0].body
    np.testing.assert_array_equal(env.world().object_half_size(0), layout.half_sizes[:, 0])
    side, mass = 2 * layout.half_sizes[:, 0, 0], layout.masses[:, 0]
    for world in range(3):
        model, data = env.physics.view(world)
        assert model.body_mass[body] == mass[world]
        np.testing.assert_allclose(model.body_inertia[body], mass[world] * side[world] ** 2 / 6)
        assert data.xpos[body, 2] == pytest.approx(side[world] / 2, abs=1e-9)
        # constants that MuJoCo derives from masses follow
        assert model.body_subtreemass[0] == pytest.approx(model.body_mass.sum())


def test_a_layout_may_not_draw_more_than_there_is():
    draw = Draw("PickPlace", [1])
    draw.uniform(0, 1, 500)
    with pytest.raises(ValueError, match="a layout may draw 512 numbers"):
        draw.uniform(0, 1, 13)


# Grip


def carried_slip(friction, num_worlds=4):
    """(num_worlds,) m: how far the heaviest cube moves in the fingers over two seconds of carrying; inf if dropped."""
    env = begin(num_worlds)
    env.max_ticks = 10_000
    everyone = np.arange(num_worlds)
    layout = env.layout(everyone)
    heavy = np.full_like(layout.masses, CUBE_MASS[1])
    env.physics.reset(everyone, replace(layout, masses=heavy, frictions=np.full_like(heavy, friction)))
    expert = Expert(env)
    # goals in the air that are never reached, so that the expert goes on carrying
    env.world().goal[:] = (-0.2, 0.0, 0.25, 1.0)
    for _ in range(60):
        env.step(expert.act())
    start, slip = env.world().object_from_tool(0, 0).copy(), np.zeros(num_worlds)
    lifted = cube_position(env)[:, 2] > 0.1
    for tick in range(50):
        env.world().goal[:, :2] = (-0.2 + 0.1 * np.sin(0.2 * tick), 0.1 * np.cos(0.2 * tick))
        *_, infos = env.step(expert.act())
        assert not infos["diverged"].any()
        slip = np.maximum(slip, np.abs(env.world().object_from_tool(0, 0) - start).max(axis=1))
    return np.where(lifted, slip, np.inf)


def test_the_heaviest_cube_with_the_least_friction_does_not_slip():
    assert carried_slip(CUBE_FRICTION[0]).max() < 5e-3


def test_objects_are_held_by_friction_alone():
    assert carried_slip(0.02).min() > 0.02
