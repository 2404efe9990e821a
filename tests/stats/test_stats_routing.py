"""Choosing between sides item by item: cascade, hull, tuned thresholds, oracles."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit import stats
from evalkit.stats.routing import hull_areas


def test_cascade_keeps_the_first_at_the_threshold_and_adds_costs_below() -> None:
    result = stats.cascade([1, 0, 1], [1, 1, 2], [0.5, 0.49, 0.9], [0, 1, 0], [3, 4, 5], threshold=0.5)
    assert result.satisfied == (1, 1, 1)
    assert result.cost == (1, 5, 2)
    assert result.escalated == (False, True, False)
    empty = stats.cascade([], [], [], [], [], threshold=0.5)
    assert (empty.satisfied, empty.cost) == ((), ())


def test_hull_of_two_points_is_the_mean_of_their_qualities() -> None:
    assert stats.hull_area([1, 3], [0.6, 0.8]) == pytest.approx(0.7)
    assert stats.hull_area([3, 1], [0.8, 0.6]) == pytest.approx(0.7)
    assert stats.hull_area([5, 7, 6], [0.6, 0.8, 0.65]) == pytest.approx(0.7)


def test_hull_never_falls_and_takes_the_best_of_equal_costs() -> None:
    assert stats.hull_area([1, 2], [0.8, 0.6]) == pytest.approx(0.8)
    assert stats.hull_area([1, 1, 2, 2], [0.5, 0.6, 0.1, 0.8]) == pytest.approx(0.7)
    assert stats.hull_area([1, 2, 3], [0.6, 0.8, 0.8]) == pytest.approx(0.75)


def test_hull_ignores_the_unit_of_cost_and_needs_a_range() -> None:
    costs, qualities = [1.0, 3.0, 15.0, 5.0, 4.0], [0.7, 0.8, 0.9, 0.84, 0.76]
    area = stats.hull_area(costs, qualities)
    assert stats.hull_area([7 + 0.001 * c for c in costs], qualities) == pytest.approx(area)
    assert stats.hull_area([1], [0.5]) is None
    assert stats.hull_area([2, 2], [0.5, 0.6]) is None


def _chain_area(points: list[tuple[float, float]]) -> float:
    """The area by the monotone chain, point by point: what costs more and brings no more is left out first."""
    hull: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda point: (point[0], -point[1])):
        if hull and y <= max(each for _, each in hull):
            continue
        while len(hull) > 1 and (hull[-1][1] - hull[-2][1]) * (x - hull[-2][0]) <= (y - hull[-2][1]) * (
            hull[-1][0] - hull[-2][0]
        ):
            hull.pop()
        hull.append((x, y))
    hull.append((max(x for x, _ in points), hull[-1][1]))
    low = min(x for x, _ in points)
    return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(hull)) / (hull[-1][0] - low)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=9), st.integers(0, 3))
def test_hulls_of_many_resamples_are_those_one_by_one(points: list[tuple[int, int]], seed: int) -> None:
    costs, qualities = (np.array(values, dtype=float) for values in zip(*points, strict=True))
    order = np.random.default_rng(seed).permutation(len(points))
    found = hull_areas(np.stack([costs, costs[order]]), np.stack([qualities, qualities[order]]))
    expected = math.nan if np.ptp(costs) == 0 else _chain_area(list(zip(costs, qualities, strict=True)))
    assert found == pytest.approx([expected, expected], nan_ok=True)


def test_cross_fitting_is_not_flattered_by_choice() -> None:
    """A hundred settings of pure noise: the best in sample looks good, the cross-fitted one does not."""
    rng = np.random.default_rng(1)
    fitted, flattered = [], []
    for seed in range(60):
        noise = rng.normal(size=(50, 100))
        flattered.append(noise.mean(axis=0).max())
        fitted.append(stats.cross_fitted_value(noise, seed).value or 0)
    assert np.mean(flattered) > 0.3
    assert abs(np.mean(fitted)) < 0.06


def test_cross_fitting_values_each_item_by_a_choice_made_without_it() -> None:
    values = np.array([[0.0, 1.0]] * 10)
    values[0] = [5.0, 0.0]
    estimate = stats.cross_fitted_value(values, seed=3, folds=11)
    assert estimate.value == pytest.approx(0.9)  # item 0 gets setting 1, chosen by the others
    assert estimate.low is not None
    assert estimate.high is not None
    chosen = np.array([0.0] + [1.0] * 9)
    half = 2.6850 * chosen.std(ddof=1) / np.sqrt(10)  # t with 9 degrees of freedom at 97.5 %
    assert (estimate.high - estimate.low) / 2 == pytest.approx(half, rel=1e-4)


def test_cross_fitting_against_a_baseline_is_a_paired_difference() -> None:
    rng = np.random.default_rng(2)
    values, baseline = rng.normal(1, 1, (40, 3)), rng.normal(size=40)
    alone, against = stats.cross_fitted_value(values, 5), stats.cross_fitted_value(values, 5, baseline)
    assert against.value == pytest.approx((alone.value or 0) - baseline.mean())
    same = stats.cross_fitted_value(values[:, :1], 5, values[:, 0])
    assert (same.value, same.low, same.high) == (0, None, None)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stats.cross_fitted_value(np.empty((3, 0)), 0), "0 settings in 5 folds"),
        (lambda: stats.cross_fitted_value([[1.0], [2.0]], 0, folds=1), "1 settings in 1 folds"),
        (lambda: stats.cross_fitted_value([1.0], 0), "values has 1 dimensions, not 2"),
        (lambda: stats.cross_fitted_value([[1.0], [2.0]], 0, [1.0]), "lengths differ"),
        (lambda: stats.realised_oracle(np.empty((3, 0))), "outcomes has no side"),
        (lambda: stats.split_epoch_oracle([[[1.0]]]), "1 sides with 1 epochs"),
        (lambda: stats.cascade([1], [1], [1], [1], [-1], 0.5), "second_cost"),
    ],
)
def test_bad_input_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_too_few_items_to_choose_and_value() -> None:
    assert stats.cross_fitted_value([[1.0, 2.0]], 0).reason == "1 items: choosing and valuing need at least two"
    for nothing in ([], np.empty((0, 3))):
        fitted = stats.cross_fitted_value(nothing, 0, [])
        assert (fitted.value, fitted.n) == (None, 0)
        assert fitted.reason == "0 items: choosing and valuing need at least two"
        assert stats.realised_oracle(nothing) is None
    for none in ([], np.empty((0, 3, 2))):
        oracle = stats.split_epoch_oracle(none)
        assert (oracle.value, oracle.n, oracle.reason) == (None, 0, "no items")


def test_split_epoch_oracle_sees_through_luck() -> None:
    lucky = np.random.default_rng(7).random((4000, 3, 2)) < 0.8
    inflated = stats.realised_oracle(lucky[:, :, 0].astype(float))
    honest = stats.split_epoch_oracle(lucky.astype(float))
    assert inflated == pytest.approx(0.992, abs=0.005)
    assert honest.value == pytest.approx(0.8, abs=0.015)


def test_split_epoch_oracle_finds_a_real_advantage() -> None:
    """Side 0 is always right on even items, side 1 on odd ones."""
    items = np.arange(40) % 2
    outcomes = np.repeat(np.stack([items == 0, items == 1], axis=1)[:, :, None], 3, axis=2).astype(float)
    estimate = stats.split_epoch_oracle(outcomes)
    assert (estimate.value, estimate.low) == (1, None)
    assert stats.realised_oracle(np.empty((0, 2))) is None
