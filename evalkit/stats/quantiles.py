"""Quantiles with distribution-free intervals, for one value per item or several."""

import math
from collections.abc import Hashable, Sequence
from functools import lru_cache

import numpy as np

from evalkit.stats import distributions as stats
from evalkit.stats.beta import FAR, betainc
from evalkit.stats.clusters import item_codes
from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.inputs import (
    FloatArray,
    Values,
    check_confidence,
    check_quantile,
    check_same_length,
    check_whole,
    numbers,
)
from evalkit.stats.rates import cluster_design
from evalkit.stats.sample_quantiles import interpolated

ORDER_STATISTICS = "order statistics"
WOODRUFF = "order statistics, effective n (Woodruff)"


def values_needed(q: float, confidence: float = 0.95) -> int:
    """The least number of independent values for which both limits of the q quantile exist: 72 for 0.95 at 95 %.

    0 < q < 1, and at least 1e-9 away from both. Raises ValueError otherwise. Source: binomial limits of order
    statistics (Thompson 1936).
    """
    check_quantile(q)
    check_confidence(confidence)
    tail = math.log((1 - confidence) / 2)
    return max(1, math.ceil(tail / math.log1p(-min(q, 1 - q)) - 1e-9))


def quantile(values: Values, q: float, confidence: float = 0.95, *, censored: Values = ()) -> Estimate:
    """The q quantile (0 < q < 1) in the unit of `values` (seconds), with the order-statistic interval.

    The value is Harrell and Davis's (1982) smoothed quantile; where extreme values drag it out of the
    interval, the plain sample quantile, with a warning. `censored` holds the limits at which further values were
    given up (timeouts): they rank above all others, the value is then the plain sample quantile, and a value or
    upper limit that falls among them is None. A limit that does not exist at this n is None, and a warning says
    how many values it takes. n counts both kinds. n = 0: no value; n = 1 and 2: the value without bounds. Ties
    are fine. Raises ValueError for nan, infinite values, or q outside (0, 1).
    """
    check_quantile(q)
    check_confidence(confidence)
    limits = numbers("censored", censored)
    x = np.append(np.sort(numbers("values", values)), np.full(len(limits), np.inf))
    n = len(x)
    if n == 0:
        return no_estimate("no values", confidence, ORDER_STATISTICS)
    low_rank, high_rank = _ranks(n, q, confidence)
    low, high = (float(x[rank - 1]) if 1 <= rank <= n else None for rank in (low_rank, high_rank))
    missing = _missing_limits(low, high, f"{n} values: {values_needed(q, confidence)} are needed")
    return _estimate(x, q, (low, high), limits, (confidence, n, ORDER_STATISTICS), missing)


@lru_cache(maxsize=256)  # the clocks of all models are often read as many times
def _ranks(n: int, q: float, confidence: float) -> tuple[int, int]:
    """Ranks of the order statistics that are the limits, from 0 (no lower one) to n + 1 (no upper one)."""
    tail = (1 - confidence) / 2
    return int(stats.binom.ppf(tail, n, q)), int(stats.binom.isf(tail, n, q)) + 1


def _estimate(
    x: FloatArray,
    q: float,
    bounds: tuple[float | None, float | None],
    limits: FloatArray,
    rest: tuple[float, int, str],
    warnings: tuple[str, ...],
) -> Estimate:
    """The quantile of sorted values, infinite where censored, with bounds that may be infinite too."""
    low, high = (None if bound == np.inf else bound for bound in bounds)
    if not len(limits):
        value, dragged = _smooth_quantile(x, q, low, high)
        return Estimate(value, low, high, *rest, warnings + dragged)
    if np.inf in bounds:
        warnings += (f"a limit falls among the {len(limits)} of {len(x)} values that were given up: it is open",)
    below = (len(x) - 1) * q
    first, second = float(x[int(below)]), float(x[math.ceil(below)])
    if second == np.inf:
        reason = (
            f"at least {limits.min():.4g} s: it falls among the {len(limits)} of {len(x)} values that were given up"
        )
        return Estimate(None, low, None, *rest, warnings, reason)
    value = first + (second - first) * (below - int(below))
    value = min(max(value, value if low is None else low), float("inf") if high is None else high)
    return Estimate(value, low, high, *rest, warnings)


def _smooth_quantile(x: FloatArray, q: float, low: float | None, high: float | None) -> tuple[float, tuple[str, ...]]:
    smooth = float(_harrell_davis_weights(len(x), q) @ x)
    smooth = min(max(smooth, float(x[0])), float(x[-1]))  # rounding only: it is a weighted mean of the values
    if (low is None or smooth >= low) and (high is None or smooth <= high):
        return smooth, ()
    plain = interpolated(x, q)
    plain = min(max(plain, x[0] if low is None else low), x[-1] if high is None else high)
    return float(plain), ("extreme values drag the smoothed quantile out of the interval: sample quantile",)


@lru_cache(maxsize=16)
def _harrell_davis_weights(n: int, q: float) -> FloatArray:
    """How much each of n sorted values counts in the smooth q quantile (Harrell and Davis 1982)."""
    shares = np.arange(n + 1) / n
    reached = np.where(shares < q, 0.0, 1.0)
    near = np.abs(shares - q) < math.sqrt(FAR / (n + 2))
    reached[near] = betainc(q * (n + 1), (1 - q) * (n + 1), shares[near])
    weights: FloatArray = np.diff(reached)
    weights.setflags(write=False)  # shared by every caller through the cache
    return weights


def _missing_limits(low: float | None, high: float | None, from_values: str) -> tuple[str, ...]:
    names = [name for name, bound in (("lower", low), ("upper", high)) if bound is None]
    return (f"no {' and no '.join(names)} limit from {from_values}",) if names else ()


def quantile_clustered(
    values: Values,
    items: Sequence[Hashable],
    q: float,
    confidence: float = 0.95,
    *,
    censored: Values = (),
    censored_items: Sequence[Hashable] = (),
) -> Estimate:
    """The q quantile (0 < q < 1) of all values when items have several each; in the unit of `values` (seconds).

    `items` names the item of every value, `censored_items` that of every limit in `censored` (see `quantile`).
    Order statistics of the pooled values at the ranks of an effective sample (Woodruff 1952): the design effect is
    that of the indicator value <= quantile, adjusted for few items. `n` counts items. One value per item: exactly
    `quantile`. A limit that does not exist at the effective n is None, with a warning. n = 0: no value; one item:
    the value without bounds. Raises ValueError for bad values or lengths.
    """
    check_quantile(q)
    check_confidence(confidence)
    check_same_length(values=values, items=items)
    check_same_length(censored=censored, censored_items=censored_items)
    known, limits = numbers("values", values), numbers("censored", censored)
    x = np.append(known, np.full(len(limits), np.inf))
    of_item = item_codes([*items, *censored_items], x)
    if int(of_item.max(initial=-1)) + 1 == len(x):
        return quantile(known, q, confidence, censored=limits)
    ordered = np.sort(x)
    below = x <= (interpolated(ordered, q) if not len(limits) else ordered[math.ceil((len(x) - 1) * q)])
    design = cluster_design(np.bincount(of_item, weights=below), np.bincount(of_item))
    n_eff = design.adjusted_n_eff(confidence)
    bounds = _effective_limits(ordered, q, n_eff, confidence)
    needed = f"an effective sample of {n_eff:.1f}: {values_needed(q, confidence)} are needed"
    return _estimate(ordered, q, bounds, limits, (confidence, design.items, WOODRUFF), _missing_limits(*bounds, needed))


def _effective_limits(x: FloatArray, q: float, n_eff: float, confidence: float) -> tuple[float | None, float | None]:
    """The sorted values at the binomial ranks of a sample of n_eff, scaled to all values, rounded outwards."""
    n = math.floor(n_eff + 1e-9)
    if n < 1:
        return None, None
    low_rank, high_rank = _ranks(n, q, confidence)
    low = float(x[math.floor(low_rank * len(x) / n) - 1]) if low_rank >= 1 else None
    high = float(x[math.ceil(high_rank * len(x) / n) - 1]) if high_rank <= n else None
    return low, high


def dkw_epsilon(n: int, confidence: float = 0.95) -> float:
    """Half height of the band around an empirical distribution of n >= 1 values, a share in (0, 1].

    The Dvoretzky-Kiefer-Wolfowitz inequality with Massart's (1990) constant: the whole true curve lies in the
    band with at least this confidence. Capped at 1. Raises ValueError for n < 1.
    """
    check_confidence(confidence)
    check_whole(n=n)
    if n < 1:
        raise ValueError(f"n = {n}: a band needs at least one value")
    return min(1.0, math.sqrt(math.log(2 / (1 - confidence)) / (2 * n)))
