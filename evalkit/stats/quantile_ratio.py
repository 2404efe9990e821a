"""Ratio of a quantile on two sides of the same items, by a paired bootstrap of the smoothed quantile."""

from collections.abc import Sequence

import numpy as np
from scipy import special

from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.inputs import (
    SMALLEST,
    FloatArray,
    Values,
    check_confidence,
    check_quantile,
    check_same_length,
    numbers,
)

METHOD = "paired bootstrap of the Harrell-Davis ratio"
RESAMPLES = 2000
_FEWEST = 5


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
    check_confidence(confidence)
    check_same_length(candidate=candidate, baseline=baseline)
    sides = [_pooled(name, side) for name, side in (("candidate", candidate), ("baseline", baseline))]
    n = len(candidate)
    if n == 0:
        return no_estimate("no pairs", confidence, METHOD), None
    once = np.ones((1, n))
    top, bottom = (float(_harrell_davis(*side, once, q)[0]) for side in sides)
    if n < _FEWEST:
        warning = f"{n} items: {_FEWEST} are needed for an interval"
        return Estimate(top / bottom, None, None, confidence, n, METHOD, (warning,)), None
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), RESAMPLES).astype(np.float64)
    ratios = _harrell_davis(*sides[0], drawn, q) / _harrell_davis(*sides[1], drawn, q)
    tail = (1 - confidence) / 2
    low, high = (float(x) for x in np.quantile(ratios, [tail, 1 - tail]))
    value = top / bottom
    p = (1 + int((ratios <= 1).sum())) / (RESAMPLES + 1)
    return Estimate(value, min(low, value), max(high, value), confidence, n, METHOD), p


def _pooled(name: str, side: Sequence[Values]) -> tuple[FloatArray, np.ndarray[tuple[int, ...], np.dtype[np.intp]]]:
    """All values of a side in ascending order, and the item of each."""
    lists = [numbers(f"{name}[{place}]", values, SMALLEST) for place, values in enumerate(side)]
    if empty := [place for place, values in enumerate(lists) if not len(values)]:
        raise ValueError(f"{name}[{empty[0]}] has no value")
    values = np.concatenate(lists) if lists else np.empty(0)
    items = np.repeat(np.arange(len(lists)), [len(one) for one in lists])
    order = np.argsort(values, kind="stable")
    return values[order], items[order]


def _harrell_davis(
    values: FloatArray, items: np.ndarray[tuple[int, ...], np.dtype[np.intp]], drawn: FloatArray, q: float
) -> FloatArray:
    """The smoothed quantile of each resample, where `drawn` (resamples x items) counts how often an item was drawn."""
    found = np.empty(len(drawn))
    rows = max(1, 2_000_000 // max(1, len(values)))
    for begin in range(0, len(drawn), rows):
        counts = np.cumsum(drawn[begin : begin + rows][:, items], axis=1)
        total = counts[:, -1:]
        reached = special.betainc((total + 1) * q, (total + 1) * (1 - q), counts / total)
        found[begin : begin + rows] = np.diff(reached, axis=1, prepend=0.0) @ values
    return found
