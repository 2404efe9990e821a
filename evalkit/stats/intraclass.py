"""Intraclass correlation of continuous grades, and what averaging graders brings."""

import math

import numpy as np

from evalkit.stats import distributions as stats
from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.gradings import NO_VARIATION, SINGLE_GRADER, Grades, grade_table
from evalkit.stats.inputs import FloatArray, check_confidence, check_whole, is_constant

ICC_F = "two-way random effects, F interval"


def icc_agreement(ratings: Grades, confidence: float = 0.95) -> Estimate:
    """ICC(2,1): absolute agreement of a single grader, at most 1 (Shrout and Fleiss 1979), with its F interval.

    `ratings`: graders x items, at least two of each; items with a missing rating are left out with a warning.
    All ratings equal, fewer than two graders or complete items: no value and a reason. Perfect agreement: 1
    without bounds. The value may be below 0. Raises ValueError for ragged or infinite ratings.
    """
    check_confidence(confidence)
    table = grade_table(ratings)
    complete = np.atleast_1d(~np.isnan(table).any(axis=0))
    y = table[:, complete]
    k, n = y.shape
    if k < 2:
        return no_estimate(SINGLE_GRADER, confidence, ICC_F, n)
    if n < 2:
        return no_estimate("fewer than two complete items; agreement cannot be assessed", confidence, ICC_F, n)
    size = float(np.abs(y).max())
    if is_constant(y.ravel(), size):
        return no_estimate(NO_VARIATION, confidence, ICC_F, n)
    left_out = int((~complete).sum())
    warnings = (f"{left_out} of {len(complete)} items have a missing rating and are left out",) if left_out else ()
    return _icc(y / size, confidence, warnings)


def _icc(y: FloatArray, confidence: float, warnings: tuple[str, ...]) -> Estimate:
    k, n = y.shape
    items, graders = y.mean(axis=0) - y.mean(), y.mean(axis=1) - y.mean()
    of_items = k * float(items @ items) / (n - 1)
    of_graders = n * float(graders @ graders) / (k - 1)
    rest = float(((y - y.mean() - items - graders[:, None]) ** 2).sum()) / ((n - 1) * (k - 1))
    total = of_items + (k - 1) * rest + k * (of_graders - rest) / n
    if total <= 1e-20:
        return no_estimate("no total variance left; agreement cannot be assessed", confidence, ICC_F, n)
    value = (of_items - rest) / total
    if max(rest, of_graders) <= 1e-20:
        return Estimate(1.0, None, None, confidence, n, ICC_F, (*warnings, "perfect agreement: no interval"))
    if rest <= 1e-20:
        return Estimate(value, None, None, confidence, n, ICC_F, (*warnings, "graders differ by constants only"))
    low, high = _f_limits(value, of_items, of_graders, rest, (k, n), confidence)
    return Estimate(value, min(low, value), max(high, value), confidence, n, ICC_F, warnings)


def _f_limits(
    value: float, of_items: float, of_graders: float, rest: float, shape: tuple[int, int], confidence: float
) -> tuple[float, float]:
    k, n = shape
    a, b = k * value / (n * (1 - value)), 1 + k * value * (n - 1) / (n * (1 - value))
    df = (a * of_graders + b * rest) ** 2 / (
        (a * of_graders) ** 2 / (k - 1) + (b * rest) ** 2 / ((n - 1) * (k - 1))
    )  # Satterthwaite
    tail = (1 - confidence) / 2
    f_low, f_high = float(stats.f.isf(tail, n - 1, df)), float(stats.f.isf(tail, df, n - 1))
    noise = k * of_graders + (k * n - k - n) * rest
    low = n * (of_items - f_low * rest) / (f_low * noise + n * of_items)
    high = n * (f_high * of_items - rest) / (noise + n * f_high * of_items)
    return (low if math.isfinite(low) else -1.0), (high if math.isfinite(high) else 1.0)


def spearman_brown(icc: float, graders: int) -> float:
    """Reliability of the mean of `graders` >= 1 graders, each of reliability `icc` in [0, 1]; in [0, 1].

    1 grader keeps it, 0 stays 0 and 1 stays 1. Raises ValueError outside these ranges. Source: Spearman (1910),
    Brown (1910).
    """
    check_whole(graders=graders)
    if graders < 1 or not 0 <= icc <= 1:
        raise ValueError(f"icc = {icc} with {graders} graders: icc from 0 to 1 and one or more graders are needed")
    return graders * icc / (1 + (graders - 1) * icc)
