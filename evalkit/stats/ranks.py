"""Tests by ranks: a second opinion on a paired mean difference (Wilcoxon-Pratt, Hodges-Lehmann), and Mann-Whitney."""

import numpy as np

from evalkit.stats import distributions as stats
from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.inputs import Values, check_confidence, check_same_length, numbers

HODGES_LEHMANN = "Hodges-Lehmann, Walsh averages"


def wilcoxon_pratt_p(candidate: Values, baseline: Values) -> float | None:
    """Two-sided Wilcoxon signed-rank p in (0, 1] with zeros ranked (Pratt 1959); normal approximation with ties.

    Item means in the same item order. n = 0: None. All differences 0: 1. Small n without ties or zeros uses
    the exact distribution. Swapping the sides keeps p. Raises ValueError for nan or different lengths.
    """
    check_same_length(candidate=candidate, baseline=baseline)
    d = numbers("candidate", candidate) - numbers("baseline", baseline)
    if not len(d):
        return None
    if not d.any():
        return 1.0
    from scipy.stats import wilcoxon  # most of a second to load, for this rare test alone

    plain = len(d) <= 50 and d.all() and len(np.unique(np.abs(d))) == len(d)
    result = wilcoxon(d, zero_method="pratt", method="exact" if plain else "approx")
    return float(result.pvalue)


def larger_p(these: Values, others: Values) -> float | None:
    """One-sided Mann-Whitney p in (0, 1] for `these` being no larger than `others`; None if either has no value.

    Two independent samples. Exact where one has up to 8 values and none are tied, else by the normal approximation with
    corrections for ties and continuity. Raises ValueError for nan. Source: Mann and Whitney (1947).
    """
    a, b = numbers("these", these), numbers("others", others)
    if not len(a) or not len(b):
        return None
    from scipy.stats import mannwhitneyu

    tied = len(np.unique(np.concatenate((a, b)))) < len(a) + len(b)
    exact = min(len(a), len(b)) <= 8 and not tied
    return float(mannwhitneyu(a, b, alternative="greater", method="exact" if exact else "asymptotic").pvalue)


def hodges_lehmann(candidate: Values, baseline: Values, confidence: float = 0.95) -> Estimate:
    """Median of the pairwise averages of the differences, candidate minus baseline, in their unit.

    The limits are the Walsh averages at the ranks of the signed-rank distribution (normal approximation above 25
    items, else exact; ties make them wider). n = 0: no value; fewer than 6 items at 95 %: no bounds. Swapping the
    sides negates it. Raises ValueError for nan or different lengths. Source: Hodges and Lehmann (1963).
    """
    check_confidence(confidence)
    check_same_length(candidate=candidate, baseline=baseline)
    d = numbers("candidate", candidate) - numbers("baseline", baseline)
    n = len(d)
    if n == 0:
        return no_estimate("no pairs", confidence, HODGES_LEHMANN)
    walsh = np.sort((d[:, None] + d)[np.triu_indices(n)] / 2)
    rank = _lower_rank(n, (1 - confidence) / 2)
    if rank < 1:
        return Estimate(float(np.median(walsh)), None, None, confidence, n, HODGES_LEHMANN, (f"{n} pairs are too few",))
    low, high = float(walsh[rank - 1]), float(walsh[len(walsh) - rank])
    return Estimate(float(np.median(walsh)), low, high, confidence, n, HODGES_LEHMANN)


def _lower_rank(n: int, tail: float) -> int:
    """The largest rank k with P(W < k) <= tail for the signed-rank statistic W; 0 if there is none."""
    if n > 25:
        mean, spread = n * (n + 1) / 4, (n * (n + 1) * (2 * n + 1) / 24) ** 0.5
        return int(np.floor(mean + spread * float(stats.norm.ppf(tail))))
    ways = np.ones(1)
    for rank in range(1, n + 1):
        longer = np.zeros(len(ways) + rank)
        longer[: len(ways)] += ways
        longer[rank:] += ways
        ways = longer
    return int(np.searchsorted(np.cumsum(ways) / 2.0**n, tail, side="right"))
