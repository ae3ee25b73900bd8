"""Episodes on named layouts, all at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from envs.scene import TICK
from envs.vector import DuetVectorEnv
from evaluation.statistics import wilson_interval

Act = Callable[[Any], np.ndarray]  # observations of all worlds -> actions


@dataclass(frozen=True)
class Episodes:
    """What happened in n episodes, one on each layout."""

    layout_seeds: np.ndarray
    """(n,)"""
    success: np.ndarray
    """(n,) bool."""
    stage: np.ndarray
    """(n,) stages done at the best moment."""
    ticks: np.ndarray
    """(n,) length."""
    diverged: np.ndarray
    """(n,) bool: physics broke down."""
    stages: tuple[str, ...]
    """Names of the task's stages."""

    def joined(self, others: list[Episodes]) -> Episodes:
        """These episodes and then the others."""
        parts = [self, *others]
        arrays = (f.name for f in fields(self) if f.name != "stages")
        return Episodes(
            **{name: np.concatenate([getattr(p, name) for p in parts]) for name in arrays}, stages=self.stages
        )

    def summary(self) -> dict[str, Any]:
        """Success with its Wilson 95 % interval, the stage funnel, and the mean time of the successes."""
        episodes, successes = len(self.success), int(self.success.sum())
        low, high = wilson_interval(successes, episodes)
        seconds = self.ticks[self.success] * TICK
        return {
            "episodes": episodes,
            "successes": successes,
            "success_rate": successes / episodes,
            "wilson_low": low,
            "wilson_high": high,
            "stage_counts": {name: int((self.stage > k).sum()) for k, name in enumerate(self.stages)},
            "mean_seconds_to_success": float(seconds.mean()) if successes else None,
            "diverged": int(self.diverged.sum()),
        }


def roll_out(env: DuetVectorEnv, act: Act, layout_seeds: np.ndarray) -> Episodes:
    """One episode on each layout; `env` has one world for each and does not reset by itself."""
    observation, _ = env.reset(options={"layout_seeds": layout_seeds})
    n = env.num_envs
    going = np.ones(n, dtype=bool)
    success, diverged = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    stage, ticks = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    while going.any():
        observation, _, terminated, truncated, infos = env.step(act(observation))
        success |= going & terminated
        diverged |= going & infos["diverged"]
        stage = np.where(going, infos["best_stage"], stage)
        ticks += going
        going &= ~(terminated | truncated)
    return Episodes(np.asarray(layout_seeds), success, stage, ticks, diverged, env.task.stages)
