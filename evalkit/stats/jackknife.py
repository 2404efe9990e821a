"""Intervals of agreement coefficients: leave one item out, with a score limit where few items disagree."""

import math

import numpy as np

from evalkit.frozen import dataclass
from evalkit.stats.clusters import Codes, item_sums
from evalkit.stats.estimate import Estimate
from evalkit.stats.inputs import FloatArray
from evalkit.stats.rates import two_sided_t, wilson_limits

HYBRID = "leave-one-item-out jackknife on Fisher's z, joined with Wilson on disagreement when it is rare"
RARE = 5  # with fewer disagreeing items the jackknife sees too little of what could go wrong
NEARLY_ONE = 1 - 1e-9


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Observed and expected disagreement of a coefficient 1 - observed / expected.

    `observed` and `expected` in [0, 1] have the total first, then one entry for each item left out, so both
    have 1 + items entries. `disagreeing`: items whose ratings are not all equal.
    """

    observed: FloatArray
    expected: FloatArray
    disagreeing: int

    def coefficients(self) -> FloatArray:
        """1 - observed / expected for the total and each item left out; 1 where nothing varies."""
        varies = self.expected > 1e-12
        ratio = np.divide(self.observed, self.expected, out=np.zeros_like(self.observed), where=varies)
        return np.asarray(1 - ratio)


def left_out_sums(parts: FloatArray, codes: Codes) -> FloatArray:
    """Sums over units (first axis), (1 + items) rows: all first, then without each item's in turn; linear in units."""
    total = parts.sum(axis=0)
    return np.concatenate([total[None], total - item_sums(parts, codes)])


def jackknife_error(left_out: FloatArray) -> FloatArray:
    """Standard error from the values with each item left out (first axis, at least one item)."""
    n = len(left_out)
    squares = ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)
    error: FloatArray = np.sqrt((n - 1) / n * squares)
    return error


def hybrid_estimate(parts: Disagreement, confidence: float, *, warnings: tuple[str, ...] = ()) -> Estimate:
    """The coefficient in [-1, 1] with the interval named HYBRID.

    With fewer than 5 disagreeing items the union with 1 - Wilson(observed) / expected; with none of them the
    upper limit is 1 and the lower one is Wilson's. Needs an expected disagreement above 0.
    """
    every = np.clip(parts.coefficients(), -1, 1)
    value, n = float(every[0]), len(every) - 1
    wilson = _wilson_part(parts, confidence, n)
    if parts.disagreeing == 0:
        low, high = min(wilson[0], value), 1.0
    else:
        low, high = _fisher_limits(value, every[1:], confidence) if n > 1 else wilson
        if parts.disagreeing < RARE:
            low, high = min(low, wilson[0]), max(high, wilson[1])
    return Estimate(value, min(low, value), max(high, value), confidence, n, HYBRID, warnings)


def _wilson_part(parts: Disagreement, confidence: float, n: int) -> tuple[float, float]:
    observed, expected = float(np.clip(parts.observed[0], 0, 1)), float(parts.expected[0])
    least, most = wilson_limits(observed, n, confidence)
    return max(-1.0, 1 - most / expected), max(-1.0, 1 - least / expected)


def _fisher_limits(value: float, left_out: FloatArray, confidence: float) -> tuple[float, float]:
    inside = max(-NEARLY_ONE, min(NEARLY_ONE, value))
    error = float(jackknife_error(left_out)) / (1 - inside * inside)
    half = two_sided_t(confidence, len(left_out) - 1) * error
    return math.tanh(math.atanh(inside) - half), math.tanh(math.atanh(inside) + half)
