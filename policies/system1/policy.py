"""A learned System 1 that acts: weights and observation statistics, without what learning needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm

from policies.system1 import checkpoint
from policies.system1.algorithms import build, normalizer
from policies.system1.config import TrainConfig
from policies.system1.worlds import make_worlds

_ROWS = 16  # a matrix product takes what is left over of so many rows another way, with other last bits


class LearnedPolicy:
    """Observations of any number of worlds to actions in [-1, 1]."""

    def __init__(self, model: BaseAlgorithm, steps: int, seconds: float) -> None:
        self._model, self._steps = model, steps
        self.seconds = seconds
        """Wall time of the learning."""
        self._normalizer = normalizer(model)

    @classmethod
    def load(cls, config: TrainConfig, path: Path) -> LearnedPolicy:
        """The policy that a checkpoint holds.

        Raises:
            CheckpointError: the file is not whole, not ours, or of another configuration.
        """
        state = checkpoint.read(path)
        # as in training: the layers are too small to share out, and threads that wait for each other cost a lot
        torch.set_num_threads(1)
        # small enough for any CPU, wherever it was trained
        model = build(replace(config, device="cpu"), make_worlds(config, 1, 1), to_train=False)
        checkpoint.load_policy_state(model, state, path)
        return cls(model, int(state["steps"]), float(state.get("seconds", 0.0)))

    @property
    def observation_space(self) -> spaces.Space:
        """What it observes."""
        return self._model.observation_space

    @property
    def steps(self) -> int:
        """Environment steps that it has learned from."""
        return self._steps

    @property
    def actor_steps(self) -> int:
        """Steps of actors: as many as environment steps, or where each arm is one, more."""
        return self._model.num_timesteps

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[np.ndarray, Any]:
        """Actions and the state handed in, as Stable-Baselines3's `predict` gives them."""
        return self._model.predict(self._normalizer.normalize_obs(observation), state, episode_start, deterministic)

    def act(self, observation: Any) -> np.ndarray:
        """(n, A) actions without exploration; those of a world do not depend on how many are asked for."""
        return self.predict(_filled(observation))[0][: _count(observation)]


def _count(observation: Any) -> int:
    return len(next(iter(observation.values())) if isinstance(observation, dict) else observation)


def _filled(observation: Any) -> Any:
    """The same with rows of zeros behind, to a multiple of `_ROWS`."""
    if isinstance(observation, dict):
        return {name: _filled(values) for name, values in observation.items()}
    rest = -len(observation) % _ROWS
    return np.concatenate((observation, np.zeros((rest, *observation.shape[1:]), observation.dtype)))
