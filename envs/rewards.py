"""The reward of one tick, from a task's progress or from goals."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.progress import Progress
from envs.task import Task


class Rewards:
    """Rewards of one mode, `dense` or `sparse`, for one observation mode; `DuetVectorEnv` says what they mean."""

    def __init__(self, mode: str, observation: str, task: Task) -> None:
        self._sparse, self._of_goals, self._task = mode == "sparse", observation == "goal", task

    def at(self, progress: Progress, success: np.ndarray, observation: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """(N,) rewards, and the terms that add up to them, by the names that they have in infos."""
        if self._of_goals:
            reward = self.of_goals(observation["achieved_goal"], observation["desired_goal"])
            terms = {"sparse" if self._sparse else "distance": reward.copy()}
        elif self._sparse:
            reward = success - 1.0
            terms = {"sparse": reward.copy()}
        else:
            share = 1.0 / len(self._task.stages)
            terms = {name: share * term for name, term in progress.terms.items()}
            terms["time"] = np.full(len(success), -1.0)
            reward = sum(terms.values(), start=np.zeros(len(success)))
        return reward, {f"reward/{name}": term for name, term in terms.items()}

    def of_goals(self, achieved: np.ndarray, desired: np.ndarray) -> np.ndarray:
        """(...) rewards of (..., G) goals."""
        if self._sparse:
            return np.where(self._task.goal_reached(achieved, desired), 0.0, -1.0)
        return -np.asarray(self._task.goal_distance(achieved, desired), dtype=np.float64)
