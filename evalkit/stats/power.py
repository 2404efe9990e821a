"""What a set of this size can show, before anything is spent."""

import math
from bisect import bisect_left

import numpy as np

from evalkit.stats.distributions import binom
from evalkit.stats.estimate import Estimate
from evalkit.stats.gate_power import LASTING, check_feasible, share_reaches, simulated_means
from evalkit.stats.gate_rule import score_at
from evalkit.stats.inputs import check_confidence, check_share, check_whole, numbers
from evalkit.stats.rates import FEW, lower_limit, two_sided_z

_STEP = 0.005
POWER = 0.80
"""The chance that as many items as are said to be needed show what they are needed for."""
_POWER_Z = two_sided_z(2 * POWER - 1)
_LEAST_WORTH = 1e-6


def detectable_difference(
    n: int,
    discordance: float = 0.10,
    power: float = 0.80,
    confidence: float = 0.95,
    *,
    epochs: int = 1,
    rate: float = 0.90,
) -> float | None:
    """The smallest difference of two paired rates that n pairs show with the given power, in steps of 0.005.

    Shown means that the Tango score interval excludes 0. `discordance` in (0, 1) is the share of pairs that differ
    by chance, half in each direction, on top of which the difference comes. None if no difference that leaves room
    for the discordance reaches the power; always so for n = 0. One epoch: by enumeration of all outcomes, whatever
    the `rate`. Several: by the seeded simulation of `noninferiority_power`, for a side that falls below the other's
    `rate`, and the clustered interval. Raises ValueError for values out of range. Source: Tango (1998).
    """
    check_whole(n=n, epochs=epochs)
    check_share("discordance", discordance)
    check_share("power", power)
    check_share("rate", rate)
    check_confidence(confidence)
    check_feasible(rate, discordance, epochs, 0.0, LASTING)
    if n == 0:
        return None
    if epochs > 1:
        return _detectable_with_epochs(n, discordance, power, confidence, epochs, rate)
    z = two_sided_z(confidence)
    for step in range(1, math.floor((1 - discordance) / _STEP + 1e-9) + 1):
        if _power(n, discordance, step * _STEP, z) >= power:
            return round(step * _STEP, 3)
    return None


def _detectable_with_epochs(
    n: int, discordance: float, power: float, confidence: float, epochs: int, rate: float
) -> float | None:
    """Bisection: the same draws at every difference make the power rise with it."""
    z, alpha = two_sided_z(confidence), (1 - confidence) / 2

    def reaches(step: int) -> bool:
        sets = simulated_means(n, rate, discordance, epochs, -step * _STEP)
        shown = ((int((score_at(p, b, epochs, 0.0, alpha) < -z).sum()), left) for p, b, left in sets)
        return share_reaches(power, shown)

    steps = range(1, math.floor(rate / _STEP + 1e-9) + 1)
    found = bisect_left(steps, True, key=reaches)
    return round(steps[found] * _STEP, 3) if found < len(steps) else None


def _power(n: int, discordance: float, difference: float, z: float) -> float:
    """P(gain - loss >= z sqrt(gain + loss)), summed over the number m of pairs that differ."""
    m = np.arange(1, n + 1)
    either = min(1.0, discordance + difference)
    least_gains = np.ceil((m + z * np.sqrt(m)) / 2 - 1e-9)
    gain_share = (discordance / 2 + difference) / either
    return float((binom.pmf(m, n, either) * binom.sf(least_gains - 1, m, gain_share)).sum())


def items_to_clear(rate: float, bar: float, confidence: float = 0.95, worth: float = 1.0) -> int | None:
    """Items whose lower limit (`rates.lower_limit`) reaches `bar` in 80 % of sets if `rate` is the true one; or None.

    n = (z sqrt(bar (1 - bar)) + z_power sqrt(rate (1 - rate)))^2 / (rate - bar)^2 (Wilson 1927); below 15, where the
    exact limit must reach it too, by enumeration. For shares in [0, 1] and bar in (0, 1). `worth` > 0: trials of one an
    item that an item carries the evidence of (`ClusterDesign.worth`), by which n is divided. None where the rate is not
    above the bar. Raises ValueError for values out of range.
    """
    check_share("bar", bar)
    check_confidence(confidence)
    numbers("worth", [worth], _LEAST_WORTH)
    numbers("rate", [rate], 0, 1)
    if rate <= bar:
        return None
    spread = two_sided_z(confidence) * math.sqrt(bar * (1 - bar)) + _POWER_Z * math.sqrt(rate * (1 - rate))
    least = math.ceil((spread / (rate - bar)) ** 2 / worth - 1e-9)
    return next((n for n in range(least, FEW) if _clears(n, rate, bar, confidence) >= POWER), max(least, FEW))


def _clears(n: int, rate: float, bar: float, confidence: float) -> float:
    """P(the lower limit of n items reaches the bar)."""
    if rate == 1:
        return float(lower_limit(n, n, confidence) >= bar)
    passed = np.arange(n + 1)
    reach = passed[lower_limit(passed, np.full(n + 1, n), confidence) >= bar]
    return float(binom.pmf(reach, n, rate).sum()) if len(reach) else 0.0


def worth_by_limits(rate: Estimate, confidence: float) -> float:
    """Trials of one an item that an item of a rate carries the evidence of, read off its lower limit L.

    A score limit lies z sqrt(L (1 - L) / n_eff) below the rate p (Wilson 1927), so n_eff = L (1 - L) (z / (p - L))^2,
    over the items. 1 below 15 items, whose limits are no score limits alone, and where no limit lies below the rate.
    `confidence`: what the limit was worked out at.
    """
    if rate.value is None or rate.low is None or rate.n < FEW or not 0 < rate.low < rate.value:
        return 1.0
    n_eff = rate.low * (1 - rate.low) * (two_sided_z(confidence) / (rate.value - rate.low)) ** 2
    return n_eff / rate.n


def items_to_separate(gain: float, loss: float, n: int, confidence: float = 0.95, worth: float = 1.0) -> int | None:
    """Items whose Tango interval excludes 0 in 80 % of sets if the paired difference is what it is now; or None.

    `gain` and `loss` (>= 0, together at most n) out of n > 0 pairs now. At difference 0 the Tango statistic is
    (gain - loss) / sqrt(gain + loss), so (z sqrt(S) + z_power sqrt(S - D^2))^2 / D^2 items do, with S = (gain + loss)
    / n and D = (gain - loss) / n. `worth` > 0: pairs of one trial each that an item carries the evidence of
    (`paired_worth`), by which that is divided. None for gain = loss and for n = 0. Swapping gain and loss keeps it.
    Raises ValueError for counts below 0 or over n. Sources: Tango (1998); Connor (1987).
    """
    check_confidence(confidence)
    check_whole(n=n)
    numbers("worth", [worth], _LEAST_WORTH)
    numbers("gain and loss", [gain, loss], 0, n)
    numbers("gain + loss", [gain + loss], 0, n)
    if n == 0 or abs(gain - loss) < 1e-12:
        return None
    either, gap = (gain + loss) / n, (gain - loss) / n
    spread = two_sided_z(confidence) * math.sqrt(either) + _POWER_Z * math.sqrt(max(either - gap * gap, 0.0))
    return math.ceil((spread / gap) ** 2 / worth - 1e-9)


def items_to_show(value: float, half_width: float, n: int, confidence: float = 0.95) -> int:
    """Items whose interval excludes 0 in 80 % of sets if a mean is truly `value`, by its `half_width` > 0 at n items.

    n ((1 + z_power / z) half_width / value)^2: at the half width alone it would do so in every other set. `value` not
    0, in the unit of `half_width`. Raises ValueError for values out of range.
    """
    check_confidence(confidence)
    check_whole(n=n)
    numbers("half_width", [half_width], 0)
    if not value:
        raise ValueError("value = 0: no number of items shows it")
    factor = 1 + _POWER_Z / two_sided_z(confidence)
    return math.ceil(n * (factor * half_width / value) ** 2 - 1e-9)
