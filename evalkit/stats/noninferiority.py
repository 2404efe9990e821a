"""Exact unconditional tests that a paired rate has not dropped by a margin, and that it has dropped at all."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt

from evalkit.stats import distributions as stats
from evalkit.stats.beta import betainc
from evalkit.stats.inputs import FloatArray, check_alpha, check_share, check_whole, check_within, whole_numbers
from evalkit.stats.tango import tango_statistic

IntArray = npt.NDArray[np.int64]

EXACT_MOST = 1000  # pairs; beyond, the enumeration takes minutes and the score limit is accurate
NUISANCE_POINTS = 401
TIE = 1e-9  # statistics closer than this differ by rounding only
NEGLIGIBLE = 1e-20  # gains less likely than this are left out of a tail: below its rounding


def noninferiority_exact_p(gain: int, loss: int, n: int, margin: float) -> float:
    """Exact p-value in [0, 1] of H0: candidate rate - baseline rate <= -margin, one-sided.

    All tables of `n` pairs are ordered by Tango's score statistic at -margin; p is the largest probability of a
    table at least as extreme, over 401 values of the unknown loss rate. `gain`, `loss`: pairs that only the
    candidate, only the baseline passes; margin in (0, 1). n = 0 (nothing observed): 1. Raises ValueError for bad
    counts, a bad margin, or more than 1000 pairs. Source: Tango (1998) for the order; the largest p over the
    unknown rate as Barnard (1947).
    """
    check_share("margin", margin)
    return _exact_p(gain, loss, n, margin)


def worse_exact_p(gain: int, loss: int, n: int) -> float:
    """Exact p-value in [0, 1] of H0: candidate rate >= baseline rate, one-sided.

    The same test with the sides swapped and no margin. n = 0: 1. Raises ValueError as `noninferiority_exact_p`.
    """
    return _exact_p(loss, gain, n, 0.0)


def _exact_p(gain: int, loss: int, n: int, margin: float) -> float:
    check_within(n, gain=gain, loss=loss)
    if n == 0:
        return 1.0
    observed = _statistics(n, margin)[gain, loss]
    tails = _tails(_most_at(n, margin, observed - TIE), n, margin, _loss_rates(margin))
    return min(1.0, float(tails.max()))


def losses_allowed(n: int, margin: float, gains: int | Sequence[int], alpha: float = 0.05) -> list[int | None]:
    """For each number of gains, the most losses among `n` pairs with which non-inferiority is still shown.

    `gains`: the numbers of gains to answer for. Shown means both: exact p <= alpha, and the lower Tango limit at
    confidence 1 - 2 alpha above -margin. None where not even 0 losses suffice, and for more gains than pairs.
    margin in (0, 1), alpha in (0, 1/2): beyond, more losses could look better than fewer. Raises ValueError for bad
    arguments or more than 1000 pairs. Source: Tango (1998), as in `noninferiority_exact_p`.
    """
    check_share("margin", margin)
    check_alpha(alpha)
    check_whole(n=n)
    wanted = whole_numbers("gains", [gains] if isinstance(gains, int) else gains)
    most = most_losses(n, margin, alpha).tolist() if n else [-1]
    return [most[int(gain)] if gain <= n and most[int(gain)] >= 0 else None for gain in wanted]


def score_losses(n: int, margin: float, alpha: float) -> IntArray:
    """`most_losses` by the score limit alone: never fewer, since the exact test can only forbid more."""
    # the lower limit lies above -margin exactly when the statistic at -margin exceeds its normal quantile
    return np.asarray((_statistics(n, margin) > stats.norm.isf(alpha)).sum(axis=1) - 1)


@lru_cache(maxsize=4)
def most_losses(n: int, margin: float, alpha: float) -> IntArray:
    """For each number of gains, the most losses that are still allowed; -1 where not even 0 are.

    p never falls as the statistic does, so one value of it parts what is allowed from the rest. Bisection finds it from
    the tails at a few loss rates, which bound p from below; where p over all loss rates is larger than alpha there, the
    worst rate joins the few, and the search goes on above. So the result is that of computing every p.
    """
    statistic, rates = _statistics(n, margin), _loss_rates(margin)
    levels = np.unique(statistic[statistic > stats.norm.isf(alpha)])
    few, first = rates[::20], 0
    while True:
        allowed = partial(_is_allowed, levels, n, margin, alpha, few)
        first = bisect_left(range(len(levels)), True, lo=first, key=allowed)
        if first == len(levels):
            return np.full(n + 1, -1)
        tails = _tails(_most_at(n, margin, levels[first] - TIE), n, margin, rates)
        if tails.max() <= alpha:
            return _most_at(n, margin, levels[first])
        few, first = np.append(few, rates[tails.argmax()]), first + 1


def _is_allowed(levels: FloatArray, n: int, margin: float, alpha: float, rates: FloatArray, index: int) -> bool:
    return bool(_tails(_most_at(n, margin, levels[index] - TIE), n, margin, rates).max() <= alpha)


@lru_cache(maxsize=4)
def _statistics(n: int, margin: float) -> FloatArray:
    """Tango's statistic at -margin of all tables of n pairs, [gain, loss]; -inf where gain + loss > n."""
    if n > EXACT_MOST:
        raise ValueError(f"n = {n} is beyond exact enumeration ({EXACT_MOST} pairs); use the limit of paired_rates")
    gain, loss = np.indices((n + 1, n + 1)).astype(np.float64)
    table = np.where(gain + loss <= n, tango_statistic(gain, loss, n, -margin), -np.inf)
    table.setflags(write=False)  # shared by every caller through the cache
    return table


def _most_at(n: int, margin: float, least: float) -> IntArray:
    """For each number of gains, the most losses at which the statistic, which falls with them, is at least `least`."""
    return np.asarray((_statistics(n, margin) >= least).sum(axis=1) - 1)


def _loss_rates(margin: float) -> FloatArray:
    return np.linspace(margin, (1 + margin) / 2, NUISANCE_POINTS)


def _tails(most: IntArray, n: int, margin: float, rates: FloatArray) -> FloatArray:
    """At each loss rate, the probability of at most `most`[gain] losses, summed over the gains that can happen."""
    gains, gain_rates = np.arange(n + 1), np.maximum(rates - margin, 0)[:, None]
    factorials = np.array([math.lgamma(count + 1) for count in range(n + 1)])
    ways = factorials[n] - factorials - factorials[::-1]
    with np.errstate(divide="ignore", invalid="ignore"):  # no gain at a rate of 0
        logarithms = [np.where(gains == 0, 0, gains * np.log(gain_rates)), (n - gains) * np.log1p(-gain_rates)]
    chance = np.exp(ways + sum(logarithms))
    rate, gain = np.nonzero((chance > NEGLIGIBLE) & (most >= 0))
    rest, share = n - gain, np.minimum(rates / (1 - gain_rates[:, 0]), 1)[rate]
    within = np.where(most[gain] < rest, betainc(np.maximum(rest - most[gain], 1), most[gain] + 1, 1 - share), 1)
    return np.bincount(rate, weights=chance[rate, gain] * within, minlength=len(rates)).astype(np.float64)
