"""Verdicts on planted truths: simulated policies whose success rates are known exactly."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from evaluation.statistics import Difference, paired_difference
from evaluation.verdict import Advice, judge

_PHI = NormalDist()
_LAYOUT, _SYSTEM, _LUCK = 1.0, 0.4, 0.4  # spread of difficulty shared by all, of a system's own, of a policy's own
_SPREAD = float(np.hypot(_LAYOUT, np.hypot(_SYSTEM, _LUCK)))
REPEATS = 1000
NOISE = 2 * (0.05 * 0.95 / REPEATS) ** 0.5  # two standard errors of a share of 5 % counted in so many repeats


def planted(rate_a, rate_b, seeds, layouts, seed_spread, repeats=REPEATS, draw_seed=0):
    """Success of two systems on shared layouts, (repeats, seeds, layouts) each, and the true difference (repeats,).

    A policy solves a layout if its skill exceeds the layout's difficulty. All parts are normal, so that the rate of a
    policy and of a method are known. With one seed the truth is that of the drawn policies, else of the methods.
    """
    draw = np.random.default_rng(draw_seed)
    difficulty = draw.normal(0, _LAYOUT, (repeats, 1, layouts))
    outcomes, truths = [], []
    for rate in (rate_a, rate_b):
        mean = _PHI.inv_cdf(rate) * np.hypot(_SPREAD, seed_spread)
        skill = mean + draw.normal(0, seed_spread, (repeats, seeds, 1))
        own = draw.normal(0, _SYSTEM, (repeats, 1, layouts)) + draw.normal(0, _LUCK, (repeats, seeds, layouts))
        outcomes.append(skill + own > difficulty)
        of_policies = np.array([_PHI.cdf(s / _SPREAD) for s in skill[:, 0, 0]])
        truths.append(of_policies if seeds == 1 else np.full(repeats, rate))
    return *outcomes, truths[0] - truths[1]


def differences(a, b):
    return [paired_difference({"task": one}, {"task": other}) for one, other in zip(a, b, strict=True)]


# A spread of 0.1 between training seeds is 3 points of success at a rate of 70 %; 0.3 is 8 points.
@pytest.mark.parametrize(
    ("seeds", "seed_spread"), [(1, 0.3), (2, 0.1), (3, 0.0), (3, 0.1), (3, 0.3), (5, 0.0), (5, 0.1), (5, 0.3)]
)
@pytest.mark.parametrize(("rate_a", "rate_b"), [(0.7, 0.7), (0.9, 0.75)])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(rate_a, rate_b, seeds, seed_spread):
    a, b, truths = planted(rate_a, rate_b, seeds, 300, seed_spread)
    covered = np.mean([d.low <= truth <= d.high for d, truth in zip(differences(a, b), truths, strict=True)])
    # 4000 repeats gave 94 to 97 %, most where seeds do not differ, which 3 of them cannot show.
    assert 0.94 - NOISE <= covered <= 0.985


def test_a_percentile_bootstrap_over_three_seeds_would_cover_too_seldom():
    a, b, truths = planted(0.7, 0.7, 3, 300, 0.3, repeats=500)
    draw = np.random.default_rng(0)

    def drawn(n):
        return draw.multinomial(n, np.full(n, 1 / n), size=500) / n  # (resamples, n) how often each is drawn

    covered = 0
    for one, other, truth in zip(a, b, truths, strict=True):
        resampled = ((drawn(3) @ one - drawn(3) @ other) * drawn(300)).sum(axis=1)
        low, high = np.quantile(resampled, (0.025, 0.975))
        covered += low <= truth <= high
    assert covered / 500 <= 0.9


@pytest.mark.parametrize(("rate_a", "rate_b"), [(0.98, 0.98), (0.999, 0.999), (0.6, 0.6)])
@pytest.mark.parametrize("layouts", [10, 50])
def test_few_layouts_or_few_failures_do_not_make_the_interval_too_short(rate_a, rate_b, layouts):
    for seeds in (1, 3):
        a, b, truths = planted(rate_a, rate_b, seeds, layouts, 0.1, draw_seed=1)
        covered = np.mean([d.low <= truth <= d.high for d, truth in zip(differences(a, b), truths, strict=True)])
        assert covered >= 0.95 - NOISE


@pytest.mark.parametrize("seed_spread", [0.1, 0.3])
def test_the_interval_covers_the_truth_of_several_tasks_and_unequal_numbers_of_seeds(seed_spread):
    tasks = {
        "easy": planted(0.95, 0.85, 4, 100, seed_spread, draw_seed=1),
        "hard": planted(0.5, 0.5, 4, 200, seed_spread, draw_seed=2),
    }
    truth = np.mean([truths[0] for _, _, truths in tasks.values()])
    covered = 0
    for k in range(REPEATS):
        a = {task: outcomes[k] for task, (outcomes, _, _) in tasks.items()}
        b = {task: outcomes[k, :3] for task, (_, outcomes, _) in tasks.items()}
        d = paired_difference(a, b)
        covered += d.low <= truth <= d.high
    assert 0.94 - NOISE <= covered / REPEATS <= 0.985


@pytest.mark.parametrize(("seeds", "seed_spread"), [(1, 0.0), (3, 0.0), (3, 0.1), (3, 0.3), (5, 0.1), (5, 0.3)])
def test_equal_systems_are_seldom_called_different(seeds, seed_spread):
    a, b, _ = planted(0.8, 0.8, seeds, 300, seed_spread)
    kinds = [judge(d, "dual", "single").kind for d in differences(a, b)]
    assert np.mean([kind in ("better", "worse") for kind in kinds]) <= 0.05 + NOISE


@pytest.mark.parametrize(
    ("rate_a", "rate_b", "seeds", "seed_spread"),
    [
        (0.9, 0.75, 1, 0.0),
        (0.9, 0.75, 3, 0.1),
        (0.9, 0.75, 5, 0.15),
        (0.575, 0.425, 1, 0.0),  # the noisiest rates
        (0.575, 0.425, 3, 0.0),
        (0.575, 0.425, 5, 0.15),
    ],
)
def test_fifteen_points_are_found_on_300_layouts(rate_a, rate_b, seeds, seed_spread):
    a, b, _ = planted(rate_a, rate_b, seeds, 300, seed_spread)
    assert np.mean([judge(d, "dual", "single").kind == "better" for d in differences(a, b)]) >= 0.9
    assert np.mean([judge(d, "dual", "single").kind == "worse" for d in differences(b, a)]) >= 0.9


def test_systems_at_the_margin_are_seldom_called_the_same():
    a, b, _ = planted(0.9, 0.85, 3, 300, 0.02)  # 5 points apart
    kinds = [judge(d, "dual", "single").kind for d in differences(a, b)]
    assert np.mean([kind == "same" for kind in kinds]) <= 0.025 + NOISE


def test_equal_systems_are_called_the_same_given_enough_episodes():
    a, b, _ = planted(0.9, 0.9, 5, 500, 0.02, repeats=200)
    assert np.mean([judge(d, "dual", "single").kind == "same" for d in differences(a, b)]) >= 0.95


@pytest.mark.parametrize(
    ("rate_a", "rate_b", "seeds", "layouts", "seed_spread", "asked"),
    [
        (0.80, 0.74, 1, 100, 0.0, ("layouts",)),
        (0.80, 0.70, 3, 80, 0.08, ("layouts", "seeds")),
        (0.80, 0.74, 3, 100, 0.02, ("layouts",)),
        (0.80, 0.74, 3, 300, 0.1, ("seeds",)),
        (0.80, 0.74, 3, 100, 0.1, ("both",)),
        (0.80, 0.80, 5, 100, 0.02, ("layouts",)),
    ],
)
def test_the_advice_is_enough(rate_a, rate_b, seeds, layouts, seed_spread, asked):
    # A table large enough that its variances are the true ones, then scaled to a small one.
    a, b, _ = planted(rate_a, rate_b, 50, 4000, seed_spread, repeats=1, draw_seed=3)
    true = paired_difference({"task": a[0]}, {"task": b[0]})
    small = replace(
        true,
        value=rate_a - rate_b,
        low=-0.2,
        high=0.2,
        covers="policies" if seeds == 1 else "methods",
        layouts=layouts,
        seeds_a=seeds,
        seeds_b=seeds,
        seed_variance=true.seed_variance * 50 / seeds if seeds > 1 else 0.0,
        layout_variance=true.layout_variance * 4000 / layouts,
        episode_variance=true.episode_variance * 50 / seeds * 4000 / layouts,
    )
    advice = judge(small, "dual", "single").advice
    kinds = [("both" if one.layouts and one.seeds else "layouts" if one.layouts else "seeds") for one in advice]
    assert tuple(kinds) == asked, advice
    for one in advice:
        a, b, _ = planted(rate_a, rate_b, seeds + one.seeds, layouts + one.layouts, seed_spread, repeats=200)
        told = np.mean([judge(d, "dual", "single").kind != "unclear" for d in differences(a, b)])
        assert 0.7 <= told <= 0.97


DIFFERENCE = Difference(
    value=0.15,
    low=0.082,
    high=0.218,
    confidence=0.95,
    p_value=1e-5,
    covers="methods",
    tasks=1,
    layouts=300,
    seeds_a=3,
    seeds_b=5,
    seed_variance=0.0003,
    layout_variance=0.0003,
    episode_variance=0.0003,
)
UNCLEAR = replace(DIFFERENCE, value=0.03, low=-0.04, high=0.10, p_value=0.3, layout_variance=0.00003)
METHODS = "This is about the methods, over training seeds and layouts (3 training seeds of dual and 5 of single)."
POLICIES = (
    "This is about these policies on other layouts, not about the methods (1 training seed of dual and 5 of single)."
)


@pytest.mark.parametrize(
    ("difference", "kind", "sentence"),
    [
        (
            DIFFERENCE,
            "better",
            f"dual is better than single by 15.0 points of success (95 % interval 8.2 to 21.8). {METHODS}",
        ),
        (
            replace(DIFFERENCE, covers="policies", seeds_a=1),
            "better",
            f"dual is better than single by 15.0 points of success (95 % interval 8.2 to 21.8). {POLICIES}",
        ),
        (
            replace(DIFFERENCE, value=-0.15, low=-0.218, high=-0.082),
            "worse",
            f"dual is worse than single by 15.0 points of success (95 % interval 8.2 to 21.8). {METHODS}",
        ),
        (
            replace(DIFFERENCE, value=0.02, low=0.01, high=0.03),
            "better",
            "dual is better than single by 2.0 points of success (95 % interval 1.0 to 3.0), "
            f"which is less than the 5 points that matter. {METHODS}",
        ),
        (
            replace(DIFFERENCE, value=-0.0004, low=-0.021, high=0.0202, confidence=0.9),
            "same",
            f"dual and single are the same within 5 points of success (90 % interval -2.1 to 2.0). {METHODS}",
        ),
        (
            UNCLEAR,
            "unclear",
            "Cannot tell dual from single: dual minus single is 3.0 points of success (95 % interval -4.0 to 10.0); "
            f"about 24 more training seeds of each would tell, more layouts alone would not. {METHODS}",
        ),
        (
            replace(UNCLEAR, covers="policies", seeds_a=1, seed_variance=0.0, tasks=2),
            "unclear",
            "Cannot tell dual from single: dual minus single is 3.0 points of success (95 % interval -4.0 to 10.0); "
            f"about 290 more layouts in each task would tell. {POLICIES}",
        ),
    ],
)
def test_sentences(difference, kind, sentence):
    verdict = judge(difference, "dual", "single")
    assert (verdict.kind, verdict.sentence) == (kind, sentence)
    assert bool(verdict.advice) == (kind == "unclear")


def test_an_interval_that_touches_zero_does_not_tell():
    assert judge(replace(DIFFERENCE, low=0.0), "a", "b").kind == "unclear"
    assert judge(replace(DIFFERENCE, low=1e-9), "a", "b").kind == "better"


def test_the_margin_is_the_callers():
    narrow = replace(DIFFERENCE, value=0.0, low=-0.06, high=0.06)
    assert judge(narrow, "a", "b").kind == "unclear"
    assert judge(narrow, "a", "b", same_within=0.1).sentence.startswith("a and b are the same within 10 points")
    with pytest.raises(ValueError, match="margin of sameness lies between 0 and 1, got 5"):
        judge(narrow, "a", "b", same_within=5)


def test_many_comparisons_ask_for_more_evidence():
    barely = replace(DIFFERENCE, value=0.06, low=0.002, high=0.118, p_value=0.04)
    assert judge(barely, "a", "b", p_value=0.04).kind == "better"
    verdict = judge(barely, "a", "b", p_value=0.16)
    assert verdict.kind == "unclear"
    assert "not significant among the comparisons made (p = 0.16 after Holm)" in verdict.sentence
    seeds_if_alone = judge(replace(barely, low=-0.002), "a", "b").advice[-1].seeds
    assert verdict.advice[-1].seeds > seeds_if_alone


def test_many_comparisons_do_not_make_one_more_certain():
    with pytest.raises(ValueError, match="p is 0.3 or more, got 0.01"):
        judge(UNCLEAR, "a", "b", p_value=0.01)


def test_sameness_needs_no_significance():
    assert judge(replace(DIFFERENCE, value=0.02, low=0.01, high=0.03), "a", "b", p_value=0.9).kind == "same"


def test_no_advice_that_nobody_can_follow():
    hopeless = replace(UNCLEAR, value=0.0, low=-0.01, high=0.01)
    verdict = judge(hopeless, "a", "b", same_within=0.001)
    assert verdict.advice == ()
    assert "no practical number of layouts and training seeds would tell" in verdict.sentence


@pytest.mark.parametrize(
    ("advice", "text"),
    [
        (Advice(240, 0), "240 more layouts"),
        (Advice(0, 1), "1 more training seed of each"),
        (Advice(1, 2), "1 more layout and 2 more training seeds of each"),
    ],
)
def test_advice_in_words(advice, text):
    assert str(advice) == text
