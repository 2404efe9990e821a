"""Runs that are graded in part, tried several times or made elsewhere: no figure says more of them than there is."""

import re

import pytest
from analysis_builders import HAIKU, JUDGE, OPUS, SONNET, WEIGHTED, Book, answered, failed, round_, run_of, spec
from report_pages import plain_text, section

from evalkit.analysis import analyze
from evalkit.analysis.results import Analysis
from evalkit.blocks import Facts
from evalkit.chart_blocks import Lines
from evalkit.pairing import compare
from evalkit.records import Usage
from evalkit.report import build_report, render_html
from evalkit.routing.claims import _at_rate


def graded_apart(shared: int, alone: int = 40) -> Analysis:
    """Of each model `alone` more items are graded than the `shared` ones, on which the dear model is less ahead."""
    book = Book(spec((HAIKU, OPUS)))
    for i in range(shared + 2 * alone):
        both, first = i < shared, i < shared + alone
        levels = {HAIKU: int(i % 2 if both else i % 4 == 0), OPUS: int(i % 10 > 1 if both else 1)}
        book.trial(f"i{i}", answered(0.01 + i / 1e5), model=HAIKU, level=levels[HAIKU] if both or first else None)
        book.trial(f"i{i}", answered(0.3 + i / 1e5), model=OPUS, level=levels[OPUS] if both or not first else None)
    return analyze(book.snapshot())


def dots(analysis: Analysis) -> list[bool]:
    (chart,) = (block for block in section(analysis, "price-of-a-failure").blocks if isinstance(block, Lines))
    assert bool(chart.crossings) == bool(chart.stretches)
    return [crossing.shown for crossing in chart.crossings]


def test_a_break_even_is_drawn_only_where_curves_and_shared_items_agree_on_it() -> None:
    apart, same = graded_apart(60), graded_apart(60, alone=0)
    pair = compare(apart, OPUS, HAIKU)
    assert pair is not None
    assert pair.overtaken
    assert dots(apart) == []
    told = plain_text(section(apart, "price-of-a-failure").lede or ())
    assert "on the items graded for both, 60, so that they may lie elsewhere" in told
    assert "up to 100 items" in told
    assert dots(same) == [True]
    assert "may lie elsewhere" not in plain_text(section(same, "price-of-a-failure").lede or ())


def test_a_cost_ratio_of_fewer_items_than_the_costs_beside_it_says_of_how_many() -> None:
    def standing(analysis: Analysis) -> str:
        parts = [block for block in section(analysis, "verdict").blocks if isinstance(block, Facts)]
        return " ".join(plain_text(fact.text) for part in parts for fact in part.facts)

    assert "output on the 60 items that both have a verdict on." in standing(graded_apart(60))
    assert "that both have a verdict on" not in standing(graded_apart(60, alone=0))


def test_both_models_of_a_row_have_a_verdict_on_its_items_and_need_not_have_answered_them() -> None:
    def lede(analysis: Analysis) -> str:
        return plain_text(section(analysis, "side-by-side").lede or ())

    assert lede(graded_apart(60)).startswith("Both models of a row have a verdict on the same 60 items.")
    book = Book(spec((HAIKU, SONNET, OPUS)))
    for i in range(9):
        for model in (HAIKU, SONNET, OPUS):
            book.trial(f"i{i}", answered(), model=model, level=None if model == OPUS and i > 5 else i % 2)
    assert "on the same 6 to 9 items." in lede(analyze(book.snapshot()))


def test_calls_of_one_item_are_told_by_what_they_took_and_not_by_a_quantile_that_none_took() -> None:
    book = Book(spec((HAIKU,), epochs=3))
    for epoch, seconds in enumerate((1.0, 5.0, 60.0), start=1):
        book.trial("a", answered(latency_s=seconds, felt_s=seconds), model=HAIKU, epoch=epoch, level=1)
    (heading,) = (s.heading for s in build_report(analyze(book.snapshot())).sections if s.name == "latency")
    assert heading == "Haiku 4.5's 3 calls took 1.0 s to 60 s"


@pytest.mark.parametrize(
    ("epochs", "told"), [(1, "from 20 calls (need"), (3, "from 20 items (with their repeats worth")]
)
def test_an_open_limit_says_what_it_was_counted_in(epochs: int, told: str) -> None:
    book = Book(spec((HAIKU, OPUS), epochs=epochs))
    for i in range(20):
        for model in (HAIKU, OPUS):
            for epoch in range(epochs):
                book.trial(f"i{i}", answered(latency_s=1 + i + epoch / 10), model=model, epoch=epoch + 1, level=1)
    assert f"open, no upper limit {told}" in re.sub(r"\s+", " ", render_html(analyze(book.snapshot())))


def test_few_grades_of_many_outputs_say_nothing_of_the_items() -> None:
    book = Book(spec((HAIKU, OPUS)))
    for i in range(40):
        for model in (HAIKU, OPUS):
            book.trial(f"i{i}", answered(), model=model, level=1 if i < 2 else None)
    assert not [told for told in analyze(book.snapshot()).warnings if told.startswith(("Ceiling", "Floor"))]


def test_a_check_is_not_asked_to_grade_again() -> None:
    book = Book(spec(rubric=WEIGHTED), rounds=[round_(1, (JUDGE, "ann", "checks"))])
    for i in range(4):
        trial = book.trial(f"i{i}", answered())
        for grader in (JUDGE, "ann"):
            book.grade(trial, 2 * (i % 2), grader=grader, criterion="right")
        book.grade(trial, 5, grader="checks", criterion="tone")
    assert [each.criterion for each in analyze(book.snapshot()).agreement] == ["right", "satisfactory"]


CUT = failed(0.002, usage=Usage(input_tokens=1000, output_tokens=1))


def test_costs_with_answers_that_broke_off_are_a_lower_bound_but_not_those_of_an_import() -> None:
    book = Book(spec((OPUS,)))
    for i in range(5):
        book.trial(f"i{i}", CUT, answered(), level=1)
    analysis = analyze(book.snapshot())
    assert analysis.models[0].cut.attempts == 5
    told = "Opus 4.6: 5 answers broke off, of which a server may bill more than it told; its costs are a lower bound."
    assert told in analysis.warnings
    elsewhere = Book(spec((OPUS,), outputs_sha256="a" * 64))
    for i in range(5):
        elsewhere.trial(f"i{i}", CUT, answered(), level=1)
    analysis = analyze(elsewhere.snapshot())
    assert analysis.models[0].cut.attempts == 0
    assert not [told for told in analysis.warnings if "broke off" in told]
    assert "Cut in the middle" not in render_html(analysis)


def test_unevenly_tried_imports_are_not_headed_by_the_most_tries() -> None:
    book = Book(spec((OPUS,), epochs=3, outputs_sha256="a" * 64))
    for i in range(6):
        for epoch in range(1, 2 + i % 3):
            book.trial(f"i{i}", answered(), epoch=epoch, level=1)
    assert "6 items × 1 model × up to 3 epochs" in re.sub(r"\s+", " ", render_html(analyze(book.snapshot())))
    assert "up to" not in build_report(analyze(run_of({OPUS: [[True] * 3] * 4}))).title


@pytest.mark.parametrize(
    ("difference", "told"), [(0.01, "1 point higher"), (-0.02, "2 points lower"), (0.004, "0.4 points higher")]
)
def test_one_point_is_one(difference: float, told: str) -> None:
    assert _at_rate(difference) == f"with a pass rate {told}"
