"""How likely a set of this size shows non-inferiority, and how large it must be."""

import math
import reprlib
from collections.abc import Iterable, Iterator
from itertools import accumulate

import numpy as np

from evalkit.stats import distributions as stats
from evalkit.stats.gate_rule import score_at
from evalkit.stats.inputs import (
    FloatArray,
    Values,
    check_alpha,
    check_same_length,
    check_share,
    check_whole,
    numbers,
)
from evalkit.stats.noninferiority import EXACT_MOST, IntArray, most_losses, noninferiority_exact_p, score_losses
from evalkit.stats.paired import MOST_EPOCHS, tested_at
from evalkit.stats.tango import tango_statistic

REPEATS = 4000
SEED = 20
LASTING = 0.1  # with it the simulated power agrees with latent-normal mixtures in which sides differ by item
SIMULATED_MOST = 10_000
CELLS = 60_000  # items simulated at once: what fits a processor's cache
STEP_SHARE = 50  # the search for n walks in steps of n / 50


def noninferiority_power(
    n: int,
    margin: float,
    rate: float,
    discordance: float,
    epochs: int = 1,
    *,
    difference: float = 0.0,
    alpha: float = 0.05,
    lasting: float = LASTING,
    seed: int = SEED,
) -> float:
    """Probability, in [0, 1], that `n` items show candidate - baseline > -margin (rule of `shows_noninferiority`).

    `rate` in (0, 1) of the baseline; `discordance` in [0, 1]: share of items on which one trial of each side
    differs when the sides are equal; `difference`: the true candidate - baseline, default 0.

    epochs = 1: exact, by enumeration of all outcomes with gains (discordance + difference) / 2 and losses
    (discordance - difference) / 2; n <= 1000. epochs > 1: a share of 4000 simulated sets from `seed` (standard
    error up to 0.008). There a share `lasting` in [0, 1] of the discordance comes from items that always tell
    the sides apart, half in each direction, which no epoch averages out; on all other items both sides have
    one chance, Beta over items, spread so that trials differ as often as `discordance` asks. A `difference`
    scales the candidate's chances (below 0) or its failures (above 0) on every item alike.

    Where the chances of both sides leave no room for the discordance, `lasting` is raised until there is.

    n = 0: 0. Raises ValueError for values out of range, more than 10,000 items with epochs > 1, for a discordance
    that the rate does not allow (with epochs > 1 more than twice the rarer outcome), below |difference|, or a
    difference that leaves [0, 1]. Source: enumeration or simulation of the rule of `shows_noninferiority`, Tango
    (1998).
    """
    check_whole(n=n, epochs=epochs)
    check_share("margin", margin)
    check_share("rate", rate)
    check_alpha(alpha)
    check_feasible(rate, discordance, epochs, difference, lasting)
    if n == 0:
        return 0.0
    if epochs == 1:
        most = most_losses(int(n), float(margin), float(alpha))
        return _enumerated(most, (discordance + difference) / 2, (discordance - difference) / 2)
    if n > SIMULATED_MOST:
        raise ValueError(f"n = {n} is beyond simulation ({SIMULATED_MOST} items)")
    sets = _simulated(int(n), margin, rate, discordance, int(epochs), difference, alpha, lasting, seed)
    return sum(passed for passed, _ in sets) / REPEATS


def _simulated(
    n: int,
    margin: float,
    rate: float,
    discordance: float,
    epochs: int,
    difference: float = 0.0,
    alpha: float = 0.05,
    lasting: float = LASTING,
    seed: int = SEED,
) -> Iterator[tuple[int, int]]:
    """Simulated sets in blocks: how many of a block pass, and how many sets are still to come."""
    alpha = tested_at(alpha, epochs)
    for p, b, left in simulated_means(n, rate, discordance, epochs, difference, lasting, seed):
        yield int((score_at(p, b, epochs, -margin, alpha) > stats.norm.isf(alpha)).sum()), left


def simulated_means(
    n: int, rate: float, discordance: float, epochs: int, difference: float, lasting: float = LASTING, seed: int = SEED
) -> Iterator[tuple[FloatArray, FloatArray, int]]:
    """Item means of both sides in blocks of sets, by the model of `noninferiority_power`; and the sets to come."""
    rng, left = np.random.default_rng(seed), REPEATS
    while left:
        block = min(left, max(1, CELLS // n))
        left -= block
        candidate, baseline = _item_chances(rng, rate, discordance, lasting, (block, n))
        if difference <= 0:
            candidate = candidate * (1 + difference / rate)
        else:
            candidate = candidate + (1 - candidate) * difference / (1 - rate)
        yield _share_passed(rng, candidate, epochs), _share_passed(rng, baseline, epochs), left


def lasting_share(candidate: Values, baseline: Values, epochs: int) -> float:
    """The share of the discordance, `LASTING` to 1, that items bring which tell the sides apart in every epoch.

    For `lasting` of `noninferiority_items`: item means of `epochs` trials, the squares of their differences less what
    chance within an item adds to them. `LASTING` with one epoch, which cannot tell, and where the sides never differ.
    Raises ValueError for means outside [0, 1] and different lengths. Source: moments of the model of
    `noninferiority_power`.
    """
    check_same_length(candidate=candidate, baseline=baseline)
    p, b = numbers("candidate", candidate, 0, 1), numbers("baseline", baseline, 0, 1)
    share = float((p * (1 - b) + b * (1 - p)).sum())
    if epochs == 1 or not share:
        return LASTING
    by_chance = (p * (1 - p) + b * (1 - b)) / (epochs - 1)
    return float(np.clip(((p - b) ** 2 - by_chance).sum() / share, LASTING, 1.0))


def expected_n_eff(n: int, rate: float, discordance: float, epochs: int, lasting: float = LASTING) -> float:
    """Trials of one per item that `n` items of `epochs` are expected to be worth for one side's rate.

    By the model of `noninferiority_power`: two epochs of a side differ on the items whose sides differ by chance.
    Raises ValueError as it does.
    """
    check_whole(n=n, epochs=epochs)
    check_share("rate", rate)
    check_feasible(rate, discordance, epochs, 0.0, lasting)
    by_chance = discordance - _apart(rate, discordance, lasting)
    correlation = max(0.0, 1 - by_chance / (2 * rate * (1 - rate)))
    return n * epochs / (1 + (epochs - 1) * correlation)


def _share_passed(rng: np.random.Generator, chances: FloatArray, epochs: int) -> FloatArray:
    """Simulated item means over `epochs` trials; for the few there are, several times faster than `rng.binomial`."""
    passed = np.zeros(chances.shape)
    for _ in range(epochs):
        passed += rng.random(chances.shape) < chances
    return passed / epochs


def check_feasible(rate: float, discordance: float, epochs: int, difference: float, lasting: float) -> None:
    """Raise ValueError for a discordance or difference that the rate, or one epoch, leaves no room for."""
    if not 1 <= epochs <= MOST_EPOCHS:
        raise ValueError(f"epochs = {reprlib.repr(epochs)} is not from 1 to {MOST_EPOCHS}")
    if not 0 <= lasting <= 1:
        raise ValueError(f"lasting = {lasting} is not from 0 to 1")
    most = 1.0 if epochs == 1 else 2 * min(rate, 1 - rate)  # one epoch needs no model of the items, so no rate
    if not 0 <= discordance <= most + 1e-12:
        raise ValueError(f"discordance = {discordance} is not from 0 to {most:.4g}, the most at a rate of {rate}")
    if not -rate - 1e-12 <= difference <= 1 - rate + 1e-12:
        raise ValueError(f"difference = {difference} takes a rate of {rate} out of 0 to 1")
    if epochs == 1 and abs(difference) > discordance + 1e-12:
        raise ValueError(f"difference = {difference} needs a discordance of at least {abs(difference)}")


def _enumerated(most: IntArray, gain_rate: float, loss_rate: float) -> float:
    """Probability of at most `most`[gain] losses (-1: none is few enough), summed over the gains."""
    n, gains = len(most) - 1, np.arange(len(most))
    share = min(1.0, max(loss_rate, 0.0) / (1 - gain_rate)) if gain_rate < 1 else 0.0
    chance = stats.binom.pmf(gains, n, max(gain_rate, 0.0)) * stats.binom.cdf(most, n - gains, share)
    return min(1.0, float(chance.sum()))


def _item_chances(
    rng: np.random.Generator, rate: float, discordance: float, lasting: float, shape: tuple[int, int]
) -> tuple[FloatArray, FloatArray]:
    """Chances of both sides on every item, by the model of `noninferiority_power` at difference 0."""
    apart = _apart(rate, discordance, lasting)
    shared, either = np.full(shape, rate), rng.random(shape)
    if apart < 1:
        mean, differing = (rate - apart / 2) / (1 - apart), (discordance - apart) / (1 - apart)
        shared = _shared_chances(rng, mean, differing, shape)
    gains, losses = either < apart / 2, (either >= apart / 2) & (either < apart)
    return np.where(gains, 1, np.where(losses, 0, shared)), np.where(gains, 0, np.where(losses, 1, shared))


def _apart(rate: float, discordance: float, lasting: float) -> float:
    """Share of items that always tell the sides apart: as `lasting` says, or the least that makes room for the rest."""
    for share in (lasting, *(s for s in np.linspace(0, 1, 101) if lasting < s < 1)):
        apart = share * discordance
        if apart >= 1:
            return 1.0
        mean = (rate - apart / 2) / (1 - apart)
        if (discordance - apart) / (1 - apart) <= 2 * mean * (1 - mean) + 1e-9:
            return float(apart)
    return float(discordance)


def _shared_chances(rng: np.random.Generator, rate: float, discordance: float, shape: tuple[int, int]) -> FloatArray:
    spread = 2 * rate * (1 - rate)
    correlation = 1 - discordance / spread if spread > 0 else 0.0
    if correlation <= 1e-9:
        return np.full(shape, rate)
    if correlation >= 1 - 1e-9:
        return np.asarray(rng.random(shape) < rate, dtype=np.float64)
    size = 1 / correlation - 1
    return rng.beta(rate * size, (1 - rate) * size, shape)


def noninferiority_items(
    margin: float,
    rate: float,
    discordance: float,
    epochs: int = 1,
    *,
    power: float = 0.80,
    alpha: float = 0.05,
    lasting: float = LASTING,
) -> int | None:
    """A number of items with which equal sides pass with at least the given `power`; None if over 1000.

    `noninferiority_power` at difference 0, `lasting` as there (`lasting_share` finds it in data). Power does not rise
    evenly with n; the answer has the power, and is at most about 2 % above the least such n beyond the start of the
    search (the normal approximation less a tenth, or the least n that can pass at all). Raises ValueError as
    `noninferiority_power`. Source: enumeration of the rule of `shows_noninferiority`, Tango (1998).
    """
    check_share("power", power)
    check_share("margin", margin)
    check_share("rate", rate)
    check_alpha(alpha)
    check_feasible(rate, discordance, epochs, 0.0, lasting)
    least = smallest_passing_n(margin, alpha, score_only=epochs > 1)
    if least is None:
        return None
    alpha = tested_at(alpha, epochs)
    z = float(stats.norm.isf(alpha) + stats.norm.isf(1 - power))
    apart = _apart(rate, discordance, lasting) if epochs > 1 else 0.0
    variance = apart + (discordance - apart) / epochs  # of an item's difference: epochs average out only the rest
    n = max(least, math.floor(0.9 * z * abs(z) * variance / margin**2))
    while n <= EXACT_MOST:
        if reaches(power, n, margin, rate, discordance, int(epochs), alpha, lasting):
            return n
        n += max(1, n // STEP_SHARE)
    return None


def reaches(
    power: float,
    n: int,
    margin: float,
    rate: float,
    discordance: float,
    epochs: int,
    alpha: float,
    lasting: float = LASTING,
) -> bool:
    """Whether `noninferiority_power` at difference 0 is at least `power`, with no more work than that takes.

    One epoch: the score limit alone is never passed less often, so where it lacks the power the exact test is spared.
    Several: the simulation ends once the sets still to come cannot change the answer.
    """
    if epochs == 1:
        half = discordance / 2
        if _enumerated(score_losses(n, margin, alpha), half, half) < power:
            return False
        return _enumerated(most_losses(n, margin, alpha), half, half) >= power
    return share_reaches(power, _simulated(n, margin, rate, discordance, epochs, alpha=alpha, lasting=lasting))


def share_reaches(least: float, blocks: Iterable[tuple[int, int]]) -> bool:
    """Whether the share of simulated sets that pass is `least` or more, from no more blocks than settle it.

    Of each block: how many of its sets pass, and how many sets are still to come.
    """
    so_far: Iterator[tuple[int, int]] = accumulate(blocks, lambda before, block: (before[0] + block[0], block[1]))
    shares = ((passed / REPEATS, (passed + left) / REPEATS) for passed, left in so_far)
    return next(low >= least for low, high in shares if low >= least or high < least)


def smallest_passing_n(margin: float, alpha: float = 0.05, *, score_only: bool = False) -> int | None:
    """The least number of items with which two sides that never differ pass: 59 for 0.05 at alpha 0.05.

    Below it a set passes only with more gains than losses, and epochs do not help. `score_only` leaves out the
    exact test, as with several epochs: 54, for any larger alpha too (`tested_at`). None if over 1000 where the exact
    test is asked for. Raises ValueError for margin outside (0, 1) and alpha outside (0, 1/2). Source: Tango (1998).
    """
    check_share("margin", margin)
    check_alpha(alpha)
    alpha = tested_at(alpha, 2 if score_only else 1)
    z = float(stats.norm.isf(alpha))
    n = max(1, math.floor(z * z * (1 - margin) / margin))
    while not tango_statistic(0, 0, n, -margin) > z:
        n += 1
    if score_only:
        while not score_at(np.ones(n), np.ones(n), 2, -margin, alpha) > z:
            n += 1
        return n
    n = max(n, math.ceil(math.log(alpha) / math.log1p(-margin) - 1e-9))  # p is at least (1 - margin)^n
    while n <= EXACT_MOST and noninferiority_exact_p(0, 0, n, margin) > alpha:
        n += 1
    return n if n <= EXACT_MOST else None
