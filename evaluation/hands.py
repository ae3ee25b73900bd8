"""What the fingers of all hands do to all objects, in one array."""

from __future__ import annotations

import numpy as np

from envs.geometry import norm
from envs.task import GRIP_FORCE
from envs.vector import DuetVectorEnv


class Hands:
    """The hands of an environment. N worlds, A arms, K objects; always as the worlds are now, and never through a lens.

    Attributes:
        rest: (N, K) m: height of the objects' middles when this was made.
    """

    def __init__(self, env: DuetVectorEnv) -> None:
        self._arrays = env.physics.arrays
        forces = [[[range(f.start, f.stop) for f in pair] for pair in arm.finger_forces] for arm in env.scene.arms]
        self._columns = np.array(forces, dtype=int).reshape(len(env.scene.arms), len(env.scene.objects), 2, 3)
        self._bodies = [thing.body for thing in env.scene.objects]
        self.rest = self.height()

    def forces(self) -> np.ndarray:
        """(N, A, K, 2) N: of the two fingers on each object."""
        return norm(self._arrays["sensordata"][:, self._columns])

    def holds(self) -> np.ndarray:
        """(N, A, K) bool: both fingers press on the object."""
        return self.holding(self.forces())

    @staticmethod
    def holding(forces: np.ndarray) -> np.ndarray:
        """(N, A, K) bool: the same, from the forces."""
        return forces.min(axis=-1) > GRIP_FORCE

    def height(self) -> np.ndarray:
        """(N, K) m: of the objects' middles over the table."""
        return self._arrays["xpos"][:, self._bodies, 2].copy()
