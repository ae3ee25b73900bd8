"""What all perturbations share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from envs.vector import DuetVectorEnv
from evaluation.rows import Rows

AFTER = 8  # (ticks) 0.3 s, rounded up, from the event to what is tied to it


class Perturbation(Rows, ABC):
    """Something that happens in each episode once. The direction, and all else at random, follows from the layout seed.

    Attributes:
        happened: (N,) bool.
        at: (N,) tick of the episode at which it happened, or began; -1 where it has not.
    """

    needs_object: ClassVar[bool] = True
    needs_goal: ClassVar[bool] = False
    """A goal of its own, which is not another object."""
    observation: ClassVar[str | None] = None
    """The observation mode that it needs, if any."""
    world_changes: ClassVar[dict[str, Any]] = {}
    """Arguments that the environment must be made with."""
    salt: ClassVar[int]
    """Keeps its draws apart from those of other perturbations."""

    happened: np.ndarray
    at: np.ndarray

    def begin(self, env: DuetVectorEnv) -> None:
        """Episodes have begun in all worlds.

        Raises:
            ValueError: the environment is not made for it.
        """
        self.happened = np.zeros(env.num_envs, dtype=bool)
        self.at = np.full(env.num_envs, -1)
        self.prepare(env)

    @abstractmethod
    def prepare(self, env: DuetVectorEnv) -> None:
        """Episodes have begun: get ready, or do what happens at the start."""

    @abstractmethod
    def apply(self, env: DuetVectorEnv) -> None:
        """Called between two ticks, after the agent has acted and before the worlds move on."""

    def draws(self, env: DuetVectorEnv) -> list[np.random.Generator]:
        """Random numbers for each world."""
        return [np.random.default_rng((seed, self.salt)) for seed in env.layout_seeds.tolist()]

    def occur(self, env: DuetVectorEnv, now: Any) -> list[int]:
        """Note that it happens now in these worlds ((N,) bool), but for those where it has. Returns the others."""
        new = now & ~self.happened
        self.happened |= new
        self.at[new] = env.ticks[new]
        return np.flatnonzero(new).tolist()


class FromTheStart(Perturbation):
    """A perturbation that is there when the episode begins."""

    def begin(self, env: DuetVectorEnv) -> None:
        super().begin(env)
        self.occur(env, ~self.happened)

    def apply(self, env: DuetVectorEnv) -> None:
        pass
