"""Limits that reach to where trials that failed on every attempt so far could still put them."""

from dataclasses import replace
from math import inf, isfinite

from evalkit.stats import Estimate

EITHER_WAY = (
    "the limits allow for trials that failed on every attempt so far, should these fail for good or be satisfactory"
)
DEARER = "the upper limit counts a correction for each trial that failed on every attempt so far"


def reaching(known: Estimate, *if_open: Estimate | None) -> Estimate:
    """An estimate of what has ended, with limits out to those that it would have `if_open` trials ended either way.

    So a model that never answers what is hard clears no bar, and nothing is shown of two sides, better, worse or alike,
    that their open trials could undo.
    """
    others = [one for one in if_open if one is not None]
    lows = [one.low for one in others if one.low is not None]
    highs = [one.high for one in others if one.high is not None]
    low = known.low if known.low is None else min([known.low, *lows])
    high = known.high if known.high is None else max([known.high, *highs])
    if (low, high) == (known.low, known.high):
        return known
    return replace(known, low=low, high=high, warnings=(*known.warnings, EITHER_WAY))


def up_to(total: Estimate, rate: Estimate, hedged: Estimate, correction_usd: Estimate) -> Estimate:
    """A total with corrections (USD), up to where each open trial needs one: by so much is the rate hedged lower."""
    if total.high is None or rate.low is None or hedged.low is None or hedged.low >= rate.low:
        return total
    usd = correction_usd.value if correction_usd.high is None else correction_usd.high
    return total if usd is None else replace(total, high=total.high + (rate.low - hedged.low) * usd, warnings=(DEARER,))


def scaled(cost: Estimate, high_by: float, low_by: float = 1.0) -> Estimate:
    """A cost per satisfactory output, or a ratio of two, with limits by factors of what open trials can make of rates.

    No upper limit where they may leave nothing satisfactory, which is infinite as a factor.
    """
    if cost.value is None or (high_by, low_by) == (1.0, 1.0):
        return cost
    high = None if cost.high is None or not isfinite(high_by) else cost.high * high_by
    return replace(
        cost, low=None if cost.low is None else cost.low * low_by, high=high, warnings=(*cost.warnings, EITHER_WAY)
    )


def dearer_by(rate: float | None, at_worst: float | None) -> float:
    """By what factor an output that satisfies costs more if the rate falls so far; 1 where one is unknown."""
    if not rate or at_worst is None:
        return 1.0
    return max(1.0, rate / at_worst) if at_worst else inf
