"""Properties that hold for every input, found by search."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import cochrans_q, mcnemar
from statsmodels.stats.multitest import multipletests

from evalkit import stats
from evalkit.stats import Estimate

searched = settings(derandomize=True, max_examples=60)

CONFIDENCES = st.sampled_from([0.8, 0.9, 0.95, 0.99])
MONEY = st.floats(0, 1e6)
DURATIONS = st.floats(1e-3, 1e4)
FLAGS = st.sampled_from([0.0, 1.0])
THIRDS = st.sampled_from([0.0, 1 / 3, 2 / 3, 1.0])


@st.composite
def counts(draw: st.DrawFn, most: int = 120) -> tuple[int, int, int]:
    """gain, loss, n."""
    n = draw(st.integers(1, most))
    gain = draw(st.integers(0, n))
    return gain, draw(st.integers(0, n - gain)), n


def columns(*kinds: st.SearchStrategy[float], least: int = 1) -> st.SearchStrategy[list[tuple[float, ...]]]:
    return st.lists(st.tuples(*kinds), min_size=least, max_size=40)


def is_sound(estimate: Estimate) -> bool:
    """Bounds hold the value, allowing for rounding, and nothing is nan or infinite."""
    known = [x for x in (estimate.low, estimate.value, estimate.high) if x is not None]
    slack = 1e-9 * max((abs(x) for x in known), default=0)
    return all(math.isfinite(x) for x in known) and all(a <= b + slack for a, b in pairwise(known))


def mirrored(a: Estimate, b: Estimate) -> bool:
    pairs = [(a.value, b.value), (a.low, b.high), (a.high, b.low)]
    return all((x is None and y is None) or x == pytest.approx(-1 * (y or 0), abs=1e-9, rel=1e-9) for x, y in pairs)


def inverted(a: Estimate, b: Estimate) -> bool:
    pairs = [(a.value, b.value), (a.low, b.high), (a.high, b.low)]
    return all(
        (x is None and y is None) or (x is not None and y is not None and x * y == pytest.approx(1, rel=1e-6))
        for x, y in pairs
    )


@searched
@given(counts(), CONFIDENCES)
def test_rate_interval_holds_its_value_and_mirrors(c: tuple[int, int, int], confidence: float) -> None:
    k, _, n = c
    a, b = stats.rate(k, n, confidence), stats.rate(n - k, n, confidence)
    assert is_sound(a)
    assert (a.value, a.low, a.high) == pytest.approx(tuple(1 - x for x in (b.value, b.high, b.low) if x is not None))


@searched
@given(st.integers(1, 80), st.integers(0, 80))
def test_one_more_success_never_lowers_a_limit(n: int, k: int) -> None:
    fewer, more = stats.rate(min(k, n - 1), n), stats.rate(min(k, n - 1) + 1, n)
    assert fewer.low is not None
    assert fewer.high is not None
    assert more.low is not None
    assert more.high is not None
    assert fewer.low <= more.low
    assert fewer.high <= more.high


@searched
@given(
    st.lists(st.integers(1, 5).flatmap(lambda m: st.tuples(st.integers(0, m), st.just(m))), max_size=40),
    CONFIDENCES,
)
def test_clustered_rate_is_sound(items: list[tuple[int, int]], confidence: float) -> None:
    successes, trials = [x for x, _ in items], [m for _, m in items]
    estimate = stats.rate_clustered(successes, trials, confidence)
    assert is_sound(estimate)
    if items:
        design = stats.cluster_design(successes, trials)
        as_many_even = sum(trials) ** 2 / sum(m * m for m in trials)
        assert min(design.items, as_many_even) - 1e-9 <= design.n_eff <= design.trials


@searched
@given(counts(), CONFIDENCES)
def test_swapping_sides_negates_the_difference_and_keeps_p(c: tuple[int, int, int], confidence: float) -> None:
    gain, loss, n = c
    a, b = stats.paired_rates(gain, loss, n, confidence), stats.paired_rates(loss, gain, n, confidence)
    assert is_sound(a)
    assert mirrored(a, b)
    assert stats.mcnemar_midp(gain, loss) == stats.mcnemar_midp(loss, gain)
    assert 0 < stats.mcnemar_midp(gain, loss) <= 1


@searched
@given(columns(THIRDS, THIRDS), CONFIDENCES)
def test_swapping_sides_negates_the_clustered_difference(rows: list[tuple[float, ...]], confidence: float) -> None:
    p, b = [r[0] for r in rows], [r[1] for r in rows]
    forward = stats.paired_rates_clustered(p, b, confidence)
    backward = stats.paired_rates_clustered(b, p, confidence)
    assert is_sound(forward)
    assert mirrored(forward, backward)


@searched
@given(columns(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), CONFIDENCES)
def test_swapping_sides_negates_the_mean_difference(rows: list[tuple[float, ...]], confidence: float) -> None:
    x, y = [r[0] for r in rows], [r[1] for r in rows]
    a, b = stats.paired_means(x, y, confidence), stats.paired_means(y, x, confidence)
    assert is_sound(a)
    assert mirrored(a, b)


@searched
@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=8))
def test_sign_flip_p_ignores_which_side_is_first(d: list[float]) -> None:
    zero = [0.0] * len(d)
    forward, backward = stats.sign_flip_p(d, zero, seed=0), stats.sign_flip_p(zero, d, seed=0)
    assert forward == backward
    assert forward is not None
    assert 0 < forward <= 1


@searched
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5))
def test_five_pairs_are_never_significant(d: list[float]) -> None:
    p = stats.sign_flip_p(d, [0.0] * len(d), seed=0)
    assert p is not None
    assert p >= 0.0625 - 1e-12


@pytest.mark.long
@searched
@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_never_lowers_a_p_and_keeps_the_order(p: list[float]) -> None:
    adjusted = stats.holm(p)
    assert all(raw <= new <= 1 for raw, new in zip(p, adjusted, strict=True))
    ranked = [new for _, new in sorted(zip(p, adjusted, strict=True))]
    assert ranked == sorted(ranked)
    assert not p or adjusted == pytest.approx(multipletests(p, method="holm")[1])


@pytest.mark.long
@searched
@given(columns(MONEY, FLAGS), CONFIDENCES)
def test_costs_are_sound(rows: list[tuple[float, ...]], confidence: float) -> None:
    c, s = [r[0] for r in rows], [r[1] for r in rows]
    for estimate in (
        stats.mean_cost(c, confidence),
        stats.cost_per_satisfactory(c, s, confidence),
        stats.human_fix_cost(c, s, 3.0, confidence=confidence),
    ):
        assert is_sound(estimate)
    assert (stats.cost_per_satisfactory(c, s).value is None) is (sum(s) == 0)


@searched
@given(columns(MONEY, FLAGS, least=2), st.floats(1e-3, 1e3))
def test_cost_scales_with_its_unit(rows: list[tuple[float, ...]], factor: float) -> None:
    c, s = [1 + r[0] for r in rows], [r[1] for r in rows]
    a, b = stats.cost_per_satisfactory(c, s), stats.cost_per_satisfactory([x * factor for x in c], s)
    for plain, scaled in ((a.value, b.value), (a.low, b.low), (a.high, b.high)):
        assert (plain is None) is (scaled is None)
        assert plain is None or plain * factor == pytest.approx(scaled, rel=1e-6)


@searched
@given(columns(DURATIONS, FLAGS, DURATIONS, FLAGS), CONFIDENCES)
def test_swapping_sides_inverts_every_ratio(rows: list[tuple[float, ...]], confidence: float) -> None:
    ca, sa, cb, sb = ([r[i] for r in rows] for i in range(4))
    for a, b in (
        (stats.cost_ratio(ca, sa, cb, sb, confidence), stats.cost_ratio(cb, sb, ca, sa, confidence)),
        (stats.mean_cost_ratio(ca, cb, confidence), stats.mean_cost_ratio(cb, ca, confidence)),
        (stats.geometric_mean_ratio(ca, cb, confidence), stats.geometric_mean_ratio(cb, ca, confidence)),
    ):
        assert is_sound(a)
        assert inverted(a, b)


@pytest.mark.long
@searched
@given(st.lists(st.lists(st.tuples(MONEY, FLAGS), min_size=2, max_size=5), min_size=1, max_size=10))
def test_more_retries_solve_and_cost_more(items: list[list[tuple[float, float]]]) -> None:
    costs, flags = [[c for c, _ in item] for item in items], [[s for _, s in item] for item in items]
    most = min(len(item) for item in items)
    solved = [stats.retry_success([sum(f) for f in flags], [len(f) for f in flags], k) for k in range(most + 1)]
    spent = [stats.retry_cost(costs, flags, k) for k in range(most + 4)]
    assert all(a <= b + 1e-12 for a, b in pairwise(solved))
    assert all(a <= b + 1e-9 * (1 + b) for a, b in pairwise(spent))
    far = stats.retry_success([sum(f) for f in flags], [len(f) for f in flags], most + 4)
    assert 0 <= far <= 1


@searched
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=90), st.sampled_from([0.05, 0.5, 0.9, 0.95]), CONFIDENCES)
def test_quantile_interval_holds_its_value(values: list[float], q: float, confidence: float) -> None:
    estimate = stats.quantile(values, q, confidence)
    assert is_sound(estimate)
    enough = len(values) >= stats.values_needed(q, confidence)
    assert (estimate.low is not None and estimate.high is not None) is enough


@searched
@given(
    st.lists(st.tuples(st.integers(0, 25), st.floats(-1e6, 1e6)), min_size=1, max_size=90),
    st.sampled_from([0.05, 0.5, 0.9, 0.95]),
    CONFIDENCES,
)
def test_clustered_quantile_interval_holds_its_value(
    rows: list[tuple[int, float]], q: float, confidence: float
) -> None:
    estimate = stats.quantile_clustered([x for _, x in rows], [item for item, _ in rows], q, confidence)
    assert is_sound(estimate)


@pytest.mark.long
@searched
@given(counts(most=40), st.sampled_from([0.03, 0.05, 0.1, 0.2]))
def test_more_losses_never_lower_p_and_more_gains_never_raise_it(c: tuple[int, int, int], margin: float) -> None:
    gain, loss, n = c
    p = stats.noninferiority_exact_p(gain, loss, n, margin)
    assert 0 <= p <= 1
    if gain + loss < n:
        assert stats.noninferiority_exact_p(gain, loss + 1, n, margin) >= p - 1e-12
        assert stats.noninferiority_exact_p(gain + 1, loss, n, margin) <= p + 1e-12


@pytest.mark.long
@searched
@given(st.integers(1, 60), st.sampled_from([0.05, 0.1, 0.2]))
def test_more_gains_never_allow_fewer_losses(n: int, margin: float) -> None:
    allowed = [-1 if most is None else most for most in stats.losses_allowed(n, margin, range(n // 2 + 1))]
    assert all(a <= b for a, b in pairwise(allowed))


@searched
@given(counts(), st.tuples(st.floats(0.5, 0.999), st.floats(0.5, 0.999)))
def test_higher_confidence_never_narrows(c: tuple[int, int, int], levels: tuple[float, float]) -> None:
    gain, loss, n = c
    for inner, outer in (
        [stats.rate(gain, n, level) for level in sorted(levels)],
        [stats.paired_rates(gain, loss, n, level) for level in sorted(levels)],
    ):
        assert None not in (inner.low, inner.high, outer.low, outer.high)
        assert (outer.low or 0) <= (inner.low or 0) + 1e-12
        assert (outer.high or 0) >= (inner.high or 0) - 1e-12


@searched
@given(counts(), st.integers(0, 40), CONFIDENCES)
def test_swapping_sides_negates_the_other_differences_too(
    c: tuple[int, int, int], both: int, confidence: float
) -> None:
    gain, loss, n = c
    neither = n - gain - loss
    forward = stats.newcombe_paired(both, gain, loss, neither, confidence)
    assert is_sound(forward)
    assert mirrored(forward, stats.newcombe_paired(both, loss, gain, neither, confidence))
    simple = stats.bonett_price(gain, loss, n, confidence)
    assert is_sound(simple)
    assert mirrored(simple, stats.bonett_price(loss, gain, n, confidence))
    assert stats.mcnemar_exact(gain, loss) == stats.mcnemar_exact(loss, gain)
    assert stats.mcnemar_exact(gain, loss) >= stats.mcnemar_midp(gain, loss) - 1e-12


@searched
@given(columns(st.integers(-5, 5).map(float), st.integers(-5, 5).map(float)), CONFIDENCES)
def test_swapping_sides_negates_the_rank_based_difference_and_keeps_p(
    rows: list[tuple[float, ...]], confidence: float
) -> None:
    x, y = [r[0] for r in rows], [r[1] for r in rows]
    forward, backward = stats.hodges_lehmann(x, y, confidence), stats.hodges_lehmann(y, x, confidence)
    assert is_sound(forward)
    assert mirrored(forward, backward)
    p = stats.wilcoxon_pratt_p(x, y)
    assert p == pytest.approx(stats.wilcoxon_pratt_p(y, x))
    assert p is not None
    assert 0 < p <= 1


@searched
@given(columns(THIRDS, THIRDS, THIRDS, THIRDS), CONFIDENCES)
def test_swapping_sides_negates_the_difference_of_slopes(rows: list[tuple[float, ...]], confidence: float) -> None:
    first, second = [r[:2] for r in rows], [r[2:] for r in rows]
    forward = stats.slope_difference(first, second, [4, 8], confidence)
    assert mirrored(forward, stats.slope_difference(second, first, [4, 8], confidence))


@searched
@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_swapping_sides_keeps_the_p_of_leniency(right_a: int, errors_a: int, right_b: int, errors_b: int) -> None:
    a, b = (errors_a, errors_a + right_a), (errors_b, errors_b + right_b)
    p = stats.leniency_midp(*a, *b)
    assert p == pytest.approx(stats.leniency_midp(*b, *a))
    assert 0 < p <= 1


GRADE = st.sampled_from([1.0, 2.0, 3.0, None])


@searched
@given(st.lists(st.lists(GRADE, min_size=3, max_size=3), max_size=15), CONFIDENCES)
def test_agreement_is_sound_for_any_table(rows: list[list[float | None]], confidence: float) -> None:
    """Rows are items here."""
    ratings = [[row[grader] for row in rows] for grader in range(3)]
    found = [stats.krippendorff_alpha(ratings, level, confidence) for level in ("nominal", "ordinal", "ratio")]
    found += [stats.gwet_ac(ratings, weights, confidence) for weights in ("identity", "quadratic", "ordinal")]
    found += [stats.raw_agreement(ratings, confidence), stats.weighted_kappa(ratings[0], ratings[1], "linear")]
    assert all(is_sound(estimate) for estimate in found)
    assert all(-1 - 1e-9 <= estimate.value <= 1 for estimate in found if estimate.value is not None)


@searched
@given(st.lists(st.tuples(FLAGS, FLAGS), max_size=40), st.lists(FLAGS, max_size=40), st.integers(0, 9))
def test_corrected_rates_are_sound(labels: list[tuple[float, float]], rest: list[float], seed: int) -> None:
    judge, human = [j for j, _ in labels], [h for _, h in labels]
    for estimate in (
        stats.double_sampling(judge + rest, judge, human, seed),
        stats.rogan_gladen(rest, judge, human),
        stats.ppi_mean(rest, judge, human),
        stats.judge_accuracy(judge, human).youden,
    ):
        assert is_sound(estimate)


@searched
@given(st.lists(st.tuples(st.floats(0.01, 100), st.floats(0, 1)), min_size=2, max_size=12))
def test_hull_lies_between_the_cheapest_and_the_best(points: list[tuple[float, float]]) -> None:
    costs, qualities = [c for c, _ in points], [q for _, q in points]
    area = stats.hull_area(costs, qualities)
    if area is not None:
        cheapest = max(q for c, q in points if c == min(costs))
        assert cheapest - 1e-9 <= area <= max(qualities) + 1e-9


@searched
@given(st.lists(st.floats(0, 1), max_size=9))
def test_isotonic_rates_never_rise_and_keep_the_mean(rates: list[float]) -> None:
    fitted = stats.isotonic_rates(rates)
    assert all(a >= b for a, b in pairwise(fitted))
    assert sum(fitted) == pytest.approx(sum(rates), abs=1e-9)


@searched
@given(st.integers(0, 40), st.integers(0, 40))
def test_exact_mcnemar_is_that_of_statsmodels(gain: int, loss: int) -> None:
    assert stats.mcnemar_exact(gain, loss) == pytest.approx(mcnemar([[9, gain], [loss, 9]], exact=True).pvalue)


@searched
@given(st.lists(st.tuples(FLAGS, FLAGS, FLAGS), min_size=2, max_size=20))
def test_cochran_q_is_that_of_statsmodels(rows: list[tuple[float, float, float]]) -> None:
    found = stats.cochran_q([list(column) for column in zip(*rows, strict=True)])
    if found is not None:
        expected = cochrans_q(rows)
        assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue))
