"""Staged progress: a task as a ladder of stages. Dense reward, funnel and metrics all come from it."""

from __future__ import annotations

from dataclasses import dataclass

from envs.geometry import Array, array_namespace


@dataclass(frozen=True)
class Stage:
    """How far N worlds are in one stage."""

    done: Array
    """(N,) bool. A later stage that is done counts this one as done too."""
    fraction: Array
    """(N,) in [0, 1]: how near to done, where it is not. Counts only once every earlier stage is done."""


@dataclass(frozen=True)
class Progress:
    """How far N worlds are in a task."""

    terms: dict[str, Array]
    """(N,) in [0, 1] for each stage by name; their sum is the progress."""
    reached: Array
    """(N,) int: number of stages done."""


def climb(stages: dict[str, Stage]) -> Progress:
    """Progress through stages in the order of the dict."""
    names = list(stages)
    xp = array_namespace(stages[names[0]].done)
    done = [stages[name].done for name in names]
    for k in range(len(names) - 2, -1, -1):
        done[k] = done[k] | done[k + 1]
    fractions = [stages[name].fraction for name in names]
    ones = xp.astype(xp.stack(done), fractions[0].dtype)  # (stages, N) 1 where done, else 0
    terms: dict[str, Array] = {}
    for k, name in enumerate(names):
        earlier = fractions[k] if k == 0 else fractions[k] * ones[k - 1, :]
        terms[name] = xp.maximum(earlier, ones[k, :])
    return Progress(terms, xp.astype(xp.sum(ones, axis=0), xp.int64))
