"""Agreement of graders beyond chance: raw agreement, Krippendorff's alpha, Gwet's AC1 and AC2."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from evalkit.stats.clusters import ItemNames, effective_units
from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.gradings import NO_VARIATION, GradeCounts, Grades, count_grades, refusal
from evalkit.stats.inputs import FloatArray, check_confidence
from evalkit.stats.jackknife import HYBRID, Disagreement, hybrid_estimate, left_out_sums
from evalkit.stats.rates import WILSON, two_sided_t, wilson_limits

Level = Literal["nominal", "ordinal", "interval", "ratio"]
Weights = Literal["identity", "linear", "quadratic", "ordinal"]

LINEARISED = "linearised variance, t"


def raw_agreement(ratings: Grades, confidence: float = 0.95, *, items: ItemNames = None) -> Estimate:
    """Share of agreeing pairs of graders, averaged over units, in [0, 1]; Wilson limits on the items.

    `ratings`: graders x items, nan or None = missing. Only items with two ratings count; none of them: no value.
    All agree: high 1; all differ: low 0. Safe (wide) for more than two graders. Not corrected for chance: 0.94 can
    be as good as guessing where nearly every grade is the same. `items` names each column's item where some have
    several (epochs): Wilson's n is then the effective number (`cluster_design` of unanimity), and n counts items.
    Source: Wilson (1927). Raises ValueError for ragged or infinite ratings.
    """
    check_confidence(confidence)
    paired = count_grades(ratings, items=items).paired()
    counts = paired.counts
    if not len(counts):
        return no_estimate(_no_pairs(ratings), confidence, WILSON)
    sizes = counts.sum(axis=1)
    share = float(((counts * (counts - 1)).sum(axis=1) / (sizes * (sizes - 1))).mean())
    unanimous = (counts.max(axis=1) == sizes).astype(np.float64)
    low, high = wilson_limits(min(share, 1.0), effective_units(unanimous, paired.codes), confidence)
    return Estimate(min(share, 1.0), low, high, confidence, paired.items, WILSON)


def _no_pairs(ratings: Grades) -> str:
    return refusal(count_grades(ratings)) or NO_VARIATION


def krippendorff_alpha(ratings: Grades, level: Level, confidence: float = 0.95, *, items: ItemNames = None) -> Estimate:
    """Krippendorff's alpha, at most 1; 0 is chance (Krippendorff 2011), with the hybrid interval.

    `ratings`: graders x items, nan or None = missing; `level` says what their distances mean. Items with one
    rating are left out. No item with two ratings, or one category only: no value and a reason, since 1.0
    would be a guess. n counts items with two ratings. n = 1: limits from Wilson on disagreement alone.
    Perfect agreement: high is 1, low says how much disagreement n items can hide. The interval joins a
    leave-one-item-out jackknife on Fisher's z (t with n - 1 degrees of freedom) with Wilson on disagreement
    when fewer than 5 items disagree. `items` names each column's item where some have several (epochs): all
    of an item are left out together, and n counts items. Raises ValueError for an unknown level, ragged or
    infinite ratings, and negative ones at ratio level.
    """
    check_confidence(confidence)
    grades = count_grades(ratings, items=items)
    if level == "ratio" and grades.categories.size and grades.categories[0] < 0:
        raise ValueError(f"rating {grades.categories[0]:g} is negative, which has no meaning at ratio level")
    reason = refusal(grades) or refusal(grades.paired())
    if reason:
        return no_estimate(reason, confidence, HYBRID, grades.paired().items)
    return hybrid_estimate(_alpha_parts(grades.paired(), level), confidence)


def _alpha_parts(grades: GradeCounts, level: Level) -> Disagreement:
    """Disagreement within items and over all pairs of ratings, as shares of the largest distance."""
    counts, codes = grades.counts, grades.codes
    totals, ratings = left_out_sums(counts, codes), left_out_sums(counts.sum(axis=1), codes)
    if level == "ordinal":
        within, between, largest = _midrank_sums(grades, totals)
    else:
        distance = _distances(grades.categories, level)
        within = left_out_sums(((counts @ distance) * counts).sum(axis=1) / (counts.sum(axis=1) - 1), codes)
        between = ((totals @ distance) * totals).sum(axis=1)
        largest = np.full(len(totals), distance.max())
    observed = _share(np.maximum(within, 0), ratings * largest)
    expected = _share(between, ratings * (ratings - 1) * largest)
    return Disagreement(observed, expected, _disagreeing(grades))


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    return np.asarray(np.divide(part, whole, out=np.zeros_like(part), where=whole > 0))


def _distances(values: FloatArray, level: Level) -> FloatArray:
    if level == "nominal":
        return np.asarray(1.0 - np.eye(len(values)))
    scaled = values / max(float(np.abs(values).max()), np.finfo(np.float64).tiny)
    difference = scaled[:, None] - scaled
    if level == "ratio":
        total = scaled[:, None] + scaled
        difference = np.divide(difference, total, out=np.zeros_like(difference), where=total > 0)
    return np.asarray(difference**2)


def _midrank_sums(grades: GradeCounts, totals: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Ordinal distance is the squared difference of mid-ranks, which change with every item left out.

    A unit's part is a quadratic form of the mid-ranks, so the parts of all units are one form, and those of the
    item left out are taken off. Units whose ratings are equal have no part: leaving them out keeps a 0 exact.
    """
    counts = grades.counts
    ranks = np.cumsum(totals, axis=1) - totals / 2
    centred = ranks - totals.sum(axis=1, keepdims=True) / 2
    apart = counts.max(axis=1) < counts.sum(axis=1)
    differing, item = counts[apart], grades.codes[apart]
    others = differing.sum(axis=1, keepdims=True) - 1
    within = _spread(centred, (differing * (1 + 1 / others)).sum(axis=0), differing.T @ (differing / others))
    np.subtract.at(within, 1 + item, _own_spread(centred[1 + item], differing, others[:, 0]))
    between = 2 * (totals.sum(axis=1) * (totals * ranks**2).sum(axis=1) - (totals * ranks).sum(axis=1) ** 2)
    highest = np.where(totals > 0, ranks, 0).max(axis=1)
    lowest = np.where(totals > 0, ranks, totals.sum(axis=1, keepdims=True)).min(axis=1)
    return within, np.maximum(between, 0), (highest - lowest) ** 2


def _spread(ranks: FloatArray, squares: FloatArray, products: FloatArray) -> FloatArray:
    """Twice the form with `squares` on the diagonal less `products`, at each row of ranks."""
    return np.asarray(2 * ((ranks**2) @ squares - ((ranks @ products) * ranks).sum(axis=1)))


def _own_spread(ranks: FloatArray, counts: FloatArray, others: FloatArray) -> FloatArray:
    """The same of single items, each at its own row of ranks."""
    squares, sums = (counts * ranks**2).sum(axis=1), (counts * ranks).sum(axis=1)
    return np.asarray(2 * ((others + 1) * squares - sums**2) / others)


def _disagreeing(grades: GradeCounts) -> int:
    """Items of which any unit has two different ratings."""
    return len(np.unique(grades.codes[grades.counts.max(axis=1) < grades.counts.sum(axis=1)]))


def gwet_ac(
    ratings: Grades,
    weights: Weights = "identity",
    confidence: float = 0.95,
    *,
    categories: Sequence[float] | None = None,
    interval: Literal["hybrid", "linearised"] = "hybrid",
    items: ItemNames = None,
) -> Estimate:
    """Gwet's AC1 (identity weights) or AC2 (linear, quadratic, ordinal), in [-1, 1]; 0 is chance (Gwet 2008).

    `ratings`: graders x items, nan or None = missing; `categories`: all that could be given, default those
    seen. Stays meaningful where nearly every grade is the same, unlike alpha. Refuses, and counts n, as
    `krippendorff_alpha` does, whose hybrid interval and `items` it shares; `interval="linearised"` is Gwet's
    variance with t, as in other software, which has no width at perfect agreement and knows no `items`. Raises
    ValueError for unknown weights, ragged or infinite ratings, and ratings outside `categories`.
    """
    check_confidence(confidence)
    if items is not None and interval == "linearised":
        raise ValueError("interval = 'linearised' takes every column for an item of its own; leave items out")
    grades = count_grades(ratings, categories, items)
    reason = refusal(grades)
    if reason:
        return no_estimate(reason, confidence, HYBRID, grades.paired().items)
    matrix = agreement_weights(grades.categories, weights)
    if interval == "linearised":
        return _linearised(grades.counts, matrix, confidence)
    return hybrid_estimate(_gwet_parts(grades, matrix), confidence)


def agreement_weights(values: FloatArray, weights: Weights) -> FloatArray:
    """How much two categories agree, in [0, 1], categories x categories; `values` ascending, at least two."""
    q = len(values)
    if weights == "identity":
        return np.asarray(np.eye(q))
    if weights == "ordinal":
        steps = np.abs(np.subtract.outer(np.arange(q), np.arange(q)))
        return np.asarray(1 - (steps + 1) * steps / 2 / math.comb(q, 2))
    apart = np.abs(np.subtract.outer(values, values)) / (values[-1] - values[0])
    return np.asarray(1 - (apart if weights == "linear" else apart**2))


def _agreement_per_item(counts: FloatArray, matrix: FloatArray) -> FloatArray:
    sizes = counts.sum(axis=1)
    return np.asarray((counts * (counts @ matrix - 1)).sum(axis=1) / (sizes * (sizes - 1)))


def _chance(shares: FloatArray, matrix: FloatArray) -> FloatArray:
    """Agreement by chance from category shares (last axis)."""
    q = len(matrix)
    return np.asarray(matrix.sum() * (shares * (1 - shares)).sum(axis=-1) / (q * (q - 1)))


def _gwet_parts(grades: GradeCounts, matrix: FloatArray) -> Disagreement:
    """All rated units make the category shares; those with two ratings the agreement and the items left out."""
    paired, both = grades.counts.sum(axis=1) >= 2, grades.paired()
    shares = grades.counts / grades.counts.sum(axis=1, keepdims=True)
    left_out = np.r_[True, np.isin(np.arange(grades.items), grades.codes[paired])]
    rated = left_out_sums(shares, grades.codes)[left_out]
    units = left_out_sums(np.ones(len(shares)), grades.codes)[left_out]
    expected = 1 - _chance(_share(rated, np.repeat(units[:, None], len(matrix), axis=1)), matrix)
    agreed = left_out_sums(_agreement_per_item(both.counts, matrix), both.codes)
    observed = 1 - _share(agreed, left_out_sums(np.ones(len(both.counts)), both.codes))
    return Disagreement(np.maximum(observed, 0), expected, _disagreeing(both))


def _linearised(counts: FloatArray, matrix: FloatArray, confidence: float) -> Estimate:
    n, paired = len(counts), counts.sum(axis=1) >= 2
    shares = counts / counts.sum(axis=1, keepdims=True)
    mean_shares, q = shares.mean(axis=0), len(matrix)
    chance = float(_chance(mean_shares, matrix))
    parts = np.zeros(n)
    parts[paired] = (_agreement_per_item(counts[paired], matrix) - chance) / (1 - chance) * n / paired.sum()
    value = float(parts.mean())
    of_item = matrix.sum() / (q * (q - 1)) * (shares * (1 - mean_shares)).sum(axis=1)
    parts = parts - 2 * (1 - value) * (of_item - chance) / (1 - chance)
    if n == 1:
        return Estimate(value, None, None, confidence, 1, LINEARISED, ("one item gives no interval",))
    half = two_sided_t(confidence, n - 1) * math.sqrt(float(((parts - value) ** 2).sum()) / n / (n - 1))
    low, high = max(-1.0, value - half), min(1.0, value + half)
    return Estimate(value, low, high, confidence, int(paired.sum()), LINEARISED)
