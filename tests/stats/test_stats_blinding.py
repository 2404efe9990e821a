"""Bang's blinding index: published values at two arms, what it means at three, and intervals that hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit import stats

ARMS = ("opus", "sonnet", "haiku")


def units(table: dict[str, dict[str | None, int]]) -> tuple[list[str], list[str | None]]:
    """Arms and guesses from counts: arm -> guess -> number."""
    pairs = [(arm, guess) for arm, row in table.items() for guess, count in row.items() for _ in range(count)]
    return [arm for arm, _ in pairs], [guess for _, guess in pairs]


def test_two_arms_are_bangs_as_published_software_has_them() -> None:
    """The example of BlindingIndex.jl, held to R's package BI: 0.115 (0.080 to 0.150), 0.022 (-0.016 to 0.060)."""
    arms, guesses = units({
        "treatment": {"treatment": 48, "placebo": 4, None: 330},
        "placebo": {"treatment": 22, "placebo": 30, None: 319},
    })  # fmt: skip
    found = stats.bang_index(arms, guesses, ["treatment", "placebo"]).arms
    for index, (value, low, high) in zip(found, [(0.115, 0.080, 0.150), (0.022, -0.016, 0.060)], strict=True):
        assert (index.value, index.low, index.high) == (
            pytest.approx(value, abs=5e-4), pytest.approx(low, abs=1e-3), pytest.approx(high, abs=1e-3),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "values", "overall"),
    [
        ({arm: {arm: 10} for arm in ARMS}, (1, 1, 1), 1),
        ({arm: {None: 10} for arm in ARMS}, (0, 0, 0), 0),
        ({arm: {"opus": 10} for arm in ARMS}, (1, -0.5, -0.5), 0),
        ({arm: dict.fromkeys(ARMS, 4) for arm in ARMS}, (0, 0, 0), 0),
        ({"opus": {"haiku": 9}, "sonnet": {"opus": 9}, "haiku": {"sonnet": 9}}, (-0.5, -0.5, -0.5), -0.5),
        ({"opus": {"opus": 6, "haiku": 2, None: 2}, "sonnet": {None: 5}, "haiku": {"haiku": 1, "opus": 1}},
         (0.5, 0, 0.25), 0.25),
    ],
)  # fmt: skip
def test_three_arms_by_hand(rows: dict[str, dict[str | None, int]], values: tuple[float, ...], overall: float) -> None:
    arms, guesses = units(rows)
    found = stats.bang_index(arms, guesses, ARMS)
    assert [index.value for index in found.arms] == pytest.approx(values)
    assert found.overall.value == pytest.approx(overall)


@given(st.lists(st.tuples(st.sampled_from(ARMS), st.sampled_from([*ARMS, None])), min_size=3, max_size=40))
def test_the_formula_of_the_definition_and_limits_that_hold_the_value(pairs: list[tuple[str, str | None]]) -> None:
    found = stats.bang_index([arm for arm, _ in pairs], [guess for _, guess in pairs], ARMS)
    for arm, index in zip(ARMS, found.arms, strict=True):
        guesses = [guess for own, guess in pairs if own == arm]
        said = [guess for guess in guesses if guess is not None]
        if not guesses:
            assert index.value is None
            assert found.overall.value is None
            continue
        right = sum(guess == arm for guess in said) / len(said) if said else 0.0
        assert index.value == pytest.approx((3 * right - 1) / 2 * len(said) / len(guesses))
        assert -0.5 <= index.low <= index.value <= index.high <= 1
    if found.overall.value is not None:
        assert found.overall.value == pytest.approx(np.mean([index.value for index in found.arms]))


def _simulated(rng: np.random.Generator, items: int, knows: float, taste: tuple[float, ...]) -> stats.BlindingIndex:
    """Two graders an item who know an author with a chance, else say it by their taste, or nothing."""
    arms, guesses, names = [], [], []
    for item in range(items):
        for arm in ARMS:
            for _ in range(2):
                said = arm if rng.random() < knows else str(rng.choice(ARMS, p=taste))
                guesses.append(None if rng.random() < 0.2 else said)
                arms.append(arm)
                names.append(item)
    return stats.bang_index(arms, guesses, ARMS, items=names)


@pytest.mark.long
@pytest.mark.parametrize("taste", [(1 / 3, 1 / 3, 1 / 3), (0.8, 0.1, 0.1), (1.0, 0.0, 0.0)])
def test_a_taste_for_one_arm_is_not_taken_for_knowledge_and_knowledge_is_found(taste: tuple[float, ...]) -> None:
    rng = np.random.default_rng(5)
    blind = [_simulated(rng, 20, 0.0, taste).overall for _ in range(200)]
    assert sum(e.low <= 0 <= e.high for e in blind) >= 0.9 * 200
    seeing = [_simulated(rng, 20, 0.5, taste).overall for _ in range(30)]
    assert all(e.low > 0 for e in seeing)


def test_an_items_units_are_not_independent() -> None:
    arms, guesses = units({arm: {arm: 8, None: 8} for arm in ARMS})
    together = stats.bang_index(arms, guesses, ARMS, items=[n % 16 // 4 for n in range(len(arms))]).arms[0]
    apart = stats.bang_index(arms, guesses, ARMS).arms[0]
    assert (together.n, apart.n) == (4, 16)
    assert together.high - together.low > apart.high - apart.low


def test_few_units_leave_wide_limits() -> None:
    found = stats.bang_index(list(ARMS), list(ARMS), ARMS)
    assert all(index.low < 0.1 and index.high == 1 for index in found.arms)


@pytest.mark.parametrize(
    ("arms", "guesses", "options", "told"),
    [
        (["a"], ["a"], ["a"], "at least two arms"),
        (["a"], ["c"], ["a", "b"], "'c' is none of the options"),
        (["c"], ["a"], ["a", "b"], "'c' is none of the options"),
        (["a"], [], ["a", "b"], "lengths differ"),
    ],
)
def test_what_is_no_table_of_guesses(arms: list[str], guesses: list[str], options: list[str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        stats.bang_index(arms, guesses, options)
