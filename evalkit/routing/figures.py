"""A policy's figures with their intervals, from what it comes to item by item."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np

from evalkit import stats
from evalkit.frozen import dataclass
from evalkit.routing.flows import Worth
from evalkit.routing.outcomes import FloatArray, Outcomes
from evalkit.stats import Estimate
from evalkit.stats.cost import correlation
from evalkit.stats.estimate import no_estimate
from evalkit.stats.rates import FEW
from evalkit.stats.totals import complement

LEAST_TIMED = 0.95
"""Share of trials whose wait must be known: those that are not may be missing for being slow."""
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95}
CROSS_FITTED = "cross-fitted, one step wider than its label"


def worked_out_at(confidence: float, *, tuned: bool) -> float:
    """The confidence at which limits of a label are worked out (`Figures`)."""
    return 1 - (1 - confidence) / 2 if tuned else confidence


@dataclass(frozen=True)
class Figures:
    """Estimates on the items of `outcomes`, weighted as they are, at a confidence as labelled.

    Those of a `tuned` policy are worked out at half the error: choosing numbers links the folds, so that intervals of
    cross-fitted values cover too little at their own level (Bates, Hastie and Tibshirani 2024).
    """

    outcomes: Outcomes
    tuned: bool = False
    confidence: float = 0.95

    @property
    def _level(self) -> float:
        return worked_out_at(self.confidence, tuned=self.tuned)

    def _labelled(self, estimate: Estimate) -> Estimate:
        if not self.tuned:
            return estimate
        return replace(estimate, confidence=self.confidence, method=f"{estimate.method}, {CROSS_FITTED}")

    def rate(self, per_item: FloatArray) -> Estimate:
        """Share of trials for a new item, from item means: Wilson, on an effective n where items have several."""
        epochs, level, strata = self.outcomes.epochs, self._level, self.outcomes.strata
        shares = np.clip(per_item, 0, 1)
        if strata is not None:
            return self._labelled(stats.stratified_rate(shares, strata, self.outcomes.shares, level))
        if not _whole(per_item * epochs):
            return self._labelled(stats.mean_share(shares, level))
        counts = np.rint(per_item * epochs)
        if epochs == 1:
            few = len(counts) < FEW  # as in the scorecard
            method: Literal["clopper-pearson", "wilson"] = "clopper-pearson" if few else "wilson"
            return self._labelled(stats.rate(int(counts.sum()), len(counts), level, method))
        return self._labelled(stats.rate_clustered(counts, np.full(len(counts), epochs), level))

    def share_among(self, hits: FloatArray, trials: FloatArray) -> Estimate:
        """Share of those trials that are hits, from counts by item; items without such trials say nothing.

        Where items are weighted, each stratum counts with the share of such trials that it would have in production.
        """
        some, strata = trials > 0, self.outcomes.strata
        if not some.any():
            return no_estimate("there is no such output", self.confidence, "score interval (Wilson)")
        if strata is None:
            return self._labelled(stats.rate_clustered(hits[some], trials[some], self._level))
        parts = range(len(self.outcomes.shares))
        mass = np.array(
            [share * trials[strata == h].mean() for h, share in zip(parts, self.outcomes.shares, strict=True)]
        )
        shares = (mass / mass.sum()).tolist()
        return self._labelled(stats.stratified_rate(hits[some] / trials[some], strata[some], shares, self._level))

    def mean_usd(self, per_item: FloatArray) -> Estimate:
        """Mean USD a request, from item means >= 0."""
        strata = self.outcomes.strata
        if strata is None or not per_item.any():
            return self._labelled(stats.mean_cost(per_item, self._level))
        ones = np.ones(len(per_item))
        return self._labelled(stats.stratified_ratio(per_item, ones, strata, self.outcomes.shares, self._level))

    def total_usd(self, worth: Worth) -> Estimate:
        """Mean USD a request with what unsatisfactory answers cost, by the same rule as a model's."""
        failing = complement(self.rate(worth.satisfied))
        related = correlation(worth.cost_usd, -worth.satisfied)
        cost, review_usd = self.mean_usd(worth.cost_usd), self.outcomes.review_usd
        return stats.with_failures(cost, failing, self.outcomes.failure, related, review_usd)

    def saving_usd(self, ours: Worth, theirs: Worth) -> Estimate:
        """What a request costs less in total than with another policy, USD, paired by item."""
        related = correlation(theirs.cost_usd - ours.cost_usd, ours.satisfied - theirs.satisfied)
        cheaper, better = (
            self.difference(theirs.cost_usd, ours.cost_usd), self.rate_difference(ours.satisfied, theirs.satisfied),
        )  # fmt: skip
        return stats.with_failures(cheaper, better, self.outcomes.failure, related)

    def cost_per_satisfactory(self, worth: Worth) -> Estimate:
        """USD a satisfactory output, if others are thrown away."""
        strata, epochs, satisfied = self.outcomes.strata, self.outcomes.epochs, np.clip(worth.satisfied, 0, 1)
        if strata is not None:
            return self._labelled(
                stats.stratified_ratio(worth.cost_usd, satisfied, strata, self.outcomes.shares, self._level)
            )
        n_eff = None
        if epochs > 1 and _whole(satisfied * epochs):
            design = stats.cluster_design(np.rint(satisfied * epochs), np.full(len(satisfied), epochs))
            n_eff = design.adjusted_n_eff(self._level)
        return self._labelled(stats.cost_per_satisfactory(worth.cost_usd, satisfied, self._level, n_eff))

    def difference(self, ours: FloatArray, theirs: FloatArray) -> Estimate:
        """Mean of a difference, paired by item; Student's t."""
        strata = self.outcomes.strata
        if strata is None:
            return self._labelled(stats.paired_means(ours, theirs, self._level))
        return self._labelled(stats.stratified_mean(ours - theirs, strata, self.outcomes.shares, self._level))

    def rate_difference(self, ours: FloatArray, theirs: FloatArray) -> Estimate:
        """Difference of pass rates, paired by item: Tango's interval; t where items are weighted or lots drawn."""
        epochs = self.outcomes.epochs
        if self.outcomes.strata is not None or not _whole(np.concatenate([ours, theirs]) * epochs):
            return self.difference(ours, theirs)
        if epochs > 1:
            return self._labelled(stats.paired_rates_clustered(ours, theirs, self._level, epochs))
        both = stats.discordance(ours, theirs)
        return self._labelled(stats.paired_rates(round(both.gain), round(both.loss), both.n, self._level))

    def cost_ratio(self, ours: FloatArray, theirs: FloatArray) -> Estimate:
        """Mean cost of one over that of another, paired by item."""
        strata = self.outcomes.strata
        if strata is None:
            return self._labelled(stats.mean_cost_ratio(ours, theirs, self._level))
        return self._labelled(stats.stratified_ratio(ours, theirs, strata, self.outcomes.shares, self._level))

    def felt(self, worth: Worth) -> Mapping[str, Estimate]:
        """Quantiles of what users wait, in seconds; none where it is not known of enough trials."""
        known = np.isfinite(worth.felt_s)
        share = float(known.mean()) if len(known) else 0.0
        reason = ""
        if share < LEAST_TIMED:
            reason = f"the wait of {1 - share:.0%} of the trials is not known" if share else "no wait was measured"
        elif np.ptp(worth.felt_weight) > 1e-9:
            reason = "its paths have unequal chances"
        if reason:
            return dict.fromkeys(QUANTILES, no_estimate(reason, self.confidence, "order statistics"))
        return {name: self._quantile(worth.felt_s[known], worth.felt_item[known], q) for name, q in QUANTILES.items()}

    def _quantile(self, waits: FloatArray, items: FloatArray, q: float) -> Estimate:
        strata = self.outcomes.strata
        if strata is None:
            return self._labelled(stats.quantile_clustered(waits, items.tolist(), q, self._level))
        timed, place = np.unique(items.astype(int), return_inverse=True)
        return self._labelled(
            stats.stratified_quantile(waits, place, strata[timed], self.outcomes.shares, q, self._level)
        )


def _whole(counts: FloatArray) -> bool:
    """Whether item means come from whole successes; a policy that draws lots has others."""
    return bool(np.abs(counts - np.rint(counts)).max(initial=0.0) <= 1e-9)
