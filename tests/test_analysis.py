"""The analysis: denominators, money, doubt and the decision, from snapshots made by hand."""

import csv
import io
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

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
    lost,
    round_,
    run_of,
    spec,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit import stats
from evalkit.analysis import Analysis, analyze, per_model
from evalkit.analysis.counting_round import current_round
from evalkit.analysis.decide import decide
from evalkit.analysis.pair_results import Pair
from evalkit.analysis.results import Counts, ModelResult
from evalkit.analysis.trials_table import trials_csv, trials_table
from evalkit.blocks import Definitions
from evalkit.cut_streams import CutStreams
from evalkit.grading_records import WITHDRAWN
from evalkit.records import Attempt, PromptSize, Snapshot, Usage
from evalkit.report import build_report
from evalkit.stats import Estimate
from evalkit.stats.means import T_ON_ITEMS

Z = 1.959963984540054
"""The normal quantile for 95 %, two-sided."""
T19 = 2.0930240544082634
"""Student's t quantile for 95 %, two-sided, 19 degrees of freedom."""


def one(book: Book, **changes: Any) -> ModelResult:
    """The result of the only model of a book."""
    return analyze(book.snapshot(**changes)).models[0]


def bounds(estimate: Estimate) -> tuple[float | None, float | None, float | None]:
    return estimate.value, estimate.low, estimate.high


def warned(analysis: Analysis, *words: str) -> bool:
    """Whether one warning holds all the words."""
    return any(all(word in warning for word in words) for warning in analysis.warnings)


def wilson(share: float, n: float) -> tuple[float, float]:
    """Wilson's limits, written out."""
    centre, half = share + Z * Z / (2 * n), Z * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return (centre - half) / (1 + Z * Z / n), (centre + half) / (1 + Z * Z / n)


def tango(gain: int, loss: int, n: int, difference: float) -> float:
    """Tango's score statistic at a supposed difference, written out."""
    a, b = 2 * n, -gain - loss + (2 * n - gain + loss) * difference
    q = (math.sqrt(b * b - 4 * a * -loss * difference * (1 - difference)) - b) / (2 * a)
    return (gain - loss - n * difference) / math.sqrt(n * (2 * q + difference * (1 - difference)))


# ---- twenty items, by hand ------------------------------------------------------------------------------------

_OPUS_FAILS = {1, 2}
_SONNET_FAILS = {2, 3, 4, 5, 6, 7, 8, 9}


def _twenty() -> Snapshot:
    """Opus costs 4 and 2 cents in turn and misses items 1 and 2; Sonnet costs 1 cent, misses 2 to 9; Haiku none."""
    book = Book(spec((OPUS, SONNET, HAIKU)))
    for i in range(1, 21):
        opus_usd = 0.04 if i % 2 else 0.02
        seconds = float(i)
        hard = "hard" if i <= 10 else "easy"
        book.item(f"i{i:02d}", difficulty=hard, tags=("even",) if i % 2 == 0 else ("first",) if i < 8 else ())
        book.trial(f"i{i:02d}", answered(opus_usd, seconds), level=int(i not in _OPUS_FAILS))
        book.trial(f"i{i:02d}", answered(0.01, seconds), model=SONNET, level=int(i not in _SONNET_FAILS))
        book.trial(f"i{i:02d}", answered(0.002, seconds), model=HAIKU, level=1)
    return book.snapshot()


@pytest.fixture(scope="module")
def twenty() -> Analysis:
    return analyze(_twenty())


def test_twenty_items_rates(twenty: Analysis) -> None:
    opus, sonnet, haiku = twenty.models
    assert (opus.pass_rate.value, sonnet.pass_rate.value, haiku.pass_rate.value) == (18 / 20, 12 / 20, 1.0)
    for model, share in ((opus, 0.9), (sonnet, 0.6), (haiku, 1.0)):
        assert (model.pass_rate.low, model.pass_rate.high) == pytest.approx(wilson(share, 20), abs=1e-12)
        assert model.pass_rate.n == model.items == 20
    assert wilson(0.9, 20) == pytest.approx((0.698966, 0.972134), abs=1e-6)
    assert (opus.satisfied_items, opus.counts.satisfactory) == (18, 18)
    assert opus.score.value == pytest.approx(0.9)


def test_twenty_items_money(twenty: Analysis) -> None:
    opus = twenty.models[0]
    assert opus.spend_usd == pytest.approx(10 * 0.04 + 10 * 0.02)
    assert opus.cost_per_request.value == pytest.approx(0.03)
    # every cost is 0.01 from the mean: sd = 0.01 sqrt(20/19), log half-width t sd / (sqrt(20) mean)
    half = T19 * 0.01 * math.sqrt(20 / 19) / math.sqrt(20) / 0.03
    assert opus.cost_per_request.low == pytest.approx(0.03 * math.exp(-half))
    assert opus.cost_per_request.high == pytest.approx(0.03 * math.exp(half))
    # one odd and one even item fail, so cost and success are uncorrelated: the two log half-widths add in squares
    low, high = wilson(0.9, 20)
    below, above = math.hypot(half, math.log(high / 0.9)), math.hypot(half, math.log(0.9 / low))
    assert opus.cost_per_satisfactory.value == pytest.approx(0.6 / 18)
    assert opus.cost_per_satisfactory.low == pytest.approx(0.6 / 18 * math.exp(-below))
    assert opus.cost_per_satisfactory.high == pytest.approx(0.6 / 18 * math.exp(above))
    assert opus.human_fix.value == pytest.approx(0.03 + 0.50 + 2 / 20 * 5)
    assert twenty.models[1].human_fix.value == pytest.approx(0.01 + 0.50 + 8 / 20 * 5)
    assert (twenty.review_usd, twenty.correction_usd) == (0.5, 5.0)


def test_twenty_items_pairs(twenty: Analysis) -> None:
    pairs = {(pair.a, pair.b): pair for pair in twenty.pairs}
    opus_sonnet, opus_haiku = pairs[OPUS, SONNET], pairs[OPUS, HAIKU]
    sonnet_haiku = pairs[SONNET, HAIKU]
    assert (opus_sonnet.gain, opus_sonnet.loss, opus_sonnet.items) == (1, 7, 20)  # item 1 | items 3 to 9
    assert opus_sonnet.difference.value == pytest.approx((1 - 7) / 20)
    low, high = opus_sonnet.difference.low, opus_sonnet.difference.high
    assert low is not None
    assert high is not None
    assert (tango(1, 7, 20, low), tango(1, 7, 20, high)) == pytest.approx((Z, -Z), abs=1e-6)
    # McNemar's mid-p: 2 P(X <= k) - P(X = k) of the discordant pairs
    assert opus_sonnet.p_value == pytest.approx(2 * (1 + 8) / 256 - 8 / 256)
    assert opus_haiku.p_value == pytest.approx(2 * 1 / 4 - 1 / 4)
    assert sonnet_haiku.p_value == pytest.approx(2 * 1 / 256 - 1 / 256)
    # Holm: smallest times 3, next times 2, largest times 1, never below the one before
    assert sonnet_haiku.p_holm == pytest.approx(3 / 256)
    assert opus_sonnet.p_holm == pytest.approx(2 * 10 / 256)
    assert opus_haiku.p_holm == pytest.approx(0.25)
    # Sonnet over Opus: (0.01 / 0.6) / (0.03 / 0.9); corrections pay for Opus from (0.03 - 0.01) / (0.9 - 0.6)
    assert opus_sonnet.cost_ratio.value == pytest.approx(0.5)
    assert opus_sonnet.break_even.value == pytest.approx(0.02 / 0.3)
    assert opus_haiku.break_even.value is None  # Haiku is cheaper and better


def test_twenty_items_latency(twenty: Analysis) -> None:
    total = twenty.models[0].clocks["total"]
    assert total.values_s == tuple(float(i) for i in range(1, 21))
    # order statistics of 20: ranks 6 and 15 hold the median with 95.9 %; the smoothed median of 1..20 is their middle
    assert bounds(total.quantiles["p50"]) == pytest.approx((10.5, 6.0, 15.0))
    assert total.quantiles["p95"].high is None  # 72 values are needed
    assert twenty.models[0].clocks["felt"].quantiles["p50"].value == pytest.approx(15.75)
    assert twenty.models[0].clocks["ttft"].quantiles["p50"].value == pytest.approx(10.5 / 4)


def test_twenty_items_decision_and_slices(twenty: Analysis) -> None:
    assert twenty.decision.verdict == "pick"
    assert twenty.decision.eligible == (HAIKU,)  # 20/20 has the lower limit 0.84; 18/20 has 0.70
    assert twenty.decision.option == HAIKU
    assert "may clear the 80% bar" in twenty.decision.reasons[OPUS]
    assert "is below the 80% bar" in twenty.decision.reasons[SONNET]
    slices = {(s.kind, s.name): s for s in twenty.slices}
    assert set(slices) == {("difficulty", "easy"), ("difficulty", "hard"), ("tag", "even")}  # 'first' has 4 items
    assert slices["difficulty", "hard"].items == 10
    assert slices["difficulty", "hard"].pass_rate[OPUS].value == pytest.approx(8 / 10)
    assert slices["difficulty", "easy"].pass_rate[SONNET].value == 1.0
    assert slices["tag", "even"].pass_rate[SONNET].value == pytest.approx(6 / 10)  # 2, 4, 6 and 8 fail


def test_twenty_items_tokens(twenty: Analysis) -> None:
    assert (twenty.models[0].input_tokens, twenty.models[0].output_tokens) == (20_000, 2_000)


# ---- denominators ---------------------------------------------------------------------------------------------

_FATES: Mapping[str, tuple[Attempt, ...]] = {
    "answered": (answered(),),
    "retried": (failed(), failed(0.001), answered(0.02)),
    "unknown": (failed(None), lost(), answered(0.02)),
    "unpriced": (answered(None),),
    "refused": (ended("refused"),),
    "truncated": (failed(), ended("truncated")),
    "errored": (ended("errored", 0.0, error_type="invalid_request_error"),),
    "given up": (failed(), failed()),
    "timed out": (failed(), replace(failed(), error_type="timeout")),
    "lost": (lost(),),
    "pending": (),
}


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Runs in every state: any mix of endings, grades missing here and there, one or two epochs and graders."""
    models = (OPUS, SONNET, HAIKU)[: draw(st.integers(1, 3))]
    epochs = draw(st.integers(1, 2))
    book = Book(spec(models, epochs=epochs))
    for i in range(draw(st.integers(1, 5))):
        for model in models:
            for epoch in range(1, epochs + 1):
                fate = draw(st.sampled_from(sorted(_FATES)))
                trial = book.trial(f"i{i}", *_FATES[fate], model=model, epoch=epoch)
                if book.attempts and book.attempts[-1].trial_id == trial and book.attempts[-1].outcome == "answered":
                    for level in draw(st.lists(st.sampled_from([0, 1, None]), max_size=2)):
                        book.grade(trial, level)
    return book.snapshot()


@pytest.mark.long
@settings(max_examples=20)
@given(snapshots())
def test_denominators_add_up(snapshot: Snapshot) -> None:
    analysis, epochs = analyze(snapshot), max(trial.key.epoch for trial in snapshot.trials)
    for model in analysis.models:
        c = model.counts
        assert c.planned == len([t for t in snapshot.trials if t.key.model == model.model])
        assert c.planned == c.answered + c.refused + c.truncated + c.errored + c.pending
        assert c.answered == c.graded + c.ungraded
        assert c.satisfactory <= c.graded <= c.decided
        assert 0 <= c.failed_undecided <= c.failed
        assert model.items <= analysis.items
        if model.pass_rate.value is not None:
            assert model.pass_rate.value == pytest.approx(model.satisfied_items / model.items)
            if epochs == 1 or model.items == 1:
                assert model.pass_rate.value == pytest.approx(c.satisfactory / c.decided)
                assert any(m.counts.ungraded for m in analysis.models) or c.failed_undecided == 0
        money = (model.cost_per_request, model.cost_per_satisfactory, model.human_fix)
        if model.unpriced_attempts:
            assert {e.value for e in money} == {None}
            assert model.spend_usd is None
        else:
            nothing_known = 0 < model.attempts == model.unknown_cost_attempts
            assert (model.spend_usd is None) == nothing_known
    assert sum(len(item.outputs) for item in analysis.outputs) == len(snapshot.trials)
    assert len(list(csv.reader(io.StringIO(trials_csv(trials_table(snapshot)))))) == len(snapshot.trials) + 1


@settings(max_examples=10)
@given(snapshots())
def test_naming_the_models_in_another_order_mirrors_the_pairs(snapshot: Snapshot) -> None:
    turned = replace(snapshot, spec=replace(snapshot.spec, models=snapshot.spec.models[::-1]))
    there = {(p.a, p.b): p for p in analyze(snapshot).pairs}
    back = {(p.b, p.a): p for p in analyze(turned).pairs}
    assert there.keys() == back.keys()
    for names, pair in there.items():
        _assert_mirrored(pair, back[names])


def _assert_mirrored(pair: Pair, other: Pair) -> None:
    assert (pair.gain, pair.loss, pair.items) == pytest.approx((other.loss, other.gain, other.items))
    assert bounds(pair.difference) == pytest.approx(
        tuple(None if x is None else -x for x in (other.difference.value, other.difference.high, other.difference.low)),
        abs=1e-6,
    )
    assert (pair.p_value, pair.p_holm) == pytest.approx((other.p_value, other.p_holm))
    if pair.cost_ratio.value is not None:
        assert other.cost_ratio.value == pytest.approx(1 / pair.cost_ratio.value)
    assert pair.break_even.value == pytest.approx(other.break_even.value)


@pytest.mark.parametrize("fate", ["refused", "truncated", "errored", "timed out"])
def test_what_brings_no_output_is_not_satisfactory(fate: str) -> None:
    book = Book()
    book.trial("a", answered(), level=1)
    book.trial("b", *_FATES[fate])
    model = one(book)
    assert (model.pass_rate.value, model.pass_rate.n) == (0.5, 2)
    assert model.score.value == 1.0  # of what was graded


@pytest.mark.parametrize("fate", ["pending", "lost", "given up"])
def test_pending_trials_are_left_out_and_said(fate: str) -> None:
    book = Book()
    book.trial("a", answered(), level=1)
    book.trial("b", *_FATES[fate])
    analysis = analyze(book.snapshot())
    assert (analysis.models[0].pass_rate.value, analysis.models[0].pass_rate.n) == (1.0, 1)
    assert warned(analysis, "Incomplete: 1 of 2 trials")


def test_ungraded_outputs_are_left_out_and_said() -> None:
    book = Book()
    for name in "abc":
        book.trial(name, answered(), level=1)
    book.trial("d", answered(), level=0)
    book.grade(book.trial("e", answered()), None)
    analysis = analyze(book.snapshot())
    assert (analysis.models[0].pass_rate.value, analysis.models[0].pass_rate.n) == (0.75, 4)
    assert warned(analysis, "Opus 4.6: 1 output ungraded", "between 60% and 80%")
    assert analysis.grading.ungraded == {"not readable": 1}
    assert analysis.outputs[4].outputs[0].ungraded == {"right": "not readable"}


def test_trials_given_up_for_now_are_said() -> None:
    book = Book()
    book.trial("a", answered(), level=1)
    book.trial("b", *_FATES["given up"])
    book.trial("c", *_FATES["errored"])  # settled: trying again would not change it
    analysis = analyze(book.snapshot())
    assert warned(analysis, "Incomplete: 1 of 3 trials", "(1 of them failed on every attempt so far) and is left out")
    assert warned(analysis, "counted as not satisfactory, the trials that failed", "make its rate 33%, not 50%")


@pytest.mark.parametrize(("items", "told"), [(9, False), (10, True)])
def test_one_item_that_carries_the_cost_is_said_where_there_are_enough_others(items: int, told: bool) -> None:
    book = Book()
    for place in range(items):
        book.trial(f"i{place}", answered(0.01 if place else 1.0), level=1)
    assert warned(analyze(book.snapshot()), "Opus 4.6: one item carries 9", "may be too narrow") == told


def test_complete_runs_are_not_warned_about_gaps() -> None:
    book = Book()
    book.trial("a", *_FATES["retried"], level=1)
    analysis = analyze(book.snapshot())
    for words in ("Incomplete", "ungraded", "every attempt", "lower bound", "unpriced", "SIMULATED", "NOT BLIND"):
        assert not warned(analysis, words)


def test_failures_alone_are_no_rate_while_outputs_wait_for_grades() -> None:
    """Nothing, or nothing of this model, is graded: its refusals must not become a rate of 0 %."""
    book = Book(spec((OPUS, SONNET, HAIKU)))
    book.trial("a", ended("refused"), model=HAIKU)  # and this is all there will ever be of Haiku
    waiting = [book.trial(name, answered(), model=SONNET) for name in "abc"]
    book.trial("d", ended("refused"), model=SONNET)
    opus = book.trial("a", answered())
    ungraded = analyze(book.snapshot())
    assert [m.pass_rate.value for m in ungraded.models] == [None, None, None]
    assert warned(ungraded, "Nothing is graded yet")
    book.grade(opus, 1)
    partly = analyze(book.snapshot())
    assert [m.pass_rate.value for m in partly.models] == [1.0, None, 0.0]
    assert warned(partly, "Sonnet 4.6: no grade of its 3 outputs counts")
    assert partly.decision.verdict == "not_enough_data"
    book.grade(waiting[0], 1)
    assert analyze(book.snapshot()).models[1].pass_rate.value == 1.0  # a third of one failure beside a third of outputs
    for trial in waiting[1:]:
        book.grade(trial, 1)
    assert analyze(book.snapshot()).models[1].pass_rate.value == 0.75


# ---- money ----------------------------------------------------------------------------------------------------


def test_every_attempt_is_in_the_cost_of_its_request() -> None:
    book = Book()
    book.trial("a", failed(0.0), failed(0.004), lost(), answered(0.02), level=1)
    book.trial("b", answered(0.01), level=0)
    book.trial("c", failed(None), ended("refused", 0.006))
    analysis = analyze(book.snapshot())
    model = analysis.models[0]
    assert model.cost_per_request.value == pytest.approx((0.024 + 0.01 + 0.006) / 3)
    assert model.cost_per_satisfactory.value == pytest.approx(0.024 + 0.01 + 0.006)
    assert model.human_fix.value == pytest.approx(0.04 / 3 + 0.5 + 2 / 3 * 5)
    assert model.spend_usd == pytest.approx(0.04)
    assert (model.attempts, model.failed_attempts, model.lost_attempts) == (7, 3, 1)
    assert model.unknown_cost_attempts == 2
    assert warned(analysis, "Opus 4.6: 2 failed or lost attempts", "lower bound")
    assert [o.outputs[0].attempts for o in analysis.outputs] == [4, 1, 2]


def test_cut_streams_are_counted_apart_from_answers_and_from_what_never_began() -> None:
    book, began = Book(), Usage(input_tokens=900, output_tokens=1, cache_read_tokens=100)
    book.trial("a", failed(0.005, usage=began, text="An an"), failed(0.0), answered(0.02), level=1)
    book.trial("b", failed(0.006, usage=began, text="An answer.An an"), answered(0.01), level=0)
    model = analyze(book.snapshot()).models[0]
    assert (model.input_tokens, model.output_tokens) == (2000, 200)
    assert model.cut == CutStreams(2, 2000, 2, received_tokens=200, cost_usd=pytest.approx(0.011))
    book.trial("c", failed(None, usage=began))
    assert analyze(book.snapshot()).models[0].cut.cost_usd is None


def test_without_answers_nobody_knows_how_long_a_token_is() -> None:
    book = Book()
    book.trial("a", failed(0.005, usage=Usage(input_tokens=900, output_tokens=1), text="An an"))
    assert analyze(book.snapshot()).models[0].cut == CutStreams(1, 900, 1, received_tokens=None, cost_usd=0.005)


def test_failed_attempts_of_pending_trials_are_spent_but_no_request_yet() -> None:
    book = Book()
    book.trial("a", answered(0.02), level=1)
    book.trial("b", lost())
    model = one(book)
    assert model.cost_per_request.n == 1
    assert (model.spend_usd, model.unknown_cost_attempts) == (0.02, 1)


@pytest.mark.parametrize("graded", [True, False])
def test_one_unpriced_request_leaves_no_money_figure(graded: bool) -> None:
    """Unknown is not 0, and not the mean of the others either, wherever the request stands."""
    book = Book(spec((OPUS, SONNET)))
    for name in "abcdef":
        book.trial(name, answered(0.02), level=1)
        book.trial(name, answered(0.01), model=SONNET, level=1)
    book.trial("g", answered(None), level=1 if graded else None)
    analysis = analyze(book.snapshot())
    opus, sonnet = analysis.models
    for estimate in (opus.cost_per_request, opus.cost_per_satisfactory, opus.human_fix, analysis.pairs[0].cost_ratio):
        assert bounds(estimate) == (None, None, None)
        assert "unpriced" in str(estimate.reason)
    assert bounds(analysis.pairs[0].break_even) == (None, None, None)
    assert opus.spend_usd is None
    assert opus.unpriced_attempts == 1
    assert warned(analysis, "Opus 4.6: 1 request unpriced")
    assert sonnet.cost_per_satisfactory.value == pytest.approx(0.01)
    assert analysis.outputs[-1].outputs[0].cost_usd is None


def test_grading_is_paid_apart() -> None:
    book = Book()
    trial = book.trial("a", answered(0.02), level=1)
    book.judging(trial, failed(0.0))
    book.judging(trial, ended("answered", 0.003))
    analysis = analyze(book.snapshot())
    assert analysis.models[0].spend_usd == 0.02
    assert analysis.grading.judge_usd == pytest.approx(0.003)
    assert (analysis.grading.judge_attempts, analysis.grading.judge_failed_attempts) == (2, 1)
    assert analysis.grading.judge_lost_attempts == 0
    book.judging(trial, lost())
    assert warned(analyze(book.snapshot()), "cost of grading is a lower bound")
    assert analyze(book.snapshot()).grading.judge_lost_attempts == 1
    book.judging(trial, ended("answered", None))
    unpriced = analyze(book.snapshot())
    assert unpriced.grading.judge_usd is None
    assert unpriced.grading.judge_known_usd == pytest.approx(0.003)
    assert warned(unpriced, "1 request of the judge unpriced; grading costs more than is known.")
    alone = Book()
    alone.judging(alone.trial("a", answered(0.02), level=1), ended("answered", None))
    assert warned(analyze(alone.snapshot()), "1 request of the judge unpriced; the cost of grading is unknown.")


def test_a_round_that_is_priced_has_a_cost_whatever_was_asked_in_another() -> None:
    book = Book(rounds=[round_(1), round_(2)])
    trial = book.trial("a", answered(0.02), level=1)
    book.judging(trial, ended("answered", 0.003))
    made = book.snapshot()
    (own,) = (a for a in made.attempts if a.grader is not None)
    other = replace(own, id=own.id + 1, round_id=2, cost_usd=None, subject="judge/2/x")
    grading = analyze(replace(made, attempts=(*made.attempts, other))).grading
    assert (grading.judge_usd, grading.judge_known_usd, grading.round_usd) == (None, 0.003, 0.003)


def test_nothing_satisfactory_has_no_upper_limit_on_its_cost() -> None:
    model = analyze(run_of({OPUS: [[False]] * 20})).models[0]
    assert model.cost_per_satisfactory.value is None
    assert model.cost_per_satisfactory.high is None
    assert model.cost_per_satisfactory.low is not None
    assert model.human_fix.value == pytest.approx(5.5, abs=0.05)


# ---- epochs: the item is the unit -----------------------------------------------------------------------------

_THREE = [[True, True, True]] * 9 + [[True, False, True]] * 4 + [[False, False, False]] * 5 + [[False, True, False]] * 2


def test_epochs_are_reduced_before_any_interval() -> None:
    other = [row[::-1] for row in _THREE[5:] + _THREE[:5]]
    snapshot = run_of({OPUS: _THREE, SONNET: other}, {OPUS: 0.03, SONNET: 0.01})
    analysis = analyze(snapshot)
    model, pair = analysis.models[0], analysis.pairs[0]
    rates = {name: [sum(row) / 3 for row in rows] for name, rows in ((OPUS, _THREE), (SONNET, other))}
    costs = [[0.03 * (1 + (i % 5) / 10 + epoch / 50) for epoch in (1, 2, 3)] for i in range(20)]
    assert model.pass_rate == stats.rate_clustered([sum(row) for row in _THREE], [3] * 20)
    assert model.pass_rate.n == 20
    assert model.counts.planned == 60
    assert model.satisfied_items == pytest.approx(sum(rates[OPUS]))
    assert bounds(model.cost_per_request) == pytest.approx(bounds(stats.mean_cost([sum(row) / 3 for row in costs])))
    flags = [[float(passed) for passed in row] for row in _THREE]
    assert bounds(model.cost_per_satisfactory) == pytest.approx(
        bounds(stats.cost_per_satisfactory_clustered(costs, flags))
    )
    assert pair.difference == stats.paired_rates_clustered(rates[SONNET], rates[OPUS])
    assert pair.p_value == stats.sign_flip_p(rates[SONNET], rates[OPUS], seed=7)
    assert pair.items == 20
    seconds = [1 + i / 10 for i in range(20) for _ in range(3)]
    items = [i for i in range(20) for _ in range(3)]
    assert bounds(model.clocks["total"].quantiles["p90"]) == pytest.approx(
        bounds(stats.quantile_clustered(seconds, items, 0.9))
    )


def test_an_item_whose_epochs_are_not_all_graded_counts_once() -> None:
    book = Book(spec(epochs=2))
    book.trial("a", answered(), level=1)
    book.trial("a", answered(), epoch=2)
    book.trial("b", answered(), level=0)
    book.trial("b", ended("refused"), epoch=2)
    model = one(book)
    assert (model.items, model.satisfied_items, model.counts.ungraded) == (2, 1.0, 1)


def _assert_repeats_do_not_shrink_intervals() -> None:
    """Three equal epochs say nothing about new items, so the interval may not become narrower."""
    verdicts = [i % 4 != 0 for i in range(20)]
    single = analyze(run_of({OPUS: [[v] for v in verdicts], SONNET: [[not v] for v in verdicts]}))
    triple = analyze(run_of({OPUS: [[v] * 3 for v in verdicts], SONNET: [[not v] * 3 for v in verdicts]}))
    places = [(single.models[0].pass_rate, triple.models[0].pass_rate)]
    places += [(single.pairs[0].difference, triple.pairs[0].difference)]
    for once, thrice in places:
        assert once.low is not None
        assert once.high is not None
        assert thrice.low is not None
        assert thrice.high is not None
        assert thrice.value == once.value
        assert thrice.high - thrice.low >= once.high - once.low - 1e-9


def test_repeats_do_not_shrink_intervals() -> None:
    _assert_repeats_do_not_shrink_intervals()


def test_pooling_epochs_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: an analysis that counts trials as if they were items fails the test above."""

    def pooled(trials: per_model.Counted) -> Estimate:
        flags = [flag for row in trials.satisfied for flag in row]
        return stats.rate(round(sum(flags)), len(flags))

    monkeypatch.setattr(per_model, "rate_of", pooled)
    with pytest.raises(AssertionError):
        _assert_repeats_do_not_shrink_intervals()


# ---- pairs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", [1, 3])
def test_identical_models_differ_by_nothing(epochs: int) -> None:
    rows = [[i % 3 != 0] * epochs for i in range(12)]
    pair = analyze(run_of({OPUS: rows, SONNET: rows})).pairs[0]
    assert (pair.p_value, pair.p_holm, pair.difference.value) == (1.0, 1.0, 0.0)
    assert pair.difference.low is not None
    assert pair.difference.low < 0
    assert pair.cost_ratio.value == pytest.approx(1.0)


def test_pairs_use_the_items_that_both_have_a_verdict_on() -> None:
    book = Book(spec((OPUS, SONNET)))
    for name in "abc":
        book.trial(name, answered(), level=1)
    for name in "bcd":
        book.trial(name, answered(), model=SONNET, level=0)
    pair = analyze(book.snapshot()).pairs[0]
    assert (pair.items, pair.gain, pair.loss, pair.difference.value) == (2, 0, 2, -1.0)


def test_pairs_without_a_common_item_say_so() -> None:
    book = Book(spec((OPUS, SONNET)))
    book.trial("a", answered(), level=1)
    book.trial("b", answered(), model=SONNET, level=1)
    pair = analyze(book.snapshot()).pairs[0]
    assert (pair.items, pair.p_value, pair.p_holm, pair.difference.value) == (0, None, None, None)
    assert pair.difference.reason == "no item has a verdict for both models"


def test_holm_passes_over_pairs_without_a_p_value() -> None:
    book = Book(spec((OPUS, SONNET, HAIKU)))
    for i in range(8):
        book.trial(f"i{i}", answered(), level=1)
        book.trial(f"i{i}", answered(), model=HAIKU, level=0)
        book.trial(f"i{i}", model=SONNET)
    pairs = {(p.a, p.b): p.p_holm for p in analyze(book.snapshot()).pairs}
    assert pairs == {(OPUS, SONNET): None, (OPUS, HAIKU): pytest.approx(1 / 256), (SONNET, HAIKU): None}


# ---- decision -------------------------------------------------------------------------------------------------


def _candidate(model: str, low: float | None, high: float | None, usd: float | None) -> ModelResult:
    base = analyze(run_of({OPUS: [[True]]})).models[0]
    if low is None or high is None:
        rate = Estimate(None, None, None, 0.95, 0, "Wilson", reason="nothing is graded yet")
    else:
        rate = Estimate((low + high) / 2, low, high, 0.95, 60, "Wilson")
    reason = "unpriced" if usd is None else None
    cost = Estimate(usd, None, None, 0.95, 60, "MOVER", reason=reason)
    return replace(base, model=model, pass_rate=rate, cost_per_satisfactory=cost)


@pytest.mark.parametrize(
    ("models", "verdict", "option", "eligible"),
    [
        pytest.param([("a", 0.85, 0.95, 0.2), ("b", 0.7, 0.9, 0.1)], "pick", "a", ("a",), id="only one clears"),
        pytest.param(
            [("a", 0.85, 0.95, 0.2), ("b", 0.8, 0.9, 0.1)], "pick", "b", ("a", "b"), id="cheapest that clears"
        ),
        pytest.param(
            [("a", 0.85, 0.95, 0.2), ("b", 0.9, 0.99, None)], "not_enough_data", None, ("a", "b"), id="unpriced"
        ),
        pytest.param([("a", 0.85, 0.95, 0.2), ("b", 0.5, 0.7, None)], "pick", "a", ("a",), id="unpriced and below"),
        pytest.param([("a", 0.5, 0.79, 0.2), ("b", 0.2, 0.6, 0.1)], "no_option", None, (), id="all below"),
        pytest.param([("a", 0.5, 0.80, 0.2), ("b", 0.2, 0.6, 0.1)], "not_enough_data", None, (), id="one straddles"),
        pytest.param([("a", 0.799, 0.95, 0.2)], "not_enough_data", None, (), id="just under"),
        pytest.param([("a", None, None, None)], "not_enough_data", None, (), id="nothing graded"),
        pytest.param([("a", None, None, 0.1), ("b", 0.2, 0.6, 0.1)], "not_enough_data", None, (), id="one ungraded"),
        pytest.param(
            [("a", 0.85, 0.9, 0.1), ("b", None, None, 0.1)], "pick", "a", ("a",), id="one clears, one ungraded"
        ),
        pytest.param([], "not_enough_data", None, (), id="no model"),
    ],
)
def test_decision_table(
    models: Sequence[tuple[str, float | None, float | None, float | None]],
    verdict: str,
    option: str | None,
    eligible: tuple[str, ...],
) -> None:
    decision = decide([_candidate(*model) for model in models], 0.8)
    assert (decision.verdict, decision.option, decision.eligible) == (verdict, option, eligible)
    assert set(decision.reasons) == {name for name, *_ in models}


def test_what_ungraded_outputs_could_make_of_a_rate_counts_items_as_the_rate_does() -> None:
    book = Book(spec((OPUS,), epochs=3))
    book.trial("a", answered(), level=1)
    for epoch, level in enumerate((1, 0, None), start=1):
        book.trial("b", answered(), epoch=epoch, level=level)
    analysis = analyze(book.snapshot())
    assert analysis.models[0].pass_rate.value == pytest.approx((1 + 1 / 2) / 2)
    (told,) = (text for text in analysis.warnings if "left out of its rate" in text)  # (1 + 1/3) / 2 to (1 + 2/3) / 2
    assert told == (
        "Opus 4.6: 1 output ungraded and left out of its rate; with it the rate would lie between 67% and 83%."
    )


def test_reasons_say_what_stands_against_a_model() -> None:
    models = [
        _candidate("clears", 0.85, 0.95, 0.1),
        _candidate("unpriced", 0.85, 0.95, None),
        _candidate("straddles", 0.7, 0.9, 0.1),
        _candidate("below", 0.2, 0.5, 0.1),
        _candidate("ungraded", None, None, None),
    ]
    assert decide(models, 0.8).reasons == {
        "clears": "clears the 80% bar",
        "unpriced": "clears the 80% bar, but is unpriced",
        "straddles": "may clear the 80% bar, but 60 items cannot show it",
        "below": "is below the 80% bar",
        "ungraded": "nothing is graded yet",
    }


def test_few_items_get_the_exact_interval() -> None:
    """Below 15 items Wilson's limits would call a model shown to be bad after a single failure."""
    analysis = analyze(run_of({OPUS: [[False]]}))
    assert analysis.models[0].pass_rate.high == pytest.approx(0.975)
    assert analysis.decision.verdict == "not_enough_data"
    assert analyze(run_of({OPUS: [[True]] * 14})).models[0].pass_rate.low == pytest.approx(0.025 ** (1 / 14))
    assert analyze(run_of({OPUS: [[True]] * 15})).models[0].pass_rate.low == pytest.approx(wilson(1, 15)[0])


# ---- grades ---------------------------------------------------------------------------------------------------


def test_criteria_are_scaled_and_weighted() -> None:
    book = Book(spec(rubric=WEIGHTED))
    book.trial("a", answered(), levels={"right": 2, "tone": 1})  # (3 * 1 + 1 * 0) / 4 = 0.75, under 0.8
    book.trial("b", answered(), levels={"right": 2, "tone": 3})  # (3 * 1 + 1 * 0.5) / 4 = 0.875
    book.trial("c", answered(), levels={"right": 1, "tone": 5})  # under the floor
    book.trial("d", answered(), levels={"tone": 5})  # cannot be decided
    analysis = analyze(book.snapshot())
    outputs = [item.outputs[0] for item in analysis.outputs]
    assert [o.satisfied for o in outputs] == [False, True, False, None]
    assert [o.score for o in outputs] == [0.75, 0.875, pytest.approx(0.625), None]
    right, tone = analysis.criteria
    assert (right.id, right.critical, tone.critical) == ("right", 2, None)
    assert right.score[OPUS].value == pytest.approx((1 + 1 + 0.5) / 3)
    assert tone.score[OPUS].value == pytest.approx((0 + 0.5 + 1 + 1) / 4)
    assert analysis.models[0].score.value == pytest.approx((0.75 + 0.875 + 0.625) / 3)


def test_a_floor_decides_before_everything_is_graded() -> None:
    book = Book(spec(rubric=WEIGHTED))
    book.trial("a", answered(), levels={"right": 0})
    assert analyze(book.snapshot()).outputs[0].outputs[0].satisfied is False


def test_scores_stay_on_their_scale() -> None:
    book = Book(spec(rubric=WEIGHTED))
    for number, tone in enumerate((5, 5, 5, 5, 5, 3)):
        book.trial(f"item-{number}", answered(), levels={"right": 2, "tone": tone})
    analysis = analyze(book.snapshot())
    assert (analysis.models[0].score.high, analysis.models[0].score.n) == (1.0, 6)
    assert (analysis.criteria[1].score[OPUS].high, analysis.criteria[1].score[OPUS].method) == (1.0, T_ON_ITEMS)


@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize("failures", [0, 1, 9])
def test_a_criterion_of_two_levels_is_a_rate(failures: int, epochs: int) -> None:
    """Student's t has no width at 50 of 50 and too little near there: zeros and ones are counted as passes are."""
    passes = [[number >= failures or epoch > 0 for epoch in range(epochs)] for number in range(50)]
    analysis = analyze(run_of({OPUS: passes}))
    (model,) = analysis.models
    for score in (analysis.criteria[0].score[OPUS], model.score):
        assert (bounds(score), score.method, score.n) == (bounds(model.pass_rate), model.pass_rate.method, 50)


def test_parts_and_criteria_have_denominators_of_their_own() -> None:
    book = Book(spec((OPUS, SONNET), rubric=WEIGHTED))
    fates = ("answered", "refused", "truncated", "errored", "pending", "answered")
    for number, (fate, level) in enumerate((fate, level) for level in ("easy", "hard") for fate in fates):
        book.item(f"item-{number:02d}", difficulty=level)
        for model in (OPUS, SONNET)[: 1 if level == "hard" else 2]:
            graded = {"right": 2, "tone": 5} if fate == "answered" and number % 6 == 0 else {}
            book.trial(f"item-{number:02d}", *_FATES[fate], model=model, levels=graded)
    analysis = analyze(book.snapshot())
    whole = {model.model: model.counts for model in analysis.models}
    for model, counts in whole.items():
        parts = [part.counts[model] for part in analysis.slices if part.kind == "difficulty"]
        assert len(parts) == 2
        for name in counts.__dataclass_fields__:
            assert sum(getattr(part, name) for part in parts) == getattr(counts, name)
    assert analysis.slices[0].counts[OPUS] == Counts(
        planned=6, answered=2, refused=1, truncated=1, errored=1, pending=1, graded=1, ungraded=1, decided=3,
        satisfactory=1,
    )  # fmt: skip
    assert [c.graded for c in analysis.criteria] == [{OPUS: 2, SONNET: 1}] * 2


def test_a_slice_scores_as_the_whole_does() -> None:
    book = Book()
    for number in range(20):
        book.item(f"item-{number:02d}", difficulty="easy")
        book.trial(f"item-{number:02d}", answered(), level=1)
    analysis = analyze(book.snapshot())
    assert analysis.slices[0].score[OPUS] == analysis.models[0].score
    assert analysis.models[0].score.low == pytest.approx(wilson(1, 20)[0])


@pytest.mark.parametrize(
    ("grades", "level"),
    [
        pytest.param([("x", 0), ("x", 2)], 2, id="later wins"),
        pytest.param([("x", 2), ("y", 0), ("x", 1), ("y", 1)], 1, id="later wins for each grader"),
        pytest.param([("x", 1), ("y", 2)], 1, id="lower median of two"),
        pytest.param([("x", 0), ("y", 2), ("z", 2)], 2, id="median of three"),
        pytest.param([("x", 0), ("y", 1), ("z", 2), ("w", 2)], 1, id="lower median of four"),
        pytest.param([("x", 2), ("y", None)], 2, id="ungraded has no vote"),
        pytest.param([("x", 2), ("x", None)], None, id="a later failure to grade replaces the grade"),
        pytest.param([("x", None), ("y", None)], None, id="nobody could"),
    ],
)
def test_graders_are_reduced_to_one_level(grades: Sequence[tuple[str, int | None]], level: int | None) -> None:
    book = Book(spec(rubric=WEIGHTED))
    trial = book.trial("a", answered())
    for grader, value in grades:
        book.grade(trial, value, grader=grader, comment=grader)
    output = analyze(book.snapshot()).outputs[0].outputs[0]
    assert output.levels.get("right") == level
    assert output.ungraded.get("right") == ("not readable" if level is None else None)
    assert output.comments["right"] == "; ".join(dict.fromkeys(grader for grader, _ in grades))


def _rounds(*stories: tuple[int, bool, int, int]) -> Book:
    """Rounds as (id, blind, trials with a level, trials without one)."""
    book = Book(rounds=[round_(number, blind=blind) for number, blind, _, _ in stories])
    trials = [book.trial(f"i{i}", answered()) for i in range(5)]
    for number, _, graded, unreadable in stories:
        for trial in trials[:graded]:
            book.grade(trial, 1, round_id=number)
        for trial in trials[graded : graded + unreadable]:
            book.grade(trial, None, round_id=number)
    return book


@pytest.mark.parametrize(
    ("stories", "expected"),
    [
        pytest.param([(1, True, 5, 0), (2, False, 5, 0)], 1, id="blind before not blind"),
        pytest.param([(1, True, 1, 0), (2, False, 5, 0)], 1, id="blind even if smaller"),
        pytest.param([(1, True, 5, 0), (2, True, 2, 0)], 1, id="complete before begun"),
        pytest.param([(1, True, 5, 0), (2, True, 5, 0)], 2, id="newest of equals"),
        pytest.param([(1, True, 5, 0), (2, True, 0, 5)], 1, id="readable before unreadable"),
        pytest.param([(1, True, 5, 0), (2, True, 4, 1)], 2, id="newer, though one output stayed ungraded"),
        pytest.param([(1, True, 5, 0), (2, True, 3, 2)], 2, id="newer, though a few stayed ungraded"),
        pytest.param([(1, True, 5, 0), (2, True, 2, 3)], 1, id="most of the newer is unreadable"),
        pytest.param([(1, True, 5, 0), (2, True, 3, 1)], 1, id="the newer has not dealt with all"),
        pytest.param([(1, True, 5, 0), (2, False, 4, 1)], 1, id="newer but not blind"),
        pytest.param([(1, True, 5, 0), (2, True, 4, 1), (3, True, 3, 2)], 3, id="the newest of several"),
        pytest.param([(1, True, 0, 2)], 1, id="unreadable is still a round"),
        pytest.param([(1, True, 5, 0), (2, True, 0, 0)], 1, id="an empty round never counts"),
        pytest.param([(1, True, 0, 0)], None, id="nothing graded"),
    ],
)
def test_the_round_that_counts(stories: Sequence[tuple[int, bool, int, int]], expected: int | None) -> None:
    chosen = current_round(_rounds(*stories).snapshot())
    assert (chosen.id if chosen else None) == expected


@pytest.mark.parametrize(
    ("by_people", "before", "after"),
    [
        pytest.param({"right": 1}, "judge", "judge", id="one column of two makes no verdict"),
        pytest.param({"right": 1, "polite": 1}, "people", "people", id="both do"),
        pytest.param({"right": 1, "polite": None}, "judge", "people", id="whoever grades anew means it"),
        pytest.param({"right": None, "polite": None}, "judge", "judge", id="nothing that they could tell"),
    ],
)
def test_a_part_of_the_criteria_is_no_round_of_verdicts(
    by_people: dict[str, int | None], before: str, after: str
) -> None:
    """A judge gave a level on both criteria in a round of its own; people, before or after it, perhaps on fewer."""
    criteria = [{"id": name, "question": "Is it?", "levels": {"0": "No.", "1": "Yes."}} for name in ("right", "polite")]
    for of_people, counts in ((1, before), (2, after)):
        book = Book(spec(rubric={**PASS_OR_FAIL, "criteria": criteria}), rounds=[round_(1), round_(2)])
        for item in range(20):
            trial = book.trial(f"i{item}", answered())
            for name in ("right", "polite"):
                book.grade(trial, 1, criterion=name, round_id=3 - of_people)
            for name, level in by_people.items():
                book.grade(trial, level, grader="ann", criterion=name, round_id=of_people)
        chosen = current_round(book.snapshot())
        assert chosen is not None
        assert chosen.id == (of_people if counts == "people" else 3 - of_people)


def test_people_who_could_tell_nothing_displace_no_sample_of_theirs() -> None:
    """The judge that grades anew beside them has not been checked there."""
    book = Book(rounds=[round_(1), round_(2)])
    for item in range(20):
        trial = book.trial(f"i{item}", answered())
        for number in (1, 2):
            book.grade(trial, 1, round_id=number)
        if item < 12:
            book.grade(trial, 1, grader="ann", round_id=1)
            book.grade(trial, None, grader="ann", round_id=2)
    chosen = current_round(book.snapshot())
    assert chosen is not None
    assert chosen.id == 1


def test_several_rounds_are_said_with_the_one_that_counts() -> None:
    assert warned(analyze(_rounds((1, True, 5, 0), (2, True, 4, 1)).snapshot()), "2 rounds of grading exist")
    assert warned(analyze(_rounds((1, True, 5, 0), (2, True, 2, 0)).snapshot()), "the figures rest on round 1 (judge")
    assert not warned(analyze(_rounds((1, True, 5, 0)).snapshot()), "rounds of grading")


def test_a_person_who_joined_a_judges_round_alone_makes_it_no_round_of_people() -> None:
    book = _rounds((1, True, 0, 0), (2, True, 5, 0))
    for trial in range(1, 6):
        book.grade(trial, 0, grader="ann")
    book.rounds[1] = round_(2, (JUDGE, "ben"))
    chosen = current_round(book.snapshot())
    assert chosen is not None
    assert chosen.id == 1


def test_only_who_graded_is_named_and_who_joined_alone_apart() -> None:
    book = _rounds((1, True, 5, 0), (2, True, 2, 0))
    book.rounds[0] = round_(1, ("ben", JUDGE, "cy"))
    book.grade(1, 1, grader="cy")
    book.grade(1, 1, grader="ben")
    book.grade(1, None, grader="ben", ungraded_reason=WITHDRAWN)
    analysis = analyze(book.snapshot())
    assert warned(analysis, f"rest on round 1 ({JUDGE}, cy); ben joined it and graded nothing.")
    method = build_report(analysis).sections[-1]
    definitions = next(block for block in method.blocks if isinstance(block, Definitions))
    told = "".join(span.text for _, text in definitions.rows for span in text)
    assert f"6 grades by {JUDGE} and cy; ben joined and graded nothing" in told


def test_grades_of_other_rounds_do_not_mix_in() -> None:
    book = _rounds((1, True, 5, 0), (2, True, 0, 0))
    book.grade(1, 0, round_id=2, grader="judge other")
    analysis = analyze(book.snapshot())
    assert analysis.models[0].pass_rate.value == 1.0
    assert (analysis.grading.grades, analysis.grading.judges) == (5, ("claude-sonnet-5-5",))


def test_not_blind_is_stamped() -> None:
    assert warned(analyze(_rounds((1, False, 5, 0)).snapshot()), "NOT BLIND")
    beside = analyze(_rounds((1, True, 5, 0), (2, False, 1, 0)).snapshot())
    assert not warned(beside, "NOT BLIND")
    assert warned(beside, "--no-blind as well")


def test_hidden_names_are_counted_once_an_output() -> None:
    book = Book()
    for name, marks in (("a", 2), ("b", 0), ("c", 1)):
        trial = book.trial(name, answered())
        book.grade(trial, 1, identity_marks=marks)
        book.grade(trial, 1, grader="checks", identity_marks=marks)
    analysis = analyze(book.snapshot())
    assert analysis.grading.identity_marks == analysis.models[0].identity_marks == 3
    assert warned(analysis, "3 mentions of a model's or maker's name")


# ---- who answered, and where ----------------------------------------------------------------------------------


def test_another_model_answering_is_said() -> None:
    book = Book()
    book.trial("a", answered(served_model=OPUS), level=1)
    assert not warned(analyze(book.snapshot()), "answered.")
    book.trial("b", answered(served_model="claude-opus-4-7"), level=1)
    analysis = analyze(book.snapshot())
    assert warned(analysis, f"asked for {OPUS}, but claude-opus-4-7 answered")
    assert analysis.models[0].served_models == (OPUS, "claude-opus-4-7")


def test_simulated_outputs_are_stamped() -> None:
    book = Book(spec(simulated=True))
    book.trial("a", answered(simulated=True), level=1)
    analysis = analyze(book.snapshot())
    assert analysis.simulated
    assert analysis.warnings[0].startswith("SIMULATED: the sandbox wrote these outputs")


def test_simulated_grades_of_real_outputs_are_stamped() -> None:
    book = Book()
    trial = book.trial("a", answered(), level=1)
    book.judging(trial, ended("answered", 0.01, simulated=True))
    analysis = analyze(book.snapshot())
    assert analysis.simulated
    assert analysis.warnings[0].startswith("SIMULATED: the sandbox graded these outputs")


def test_simulated_grades_that_do_not_count_leave_no_stamp() -> None:
    book = _rounds((1, True, 1, 0), (2, True, 5, 0))
    book.judging(1, ended("answered", 0.01, simulated=True), round_id=1)
    assert not analyze(book.snapshot()).simulated
    book.judging(1, ended("answered", 0.01, simulated=True), round_id=2)
    assert analyze(book.snapshot()).simulated


def test_a_judge_from_the_line_up_is_said() -> None:
    book = Book()
    trial = book.trial("a", answered())
    book.grade(trial, 1, grader=f"judge {OPUS}")
    assert warned(analyze(book.snapshot()), f"judge {OPUS} is one of the models under test")
    book.grade(trial, 1)
    assert warned(analyze(book.snapshot()), "uncalibrated judge", JUDGE.removeprefix("judge "), OPUS)


def test_prompt_sizes_are_told_with_their_doubt() -> None:
    book = Book(spec(context_tokens=1000))
    book.trial("a", answered(), level=1)
    book.sizes += [
        PromptSize("a", OPUS, 900, True),
        PromptSize("b", OPUS, 1200, False),
        PromptSize("c", OPUS, 700, True),
    ]
    analysis = analyze(book.snapshot())
    context = analysis.models[0].context
    assert context is not None
    assert (context.smallest_tokens, context.median_tokens, context.largest_tokens) == (700, 900, 1200)
    assert warned(analysis, "the sizes of 1 of its 3 prompts are estimates")
    assert warned(analysis, "up to 1,200 tokens, over the 1,000 asked")


def test_of_a_large_run_a_sample_is_counted_and_nobody_says_that_the_server_does_not_count() -> None:
    sizes = [PromptSize(f"i{n}", OPUS, 1000, counted=n % 3 == 0) for n in range(9)]
    book = Book(spec((OPUS,)), sizes=sizes)
    for n in range(9):
        book.trial(f"i{n}", answered(), level=n % 2)
    analysis = analyze(book.snapshot())
    assert "Opus 4.6: the sizes of 6 of its 9 prompts are estimates from the others' counts." in analysis.warnings
    assert not warned(analysis, "does not count tokens")
    uncounted = replace(book.snapshot(), sizes=tuple(replace(size, counted=False) for size in sizes))
    assert warned(analyze(uncounted), "prompt sizes are estimates, since the server does not count tokens")


def test_missing_references_of_checks_are_said() -> None:
    check = {"id": "right", "question": "Right?", "kind": "check", "check": {"type": "exact"}}
    book = Book(spec(rubric={**PASS_OR_FAIL, "criteria": [check]}))
    book.item("b", reference="known")
    book.trial("a", answered(), level=1)
    assert warned(analyze(book.snapshot()), "1 item without the reference that a check needs")
    del book.items["a"]
    assert not warned(analyze(book.snapshot()), "without the reference")


@pytest.mark.parametrize(("level", "words"), [(1, "Ceiling"), (0, "Floor")])
def test_ceiling_and_floor_are_said(level: int, words: str) -> None:
    assert warned(analyze(run_of({OPUS: [[bool(level)]] * 15, HAIKU: [[bool(level)]] * 15})), words)
    few = run_of({OPUS: [[bool(level)]] * 3, HAIKU: [[bool(level)]] * 3})
    assert bool(warned(analyze(few), words)) == (words == "Floor"), "of few that all pass, more may not"
    assert not warned(analyze(run_of({OPUS: [[True], [False]]})), words)


def test_models_that_share_few_items_are_not_level_for_easy_items() -> None:
    book = Book(spec((OPUS, HAIKU)))
    for i in range(19):
        book.trial(f"i{i}", answered(), model=OPUS, level=1)
        book.trial(f"i{i}" if i < 9 else f"other {i}", answered(), model=HAIKU, level=1)
    assert not warned(analyze(book.snapshot()), "Ceiling")
    book.trial("i9", answered(), model=HAIKU, level=1)
    assert warned(analyze(book.snapshot()), "Ceiling")


def test_one_model_cannot_be_told_apart_from_others_anyway() -> None:
    assert not warned(analyze(run_of({OPUS: [[True]] * 3})), "Ceiling")


@pytest.mark.parametrize("outcome", ["refused", "errored"])
def test_a_run_without_any_output_is_not_sent_to_be_graded(outcome: Any) -> None:
    book = Book()
    book.trial("a", ended(outcome))
    seen = analyze(book.snapshot())
    assert warned(seen, "There is no output to grade")
    assert not warned(seen, "evalkit grade")
    assert not warned(seen, "Floor"), "neither rubric nor reference is to blame"
    assert warned(analyze(Book().snapshot()), "Nothing has run yet")


@pytest.mark.parametrize(("items", "said"), [(49, True), (50, False)])
def test_few_items_are_said(items: int, said: bool) -> None:
    assert warned(analyze(run_of({OPUS: [[True]] * items})), f"Only {items} items") is said


# ---- the ends of the scale ------------------------------------------------------------------------------------


def test_an_empty_run_has_no_figures_and_no_errors() -> None:
    analysis = analyze(Book(spec((OPUS, SONNET))).snapshot())
    for model in analysis.models:
        assert model.counts.planned == model.items == model.attempts == 0
        for estimate in (model.pass_rate, model.score, model.cost_per_request, model.cost_per_satisfactory):
            assert estimate.value is None
            assert estimate.reason
    assert analysis.decision.verdict == "not_enough_data"
    assert analysis.slices == ()
    assert analysis.pairs[0].items == 0
    assert len(trials_csv(trials_table(Book().snapshot())).splitlines()) == 1


def test_a_planned_run_has_only_pending_trials() -> None:
    book = Book()
    book.trial("a")
    analysis = analyze(book.snapshot())
    assert analysis.models[0].counts.pending == 1
    assert analysis.models[0].cost_per_request.reason == "nothing has been sent yet"
    assert analysis.outputs[0].outputs[0].outcome is None
    assert analysis.outputs[0].outputs[0].cost_usd is None


def test_one_item_gives_values_and_almost_no_certainty() -> None:
    book = Book()
    book.trial("a", answered(0.02), level=1)
    model = one(book)
    assert bounds(model.pass_rate) == pytest.approx((1.0, 0.025, 1.0))
    assert bounds(model.cost_per_request) == (0.02, None, None)
    assert model.clocks["total"].quantiles["p50"].low is None


def test_all_failed_is_a_rate_of_zero_not_a_missing_one() -> None:
    """Nothing can be graded, and yet everything is known."""
    book = Book()
    for i in range(20):
        book.trial(f"i{i}", ended("refused" if i % 2 else "errored", 0.0, error_type="x", error_message="y"))
    analysis = analyze(book.snapshot())
    model = analysis.models[0]
    assert (model.pass_rate.value, model.score.value, model.clocks["total"].values_s) == (0.0, None, ())
    assert (model.counts.refused, model.counts.errored) == (10, 10)
    assert analysis.decision.verdict == "no_option"
    assert analysis.outputs[0].outputs[0].error == "x: y"
    assert (model.input_tokens, model.output_tokens) == (None, None)


def test_items_keep_their_outputs_in_the_order_of_the_models() -> None:
    book = Book(spec((OPUS, SONNET), epochs=2))
    for model, epoch in ((SONNET, 2), (OPUS, 2), (SONNET, 1), (OPUS, 1)):
        book.trial("a", answered(), model=model, epoch=epoch)
    outputs = analyze(book.snapshot()).outputs[0].outputs
    assert [(o.model, o.epoch) for o in outputs] == [(OPUS, 1), (OPUS, 2), (SONNET, 1), (SONNET, 2)]


def test_one_model_is_found_by_its_id() -> None:
    analysis = analyze(run_of({OPUS: [[True]], "some-model": [[True]]}))
    assert analysis.model("some-model").name == "some-model"
    assert analysis.model("some-model").tier is None
    assert analysis.model(OPUS).tier == "opus"
    with pytest.raises(KeyError):
        analysis.model("nobody")


def test_the_same_snapshot_gives_the_same_analysis() -> None:
    snapshot = run_of({OPUS: _THREE, SONNET: _THREE[::-1]})
    assert analyze(snapshot) == analyze(snapshot)
    assert trials_csv(trials_table(snapshot)) == trials_csv(trials_table(snapshot))


def test_csv_has_one_line_a_trial_and_nothing_for_the_unknown() -> None:
    book = Book(spec((OPUS, SONNET), WEIGHTED, simulated=True))
    book.trial('a, or "b"', answered(0.0123, 2.5, simulated=True), levels={"tone": 3, "right": 2})
    book.trial('a, or "b"', answered(None), model=SONNET)
    book.trial("c", ended("refused", 0.004))
    book.trial("c", failed(), model=SONNET)
    rows = list(csv.DictReader(io.StringIO(trials_csv(trials_table(book.snapshot())))))
    assert rows[0] == {
        "item_id": 'a, or "b"', "model": OPUS, "outcome": "answered", "error_type": "", "simulated": "True",
        "blind": "True",
        "epoch": "1", "satisfied": "1", "score": "0.875", "cost_usd": "0.0123", "attempts": "1", "ttft_s": "0.625",
        "latency_s": "2.5", "itl_s": "0.01893939393939394", "felt_s": "3.75",
        "input_tokens": "1000", "output_tokens": "100", "level_right": "2",
        "level_tone": "3", "context_tokens": "", "condition": "",
    }  # fmt: skip
    assert [row["outcome"] for row in rows] == ["answered", "answered", "refused", ""]
    assert [row["error_type"] for row in rows] == ["", "", "", "overloaded_error"]
    assert [row["cost_usd"] for row in rows] == ["0.0123", "", "0.004", "0.0"]
    assert [row["satisfied"] for row in rows] == ["1", "", "0", ""]
    assert [row["latency_s"] for row in rows] == ["2.5", "2.0", "", ""]


@pytest.mark.parametrize(("blind", "stamp"), [(True, "True"), (False, "False"), (None, "")])
def test_csv_says_of_every_line_whether_it_was_graded_blind(blind: bool | None, stamp: str) -> None:
    book = Book(rounds=[round_(blind=bool(blind))])
    book.trial("a", answered(), level=None if blind is None else 1)
    book.trial("b", answered(), level=None if blind is None else 0)
    rows = list(csv.DictReader(io.StringIO(trials_csv(trials_table(book.snapshot())))))
    assert [row["blind"] for row in rows] == [stamp, stamp]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_csv_holds_no_formula(start: str) -> None:
    book = Book(spec((f"{start}model",)))
    book.trial(f"{start}1+1", answered(0.0123), model=f"{start}model", level=1)
    (row,) = csv.DictReader(io.StringIO(trials_csv(trials_table(book.snapshot())), newline=""))
    assert (row["item_id"], row["model"]) == (f"'{start}1+1", f"'{start}model")
    assert (row["cost_usd"], row["epoch"], row["satisfied"]) == ("0.0123", "1", "1")


def test_items_are_sliced_by_prompt_size_only_where_sizes_differ() -> None:
    def contexts(*tokens: int) -> list[tuple[str, int]]:
        made = run_of({OPUS: [[True]] * len(tokens)})
        sizes = tuple(PromptSize(f"item-{i:03d}", OPUS, t, True) for i, t in enumerate(tokens))
        return [(s.name, s.items) for s in analyze(replace(made, sizes=sizes)).slices if s.kind == "context"]

    assert contexts(*range(1000, 16000, 1000)) == [
        ("1,000 to 5,000 tokens", 5), ("6,000 to 10,000 tokens", 5), ("11,000 to 15,000 tokens", 5),
    ]  # fmt: skip
    assert contexts(*[1000] * 15, 1999) == []  # less than a factor of two
    assert contexts(*range(1000, 15000, 1000)) == []  # too few for thirds


def test_what_was_billed_tells_prompt_sizes_that_nobody_counted() -> None:
    """As of an import."""
    book = Book(spec((OPUS, SONNET)))
    for item in range(16):
        for model, size in ((OPUS, 1000 * (item + 1)), (SONNET, 500)):
            usage = Usage(input_tokens=size, output_tokens=5)
            book.trial(f"item-{item:02d}", answered(usage=usage) if item < 15 else lost(), model=model, level=1)
    parts = [(part.name, part.items) for part in analyze(book.snapshot()).slices if part.kind == "context"]
    assert parts == [("1,000 to 5,000 tokens", 5), ("6,000 to 10,000 tokens", 5), ("11,000 to 15,000 tokens", 5)]


def test_the_judges_bill_does_not_depend_on_the_order_in_which_answers_came() -> None:
    """Answers of parallel requests come in any order, and sums of floats differ by it in the last digit."""
    made = run_of({OPUS: [[True]] * 3})
    judging = tuple(
        replace(a, grader=JUDGE, round_id=1, cost_usd=usd)
        for a, usd in zip(made.attempts, (0.1, 0.2, 0.3), strict=True)
    )
    bills = {
        analyze(replace(made, attempts=(*made.attempts, *order))).grading.judge_usd
        for order in itertools.permutations(judging)
    }
    assert len(bills) == 1
