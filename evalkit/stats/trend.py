"""Growth of a quantity that is measured once a period, as a factor per period."""

import math

import numpy as np

from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.inputs import SMALLEST, Values, check_confidence, is_constant, numbers
from evalkit.stats.logscale import scaled
from evalkit.stats.rates import two_sided_t

LOG_LINEAR = "log-linear least squares, t"


def growth(values: Values, confidence: float = 0.95) -> Estimate:
    """Factor by which values > 0 change from one period to the next: exp of the slope of log(value) on the period.

    `n` counts periods. Fewer than 3: no value. Values on one line: the value without bounds. The interval takes the
    periods' deviations from the line as independent. Raises ValueError for values of 0 or below. Source: Student (1908)
    on the slope's least-squares error.
    """
    check_confidence(confidence)
    y = np.log(numbers("values", values, SMALLEST))
    n = len(y)
    if n < 3:
        return no_estimate("fewer than 3 periods", confidence, LOG_LINEAR, n)
    x = np.arange(n) - (n - 1) / 2
    slope = float(x @ y / (x @ x))
    rest = y - y.mean() - slope * x
    if is_constant(rest, max(1.0, float(np.abs(y).max()))):
        warning = f"all {n} periods lie on one line: their spread cannot be estimated"
        return Estimate(math.exp(slope), None, None, confidence, n, LOG_LINEAR, (warning,))
    half = two_sided_t(confidence, n - 2) * math.sqrt(float(rest @ rest) / (n - 2) / float(x @ x))
    return Estimate(math.exp(slope), scaled(1.0, slope - half), scaled(1.0, slope + half), confidence, n, LOG_LINEAR)
