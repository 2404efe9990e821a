"""Other published forms, to check the recommended ones against; not for the headline."""

import math

import numpy as np

from evalkit.stats import distributions as stats
from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.inputs import (
    Values,
    check_confidence,
    check_same_length,
    check_whole,
    check_within,
    numbers,
)
from evalkit.stats.logscale import log_t_estimate
from evalkit.stats.rates import two_sided_t, two_sided_z, wilson_limits


def jeffreys(successes: int, n: int, confidence: float = 0.95) -> Estimate:
    """Rate in [0, 1] with Jeffreys limits; low is 0 at 0/n and high is 1 at n/n (Brown, Cai and DasGupta 2001).

    n = 0: no value. Raises ValueError for counts that are negative, broken or over n.
    """
    check_confidence(confidence)
    check_within(n, successes=successes)
    if n == 0:
        return no_estimate("no trials", confidence, "Jeffreys")
    low, high = _quantiles(successes, n, 0.5, confidence)
    low, high = (0.0 if successes == 0 else low), (1.0 if successes == n else high)
    return Estimate(successes / n, low, high, confidence, int(n), "Jeffreys")


def uniform_posterior(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The equal-tailed quantiles of Beta(successes + 1, n - successes + 1), each in (0, 1); n = 0: the prior's.

    Source: Bowyer, Aitchison and Ivanova (2025). Raises ValueError for counts that are negative or over n.
    """
    check_confidence(confidence)
    check_within(n, successes=successes)
    return _quantiles(successes, n, 1.0, confidence)


def _quantiles(successes: int, n: int, prior: float, confidence: float) -> tuple[float, float]:
    tail, posterior = (1 - confidence) / 2, (successes + prior, n - successes + prior)
    return float(stats.beta.ppf(tail, *posterior)), float(stats.beta.isf(tail, *posterior))


def newcombe_paired(both: int, gain: int, loss: int, neither: int, confidence: float = 0.95) -> Estimate:
    """Rate difference on the same items, candidate minus baseline, in [-1, 1]; Newcombe's (1998) method 10.

    `both`, `gain`, `loss`, `neither`: items that both sides, only the candidate, only the baseline, neither
    side passes. n = 0: no value. Swapping gain and loss negates it. Raises ValueError for bad counts.
    """
    check_confidence(confidence)
    check_whole(both=both, gain=gain, loss=loss, neither=neither)
    n, name = both + gain + loss + neither, "Newcombe method 10"
    if n == 0:
        return no_estimate("no pairs", confidence, name)
    p, b = (both + gain) / n, (both + loss) / n
    (p_low, p_high), (b_low, b_high) = (wilson_limits(share, n, confidence) for share in (p, b))
    product = float(both * neither - gain * loss)
    if product > 0:
        product = max(product - n / 2, 0.0)
    margins = (both + gain) * (loss + neither) * (both + loss) * (gain + neither)
    phi = product / math.sqrt(margins) if margins else 0.0
    down, up = _joined(p - p_low, b_high - b, phi), _joined(p_high - p, b - b_low, phi)
    return Estimate(p - b, max(-1.0, p - b - down), min(1.0, p - b + up), confidence, int(n), name)


def _joined(first: float, second: float, correlation: float) -> float:
    return math.sqrt(max(0.0, first**2 - 2 * correlation * first * second + second**2))


def bonett_price(gain: int, loss: int, n: int, confidence: float = 0.95) -> Estimate:
    """Rate difference on the same items in [-1, 1]; Wald limits with one gain and one loss added (2012).

    n = 0: no value. The limits always hold the value. Swapping gain and loss negates it. Raises ValueError
    for counts below 0 or gain + loss > n.
    """
    check_confidence(confidence)
    check_within(n, gain=gain, loss=loss)
    if n == 0:
        return no_estimate("no pairs", confidence, "Bonett-Price")
    up, down = (gain + 1) / (n + 2), (loss + 1) / (n + 2)
    half = two_sided_z(confidence) * math.sqrt((up + down - (up - down) ** 2) / (n + 2))
    value, centre = (gain - loss) / n, up - down
    low, high = max(-1.0, min(value, centre - half)), min(1.0, max(value, centre + half))
    return Estimate(value, low, high, confidence, int(n), "Bonett-Price")


def mcnemar_exact(gain: int, loss: int) -> float:
    """Two-sided exact McNemar p in (0, 1]; never below the mid-p. No discordant pair: 1. Swapping keeps p.

    Source: McNemar (1947). Raises ValueError for counts that are negative or not whole.
    """
    check_whole(gain=gain, loss=loss)
    return min(1.0, float(2 * stats.binom.cdf(min(gain, loss), gain + loss, 0.5)))


def fieller(costs: Values, satisfied: Values, confidence: float = 0.95) -> Estimate:
    """Mean cost over rate of success, >= 0 in the unit of `costs` (USD), with Fieller's (1954) paired t limits.

    Item means in the same order, costs >= 0, satisfied in [0, 1]. A rate not clearly above 0 leaves no upper
    limit, and no lower one where nothing is excluded; a warning says so. No success: no value. n = 0: no
    value; n = 1: no bounds. Raises ValueError for bad values or different lengths.
    """
    check_confidence(confidence)
    check_same_length(costs=costs, satisfied=satisfied)
    c, s = numbers("costs", costs, 0), numbers("satisfied", satisfied, 0, 1)
    n = len(c)
    if n == 0 or s.mean() <= 1e-100:
        return no_estimate("no items" if n == 0 else "no success", confidence, "Fieller", n)
    top, bottom = float(c.mean()), float(s.mean())
    value, unit = top / bottom, max(top, 1e-100)
    if n == 1:
        return Estimate(value, None, None, confidence, 1, "Fieller", ("one item gives no interval",))
    t2 = two_sided_t(confidence, n - 1) ** 2
    (var_c, cov), (_, var_s) = (np.cov(c / unit, s) * t2 / n).tolist()
    a, b, rest = bottom**2 - var_s, top / unit * bottom - cov, (top / unit) ** 2 - var_c
    root = math.sqrt(max(0.0, b * b - a * rest))
    if a > 0:
        low, high = (b - root) / a * unit, (b + root) / a * unit
        return Estimate(value, max(0.0, min(low, value)), max(high, value), confidence, n, "Fieller")
    warning = "the rate is not clearly above 0: no upper limit"
    if root == 0 or a == 0:
        return Estimate(value, None, None, confidence, n, "Fieller", (warning,))
    low = max(0.0, min((b - root) / a * unit, value))
    return Estimate(value, low, None, confidence, n, "Fieller", (warning,))


def log_ratio_t(costs: Values, satisfied: Values, confidence: float = 0.95) -> Estimate:
    """Mean cost over rate of success, > 0 in the unit of `costs` (USD), with log-ratio t limits (delta method).

    Item means in the same order, costs >= 0, satisfied in [0, 1]. n = 0, no success or no cost: no value. n =
    1, or items that contribute equally: no bounds. Raises ValueError for bad values or different lengths.
    """
    check_confidence(confidence)
    check_same_length(costs=costs, satisfied=satisfied)
    c, s = numbers("costs", costs, 0), numbers("satisfied", satisfied, 0, 1)
    if not len(c) or min(float(c.mean()), float(s.mean())) <= 1e-100:
        return no_estimate("no items, no cost or no success", confidence, "log-ratio t", len(c))
    value = float(c.mean()) / float(s.mean())
    return log_t_estimate(value, c / c.mean() - s / s.mean(), 1.0, confidence, "log-ratio t")
