"""What a set can show: detectable differences, power of the gate, items needed."""

import math
import time
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evalkit import stats
from evalkit.stats import gate_power
from evalkit.stats.gate_rule import score_at
from evalkit.stats.paired import paired_n_eff


def binomial(k: int, n: int, p: float) -> float:
    return math.comb(n, k) * p**k * (1 - p) ** (n - k)


def shown(gain: int, loss: int, n: int, margin: float) -> bool:
    """The rule of the gate, from its two published parts."""
    low = stats.paired_rates(gain, loss, n, confidence=0.90).low
    assert low is not None
    return stats.noninferiority_exact_p(gain, loss, n, margin) <= 0.05 and low > -margin


@pytest.mark.parametrize(
    ("n", "margin", "difference"), [(12, 0.3, 0.0), (30, 0.1, 0.0), (20, 0.2, -0.1), (20, 0.2, 0.2)]
)
def test_power_sums_the_tables_that_pass(n: int, margin: float, difference: float) -> None:
    gain_rate, loss_rate = (0.2 + difference) / 2, (0.2 - difference) / 2
    chances = {
        (g, b): binomial(g, n, gain_rate) * binomial(b, n - g, loss_rate / (1 - gain_rate))
        for g in range(n + 1)
        for b in range(n + 1 - g)
    }
    likely = {
        table: chance for table, chance in chances.items() if chance > 1e-10
    }  # the others add nothing to six digits
    expected = sum(chance for (g, b), chance in likely.items() if shown(g, b, n, margin))
    power = stats.noninferiority_power(n, margin, 0.8, 0.2, difference=difference)
    assert power == pytest.approx(expected)


@pytest.mark.parametrize(
    ("n", "margin", "epochs", "expected"),
    [(50, 0.10, 1, 0.64), (100, 0.10, 1, 0.88), (50, 0.10, 3, 0.90), (100, 0.05, 3, 0.74), (50, 0.05, 5, 0.51)],
)
def test_power_at_ten_percent_discordance(n: int, margin: float, epochs: int, expected: float) -> None:
    power = stats.noninferiority_power(n, margin, 0.9, 0.10, epochs)
    assert power == pytest.approx(expected, abs=0.03)
    assert power == stats.noninferiority_power(n, margin, 0.9, 0.10, epochs)


def test_epochs_buy_power_unless_the_sides_differ_for_good() -> None:
    one = stats.noninferiority_power(50, 0.1, 0.9, 0.12)
    three, lasting = (stats.noninferiority_power(50, 0.1, 0.9, 0.12, 3, lasting=share) for share in (0.0, 1.0))
    assert one < 0.65
    assert three > 0.87
    assert lasting == pytest.approx(one, abs=0.06)
    assert lasting < three


def test_discordance_that_chance_leaves_no_room_for_lasts() -> None:
    """At a rate of .9 one in five items differs only if no item fails on both sides: all of them always differ."""
    raised, all_lasting = (stats.noninferiority_power(50, 0.1, 0.9, 0.2, 3, lasting=share) for share in (0.0, 1.0))
    assert raised == all_lasting


def test_a_true_difference_moves_the_power() -> None:
    worse, equal, better = (stats.noninferiority_power(50, 0.1, 0.8, 0.2, 2, difference=d) for d in (-0.1, 0.0, 0.1))
    assert worse < 0.08
    assert worse < equal < better


def test_equal_chances_for_all_items_are_the_most_discordant() -> None:
    alike = stats.noninferiority_power(60, 0.1, 0.5, 0.5, 4, lasting=0)
    assert 0.2 < alike < 0.9
    assert stats.noninferiority_power(60, 0.05, 0.5, 0.0, 4) == 1
    assert stats.noninferiority_power(51, 0.05, 0.5, 0.0, 4) == 0
    torn = stats.noninferiority_power(60, 0.1, 0.5, 1.0, 4, lasting=1)  # every item tells the sides apart
    assert torn == pytest.approx(stats.noninferiority_power(60, 0.1, 0.5, 1.0), abs=0.05)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((50, 0.1, 0.9, 0.21, 3), "discordance = 0.21 is not from 0 to 0.2"),
        ((50, 0.1, 0.9, 0.1, 0), "epochs = 0 is not from 1 to 1000"),
        ((50, 1.0, 0.9, 0.1), "margin = 1.0"),
        ((50, 0.1, 1.0, 0.1), "rate = 1.0"),
        ((10_001, 0.1, 0.9, 0.1, 2), "n = 10001 is beyond simulation"),
        ((1001, 0.1, 0.9, 0.1), "n = 1001 is beyond exact enumeration"),
    ],
)
def test_impossible_plans_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stats.noninferiority_power(*arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"difference": 0.2}, "difference = 0.2 takes a rate of 0.9 out of 0 to 1"),
        ({"difference": -0.11}, "difference = -0.11 needs a discordance of at least 0.11"),
        ({"alpha": 0.5}, "alpha = 0.5 is not between 0 and 0.5"),
        ({"lasting": 1.1}, "lasting = 1.1 is not from 0 to 1"),
    ],
)
def test_impossible_options_are_refused(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stats.noninferiority_power(50, 0.1, 0.9, 0.1, **options)


@pytest.mark.parametrize(("margin", "exact", "score"), [(0.03, 99, 90), (0.05, 59, 54), (0.10, 29, 27), (0.12, 25, 22)])
def test_the_wall_below_which_equal_grades_cannot_pass(margin: float, exact: int, score: int) -> None:
    assert stats.smallest_passing_n(margin) == exact
    assert stats.smallest_passing_n(margin, score_only=True) == score
    assert stats.losses_allowed(exact, margin, 0) != [None]
    assert stats.losses_allowed(exact - 1, margin, 0) == [None]
    assert not stats.shows_noninferiority([1] * (exact - 1), [1] * (exact - 1), margin)
    assert stats.shows_noninferiority([1] * exact, [1] * exact, margin)


def test_the_wall_is_out_of_reach_for_tiny_margins() -> None:
    assert stats.smallest_passing_n(0.002) is None
    assert stats.noninferiority_items(0.002, 0.9, 0.1) is None
    assert stats.noninferiority_items(0.01, 0.5, 0.9) is None


@pytest.mark.parametrize(
    ("margin", "discordance", "published"), [(0.10, 0.02, 44), (0.10, 0.05, 52), (0.10, 0.10, 80), (0.10, 0.15, 104)]
)
def test_items_needed_agree_with_the_enumerated_table(margin: float, discordance: float, published: int) -> None:
    """The table leaves the exact test out, which costs a few items where few pairs differ."""
    n = stats.noninferiority_items(margin, 0.9, discordance)
    assert n == pytest.approx(published, rel=0.06)
    assert n is not None
    assert stats.noninferiority_power(n, margin, 0.9, discordance) >= 0.80


@pytest.mark.long
@pytest.mark.parametrize(
    ("margin", "rate", "discordance", "epochs", "power"),
    [(0.1, 0.9, 0.1, 1, 0.8), (0.2, 0.8, 0.3, 1, 0.5), (0.08, 0.9, 0.05, 1, 0.9), (0.1, 0.9, 0.1, 3, 0.8)],
)
def test_the_search_for_items_finds_what_a_plain_walk_finds(
    margin: float, rate: float, discordance: float, epochs: int, power: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = stats.noninferiority_items(margin, rate, discordance, epochs, power=power)
    monkeypatch.setattr(
        gate_power,
        "reaches",
        lambda power, *plan: stats.noninferiority_power(*plan[:-2], alpha=plan[-2], lasting=plan[-1]) >= power,
    )
    assert found == stats.noninferiority_items(margin, rate, discordance, epochs, power=power)


def test_a_margin_of_three_points_is_planned_for_in_seconds() -> None:
    before = time.process_time()
    assert stats.noninferiority_items(0.03, 0.9, 0.1) == 720
    assert time.process_time() - before < 5  # enumerating every table took half a minute


@pytest.mark.long
def test_large_sets_are_simulated_in_blocks() -> None:
    assert stats.noninferiority_power(2000, 0.05, 0.9, 0.1, 2) == 1


def test_epochs_save_items() -> None:
    one, three = stats.noninferiority_items(0.1, 0.9, 0.1), stats.noninferiority_items(0.1, 0.9, 0.1, 3)
    assert one is not None
    assert three is not None
    assert 25 <= three < one


def test_the_rule_for_data_is_the_rule_for_plans() -> None:
    for gain, loss, n in ((0, 1, 50), (0, 2, 50), (3, 3, 50), (3, 4, 50)):
        candidate = [1.0] * gain + [0.0] * loss + [1.0] * (n - gain - loss)
        baseline = [0.0] * gain + [1.0] * loss + [1.0] * (n - gain - loss)
        assert stats.shows_noninferiority(candidate, baseline, 0.1) is shown(gain, loss, n, 0.1)


def test_the_rule_with_epochs_shows_no_more_than_the_clustered_limit() -> None:
    rng = np.random.default_rng(4)
    answers = set()
    for _ in range(30):
        p = rng.beta(4.5, 0.5, 50)
        candidate, baseline = rng.binomial(3, p * 0.97) / 3, rng.binomial(3, p) / 3
        low = stats.paired_rates_clustered(candidate, baseline, confidence=0.90, epochs=3).low
        assert low is not None
        shown = stats.shows_noninferiority(candidate, baseline, 0.1, epochs=3)
        assert low > -0.1 or not shown
        answers.add((low > -0.1, shown))
    assert {(True, True), (False, False)} <= answers


def test_the_rule_beyond_enumeration_and_without_items() -> None:
    assert stats.shows_noninferiority([1] * 1500, [1] * 1500, 0.01)
    assert not stats.shows_noninferiority([], [], 0.1)
    with pytest.raises(ValueError, match="epochs = 0 is not from 1 to 1000"):
        stats.shows_noninferiority([1], [1], 0.1, epochs=0)


def test_simulated_scores_are_those_of_single_sets() -> None:
    rng = np.random.default_rng(6)
    p, b = rng.binomial(3, 0.8, (5, 20)) / 3, rng.binomial(3, 0.8, (5, 20)) / 3
    together = score_at(p, b, 3, -0.1, 0.05)
    assert together == pytest.approx([float(score_at(x, y, 3, -0.1, 0.05)) for x, y in zip(p, b, strict=True)])
    assert paired_n_eff(np.ones((2, 9)), np.ones((2, 9)), 3, 0.9).tolist() == [9, 9]


@pytest.mark.parametrize(("n", "discordance", "expected"), [(50, 0.05, 0.175), (50, 0.10, 0.21), (50, 0.20, 0.255)])
def test_detectable_difference_matches_the_enumerated_table(n: int, discordance: float, expected: float) -> None:
    assert stats.detectable_difference(n, discordance) == pytest.approx(expected, abs=0.0051)


def test_detectable_difference_by_direct_enumeration() -> None:
    """Power of the two-sided test, over all tables of a small set, on both sides of the answer."""
    found = stats.detectable_difference(30, 0.1)
    assert found is not None

    def power(difference: float) -> float:
        gain, loss = 0.05 + difference, 0.05
        total = 0.0
        for g in range(31):
            for b in range(31 - g):
                low = (g - b) - scipy_stats.norm.isf(0.025) * math.sqrt(g + b)
                if low >= -1e-9 and g > b:
                    total += binomial(g, 30, gain) * binomial(b, 30 - g, loss / (1 - gain))
        return total

    assert power(found) >= 0.80 > power(found - 0.005)


def test_detectable_difference_edges() -> None:
    assert stats.detectable_difference(0) is None
    assert stats.detectable_difference(3) is None
    larger, smaller = stats.detectable_difference(50), stats.detectable_difference(200)
    assert larger is not None
    assert smaller is not None
    assert smaller < larger
    with pytest.raises(ValueError, match="discordance = 0"):
        stats.detectable_difference(50, 0)


def test_miller_items_shrink_with_epochs_and_difference() -> None:
    plain = stats.miller_items(0.03, 1 / 9)
    assert math.ceil(plain) == 969
    assert stats.miller_items(0.03, 1 / 9, (1 / 6, 1 / 6), (2, 2)) == pytest.approx(plain * (1 + 1.5))
    assert stats.miller_items(-0.06, 1 / 9) == pytest.approx(plain / 4)
    for arguments, message in (((0, 1), "difference = 0"), ((0.1, -1), "variances"), ((1e-60, 1), "too small")):
        with pytest.raises(ValueError, match=message):
            stats.miller_items(*arguments)
    with pytest.raises(ValueError, match="epochs"):
        stats.miller_items(0.1, 1, epochs=(0, 1))
