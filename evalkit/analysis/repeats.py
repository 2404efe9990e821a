"""Retrying until an output is satisfactory: how often it works, and what it costs, from the epochs there are."""

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit import stats
from evalkit.stats import Estimate
from evalkit.stats.means import mean_share


@dataclass(frozen=True)
class Retry:
    """Up to `tries` attempts at an item, stopping at the first satisfactory one.

    `success`: share of items solved; `cost_usd`: spend per item, None if unpriced; `cost_per_satisfactory`:
    spend per solved item. It presumes that the product can tell a bad output from a good one.
    """

    tries: int
    success: Estimate
    cost_usd: float | None
    cost_per_satisfactory: Estimate | None


def retries(satisfied: Sequence[Sequence[float]], costs: Sequence[Sequence[float]] | None) -> tuple[Retry, ...]:
    """One line for each number of tries that the epochs can show; empty with one epoch.

    `satisfied` and `costs` (USD) hold one list per item. Items with fewer epochs than the most are left out, so
    that every line speaks of the same items.
    """
    epochs = max(map(len, satisfied), default=0)
    full = [number for number, flags in enumerate(satisfied) if len(flags) == epochs]
    if epochs < 2:
        return ()
    flags = [satisfied[number] for number in full]
    paid = None if costs is None else [costs[number] for number in full]
    return tuple(_retry(tries, flags, paid) for tries in range(1, epochs + 1))


def _retry(tries: int, flags: Sequence[Sequence[float]], paid: Sequence[Sequence[float]] | None) -> Retry:
    solved = stats.retry_success_items([round(sum(one)) for one in flags], [len(one) for one in flags], tries)
    success = mean_share(solved)
    if paid is None:
        return Retry(tries, success, None, None)
    spent = stats.retry_cost_items(paid, flags, tries)
    return Retry(tries, success, sum(spent) / len(spent), stats.cost_per_satisfactory(spent, solved))
