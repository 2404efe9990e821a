"""How often a decision rule would fall the same way on other items like these."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from evalkit.frozen import dataclass
from evalkit.stats.inputs import Values, check_confidence, check_same_length, check_share, check_whole, numbers
from evalkit.stats.plain import Plain
from evalkit.stats.rates import lower_limit
from evalkit.stats.resamples import drawn

_CHUNK_CELLS = 4_000_000
_LEVEL = 1 + 1e-9
"""Prices and limits closer than this differ only in the order in which they were added up."""


@dataclass(frozen=True, slots=True)
class WinnerShares(Plain):
    """Share of resamples that each option wins, in the order given, and the share that no option wins.

    They add up to 1. `resamples` is 0, and all shares are None, when there is nothing to resample.
    """

    shares: tuple[float | None, ...]
    none: float | None
    n: int
    resamples: int


def winner_shares(
    rates: Sequence[Values],
    costs: Sequence[Values],
    bar: float,
    n_eff: Sequence[float],
    seed: int,
    resamples: int = 2000,
    confidence: float = 0.95,
) -> WinnerShares:
    """Paired bootstrap of a decision: the cheapest per success among options whose rate clears `bar`.

    `rates` (each in [0, 1]) and `costs` (each >= 0) hold one list per option, all over the same items in the same
    order. An option clears the bar when the lower limit of its resampled rate (Wilson; below 15 items the exact one
    as well), at its effective n in `n_eff` (> 0), is at least `bar`. Ties fall as in `cheapest`. n = 0 or no
    option: shares None. n = 1: the one item decides every resample. Raises ValueError for bad values or lists of
    different lengths. Source: bootstrap (Efron 1979).
    """
    check_share("bar", bar)
    check_confidence(confidence)
    check_whole(resamples=resamples)
    check_same_length(rates=rates, costs=costs, n_eff=n_eff)
    p = [numbers("rates", values, 0, 1) for values in rates]
    c = [numbers("costs", values, 0) for values in costs]
    for one, other in zip(p, c, strict=True):
        check_same_length(first_rates=p[0], rates=one, costs=other)
    sizes = numbers("n_eff", list(n_eff), 1e-9)
    n = len(p[0]) if p else 0
    if not n or not resamples:
        return WinnerShares((None,) * len(p), None, n, 0)
    wins = _count_wins(np.array(p), np.array(c), bar, sizes, np.random.default_rng(seed), resamples, confidence)
    return WinnerShares(tuple(float(w) / resamples for w in wins[:-1]), float(wins[-1]) / resamples, n, resamples)


def cheapest(prices: Values, limits: Values) -> int:
    """Index of the lowest of `prices` (>= 0, in any unit); `limits` are the lower limits of the rates (in [0, 1]).

    Of those that cost the same but for rounding it is the one with the highest limit, and of those the first. Raises
    ValueError for bad values, different lengths, or no option.
    """
    check_same_length(prices=prices, limits=limits)
    known = numbers("prices", prices, 0)
    if not len(known):
        raise ValueError("prices is empty")
    return int(_cheapest(known, numbers("limits", limits, 0, 1)))


def _cheapest(prices: npt.NDArray[np.float64], limits: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """`cheapest` along the last axis; the price of an option that does not count is inf."""
    level = prices <= prices.min(axis=-1, keepdims=True) * _LEVEL
    highest = np.where(level, limits, -np.inf)
    return np.asarray((highest * _LEVEL >= highest.max(axis=-1, keepdims=True)).argmax(axis=-1))


def _count_wins(
    p: npt.NDArray[np.float64],
    c: npt.NDArray[np.float64],
    bar: float,
    n_eff: npt.NDArray[np.float64],
    rng: np.random.Generator,
    resamples: int,
    confidence: float,
) -> npt.NDArray[np.int64]:
    """Wins of each option, and last of none; resampled in chunks, so that memory stays bounded."""
    options, n = p.shape
    wins = np.zeros(options + 1, dtype=np.int64)
    chunk = max(1, _CHUNK_CELLS // n)
    for begin in range(0, resamples, chunk):
        weights = drawn(rng, min(chunk, resamples - begin), n) / n
        rate, cost = weights @ p.T, weights @ c.T
        limit = lower_limit(rate * n_eff, n_eff, confidence, n)
        eligible = limit >= bar - 1e-12
        price = np.where(eligible, cost / np.maximum(rate, 1e-12), np.inf)
        winner = np.where(eligible.any(axis=1), _cheapest(price, limit), options)
        wins += np.bincount(winner, minlength=options + 1)
    return wins
