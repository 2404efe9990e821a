"""Looks before the end: critical values and the betting process."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evalkit import stats


def test_one_look_is_the_fixed_test() -> None:
    assert stats.obrien_fleming_z([1.0], alpha=0.025) == pytest.approx([1.959964], abs=1e-6)


def test_the_errors_of_all_looks_add_up() -> None:
    """By simulation of Brownian motion at five looks."""
    looks = [0.2, 0.4, 0.6, 0.8, 1.0]
    z = np.array(stats.obrien_fleming_z(looks))
    steps = np.random.default_rng(1).normal(size=(400_000, 5)) * np.sqrt(0.2)
    crossed = np.cumsum(steps, axis=1) / np.sqrt(looks) > z
    spent = 2 * scipy_stats.norm.sf(scipy_stats.norm.isf(0.025) / np.sqrt(looks))
    by_look = [crossed[:, : i + 1].any(axis=1).mean() for i in range(5)]
    assert by_look == pytest.approx(list(spent), abs=0.0012)
    assert by_look[-1] == pytest.approx(0.05, abs=0.0012)


def test_a_look_too_early_to_stop_at_leaves_the_others_alone() -> None:
    early = stats.obrien_fleming_z([0.01, 0.5, 1.0])
    assert early[0] == 12
    assert early[1:] == pytest.approx(stats.obrien_fleming_z([0.5, 1.0]), abs=1e-6)


def test_what_each_look_spends_and_tests_at() -> None:
    """rpact 3.3.4, getDesignGroupSequential(typeOfDesign="asOF"), for the spending."""
    assert stats.alpha_spent([0.5, 0.75, 1]) == pytest.approx([0.0055746, 0.0236251, 0.05], abs=1e-6)
    assert stats.look_alphas([0.5, 0.75, 1]) == pytest.approx(
        list(scipy_stats.norm.sf(stats.obrien_fleming_z([0.5, 0.75, 1])))
    )


@pytest.mark.parametrize("look", [1, 2, 3])
@pytest.mark.parametrize("alpha", [0.05, *(pytest.param(each, marks=pytest.mark.slow) for each in (0.2, 0.01))])
def test_a_p_value_of_a_look_is_worth_the_alpha_at_which_it_just_stops(look: int, alpha: float) -> None:
    information = [0.5, 0.75, 1]
    level = stats.look_alphas(information, alpha)[look - 1]
    assert stats.looks_p(level, look, information) == pytest.approx(alpha, rel=1e-5)
    found = [stats.looks_p(p, look, information) for p in (0, 1e-6, 0.001, 0.02, 0.2, 0.6, 1)]
    assert found == sorted(found)
    assert (found[0], found[-1]) == (0, 1)
    assert all(q >= p for q, p in zip(found, (0, 1e-6, 0.001, 0.02, 0.2, 0.6, 1), strict=True))


def test_one_look_leaves_a_p_value_as_it_is_and_others_do_not_exist() -> None:
    assert stats.looks_p(0.03, 1, [1]) == 0.03
    for look, p in ((0, 0.1), (2, 0.1), (1, -0.1), (1, 1.1)):
        with pytest.raises(ValueError, match=r"look|p ="):
            stats.looks_p(p, look, [1])


@pytest.mark.parametrize("information", [[], [0.5], [0.5, 0.5, 1], [0.8, 0.5, 1], [0, 1], [1, 1.1]])
def test_looks_must_ascend_to_the_end(information: list[float]) -> None:
    with pytest.raises(ValueError, match="information"):
        stats.obrien_fleming_z(information)


@pytest.mark.parametrize("alpha", [0, 0.5])
def test_alpha_of_looks(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        stats.obrien_fleming_z([1], alpha)


def test_wealth_is_the_mean_over_bets() -> None:
    d = [0, 1, -1, 0.5]
    small, large = stats.betting_wealth(d, [0.2]), stats.betting_wealth(d, [0.8])
    both = stats.betting_wealth(d, [0.2, 0.8])
    assert both == pytest.approx([(a + b) / 2 for a, b in zip(small, large, strict=True)])
    assert stats.betting_wealth([], [0.2]) == []


def test_wealth_can_be_lost_and_is_capped() -> None:
    assert stats.betting_wealth([1, -1, 1], [1]) == [2, 0, 0]
    assert stats.betting_wealth([1] * 400, [1])[-1] == pytest.approx(1e100)


def test_wealth_against_a_true_null_rarely_reaches_twenty() -> None:
    """Ville: at any time, with chance at most 1/20."""
    rng = np.random.default_rng(2)
    stopped = [stats.worse_after(rng.choice([-1, 0, 1], 60, p=[0.1, 0.8, 0.1])) for _ in range(500)]
    assert sum(stop is not None for stop in stopped) / 500 <= 0.05
    worse = [stats.worse_after(rng.choice([-1, 0, 1], 60, p=[0.4, 0.55, 0.05])) for _ in range(100)]
    assert sum(stop is not None for stop in worse) >= 90


@pytest.mark.parametrize(
    ("bets", "null", "message"),
    [([], 0, "one or more of one sign"), ([-0.1, 0.1], 0, "of one sign"), ([0.95], 0.2, "lose more than everything")],
)
def test_unsound_bets_are_refused(bets: list[float], null: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stats.betting_wealth([0], bets, null)
