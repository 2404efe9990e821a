"""Every public function, at its edges: no warning, nothing but plain finite numbers."""

import dataclasses
import json
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from evalkit import stats

EDGES: list[tuple[Callable[..., Any], list[tuple[Any, ...]]]] = [
    (stats.rate, [(0, 0), (0, 1), (1, 1), (2, 2), (0, 50), (50, 50), (np.int64(3), np.int64(9))]),
    (stats.rate_clustered, [([], []), ([0], [0]), ([1], [1]), ([0, 3], [3, 3]), ([3, 3], [3, 3]), ([1, 1], [2, 5])]),
    (stats.cluster_design, [([1], [1]), ([0, 0], [3, 3]), ([1, 2, 0], [1, 2, 3])]),
    (stats.paired_rates, [(0, 0, 0), (0, 0, 1), (1, 0, 1), (0, 2, 2), (1, 1, 2), (np.int64(2), 0, np.int64(50))]),
    (
        stats.paired_rates_clustered,
        [([], []), ([0.5], [0.5]), ([1], [0]), ([0.5, 1], [1, 0.5]), ([1, 1], [0, 0], 0.9, 3)],
    ),
    (stats.mcnemar_midp, [(0, 0), (1, 1), (0, 9), (400, 2)]),
    (stats.holm, [([],), ([0.0, 1.0],), ([0.2, 0.2, 0.2],)]),
    (
        stats.paired_means,
        [([], []), ([1], [2]), ([1, 1], [1, 1]), ([1e99, -1e99], [-1e99, 1e99]), ([0, 1e-300], [0, 0])],
    ),
    (stats.sign_flip_p, [([], [], 0), ([1], [2], 0), ([1, 1], [1, 1], 0), ([1e99, 1], [0, 0], 0)]),
    (stats.discordance, [([], []), ([1], [0]), ([0.5, 0.5], [0.5, 0.5])]),
    (stats.mean_cost, [([],), ([0],), ([0, 0],), ([5e-324, 0],), ([1e100, 1e100],), ([0, 1], 0.999999)]),
    (
        stats.cost_per_satisfactory,
        [([], []), ([1], [0]), ([1], [1]), ([0, 0], [0, 0]), ([1, 2], [0, 1]), ([1e100, 0], [1e-99, 0])],
    ),
    (
        stats.cost_per_satisfactory_clustered,
        [([], []), ([[1]], [[0]]), ([[1, 2], [3]], [[1, 1], [1]]), ([[0, 0]] * 2, [[0, 1]] * 2)],
    ),
    (
        stats.human_fix_cost,
        [([], [], 1), ([1], [0], 1), ([1, 1], [1, 1], 0), ([0, 0], [0, 1], np.int64(2), np.float64(1))],
    ),
    (stats.break_even_correction_usd, [(0, 0, 0, 0), (0, 1, 0, 1), (1e100, 0, 1e-300, 0), (0.1, 0.1, 1, 0)]),
    (
        stats.cost_ratio,
        [
            ([], [], [], []),
            ([1], [1], [2], [1]),
            ([0, 0], [1, 1], [1, 1], [1, 1]),
            ([1e100, 1], [1e-99, 0], [1e-99, 0], [1, 1]),
        ],
    ),
    (stats.mean_cost_ratio, [([], []), ([1], [2]), ([1, 1], [1, 1]), ([0, 0], [0, 0]), ([1e100, 0], [0, 1e-99])]),
    (stats.geometric_mean_ratio, [([], []), ([1], [2]), ([1, 2], [1, 2]), ([1e100, 1], [1e-100, 1])]),
    (stats.retry_success, [(0, 1, 1), ([0, 0], 3, 9), ([3, 3], 3, 9), ([1, 2], [2, 5], 7), ([1], 3, 0)]),
    (stats.retry_success_items, [(0, 1, 1), ([0, 3], 3, 3)]),
    (stats.retry_cost, [([[1]], [[1]], 5), ([[1, 2]], [[0, 0]], 9), ([[0, 0]], [[0, 1]], 2)]),
    (stats.retry_cost_items, [([[1]], [[1]], 1), ([[1, 2]], [[0, 0]], 0)]),
    (stats.beta_retry, [(1e-12, 1, 3), (1, 1e9, 0), (7, 3, 50)]),
    (
        stats.quantile,
        [([], 0.5), ([1], 0.5), ([1, 1], 0.9), ([1e100, -1e100] * 20, 0.5), (range(50), 0.95), ([0] * 9, 1e-6)],
    ),
    (
        stats.quantile_clustered,
        [([], [], 0.5), ([1, 2], "aa", 0.5), ([1, 2, 3], "aab", 0.5), ([5] * 40, list(range(20)) * 2, 0.9)],
    ),
    (stats.values_needed, [(0.5,), (0.999, 0.5), (1e-6,)]),
    (stats.dkw_epsilon, [(1,), (10**9,)]),
    (stats.noninferiority_exact_p, [(0, 0, 0, 0.1), (0, 1, 1, 0.1), (2, 0, 2, 0.999), (0, 0, 3, 1e-9)]),
    (stats.losses_allowed, [(0, 0.1, [0]), (1, 0.1, 1), (2, 0.999, [0, 2]), (40, 0.1, np.int64(3))]),
]
CALLS = [(function, arguments) for function, calls in EDGES for arguments in calls]


def plain_numbers(result: object) -> list[float]:
    """Every number in the JSON form of a result; JSON must be strict, so nan and inf raise."""
    as_data = dataclasses.asdict(result) if dataclasses.is_dataclass(result) else result  # type: ignore[arg-type]  # an instance
    parsed = json.loads(json.dumps(as_data, allow_nan=False))
    values = parsed.values() if isinstance(parsed, dict) else parsed if isinstance(parsed, list) else [parsed]
    return [x for x in values if isinstance(x, int | float)]


@pytest.mark.parametrize(("function", "arguments"), CALLS, ids=[f"{f.__name__}-{i}" for i, (f, _) in enumerate(CALLS)])
def test_edges_are_silent_and_finite(function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = function(*arguments)
    assert all(math.isfinite(x) for x in plain_numbers(result))


def test_every_function_built_here_is_exported_with_a_docstring() -> None:
    functions = {function.__name__: function for function, _ in EDGES}
    assert len(functions) == 29
    assert set(functions) <= set(stats.__all__)
    assert all(function.__doc__ for function in functions.values())
