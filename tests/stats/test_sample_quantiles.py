"""Plain quantiles are those of numpy, to the last bit."""

import subprocess
import sys

import numpy as np
import pytest

from evalkit.stats.sample_quantiles import interpolated, percentile_interval, values_reached

SHARES = [0.0, 0.025, 1 / 3, 0.5, 0.9, 0.95, 0.975, 1.0]
SAMPLES = [np.round(np.random.default_rng(n).gamma(2, 3, n), n % 3) for n in (1, 2, 3, 10, 41, 100, 1001)]


@pytest.mark.parametrize("values", SAMPLES, ids=len)
def test_they_are_those_of_numpy(values: np.ndarray) -> None:
    ordered = np.sort(values)
    assert [interpolated(ordered, q) for q in SHARES] == np.quantile(values, SHARES).tolist()
    assert percentile_interval(values, 0.9) == tuple(np.quantile(values, [(1 - 0.9) / 2, 1 - (1 - 0.9) / 2]).tolist())
    assert values_reached(values, SHARES) == set(np.quantile(values, SHARES, method="higher").tolist())


def test_they_load_no_masked_arrays() -> None:
    code = f"""
import sys
from evalkit.stats.sample_quantiles import *
ordered = np.arange(9.0)
print(interpolated(ordered, 0.3), percentile_interval(ordered, 0.9), values_reached(ordered, {SHARES}))
sys.exit("numpy.ma" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
