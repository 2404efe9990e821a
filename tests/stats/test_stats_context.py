"""Rates along lengths, item quality, rank tests and the other published forms."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats
from scipy.special import expit

from evalkit import stats
from evalkit.stats import curve, gee


def sweep(drops: list[int], n: int = 80) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Items x lengths; at each length the first so many items fail."""
    return np.array([[float(item >= drop) for drop in drops] for item in range(n)])


def test_effective_length_stops_at_the_first_failure_even_if_a_later_one_would_hold() -> None:
    found = stats.effective_length(sweep([0, 1, 20, 0]), [4, 8, 16, 32])
    assert (found.length, found.held, found.failed_at) == (8, (4, 8), 16)


def test_effective_length_can_be_all_or_the_first_or_none() -> None:
    whole = stats.effective_length(sweep([0, 0, 1]), [4, 8, 16])
    assert (whole.length, whole.held, whole.failed_at) == (16, (4, 8, 16), None)
    assert stats.effective_length(sweep([0, 40]), [4, 8]).length == 4
    assert stats.effective_length(sweep([0]), [4]).length == 4
    assert stats.effective_length([], [4, 8]).length is None
    small = stats.effective_length(sweep([0, 0], n=20), [4, 8], margin=0.05)
    assert (small.length, small.failed_at) == (4, 8)


@pytest.mark.parametrize(
    ("outcomes", "lengths", "message"),
    [
        ([[1, 1]], [2, 1], "must ascend"),
        ([[1]], [], "must ascend"),
        ([[1, 1]], [1, 2, 3], r"shape \(1, 2\)"),
        ([1, 1], [1, 2], r"shape \(2,\)"),
        ([[1, 2]], [1, 2], "outcomes"),
        ([[1, 1]], [0, 2], "lengths"),
    ],
)
def test_tables_must_fit_their_lengths(outcomes: Any, lengths: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stats.effective_length(outcomes, lengths)


def test_isotonic_rates_pool_by_weight() -> None:
    assert stats.isotonic_rates([0.5, 0.8], [30, 10]) == pytest.approx([0.575, 0.575])
    assert stats.isotonic_rates([0.9, 0.5, 0.5, 0.1]) == [0.9, 0.5, 0.5, 0.1]
    with pytest.raises(ValueError, match="lengths differ"):
        stats.isotonic_rates([0.5], [1, 2])


def test_slope_difference_is_the_paired_mean_of_item_slopes() -> None:
    rng = np.random.default_rng(1)
    candidate, baseline = rng.random((30, 3)), rng.random((30, 3))
    lengths = [4.0, 8.0, 32.0]
    slopes = [[np.polyfit(np.log2(lengths), row, 1)[0] for row in side] for side in (candidate, baseline)]
    expected = stats.paired_means(*slopes)
    found = stats.slope_difference(candidate, baseline, lengths)
    assert (found.value, found.low, found.high) == pytest.approx((expected.value, expected.low, expected.high))
    with pytest.raises(ValueError, match="a slope needs two"):
        stats.slope_difference([[1]], [[1]], [4])


@pytest.mark.long
def test_the_curve_solves_its_equations_and_covers_the_truth() -> None:
    rng, lengths = np.random.default_rng(2), [1.0, 2.0, 4.0, 8.0, 16.0]
    difficulty = rng.normal(size=(400, 1))
    y = (rng.random((400, 5)) < expit(2 - 0.5 * np.log2(lengths) + difficulty)).astype(float)
    independent = stats.logistic_per_doubling(y, lengths, working="independence")
    assert independent.intercept is not None
    assert independent.slope is not None
    residual = y - expit(independent.intercept + independent.slope * np.log2(lengths))
    assert residual.sum() == pytest.approx(0, abs=1e-6)
    assert (residual @ np.log2(lengths)).sum() == pytest.approx(0, abs=1e-6)
    linked = stats.logistic_per_doubling(y, lengths)
    assert linked.correlation is not None
    assert 0.05 < linked.correlation < 0.4
    assert linked.slope == pytest.approx(independent.slope, abs=0.05)
    assert linked.odds_ratio.value == pytest.approx(math.exp(linked.slope or 0))
    plain = stats.logistic_per_doubling(y, lengths, bias_reduced=False)
    assert plain.slope_error == pytest.approx(linked.slope_error, rel=0.02)
    assert (plain.slope_error or 0) < (linked.slope_error or 0)


@pytest.mark.parametrize("outcomes", [[[1, 1]] * 9, [[0, 0]] * 9, [[1, 0]] * 9, [[1, i % 2] for i in range(9)]])
def test_a_curve_that_runs_off_to_infinity_is_refused(outcomes: Any) -> None:
    fitted = stats.logistic_per_doubling(outcomes, [4, 8])
    assert (fitted.slope, fitted.odds_ratio.value, fitted.odds_ratio.reason) == (None, None, curve.SEPARATED)


def test_a_fit_that_does_not_settle_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = [[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 1, 0]]
    assert stats.logistic_per_doubling(outcomes, [1, 2, 4]).slope is not None
    monkeypatch.setattr(gee, "STEPS", 2)
    assert stats.logistic_per_doubling(outcomes, [1, 2, 4]).odds_ratio.reason == curve.UNSETTLED


def test_items_that_all_fall_alike_give_a_curve_without_an_interval() -> None:
    alike = stats.logistic_per_doubling([[0.8, 0.5, 0.2]] * 9, [4, 8, 16]).odds_ratio
    assert (alike.value, alike.low, alike.high) == (pytest.approx(0.25), None, None)  # odds of 4, 1 and 1/4
    level = stats.logistic_per_doubling([[0.5, 0.5]] * 9, [4, 8]).odds_ratio
    assert (level.value, level.low, level.high) == (pytest.approx(1), None, None)
    assert alike.warnings == level.warnings == ("all items change alike: no interval",)


def test_a_curve_needs_items_lengths_and_a_known_working_matrix() -> None:
    assert (
        stats.logistic_per_doubling([[1, 0]] * 2, [4, 8]).odds_ratio.reason == "2 items: a curve needs at least three"
    )
    with pytest.raises(ValueError, match="a curve needs two"):
        stats.logistic_per_doubling([[1]], [4])
    with pytest.raises(ValueError, match="working = 'ar1'"):
        stats.logistic_per_doubling([[1, 0]] * 9, [4, 8], working="ar1")  # wrong on purpose
    with pytest.raises(ValueError, match="is not a list"):
        stats.logistic_per_doubling(None, [4, 8])  # wrong on purpose


@pytest.mark.parametrize(
    ("outcomes", "lengths"),
    [
        ([[1, 1, 1]] * 5 + [[0, 0, 0]] * 5, [1, 2, 4]),
        ([[1, 0], [1, 1], [0, 0]], [1e-9, 1e99]),
        ([[0, 1]] * 8 + [[1, 0]], [1e6, 1.0000001e6]),
    ],
)
def test_a_curve_without_stable_solution_is_refused(outcomes: Any, lengths: list[float]) -> None:
    assert stats.logistic_per_doubling(outcomes, lengths).odds_ratio.reason == curve.UNSETTLED


@pytest.mark.parametrize(
    ("rates", "separated"),
    [
        ([1, 1, 0], True), ([0, 0, 1], True), ([1, 0.5, 0], True), ([1, 1, 0.5], True), ([0.5, 0, 0], True),
        ([1, 1, 1], True), ([0, 0], True), ([1, 0.5, 1], False), ([1, 0, 1], False), ([1, 0.9, 0.1, 0], False),
        ([1, 0, 0.5], False), ([0.9, 0.1], False),
    ],
)  # fmt: skip
def test_separation_is_a_step_that_fits(rates: list[float], separated: bool) -> None:
    assert curve._separated(np.array(rates, dtype=float)) is separated


@pytest.mark.parametrize("seed", range(40))
def test_small_tables_give_a_finite_curve_or_a_reason_in_silence(seed: int) -> None:
    rng = np.random.default_rng(seed)
    items, lengths = int(rng.integers(3, 9)), int(rng.integers(2, 5))
    table = rng.integers(0, 3, (items, lengths)) / 2
    fitted = stats.logistic_per_doubling(table, 2.0 ** np.arange(lengths))
    assert (fitted.slope is None) is (fitted.odds_ratio.reason is not None)
    if fitted.slope is not None:
        assert fitted.odds_ratio.value == pytest.approx(math.exp(fitted.slope))


def test_item_shares_and_difficulty() -> None:
    quality = stats.item_quality([[1, 1], [0, 0], [1, 0], [1, np.nan], [np.nan, np.nan]])
    assert (quality.ceiling, quality.floor, quality.discriminating) == (0.5, 0.25, 0.25)
    assert quality.difficulty == (0, 1, 0.5, 0, None)
    assert quality.item_rest == (None,) * 5
    assert quality.warnings == (
        "only 25% of the items are passed by some and failed by others: this set can hardly tell sides apart",
        "too few outputs of each item to tell which go against the rest: 2, at least 9 are needed",
    )


def test_items_that_nothing_parts_are_told_in_words() -> None:
    told = stats.item_quality([[1, 1], [0, 0]]).warnings[0]
    assert told == "no item is passed by some and failed by others: this set can hardly tell sides apart"


def test_item_rest_correlation_finds_the_item_that_works_backwards() -> None:
    rng = np.random.default_rng(3)
    strength = np.linspace(0.1, 0.9, 12)
    table = (rng.random((20, 12)) < strength).astype(float)
    table[7] = (strength < 0.5).astype(float)
    table[9] = 1
    table[11, :4] = np.nan
    quality = stats.item_quality(table)
    assert 7 in quality.check
    assert quality.item_rest[9] is None  # no spread
    assert quality.item_rest[11] is None  # eight cells left
    rest = np.delete(table, 0, axis=0)
    assert quality.item_rest[0] == pytest.approx(np.corrcoef(table[0], np.nanmean(rest, axis=0))[0, 1])
    assert quality.warnings == ()


def test_items_without_ratings_or_of_a_wrong_shape() -> None:
    nothing = stats.item_quality([[np.nan]])
    assert (nothing.ceiling, nothing.warnings) == (None, ("no item has a rating",))
    with pytest.raises(ValueError, match="outcomes has 1 dimensions"):
        stats.item_quality([1, 0])


def test_wilcoxon_is_exact_for_small_sets_without_ties() -> None:
    d = [0.1, -0.2, 0.3, 0.4, 0.5, 0.6]
    assert stats.wilcoxon_pratt_p(d, [0] * 6) == pytest.approx(6 / 64)  # ranks below or at 2: {}, {1}, {2}, doubled
    rng = np.random.default_rng(4)
    tied = rng.integers(-2, 3, 40).astype(float)
    expected = scipy_stats.wilcoxon(tied, zero_method="pratt", method="approx").pvalue
    assert stats.wilcoxon_pratt_p(tied, [0] * 40) == pytest.approx(expected)


def test_hodges_lehmann_limits_invert_the_exact_test() -> None:
    d = np.random.default_rng(5).normal(0.3, 1, 12)
    estimate = stats.hodges_lehmann(d, [0] * 12)
    assert estimate.low is not None
    assert estimate.high is not None
    for inside, outside in ((estimate.low + 1e-9, estimate.low - 1e-9), (estimate.high - 1e-9, estimate.high + 1e-9)):
        assert scipy_stats.wilcoxon(d - inside, method="exact").pvalue > 0.05
        assert scipy_stats.wilcoxon(d - outside, method="exact").pvalue <= 0.05
    assert estimate.value == np.median([(a + b) / 2 for i, a in enumerate(d) for b in d[i:]])


def test_hodges_lehmann_needs_six_pairs_and_uses_the_normal_form_for_many() -> None:
    five, six = stats.hodges_lehmann(range(5), [0] * 5), stats.hodges_lehmann(range(6), [0] * 6)
    assert (five.value, five.low, five.warnings) == (2, None, ("5 pairs are too few",))
    assert (six.low, six.high) == (0, 5)
    many = stats.hodges_lehmann(np.random.default_rng(6).normal(size=200), [0] * 200)
    by_t = stats.paired_means(np.random.default_rng(6).normal(size=200), [0] * 200)
    assert (many.low, many.high) == pytest.approx((by_t.low, by_t.high), abs=0.05)


def test_other_forms_agree_with_the_recommended_ones_in_the_middle() -> None:
    rng = np.random.default_rng(7)
    costs, flags = rng.lognormal(0, 0.4, 200), (rng.random(200) < 0.6).astype(float)
    wanted = stats.cost_per_satisfactory(costs, flags)
    for other in (stats.fieller(costs, flags), stats.log_ratio_t(costs, flags)):
        assert (other.value, other.low, other.high) == pytest.approx((wanted.value, wanted.low, wanted.high), rel=0.02)
    wilson = stats.rate(120, 200)
    for bounds in ((stats.jeffreys(120, 200).low, stats.jeffreys(120, 200).high), stats.uniform_posterior(120, 200)):
        assert bounds == pytest.approx((wilson.low, wilson.high), abs=0.003)
    tango = stats.paired_rates(30, 20, 200)
    for other in (stats.newcombe_paired(100, 30, 20, 50), stats.bonett_price(30, 20, 200)):
        assert (other.value, other.low, other.high) == pytest.approx((tango.value, tango.low, tango.high), abs=0.005)


def test_other_forms_refuse_what_they_cannot_bound() -> None:
    assert stats.fieller([], []).reason == "no items"
    assert stats.fieller([1, 2], [0, 0]).reason == "no success"
    assert stats.fieller([1], [1]).warnings == ("one item gives no interval",)
    nothing_excluded = stats.fieller([0.0, 9.0, 0.0], [0, 0, 1])
    assert (nothing_excluded.low, nothing_excluded.high) == (None, None)
    assert nothing_excluded.warnings == ("the rate is not clearly above 0: no upper limit",)
    assert stats.log_ratio_t([0, 0], [1, 1]).reason == "no items, no cost or no success"
    assert stats.newcombe_paired(0, 0, 0, 0).reason == "no pairs"
    assert stats.bonett_price(0, 0, 0).reason == "no pairs"
    assert stats.sample_quantile([], 0.5) is None
    assert stats.mcnemar_exact(5, 5) == 1
