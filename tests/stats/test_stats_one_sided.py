"""Samples of one side alone: told where chance leaves hardly any so large, or so many."""

import numpy as np
import pytest

from evalkit.stats.one_sided import one_sided_samples

SIDES = (100, 100)


@pytest.mark.parametrize(
    ("counts", "sizes", "places"),
    [
        ([(8, 0), (4, 4)], SIDES, ()),  # 2 / 2**8 is under 1 %, but not for both of two
        ([(9, 0), (4, 5)], SIDES, (0,)),
        ([(40, 3), (20, 20)], SIDES, (0,)),
        ([(40, 4), (20, 20)], SIDES, ()),  # a tenth
        ([(5, 0), (0, 5), (5, 0), (0, 5)], SIDES, (0, 1, 2, 3)),  # each by chance once in 16 times, all hardly
        ([(1, 0)] * 50 + [(0, 1)] * 50, SIDES, ()),
        ([(20, 0), (20, 1)], (95, 5), ()),  # there is hardly anything of the other
        ([(20, 0)], (95, 0), ()),
        ([], SIDES, ()),
        ([(0, 0), (30, 0)], SIDES, (1,)),
    ],
)
def test_a_sample_of_one_side_is_told_from_chance(
    counts: list[tuple[int, int]], sizes: tuple[int, int], places: tuple[int, ...]
) -> None:
    assert one_sided_samples(counts, sizes) == places
    mirrored = [(other, one) for one, other in counts]
    assert one_sided_samples(mirrored, (sizes[1], sizes[0])) == places


@pytest.mark.parametrize("samples", [1, 2, 5, 20])
def test_samples_drawn_from_both_are_told_in_one_of_a_hundred_rounds_at_the_most(samples: int) -> None:
    rng, told = np.random.default_rng(11), 0
    for _ in range(500):
        of, side = rng.integers(samples, size=40), rng.integers(2, size=40)
        counts = [(int(sum(side[of == one])), int(sum(1 - side[of == one]))) for one in range(samples)]
        told += bool(one_sided_samples(counts, SIDES))
    assert told <= 8


@pytest.mark.parametrize(
    ("counts", "told"), [([(-1, 0)], "one = -1"), ([(0, 101)], "other = 101 is more than n = 100")]
)
def test_counts_that_there_cannot_be_are_refused(counts: list[tuple[int, int]], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        one_sided_samples(counts, SIDES)
