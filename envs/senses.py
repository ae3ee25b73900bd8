"""What a policy observes of a batch of worlds, in one of three modes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from gymnasium import spaces

from envs.lens import Lens
from envs.observation import Observer, arm_parts, object_parts
from envs.pictures import PIXEL_CAMERAS, PIXEL_SIZE, Pictures
from envs.scene import Scene
from envs.task import Task
from envs.world import World

_GOAL_BOUND = 2.0  # (m) goals in observations are clipped to this: what fell off the table falls on


class Senses:
    """Observations of one mode (`state`, `goal` or `pixels`, see `DuetVectorEnv`).

    Attributes:
        parts: the declared parts of the vector in it.
        space: of one world's observation.
    """

    def __init__(self, mode: str, control: str, scene: Scene, task: Task, pictures: Pictures, goal_size: int) -> None:
        """`goal_size` is the width of the task's achieved and desired goals."""
        self._mode, self._task, self._pictures = mode, task, pictures
        arms, things = range(len(scene.arms)), range(len(scene.objects))
        own = [part for arm in arms for part in arm_parts(arm, scene, control)]
        seen = [part for arm in arms for thing in things for part in object_parts(arm, thing, scene)]
        asked = list(task.parts())
        if mode == "goal":
            self.parts = tuple(part for part in own + seen + asked if not part.goal)
        elif mode == "pixels":
            self.parts = tuple(own + [part for part in asked if part.goal])
        else:
            self.parts = tuple(own + seen + asked)
        self._observer = Observer(self.parts)
        self.space: spaces.Space = self._observer.space()
        if mode == "goal":
            goal = spaces.Box(-_GOAL_BOUND, _GOAL_BOUND, (goal_size,), np.float32)
            self.space = spaces.Dict({"observation": self.space, "achieved_goal": goal, "desired_goal": goal})
        elif mode == "pixels":
            image = spaces.Box(0, 255, (PIXEL_SIZE, PIXEL_SIZE, 3), np.uint8)
            self.space = spaces.Dict({**dict.fromkeys(PIXEL_CAMERAS, image), "proprioception": self.space})

    def read(self, world: World, worlds: Iterable[int], lens: Lens | None = None) -> Any:
        """Observations, new arrays, of `worlds`, which are all that `world` measures, as the lens shows them."""
        observation = self._read(world, worlds)
        return observation if lens is None else lens.observation(observation, worlds)

    def _read(self, world: World, worlds: Iterable[int]) -> Any:
        vector = self._observer.read(world)
        if self._mode == "goal":
            return {
                "observation": vector,
                "achieved_goal": _bounded(self._task.achieved_goal(world)),
                "desired_goal": _bounded(self._task.desired_goal(world)),
            }
        if self._mode == "pixels":
            return {**self._pictures.pixels(worlds), "proprioception": vector}
        return vector


def _bounded(goals: np.ndarray) -> np.ndarray:
    return np.clip(goals, -_GOAL_BOUND, _GOAL_BOUND).astype(np.float32)


def row(observation: Any, world: int) -> Any:
    """One world's observation, as a copy."""
    if isinstance(observation, dict):
        return {name: values[world].copy() for name, values in observation.items()}
    return observation[world].copy()


def overwrite(observation: Any, worlds: np.ndarray, fresh: Any) -> None:
    """Put the observations of some worlds in place of theirs."""
    if isinstance(observation, dict):
        for name, values in observation.items():
            values[worlds] = fresh[name]
    else:
        observation[worlds] = fresh
