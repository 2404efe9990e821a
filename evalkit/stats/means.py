"""The mean of shares, one value per item."""

from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.inputs import Values, check_confidence, numbers
from evalkit.stats.paired import paired_means

T_ON_ITEMS = "t on item values"


def mean_share(values: Values, confidence: float = 0.95) -> Estimate:
    """Mean of item values in [0, 1] with Student's t interval, cut to [0, 1].

    n = 0: no value. n = 1, or all values equal: the value without bounds, since their spread cannot be estimated.
    Raises ValueError for nan and for values outside [0, 1]. Source: Student (1908).
    """
    check_confidence(confidence)
    x = numbers("values", values, 0, 1)
    if not len(x):
        return no_estimate("no values", confidence, T_ON_ITEMS)
    found = paired_means(x, [0.0] * len(x), confidence)
    low = None if found.low is None else max(0.0, found.low)
    high = None if found.high is None else min(1.0, found.high)
    warnings = () if found.low is not None else (_no_spread(len(x)),)
    return Estimate(found.value, low, high, confidence, len(x), T_ON_ITEMS, warnings)


def _no_spread(n: int) -> str:
    return "one item gives no interval" if n == 1 else f"all {n} item values are equal: no interval"
