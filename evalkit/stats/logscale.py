"""Intervals for positive quantities, made on the log scale."""

import math

from evalkit.stats.estimate import Estimate
from evalkit.stats.inputs import FloatArray, is_constant
from evalkit.stats.rates import two_sided_t

FEWEST = 3
"""Items from which a spread on the log scale says something: Student's t of two is 12.7."""


def scaled(value: float, log_shift: float) -> float | None:
    """value * exp(log_shift), or None where that is too large for a number."""
    try:
        product = value * math.exp(log_shift)
    except OverflowError:
        return None
    return product if math.isfinite(product) else None


def log_half_width(values: FloatArray, scale: float, confidence: float) -> float:
    """Half the width of the t interval of a mean on the log scale (delta method), 0 where all values are equal.

    `scale` > 0 is the mean of at least two `values`, or 1 where they are the items' parts of a logarithm already.
    """
    if is_constant(values, scale):
        return 0.0
    return two_sided_t(confidence, len(values) - 1) * float((values / scale).std(ddof=1)) / math.sqrt(len(values))


def log_t_estimate(
    value: float,
    parts: FloatArray,
    scale: float,
    confidence: float,
    method: str,
    *,
    warnings: tuple[str, ...] = (),
) -> Estimate:
    """value * exp(-+ t * sd(parts) / sqrt(n)), where `parts` are the items' contributions to log(value).

    `scale` is the size of the numbers the parts were computed from. One or two items (whose interval spans orders of
    magnitude whatever they are), or parts that do not differ, leave the value without bounds, with a warning.
    """
    n = len(parts)
    if n < FEWEST:
        few = "one item gives" if n == 1 else f"{n} items give"
        return Estimate(value, None, None, confidence, n, method, (*warnings, f"{few} no interval"))
    if is_constant(parts, scale):
        warning = f"all {n} items contribute equally: their spread cannot be estimated"
        return Estimate(value, None, None, confidence, n, method, (*warnings, warning))
    half = two_sided_t(confidence, n - 1) * float(parts.std(ddof=1)) / math.sqrt(n)
    return Estimate(value, scaled(value, -half), scaled(value, half), confidence, n, method, warnings)
