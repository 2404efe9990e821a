"""The exact non-inferiority test: definition, edges, and the line it draws."""

import importlib
import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evalkit import stats
from evalkit.stats import Estimate, losses_allowed, noninferiority_exact_p, paired_rates
from evalkit.stats.tango import tango_statistic

quantile_ratio_module = importlib.import_module("evalkit.stats.quantile_ratio")


def brute_force_p(gain: int, loss: int, n: int, margin: float, points: int = 401) -> float:
    tables = [(g, b) for g in range(n + 1) for b in range(n + 1 - g)]
    observed = float(tango_statistic(gain, loss, n, -margin))
    extreme = [(g, b) for g, b in tables if float(tango_statistic(g, b, n, -margin)) >= observed - 1e-9]
    worst = 0.0
    for i in range(points):
        loss_rate = margin + i * ((1 + margin) / 2 - margin) / (points - 1)
        cells = [loss_rate - margin, loss_rate, max(0.0, 1 - 2 * loss_rate + margin)]
        probability = sum(
            math.comb(n, g) * math.comb(n - g, b) * cells[0] ** g * cells[1] ** b * cells[2] ** (n - g - b)
            for g, b in extreme
        )
        worst = max(worst, probability)
    return worst


@pytest.mark.parametrize(
    ("gain", "loss", "n", "margin"), [(0, 0, 8, 0.1), (2, 1, 8, 0.1), (1, 4, 9, 0.2), (0, 9, 9, 0.05)]
)
def test_p_equals_its_definition(gain: int, loss: int, n: int, margin: float) -> None:
    assert noninferiority_exact_p(gain, loss, n, margin) == pytest.approx(
        brute_force_p(gain, loss, n, margin), abs=1e-9
    )


def test_without_discordant_pairs_p_is_the_chance_of_seeing_none() -> None:
    assert noninferiority_exact_p(0, 0, 50, 0.05) == pytest.approx(0.95**50)
    assert noninferiority_exact_p(0, 0, 59, 0.05) == pytest.approx(0.95**59)


@pytest.mark.parametrize(
    ("n", "margin", "reachable"), [(58, 0.05, False), (59, 0.05, True), (28, 0.1, False), (29, 0.1, True)]
)
def test_wall_below_which_no_identical_run_can_pass(n: int, margin: float, reachable: bool) -> None:
    assert (losses_allowed(n, margin, [0])[0] is not None) is reachable


def test_nothing_observed_proves_nothing() -> None:
    assert noninferiority_exact_p(0, 0, 0, 0.05) == 1.0
    assert losses_allowed(0, 0.05, [0]) == [None]


@pytest.mark.parametrize("n", [1, 2])
def test_tiny_samples_never_pass_at_a_usual_margin(n: int) -> None:
    assert losses_allowed(n, 0.1, range(n + 1)) == [None] * (n + 1)


def test_one_number_of_gains_and_more_gains_than_pairs() -> None:
    assert losses_allowed(100, 0.05, 3) == [3]
    assert losses_allowed(20, 0.1, [21]) == [None]


def test_only_gains_pass_with_every_loss_there_is_room_for() -> None:
    assert losses_allowed(30, 0.05, [30]) == [0]


@pytest.mark.parametrize(("n", "margin"), [(50, 0.1), (100, 0.05)])
def test_the_line_is_where_both_tests_agree(n: int, margin: float) -> None:
    for gain, most in zip(range(6), losses_allowed(n, margin, range(6)), strict=True):
        for loss in range(8):
            low = paired_rates(gain, loss, n, confidence=0.9).low
            shown = noninferiority_exact_p(gain, loss, n, margin) <= 0.05 and low is not None and low > -margin
            assert shown is (most is not None and loss <= most)


@pytest.mark.parametrize("n", [1, 2, 9, 29, 60])
@pytest.mark.parametrize("margin", [1e-9, 0.03, 0.1, 0.5, 0.999])
@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.4])
def test_searching_the_line_gives_what_every_p_gives(n: int, margin: float, alpha: float) -> None:
    z = float(scipy_stats.norm.isf(alpha))
    gains = sorted({*range(0, n + 1, 1 if n < 30 else 6), n - 1, n})
    for gain, most in zip(gains, losses_allowed(n, margin, gains, alpha), strict=True):
        line = [most, most + 1] if most is not None else [-1, 0]
        shown = [
            float(tango_statistic(gain, loss, n, -margin)) > z
            and noninferiority_exact_p(gain, loss, n, margin) <= alpha
            for loss in line
            if 0 <= loss <= n - gain
        ]
        assert shown == [loss == most for loss in line if 0 <= loss <= n - gain]


@pytest.mark.parametrize("margin", [1e-9, 0.03, 0.1, 0.5, 0.999])
def test_every_loss_lowers_the_statistic(margin: float) -> None:
    """What the search and the tails rest on: the tables that are at least as extreme end at one loss for each gain."""
    for n in (*range(1, 30), 59, 200, 720):
        gain, loss = np.indices((n + 1, n + 1))
        falls = np.diff(tango_statistic(gain, loss, n, -margin), axis=1)
        assert (falls[(gain + loss <= n)[:, 1:]] < 0).all()


def test_score_alone_is_the_normal_approximation() -> None:
    z = float(tango_statistic(2, 5, 50, -0.1))
    exact = noninferiority_exact_p(2, 5, 50, 0.1)
    assert exact == pytest.approx(float(scipy_stats.norm.sf(z)), abs=0.05)


@pytest.mark.parametrize(
    ("gain", "loss", "n", "margin", "message"),
    [
        (0, 0, 50, 0.0, "margin = 0.0 is not between 0 and 1"),
        (0, 0, 50, 1.0, "margin = 1.0 is not between 0 and 1"),
        (30, 30, 50, 0.1, "is more than n = 50"),
        (0, 0, 1001, 0.1, "n = 1001 is beyond exact enumeration"),
    ],
)
def test_bad_arguments_are_named(gain: int, loss: int, n: int, margin: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        noninferiority_exact_p(gain, loss, n, margin)


@pytest.mark.parametrize(
    ("n", "gains", "alpha", "message"),
    [
        (50, [-1], 0.05, r"gains\[0\] = -1.0 is not a whole number"),
        (50, [0], 0.0, "alpha = 0.0 is not between 0 and 0.5"),
        (1001, [0], 0.05, "beyond exact enumeration"),
        (-5, [0], 0.05, "n = -5"),
    ],
)
def test_bad_planning_arguments_are_named(n: int, gains: list[int], alpha: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        losses_allowed(n, 0.1, gains, alpha=alpha)


@pytest.mark.parametrize("alpha", [0.5, 0.7, 1.0, 0.0])
def test_an_alpha_that_is_no_error_rate_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha = "):
        losses_allowed(10, 0.1, [0], alpha=alpha)


def test_what_has_no_items_or_no_limits_has_no_p() -> None:
    assert stats.worse_p([], [], 0.05) is None
    assert stats.above_one_p(stats.mean_cost_ratio([], [])) is None
    assert stats.above_one_p(stats.mean_cost_ratio([1], [2])) is None
    assert stats.above_one_p(Estimate(1.0, 1.0, 1.0, 0.9, 9, "all alike")) is None


def test_epochs_beyond_what_is_recognised_are_refused() -> None:
    with pytest.raises(ValueError, match="not from 1 to 1000"):
        stats.noninferiority_p([1.0], [1.0], 0.1, epochs=1001)


def test_an_item_without_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match="has no value"):
        stats.quantile_ratio([[1.0], []], [[1.0], [1.0]], 0.5, 1)


@pytest.mark.parametrize("each", [(1,), (1, 3)])
def test_quantiles_together_are_those_one_by_one_and_in_parts(
    each: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, qs = np.random.default_rng(3), [0.01, 0.5, 0.9, 0.99]
    sides = [[rng.lognormal(0, 0.5, rng.choice(each)).tolist() for _ in range(30)] for _ in range(2)]
    together = stats.quantile_ratios(*sides, qs, 7)
    assert together == [stats.quantile_ratio(*sides, q, 7) for q in qs]
    monkeypatch.setattr(quantile_ratio_module, "_CELLS", 10_000)  # some resamples at once
    for whole, parts in zip(together, stats.quantile_ratios(*sides, qs, 7), strict=True):
        assert (parts[0].low, parts[0].high, parts[1]) == pytest.approx((whole[0].low, whole[0].high, whole[1]))


def test_leaving_out_what_has_no_mass_changes_no_quantile(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    sides = [[[float(x)] for x in rng.lognormal(0, 1, 400)] for _ in range(2)]
    found = stats.quantile_ratios(*sides, [0.05, 0.5, 0.95], 7)
    monkeypatch.setattr(quantile_ratio_module, "FAR", 1e9)  # nothing is left out
    for some, all_ in zip(found, stats.quantile_ratios(*sides, [0.05, 0.5, 0.95], 7), strict=True):
        assert (some[0].value, some[0].low) == pytest.approx((all_[0].value, all_[0].low), rel=1e-12)


def test_a_gap_of_rates_without_limits_has_none() -> None:
    bare = Estimate(0.5, None, None, 0.95, 1, "one item")
    assert stats.rate_gap(bare, stats.rate(1, 2)).reason == "a rate has no interval"


def test_overwhelming_evidence_has_the_least_p_that_is_told() -> None:
    p = stats.noninferiority_p([1.0, 2 / 3] * 500, [0.0, 1 / 3] * 500, 0.2, epochs=3)
    assert p is not None
    assert 0 < p <= 1e-6
