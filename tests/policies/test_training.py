"""Training: resumed equals uninterrupted, loaded equals saved, and a little training beats none."""

from __future__ import annotations

import csv
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from evaluation.evaluate import evaluate
from evaluation.rollout import roll_out
from evaluation.run import Run
from policies.agents import DualAgent, SingleAgent
from policies.system1 import checkpoint, training
from policies.system1.commanded import space
from policies.system1.config import TrainConfig
from policies.system1.policy import LearnedPolicy
from policies.system1.training import Interrupted, last_checkpoint, train
from policies.system2.symbolic import SymbolicPlanner

_TINY = {
    "ppo": TrainConfig(task="PickPlace", num_worlds=8, steps=1024, checkpoint_every=256),
    "sac": TrainConfig(task="Reach", algorithm="sac", num_worlds=4, steps=6_000, checkpoint_every=2_000),
    "td3": TrainConfig(task="Lift", algorithm="td3", num_worlds=4, steps=5_600, checkpoint_every=2_000, starts=0.0),
    # two tasks' worth of arms, commands under way, and episodes that begin in the middle
    "dual": TrainConfig(
        task="Handover", system="dual", num_worlds=4, steps=768, checkpoint_every=256, latency=0.4,
        demonstrations=4, starts=0.3, threads=1,
    ),
    "mixture": TrainConfig(
        task="all", system="dual", num_worlds=6, steps=768, checkpoint_every=384, latency=0.4, demonstrations=0,
        threads=1,
    ),
    "placebo": TrainConfig(
        task="PickPlace", system="dual", num_worlds=4, steps=512, checkpoint_every=256, planner="shuffled",
        demonstrations=0, threads=1,
    ),
}  # fmt: skip


def _trained(folder: Path, config: TrainConfig, stop_at: int | None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a finished training, interrupted with Ctrl-C once at `stop_at` steps and resumed."""
    run = Run.create(config.resolved(), folder)
    if stop_at is None:
        train(run.config, run.folder, quiet=True)
        return folder
    follow = training._Follower._on_step

    def on_step(self: training._Follower) -> bool:
        if self.num_timesteps == stop_at:
            os.kill(os.getpid(), signal.SIGINT)
        return follow(self)

    with monkeypatch.context() as patch:
        patch.setattr(training._Follower, "_on_step", on_step)
        with pytest.raises(Interrupted):
            train(run.config, run.folder, quiet=True)
    train(Run.open(folder).config, folder, resume=True, quiet=True)
    return folder


def _policy(folder: Path) -> dict:
    path = last_checkpoint(folder)
    assert path is not None
    return checkpoint.read(path)


@pytest.mark.parametrize(
    ("algorithm", "stop_at"),
    [
        ("ppo", 400),
        ("sac", 5_400),
        ("td3", 5_300),
        ("dual", 8 * 100),
        ("mixture", 9 * 64),
        ("placebo", 4 * 70),
    ],
)
def test_a_resumed_training_ends_as_if_it_had_not_stopped(
    algorithm: str, stop_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _TINY[algorithm]
    straight = _policy(_trained(tmp_path / "straight", config, None, monkeypatch))
    resumed = _policy(_trained(tmp_path / "resumed", config, stop_at, monkeypatch))
    assert straight["steps"] == resumed["steps"] >= config.steps
    for name, weights in straight["weights"].items():
        assert torch.equal(weights, resumed["weights"][name]), f"{name} differs"
    rows = []
    for folder in ("straight", "resumed"):
        with (tmp_path / folder / training.METRICS).open(newline="") as file:
            rows.append([{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)])
    assert rows[0] == rows[1]


def test_two_seeds_differ_and_one_repeats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(_TINY["ppo"], starts=0.0, demonstrations=0, steps=256)
    seeds = (0, 0, 1)
    first, again, other = (
        _policy(_trained(tmp_path / str(i), replace(config, seed=seed), None, monkeypatch))["weights"]
        for i, seed in enumerate(seeds)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("algorithm", ["ppo", "sac", "td3"])
def test_a_loaded_policy_acts_as_before_it_was_saved(algorithm: str, tmp_path: Path) -> None:
    config = replace(_TINY[algorithm], steps=64, starts=0.0, demonstrations=0).resolved()
    env = config.make_env(num_envs=5)
    model = training.build(config, training.make_worlds(config))
    model.learn(64)
    path = tmp_path / "policy.pt"
    checkpoint.write(path, checkpoint.policy_state(model, seconds=1.0))
    observation, _ = env.reset(seed=3)
    norm = training.checkpoint.normalizer(model)
    before, _ = model.predict(norm.normalize_obs(observation), deterministic=True)
    after, _ = LearnedPolicy.load(config, path).predict(observation)
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("steps", [100, 700])
def test_a_training_shorter_than_a_rollout_still_learns_forwards(steps: int, tmp_path: Path) -> None:
    config = TrainConfig(task="Reach", num_worlds=32, steps=steps, demonstrations=8).resolved()
    model = training.build(config, training.make_worlds(config))
    for remaining in (1.0, 0.5, 0.0, -3.0):
        assert 0 < model.lr_schedule(remaining) <= config.learning_rate  # type: ignore[operator]
    run = Run.create(config, tmp_path / "run")
    train(run.config, run.folder, quiet=True)
    assert (run.folder / training.METRICS).exists()


def test_a_little_training_beats_the_random_policy(tmp_path: Path) -> None:
    config = TrainConfig(task="Reach", num_worlds=64, steps=20_000).resolved()
    run = Run.create(config, tmp_path / "run")
    train(run.config, run.folder, quiet=True)
    seeds = np.arange(100)
    env = run.make_env(num_envs=100, autoreset=False)
    learned = roll_out(env, SingleAgent(run.policy().act), seeds)
    generator = np.random.default_rng(0)
    random = roll_out(env, SingleAgent(lambda _: generator.uniform(-1, 1, env.action_space.shape)), seeds)
    assert learned.success.mean() > random.success.mean() + 0.3


@pytest.fixture(scope="module")
def imitator(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A dual system that has been shown 24 episodes and learned from 2048 steps."""
    config = TrainConfig(
        task="PickPlace", system="dual", num_worlds=16, steps=2048, demonstrations=24, threads=1
    ).resolved()
    run = Run.create(config, tmp_path_factory.mktemp("runs") / "dual")
    train(run.config, run.folder, quiet=True)
    return run


def test_a_tiny_dual_training_beats_its_own_start(imitator: Run, tmp_path: Path) -> None:
    """Fresh weights do nothing; after some episodes of the scripted System 1, most layouts are solved."""
    seeds = np.arange(60)
    config = imitator.config
    model = training.build(config, training.make_worlds(config), to_train=False)
    checkpoint.write(tmp_path / "fresh.pt", checkpoint.policy_state(model, seconds=0.0))
    fresh = evaluate(imitator, seeds, policy=LearnedPolicy.load(config, tmp_path / "fresh.pt"))
    learned = evaluate(imitator, seeds)
    assert fresh["success_rate"] < 0.1
    assert learned["success_rate"] > 0.7
    assert learned["train_steps"] == 2048
    assert learned["actor_steps"] == 2048
    assert learned["planner_faults"] == 0


def test_a_loaded_dual_policy_acts_as_before_it_was_saved(tmp_path: Path) -> None:
    config = replace(_TINY["dual"], steps=64, starts=0.0, demonstrations=0).resolved()
    model = training.build(config, training.make_worlds(config))
    model.learn(512)
    path = tmp_path / "policy.pt"
    checkpoint.write(path, checkpoint.policy_state(model, seconds=1.0))
    norm = checkpoint.normalizer(model)

    def before(observation: np.ndarray) -> np.ndarray:
        return model.predict(norm.normalize_obs(observation), deterministic=True)[0]

    after = LearnedPolicy.load(config, path)
    assert after.observation_space == space()
    assert (after.steps, after.actor_steps) == (256, 512)
    ticks = []
    for act in (before, after.act):
        env = config.make_env(num_envs=2, autoreset=False)
        episodes = roll_out(env, DualAgent(SymbolicPlanner(), act), np.arange(2))
        ticks.append((episodes.ticks.tolist(), env.physics.arrays["qpos"].copy()))
    assert ticks[0][0] == ticks[1][0]
    np.testing.assert_array_equal(ticks[0][1], ticks[1][1])


def test_metrics_of_a_mixture_say_which_tasks_succeed(tmp_path: Path) -> None:
    config = replace(_TINY["mixture"], latency=0.0, steps=6 * 32 * 5).resolved()  # longer than a PickPlace lasts
    run = Run.create(config, tmp_path / "run")
    train(run.config, run.folder, quiet=True)
    with (run.folder / training.METRICS).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {f"success_{task}" for task in config.tasks} <= set(rows[-1])
    assert not any(name.startswith("reached_") for name in rows[-1])
    assert int(rows[-1]["steps"]) >= config.steps  # type: ignore[operator]
    assert float(rows[-1]["success_PickPlace"]) >= 0
