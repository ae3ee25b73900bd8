"""What the episodes of a comparison say: verdicts, whose the failures are, and whether System 1 listens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from evaluation.cells import Cell, Outcome
from evaluation.comparison import Comparison
from evaluation.conditions import UNDISTURBED
from evaluation.contenders import ORACLE, SCRIPTED, Contender
from evaluation.statistics import (
    Difference,
    Estimate,
    holm,
    interquartile_mean,
    mcnemar,
    paired_difference,
    probability_of_improvement,
)
from evaluation.verdict import judge


def corrected(p_values: Sequence[float], conditions: Sequence[str]) -> list[float]:
    """The p-values after Holm's correction; `conditions` names the one that each verdict is about.

    Where nothing happens is the first question, and a family of its own: asking about disturbances too does not
    change its answer.
    """
    found = list(p_values)
    for first in (True, False):
        family = [k for k, condition in enumerate(conditions) if (condition == UNDISTURBED.name) == first]
        for k, p_holm in zip(family, holm([p_values[k] for k in family]), strict=True):
            found[k] = p_holm
    return found


class Evidence:
    """All episodes of a comparison by contender, task and condition."""

    def __init__(self, comparison: Comparison, outcomes: dict[tuple[str, ...], Outcome]) -> None:
        """`outcomes`: of all cells, by their keys."""
        self.comparison = comparison
        self._outcomes = outcomes

    def of(self, cell: Cell) -> Outcome:
        """What a cell came to."""
        return self._outcomes[cell.key]

    def success(self, contender: Contender, task: str, condition: str) -> np.ndarray | None:
        """(seeds, layouts) bool; None where the contender cannot act, or the task has no such condition."""
        cells = [
            cell
            for cell in self.comparison.cells
            if (cell.contender.name, cell.task, cell.condition.name) == (contender.name, task, condition)
        ]
        episodes = [self.of(cell).episodes for cell in cells]
        if not cells or any(one is None for one in episodes):
            return None
        return np.stack([one.success for one in episodes if one is not None])

    def both(self, a: Contender, b: Contender, task: str, condition: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Successes of two on the same layouts, where both can act."""
        pair = self.success(a, task, condition), self.success(b, task, condition)
        return None if pair[0] is None or pair[1] is None else (pair[0], pair[1])

    # Verdicts

    def verdicts(self) -> list[dict[str, Any]]:
        """Every system against every one before it, with p-values corrected for their number."""
        cases = list(self._cases())
        p_values = corrected([case[-1].p_value for case in cases], [case[3] for case in cases])
        return [self._verdict(*case, p_holm) for case, p_holm in zip(cases, p_values, strict=True)]

    def _cases(self) -> Iterator[tuple[Contender, Contender, str | None, str, dict[str, tuple], Difference]]:
        tasks = self.comparison.tasks
        for b, a in combinations(self.comparison.systems, 2):
            for condition in self.comparison.condition_names:
                pairs = {task: both for task in tasks if (both := self.both(a, b, task, condition)) is not None}
                met = [task for task in tasks if condition in [c.name for c in self.comparison.conditions[task]]]
                for task, pair in pairs.items():
                    yield a, b, task, condition, {task: pair}, _difference({task: pair})
                if len(pairs) > 1 and list(pairs) == met:
                    yield a, b, None, condition, pairs, _difference(pairs)

    def _verdict(
        self,
        a: Contender,
        b: Contender,
        task: str | None,
        condition: str,
        pairs: dict[str, tuple],
        difference: Difference,
        p_holm: float,
    ) -> dict[str, Any]:
        verdict = judge(difference, a.name, b.name, self.comparison.same_within, p_holm)
        # training seeds are not paired; each policy counts once
        alike = [(x[: len(y)].ravel(), y[: len(x)].ravel()) for x, y in pairs.values()]
        discordance = mcnemar(*(np.concatenate(side) for side in zip(*alike, strict=True)))
        return {
            "a": a.name,
            "b": b.name,
            "task": task,
            "condition": condition,
            "value": difference.value,
            "low": difference.low,
            "high": difference.high,
            "p_value": difference.p_value,
            "p_holm": p_holm,
            "mcnemar_p": discordance.p_value,
            "kind": verdict.kind,
            "covers": difference.covers,
            "sentence": verdict.sentence,
        }

    # What describes

    def aggregates(self) -> list[dict[str, Any]]:
        """Interquartile means over training seeds and tasks, of every contender in every condition."""
        return [
            {
                "contender": contender.name,
                "condition": condition,
                "interquartile_mean": self._over_scores(interquartile_mean, condition, contender),
            }
            for contender in self.comparison.contenders
            for condition in self.comparison.condition_names
        ]

    def improvement(self) -> list[dict[str, Any]]:
        """How probably a training of one system beats one of another, undisturbed."""
        found = (
            (a, b, self._over_scores(probability_of_improvement, UNDISTURBED.name, a, b))
            for b, a in combinations(self.comparison.systems, 2)
        )
        return [{"a": a.name, "b": b.name, "probability": p} for a, b, p in found if p is not None]

    def _over_scores(self, measure: Any, condition: str, *contenders: Contender) -> list[float] | None:
        """An estimate from (seeds, tasks) success rates of each contender; None where they do not fill a table."""
        tables = []
        for contender in contenders:
            tasks = [t for t in self.comparison.tasks if condition in [c.name for c in self.comparison.conditions[t]]]
            columns = [self.success(contender, task, condition) for task in tasks]
            rates = [one.mean(axis=1) for one in columns if one is not None]
            if len(rates) < len(tasks) or len({len(one) for one in rates}) != 1 or len(rates[0]) < 2:
                return None
            tables.append(np.stack(rates, axis=1))
        estimate: Estimate = measure(*tables)
        return list(estimate)

    # Why

    def listening(self) -> list[dict[str, Any]]:
        """How much worse the dual system does with a placebo for its planner, undisturbed."""
        found = []
        for placebo in (one for one in self.comparison.contenders if one.kind == "placebo"):
            for task in self.comparison.tasks:
                pair = self.both(self.comparison.dual, placebo, task, UNDISTURBED.name)
                assert pair is not None, "dual systems act everywhere"
                d = _difference({task: pair})
                found.append({"task": task, "placebo": placebo.name, "value": d.value, "low": d.low, "high": d.high})
        return found

    def blame(self) -> list[dict[str, Any]]:
        """Whose the failures of the dual system are, from which of the bounds succeed on the same layouts."""
        bounds = {one.name: one for one in self.comparison.contenders if one.kind == "bound"}
        if not bounds:
            return []
        found = []
        for task in self.comparison.tasks:
            for condition in self.comparison.conditions[task]:
                dual, scripted, oracle = (
                    self.success(one, task, condition.name)
                    for one in (self.comparison.dual, bounds[SCRIPTED], bounds[ORACLE])
                )
                if dual is None or scripted is None or oracle is None:
                    continue
                found.append({"task": task, "condition": condition.name} | blame(dual, scripted, oracle))
        return found


def blame(dual: np.ndarray, scripted: np.ndarray, oracle: np.ndarray) -> dict[str, int]:
    """Sort the failures of a dual system by what cures them.

    A better System 1 alone: they are System 1's. A better System 2 alone: System 2's. Either: it is what passes between
    them. Neither: the two together, or the task.

    Args:
        dual: (seeds, layouts) successes.
        scripted: (1, layouts) of a scripted System 1 under a planner.
        oracle: (seeds, layouts) of the learned System 1 under an oracle.
    """
    failed, better_1, better_2 = ~dual, np.broadcast_to(scripted, dual.shape), oracle
    return {
        "failures": int(failed.sum()),
        "system1": int((failed & better_1 & ~better_2).sum()),
        "system2": int((failed & ~better_1 & better_2).sum()),
        "interface": int((failed & better_1 & better_2).sum()),
        "neither_alone": int((failed & ~better_1 & ~better_2).sum()),
    }


def _difference(pairs: dict[str, tuple[np.ndarray, np.ndarray]]) -> Difference:
    return paired_difference({task: a for task, (a, _) in pairs.items()}, {task: b for task, (_, b) in pairs.items()})
