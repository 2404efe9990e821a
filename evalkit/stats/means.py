"""The mean of shares, one value per item."""

from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.inputs import Values, numbers
from evalkit.stats.paired import paired_means

T_ON_ITEMS = "t on item values"


def mean_share(values: Values, confidence: float = 0.95) -> Estimate:
    """Mean of item values in [0, 1] with Student's t interval, cut to [0, 1].

    n = 0: no value. n = 1, or all values equal: the value without bounds, since their spread cannot be estimated.
    Raises ValueError for nan and for values outside [0, 1].
    """
    x = numbers("values", values, 0, 1)
    if not len(x):
        return no_estimate("no values", confidence, T_ON_ITEMS)
    found = paired_means(x, [0.0] * len(x), confidence)
    low = None if found.low is None else max(0.0, found.low)
    high = None if found.high is None else min(1.0, found.high)
    return Estimate(found.value, low, high, confidence, len(x), T_ON_ITEMS)
