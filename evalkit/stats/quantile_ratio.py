"""Ratio of a quantile on two sides of the same items, by a paired bootstrap of the smoothed quantile."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from evalkit.stats.beta import FAR, betainc
from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.inputs import (
    SMALLEST,
    FloatArray,
    Values,
    as_array,
    check_confidence,
    check_quantile,
    check_same_length,
    numbers,
)
from evalkit.stats.resamples import drawn
from evalkit.stats.sample_quantiles import percentile_interval

METHOD = "paired bootstrap of the Harrell-Davis ratio"
RESAMPLES = 2000
_FEWEST = 5
_CELLS = 2_000_000
"""Values of resamples that are held at once."""

IntArray = npt.NDArray[np.int64]
Pooled = tuple[FloatArray, IntArray]
"""Values in ascending order, and the item of each."""


def quantile_ratio(
    candidate: Sequence[Values], baseline: Sequence[Values], q: float, seed: int, confidence: float = 0.95
) -> tuple[Estimate, float | None]:
    """Ratio of the q quantiles (0 < q < 1), candidate over baseline, without unit; and a one-sided p of "no larger".

    Both sides: values > 0 (seconds) of each item, one list an item in the same order, at least one value in each.
    Items are drawn with all their values, the same on both sides; the quantile is Harrell and Davis's (1982), over
    all values. 2000 resamples from `seed`; limits are percentiles; p = (1 + resamples with a ratio of 1 or below) /
    2001. No item: no value, p None. Fewer than 5 items: the value without bounds, p None. Raises ValueError for values
    of 0 or below, empty items, different lengths.
    """
    check_quantile(q)
    return quantile_ratios(candidate, baseline, [q], seed, confidence)[0]


def quantile_ratios(
    candidate: Sequence[Values], baseline: Sequence[Values], qs: Values, seed: int, confidence: float = 0.95
) -> list[tuple[Estimate, float | None]]:
    """`quantile_ratio` of several quantiles, on the same resamples. Arguments and edge cases as there; no `qs`: empty.

    Raises ValueError as that function does. Source: Harrell and Davis (1982), as there.
    """
    shares = numbers("qs", qs).tolist()
    for q in shares:
        check_quantile(q)
    check_confidence(confidence)
    check_same_length(candidate=candidate, baseline=baseline)
    top, bottom = (_pooled(name, side) for name, side in (("candidate", candidate), ("baseline", baseline)))
    n = len(candidate)
    if n == 0 or not shares:
        return [(no_estimate("no pairs", confidence, METHOD), None) for _ in shares]
    once = np.ones((1, n), dtype=np.int64)
    values = (_harrell_davis(*top, once, shares) / _harrell_davis(*bottom, once, shares))[0].tolist()
    if n < _FEWEST:
        warning = f"{n} items: {_FEWEST} are needed for an interval"
        return [(Estimate(value, None, None, confidence, n, METHOD, (warning,)), None) for value in values]
    resampled = _resampled(top, bottom, n, shares, seed)
    return [_estimate(value, ratios, n, confidence) for value, ratios in zip(values, resampled.T, strict=True)]


def _estimate(value: float, ratios: FloatArray, n: int, confidence: float) -> tuple[Estimate, float]:
    low, high = percentile_interval(ratios, confidence)
    p = (1 + int((ratios <= 1).sum())) / (RESAMPLES + 1)
    return Estimate(value, min(low, value), max(high, value), confidence, n, METHOD), p


def _resampled(top: Pooled, bottom: Pooled, n: int, qs: Sequence[float], seed: int) -> FloatArray:
    """The ratio of each quantile in each resample; drawn in parts, so that memory stays bounded."""
    rng, rows, found = np.random.default_rng(seed), max(1, _CELLS // max(len(top[0]), len(bottom[0]))), []
    for begin in range(0, RESAMPLES, rows):
        times = drawn(rng, min(rows, RESAMPLES - begin), n)
        found.append(_harrell_davis(*top, times, qs) / _harrell_davis(*bottom, times, qs))
    return np.concatenate(found)


def _pooled(name: str, side: Sequence[Values]) -> Pooled:
    """All values of a side in ascending order, and the item of each."""
    lists = [as_array(f"{name}[{place}]", values) for place, values in enumerate(side)]
    if any(one.ndim != 1 or not (one >= SMALLEST).all() for one in lists):
        lists = [numbers(f"{name}[{place}]", values, SMALLEST) for place, values in enumerate(side)]  # which tells
    if empty := [place for place, values in enumerate(lists) if not len(values)]:
        raise ValueError(f"{name}[{empty[0]}] has no value")
    values = np.concatenate(lists) if lists else np.empty(0)
    items = np.repeat(np.arange(len(lists)), [len(one) for one in lists])
    order = np.argsort(values, kind="stable")
    return values[order], items[order]


def _harrell_davis(values: FloatArray, items: IntArray, drawn: IntArray, qs: Sequence[float]) -> FloatArray:
    """The smoothed quantiles of each resample, where `drawn` (resamples x items) counts how often an item was drawn."""
    counts = np.cumsum(drawn[:, items], axis=1)
    return np.stack([_smoothed(values, counts, q) for q in qs], axis=1)


def _smoothed(values: FloatArray, counts: IntArray, q: float) -> FloatArray:
    """From the cumulated `counts` (resamples x values); values where the beta distribution has no mass are left out."""
    totals = counts[:, -1]
    reach = np.sqrt(FAR / (totals + 2))
    begin = int(np.searchsorted((counts >= (totals * (q - reach))[:, None]).any(axis=0), True))
    end = int(np.searchsorted((counts > (totals * (q + reach))[:, None]).all(axis=0), True)) + 1
    inside = counts[:, begin:end]
    each, rows = np.unique(totals, return_inverse=True)  # one alone, where every item has as many values
    least, most = np.full(len(each), totals.max()), np.zeros_like(each)
    np.minimum.at(least, rows, inside[:, 0])
    np.maximum.at(most, rows, inside[:, -1])
    widths = most - least + 1
    first = np.cumsum(widths) - widths - least  # where a count of 0 would stand, for each total
    total = np.repeat(each, widths)
    shares = (np.arange(len(total)) - np.repeat(first, widths)) / total
    reached = betainc((total + 1) * q, (total + 1) * (1 - q), shares)[first[rows][:, None] + inside]
    return np.asarray(np.diff(reached, axis=1, prepend=0.0) @ values[begin:end])
