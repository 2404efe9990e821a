"""Published and independently computed values, by id."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scipy import stats as scipy_stats

from evalkit import stats
from evalkit.stats.tango import tango_statistic

CASES = {case["id"]: case for case in json.loads((Path(__file__).parent / "gold.json").read_text())["cases"]}

Inputs = dict[str, Any]


def bounds(estimate: stats.Estimate) -> list[float | None]:
    return [estimate.low, estimate.high]


def wilson(i: Inputs) -> Any:
    return bounds(stats.rate(i["k"], i["n"], confidence=1 - i["alpha"]))


def clopper_pearson(i: Inputs) -> Any:
    return bounds(stats.rate(i["k"], i["n"], confidence=1 - i["alpha"], method="clopper-pearson"))


def clustered(i: Inputs) -> Any:
    design = stats.cluster_design(i["successes"], i["trials"])
    estimate = stats.rate_clustered(i["successes"], i["trials"], small_sample=False)
    return [*bounds(estimate), design.icc, design.inflation]


def pairs(i: Inputs) -> int:
    return int(i["n"] if "n" in i else i["both_ok"] + i["candidate_only"] + i["baseline_only"] + i["neither"])


def tango(i: Inputs) -> Any:
    return bounds(stats.paired_rates(i["candidate_only"], i["baseline_only"], pairs(i), confidence=1 - i["alpha"]))


def midp(i: Inputs) -> Any:
    return stats.mcnemar_midp(i["candidate_only"], i["baseline_only"])


def score(i: Inputs) -> Any:
    z = float(tango_statistic(i["candidate_only"], i["baseline_only"], i["n"], -i["margin"]))
    return [z, float(scipy_stats.norm.sf(z))]


def exact_p(i: Inputs) -> Any:
    return stats.noninferiority_exact_p(i["candidate_only"], i["baseline_only"], i["n"], i["margin"])


def losses(i: Inputs) -> Any:
    allowed = stats.losses_allowed(i["n"], i["margin"], range(9), alpha=i["alpha"])
    return [-1 if count is None else count for count in allowed]


def darwin(i: Inputs) -> Any:
    baseline = [0.0] * len(i["d"])
    p = scipy_stats.ttest_1samp(i["d"], 0).pvalue
    return [float(p), *bounds(stats.paired_means(i["d"], baseline))]


def ratio_value(i: Inputs) -> Any:
    return stats.cost_per_satisfactory(i["cost"], i["satisfied"]).value


def zero_success(i: Inputs) -> Any:
    return bounds(stats.cost_per_satisfactory(i["cost"], i["satisfied"]))


def beta(i: Inputs) -> Any:
    return list(stats.beta_retry(i["a"], i["b"], i["k"]))


def pass_at_k(i: Inputs) -> Any:
    return stats.retry_success([i["c"]], i["m"], i["k"])


def retried_cost(i: Inputs) -> Any:
    return stats.retry_cost([i["costs"]], [i["ok"]], i["k"])


def human_fix(i: Inputs) -> Any:
    totals = [stats.human_fix_cost([c], [p], correction_usd=i["H"]).value for c, p in zip(i["C"], i["P"], strict=True)]
    return [*totals, stats.break_even_correction_usd(*i["C"], *i["P"])]


def median_bounds(i: Inputs) -> Any:
    return bounds(stats.quantile(i["x"], 0.5))


def ranks(i: Inputs) -> Any:
    return [bound for n, q in i["cases"] for bound in bounds(stats.quantile(range(1, n + 1), q))]


def dkw(i: Inputs) -> Any:
    return [stats.dkw_epsilon(n, confidence=1 - i["alpha"]) for n in i["n"]]


def geometric(i: Inputs) -> Any:
    estimate = stats.geometric_mean_ratio(i["y"], i["x"])
    return [estimate.value, *bounds(estimate)]


def mean_ratio(i: Inputs) -> Any:
    estimate = stats.mean_cost_ratio(i["y"], i["x"])
    return [estimate.value, *bounds(estimate)]


FAMILIES: list[tuple[str, str, Callable[[Inputs], Any]]] = [
    ("rate.wilson.", "0of10 0of50 50of50 7of10 45of50 49of50 85of100 15of148 0of20", wilson),
    ("rate.clopper_pearson.", "0of10 0of50 40of50 45of50 49of50 81of263 15of148 0of20", clopper_pearson),
    ("rate.clustered.", "liang1992", clustered),
    ("paired.tango95.", "bentur2009 cavo2012 n50_g2_l5 n50_zero_discordant n100_zero_discordant", tango),
    ("paired.tango90.", "n50_zero", tango),
    ("paired.mcnemar_midp.", "bentur2009 cavo2012 newcombe36_12_2_0 n50_g2_l5 n50_zero_discordant", midp),
    ("paired.t.", "darwin", darwin),
    ("gate.ni_z.", "bentur_n21_m5 bentur_n21_m10 cavo_n161_m5 a_n50_m5 a_n50_m10 b_n100_m5 b_n100_m10", score),
    ("gate.ni_z.", "zero_n50_m5 zero_n50_m10 zero_n52_m5 zero_n100_m5", score),
    ("gate.ni_exact.", "zero_n29_m10 g2_l5_n50_m10 g6_l6_n100_m10 g4_l10_n100_m10 g0_l0_n50_m10", exact_p),
    ("gate.losses_allowed.", "n50_m5 n100_m5", losses),
    ("cost.", "ratio", ratio_value),
    ("cost.", "zero_success", zero_success),
    ("retry.", "beta_7_3_k2 beta_7_3_k3 beta_7_3_k5 beta_1.4_0.6_k2 beta_0.7_0.3_k3 beta_0.7_0.3_k5", beta),
    ("retry.", "passk", pass_at_k),
    ("retry.", "cost_ustat", retried_cost),
    ("retry.", "human_fix", human_fix),
    ("latency.", "orderstat_ci.p50", median_bounds),
    ("latency.", "ranks", ranks),
    ("latency.", "dkw", dkw),
    ("ratio.", "geomean", geometric),
    ("ratio.", "mean_logdelta", mean_ratio),
]
COVERED = {prefix + name: function for prefix, names, function in FAMILIES for name in names.split()}


def test_covered_ids_exist_and_are_many() -> None:
    assert len(COVERED) == 64
    assert set(COVERED) <= set(CASES)


@pytest.mark.parametrize("case_id", COVERED)
def test_value_matches_its_source(case_id: str) -> None:
    case = CASES[case_id]
    expected, actual = case["expected"], COVERED[case_id](case["inputs"])
    if not isinstance(expected, list):
        expected, actual = [expected], [actual]
    assert len(actual) == len(expected)
    for got, wanted in zip(actual, expected, strict=True):
        if wanted is None:
            assert got is None
        else:
            assert got == pytest.approx(wanted, abs=max(case["tol"], 1e-12), rel=0)


@pytest.mark.parametrize(
    ("n", "margin", "expected"),
    [
        (50, 0.05, [None, 0, 0, 1, 1, 2, 2, 3, 4]),
        (50, 0.10, [1, 2, 2, 3, 3, 4, 5, 5, 6]),
        (100, 0.05, [1, 1, 2, 3, 3, 4, 4, 5, 6]),
    ],
)
def test_losses_allowed_matches_the_enumerated_table(n: int, margin: float, expected: list[int | None]) -> None:
    assert stats.losses_allowed(n, margin, range(9)) == expected
