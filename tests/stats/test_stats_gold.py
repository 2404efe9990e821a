"""Published and independently computed values, by id."""

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
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


def jeffreys(i: Inputs) -> Any:
    return bounds(stats.jeffreys(i["k"], i["n"]))


def uniform(i: Inputs) -> Any:
    return list(stats.uniform_posterior(i["k"], i["n"]))


def bonett_price(i: Inputs) -> Any:
    return bounds(stats.bonett_price(i["candidate_only"], i["baseline_only"], pairs(i), confidence=1 - i["alpha"]))


def newcombe(i: Inputs) -> Any:
    cells = (i["both_ok"], i["candidate_only"], i["baseline_only"], i["neither"])
    return bounds(stats.newcombe_paired(*cells, confidence=1 - i["alpha"]))


def exact_mcnemar(i: Inputs) -> Any:
    return stats.mcnemar_exact(i["candidate_only"], i["baseline_only"])


def miller(i: Inputs) -> Any:
    epochs = (i["K"], i["K"])
    return [stats.miller_items(i["delta"], i["omega2"], (s2, s2), epochs) for s2 in i["sigma2"]]


def obrien_fleming(i: Inputs) -> Any:
    return stats.obrien_fleming_z(i["information"])


def wealth(i: Inputs) -> Any:
    return stats.betting_wealth(i["d"], [i["lam"]], null=-i["margin"])


def fieller(i: Inputs) -> Any:
    return bounds(stats.fieller(i["cost"], i["satisfied"]))


def log_ratio(i: Inputs) -> Any:
    return bounds(stats.log_ratio_t(i["cost"], i["satisfied"]))


def alpha_interval(i: Inputs) -> Any:
    return stats.krippendorff_alpha(i["reliability_data_coders_x_units"], "interval").value


def gwet(i: Inputs, weights: Literal["identity", "ordinal"]) -> stats.Estimate:
    ratings = i["reliability_data_coders_x_units"]
    return stats.gwet_ac(ratings, weights, categories=i["categories"], interval="linearised")


def gwet_value_and_error(weights: Literal["identity", "ordinal"]) -> Callable[[Inputs], Any]:
    def value_and_error(i: Inputs) -> Any:
        estimate = gwet(i, weights)
        assert estimate.low is not None
        return [estimate.value, (estimate.value - estimate.low) / scipy_stats.t.isf(0.025, 11)]

    return value_and_error


def gwet_bounds(i: Inputs) -> Any:
    return bounds(gwet(CASES[i["see"]]["inputs"], "identity"))


def two_raters(table: list[list[int]]) -> tuple[list[float], list[float]]:
    cells = [(a, b) for a, row in enumerate(table) for b, count in enumerate(row) for _ in range(count)]
    return [a for a, _ in cells], [b for _, b in cells]


def kappa(weights: Literal["linear", "quadratic"]) -> Callable[[Inputs], Any]:
    return lambda i: stats.weighted_kappa(*two_raters(i["table"]), weights=weights).value


def paradox(i: Inputs) -> Any:
    first, second = two_raters(i["table"])
    return [
        stats.weighted_kappa(first, second, "identity").value,
        stats.gwet_ac([first, second]).value,
        stats.krippendorff_alpha([first, second], "nominal").value,
    ]


def cochran(i: Inputs) -> Any:
    result = stats.cochran_q(np.array(i["x"]).T)
    assert result is not None
    return [result.statistic, result.p]


def prediction_powered(i: Inputs, lam: float = 1.0) -> Any:
    unlabelled = [1] * i["f_unl_ones"] + [0] * (i["f_unl_n"] - i["f_unl_ones"])
    estimate = stats.ppi_mean(unlabelled, i["f_lab"], i["y_lab"], lam=lam, small_sample=False)
    return [estimate.value, *bounds(estimate)]


def prediction_powered_tuned(i: Inputs) -> Any:
    return prediction_powered(CASES[i["see"]]["inputs"], i["lam"])


def replacing_a_human(i: Inputs) -> Any:
    numbers = np.arange(i["n"])
    truth = (numbers % 5 != 0).astype(float)

    def flipped(every: int) -> Any:
        return np.where(numbers % every == 0, 1 - truth, truth)

    humans = np.array([flipped(7), flipped(9), flipped(6)])
    assert stats.alt_test(flipped(11), humans, epsilon=0.10).winning_rate == 0
    result = stats.alt_test(flipped(11), humans, epsilon=0.15)
    return [result.winning_rate, result.advantage]


def plain_quantiles(i: Inputs) -> Any:
    return [stats.sample_quantile(i["x"], q) for q in (0.5, 0.9, 0.95)]


def threshold_cascade(i: Inputs) -> Any:
    names = ("cheap_ok", "cheap_cost", "judge", "strong_ok", "strong_cost", "tau")
    result = stats.cascade(*(i[name] for name in names))
    return [float(np.mean(part)) for part in (result.satisfied, result.cost, result.escalated)]


def hull(i: Inputs) -> Any:
    costs, qualities = zip(*i["points_cost_quality"], strict=True)
    area = stats.hull_area(costs, qualities)
    assert area is not None
    return [area, area * (max(costs) - min(costs)) / max(costs)]


def oracles(i: Inputs) -> Any:
    """Every outcome of equal sides, five equally likely trials with four successes."""
    trial = (1, 1, 1, 1, 0)
    assert (sum(trial) / len(trial), 3) == (i["p"], i["models"])
    twice = np.array(list(product(trial, repeat=6))).reshape(-1, 3, 2)
    return [stats.realised_oracle(list(product(trial, repeat=3))), stats.split_epoch_oracle(twice).value]


def curve(i: Inputs) -> Any:
    plain = stats.logistic_per_doubling(i["item_x_length"], i["lengths_k"], working="independence", bias_reduced=False)
    return [plain.intercept, plain.slope, plain.intercept_error, plain.slope_error]


def isotonic(i: Inputs) -> Any:
    return stats.isotonic_rates(i["y"], i["weights"])


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
    ("rate.jeffreys.", "7of10 45of50 49of50 85of100", jeffreys),
    ("rate.jeffreys_boundary.", "0of50", jeffreys),
    ("rate.bayes_uniform.", "0of50 45of50 40of50", uniform),
    (
        "paired.bonett_price.",
        "bentur2009 cavo2012 newcombe36_12_2_0 n50_g2_l5 n50_zero_discordant",
        bonett_price,
    ),
    ("paired.newcombe10.", "cavo2012 newcombe36_12_2_0 n100_g4_l10 n100_zero_discordant", newcombe),
    ("paired.mcnemar_exact.", "newcombe36_12_2_0 n50_g2_l5 n50_zero_discordant", exact_mcnemar),
    ("power.", "miller_n", miller),
    ("seq.", "obf_3looks obf_2looks", obrien_fleming),
    ("seq.", "eprocess_fixed", wealth),
    ("cost.", "fieller95 fieller_unbounded", fieller),
    ("cost.", "logratio_t95", log_ratio),
    ("agree.krippendorff2011.", "interval", alpha_interval),
    ("agree.gwet_ac.", "identity", gwet_value_and_error("identity")),
    ("agree.gwet_ac.", "ordinal", gwet_value_and_error("ordinal")),
    ("agree.gwet_ac1.", "ci", gwet_bounds),
    ("agree.kappa.abstractors.", "quadratic", kappa("quadratic")),
    ("agree.kappa.abstractors.", "linear", kappa("linear")),
    ("agree.", "prevalence_paradox", paradox),
    ("agree.", "cochran_q", cochran),
    ("judge.", "ppi_lam1", prediction_powered),
    ("judge.", "ppipp", prediction_powered_tuned),
    ("judge.", "alt_test", replacing_a_human),
    ("latency.", "quantile_type7", plain_quantiles),
    ("route.", "cascade", threshold_cascade),
    ("route.", "aiq", hull),
    ("route.", "oracle_illusion", oracles),
    ("ctx.", "gee_independence", curve),
    ("ctx.", "isotonic", isotonic),
]
COVERED = {prefix + name: function for prefix, names, function in FAMILIES for name in names.split()}


def test_every_case_is_covered() -> None:
    assert len(CASES) == 108
    assert set(COVERED) == set(CASES)


def test_bias_reduced_errors_are_those_of_the_note() -> None:
    i = CASES["ctx.gee_independence"]["inputs"]
    reduced = stats.logistic_per_doubling(i["item_x_length"], i["lengths_k"], working="independence")
    assert (reduced.intercept_error, reduced.slope_error) == pytest.approx((1.48635, 0.26903), abs=1e-5)


@pytest.mark.parametrize(("level", "value"), [("nominal", 0.743), ("ordinal", 0.815), ("ratio", 0.797)])
def test_alpha_at_the_other_levels_of_the_same_example(level: Any, value: float) -> None:
    ratings = CASES["agree.krippendorff2011.interval"]["inputs"]["reliability_data_coders_x_units"]
    assert stats.krippendorff_alpha(ratings, level).value == pytest.approx(value, abs=6e-4)


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
