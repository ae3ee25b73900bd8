"""Duet's worlds as Stable-Baselines3 sees them."""

import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

from envs.scene import TICK
from envs.vector import DuetVectorEnv
from policies.expert import Expert
from policies.system1.vec_env import SB3VecEnv


@pytest.fixture
def env():
    return SB3VecEnv(DuetVectorEnv(3, task="Reach"))


def run(env, ticks, act=None):
    """(observation, reward, done, infos) of every tick."""
    act = act or (lambda: np.zeros((env.num_envs, *env.action_space.shape), np.float32))
    return [env.step(act()) for _ in range(ticks)]


def test_a_time_limit_is_a_truncation_with_the_last_observation(env):
    env.seed(0)
    env.reset()
    limit = env.env.max_ticks
    steps = run(env, limit)
    assert not np.any([done for _, _, done, _ in steps[:-1]])
    before, (observation, rewards, done, infos) = steps[-2][0], steps[-1]
    assert done.all()
    assert rewards.dtype == np.float32
    returns = np.sum([reward for _, reward, _, _ in steps], axis=0)
    for i, info in enumerate(infos):
        assert info["TimeLimit.truncated"] is True
        assert info["is_success"] is False
        assert info["diverged"] is False
        # the arm stands still, so the last observation is near the one before, and not of the new episode
        np.testing.assert_allclose(info["terminal_observation"], before[i], atol=1e-3)
        assert not np.allclose(info["terminal_observation"], observation[i], atol=1e-3)
        assert info["episode"]["l"] == limit
        assert info["episode"]["t"] == pytest.approx(limit * TICK)
        assert info["episode"]["r"] == pytest.approx(returns[i], rel=1e-5)
    assert all(info == {} for _, _, _, infos in steps[:-1] for info in infos)


def test_a_success_is_no_truncation(env):
    env.seed(0)
    env.reset()
    expert = Expert(env.env)
    ended = [info for *_, infos in run(env, env.env.max_ticks, expert.act) for info in infos if info]
    assert ended
    for info in ended:
        assert info["TimeLimit.truncated"] is False
        assert info["is_success"] is True
        assert info["best_stage"] == len(env.env.task.stages)
        assert info["episode"]["l"] < env.env.max_ticks


def test_the_terminal_observation_of_goals_is_a_dict_of_one_world():
    env = SB3VecEnv(DuetVectorEnv(2, task="Reach", observation="goal"))
    env.reset()
    observation, _, _, infos = run(env, env.env.max_ticks)[-1]
    for i, info in enumerate(infos):
        last = info["terminal_observation"]
        assert last.keys() == observation.keys()
        assert all(values.shape == observation[name][i].shape for name, values in last.items())
        assert not np.array_equal(last["desired_goal"], observation["desired_goal"][i])


def test_returns_start_again_with_an_episode(env):
    env.reset()
    first, second = (run(env, env.env.max_ticks)[-1][-1] for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert a["episode"]["r"] != b["episode"]["r"]
        assert b["episode"]["l"] == env.env.max_ticks
        assert -env.env.max_ticks <= b["episode"]["r"] <= 0
        assert a["layout_seed"] != b["layout_seed"]


def test_seeds_name_the_streams_of_layouts(env):
    assert env.seed(5) == [5, 6, 7]
    first = env.reset()
    again = env.reset()
    assert not np.array_equal(first, again), "a seed holds for one reset"
    env.seed(5)
    np.testing.assert_array_equal(env.reset(), first)
    env.seed(6)
    np.testing.assert_array_equal(env.reset()[:2], first[1:])


def test_options_hold_for_one_reset(env):
    env.set_options({"layout_seeds": [1, 2, 3]})
    first = env.reset()
    assert not np.array_equal(env.reset(), first)
    env.set_options({"layout_seeds": [1, 2, 3]})
    np.testing.assert_array_equal(env.reset(), first)
    with pytest.raises(ValueError, match="one dict of options serves all worlds"):
        env.set_options([{}, {}, {}])


def test_attributes_and_methods_are_those_of_the_environment(env):
    assert env.get_attr("task_name") == ["Reach"] * 3
    assert env.get_attr("task_name", indices=[1]) == ["Reach"]
    assert env.has_attr("task_name")
    assert not env.has_attr("nonsense")
    env.set_attr("max_ticks", 9)
    assert env.env.max_ticks == 9
    assert env.env_is_wrapped(VecMonitor) == [False] * 3
    goals = np.zeros((4, 3))
    goal_env = SB3VecEnv(DuetVectorEnv(2, task="Reach", observation="goal"))
    np.testing.assert_array_equal(goal_env.env_method("compute_reward", goals, goals, [{}] * 4, indices=[0])[0], 0.0)


def test_it_trains_under_the_usual_wrappers(env):
    env.env.max_ticks = 20
    model = PPO("MlpPolicy", VecNormalize(env), n_steps=32, batch_size=48, n_epochs=1, device="cpu", seed=0)
    model.learn(2 * 32 * 3)
    assert model.num_timesteps == 192
    assert [info["l"] for info in model.ep_info_buffer or ()] == [20] * 9
