"""What a set of this size can show, before anything is spent."""

import math

import numpy as np
from scipy.stats import binom

from evalkit.stats.inputs import check_confidence, check_share, check_whole
from evalkit.stats.rates import two_sided_z

_STEP = 0.005


def detectable_difference(
    n: int, discordance: float = 0.10, power: float = 0.80, confidence: float = 0.95
) -> float | None:
    """The smallest difference of two paired rates that n pairs show with the given power, in steps of 0.005.

    Shown means that the Tango score interval excludes 0. `discordance` in (0, 1) is the share of pairs that
    differ by chance, half in each direction, on top of which the difference comes. None if no difference that
    leaves room for the discordance reaches the power; always so for n = 0. By enumeration of all outcomes.
    Raises ValueError for values out of range.
    """
    check_whole(n=n)
    check_share("discordance", discordance)
    check_share("power", power)
    check_confidence(confidence)
    z = two_sided_z(confidence)
    for step in range(1, math.floor((1 - discordance) / _STEP + 1e-9) + 1):
        if _power(n, discordance, step * _STEP, z) >= power:
            return round(step * _STEP, 3)
    return None


def _power(n: int, discordance: float, difference: float, z: float) -> float:
    """P(gain - loss >= z sqrt(gain + loss)), summed over the number m of pairs that differ."""
    m = np.arange(1, n + 1)
    either = min(1.0, discordance + difference)
    least_gains = np.ceil((m + z * np.sqrt(m)) / 2 - 1e-9)
    gain_share = (discordance / 2 + difference) / either
    return float((binom.pmf(m, n, either) * binom.sf(least_gains - 1, m, gain_share)).sum())
