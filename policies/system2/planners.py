"""The planners by name. A new one is one class and one line here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from envs.names import check_name
from policies.system2.placebo import FrozenPlanner, NonePlanner, RandomPlanner, ShuffledPlanner
from policies.system2.plan import Planner
from policies.system2.scripted import ScriptedPlanner
from policies.system2.symbolic import SymbolicPlanner


def _learned(inner: str, file: Path | None) -> Planner:
    if file is None:
        raise ValueError(
            "the learned planner comes from a file; make one with `python -m policies.system2.learned --out FILE`"
        )
    from policies.system2.learned import LearnedPlanner  # needs PyTorch, which takes seconds to import

    return LearnedPlanner.load(file)


PLANNERS: dict[str, Callable[[str, Path | None], Planner]] = {
    "symbolic": lambda inner, file: SymbolicPlanner(),
    "scripted": lambda inner, file: ScriptedPlanner(),
    "learned": _learned,
    "frozen": lambda inner, file: FrozenPlanner(make_planner(inner, file=file)),
    "shuffled": lambda inner, file: ShuffledPlanner(make_planner(inner, file=file)),
    "random": lambda inner, file: RandomPlanner(),
    "none": lambda inner, file: NonePlanner(),
}


def make_planner(name: str, inner: str = "symbolic", file: Path | None = None) -> Planner:
    """A planner by name.

    Args:
        name: one of `PLANNERS`.
        inner: the planner whose plans `frozen` and `shuffled` hand on.
        file: what `learned` has learned.

    Raises:
        UnknownName: there is none of this name.
        ValueError: `learned` without a file, or with one that holds something else.
    """
    check_name("planner", name, PLANNERS)
    check_name("planner", inner, PLANNERS)
    return PLANNERS[name](inner, file)
