"""Stable-Baselines3 algorithms from a configuration. A new algorithm is one entry here and one in the settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO, SAC, TD3, HerReplayBuffer
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.vec_env import VecNormalize

from envs.vector import DuetVectorEnv
from policies.system1.config import TrainConfig
from policies.system1.networks import ScheduledGaussianMultiInputPolicy, ScheduledGaussianPolicy
from policies.system1.settings import OffPolicySettings, PPOSettings, Settings
from policies.system1.vec_env import SB3VecEnv


def build(config: TrainConfig, env: DuetVectorEnv, to_train: bool = True) -> BaseAlgorithm:
    """A model with fresh weights for a resolved configuration, in its normalised environment.

    Args:
        config: resolved.
        env: the worlds to learn in, or any world of the same spaces.
        to_train: else memory for learning is not taken.
    """
    settings = config.settings()
    if isinstance(settings, PPOSettings):
        return _ppo(config, settings, env)
    assert isinstance(settings, OffPolicySettings)
    return _off_policy(config, settings, env, to_train)


def normalizer(model: BaseAlgorithm) -> VecNormalize:
    """The running means and variances in front of a model."""
    normalizer = model.get_vec_normalize_env()
    assert normalizer is not None
    return normalizer


def set_exploration(model: BaseAlgorithm, settings: Settings, action_names: tuple[str, ...], done: float) -> None:
    """Set the noise of a PPO policy's actions after a share `done` of the training; others explore by themselves."""
    if not isinstance(settings, PPOSettings):
        return
    assert isinstance(model.policy, ScheduledGaussianPolicy)
    fallen = min(1.0, done / settings.noise_falls_until)
    move, grip = (start ** (1 - fallen) * end**fallen for start, end in (settings.noise, settings.gripper_noise))
    model.policy.explore(torch.tensor([grip if name.endswith("opening") else move for name in action_names]))


def _ppo(config: TrainConfig, settings: PPOSettings, env: DuetVectorEnv) -> PPO:
    last = settings.final_learning_rate_share

    def learning_rate(remaining: float) -> float:
        # the last rollout may end beyond the training, with less than nothing remaining
        return settings.learning_rate * (last + (1.0 - last) * max(0.0, remaining))

    dict_observation = config.observation != "state"
    return PPO(
        ScheduledGaussianMultiInputPolicy if dict_observation else ScheduledGaussianPolicy,
        VecNormalize(SB3VecEnv(env), gamma=settings.gamma),
        learning_rate=learning_rate,
        n_steps=settings.rollout,
        # a small batch of worlds may hold less than a minibatch
        batch_size=min(settings.minibatch, settings.rollout * env.num_envs),
        n_epochs=settings.epochs,
        gamma=settings.gamma,
        gae_lambda=settings.gae_lambda,
        target_kl=settings.target_kl,
        policy_kwargs={
            "net_arch": list(settings.net),
            "activation_fn": torch.nn.ELU,
        },
        seed=config.seed,
        device="cpu" if config.device == "auto" else config.device,
    )


def _off_policy(config: TrainConfig, settings: OffPolicySettings, env: DuetVectorEnv, to_train: bool) -> SAC | TD3:
    common: dict[str, Any] = {
        "policy": "MultiInputPolicy",
        # rewards of 0 and -1 need no scaling
        "env": VecNormalize(SB3VecEnv(env), gamma=settings.gamma, norm_reward=False),
        "learning_rate": settings.learning_rate,
        "buffer_size": settings.buffer if to_train else env.num_envs,
        "batch_size": settings.batch,
        "gamma": settings.gamma,
        "tau": settings.tau,
        "train_freq": 1,
        "gradient_steps": settings.gradient_steps,
        "learning_starts": settings.learning_starts,
        "replay_buffer_class": HerReplayBuffer,
        "replay_buffer_kwargs": {"n_sampled_goal": settings.hindsight_goals, "goal_selection_strategy": "future"},
        "policy_kwargs": {"net_arch": list(settings.net)},
        "seed": config.seed,
        "device": config.device,
    }
    if config.algorithm == "sac":
        return SAC(**common)
    size = len(env.action_names)
    return TD3(**common, action_noise=NormalActionNoise(np.zeros(size), np.full(size, 0.2)))
