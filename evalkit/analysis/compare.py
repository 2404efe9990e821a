"""Models against each other on the same items: paired, and corrected for the number of comparisons."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TypeVar

from evalkit import stats
from evalkit.analysis.columns import Columns, Decided, in_all
from evalkit.analysis.hedge import dearer_by, reaching, scaled
from evalkit.analysis.pair_results import Pair
from evalkit.stats import Estimate
from evalkit.stats.cost import correlation
from evalkit.stats.estimate import no_estimate

_P = TypeVar("_P", bound=Pair)
_ALPHA = 0.05
UNPRICED = no_estimate("a request is unpriced, so no ratio can be given", 0.95, "log-ratio t")


def pairs(tables: Mapping[str, Columns], seed: int, correction_usd: Estimate) -> tuple[Pair, ...]:
    """Every pair of models on the items that both have a verdict on."""
    return adjusted([pair_of(a, b, tables[a], tables[b], seed, correction_usd) for a, b in combinations(tables, 2)])


def adjusted(found: Sequence[_P]) -> tuple[_P, ...]:
    """The same with the p-values of rates, and of cost ratios, each adjusted by Holm over all pairs."""
    rates, costs = adjust([pair.p_value for pair in found]), adjust([equal_costs_p(pair.cost_ratio) for pair in found])
    return tuple(
        replace(pair, p_holm=p, cost_p_holm=of_cost, items_to_separate=_to_separate(pair, found))
        for pair, p, of_cost in zip(found, rates, costs, strict=True)
    )


def _to_separate(pair: _P, among: Sequence[_P]) -> int | None:
    """By the level that Holm leaves a pair once those that differ more are told apart."""
    if pair.p_value is None:
        return None
    left = sum(one.p_value is not None and one.p_value >= pair.p_value for one in among)
    return stats.items_to_separate(pair.gain, pair.loss, pair.items, 1 - _ALPHA / left, pair.worth)


Adjustment = Callable[[list[float]], list[float]]
"""Adjusted p-values of a family, in the order given."""


def adjust(p_values: Sequence[float | None], by: Adjustment = stats.holm) -> list[float | None]:
    """Adjusted over the tests that were made, by Holm unless told otherwise; what could not be tested has no p."""
    adjusted = iter(by([p for p in p_values if p is not None]))
    return [None if p is None else next(adjusted) for p in p_values]


def equal_costs_p(ratio: Estimate) -> float | None:
    """Two-sided p of equal costs, by the limit that 1 would have to reach; None without one."""
    value, low, high = (None if not x else 1 / x for x in (ratio.value, ratio.high, ratio.low))
    sides = (ratio, replace(ratio, value=value, low=low, high=high)) if value else (ratio,)
    known = [p for p in map(stats.above_one_p, sides) if p is not None]
    return min(1.0, 2 * min(known)) if known else None


def pair_of(a: str, b: str, table_a: Columns, table_b: Columns, seed: int, correction_usd: Estimate) -> Pair:
    """Model `b` against `a` where putting an unsatisfactory output right costs `correction_usd`; p not yet adjusted."""
    of_a, of_b = in_all((table_a.decided, table_b.decided))
    if not len(of_a):
        nothing = no_estimate("no item has a verdict for both models", 0.95, "Tango score")
        return Pair(a, b, 0, 0.0, 0.0, nothing, None, None, nothing, nothing, nothing, nothing, None, None, 1.0)
    discordance = stats.discordance(of_b.satisfied, of_a.satisfied)
    if _epochs(of_a, of_b) > 1:
        p_value = stats.sign_flip_p(of_b.satisfied, of_a.satisfied, seed)
    else:
        p_value = stats.mcnemar_midp(round(discordance.gain), round(discordance.loss))
    difference = reaching(
        _difference(of_a, of_b),
        *(
            (_difference(table_a.at_best, table_b.at_worst), _difference(table_a.at_worst, table_b.at_best))
            if table_a.is_open or table_b.is_open
            else ()
        ),
    )
    unpriced = table_a.unpriced or table_b.unpriced
    money = (UNPRICED, UNPRICED, UNPRICED, UNPRICED) if unpriced else _money(of_a, of_b, difference, correction_usd)
    if table_a.is_open or table_b.is_open:
        money = (scaled(money[0], _dearer_by(table_b), 1 / _dearer_by(table_a)), *money[1:])
    worth = stats.paired_worth(of_b.satisfied, of_a.satisfied, _epochs(of_a, of_b))
    gain, loss = discordance.gain, discordance.loss
    return Pair(a, b, len(of_a), gain, loss, difference, p_value, None, *money, None, None, worth)


def _dearer_by(table: Columns) -> float:
    known, at_worst = (float(side.satisfied.mean()) for side in (table.decided, table.at_worst))
    return dearer_by(known, at_worst)


def _difference(a: Decided, b: Decided) -> Estimate:
    """Rate of `b` less that of `a`, on the items that both have."""
    of_a, of_b = in_all((a, b))
    if (epochs := _epochs(of_a, of_b)) > 1:
        return stats.paired_rates_clustered(of_b.satisfied, of_a.satisfied, epochs=epochs)
    counts = stats.discordance(of_b.satisfied, of_a.satisfied)
    return stats.paired_rates(round(counts.gain), round(counts.loss), len(of_a))


def _epochs(of_a: Decided, of_b: Decided) -> int:
    return int(max(of_a.trials.max(), of_b.trials.max()))


def _money(
    of_a: Decided, of_b: Decided, difference: Estimate, correction_usd: Estimate
) -> tuple[Estimate, Estimate, Estimate, Estimate]:
    extra = stats.paired_means(of_b.cost_usd, of_a.cost_usd)
    ratio = stats.cost_ratio(of_b.cost_usd, of_b.satisfied, of_a.cost_usd, of_a.satisfied)
    related = correlation(of_a.cost_usd - of_b.cost_usd, of_b.satisfied - of_a.satisfied)
    saving = stats.with_failures(stats.paired_means(of_a.cost_usd, of_b.cost_usd), difference, correction_usd, related)
    return ratio, extra, stats.break_even(extra, difference), saving
