"""Agreement of graders: definitions, edges, intervals, severity and flags."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from evalkit import stats
from evalkit.stats.agreement import _alpha_parts, _gwet_parts
from evalkit.stats.gradings import NO_VARIATION, SINGLE_GRADER, count_grades, grade_table
from evalkit.stats.jackknife import jackknife_error
from evalkit.stats.rates import wilson_limits
from evalkit.stats.severity import NOT_LINKED

LEVELS: list[Any] = ["nominal", "ordinal", "interval", "ratio"]
WEIGHTS: list[Any] = ["identity", "linear", "quadratic", "ordinal"]


def some_ratings(seed: int, graders: int = 3, items: int = 40, noise: float = 0.4, gaps: float = 0.1) -> Any:
    """Grades 1 to 5 that follow a common truth; some are missing."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(1, 6, items)
    table = np.where(rng.random((graders, items)) < noise, rng.integers(1, 6, (graders, items)), truth).astype(float)
    return np.where(rng.random((graders, items)) < gaps, np.nan, table)


def pair_distance(level: str, a: float, b: float, sorted_values: list[float]) -> float:
    if level == "nominal":
        return float(a != b)
    if level == "interval":
        return (a - b) ** 2
    if level == "ratio":
        return ((a - b) / (a + b)) ** 2 if a + b else 0.0
    low, high = min(a, b), max(a, b)
    between = sum(low <= x <= high for x in sorted_values)
    return float(between - (sorted_values.count(low) + sorted_values.count(high)) / 2) ** 2 if a != b else 0.0


def alpha_by_definition(table: Any, level: str) -> float:
    """1 - observed / expected, over all ordered pairs of values."""
    units = [[float(x) for x in column if not math.isnan(x)] for column in np.asarray(table).T]
    units = [unit for unit in units if len(unit) > 1]
    values = sorted(x for unit in units for x in unit)
    observed = sum(
        pair_distance(level, a, b, values) / (len(unit) - 1)
        for unit in units
        for i, a in enumerate(unit)
        for j, b in enumerate(unit)
        if i != j
    ) / len(values)
    expected = sum(pair_distance(level, a, b, values) for a in values for b in values)
    return 1 - observed / (expected / (len(values) * (len(values) - 1)))


@pytest.mark.long
@pytest.mark.parametrize("level", LEVELS)
def test_alpha_equals_its_definition_and_its_jackknife(level: Any) -> None:
    table = some_ratings(1, items=30)
    estimate = stats.krippendorff_alpha(table, level)
    assert estimate.value == pytest.approx(alpha_by_definition(table, level))
    usable = np.flatnonzero((~np.isnan(table)).sum(axis=0) >= 2)
    left_out = np.array([alpha_by_definition(np.delete(table, i, axis=1), level) for i in usable])
    error = float(jackknife_error(left_out)) / (1 - estimate.value**2)
    half = scipy_stats.t.isf(0.025, len(usable) - 1) * error
    limits = np.tanh(np.arctanh(estimate.value) + np.array([-half, half]))
    assert (estimate.low, estimate.high) == pytest.approx(tuple(limits))
    assert estimate.n == len(usable)


@pytest.mark.parametrize("level", LEVELS)
def test_alpha_ignores_the_order_of_graders_and_items(level: Any) -> None:
    table = some_ratings(2)
    shuffled = table[::-1][:, np.random.default_rng(0).permutation(table.shape[1])]
    a, b = stats.krippendorff_alpha(table, level), stats.krippendorff_alpha(shuffled, level)
    assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high))


def test_alpha_levels_differ_as_their_scales_do() -> None:
    table = some_ratings(3)
    nominal = stats.krippendorff_alpha(table, "nominal").value
    assert stats.krippendorff_alpha(np.exp(table), "nominal").value == pytest.approx(nominal)
    ordinal = stats.krippendorff_alpha(table, "ordinal").value
    assert stats.krippendorff_alpha(np.exp(table), "ordinal").value == pytest.approx(ordinal)
    interval = stats.krippendorff_alpha(table, "interval").value
    assert stats.krippendorff_alpha(7 - 3 * table, "interval").value == pytest.approx(interval)
    ratio = stats.krippendorff_alpha(table, "ratio").value
    assert stats.krippendorff_alpha(9 * table, "ratio").value == pytest.approx(ratio)
    assert len({round(x or 0, 6) for x in (nominal, ordinal, interval, ratio)}) == 4


@pytest.mark.parametrize("weights", WEIGHTS)
def test_gwet_jackknife_is_that_of_its_own_value(weights: Any) -> None:
    table = some_ratings(4, items=30)
    every = [1, 2, 3, 4, 5]
    estimate = stats.gwet_ac(table, weights, categories=every)
    usable = np.flatnonzero((~np.isnan(table)).sum(axis=0) >= 2)
    left_out = [stats.gwet_ac(np.delete(table, i, axis=1), weights, categories=every).value for i in usable]
    assert estimate.value is not None
    error = float(jackknife_error(np.array(left_out, dtype=float))) / (1 - estimate.value**2)
    half = scipy_stats.t.isf(0.025, len(usable) - 1) * error
    limits = np.tanh(np.arctanh(estimate.value) + np.array([-half, half]))
    assert (estimate.low, estimate.high) == pytest.approx(tuple(limits))


def test_gwet_linearised_has_no_bounds_from_one_item_and_no_width_at_perfect_agreement() -> None:
    one = stats.gwet_ac([[1], [2]], interval="linearised")
    assert (one.value, one.low, one.high) == (pytest.approx(-1), None, None)
    perfect = stats.gwet_ac([[1, 2, 1], [1, 2, 1]], interval="linearised")
    assert (perfect.value, perfect.low, perfect.high) == pytest.approx((1, 1, 1))


def test_perfect_agreement_says_how_much_disagreement_it_can_hide() -> None:
    flags = [[1.0] * 45 + [0.0] * 5] * 2
    hidden = wilson_limits(0, 50, 0.95)[1]
    alpha, ac = stats.krippendorff_alpha(flags, "nominal"), stats.gwet_ac(flags)
    chance = 90 * 10 * 2 / (100 * 99)
    assert (alpha.value, alpha.high, alpha.low) == pytest.approx((1, 1, 1 - hidden / chance))
    assert (ac.value, ac.high, ac.low) == pytest.approx((1, 1, 1 - hidden / (1 - 2 * 0.9 * 0.1)))


def test_rare_disagreement_widens_the_jackknife_to_wilson() -> None:
    first = [1.0] * 30 + [0.0] * 20
    second = [0.0, 0.0, *first[2:]]
    estimate = stats.gwet_ac([first, second])
    p = (30 + 28) / 100
    expected = 1 - 2 * p * (1 - p)
    low, high = wilson_limits(2 / 50, 50, 0.95)
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low <= 1 - high / expected + 1e-9
    assert estimate.high >= 1 - low / expected - 1e-9


def test_opposite_graders_reach_the_lower_end() -> None:
    ac = stats.gwet_ac([[0, 1] * 10, [1, 0] * 10])
    assert (ac.value, ac.low) == pytest.approx((-1, -1))


def test_raw_agreement_counts_pairs() -> None:
    estimate = stats.raw_agreement([[1, 1, 0, None], [1, 0, 0, 1], [1, 0, None, None]])
    assert estimate.value == pytest.approx((1 + 1 / 3 + 1) / 3)
    assert (estimate.low, estimate.high) == pytest.approx(wilson_limits((1 + 1 / 3 + 1) / 3, 3, 0.95))
    assert stats.raw_agreement([[1, 1]]).reason == SINGLE_GRADER
    assert stats.raw_agreement([[2, 2], [2, 2]]).value == 1


def test_unpaired_ratings_do_not_bring_variation() -> None:
    """The only other category was given by one grader alone, so the paired items show nothing."""
    ratings = [[1, 1, None], [1, 1, 0]]
    assert stats.krippendorff_alpha(ratings, "nominal").reason == NO_VARIATION
    assert stats.gwet_ac(ratings).value == 1


def test_a_single_grader_has_no_agreement() -> None:
    for estimate in (stats.krippendorff_alpha([[1, 2, 3]], "nominal"), stats.gwet_ac([[1, None], [None, 2]])):
        assert (estimate.value, estimate.reason) == (None, SINGLE_GRADER)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stats.krippendorff_alpha([[1]], "rank"), "level = 'rank' is not one of"),  # wrong on purpose
        (lambda: stats.krippendorff_alpha([[-1, 2], [1, 2]], "ratio"), "rating -1 is negative"),
        (lambda: stats.gwet_ac([[1]], "cubic"), "weights = 'cubic' is not one of"),  # wrong on purpose
        (lambda: stats.gwet_ac([[1]], interval="x"), "interval = 'x' is not one of"),  # wrong on purpose
        (lambda: stats.gwet_ac([[1, 9], [1, 2]], categories=[1, 2]), "rating 9 is not one of the categories"),
        (lambda: stats.weighted_kappa([1], [1], "ordinal"), "weights = 'ordinal'"),  # wrong on purpose
        (lambda: stats.weighted_kappa([1], [1, 2]), "rows of 1 to 2 items"),
        (lambda: grade_table([[1, math.inf]]), r"ratings\[0\]\[1\] = inf is not a finite number"),
        (lambda: stats.cochran_q([[1, 2], [1, 0]]), "flag 2 is neither 0 nor 1"),
        (lambda: stats.spearman_brown(1.1, 2), "icc = 1.1 with 2 graders"),
        (lambda: stats.spearman_brown(0.5, 0), "with 0 graders"),
    ],
)
def test_bad_input_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_counting_leaves_out_items_without_a_rating() -> None:
    counted = count_grades([[1, None, 2], [2, None, 2]])
    assert counted.counts.tolist() == [[1, 1], [0, 2]]
    assert counted.categories.tolist() == [1, 2]


def test_kappa_equals_its_definition_and_ignores_order_and_gaps() -> None:
    table = some_ratings(5, graders=2, gaps=0)
    a, b = table
    observed = ((a - b) ** 2).mean()
    expected = ((a[:, None] - b) ** 2).mean()
    one, other = stats.weighted_kappa(a, b), stats.weighted_kappa([*b, None], [*a, 3.0])
    assert one.value == pytest.approx(1 - observed / expected)
    assert (one.value, one.low, one.high, one.n) == pytest.approx((other.value, other.low, other.high, other.n))


def test_intraclass_correlation_matches_shrout_and_fleiss() -> None:
    scores = [[9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], [5, 3, 6, 2, 6, 4], [8, 2, 8, 6, 9, 7]]
    estimate = stats.icc_agreement(scores)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.29, 0.019, 0.761), abs=0.0005)
    with_gap = stats.icc_agreement([[*row, gap] for row, gap in zip(scores, [1, None, 3, 4], strict=True)])
    assert (with_gap.value, with_gap.n) == (estimate.value, 6)
    assert with_gap.warnings == ("1 of 7 items have a missing rating and are left out",)


def test_intraclass_edges() -> None:
    assert stats.icc_agreement([[1, 2, 3]]).reason == SINGLE_GRADER
    assert stats.icc_agreement([[1], [2]]).reason == "fewer than two complete items; agreement cannot be assessed"
    perfect = stats.icc_agreement([[1, 2, 4], [1, 2, 4]])
    assert (perfect.value, perfect.low, perfect.warnings) == (1, None, ("perfect agreement: no interval",))
    shifted = stats.icc_agreement([[1, 2, 4], [2, 3, 5]])
    assert shifted.value == pytest.approx(0.8235, abs=1e-4)
    assert (shifted.low, shifted.warnings) == (None, ("graders differ by constants only",))
    cancelling = stats.icc_agreement([[0, 1], [1, 0]])
    assert cancelling.reason == "no total variance left; agreement cannot be assessed"


def test_averaging_graders_follows_spearman_and_brown() -> None:
    assert stats.spearman_brown(0.5, 3) == pytest.approx(0.75)
    assert stats.spearman_brown(0.4, 1) == 0.4


def test_severity_of_a_complete_table_is_the_distance_to_the_grand_mean() -> None:
    table = some_ratings(6, gaps=0) + np.array([[0.0], [0.7], [-0.4]])
    found = stats.grader_severity(table)
    assert [e.value for e in found] == pytest.approx(list(table.mean(axis=1) - table.mean()))
    # for a complete table the jackknife is the standard error of the mean of the items' deviations
    deviations = table - table.mean(axis=0)
    half = scipy_stats.t.isf(0.025, 39) * deviations.std(axis=1, ddof=1) / math.sqrt(40)
    assert [(e.high or 0) - (e.low or 0) for e in found] == pytest.approx(list(2 * half))


def test_severity_with_gaps_compares_on_common_items() -> None:
    """The lenient grader saw only the hard items; raw means would call the grader strict."""
    hard, easy = [1.0] * 10, [5.0] * 10
    lenient = [x + 1 for x in hard] + [None] * 10
    found = stats.grader_severity([hard + easy, lenient])
    assert [e.value for e in found] == pytest.approx([-0.5, 0.5])
    assert found[0].n == 10
    assert found[0].warnings == ("all items show the same difference: no interval",)


def test_severity_edges() -> None:
    assert stats.grader_severity([]) == []
    assert [e.reason for e in stats.grader_severity([[1, 2]])] == [SINGLE_GRADER]
    assert [e.reason for e in stats.grader_severity([[1, None], [1, None], [None, 2], [None, 2]])] == [NOT_LINKED] * 4
    one = stats.grader_severity([[1], [3]])
    assert [(e.value, e.low) for e in one] == [(pytest.approx(-1), None), (pytest.approx(1), None)]


def test_cochran_q_refuses_where_nothing_differs_within_an_item() -> None:
    assert stats.cochran_q([[1, 0, 1], [1, 0, 1]]) is None
    assert stats.cochran_q([[1, 0, 1]]) is None
    result = stats.cochran_q([[1, 0, 1, None], [0, 0, 1, 1], [0, 0, 0, 1]])
    assert result is not None
    assert (result.items, result.df) == (3, 2)


def estimate(value: float | None, low: float | None, n: int = 50) -> stats.Estimate:
    return stats.Estimate(value, low, None, 0.95, n, "m", reason=None if value is not None else "r")


@pytest.mark.parametrize(
    ("alpha", "low", "ac", "passing", "colour"),
    [
        (0.80, 0.60, 0.9, 0.5, "green"),
        (0.80, 0.59, 0.9, 0.5, "amber"),
        (0.79, 0.70, 0.9, 0.5, "amber"),
        (0.667, 0.40, 0.9, 0.5, "amber"),
        (0.666, 0.50, 0.9, 0.5, "red"),
        (0.90, 0.39, 0.9, 0.5, "red"),
        (0.90, None, 0.9, 0.5, "red"),
        (-0.02, -0.3, 0.94, 0.95, "amber"),
        (-0.02, -0.3, 0.79, 0.95, "red"),
        (-0.02, -0.3, 0.94, 0.90, "red"),
        (-0.02, -0.3, 0.94, None, "red"),
        (-0.02, -0.3, None, 0.95, "red"),
    ],
)
def test_flag(alpha: float, low: float | None, ac: float | None, passing: float | None, colour: str) -> None:
    flag = stats.agreement_flag(estimate(alpha, low), estimate(ac, None), passing)
    assert flag.colour == colour
    assert len(flag.reasons) == 1
    assert ("grades unreliable" in flag.reasons[0]) == (colour == "red" and alpha < 0.667)
    assert ("not shown to be reliable" in flag.reasons[0]) == (colour == "red" and alpha >= 0.667)


def test_flag_names_the_prevalence_effect() -> None:
    first, second = [1.0] * 123 + [0.0] * 2, [1.0] * 118 + [0.0] * 5 + [1.0] * 2
    ratings = [first, second]
    flag = stats.agreement_flag(stats.krippendorff_alpha(ratings, "nominal"), stats.gwet_ac(ratings), 0.972)
    assert flag.colour == "amber"
    assert "prevalence effect: 97% pass" in flag.reasons[0]


def test_flag_of_what_cannot_be_assessed() -> None:
    same = [[1.0] * 20] * 2
    flag = stats.agreement_flag(stats.krippendorff_alpha(same, "nominal"), stats.gwet_ac(same))
    assert (flag.colour, flag.reasons) == ("amber", (f"{NO_VARIATION}.",))
    single = stats.agreement_flag(stats.krippendorff_alpha([[1, 0]], "nominal"), stats.gwet_ac([[1, 0]]))
    assert single.colour == "amber"
    assert single.reasons[1] == "One grader alone: let the grader grade 20 random items again."


def test_the_grader_who_departs_is_named() -> None:
    rng = np.random.default_rng(8)
    truth = (rng.random(60) < 0.6).astype(float)
    noisy = np.where(rng.random((3, 60)) < 0.05, 1 - truth, truth)
    contrary = np.where(rng.random(60) < 0.6, 1 - truth, truth)
    found = stats.deviating_graders(np.vstack([noisy, contrary]), tolerance=0.10)
    assert [grader for grader, _ in found] == [3]
    assert "AC1 with the others' majority" in found[0][1]
    lenient = stats.deviating_graders(np.vstack([noisy, np.ones(60)]), tolerance=0.10)
    assert any(grader == 3 and "severity +0." in reason for grader, reason in lenient)


def test_two_graders_have_no_majority_but_a_severity() -> None:
    strict, lenient = [0.0] * 30 + [1.0] * 20, [0.0] * 5 + [1.0] * 45
    found = stats.deviating_graders([strict, lenient], tolerance=0.10)
    assert [grader for grader, _ in found] == [0, 1]
    assert all("severity" in reason for _, reason in found)
    assert stats.deviating_graders([[None, None], [None, None]], tolerance=0.1) == []


def test_nobody_departs_from_graders_who_gave_no_grade() -> None:
    assert stats.deviating_graders([[0, 1, 1], [None] * 3, [None] * 3], tolerance=0.1) == []


def test_tables_of_pandas_are_graders_by_items() -> None:
    rows = [[1, 2, None, 1], [1, 2, 2, 1], [1, 1, 2, 2]]
    named = pd.DataFrame(rows, index=["ann", "bob", "cem"], columns=list("wxyz"))
    whole = named.astype("Int64")
    arrays = [pd.array(row, dtype="Int64") for row in rows]
    for function in (lambda r: stats.krippendorff_alpha(r, "nominal"), stats.gwet_ac, stats.grader_severity):
        plain = function(rows)
        assert all(function(form) == plain for form in (named, whole, named.astype(object), arrays))


REPEATED = [f"i{item}" for item in range(20) for _ in range(5)]


def flags_of_twenty() -> Any:
    rng = np.random.default_rng(3)
    return (rng.random(20) < 0.6) ^ (rng.random((3, 20)) < 0.1)


@pytest.mark.parametrize(
    "function",
    [
        stats.raw_agreement,
        lambda r, **k: stats.krippendorff_alpha(r, "nominal", **k),
        lambda r, **k: stats.krippendorff_alpha(r, "ordinal", **k),
        lambda r, **k: stats.krippendorff_alpha(r, "interval", **k),
        stats.gwet_ac,
        lambda r, **k: stats.grader_severity(r, **k)[0],
    ],
    ids=["raw", "nominal", "ordinal", "interval", "AC1", "severity"],
)
def test_five_equal_epochs_tell_no_more_than_one(function: Any) -> None:
    """Alpha itself moves a little, since it corrects for the number of ratings."""
    once = flags_of_twenty().astype(float)
    five = np.repeat(once, 5, axis=1)
    alone, repeated = function(once), function(five, items=REPEATED)
    assert repeated.n == alone.n == 20
    assert (repeated.low, repeated.high) == pytest.approx((alone.low, alone.high), abs=0.02)
    pooled = function(five)
    assert pooled.high - pooled.low < 0.6 * (alone.high - alone.low)


@pytest.mark.parametrize("level", LEVELS)
def test_leaving_an_item_out_leaves_all_of_its_outputs_out(level: Any) -> None:
    ratings, items = some_ratings(5, items=24), np.repeat(np.arange(8), 3)
    grades = count_grades(ratings, items=items.tolist()).paired()
    for parts in (_alpha_parts(grades, level), _gwet_parts(grades, np.eye(len(grades.categories)))):
        coefficients = parts.coefficients()
        assert len(coefficients) == 1 + 8
    every = [stats.krippendorff_alpha(ratings[:, items != item], level).value for item in range(8)]
    assert _alpha_parts(grades, level).coefficients()[1:] == pytest.approx(every)


def test_the_linearised_interval_knows_no_repeats() -> None:
    with pytest.raises(ValueError, match="leave items out"):
        stats.gwet_ac([[1, 0], [1, 1]], interval="linearised", items=["a", "a"])


@pytest.mark.parametrize("items", [["a"], [["a"], ["b"]]])
def test_items_that_do_not_fit_are_refused(items: Any) -> None:
    with pytest.raises(ValueError, match="items"):
        stats.gwet_ac([[1, 0], [1, 1]], items=items)
