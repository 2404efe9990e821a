"""Retries: unbiased values against all orders, and the extrapolation."""

from collections.abc import Callable
from itertools import combinations, permutations

import numpy as np
import pytest

from evalkit.analysis.repeats import retries
from evalkit.stats import beta_retry, rate, retry_cost, retry_cost_items, retry_success, retry_success_items

FLAGS = [[0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 1, 0]]
COSTS = [[1.0, 2.0, 4.0, 8.0], [3.0, 1.0, 2.0, 5.0], [1.0, 1.5, 2.5, 1.0], [7.0, 1.0, 3.0, 2.0]]


@pytest.mark.parametrize("k", [0, 1, 2, 3, 4])
def test_success_within_k_equals_all_subsets(k: int) -> None:
    for flags in FLAGS:
        draws = [any(subset) for subset in combinations(flags, k)]
        assert retry_success_items([sum(flags)], 4, k) == pytest.approx([sum(draws) / len(draws)])


@pytest.mark.parametrize("k", [0, 1, 2, 3, 4])
def test_cost_within_k_equals_all_orders(k: int) -> None:
    for costs, flags in zip(COSTS, FLAGS, strict=True):
        spent = []
        for order in permutations(range(4)):
            tried = 0.0
            for position in order[:k]:
                tried += costs[position]
                if flags[position]:
                    break
            spent.append(tried)
        assert retry_cost_items([costs], [flags], k) == pytest.approx([sum(spent) / len(spent)])


def test_item_values_average_to_the_total() -> None:
    assert retry_success([2, 0, 4, 1], 4, 2) == pytest.approx(sum(retry_success_items([2, 0, 4, 1], 4, 2)) / 4)
    assert retry_cost(COSTS, FLAGS, 2) == pytest.approx(sum(retry_cost_items(COSTS, FLAGS, 2)) / 4)


def test_one_attempt_is_the_plain_rate_and_mean() -> None:
    assert retry_success([2, 0, 4, 1], 4, 1) == pytest.approx(7 / 16)
    assert retry_cost(COSTS, FLAGS, 1) == pytest.approx(float(np.mean(COSTS)))
    assert retry_success(1, 1, 1) == 1.0


def test_items_may_differ_in_epochs() -> None:
    assert retry_success([1, 2], [2, 4], 2) == pytest.approx((1 + 5 / 6) / 2)
    assert retry_cost([[1.0, 3.0], [2.0, 2.0, 2.0]], [[0, 1], [0, 0, 0]], 2) == pytest.approx((3.5 + 4.0) / 2)


@pytest.mark.parametrize(("a", "b"), [(7.0, 3.0), (1.4, 0.6), (0.7, 0.3)])
def test_extrapolation_recovers_a_beta_population(a: float, b: float) -> None:
    rng = np.random.default_rng(11)
    p = rng.beta(a, b, 200_000)
    x = rng.binomial(3, p)
    expected = beta_retry(a, b, 6)[0]
    assert retry_success(x, 3, 6) == pytest.approx(expected, abs=0.005)
    assert 1 - (1 - float(p.mean())) ** 6 > expected + 0.004


def test_extrapolated_cost_adds_failed_attempts() -> None:
    costs, flags = [[1.0, 1.0]] * 4, [[1, 1], [1, 0], [0, 1], [0, 0]]
    within = retry_cost(costs, flags, 2)
    assert within == pytest.approx(1 + 1 / 2)
    assert retry_cost(costs, flags, 3) == pytest.approx(within + 1 - retry_success([2, 1, 1, 0], 2, 2))


def test_independent_trials_extrapolate_geometrically() -> None:
    assert retry_success([1, 1, 1, 1], 2, 4) == pytest.approx(1 - 0.5**4)


def test_items_that_never_vary_gain_nothing_from_retries() -> None:
    assert retry_success([3, 0, 3, 0], 3, 10) == pytest.approx(0.5)
    assert retry_success([3, 3], 3, 10) == 1.0
    assert retry_success([0, 0], 3, 10) == 0.0
    assert retry_cost([[1.0, 3.0]], [[1, 1]], 10) == pytest.approx(2.0)
    assert retry_cost([[1.0, 3.0]], [[0, 0]], 4) == pytest.approx(8.0)


def test_extrapolation_needs_two_epochs() -> None:
    with pytest.raises(ValueError, match="k = 2 needs at least 2 epochs per item, since one has 1"):
        retry_success([1, 0], 1, 2)
    with pytest.raises(ValueError, match="k = 2 needs at least 2 epochs per item"):
        retry_cost([[1.0], [1.0]], [[1], [0]], 2)


def test_no_attempt_solves_and_costs_nothing() -> None:
    assert retry_success([1, 2], 2, 0) == 0.0
    assert retry_cost(COSTS, FLAGS, 0) == 0.0
    assert beta_retry(1.0, 1.0, 0) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("successes", "epochs", "k", "message"),
    [
        ([], 3, 1, "successes is empty"),
        ([4], 3, 1, r"successes\[0\] = 4 does not fit 3 epochs"),
        ([0], 0, 1, r"successes\[0\] = 0 does not fit 0 epochs"),
        ([-1], 3, 1, r"successes\[0\] = -1.0 is not a whole number"),
        ([1.5], 3, 1, r"successes\[0\] = 1.5 is not a whole number"),
        ([float("nan")], 3, 1, r"successes\[0\] = nan"),
        ([1], [3, 3], 1, "successes has 1, epochs has 2"),
        ([1], 3, -1, "k = -1 is not a whole number"),
        ([1], 3, 10_001, "k = 10001 is more than 10,000 tries"),
    ],
)
def test_bad_retry_counts_are_named(successes: list[float], epochs: int | list[int], k: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        retry_success(successes, epochs, k)


def test_item_values_refuse_to_extrapolate() -> None:
    with pytest.raises(ValueError, match="k = 4 is more than the 3 epochs of an item"):
        retry_success_items([1], 3, 4)
    with pytest.raises(ValueError, match="k = 5 is more than the 4 epochs of an item"):
        retry_cost_items(COSTS, FLAGS, 5)


@pytest.mark.parametrize("function", [retry_cost, retry_cost_items])
def test_bad_retry_costs_are_named(function: Callable[..., object]) -> None:
    with pytest.raises(ValueError, match="costs is empty"):
        function([], [], 1)
    with pytest.raises(ValueError, match=r"satisfied\[0\] = \[0.5\]"):
        function([[1.0]], [[0.5]], 1)
    with pytest.raises(ValueError, match=r"k = 1\.5"):
        function([[1.0]], [[1]], 1.5)


@pytest.mark.parametrize(("a", "b", "k"), [(0.0, 1.0, 2), (1.0, -1.0, 2), (1.0, 1.0, -2), (float("nan"), 1.0, 2)])
def test_bad_beta_arguments_are_refused(a: float, b: float, k: int) -> None:
    with pytest.raises(ValueError, match="is not a"):
        beta_retry(a, b, k)


@pytest.mark.parametrize(("n", "passed"), [(1, 1), (5, 4), (14, 13)])
def test_of_few_items_a_share_solved_is_no_surer_than_the_exact_interval(n: int, passed: int) -> None:
    solved = retries([[1.0] * 5] * passed + [[0.0] * 5] * (n - passed), None)[-1].success
    exact = rate(passed, n, method="clopper-pearson")
    assert solved.low is not None
    assert solved.high is not None
    assert exact.low is not None
    assert exact.high is not None
    assert solved.low <= exact.low + 1e-9
    assert solved.high >= exact.high - 1e-9
