"""What happens to an episode from outside, at a moment that is tied to an event."""

from __future__ import annotations

import numpy as np

from envs.object_task import holds
from envs.scene import TICK
from envs.vector import DuetVectorEnv

_LIFTED = 0.05  # (m) over where it lay, an object counts as being carried
_AFTER = 0.3  # (s) of carrying, the knock comes
_SPEED = 0.4  # (m/s) sideways, that the knock gives to the object


class Knock:
    """Knocks an object out of the gripper, once in every episode: the fingers are struck open and the object aside.

    It comes 0.3 s after an object has been lifted by 5 cm, in a direction that follows from the layout seed.
    """

    def begin(self, env: DuetVectorEnv) -> None:
        """Episodes have begun in all worlds.

        Raises:
            ValueError: there is nothing to knock away.
        """
        if not env.scene.objects:
            raise ValueError(f"{env.task_name} has no object that could be knocked away")
        n = env.num_envs
        self.happened = np.zeros(n, dtype=bool)
        self._carried = np.zeros(n, dtype=int)
        world = env.world()
        self._rest = np.stack([world.object_position(k)[:, 2].copy() for k in range(len(env.scene.objects))], axis=1)
        angles = [np.random.default_rng((seed, 1)).uniform(-np.pi, np.pi) for seed in env.layout_seeds]
        self._push = _SPEED * np.stack((np.cos(angles), np.sin(angles)), axis=-1)

    def apply(self, env: DuetVectorEnv) -> None:
        """Strike where it is time; called between two ticks."""
        world = env.world()
        pairs = [(arm, thing) for arm in range(len(env.scene.arms)) for thing in range(len(env.scene.objects))]
        carried = np.stack(
            [
                holds(world, arm, thing) & (world.object_position(thing)[:, 2] > self._rest[:, thing] + _LIFTED)
                for arm, thing in pairs
            ],
            axis=1,
        )
        self._carried = (self._carried + 1) * carried.any(axis=1)
        due = ~self.happened & (self._carried * TICK >= _AFTER)
        self.happened |= due
        for i in np.flatnonzero(due):
            for arm, thing in (pair for pair, held in zip(pairs, carried[i], strict=True) if held):
                self._strike(env, int(i), arm, thing)

    def _strike(self, env: DuetVectorEnv, i: int, arm: int, thing: int) -> None:
        arrays, hand = env.physics.arrays, env.scene.arms[arm]
        arrays["qpos"][i, hand.fingers] = hand.robot.max_opening / 2
        arrays["qvel"][i, hand.fingers] = 0.0
        arrays["ctrl"][i, hand.gripper] = hand.robot.max_opening
        start = env.scene.objects[thing].velocity.start
        arrays["qvel"][i, start : start + 2] = self._push[i]
