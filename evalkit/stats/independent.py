"""Two rates on different items: their difference, from the two intervals."""

import math

from evalkit.stats.estimate import Estimate, no_estimate

SQUARE_AND_ADD = "Newcombe square-and-add"


def rate_gap(a: Estimate, b: Estimate) -> Estimate:
    """Rate `a` minus rate `b` of two disjoint sets of items, in [-1, 1]; method 10 of Newcombe (1998).

    Each bound combines the two intervals' distances from their values by root of the sum of squares, so that intervals
    on an effective n keep their width. Both need the same confidence. No value if either has none or lacks a bound; n
    is that of both together. Swapping the two mirrors the result. Raises ValueError for unequal confidence.
    """
    if a.confidence != b.confidence:
        raise ValueError(f"confidence differs: {a.confidence} and {b.confidence}")
    if a.value is None or b.value is None:
        return no_estimate(a.reason or b.reason or "a rate is missing", a.confidence, SQUARE_AND_ADD, a.n + b.n)
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return no_estimate("a rate has no interval", a.confidence, SQUARE_AND_ADD, a.n + b.n)
    gap = a.value - b.value
    low = gap - math.hypot(a.value - a.low, b.high - b.value)
    high = gap + math.hypot(a.high - a.value, b.value - b.low)
    return Estimate(gap, max(-1.0, low), min(1.0, high), a.confidence, a.n + b.n, SQUARE_AND_ADD)
