"""Score limits for the ratio of two paired rates."""

import math

import numpy as np

from evalkit.stats.inputs import FloatArray
from evalkit.stats.paired import discordance, epochs_seen, paired_n_eff
from evalkit.stats.rates import two_sided_t

_FARTHEST = 60.0
"""On the log scale: no limit of a ratio is sought beyond that factor of its value."""
_HALVINGS = 80
_TINY = 1e-300


def ratio_statistic(first: float, second: float, both: float, n: float, ratio: float) -> float:
    """Score statistic of H0: the first side's rate is `ratio` > 0 times the second's (Nam and Blackwelder 2002).

    `first`, `second` and `both` count the pairs that only the first, only the second, and both sides pass, of `n` > 0;
    none need be whole. About standard normal under H0; positive where the data lie above `ratio`.
    """
    rate_1, rate_2 = (both + first) / n, (both + second) / n
    linear = rate_1 - ratio**2 * rate_2
    root = math.sqrt(linear**2 + 4 * ratio**2 * (first / n) * (second / n))
    only_first = (root - linear + 2 * ratio**2 * first / n) / (2 * ratio * (ratio + 1))
    only_second = ratio * only_first - (ratio - 1) * (first + second + both) / n
    variance = ratio * (only_first + only_second)  # of the difference, at the likeliest rates under H0
    return math.sqrt(n) * (rate_1 - ratio * rate_2) / math.sqrt(max(variance, _TINY))


def log_rate_distances(first: FloatArray, second: FloatArray, confidence: float) -> tuple[float, float]:
    """How far below and above it, on the log scale, the limits of mean(first) / mean(second) lie; both > 0.

    Item means in [0, 1] of two sides in the same order, at least two items and a success on both sides. Means of
    several epochs count as the pairs of one trial each that carry the same evidence (`paired_n_eff`). Student's
    quantile in the normal's place: where all pairs agree, no score test holds its level on some 15 successes without.
    """
    n, epochs = len(first), epochs_seen(np.concatenate([first, second]))
    pairs = float(n) if epochs == 1 else float(paired_n_eff(first, second, epochs, confidence))
    counts, each = discordance(first, second), pairs / n
    gain, loss = counts.gain * each, counts.loss * each
    both, target = max(0.0, float(first.sum()) * each - gain), two_sided_t(confidence, n - 1)
    return _distance(gain, loss, both, pairs, target), _distance(loss, gain, both, pairs, target)


def _distance(first: float, second: float, both: float, n: float, target: float) -> float:
    """From the ratio down to where the statistic has risen to `target`, by bisection."""
    value = (both + first) / (both + second)
    near, far = 0.0, _FARTHEST
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        if ratio_statistic(first, second, both, n, value * math.exp(-middle)) > target:
            far = middle
        else:
            near = middle
    return (near + far) / 2
