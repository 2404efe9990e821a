"""Inputs on which statistical libraries are known to answer wrongly, with nan, or with a warning."""

import math
import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from scipy import stats as scipy_stats
from scipy.stats import mstats

from evalkit import stats
from evalkit.stats.gradings import NO_VARIATION
from evalkit.stats.rates import wilson_limits


@pytest.fixture(autouse=True)
def every_warning_is_an_error() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_trap_1_a_one_sided_lower_limit_is_below_the_rate() -> None:
    """Elsewhere "larger" gives (0, 0.939): here one side of 90 % is the lower end, and the exact one is known."""
    one_sided = stats.rate(90, 100, confidence=0.90, method="clopper-pearson")
    assert one_sided.low == pytest.approx(0.8363, abs=1e-4)
    wilson = stats.rate(90, 100, confidence=0.90)
    assert wilson.low == pytest.approx(0.8396, abs=1e-4)
    assert wilson.low is not None
    assert wilson.value is not None
    assert wilson.low < wilson.value


def test_trap_2_boundaries_are_exact_and_wide_and_nothing_is_no_estimate() -> None:
    assert stats.jeffreys(0, 50).low == 0
    assert stats.jeffreys(50, 50).high == 1
    for estimate in (stats.rate(0, 50), stats.rate(50, 50), stats.jeffreys(0, 50), stats.jeffreys(50, 50)):
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.high - estimate.low > 0.04
    for nothing in (stats.rate(0, 0), stats.jeffreys(0, 0)):
        assert (nothing.value, nothing.low, nothing.high, nothing.reason) == (None, None, None, "no trials")


def test_trap_3_a_limit_that_does_not_exist_is_none_and_never_the_maximum() -> None:
    x = np.arange(1.0, 51.0)
    assert math.isnan(scipy_stats.quantile_test(x, q=0, p=0.95).confidence_interval(0.95).high)
    estimate = stats.quantile(x, 0.95)
    assert (estimate.low, estimate.high) == (44, None)
    assert estimate.warnings == ("no upper limit from 50 values: 72 are needed",)


def test_trap_4_one_category_is_no_agreement_and_not_nan() -> None:
    same = [[1.0] * 20, [1.0] * 20]
    results = [stats.krippendorff_alpha(same, level) for level in ("nominal", "ordinal", "interval", "ratio")]
    results += [stats.gwet_ac(same), stats.gwet_ac(same, categories=[0, 1]), stats.weighted_kappa(*same)]
    results += [stats.icc_agreement(same)]
    for estimate in results:
        assert (estimate.value, estimate.low, estimate.high, estimate.reason) == (None, None, None, NO_VARIATION)


def test_trap_5_constant_values_give_no_interval_instead_of_nan() -> None:
    for estimate in (stats.paired_means([3.0] * 9, [2.0] * 9), stats.mean_cost([0.1] * 9)):
        assert estimate.value is not None
        assert (estimate.low, estimate.high) == (None, None)
        assert len(estimate.warnings) == 1


def test_trap_6_all_zero_differences_have_p_one_without_a_warning() -> None:
    zeros = [2.0] * 12
    assert stats.wilcoxon_pratt_p(zeros, zeros) == 1
    assert stats.sign_flip_p(zeros, zeros, seed=1) == 1
    some_zero = [2.0] * 6 + [3.0, 4.5, 1.0, 2.5, 2.2, 3.1]
    expected = scipy_stats.wilcoxon(np.array(some_zero) - 2.0, zero_method="pratt", method="approx").pvalue
    assert stats.wilcoxon_pratt_p(some_zero, zeros) == pytest.approx(expected)


def test_trap_7_the_band_covers_the_whole_curve_not_one_point() -> None:
    """At the median of 50 values a pointwise 95 % band is 0.139 high on each side, the simultaneous one 0.192."""
    x = np.arange(50.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it has no band at the last value
        pointwise = scipy_stats.ecdf(x).cdf.confidence_interval(0.95)
    half = float(pointwise.high.probabilities[24] - pointwise.low.probabilities[24]) / 2
    assert half == pytest.approx(0.139, abs=0.002)
    assert stats.dkw_epsilon(50) == pytest.approx(0.192, abs=0.001)


def test_trap_8_without_discordant_pairs_p_is_one() -> None:
    assert stats.mcnemar_midp(0, 0) == 1
    assert stats.mcnemar_exact(0, 0) == 1


def test_trap_9_a_smoothed_quantile_is_a_plain_number_with_an_order_statistic_interval() -> None:
    x = np.random.default_rng(3).lognormal(size=100)
    assert isinstance(mstats.hdquantiles(x, [0.9]), np.ma.MaskedArray)
    estimate = stats.quantile(x, 0.9)
    assert type(estimate.value) is float
    assert (estimate.low, estimate.high) == (np.sort(x)[83], np.sort(x)[95])


def test_wilson_limits_on_a_fractional_effective_n_stay_in_range() -> None:
    for share in (0.0, 1e-12, 0.5, 1 - 1e-12, 1.0):
        low, high = wilson_limits(share, 0.7, 0.95)
        assert 0 <= low <= share <= high <= 1
