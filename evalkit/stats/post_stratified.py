"""Means, rates, ratios and quantiles weighted to a population whose strata have known shares."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from evalkit.stats import distributions as stats
from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.inputs import SMALLEST, FloatArray, Values, check_confidence, check_quantile, numbers
from evalkit.stats.rates import two_sided_z, wilson_limits

STRATIFIED_T = "stratified t (Satterthwaite)"
STRATIFIED_WILSON = "Wilson score, post-stratified, effective n"
STRATIFIED_LOG_T = "stratified t on the log ratio (delta method)"
STRATIFIED_WOODRUFF = "Woodruff, post-stratified"


class _Strata:
    """Items by stratum, with the share of the population that each stratum is."""

    def __init__(self, n: int, strata: Values, shares: Sequence[float]) -> None:
        of, share = numbers("strata", strata, 0), numbers("shares", shares, 0, 1)
        if len(of) != n:
            raise ValueError(f"lengths differ: {n} values, {len(of)} strata")
        if len(of) and ((of % 1).any() or of.max() >= len(share)):
            raise ValueError(f"strata holds {of.max():g}, which is not one of {len(share)} strata")
        if abs(share.sum() - 1) > 1e-9:
            raise ValueError(f"shares sum to {share.sum():g}, not to 1")
        self.n, self.share = n, share
        self.members = [np.flatnonzero(of == h) for h in range(len(share))]

    @property
    def empty(self) -> str | None:
        """Why nothing can be said; None if something can."""
        lacking = [h for h, items in enumerate(self.members) if self.share[h] > 0 and not len(items)]
        return f"stratum {lacking[0]} has no item" if lacking else None

    @property
    def used(self) -> list[tuple[float, npt.NDArray[np.intp]]]:
        """Share and members of each stratum that counts."""
        return [(float(w), items) for w, items in zip(self.share, self.members, strict=True) if w > 0]

    def mean(self, values: FloatArray) -> float:
        """Of the population."""
        return math.fsum(w * float(values[items].mean()) for w, items in self.used)

    def error(self, values: FloatArray) -> tuple[float, float] | None:
        """Standard error of the mean and its degrees of freedom; None where a stratum has a single item."""
        if any(len(items) < 2 for _, items in self.used):
            return None
        parts = [(w * w * float(values[items].var(ddof=1)) / len(items), len(items) - 1) for w, items in self.used]
        variance = math.fsum(part for part, _ in parts)
        if variance <= 0:
            return None
        return math.sqrt(variance), variance**2 / math.fsum(part**2 / df for part, df in parts)


def stratified_mean(values: Values, strata: Values, shares: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Mean over a population in which stratum h has `shares[h]`, from item means in any unit; `strata[i]` names i's.

    sum W_h mean_h, its variance sum W_h^2 s_h^2 / n_h, and Student's t at Satterthwaite's (1946) degrees of freedom.
    A single item in a stratum, or no spread at all: no bounds. A stratum with a share but no item: no value. n counts
    items. Raises ValueError for bad values, lengths, strata, or shares that do not sum to 1. Source: Cochran (1977),
    chapter 5.
    """
    check_confidence(confidence)
    x = numbers("values", values)
    of = _Strata(len(x), strata, shares)
    if of.empty:
        return no_estimate(of.empty, confidence, STRATIFIED_T, len(x))
    mean, error = of.mean(x), of.error(x)
    if error is None:
        return Estimate(mean, None, None, confidence, len(x), STRATIFIED_T, (_NO_SPREAD,))
    half = _t(confidence, error[1]) * error[0]
    return Estimate(mean, mean - half, mean + half, confidence, len(x), STRATIFIED_T)


_NO_SPREAD = "a stratum of one item, or no spread between items: no interval"


def _t(confidence: float, df: float) -> float:
    return float(stats.t.isf((1 - confidence) / 2, df))


def stratified_rate(values: Values, strata: Values, shares: Sequence[float], confidence: float = 0.95) -> Estimate:
    """A rate over a population of strata, from item means in [0, 1]: Wilson's limits on an effective n.

    The effective n is that whose binomial variance is the stratified one, times (z/t)^2 at Satterthwaite's degrees of
    freedom. Each stratum's variance is that of its items and one more that is half a success (Jeffreys), so that a
    stratum without failures is not taken for certain. Edge cases as in `stratified_mean`, but that a single item has
    limits too. Raises ValueError as it does, and for values outside [0, 1]. Sources: Wilson (1927); Korn and Graubard
    (1998) for the effective n.
    """
    check_confidence(confidence)
    x = numbers("values", values, 0, 1)
    of = _Strata(len(x), strata, shares)
    if of.empty:
        return no_estimate(of.empty, confidence, STRATIFIED_WILSON, len(x))
    rate = of.mean(x)
    softened, parts = 0.0, []
    for w, items in of.used:
        mean = (float(x[items].sum()) + 0.5) / (len(items) + 1)
        spread = (float((x[items] ** 2).sum()) + 0.5) / (len(items) + 1) - mean * mean
        parts.append((w * w * spread / len(items), len(items)))
        softened += w * mean
    variance = math.fsum(part for part, _ in parts)
    df = variance**2 / math.fsum(part**2 / size for part, size in parts)
    n_eff = softened * (1 - softened) / variance * (two_sided_z(confidence) / _t(confidence, df)) ** 2
    low, high = wilson_limits(rate, n_eff, confidence)
    return Estimate(rate, min(low, rate), max(high, rate), confidence, len(x), STRATIFIED_WILSON)


def stratified_ratio(
    top: Values, bottom: Values, strata: Values, shares: Sequence[float], confidence: float = 0.95
) -> Estimate:
    """Ratio of two means over a population of strata, from item means >= 0 in the same order; >= 0.

    Linearised on the log scale (delta method), with t as in `stratified_mean`. A `bottom` of ones gives the mean of
    `top`. A mean of 0: no value. Raises ValueError as `stratified_mean`, and for negative values. Source: Cochran
    (1977), chapter 6.
    """
    check_confidence(confidence)
    y, x = numbers("top", top, 0), numbers("bottom", bottom, 0)
    if len(y) != len(x):
        raise ValueError(f"lengths differ: top has {len(y)}, bottom has {len(x)}")
    of = _Strata(len(y), strata, shares)
    if of.empty:
        return no_estimate(of.empty, confidence, STRATIFIED_LOG_T, len(y))
    over, under = of.mean(y), of.mean(x)
    if min(over, under) < SMALLEST:
        reason = "the mean below the line is 0" if under < SMALLEST else "the mean above the line is 0"
        return no_estimate(reason, confidence, STRATIFIED_LOG_T, len(y))
    ratio, error = over / under, of.error(y / over - x / under)
    if error is None:
        return Estimate(ratio, None, None, confidence, len(y), STRATIFIED_LOG_T, (_NO_SPREAD,))
    half = min(_t(confidence, error[1]) * error[0], 230.0)
    return Estimate(ratio, ratio * math.exp(-half), ratio * math.exp(half), confidence, len(y), STRATIFIED_LOG_T)


def stratified_quantile(
    values: Values, items: Values, strata: Values, shares: Sequence[float], q: float, confidence: float = 0.95
) -> Estimate:
    """The q quantile (0 < q < 1) over a population of strata; `values` in any unit, `items` the item of each.

    `strata` names the stratum of each item. An item's values share its weight. Limits: the weighted quantiles at q plus
    and minus the half width of the interval of the share of values up to the quantile (Woodruff 1952); one that lies
    outside (0, 1) is open. No value for an empty stratum or without values. Raises ValueError as `stratified_mean`.
    """
    check_confidence(confidence)
    check_quantile(q)
    x, item = numbers("values", values), numbers("items", items, 0).astype(int)
    n = len(numbers("strata", strata, 0))
    of = _Strata(n, strata, shares)
    if len(item) != len(x) or item.max(initial=-1) >= n:
        raise ValueError(f"lengths differ: {len(x)} values of {len(item)} items, {n} strata")
    counts = np.bincount(item, minlength=n).astype(float)
    if not len(x) or of.empty or (counts == 0).any():
        return no_estimate(of.empty or "an item has no value", confidence, STRATIFIED_WOODRUFF, n)
    weight = np.zeros(n)
    for w, members in of.used:
        weight[members] = w / len(members)
    order = np.argsort(x, kind="stable")
    reached = np.cumsum((weight[item] / counts[item])[order])
    value = _reached_at(x[order], reached, q)
    below = np.bincount(item, weights=x <= value, minlength=n) / counts
    error = of.error(below)
    if error is None:
        return Estimate(value, None, None, confidence, n, STRATIFIED_WOODRUFF, (_NO_SPREAD,))
    half = two_sided_z(confidence) * error[0]
    low = _reached_at(x[order], reached, q - half) if q - half > 0 else None
    high = _reached_at(x[order], reached, q + half) if q + half < 1 else None
    return Estimate(value, low, high, confidence, n, STRATIFIED_WOODRUFF)


def _reached_at(ordered: FloatArray, reached: FloatArray, share: float) -> float:
    return float(ordered[min(int(np.searchsorted(reached, share - 1e-12)), len(ordered) - 1)])
