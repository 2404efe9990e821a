"""Where two places of a report speak of the same, they say the same, over the same outputs, in every form."""

import html
import json
import re
from dataclasses import replace

import pytest
from analysis_builders import HAIKU, JUDGE, OPUS, Book, answered, ended, round_, run_of, spec
from report_pages import made, plain_text, section
from rich.console import Console

from evalkit.analysis import analyze
from evalkit.analysis.results import Analysis
from evalkit.analysis.routing import RoutingDecision, RoutingVerdict
from evalkit.blocks import MOST_WARNINGS, Facts, Note, Paragraph
from evalkit.chart_blocks import Frontier
from evalkit.cli.report import _print_summary
from evalkit.cli.summary import summary_table
from evalkit.redaction import Redaction
from evalkit.rendering.chart_table import table_of
from evalkit.report import build_report, render_html, render_json, render_markdown

OPUS_ALONE, WIDE = f"always-{OPUS}", 200


def said(analysis: Analysis, name: str) -> str:
    """A section's heading, paragraphs and facts in one text."""
    part = section(analysis, name)
    facts = [fact for block in part.blocks if isinstance(block, Facts) for fact in block.facts]
    paragraphs = [plain_text(block.text) for block in part.blocks if isinstance(block, Paragraph)]
    return "\n".join([part.heading, *paragraphs, *(f"{fact.title}: {plain_text(fact.text)}" for fact in facts)])


def on_terminal(analysis: Analysis) -> str:
    console = Console(width=WIDE, color_system=None)
    with console.capture() as seen:
        console.print(summary_table(analysis, WIDE))
    return seen.get()


def partly_graded(epochs: int = 1) -> Analysis:
    """Of twenty items that cost one cent, and later three, one model is graded on the first eight."""
    book = Book(spec((HAIKU, OPUS), epochs=epochs))
    for i in range(20):
        for epoch in range(1, epochs + 1):
            usd = 0.01 if i < 8 else 0.03
            book.trial(f"i{i:02d}", answered(usd, 2 + i / 10), model=HAIKU, epoch=epoch, level=int(i != 15))
            graded = i < 8 or (i < 12 and epoch < epochs)
            book.trial(
                f"i{i:02d}", answered(usd, 3 + i / 10), model=OPUS, epoch=epoch, level=int(i != 3) if graded else None
            )
    return analyze(book.snapshot())


def test_items_with_a_verdict_in_some_epochs_are_not_said_to_have_none() -> None:
    """The page resamples items that have a verdict under every model, which another heading must not deny."""
    book = Book(spec((HAIKU, OPUS), epochs=2))
    for i in range(20):
        for model in (HAIKU, OPUS):
            for epoch in (1, 2):
                level = 1 if epoch == 1 and i < 17 else None
                book.trial(f"i{i:02d}", answered(0.01, 2.0), model=model, epoch=epoch, level=level)
    analysis = analyze(book.snapshot())
    assert section(analysis, "item-map").heading == (
        "None of 20 items has all its verdicts; 17 have some under every model"
    )
    assert analysis.stability.items == 17


@pytest.mark.parametrize("epochs", [1, 2])
def test_items_of_which_only_a_part_is_graded_are_in_no_count(epochs: int) -> None:
    analysis = partly_graded(epochs)
    assert section(analysis, "item-map").heading == (
        "Every model satisfies 7 of 20 items; 1 tells them apart; 12 lack a verdict"
    )
    told = said(analysis, "how-sure")
    assert "12% of the items tell outputs apart: 1 of 8 items" in told
    assert "What is said of items is of the 8 of 20 with a verdict on every output." in told
    assert "88% are passed by every output" in told
    assert "this set can hardly tell" not in told, "8 of 20 items are no word on the set"
    assert "No item is out of reach" in told, "i15 fails under the one model that is graded on it"
    assert "i15" not in told


def test_figures_over_other_trials_than_those_beside_them_say_so() -> None:
    analysis = partly_graded()
    told = "Cost per request is of all trials with an outcome; pass rate and other costs are of those with a verdict:"
    for text in (on_terminal(analysis), said(analysis, "scorecard")):
        assert f"{told} 8 of 20 with Opus 4.6." in " ".join(text.split())
    assert "resamples of 8 items that all options share)" in on_terminal(analysis)
    sure = said(analysis, "how-sure")
    assert "of the 8 items that all options share" in sure.splitlines()[0]
    assert "20 with Haiku 4.5 and 8 with Opus 4.6, so the two may differ." in sure
    whole = analyze(run_of({HAIKU: [[i % 4 > 0] for i in range(20)], OPUS: [[True]] * 20}))
    assert "with a verdict" not in on_terminal(whole) + said(whole, "scorecard")
    assert "that all options share" not in on_terminal(whole) + said(whole, "how-sure")


@pytest.mark.parametrize(
    ("option", "verdict", "told", "never"),
    [
        ("claude-sonnet-4-6", "not_enough_data", "Until then, the verdict stands: use Sonnet 4.6 alone.", "use Opus"),
        ("claude-sonnet-4-6", "keep", "Keep Sonnet 4.6, as the verdict says.", "use "),
        ("claude-sonnet-4-6", "route", "failures at $5.00, where Opus 4.6 only looks cheaper than Sonnet 4.6.", "use "),
        (OPUS, "not_enough_data", "Until then, use Opus 4.6 alone.", "The verdict"),
        (OPUS, "keep", "It is so.", "The verdict"),
        (None, "not_enough_data", "The verdict names no model; this section goes by the total with failures", "use "),
    ],
)
def test_the_page_gives_one_order(option: str | None, verdict: RoutingVerdict, told: str, never: str) -> None:
    whole = made("routed")
    assert whole.routing is not None
    routing = replace(whole.routing, decision=RoutingDecision(verdict, OPUS_ALONE, OPUS_ALONE, 3, "it is so"))
    analysis = replace(whole, routing=routing, decision=replace(whole.decision, option=option))
    text = plain_text(next(b.text for b in section(analysis, "routing").blocks if isinstance(b, Paragraph)))
    assert told in text
    assert never not in text


def test_a_model_without_any_output_has_no_mean_and_waits_for_no_grade() -> None:
    book = Book(spec((HAIKU, OPUS)))
    for i in range(9):
        book.trial(f"i{i}", answered(), model=HAIKU, level=1)
        book.trial(f"i{i}", ended("errored"), model=OPUS)
    analysis = analyze(book.snapshot())
    assert (
        section(analysis, "criteria").heading == "Only Haiku 4.5 has scores, so no criterion can set the models apart"
    )
    assert analysis.criteria[0].score[OPUS].reason == analysis.model(OPUS).score.reason == "there is no output to grade"
    book.trial("i0", answered(), model="claude-sonnet-4-6", level=1)
    third = replace(book.spec, models=(HAIKU, "claude-sonnet-4-6", OPUS))
    told = section(analyze(book.snapshot(spec=third)), "criteria").heading
    assert told == "No criterion is shown to set the models that have scores apart: all means are the same"


def at_odds() -> Analysis:
    """Two people who never agree, so that no model passes anything, and of every three outputs one is not graded."""
    book = Book(spec((HAIKU, OPUS)), rounds=[round_(1, ("ann", "ben"))])
    for i in range(30):
        for model in (HAIKU, OPUS):
            trial = book.trial(f"i{i}", answered(), model=model)
            for grader, level in (("ann", i % 2), ("ben", 1 - i % 2)) if i % 3 else ():
                book.grade(trial, level, grader=grader)
    book.judging(1, replace(answered(), cost_usd=None), grader=JUDGE)
    return analyze(book.snapshot())


def test_every_form_carries_the_same_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    analysis = at_odds()
    apart = "The graders are not shown to agree on what is satisfactory: alpha \N{MINUS SIGN}0.9"
    assert analysis.warnings[0].startswith(apart)
    assert any(text.startswith("Floor: no model passes any item") for text in analysis.warnings)
    assert len(analysis.warnings) > MOST_WARNINGS
    _print_summary(analysis, Redaction())
    printed = " ".join(capsys.readouterr().out.split())
    report = build_report(analysis)
    page = html.unescape(re.sub(r"</?(span|code|small)[^>]*>", "", render_html(analysis, report=report)))
    summary = render_markdown(analysis, report=report)
    for text in analysis.warnings:
        assert f"! {text}" in printed
        words = text.partition("`")[0].removesuffix(".")
        assert words in page.replace("\N{NO-BREAK SPACE}", " ")
        assert words in summary
    assert json.loads(render_json(analysis, report=report))["analysis"]["warnings"] == list(analysis.warnings)
    (note,) = (block for block in report.sections[0].blocks if isinstance(block, Note))
    assert any(span.link == "graders" for span in note.sentences[0])
    assert f'<a href="#method">{len(analysis.warnings) - MOST_WARNINGS} more below</a>' in page


def test_no_limit_is_rounded_onto_the_bar_in_any_table() -> None:
    """54 of 60: the lower limit is 79.85 %, and 80 % would have cleared."""
    analysis = analyze(run_of({HAIKU: [[i >= 6] for i in range(60)], OPUS: [[True]] * 60}))
    assert "(79.9–95%)" in on_terminal(analysis)
    (chart,) = (block for block in section(analysis, "frontier").blocks if isinstance(block, Frontier))
    table = table_of(chart)
    assert table is not None
    assert next(row.cells[2].doubt for row in table.rows) == "79.9–95%"
