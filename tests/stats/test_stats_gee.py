"""Our generalised estimating equations against those of statsmodels."""

import warnings

import numpy as np
import pytest
from statsmodels.genmod.cov_struct import Exchangeable, Independence
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_estimating_equations import GEE

from evalkit.stats.gee import logistic


@pytest.mark.parametrize("bias_reduced", [True, False])
@pytest.mark.parametrize("exchangeable", [True, False])
@pytest.mark.parametrize("shares", [True, False], ids=["shares", "flags"])
def test_coefficients_variances_and_correlation_are_those_of_statsmodels(
    exchangeable: bool, bias_reduced: bool, shares: bool
) -> None:
    rng = np.random.default_rng(3)
    for _ in range(8):
        sizes = rng.integers(1, 6, int(rng.integers(12, 80)))
        codes = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
        design = np.column_stack([np.ones(len(codes)), rng.normal(size=len(codes)), rng.random(len(codes)) < 0.6])
        odds = 0.8 + 0.5 * design[:, 1] + rng.normal(0, 1, len(sizes))[codes]
        y = rng.binomial(3 if shares else 1, 1 / (1 + np.exp(-odds))) / (3 if shares else 1)
        order, working = np.argsort(codes, kind="stable"), Exchangeable() if exchangeable else Independence()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = GEE(y[order], design[order], groups=codes[order], family=Binomial(), cov_struct=working)
            known = model.fit(maxiter=200, ctol=1e-10, cov_type="bias_reduced" if bias_reduced else "robust")
        found = logistic(y, design, codes, exchangeable=exchangeable, bias_reduced=bias_reduced)
        assert found is not None
        assert found.beta == pytest.approx(known.params, abs=1e-8)
        assert found.covariance.ravel() == pytest.approx(np.ravel(known.cov_params()), abs=1e-8)
        assert found.correlation == pytest.approx(working.dep_params if exchangeable else 0, abs=1e-8)


@pytest.mark.parametrize("y", [[0, 0, 1, 1] * 3, [1, 1, 1, 1] * 3], ids=["separated", "all alike"])
def test_what_runs_off_to_infinity_is_no_fit(y: list[float]) -> None:
    design = np.column_stack([np.ones(12), [1, 2, 3, 4] * 3])
    assert logistic(np.array(y, dtype=float), design, np.repeat(np.arange(3), 4)) is None


def test_items_of_one_output_have_no_correlation() -> None:
    design = np.column_stack([np.ones(20), np.arange(20.0) % 4])
    found = logistic(np.arange(20) % 3 / 2, design, np.arange(20))
    assert found is not None
    assert found.correlation == 0
