"""Weighted kappa: agreement of exactly two graders beyond that of their own habits."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from evalkit.stats.agreement import agreement_weights
from evalkit.stats.clusters import ItemNames, item_codes, renumbered
from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.gradings import NO_VARIATION, SINGLE_GRADER, grade_table
from evalkit.stats.inputs import check_confidence
from evalkit.stats.jackknife import HYBRID, Disagreement, hybrid_estimate, left_out_sums

KappaWeights = Literal["identity", "linear", "quadratic"]


def weighted_kappa(
    first: Sequence[float | None],
    second: Sequence[float | None],
    weights: KappaWeights = "quadratic",
    confidence: float = 0.95,
    *,
    items: ItemNames = None,
) -> Estimate:
    """Cohen's weighted kappa (1968) of two graders, in [-1, 1]; 0 is chance; hybrid interval.

    `first`, `second`: their ratings in the same item order, nan or None = missing; items that either left out
    do not count. Distances are those of the rating values. No common item, or one category only: no value and
    a reason. n = 1: limits from Wilson on disagreement alone. `items` names each unit's item where some have several:
    all of an item are left out together, and n counts items. Swapping the graders keeps it. Raises ValueError for
    unknown weights and lists of different lengths.
    """
    check_confidence(confidence)
    both = grade_table([first, second])
    there = ~np.isnan(both).any(axis=0)
    codes, both = renumbered(item_codes(items, both.T)[there]), both[:, there]
    values, n = np.unique(both), int(codes.max(initial=-1)) + 1
    if len(values) < 2:
        return no_estimate(NO_VARIATION if n else SINGLE_GRADER, confidence, HYBRID, n)
    distance = 1 - agreement_weights(values, weights)
    chosen = np.searchsorted(values, both)
    left = np.maximum(left_out_sums(np.ones(len(codes)), codes), 1)
    margins = [left_out_sums(np.eye(len(values))[row], codes) / left[:, None] for row in chosen]
    observed = left_out_sums(distance[chosen[0], chosen[1]], codes) / left
    expected = ((margins[0] @ distance) * margins[1]).sum(axis=1)
    apart = len(np.unique(codes[both[0] != both[1]]))
    return hybrid_estimate(Disagreement(np.maximum(observed, 0), expected, apart), confidence)
