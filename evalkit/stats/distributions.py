"""The distributions that the statistics ask for, under scipy's names.

Of single numbers by `evalkit.stats.beta` and the standard library, of arrays by `scipy.special`, which is loaded then:
that takes longer than all that a report computes. `scipy.stats`, which has the same numbers, takes four times as long.
"""

import math
from bisect import bisect_left
from statistics import NormalDist
from typing import Any

import numpy as np

from evalkit.stats.beta import beta_cdf, beta_quantile, binomial_chance, student_quantile, student_tail

_NORMAL = NormalDist()


def _single(*values: Any) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _special() -> Any:
    from scipy import special

    return special


class _Normal:
    """The normal distribution."""

    def ppf(self, share: Any) -> Any:
        return _NORMAL.inv_cdf(share) if _single(share) and 0 < share < 1 else _special().ndtri(share)

    def isf(self, share: Any) -> Any:
        return -self.ppf(share)

    def sf(self, x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
        z = (x - loc) / scale
        return math.erfc(z / math.sqrt(2)) / 2 if _single(z) else _special().ndtr(-z)

    def pdf(self, x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
        z = (x - loc) / scale
        return np.exp(-z * z / 2) / (np.sqrt(2 * np.pi) * scale)


class _StudentT:
    """Student's t with `df` degrees of freedom."""

    def cdf(self, x: float, df: float) -> float:
        return student_tail(df, -x)

    def isf(self, share: float, df: float) -> float:
        return student_quantile(df, share)


class _ChiSquare:
    """Chi-square with `df` degrees of freedom."""

    def sf(self, x: Any, df: Any) -> Any:
        return _special().chdtrc(df, x)


class _F:
    """Fisher's F."""

    def isf(self, share: Any, dfn: Any, dfd: Any) -> Any:
        return _special().fdtri(dfn, dfd, 1 - share)


class _Beta:
    """The beta distribution."""

    def ppf(self, share: Any, a: Any, b: Any) -> Any:
        return beta_quantile(float(a), float(b), share) if _single(share, a, b) else _special().betaincinv(a, b, share)

    def isf(self, share: Any, a: Any, b: Any) -> Any:
        return (
            1 - beta_quantile(float(b), float(a), share)
            if _single(share, a, b)
            else _special().betainccinv(a, b, share)
        )


class _Binomial:
    """Successes among `n` trials that succeed with chance `p`."""

    def pmf(self, k: Any, n: Any, p: Any) -> Any:
        if _single(k, n, p):
            return binomial_chance(float(k), float(n), float(p)) if 0 <= k <= n and k == int(k) else 0.0
        special, inside = _special(), np.clip(k, 0, n)
        ways = special.gammaln(n + 1) - special.gammaln(inside + 1) - special.gammaln(n - inside + 1)
        chance = np.exp(ways + special.xlogy(inside, p) + special.xlog1py(n - inside, -p))
        return np.where(inside == k, chance, 0.0)

    def cdf(self, k: Any, n: Any, p: Any) -> Any:
        if _single(k, n, p):
            return _at_most(math.floor(k), n, p, 1 - p)
        return self._within(k, n, p, _special().betaincc, below=0.0, above=1.0)

    def sf(self, k: Any, n: Any, p: Any) -> Any:
        if _single(k, n, p):
            return _at_most(n - math.floor(k) - 1, n, 1 - p, p)
        return self._within(k, n, p, _special().betainc, below=1.0, above=0.0)

    def _within(self, k: Any, n: Any, p: Any, tail: Any, below: float, above: float) -> Any:
        """A tail as an incomplete beta function, which has no value outside 0 <= k < n."""
        whole = np.floor(k)
        inside = tail(np.maximum(whole, 0) + 1, np.maximum(n - whole, 1), p)
        return np.where(whole < 0, below, np.where(whole >= n, above, inside))

    def ppf(self, share: float, n: int, p: float) -> int:
        """The least count that is reached or undercut with a chance of at least `share`."""
        return bisect_left(range(n), True, key=lambda k: self.cdf(k, n, p) >= share)

    def isf(self, share: float, n: int, p: float) -> int:
        """The least count that is exceeded with a chance of at most `share`."""
        return bisect_left(range(n), True, key=lambda k: self.sf(k, n, p) <= share)


def _at_most(k: int, n: float, p: float, q: float) -> float:
    """The chance of at most k successes, each with the chance p = 1 - q."""
    if not 0 <= k < n:
        return float(k >= n)
    return beta_cdf(float(n - k), float(k + 1), float(q), float(p))


class _Hypergeometric:
    """How many of `drawn` from `total` are marked, if `marked` of all are."""

    def pmf(self, count: Any, total: int, marked: int, drawn: int) -> Any:
        others = _log_ways(total - marked, drawn - count)
        return np.exp(_log_ways(marked, count) + others - _log_ways(total, drawn))


def _log_ways(n: Any, k: Any) -> Any:
    """Logarithm of the number of ways to choose k of n."""
    return -np.log(n + 1) - _special().betaln(n - k + 1, k + 1)


norm, t, chi2, f, beta, binom = _Normal(), _StudentT(), _ChiSquare(), _F(), _Beta(), _Binomial()
hypergeom = _Hypergeometric()
