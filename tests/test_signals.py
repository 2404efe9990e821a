"""Signals of the wrong model: planted ones are found, equal models raise none, and what is missing is said."""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from analysis_builders import HAIKU, OPUS, SONNET, Book, answered, ended, spec
from report_pages import made, plain_text, section

from evalkit.analysis import Analysis, analyze
from evalkit.analysis.evidence import Signal
from evalkit.analysis.sides import Challenge, Side, holding, standing
from evalkit.analysis.signals import find_signals
from evalkit.blocks import Note
from evalkit.conditional import condition
from evalkit.report import build_report
from evalkit.sections.signals import heading

LEVELS = ("easy", "medium", "hard")
USD = {OPUS: 0.06, SONNET: 0.03, HAIKU: 0.01}
SECONDS = {OPUS: 8.0, SONNET: 5.0, HAIKU: 2.0}


def run(
    fails: Mapping[str, Mapping[str, int]],
    each: int = 60,
    models: Sequence[str] = (OPUS, SONNET, HAIKU),
    usd: Mapping[str, float | None] = USD,
    **item: Any,
) -> Analysis:
    """So many items of each difficulty, of which each model fails the first few; costs and times vary by item."""
    rng, book = random.Random(5), Book(spec(models))  # noqa: S311  invented data, not a secret
    for level in LEVELS:
        for i in range(each):
            book.item(name := f"{level}-{i:03d}", difficulty=level, **item)
            size = rng.uniform(0.5, 1.5)
            for model in models:
                price = usd[model]
                cost = None if price is None else price * size * rng.uniform(0.9, 1.1)
                passed = i >= fails.get(model, {}).get(level, 0)
                reply = answered(cost, SECONDS[model] * rng.uniform(0.9, 1.1))
                book.trial(name, reply, model=model, level=int(passed))
    return analyze(book.snapshot())


def found(analysis: Analysis, current: str | None = None) -> dict[str, Signal]:
    return {signal.id: signal for signal in find_signals(analysis, current)}


@cache
def planted() -> Analysis:
    """Haiku equals Sonnet on easy items and fails most hard ones; Opus gains on hard ones."""
    return run({SONNET: {"hard": 25}, HAIKU: {"medium": 6, "hard": 45}, OPUS: {"hard": 3}})


@pytest.mark.parametrize(
    ("id_", "state", "toward", "parts"),
    [
        ("hard-under-bar", "shown", None, ("hard",)),
        ("dearer-gains", "shown", OPUS, ()),
        ("cheaper-no-worse", "not shown", None, ()),
        ("cheaper-no-worse-on-parts", "shown", HAIKU, ("easy",)),
        ("bounded-work", "shown", None, ()),
        ("faster-no-worse", "not shown", None, ()),
        ("wide-spread", "shown", None, ()),
        ("winners-differ", "shown", OPUS, ("easy", "hard", "medium")),
        ("holds-and-fails", "shown", HAIKU, ("easy",)),
        ("several-documents", "not enough data", None, ()),
    ],
)
def test_a_planted_signal_is_found(id_: str, state: str, toward: str | None, parts: tuple[str, ...]) -> None:
    signal = found(planted(), SONNET)[id_]
    assert (signal.state, signal.toward, signal.parts) == (state, toward, parts)
    assert signal.evidence or signal.reason


def test_every_figure_of_a_signal_has_an_interval_and_a_count_or_says_why() -> None:
    for signal in found(planted(), SONNET).values():
        for evidence in signal.evidence:
            assert evidence.estimate.reason or None not in (evidence.estimate.low, evidence.estimate.high)
            assert evidence.estimate.n > 0
        assert (signal.state == "not enough data") == bool(signal.settles)


@pytest.mark.long
def test_models_whose_gap_is_the_same_on_every_part_have_no_different_winners_however_small_a_part_is() -> None:
    """On a part of few items a good model cannot clear its bar, and the rule picks a better one."""
    for seed in range(6):
        rng, book = random.Random(seed), Book(spec((OPUS, SONNET)))  # noqa: S311  invented data, not a secret
        for i in range(120):
            name, half = f"item-{i:03d}", i % 2
            book.item(name, tags=(f"lang={'fr' if i % 6 == 0 else 'en'}", f"multi={'yes' if half else 'no'}"))
            for model, usd, rate in ((OPUS, 0.05, 0.98), (SONNET, 0.01, 0.90)):
                book.trial(name, answered(usd * rng.uniform(0.9, 1.1)), model=model, level=int(rng.random() < rate))
        assert found(analyze(book.snapshot()), OPUS)["winners-differ"].state != "shown"


@pytest.mark.parametrize("tagged", ["by a verdict", "by chance"])
def test_a_tag_that_repeats_verdicts_is_named_beside_what_signals_say_of_it(tagged: str) -> None:
    """A cheap model holds on whatever it passed; that says nothing of items to come unless the tag was there before."""
    rng, book = random.Random(4), Book(spec((OPUS, HAIKU)))  # noqa: S311  invented data, not a secret
    for i in range(120):
        passed = {OPUS: rng.random() < 0.97, HAIKU: rng.random() < 0.6}
        marked = passed[HAIKU] if tagged == "by a verdict" else rng.random() < 0.6
        book.item(name := f"item-{i:03d}", tags=("short",) if marked else ())
        for model, usd in ((OPUS, 0.05), (HAIKU, 0.01)):
            book.trial(name, answered(usd * rng.uniform(0.9, 1.1)), model=model, level=int(passed[model]))
    analysis = analyze(book.snapshot())
    assert [part.name for part in analysis.slices if part.kind == "tag"] == ["short"]
    assert ("short" in found(analysis, OPUS)["cheaper-no-worse-on-parts"].parts) == (tagged == "by a verdict")
    notes = [plain_text(sentence) for block in section(analysis, "signals").blocks if isinstance(block, Note)
             for sentence in block.sentences]  # fmt: skip
    assert [note.startswith("The tag short repeats the verdicts on Haiku 4.5") for note in notes] == (
        [True] if tagged == "by a verdict" else []
    )


@pytest.mark.long
def test_equal_models_raise_only_what_follows_from_their_prices() -> None:
    signals = found(run({}), OPUS)
    shown = {id_ for id_, signal in signals.items() if signal.state == "shown"}
    assert shown == {"cheaper-no-worse", "cheaper-no-worse-on-parts", "bounded-work", "faster-no-worse"}
    assert signals["cheaper-no-worse"].toward == HAIKU


def test_equal_models_at_equal_cost_are_neither_cheaper_nor_dearer() -> None:
    analysis = run({}, usd=dict.fromkeys(USD, 0.02))
    around = standing(analysis, SONNET)
    assert (around.cheaper, around.dearer) == ((), ())
    signals = found(analysis, SONNET)
    for id_ in ("dearer-gains", "cheaper-no-worse", "cheaper-no-worse-on-parts", "faster-no-worse", "holds-and-fails"):
        assert signals[id_].state == "not enough data"
        assert signals[id_].reason


def _sides(rng: random.Random, loss: float, parts: int, each: int) -> list[Challenge]:
    """A candidate that is worse by `loss` on every part."""
    tests = []
    for part in range(parts):
        ids = [f"{part}-{i}" for i in range(each)]
        base = {i: (float(rng.random() < 0.9),) for i in ids}
        other = {i: (float(rng.random() < 0.9 - loss),) for i in ids}
        sides = [Side(name, flags, flags, flags, {}, {}, False) for name, flags in ((HAIKU, other), (OPUS, base))]
        tests.append(Challenge(sides[0], sides[1], "tag", str(part), ids))
    return tests


@pytest.mark.parametrize("parts", [1, 4])
def test_a_loss_of_the_margin_is_passed_over_no_more_often_than_promised(parts: int) -> None:
    rng, runs = random.Random(11), 80  # noqa: S311  invented data, not a secret
    wrong = sum(any(h.shown for h in holding(_sides(rng, 0.1, parts, 60))) for _ in range(runs))
    assert wrong / runs <= 0.05 + 2 * (0.05 * 0.95 / runs) ** 0.5


def test_no_loss_on_large_parts_is_mostly_shown() -> None:
    rng, runs = random.Random(12), 20  # noqa: S311  invented data, not a secret
    assert sum(all(h.shown for h in holding(_sides(rng, 0.0, 2, 400))) for _ in range(runs)) >= 0.8 * runs


def test_parts_too_small_for_equal_models_are_not_tested_and_burden_no_other() -> None:
    rng = random.Random(13)  # noqa: S311  invented data, not a secret
    large, small = _sides(rng, -0.1, 1, 60), _sides(rng, 0.0, 5, 20)
    (alone,) = holding(large)
    beside, *others = holding([*large, *small])
    assert beside.p_value == alone.p_value
    assert all(other.p_value is None and not other.shown for other in others)


@pytest.mark.parametrize(
    ("analysis", "id_", "reason"),
    [
        (run({}, usd={**USD, SONNET: None, HAIKU: None}), "cheaper-no-worse", "Sonnet 4.6 and Haiku 4.5 are unpriced"),
        (run({}, models=(HAIKU,)), "cheaper-no-worse", "no model of this run is shown to cost less"),
        (run({}, models=(HAIKU,)), "dearer-gains", "no model of this run is shown to cost more"),
        (run({}, documents=("a", "b")), "several-documents", "every item has several documents"),
    ],
)
def test_what_cannot_be_computed_says_why(analysis: Analysis, id_: str, reason: str) -> None:
    signal = found(analysis, HAIKU if len(analysis.models) == 1 else OPUS)[id_]
    assert signal.state == "not enough data"
    assert reason in (signal.reason or "")


def test_an_unpriced_model_is_named_where_others_are_compared_without_it() -> None:
    signal = found(run({}, usd={**USD, HAIKU: None}), OPUS)["cheaper-no-worse"]
    assert signal.toward == SONNET
    assert "unpriced" in (signal.evidence[-1].estimate.reason or "")


def test_items_with_several_documents_that_fail_more_often() -> None:
    rng, book = random.Random(3), Book(spec((OPUS, SONNET)))  # noqa: S311  invented data, not a secret
    for i in range(120):
        many = i % 2 == 0
        book.item(f"i{i:03d}", documents=("a", "b", "c"), evidence_positions=(0, 2) if many else (1,))
        for model in (OPUS, SONNET):
            level = int(not (many and model == SONNET and i % 6 == 0) or rng.random() < 0.1)
            book.trial(f"i{i:03d}", answered(USD[model] * rng.uniform(0.9, 1.1)), model=model, level=level)
    signals = found(analyze(book.snapshot()), SONNET)
    assert signals["several-documents"].state == "shown"
    assert signals["dearer-gains"].toward == OPUS
    assert signals["hard-under-bar"].reason == "no item is marked hard"


def test_nothing_graded_and_chosen_items_give_no_signals() -> None:
    ungraded = Book(spec((OPUS,)))
    ungraded.trial("a", answered())
    assert analyze(ungraded.snapshot()).signals == ()
    assert "signals" not in [s.name for s in build_report(made("nothing_graded")).sections]
    chosen = Book(spec((OPUS,), condition=condition(OPUS, "s" * 64, 1, 2)))
    chosen.trial("a", answered(), level=1)
    assert analyze(chosen.snapshot()).signals == ()


def test_where_every_request_failed_no_signal_speaks_for_a_stronger_model() -> None:
    book = Book(spec((HAIKU, OPUS)))
    for i in range(40):
        book.item(name := f"i{i}", difficulty="hard")
        for model in (HAIKU, OPUS):
            book.trial(name, ended("errored", 0.0, error_type="invalid_request_error"), model=model)
    signals = find_signals(analyze(book.snapshot()))
    assert "shown" not in {signal.state for signal in signals if signal.direction == "upgrade"}
    (hard,) = (signal for signal in signals if signal.id == "hard-under-bar")
    assert (hard.state, hard.reason) == ("not enough data", "no output to judge")


def test_different_picks_that_cannot_be_set_against_each_other_are_no_proof_of_one_winner() -> None:
    """Tags that share items: two winners stand as evidence, which "not shown" would deny."""
    book = Book(spec((OPUS, HAIKU)))
    for i in range(120):
        book.item(name := f"i{i:03d}", tags=(*(["most"] if i < 112 else []), *(["some"] if i < 60 else [])))
        book.trial(name, answered(0.06), model=OPUS, level=int(i % 20 > 0))
        book.trial(name, answered(0.01), model=HAIKU, level=int(i < 60 or i % 2))
    signal = found(analyze(book.snapshot()))["winners-differ"]
    assert len({evidence.what.split(" picked")[0] for evidence in signal.evidence}) == 2
    assert signal.state == "not enough data"
    assert signal.settles


def of_parts(*parts: tuple[str, int, Mapping[str, int]]) -> Analysis:
    """Sonnet and Haiku on so many items of each difficulty, of which each fails the first few."""
    book = Book(spec((SONNET, HAIKU)))
    for part, items, failed in parts:
        for i in range(items):
            book.item(name := f"{part}-{i:02d}", difficulty=part)
            for model, usd in ((SONNET, 0.012), (HAIKU, 0.004)):
                book.trial(name, answered(usd + i % 7 / 1e5), model=model, level=int(i >= failed[model]))
    return analyze(book.snapshot())


def both(failed: int) -> Mapping[str, int]:
    return {SONNET: failed, HAIKU: failed}


def test_a_part_without_a_pick_is_no_proof_of_one_winner() -> None:
    """Haiku wins two parts and fails the third, on which no model is shown to clear the bar."""
    signals = found(
        of_parts(("easy", 40, both(1)), ("medium", 40, both(1)), ("hard", 20, {SONNET: 2, HAIKU: 14})), SONNET
    )
    assert signals["holds-and-fails"].state == "shown"
    signal = signals["winners-differ"]
    assert (signal.state, signal.settles) == (
        "not enough data", "more of the items where the rule picks no model (hard items)"
    )  # fmt: skip
    assert {evidence.what for evidence in signal.evidence} == {
        f"Haiku 4.5 picked on {part} items" for part in ("easy", "medium")
    }


def test_a_part_on_which_all_are_below_the_bar_waits_for_another_model() -> None:
    """No number of items has one of these win there."""
    parts = of_parts(("easy", 60, both(2)), ("medium", 60, both(2)), ("hard", 60, both(40)))
    signal = found(parts, SONNET)["winners-differ"]
    assert signal.state == "not enough data"
    assert signal.settles == "a model that clears the bar where none does (hard items)"


def test_where_one_part_alone_has_a_pick_no_items_are_asked_for_of_parts_below_the_bar() -> None:
    signal = found(of_parts(("easy", 90, both(1)), ("hard", 60, both(52))), SONNET)["winners-differ"]
    assert signal.reason == "the rule picks a model on 1 of 2 parts of the items"
    assert signal.settles == "a model that clears the bar where none does (hard items)"


def test_what_settles_a_gain_is_of_the_model_and_part_that_is_nearest_to_show_it() -> None:
    book = Book(spec((HAIKU, SONNET, OPUS)))
    for i in range(80):
        book.item(name := f"i{i:02d}", difficulty="hard")
        for model, usd, good in (
            (HAIKU, 0.004, i >= 20),
            (SONNET, 0.012, i >= 22),
            (OPUS, 0.03, i >= 14 and i not in (30, 31)),
        ):
            book.trial(name, answered(usd + i % 7 / 1e5), model=model, level=int(good))
    standing_ = standing(analyze(book.snapshot()), HAIKU)
    signal = found(standing_.analysis, HAIKU)["dearer-gains"]
    assert signal.state == "not enough data"
    gains = {e.what: e.estimate.value for e in signal.evidence}
    assert gains["Sonnet 4.6 against Haiku 4.5 on hard items"] < 0 < gains["Opus 4.6 against Haiku 4.5 on hard items"]
    assert re.fullmatch(r"about \d+ hard items for an 80% chance, if the difference stays \(80 now\)", signal.settles)


def test_a_model_that_does_none_of_the_work_is_no_measure_for_a_cheaper_one() -> None:
    """Two models that fail all alike would be shown to be as good as each other."""
    book = Book(spec((SONNET, HAIKU)))
    for i in range(150):
        book.item(name := f"i{i:03d}", difficulty=("easy", "hard")[i % 2])
        for model, usd in ((SONNET, 0.012), (HAIKU, 0.004)):
            book.trial(name, answered(usd + i % 7 / 1e5), model=model, level=0)
    signals = found(analyze(book.snapshot()), SONNET)
    for name in ("cheaper-no-worse", "cheaper-no-worse-on-parts", "faster-no-worse"):
        assert signals[name].state == "not enough data"
    why = "neither model satisfies more than 10% there, so that nothing could be lost"
    assert signals["cheaper-no-worse"].reason == why
    half = [replace(g, level=1) if n % 4 > 1 else g for n, g in enumerate(book.snapshot().grades)]
    only_hard = analyze(replace(book.snapshot(), grades=tuple(half)))
    holds = {h.part: h for h in standing(only_hard, SONNET).on_parts}
    assert holds["hard"].shown
    assert (holds["easy"].shown, holds["easy"].difference.reason) == (False, why)
    better = [replace(g, level=1) if n % 2 else g for n, g in enumerate(book.snapshot().grades)]
    assert found(analyze(replace(book.snapshot(), grades=tuple(better))), SONNET)["cheaper-no-worse"].state == "shown"


def test_models_that_all_refuse_speak_for_no_stronger_one() -> None:
    book = Book(spec((OPUS, HAIKU)))
    for i in range(40):
        book.item(name := f"i{i:03d}", difficulty=("easy", "hard")[i % 2])
        for model in (OPUS, HAIKU):
            book.trial(name, ended("refused"), model=model)
    signals = found(analyze(book.snapshot()), HAIKU)
    assert signals["hard-under-bar"].state == "not enough data"
    assert not [signal.id for signal in signals.values() if signal.state == "shown"]


def test_headings_are_findings() -> None:
    signals = find_signals(planted(), SONNET)
    assert (
        heading(signals)
        == "Haiku 4.5 is less than 10 points worse than Sonnet 4.6 on easy items: 7 of 10 signals shown"
    )
    quiet = [replace(signal, state="not shown") for signal in signals]
    assert heading(quiet) == "None of the 10 signals speaks for another model than Sonnet 4.6"
    for read, told in (
        (1, "The one signal that can be read does not speak for another model than Sonnet 4.6; 9 of 10 lack data"),
        (3, "None of the 3 signals that can be read speaks for another model than Sonnet 4.6; 7 of 10 lack data"),
        (0, "No signal can be read: 10 signals lack data"),
    ):
        some = [replace(s, state="not enough data" if n >= read else s.state) for n, s in enumerate(quiet)]
        assert heading(some) == told
    assert "3 of 10 lack data" in heading([*(replace(s, state="not enough data") for s in quiet[:3]), *quiet[3:]])


def test_the_section_has_a_row_a_signal_and_what_would_settle_it() -> None:
    part = section(replace(made("whole"), signals=find_signals(planted(), SONNET)), "signals")
    assert [row.picked for row in part.blocks[-1].rows] == [True] * 7 + [False] * 3


@pytest.mark.parametrize(
    ("lost", "state"),
    [
        pytest.param(0, "shown", id="no loss"),
        pytest.param(16, "not enough data", id="a loss, of which the interval covers the margin"),
        pytest.param(60, "not shown", id="a loss beyond the margin"),
    ],
)
def test_a_loss_refutes_no_worse_by_the_margin_only_where_its_interval_lies_beyond_it(lost: int, state: str) -> None:
    signals = found(run({HAIKU: {"easy": lost}}, models=(OPUS, HAIKU)), OPUS)
    difference = signals["cheaper-no-worse"].evidence[0].estimate
    assert difference.high is not None
    assert (difference.high < 0) == (lost > 0)
    assert (signals["cheaper-no-worse"].state, signals["faster-no-worse"].state) == (state, state)


@pytest.mark.parametrize(
    ("lost", "seconds", "latency_open", "quality_open"),
    [
        pytest.param(0, 8.0, True, False, id="as slow"),
        pytest.param(16, 2.0, False, True, id="perhaps worse"),
        pytest.param(16, 8.0, True, True, id="as slow, and perhaps worse"),
        pytest.param(0, None, True, False, id="one of two not timed"),
    ],
)
def test_what_settles_faster_and_no_worse_names_the_half_that_is_open(
    lost: int, seconds: float | None, latency_open: bool, quality_open: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Sonnet is timed, slow and cheaper too, so that where Haiku was not timed the run as a whole was
    monkeypatch.setitem(SECONDS, SONNET, 16.0)
    monkeypatch.setitem(SECONDS, HAIKU, 0.0 if seconds is None else seconds)
    signal = found(run({HAIKU: {"easy": lost}}), OPUS)["faster-no-worse"]
    assert signal.state == "not enough data"
    assert ("more items: whether Haiku 4.5 is faster" in signal.settles or "timed" in signal.settles) is latency_open
    assert ("timed" in signal.settles) is (seconds is None)
    assert ("less than 10 points worse" in signal.settles) is quality_open
