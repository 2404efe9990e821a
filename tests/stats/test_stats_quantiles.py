"""Quantiles: ranks, limits that do not exist, clusters, bands."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evalkit.stats import Estimate, dkw_epsilon, quantile, quantile_clustered, values_needed


def bounds(estimate: Estimate) -> tuple[float | None, float | None]:
    return estimate.low, estimate.high


@pytest.mark.parametrize(
    ("q", "confidence", "n"),
    [(0.95, 0.95, 72), (0.5, 0.95, 6), (0.9, 0.95, 36), (0.99, 0.95, 368), (0.05, 0.95, 72)],
)
def test_values_needed_is_the_least_n_with_both_limits(q: float, confidence: float, n: int) -> None:
    assert values_needed(q, confidence) == n
    assert None not in bounds(quantile(range(n), q, confidence))
    assert None in bounds(quantile(range(n - 1), q, confidence))


@pytest.mark.parametrize(
    ("n", "q", "low", "high"), [(50, 0.5, 18, 33), (50, 0.9, 41, 50), (50, 0.95, 44, None), (72, 0.95, 64, 72)]
)
def test_limits_are_order_statistics(n: int, q: float, low: int, high: int | None) -> None:
    assert bounds(quantile(range(1, n + 1), q)) == (low, high)


def test_a_missing_limit_says_how_many_values_it_takes() -> None:
    assert quantile(range(50), 0.95).warnings == ("no upper limit from 50 values: 72 are needed",)
    assert quantile(range(50), 0.05).warnings == ("no lower limit from 50 values: 72 are needed",)
    assert quantile(range(2), 0.5).warnings == ("no lower and no upper limit from 2 values: 6 are needed",)
    assert quantile(range(72), 0.95).warnings == ()


@pytest.mark.parametrize(("values", "value"), [([3.0], 3.0), ([3.0, 5.0], 4.0), ([7.0] * 2, 7.0)])
def test_one_and_two_values_have_no_limits(values: list[float], value: float) -> None:
    estimate = quantile(values, 0.5)
    assert (estimate.value, *bounds(estimate), estimate.n) == (pytest.approx(value), None, None, len(values))


def test_no_values_have_no_quantile() -> None:
    for estimate in (quantile([], 0.5), quantile_clustered([], [], 0.5)):
        assert (estimate.value, estimate.reason, estimate.n) == (None, "no values", 0)


def test_ties_collapse_the_interval_on_the_tied_value() -> None:
    estimate = quantile([2.0] * 60, 0.5)
    assert (estimate.value, *bounds(estimate)) == (2.0, 2.0, 2.0)


def test_point_is_the_harrell_davis_mean_of_order_statistics() -> None:
    x, q, n = np.sort(np.random.default_rng(4).lognormal(0, 1, 30)), 0.9, 30
    edges = scipy_stats.beta.cdf(np.arange(n + 1) / n, (n + 1) * q, (n + 1) * (1 - q))
    assert quantile(x, q).value == pytest.approx(float(np.diff(edges) @ x))


def test_extreme_values_cannot_drag_the_point_out_of_its_interval() -> None:
    estimate = quantile([1.0] * 8 + [1e9], 0.5)
    assert (estimate.value, *bounds(estimate)) == (1.0, 1.0, 1.0)
    assert estimate.warnings == ("extreme values drag the smoothed quantile out of the interval: sample quantile",)
    low_side = quantile([-1e9] + [1.0] * 8, 0.5)
    assert (low_side.value, *bounds(low_side)) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("q", [0.0, 1.0, 95, float("nan")])
def test_bad_q_is_named(q: float) -> None:
    with pytest.raises(ValueError, match=f"q = {q} is not between 0 and 1"):
        quantile([1.0], q)
    with pytest.raises(ValueError, match=f"q = {q} is not between 0 and 1"):
        quantile_clustered([1.0], ["a"], q)
    with pytest.raises(ValueError, match=f"q = {q} is not between 0 and 1"):
        values_needed(q)


def test_bad_values_are_named() -> None:
    with pytest.raises(ValueError, match=r"values\[1\] = nan"):
        quantile([1.0, float("nan")], 0.5)
    with pytest.raises(ValueError, match="values has 2, items has 1"):
        quantile_clustered([1.0, 2.0], ["a"], 0.5)
    with pytest.raises(ValueError, match="confidence = 0"):
        quantile([1.0], 0.5, confidence=0)


def test_one_value_per_item_is_the_plain_quantile() -> None:
    values = [float(i * 37 % 101) for i in range(80)]
    assert quantile_clustered(values, list(range(80)), 0.9) == quantile(values, 0.9)


def test_repeats_of_the_same_value_add_no_evidence() -> None:
    values = [float(i) for i in range(1, 51) for _ in range(3)]
    items = [i for i in range(50) for _ in range(3)]
    estimate = quantile_clustered(values, items, 0.95)
    assert estimate.high is None
    assert estimate.n == 50
    assert estimate.warnings[0].startswith("no upper limit from an effective sample of 47.6: 72 are needed")


def test_independent_repeats_make_the_upper_limit_exist() -> None:
    rng = np.random.default_rng(6)
    values, items = rng.lognormal(0, 0.5, 150), [i // 3 for i in range(150)]
    estimate = quantile_clustered(values, items, 0.95)
    assert estimate.high is not None
    assert estimate.high <= values.max()
    assert quantile(values[:50], 0.95).high is None


def test_one_item_and_two_items_have_no_limits() -> None:
    one = quantile_clustered([1.0, 2.0, 3.0], ["a"] * 3, 0.5)
    assert (one.value, *bounds(one), one.n) == (pytest.approx(2.0), None, None, 1)
    two = quantile_clustered([1.0, 1.5, 3.0, 3.5], ["a", "a", "b", "b"], 0.5)
    assert (*bounds(two), two.n) == (None, None, 2)
    assert "effective sample of 0.0" in two.warnings[0]


def test_tied_clusters_collapse_on_the_tied_value() -> None:
    estimate = quantile_clustered([2.0] * 60, [i // 2 for i in range(60)], 0.5)
    assert (estimate.value, *bounds(estimate)) == (2.0, 2.0, 2.0)


@pytest.mark.parametrize(("n", "confidence", "epsilon"), [(50, 0.95, 0.192065), (1, 0.95, 1.0), (100, 0.9, 0.122387)])
def test_band_height(n: int, confidence: float, epsilon: float) -> None:
    assert dkw_epsilon(n, confidence) == pytest.approx(epsilon, abs=1e-6)


@pytest.mark.parametrize("n", [0, -1, 2.5])
def test_a_band_needs_values(n: int) -> None:
    with pytest.raises(ValueError, match=f"n = {n}"):
        dkw_epsilon(n)


@pytest.mark.parametrize("q", [1e-300, 5e-324, 1e-10, 1 - 1e-10])
def test_a_quantile_that_no_sample_can_tell_is_refused(q: float) -> None:
    for call in (lambda: quantile([0, 1, 2], q), lambda: quantile_clustered([0, 1], ["a", "a"], q)):
        with pytest.raises(ValueError, match="q = "):
            call()


@pytest.mark.parametrize("q", [1e-9, 1e-6, 1 - 1e-9, 1 - 1e-6])
def test_the_value_of_an_extreme_quantile_lies_in_its_interval(q: float) -> None:
    estimate = quantile([0.0, 1.0], q)
    low, high = bounds(estimate)
    assert estimate.value is not None
    assert low is None or low <= estimate.value
    assert high is None or estimate.value <= high


def test_what_was_given_up_ranks_above_all_and_leaves_what_falls_among_it_open() -> None:
    values = [float(i) for i in range(1, 91)]
    whole = quantile([*values, *(1000.0 + i for i in range(10))], 0.5)
    cut = quantile(values, 0.5, censored=[60.0] * 10)
    assert (bounds(cut), cut.n, cut.value) == (bounds(whole), 100, 50.5)
    p90 = quantile(values, 0.88, censored=[60.0] * 10)
    assert p90.value is not None
    assert p90.high is None
    assert "10 of 100 values that were given up" in p90.warnings[0]
    p95 = quantile(values, 0.95, censored=[60.0] * 10)
    assert (p95.value, p95.high) == (None, None)
    assert p95.low is not None
    assert p95.reason is not None
    assert p95.reason.startswith("at least 60 s:")
    assert quantile([], 0.5, censored=[60.0]).value is None


def test_dropping_what_was_given_up_would_hide_the_tail_of_repeats_too() -> None:
    values, items = [float(i % 50) for i in range(150)], [i % 50 for i in range(150)]
    late = {"censored": [90.0] * 50, "censored_items": list(range(50))}
    assert quantile_clustered(values, items, 0.9).value is not None
    cut = quantile_clustered(values, items, 0.9, **late)
    assert (cut.value, cut.high, cut.n) == (None, None, 50)
    longer = [*values, *[900.0] * 50], [*items, *range(50)]
    assert bounds(quantile_clustered(values, items, 0.5, **late)) == bounds(quantile_clustered(*longer, 0.5))
