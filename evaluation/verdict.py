"""A comparison of two systems in one sentence, which claims no more than its interval does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil, sqrt
from statistics import NormalDist
from typing import Literal

from evaluation.statistics import Difference, student_quantile

SAME_WITHIN = 0.05  # success rates this close count as the same unless the caller says otherwise
_NORMAL = NormalDist()
_POWER = 0.8  # chance that the advised evaluation tells, if the systems differ by what was seen
_MOST_LAYOUTS = 1_000_000  # nobody evaluates on more
_MOST_SEEDS = 1000  # nobody trains more


@dataclass(frozen=True)
class Advice:
    """What to add, of one or both, for a comparison that would tell."""

    layouts: int
    """In each task, for every policy."""
    seeds: int
    """Training seeds of each system."""

    def __str__(self) -> str:
        layouts = [_count(self.layouts, "more layout")] if self.layouts else []
        seeds = [f"{_count(self.seeds, 'more training seed')} of each"] if self.seeds else []
        return " and ".join(layouts + seeds)


@dataclass(frozen=True)
class Verdict:
    """What a comparison of success rates established."""

    kind: Literal["better", "worse", "same", "unclear"]
    """Of the first system. `better` and `worse` also hold for differences too small to matter."""
    sentence: str
    advice: tuple[Advice, ...]
    """When unclear: each of them would do by itself; none if no practical number would. Empty otherwise."""


def judge(
    difference: Difference,
    name_a: str,
    name_b: str,
    same_within: float = SAME_WITHIN,
    p_value: float | None = None,
) -> Verdict:
    """Put a difference of success rates into words.

    Better or worse: the interval leaves out 0. The same: all of the interval lies within +-`same_within`, an
    equivalence test by interval inclusion (D. J. Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15
    (1987), 657-680), stricter than its usual 90 % interval.

    Args:
        difference: success of A minus success of B, from `paired_difference`.
        name_a: A in the sentence.
        name_b: B in the sentence.
        same_within: largest difference that counts as none, in (0, 1).
        p_value: of this comparison among several, from `holm`: A is called better or worse only if it is significant
            too. Sameness is not corrected.
    """
    if not 0.0 < same_within < 1.0:
        raise ValueError(f"the margin of sameness lies between 0 and 1, got {same_within}")
    if p_value is not None and p_value < difference.p_value:
        raise ValueError(f"among several comparisons p is {difference.p_value:.2g} or more, got {p_value:.2g}")
    d = difference
    significant = p_value is None or p_value < 1 - d.confidence
    interval = f"({100 * d.confidence:g} % interval {{}} to {{}})"
    towards_b = interval.format(_points(-d.high), _points(-d.low))
    towards_a = interval.format(_points(d.low), _points(d.high))
    advice: tuple[Advice, ...] = ()
    kind: Literal["better", "worse", "same", "unclear"]
    if (d.low > 0 or d.high < 0) and significant:
        kind = "better" if d.low > 0 else "worse"
        size = f"{_points(abs(d.value))} points of success {towards_a if d.low > 0 else towards_b}"
        claim = f"{name_a} is {kind} than {name_b} by {size}"
        if max(abs(d.low), abs(d.high)) < same_within:
            claim += f", which is less than the {_margin(same_within)} points that matter"
    elif max(abs(d.low), abs(d.high)) < same_within:
        kind = "same"
        claim = f"{name_a} and {name_b} are the same within {_margin(same_within)} points of success {towards_a}"
    else:
        kind = "unclear"
        # Among several comparisons the interval of each has to leave out 0 at a stricter level.
        stricter = d.p_value / p_value if p_value else 1.0
        advice = _advise(replace(d, confidence=1 - stricter * (1 - d.confidence)), same_within)
        seen = f"{name_a} minus {name_b} is {_points(d.value)} points of success {towards_a}"
        if not significant and (d.low > 0 or d.high < 0):
            seen += f", not significant among the comparisons made (p = {p_value:.2g} after Holm)"
        claim = f"Cannot tell {name_a} from {name_b}: {seen}; {_advised(d, advice)}"
    return Verdict(kind, f"{claim}. {_covered(d, name_a, name_b)}", advice)


def _covered(d: Difference, name_a: str, name_b: str) -> str:
    """What the claim is about."""
    seeds = f"{_count(d.seeds_a, 'training seed')} of {name_a} and {d.seeds_b} of {name_b}"
    if d.covers == "methods":
        return f"This is about the methods, over training seeds and layouts ({seeds})."
    return f"This is about these policies on other layouts, not about the methods ({seeds})."


def _advised(d: Difference, advice: tuple[Advice, ...]) -> str:
    if not advice:
        return "no practical number of layouts and training seeds would tell"
    where = " in each task" if d.tasks > 1 else ""
    ways = [f"about {option}{where if option.layouts else ''}" for option in advice]
    sentence = f"{' or '.join(ways)} would tell"
    if d.covers == "methods" and len(advice) == 1 and not (advice[0].layouts and advice[0].seeds):
        sentence += f", more {'training seeds' if advice[0].layouts else 'layouts'} alone would not"
    return sentence


def _advise(d: Difference, same_within: float) -> tuple[Advice, ...]:
    """The smallest additions of layouts alone and of seeds alone; if neither would tell, of both by the same factor.

    An addition tells if the interval becomes short enough to leave out 0, or to fit within the margin, whichever is
    easier, with probability 0.8 if the difference and its variances are as estimated. Being estimates, they make the
    advice a rough one.
    """
    layouts = d.layouts / d.tasks
    seeds = 2 / (1 / d.seeds_a + 1 / d.seeds_b)  # as many of both systems would leave the same variance

    def tells(extra_layouts: float, extra_seeds: int) -> bool:
        return _tells(d, 1 + extra_layouts / layouts, 1 + extra_seeds / seeds, same_within)

    options = [Advice(_two_digits(n), 0) for n in _smallest(lambda n: tells(n, 0), _MOST_LAYOUTS)]
    if d.covers == "methods":
        options += [Advice(0, n) for n in _smallest(lambda n: tells(0, n), _MOST_SEEDS)]
        if not options:
            both = _smallest(lambda n: tells(n / seeds * layouts, n), _MOST_SEEDS)
            options = [Advice(_two_digits(ceil(n / seeds * layouts)), n) for n in both]
    return tuple(options)


def _tells(d: Difference, layout_factor: float, seed_factor: float, same_within: float) -> bool:
    """Whether so many times the layouts and seeds would probably give an interval short enough."""
    of_episodes = d.episode_variance / layout_factor / seed_factor
    of_layouts = d.layout_variance / layout_factor + of_episodes
    of_seeds = d.seed_variance / seed_factor
    # Satterthwaite, as in paired_difference; the variance between seeds is estimated with the noise of episodes in it.
    squares = of_layouts**2 / (d.layouts * layout_factor - d.tasks)
    if d.seed_variance > 0:
        seed_freedom = d.tasks * ((d.seeds_a + d.seeds_b) * seed_factor - 2)
        squares += (of_seeds + of_episodes) ** 2 / seed_freedom
    variance = of_layouts + of_seeds
    freedom = max(1.0, variance**2 / squares)
    half_width = student_quantile(0.5 + d.confidence / 2, freedom) * sqrt(variance)
    different = half_width + _NORMAL.inv_cdf(_POWER) * sqrt(variance) <= abs(d.value)
    # For sameness the noise has to stay small on both sides.
    same = half_width + _NORMAL.inv_cdf(0.5 + _POWER / 2) * sqrt(variance) <= same_within - abs(d.value)
    return different or same


def _smallest(tells: Callable[[int], bool], most: int) -> list[int]:
    """The smallest n from 1 to `most` that tells, or nothing."""
    low, high = 0, 1
    # Doubling, not bisection from `most`: as layouts grow the few seeds dominate, and their heavier tails can make the
    # interval longer again.
    while not tells(high):
        if high == most:
            return []
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if tells(middle) else (middle, high)
    return [high]


def _two_digits(n: int) -> int:
    """`n` rounded up: a third digit would be noise."""
    unit = 10 ** max(0, len(str(n)) - 2)
    return -(-n // unit) * unit


def _points(rate: float) -> str:
    return f"{round(100 * rate, 1) + 0.0:.1f}"  # adding 0 turns -0 into 0


def _margin(rate: float) -> str:
    return f"{100 * rate:g}"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
