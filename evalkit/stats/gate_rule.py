"""Whether a candidate is shown to be no worse than a baseline by a margin: one rule for data and for plans."""

import math

import numpy as np

from evalkit.stats import distributions as stats
from evalkit.stats.inputs import FloatArray, Values, check_alpha, check_same_length, check_share, numbers
from evalkit.stats.noninferiority import EXACT_MOST, noninferiority_exact_p, worse_exact_p
from evalkit.stats.paired import MOST_EPOCHS, epochs_seen, paired_n_eff, tested_at, unseen_gains, unseen_items
from evalkit.stats.tango import tango_statistic

_LEAST_ALPHA, _MOST_ALPHA = 1e-9, 0.4999


def shows_noninferiority(
    candidate: Values, baseline: Values, margin: float, alpha: float = 0.05, epochs: int | None = None
) -> bool:
    """Whether the item means show candidate - baseline > -margin, one-sided at `alpha`.

    One trial per item (all means 0 or 1): exact p <= alpha and the lower Tango limit at confidence 1 - 2 alpha
    above -margin; over 1000 items the limit alone. Several: the clustered limit alone, widened by part of an unseen
    item that is lost whole (`score_at`), at an alpha of 0.05 at most (`tested_at`). `epochs` None takes the largest
    denominator seen. No item: False. Raises ValueError for means outside [0, 1], different lengths, margin or alpha
    outside (0, 1), alpha of 1/2 or more, epochs outside 1 to 1000. Source: Tango (1998).
    """
    check_share("margin", margin)
    check_alpha(alpha)
    p, b, m = _sides(candidate, baseline, epochs)
    if not len(p):
        return False
    alpha = tested_at(alpha, m)
    shown = bool(score_at(p, b, m, -margin, alpha) > stats.norm.isf(alpha))
    if m > 1 or len(p) > EXACT_MOST or not shown:
        return shown
    gain, loss = round(float((p * (1 - b)).sum())), round(float((b * (1 - p)).sum()))
    return noninferiority_exact_p(gain, loss, len(p), margin) <= alpha


def noninferiority_p(
    candidate: Values, baseline: Values, margin: float, epochs: int | None = None, *, exact: bool = True
) -> float | None:
    """The least alpha at which `shows_noninferiority` is True; None without items.

    One-sided, for adjusting several such tests (Holm). Where no alpha below 1/2 does (with several epochs: none up to
    0.05): the score test's p. `exact` False
    leaves out the enumeration, which takes a second for 1000 items: then p rests on the score limit alone, and is
    never above what the enumeration gives. Raises ValueError as that function does. Source: Tango (1998), as there.
    """
    check_share("margin", margin)
    p, b, m = _sides(candidate, baseline, epochs)
    if not len(p):
        return None
    if m > 1:
        return _clustered_p(p, b, m, margin)
    score = float(stats.norm.sf(score_at(p, b, 1, -margin, 0.05)))
    if not exact or score >= _MOST_ALPHA or len(p) > EXACT_MOST:
        return score
    gain, loss = round(float((p * (1 - b)).sum())), round(float((b * (1 - p)).sum()))
    return max(score, noninferiority_exact_p(gain, loss, len(p), margin))


def _sides(candidate: Values, baseline: Values, epochs: int | None) -> tuple[FloatArray, FloatArray, int]:
    """Item means of both sides, and the most trials that an item has."""
    check_same_length(candidate=candidate, baseline=baseline)
    p, b = numbers("candidate", candidate, 0, 1), numbers("baseline", baseline, 0, 1)
    m = epochs_seen(np.concatenate([p, b])) if epochs is None else epochs
    if not 1 <= m <= MOST_EPOCHS:
        raise ValueError(f"epochs = {m} is not from 1 to {MOST_EPOCHS}")
    return p, b, m


def _clustered_p(p: FloatArray, b: FloatArray, m: int, margin: float) -> float:
    """By bisection on the log scale, since the effective number of pairs depends on alpha as well."""

    def shows(alpha: float) -> bool:
        return bool(score_at(p, b, m, -margin, alpha) > stats.norm.isf(alpha))

    low, high = _LEAST_ALPHA, _MOST_ALPHA
    if shows(low):
        return low
    if not shows(high):
        return float(stats.norm.sf(score_at(p, b, m, -margin, high)))
    while high / low > 1 + 1e-9:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if shows(middle) else (middle, high)
    return high


def worse_p(candidate: Values, baseline: Values, alpha: float = 0.05, epochs: int | None = None) -> float | None:
    """One-sided p in (0, 1) that the candidate's rate is no lower than the baseline's: small where it is shown lower.

    Arguments as in `shows_noninferiority`, and its mirror image without a margin: at most `alpha` only where the upper
    limit of the difference at confidence 1 - 2 alpha lies below 0 and, with one epoch and up to 1000 items, the exact p
    is at most alpha too; with several, the limit is widened by unseen items that are gained whole (`unseen_gains`). No
    item: None. Raises ValueError as it does. Source: Tango (1998) at 0.
    """
    check_alpha(alpha)
    p, b, m = _sides(candidate, baseline, epochs)
    if not len(p):
        return None
    if p.mean() == b.mean():
        return 0.5
    score = float(stats.norm.sf(score_at(b, p, m, 0.0, alpha, unseen_gains(m, alpha))))
    if m > 1 or len(p) > EXACT_MOST or score >= _MOST_ALPHA:
        return score
    gain, loss = round(float((p * (1 - b)).sum())), round(float((b * (1 - p)).sum()))
    return max(score, worse_exact_p(gain, loss, len(p)))


def score_at(
    p: FloatArray, b: FloatArray, m: int, difference: float, alpha: float, unseen: float | None = None
) -> FloatArray:
    """Clustered score statistic of H0: rate difference = `difference`; items on the last axis.

    At 0 and above: above the upper `alpha` quantile of the normal exactly where the lower limit at confidence
    1 - 2 alpha lies above `difference`; below minus that where the upper limit lies below it. A `difference` below 0 is
    a margin: with several epochs part of an unseen item, lost whole, then enters the variance (`unseen_items`; `unseen`
    sets it otherwise), without which a loss on few items passes in up to half of all runs (docs/statistics.md).
    """
    n = p.shape[-1]
    if unseen is None:
        unseen = unseen_items(m, alpha) if difference < 0 else 0.0
    n_eff = paired_n_eff(p, b, m, 1 - 2 * alpha, unseen) if m > 1 else np.full(p.shape[:-1], float(n))
    gain, loss = (p * (1 - b)).sum(axis=-1) / n, (b * (1 - p)).sum(axis=-1) / n
    return tango_statistic(n_eff * gain, n_eff * loss, n_eff, difference)
