"""Tango's score statistic and limits for a difference of paired rates."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.stats.inputs import FloatArray

HALVINGS = 60  # the bracket of width 2 shrinks below 2e-18, under the spacing of doubles near 1
_TINY = float(np.finfo(np.float64).tiny)


def tango_statistic(
    gain: npt.ArrayLike, loss: npt.ArrayLike, n: float | FloatArray, difference: npt.ArrayLike
) -> FloatArray:
    """Score statistic of H0: rate difference = `difference` in (-1, 1), element-wise (Tango 1998).

    `gain` and `loss` count the pairs that only the first and only the second side passes; `n` > 0 pairs; none
    need be whole. Approximately standard normal under H0; positive when the data lie above `difference`.
    """
    gains, losses, d = (np.asarray(part, dtype=np.float64) for part in (gain, loss, difference))
    statistic: FloatArray = _statistic(gains, losses, n, d, np.sqrt, np.maximum)
    return statistic


def _statistic(
    gains: Any, losses: Any, n: Any, d: Any, root: Callable[[Any], Any], larger: Callable[[Any, Any], Any]
) -> Any:
    """`tango_statistic` of arrays, or of single numbers with the functions for those, which are much faster then."""
    linear = -gains - losses + (2 * n - gains + losses) * d
    constant = -losses * d * (1 - d)
    loss_rate = (root(larger(linear * linear - 8 * n * constant, 0)) - linear) / (4 * n)
    variance = n * (2 * loss_rate + d * (1 - d))
    return (gains - losses - n * d) / root(larger(variance, _TINY))


def tango_limits(
    gain: npt.ArrayLike, loss: npt.ArrayLike, n: float | FloatArray, z: float
) -> tuple[FloatArray, FloatArray]:
    """Limits of the rate difference, element-wise: where the score statistic equals +z and -z, by bisection.

    Exactly -1 or 1 where every pair is a loss or a gain. `n` > 0, `z` > 0.
    """
    if isinstance(gain, int | float) and isinstance(loss, int | float) and isinstance(n, int | float):
        return _limits_of_one(float(gain), float(loss), float(n), z)
    gains, losses = np.asarray(gain, dtype=np.float64), np.asarray(loss, dtype=np.float64)
    difference = (gains - losses) / n
    low = _crossing(gains, losses, n, z, left=np.full_like(difference, -1.0), right=difference)
    high = _crossing(gains, losses, n, -z, left=difference, right=np.ones_like(difference))
    low, high = np.where(losses >= n, -1.0, low), np.where(gains >= n, 1.0, high)
    return low, high


def _limits_of_one(gains: float, losses: float, n: float, z: float) -> tuple[FloatArray, FloatArray]:
    def crossing(target: float, left: float, right: float) -> float:
        for _ in range(HALVINGS):
            middle = (left + right) / 2
            if _statistic(gains, losses, n, middle, math.sqrt, max) > target:
                left = middle
            else:
                right = middle
        return (left + right) / 2

    difference = (gains - losses) / n
    low = -1.0 if losses >= n else crossing(z, -1.0, difference)
    high = 1.0 if gains >= n else crossing(-z, difference, 1.0)
    return np.asarray(low), np.asarray(high)


def _crossing(
    gains: FloatArray, losses: FloatArray, n: float | FloatArray, target: float, *, left: FloatArray, right: FloatArray
) -> FloatArray:
    """Where the statistic, which falls from left to right, crosses `target`."""
    for _ in range(HALVINGS):
        middle = (left + right) / 2
        above = tango_statistic(gains, losses, n, middle) > target
        left, right = np.where(above, middle, left), np.where(above, right, middle)
    crossing: FloatArray = (left + right) / 2
    return crossing
