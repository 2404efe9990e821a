"""A judge against humans: corrected rates, error rates, leniency, replacing a human."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evalkit import stats
from evalkit.stats import Estimate
from evalkit.stats.rates import wilson_limits

JUDGE = [1.0] * 22 + [0.0] * 2 + [1.0] * 2 + [0.0] * 4
HUMAN = [1.0] * 24 + [0.0] * 6
EVERYONE = JUDGE + [1.0] * 58 + [0.0] * 12


def test_double_sampling_weighs_what_the_labels_say_of_each_grade() -> None:
    estimate = stats.double_sampling(EVERYONE, JUDGE, HUMAN, seed=1)
    assert estimate.value == pytest.approx(0.82 * 22 / 24 + 0.18 * 2 / 6)
    assert estimate == stats.double_sampling(EVERYONE, JUDGE, HUMAN, seed=1)
    other = stats.double_sampling(EVERYONE, JUDGE, HUMAN, seed=2)
    assert (other.low, other.high) == pytest.approx((estimate.low, estimate.high), abs=0.01)
    assert estimate.n == 30


def test_double_sampling_limits_are_posterior_quantiles() -> None:
    """With a judge who is always right and judged them all, only the Beta posterior of the rate is left."""
    flags = [1.0] * 40 + [0.0] * 10
    estimate = stats.double_sampling(flags * 40, flags, flags, seed=3)
    rng = np.random.default_rng(0)
    ppv, npv = rng.beta(40.5, 0.5, 200_000), rng.beta(10.5, 0.5, 200_000)
    share = rng.beta(1600.5, 400.5, 200_000)
    low, high = np.quantile(share * ppv + (1 - share) * (1 - npv), [0.025, 0.975])
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=0.004)


def test_double_sampling_edges() -> None:
    assert stats.double_sampling([], [], [], seed=0).reason == "no judged outputs"
    assert stats.double_sampling([1, 0], [], [], seed=0).reason == "no labels"
    half = stats.double_sampling([1, 0], [1], [1], seed=0)
    assert half.value == 0.75
    assert half.warnings == (
        "only 1 labels: at least 30 are needed",
        "no label where the judge said 0: its share there is unknown",
    )
    for flag in (0.0, 1.0):
        sure = stats.double_sampling([flag] * 100, [flag] * 30, [flag] * 30, seed=0)
        assert sure.value == flag
        assert flag in (sure.low, sure.high)
        assert sure.warnings == ()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stats.double_sampling([0.5], [], [], seed=0), r"judge_all\[0\] = 0.5 is neither 0 nor 1"),
        (lambda: stats.double_sampling([1], [1, 1], [1, 1], seed=0), "2 labels for 1 judged outputs"),
        (lambda: stats.double_sampling([1], [1], [], seed=0), "lengths differ"),
        (lambda: stats.ppi_mean([1], [1], [1], lam=1.5), "lam = 1.5 is not from 0 to 1"),
        (lambda: stats.judge_accuracy([1], [0.5]), r"human\[0\] = 0.5 is neither 0 nor 1"),
        (lambda: stats.leniency_midp(3, 2, 0, 1), "errors_a = 3 is more than n = 2"),
        (lambda: stats.judge_leaning([0], [0, 1]), "lengths differ"),
        (lambda: stats.loss_p(0, -1, stats.judge_leaning([0, 0], [0, 0])), "error = -1 is not a number from 0 on"),
        (lambda: stats.judge_leaning([0], [2]), r"errors_b\[0\] = 2.0 is not a number from -1 to 1"),
        (lambda: stats.alt_test([1], [[1]], epsilon=0), "epsilon = 0 is not between 0 and 1"),
        (lambda: stats.alt_test([1], [[1, 0]] * 3), "lengths differ"),
        (lambda: stats.worth_extra_labels(stats.rate(1, 2), stats.rate(1, 2, 0.9)), "confidences differ"),
    ],
)
def test_bad_input_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_rogan_gladen_undoes_the_errors() -> None:
    human = [1.0] * 200 + [0.0] * 200
    judge = [1.0] * 180 + [0.0] * 20 + [1.0] * 60 + [0.0] * 140
    estimate = stats.rogan_gladen([1.0] * 660 + [0.0] * 340, judge, human)
    assert estimate.value == pytest.approx((0.66 + 0.7 - 1) / 0.6)
    assert estimate.low is not None
    assert estimate.high is not None
    assert 0.45 < estimate.low < 0.6 < estimate.high < 0.75


def test_rogan_gladen_refuses_a_judge_that_may_know_nothing() -> None:
    blind = stats.rogan_gladen([1, 0] * 50, [1, 0, 1, 0] * 10, [1, 1, 0, 0] * 10)
    assert blind.value is None
    assert blind.reason is not None
    assert "not above 0" in blind.reason
    assert stats.rogan_gladen([1], [1], [1]).reason == "the human fails nothing, so J is unknown"
    assert stats.rogan_gladen([], [1, 0], [1, 0]).reason == "no judged outputs"


def test_prediction_powered_mean_by_t_is_a_little_wider() -> None:
    unlabelled = [1.0] * 58 + [0.0] * 12
    normal = stats.ppi_mean(unlabelled, JUDGE, HUMAN, small_sample=False)
    by_t = stats.ppi_mean(unlabelled, JUDGE, HUMAN)
    assert by_t.value == normal.value
    assert by_t.low is not None
    assert normal.low is not None
    assert by_t.low < normal.low
    only_human = stats.ppi_mean(unlabelled, JUDGE, HUMAN, lam=0)
    assert only_human.value == pytest.approx(0.8)
    low, high = scipy_stats.t.interval(0.95, 29, 0.8, np.std(HUMAN, ddof=1) / np.sqrt(30))
    assert (only_human.low, only_human.high) == pytest.approx((low, high))


def test_prediction_powered_edges() -> None:
    assert stats.ppi_mean([], [1], [1]).reason == "no unlabelled outputs"
    assert stats.ppi_mean([1], [], []).reason == "no labels"
    one = stats.ppi_mean([1, 0], [1], [0])
    assert (one.value, one.low, one.warnings) == (-0.5, None, ("one output gives no interval",))
    still = stats.ppi_mean([1, 1], [1] * 40, [1] * 40)
    assert (still.value, still.low, still.warnings) == (1, None, ("no spread: no interval",))


def test_worth_extra_labels_compares_squared_widths() -> None:
    human_only = Estimate(0.8, 0.6, 0.9, 0.95, 30, "m")
    corrected = Estimate(0.8, 0.7, 0.9, 0.95, 30, "m")
    assert stats.worth_extra_labels(human_only, corrected) == pytest.approx(30 * (1.5**2 - 1))
    assert stats.worth_extra_labels(human_only, human_only) == 0
    assert stats.worth_extra_labels(human_only, Estimate(0.8, None, 0.9, 0.95, 30, "m")) is None
    assert stats.worth_extra_labels(Estimate(0.8, 0.7, None, 0.95, 30, "m"), corrected) is None
    assert stats.worth_extra_labels(human_only, Estimate(0.8, 0.8, 0.8, 0.95, 30, "m")) is None


def test_accuracy_of_a_judge_with_its_limits() -> None:
    accuracy = stats.judge_accuracy(JUDGE, HUMAN)
    assert (accuracy.sensitivity.value, accuracy.specificity.value) == pytest.approx((22 / 24, 4 / 6))
    assert (accuracy.sensitivity.low, accuracy.sensitivity.high) == wilson_limits(22 / 24, 24, 0.95)
    assert accuracy.youden.value == pytest.approx(22 / 24 + 4 / 6 - 1)
    assert accuracy.youden.low is not None
    assert accuracy.youden_low_80 is not None
    assert accuracy.youden.low < accuracy.youden_low_80 < (accuracy.youden.value or 0)
    down = [share - wilson_limits(share, n, 0.8)[0] for share, n in ((22 / 24, 24), (4 / 6, 6))]
    assert accuracy.youden_low_80 == pytest.approx(22 / 24 + 4 / 6 - 1 - np.hypot(*down))


def test_accuracy_without_one_kind_of_output_has_no_j() -> None:
    passes_all = stats.judge_accuracy([1, 0], [1, 1])
    assert passes_all.sensitivity.value == 0.5
    assert (passes_all.specificity.value, passes_all.youden.value, passes_all.youden_low_80) == (None, None, None)
    assert passes_all.youden.reason == "the human fails nothing, so J is unknown"
    assert stats.judge_accuracy([1], [0]).youden.reason == "the human passes nothing, so J is unknown"


def test_leniency_is_the_mid_p_of_fisher() -> None:
    table = [[3, 47], [9, 41]]
    exact = float(scipy_stats.fisher_exact(table).pvalue)
    point = float(scipy_stats.hypergeom(100, 12, 50).pmf(3))
    assert stats.leniency_midp(3, 50, 9, 50) == pytest.approx(exact - point / 2)
    assert stats.leniency_midp(9, 50, 3, 50) == stats.leniency_midp(3, 50, 9, 50)
    assert stats.leniency_midp(2, 40, 30, 40) < 1e-6


def test_a_leaning_is_the_paired_difference_of_errors() -> None:
    a, b = [1, -1, -1, 0.5, -1, 1, 0, 1] * 20, [-1, 1, -1, -1, 1, 1, 1, -1] * 20
    found = stats.judge_leaning(a, b)
    paired = scipy_stats.ttest_rel(b, a).confidence_interval(0.95)
    assert found.value == pytest.approx(np.mean(b) - np.mean(a))
    assert (found.low, found.high) == (pytest.approx(paired.low), pytest.approx(paired.high))
    back = stats.judge_leaning(b, a)
    assert (back.value, back.low) == (pytest.approx(-(found.value or 0)), pytest.approx(-(found.high or 0)))


def test_a_leaning_by_few_errors_is_no_surer_than_two_more_of_them_make_it() -> None:
    """Of rare errors few are seen with little spread: Student's interval of one in 25 would miss them."""
    found = stats.judge_leaning([0] * 25, [1] + [0] * 24)
    student = scipy_stats.ttest_rel([1] + [0] * 24, [0] * 25).confidence_interval(0.95)
    assert found.high is not None
    assert found.high > student.high + 0.02
    half = scipy_stats.t.isf(0.025, 24) * math.sqrt((3 / 27 - (1 / 27) ** 2) / 25)
    assert found.high == pytest.approx(1 / 25 + half)


@pytest.mark.parametrize("n", [8, 15, 25, 50, 100])
def test_labels_without_an_error_leave_about_as_much_open_as_the_exact_limit(n: int) -> None:
    high = stats.judge_leaning([0] * n, [0] * n, 0.9).high
    assert high is not None
    assert 0.75 < high / (1 - 0.05 ** (1 / n)) < 1  # both errors and their difference: less than one share alone


@pytest.mark.parametrize(("n", "mean"), [(25, 0.0), (25, 1.0), (2, -0.5)])
def test_labels_without_any_spread_bound_a_leaning_all_the_same(n: int, mean: float) -> None:
    found = stats.judge_leaning([0] * n, [mean] * n)
    assert found.value == mean
    assert found.low is not None
    assert found.low < mean
    more = stats.judge_leaning([0] * 8 * n, [mean] * 8 * n)
    assert more.low is not None
    assert found.low < more.low < mean


def test_a_loss_has_to_exceed_what_the_judge_makes_up() -> None:
    even = stats.judge_leaning([0, 1, -1, 0] * 10, [0, 1, -1, 0] * 10)
    against = stats.judge_leaning([0] * 40, [-1] * 6 + [0] * 34)
    seen, error = -0.15, 0.05
    plain = scipy_stats.norm.cdf(seen / error)
    assert plain < (stats.loss_p(seen, error, even) or 0) < 0.01, "labels that agree leave it a loss"
    assert stats.loss_p(seen, error, against) == pytest.approx(0.5), "a judge that fails as many more of it"
    assert (stats.loss_p(seen, error, against, 0.5) or 0) < 0.25, "on half the items"
    assert stats.loss_p(seen, error, against, 0.0) == pytest.approx(scipy_stats.t.cdf(-3, 39))
    assert stats.loss_p(seen, error, stats.judge_leaning([0], [0])) is None
    assert stats.loss_p(seen, error, stats.judge_leaning([], [])) is None


def test_the_alternative_annotator_test_refuses_too_little() -> None:
    truth = [1.0] * 40
    assert stats.alt_test(truth, [truth] * 2).reason == "2 humans: the test needs at least 3"
    few = stats.alt_test(truth[:29], [truth[:29]] * 3)
    assert few.reason == "a human shares 29 items with judge and others: 30 are needed"
    assert (few.winning_rate, few.replaces, few.p_values) == (None, None, ())


def test_the_alternative_annotator_test_on_clear_cases() -> None:
    rng = np.random.default_rng(5)
    truth = (rng.random(60) < 0.5).astype(float)
    humans = np.where(rng.random((3, 60)) < 0.1, 1 - truth, truth)
    humans[0, :10] = np.nan
    good, bad = stats.alt_test(truth, humans), stats.alt_test(1 - truth, humans)
    assert (good.replaces, good.winning_rate) == (True, 1)
    assert (bad.replaces, bad.winning_rate) == (False, 0)
    same = stats.alt_test(truth, [truth.tolist()] * 3)
    assert (same.replaces, same.advantage, same.p_values) == (True, 1, (0, 0, 0))
    opposite = stats.alt_test(1 - truth, [truth.tolist()] * 3)
    assert (opposite.replaces, opposite.p_values) == (False, (1, 1, 1))


def test_false_discovery_rates_lie_between_p_and_holm() -> None:
    p = [0.001, 0.01, 0.02, 0.2, 0.6]
    hochberg = stats.benjamini_hochberg(p)
    assert hochberg == pytest.approx([0.005, 0.025, 1 / 30, 0.25, 0.6])
    assert all(raw <= x <= y for raw, x, y in zip(p, hochberg, stats.holm(p), strict=True))
    factor = sum(1 / i for i in range(1, 6))
    assert stats.benjamini_yekutieli(p)[:3] == pytest.approx([x * factor for x in hochberg[:3]])


def test_five_equal_epochs_of_judge_and_people_tell_no_more_than_one() -> None:
    rng = np.random.default_rng(4)
    human = (rng.random(40) < 0.7).astype(float)
    judge = np.where(rng.random(40) < 0.15, 1 - human, human)
    items, part = [i for i in range(40) for _ in range(5)], 20
    judge5, human5 = np.repeat(judge, 5), np.repeat(human, 5)
    once = stats.double_sampling(judge, judge[:part], human[:part], 1)
    five = stats.double_sampling(
        judge5, judge5[: 5 * part], human5[: 5 * part], 1, items_all=items, items_labelled=items[: 5 * part]
    )
    assert (five.value, five.low, five.high) == pytest.approx((once.value, once.low, once.high))
    alone, repeated = stats.judge_accuracy(judge, human), stats.judge_accuracy(judge5, human5, items=items)
    for name in ("sensitivity", "specificity", "youden"):
        a, b = getattr(alone, name), getattr(repeated, name)
        assert (b.value, b.low, b.high) == pytest.approx((a.value, a.low, a.high))
        assert b.n == a.n
    assert repeated.youden_low_80 == pytest.approx(alone.youden_low_80)
