"""Models against each other on the same items: paired, and corrected for the number of comparisons."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations

import pandas as pd

from evalkit import stats
from evalkit.analysis.results import Pair
from evalkit.stats import Estimate
from evalkit.stats.estimate import no_estimate

_RATIO = "log-ratio t"


def pairs(frames: Mapping[str, pd.DataFrame], seed: int) -> tuple[Pair, ...]:
    """Every pair of models on the items that both have a verdict on; p-values adjusted by Holm."""
    found = [_pair(a, b, frames[a], frames[b], seed) for a, b in combinations(frames, 2)]
    with_p = [pair for pair in found if pair.p_value is not None]
    adjusted = iter(stats.holm([pair.p_value for pair in with_p if pair.p_value is not None]))
    return tuple(replace(pair, p_holm=next(adjusted)) if pair.p_value is not None else pair for pair in found)


def _item_table(frame: pd.DataFrame) -> pd.DataFrame:
    verdicts = frame[frame["satisfied"].notna()] if len(frame) else frame
    if not len(verdicts):
        return pd.DataFrame({"satisfied": [], "cost_usd": [], "trials": [], "unpriced": []})
    groups = verdicts.groupby("item_id", sort=True)
    return pd.DataFrame(
        {
            "satisfied": groups["satisfied"].mean(),
            "cost_usd": groups["cost_usd"].mean(),
            "trials": groups.size(),
            "unpriced": groups["cost_usd"].apply(lambda costs: bool(costs.isna().any())),
        }
    )


def _pair(a: str, b: str, frame_a: pd.DataFrame, frame_b: pd.DataFrame, seed: int) -> Pair:
    both = _item_table(frame_a).join(_item_table(frame_b), lsuffix="_a", rsuffix="_b", how="inner")
    if not len(both):
        nothing = no_estimate("no item has a verdict for both models", 0.95, "Tango score")
        return Pair(a, b, 0, 0.0, 0.0, nothing, None, None, nothing, None)
    rates_a, rates_b = list(map(float, both["satisfied_a"])), list(map(float, both["satisfied_b"]))
    discordance = stats.discordance(rates_b, rates_a)
    repeated = bool((both["trials_a"] > 1).any() or (both["trials_b"] > 1).any())
    if repeated:
        difference = stats.paired_rates_clustered(rates_b, rates_a)
        p_value = stats.sign_flip_p(rates_b, rates_a, seed)
    else:
        gain, loss = round(discordance.gain), round(discordance.loss)
        difference = stats.paired_rates(gain, loss, len(both))
        p_value = stats.mcnemar_midp(gain, loss)
    ratio, break_even = _money(both, rates_a, rates_b)
    return Pair(a, b, len(both), discordance.gain, discordance.loss, difference, p_value, None, ratio, break_even)


def _money(both: pd.DataFrame, rates_a: list[float], rates_b: list[float]) -> tuple[Estimate, float | None]:
    if bool(both["unpriced_a"].any() or both["unpriced_b"].any()):
        return no_estimate("a request is unpriced, so no ratio can be given", 0.95, _RATIO), None
    costs_a, costs_b = list(map(float, both["cost_usd_a"])), list(map(float, both["cost_usd_b"]))
    mean = [sum(values) / len(values) for values in (costs_a, costs_b, rates_a, rates_b)]
    break_even = stats.break_even_correction_usd(mean[0], mean[1], mean[2], mean[3])
    return stats.cost_ratio(costs_b, rates_b, costs_a, rates_a), break_even
