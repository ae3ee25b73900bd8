"""Staged progress."""

import numpy as np
import pytest

from envs.progress import Stage, climb


def ladder(done, fractions):
    """Progress of one world; (K,) each."""
    pairs = zip("abcdefgh", done, fractions, strict=False)
    stages = {name: Stage(np.array([is_done]), np.array([fraction])) for name, is_done, fraction in pairs}
    progress = climb(stages)
    assert list(progress.terms) == list(stages)
    return [float(term[0]) for term in progress.terms.values()], int(progress.reached[0])


@pytest.mark.parametrize(
    ("done", "fractions", "terms", "reached"),
    [
        ((False, False, False), (0.5, 0.4, 0.3), [0.5, 0.0, 0.0], 0),  # later fractions wait for the stages before
        ((True, False, False), (0.5, 0.4, 0.3), [1.0, 0.4, 0.0], 1),
        ((True, True, False), (0.0, 0.0, 0.3), [1.0, 1.0, 0.3], 2),
        ((True, True, True), (0.1, 0.2, 0.3), [1.0, 1.0, 1.0], 3),
        ((False, True, False), (0.1, 0.2, 0.3), [1.0, 1.0, 0.3], 2),  # a later stage counts the earlier ones
        ((False, False, True), (0.0, 0.0, 0.0), [1.0, 1.0, 1.0], 3),
    ],
)
def test_progress_climbs_in_order(done, fractions, terms, reached):
    assert ladder(done, fractions) == (terms, reached)


def test_worlds_climb_on_their_own():
    progress = climb(
        {
            "first": Stage(np.array([False, True]), np.array([0.25, 0.25])),
            "second": Stage(np.array([False, False]), np.array([0.5, 0.5])),
        }
    )
    np.testing.assert_array_equal(progress.terms["first"], [0.25, 1.0])
    np.testing.assert_array_equal(progress.terms["second"], [0.0, 0.5])
    np.testing.assert_array_equal(progress.reached, [0, 1])
    assert progress.reached.dtype == np.int64
