"""Retrying until an output is satisfactory: how often it works, and what it costs, from the epochs there are."""

from collections.abc import Sequence

from evalkit import stats
from evalkit.frozen import dataclass
from evalkit.stats import Estimate
from evalkit.stats.rates import (
    FEW,
    WILSON_CLUSTERED,
    WILSON_FEW,
    cluster_design,
    one_sided_reading,
    shown_limits,
    two_sided_t,
    two_sided_z,
)

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Retry:
    """Up to `tries` attempts at an item, stopping at the first satisfactory one.

    `success`: share of items solved, with Wilson limits on an effective n, below 15 items joined with the exact ones;
    `cost_usd`: spend per item, None if unpriced; `cost_per_satisfactory`: spend per solved item. It presumes that the
    product can tell a bad output from a good one.
    """

    tries: int
    success: Estimate
    cost_usd: float | None
    cost_per_satisfactory: Estimate | None


def retries(satisfied: Sequence[Sequence[float]], costs: Sequence[Sequence[float]] | None) -> tuple[Retry, ...]:
    """One line for each number of tries that the epochs can show; empty with one epoch.

    `satisfied` and `costs` (USD) hold one list per item. Items with fewer epochs than the most are left out, so
    that every line speaks of the same items; empty too where these are most of them.
    """
    epochs = max(map(len, satisfied), default=0)
    full = [number for number, flags in enumerate(satisfied) if len(flags) == epochs]
    if epochs < 2 or 2 * len(full) < len(satisfied):  # where most lack verdicts, as in a sample of the outputs
        return ()
    flags = [satisfied[number] for number in full]
    paid = None if costs is None else [costs[number] for number in full]
    return tuple(_retry(tries, flags, paid) for tries in range(1, epochs + 1))


def _retry(tries: int, flags: Sequence[Sequence[float]], paid: Sequence[Sequence[float]] | None) -> Retry:
    solved = stats.retry_success_items([round(sum(one)) for one in flags], [len(one) for one in flags], tries)
    n_eff = _n_eff(flags, solved, tries)
    success = _share(solved, n_eff)
    if paid is None:
        return Retry(tries, success, None, None)
    spent = stats.retry_cost_items(paid, flags, tries)
    cost = stats.cost_per_satisfactory(spent, solved, rate_n_eff=n_eff)
    return Retry(tries, success, sum(spent) / len(spent), cost)


def _n_eff(flags: Sequence[Sequence[float]], solved: Sequence[float], tries: int) -> float:
    """Items of one 0 or 1 each that carry the same evidence: with one try as for the rate, with all of them the items.

    Between, n p (1 - p) / var(solved), at least the items and at most the trials over the tries, with the small-sample
    adjustment. A t interval would have no width where all items are solved, and too little near there.
    """
    n, epochs = len(solved), len(flags[0])
    if tries == 1:
        return cluster_design([sum(one) for one in flags], [epochs] * n).adjusted_n_eff(CONFIDENCE)
    share = sum(solved) / n
    spread = sum((value - share) ** 2 for value in solved) / max(n - 1, 1)
    within = share * (1 - share)
    if tries == epochs or n == 1 or within <= 0:
        return float(n)
    worth = min(max(within / spread, 1.0), epochs / tries) if spread > 0 else epochs / tries
    return n * worth * (two_sided_z(CONFIDENCE) / two_sided_t(CONFIDENCE, n - 1)) ** 2


def _share(solved: Sequence[float], n_eff: float) -> Estimate:
    share = min(1.0, sum(solved) / len(solved))
    low, high = shown_limits(share, n_eff, CONFIDENCE, len(solved))
    method = WILSON_FEW if len(solved) < FEW else WILSON_CLUSTERED
    return Estimate(share, low, high, CONFIDENCE, len(solved), method, one_sided_reading(share, low, high))
