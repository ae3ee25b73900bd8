"""Vectors, headings and ramps on batched arrays, with functions of the array API standard alone.

Every function takes arrays with any leading axes and works elementwise along them, so that a world's
numbers do not depend on how many worlds share the batch (a BLAS product would choose its kernel by size).
"""

from __future__ import annotations

import math
from typing import Any

from array_api_compat import array_namespace

Array = Any  # an array of any library that follows the array API standard


def dot(a: Array, b: Array) -> Array:
    """Inner product along the last axis of two (..., 3) arrays; (...)."""
    return a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2]


def norm(a: Array) -> Array:
    """Euclidean length along the last axis of a (..., 3) array; (...)."""
    return array_namespace(a).sqrt(dot(a, a))


def cross(a: Array, b: Array) -> Array:
    """Vector product along the last axis of two (..., 3) arrays; (..., 3)."""
    xp = array_namespace(a)
    x = a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1]
    y = a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2]
    z = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return xp.stack((x, y, z), axis=-1)


def turn(vector: Array, yaw: float) -> Array:
    """(..., 3) vectors turned by `yaw` (rad) about the vertical axis."""
    if yaw == 0.0:
        return vector
    xp = array_namespace(vector)
    c, s = math.cos(yaw), math.sin(yaw)
    x, y = vector[..., 0], vector[..., 1]
    return xp.stack((c * x - s * y, s * x + c * y, vector[..., 2]), axis=-1)


def wrap(angle: Array, period: float = 2 * math.pi) -> Array:
    """`angle` (rad) moved by whole periods into [-period / 2, period / 2)."""
    xp = array_namespace(angle)
    return angle - period * xp.floor(angle / period + 0.5)


def near(distance: Array, close: float, far: float) -> Array:
    """1 within `close` (m), falling linearly to 0 at `far` (m). Any shape; returns the same shape."""
    xp = array_namespace(distance)
    return xp.clip((far - distance) / (far - close), 0.0, 1.0)
