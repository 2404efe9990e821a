"""Cost of an item and of a success, with intervals on the log scale."""

import math
from collections.abc import Sequence

import numpy as np

from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.inputs import (
    LARGEST,
    SMALLEST,
    FloatArray,
    Values,
    check_confidence,
    check_same_length,
    is_constant,
    numbers,
    trial_lists,
)
from evalkit.stats.logscale import log_half_width, log_t_estimate, scaled
from evalkit.stats.rates import cluster_design, shown_limits, two_sided_t

LOG_T = "log-t"
MOVER = "MOVER on the log scale"
TOP_SHARE = 0.2  # one item above this share of the total makes every method under-cover
OPEN_FROM = 1000
"""Times the value: one success in any number of items has an upper limit of 40 times, at 99 % of 200."""
ONE_ITEM = "one item carries"
"""How the warning about that begins."""


def mean_cost(costs: Values, confidence: float = 0.95) -> Estimate:
    """Mean cost of an item in the unit of `costs` (USD), >= 0, with a t interval on the log scale (delta method).

    Item means, each >= 0. n = 0: no value. n = 1, or all costs equal (all 0 too): the value without bounds,
    and a warning. One item above 20 % of the total: a warning. Raises ValueError for a cost that is negative
    or nan.
    """
    check_confidence(confidence)
    c = numbers("costs", costs, 0)
    if not len(c):
        return no_estimate("no items", confidence, LOG_T)
    mean = float(c.mean())
    parts = c / mean if mean > 0 else c
    return log_t_estimate(mean, parts, 1.0, confidence, LOG_T, warnings=_top_item(c))


def _top_item(costs: FloatArray) -> tuple[str, ...]:
    total = float(costs.sum())
    if len(costs) == 1 or total <= 0 or costs.max() / total <= TOP_SHARE:
        return ()
    share = 100 * float(costs.max()) / total
    return (f"{ONE_ITEM} {share:.0f} % of the total cost: the interval may be too narrow",)


def cost_per_satisfactory(
    costs: Values, satisfied: Values, confidence: float = 0.95, rate_n_eff: float | None = None
) -> Estimate:
    """Mean cost over rate of success, in the unit of `costs` (USD), >= 0; MOVER interval on the log scale.

    `costs` (>= 0) and `satisfied` (in [0, 1]) are item means in the same order. The limits join those of
    the rate (Wilson's; below 15 items no narrower than the exact ones) with the log-t limits of the
    mean cost and their correlation (Zou and Donner 2008; Donner and Zou 2012).
    `rate_n_eff` > 0 is the effective n of the rate, default the number of items (wide,
    but safe, for means over several trials; `cost_per_satisfactory_clustered` works it out).

    No success: no value and no upper limit, but a lower limit. A limit more than a thousand times the value, as of two
    items with several trials, is none either: it says that the rate may be anything above 0. All succeed: works. All
    costs equal: the interval comes from the rate alone. n = 1: no bounds. n = 0: no value. A warning says when the rate
    is not clearly above 0 (where Fieller's interval would be unbounded). Raises ValueError for bad values or
    different lengths.
    """
    check_confidence(confidence)
    check_same_length(costs=costs, satisfied=satisfied)
    c, s = numbers("costs", costs, 0), numbers("satisfied", satisfied, 0, 1)
    n = len(c)
    if rate_n_eff is not None and not 1e-9 <= rate_n_eff <= LARGEST:
        raise ValueError(f"rate_n_eff = {rate_n_eff} is not a number above 0")
    if n == 0:
        return no_estimate("no items", confidence, MOVER)
    if s.mean() < SMALLEST:
        value, reason = None, f"no success in {n} {'item' if n == 1 else 'items'}"
    else:
        value, reason = float(c.mean() / s.mean()), None
    if n == 1:
        return Estimate(value, None, None, confidence, n, MOVER, ("one item gives no interval",), reason)
    low, high = _mover_limits(c, s, confidence, n if rate_n_eff is None else rate_n_eff)
    warnings = _top_item(c) + _weak_rate(s, confidence)
    return Estimate(value, low, high, confidence, n, MOVER, warnings, reason)


def _mover_limits(c: FloatArray, s: FloatArray, confidence: float, n_eff: float) -> tuple[float | None, float | None]:
    mean, share = float(c.mean()), float(s.mean()) if s.mean() >= SMALLEST else 0.0
    h = log_half_width(c, mean, confidence) if mean > 0 else 0.0
    low_rate, high_rate = shown_limits(share, n_eff, confidence, len(s))
    if share == 0:
        return scaled(mean / high_rate, -h), None
    r = correlation(c / mean, s) if h > 0 else 0.0
    above = math.log(max(high_rate / share, 1.0))
    down = math.sqrt(max(0.0, h * h + above * above - 2 * r * h * above))
    if low_rate <= 0:
        return scaled(mean / share, -down), None
    below = math.log(max(share / low_rate, 1.0))
    up = math.sqrt(max(0.0, h * h + below * below - 2 * r * h * below))
    high = scaled(mean / share, up) if up <= math.log(OPEN_FROM) else None
    return scaled(mean / share, -down), high


def correlation(x: FloatArray, y: FloatArray) -> float:
    """Pearson's, over items in the same order; 0 where one of the two does not vary."""
    if any(is_constant(values, float(np.abs(values).max(initial=0.0))) for values in (x, y)):
        return 0.0
    dx, dy = x - x.mean(), y - y.mean()
    size = math.sqrt(float(dx @ dx) * float(dy @ dy))
    return float(np.clip(float(dx @ dy) / size, -1, 1)) if size > 0 else 0.0


def _weak_rate(s: FloatArray, confidence: float) -> tuple[str, ...]:
    error = float(s.std(ddof=1)) / math.sqrt(len(s))
    if s.mean() < SMALLEST or s.mean() > two_sided_t(confidence, len(s) - 1) * error:
        return ()
    return ("the rate is not clearly above 0: the upper limit is uncertain",)


def cost_per_satisfactory_clustered(
    costs: Sequence[Values], satisfied: Sequence[Values], confidence: float = 0.95
) -> Estimate:
    """`cost_per_satisfactory` from one list of trials per item: costs (USD, >= 0) and successes (0 or 1).

    Item means enter the ratio; the rate has the effective n of `cluster_design`, adjusted. Items need at least one
    trial and equally long lists. n counts items; no item gives no value. Raises ValueError for bad values. Sources:
    Zou and Donner (2008); Saha, Miller and Wang (2016).
    """
    check_confidence(confidence)
    c, s = trial_lists(costs, satisfied)
    if not c:
        return no_estimate("no items", confidence, MOVER)
    design = cluster_design([sum(flags) for flags in s], [len(flags) for flags in s], "item")
    means = [math.fsum(row) / len(row) for row in c]
    rates = [sum(flags) / len(flags) for flags in s]
    return cost_per_satisfactory(means, rates, confidence, design.adjusted_n_eff(confidence))


def break_even_correction_usd(cost_a: float, cost_b: float, rate_a: float, rate_b: float) -> float | None:
    """The correction cost in USD at which sides A and B cost the same once failures are corrected; >= 0.

    (cost_a - cost_b) / (rate_a - rate_b), with mean costs >= 0 (USD) and rates of success in [0, 1]. Above it
    the side with the higher rate is cheaper. None where there is none: equal rates, or one side is both
    cheaper and better. Equal costs: 0. Swapping the sides keeps it. Raises ValueError for bad values.
    """
    numbers("costs", [cost_a, cost_b], 0)
    numbers("rates", [rate_a, rate_b], 0, 1)
    if rate_a == rate_b:
        return None
    break_even = (cost_a - cost_b) / (rate_a - rate_b)
    return abs(break_even) if 0 <= break_even <= LARGEST else None


_NOTHING = 1e-12
"""Share of a gain that is rounding: a limit no larger is a gain that may be nothing."""
_NEVER = "one of the two is never overtaken"
_OPEN = "no proven case: the data leave open which of the two would be overtaken"
BREAK_EVEN = "MOVER on the limits of both paired differences"


def break_even(extra_cost: Estimate, gain: Estimate) -> Estimate:
    """The correction cost (USD) from which the dearer and better of two sides is the cheaper one.

    `extra_cost`: how much more the first costs per item (USD), `gain`: how much higher its rate of success is, both
    paired and with their intervals. The break-even is their quotient, with limits by MOVER for ratios (Donner and
    Zou 2012), which takes both doubts in; no lower limit above 0 where the extra cost may be nothing, and no upper
    limit where the gain may be nothing. A bound of the extra cost that does not exist counts as its value. No value
    where either is unknown, or where one side is at least as cheap and as good: it is never overtaken, if the limits
    show that too, and else there is no proven case. Negating
    both arguments, that is swapping the sides, keeps the result. Raises ValueError for arguments that are no
    Estimate.
    """
    if gain.value is None or extra_cost.value is None:
        why = gain.reason or extra_cost.reason or "a difference is unknown"
        return no_estimate(why, gain.confidence, BREAK_EVEN, gain.n)
    if gain.value * extra_cost.value <= 0:
        return no_estimate(_NEVER if _dominated(extra_cost, gain) else _OPEN, gain.confidence, BREAK_EVEN, gain.n)
    e, e_low, e_high = _positive(extra_cost)
    g, g_low, g_high = _positive(gain)
    low = 0.0 if e_low <= 0 else _mover_ratio(e, g, e_low, g_high, -1)
    high = None if g_low <= _NOTHING * g else _mover_ratio(e, g, e_high, g_low, +1)
    return Estimate(e / g, min(low, e / g), high, gain.confidence, gain.n, BREAK_EVEN)


def _dominated(extra_cost: Estimate, gain: Estimate) -> bool:
    """Whether the limits show that the dearer of two sides is no better."""
    (e_low, e_high), (g_low, g_high) = _limits(extra_cost), _limits(gain)
    return (e_low >= 0 and g_high <= 0) or (e_high <= 0 and g_low >= 0)


def _positive(estimate: Estimate) -> tuple[float, float, float]:
    """Value, low and high of a difference, turned so that the value is positive."""
    value, (low, high) = float(estimate.value or 0.0), _limits(estimate)
    return (value, low, high) if value > 0 else (-value, -high, -low)


def _limits(estimate: Estimate) -> tuple[float, float]:
    """Low and high, where one is missing the value."""
    value = float(estimate.value or 0.0)
    return value if estimate.low is None else estimate.low, value if estimate.high is None else estimate.high


def _mover_ratio(top: float, bottom: float, top_limit: float, bottom_limit: float, side: int) -> float:
    """One limit of top / bottom, both > 0, from the limits of each that lie on its side."""
    a = bottom_limit * (2 * bottom - bottom_limit)
    c = top_limit * (2 * top - top_limit)
    root = math.sqrt(max(0.0, (top * bottom) ** 2 - a * c))
    if abs(a) < 1e-12 * bottom**2:
        return c / (2 * top * bottom)
    return (top * bottom + side * root) / a
