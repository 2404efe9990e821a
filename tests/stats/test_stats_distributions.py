"""The distributions agree with scipy.stats, which the report does without since it takes so long to load."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from scipy.stats import mstats

from evalkit.stats import benjamini_hochberg, benjamini_yekutieli, distributions, quantile

SHARES = st.floats(0.001, 0.999)
DEGREES = st.floats(1, 200)


@given(SHARES, DEGREES, DEGREES, st.floats(0.01, 30))
def test_continuous_ones_agree(share: float, a: float, b: float, x: float) -> None:
    ours, theirs = distributions, scipy_stats
    for mine, other in (
        (ours.norm.isf(share), theirs.norm.isf(share)),
        (ours.norm.ppf(share), theirs.norm.ppf(share)),
        (ours.norm.sf(x, loc=a, scale=b), theirs.norm.sf(x, loc=a, scale=b)),
        (ours.norm.pdf(x, loc=a, scale=b), theirs.norm.pdf(x, loc=a, scale=b)),
        (ours.t.isf(share, a), theirs.t.isf(share, a)),
        (ours.t.cdf(x, a), theirs.t.cdf(x, a)),
        (ours.chi2.sf(x, a), theirs.chi2.sf(x, a)),
        (ours.f.isf(share, a, b), theirs.f.isf(share, a, b)),
        (ours.beta.ppf(share, a, b), theirs.beta.ppf(share, a, b)),
        (ours.beta.isf(share, a, b), theirs.beta.isf(share, a, b)),
    ):
        assert mine == pytest.approx(other, rel=1e-9, abs=1e-300)


@pytest.mark.long
@given(st.integers(1, 300), st.sampled_from((0.0, 1.0)) | st.floats(1e-6, 1 - 1e-6), SHARES)
def test_binomial_agrees_at_every_count_and_beyond(n: int, p: float, share: float) -> None:
    counts = np.arange(-1, n + 2)
    for name in ("pmf", "cdf", "sf"):
        mine, other = (getattr(source.binom, name)(counts, n, p) for source in (distributions, scipy_stats))
        assert mine == pytest.approx(other, rel=1e-9, abs=1e-12), name
    ours, theirs = distributions.binom, scipy_stats.binom
    assert theirs.cdf(ours.ppf(share, n, p), n, p) >= share - 1e-12
    assert theirs.sf(ours.isf(share, n, p), n, p) <= share + 1e-12
    assert theirs.cdf(ours.ppf(share, n, p) - 1, n, p) <= share + 1e-12
    assert theirs.sf(ours.isf(share, n, p) - 1, n, p) >= share - 1e-12


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_p_values_agree(p: list[float]) -> None:
    assert benjamini_hochberg(p) == pytest.approx(scipy_stats.false_discovery_control(p, method="bh"))
    assert benjamini_yekutieli(p) == pytest.approx(scipy_stats.false_discovery_control(p, method="by"))


@pytest.mark.long
@given(st.lists(st.floats(0.1, 100), min_size=8, max_size=120, unique=True), st.sampled_from((0.5, 0.9, 0.95)))
def test_quantiles_agree(values: list[float], q: float) -> None:
    ours = quantile(values, q)
    limits = scipy_stats.quantile_test(values, q=0, p=q).confidence_interval(0.95)
    assert [np.nan if bound is None else bound for bound in (ours.low, ours.high)] == pytest.approx(
        [limits.low, limits.high], nan_ok=True
    )
    if not any("drag" in warning for warning in ours.warnings):
        low = -np.inf if ours.low is None else ours.low
        assert ours.value == pytest.approx(max(low, float(mstats.hdquantiles(values, [q])[0])))
