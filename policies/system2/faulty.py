"""A System 2 that is late, irregular, silent for a while or wrong. System 1 is as it was."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from envs.object_task import holds
from envs.scene import TICK
from envs.vector import DuetVectorEnv
from envs.world import World
from policies.system2.placebo import other_layout

_MOST = 60.0  # (s)
_SALT = 0x5F4A  # keeps these draws apart from others of the same layout seed


@dataclass(frozen=True)
class System2Faults:
    """What is wrong with System 2. What happens when follows from the layout seed and the number of the call alone.

    Raises:
        ValueError: a fault that cannot be.
    """

    latency: float = 0.0
    """(s) that every answer is late. The first plan of an episode is there at once, whatever the latency."""
    jitter: float = 0.0
    """(s) each answer is late by up to so much more, evenly distributed. An answer that a newer one has overtaken is
    thrown away."""
    stall: float = 0.0
    """(s) from when an object is first held, System 2 is asked nothing and answers nothing."""
    wrong: float = 0.0
    """Probability that a plan is made for another layout's goals."""

    def __post_init__(self) -> None:
        for name in ("latency", "jitter", "stall"):
            if not 0 <= getattr(self, name) <= _MOST:
                raise ValueError(f"{name} must be from 0 to {_MOST:g} s, not {getattr(self, name):g}")
        if not 0 <= self.wrong <= 1:
            raise ValueError(f"the probability of a wrong plan must be from 0 to 1, not {self.wrong:g}")

    def __bool__(self) -> bool:
        return self != System2Faults()


class Faulty:
    """Brings faults into the answers that the worlds of an environment get."""

    def __init__(self, faults: System2Faults, env: DuetVectorEnv) -> None:
        self._faults, self._env = faults, env
        self._latency, self._stall = round(faults.latency / TICK), math.ceil(faults.stall / TICK)
        self._goals = np.zeros((env.num_envs, env.task.goal_size))
        self._places = np.zeros((env.num_envs, len(env.scene.objects), 2))
        below = env.task.targets(env.world()).below if faults.wrong else ()
        self._supports = sorted({thing for thing in below if thing is not None})

    def begin(self, worlds: np.ndarray, layout_seeds: np.ndarray) -> None:
        """Episodes begin in some worlds (indices)."""
        if self._faults.wrong:
            other = self._env.layout([other_layout(seed) for seed in layout_seeds.tolist()])
            self._goals[worlds], self._places[worlds] = other.goal, other.poses[..., :2]

    def answering(self, world: World, tick: np.ndarray, stalled: np.ndarray) -> np.ndarray:
        """(N,) bool: which worlds System 2 is there for now.

        Args:
            world: what the worlds are like.
            tick: (N,) of their episodes.
            stalled: (N,) tick at which the stall is over, 0 before it begins; brought up to date. Whoever plays with
                the worlds may begin one too.
        """
        scene = self._env.scene
        if not self._stall or not scene.objects:
            return tick >= stalled
        held = np.stack([holds(world, a, k) for a in range(len(scene.arms)) for k in range(len(scene.objects))])
        begins = held.any(axis=0) & (stalled == 0)
        stalled[begins] = tick[begins] + self._stall
        return tick >= stalled

    def draw(self, worlds: np.ndarray, calls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ticks that the answers to these calls (their numbers, one for each world) take, and which will be wrong."""
        faults = self._faults
        if not (faults.jitter or faults.wrong):
            return np.full(len(worlds), self._latency), np.zeros(len(worlds), dtype=bool)
        seeds = self._env.layout_seeds[worlds].tolist()
        chances = np.stack(
            [np.random.default_rng((s, _SALT, c)).random(2) for s, c in zip(seeds, calls.tolist(), strict=True)]
        )
        later = np.round(chances[:, 0] * faults.jitter / TICK).astype(np.int64)
        return self._latency + later, chances[:, 1] < faults.wrong

    def mistaken(self, world: World, worlds: np.ndarray, wrong: np.ndarray) -> World:
        """`world`, which measures `worlds` alone, as the planner takes it: the wrong ones with another layout's goals.

        Where the goal is another object, that object is taken to be where it lies in the other layout.
        """
        if not wrong.any():
            return world
        goal, places = world.goal.copy(), world.arrays["xpos"].copy()
        goal[wrong] = self._goals[worlds[wrong]]
        for thing in self._supports:
            places[wrong, self._env.scene.objects[thing].body, :2] = self._places[worlds[wrong], thing]
        return World(world.scene, {**world.arrays, "goal": goal, "xpos": places})
