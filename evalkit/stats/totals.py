"""What requests cost in the end: their price and putting right what is not satisfactory, with the doubt of both.

A pass rate near 1 leaves hardly a failure to measure a spread on, so a total never takes its doubt from the spread of
totals by item: it takes it from the limits of the rate.
"""

import math

from evalkit.stats.cost import correlation, mean_cost
from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.inputs import Values, check_confidence, check_same_length, numbers
from evalkit.stats.logscale import FEWEST
from evalkit.stats.rates import FEW, WILSON, wilson_limits
from evalkit.stats.rates import rate as rate_of

TOTAL = "MOVER for sums: limits of the cost, of the rate and of a correction"
_UNKNOWN = "the doubt of the correction cost is unknown and left out"


def human_fix_cost(
    costs: Values,
    satisfied: Values,
    correction_usd: float | Estimate,
    review_usd: float = 0.0,
    confidence: float = 0.95,
    rate: Estimate | None = None,
) -> Estimate:
    """Mean cost of an item in USD once every failure is corrected by hand: cost + review + (1 - rate) * correction.

    `costs` >= 0 and `satisfied` in [0, 1] are item means. The limits are those of `with_failures` (Zou and Donner 2008)
    from the log-t limits of the mean cost and those of `rate`, by default Wilson's on the items, exact ones below 15
    (wide, but safe, for means over several trials). Finite also without any success. n = 0: no value; 1 or 2 items: no
    bounds where prices have none. Raises ValueError for bad values or different lengths.
    """
    check_confidence(confidence)
    check_same_length(costs=costs, satisfied=satisfied)
    c, s = numbers("costs", costs, 0), numbers("satisfied", satisfied, 0, 1)
    correction = correction_usd if isinstance(correction_usd, Estimate) else stated_usd(correction_usd, confidence)
    review = float(numbers("review_usd", [review_usd], 0)[0])
    if not len(c):
        return no_estimate("no items", confidence, TOTAL)
    passed = float(s.sum())
    if rate is None and len(c) < FEW and passed == round(passed):
        rate = rate_of(round(passed), len(c), confidence, "clopper-pearson")
    if rate is None:
        rate = Estimate(
            passed / len(c), *wilson_limits(passed / len(c), len(c), confidence), confidence, len(c), WILSON
        )
    return with_failures(mean_cost(c, confidence), complement(rate), correction, correlation(c, -s), review)


def stated_usd(usd: float, confidence: float = 0.95) -> Estimate:
    """A cost of a correction that somebody states: a number >= 0 without doubt. Raises ValueError for another one."""
    return Estimate(float(numbers("correction_usd", [usd], 0)[0]), None, None, confidence, 0, "stated")


def complement(rate: Estimate) -> Estimate:
    """1 - rate: the share that is not satisfactory."""
    value, low, high = (None if x is None else 1 - x for x in (rate.value, rate.high, rate.low))
    return Estimate(value, low, high, rate.confidence, rate.n, rate.method, rate.warnings, rate.reason)


def with_failures(
    cost: Estimate, share: Estimate, correction: Estimate, related: float = 0.0, review_usd: float = 0.0
) -> Estimate:
    """cost + review + share * correction in USD, from the limits of each (MOVER for sums; Zou and Donner 2008).

    `share` fails and is put right for `correction` >= 0; all may be differences between two sides (of costs, and of
    rates: what more failures cost). `related` in [-1, 1]: how cost and failing go together over items. The doubt of the
    product is that of two independent factors (Goodman 1960), within the products of their limits. A cost or a
    correction without bounds counts as known, the former but for fewer than three items. No value without all three; no
    bounds without those of `share`. Raises ValueError for a `related` outside [-1, 1] or a negative review.
    """
    numbers("related", [related], -1, 1)
    numbers("review_usd", [review_usd], 0)
    known = [x.reason for x in (share, cost, correction) if x.value is None]
    if cost.value is None or share.value is None or correction.value is None:
        return no_estimate(known[0] or "a part of it is unknown", cost.confidence, TOTAL, share.n)
    value = cost.value + review_usd + share.value * correction.value
    unknown = (_UNKNOWN,) if correction.n and correction.low is None and correction.high is None else ()
    warnings = (*cost.warnings, *unknown)
    fixed = cost.low is None and cost.high is None
    bare = Estimate(value, None, None, cost.confidence, share.n, TOTAL, warnings)
    if share.low is None or share.high is None or (fixed and share.n < FEWEST):
        return bare
    below, above = _product_doubt(share, correction)
    down = _joined(0.0 if cost.low is None else cost.value - cost.low, below, related)
    up = _joined(0.0 if cost.high is None else cost.high - cost.value, above, related)
    if fixed and not (down or up):
        return bare
    return Estimate(value, value - down, value + up, cost.confidence, share.n, TOTAL, warnings)


def _joined(one: float, other: float, related: float) -> float:
    return math.sqrt(max(0.0, one * one + other * other + 2 * related * one * other))


def _product_doubt(share: Estimate, correction: Estimate) -> tuple[float, float]:
    """How far share * correction may lie below and above its value."""
    s, h = share.value or 0.0, correction.value or 0.0
    limits = [h if x is None else x for x in (correction.low, correction.high)]
    shares = [s if x is None else x for x in (share.low, share.high)]
    corners = [x * y for x in shares for y in limits]
    worst, best = limits if s > 0 else limits[::-1]
    down, up = (
        math.hypot((x - s) * h, s * (y - h), (x - s) * (y - h)) for x, y in ((shares[0], worst), (shares[1], best))
    )
    return min(down, s * h - min(corners)), min(up, max(corners) - s * h)
