"""What a count of successes says about a policy."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist


def wilson_interval(successes: int, episodes: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of success rates, in [0, 1], that `successes` out of `episodes` independent episodes support.

    The score interval stays inside [0, 1] and keeps its meaning near 0 and 1, where the textbook interval
    of one standard error shrinks to nothing.

    Ref: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", Journal of
    the American Statistical Association 22 (1927), 209-212.

    Raises ValueError if there is no episode, the successes are not between 0 and the episodes, or
    `confidence` is not strictly between 0 and 1.
    """
    if episodes < 1:
        raise ValueError(f"an interval needs at least 1 episode, got {episodes}")
    if not 0 <= successes <= episodes:
        raise ValueError(f"successes must be between 0 and the {episodes} episodes, got {successes}")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be strictly between 0 and 1, got {confidence}")

    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate = successes / episodes
    shrink = 1 + z * z / episodes
    centre = (rate + z * z / (2 * episodes)) / shrink
    margin = z / shrink * sqrt(rate * (1 - rate) / episodes + z * z / (4 * episodes * episodes))
    # At the ends the bound is exactly 0 or 1, which rounding may miss by one bit.
    low = 0.0 if successes == 0 else centre - margin
    high = 1.0 if successes == episodes else centre + margin
    return low, high
