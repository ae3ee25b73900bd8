"""How episodes went, besides success: drops, forces, jerk, energy and age of commands, counted tick by tick."""

from __future__ import annotations

import numpy as np

from envs.scene import TICK
from envs.vector import DuetVectorEnv
from evaluation.hands import Hands
from evaluation.rows import Rows

_HIGH = 0.05  # (m) over where it lay, a held object is up
_FALLING = 0.25  # (m/s) downwards: a fortieth of a second of free fall
_POSITIONS = 4  # of a tool, for its third derivative


class Tally(Rows):
    """What is counted of N episodes, with A arms and K objects.

    Attributes:
        drops: (N,) times that an object which was held 5 cm up fell with no hand on it.
        peak_force: (N,) N: largest force of a finger on an object, at any tick.
        contact_impulse: (N,) N s: forces of all fingers on objects, summed over time.
        energy: (N,) J: work of the arms' servos, taken as positive in both directions. What bears the arms' own
            weight is not part of it.
    """

    def __init__(self, env: DuetVectorEnv) -> None:
        n, arms, objects = env.num_envs, env.scene.arms, len(env.scene.objects)
        model, self._hands = env.scene.model, Hands(env)
        self._env = env
        self._tools = [arm.tool for arm in arms]
        self._joints = np.concatenate([np.arange(arm.joints.start, arm.joints.stop) for arm in arms]).tolist()
        self._controls = np.concatenate([np.arange(arm.controls.start, arm.controls.stop) for arm in arms]).tolist()
        self._falls = [thing.velocity.start + 2 for thing in env.scene.objects]
        # a servo's force is gain * target + bias . (1, angle, speed)
        gain, bias = model.actuator_gainprm[self._controls, 0], model.actuator_biasprm[self._controls, :3]
        self._servos, self._limits = (gain, *bias.T), tuple(model.actuator_forcerange[self._controls].T)
        self.ticks, self.drops = (np.zeros(n, dtype=np.int64) for _ in range(2))
        self.peak_force, self.contact_impulse, self.energy = (np.zeros(n) for _ in range(3))
        self.up = np.zeros((n, objects), dtype=bool)
        self.jerks = np.zeros(n)
        self.positions = np.zeros((n, _POSITIONS, len(arms), 3))
        self.positions[:, 0] = env.physics.arrays["site_xpos"][:, self._tools]
        self.ages = np.full((n, env.max_ticks, len(arms)), np.nan)

    def count(self, going: np.ndarray, command_age: np.ndarray | None = None) -> None:
        """The worlds have moved by one tick; those `going` (N,) bool count. `command_age` is (N, A) s."""
        arrays = self._env.physics.arrays
        if self._falls:
            self._count_objects(arrays, going)
        speed = arrays["qvel"][:, self._joints]
        gain, offset, stiffness, damping = self._servos
        force = gain * arrays["ctrl"][:, self._controls] + offset + damping * speed
        force += stiffness * arrays["qpos"][:, self._joints]
        power = np.abs(np.minimum(np.maximum(force, self._limits[0]), self._limits[1]) * speed)
        self.energy += going * (TICK * power).sum(axis=1)
        self.positions = np.concatenate(
            (arrays["site_xpos"][:, None, self._tools], self.positions[:, : _POSITIONS - 1]), axis=1
        )
        a, b, c, d = np.moveaxis(self.positions, 1, 0)
        jerk = ((a - 3 * b + 3 * c - d) ** 2).sum(axis=-1).mean(axis=1) / TICK**6
        self.jerks += np.where(going & (self.ticks + 1 >= _POSITIONS - 1), jerk, 0.0)
        if command_age is not None:
            rows = np.flatnonzero(going)
            self.ages[rows, self.ticks[rows]] = command_age[rows]
        self.ticks += going

    def _count_objects(self, arrays: dict[str, np.ndarray], going: np.ndarray) -> None:
        forces = self._hands.forces()
        flat = forces.reshape(len(forces), -1)
        self.peak_force = np.where(going, np.maximum(self.peak_force, flat.max(axis=1)), self.peak_force)
        self.contact_impulse += going * (TICK * flat).sum(axis=1)
        held = self._hands.holding(forces).any(axis=1)
        high = self._hands.height() > self._hands.rest + _HIGH
        falls = arrays["qvel"][:, self._falls] < -_FALLING
        dropped = self.up & ~held & falls
        self.drops += going * dropped.sum(axis=1)
        # what was put down, however high, is not up any more
        still = np.abs(arrays["qvel"][:, self._falls]) < _FALLING / 10
        self.up = np.where(held, high, self.up & ~dropped & ~still)

    def jerk(self) -> np.ndarray:
        """(N,) m/s^3: root mean square of the third derivative of the tools' positions, over time and arms."""
        return np.sqrt(self.jerks / np.maximum(self.ticks - (_POSITIONS - 2), 1))

    def command_age(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(N,) s each: mean, median and 99th percentile over ticks and arms; 0 without commands."""
        found = np.zeros((3, len(self.ages)))
        for i, every in enumerate(self.ages):
            ages = every[~np.isnan(every)]
            if len(ages):
                found[:, i] = ages.mean(), *np.percentile(ages, (50, 99))
        return found[0], found[1], found[2]
