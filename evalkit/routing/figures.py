"""A policy's figures with their intervals, from what it comes to item by item."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from evalkit import stats
from evalkit.routing.flows import Worth
from evalkit.routing.outcomes import FloatArray
from evalkit.stats import Estimate
from evalkit.stats.estimate import no_estimate

LEAST_TIMED = 0.95
"""Share of trials whose wait must be known: those that are not may be missing for being slow."""
_QUANTILES = {"p50": 0.5, "p90": 0.9}
CROSS_FITTED = "cross-fitted, one step wider than its label"


@dataclass(frozen=True)
class Level:
    """How sure a figure's interval is to be, as labelled; `tuned` ones are computed at half the error.

    Choosing numbers links the folds: intervals of cross-fitted values cover too little at their own level (Bates,
    Hastie and Tibshirani 2024).
    """

    confidence: float = 0.95
    tuned: bool = False

    @property
    def computed(self) -> float:
        """The level that limits are worked out at."""
        return 1 - (1 - self.confidence) / 2 if self.tuned else self.confidence

    def labelled(self, estimate: Estimate) -> Estimate:
        """An estimate at the computed level, under its label."""
        if not self.tuned:
            return estimate
        return replace(estimate, confidence=self.confidence, method=f"{estimate.method}, {CROSS_FITTED}")


def rate(per_item: FloatArray, epochs: int, level: Level) -> Estimate:
    """Share of trials for a new item, from item means: Wilson, on an effective n where items have several trials."""
    counts = per_item * epochs
    whole = np.rint(counts)
    if np.abs(counts - whole).max(initial=0.0) > 1e-9:
        return level.labelled(stats.mean_share(np.clip(per_item, 0, 1), level.computed))
    if epochs == 1:
        return level.labelled(stats.rate(int(whole.sum()), len(whole), level.computed))
    return level.labelled(stats.rate_clustered(whole, np.full(len(whole), epochs), level.computed))


def cost(per_item: FloatArray, level: Level) -> Estimate:
    """Mean USD a request."""
    return level.labelled(stats.mean_cost(per_item, level.computed))


def cost_per_satisfactory(worth: Worth, epochs: int, level: Level) -> Estimate:
    """USD a satisfactory output, if others are thrown away."""
    n_eff = None
    counts = worth.satisfied * epochs
    if epochs > 1 and np.abs(counts - np.rint(counts)).max(initial=0.0) <= 1e-9:
        design = stats.cluster_design(np.rint(counts), np.full(len(counts), epochs))
        n_eff = design.adjusted_n_eff(level.computed)
    found = stats.cost_per_satisfactory(worth.cost_usd, np.clip(worth.satisfied, 0, 1), level.computed, n_eff)
    return level.labelled(found)


def difference(ours: FloatArray, theirs: FloatArray, level: Level) -> Estimate:
    """Mean of a difference paired by item; Student's t."""
    return level.labelled(stats.paired_means(ours, theirs, level.computed))


def quality_difference(ours: FloatArray, theirs: FloatArray, epochs: int, level: Level) -> Estimate:
    """Difference of pass rates, paired by item: Tango's score interval, or t where a policy draws lots."""
    counts = np.concatenate([ours, theirs]) * epochs
    if np.abs(counts - np.rint(counts)).max(initial=0.0) > 1e-9:
        return difference(ours, theirs, level)
    if epochs > 1:
        found = stats.paired_rates_clustered(ours, theirs, level.computed, epochs)
    else:
        both = stats.discordance(ours, theirs)
        found = stats.paired_rates(round(both.gain), round(both.loss), both.n, level.computed)
    return level.labelled(found)


def felt(worth: Worth, level: Level) -> Mapping[str, Estimate]:
    """Quantiles of what users wait, in seconds; none where it is not known of enough trials."""
    known = np.isfinite(worth.felt_s)
    share = float(known.mean()) if len(known) else 0.0
    if share < LEAST_TIMED:
        reason = f"the wait of {1 - share:.0%} of the trials is not known" if share else "no wait was measured"
        return dict.fromkeys(_QUANTILES, no_estimate(reason, level.confidence, "order statistics"))
    if np.ptp(worth.felt_weight) > 1e-9:
        reason = "its paths have unequal chances"
        return dict.fromkeys(_QUANTILES, no_estimate(reason, level.confidence, "order statistics"))
    waits, items = worth.felt_s[known], worth.felt_item[known].astype(int).tolist()
    return {
        name: level.labelled(stats.quantile_clustered(waits, items, q, level.computed))
        for name, q in _QUANTILES.items()
    }
