import math
import random

import pytest

from evaluation.statistics import wilson_interval


@pytest.mark.parametrize(
    ("successes", "episodes", "low", "high"),
    [  # from scipy 1.17: binomtest(successes, episodes).proportion_ci(method="wilson")
        (95, 100, 0.88825, 0.97846),
        (293, 300, 0.95263, 0.98866),
        (485, 500, 0.95110, 0.98174),
        (1, 2, 0.09453, 0.90547),
        (0, 10, 0.0, 0.27753),
        (10, 10, 0.72247, 1.0),
    ],
)
def test_known_intervals(successes, episodes, low, high):
    assert wilson_interval(successes, episodes) == pytest.approx((low, high), abs=1e-5)


@pytest.mark.parametrize(("successes", "episodes"), [(73, 73), (148, 150), (197, 200), (293, 300), (485, 500)])
def test_counts_that_establish_95_percent(successes, episodes):
    assert wilson_interval(successes, episodes)[0] >= 0.95
    assert wilson_interval(successes - 1, episodes)[0] < 0.95


def test_another_confidence_solves_the_score_equation():
    # By definition both ends are rates p with |observed - p| = z * sqrt(p (1 - p) / n); z = 2.5758 at 99 %.
    for bound in wilson_interval(37, 50, confidence=0.99):
        assert abs(37 / 50 - bound) == pytest.approx(2.575829 * math.sqrt(bound * (1 - bound) / 50), rel=1e-5)


@pytest.mark.parametrize("episodes", [1, 7, 100, 1_000_000])
def test_all_and_none(episodes):
    low_of_none, high_of_none = wilson_interval(0, episodes)
    low_of_all, high_of_all = wilson_interval(episodes, episodes)
    assert low_of_none == 0.0
    assert high_of_all == 1.0
    assert 0.0 < high_of_none < 1.0
    assert low_of_all == pytest.approx(1.0 - high_of_none)


def test_more_successes_raise_both_bounds():
    intervals = [wilson_interval(successes, 50) for successes in range(51)]
    lows, highs = zip(*intervals, strict=True)
    assert list(lows) == sorted(set(lows))
    assert list(highs) == sorted(set(highs))
    assert all(0.0 <= low <= successes / 50 <= high <= 1.0 for successes, (low, high) in enumerate(intervals))


def test_more_episodes_and_less_confidence_narrow_the_interval():
    def width(*arguments):
        low, high = wilson_interval(*arguments)
        return high - low

    assert width(900, 1000) < width(90, 100) < width(9, 10)
    assert width(90, 100, 0.5) < width(90, 100, 0.9) < width(90, 100, 0.99)


@pytest.mark.parametrize("rate", [0.5, 0.9, 0.97])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(rate):
    episodes, repetitions = 200, 1000
    draw = random.Random(0)
    covered = 0
    for _ in range(repetitions):
        low, high = wilson_interval(sum(draw.random() < rate for _ in range(episodes)), episodes)
        covered += low <= rate <= high
    # Counts are discrete, so coverage swings by 2 points around 95 %; 1000 repetitions add a noise of 0.7.
    assert 0.92 <= covered / repetitions <= 0.98


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0), "at least 1 episode, got 0"),
        ((5, -1), "at least 1 episode, got -1"),
        ((-1, 10), "between 0 and the 10 episodes, got -1"),
        ((11, 10), "between 0 and the 10 episodes, got 11"),
        ((5, 10, 0.0), "strictly between 0 and 1, got 0.0"),
        ((5, 10, 95), "strictly between 0 and 1, got 95"),
        ((5, 10, math.nan), "strictly between 0 and 1, got nan"),
    ],
)
def test_bad_counts_are_explained(arguments, message):
    with pytest.raises(ValueError, match=message):
        wilson_interval(*arguments)
