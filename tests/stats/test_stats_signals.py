"""What signals rest on: gaps of unpaired rates, least alphas of non-inferiority, growth by the week."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import linregress
from scipy.stats import t as student

from evalkit import stats
from evalkit.stats.estimate import no_estimate


@pytest.mark.parametrize(
    ("a", "b", "low", "high"),
    [  # Newcombe (1998), Statistics in Medicine 17:873, table II, method 10
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 10), 0.6075, 1.0000),
    ],
)
def test_gap_of_two_rates_is_newcombes(a: tuple[int, int], b: tuple[int, int], low: float, high: float) -> None:
    gap, mirrored = (stats.rate_gap(stats.rate(*x), stats.rate(*y)) for x, y in ((a, b), (b, a)))
    assert (gap.low, gap.high) == pytest.approx((low, high), abs=5e-5)
    assert (mirrored.low, mirrored.high) == pytest.approx((-high, -low), abs=5e-5)
    assert gap.n == a[1] + b[1]


def test_gap_without_a_rate_says_why_and_unequal_confidence_is_refused() -> None:
    missing = no_estimate("nothing is graded yet", 0.95, "Wilson")
    assert stats.rate_gap(stats.rate(1, 2), missing).reason == "nothing is graded yet"
    with pytest.raises(ValueError, match="confidence differs"):
        stats.rate_gap(stats.rate(1, 2), stats.rate(1, 2, confidence=0.9))


_MEANS = st.integers(1, 4).flatmap(
    lambda m: st.tuples(st.just(m), st.lists(st.tuples(st.integers(0, m), st.integers(0, m)), min_size=2, max_size=60))
)


@pytest.mark.long
@given(_MEANS, st.sampled_from([0.05, 0.1, 0.2]), st.sampled_from([0.001, 0.01, 0.05, 0.2, 0.45]))
def test_least_alpha_is_where_noninferiority_begins_to_show(
    made: tuple[int, list[tuple[int, int]]], margin: float, alpha: float
) -> None:
    epochs, pairs = made
    a, b = [x / epochs for x, _ in pairs], [y / epochs for _, y in pairs]
    p = stats.noninferiority_p(a, b, margin, epochs)
    assert p is not None
    quick = stats.noninferiority_p(a, b, margin, epochs, exact=False)
    assert quick is not None
    assert quick <= p
    tested = alpha if epochs == 1 else min(alpha, 0.05)
    if abs(p - tested) > 1e-6 * tested:
        assert stats.shows_noninferiority(a, b, margin, alpha, epochs) == (p < tested)


def test_noninferiority_without_items_has_no_p() -> None:
    assert stats.noninferiority_p([], [], 0.1) is None


def test_growth_is_the_slope_of_the_logarithm() -> None:
    values = [3.0, 3.5, 3.2, 4.4, 4.9, 5.1, 6.3]
    fit = linregress(range(7), np.log(values))
    half = student.isf(0.025, 5) * fit.stderr
    found = stats.growth(values)
    assert (found.value, found.low, found.high) == pytest.approx(
        (math.exp(fit.slope), math.exp(fit.slope - half), math.exp(fit.slope + half))
    )
    assert found.n == 7


@pytest.mark.parametrize(("values", "value"), [([1.0, 2.0], None), ([1.0, 2.0, 4.0, 8.0], 2.0)])
def test_growth_without_an_interval(values: list[float], value: float | None) -> None:
    found = stats.growth(values)
    assert found.value == pytest.approx(value)
    assert (found.low, found.high) == (None, None)
