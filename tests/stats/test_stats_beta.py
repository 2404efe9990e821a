"""The incomplete beta function and what is made of it agree with scipy to about twelve digits."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from evalkit.stats import beta, distributions

SHAPES = st.floats(-1, 5).map(lambda exponent: 10**exponent)
SHARES = st.floats(1e-9, 1 - 1e-9)
COUNTS = st.integers(1, 100_000)


@pytest.mark.long
@settings(max_examples=300)
@given(SHAPES, SHAPES, SHARES | st.none(), st.floats(1e-9, 1 - 1e-9))
def test_the_function_agrees(a: float, b: float, share: float | None, x: float) -> None:
    at = x if share is None else float(special.betaincinv(a, b, share))  # where its mass is, or anywhere
    expected = float(special.betainc(a, b, at))
    if expected > 1e-200:
        assert beta.beta_cdf(a, b, at, 1 - at) == pytest.approx(expected, rel=1e-11)
        assert beta.betainc(a, b, at) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("size", [7, beta.MANY + 1])
def test_arrays_agree_whoever_computes_them(size: int) -> None:
    rng = np.random.default_rng(2)
    a, b, x = 10 ** rng.uniform(0, 4, size), 10 ** rng.uniform(0, 4, size), rng.random(size)
    x[:2] = 0, 1
    assert beta.betainc(a, b, x) == pytest.approx(special.betainc(a, b, x), rel=1e-11, abs=1e-200)


@given(st.integers(0, 100_000), st.integers(0, 1000), SHARES)
def test_limits_of_rates_agree(successes: int, failures: int, share: float) -> None:
    for a, b in ((successes + 1.0, failures + 0.5), (failures + 0.5, successes + 1.0)):
        assert beta.beta_quantile(a, b, share) == pytest.approx(float(special.betaincinv(a, b, share)), rel=1e-11)


@pytest.mark.long
@given(COUNTS, st.floats(1e-9, 0.49))
def test_student_quantiles_and_tails_agree(df: int, share: float) -> None:
    t = beta.student_quantile(df, share)
    assert t == pytest.approx(-float(special.stdtrit(df, share)), rel=1e-10)
    assert beta.student_quantile(df, 1 - share) == pytest.approx(-t, rel=1e-7)  # of which 1 - share knows less
    assert beta.student_tail(df, t) == pytest.approx(share, rel=1e-11)
    assert beta.student_tail(df, -t) == pytest.approx(1 - share)


def test_students_middle_is_zero() -> None:
    assert beta.student_quantile(7, 0.5) == 0
    assert beta.student_quantile(4, 0.5 - 1e-6) == pytest.approx(1e-6 / 0.375)  # by the density there


@given(COUNTS, st.floats(0, 1), st.floats(1e-6, 1 - 1e-6))
def test_binomial_chances_add_up_to_tails(n: int, share: float, p: float) -> None:
    k, one = round(share * n), distributions.binom
    assert one.cdf(k, n, p) + one.sf(k, n, p) == pytest.approx(1, abs=1e-12)
    assert one.cdf(k, n, p) == pytest.approx(float(special.bdtr(k, n, p)), rel=1e-9, abs=1e-200)
    assert one.pmf(k, n, p) == pytest.approx(float(one.cdf(k, n, p) - one.cdf(k - 1, n, p)), abs=1e-11)
    assert (one.pmf(-1, n, p), one.cdf(-1, n, p), one.sf(n, n, p)) == (0, 0, 0)


def test_edges() -> None:
    assert beta.beta_quantile(1e-300, 3, 0.025) == 0
    assert [beta.beta_quantile(2, 3, share) for share in (0, 1)] == [0, 1]
    assert [beta.beta_cdf(2, 3, x, 1 - x) for x in (0.0, 1.0)] == [0, 1]
    assert [beta.binomial_chance(k, 9, p) for k, p in ((0, 0.0), (9, 1.0), (4, 0.0), (4, 1.0))] == [1, 1, 0, 0]
    assert math.isclose(distributions.norm.isf(1e-12), -float(special.ndtri(1e-12)), rel_tol=1e-13)
    assert math.isclose(distributions.norm.sf(30.0), float(special.ndtr(-30.0)), rel_tol=1e-12)


def test_single_figures_load_no_scipy() -> None:
    code = """
import sys
from evalkit import stats
stats.rate(3, 9), stats.mean_share([0.1, 0.4, 0.5]), stats.quantile([float(i) for i in range(99)], 0.9)
stats.mcnemar_midp(3, 9), stats.paired_rates(3, 9, 50), stats.items_to_separate(3, 9, 50)
sys.exit("scipy" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
