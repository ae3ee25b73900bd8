"""Objects by kind: what they may measure and weigh, and where several of them may lie on one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from envs.geometry import Array
from envs.layout import Draw
from envs.scene import BASES, ObjectSpec

Span = tuple[float, float]

FRICTION: Span = (0.6, 1.2)  # wood on rubber; the weakest still holds ten times the heaviest object
_CANDIDATES = 28  # places that are drawn for an object until one is free; with half as many, some objects overlap


@dataclass(frozen=True)
class Kind:
    """What objects of one kind have in common."""

    shape: str
    half_sizes: tuple[Span, Span, Span]
    """(m) ranges along the object's axes. Axes with one range share one number: a cube stays a cube."""
    mass: Span
    """(kg)"""
    symmetry: int
    """Turns about the vertical that look the same; 0 where every turn does."""

    def spec(self, name: str, colour: str) -> ObjectSpec:
        """An object of this kind in a scene."""
        x, y, z = (span[1] for span in self.half_sizes)
        return ObjectSpec(name, (x, y, z), colour, self.symmetry, self.shape)

    def draw(self, draw: Draw, randomize: bool) -> tuple[Array, Array, Array]:
        """Half-sizes (n, 3), masses (n,) and frictions (n,); at the middle of their ranges unless `randomize`."""

        def one(span: Span) -> Array:
            low, high = span if randomize else (sum(span) / 2,) * 2
            return draw.uniform(low, high)

        drawn = {span: one(span) for span in dict.fromkeys(self.half_sizes)}
        return np.stack([drawn[span] for span in self.half_sizes], axis=-1), one(self.mass), one(FRICTION)


def draw_all(kinds: Sequence[Kind], draw: Draw, randomize: bool) -> tuple[Array, Array, Array]:
    """Half-sizes (n, K, 3), masses (n, K) and frictions (n, K) of one object of each kind."""
    sizes, masses, frictions = zip(*(kind.draw(draw, randomize) for kind in kinds), strict=True)
    return np.stack(sizes, axis=1), np.stack(masses, axis=1), np.stack(frictions, axis=1)


_EDGE: Span = (0.018, 0.026)  # the largest still leaves 14 mm to each side of it in the open gripper
_THIN: Span = (0.012, 0.018)
CUBE = Kind("box", (_EDGE, _EDGE, _EDGE), (0.05, 0.30), 4)  # balsa to hardwood at these sizes
# long enough for two hands, which are 6 cm thick; a heavier one would turn in the fingers when held near its end
BAR = Kind("box", ((0.09, 0.11), _THIN, _THIN), (0.05, 0.15), 2)
CYLINDER = Kind("cylinder", (_EDGE, _EDGE, (0.025, 0.04)), (0.05, 0.25), 0)

GRIP_FROM_END = 0.022  # (m) where a bar is gripped, from its end: one finger's width of wood on both sides


def grip_offset(half_length: Array) -> Array:
    """(m) from the middle of a bar to where either hand holds it."""
    return half_length - GRIP_FROM_END


@dataclass(frozen=True)
class Area:
    """Where an object may lie, in the base frame of the arm that it is nearest to, and how much room it needs."""

    x: Span | Array
    """(m) range, or (n, 2) ranges."""
    y: Span
    """(m)"""
    radius: float
    """(m) nothing else lies nearer than the sum of two radii, where that can be had."""


def spread(draw: Draw, areas: Sequence[Area], arms: Array | None = None) -> Array:
    """(n, len(areas), 2) places (m, world frame), one in each area, apart from each other.

    `arms` (n, len(areas)) says in whose base frame an area is; None means the first arm's for all. Each place is the
    first of several candidates that is clear of those before it, or the clearest.
    """
    rows = np.arange(len(draw))
    chosen = np.zeros((len(draw), 0, 2))
    radii = np.array([area.radius for area in areas])
    for k, area in enumerate(areas):
        low, high = np.moveaxis(np.asarray(area.x), -1, 0)[..., None]
        x = low + (high - low) * draw.uniform(0.0, 1.0, _CANDIDATES)
        whose = 0 if arms is None else np.repeat(arms[:, k, None], _CANDIDATES, axis=1)
        places = to_world(np.stack((x, draw.uniform(*area.y, _CANDIDATES)), axis=-1), whose)
        away = np.linalg.norm(places[:, :, None] - chosen[:, None], axis=-1) - radii[:k] - area.radius
        room = away.min(axis=-1, initial=1.0)
        best = np.where((room >= 0).any(axis=1), np.argmax(room >= 0, axis=1), np.argmax(room, axis=1))
        chosen = np.concatenate((chosen, places[rows, best][:, None]), axis=1)
    return chosen


def to_world(places: Array, arm: Array | int) -> Array:
    """(..., 2) places in the base frames of arms (an index, or one for every leading element), in the world frame."""
    bases = np.array([base.position[:2] for base in BASES])[arm]
    ways = np.cos([base.yaw for base in BASES])[arm]  # the bases are turned by nothing or by half a turn
    return bases + places * np.asarray(ways)[..., None]


def standing(places: Array, z: Array, yaw: Array) -> Array:
    """(..., 7) world-frame poses of upright objects at (..., 2) places, with heights z and headings yaw."""
    zero = np.zeros_like(yaw)
    return np.stack((places[..., 0], places[..., 1], z, np.cos(yaw / 2), zero, zero, np.sin(yaw / 2)), axis=-1)
