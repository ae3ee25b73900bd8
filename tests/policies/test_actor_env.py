"""System 1's arms as Stable-Baselines3 sees them: every arm an actor, every command an episode of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

from envs.scene import TICK
from envs.vector import DuetVectorEnv
from policies.commands import SKILLS
from policies.dual import DualRuntime
from policies.system1 import checkpoint
from policies.system1.actor_env import ActorVecEnv
from policies.system1.commanded import LOST, PARTS, observe, space
from policies.system2.symbolic import SymbolicPlanner

_AT = {name: sum(size for _, size, _ in PARTS[:k]) for k, (name, *_) in enumerate(PARTS)}
SKILL = slice(_AT["skill"], _AT["skill"] + len(SKILLS))  # columns of an observation
WORST = LOST - 3.0  # lost, with no progress at all, and the most harm


def make(*tasks: tuple[str, int], latency: tuple[int, int] = (0, 0), seed: int = 0, ticks: int | None = None):
    """Arms of so many worlds of each task, on streams of layouts from `seed` on; not reset yet."""
    groups = []
    for task, num_worlds in tasks:
        env = DuetVectorEnv(num_worlds, task=task, autoreset=False, threads=1)
        env.max_ticks = ticks or env.max_ticks
        groups.append((env, DualRuntime(env, SymbolicPlanner(), latency=latency)))
    worlds = ActorVecEnv(groups)
    worlds.seed(seed)
    return worlds


def told(worlds: ActorVecEnv) -> list[tuple[int, int]]:
    """Skill and object that each actor is told, group by group, world by world, arm by arm."""
    return [
        (int(skill), int(thing))
        for _, runtime in worlds.groups
        for skill, thing in zip(runtime.commands.skill.ravel(), runtime.commands.thing.ravel(), strict=True)
    ]


def first_arms(worlds: ActorVecEnv) -> list[int]:
    """The actor that stands for each world."""
    found, at = [], 0
    for env, _ in worlds.groups:
        arms = len(env.scene.arms)
        found += [at + i * arms for i in range(env.num_envs)]
        at += env.num_envs * arms
    return found


def noisy(worlds: ActorVecEnv, random: np.random.Generator, noise: float = 0.3) -> np.ndarray:
    actions = worlds.scripted_actions()
    return np.clip(actions + random.normal(0.0, noise, actions.shape), -1.0, 1.0).astype(np.float32)


# What Stable-Baselines3 relies on


def test_every_arm_of_every_world_is_an_actor() -> None:
    worlds = make(("PickPlace", 3), ("Handover", 2))
    observation = worlds.reset()
    assert (worlds.num_envs, worlds.num_worlds) == (3 + 2 * 2, 5)
    assert observation.shape == (7, *(space().shape or ()))
    assert observation.dtype == np.float32
    assert worlds.observation_space == space()
    assert worlds.action_space.shape == (5,)
    worlds.step_async(np.zeros((7, 5), dtype=np.float32))
    observation, rewards, dones, infos = worlds.step_wait()
    assert observation.shape == (7, *(space().shape or ()))
    assert (rewards.shape, dones.shape, len(infos)) == ((7,), (7,), 7)
    assert (rewards.dtype, dones.dtype) == (np.float32, bool)


def test_one_command_is_one_episode_of_an_actor() -> None:
    """Through whole episodes of worlds, of a noisy System 1 that also drops things."""
    worlds = make(("PickPlace", 4), ("Handover", 3), latency=(0, 8))
    observation = worlds.reset()
    random = np.random.default_rng(0)
    kinds = {"done": 0, "cut": 0}
    for _ in range(260):
        before, commands = observation, told(worlds)
        observation, rewards, dones, infos = worlds.step(noisy(worlds, random))
        assert np.isfinite(observation).all()
        assert (np.abs(observation) <= worlds.observation_space.high).all()
        assert ((rewards >= WORST) & (rewards <= 0)).all()
        for actor, (now, was) in enumerate(zip(told(worlds), commands, strict=True)):
            info = infos[actor]
            if not dones[actor]:
                assert now == was, "a command changed in the middle of an episode"
                assert "terminal_observation" not in info
                continue
            last = info["terminal_observation"]
            assert last.shape == observation[actor].shape
            np.testing.assert_array_equal(last[SKILL], before[actor][SKILL], err_msg="not under the old command")
            assert last[SKILL][was[0]] == 1
            kinds["cut" if info["TimeLimit.truncated"] else "done"] += 1
    assert min(kinds.values()) > 10, kinds


def test_what_is_done_or_lost_has_ended_and_what_is_replaced_is_cut_off() -> None:
    worlds = make(("Handover", 4), latency=(0, 8))
    worlds.reset()
    ((_, runtime),) = worlds.groups
    update, seen = runtime.update, []
    runtime.update = lambda: seen.append(update()) or seen[-1]  # type: ignore[func-returns-value]
    random = np.random.default_rng(1)
    counts = {"done": 0, "lost": 0, "replaced": 0}
    for tick in range(160):
        actions = noisy(worlds, random, 0.1)
        if 45 < tick < 55:  # whatever is in a hand falls
            actions[:, 4] = 1.0
        _, rewards, dones, infos = worlds.step(actions)
        success = np.repeat([infos[i].get("is_success", False) for i in first_arms(worlds)], 2)
        over = np.repeat(["episode" in infos[i] for i in first_arms(worlds)], 2)
        done, lost, replaced = (getattr(seen[-1], name).ravel() for name in counts)
        np.testing.assert_array_equal(dones, done | lost | replaced | over)
        for actor in np.flatnonzero(dones):
            ended = done[actor] or lost[actor] or success[actor]
            assert infos[actor]["TimeLimit.truncated"] == (not ended)
        assert (rewards[lost] <= LOST).all()
        assert (rewards[~lost] >= -3.0).all()
        for name in counts:
            counts[name] += int(getattr(seen[-1], name).sum())
    assert min(counts.values()) > 0, counts


def test_an_episode_of_a_world_is_told_with_its_first_arm() -> None:
    worlds = make(("PickPlace", 3), ("Handover", 2))
    worlds.reset()
    random = np.random.default_rng(0)
    names = ["PickPlace"] * 3 + ["Handover"] * 2
    returns, ticks, ended = np.zeros(5), np.zeros(5, dtype=int), [0] * 5
    earned: list[np.ndarray] = []
    for env, _ in worlds.groups:
        env.step = _listening(env, earned)
    seeds: set[int] = set()
    for _ in range(280):
        earned.clear()
        _, _, dones, infos = worlds.step(noisy(worlds, random, 0.1))
        returns += np.concatenate(earned)
        ticks += 1
        for world, actor in enumerate(first_arms(worlds)):
            if "episode" not in infos[actor]:
                continue
            info = infos[actor]
            assert info["task"] == names[world]
            assert info["episode"]["r"] == pytest.approx(returns[world])
            assert info["episode"]["l"] == ticks[world]
            assert info["episode"]["t"] == pytest.approx(ticks[world] * TICK)
            assert info["is_success"]
            assert not info["aided"]
            assert not info["diverged"]
            assert info["best_stage"] == 4 if names[world] == "PickPlace" else 7
            seeds.add(info["layout_seed"])
            for arm in range(1 if world < 3 else 2):
                assert dones[actor + arm], "all arms of a world that is over"
                assert not infos[actor + arm]["TimeLimit.truncated"], "it succeeded"
            returns[world], ticks[world] = 0.0, 0
            ended[world] += 1
        others = set(range(7)) - set(first_arms(worlds))
        assert not any("episode" in infos[actor] for actor in others)
    assert min(ended) >= 2
    assert len(seeds) == sum(ended), "every episode has a layout of its own"


def _listening(env: DuetVectorEnv, earned: list[np.ndarray]):
    step = env.step

    def listen(actions: np.ndarray):
        result = step(actions)
        earned.append(result[1].copy())
        return result

    return listen


def test_a_time_limit_cuts_every_arm_off() -> None:
    worlds = make(("Handover", 2), ticks=12)
    worlds.reset()
    for tick in range(1, 13):
        observation, _, dones, infos = worlds.step(np.zeros((4, 5), dtype=np.float32))
        assert dones.any() == (tick == 12)
    assert dones.all()
    assert all(info["TimeLimit.truncated"] for info in infos)
    assert [info.get("is_success") for info in infos] == [False, None, False, None]
    ((env, runtime),) = worlds.groups
    assert (env.ticks == 0).all()
    assert (runtime.counts["tick"] == 0).all()
    np.testing.assert_array_equal(observation, observe(runtime.actors))


def test_actions_go_to_the_arm_that_they_are_for() -> None:
    for actor in range(5):
        worlds = make(("PickPlace", 1), ("Handover", 2))
        worlds.reset()
        actions = np.zeros((5, 5), dtype=np.float32)
        actions[actor, 2] = 1.0
        start = worlds._observe()
        for _ in range(4):
            worlds.step(actions)
        risen = worlds._observe()[:, 2] - start[:, 2]
        assert np.argmax(risen) == actor
        assert risen[actor] > 0.02
        assert (np.abs(np.delete(risen, actor)) < 0.01).all()


def test_seeds_name_the_streams_of_layouts_of_all_tasks() -> None:
    worlds = make(("PickPlace", 2), ("Handover", 2))
    assert worlds.seed(7) == [7 + i for i in range(6)]
    first = worlds.reset()
    again = worlds.reset()
    assert not np.array_equal(first, again), "a seed holds for one reset"
    worlds.seed(7)
    np.testing.assert_array_equal(worlds.reset(), first)
    streams = np.concatenate([env._counters["stream"] for env, _ in worlds.groups])
    assert streams.tolist() == [7, 8, 9, 10]


def test_worlds_that_reset_by_themselves_are_refused() -> None:
    env = DuetVectorEnv(1, task="Reach", threads=1)
    with pytest.raises(ValueError, match="must not reset by themselves"):
        ActorVecEnv([(env, DualRuntime(env, SymbolicPlanner()))])


def test_it_trains_under_the_usual_wrappers() -> None:
    torch.set_num_threads(1)
    worlds = make(("PickPlace", 2), ("Handover", 1), ticks=20)
    assert worlds.env_is_wrapped(VecMonitor) == [False] * 4
    assert worlds.get_attr("num_worlds", indices=[0]) == [3]
    model = PPO("MlpPolicy", VecNormalize(worlds), n_steps=32, batch_size=64, n_epochs=1, device="cpu", seed=0)
    model.learn(2 * 32 * 4)
    assert model.num_timesteps == 256
    assert [info["l"] for info in model.ep_info_buffer or ()] == [20] * 9


# Rewards


def test_doing_as_told_pays_more_than_standing_still() -> None:
    earned = []
    for act in (lambda worlds: worlds.scripted_actions(), lambda worlds: np.zeros((3, 5))):
        worlds = make(("PickPlace", 1), ("Handover", 1))
        worlds.reset()
        earned.append(np.mean([worlds.step(act(worlds))[1] for _ in range(50)], axis=0))
    told_to = [0, 1 + int(told_first(make(("Handover", 1))))]
    assert (earned[0] > earned[1] - 0.02).all()
    assert (earned[0][told_to] > earned[1][told_to] + 0.1).all()


def told_first(worlds: ActorVecEnv) -> bool:
    """Which arm has to pick the bar up."""
    worlds.reset()
    ((_, runtime),) = worlds.groups
    return bool(runtime.commands.skill[0, 1] == SKILLS.index("pick"))


def test_losing_the_object_ends_the_command_at_a_high_price_and_only_for_its_arm() -> None:
    worlds = make(("Handover", 1))
    worlds.reset()
    ((env, runtime),) = worlds.groups
    while not (runtime.commands.skill == SKILLS.index("carry")).any():
        worlds.step(worlds.scripted_actions())
    arm = int(np.argmax(runtime.commands.skill[0] == SKILLS.index("carry")))
    env.physics.arrays["geom_friction"][0, env.scene.objects[0].geom, 0] = 0.01
    for _ in range(25):
        _, rewards, dones, infos = worlds.step(worlds.scripted_actions())
        if rewards.min() <= LOST:
            break
    assert rewards[arm] <= LOST
    assert dones[arm]
    assert not infos[arm]["TimeLimit.truncated"]
    assert rewards[1 - arm] > -3.0


def test_what_can_no_longer_be_planned_for_is_as_bad_as_lost() -> None:
    worlds = make(("PickPlace", 2))
    worlds.reset()
    ((env, _),) = worlds.groups
    worlds.step(worlds.scripted_actions())
    env.world().goal[0, 0] = 3.0
    ends = []
    for _ in range(25):
        _, rewards, dones, infos = worlds.step(worlds.scripted_actions())
        ends.append(bool(rewards[0] <= LOST))
        if ends[-1]:
            assert dones[0]
            assert not infos[0]["TimeLimit.truncated"]
        assert rewards[1] >= -3.0
    assert sum(ends) == 1, "it is said once"


def test_an_object_that_is_shoved_costs() -> None:
    """Two worlds of one layout; in one of them a cube that nobody holds is hit."""
    worlds = make(("PickPlace", 2))
    worlds.reset()
    ((env, runtime),) = worlds.groups
    env.reset(options={"layout_seeds": [1, 1]})
    runtime.begin(np.arange(2))
    start = env.scene.objects[0].velocity.start
    env.physics.arrays["qvel"][0, start : start + 2] = 1.0
    _, rewards, _, _ = worlds.step(np.zeros((2, 5)))
    assert rewards[0] < rewards[1] - 0.3


# State


def test_saved_arms_go_on_to_the_last_bit(tmp_path: Path) -> None:
    """Of two tasks, in the middle of commands and with answers under way, through a file."""
    tasks: Sequence[tuple[str, int]] = (("PickPlace", 2), ("Handover", 2))
    worlds, other = make(*tasks, latency=(3, 12)), make(*tasks, latency=(3, 12), seed=99)
    random, elsewhere = np.random.default_rng(0), np.random.default_rng(1)
    worlds.reset()
    other.reset()
    for _ in range(73):
        worlds.step(noisy(worlds, random))
        other.step(noisy(other, elsewhere))
    assert any(mail for _, runtime in worlds.groups for mail in runtime._mail)
    path = tmp_path / "state.pt"
    checkpoint.write(path, {"worlds": worlds.get_state(), "returns": worlds.returns})
    state = checkpoint.read(path)
    other.set_state(state["worlds"])
    other.returns[:] = state["returns"]
    np.testing.assert_array_equal(worlds._observe(), other._observe())
    for _ in range(150):
        actions = noisy(worlds, random)
        mine, theirs = worlds.step(actions), other.step(actions)
        for a, b in zip(mine[:3], theirs[:3], strict=True):
            np.testing.assert_array_equal(a, b)
        assert [_plain(info) for info in mine[3]] == [_plain(info) for info in theirs[3]]


def _plain(info: dict[str, Any]) -> dict[str, Any]:
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in info.items()}
