"""Every public function, at its edges: no warning, nothing but plain finite numbers."""

import dataclasses
import json
import math
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from evalkit import stats

_GAIN = stats.paired_rates(9, 2, 50)

EDGES: list[tuple[Callable[..., Any], list[tuple[Any, ...]]]] = [
    (stats.rate, [(0, 0), (0, 1), (1, 1), (2, 2), (0, 50), (50, 50), (np.int64(3), np.int64(9))]),
    (stats.rate_clustered, [([], []), ([0], [0]), ([1], [1]), ([0, 3], [3, 3]), ([3, 3], [3, 3]), ([1, 1], [2, 5])]),
    (stats.cluster_design, [([1], [1]), ([0, 0], [3, 3]), ([1, 2, 0], [1, 2, 3])]),
    (stats.paired_rates, [(0, 0, 0), (0, 0, 1), (1, 0, 1), (0, 2, 2), (1, 1, 2), (np.int64(2), 0, np.int64(50))]),
    (stats.paired_worth, [([0.5], [0], 2), ([], [], 1), ([0, 0.5], [0, 0.5], 2), ([1, 0], [0, 1], 1)]),
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
    (
        stats.with_failures,
        [
            (stats.paired_means(c, [0.0] * len(c)), _GAIN, stats.mean_cost(minutes), related)
            for c in ([], [1], [1, 1], [1, 2], [-1, 2], [1e90, 1], [5e-324, 0])
            for minutes in ([], [5.0], [5.0, 9.0, 4.0])
            for related in (-1, 0, 1)
        ],
    ),
    (
        stats.break_even,
        [
            (stats.paired_means(c, [0.0] * len(c)), _GAIN)
            for c in ([], [1], [1, 1], [1, 2], [-1, 2], [1e90, 1], [5e-324, 0])
        ],
    ),
    (stats.mean_share, [([],), ([1],), ([0, 0],), ([0, 1],)]),
    (stats.items_to_clear, [(0, 0.8), (1, 0.8), (0.8, 0.8), (0.8000001, 0.8)]),
    (stats.items_to_separate, [(0, 0, 0), (1, 0, 1), (0.5, 0.5, 1), (0, 2, 2)]),
    (
        stats.winner_shares,
        [
            ([], [], 0.8, [], 0),
            ([[]], [[]], 0.8, [1], 0),
            ([[1]], [[0]], 0.8, [1], 0),
            ([[0, 0]], [[0, 0]], 0.5, [2], 0, 5),
        ],
    ),
    (stats.cheapest, [([0], [0]), ([0, 0], [1, 1]), ([1e100, 5e-324], [0, 1])]),
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
        [([], [], 0.5), ([1, 2], ["a", "a"], 0.5), ([1, 2, 3], list("aab"), 0.5), ([5] * 40, list(range(20)) * 2, 0.9)],
    ),
    (stats.values_needed, [(0.5,), (0.999, 0.5), (1e-6,)]),
    (stats.dkw_epsilon, [(1,), (10**9,)]),
    (stats.noninferiority_exact_p, [(0, 0, 0, 0.1), (0, 1, 1, 0.1), (2, 0, 2, 0.999), (0, 0, 3, 1e-9)]),
    (stats.losses_allowed, [(0, 0.1, [0]), (1, 0.1, 1), (2, 0.999, [0, 2]), (40, 0.1, np.int64(3))]),
    (
        stats.paired_rates_stratified,
        [([], [], [], []), ([], [], [], [0, 3]), ([1], [0], [0], [9]), ([1, 1], [0, 0], [0, 1], [1, 9])],
    ),
    (
        stats.stratified_mean,
        [([], [], [1.0]), ([1], [0], [1]), ([1, 1], [0, 1], [0.5, 0.5]), ([1, 2, 3], [0, 0, 1], [1, 0])],
    ),
    (
        stats.stratified_rate,
        [([], [], [1.0]), ([1], [0], [1]), ([0, 0], [0, 1], [0.5, 0.5]), ([1, 0, 0.5], [0, 0, 0], [1])],
    ),
    (
        stats.stratified_ratio,
        [([], [], [], [1.0]), ([1], [0], [0], [1]), ([0, 0], [1, 1], [0, 0], [1]), ([1, 2], [1, 1], [0, 0], [1])],
    ),
    (
        stats.stratified_quantile,
        [([], [], [], [1.0], 0.5), ([1], [0], [0], [1], 0.5), ([1, 2, 3], [0, 0, 1], [0, 0], [1], 0.9)],
    ),
    (
        stats.shows_noninferiority_stratified,
        [([], [], [], [], 0.1), ([1], [0], [0], [9], 0.5), ([1, 1], [0, 0], [0, 1], [1, 9], 0.999)],
    ),
    (stats.worse_p_stratified, [([], [], [], []), ([1], [0], [0], [9]), ([1, 1], [0, 0], [0, 1], [1, 9])]),
    (stats.worse_p, [([], []), ([1], [1]), ([0.5], [1]), ([1, 1], [0, 0])]),
    (stats.quantile_ratios, [([], [], [0.5], 1), ([[1]], [[2]], [0.5, 0.9], 1), ([[1]] * 5, [[1]] * 5, [], 1)]),
    (stats.quantile_ratio, [([], [], 0.5, 1), ([[1]], [[2]], 0.5, 1), ([[1]] * 5, [[1]] * 5, 0.9, 1)]),
    (stats.shows_noninferiority, [([], [], 0.1), ([1], [1], 0.5), ([0.5], [1], 0.5), ([1, 1], [0, 0], 0.999)]),
    (stats.noninferiority_p, [([], [], 0.1), ([1], [1], 0.5), ([0.5], [1], 0.5), ([1, 1], [0, 0], 0.999)]),
    (stats.growth, [([],), ([1, 2],), ([1, 2, 4],), ([1, 1, 1, 1],), ([1e-100, 1e100, 1],)]),
    (
        stats.rate_gap,
        [
            (stats.rate(0, 0), stats.rate(1, 1)),
            (stats.rate(0, 9), stats.rate(9, 9)),
            (stats.rate(1, 2), stats.rate(1, 2)),
        ],
    ),
    (
        stats.noninferiority_power,
        [(0, 0.1, 0.5, 0.1), (1, 0.1, 0.5, 0.0), (9, 0.1, 0.5, 1.0), (9, 0.1, 0.5, 0.45, 2), (5, 0.1, 0.9, 0.0, 3)],
    ),
    (stats.lasting_share, [([], [], 3), ([0.5], [0.5], 1), ([0.5], [1.0], 2), ([1.0, 1.0], [1.0, 1.0], 5)]),
    (stats.noninferiority_items, [(0.5, 0.9, 0.0), (0.002, 0.5, 0.5), (0.9, 0.5, 0.5, 4)]),
    (stats.smallest_passing_n, [(0.5,), (0.999, 0.4999), (0.002,)]),
    (stats.detectable_difference, [(0,), (1,), (50, 0.5), (20, 0.999)]),
    (stats.miller_items, [(0.1, 0.0), (1e-9, 1.0), (-0.03, 1 / 9, (0, 1), (1, 5))]),
    (
        stats.krippendorff_alpha,
        [
            ([], "nominal"),
            ([[]], "nominal"),
            ([[1.0], [2.0]], "ordinal"),
            ([[None, 1], [None, 1]], "ordinal"),
            ([[0, 0, 1], [0, 1, 0]], "nominal"),
            ([[0, 1], [1, 0]], "nominal"),
            ([[0, 1e100], [1, 1]], "interval"),
            ([[0, 0, 5], [0, 0, 1]], "ratio"),
            ([[1, 2, 1, None], [1, 2, 1, 3]], "ordinal"),
        ],
    ),
    (
        stats.gwet_ac,
        [([[1.0], [2.0]],), ([[0, 1], [1, 0]],), ([[0, 1, 2], [0, 1, 2]], "quadratic"), ([[1, 2, None], [2, 1, 1]],)],
    ),
    (stats.raw_agreement, [([],), ([[1], [1]],), ([[1, 2], [2, 1]],), ([[1, None], [None, 1]],)]),
    (stats.weighted_kappa, [([], []), ([1], [2]), ([1, 2], [1, 2]), ([1, 2], [2, 1]), ([1, 1, 2], [1, 1, 1])]),
    (stats.icc_agreement, [([],), ([[1, 2], [1, 2]],), ([[1, 2], [2, 3]],), ([[0, 1], [1, 0]],), ([[1, 1], [2, 2]],)]),
    (stats.spearman_brown, [(0, 1), (1, 99), (0.5, 1)]),
    (stats.grader_severity, [([],), ([[1]],), ([[1], [2]],), ([[1, 2], [2, 3]],), ([[1, None, 2], [None, 2, 3]],)]),
    (stats.cochran_q, [([],), ([[1], [0]],), ([[1, 1], [1, 1]],), ([[1, None], [0, 1]],)]),
    (stats.deviating_graders, [([], 0.1), ([[1], [0]], 0.1), ([[1, 0], [0, 1], [1, 1]], 0.1)]),
    (
        stats.double_sampling,
        [
            ([], [], [], 0),
            ([1], [], [], 0),
            ([1], [1], [1], 0),
            ([1, 0], [1], [1], 0),
            ([0] * 50, [0] * 30, [0] * 30, 0),
        ],
    ),
    (stats.rogan_gladen, [([], [1], [1]), ([1], [], []), ([0] * 9, [1] * 40 + [0] * 40, [1] * 40 + [0] * 40)]),
    (stats.ppi_mean, [([], [], []), ([1], [1], [0]), ([1, 1], [1, 1], [1, 1]), ([0, 1e99], [1e99, 0], [0, 1])]),
    (stats.judge_accuracy, [([], []), ([1], [1]), ([0, 0], [1, 0]), ([1] * 9 + [0] * 9, [1] * 9 + [0] * 9)]),
    (stats.bang_index, [(["a"], ["b"], ["a", "b"]), (["a", "b"], [None, "a"], ["a", "b"]), ([], [], ["a", "b"])]),
    (stats.position_bias, [([], []), ([1], [1]), ([1, 0], [-1, 0]), ([1] * 30, [1] * 30)]),
    (
        stats.length_effect,
        [([], [], []), ([1], [0], [3]), ([1, 0] * 4, [1, 1] * 4, [1, 2] * 4), ([1] * 9, [0] * 9, [1] * 9)],
    ),
    (stats.self_preference, [([], [], []), ([1], [0], [1]), ([1, 0], [0, 0], [1, 0])]),
    (stats.leniency_midp, [(0, 0, 0, 0), (0, 5, 5, 5), (1, 1, 0, 1), (50, 50, 0, 50)]),
    (stats.judge_leaning, [([], []), ([1], [-1]), ([0] * 9, [0] * 9), ([1] * 9, [-1] * 9)]),
    (stats.loss_p, [(-0.1, 0.0, stats.judge_leaning([0] * n, [0] * n)) for n in (0, 1, 2, 9)]),
    (stats.alt_test, [([1], [[1]]), ([1] * 30, [[1] * 30] * 3), ([None] * 30, [[1] * 30] * 3)]),
    (stats.benjamini_hochberg, [([],), ([1.0],), ([0.0, 0.5, 0.5],)]),
    (stats.benjamini_yekutieli, [([],), ([1.0],), ([0.0, 0.5, 0.5],)]),
    (stats.wilcoxon_pratt_p, [([], []), ([1], [2]), ([1, 1], [1, 1]), ([1, 2, 3], [1, 0, 5]), (range(60), [0] * 60)]),
    (stats.larger_p, [([], []), ([1], [2]), ([1, 1], [1, 1]), ([3, 5, 7], [1, 2, 4]), (range(60), [0] * 60)]),
    (stats.hodges_lehmann, [([], []), ([1], [2]), ([1] * 9, [1] * 9), (range(60), [0] * 60)]),
    (stats.hull_area, [([], []), ([1], [1]), ([1, 1], [0, 1]), ([0, 1e-300], [0, 1]), ([1, 2, 2], [3, 1, 2])]),
    (stats.cross_fitted_value, [(np.empty((0, 2)), 0), ([[1]], 0), ([[1], [1]], 0), ([[1, 0], [0, 1]], 0, [1, 1])]),
    (stats.realised_oracle, [(np.empty((0, 2)),), ([[1]],)]),
    (stats.split_epoch_oracle, [(np.empty((0, 1, 2)),), ([[[1, 0]]],), ([[[1, 0, 1]], [[0, 0, 1]]],)]),
    (stats.obrien_fleming_z, [([1],), ([0.001, 1],), ([0.2, 0.4, 0.6, 0.8, 1], 0.01)]),
    (stats.look_alphas, [([1],), ([0.001, 1],), ([0.2, 0.4, 0.6, 0.8, 1], 0.01)]),
    (stats.alpha_spent, [([1],), ([0.001, 1],), ([0.2, 0.4, 0.6, 0.8, 1], 0.01)]),
    (stats.looks_p, [(0.5, 1, [1]), (0, 1, [0.5, 1]), (1, 2, [0.5, 1]), (1e-8, 2, [0.01, 1])]),
    (stats.worse_wealth, [([],), ([0] * 9,), ([-1] * 900,)]),
    (stats.betting_wealth, [([], [0.5]), ([1] * 500, [1]), ([-1] * 500, [1]), ([1, -1], [-1])]),
    (stats.worse_after, [([],), ([0] * 9,), ([-1] * 9,)]),
    (
        stats.effective_length,
        [([], [1]), ([[1, 1]], [1, 2]), ([[1, 1]] * 60, [1, 2]), ([[0.5, 1]] * 60, [1, 2], 0.2, 0.05, 2)],
    ),
    (stats.isotonic_rates, [([],), ([0.5],), ([0, 1], [1, 1e9])]),
    (stats.slope_difference, [([], [], [1, 2]), ([[1, 0]], [[1, 1]], [1, 2]), ([[1, 0]] * 3, [[1, 1]] * 3, [1, 2])]),
    (
        stats.logistic_per_doubling,
        [([], [1, 2]), ([[1, 0]] * 9, [1, 2]), ([[0.5, 0.5]] * 9, [1, 2]), ([[1, 0], [1, 1], [0, 0]], [1e-9, 1e99])],
    ),
    (stats.item_quality, [([],), ([[np.nan]],), ([[1], [0]],), (np.eye(12),), ([[1] * 9] * 2,)]),
    (stats.jeffreys, [(0, 0), (0, 1), (1, 1), (0, 10**6)]),
    (stats.uniform_posterior, [(0, 0), (0, 1), (10**6, 10**6)]),
    (stats.newcombe_paired, [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 1, 1, 0), (1, 0, 0, 1)]),
    (stats.bonett_price, [(0, 0, 0), (1, 0, 1), (0, 50, 50)]),
    (stats.mcnemar_exact, [(0, 0), (1, 1), (0, 99)]),
    (
        stats.fieller,
        [([], []), ([1], [1]), ([1, 2], [0, 0]), ([1, 1], [0, 1]), ([0, 0, 0], [1, 1, 1]), ([1, 2], [1, 1])],
    ),
    (stats.log_ratio_t, [([], []), ([1], [1]), ([0, 0], [1, 1]), ([1, 2, 4], [1, 0, 1])]),
    (stats.sample_quantile, [([], 0.5), ([1], 0.5), ([1e100, -1e100], 0.9)]),
]
CALLS = [(function, arguments) for function, calls in EDGES for arguments in calls]


def plain_numbers(result: object) -> list[float]:
    """Every number in the JSON form of a result; JSON must be strict, so nan and inf raise."""
    parsed = json.loads(json.dumps(result, allow_nan=False, default=dataclasses.asdict))
    queue, found = [parsed], []
    while queue:
        part = queue.pop()
        if isinstance(part, dict | list):
            queue += part.values() if isinstance(part, dict) else part
        elif isinstance(part, int | float):
            found.append(part)
    return found


@pytest.mark.parametrize(("function", "arguments"), CALLS, ids=[f"{f.__name__}-{i}" for i, (f, _) in enumerate(CALLS)])
def test_edges_are_silent_and_finite(function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = function(*arguments)
    assert all(math.isfinite(x) for x in plain_numbers(result))


ELSEWHERE = {"above_one_p", "agreement_flag", "cascade", "worth_extra_labels"}
"""Functions of other results, tried at their edges beside them."""


def test_every_public_function_is_tried_here_and_says_what_it_does() -> None:
    public = {name: getattr(stats, name) for name in stats.__all__}
    functions = {name for name, thing in public.items() if not isinstance(thing, type)}
    assert functions - ELSEWHERE == {function.__name__ for function, _ in EDGES}
    assert all(thing.__doc__ for thing in public.values())


DEFINITIONS = {
    "break_even_correction_usd",
    "cheapest",
    "discordance",
    "lasting_share",
    "realised_oracle",
    "split_epoch_oracle",
    "worth_extra_labels",
}
"""Arithmetic that needs no source."""


@pytest.mark.parametrize("name", [name for name in stats.__all__ if not isinstance(getattr(stats, name), type)])
def test_every_public_function_names_its_source_and_what_it_refuses(name: str) -> None:
    said = getattr(stats, name).__doc__
    assert name in DEFINITIONS or re.search(r"\b(1[89]|20)\d\d\b|delta method", said)
    assert name in ELSEWHERE | DEFINITIONS or re.search(r"[Rr]aises\s+ValueError|ValueError otherwise", said)
