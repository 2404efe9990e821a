"""Exact unconditional test that a paired rate has not dropped by a margin."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import special

from evalkit.stats import distributions as stats
from evalkit.stats.inputs import FloatArray, check_share, check_whole, check_within
from evalkit.stats.tango import tango_statistic

EXACT_MOST = 1000  # pairs; beyond, the enumeration takes minutes and the score limit is accurate
NUISANCE_POINTS = 401
TIE = 1e-9  # statistics closer than this differ by rounding only


def noninferiority_exact_p(gain: int, loss: int, n: int, margin: float) -> float:
    """Exact p-value in [0, 1] of H0: candidate rate - baseline rate <= -margin, one-sided.

    All tables of `n` pairs are ordered by Tango's score statistic at -margin; p is the largest probability of
    a table at least as extreme, over 401 values of the unknown loss rate. `gain`, `loss`: pairs that only the
    candidate, only the baseline passes; margin in (0, 1). n = 0 (nothing observed): 1. Raises ValueError for
    bad counts, a bad margin, or more than 1000 pairs.
    """
    check_share("margin", margin)
    check_within(n, gain=gain, loss=loss)
    _check_enumerable(n)
    return float(_exact_p_table(int(n), float(margin))[int(gain), int(loss)]) if n else 1.0


def losses_allowed(n: int, margin: float, gains: int | Sequence[int], alpha: float = 0.05) -> list[int | None]:
    """For each number of gains, the most losses among `n` pairs with which non-inferiority is still shown.

    `gains`: the numbers of gains to answer for. Shown means both: exact p <= alpha, and the lower Tango limit
    at confidence 1 - 2 alpha above -margin. None where not even 0 losses suffice, and for more gains than
    pairs. margin and alpha in (0, 1). Raises ValueError for bad arguments or more than 1000 pairs.
    """
    check_share("margin", margin)
    check_share("alpha", alpha)
    check_whole(n=n)
    _check_enumerable(n)
    wanted = [gains] if isinstance(gains, (int, np.integer)) else list(gains)
    for gain in wanted:
        check_whole(gains=gain)
    return [_most_losses(int(n), float(margin), int(gain), alpha) for gain in wanted]


def _most_losses(n: int, margin: float, gain: int, alpha: float) -> int | None:
    if n == 0 or gain > n:
        return None
    losses = np.arange(n - gain + 1)
    # the lower limit lies above -margin exactly when the statistic at -margin exceeds its normal quantile
    score = tango_statistic(gain, losses, n, -margin) > stats.norm.isf(alpha)
    shown = score & (_exact_p_table(n, margin)[gain, losses] <= alpha)
    fewest_too_many = int(np.argmin(shown)) if not shown.all() else len(shown)
    return fewest_too_many - 1 if fewest_too_many else None


def _check_enumerable(n: int) -> None:
    if n > EXACT_MOST:
        raise ValueError(f"n = {n} is beyond exact enumeration ({EXACT_MOST} pairs); use the limit of paired_rates")


@lru_cache(maxsize=8)
def _exact_p_table(n: int, margin: float) -> FloatArray:
    """p-values of all tables of n pairs, indexed [gain, loss]; nan where gain + loss > n."""
    gain, loss = (part.ravel().astype(np.float64) for part in np.indices((n + 1, n + 1)))
    gain, loss = gain[gain + loss <= n], loss[gain + loss <= n]
    statistic = tango_statistic(gain, loss, n, -margin)
    order = np.argsort(-statistic, kind="stable")
    gain, loss, statistic = gain[order], loss[order], statistic[order]
    last_of_tie = np.searchsorted(-statistic, -statistic + TIE, side="right") - 1
    p = _largest_tail(gain, loss, n, margin)[last_of_tie]
    table: FloatArray = np.full((n + 1, n + 1), np.nan)
    table[gain.astype(int), loss.astype(int)] = np.minimum(p, 1)
    table.setflags(write=False)  # shared by every caller through the cache
    return table


def _largest_tail(gain: FloatArray, loss: FloatArray, n: int, margin: float) -> FloatArray:
    """Running probability of the tables, maximised over the loss rate from margin to (1 + margin) / 2."""
    same = n - gain - loss
    ways = special.gammaln(n + 1) - sum(special.gammaln(count + 1) for count in (gain, loss, same))
    largest = np.zeros(len(gain))
    for loss_rate in np.linspace(margin, (1 + margin) / 2, NUISANCE_POINTS):
        gain_rate, same_rate = max(loss_rate - margin, 0.0), max(1 - 2 * loss_rate + margin, 0.0)
        log_p = ways + special.xlogy(gain, gain_rate) + special.xlogy(loss, loss_rate) + special.xlogy(same, same_rate)
        np.maximum(largest, np.cumsum(np.exp(log_p)), out=largest)
    return largest
