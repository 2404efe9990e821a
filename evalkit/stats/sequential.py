"""Looking before the end: critical values of planned looks, and a betting process to stop a failure."""

import math
from collections.abc import Callable

import numpy as np

from evalkit.stats import distributions as stats
from evalkit.stats.inputs import LARGEST, FloatArray, Values, check_share, check_whole, numbers

NODES = 100
FARTHEST_Z = 12.0
_LEAST_ALPHA, _MOST_ALPHA = 1e-12, 0.4999
BETS = tuple(round(0.05 * step, 2) for step in range(1, 20))


def obrien_fleming_z(information: Values, alpha: float = 0.05) -> list[float]:
    """One-sided critical values of z at each look, O'Brien-Fleming-type spending (Lan and DeMets 1983).

    `information`: shares of the items at the looks, ascending in (0, 1], the last one 1. By look t the error
    2 - 2 Phi(z_(alpha/2) / sqrt(t)) is spent, `alpha` in (0, 1/2) in all. One look: the plain quantile. Meant
    for a few looks: errors below 1e-12 at an early look give 12, which nothing reaches. The estimate after an
    early stop is biased: say so beside it. Raises ValueError for other shares.
    """
    t = _looks(information, alpha)
    return _boundaries(t, np.diff(_spent(t, alpha), prepend=0.0))


def look_alphas(information: Values, alpha: float = 0.05) -> list[float]:
    """The one-sided error, in (0, `alpha`], that each look is tested at: the tails of `obrien_fleming_z`.

    Arguments as there. Raises ValueError as it does. Source: Lan and DeMets (1983).
    """
    return [float(stats.norm.sf(z)) for z in obrien_fleming_z(information, alpha)]


def alpha_spent(information: Values, alpha: float = 0.05) -> list[float]:
    """The error, in (0, `alpha`], that `obrien_fleming_z` has spent by each look.

    Arguments as there. Raises ValueError as it does. Source: Lan and DeMets (1983).
    """
    t = _looks(information, alpha)
    return [float(spent) for spent in _spent(t, alpha)]


def looks_p(p: float, look: int, information: Values) -> float:
    """The least overall alpha at which a p-value found at a planned look (from 1) is significant, in [p, 1].

    `p` in [0, 1] one-sided; `information` as in `obrien_fleming_z`, whose critical value at the look falls as alpha
    grows. So results of a look can be adjusted for several tests (Holm) at the alpha of all looks together (Maurer and
    Bretz 2013). No alpha below 1/2 does: 1/2 or `p`, whichever is larger. 0 stays 0. Raises ValueError as that
    function does, and for a look that is not among them.
    """
    t = _looks(information, 0.05)
    check_whole(look=look)
    if not 1 <= look <= len(t):
        raise ValueError(f"look = {look} is not from 1 to {len(t)}")
    if not 0 <= p <= 1:
        raise ValueError(f"p = {p} is not from 0 to 1")
    if p <= _LEAST_ALPHA or p >= _MOST_ALPHA or len(t) == 1:
        return float(p)
    found, until = float(stats.norm.isf(p)), t[:look]

    def excess(log_alpha: float) -> float:
        spent = _spent(until, math.exp(log_alpha))
        return _boundaries(until, np.diff(spent, prepend=0.0))[-1] - found

    low, high = math.log(p) - 1e-6, math.log(_MOST_ALPHA)
    if excess(high) > 0:
        return max(p, 0.5)
    from scipy import optimize  # as in `_bound`

    return max(p, math.exp(float(optimize.brentq(excess, low, high, xtol=1e-9))))


def _looks(information: Values, alpha: float) -> FloatArray:
    t = numbers("information", information, 1e-6, 1)
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha = {alpha} is not between 0 and 0.5")
    if not len(t) or t[-1] != 1 or (np.diff(t) < 1e-6).any():
        raise ValueError(f"information = {t.tolist()} does not ascend to 1")
    return t


def _spent(t: FloatArray, alpha: float) -> FloatArray:
    return np.asarray(2 * stats.norm.sf(stats.norm.isf(alpha / 2) / np.sqrt(t)))


def _boundaries(t: FloatArray, errors: FloatArray) -> list[float]:
    """Armitage, McPherson and Rowe's recursion: the density of the score of all paths that have not crossed."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    score, density = np.zeros(1), np.ones(1)
    bounds: list[float] = []
    for i, step in enumerate(np.diff(t, prepend=0.0)):
        spread = math.sqrt(float(step))
        bound = _bound(_crossing(score, density, spread), float(errors[i]), math.sqrt(float(t[i])))
        bounds.append(bound)
        low, high = -FARTHEST_Z * math.sqrt(float(t[i])), bound * math.sqrt(float(t[i]))
        following = low + (high - low) * (nodes + 1) / 2
        moved = stats.norm.pdf(following[:, None], loc=score, scale=spread) @ density
        score, density = following, np.asarray(moved * weights * (high - low) / 2)
    return bounds


def _crossing(score: FloatArray, density: FloatArray, spread: float) -> Callable[[float], float]:
    return lambda boundary: float(stats.norm.sf(boundary, loc=score, scale=spread) @ density)


def _bound(crossing: Callable[[float], float], error: float, scale: float) -> float:
    if crossing(FARTHEST_Z * scale) >= error:
        return FARTHEST_Z
    from scipy import optimize  # a quarter of a second, for sequential looks alone

    return float(optimize.brentq(lambda z: crossing(z * scale) - error, -FARTHEST_Z, FARTHEST_Z, xtol=1e-10))


def betting_wealth(values: Values, bets: Values, null: float = 0.0) -> list[float]:
    """Running wealth, >= 0, of bettors against "the mean is `null`" (Waudby-Smith and Ramdas 2024), their average.

    After each of `values`, each in [-1, 1]: the mean over `bets` of the product of 1 + bet * (value - null).
    Bets above 0 win when the mean is above `null`, bets below 0 when it is below. A wealth of 1 / alpha or
    more, at any time, rejects at alpha that the mean is at most (bets above 0) or at least `null`. Starts at
    1; no value gives an empty list; capped at 1e100. Raises ValueError for values or null outside [-1, 1], no
    bet, bets of both signs, and bets that could lose more than everything.
    """
    x, b = numbers("values", values, -1, 1), numbers("bets", bets)
    numbers("null", [null], -1, 1)
    if not len(b) or (b.min() < 0 < b.max()):
        raise ValueError(f"bets = {b.tolist()}: one or more of one sign are needed")
    worst = 1 + min(float((b * (edge - null)).min()) for edge in (-1, 1))
    if worst < -1e-12:
        raise ValueError(f"bets = {b.tolist()} could lose more than everything against {null}")
    factors = np.maximum(1 + b * (x[:, None] - null), 0)
    logs = np.log(factors, out=np.full_like(factors, -np.inf), where=factors > 0)
    logs = np.minimum(np.cumsum(logs, axis=0), math.log(LARGEST))
    return [min(LARGEST, float(w)) for w in np.exp(logs).mean(axis=1)]


def worse_wealth(differences: Values) -> list[float]:
    """Running wealth, >= 0, against "the candidate is not worse": `betting_wealth` over bets .05 to .95 on a loss.

    `differences`: candidate - baseline per item, in [-1, 1], in an order that outcomes had no say in. It reaches
    1 / alpha at any time with a chance of at most alpha where the candidate is no worse, so 1 over its largest value
    is a p-value. No item: empty. Raises ValueError for bad values. Source: Waudby-Smith and Ramdas (2024).
    """
    return betting_wealth(differences, [-bet for bet in BETS])


def worse_after(differences: Values, alpha: float = 0.05) -> int | None:
    """After how many items a candidate is shown to be worse, at any time, or None: a kill switch.

    When `worse_wealth` of these `differences` reaches 1 / alpha. Only to stop a failure early: to pass, it needs far
    more items than the fixed test. Raises ValueError for bad values or alpha outside (0, 1). No item: None. Source:
    Waudby-Smith and Ramdas (2024).
    """
    check_share("alpha", alpha)
    return next((count for count, w in enumerate(worse_wealth(differences), 1) if w >= 1 / alpha), None)
