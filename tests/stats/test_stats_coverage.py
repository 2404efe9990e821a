"""Exact coverage and error rates by enumeration, each with a method that must fail the same bar."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy import special
from scipy import stats as scipy_stats

from evalkit.stats import losses_allowed, paired_rates, rate
from evalkit.stats.rates import two_sided_z
from evalkit.stats.tango import tango_limits, tango_statistic

Floats = npt.NDArray[np.float64]
Limits = tuple[Floats, Floats]
RATES = np.round(np.arange(0.5, 0.9951, 0.005), 3)


def rate_coverage(low: Floats, high: Floats, n: int) -> Floats:
    chance = scipy_stats.binom.pmf(np.arange(n + 1), n, RATES[:, None])
    return np.asarray((chance * ((low <= RATES[:, None]) & (RATES[:, None] <= high))).sum(axis=1))


def wilson_by_count(n: int) -> Limits:
    estimates = [rate(k, n) for k in range(n + 1)]
    return np.array([e.low for e in estimates], float), np.array([e.high for e in estimates], float)


def wald_by_count(n: int) -> Limits:
    p = np.arange(n + 1) / n
    half = two_sided_z(0.95) * np.sqrt(p * (1 - p) / n)
    return p - half, p + half


def test_rate_covers_at_fifty_items() -> None:
    covered = rate_coverage(*wilson_by_count(50), 50)
    assert covered.mean() >= 0.945
    assert covered.min() >= 0.91


def test_rate_coverage_bar_refuses_the_wald_interval() -> None:
    covered = rate_coverage(*wald_by_count(50), 50)
    assert covered.mean() < 0.945
    assert covered.min() == pytest.approx(0.222, abs=0.01)


def test_rate_by_the_exact_interval_never_undercovers() -> None:
    estimates = [rate(k, 50, method="clopper-pearson") for k in range(51)]
    low, high = np.array([e.low for e in estimates], float), np.array([e.high for e in estimates], float)
    assert rate_coverage(low, high, 50).min() >= 0.95


def all_tables(n: int) -> tuple[Floats, Floats]:
    gain, loss = (part.ravel().astype(float) for part in np.indices((n + 1, n + 1)))
    return gain[gain + loss <= n], loss[gain + loss <= n]


def table_chances(gain: Floats, loss: Floats, n: int, gain_rate: float, loss_rate: float) -> Floats:
    same, same_rate = n - gain - loss, 1 - gain_rate - loss_rate
    ways = special.gammaln(n + 1) - special.gammaln(gain + 1) - special.gammaln(loss + 1) - special.gammaln(same + 1)
    logs = ways + special.xlogy(gain, gain_rate) + special.xlogy(loss, loss_rate) + special.xlogy(same, same_rate)
    return np.asarray(np.exp(logs))


# (share of pairs that differ, true difference)
CELLS = [
    (share, difference)
    for share in (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
    for difference in (-0.2, -0.1, -0.05, -0.02, 0.0, 0.02)
    if abs(difference) <= share
]


def paired_coverage(n: int, limits: Callable[[Floats, Floats, int], Limits]) -> Floats:
    gain, loss = all_tables(n)
    low, high = limits(gain, loss, n)
    covered = []
    assert len(CELLS) > 30
    for share, difference in CELLS:
        chance = table_chances(gain, loss, n, (share + difference) / 2, (share - difference) / 2)
        assert chance.sum() == pytest.approx(1)
        covered.append(float(chance[(low <= difference) & (difference <= high)].sum()))
    return np.array(covered)


def tango(gain: Floats, loss: Floats, n: int) -> Limits:
    return tango_limits(gain, loss, n, two_sided_z(0.95))


def wald(gain: Floats, loss: Floats, n: int) -> Limits:
    d = (gain - loss) / n
    half = two_sided_z(0.95) * np.sqrt(np.maximum((gain + loss) / n - d * d, 0) / n)
    return d - half, d + half


@pytest.mark.parametrize("n", [50, 100])
def test_paired_difference_covers(n: int) -> None:
    covered = paired_coverage(n, tango)
    assert covered.min() >= 0.93
    assert covered.mean() >= 0.95


@pytest.mark.parametrize("n", [50, 100])
def test_paired_coverage_bar_refuses_the_wald_interval(n: int) -> None:
    assert paired_coverage(n, wald).min() < 0.93


def test_enumerated_limits_are_those_of_the_public_function() -> None:
    for gain, loss in ((0, 0), (3, 9), (50, 0), (1, 49)):
        estimate = paired_rates(gain, loss, 50)
        assert (estimate.low, estimate.high) == tuple(float(x) for x in tango(np.array(gain), np.array(loss), 50))


def worst_type_one_error(passes: npt.NDArray[np.bool_], n: int, margin: float) -> float:
    gain, loss = all_tables(n)
    loss_rates = np.linspace(margin, (1 + margin) / 2, 317)
    return max(float(table_chances(gain, loss, n, max(r - margin, 0), r)[passes].sum()) for r in loss_rates[:-1])


@pytest.mark.parametrize(("n", "margin"), [(50, 0.05), (50, 0.1), (100, 0.05), (100, 0.1)])
def test_gate_passes_a_true_loss_of_the_margin_at_most_one_time_in_twenty(n: int, margin: float) -> None:
    gain, loss = all_tables(n)
    most = np.array([-1 if a is None else a for a in losses_allowed(n, margin, range(n + 1))])
    error = worst_type_one_error(loss <= most[gain.astype(int)], n, margin)
    assert 0.03 < error <= 0.05


@pytest.mark.parametrize(("n", "margin"), [(50, 0.05), (50, 0.1), (100, 0.05), (100, 0.1)])
def test_gate_bar_refuses_the_wald_test(n: int, margin: float) -> None:
    gain, loss = all_tables(n)
    d = (gain - loss) / n
    error = np.sqrt(np.maximum((gain + loss) / n - d * d, 1e-300) / n)
    assert worst_type_one_error((d + margin) / error > scipy_stats.norm.isf(0.05), n, margin) > 0.1


def test_gate_bar_refuses_the_score_test_alone() -> None:
    gain, loss = all_tables(100)
    passes = tango_statistic(gain, loss, 100, -0.1) > scipy_stats.norm.isf(0.05)
    assert worst_type_one_error(passes, 100, 0.1) > 0.05
