"""Limits that reach to where trials that failed on every attempt so far would put them, if these fail for good."""

from dataclasses import replace

from evalkit.stats import Estimate

WORST = "the lower limit counts trials that failed on every attempt so far as not satisfactory"
EITHER = "the limits count trials that failed on every attempt so far as not satisfactory, of either side"


def down_to(rate: Estimate, at_worst: Estimate | None) -> Estimate:
    """With a lower limit that counts open trials as failures: one that never answers what is hard clears no bar."""
    if at_worst is None or at_worst.low is None or rate.low is None:
        return rate
    return replace(rate, low=min(rate.low, at_worst.low), warnings=(WORST,))


def reaching(difference: Estimate, first_fails: Estimate | None, second_fails: Estimate | None) -> Estimate:
    """A difference of the first less the second: down to where the first's open trials fail, up to the second's.

    So nothing is shown of two sides, better, worse or alike, that their open trials could undo.
    """
    low, high = difference.low, difference.high
    if first_fails is not None and first_fails.low is not None and low is not None:
        low = min(low, first_fails.low)
    if second_fails is not None and second_fails.high is not None and high is not None:
        high = max(high, second_fails.high)
    if (low, high) == (difference.low, difference.high):
        return difference
    return replace(difference, low=low, high=high, warnings=(*difference.warnings, EITHER))
