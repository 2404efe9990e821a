"""Plain quantiles of a sample: those of `np.quantile`, without numpy's masked arrays, which it loads first."""

from collections.abc import Sequence

import numpy as np

from evalkit.stats.inputs import FloatArray, Values, check_share, numbers


def sample_quantile(values: Values, q: float) -> float | None:
    """The plain q quantile (0 < q < 1) in the unit of `values`, by linear interpolation (type 7); None for n = 0.

    Source: Hyndman and Fan (1996). Raises ValueError for nan, infinite values, or q outside (0, 1).
    """
    check_share("q", q)
    ordered = np.sort(numbers("values", values))
    return interpolated(ordered, q) if len(ordered) else None


def percentile_interval(draws: FloatArray, confidence: float) -> tuple[float, float]:
    """The two quantiles of resampled or simulated values, at least one, that hold `confidence` of them."""
    ordered, tail = np.sort(draws), (1 - confidence) / 2
    return interpolated(ordered, tail), interpolated(ordered, 1 - tail)


def values_reached(values: FloatArray, shares: Sequence[float] | FloatArray) -> set[float]:
    """The first of the values, at least one, at or above each quantile: ones that are there, each once."""
    return set(np.sort(values)[np.ceil((len(values) - 1) * np.asarray(shares)).astype(np.int64)].tolist())


def interpolated(ordered: FloatArray, q: float) -> float:
    """The q quantile of sorted values, at least one, by linear interpolation between its neighbours."""
    place = (len(ordered) - 1) * q
    first, second = float(ordered[int(place)]), float(ordered[min(int(place) + 1, len(ordered) - 1)])
    past = place - int(place)
    return second - (second - first) * (1 - past) if past >= 0.5 else first + (second - first) * past
