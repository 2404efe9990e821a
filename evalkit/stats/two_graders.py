"""Weighted kappa: agreement of exactly two graders beyond that of their own habits."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from evalkit.stats.agreement import agreement_weights
from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.gradings import NO_VARIATION, SINGLE_GRADER, grade_table
from evalkit.stats.inputs import check_confidence
from evalkit.stats.jackknife import HYBRID, Disagreement, hybrid_estimate, leave_one_out

KappaWeights = Literal["identity", "linear", "quadratic"]


def weighted_kappa(
    first: Sequence[float | None],
    second: Sequence[float | None],
    weights: KappaWeights = "quadratic",
    confidence: float = 0.95,
) -> Estimate:
    """Cohen's weighted kappa (1968) of two graders, in [-1, 1]; 0 is chance; hybrid interval.

    `first`, `second`: their ratings in the same item order, nan or None = missing; items that either left out
    do not count. Distances are those of the rating values. No common item, or one category only: no value and
    a reason. n = 1: limits from Wilson on disagreement alone. Swapping the graders keeps it. Raises
    ValueError for unknown weights and lists of different lengths.
    """
    check_confidence(confidence)
    both = grade_table([first, second])
    both = both[:, ~np.isnan(both).any(axis=0)]
    values, n = np.unique(both), both.shape[1]
    if len(values) < 2:
        return no_estimate(NO_VARIATION if n else SINGLE_GRADER, confidence, HYBRID, n)
    distance = 1 - agreement_weights(values, weights)
    chosen = np.searchsorted(values, both)
    keep = leave_one_out(n)
    left = np.maximum(keep.sum(axis=1), 1)
    margins = [keep @ np.eye(len(values))[row] / left[:, None] for row in chosen]
    observed = keep @ distance[chosen[0], chosen[1]] / left
    expected = ((margins[0] @ distance) * margins[1]).sum(axis=1)
    return hybrid_estimate(Disagreement(observed, expected, int((both[0] != both[1]).sum())), confidence)
