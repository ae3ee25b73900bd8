"""Episodes on named layouts, all at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from envs.scene import TICK
from envs.vector import DuetVectorEnv
from evaluation.metrics import Tally
from evaluation.perturbations import Perturbation
from evaluation.rows import Rows
from evaluation.statistics import wilson_interval
from policies.agents import Agent

_LARGEST_BATCH = 512  # worlds at once
_STUCK = round(1.0 / TICK)  # (ticks) an episode ends when the planner has found no plan for so long


@dataclass(frozen=True)
class Episodes:
    """What happened in n episodes, one on each layout. For what is counted tick by tick see `evaluation.metrics`."""

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
    disturbed: np.ndarray
    """(n,) bool: something happened to it from outside."""
    recovery_seconds: np.ndarray
    """(n,) s from what happened from outside to success; nan without either."""
    drops: np.ndarray
    """(n,) times that an object was dropped."""
    peak_force: np.ndarray
    """(n,) N: largest of a finger on an object."""
    contact_impulse: np.ndarray
    """(n,) N s: all fingers on objects, over time."""
    jerk: np.ndarray
    """(n,) m/s^3 of the tools: root mean square."""
    energy: np.ndarray
    """(n,) J: work of the arms."""
    calls: np.ndarray
    """(n,) of System 2."""
    replans: np.ndarray
    """(n,) times that another plan came into force."""
    faults: np.ndarray
    """(n,) times that the planner raised, answered nonsense or took too long."""
    wrong_plans: np.ndarray
    """(n,) plans that a fault of System 2 made for another layout's goals."""
    expired: np.ndarray
    """(n,) times that commands outlived their time."""
    command_age: np.ndarray
    """(n,) s since the observation behind the commands in force, on average over the episode."""
    command_age_p50: np.ndarray
    """(n,) s: the median over ticks and arms."""
    command_age_p99: np.ndarray
    """(n,) s: the 99th percentile."""
    stages: tuple[str, ...]
    """Names of the task's stages."""

    def columns(self) -> dict[str, np.ndarray]:
        """All that is one number an episode, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "stages"}

    @classmethod
    def from_columns(cls, columns: Mapping[str, np.ndarray], stages: tuple[str, ...]) -> Episodes:
        """The episodes that these are the `columns` of.

        Raises:
            ValueError: a column is missing, or unknown; the message names it.
        """
        names = {f.name for f in fields(cls)} - {"stages"}
        if names != set(columns):
            raise ValueError(f"columns of episodes that are missing or unknown: {', '.join(names ^ set(columns))}")
        return cls(**columns, stages=stages)

    def joined(self, others: list[Episodes]) -> Episodes:
        """These episodes and then the others."""
        parts = [part.columns() for part in (self, *others)]
        return Episodes.from_columns({name: np.concatenate([p[name] for p in parts]) for name in parts[0]}, self.stages)

    def only(self, chosen: np.ndarray) -> Episodes:
        """Some of the episodes, by their numbers or as a mask."""
        return Episodes.from_columns({name: values[chosen] for name, values in self.columns().items()}, self.stages)

    def summary(self) -> dict[str, Any]:
        """Success with its Wilson 95 % interval, the stage funnel, and the mean time of the successes.

        Raises:
            ValueError: there is no episode.
        """
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

    def recovery(self, name: str = "disturbed") -> dict[str, Any]:
        """How many episodes succeeded of those that were disturbed, whose number is given under `name`."""
        disturbed, recovered = int(self.disturbed.sum()), int((self.disturbed & self.success).sum())
        low, high = wilson_interval(recovered, disturbed) if disturbed else (0.0, 1.0)
        rate = recovered / disturbed if disturbed else None
        return {name: disturbed, "recovery_rate": rate, "recovery_low": low, "recovery_high": high}


def batches(layout_seeds: np.ndarray) -> list[np.ndarray]:
    """The layout seeds in parts, each of as many worlds as are rolled out at once at most."""
    return np.array_split(layout_seeds, -(-len(layout_seeds) // _LARGEST_BATCH))


def roll_out(
    env: DuetVectorEnv, agent: Agent, layout_seeds: np.ndarray, perturbation: Perturbation | None = None
) -> Episodes:
    """One episode on each layout; `env` has one world for each and does not reset by itself."""
    rollout = Rollout(env, layout_seeds, perturbation)
    rollout.give_to(agent)
    while rollout.going.any():
        rollout.tick()
    return rollout.episodes()


class Rollout(Rows):
    """Episodes under way, one in each world of an environment that does not reset by itself.

    Attributes:
        going: (N,) bool: not over yet.
    """

    def __init__(self, env: DuetVectorEnv, layout_seeds: np.ndarray, perturbation: Perturbation | None = None) -> None:
        """Begin an episode on each layout."""
        env.reset(options={"layout_seeds": layout_seeds})
        n = env.num_envs
        self._env, self._agent, self.perturbation = env, None, perturbation
        if perturbation is not None:
            perturbation.begin(env)
        self.going = np.ones(n, dtype=bool)
        self.success, self.diverged, self.no_plan = (np.zeros(n, dtype=bool) for _ in range(3))
        self.stage, self.stuck, self.calls, self.replans, self.faults, self.wrong, self.expired = (
            np.zeros(n, dtype=np.int64) for _ in range(7)
        )
        self.tally = Tally(env)

    _agent: Agent | None

    def give_to(self, agent: Agent) -> None:
        """Let an agent act from here on. What System 2 does is counted anew."""
        self._agent = agent
        for counted in (self.stuck, self.calls, self.replans, self.faults, self.wrong, self.expired):
            counted[:] = 0
        self.tally.ages[:] = np.nan
        agent.begin(self._env)
        self._observation = self._env.observe()

    def tick(self) -> None:
        """Let the agent act and the worlds move on."""
        env, agent = self._env, self._agent
        assert agent is not None, "give_to comes first"
        actions = agent.act(self._observation)
        if self.perturbation is not None:
            self.perturbation.apply(env)
        self._observation, _, terminated, truncated, infos = env.step(actions)
        going, runtime = self.going, agent.runtime
        self.success |= going & terminated
        self.diverged |= going & infos["diverged"]
        self.stage = np.where(going, infos["best_stage"], self.stage)
        self.tally.count(going, None if runtime is None else runtime.command_age)
        if runtime is not None:
            self.stuck = (self.stuck + 1) * np.array([bool(why) for why in runtime.no_plan])
            self.no_plan |= going & (self.stuck >= _STUCK) & ~terminated
            for name in ("calls", "replans", "faults", "wrong", "expired"):
                setattr(self, name, np.where(going, runtime.counts[name], getattr(self, name)))
        self.going = going & ~(terminated | truncated | self.no_plan)

    def episodes(self) -> Episodes:
        """What has happened so far."""
        tally, n = self.tally, self._env.num_envs
        disturbed, at = np.zeros(n, dtype=bool), np.zeros(n)
        if self.perturbation is not None:
            disturbed, at = self.perturbation.happened, self.perturbation.at
        age, median, oldest = tally.command_age()
        return Episodes(
            layout_seeds=self._env.layout_seeds,
            success=self.success,
            stage=self.stage,
            ticks=tally.ticks,
            diverged=self.diverged,
            no_plan=self.no_plan,
            disturbed=disturbed,
            recovery_seconds=np.where(disturbed & self.success, (tally.ticks - at) * TICK, np.nan),
            drops=tally.drops,
            peak_force=tally.peak_force,
            contact_impulse=tally.contact_impulse,
            jerk=tally.jerk(),
            energy=tally.energy,
            calls=self.calls,
            replans=self.replans,
            faults=self.faults,
            wrong_plans=self.wrong,
            expired=self.expired,
            command_age=age,
            command_age_p50=median,
            command_age_p99=oldest,
            stages=self._env.task.stages,
        )
