"""The deeper analysis: retries, stability, the worth of items, graders and judges, a run against a baseline."""

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from analysis_builders import (
    HAIKU,
    JUDGE,
    OPUS,
    PASS_OR_FAIL,
    SONNET,
    WEIGHTED,
    Book,
    answered,
    ended,
    failed,
    round_,
    run_of,
    spec,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from evalkit import stats
from evalkit.analysis import Analysis, analyze
from evalkit.analysis.agreements import Agreement
from evalkit.analysis.pair_results import Pair
from evalkit.analysis.reliability import JudgeValidity
from evalkit.analysis.repeats import Retry, retries
from evalkit.analysis.robust import RESAMPLES, item_quality, stability
from evalkit.analysis.views import levels_by_grader, verdicts_of
from evalkit.errors import IntegrityError
from evalkit.records import Snapshot, Usage
from evalkit.rubric import Rubric
from evalkit.stats import Estimate

Z2 = 1.959963984540054**2
OPUS_NEXT = "claude-opus-4-8"


def bounds(estimate: Estimate | None) -> tuple[float | None, float | None, float | None]:
    assert estimate is not None
    return estimate.value, estimate.low, estimate.high


# ---- retries ------------------------------------------------------------------------------------------------------

_ONE_OF_THREE = [[0.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
_CENTS = [[0.01] * 3] * 3


def test_retries_by_hand() -> None:
    """Item 1 is solved in one of three epochs, item 2 always, item 3 never; every try costs one cent."""
    first, second, third = retries(_ONE_OF_THREE, _CENTS)
    assert [r.tries for r in (first, second, third)] == [1, 2, 3]
    assert first.success.value == pytest.approx((1 / 3 + 1 + 0) / 3)
    assert second.success.value == pytest.approx((2 / 3 + 1 + 0) / 3)  # two of three pairs of tries hold the success
    assert third.success.value == pytest.approx((1 + 1 + 0) / 3)
    assert first.cost_usd == pytest.approx(0.01)
    assert second.cost_usd == pytest.approx(0.01 * (5 / 3 + 1 + 2) / 3)
    assert third.cost_usd == pytest.approx(0.01 * (2 + 1 + 3) / 3)
    for retry in (first, second, third):
        assert retry.cost_per_satisfactory is not None
        assert retry.cost_usd is not None
        assert retry.success.value is not None
        assert retry.cost_per_satisfactory.value == pytest.approx(retry.cost_usd / retry.success.value)
        assert retry.success.n == 3


def test_the_first_try_is_the_pass_rate() -> None:
    rows = [[True, True, True]] * 9 + [[True, False, True]] * 4 + [[False, False, False]] * 7
    model = analyze(run_of({OPUS: rows})).models[0]
    assert [r.tries for r in model.retries] == [1, 2, 3]
    assert bounds(model.retries[0].success) == pytest.approx(bounds(model.pass_rate))
    assert bounds(model.retries[0].cost_per_satisfactory) == pytest.approx(bounds(model.cost_per_satisfactory))
    rates = [r.success.value or 0.0 for r in model.retries]
    assert rates == sorted(rates)
    assert bounds(model.retries[2].success) == pytest.approx(bounds(stats.rate(13, 20)))


@pytest.mark.parametrize("tries", [1, 2, 3])
def test_everything_solved_is_no_certainty(tries: int) -> None:
    """Twenty of twenty items leave the doubt of twenty items, however often each was tried."""
    retry = retries([[1.0] * 3] * 20, None)[tries - 1]
    assert bounds(retry.success) == pytest.approx((1.0, 20 / (20 + Z2), 1.0))
    assert (retry.cost_usd, retry.cost_per_satisfactory) == (None, None)


def test_alike_items_are_worth_as_many_as_there_are_sets_of_tries() -> None:
    """Each item solved in one of four epochs: two tries solve half, and four epochs hold two such sets."""
    rate = retries([[1.0, 0.0, 0.0, 0.0]] * 20, None)[1].success
    share, n = 1 / 2, 20 * 2 * Z2 / 2.0930240544082634**2
    centre, half = share + Z2 / (2 * n), math.sqrt(Z2 * (share * (1 - share) / n + Z2 / (4 * n * n)))
    assert bounds(rate) == pytest.approx((share, (centre - half) / (1 + Z2 / n), (centre + half) / (1 + Z2 / n)))


def test_one_item_says_next_to_nothing() -> None:
    retry = retries([[1.0, 0.0, 0.0]], [[0.01, 0.02, 0.03]])[1]
    assert retry.success.value == pytest.approx(2 / 3)
    assert retry.success.low is not None
    assert retry.success.low < 0.2


def test_retry_intervals_cover_what_they_claim() -> None:
    """Items succeed with Beta(4, 1) chances, so that hardly any needs a third try: where a t interval collapses."""
    rng, hits, shown = np.random.default_rng(3), np.zeros(3), 200
    truth = [stats.beta_retry(4, 1, tries)[0] for tries in (1, 2, 3)]
    for _ in range(shown):
        flags = (rng.random((50, 3)) < rng.beta(4, 1, 50)[:, None]).astype(float).tolist()
        for number, retry in enumerate(retries(flags, None)):
            _, low, high = bounds(retry.success)
            assert low is not None
            assert high is not None
            hits[number] += low <= truth[number] <= high
    assert (hits / shown >= 0.92).all()


def test_no_retries_from_one_epoch() -> None:
    assert retries([[1.0], [0.0]], None) == retries([], None) == ()
    assert analyze(run_of({OPUS: [[True]] * 3})).models[0].retries == ()


def test_unpriced_retries_have_a_rate_and_no_money() -> None:
    book = Book(spec(epochs=2))
    for name in "abc":
        book.trial(name, answered(), level=1)
        book.trial(name, answered(None), epoch=2, level=int(name == "a"))
    found = analyze(book.snapshot()).models[0].retries
    assert [(r.success.value, r.cost_usd, r.cost_per_satisfactory) for r in found] == [
        (pytest.approx(4 / 6), None, None),
        (1.0, None, None),
    ]


def test_items_with_fewer_epochs_are_left_out_of_retries() -> None:
    book = Book(spec(epochs=3))
    for epoch in (1, 2, 3):
        book.trial("full", answered(0.01), epoch=epoch, level=int(epoch == 3))
        book.trial("whole", answered(0.01), epoch=epoch, level=1)
    book.trial("short", answered(5.0), level=0)
    book.trial("short", answered(5.0), epoch=2)  # never graded
    model = analyze(book.snapshot()).models[0]
    assert model.items == 3
    assert [r.success.n for r in model.retries] == [2, 2, 2]
    assert [r.success.value for r in model.retries] == pytest.approx([4 / 6, (2 / 3 + 1) / 2, 1.0])
    assert model.retries[2].cost_usd == pytest.approx(0.01 * (2 + 1) / 2)


def test_a_failure_costs_and_is_retried_like_any_other() -> None:
    book = Book(spec(epochs=2))
    book.trial("a", failed(0.02), answered(0.01), level=1)
    book.trial("a", ended("refused", 0.05), epoch=2)
    once, twice = analyze(book.snapshot()).models[0].retries
    assert (once.success.value, twice.success.value) == (0.5, 1.0)
    assert once.cost_usd == pytest.approx((0.03 + 0.05) / 2)
    assert twice.cost_usd == pytest.approx((0.03 + 0.05 + 0.03) / 2)  # success first, or failure and then success


# ---- one model: failures, the clock between tokens, items to clear ------------------------------------------------


def test_failures_are_counted_by_kind() -> None:
    book = Book(spec((OPUS, SONNET)))
    book.trial("a", failed(), replace(failed(), error_type="rate_limit_error"), answered(), level=1)
    book.trial("b", failed(), replace(failed(), error_type=None), answered(), level=1)
    book.trial("c", ended("errored", 0.0, error_type="invalid_request_error"))
    book.trial("a", answered(), model=SONNET, level=1)
    opus, sonnet = analyze(book.snapshot()).models
    assert list(opus.failures.items()) == [
        ("invalid_request_error", 1),
        ("overloaded_error", 2),
        ("rate_limit_error", 1),
        ("unknown", 1),
    ]
    assert sum(opus.failures.values()) == opus.failed_attempts == 5
    assert sonnet.failures == {}


@pytest.mark.parametrize(
    ("changes", "gap_s"),
    [
        pytest.param({}, (3.0 - 0.75) / 99, id="99 gaps after the first of 100 tokens"),
        pytest.param({"usage": Usage(10, 2)}, 2.25, id="two tokens, one gap"),
        pytest.param({"usage": Usage(10, 1)}, None, id="one token has no gap"),
        pytest.param({"usage": Usage(10, None)}, None, id="unknown tokens"),
        pytest.param({"ttft_s": None}, None, id="no first token"),
        pytest.param({"latency_s": None}, None, id="no end"),
        pytest.param({"ttft_s": 3.5}, 0.0, id="clocks that disagree give no negative gap"),
    ],
)
def test_the_clock_between_tokens(changes: Mapping[str, Any], gap_s: float | None) -> None:
    book = Book()
    book.trial("a", replace(answered(latency_s=3.0), **changes), level=1)
    book.trial("b", ended("refused", latency_s=9.0, ttft_s=1.0, usage=Usage(10, 5)))
    clock = analyze(book.snapshot()).models[0].clocks["inter_token"]
    assert clock.values_s == (() if gap_s is None else (pytest.approx(gap_s),))
    assert clock.quantiles["p50"].value == (None if gap_s is None else pytest.approx(gap_s))


@pytest.mark.parametrize(
    ("passed", "items"),
    [(20, math.ceil(Z2 * 0.8 * 0.2 / 0.2**2)), (18, 108), (16, None), (3, None)],
)
def test_items_to_clear_the_bar(passed: int, items: int | None) -> None:
    """16 of 20 are exactly at the bar of 80 %: no number of items would lift the lower limit to it."""
    model = analyze(run_of({OPUS: [[i < passed] for i in range(20)]})).models[0]
    assert model.items_to_clear == items
    if items is not None:
        least = next(k for k in range(items + 1) if stats.rates.wilson_limits(k / items, items, 0.95)[0] >= 0.8)
        assert binom.sf(least - 1, items, passed / 20) >= 0.78, "with a chance of about 80 %"


def test_nothing_graded_clears_nothing() -> None:
    book = Book()
    book.trial("a", answered())
    assert analyze(book.snapshot()).models[0].items_to_clear is None


# ---- pairs --------------------------------------------------------------------------------------------------------


def _wins(gain: int, loss: int, same: int, costs: tuple[float, float] = (0.01, 0.03)) -> Pair:
    """Sonnet (b) wins and loses against Opus (a) on so many items; the rest both pass."""
    opus = [False] * gain + [True] * loss + [True] * same
    sonnet = [True] * gain + [False] * loss + [True] * same
    rows = {OPUS: [[flag] for flag in opus], SONNET: [[flag] for flag in sonnet]}
    return analyze(run_of(rows, dict(zip((OPUS, SONNET), costs, strict=True)))).pairs[0]


@pytest.mark.parametrize(("gain", "loss", "items"), [(5, 2, 120), (2, 5, 120), (4, 4, None)])
def test_items_to_separate(gain: int, loss: int, items: int | None) -> None:
    assert _wins(gain, loss, 20 - gain - loss).items_to_separate == items


def test_items_that_separate_several_pairs_do_so_beside_one_another() -> None:
    """A pair is held to what Holm leaves it, or four sets of five would be one of two (six models, 15 pairs)."""
    rng = np.random.default_rng(3)
    rates = (0.92, 0.88, 0.84, 0.78, 0.74, 0.70)
    base = rng.random(60)
    rows = {f"m-{k}": [[bool(0.6 * u + 0.4 * rng.random() < rate)] for u in base] for k, rate in enumerate(rates)}
    pairs = analyze(run_of(rows)).pairs
    flags = np.array([[one for (one,) in row] for row in rows.values()])
    ranked = sorted(pairs, key=lambda pair: pair.p_value or 0.0)
    for place, pair in enumerate(ranked):
        if pair.gain != pair.loss and (place == 0 or (ranked[place - 1].p_value or 0) < (pair.p_value or 0)):
            level = 1 - 0.05 / (len(pairs) - place)
            assert pair.items_to_separate == stats.items_to_separate(pair.gain, pair.loss, 60, level)
    (first, second), pair = next(
        ((int(p.a[-1]), int(p.b[-1])), p) for p in ranked if (p.p_holm or 0) > 0.2 and (p.p_value or 1) < 0.2
    )
    shown = 0
    for _ in range(300):
        drawn = flags[:, rng.integers(0, 60, pair.items_to_separate)]
        found = {}
        for a, b in itertools.combinations(range(len(rates)), 2):
            gain, loss = int((drawn[b] & ~drawn[a]).sum()), int((drawn[a] & ~drawn[b]).sum())
            found[a, b] = stats.mcnemar_midp(gain, loss)
        shown += dict(zip(found, stats.holm(list(found.values())), strict=True))[first, second] <= 0.05
    assert shown / 300 >= 0.72


def test_break_even_is_extra_cost_over_gain_with_limits_from_both() -> None:
    pair = _wins(9, 0, 11)
    extra = 0.02 * (1 + 0.2 + 0.02)  # costs of hand-made runs vary by item, on average by these parts
    value, low, high = bounds(pair.difference)
    assert value == 9 / 20
    assert low is not None
    assert high is not None
    assert low > 0
    assert pair.break_even.value == pytest.approx(extra / (9 / 20))
    # costs hardly vary here, so the limits are a little outside those that the gain alone gives
    assert pair.break_even.low == pytest.approx(extra / high, rel=0.01)
    assert pair.break_even.high == pytest.approx(extra / low, rel=0.01)
    assert pair.break_even.low < extra / high
    assert pair.break_even.high > extra / low
    assert pair.break_even.n == 20


def test_break_even_without_a_shown_gain_has_no_upper_limit() -> None:
    pair = _wins(3, 1, 16)
    assert pair.break_even.value == pytest.approx(0.02 * 1.22 / (2 / 20))
    assert pair.break_even.low is not None
    assert pair.break_even.high is None


@pytest.mark.parametrize(
    ("pair", "why"), [((0, 8, 12), "one of the two is never overtaken"), ((4, 4, 12), "no proven case")]
)
def test_no_break_even_where_the_cheaper_is_as_good(pair: tuple[int, int, int], why: str) -> None:
    found = _wins(*pair).break_even
    assert found.value is None
    assert (found.reason or "").startswith(why)


# ---- stability ----------------------------------------------------------------------------------------------------


def _shares(analysis: Analysis) -> tuple[dict[str, float | None], float | None]:
    assert analysis.stability is not None
    return dict(analysis.stability.shares), analysis.stability.none


def test_stability_sums_to_one() -> None:
    rows = {m: [[(i + k) % 9 != 0] for i in range(60)] for k, m in enumerate((OPUS, SONNET, HAIKU))}
    analysis = analyze(run_of(rows, {OPUS: 0.03, SONNET: 0.0101, HAIKU: 0.01}))
    shares, none = _shares(analysis)
    assert none is not None
    assert 0 < none < 1
    assert math.fsum([none, *(share for share in shares.values() if share is not None)]) == pytest.approx(1.0)
    assert set(shares) == {OPUS, SONNET, HAIKU}
    assert analysis.stability is not None
    assert (analysis.stability.items, analysis.stability.resamples) == (60, RESAMPLES)


def test_of_identical_models_the_first_takes_what_clears() -> None:
    rows = [[i % 10 != 0] for i in range(60)]
    shares, none = _shares(analyze(run_of({OPUS: rows, SONNET: rows}, {OPUS: 0.01, SONNET: 0.01})))
    assert none is not None
    assert shares == {OPUS: pytest.approx(1 - none), SONNET: 0.0}


def test_a_cheaper_identical_model_wins_whatever_its_place() -> None:
    rows = [[True]] * 60
    assert _shares(analyze(run_of({OPUS: rows, SONNET: rows}, {OPUS: 0.02, SONNET: 0.01}))) == (
        {OPUS: 0.0, SONNET: 1.0},
        0.0,
    )


def test_stability_follows_the_declared_seed_and_bar() -> None:
    rows = {OPUS: [[i % 9 != 0] for i in range(60)], SONNET: [[i % 7 != 0] for i in range(60)]}
    snapshot = run_of(rows)
    assert analyze(snapshot).stability == analyze(snapshot).stability
    other = replace(snapshot, spec=replace(snapshot.spec, seed=8))
    assert analyze(other).stability != analyze(snapshot).stability
    strict = replace(snapshot, spec=replace(snapshot.spec, rubric={**PASS_OR_FAIL, "decision": {"bar": 0.99}}))
    assert _shares(analyze(strict)) == ({OPUS: 0.0, SONNET: 0.0}, 1.0)


def test_no_stability_without_every_price() -> None:
    book = Book(spec((OPUS, SONNET)))
    for name in "abcdef":
        book.trial(name, answered(), level=1)
        book.trial(name, answered(None if name == "a" else 0.01), model=SONNET, level=1)
    analysis = analyze(book.snapshot())
    assert _shares(analysis) == ({OPUS: None, SONNET: None}, None)
    assert analysis.stability is not None
    assert (analysis.stability.items, analysis.stability.resamples) == (0, 0)


def test_items_without_a_verdict_for_one_model_are_left_out_of_stability() -> None:
    book = Book(spec((OPUS, SONNET)))
    for i in range(40):
        book.trial(f"i{i:02d}", answered(0.01), level=1)
        book.trial(f"i{i:02d}", answered(0.02), model=SONNET, level=1 if i < 30 else None)
    analysis = analyze(book.snapshot())
    assert analysis.stability is not None
    assert analysis.stability.items == 30
    assert _shares(analysis) == ({OPUS: 1.0, SONNET: 0.0}, 0.0)


def test_no_common_item_and_no_model_have_no_stability() -> None:
    book = Book(spec((OPUS, SONNET)))
    book.trial("a", answered(), level=1)
    book.trial("b", answered(), model=SONNET, level=1)
    assert _shares(analyze(book.snapshot())) == ({OPUS: None, SONNET: None}, None)
    assert stability({}, 0.8, 7).shares == {}


# ---- the worth of items -------------------------------------------------------------------------------------------


def test_items_are_sorted_by_what_they_tell() -> None:
    """Ten cells: items always and never passed, items that good cells pass, and one that only bad cells pass."""
    good = [True] * 3 + [False] * 2
    rows = {
        OPUS: [[True] * 5, [False] * 5, good, good, good, [not flag for flag in good]],
        SONNET: [[True] * 5, [False] * 5, good[::-1], good[::-1], good[::-1], [not flag for flag in good[::-1]]],
    }
    found = analyze(run_of(rows)).item_quality
    assert found is not None
    assert (found.ceiling, found.floor, found.discriminating) == pytest.approx((1 / 6, 1 / 6, 4 / 6))
    assert found.discriminating_ids == ("item-002", "item-003", "item-004", "item-005")
    assert found.floor_ids == ("item-001",)
    assert found.doubtful_ids == ("item-005",)
    assert found.warnings == ()


def test_an_item_is_held_against_the_others_alone() -> None:
    """Correlations from sums are those with the item taken out of the table, gaps and all."""
    rng = np.random.default_rng(4)
    table = (rng.random((6, 15)) < 0.6).astype(float)
    table[rng.random(table.shape) < 0.2] = np.nan
    for item, found in enumerate(stats.item_quality(table).item_rest):
        rest = np.nanmean(np.delete(table, item, axis=0), axis=0)
        there = ~np.isnan(table[item])
        assert found == pytest.approx(float(np.corrcoef(table[item, there], rest[there])[0, 1]))


def test_items_by_few_cells_are_not_called_doubtful() -> None:
    found = analyze(run_of({OPUS: [[True, False]] * 3 + [[False, True]]})).item_quality
    assert found is not None
    assert found.doubtful_ids == ()
    assert any("too few outputs of each item" in warning for warning in found.warnings)


def test_unrated_items_have_no_worth() -> None:
    book = Book()
    for name in "abc":
        book.trial(name, answered())
    found = analyze(book.snapshot()).item_quality
    assert found is not None
    assert (found.ceiling, found.floor, found.discriminating) == (None, None, None)
    assert found.discriminating_ids == found.floor_ids == found.doubtful_ids == ()
    book.grade(2, 0)
    partly = analyze(book.snapshot()).item_quality
    assert partly is not None
    assert (partly.floor, partly.floor_ids) == (1.0, ("b",))
    book.trial("b", answered(), epoch=2)
    waiting = analyze(book.snapshot()).item_quality
    assert waiting is not None
    assert (waiting.floor, waiting.floor_ids) == (None, ()), "an output of which the verdict is open may pass"


def test_no_trial_has_no_worth() -> None:
    empty = item_quality({}, [])
    assert (empty.ceiling, empty.discriminating_ids, empty.warnings) == (None, (), ())


# ---- agreement ----------------------------------------------------------------------------------------------------

ANN, BOB, CY = "ann", "bob", "cy"


def _graded(columns: Mapping[str, Sequence[int | None]], rubric: Mapping[str, Any] = PASS_OR_FAIL) -> Book:
    """One output an item; each grader's levels on "right" (None: not graded)."""
    book = Book(spec(rubric=rubric))
    for i in range(max(map(len, columns.values()))):
        trial = book.trial(f"i{i:02d}", answered())
        for grader, levels in columns.items():
            if (level := levels[i]) is not None:
                book.grade(trial, level, grader=grader)
    return book


def _agreement(book: Book, criterion: str = "right") -> Agreement:
    return next(a for a in analyze(book.snapshot()).agreement if a.criterion == criterion)


_ANN: list[int | None] = [1, 1, 0, 1, 0, 1, 1, 0, 1, 1]
_BOB: list[int | None] = [1, 1, 0, 1, 1, 1, 0, 0, 1, None]


def test_two_people() -> None:
    """Nine common outputs, of which they agree on seven."""
    found = _agreement(_graded({ANN: _ANN, BOB: _BOB}))
    assert (found.graders, found.outputs) == ((ANN, BOB), 9)
    assert found.raw.value == pytest.approx(7 / 9)
    # 18 values, 12 of them 1 and 6 of them 0, and two outputs on which they differ
    assert found.alpha.value == pytest.approx(1 - (18 - 1) * 2 / (12 * 6))
    assert found.severity[ANN].value == pytest.approx(0.0)
    assert found.severity[BOB].value == pytest.approx(0.0)
    assert found.flag.colour == "red"
    assert found.deviating == {}
    verdict = _agreement(_graded({ANN: _ANN, BOB: _BOB}), "satisfactory")
    assert verdict.raw == found.raw
    assert verdict.alpha.value == pytest.approx(found.alpha.value)


def test_a_criterion_of_two_levels_is_as_reliable_as_the_verdict_that_is_made_of_it() -> None:
    """The same grades, of which nearly all are passes: alpha measures that in both."""
    book = _graded({ANN: [0] + [1] * 39, BOB: [1, 0] + [1] * 38})
    found, verdict = _agreement(book), _agreement(book, "satisfactory")
    assert (found.alpha.value, found.ac.value) == pytest.approx((verdict.alpha.value, verdict.ac.value))
    assert found.flag == verdict.flag
    assert "prevalence effect: 98% pass" in found.flag.reasons[0]
    assert found.flag.colour == "amber"


def test_people_and_judge_are_all_graders() -> None:
    table: list[Sequence[int | None]] = [_ANN, _BOB, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]]
    found = _agreement(_graded(dict(zip((ANN, BOB, JUDGE), table, strict=True))))
    assert found.graders == (ANN, BOB, JUDGE)
    assert found.outputs == 10
    assert found.alpha == stats.krippendorff_alpha(table, "ordinal")
    assert found.ac == stats.gwet_ac(table, "quadratic")
    assert list(found.severity.values()) == stats.grader_severity(table)
    assert (found.severity[JUDGE].value or 0) > 0


def test_one_grader_has_nobody_to_agree_with() -> None:
    assert analyze(_graded({JUDGE: _ANN}).snapshot()).agreement == ()
    assert analyze(Book().snapshot()).agreement == ()


_CHECKED: Mapping[str, Any] = {
    **PASS_OR_FAIL,
    "criteria": [
        *PASS_OR_FAIL["criteria"],
        {"id": "short", "question": "Short?", "kind": "check", "check": {"type": "regex", "pattern": "."}},
    ],
}


def _checked(*graders: str) -> Book:
    """Four outputs that every grader finds right; the check passes all but the last."""
    book = _graded({grader: [1, 1, 1, 1] for grader in graders}, _CHECKED)
    for trial in range(1, 5):
        book.grade(trial, int(trial != 4), grader="checks", criterion="short")
    return book


def test_checks_are_never_graders() -> None:
    assert analyze(_checked(ANN).snapshot()).agreement == ()
    found = analyze(_checked(ANN, BOB).snapshot()).agreement
    assert [(a.criterion, a.graders) for a in found] == [("right", (ANN, BOB)), ("satisfactory", (ANN, BOB))]


def test_what_the_checks_found_stands_beside_each_verdict() -> None:
    book = _checked(ANN)
    rubric = Rubric.model_validate_json(json.dumps(_CHECKED))
    levels = levels_by_grader(book.snapshot())
    assert verdicts_of(levels, ANN, rubric) == {1: True, 2: True, 3: True}  # nobody's word decides the last
    assert verdicts_of(levels, "nobody", rubric) == {}
    del levels["checks"][1]
    assert verdicts_of(levels, ANN, rubric) == {2: True, 3: True}  # the first cannot be said any more


def test_a_later_grade_of_the_same_grader_wins() -> None:
    book = _graded({ANN: [0, 1], BOB: [1, 1]})
    book.grade(1, 1, grader=ANN)
    assert _agreement(book).raw.value == 1.0
    book.rounds.append(round_(2))
    book.grade(1, 0, grader=ANN, round_id=2)
    assert _agreement(book).raw.value == 0.5
    book.grade(1, None, grader=ANN, round_id=2)  # an unreadable one says nothing new
    assert _agreement(book).raw.value == 0.5


def test_rounds_that_were_not_blind_are_left_out() -> None:
    book = _graded({ANN: [0, 1]})
    book.rounds.append(round_(2, blind=False))
    for trial in (1, 2):
        book.grade(trial, 1, grader=BOB, round_id=2)
    assert analyze(book.snapshot()).agreement == ()
    book.rounds[1] = round_(2)
    assert _agreement(book).graders == (ANN, BOB)


def test_a_grader_against_all_others_is_named_with_every_reason() -> None:
    """Cy is right where the others are wrong, and lenient beside: nothing of it may be lost."""
    same = [1, 0] * 15
    cy = [1 - level if i % 10 else 1 for i, level in enumerate(same)]
    crowd = _agreement(_graded({ANN: same, BOB: same, CY: cy}))
    assert set(crowd.deviating) == {CY}
    assert crowd.deviating[CY].startswith("AC1 with the others' majority is -")
    lenient = _agreement(_graded({ANN: [0, 0, 0, 1] * 8, BOB: [0, 0, 0, 1] * 8, CY: [1] * 32}))
    ac, severity = lenient.deviating[CY].split("; ")
    assert ac.startswith("AC1 with the others' majority is -")
    assert severity.startswith("severity +0.50")
    assert lenient.deviating.keys() >= {CY}


def test_agreement_is_told_by_criterion() -> None:
    book = Book(spec(rubric=WEIGHTED))
    for i, (level, kindness) in enumerate([(0, 1), (1, 3), (2, 5), (2, 3)]):
        trial = book.trial(f"i{i}", answered())
        for grader in (ANN, BOB):
            book.grade(trial, level, grader=grader)
            book.grade(trial, kindness if grader == ANN else 5, grader=grader, criterion="tone")
    right, tone, verdict = analyze(book.snapshot()).agreement
    assert (right.criterion, tone.criterion, verdict.criterion) == ("right", "tone", "satisfactory")
    assert (right.alpha.value, tone.raw.value) == (1.0, 0.25)
    assert tone.severity[BOB].value == pytest.approx(1.0)  # 4, 2, 0 and 2 above Ann: half of the mean of 2


def test_nothing_in_common_is_said() -> None:
    found = _agreement(_graded({ANN: [1, None], BOB: [None, 1]}))
    assert (found.outputs, found.alpha.value, found.flag.colour) == (0, None, "amber")
    assert _agreement(_graded({ANN: [None, None], BOB: [1, 1], CY: [1, 1]})).alpha.value is None


# ---- judges against people ----------------------------------------------------------------------------------------


def _validity(book: Book) -> JudgeValidity:
    (found,) = analyze(book.snapshot()).judges
    return found


_HUMAN = [1] * 8 + [0] * 4
_JUDGED = [1, 1, 1, 1, 1, 1, 0, 0, 1, 0, 0, 0]
"""Of the eight that people pass the judge passes six; of the four that they fail it fails three."""


def test_judge_accuracy_by_hand() -> None:
    found = _validity(_graded({JUDGE: _JUDGED, ANN: _HUMAN}))
    assert (found.judge, found.outputs) == (JUDGE.removeprefix("judge "), 12)
    assert found.accuracy.sensitivity.value == 6 / 8
    assert found.accuracy.specificity.value == 3 / 4
    assert found.accuracy.youden.value == pytest.approx(6 / 8 + 3 / 4 - 1)
    assert bounds(found.accuracy.sensitivity) == bounds(stats.rate(6, 8))
    assert found.leniency_p == ()


def test_the_corrected_rate_is_double_sampling() -> None:
    more = [1, 1, 0, 1, 0, 1]
    found = _validity(_graded({JUDGE: [*_JUDGED, *more], ANN: [*_HUMAN, *([None] * len(more))]}))
    corrected = stats.double_sampling([*_JUDGED, *more], _JUDGED, _HUMAN, seed=7)
    assert found.outputs == 12
    assert found.corrected == {OPUS: corrected}
    assert found.worth_labels == {OPUS: stats.worth_extra_labels(stats.rate(8, 12), corrected)}


def test_the_corrected_rate_bears_the_failures_as_the_reported_one_does() -> None:
    book = _graded({JUDGE: _JUDGED, ANN: _HUMAN})
    for place in range(3):
        book.trial(f"refused-{place}", ended("refused"))
    found = _validity(book).corrected[OPUS]
    outputs = stats.double_sampling(_JUDGED, _JUDGED, _HUMAN, seed=7)
    assert found.value == pytest.approx(8 / 12 * 12 / 15)
    assert found.low is not None
    assert outputs.low is not None
    assert found.low < outputs.low * 12 / 15 + 0.02


@pytest.mark.parametrize(("missed", "warns"), [(0, False), (4, True)])
def test_a_bar_that_the_judge_alone_shows_is_said(missed: int, warns: bool) -> None:
    """The judge passes 216 of 240; of 60 that people graded too it passed `missed` that people fail."""
    judged = [1] * 216 + [0] * 24
    people = [0] * missed + [1] * (48 - missed) + [None] * 168 + [0] * 12 + [None] * 12
    analysis = analyze(_graded({JUDGE: judged, ANN: people}).snapshot())
    told = [text for text in analysis.warnings if text.startswith("Corrected for")]
    assert analysis.decision.verdict == "pick"
    assert [("Opus 4.6 is at 82% (" in text, "not show that it clears the 80% bar" in text) for text in told] == (
        [(True, True)] if warns else []
    )


def test_where_people_are_split_the_rubrics_rule_decides() -> None:
    people: dict[str, list[int | None]] = {ANN: [1, 1, 0, 0], BOB: [1, 0, 0, 1], CY: [None, None, None, 1]}
    found = _validity(_graded({JUDGE: [1, 1, 0, 1], **people}))
    assert found.outputs == 4  # the lower median: the second one is not passed, on the fourth two of three decide
    assert (found.accuracy.sensitivity.value, found.accuracy.specificity.value) == (1.0, 0.5)


def test_a_person_is_a_person_whatever_the_name() -> None:
    found = _validity(_graded({JUDGE: [1, 0], "head judge ann": [1, 1]}))
    assert found.outputs == 2


def test_judges_are_told_apart_and_not_counted_as_people() -> None:
    graders = {JUDGE: _JUDGED, "judge other": _HUMAN, ANN: _HUMAN}
    found = {v.judge: v.accuracy.youden.value for v in analyze(_graded(graders).snapshot()).judges}
    assert found == {JUDGE.removeprefix("judge "): pytest.approx(0.5), "other": 1.0, "panel of 2": pytest.approx(0.75)}


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({JUDGE: [1, 0]}, id="no person"),
        pytest.param({ANN: [1, 0]}, id="no judge"),
        pytest.param({JUDGE: [1, None], ANN: [None, 1]}, id="nothing in common"),
        pytest.param({JUDGE: [1, 0], "judge other": [1, 0]}, id="judges alone"),
    ],
)
def test_judges_that_nobody_can_vouch_for(columns: Mapping[str, Sequence[int | None]]) -> None:
    assert analyze(_graded(columns).snapshot()).judges == ()


def test_leniency_compares_the_errors_on_two_models() -> None:
    """The judge errs on six of ten outputs of Sonnet and on none of Opus; Haiku's nobody labelled."""
    book = Book(spec((OPUS, SONNET, HAIKU)))
    for i in range(10):
        for model, said in ((OPUS, 1), (SONNET, int(i < 4)), (HAIKU, 1)):
            trial = book.trial(f"i{i}", answered(), model=model, level=said)
            if model != HAIKU:
                book.grade(trial, 1, grader=ANN)
    found = _validity(book)
    names = sorted((OPUS, SONNET, HAIKU))
    leniency = {(one.a, one.b): one.p_value for one in found.leniency_p}
    assert list(leniency) == [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    # of C(20, 10) ways to place ten outputs, the six errors all on one side: both tails, less half of what was seen
    chance = math.comb(14, 10) / math.comb(20, 10)
    assert leniency[OPUS, SONNET] == pytest.approx(2 * chance - chance / 2)
    assert leniency[HAIKU, SONNET] == leniency[HAIKU, OPUS] == 1.0
    told = {(one.a, one.b): (one.p_passed, one.p_failed, one.p_holm) for one in found.leniency_p}
    p = leniency[OPUS, SONNET]  # people fail nothing, so two tests of one pair are all that can be made
    assert told[OPUS, SONNET] == pytest.approx((p, None, 2 * p))
    assert told[HAIKU, SONNET] == told[HAIKU, OPUS] == (None, None, None)
    assert (found.corrected[HAIKU].value, found.corrected[HAIKU].reason) == (None, "no labels")
    assert found.worth_labels[HAIKU] is None
    assert found.outputs == 20


def test_errors_of_opposite_kinds_do_not_make_up_for_each_other() -> None:
    """The judge passes all of Opus's outputs, and fails good ones of Sonnet as often as it passes bad ones of Opus."""
    book = Book(spec((OPUS, SONNET, HAIKU)))
    for i in range(40):
        good = i % 2
        for model, said in ((OPUS, 1), (SONNET, 0), (HAIKU, good)):
            book.grade(book.trial(f"i{i}", answered(), model=model, level=said), good, grader=ANN)
    of_pair = {(one.a, one.b): one for one in _validity(book).leniency_p}
    one = of_pair[OPUS, SONNET] if (OPUS, SONNET) in of_pair else of_pair[SONNET, OPUS]
    assert one.p_value > 0.8  # twenty errors each
    assert one.p_passed == one.p_failed == pytest.approx(stats.leniency_midp(0, 20, 20, 20))
    assert one.p_holm is not None
    assert one.p_holm < 1e-8
    every = [p for pair in of_pair.values() for p in (pair.p_value, pair.p_passed, pair.p_failed) if p is not None]
    assert len(every) == 9
    assert one.p_holm == pytest.approx(min(stats.holm(every)))


# ---- against a baseline -------------------------------------------------------------------------------------------

_BETTER = [[i % 8 != 0] for i in range(24)]
_WORSE = [[i % 3 != 0] for i in range(24)]


def test_the_same_id_is_compared_with_itself() -> None:
    run, base = run_of({OPUS: _BETTER, SONNET: _WORSE}), run_of({SONNET: _WORSE, OPUS: _WORSE})
    found = analyze(run, base).against
    assert [(pair.a, pair.b, pair.items) for pair in found] == [(OPUS, OPUS, 24), (SONNET, SONNET, 24)]
    gain = sum(b[0] and not a[0] for a, b in zip(_WORSE, _BETTER, strict=True))
    loss = sum(a[0] and not b[0] for a, b in zip(_WORSE, _BETTER, strict=True))
    assert (found[0].gain, found[0].loss) == (gain, loss)
    assert found[0].p_value == stats.mcnemar_midp(gain, loss)
    assert found[0].p_holm == pytest.approx(min(1.0, 2 * stats.mcnemar_midp(gain, loss)))
    assert (found[1].difference.value, found[1].p_value) == (0.0, 1.0)
    assert analyze(run).against == ()


def test_another_version_is_compared_within_its_tier() -> None:
    base = run_of({HAIKU: _WORSE, OPUS: _WORSE})
    (pair,) = analyze(run_of({OPUS_NEXT: _BETTER}), base).against
    assert (pair.a, pair.b) == (OPUS, OPUS_NEXT)
    both = analyze(run_of({OPUS_NEXT: _BETTER}), run_of({OPUS: _WORSE, OPUS_NEXT: _BETTER})).against
    assert [(p.a, p.b) for p in both] == [(OPUS_NEXT, OPUS_NEXT)]  # the same id before the same tier


def test_a_model_is_compared_with_itself_by_another_id_before_its_tier() -> None:
    """A run that named an alias, or asked another provider, had the very same model."""
    alias, newer = "claude-haiku-4-5", "claude-haiku-5-5"
    for other in (alias, "bedrock:us.anthropic.claude-haiku-4-5-20251001-v1:0"):
        (pair,) = analyze(run_of({HAIKU: _BETTER}), run_of({newer: _WORSE, other: _BETTER})).against
        assert (pair.a, pair.b) == (other, HAIKU)


@pytest.mark.parametrize("model", [SONNET, "some-model"])
def test_models_without_a_counterpart_are_passed_over(model: str) -> None:
    assert analyze(run_of({model: _BETTER}), run_of({OPUS: _WORSE})).against == ()


@pytest.mark.parametrize(
    ("changes", "word"), [({"dataset_sha256": "x"}, "dataset"), ({"rubric_sha256": "x"}, "rubric")]
)
def test_a_baseline_of_something_else_is_refused(changes: Mapping[str, Any], word: str) -> None:
    base = run_of({OPUS: _WORSE})
    other = replace(base, spec=replace(base.spec, **changes))
    with pytest.raises(IntegrityError, match=f"another {word} .*compare runs of the same one"):
        analyze(run_of({OPUS: _BETTER}), other)


@st.composite
def two_runs(draw: st.DrawFn) -> tuple[Snapshot, Snapshot]:
    """Two runs of the same items, with one to three models and one or two epochs each."""
    models = (OPUS, SONNET, HAIKU)[: draw(st.integers(1, 3))]
    items = draw(st.integers(1, 8))

    def rows() -> list[list[bool]]:
        epochs = draw(st.integers(1, 2))
        return [[draw(st.booleans()) for _ in range(epochs)] for _ in range(items)]

    first, second = ({model: rows() for model in models} for _ in range(2))
    return run_of(first, {OPUS: 0.03}), run_of(second, {SONNET: 0.02})


@pytest.mark.long
@settings(max_examples=10)
@given(two_runs())
def test_swapping_run_and_baseline_negates_differences_and_keeps_p(runs: tuple[Snapshot, Snapshot]) -> None:
    run, base = runs
    there, back = analyze(run, base).against, analyze(base, run).against
    assert len(there) == len(back) == len(run.spec.models)
    for pair, other in zip(there, back, strict=True):
        assert (pair.a, pair.b) == (other.b, other.a)
        assert (pair.gain, pair.loss, pair.items) == pytest.approx((other.loss, other.gain, other.items))
        value, low, high = bounds(other.difference)
        assert value is not None
        assert low is not None
        assert high is not None
        assert bounds(pair.difference) == pytest.approx((-value, -high, -low), abs=1e-6)
        assert (pair.p_value, pair.p_holm) == pytest.approx((other.p_value, other.p_holm))
        assert pair.items_to_separate == other.items_to_separate
        assert pair.break_even.value == pytest.approx(other.break_even.value)


def test_retry_is_a_plain_record() -> None:
    retry = retries(_ONE_OF_THREE, None)[0]
    assert retry == Retry(1, retry.success, None, None)


def test_a_slice_has_the_figures_that_its_items_alone_would_have() -> None:
    """Costs and scores of a part are those of a run of that part."""
    book, alone = Book(spec((OPUS,), WEIGHTED)), Book(spec((OPUS,), WEIGHTED))
    for number in range(20):
        hard = number < 6
        level = {"right": number % 3, "tone": 5}
        for one in (book, *([alone] if hard else [])):
            one.item(f"i{number:02d}", difficulty="hard" if hard else "easy")
            one.trial(f"i{number:02d}", answered(0.01 * (number + 1)), levels=level)
    whole, part = analyze(book.snapshot()), analyze(alone.snapshot()).models[0]
    (hard_slice,) = (s for s in whole.slices if (s.kind, s.name) == ("difficulty", "hard"))
    assert hard_slice.items == 6
    assert hard_slice.pass_rate[OPUS] == part.pass_rate
    assert hard_slice.score[OPUS] == part.score
    assert hard_slice.cost_per_satisfactory[OPUS] == part.cost_per_satisfactory
    assert hard_slice.human_fix[OPUS] == part.human_fix


def test_repeats_sharpen_neither_agreement_nor_the_judge_on_people() -> None:
    """Twenty items of five equal epochs, graded by two people and a judge, tell what one epoch of each tells."""

    def graded(epochs: int) -> Any:
        book = Book(spec((OPUS, SONNET), epochs=epochs))
        for i, model, epoch in itertools.product(range(20), (OPUS, SONNET), range(1, epochs + 1)):
            trial = book.trial(f"i{i}", answered(), model=model, epoch=epoch, level=int(i % 5 > 0))
            for grader, level in ((ANN, int(i % 4 > 0)), (BOB, int(i % 4 > 0 and (i != 7 or model == OPUS)))):
                book.grade(trial, level, grader=grader)
        return analyze(book.snapshot())

    once, five = graded(1), graded(5)
    for a, b in zip(once.agreement, five.agreement, strict=True):
        assert (b.ac.low, b.ac.high, b.raw.low) == pytest.approx((a.ac.low, a.ac.high, a.raw.low))
        assert (b.alpha.low, b.alpha.high) == pytest.approx((a.alpha.low, a.alpha.high), abs=0.02)
        assert (a.outputs, b.outputs) == (40, 200)
    (a,), (b,) = once.judges, five.judges
    assert [one.p_value for one in b.leniency_p] == pytest.approx([one.p_value for one in a.leniency_p])
    assert (b.corrected[OPUS].low, b.corrected[OPUS].high) == pytest.approx(
        (a.corrected[OPUS].low, a.corrected[OPUS].high)
    )
    assert (b.accuracy.youden.low, b.accuracy.youden.high) == pytest.approx(
        (a.accuracy.youden.low, a.accuracy.youden.high)
    )


@pytest.mark.parametrize("kind", ["timeout", "timeout_error", "modelTimeoutException", "overloaded_error"])
def test_calls_that_timed_out_stay_in_the_clocks(kind: str) -> None:
    """Ten answers of one to ten seconds, and ten calls given up after thirty: the median is not five and a half."""
    book = Book()
    for i in range(10):
        book.trial(f"a{i}", answered(latency_s=float(i + 1)), level=1)
        book.trial(
            f"b{i}", replace(failed(latency_s=30.0, felt_s=65.0, ttft_s=0.5 if i < 4 else None), error_type=kind)
        )
    clocks = analyze(book.snapshot()).models[0].clocks
    if kind == "overloaded_error":
        assert clocks["total"].quantiles["p50"].value is not None
        assert clocks["total"].censored_s == ()
        return
    assert (clocks["total"].censored_s, clocks["felt"].censored_s) == ((30.0,) * 10, (65.0,) * 10)
    assert len(clocks["ttft"].censored_s) == 6
    assert len(clocks["ttft"].values_s) == 14
    assert clocks["inter_token"].censored_s == ()
    p50, p90 = (clocks["total"].quantiles[name] for name in ("p50", "p90"))
    assert (p50.value, p90.value) == (None, None)
    assert p50.n == 20
    assert p90.reason is not None
    assert "at least 30" in p90.reason
