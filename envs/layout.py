"""Episode layouts: everything random about an episode, as a function of one integer."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from envs.geometry import Array

# Seeds below this are for evaluations, which name them. Training draws its own from above it.
EVALUATION_SEEDS = 1 << 32


@dataclass(frozen=True)
class Layout:
    """How n episodes begin, with A arms of J joints and K objects, and what they ask for (G numbers)."""

    joints: Array
    """(n, A, J) rad."""
    poses: Array
    """(n, K, 7) object positions (m) and unit quaternions (w, x, y, z), world frame."""
    half_sizes: Array
    """(n, K, 3) m."""
    masses: Array
    """(n, K) kg."""
    frictions: Array
    """(n, K) sliding friction coefficients."""
    goal: Array
    """(n, G) in the task's own terms."""


class Draw:
    """Uniform random numbers for n layouts: row i depends on `seeds[i]` and the task's name alone."""

    _COLUMNS = 512

    def __init__(self, task: str, seeds: Sequence[int] | np.ndarray) -> None:
        salt = zlib.crc32(task.encode())
        self._uniform = np.stack([np.random.default_rng((salt, int(seed))).random(self._COLUMNS) for seed in seeds])
        self._used = 0

    def __len__(self) -> int:
        return len(self._uniform)

    def uniform(self, low: float, high: float, columns: int | None = None) -> np.ndarray:
        """(n,) or (n, columns) numbers in [low, high)."""
        width = 1 if columns is None else columns
        if self._used + width > self._COLUMNS:
            raise ValueError(f"a layout may draw {self._COLUMNS} numbers; raise Draw._COLUMNS")
        block = low + (high - low) * self._uniform[:, self._used : self._used + width]
        self._used += width
        return block[:, 0] if columns is None else block


def streams_from(seed: int | Sequence[int | None], count: int) -> list[int | None]:
    """The streams of layouts of `count` worlds: from `seed` on, or the ones that it lists.

    Raises:
        ValueError: it lists another number of them.
    """
    streams: list[int | None] = [seed + i for i in range(count)] if isinstance(seed, int | np.integer) else list(seed)
    if len(streams) != count:
        raise ValueError(f"seed must be one integer or {count}, one for each world, not {len(streams)}")
    return streams


def training_seeds(streams: np.ndarray, episodes: np.ndarray) -> np.ndarray:
    """(n,) layout seeds of the `episodes`-th episode of each stream, never one that an evaluation can name."""
    with np.errstate(over="ignore"):
        mixed = _mix(streams.astype(np.uint64) * np.uint64(0xD1342543DE82EF95) + episodes.astype(np.uint64))
    return (mixed >> np.uint64(1)).astype(np.int64) | np.int64(EVALUATION_SEEDS)


def _mix(numbers: np.ndarray) -> np.ndarray:
    """(n,) uint64 that look random, one for each uint64.

    SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
    """
    with np.errstate(over="ignore"):
        z = (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


@dataclass(frozen=True)
class StartStates:
    """States in the middle of a task, from which a share of training episodes begins."""

    states: dict[str, np.ndarray]
    """Rows of `DuetVectorEnv.get_scene_state`, sorted by stage."""
    stages: np.ndarray
    """(n,) ascending number of stages done in each."""
    share: float
    """Of episodes that begin here."""

    def choose(self, layout_seeds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) bool: which of these episodes begin here, and the row of each that does; even over the stages."""
        chance = _mix(layout_seeds.astype(np.uint64)) / 2.0**64
        chosen = chance < self.share
        # what is left of a uniform number below a bound is uniform again: first the stage, then the row in it
        firsts = np.flatnonzero(np.diff(self.stages, prepend=self.stages[0] - 1))
        counts = np.diff(firsts, append=len(self.stages))
        scaled = chance[chosen] / self.share * len(firsts)
        stage = scaled.astype(np.int64)
        return chosen, firsts[stage] + ((scaled - stage) * counts[stage]).astype(np.int64)
