"""Comparisons of two sides on the same items: rates, means, and their p-values."""

import math
import reprlib
from fractions import Fraction

import numpy as np

from evalkit.frozen import dataclass
from evalkit.stats import distributions as stats
from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.inputs import (
    LARGEST,
    FloatArray,
    Values,
    check_confidence,
    check_same_length,
    check_whole,
    check_within,
    is_constant,
    numbers,
)
from evalkit.stats.plain import Plain
from evalkit.stats.rates import two_sided_t, two_sided_z, wilson_limits
from evalkit.stats.tango import tango_limits

TANGO = "Tango score"
TANGO_CLUSTERED = "Tango score, effective n"
PAIRED_T = "paired t"
USUAL_ALPHA = 0.05
_SIGNS = 1_000_000  # signs flipped at once, so that memory stays bounded
MOST_EPOCHS = 1000  # the finest fraction that is recognised as an item mean


@dataclass(frozen=True, slots=True)
class Discordance(Plain):
    """How often two sides differ on one trial each.

    `gain` and `loss`: expected number of pairs that only the candidate and only the baseline passes, whole
    for 0/1 data. `n`: pairs. `share`: (gain + loss) / n in [0, 1], None when there is no pair.
    """

    gain: float
    loss: float
    n: int
    share: float | None


def discordance(candidate: Values, baseline: Values) -> Discordance:
    """Count gains and losses from item means in [0, 1], in the same item order; n = 0 has share None.

    Raises ValueError for values outside [0, 1] and for lists of different lengths.
    """
    p, b = _paired(candidate, baseline, 0, 1)
    gain, loss, n = float((p * (1 - b)).sum()), float((b * (1 - p)).sum()), len(p)
    return Discordance(gain, loss, n, min(1.0, (gain + loss) / n) if n else None)


def paired_rates(gain: int, loss: int, n: int, confidence: float = 0.95) -> Estimate:
    """Rate difference on the same `n` items, candidate minus baseline, in [-1, 1]; Tango (1998) score limits.

    `gain`, `loss`: items that only the candidate, only the baseline passes. n = 0: no value. No discordant
    item: value 0 with limits -+ z^2 / (n + z^2). All gains: high is 1; all losses: low is -1. n = 1 and 2
    give valid, very wide limits. Swapping gain and loss mirrors the result. Raises ValueError for counts
    below 0 or gain + loss > n.
    """
    check_confidence(confidence)
    check_within(n, gain=gain, loss=loss)
    if n == 0:
        return no_estimate("no pairs", confidence, TANGO)
    return _tango(gain, loss, n, n, confidence=confidence, method=TANGO)


def _tango(gain: float, loss: float, n_eff: float, n: int, *, confidence: float, method: str) -> Estimate:
    low, high = tango_limits(gain, loss, n_eff, two_sided_z(confidence))
    warnings = () if gain + loss else ("the two sides never differ: the interval rests on n alone",)
    return Estimate((gain - loss) / n_eff, float(low), float(high), confidence, n, method, warnings)


def paired_rates_clustered(
    candidate: Values, baseline: Values, confidence: float = 0.95, epochs: int | None = None
) -> Estimate:
    """Difference of two rates from item means over several epochs, in [-1, 1]; Tango on effective counts.

    `candidate`, `baseline`: item means in [0, 1], same item order; `n` = items. `epochs`, the most trials that an
    item has, caps the effective n at n * epochs; None takes the largest denominator seen in the means. The
    effective n compares the variance of the item differences with that of one random draw each, with the
    (z/t)^2 adjustment (as Yang, Sun and Hardin 2012). All means 0 or 1: exactly `paired_rates`. Never a
    difference: effective n = n, epochs add nothing. n = 0: no value; n = 1: the effective n is 1. Raises
    ValueError for means outside [0, 1], different lengths, or epochs that the means contradict (a mean of 1/4
    takes at least 4).
    """
    check_confidence(confidence)
    p, b = _paired(candidate, baseline, 0, 1)
    n, seen = len(p), epochs_seen(np.concatenate([p, b]))
    if epochs is not None and not seen <= epochs <= MOST_EPOCHS:
        allowed = f"a denominator of {seen}" if epochs < seen else f"{MOST_EPOCHS} epochs at most"
        raise ValueError(f"epochs = {reprlib.repr(epochs)} does not fit item means with {allowed}")
    if n == 0:
        return no_estimate("no pairs", confidence, TANGO_CLUSTERED)
    m = epochs or seen
    counts = discordance(p, b)
    if m == 1:
        return _tango(round(counts.gain), round(counts.loss), n, n, confidence=confidence, method=TANGO)
    n_eff = float(paired_n_eff(p, b, m, confidence))
    gain, loss = n_eff * counts.gain / n, n_eff * counts.loss / n
    return _tango(gain, loss, n_eff, n, confidence=confidence, method=TANGO_CLUSTERED)


def epochs_seen(means: FloatArray) -> int:
    """The largest denominator of the item means as fractions: the least number of trials that explains them."""
    return max((Fraction(float(x)).limit_denominator(MOST_EPOCHS).denominator for x in means), default=1)


def paired_n_eff(p: FloatArray, b: FloatArray, m: int, confidence: float, unseen: float = 0.0) -> FloatArray:
    """Pairs of one trial each that carry the same evidence as item means over `m` trials, from about n to n * m.

    `p`, `b`: item means in [0, 1], items on the last axis; one number for each of the other axes. n where
    the sides never differ or there is one item. `unseen` items more, on which the candidate loses every trial, enter
    the variance: epochs say nothing of items that were not drawn, and a loss on few of them is easily missed by all.
    """
    n, d = p.shape[-1], p - b
    one_draw = _one_draw(p, b)
    if n == 1:
        return np.ones_like(one_draw)
    worth = _worth(d, one_draw, m, unseen)
    adjusted = n * worth * (two_sided_z(confidence) / two_sided_t(confidence, n - 1)) ** 2
    return adjusted if unseen else np.asarray(np.where((one_draw <= 0) & (np.ptp(d, axis=-1) == 0), n, adjusted))


def paired_worth(candidate: Values, baseline: Values, epochs: int) -> float:
    """Pairs of one trial each that an item carries the evidence of, as more of the same kind would: 1 to `epochs`.

    `candidate`, `baseline`: item means in [0, 1], same item order; `epochs`, the most trials that an item has. 1 for
    fewer than two items. The variance of one draw an item over that of the item differences (as Yang, Sun and Hardin
    2012). Raises ValueError for means outside [0, 1], different lengths, or epochs below 1.
    """
    check_whole(epochs=epochs)
    if epochs < 1:
        raise ValueError(f"epochs = {epochs}: an item has one trial at least")
    p, b = _paired(candidate, baseline, 0, 1)
    return 1.0 if len(p) < 2 else float(_worth(p - b, _one_draw(p, b), epochs, 0.0))


def _one_draw(p: FloatArray, b: FloatArray) -> FloatArray:
    """The variance of the difference of one random draw of each item's trials."""
    return np.asarray((p * (1 - b) + b * (1 - p)).mean(axis=-1) - (p - b).mean(axis=-1) ** 2)


def _worth(d: FloatArray, one_draw: FloatArray, m: int, unseen: float) -> FloatArray:
    n, mean = d.shape[-1], d.mean(axis=-1)
    variance = (n * d.var(axis=-1) + unseen * (1 + mean) ** 2) / (n - 1 + unseen)
    steady = variance * m <= one_draw
    return np.asarray(np.where(steady, m, np.maximum(one_draw / np.where(steady, 1, variance), 1)))


def tested_at(alpha: float, epochs: int) -> float:
    """The error at which a margin is tested: with several epochs 0.05 at most.

    The clustered limit has no exact test beside it. Above 0.05 it passes a loss of the margin too often where items are
    lost whole: 18 % of runs at 0.1, 46 % at 0.2 (33 and 15 items, 5 points).
    """
    return alpha if epochs == 1 else min(alpha, USUAL_ALPHA)


def unseen_items(epochs: int, alpha: float = USUAL_ALPHA) -> float:
    """How much of an item that nobody drew, lost whole, a gate reckons with: none with one epoch, which its score test
    is made for; more the better epochs measure the items that were drawn; and more the surer a test has to be, since
    fewer of the runs in which too few lost items are drawn may then pass."""
    return 0.0 if epochs == 1 else max(0.5, math.log10(epochs)) * _surer(alpha)


def unseen_gains(epochs: int, alpha: float = USUAL_ALPHA) -> float:
    """The same of items gained whole, for a gate that fails: one and a half more, since small losses on many items,
    which such gains make up for, are measured better still."""
    return 0.0 if epochs == 1 else unseen_items(epochs, alpha) + 1.5 * _surer(alpha)


def _surer(alpha: float) -> float:
    """By the square of the normal quantile, as the items that a test of a share asks for; never less than usual."""
    return max(1.0, float(stats.norm.isf(alpha) / stats.norm.isf(USUAL_ALPHA)) ** 2)


def mcnemar_midp(gain: int, loss: int) -> float:
    """Two-sided McNemar mid-p value in (0, 1] (Fagerland, Lydersen and Laake 2013).

    `gain`, `loss`: pairs that only one side passes. No discordant pair: 1. gain = loss: 1 - pmf / 2. Swapping
    the two keeps p. Raises ValueError for counts that are negative or not whole.
    """
    check_whole(gain=gain, loss=loss)
    k, m = min(gain, loss), gain + loss
    if m == 0:
        return 1.0
    point = float(stats.binom.pmf(k, m, 0.5))
    if gain == loss:
        return 1 - point / 2
    return float(2 * stats.binom.cdf(k, m, 0.5)) - point


def paired_means(candidate: Values, baseline: Values, confidence: float = 0.95) -> Estimate:
    """Mean difference, candidate minus baseline, in the unit of the values, with the paired t interval.

    Item means in the same item order. n = 0: no value. n = 1: value without bounds. All differences equal: value
    without bounds, since their spread cannot be estimated; if all are 0 a warning bounds the share of items that
    differ (Wilson). Raises ValueError for nan, infinite values, or different lengths. Source: Student (1908).
    """
    check_confidence(confidence)
    p, b = _paired(candidate, baseline)
    d, n = p - b, len(p)
    if n == 0:
        return no_estimate("no pairs", confidence, PAIRED_T)
    mean = float(d.mean())
    if n == 1:
        return Estimate(mean, None, None, confidence, 1, PAIRED_T, ("one pair gives no interval",))
    if is_constant(d, _size(p, b)):
        warning = f"all {n} differences are equal: their spread cannot be estimated"
        if not d.any():
            warning = f"all {n} differences are 0: at most {wilson_limits(0, n, confidence)[1]:.3f} of items differ"
        return Estimate(mean, None, None, confidence, n, PAIRED_T, (warning,))
    half = two_sided_t(confidence, n - 1) * float(d.std(ddof=1)) / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, confidence, n, PAIRED_T)


def sign_flip_p(candidate: Values, baseline: Values, seed: int, resamples: int = 9999) -> float | None:
    """Two-sided permutation p-value in (0, 1] for a mean difference of 0, by flipping the signs of differences.

    All sign patterns of the differences that are not 0 when there are at most `resamples`, else `resamples` random
    ones from `seed`, p = (1 + extreme) / (1 + resamples); time grows with n alone. With 5 pairs p cannot fall below
    1/16. All differences 0: 1. n = 1: 1. n = 0: None. Swapping the sides keeps p. Source: Fisher (1935). Raises
    ValueError for nan, infinite values, or different lengths.
    """
    check_whole(resamples=resamples)
    p, b = _paired(candidate, baseline)
    d = p - b
    if not len(d):
        return None
    if len(d) == 1 or not d.any():
        return 1.0
    d = d[d != 0] / np.abs(d).max()  # a difference of 0 has no sign to flip
    exact = len(d) <= math.log2(max(1, resamples))
    patterns = 2 ** len(d) if exact else resamples
    rng, chunk, extreme = np.random.default_rng(seed), max(1, _SIGNS // len(d)), 0
    least = abs(d.sum()) - 1e-12 * np.abs(d).sum()
    for begin in range(0, patterns, chunk):
        rows = np.arange(begin, min(begin + chunk, patterns))
        kept = (rows[:, None] >> np.arange(len(d))) & 1 if exact else _coins(rng, len(rows), len(d))
        extreme += int((np.abs(2 * (kept.astype(np.float64) @ d) - d.sum()) >= least).sum())
    return extreme / patterns if exact else (extreme + 1) / (patterns + 1)


def _coins(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Fair zeros and ones, eight for each random byte."""
    drawn = np.frombuffer(rng.bytes(rows * math.ceil(columns / 8)), dtype=np.uint8).reshape(rows, -1)
    return np.unpackbits(drawn, axis=1, count=columns)


def _paired(
    candidate: Values, baseline: Values, low: float = -LARGEST, high: float = LARGEST
) -> tuple[FloatArray, FloatArray]:
    check_same_length(candidate=candidate, baseline=baseline)
    return numbers("candidate", candidate, low, high), numbers("baseline", baseline, low, high)


def _size(p: FloatArray, b: FloatArray) -> float:
    return float(max(np.abs(p).max(), np.abs(b).max()))
