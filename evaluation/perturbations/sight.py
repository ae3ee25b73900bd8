"""What happens to sight: everybody sees the same noise, and success keeps to the truth."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from envs.pictures import PIXEL_CAMERAS
from envs.scene import TICK
from envs.vector import DuetVectorEnv
from envs.world import World
from evaluation.perturbations.base import FromTheStart

_POSITION = 0.005  # (m) standard deviation along each axis
_HEADING = 0.05  # (rad) standard deviation about the vertical
_MEMORY = 0.4  # (s)
_LIGHT = 20.0  # of 255: standard deviation of every colour of every pixel


class PoseNoise(FromTheStart):
    """All see the objects with the same errors of 5 mm along each axis and 0.05 rad about the vertical.

    These are standard deviations, of normally distributed errors that change slowly, as those of a tracker do: within
    0.4 s their correlation falls to a third. Velocities, sizes and the forces on fingers are seen as they are.
    """

    salt = 9

    def prepare(self, env: DuetVectorEnv) -> None:
        size = (env.max_ticks + 1, len(env.scene.objects), 4)
        noise = np.stack([random.standard_normal(size, np.float32) for random in self.draws(env)])
        kept = np.exp(-TICK / _MEMORY)
        for tick in range(1, env.max_ticks + 1):
            noise[:, tick] = kept * noise[:, tick - 1] + np.sqrt(1 - kept**2) * noise[:, tick]
        env.lens = _Blur(env, noise * np.array((_POSITION, _POSITION, _POSITION, _HEADING), dtype=np.float32))


class _Blur:
    """A lens that moves and turns what is seen of objects."""

    def __init__(self, env: DuetVectorEnv, noise: np.ndarray) -> None:
        """`noise` is (N, ticks, K, 4): x, y, z (m) and heading (rad)."""
        self._env, self._noise = env, noise
        self._bodies = [thing.body for thing in env.scene.objects]

    def world(self, world: World) -> World:
        noise = self._noise[np.arange(self._env.num_envs), self._env.ticks].astype(np.float64)
        places, axes = world.arrays["xpos"].copy(), world.arrays["xmat"].copy()
        places[:, self._bodies] += noise[..., :3]
        cos, sin = (f(noise[..., 3:]) for f in (np.cos, np.sin))
        x, y = axes[:, self._bodies, 0:3], axes[:, self._bodies, 3:6]
        axes[:, self._bodies, 0:6] = np.concatenate((cos * x - sin * y, sin * x + cos * y), axis=-1)
        return World(world.scene, {**world.arrays, "xpos": places, "xmat": axes})

    def observation(self, observation: Any, worlds: Iterable[int]) -> Any:
        return observation


class CameraNoise(FromTheStart):
    """All see pictures with noise on every pixel, drawn anew at every tick: 20 of 255, as a standard deviation."""

    needs_object = False
    observation = "pixels"
    salt = 10

    def prepare(self, env: DuetVectorEnv) -> None:
        if env.observation_mode != "pixels":
            raise ValueError(f"noise on pictures needs pixels; these worlds show their {env.observation_mode}")
        env.lens = _Grain(env, self.salt)


class _Grain:
    """A lens that roughens pictures."""

    def __init__(self, env: DuetVectorEnv, salt: int) -> None:
        self._env, self._salt = env, salt

    def world(self, world: World) -> World:
        return world

    def observation(self, observation: Any, worlds: Iterable[int]) -> Any:
        rough = dict(observation)
        seeds, ticks = self._env.layout_seeds, self._env.ticks
        for row, world in enumerate(worlds):
            random = np.random.default_rng((int(seeds[world]), self._salt, int(ticks[world])))
            for camera in PIXEL_CAMERAS:
                picture = rough[camera][row]
                noisy = picture + _LIGHT * random.standard_normal(picture.shape)
                rough[camera][row] = np.clip(np.round(noisy), 0, 255).astype(np.uint8)
        return rough
