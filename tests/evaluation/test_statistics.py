import importlib
import math
import random
from statistics import NormalDist

import numpy as np
import pytest

from evaluation.statistics import (
    holm,
    interquartile_mean,
    mcnemar,
    paired_difference,
    probability_of_improvement,
    restricted_seconds,
    student_quantile,
    student_within,
    wilson_interval,
)


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


@pytest.mark.parametrize(
    ("only_a", "only_b", "p_value"),
    [  # from scipy 1.17: binomtest(only_a, only_a + only_b).pvalue
        (10, 3, 0.09228515625),
        (20, 50, 0.00044028500651396835),
        (600, 500, 0.0028195449914364284),
        (7, 7, 1.0),
        (1, 0, 1.0),
        (0, 0, 1.0),
    ],
)
def test_mcnemar_counts_who_succeeds_alone(only_a, only_b, p_value):
    both, neither = 5, 4
    a = np.repeat([True, False, True, False], [only_a, only_b, both, neither])
    b = np.repeat([False, True, True, False], [only_a, only_b, both, neither])
    assert mcnemar(a, b) == (only_a, only_b, pytest.approx(p_value, rel=1e-12))
    assert mcnemar(np.stack([a, b]), np.stack([b, b])) == mcnemar(a, b)  # pooled with a pair that always agrees


def test_mcnemar_refuses_episodes_that_are_not_pairs():
    with pytest.raises(ValueError, match=r"equal shapes, got \(3,\) and \(4,\)"):
        mcnemar(np.ones(3), np.ones(4))


def test_holm():
    # From R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.2]) == [0.2]
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, math.nan])


def test_holm_errs_in_few_families():
    draw = np.random.default_rng(0)
    errors = np.mean([min(holm(list(draw.random(5)))) < 0.05 for _ in range(4000)])
    assert errors <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 4000)


@pytest.mark.parametrize(
    ("probability", "freedom", "quantile"),
    [  # from scipy 1.17: t.ppf(probability, freedom)
        (0.975, 1, 12.706205),
        (0.975, 2, 4.302653),
        (0.975, 4.5, 2.658912),
        (0.975, 299, 1.96793),
        (0.975, 1e6, 1.959966),
        (0.9, 7.3, 1.408922),
        (0.9995, 1, 636.619249),
        (0.5, 3, 0.0),
    ],
)
def test_student_quantiles(probability, freedom, quantile):
    assert student_quantile(probability, freedom) == pytest.approx(quantile, rel=1e-6)
    assert student_within(quantile, freedom) == pytest.approx(2 * probability - 1, abs=1e-6)


def test_a_difference_of_single_policies_is_that_of_paired_layouts():
    a, b = np.array([[1, 1, 1, 0, 1]]), np.array([[1, 0, 0, 0, 1]])
    d = paired_difference({"lift": a}, {"lift": b})
    # Layout differences 0, 1, 1, 0, 0 about 0.4: squares 1.2, and 2 from the imaginary pair; 5 + 2 - 1 in place of 4.
    margin = 2.776445 * math.sqrt(3.2 / 6 / 5)  # t.ppf(0.975, 4)
    assert (d.value, d.low, d.high) == pytest.approx((0.4, 0.4 - margin, min(1, 0.4 + margin)))
    assert (d.covers, d.seeds_a, d.seeds_b, d.layouts, d.tasks) == ("policies", 1, 1, 5, 1)
    assert (d.seed_variance, d.episode_variance) == (0, 0)


def test_what_training_seeds_differ_by_lengthens_the_interval():
    draw = np.random.default_rng(0)

    def interval(rates):
        success = draw.random((3, 300)) < np.array(rates)[:, None]
        return paired_difference({"lift": success}, {"lift": draw.random((3, 300)) < 0.5})

    alike, unlike = interval([0.7, 0.7, 0.7]), interval([0.5, 0.7, 0.9])
    assert alike.covers == unlike.covers == "methods"
    assert unlike.high - unlike.low > 3 * (alike.high - alike.low)
    assert unlike.seed_variance == pytest.approx(0.2**2 / 3, rel=0.5)


@pytest.mark.parametrize(("seeds_a", "seeds_b"), [(1, 1), (1, 3), (3, 1)])
def test_one_training_seed_says_nothing_about_the_method(seeds_a, seeds_b):
    draw = np.random.default_rng(0)
    a, b = (draw.random((seeds, 50)) < 0.5 for seeds in (seeds_a, seeds_b))
    several = draw.random((3, 50)) < 0.5
    d = paired_difference({"lift": a, "reach": several}, {"lift": b, "reach": several})
    assert (d.covers, d.seeds_a, d.seeds_b, d.seed_variance) == ("policies", seeds_a, seeds_b, 0.0)


def test_the_parts_of_the_variance_add_up_and_the_p_value_agrees_with_the_interval():
    draw = np.random.default_rng(0)
    for _ in range(50):
        a, b = ({task: draw.random((3, 40)) < rate for task in ("lift", "reach")} for rate in (0.6, 0.5))
        d = paired_difference(a, b)
        error = math.sqrt(d.seed_variance + d.layout_variance + d.episode_variance)
        assert 1.9 * error < (d.high - d.low) / 2 < 4.4 * error  # Student's t with 2 and more degrees of freedom
        assert (d.p_value < 0.05) == (d.low > 0 or d.high < 0)


def test_swapping_the_systems_mirrors_the_interval():
    draw = np.random.default_rng(0)
    a, b = {"lift": draw.random((3, 40)) < 0.6}, {"lift": draw.random((4, 40)) < 0.5}
    d, mirrored = paired_difference(a, b), paired_difference(b, a)
    assert (d.value, d.low, d.high) == pytest.approx((-mirrored.value, -mirrored.high, -mirrored.low))


def test_tasks_weigh_the_same_whatever_their_layouts():
    a = {"lift": np.ones((2, 10)), "reach": np.zeros((2, 90))}
    b = {"lift": np.zeros((2, 10)), "reach": np.zeros((2, 90))}
    assert paired_difference(a, b).value == 0.5


def test_equal_layouts_split_into_tasks_need_no_longer_interval():
    draw = np.random.default_rng(0)
    a, b = draw.random((1, 400)) < 0.6, draw.random((1, 400)) < 0.5
    whole = paired_difference({"all": a}, {"all": b})
    parts = paired_difference({str(k): a[:, k::4] for k in range(4)}, {str(k): b[:, k::4] for k in range(4)})
    assert parts.value == pytest.approx(whole.value)
    assert parts.high - parts.low == pytest.approx(whole.high - whole.low, rel=0.02)


def test_agreement_on_every_layout_is_no_certainty():
    d = paired_difference({"lift": np.ones((1, 300))}, {"lift": np.ones((1, 300))})
    # With 300 layouts and no disagreement, up to 1.2 % of all layouts may be won by one system: 1 - 0.025^(1/300).
    assert 0.008 < d.high == -d.low < 0.0125
    assert d.p_value == 1.0


def test_pairing_pays():
    draw = np.random.default_rng(0)
    hard = draw.random(300)
    a, b = (hard + 0.1 * draw.normal(size=(1, 300)) < rate for rate in (0.6, 0.5))
    paired = paired_difference({"lift": a}, {"lift": b})
    shuffled = paired_difference({"lift": a}, {"lift": draw.permutation(b, axis=1)})
    assert paired.high - paired.low < 0.7 * (shuffled.high - shuffled.low)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ({}, {}, "the same tasks"),
        ({"lift": np.ones((1, 3))}, {"reach": np.ones((1, 3))}, r"the same tasks, got \['lift'\] and \['reach'\]"),
        ({"lift": np.ones((1, 3))}, {"lift": np.ones((1, 4))}, r"lift: .* the same layouts, got \(1, 3\) and \(1, 4\)"),
        ({"lift": np.ones(3)}, {"lift": np.ones(3)}, r"\(seeds, layouts\)"),
        ({"lift": np.ones((0, 3))}, {"lift": np.ones((1, 3))}, r"\(seeds, layouts\)"),
        ({"lift": np.ones((2, 1))}, {"lift": np.ones((2, 1))}, "lift: .* 2 or more of them, got 1"),
        ({"lift": np.full((1, 3), 2.0)}, {"lift": np.ones((1, 3))}, "lift: outcomes lie between 0 and 1"),
        ({"lift": np.full((1, 3), math.nan)}, {"lift": np.ones((1, 3))}, "lift: outcomes lie between 0 and 1"),
    ],
)
def test_outcomes_that_cannot_be_compared_are_explained(a, b, message):
    with pytest.raises(ValueError, match=message):
        paired_difference(a, b)
    with pytest.raises(ValueError, match="strictly between 0 and 1, got 95"):
        paired_difference(a, b, confidence=95)


def test_a_failure_takes_until_the_limit():
    times = restricted_seconds(np.array([[True, False], [False, True]]), np.array([[1.5, 3.0], [8.0, 8.0]]), limit=8.0)
    np.testing.assert_array_equal(times, [[1.5, 8.0], [8.0, 8.0]])
    with pytest.raises(ValueError, match="between 0 s and the limit of 8.0 s"):
        restricted_seconds(np.array([True]), np.array([9.0]), limit=8.0)
    with pytest.raises(ValueError, match=r"got shapes \(2,\) and \(3,\)"):
        restricted_seconds(np.ones(2), np.ones(3), limit=8.0)


def _restricted_mean(log_median, spread, limit):
    """Mean of min(T, limit) (s) for the lognormal T = exp(log_median + spread * normal)."""
    cut = (math.log(limit) - log_median) / spread
    within = math.exp(log_median + spread**2 / 2) * NormalDist().cdf(cut - spread)
    return within + limit * (1 - NormalDist().cdf(cut))


@pytest.mark.parametrize(("seeds", "seed_spread"), [(1, 0.2), (3, 0.05), (3, 0.2), (5, 0.2)])
def test_the_interval_of_the_restricted_mean_covers_the_truth_about_as_often_as_it_says(seeds, seed_spread):
    limit, repeats, layouts = 6.0, 1000, 200  # (s) about 20 % of episodes of one system and 8 % of the other fail
    draw = np.random.default_rng(0)
    shared = draw.normal(0, 0.4, (repeats, 1, layouts))
    times, truths = [], []
    for log_median in (1.0, 1.3):
        of_seed = draw.normal(0, seed_spread, (repeats, seeds, 1))
        taken = np.exp(log_median + of_seed + shared + draw.normal(0, 0.4, (repeats, seeds, layouts)))
        times.append(restricted_seconds(taken < limit, taken, limit))
        spread = math.hypot(0.4, 0.4)
        if seeds == 1:
            truths.append(np.array([_restricted_mean(log_median + s, spread, limit) for s in of_seed[:, 0, 0]]))
        else:
            of_method = _restricted_mean(log_median, math.hypot(spread, seed_spread), limit)
            truths.append(np.full(repeats, of_method))
    covered = 0
    for a, b, truth in zip(*times, truths[0] - truths[1], strict=True):
        d = paired_difference({"lift": a}, {"lift": b}, span=limit)
        covered += d.low <= truth <= d.high
    assert 0.94 - 0.014 <= covered / repeats <= 0.985


# (seeds, tasks)
SCORES_A = np.array(
    [[0.91, 0.62, 0.30], [0.88, 0.71, 0.42], [0.95, 0.55, 0.30], [0.47, 0.66, 0.51], [0.90, 0.69, 0.38]]
)
SCORES_B = np.array([[0.85, 0.58, 0.41], [0.91, 0.49, 0.22], [0.79, 0.66, 0.30]])


def test_aggregates_are_those_of_rliable():
    # pip install rliable==1.2.0 "pandas<3"; then, with 50,000 resamples after np.random.seed(0),
    # get_interval_estimates({"A": SCORES_A, "B": SCORES_B}, lambda x: np.array([metrics.aggregate_iqm(x)])) and
    # get_interval_estimates({"A,B": (SCORES_A, SCORES_B)}, lambda x, y: np.array([probability_of_improvement(x, y)]))
    assert interquartile_mean(SCORES_A) == pytest.approx((0.61222222, 0.52666667, 0.68222222), abs=0.004)
    assert interquartile_mean(SCORES_B) == pytest.approx((0.586, 0.530, 0.636), abs=0.004)
    improvement = probability_of_improvement(SCORES_A, SCORES_B)
    assert improvement == pytest.approx((0.71111111, 0.47777778, 0.91111111), abs=0.03)  # it moves in steps of 1/45
    assert interquartile_mean(SCORES_A).value == pytest.approx(0.61222222)
    assert improvement.value == pytest.approx(0.71111111)


def test_aggregates_agree_with_rliable_on_other_scores():
    try:
        library, metrics = (importlib.import_module(f"rliable.{name}") for name in ("library", "metrics"))
    except (ImportError, TypeError):  # arch, on which it rests, raises TypeError with pandas 3
        pytest.skip('compares only where this is installed: rliable "pandas<3"')
    draw = np.random.default_rng(5)
    a, b = draw.beta(5, 2, (6, 4)), draw.beta(4, 3, (4, 4)).round(1)
    a[:2] = a[:2].round(1)  # with ties

    def by_rliable(scores, measure):
        np.random.seed(0)  # noqa: NPY002 - the generator that rliable draws from
        values, intervals = library.get_interval_estimates(
            {"ours": scores}, lambda *s: np.array([measure(*s)]), reps=5000
        )
        return values["ours"][0], *intervals["ours"][:, 0]

    for scores in (a, b):
        ours = interquartile_mean(scores)
        assert ours == pytest.approx(by_rliable(scores, metrics.aggregate_iqm), abs=0.01)
        assert ours.value == pytest.approx(metrics.aggregate_iqm(scores))
    ours = probability_of_improvement(a, b)
    assert ours == pytest.approx(by_rliable((a, b), metrics.probability_of_improvement), abs=0.03)
    assert ours.value == pytest.approx(metrics.probability_of_improvement(a, b))


def test_the_middle_half_ignores_outliers():
    scores = np.array([[0.0], [0.5], [0.6], [1.0]])
    assert interquartile_mean(scores).value == pytest.approx(0.55)
    scores[0] = -100
    assert interquartile_mean(scores).value == pytest.approx(0.55)


def test_improvement_between_certain_and_none():
    high, low = np.array([[0.8], [0.9]]), np.array([[0.1], [0.2], [0.3]])
    assert probability_of_improvement(high, low) == (1.0, 1.0, 1.0)
    assert probability_of_improvement(low, high) == (0.0, 0.0, 0.0)
    assert probability_of_improvement(high, high).value == 0.5


def test_the_same_seed_gives_the_same_bits():
    assert interquartile_mean(SCORES_A, seed=3) == interquartile_mean(SCORES_A, seed=3)
    assert interquartile_mean(SCORES_A, seed=3) != interquartile_mean(SCORES_A, seed=4)
    improvement = probability_of_improvement(SCORES_A, SCORES_B, seed=3)
    assert improvement == probability_of_improvement(SCORES_A, SCORES_B, seed=3)
    success = {"lift": SCORES_A > 0.5}
    assert paired_difference(success, success) == paired_difference(success, success)


@pytest.mark.parametrize("scores", [np.ones(3), np.ones((1, 3)), np.ones((3, 0)), np.full((3, 3), math.nan)])
def test_scores_that_cannot_be_aggregated_are_refused(scores):
    with pytest.raises(ValueError, match=r"finite, \(seeds, tasks\), of 2 or more training seeds"):
        interquartile_mean(scores)
    with pytest.raises(ValueError, match="the same tasks, got 3 and 1"):
        probability_of_improvement(SCORES_A, SCORES_A[:, :1])
