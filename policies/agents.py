"""Who acts in the worlds of an environment: one policy, two systems, or an expert, behind one interface."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from envs.vector import DuetVectorEnv
from policies.dual import RATE, TIME_TO_LIVE, DualRuntime
from policies.expert import Expert
from policies.scripted import scripted_actions
from policies.system1.commanded import observe
from policies.system2.faulty import System2Faults
from policies.system2.plan import Planner

Act = Callable[[Any], np.ndarray]  # observations of n worlds, or of all their arms -> actions


class Agent(Protocol):
    """Acts in all worlds of an environment."""

    runtime: DualRuntime | None
    """What joins two systems; None where there is one."""

    def begin(self, env: DuetVectorEnv) -> None:
        """Episodes have begun in all worlds."""

    def act(self, observation: Any) -> np.ndarray:
        """(num_envs, A) actions; called once a tick, with what `env` observes."""


class SingleAgent:
    """One policy: observations of the worlds -> actions of all arms."""

    runtime: DualRuntime | None = None

    def __init__(self, act: Act) -> None:
        self._act = act

    def begin(self, env: DuetVectorEnv) -> None:
        pass

    def act(self, observation: Any) -> np.ndarray:
        return self._act(observation)


class ExpertAgent:
    """The expert of the task."""

    runtime: DualRuntime | None = None

    def begin(self, env: DuetVectorEnv) -> None:
        self._expert = Expert(env)

    def act(self, observation: Any) -> np.ndarray:
        return self._expert.act()


class DualAgent:
    """System 1 for every arm, under System 2. Without an `act`, System 1 is the scripted one."""

    runtime: DualRuntime | None = None

    def __init__(
        self,
        planner: Planner,
        act: Act | None = None,
        rate: float = RATE,
        latency: tuple[int, int] = (0, 0),
        time_to_live: float = TIME_TO_LIVE,
        faults: System2Faults | None = None,
        true_poses: bool = False,
    ) -> None:
        """For what comes after `act` see `DualRuntime`."""
        self._planner, self._act = planner, act
        self._options: dict[str, Any] = {
            "rate": rate, "latency": latency, "time_to_live": time_to_live, "faults": faults, "true_poses": true_poses
        }  # fmt: skip
        self._fresh = False

    def begin(self, env: DuetVectorEnv) -> None:
        self.runtime = DualRuntime(env, self._planner, **self._options)
        self.runtime.begin(np.arange(env.num_envs))
        self._fresh = True

    def act(self, observation: Any) -> np.ndarray:
        assert self.runtime is not None, "begin comes first"
        if not self._fresh:
            self.runtime.update()
        self._fresh = False
        actors = self.runtime.actors
        actions = scripted_actions(actors) if self._act is None else self._act(observe(actors))
        return actions.reshape(len(actors.yaw), -1)
