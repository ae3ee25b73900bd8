"""The numbers of a comparison. They hold no times, dates or paths, so that they are the same bytes each time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from envs.scene import TICK
from evaluation.cells import Cell, Outcome
from evaluation.comparison import VERSION, Comparison
from evaluation.curves import curves_of
from evaluation.evidence import Evidence
from evaluation.ledger import Ledgers, differences
from evaluation.rollout import Episodes
from evaluation.statistics import restricted_seconds, wilson_interval

_DIGITS = 6
_MEANS = ("drops", "peak_force", "contact_impulse", "jerk", "energy")  # columns whose mean over episodes counts
_PLANNING = ("planner_calls", "replans", "planner_faults", "command_age_p50", "command_age_p99", "no_plan")


def results_of(comparison: Comparison, outcomes: Mapping[tuple[str, ...], Outcome], ledgers: Ledgers) -> dict[str, Any]:
    """What `results.json` holds: see docs/comparing.md for what each number means.

    Args:
        comparison: what was compared.
        outcomes: of all its cells, by their keys.
        ledgers: of its systems.
    """
    evidence = Evidence(comparison, dict(outcomes))
    limits: dict[str, dict[str, float]] = {task: {} for task in comparison.tasks}
    for cell in comparison.cells:
        if cell.contender.kind == "system" and cell.condition.objects is None:
            limits[cell.task][cell.contender.name] = evidence.of(cell).limit
    results = {
        "version": VERSION,
        "tasks": list(comparison.tasks),
        "layout_seeds": comparison.layout_seeds,
        "same_within": comparison.same_within,
        "contenders": [
            {
                "name": one.name,
                "system": one.system,
                "planner": one.planner,
                "kind": one.kind,
                "seeds": sorted({seed for task in comparison.tasks for seed in one.seeds(task)}),
            }
            for one in comparison.contenders
        ],
        "conditions": [
            {"name": one.name, "text": one.text, "objects": one.objects} for one in comparison.all_conditions
        ],
        "cells": [_cell(cell, evidence.of(cell)) for cell in comparison.cells],
        "verdicts": evidence.verdicts(),
        "aggregates": evidence.aggregates(),
        "improvement": evidence.improvement(),
        "blame": evidence.blame(),
        "listening": evidence.listening(),
        "ledger_differences": differences(ledgers, limits),
        "curves": [
            {
                "contender": curve.contender,
                "task": curve.task,
                "seed": curve.seed,
                "steps": curve.steps.astype(int).tolist(),
                "success": curve.success.tolist(),
                "area": curve.area(curve.steps),
            }
            for curve in curves_of(comparison.contenders)
        ],
        "phase": comparison.phase.results(outcomes) if comparison.phase else None,
    }
    return rounded(results)


def _cell(cell: Cell, outcome: Outcome) -> dict[str, Any]:
    head = {
        "contender": cell.contender.name,
        "task": cell.task,
        "condition": cell.condition.name,
        "seed": cell.seed,
        "cannot_act": outcome.cannot_act,
        "limit": outcome.limit,
    }
    return head | summary(outcome.episodes, outcome.limit, cell.contender.system == "dual")


def summary(episodes: Episodes | None, limit: float, planned: bool) -> dict[str, Any]:
    """The numbers of one cell; all but the counts are null where nobody could act.

    Args:
        episodes: of the cell.
        limit: (s) of the task.
        planned: whether a System 2 took part.
    """
    rates = ("success_rate", "wilson_low", "wilson_high", "recovery_rate", "recovery_seconds", "restricted_seconds")
    empty: dict[str, Any] = {"episodes": 0, "successes": 0, "stage_counts": {}, "disturbed": 0}
    empty |= dict.fromkeys((*rates, *_MEANS, *_PLANNING)) | {"failed_layout_seeds": []}
    if episodes is None:
        return empty
    success, n = episodes.success, len(episodes.success)
    low, high = wilson_interval(int(success.sum()), n)
    columns = episodes.columns()
    disturbed = columns["disturbed"]
    met, recovered = int(disturbed.sum()), disturbed & success
    result = empty | {
        "episodes": n,
        "successes": int(success.sum()),
        "success_rate": float(success.mean()),
        "wilson_low": low,
        "wilson_high": high,
        "stage_counts": {name: int((episodes.stage > k).sum()) for k, name in enumerate(episodes.stages)},
        "disturbed": met,
        "recovery_rate": float(recovered.sum() / met) if met else None,
        "recovery_seconds": float(columns["recovery_seconds"][recovered].mean()) if recovered.any() else None,
        "restricted_seconds": float(restricted_seconds(success, episodes.ticks * TICK, limit).mean()),
        "failed_layout_seeds": episodes.layout_seeds[~success].tolist(),
    }
    result |= {name: float(columns[name].mean()) for name in _MEANS}
    if planned:
        result |= {
            "planner_calls": float(columns["calls"].mean()),
            "replans": float(columns["replans"].mean()),
            "planner_faults": int(columns["faults"].sum()),
            "command_age_p50": float(columns["command_age_p50"].mean()),
            "command_age_p99": float(columns["command_age_p99"].mean()),
            "no_plan": int(columns["no_plan"].sum()),
        }
    return result


def rounded(value: Any) -> Any:
    """Plain values with floats cut to so many digits that the last bits of a machine do not show; NaN becomes None."""
    if isinstance(value, Mapping):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    if isinstance(value, float | np.floating):
        return None if math.isnan(value) else round(float(value), _DIGITS) + 0.0
    return value
