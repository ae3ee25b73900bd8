"""Figures of learning: success in training against environment steps and against wall-clock time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.figures.episodes import label_ends
from evaluation.figures.shares import Results, contenders_of
from evaluation.figures.style import FAINT, looks, new_figure, styled

Axis = Literal["steps", "seconds"]
_WORDS: dict[Axis, str] = {"steps": "environment steps", "seconds": "wall-clock minutes"}


def has_curve(curve: dict[str, Any], axis: Axis) -> bool:
    """Whether a training's curve can be drawn against `axis`."""
    return bool(curve.get(axis)) and len(curve[axis]) == len(curve["success"])


@styled
def learning_curves(results: Results, curves: Sequence[dict[str, Any]], task: str) -> Figure | None:
    """Success of each training, thin, and the mean over seeds, thick; against steps and, where known, wall clock.

    Args:
        results: of the comparison.
        curves: dicts of `contender`, `task`, `seed`, `success` (each in [0, 1]) and, as long, `steps` or `seconds`
            or both.
        task: the curves to draw.
    """
    mine = [curve for curve in curves if curve["task"] == task]
    axes_of: list[Axis] = [axis for axis in _WORDS if any(has_curve(curve, axis) for curve in mine)]
    if not axes_of:
        return None
    figure = new_figure(2.9)
    panels: np.ndarray = figure.subplots(1, len(axes_of), squeeze=False, sharey=True)
    for axes, axis in zip(panels.flat, axes_of, strict=True):
        _against(axes, results, [curve for curve in mine if has_curve(curve, axis)], axis)
        axes.set_title(f"{task}, against {'steps' if axis == 'steps' else 'the clock'}")
    return figure


def _against(axes: Axes, results: Results, curves: list[dict[str, Any]], axis: Axis) -> None:
    look, ends, right = looks(results["contenders"]), [], 0.0
    for name in contenders_of(results):
        points = [_drawn(curve, axis) for curve in curves if curve["contender"] == name]
        if not points:
            continue
        for x, y in points:
            axes.plot(x, y, color=look[name].colour, lw=0.8, alpha=0.45)
        # The mean is of all trainings: from where the last of them begins to where the first of them ends.
        first, last = max(x[0] for x, _ in points), min(x[-1] for x, _ in points)
        grid = np.unique(np.concatenate([x[(x >= first) & (x <= last)] for x, _ in points]))
        if len(grid):
            mean = np.mean([np.interp(grid, x, y) for x, y in points], axis=0)
            every = max(1, len(grid) // 8)
            axes.plot(grid, mean, lw=2.4, markevery=every, clip_on=False, **look[name].marks(5))
            ends.append((float(grid[-1]), float(mean[-1]), name))
        right = max(right, *(float(x[-1]) for x, _ in points))
    axes.set_xlim(0, right or 1)
    axes.set_ylim(-0.02, 1.03)
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axes.xaxis.set_major_locator(ticker.MaxNLocator(5))
    if axis == "steps":
        axes.xaxis.set_major_formatter(_thousands)
    axes.grid(axis="y")
    axes.set_xlabel(_WORDS[axis], fontsize=8.5, color=FAINT)
    label_ends(axes, ends, {name: one.colour for name, one in look.items()}, {n for *_, n in ends}, inches=2.1)


def _points(curve: dict[str, Any], axis: Axis) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(curve[axis], dtype=float), np.asarray(curve["success"], dtype=float)


def _drawn(curve: dict[str, Any], axis: Axis) -> tuple[np.ndarray, np.ndarray]:
    """Points with steps, or minutes for seconds."""
    x, y = _points(curve, axis)
    return (x if axis == "steps" else x / 60), y


def _thousands(steps: float, _: float) -> str:
    return f"{steps / 1e6:g} M" if steps >= 1e6 else f"{steps / 1e3:g} k" if steps else "0"
