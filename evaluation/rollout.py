"""Episodes on named layouts, all at once."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from envs.scene import TICK
from envs.vector import DuetVectorEnv
from evaluation.perturbations import Knock
from evaluation.statistics import wilson_interval
from policies.agents import Agent

_STUCK = round(1.0 / TICK)  # (ticks) an episode ends when the planner has found no plan for so long


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
    no_plan: np.ndarray
    """(n,) bool: it was ended since the planner found no plan."""
    knocked: np.ndarray
    """(n,) bool: an object was knocked out of the gripper."""
    calls: np.ndarray
    """(n,) of System 2."""
    replans: np.ndarray
    """(n,) times that another plan came into force."""
    faults: np.ndarray
    """(n,) times that the planner raised, answered nonsense or took too long."""
    command_age: np.ndarray
    """(n,) s since the observation behind the commands in force, on average over the episode."""
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

    def planning(self) -> dict[str, Any]:
        """What System 2 did, on average over the episodes; its faults and missing plans in all."""
        return {
            "no_plan": int(self.no_plan.sum()),
            "planner_calls": float(self.calls.mean()),
            "replans": float(self.replans.mean()),
            "planner_faults": int(self.faults.sum()),
            "command_age": float(self.command_age.mean()),
        }

    def recovery(self) -> dict[str, Any]:
        """How many episodes succeeded of those in which an object was knocked away."""
        knocked, recovered = int(self.knocked.sum()), int((self.knocked & self.success).sum())
        low, high = wilson_interval(recovered, knocked) if knocked else (0.0, 1.0)
        rate = recovered / knocked if knocked else None
        return {"knocked": knocked, "recovery_rate": rate, "recovery_low": low, "recovery_high": high}


def roll_out(env: DuetVectorEnv, agent: Agent, layout_seeds: np.ndarray, knock: Knock | None = None) -> Episodes:
    """One episode on each layout; `env` has one world for each and does not reset by itself."""
    observation, _ = env.reset(options={"layout_seeds": layout_seeds})
    agent.begin(env)
    if knock is not None:
        knock.begin(env)
    n = env.num_envs
    going = np.ones(n, dtype=bool)
    success, diverged, no_plan = (np.zeros(n, dtype=bool) for _ in range(3))
    stage, ticks, stuck, calls, replans, faults = (np.zeros(n, dtype=np.int64) for _ in range(6))
    age = np.zeros(n)
    while going.any():
        actions = agent.act(observation)
        if knock is not None:
            knock.apply(env)
        observation, _, terminated, truncated, infos = env.step(actions)
        success |= going & terminated
        diverged |= going & infos["diverged"]
        stage = np.where(going, infos["best_stage"], stage)
        ticks += going
        if agent.runtime is not None:
            stuck = (stuck + 1) * np.array([bool(why) for why in agent.runtime.no_plan])
            no_plan |= going & (stuck >= _STUCK) & ~terminated
            age += going * agent.runtime.command_age.mean(axis=1)
            counts = agent.runtime.counts
            calls, replans, faults = (
                np.where(going, counts[name], kept)
                for name, kept in (("calls", calls), ("replans", replans), ("faults", faults))
            )
        going &= ~(terminated | truncated | no_plan)
    knocked = np.zeros(n, dtype=bool) if knock is None else knock.happened
    return Episodes(
        np.asarray(layout_seeds), success, stage, ticks, diverged, no_plan, knocked, calls, replans, faults,
        age / ticks, stages=env.task.stages,
    )  # fmt: skip
