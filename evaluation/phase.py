"""The phase diagram: success of the dual system where its System 2 is late and wrong, beside the single system's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.cells import Cell, Outcome
from evaluation.conditions import UNDISTURBED, Condition, disturbed_by, phase_condition
from evaluation.contenders import Contender
from evaluation.perturbations import perturbations_of
from evaluation.request import NOTHING, Request


@dataclass(frozen=True)
class PhaseGrid:
    """What is evaluated for a phase diagram."""

    under: Condition
    """What happens in all its episodes."""
    latencies: tuple[float, ...]
    """(s) of System 2's answers, rising."""
    wrong: tuple[float, ...]
    """Share of plans that are wrong, rising."""
    points: tuple[Cell, ...]
    """Of the dual system: for each latency, all shares of wrong plans; of each, all training seeds."""
    level: tuple[Cell, ...]
    """Of the single system, whom neither touches, on the same layouts; empty without one."""

    @classmethod
    def of(cls, request: Request, task: str, systems: tuple[Contender, ...], observation: str) -> PhaseGrid:
        """The phase diagram that is asked for, of the first dual and the first single system.

        Raises:
            ValueError: the task has no such disturbance.
        """
        under = phase_disturbance(request, task, observation)
        first = int(str(request.layout_seeds).partition(":")[0])
        layouts = f"{first}:{first + request.phase_episodes}"
        grid = [(latency, wrong) for latency in request.phase_latencies for wrong in request.phase_wrong]
        dual = next(one for one in systems if one.system == "dual")
        single = next((one for one in systems if one.system == "single"), None)
        points = tuple(
            Cell(dual, task, phase_condition(under, *spoilt), seed, layouts)
            for spoilt in grid
            for seed in dual.seeds(task)
        )
        untouched = phase_condition(under, 0.0, 0.0)
        level = tuple(Cell(single, task, untouched, seed, layouts) for seed in single.seeds(task)) if single else ()
        return cls(under, request.phase_latencies, request.phase_wrong, points, level)

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All that have to be evaluated."""
        return (*self.points, *self.level)

    def results(self, outcomes: Mapping[tuple[str, ...], Outcome]) -> dict[str, Any]:
        """What `results.json` holds of it: success has a row for each latency, a column for each share of wrong plans.

        Args:
            outcomes: of its cells, by their keys.
        """
        first, shape = self.points[0], (len(self.latencies), len(self.wrong), -1)
        rates = np.array([_rate(outcomes[cell.key]) for cell in self.points]).reshape(shape)
        return {
            "task": first.task,
            "contender": first.contender.name,
            "condition": self.under.name,
            "latencies": list(self.latencies),
            "wrong": list(self.wrong),
            "success": rates.mean(axis=2).tolist(),
            "episodes": len(first.layouts),
            "seeds": list(first.contender.seeds(first.task)),
            "single": float(np.mean([_rate(outcomes[cell.key]) for cell in self.level])) if self.level else None,
        }


def phase_disturbance(request: Request, task: str, observation: str) -> Condition:
    """What happens in the episodes of the phase diagram.

    Raises:
        ValueError: the task has no such disturbance; the message lists those it has.
    """
    if request.phase_perturb == NOTHING:
        return UNDISTURBED
    own = perturbations_of(task, observation)
    if request.phase_perturb not in own:
        raise ValueError(
            f"the phase diagram of {task} cannot be drawn under {request.phase_perturb!r}; --phase-perturb takes "
            f"{', '.join(own)} or {NOTHING}"
        )
    return disturbed_by(request.phase_perturb)


def _rate(outcome: Outcome) -> float:
    assert outcome.episodes is not None, "both systems act in the worlds that they were trained in"
    return float(outcome.episodes.success.mean())
