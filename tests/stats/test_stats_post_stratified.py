"""Estimates weighted to a population of strata: arithmetic, edges, and coverage by simulation."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import t

from evalkit import stats
from evalkit.stats import Estimate

STRATA = [0, 0, 0, 0, 1, 1, 1, 1]
SHARES = [0.75, 0.25]


def test_mean_weights_strata_by_their_shares() -> None:
    found = stats.stratified_mean([1, 2, 3, 4, 10, 20, 30, 40], STRATA, SHARES)
    parts = np.array([0.75**2 * (5 / 3) / 4, 0.25**2 * (500 / 3) / 4])
    df = parts.sum() ** 2 / (parts**2 / 3).sum()  # Satterthwaite, of 3 degrees of freedom each
    assert found.value == pytest.approx(0.75 * 2.5 + 0.25 * 25)
    assert found.high is not None
    assert found.high - found.value == pytest.approx(t.ppf(0.975, df) * parts.sum() ** 0.5)


def test_shares_as_in_the_sample_give_the_plain_value() -> None:
    values, strata = [1, 0, 1, 1, 0, 1, 1, 1], STRATA
    assert stats.stratified_mean(values, strata, [0.5, 0.5]).value == pytest.approx(0.75)
    assert stats.stratified_rate(values, strata, [0.5, 0.5]).value == pytest.approx(0.75)
    ratio = stats.stratified_ratio([2.0] * 8, values, strata, [0.5, 0.5])
    assert ratio.value == pytest.approx(2 / 0.75)


def test_one_stratum_is_the_simple_estimate() -> None:
    x = [0.3, 1.7, 2.2, 0.9, 1.1]
    plain = stats.paired_means(x, [0.0] * 5)
    found = stats.stratified_mean(x, [0] * 5, [1.0])
    assert (found.value, found.low, found.high) == pytest.approx((plain.value, plain.low, plain.high))
    cost = stats.mean_cost(x)
    ratio = stats.stratified_ratio(x, [1.0] * 5, [0] * 5, [1.0])
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((cost.value, cost.low, cost.high))


@pytest.mark.parametrize("values", [[1.0] * 8, [0.0] * 8])
def test_rate_without_spread_is_not_taken_for_certain(values: list[float]) -> None:
    found = stats.stratified_rate(values, STRATA, SHARES)
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low > 0.2
    assert found.low <= values[0] <= found.high


def test_no_spread_gives_means_no_limits() -> None:
    found = stats.stratified_mean([2.0] * 8, STRATA, SHARES)
    assert (found.value, found.low, found.high) == (2.0, None, None)
    assert found.warnings


@pytest.mark.parametrize(
    "function",
    [
        lambda strata, shares: stats.stratified_mean([1.0, 2.0], strata, shares),
        lambda strata, shares: stats.stratified_rate([1.0, 0.0], strata, shares),
        lambda strata, shares: stats.stratified_ratio([1.0, 2.0], [1.0, 1.0], strata, shares),
        lambda strata, shares: stats.stratified_quantile([1.0, 2.0], [0, 1], strata, shares, 0.5),
    ],
)
def test_strata_and_shares_are_checked(function: Callable[[list[int], list[float]], Estimate]) -> None:
    with pytest.raises(ValueError, match="strata"):
        function([0, 2], [0.5, 0.5])
    with pytest.raises(ValueError, match="sum"):
        function([0, 1], [0.5, 0.4])
    with pytest.raises(ValueError, match=r"lengths|items|strata"):
        function([0], [1.0])
    empty = function([0, 0], [0.5, 0.5])
    assert empty.value is None
    assert "stratum 1" in (empty.reason or "")


def test_quantile_counts_an_item_once_however_many_values_it_has() -> None:
    values, items = [1.0, 1.0, 1.0, 5.0, 9.0], [0, 0, 0, 1, 2]
    assert stats.stratified_quantile(values, items, [0, 0, 0], [1.0], 0.5).value == 5.0


def test_quantile_follows_the_shares() -> None:
    values, items, strata = list(range(20)), list(range(20)), [0] * 10 + [1] * 10
    few = stats.stratified_quantile(values, items, strata, [0.9, 0.1], 0.5).value
    many = stats.stratified_quantile(values, items, strata, [0.1, 0.9], 0.5).value
    assert few is not None
    assert many is not None
    assert few < 10 <= many


@pytest.mark.slow
@pytest.mark.parametrize("shares", [(0.7, 0.25, 0.05), (0.2, 0.3, 0.5)])
def test_coverage_of_weighted_estimates(shares: tuple[float, ...]) -> None:
    """At 20 items of each stratum, 2,000 samples: rates, mean costs, cost per success and medians."""
    rng, strata = np.random.default_rng(11), np.repeat([0, 1, 2], 20)
    rates, costs = np.array([0.95, 0.85, 0.6]), np.array([0.5, 1.0, 2.0])
    truth_rate, truth_cost = float(rates @ shares), float(costs @ shares) * float(np.exp(0.08))
    covered = np.zeros(3)
    for _ in range(2000):
        flags = (rng.random(60) < rates[strata]).astype(float)
        paid = costs[strata] * np.exp(rng.normal(0, 0.4, 60))
        for i, (found, truth) in enumerate(
            (
                (stats.stratified_rate(flags, strata, shares), truth_rate),
                (stats.stratified_ratio(paid, np.ones(60), strata, shares), truth_cost),
                (stats.stratified_ratio(paid, flags, strata, shares), truth_cost / truth_rate),
            )
        ):
            low, high = -np.inf if found.low is None else found.low, np.inf if found.high is None else found.high
            covered[i] += low <= truth <= high
    assert (covered / 2000 >= 0.93).all(), covered / 2000
