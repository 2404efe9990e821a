"""Difference of paired rates where only some strata of the items were looked at as a whole, others by a sample."""

import math
from collections.abc import Sequence

import numpy as np

from evalkit.stats import distributions as stats
from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.inputs import (
    FloatArray,
    Values,
    check_alpha,
    check_confidence,
    check_same_length,
    check_share,
    numbers,
    whole_numbers,
)
from evalkit.stats.paired import tested_at, unseen_gains, unseen_items
from evalkit.stats.rates import two_sided_t, two_sided_z
from evalkit.stats.tango import tango_limits, tango_statistic

POST_STRATIFIED = "Tango score, post-stratified, effective n"


def paired_rates_stratified(
    candidate: Values, baseline: Values, strata: Values, sizes: Sequence[int], confidence: float = 0.95
) -> Estimate:
    """Rate difference of all items, candidate - baseline, in [-1, 1], from labels on all or a random part of each
    stratum.

    `candidate`, `baseline`: item means in [0, 1] of the labelled items, same order; `strata`: the stratum of each, a
    whole number from 0 on; `sizes`: items of each stratum, labelled or not, in that order. D = sum W_h mean(d_h) with
    W_h = N_h / N. Its variance is that of drawing the items, (sum W_h s_h^2 + sum W_h (mean(d_h) - D)^2) / (N - 1), and
    that of drawing labels within strata, sum W_h^2 (1/n_h - 1/N_h) s_h^2, which is 0 for one labelled whole (two-phase
    sampling; Cochran 1977, chapter 12). A sample without any spread gets that of n_h + 2 pairs, one more discordant:
    half a gain, half a loss (Jeffreys). The effective n that this variance is worth, with S the share of pairs that
    differ, (S - D^2) / variance, times (z/t)^2 with the degrees of freedom of the smallest sample, goes into Tango's
    limits. `n`: all items. No item, or a stratum without a label: no value. Raises ValueError for values out of range,
    different lengths, and more labels than a stratum has items.
    """
    found = _worth(candidate, baseline, strata, sizes, confidence)
    if isinstance(found, str):
        return no_estimate(found, confidence, POST_STRATIFIED, int(sum(sizes)))
    d, s, n_eff = found
    total, z = int(sum(sizes)), two_sided_z(confidence)
    if not n_eff:
        return Estimate(d, -1.0, 1.0, confidence, total, POST_STRATIFIED, ("one label of a sample gives no interval",))
    low, high = tango_limits(n_eff * max(0.0, s + d) / 2, n_eff * max(0.0, s - d) / 2, n_eff, z)
    return Estimate(d, min(float(low), d), max(float(high), d), confidence, total, POST_STRATIFIED)


def shows_noninferiority_stratified(
    candidate: Values,
    baseline: Values,
    strata: Values,
    sizes: Sequence[int],
    margin: float,
    alpha: float = 0.05,
    epochs: int = 1,
) -> bool:
    """Whether the same labels show candidate - baseline > -margin, one-sided at `alpha`.

    Where the lower limit at confidence 1 - 2 alpha lies above -margin; with several `epochs` it is widened by part of
    an unseen item that is lost whole, and alpha is 0.05 at most, as in `shows_noninferiority`. False without an
    interval. Raises ValueError as `paired_rates_stratified`, and for margin outside (0, 1), alpha outside (0, 1/2).
    Source: Tango (1998) at -margin.
    """
    check_share("margin", margin)
    check_alpha(alpha)
    alpha = tested_at(alpha, epochs)
    found = _worth(candidate, baseline, strata, sizes, 1 - 2 * alpha, epochs, unseen_items(epochs, alpha))
    if isinstance(found, str) or not found[2]:
        return False
    d, s, n_eff = found
    statistic = tango_statistic(n_eff * max(0.0, s + d) / 2, n_eff * max(0.0, s - d) / 2, n_eff, -margin)
    return bool(statistic > stats.norm.isf(alpha))


def worse_p_stratified(
    candidate: Values, baseline: Values, strata: Values, sizes: Sequence[int], alpha: float = 0.05, epochs: int = 1
) -> float | None:
    """One-sided p in (0, 1) that the candidate's rate is no lower than the baseline's, from the same labels.

    At most `alpha` exactly where the upper limit at confidence 1 - 2 alpha lies below 0; with several `epochs` it is
    widened by unseen items that are gained whole, as in `worse_p`. None without an interval.
    Raises ValueError as `paired_rates_stratified`, and for alpha outside (0, 1/2). Source: Tango (1998) at 0.
    """
    check_alpha(alpha)
    found = _worth(baseline, candidate, strata, sizes, 1 - 2 * alpha, epochs, unseen_gains(epochs, alpha))
    if isinstance(found, str) or not found[2]:
        return None
    d, s, n_eff = found
    if not d:
        return 0.5
    return float(stats.norm.sf(tango_statistic(n_eff * max(0.0, s + d) / 2, n_eff * max(0.0, s - d) / 2, n_eff, 0.0)))


def _worth(
    candidate: Values,
    baseline: Values,
    strata: Values,
    sizes: Sequence[int],
    confidence: float,
    epochs: int | None = None,
    unseen: float = 0.0,
) -> tuple[float, float, float] | str:
    """Difference, share of pairs that differ, and how many pairs that is worth (0: no interval); or the reason.

    `epochs`: for a test, which reckons with `unseen` items that the candidate loses, and no more pairs than trials.
    """
    check_confidence(confidence)
    check_same_length(candidate=candidate, baseline=baseline, strata=strata)
    p, b, of = numbers("candidate", candidate, 0, 1), numbers("baseline", baseline, 0, 1), numbers("strata", strata, 0)
    size = np.asarray(whole_numbers("sizes", sizes), dtype=np.float64)
    if len(of) and (of.max() >= len(size) or (of % 1).any()):
        raise ValueError(f"strata holds {of.max():g}, which is not one of {len(size)} strata")
    counts = np.array([(of == h).sum() for h in range(len(size))])
    if (counts > size).any():
        raise ValueError(f"labels {counts.tolist()} are more than the sizes {size.tolist()}")
    total = int(size.sum())
    if not total or (counts < np.minimum(size, 1)).any():
        return "a stratum has no label" if total else "no pairs"
    held = np.flatnonzero(size)
    parts = np.array([_stratum(p[of == h], b[of == h], int(size[h])) for h in held])
    weight, n = size[held] / total, counts[held]
    mean, differ, spread = parts.T
    d, s = (math.fsum(weight * each) for each in (mean, differ))  # exactly 0 where gains and losses cancel
    most = math.inf if epochs is None else float(total * epochs)
    apart = float(weight @ (spread + (mean - d) ** 2))
    drawn = (apart + unseen * (1 + d) ** 2 / total) / max(1, total - 1 + unseen)
    variance = float(drawn + (weight**2 * (1 / n - 1 / size[held])) @ spread)
    sampled = n[n < size[held]]
    freedom = min(total, int(sampled.min(initial=total))) - 1
    if freedom < 1:
        return d, s, 0.0
    factor = (two_sided_z(confidence) / two_sided_t(confidence, freedom)) ** 2
    return d, s, factor * (total if variance <= 0 else min(max((s - d * d) / variance, 1.0), most))


def _stratum(p: FloatArray, b: FloatArray, size: int) -> tuple[float, float, float]:
    """Mean difference, share that differs, and variance of the difference; the latter two smoothed where need be."""
    d, n = p - b, len(p)
    mean, differ = float(d.mean()), float((p * (1 - b) + b * (1 - p)).mean())
    if n < size and np.ptp(d) == 0:
        share = (n * differ + 1) / (n + 2)
        return mean, share, share - (n * mean / (n + 2)) ** 2
    return mean, differ, float(d.var() if n == size else d.var(ddof=1))
