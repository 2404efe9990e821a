"""Repeats: as many as asked for, later than the first time, and never told from an output that comes for the first."""

import hashlib
from collections import Counter
from functools import partial
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from evalkit.returning import FEWEST_REPEATS, with_repeats

Screens = list[list[tuple[int, str]]]

SCREENS = st.lists(st.integers(1, 4), max_size=24).map(
    lambda sizes: [[(n, chr(97 + k)) for k in range(size)] for n, size in enumerate(sizes)]
)
"""Outputs as (item, letter)."""


def drawn_by(seed: int, purpose: str, output: tuple[int, str]) -> str:
    return hashlib.sha256(repr((seed, purpose, output)).encode()).hexdigest()


def dealt(screens: Screens, share: float, whole: bool, seed: int = 0) -> list[list[tuple[tuple[int, str], bool]]]:
    return with_repeats(screens, share, whole, partial(drawn_by, seed))


@given(SCREENS, st.floats(0, 0.5), st.booleans(), st.integers(0, 99))
def test_all_come_once_and_as_many_again_as_asked_for(screens: Screens, share: float, whole: bool, seed: int) -> None:
    shown = dealt(screens, share, whole, seed)
    firsts = [output for screen in shown for output, again in screen if not again]
    assert Counter(firsts) == Counter(chain.from_iterable(screens))
    early = screens[: (len(screens) + 1) // 2]
    repeats = [output for screen in shown for output, again in screen if again]
    units = len(screens) if whole else len(firsts)
    wanted = max(FEWEST_REPEATS, round(share * units)) if share else 0
    possible = early if whole else list(chain.from_iterable(early))
    found = {item for item, _ in repeats} if whole else set(repeats)
    assert len(found) == min(wanted, len(possible))
    order = list(chain.from_iterable(shown))
    assert all(order.index((output, False)) < order.index((output, True)) for output in repeats)
    assert {item for item, _ in repeats} <= set(range(len(early)))


@given(SCREENS, st.floats(0.01, 0.5), st.integers(0, 99))
def test_one_by_one_a_repeat_comes_with_an_output_that_is_new_or_its_item_is_all_repeats(
    screens: Screens, share: float, seed: int
) -> None:
    for screen in dealt(screens, share, False, seed):
        kinds = Counter(again for _, again in screen)
        (item,) = {item for (item, _), _ in screen}
        assert not kinds[True] or kinds[False] == 1 or kinds[True] == len(screens[item])


@given(SCREENS, st.floats(0.01, 0.5), st.integers(0, 99))
def test_side_by_side_an_item_comes_back_whole(screens: Screens, share: float, seed: int) -> None:
    for screen in dealt(screens, share, True, seed):
        (item,) = {item for (item, _), _ in screen}
        assert sorted(output for output, _ in screen) == screens[item]
        assert len({again for _, again in screen}) == 1


def test_the_place_beside_the_new_one_tells_nothing() -> None:
    """Of outputs that come on an item's second visit, the repeat is as often the first as the last."""
    screens = [[(n, letter) for letter in "abc"] for n in range(20)]
    places: Counter[tuple[bool, ...]] = Counter()
    for seed in range(200):
        visits: Counter[int] = Counter()
        for screen in dealt(screens, 0.05, False, seed):
            (item,) = {item for (item, _), _ in screen}
            visits[item] += 1
            if visits[item] == 2:
                places[tuple(again for _, again in screen)] += 1
    assert set(places) == {(True, False), (False, True)}
    assert sum(places.values()) == 600
    assert 250 < places[True, False] < 350
