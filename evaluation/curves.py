"""Curves of learning: success in training against environment steps and against wall-clock time, with their areas."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.contenders import Contender
from evaluation.run import Run, RunError
from policies.system1.training import METRICS

_POINTS = 200  # of a curve at most: nobody sees more


@dataclass(frozen=True)
class Curve:
    """Success of a policy that still explores, over its last 300 episodes, while it learns."""

    contender: str
    task: str
    """What it was trained on."""
    seed: int
    steps: np.ndarray
    seconds: np.ndarray
    success: np.ndarray

    def area(self, along: np.ndarray) -> float:
        """Mean success over the training: the area under the curve as a share of the largest possible.

        Until the first episodes have ended nothing is known to succeed, and counts as none.
        """
        x, y = np.concatenate(([0.0, along[0]], along)), np.concatenate(([0.0, 0.0], self.success))
        return float(((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2).sum() / x[-1])


def curves_of(contenders: Sequence[Contender]) -> list[Curve]:
    """A curve for every training of the systems, each training once.

    Raises:
        RunError: metrics are damaged.
    """
    return list(_curves(contenders))


def _curves(contenders: Sequence[Contender]) -> Iterator[Curve]:
    seen = set()
    for contender in contenders:
        for run in contender.runs:
            if contender.kind == "system" and run.folder not in seen:
                seen.add(run.folder)
                points = _points(run)
                if len(points):
                    yield Curve(contender.name, run.config.task, run.config.seed, *points.T)


def _points(run: Run) -> np.ndarray:
    """(n, 3) steps, seconds and success."""
    path = run.folder / METRICS
    if not path.exists():
        return np.empty((0, 3))
    try:
        with path.open(newline="") as file:
            rows = [[float(row[name]) for name in ("steps", "seconds", "success")]
                    for row in csv.DictReader(file) if row["success"]]  # fmt: skip
    except (KeyError, TypeError, ValueError, OSError, csv.Error) as error:
        raise RunError(f"{path} is damaged ({error}); train the run again, or leave it out") from None
    points = np.array(rows).reshape(-1, 3)
    kept = np.unique(np.linspace(0, len(points) - 1, min(_POINTS, len(points))).round().astype(int))
    return points[kept]
