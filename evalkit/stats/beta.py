"""The incomplete beta function, its inverse and Student's tail, to about twelve digits, without loading scipy.

Loading `scipy.special` takes longer than all that a report computes. For many values it is loaded: there it is faster.
Sources: Loader (2000) for the powers, Didonato and Morris (1992) for the continued fraction.
"""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.stats.inputs import FloatArray

MANY = 50_000
"""Values from which scipy is faster, its loading included."""
FAR = 23.0
"""Less than 1e-19 of Beta(a, b) is farther from its mean than sqrt(23 / (a + b + 1)) (Marchal and Arbel 2017)."""
_STIRLING = (1 / 156, -691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12)
_LOG_ROOT_2_PI = 0.5 * math.log(2 * math.pi)
_NEAR, _TERMS = 0.3, range(29, 1, -2)
_STEPS, _SAME = 5000, 1e-15


def betainc(a: npt.ArrayLike, b: npt.ArrayLike, x: npt.ArrayLike) -> FloatArray:
    """The regularised incomplete beta function, element-wise; a, b > 0, x from 0 to 1."""
    a, b, x = (np.asarray(part, dtype=np.float64) for part in np.broadcast_arrays(a, b, x))
    if x.size > MANY:
        from scipy import special

        return np.asarray(special.betainc(a, b, x))
    y, found = 1 - x, np.where(x < 1, 0.0, 1.0)
    swapped = a * y < b * x
    for part, first, second, u, v in ((~swapped, a, b, x, y), (swapped, b, a, y, x)):
        some = part & (u > 0)
        if some.any():
            tail = _tail(first[some], second[some], u[some], v[some])
            found[some] = 1 - tail if u is y else tail
    return found


def beta_cdf(a: float, b: float, x: float, y: float) -> float:
    """`betainc` of single numbers, y = 1 - x, of which each is exact where it is small."""
    if x <= 0 or y <= 0:
        return float(y <= 0)
    return float(_tail(a, b, x, y) if a * y >= b * x else 1 - _tail(b, a, y, x))


def beta_quantile(a: float, b: float, share: float) -> float:
    """The x at which `betainc` is `share`, from 0 to 1; a, b > 0. By Newton's method, between bounds that close in."""
    if share <= 0 or share >= 1 or math.log(share) < -740 * a:  # beyond, it is smaller than any number
        return float(share >= 1)
    low, high, x = 0.0, 1.0, a / (a + b)
    for _ in range(_STEPS):
        y = 1 - x
        excess = beta_cdf(a, b, x, y) - share if share <= 0.5 else 1 - share - beta_cdf(b, a, y, x)
        low, high = (low, x) if excess > 0 else (x, high)
        density = _power_terms(a, b, x, y) / (x * y)
        step = x - excess / density if density > 0 else -1.0
        following = step if low < step < high else (low + high) / 2
        if abs(following - x) <= _SAME * x:
            return following
        x = following
    return x


def student_tail(df: float, t: float) -> float:
    """The chance that Student's t with `df` > 0 degrees of freedom exceeds t."""
    if t < 0:
        return 1 - student_tail(df, -t)
    return beta_cdf(df / 2, 0.5, df / (df + t * t), t * t / (df + t * t)) / 2


def student_quantile(df: float, share: float) -> float:
    """The t that is exceeded with the chance `share`, between 0 and 1.

    Newton's method from the normal quantile, which lies below: the tail is convex, so that no step goes too far.
    """
    if share >= 0.5:
        return -student_quantile(df, 1 - share) if share > 0.5 else 0.0
    t = -NormalDist().inv_cdf(share)
    for _ in range(_STEPS):
        x, y = df / (df + t * t), t * t / (df + t * t)
        density = _power_terms(df / 2, 0.5, x, y) / t
        step = (student_tail(df, t) - share) / density
        t += step
        if abs(step) <= _SAME * t:
            break
    return t


def binomial_chance(k: float, n: float, p: float) -> float:
    """The chance of exactly k successes among n trials; whole numbers, 0 <= k <= n, p from 0 to 1."""
    if k in (0, n):
        return float((p if k else 1 - p) ** n)
    return float(_power_terms(k, n - k, p, 1 - p) * n / (k * (n - k))) if 0 < p < 1 else 0.0


def _tail(a: Any, b: Any, x: Any, y: Any) -> Any:
    """`betainc` at or below the mean of the distribution; single numbers or arrays."""
    farthest: Callable[[Any], float] = abs if isinstance(x, float) else lambda off: float(np.abs(off).max())
    n, off, rest = a + b, a * y - b * x + 1, 2 - x
    fraction = a * off / (a + 1)
    above, below = fraction, 0.0
    for m in range(1, _STEPS):
        odd = a + 2 * m - 1
        top = (a + m - 1) * (n + m - 1) * m * (b - m) * x * x / odd**2
        bottom = m + m * (b - m) * x / odd + (a + m) * (off + m * rest) / (a + 2 * m + 1)
        below = 1 / (bottom + top * below)
        above = bottom + top / above
        fraction = fraction * (above * below)
        if farthest(above * below - 1) < _SAME:
            break
    return _power_terms(a, b, x, y) / fraction


def _power_terms(a: Any, b: Any, x: Any, y: Any) -> Any:
    """x^a y^b / B(a, b), from how far x is off the mean: exact also where a and b are large."""
    n, off = a + b, b * x - a * y
    powers = a * _log_less(off / a, x * n / a) + b * _log_less(-off / b, y * n / b)
    logarithm = powers + _stirling_error(n) - _stirling_error(a) - _stirling_error(b) - _LOG_ROOT_2_PI
    if isinstance(logarithm, float):
        return math.exp(logarithm) * math.sqrt(a * b / n)
    return np.exp(logarithm) * np.sqrt(a * b / n)


def _log_less(off: Any, ratio: Any) -> Any:
    """log(ratio) - off, where ratio = 1 + off; by a series where that is near 1."""
    if isinstance(off, float) and abs(off) >= _NEAR:
        return math.log(ratio) - off
    near = np.abs(off) < _NEAR
    inside = off if isinstance(off, float) else np.where(near, off, 0.0)
    r = inside / (2 + inside)
    square, series = r * r, 0.0 * r
    for odd in _TERMS:
        series = series * square + 2 / odd
    found = r * (series * square - inside)
    return found if isinstance(off, float) else np.where(near, found, np.log(ratio) - off)


def _stirling_error(z: Any) -> Any:
    """log-gamma(z) less Stirling's formula; z > 0."""
    if isinstance(z, float):
        if z < 16:
            return math.lgamma(z) - ((z - 0.5) * math.log(z) - z + _LOG_ROOT_2_PI)
        return _stirling_series(z)
    small = z < 16
    found = _stirling_series(np.where(small, 16.0, z))
    values, places = np.unique(z[small], return_inverse=True)
    found[small] = np.array([_stirling_error(float(value)) for value in values])[places]
    return found


def _stirling_series(z: Any) -> Any:
    square, series = 1 / (z * z), 0.0 * z
    for part in _STIRLING:
        series = series * square + part
    return series / z
