"""Vectors, headings and ramps on batched arrays, with functions of the array API standard alone.

Every function takes arrays with any leading axes and works elementwise along them, so that a world's
numbers do not depend on how many worlds share the batch (a BLAS product would choose its kernel by size).
"""

from __future__ import annotations

import math
from typing import Any

import array_api_compat
import numpy as np

Array = Any  # an array of any library that follows the array API standard

# NumPy 2 follows the standard by itself; the wrappers of array_api_compat would double a small call's time.
_NAMESPACES: dict[type, Any] = {np.ndarray: np}


def array_namespace(array: Array) -> Any:
    """The functions of the library that made `array`. Looked up once for each type of array."""
    found = _NAMESPACES.get(type(array))
    if found is None:
        found = _NAMESPACES[type(array)] = array_api_compat.array_namespace(array)
    return found


def columns(*parts: Array) -> Array:
    """(..., k) array of k (...) arrays. As `stack` along the last axis, in half the time."""
    return array_namespace(parts[0]).concat([part[..., None] for part in parts], axis=-1)


def norm(a: Array) -> Array:
    """Euclidean length along the last axis of a (..., 3) array; (...)."""
    squares = a * a
    return array_namespace(a).sqrt(squares[..., 0] + squares[..., 1] + squares[..., 2])


def cross(a: Array, b: Array) -> Array:
    """Vector product along the last axis of two (..., 3) arrays; (..., 3)."""
    x = a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1]
    y = a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2]
    z = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return columns(x, y, z)


def turn(vector: Array, yaw: float) -> Array:
    """(..., 3) vectors turned by `yaw` (rad) about the vertical axis."""
    if yaw == 0.0:
        return vector
    c, s = math.cos(yaw), math.sin(yaw)
    x, y = vector[..., 0], vector[..., 1]
    return columns(c * x - s * y, s * x + c * y, vector[..., 2])


def wrap(angle: Array, period: float | Array = 2 * math.pi) -> Array:
    """`angle` (rad) moved by whole periods into [-period / 2, period / 2)."""
    xp = array_namespace(angle)
    return angle - period * xp.floor(angle / period + 0.5)


def near(distance: Array, close: float, far: float) -> Array:
    """1 within `close` (m), falling linearly to 0 at `far` (m). Any shape; returns the same shape."""
    xp = array_namespace(distance)
    return xp.clip((far - distance) / (far - close), 0.0, 1.0)
