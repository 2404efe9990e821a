"""Ratios of two sides on the same items: means, cost per success, geometric means."""

import math

import numpy as np

from evalkit.stats import distributions as stats
from evalkit.stats.cost import MOVER, OPEN_FROM, correlation
from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.inputs import SMALLEST, Values, check_confidence, check_same_length, numbers
from evalkit.stats.logscale import FEWEST, log_half_width, log_t_estimate, scaled
from evalkit.stats.rate_ratio import log_rate_distances
from evalkit.stats.rates import two_sided_t

LOG_RATIO_T = "log-ratio t"
RATES_AND_COSTS = f"{LOG_RATIO_T}, no narrower than {MOVER} with score limits of the rates"
ONE_FREE = "one side costs nothing"
"""Why a ratio of costs does not exist although one side is shown to cost less."""
PAIRED_LOG_T = "paired t on the log ratio"


def mean_cost_ratio(candidate: Values, baseline: Values, confidence: float = 0.95) -> Estimate:
    """Ratio of mean costs, candidate over baseline, without unit, >= 0; log-ratio t interval (delta method).

    Item means >= 0 in the same item order. n = 0, or a mean of 0 on either side: no value. n = 1, or items
    that all contribute equally: the value without bounds. Swapping the sides inverts the result. Raises
    ValueError for bad values or different lengths.
    """
    check_confidence(confidence)
    check_same_length(candidate=candidate, baseline=baseline)
    y, x = numbers("candidate", candidate, 0), numbers("baseline", baseline, 0)
    if not len(y):
        return no_estimate("no pairs", confidence, LOG_RATIO_T)
    top, bottom = float(y.mean()), float(x.mean())
    if min(top, bottom) < SMALLEST:
        return no_estimate(f"a mean is 0: candidate {top:g}, baseline {bottom:g}", confidence, LOG_RATIO_T, len(y))
    return log_t_estimate(top / bottom, y / top - x / bottom, 1.0, confidence, LOG_RATIO_T)


def cost_ratio(
    costs_a: Values,
    satisfied_a: Values,
    costs_b: Values,
    satisfied_b: Values,
    confidence: float = 0.95,
    *,
    mistaken: tuple[Values, Values] | None = None,
) -> Estimate:
    """Ratio of cost per success, A over B, without unit, >= 0; the wider of two intervals on the log scale.

    Costs (>= 0) and successes (in [0, 1]) are item means of both sides in the same item order. Log-ratio t (delta
    method) is too narrow upwards where one side lost what few items set the two apart, and MOVER (Donner and Zou 2012)
    of the costs' log-ratio t with the score limits of the ratio of rates (Nam and Blackwelder 2002) downwards. No value
    when n = 0, a mean cost is 0, or a side has no success. n = 1 or 2: the value without bounds; a bound beyond a
    thousand times the value, or a thousandth of it, is none either. Swapping the sides inverts the result.

    `mistaken`: for A and B, item means (in [0, 1]) of what graders count as successes by mistake, a share of all that
    they graded, which is taken off (Rogan and Gladen 1978; the share of successes that they miss cancels). No value
    where that leaves a side none. Raises ValueError for bad values or different lengths.
    """
    check_confidence(confidence)
    check_same_length(costs_a=costs_a, satisfied_a=satisfied_a, costs_b=costs_b, satisfied_b=satisfied_b)
    ca, cb = numbers("costs_a", costs_a, 0), numbers("costs_b", costs_b, 0)
    sa, sb = numbers("satisfied_a", satisfied_a, 0, 1), numbers("satisfied_b", satisfied_b, 0, 1)
    if not len(ca):
        return no_estimate("no items", confidence, LOG_RATIO_T)
    graded = sa, sb
    if mistaken is not None:
        check_same_length(costs_a=costs_a, mistaken_a=mistaken[0], mistaken_b=mistaken[1])
        sa, sb = sa - numbers("mistaken_a", mistaken[0], 0, 1), sb - numbers("mistaken_b", mistaken[1], 0, 1)
    reasons = (
        ("", "one side has no success", "no side has a success"),
        ("", ONE_FREE, "no side costs anything"),
    )
    for reason, sides in zip(reasons, ((sa, sb), (ca, cb)), strict=True):
        empty = sum(float(values.mean()) < SMALLEST for values in sides)
        if empty:
            return no_estimate(reason[empty], confidence, LOG_RATIO_T, len(ca))
    value = (float(ca.mean()) / float(sa.mean())) / (float(cb.mean()) / float(sb.mean()))
    if len(ca) < FEWEST:
        return log_t_estimate(value, ca, 1.0, confidence, LOG_RATIO_T)
    costs, rates = ca / ca.mean() - cb / cb.mean(), sa / sa.mean() - sb / sb.mean()
    weight = max(float(seen.mean()) / float(left.mean()) for seen, left in zip(graded, (sa, sb), strict=True))
    rate_below, rate_above = (weight * distance for distance in log_rate_distances(*graded, confidence))
    delta, half = (log_half_width(parts, 1.0, confidence) for parts in (costs - rates, costs))
    r = correlation(costs, rates)

    def limit(sign: int, of_rates: float) -> float | None:
        joined = math.sqrt(max(0.0, half**2 + of_rates**2 - 2 * r * half * of_rates))
        distance = max(delta, joined)
        return scaled(value, sign * distance) if distance <= math.log(OPEN_FROM) else None

    return Estimate(value, limit(-1, rate_above), limit(+1, rate_below), confidence, len(ca), RATES_AND_COSTS)


def geometric_mean_ratio(candidate: Values, baseline: Values, confidence: float = 0.95) -> Estimate:
    """Geometric mean of the per-item ratios candidate / baseline, without unit, > 0; paired t on the log ratio.

    Values > 0 in the same item order (durations in seconds, say). n = 0: no value. n = 1, or all ratios equal: the
    value without bounds. Swapping the sides inverts the result. Raises ValueError for values of 0 or below. Source:
    Student (1908), on logarithms.
    """
    check_confidence(confidence)
    check_same_length(candidate=candidate, baseline=baseline)
    y, x = numbers("candidate", candidate, SMALLEST), numbers("baseline", baseline, SMALLEST)
    if not len(y):
        return no_estimate("no pairs", confidence, PAIRED_LOG_T)
    logs = np.log(y) - np.log(x)
    return log_t_estimate(math.exp(float(logs.mean())), logs, 1.0, confidence, PAIRED_LOG_T)


def above_one_p(ratio: Estimate) -> float | None:
    """One-sided p in (0, 1) that a ratio with log-t limits is no larger than 1: small where it is shown to be larger.

    From the ratio's own lower limit, so it falls to (1 - confidence) / 2 exactly where that reaches 1. None without
    value or limit. Source: Student (1908), on logarithms.
    """
    if ratio.value is None or not ratio.low or ratio.value < SMALLEST or ratio.n < 2:
        return None
    half = math.log(ratio.value / ratio.low)
    if half <= 0:
        return None
    t = math.log(ratio.value) / half * two_sided_t(ratio.confidence, ratio.n - 1)
    return float(1 - stats.t.cdf(t, ratio.n - 1))
