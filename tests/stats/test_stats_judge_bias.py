"""A judge's biases: found where they are, not found where they are not."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from evalkit import stats
from evalkit.stats.judge_bias import NO_SLIPS, ONE_LENGTH, UNSETTLED

# ---- place --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one_way", "other_way", "consistent", "first"),
    [
        ([1, -1, 0], [-1, 1, 0], 1.0, None),
        ([1, 1, 1], [1, 1, 1], 0.0, 1.0),
        ([1, -1], [1, -1], 0.0, 0.5),
        ([1, 0, 1, -1], [0, -1, -1, -1], 0.25, 1 / 3),
    ],
)
def test_place_by_hand(one_way: list[int], other_way: list[int], consistent: float, first: float | None) -> None:
    found = stats.position_bias(one_way, other_way)
    assert found.consistent.value == consistent
    assert found.first.value == (None if first is None else pytest.approx(first))
    again = stats.position_bias(other_way, one_way)
    assert again == found


def test_the_method_says_whose_limits_they_are() -> None:
    """docs/statistics.md: exact for pairs of different items, else Wilson on an effective number."""
    pairs = ([1, 1, -1, 1], [1, 1, 1, 1])
    found = stats.position_bias(*pairs)
    assert (found.consistent.method, found.first.method) == ("Wilson score", "Clopper-Pearson")
    assert stats.position_bias(*pairs, items=["a", "a", "b", "b"]).first.method.startswith("Wilson score, effective n")


def _placed(rng: np.random.Generator, items: int, first: float) -> stats.PositionBias:
    """Three pairs an item; the judge takes the first place with a chance, else the better one with 4 in 5."""
    one, other, names = [], [], []
    for item in range(items):
        for _ in range(3):
            better = rng.choice((1, -1))
            seen = [better, -better]
            said = [1 if rng.random() < first else s if rng.random() < 0.8 else -s for s in seen]
            one.append(int(said[0]))
            other.append(int(said[1]))
            names.append(item)
    return stats.position_bias(one, other, items=names)


@pytest.mark.long
def test_a_liking_for_the_first_place_is_found_and_none_is_not() -> None:
    rng = np.random.default_rng(3)
    fair = [_placed(rng, 30, 0.0).first for _ in range(200)]
    assert sum(e.low <= 0.5 <= e.high for e in fair) >= 0.9 * 200
    assert all(_placed(rng, 30, 0.4).first.low > 0.5 for _ in range(20))


@pytest.mark.parametrize("bad", [([2], [0]), ([0.5], [0]), ([1, 1], [1])])
def test_what_is_no_choice(bad: tuple[list[float], list[float]]) -> None:
    with pytest.raises(ValueError, match=r"one_way|lengths"):
        stats.position_bias(*bad)


# ---- length -------------------------------------------------------------------------------------------------------

Flags = list[float]


def _long(rng: np.random.Generator, items: int, per_doubling: float) -> tuple[Flags, Flags, Flags, list[int]]:
    """Three outputs an item; a judge with sensitivity .9 and specificity .8 whose log odds rise with length."""
    judge, human, lengths, names = [], [], [], []
    for item in range(items):
        for _ in range(3):
            good, doublings = rng.random() < 0.7, rng.normal(0, 0.8)
            odds = (math.log(9) if good else -math.log(4)) + per_doubling * doublings
            judge.append(float(rng.random() < 1 / (1 + math.exp(-odds))))
            human.append(float(good))
            lengths.append(300 * 2**doublings)
            names.append(item)
    return judge, human, lengths, names


def _effect(data: tuple[Flags, Flags, Flags, list[int]]) -> stats.Estimate:
    judge, human, lengths, names = data
    return stats.length_effect(judge, human, lengths, items=names)


@pytest.mark.long
def test_a_liking_for_length_is_found_and_none_is_not() -> None:
    rng = np.random.default_rng(8)
    fair = [_effect(_long(rng, 40, 0.0)) for _ in range(20)]
    assert sum(e.low <= 1 <= e.high for e in fair) >= 0.9 * 20
    fond = [_effect(_long(rng, 80, 1.6)) for _ in range(4)]
    assert all(e.low > 1 for e in fond)
    judge, human, lengths, names = _long(rng, 80, -1.6)
    assert stats.length_effect(judge, human, lengths, items=names).high < 1


def test_only_the_ratio_within_an_item_counts_and_the_order_does_not() -> None:
    judge, human, lengths, names = _long(np.random.default_rng(2), 40, 1.0)
    found = stats.length_effect(judge, human, lengths, items=names)
    scaled = [size * (1 + name) for size, name in zip(lengths, names, strict=True)]
    turned = [list(reversed(part)) for part in (judge, human, scaled)]
    again = stats.length_effect(*turned, items=list(reversed(names)))
    assert (again.value, again.low, again.high) == pytest.approx((found.value, found.low, found.high), rel=1e-4)


@pytest.mark.parametrize(
    ("judge", "lengths", "told"),
    [
        (lambda h, x: h, lambda x: x, NO_SLIPS),
        (lambda h, x: [1.0] * len(h), lambda x: x, NO_SLIPS),
        (lambda h, x: [1 - v for v in h[:3]] + h[3:], lambda x: [5.0] * len(x), ONE_LENGTH),
        (lambda h, x: [float(v > 4) for v in x], lambda x: x, "unsettled"),
    ],
    ids=["as people", "all alike", "one length", "by length alone"],
)
def test_no_effect_where_none_can_be_told(
    judge: Callable[..., Flags], lengths: Callable[..., Flags], told: str
) -> None:
    human = [1.0, 0.0] * 20
    sizes = [float(2 ** (1 + n // 2 % 4)) for n in range(40)]
    found = stats.length_effect(judge(human, sizes), human, lengths(sizes), items=[n // 8 for n in range(40)])
    assert found.value is None
    assert told in str(found.reason)


@pytest.mark.parametrize(
    ("judge", "human", "lengths", "items"),
    [
        ([0, 1, 0, 0, 1, 0], [0] * 6, [2, 32, 8, 8, 32, 4], [0, 0, 1, 2, 1, 0]),
        ([1, 1, 1, 1, 1, 1, 0, 0, 0], [0, *[1] * 8], [2, *[4] * 8], [0, 0, 1, 2, 3, 4, 5, 6, 7]),
    ],
    ids=["only the longest pass", "lengths differ within one item only"],
)
def test_no_effect_of_length_runs_off_to_infinity(judge: Flags, human: Flags, lengths: Flags, items: list[int]) -> None:
    found = stats.length_effect(judge, human, lengths, items=items)
    assert (found.value, found.reason) == (None, UNSETTLED)


@pytest.mark.parametrize("change", [{"judge": [0.5]}, {"human": [2.0]}, {"lengths": [0.0]}, {"lengths": []}])
def test_what_is_no_verdict_or_length(change: dict[str, Flags]) -> None:
    given: dict[str, Flags] = {"judge": [1.0], "human": [1.0], "lengths": [3.0]}
    with pytest.raises(ValueError, match=r"neither 0 nor 1|number from 0|above 0|lengths differ"):
        stats.length_effect(**(given | change))


# ---- its own side ---------------------------------------------------------------------------------------------------


def test_self_preference_by_hand() -> None:
    judge, human = [1, 0, 0, 1, 1, 0], [0, 0, 0, 0, 1, 1]
    found = stats.self_preference(judge, human, [1, 0, 0, 1, 0, 0], items=["a", "a", "a", "b", "b", "c"])
    assert found == stats.paired_means([1, 1], [0, 0])
    assert stats.self_preference(judge, human, [0] * 6, items=list("aaabbc")).value is None


def _favoured(rng: np.random.Generator, items: int, favour: float) -> stats.Estimate:
    judge, human, own, names = [], [], [], []
    for item in range(items):
        for model in range(3):
            truth = float(rng.random() < 0.6)
            said = truth if rng.random() < 0.85 else 1 - truth
            judge.append(1.0 if model == 0 and rng.random() < favour else said)
            human.append(truth)
            own.append(float(model == 0))
            names.append(item)
    return stats.self_preference(judge, human, own, items=names)


def test_favour_for_the_own_side_is_found_and_none_is_not() -> None:
    rng = np.random.default_rng(4)
    fair = [_favoured(rng, 40, 0.0) for _ in range(200)]
    assert sum(e.low <= 0 <= e.high for e in fair) >= 0.9 * 200
    assert all(_favoured(rng, 80, 0.9).low > 0 for _ in range(20))


# ---- kappa with several outputs of one item -----------------------------------------------------------------------


def test_kappa_leaves_out_whole_items() -> None:
    first, second = [1, 0, 1, 1, 0, 1, 0, 0] * 3, [1, 0, 1, 0, 0, 1, 1, 0] * 3
    alone = stats.weighted_kappa(first, second)
    grouped = stats.weighted_kappa(first, second, items=[n % 8 for n in range(24)])
    assert grouped.value == alone.value
    assert (grouped.n, alone.n) == (8, 24)
    assert grouped.low < alone.low
    assert stats.weighted_kappa(first[:8], second[:8], items=list(range(8))) == stats.weighted_kappa(
        first[:8], second[:8]
    )
