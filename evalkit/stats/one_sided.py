"""Samples that are nearly all of one of two sides, and whether chance leaves so many of them."""

from collections.abc import Sequence
from functools import reduce

import numpy as np

from evalkit.stats import distributions as stats
from evalkit.stats.inputs import check_share, check_within

_ROUNDING = 1e-9


def one_sided_samples(
    counts: Sequence[tuple[int, int]], sizes: tuple[int, int], least: float = 0.1, alpha: float = 0.01
) -> tuple[int, ...]:
    """Places of the samples that hold under `least` as large a part of one side as of the other, beyond chance.

    `counts`: how many each sample has of the two sides, of which there are `sizes`. Small samples are of one side by
    chance: one counts where a sample as large is so with a probability (binomial) under `alpha` shared among all, and
    all do where as many are so with one under `alpha` (Poisson binomial). An empty sample or side: none. Raises
    ValueError for counts that are negative, broken or over the sizes, and for `least` or `alpha` outside of 0 to 1.
    """
    check_share("least", least)
    check_share("alpha", alpha)
    for one, other in counts:
        check_within(sizes[0], one=one)
        check_within(sizes[1], other=other)
    if not all(sizes):
        return ()
    chances, found = [], []
    for place, (one, other) in enumerate(counts):
        ways = np.arange(one + other + 1)
        parts = np.array([ways / sizes[0], ways[::-1] / sizes[1]])
        one_sided = parts.min(axis=0) < least * parts.max(axis=0) - _ROUNDING
        chances.append(float(stats.binom.pmf(ways[one_sided], one + other, sizes[0] / sum(sizes)).sum()))
        if one_sided[one]:
            found.append(place)
    so_many = reduce(np.convolve, [[1 - chance, chance] for chance in chances], np.ones(1))
    if so_many[len(found) :].sum() < alpha:
        return tuple(found)
    return tuple(place for place in found if chances[place] * len(counts) < alpha)
