"""Stable-Baselines3 algorithms from a configuration. A new algorithm is one entry here and one in the settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO, SAC, TD3, HerReplayBuffer
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.noise import ActionNoise, NormalActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import VecNormalize

from policies.expert import Expert
from policies.system1.actor_env import ActorVecEnv
from policies.system1.config import TrainConfig
from policies.system1.demonstrations import NOISE
from policies.system1.networks import ScheduledGaussianMultiInputPolicy, ScheduledGaussianPolicy
from policies.system1.settings import OffPolicySettings, PPOSettings, Settings
from policies.system1.vec_env import SB3VecEnv


class Shown(OffPolicyAlgorithm):
    """The scripted expert, with noise, acts in the first episodes and fills the replay buffer with them."""

    shown_episodes: int
    """How many."""

    @property
    def is_shown(self) -> bool:
        """Whether the expert still acts."""
        return self._episode_num < self.shown_episodes

    def _sample_action(
        self, learning_starts: int, action_noise: ActionNoise | None = None, n_envs: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        if not self.is_shown:
            return super()._sample_action(learning_starts, action_noise, n_envs)
        actions = Expert(normalizer(self).venv.env).act()  # type: ignore[attr-defined]
        # Stable-Baselines3 draws from this generator too, and a checkpoint holds its state
        actions += np.random.normal(0.0, NOISE, actions.shape)  # noqa: NPY002
        actions = np.clip(actions, -1.0, 1.0).astype(np.float32)
        return actions, actions


class ShownSAC(Shown, SAC):
    """SAC that begins with the expert's episodes."""


class ShownTD3(Shown, TD3):
    """TD3 that begins with the expert's episodes."""


def build(config: TrainConfig, worlds: SB3VecEnv | ActorVecEnv, to_train: bool = True) -> BaseAlgorithm:
    """A model with fresh weights for a resolved configuration, in its normalised environment.

    Args:
        config: resolved.
        worlds: to learn in, or any of the same spaces.
        to_train: else memory for learning is not taken.
    """
    settings = config.settings()
    if isinstance(settings, PPOSettings):
        return _ppo(config, settings, worlds)
    assert isinstance(settings, OffPolicySettings)
    assert isinstance(worlds, SB3VecEnv)
    return _off_policy(config, settings, worlds, to_train)


def normalizer(model: BaseAlgorithm) -> VecNormalize:
    """The running means and variances in front of a model."""
    normalizer = model.get_vec_normalize_env()
    assert normalizer is not None
    return normalizer


def world_steps(model: BaseAlgorithm) -> int:
    """Environment steps (one world, one tick) so far; where arms are actors, several actor steps make one."""
    worlds: Any = normalizer(model).venv
    return model.num_timesteps * worlds.num_worlds // worlds.num_envs


def set_exploration(model: BaseAlgorithm, settings: Settings, action_names: tuple[str, ...], done: float) -> None:
    """Set the noise of a PPO policy's actions after a share `done` of the training; others explore by themselves."""
    if not isinstance(settings, PPOSettings):
        return
    assert isinstance(model.policy, ScheduledGaussianPolicy)
    fallen = min(1.0, done / settings.noise_falls_until)
    move, grip = (start ** (1 - fallen) * end**fallen for start, end in (settings.noise, settings.gripper_noise))
    model.policy.explore(torch.tensor([grip if name.endswith("opening") else move for name in action_names]))


def _ppo(config: TrainConfig, settings: PPOSettings, worlds: SB3VecEnv | ActorVecEnv) -> PPO:
    last = settings.final_learning_rate_share

    def learning_rate(remaining: float) -> float:
        # the last rollout may end beyond the training, with less than nothing remaining
        return settings.learning_rate * (last + (1.0 - last) * max(0.0, remaining))

    dict_observation = config.observation != "state"
    return PPO(
        ScheduledGaussianMultiInputPolicy if dict_observation else ScheduledGaussianPolicy,
        VecNormalize(worlds, gamma=settings.gamma),
        learning_rate=learning_rate,
        n_steps=settings.rollout,
        # a small batch of worlds may hold less than a minibatch
        batch_size=min(settings.minibatch, settings.rollout * worlds.num_envs),
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


def _off_policy(config: TrainConfig, settings: OffPolicySettings, worlds: SB3VecEnv, to_train: bool) -> Shown:
    common: dict[str, Any] = {
        "policy": "MultiInputPolicy",
        # rewards of 0 and -1 need no scaling
        "env": VecNormalize(worlds, gamma=settings.gamma, norm_reward=False),
        "learning_rate": settings.learning_rate,
        "buffer_size": settings.buffer if to_train else worlds.num_envs,
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
    model: Shown
    if config.algorithm == "sac":
        model = ShownSAC(**common)
    else:
        size = len(worlds.env.action_names)
        model = ShownTD3(**common, action_noise=NormalActionNoise(np.zeros(size), np.full(size, 0.2)))
    model.shown_episodes = settings.demonstrations
    return model
