"""Cells of a comparison put together: what a contender did on a task under a condition, over its training seeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from evaluation.statistics import wilson_interval

Results = dict[str, Any]
"""What a comparison wrote to results.json."""
Cell = dict[str, Any]
"""One contender on one task under one condition, with one training seed."""


@dataclass(frozen=True)
class Share:
    """Success over all training seeds; rates in [0, 1]."""

    successes: int
    episodes: int
    low: float
    """Wilson 95 % interval of the pooled episodes: about these policies on other layouts, not about other seeds."""
    high: float
    seeds: tuple[float, ...]
    """Success of each training seed."""

    @property
    def rate(self) -> float:
        """Mean success."""
        return self.successes / self.episodes


def cells_of(results: Results, contender: str, task: str, condition: str) -> list[Cell]:
    """The cells of a contender's training seeds; none where it was not evaluated."""
    wanted = (contender, task, condition)
    return [cell for cell in results["cells"] if (cell["contender"], cell["task"], cell["condition"]) == wanted]


def share_of(results: Results, contender: str, task: str, condition: str) -> Share | None:
    """Success over the training seeds, or None where it was not evaluated."""
    cells = cells_of(results, contender, task, condition)
    episodes = sum(cell["episodes"] for cell in cells)
    if not episodes:
        return None
    successes = sum(cell["successes"] for cell in cells)
    low, high = wilson_interval(successes, episodes)
    return Share(successes, episodes, low, high, tuple(cell["successes"] / cell["episodes"] for cell in cells))


def contenders_of(results: Results, *kinds: str) -> list[str]:
    """Names of the contenders of these kinds (`system`, `placebo`, `bound`), in order; of all without one named."""
    return [one["name"] for one in results["contenders"] if not kinds or one["kind"] in kinds]


def conditions_of(results: Results, task: str) -> list[str]:
    """Names of the conditions under which a task was evaluated, in order."""
    met = {cell["condition"] for cell in results["cells"] if cell["task"] == task}
    return [condition["name"] for condition in results["conditions"] if condition["name"] in met]


def system_pairs(results: Results) -> list[tuple[str, str]]:
    """Pairs (a, b) of systems that a verdict is about, dual systems first, each pair once."""
    systems = set(contenders_of(results, "system"))
    pairs = ((verdict["a"], verdict["b"]) for verdict in results["verdicts"])
    return list(dict.fromkeys(pair for pair in pairs if set(pair) <= systems))


def main_verdicts(results: Results) -> Iterator[dict[str, Any]]:
    """The verdicts on whole systems where nothing disturbs: one a pair, over all tasks if there are several."""
    if not results["conditions"]:
        return
    first = results["conditions"][0]["name"]
    for pair in system_pairs(results):
        of_pair = [v for v in results["verdicts"] if (v["a"], v["b"]) == pair and v["condition"] == first]
        over_all = [v for v in of_pair if v["task"] is None]
        yield from over_all or of_pair
