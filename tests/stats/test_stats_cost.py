"""Costs and ratios: formulas by hand, edge cases, bad arguments."""

import math
from typing import Any

import numpy as np
import pytest

from evalkit.stats import (
    Estimate,
    break_even_correction_usd,
    cost_per_satisfactory,
    cost_per_satisfactory_clustered,
    cost_ratio,
    geometric_mean_ratio,
    human_fix_cost,
    mean_cost,
    mean_cost_ratio,
    paired_rates,
    rate,
    with_failures,
)
from evalkit.stats.logscale import scaled
from evalkit.stats.rates import cluster_design, shown_limits, two_sided_t

COSTS = [0.012, 0.018, 0.009, 0.031, 0.022, 0.015, 0.041, 0.011, 0.027, 0.019]
FLAGS = [1, 1, 1, 0, 1, 1, 0, 1, 1, 1]


def numbers_of(estimate: Estimate) -> tuple[float | None, float | None, float | None]:
    return estimate.value, estimate.low, estimate.high


def log_half_width(costs: list[float], confidence: float = 0.95) -> float:
    c = np.array(costs)
    return two_sided_t(confidence, len(c) - 1) * float(c.std(ddof=1) / c.mean()) / math.sqrt(len(c))


def test_mean_cost_is_symmetric_on_the_log_scale() -> None:
    mean, h = float(np.mean(COSTS)), log_half_width(COSTS)
    assert numbers_of(mean_cost(COSTS)) == pytest.approx((mean, mean * math.exp(-h), mean * math.exp(h)))


@pytest.mark.parametrize(
    ("costs", "value", "words"),
    [
        ([0.02], 0.02, "one item gives no interval"),
        ([0.02, 0.9], 0.46, "2 items give no interval"),
        ([0.0, 0.0, 0.0], 0.0, "all 3 items contribute equally: their spread cannot be estimated"),
    ],
)
def test_mean_cost_without_spread_has_no_interval(costs: list[float], value: float, words: str) -> None:
    estimate = mean_cost(costs)
    assert numbers_of(estimate) == (pytest.approx(value), None, None)
    assert estimate.warnings[-1] == words


def test_no_items_have_no_cost() -> None:
    assert mean_cost([]).reason == "no items"
    assert human_fix_cost([], [], 2.0).reason == "no items"
    assert cost_per_satisfactory([], []).reason == "no items"
    assert cost_per_satisfactory_clustered([], []).reason == "no items"
    assert cost_ratio([], [], [], []).reason == "no items"
    assert mean_cost_ratio([], []).reason == "no pairs"
    assert geometric_mean_ratio([], []).reason == "no pairs"


@pytest.mark.parametrize(("top", "warned"), [(0.30, True), (0.02, False)])
def test_one_dominant_item_is_pointed_out(top: float, warned: bool) -> None:
    costs = [0.01 + 0.0001 * i for i in range(19)] + [top]
    expected = "one item carries 59 % of the total cost: the interval may be too narrow"
    assert (expected in mean_cost(costs).warnings) is warned
    assert (expected in cost_per_satisfactory(costs, [1, 0] * 10).warnings) is warned


@pytest.mark.parametrize("bad", [-0.01, float("nan"), float("inf")])
def test_bad_costs_are_named(bad: float) -> None:
    with pytest.raises(ValueError, match=r"costs\[1\] = "):
        mean_cost([0.1, bad])
    with pytest.raises(ValueError, match=r"costs\[1\] = "):
        cost_per_satisfactory([0.1, bad], [1, 1])
    with pytest.raises(ValueError, match=r"costs\[1\] = "):
        human_fix_cost([0.1, bad], [1, 1], 2.0)


def test_cost_per_success_joins_the_limits_by_mover() -> None:
    c, s = np.array(COSTS), np.array(FLAGS, dtype=float)
    theta, h = float(c.mean() / s.mean()), log_half_width(COSTS)
    low, high = shown_limits(0.8, 10, 0.95, 10)
    above, below = math.log(high / 0.8), math.log(0.8 / low)
    r = float(np.corrcoef(c, s)[0, 1])
    assert r < -0.5
    expected = (
        theta,
        theta * math.exp(-math.sqrt(h * h + above * above - 2 * r * h * above)),
        theta * math.exp(math.sqrt(h * h + below * below - 2 * r * h * below)),
    )
    assert numbers_of(cost_per_satisfactory(COSTS, FLAGS)) == pytest.approx(expected)


def test_effective_n_of_the_rate_can_be_given() -> None:
    costs, half = COSTS * 2, [0.5] * 20
    wide, narrow = cost_per_satisfactory(costs, half), cost_per_satisfactory(costs, half, rate_n_eff=60)
    assert wide.high is not None
    assert narrow.high is not None
    assert narrow.high < wide.high
    assert cost_per_satisfactory(costs, half, rate_n_eff=20) == wide


def test_no_success_has_a_lower_limit_only() -> None:
    estimate = cost_per_satisfactory(COSTS, [0] * 10)
    high_rate = shown_limits(0, 10, 0.95, 10)[1]
    low = float(np.mean(COSTS)) * math.exp(-log_half_width(COSTS)) / high_rate
    assert numbers_of(estimate) == (None, pytest.approx(low), None)
    assert (estimate.reason, estimate.warnings) == ("no success in 10 items", ())


def test_every_success_keeps_the_lower_limit_of_the_cost() -> None:
    estimate, cost = cost_per_satisfactory(COSTS, [1] * 10), mean_cost(COSTS)
    assert (estimate.value, estimate.low) == (pytest.approx(cost.value), pytest.approx(cost.low))
    assert estimate.high is not None
    assert cost.high is not None
    assert estimate.high > cost.high


def test_equal_costs_leave_the_doubt_of_the_rate() -> None:
    low, high = shown_limits(0.8, 10, 0.95, 10)
    expected = (0.02 / 0.8, 0.02 / high, 0.02 / low)
    assert numbers_of(cost_per_satisfactory([0.02] * 10, FLAGS)) == pytest.approx(expected)


def test_free_items_cost_nothing_per_success() -> None:
    assert numbers_of(cost_per_satisfactory([0.0] * 10, FLAGS)) == (0.0, 0.0, 0.0)
    assert numbers_of(cost_per_satisfactory([0.0] * 10, [0] * 10)) == (None, 0.0, None)


@pytest.mark.parametrize(
    ("flags", "value", "reason"), [([1], 0.02, None), ([0], None, "no success in 1 item"), ([0.5], 0.04, None)]
)
def test_one_item_has_no_interval(flags: list[float], value: float | None, reason: str | None) -> None:
    estimate = cost_per_satisfactory([0.02], flags)
    assert (*numbers_of(estimate), estimate.reason) == (value, None, None, reason)
    assert estimate.warnings == ("one item gives no interval",)


def test_two_items_give_a_wide_interval() -> None:
    estimate = cost_per_satisfactory([0.01, 0.03], [1, 1])
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.high / estimate.low > 100


def test_a_rate_near_zero_is_pointed_out() -> None:
    words = "the rate is not clearly above 0: the upper limit is uncertain"
    assert words in cost_per_satisfactory(COSTS, [1] + [0] * 9).warnings
    assert words not in cost_per_satisfactory(COSTS, FLAGS).warnings


def test_a_vanishing_rate_counts_as_none() -> None:
    assert cost_per_satisfactory([0.1, 0.2], [1e-200, 0]).reason == "no success in 2 items"


def test_limits_too_large_for_a_number_do_not_exist() -> None:
    assert scaled(1.0, 1e9) is None
    assert scaled(1e300, 100) is None
    assert scaled(2.0, -1e9) == 0.0
    estimate = mean_cost([0.0, 0.0, 1.0], confidence=0.9999999)
    assert (estimate.low, estimate.high) == (0.0, None)


@pytest.mark.parametrize("n_eff", [0, -3, float("nan"), float("inf")])
def test_bad_effective_n_is_named(n_eff: float) -> None:
    with pytest.raises(ValueError, match=f"rate_n_eff = {n_eff} is not a number above 0"):
        cost_per_satisfactory(COSTS, FLAGS, rate_n_eff=n_eff)


def test_bad_flags_and_lengths_are_named() -> None:
    with pytest.raises(ValueError, match=r"satisfied\[0\] = 2.0"):
        cost_per_satisfactory([0.1], [2])
    with pytest.raises(ValueError, match="costs has 1, satisfied has 2"):
        cost_per_satisfactory([0.1], [1, 1])


def test_clustered_cost_uses_item_means_and_effective_n() -> None:
    costs = [[0.01, 0.02, 0.03], [0.02, 0.02, 0.05], [0.01, 0.01, 0.01], [0.03, 0.01, 0.02]]
    flags = [[1, 1, 0], [0, 1, 0], [1, 1, 1], [1, 0, 1]]
    n_eff = cluster_design([2, 1, 3, 2], [3] * 4).adjusted_n_eff(0.95)
    expected = cost_per_satisfactory([0.02, 0.03, 0.01, 0.02], [2 / 3, 1 / 3, 1, 2 / 3], rate_n_eff=n_eff)
    assert numbers_of(cost_per_satisfactory_clustered(costs, flags)) == pytest.approx(numbers_of(expected))


def test_two_items_with_several_trials_have_no_upper_limit_that_means_anything() -> None:
    """A t of one degree of freedom leaves a rate of 1e-68, and a limit with 65 digits."""
    found = cost_per_satisfactory_clustered([[0.01, 0.011], [0.012, 0.01]], [[1, 1], [0, 0]])
    assert found.low is not None
    assert found.low < 0.0215 == pytest.approx(found.value)
    assert found.high is None


@pytest.mark.parametrize("items", [15, 50, 1000])
def test_one_success_among_any_number_of_items_keeps_its_upper_limit(items: int) -> None:
    found = cost_per_satisfactory([0.01] * items, [1.0] + [0.0] * (items - 1), 0.99)
    assert found.high is not None
    assert found.value is not None
    assert found.high < 1000 * found.value


def test_clustered_cost_of_single_trials_is_the_plain_one() -> None:
    clustered = cost_per_satisfactory_clustered([[c] for c in COSTS], [[s] for s in FLAGS])
    assert clustered == cost_per_satisfactory(COSTS, FLAGS)


@pytest.mark.parametrize(
    ("costs", "flags", "message"),
    [
        ([[0.1]], [[0.5]], r"satisfied\[0\] = \[0.5\]: one or more trials"),
        ([[]], [[]], r"satisfied\[0\] = \[\]: one or more trials"),
        ([[0.1], [0.1, 0.2]], [[1], [1]], r"costs\[1\] has 2, satisfied\[1\] has 1"),
        ([[0.1], [-1]], [[1], [1]], r"costs\[1\]\[0\] = -1.0"),
        ([[0.1]], [], "costs has 1, satisfied has 0"),
    ],
)
def test_bad_trials_are_named(costs: list[list[float]], flags: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cost_per_satisfactory_clustered(costs, flags)


def test_human_fix_cost_adds_review_and_correction_and_the_doubt_of_price_and_rate() -> None:
    total, price = human_fix_cost(COSTS, FLAGS, 2.0, 0.1), mean_cost(COSTS)
    assert total.value == pytest.approx(float(np.mean(COSTS)) + 0.1 + (1 - float(np.mean(FLAGS))) * 2.0)
    free, passed = human_fix_cost([0.0] * 10, FLAGS, 2.0), rate(round(sum(FLAGS)), 10, method="clopper-pearson")
    assert (free.low, free.high) == pytest.approx(((1 - (passed.high or 0)) * 2.0, (1 - (passed.low or 0)) * 2.0))
    nothing_to_correct = human_fix_cost(COSTS, FLAGS, 0.0, 0.1)
    assert (nothing_to_correct.low, nothing_to_correct.high) == pytest.approx(
        ((price.low or 0) + 0.1, (price.high or 0) + 0.1)
    )
    own = human_fix_cost(COSTS, FLAGS, 2.0, 0.1, rate=rate(700, 1000))
    assert (own.high or 0) - (own.low or 0) < (total.high or 0) - (total.low or 0)


def test_what_costs_the_same_and_never_fails_still_may_fail() -> None:
    total = human_fix_cost([0.01] * 4, [1.0] * 4, 5.0)
    assert (total.value, total.low) == (0.01, 0.01)
    assert total.high == pytest.approx(0.01 + 5.0 * (1 - (rate(4, 4, method="clopper-pearson").low or 0)))


@pytest.mark.parametrize(
    ("items", "share", "by_spread"),
    [(4, 0.95, 0.3), (20, 0.95, 0.75), (50, 0.9, 1), (50, 0.99, 0.5), (100, 0.99, 0.75), (100, 1.0, 1)],
)
def test_totals_cover_near_a_rate_of_one(items: int, share: float, by_spread: float) -> None:
    """95 % nominal, Wilson's own least .91; the spread of totals by item, with hardly a failure in it, falls short."""
    rng, truth, repeats, held, naive = np.random.default_rng(2), 0.02 + (1 - share) * 5.0, 300, 0, 0
    for _ in range(repeats):
        costs = 0.02 * np.exp(0.5 * rng.normal(size=items) - 0.125)
        flags = (rng.random(items) < share).astype(float)
        ours, spread = human_fix_cost(costs, flags, 5.0), mean_cost(costs + (1 - flags) * 5.0)
        held += (ours.low or 0) <= truth <= (ours.high or 0)
        naive += (spread.low or 0) <= truth <= (spread.high or 0)
    assert held / repeats >= 0.88
    assert naive / repeats <= by_spread


@pytest.mark.parametrize(("better", "low"), [((10, 2), 0.05), ((2, 10), -0.05)])
def test_a_saving_that_prices_and_rates_leave_open_is_open(better: tuple[int, int], low: float) -> None:
    """The limits of two terms join at right angles, more widely where both turn bad together."""
    cost, gain = Estimate(low, low - 0.3, low + 0.3, 0.95, 60, "t"), paired_rates(*better, 60)
    apart, alike = (with_failures(cost, gain, Estimate(2.0, None, None, 0.95, 0, "stated"), r) for r in (0.0, 0.9))
    down = 2.0 * ((gain.value or 0) - (gain.low or 0))
    assert apart.value == pytest.approx(low + 2 * (gain.value or 0))
    assert apart.low == pytest.approx((apart.value or 0) - np.hypot(0.3, down))
    assert (alike.low or 0) < (apart.low or 0)


def test_the_doubt_of_a_correction_matters_where_nothing_failed_too() -> None:
    cost, none = mean_cost(COSTS), Estimate(0.0, 0.0, 0.1, 0.95, 60, "Wilson")
    sure, unsure = (Estimate(5.0, *limits, 0.95, 9, "log-t") for limits in ((None, None), (3.0, 9.0)))
    known, open_ = with_failures(cost, none, sure), with_failures(cost, none, unsure)
    assert (open_.high or 0) > (known.high or 0)
    assert (open_.high or 0) - (cost.value or 0) <= np.hypot(0.1 * 9.0, (cost.high or 0) - (cost.value or 0)) + 1e-12


def test_human_fix_cost_is_finite_without_any_success() -> None:
    assert human_fix_cost(COSTS, [0] * 10, 2.0).value == pytest.approx(2.0 + float(np.mean(COSTS)))


@pytest.mark.parametrize(
    ("correction", "message"),
    [
        (-1.0, r"correction_usd\[0\] = -1.0"),
        (float("nan"), r"correction_usd\[0\] = nan"),
        ([1.0], r"correction_usd = \[1.0\] is not a number or an Estimate"),
    ],
)
def test_bad_corrections_are_named(correction: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        human_fix_cost(COSTS, FLAGS, correction)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((0.02, 0.10, 0.80, 0.95), 0.08 / 0.15),
        ((0.10, 0.02, 0.95, 0.80), 0.08 / 0.15),
        ((0.02, 0.10, 0.80, 0.80), None),
        ((0.10, 0.02, 0.80, 0.95), None),
        ((0.05, 0.05, 0.80, 0.95), 0.0),
        ((1e100, 0.0, 1e-300, 0.0), None),
    ],
)
def test_break_even(arguments: tuple[float, float, float, float], expected: float | None) -> None:
    actual = break_even_correction_usd(*arguments)
    assert actual == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((-0.1, 0, 0.5, 0.6), r"costs\[0\] = -0.1"), ((0.1, 0.2, 0.5, 1.1), r"rates\[1\] = 1.1")],
)
def test_bad_break_even_arguments_are_named(arguments: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        break_even_correction_usd(*arguments)


def test_cost_ratio_is_the_log_delta_interval_where_that_is_the_wider() -> None:
    rng = np.random.default_rng(2)
    ca, cb = rng.lognormal(0, 0.5, 30), rng.lognormal(0.3, 0.5, 30)
    sa, sb = (rng.random(30) < 0.8).astype(float), (rng.random(30) < 0.6).astype(float)
    u = ca / ca.mean() - sa / sa.mean() - cb / cb.mean() + sb / sb.mean()
    half = two_sided_t(0.95, 29) * float(u.std(ddof=1)) / math.sqrt(30)
    ratio = float(ca.mean() / sa.mean() / (cb.mean() / sb.mean()))
    found = cost_ratio(ca, sa, cb, sb)
    assert found.low is not None
    assert (found.value, found.high) == pytest.approx((ratio, ratio * math.exp(half)))
    assert 0.9 < found.low / (ratio * math.exp(-half)) < 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (([0.0, 0.0], [1, 1], [0.1, 0.2], [1, 1]), "one side costs nothing"),
        (([0.1, 0.2], [0, 0], [0.1, 0.2], [1, 1]), "one side has no success"),
        (([0.1, 0.2], [1, 1], [0.0, 0.0], [1, 1]), "one side costs nothing"),
        (([0.1, 0.2], [1, 1], [0.1, 0.2], [0, 0]), "one side has no success"),
        (([0.1, 0.2], [0, 0], [0.1, 0.2], [0, 0]), "no side has a success"),
        (([0.0, 0.0], [1, 1], [0.0, 0.0], [1, 1]), "no side costs anything"),
    ],
)
def test_cost_ratio_that_does_not_exist_says_why(arguments: tuple[Any, ...], reason: str) -> None:
    estimate = cost_ratio(*arguments)
    assert (estimate.value, estimate.reason, estimate.n) == (None, reason, 2)


@pytest.mark.parametrize("failing", [0, 4])
def test_of_flat_prices_the_ratio_has_the_doubt_of_both_rates(failing: int) -> None:
    """All items contribute equally, but the rates of success have limits, and so has the ratio."""
    flags = [0.0] * failing + [1.0] * (40 - failing)
    found = cost_ratio([0.05] * 40, flags, [0.03] * 40, flags)
    doubt = 1 + two_sided_t(0.95, 39) ** 2 / (40 - failing)
    assert numbers_of(found) == pytest.approx((5 / 3, 5 / 3 / doubt, 5 / 3 * doubt))
    assert found.high is not None
    assert found.low is not None
    swapped = cost_ratio([0.03] * 40, flags, [0.05] * 40, flags)
    assert numbers_of(swapped) == pytest.approx((0.6, 1 / found.high, 1 / found.low))


def test_ratio_of_means_of_a_side_to_itself_has_no_interval() -> None:
    for estimate in (mean_cost_ratio(COSTS, COSTS), geometric_mean_ratio(COSTS, COSTS)):
        assert numbers_of(estimate) == (pytest.approx(1.0), None, None)
        assert estimate.warnings == ("all 10 items contribute equally: their spread cannot be estimated",)


def test_ratios_of_one_item_have_no_interval() -> None:
    assert numbers_of(mean_cost_ratio([2.0], [4.0])) == (0.5, None, None)
    assert numbers_of(geometric_mean_ratio([2.0], [4.0])) == (pytest.approx(0.5), None, None)
    assert numbers_of(cost_ratio([2.0], [1.0], [4.0], [0.5])) == (0.25, None, None)


def test_mean_ratio_over_nothing_says_why() -> None:
    assert mean_cost_ratio([1.0, 2.0], [0.0, 0.0]).reason == "a mean is 0: candidate 1.5, baseline 0"
    assert mean_cost_ratio([0.0, 0.0], [1.0, 2.0]).reason == "a mean is 0: candidate 0, baseline 1.5"


def test_ratio_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match=r"baseline\[0\] = 0.0"):
        geometric_mean_ratio([1.0], [0.0])
    with pytest.raises(ValueError, match=r"candidate\[0\] = -1.0"):
        mean_cost_ratio([-1.0], [1.0])
    with pytest.raises(ValueError, match="lengths differ"):
        cost_ratio([1.0], [1], [1.0, 2.0], [1, 1])
    with pytest.raises(ValueError, match="confidence = 2"):
        mean_cost_ratio([1.0], [1.0], confidence=2)


@pytest.mark.parametrize("n", [2, 5, 10, 14])
def test_of_few_items_the_cost_knows_no_more_of_the_rate_than_the_exact_interval(n: int) -> None:
    """At equal costs all doubt is the rate's: the limits of the cost are those that stand beside it, however tried."""
    flags = [1] * (n - 1) + [0]
    shown = rate(n - 1, n, method="clopper-pearson")
    assert shown.low is not None
    assert shown.high is not None
    one, several = (
        cost_per_satisfactory([0.02] * n, flags),
        cost_per_satisfactory_clustered([[0.02] * 5] * n, [[flag] * 5 for flag in flags]),
    )
    assert one.high is not None
    assert (several.high is None) == (n == 2), "of two items with several trials there is no upper limit at all"
    for estimate in (one, several):
        assert estimate.low is not None
        assert (estimate.high or math.inf) >= 0.02 / shown.low * (1 - 1e-9)
        assert estimate.low <= 0.02 / shown.high * (1 + 1e-9)
