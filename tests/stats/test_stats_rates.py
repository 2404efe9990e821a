"""Rates: edge cases, clusters, and agreement with scipy."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evalkit.stats import (
    cluster_design,
    cost_per_satisfactory_clustered,
    paired_rates_clustered,
    rate,
    rate_clustered,
)
from evalkit.stats.rates import lower_limit, two_sided_t, two_sided_z, wilson_limits


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95, 0.99])
@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (1, 2), (3, 7), (50, 50), (81, 263), (0, 1000)])
def test_wilson_equals_scipy(k: int, n: int, confidence: float) -> None:
    expected = scipy_stats.binomtest(k, n).proportion_ci(confidence, method="wilson")
    estimate = rate(k, n, confidence)
    assert estimate.value == k / n
    assert estimate.low == pytest.approx(expected.low, abs=1e-12)
    assert estimate.high == pytest.approx(expected.high, abs=1e-12)
    assert (estimate.n, estimate.confidence, estimate.method) == (n, confidence, "Wilson score")


def test_no_trials_has_no_value_and_says_why() -> None:
    estimate = rate(0, 0)
    assert (estimate.value, estimate.low, estimate.high, estimate.n) == (None, None, None, 0)
    assert estimate.reason == "no trials"


@pytest.mark.parametrize(
    ("k", "n", "words"),
    [
        (50, 50, ("every trial succeeded: read as at least 0.929",)),
        (0, 50, ("no trial succeeded: read as at most 0.071",)),
        (1, 50, ()),
        (49, 50, ()),
        (8, 15, ()),
        (7, 14, ("n = 14 is small: the exact interval is 0.230 to 0.770",)),
    ],
)
def test_warnings_of_a_rate(k: int, n: int, words: tuple[str, ...]) -> None:
    assert rate(k, n).warnings == words


@pytest.mark.parametrize(("k", "n", "low", "high"), [(0, 1, 0.0, 0.975), (1, 1, 0.025, 1.0), (1, 2, 0.0126, 0.9874)])
def test_exact_interval_of_one_and_two_trials(k: int, n: int, low: float, high: float) -> None:
    estimate = rate(k, n, method="clopper-pearson")
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=1e-4)
    assert estimate.method == "Clopper-Pearson"
    assert not any("small" in warning for warning in estimate.warnings)


def test_extremes_touch_the_edge_exactly() -> None:
    assert rate(0, 7).low == 0.0
    assert rate(7, 7).high == 1.0
    assert wilson_limits(0.0, 2.5, 0.95)[0] == 0.0
    assert wilson_limits(1.0, 2.5, 0.95)[1] == 1.0


@pytest.mark.parametrize(
    ("successes", "n", "message"),
    [
        (11, 10, "successes = 11 is more than n = 10"),
        (-1, 10, "successes = -1 is not a whole number"),
        (0, -1, "n = -1 is not a whole number"),
        (1.5, 10, "successes = 1.5 is not a whole number"),
        (float("nan"), 10, "successes = nan is not a whole number"),
    ],
)
def test_bad_counts_are_named(successes: float, n: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rate(successes, n)  # wrong on purpose


@pytest.mark.parametrize("confidence", [0, 1, -0.1, 95, float("nan")])
def test_bad_confidence_is_named(confidence: float) -> None:
    with pytest.raises(ValueError, match=f"confidence = {confidence} is not between 0 and 1"):
        rate(5, 10, confidence)


def test_unknown_method_is_named() -> None:
    with pytest.raises(ValueError, match="method = 'wald' is not one of wilson, clopper-pearson"):
        rate(5, 10, method="wald")  # wrong on purpose


def test_one_trial_per_item_is_the_plain_rate() -> None:
    clustered, plain = rate_clustered([1, 0, 1, 1] * 5, [1] * 20), rate(15, 20)
    assert clustered == plain


def test_perfect_agreement_inside_items_counts_items_only() -> None:
    design = cluster_design([3, 0] * 10, [3] * 20)
    assert (design.icc, design.inflation, design.n_eff) == (1.0, 3.0, 20.0)
    factor = (two_sided_z(0.95) / two_sided_t(0.95, 19)) ** 2
    assert design.adjusted_n_eff(0.95) == pytest.approx(20 * factor)


def test_independent_trials_count_fully() -> None:
    design = cluster_design([1, 2, 1, 2, 2, 1], [3] * 6)
    assert (design.icc, design.n_eff) == (0.0, 18.0)


def test_an_item_tried_more_often_counts_no_more_than_another() -> None:
    """The rate of items is what cost per success divides by, and what paired differences subtract."""
    passed, tried = [1, 1, 0, 4, 0, 1] * 5, [1, 1, 5, 5, 1, 1] * 5
    by_item, by_trial = rate_clustered(passed, tried, unit="item"), rate_clustered(passed, tried)
    means = [x / m for x, m in zip(passed, tried, strict=True)]
    assert by_item.value == pytest.approx(sum(means) / 30)
    assert by_trial.value == pytest.approx(sum(passed) / sum(tried))
    flags = [[1] * x + [0] * (m - x) for x, m in zip(passed, tried, strict=True)]
    cost = cost_per_satisfactory_clustered([[0.03] * m for m in tried], flags)
    assert cost.value == pytest.approx(0.03 / (by_item.value or 0))
    assert cost.low == pytest.approx(0.03 / (by_item.high or 0))  # equal costs: the doubt is that of the rate
    assert cost.high == pytest.approx(0.03 / (by_item.low or 0))
    assert paired_rates_clustered(means, [0] * 30).value == pytest.approx(by_item.value)


@pytest.mark.parametrize("passed", [[3, 2, 0, 3, 1] * 4, [0] * 20, [3] * 20])
def test_items_tried_equally_often_have_one_rate_by_trial_and_by_item(passed: list[int]) -> None:
    assert rate_clustered(passed, [3] * 20, unit="item") == rate_clustered(passed, [3] * 20)


def test_the_rate_of_items_holds_what_it_claims_where_hard_items_are_tried_more_often() -> None:
    rng = np.random.default_rng(4)
    chances = np.array([0.95, 0.6, 0.9, 0.4])
    truth, by_item, by_trial = float(chances.mean()), 0, 0
    for _ in range(300):
        p = rng.choice(chances, size=60)
        tried = np.where(p < 0.7, 5, 1)
        passed = rng.binomial(tried, p)
        found = [rate_clustered(passed, tried, unit=unit) for unit in ("item", "trial")]
        held = [(one.low or 0) <= truth <= (one.high or 1) for one in found]
        by_item, by_trial = by_item + held[0], by_trial + held[1]
    assert by_item >= 0.93 * 300
    assert by_trial < 0.5 * 300


@pytest.mark.parametrize("share", [0, 3])
def test_trials_all_alike_count_items_and_epochs_add_nothing(share: int) -> None:
    estimate = rate_clustered([share] * 50, [3] * 50)
    plain = rate(50 if share else 0, 50)
    assert (estimate.value, estimate.low, estimate.high) == (plain.value, plain.low, plain.high)
    assert cluster_design([share] * 50, [3] * 50).icc is None
    assert estimate.n == 50


def test_one_item_is_worth_one_trial() -> None:
    estimate = rate_clustered([2], [4])
    assert (estimate.value, estimate.n) == (0.5, 1)
    assert (estimate.low, estimate.high) == pytest.approx((float(lower_limit(0.5, 1)), 1 - float(lower_limit(0.5, 1))))


@pytest.mark.parametrize("items", [1, 2, 5, 14])
@pytest.mark.parametrize("epochs", [2, 5])
def test_few_items_never_say_more_than_the_exact_interval_on_the_items(items: int, epochs: int) -> None:
    for passed in range(items + 1):
        exact = rate(passed, items, method="clopper-pearson")
        for short in (0, 1):  # one trial short of items that always pass or fail
            x = [epochs] * passed + [0] * (items - passed)
            x[0] = abs(x[0] - short)
            found = rate_clustered(x, [epochs] * items)
            share = sum(x) / epochs
            beside = (float(lower_limit(share, items)), 1 - float(lower_limit(items - share, items)))
            assert found.low is not None
            assert found.high is not None
            assert found.low <= beside[0] + 1e-12
            assert found.high >= beside[1] - 1e-12
            if not short and passed in (0, items):
                assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


def test_two_items_give_a_very_wide_interval() -> None:
    estimate = rate_clustered([0, 3], [3, 3])
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.high - estimate.low > 0.9
    assert estimate.warnings == ("n = 2 is small: the interval leans on few independent items",)


def test_small_sample_adjustment_widens() -> None:
    successes, trials = [3, 2, 0, 3, 1, 3, 3, 2, 3, 0] * 2, [3] * 20
    adjusted, raw = rate_clustered(successes, trials), rate_clustered(successes, trials, small_sample=False)
    assert adjusted.value == raw.value
    assert adjusted.low is not None
    assert raw.low is not None
    assert adjusted.low < raw.low


@pytest.mark.parametrize(("successes", "trials"), [([], []), ([0, 0], [0, 0])])
def test_all_missing_has_no_value(successes: list[int], trials: list[int]) -> None:
    estimate = rate_clustered(successes, trials)
    assert (estimate.value, estimate.n, estimate.reason) == (None, 0, "no trials")


def test_items_without_a_trial_are_left_out_and_counted() -> None:
    estimate = rate_clustered([3, 0, 2] + [3] * 17, [3, 0, 3] + [3] * 17)
    assert estimate.n == 19
    assert estimate.warnings == ("1 of 20 items have no trial and are left out",)


@pytest.mark.parametrize(
    ("successes", "trials", "message"),
    [
        ([1, 4], [3, 3], r"successes_per_item\[1\] = 4 is more than its 3 trials"),
        ([1, 0.5], [3, 3], r"successes_per_item\[1\] = 0.5 is not a whole number"),
        ([1, 1], [3, 2.5], r"trials_per_item\[1\] = 2.5 is not a whole number"),
        ([-1, 1], [3, 3], r"successes_per_item\[0\] = -1.0 is not a whole number"),
        ([1], [3, 3], "lengths differ: successes_per_item has 1, trials_per_item has 2"),
    ],
)
def test_bad_clusters_are_named(successes: list[float], trials: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rate_clustered(successes, trials)


def test_a_design_needs_items_and_trials() -> None:
    with pytest.raises(ValueError, match="trials_per_item is empty"):
        cluster_design([], [])
    with pytest.raises(ValueError, match=r"trials_per_item\[1\] = 0"):
        cluster_design([1, 0], [1, 0])


@pytest.mark.parametrize("few", [1.2, None])
def test_a_rate_over_users_of_unlike_activity_covers(few: float | None) -> None:
    """Some users of 200 send most requests (Pareto), or all send as many: the pooled rate is that of requests."""
    covered, effective, sets = 0, [], 400
    for seed in range(sets):
        rng = np.random.default_rng(seed)
        sizes = np.full(200, 10) if few is None else np.minimum(1 + (rng.pareto(few, 200) * 3).astype(int), 400)
        passed = rng.binomial(sizes, rng.beta(1, 4, 200))
        found = rate_clustered(passed, sizes)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.2 <= found.high
        effective.append(cluster_design(passed, sizes).n_eff)
    assert covered / sets >= 0.93  # 0.875 where n_eff is never less than the users
    assert (np.mean(effective) < 200) == (few is not None)


def test_items_that_are_alike_within_weigh_as_many_even_ones() -> None:
    """Each of three shows one thing however often: worth N^2 / sum n_i^2 items where trials count alike, else three."""
    design = cluster_design([6, 0, 1], [6, 2, 1])
    assert (design.icc, design.n_eff) == (1, pytest.approx(81 / 41))
    assert cluster_design([6, 0, 1], [6, 2, 1], "item").n_eff == 3
    assert cluster_design([2, 0, 2], [2, 2, 2]).n_eff == 3


def test_uneven_clusters_follow_the_anova_formula() -> None:
    x, m = [1, 4, 0, 2], [2, 4, 3, 2]
    total, trials, k = sum(x), sum(m), len(x)
    inside = sum(a * a / b for a, b in zip(x, m, strict=True))
    between, within = (inside - total**2 / trials) / (k - 1), (total - inside) / (trials - k)
    size = (trials**2 - sum(b * b for b in m)) / ((k - 1) * trials)
    icc = (between - within) / (between + (size - 1) * within)
    design = cluster_design(x, m)
    assert design.icc == pytest.approx(icc)
    assert design.inflation == pytest.approx(sum(b * (1 + (b - 1) * icc) for b in m) / trials)
    assert math.isclose(design.n_eff, trials / (design.inflation or 0))
