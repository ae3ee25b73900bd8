"""What every environment promises, checked on every task in the registry."""

import itertools
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import (
    ClipAction,
    DictInfoToList,
    NormalizeObservation,
    NormalizeReward,
    RecordEpisodeStatistics,
)
from stable_baselines3.common.env_checker import check_env as sb3_check_env
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import DummyVecEnv

from envs.registration import OBSERVATIONS, REWARDS, TASK_NAMES, env_id
from envs.single import DuetEnv
from envs.vector import DuetVectorEnv
from policies.expert import Expert

STATE_MODES = [name for name in OBSERVATIONS if name != "pixels"]
# pictures take most of the time, and do not depend on the reward
CHECKED = [(reward, mode) for mode in OBSERVATIONS for reward in REWARDS if mode != "pixels" or reward == "dense"]
TICKS = 60

every_task = pytest.mark.parametrize("task", TASK_NAMES)
every_reward = pytest.mark.parametrize("reward", REWARDS)
every_state_mode = pytest.mark.parametrize("observation", STATE_MODES)
every_checked = pytest.mark.parametrize(("reward", "observation"), CHECKED)


def random_actions(env, ticks, seed=0):
    """(ticks, num_envs, A) of smooth motions, so that the arms get somewhere."""
    shape = env.action_space.shape
    steps = np.random.default_rng(seed).normal(0.0, 0.6, (ticks, *shape))
    return np.clip(np.cumsum(steps, axis=0) * 0.3, -1.0, 1.0)


def flat(observation):
    """The arrays of an observation, by name."""
    return observation if isinstance(observation, dict) else {"state": observation}


def trajectory(env, seeds, actions):
    """Every array of a rollout from layouts `seeds`: (ticks, num_envs, ...) by name."""
    observation, _ = env.reset(options={"layout_seeds": seeds})
    rows = [flat(observation)]
    for action in actions:
        observation, reward, terminated, truncated, infos = env.step(action)
        rest = {"reward": reward, "terminated": terminated, "truncated": truncated}
        rows.append(flat(observation) | rest | infos)
    return {name: np.stack([row[name] for row in rows[1:]]) for name in rows[1]} | {
        f"first {name}": values[None] for name, values in rows[0].items()
    }


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


# Determinism


@every_task
@every_state_mode
def test_a_trajectory_does_not_depend_on_the_batch(task, observation):
    kwargs = {"task": task, "observation": observation, "autoreset": False}
    crowd, alone = DuetVectorEnv(40, **kwargs), DuetVectorEnv(1, **kwargs)
    actions = random_actions(crowd, TICKS)
    among = trajectory(crowd, np.arange(100, 140), actions)
    for world in (0, 7, 39):
        own = trajectory(alone, [100 + world], actions[:, world : world + 1])
        assert_same(own, {name: values[:, world : world + 1] for name, values in among.items()})


@every_task
def test_a_trajectory_does_not_depend_on_the_threads(task):
    one, two = (DuetVectorEnv(16, task=task, autoreset=False, threads=threads) for threads in (1, 2))
    actions = random_actions(one, TICKS)
    assert_same(trajectory(one, range(16), actions), trajectory(two, range(16), actions))


@every_task
def test_a_trajectory_does_not_depend_on_history(task):
    fresh, worn = (DuetVectorEnv(4, task=task, autoreset=False) for _ in range(2))
    actions = random_actions(fresh, TICKS)
    trajectory(worn, [50, 51, 52, 53], random_actions(worn, TICKS, seed=1))
    worn.step(np.ones((4, len(worn.action_names))))
    assert_same(trajectory(fresh, range(4), actions), trajectory(worn, range(4), actions))


@every_task
def test_the_same_seed_gives_the_same_episodes_and_another_seed_others(task):
    first, second, other = (DuetVectorEnv(3, task=task).reset(seed=seed)[1]["layout_seed"] for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, second)
    assert not set(first) & set(other[2:])
    # world i has the stream seed + i, whatever the number of worlds
    np.testing.assert_array_equal(first[1:], other[:2])


@every_task
def test_without_a_seed_a_world_goes_on_in_its_stream(task):
    env = DuetVectorEnv(2, task=task)
    drawn = [tuple(env.reset(seed=3 if k == 0 else None)[1]["layout_seed"]) for k in range(3)]
    assert len({seed for row in drawn for seed in row}) == 6
    again = [tuple(env.reset(seed=3 if k == 0 else None)[1]["layout_seed"]) for k in range(3)]
    assert drawn == again


# Spaces and values


@every_task
@every_state_mode
def test_observations_lie_in_their_spaces(task, observation):
    env = DuetVectorEnv(5, task=task, observation=observation)
    seen, _ = env.reset(seed=0)
    for action in random_actions(env, TICKS):
        assert env.observation_space.contains(seen)
        seen, reward, terminated, truncated, infos = env.step(action)
        assert all(np.isfinite(values).all() for values in flat(seen).values())
        assert np.isfinite(reward).all()
        assert (reward.dtype, terminated.dtype, truncated.dtype) == (np.float64, np.bool_, np.bool_)
        assert {values.shape for values in (reward, terminated, truncated)} == {(5,)}
        assert all(np.shape(values) == (5,) for name, values in infos.items() if name != "final_info")


@every_task
def test_declared_parts_describe_the_observation(task):
    env = DuetVectorEnv(2, task=task)
    space: Any = env.single_observation_space
    assert sum(part.size for part in env.parts) == space.shape[0]
    assert len({part.name for part in env.parts}) == len(env.parts)
    low = np.concatenate([np.full(part.size, part.low) for part in env.parts])
    np.testing.assert_array_equal(space.low, low.astype(np.float32))


def into_the_hands(env, action):
    """Put one object between the fingers of one arm in every world, each object into each hand somewhere."""
    world, pairs = env.world(), itertools.product(enumerate(env.scene.arms), env.scene.objects)
    for i, ((a, arm), thing) in zip(range(env.num_envs), itertools.cycle(pairs), strict=False):
        half = (world.tool_base_yaw(a)[i] + arm.base.yaw) / 2
        pose = (*world.tool_position(a)[i], np.cos(half), 0.0, 0.0, np.sin(half))
        env.physics.arrays["qpos"][i, thing.pose] = pose
    action[:, [name.endswith("opening") for name in env.action_names]] = -1.0


@every_task
@every_state_mode
def test_no_element_of_an_observation_is_constant(task, observation):
    env = DuetVectorEnv(32, task=task, observation=observation)
    seen = [flat(env.reset(seed=0)[0])]
    expert = Expert(env)
    for tick, action in enumerate(random_actions(env, 80)):
        action[::2] = expert.act()[::2]  # chance alone seldom grasps anything
        if tick < 20:  # until closed
            into_the_hands(env, action)
        seen.append(flat(env.step(action)[0]))
    values = {name: np.concatenate([row[name] for row in seen]) for name in seen[0]}
    constant = {name: np.ptp(rows, axis=0) == 0 for name, rows in values.items()}
    if observation == "goal":  # what a task always asks of the hands still says what they must do
        constant["desired_goal"] &= constant["achieved_goal"]
    parts = [part.name for part in env.parts for _ in range(part.size)]
    for name, which in constant.items():
        assert not which.any(), f"{name}: {np.flatnonzero(which)} of {parts}"


@every_task
@every_state_mode
def test_observations_share_no_memory(task, observation):
    env = DuetVectorEnv(2, task=task, observation=observation)
    actions = random_actions(env, 4)
    expected = trajectory(env, [1, 2], actions)
    seen, infos = env.reset(options={"layout_seeds": [1, 2]})
    kept = []
    for tick, action in enumerate(actions):
        for values in [*flat(seen).values(), *infos.values()]:
            values[...] = 77
        seen, reward, _, _, infos = env.step(action)
        for name, values in flat(seen).items():
            np.testing.assert_array_equal(values, expected[name][tick])
        np.testing.assert_array_equal(reward, expected["reward"][tick])
        np.testing.assert_array_equal(infos["tick"], tick + 1)
        kept.append(seen)
    for name in flat(seen):
        arrays = [flat(one)[name] for one in kept]
        assert not any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])


# Rewards


@every_task
@every_reward
@every_state_mode
def test_reward_terms_add_up_and_are_bounded(task, reward, observation):
    env = DuetVectorEnv(16, task=task, reward=reward, observation=observation)
    env.reset(seed=0)
    for action in random_actions(env, TICKS):
        _, rewards, _, _, infos = env.step(action)
        terms = {name: values for name, values in infos.items() if name.startswith("reward/")}
        np.testing.assert_allclose(sum(terms.values()), rewards, atol=1e-12)
        assert all((np.abs(values) <= 1.0).all() for values in terms.values())
        if reward == "sparse":
            assert np.isin(rewards, (-1.0, 0.0)).all()
        elif observation == "state":
            assert ((rewards >= -1.0) & (rewards <= 1e-12)).all()
        else:
            assert (rewards <= 0.0).all()


# Checkers of other projects


@every_checked
@every_task
def test_gymnasium_finds_nothing_wrong(task, reward, observation):
    env = gym.make(env_id(task, reward, observation), disable_env_checker=True, render_mode="rgb_array")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # drawing is checked by the tests of rendering
        check_env(env.unwrapped, skip_render_check=True)


@every_checked
@every_task
def test_stable_baselines_finds_nothing_wrong(task, reward, observation):
    env = gym.make(env_id(task, reward, observation), disable_env_checker=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sb3_check_env(env.unwrapped, warn=True, skip_render_check=True)


# State


@every_task
@pytest.mark.parametrize("control", ["cartesian", "joints"])
def test_a_restored_state_continues_as_if_nothing_had_happened(task, control):
    env = DuetVectorEnv(6, task=task, control=control)
    env.max_ticks = 50  # so that worlds begin new episodes on the way
    actions = random_actions(env, 35 + TICKS)
    env.reset(seed=4)
    expert = Expert(env) if control == "cartesian" else None
    for action in actions[:35]:
        if expert is not None:
            action[:4] = expert.act()[:4]  # in the end an object is in the gripper
        before, *_ = env.step(action)
    saved = env.get_state()
    actions = actions[35:]
    expected = [env.step(action) for action in actions]
    other = DuetVectorEnv(6, task=task, control=control)
    other.max_ticks = env.max_ticks
    for restored in (env, other):  # after unrelated steps, and before any
        np.testing.assert_array_equal(restored.set_state(saved), before)
        for action, (seen, reward, terminated, truncated, infos) in zip(actions, expected, strict=True):
            again = restored.step(action)
            np.testing.assert_array_equal(again[0], seen)
            np.testing.assert_array_equal(again[1], reward)
            np.testing.assert_array_equal(again[2], terminated)
            np.testing.assert_array_equal(again[3], truncated)
            np.testing.assert_array_equal(again[4]["layout_seed"], infos["layout_seed"])
            np.testing.assert_array_equal(again[4]["best_stage"], infos["best_stage"])


@every_task
def test_a_saved_state_is_a_copy(task):
    env = DuetVectorEnv(2, task=task)
    env.reset(seed=0)
    saved = env.get_state()
    before = {name: values.copy() for name, values in saved.items()}
    for action in random_actions(env, 5):
        env.step(action)
    assert_same(saved, before)


# Episodes


def test_ended_worlds_begin_again_as_in_gymnasiums_own_vector_environment():
    ours = DuetVectorEnv(3, task="Reach")
    theirs = SyncVectorEnv([lambda: DuetEnv(task="Reach")] * 3, autoreset_mode=AutoresetMode.SAME_STEP)
    assert ours.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    np.testing.assert_array_equal(ours.reset(seed=5)[0], theirs.reset(seed=5)[0])
    second: Any = theirs.envs[1]
    ours.physics.arrays["qvel"][1] = second.physics.arrays["qvel"][0] = np.nan  # ends one world alone
    ends = 0
    for action in random_actions(ours, 2 * ours.max_ticks).astype(np.float32):
        *left, a = ours.step(action)
        *right, b = theirs.step(action)
        for x, y in zip(left, right, strict=True):
            np.testing.assert_array_equal(x, y)
        assert a.keys() - {"final_obs"} <= b.keys() | {name for name in a if name.startswith("reward/")}
        ends += "final_obs" in a
        compare_infos(a, b)
    assert ends == 4  # the one, then twice the other two and twice the one


def compare_infos(a, b):
    """Equal wherever Gymnasium's infos `b` have a value."""
    for name, values in a.items():
        if name.startswith("_"):
            np.testing.assert_array_equal(values, b[name])
        elif f"_{name}" in b and isinstance(values, dict):
            compare_infos(values, b[name])
        elif f"_{name}" in b:
            for i in np.flatnonzero(b[f"_{name}"]):
                np.testing.assert_array_equal(values[i], b[name][i], err_msg=name)


@every_task
def test_time_limits_truncate_and_do_not_terminate(task):
    env = DuetVectorEnv(2, task=task)
    env.reset(options={"layout_seeds": [0, 1]})
    still = np.zeros((2, len(env.action_names)))
    for _ in range(env.max_ticks - 1):
        _, _, terminated, truncated, _ = env.step(still)
        assert not (terminated | truncated).any()
    _, _, terminated, truncated, infos = env.step(still)
    assert truncated.all()
    assert not terminated.any()
    assert (infos["final_info"]["tick"] == env.max_ticks).all()
    assert (infos["tick"] == 0).all()


@every_task
def test_success_terminates_and_costs_nothing_more(task):
    for reward in REWARDS:
        env = DuetVectorEnv(4, task=task, reward=reward, autoreset=False)
        expert = Expert(env)
        env.reset(options={"layout_seeds": range(4)})
        succeeded = np.zeros(4, dtype=bool)
        for _ in range(env.max_ticks):
            _, rewards, terminated, truncated, infos = env.step(expert.act())
            np.testing.assert_array_equal(terminated, infos["is_success"])
            np.testing.assert_allclose(rewards[terminated], 0.0, atol=1e-12)
            assert not (terminated & truncated).any()
            succeeded |= terminated
            if succeeded.all():
                break
        assert succeeded.all()
        assert (infos["best_stage"] == len(env.task.stages)).all()


@every_task
def test_one_world_is_a_batch_of_one(task):
    one, batch = gym.make(env_id(task)), DuetVectorEnv(1, task=task, autoreset=False)
    seen, info = one.reset(options={"layout_seed": 7})
    seen_batch, infos = batch.reset(options={"layout_seeds": [7]})
    np.testing.assert_array_equal(seen, seen_batch[0])
    for action in random_actions(batch, TICKS)[:, 0].astype(np.float32):
        seen, reward, terminated, truncated, info = one.step(action)
        seen_batch, rewards, terminations, truncations, infos = batch.step(action[None])
        np.testing.assert_array_equal(seen, seen_batch[0])
        assert (reward, terminated, truncated) == (rewards[0], terminations[0], truncations[0])
        assert info == {name: values[0] for name, values in infos.items()}
    assert {type(value) for value in info.values()} == {bool, int, float}
    assert (type(reward), type(terminated), type(truncated)) == (float, bool, bool)


# Users' loops


@every_task
def test_gymnasiums_vector_wrappers_work(task):
    env = gym.make_vec(env_id(task), num_envs=4)
    env.unwrapped.max_ticks = 20  # type: ignore[attr-defined]
    env = NormalizeReward(RecordEpisodeStatistics(ClipAction(env)))
    env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(20):
        seen, rewards, _, truncated, infos = env.step(env.action_space.sample())
    assert np.isfinite(seen).all()
    assert truncated.all()
    np.testing.assert_array_equal(infos["episode"]["l"], 20)
    # Gymnasium's observation wrappers serve only vector environments that reset a step later
    normal = NormalizeObservation(gym.make_vec(env_id(task), num_envs=2, vectorization_mode="sync"))
    assert np.isfinite(normal.reset(seed=0)[0]).all()
    listed = DictInfoToList(gym.make_vec(env_id(task), num_envs=2))
    assert [info["tick"] for info in listed.reset(seed=0)[1]] == [0, 0]


def test_a_loop_in_the_style_of_cleanrl_runs():
    envs = gym.make_vec("duet/Reach-v0", num_envs=4)
    envs = RecordEpisodeStatistics(envs)
    assert isinstance(envs.single_action_space, gym.spaces.Box)
    obs, _ = envs.reset(seed=1)
    buffer, returns = np.zeros((100, *obs.shape), np.float32), []
    for step in range(100):
        buffer[step] = obs
        actions = np.array([envs.single_action_space.sample() for _ in range(envs.num_envs)])
        next_obs, rewards, terminations, truncations, infos = envs.step(actions)
        real_next_obs = next_obs.copy()
        for i in np.flatnonzero(terminations | truncations):
            real_next_obs[i] = infos["final_obs"][i]
            returns.append(infos["episode"]["r"][i])
        obs = next_obs
    envs.close()
    assert np.isfinite(buffer).all()
    assert len(returns) == 4
    assert not np.array_equal(returns, np.zeros(4))


def test_stable_baselines_makes_and_trains_on_an_id():
    env = make_vec_env("duet/Reach-v0", n_envs=2, seed=0)
    assert isinstance(env, DummyVecEnv)
    model = stable_baselines3.PPO("MlpPolicy", env, n_steps=50, batch_size=50, n_epochs=1, device="cpu")
    model.learn(200)
    assert model.num_timesteps == 200
    assert [info["l"] for info in model.ep_info_buffer or ()] == [75, 75]


def test_hindsight_replay_runs_on_a_goal_id():
    env = make_vec_env("duet/PickPlaceSparseGoal-v0", n_envs=1, seed=0)
    model = stable_baselines3.SAC(
        "MultiInputPolicy",
        env,
        replay_buffer_class=stable_baselines3.HerReplayBuffer,
        learning_starts=160,
        batch_size=32,
        train_freq=5,
        policy_kwargs={"net_arch": [16]},
        device="cpu",
    )
    model.learn(180)
    assert model.num_timesteps == 180
