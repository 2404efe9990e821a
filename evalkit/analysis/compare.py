"""Models against each other on the same items: paired, and corrected for the number of comparisons."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TypeVar

import pandas as pd

from evalkit import stats
from evalkit.analysis.pair_results import Pair
from evalkit.analysis.trials import has_unpriced
from evalkit.stats import Estimate
from evalkit.stats.estimate import no_estimate

_P = TypeVar("_P", bound=Pair)
_UNPRICED = no_estimate("a request is unpriced, so no ratio can be given", 0.95, "log-ratio t")


def pairs(frames: Mapping[str, pd.DataFrame], seed: int) -> tuple[Pair, ...]:
    """Every pair of models on the items that both have a verdict on; p-values adjusted by Holm."""
    return adjusted([pair_of(a, b, frames[a], frames[b], seed) for a, b in combinations(frames, 2)])


def adjusted(found: Sequence[_P]) -> tuple[_P, ...]:
    with_p = [pair for pair in found if pair.p_value is not None]
    values = iter(stats.holm([pair.p_value for pair in with_p if pair.p_value is not None]))
    return tuple(replace(pair, p_holm=next(values)) if pair.p_value is not None else pair for pair in found)


def item_table(frame: pd.DataFrame) -> pd.DataFrame:
    """One row an item that has a verdict: the item is the unit."""
    groups = frame[frame["satisfied"].notna()].groupby("item_id", sort=True)
    return pd.DataFrame(
        {"satisfied": groups["satisfied"].mean(), "cost_usd": groups["cost_usd"].mean(), "trials": groups.size()}
    )


def pair_of(a: str, b: str, frame_a: pd.DataFrame, frame_b: pd.DataFrame, seed: int) -> Pair:
    tables = item_table(frame_a), item_table(frame_b)
    both = tables[0].merge(tables[1], left_index=True, right_index=True, suffixes=("_a", "_b"))
    if not len(both):
        nothing = no_estimate("no item has a verdict for both models", 0.95, "Tango score")
        return Pair(a, b, 0, 0.0, 0.0, nothing, None, None, nothing, nothing, None)
    rates_a, rates_b = list(map(float, both["satisfied_a"])), list(map(float, both["satisfied_b"]))
    discordance = stats.discordance(rates_b, rates_a)
    repeated = bool((both["trials_a"] > 1).any() or (both["trials_b"] > 1).any())
    if repeated:
        epochs = int(max(both["trials_a"].max(), both["trials_b"].max()))
        difference = stats.paired_rates_clustered(rates_b, rates_a, epochs=epochs)
        p_value = stats.sign_flip_p(rates_b, rates_a, seed)
    else:
        gain, loss = round(discordance.gain), round(discordance.loss)
        difference = stats.paired_rates(gain, loss, len(both))
        p_value = stats.mcnemar_midp(gain, loss)
    unpriced = has_unpriced(frame_a) or has_unpriced(frame_b)
    ratio, break_even = (_UNPRICED, _UNPRICED) if unpriced else _money(both, rates_a, rates_b, difference)
    separate = stats.items_to_separate(discordance.gain, discordance.loss, len(both))
    return Pair(
        a, b, len(both), discordance.gain, discordance.loss, difference, p_value, None, ratio, break_even, separate
    )


def _money(
    both: pd.DataFrame, rates_a: list[float], rates_b: list[float], difference: Estimate
) -> tuple[Estimate, Estimate]:
    costs_a, costs_b = list(map(float, both["cost_usd_a"])), list(map(float, both["cost_usd_b"]))
    extra = stats.paired_means(costs_b, costs_a)
    return stats.cost_ratio(costs_b, rates_b, costs_a, rates_a), stats.break_even(extra, difference)
