"""A context sweep: each size alone is an ordinary run, sizes are paired item by item, and what is missing is said."""

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from analysis_builders import HAIKU, OPUS, SONNET, Book, answered, run_of, spec
from hypothesis import given, settings
from hypothesis import strategies as st
from report_pages import plain_text
from sweep_builders import at_size, losing, three_sizes, together
from test_report_odd import kept

from evalkit import stats
from evalkit.analysis import Analysis, analyze
from evalkit.analysis.contexts import at_context
from evalkit.analysis.trials_table import trials_csv, trials_table
from evalkit.blocks import Definitions, Table
from evalkit.chart_blocks import Lines
from evalkit.cli.summary import sweep_table
from evalkit.errors import UsageError
from evalkit.grading_records import RoundEvent
from evalkit.records import Snapshot
from evalkit.report import build_report, render_html, render_json, render_markdown
from evalkit.rounds import declared

VERDICTS = st.sampled_from([True, True, False, None])


@st.composite
def sweeps(draw: st.DrawFn) -> dict[int, Snapshot]:
    """A few items at two or three sizes, with any epochs, ungraded outputs among them."""
    items, epochs = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    rows = st.lists(st.lists(VERDICTS, min_size=epochs, max_size=epochs), min_size=items, max_size=items)
    return {
        size: at_size(size, {model: draw(rows) for model in (OPUS, HAIKU)})
        for size in draw(st.sampled_from([(2000, 9000), (500, 2000, 9000)]))
    }


def test_what_people_were_asked_for_is_named_by_the_items_of_one_size() -> None:
    """A sample that no size knew would measure no judge."""
    named = {"items": ["item-001@2000", "item-002@50000"], "apart": [], "drawn": ["item-003@50000", "item-004@2000"]}
    event = RoundEvent("settings", 1, None, named, at="2026-11-02")
    (found,) = declared(at_context(replace(three_sizes(), events=(event,)), 50_000))
    assert (found.items, found.apart, found.drawn) == (("item-002",), (), ("item-003",))


def page(analysis: Analysis) -> str:
    """The words of the report."""
    return re.sub(r"<[^>]+>", "", render_html(analysis)).replace("\N{NO-BREAK SPACE}", " ")


def anonymous(analysis: Analysis) -> Analysis:
    """Without the numbers of trials and of rounds, which differ between two files of the same data."""
    outputs = tuple(replace(i, outputs=tuple(replace(o, trial_id=0) for o in i.outputs)) for i in analysis.outputs)
    return replace(analysis, outputs=outputs, grading=replace(analysis.grading, rounds=0))


@pytest.mark.long
@settings(max_examples=6)
@given(sweeps())
def test_each_size_alone_is_analysed_as_an_ordinary_run_of_the_same_data(parts: dict[int, Snapshot]) -> None:
    whole, alone = together(parts), {size: analyze(part) for size, part in parts.items()}
    for size, part in alone.items():
        assert anonymous(analyze(at_context(whole, size))) == anonymous(part)
    main, largest = analyze(whole), alone[max(alone)]
    assert main.models == largest.models
    assert main.pairs == largest.pairs
    assert main.decision == largest.decision
    assert main.items == largest.items


@pytest.mark.long
def test_rates_costs_and_differences_of_each_size_are_known() -> None:
    sweep = analyze(three_sizes()).sweep
    assert sweep is not None
    haiku = sweep.of(HAIKU)
    assert [p.pass_rate.value for p in haiku] == [1.0, 59 / 60, 0.5]
    assert [p.pass_rate.n for p in haiku] == [60, 60, 60]  # the item is the unit: sizes add none
    assert [p.cost_per_request.value for p in haiku] == pytest.approx([0.002, 0.01, 0.05])
    assert haiku[2].cost_per_satisfactory.value == pytest.approx(0.1)
    assert haiku[0].difference is None
    assert haiku[1].difference == stats.paired_rates(0, 1, 60, 0.9)
    assert haiku[2].difference == stats.paired_rates(0, 30, 60, 0.9)
    assert haiku[2].spend_usd == pytest.approx(60 * 0.05)
    assert haiku[2].latency_p50.value == pytest.approx(1 + 29.5 / 10, abs=0.1)
    assert haiku[1].reached is not None
    assert haiku[1].reached.largest_tokens == 9990
    assert not any(p.missed for p in sweep.points)


def test_how_far_a_model_holds_is_tested_size_by_size_against_the_shortest() -> None:
    sweep = analyze(three_sizes()).sweep
    assert sweep is not None
    ranges = {found.model: found for found in sweep.ranges}
    assert (ranges[OPUS].holds_tokens, ranges[OPUS].open_at) == (50_000, None)
    assert (ranges[HAIKU].holds_tokens, ranges[HAIKU].open_at) == (10_000, 50_000)
    assert ranges[HAIKU].items == 60
    for point in sweep.points:
        held = point.context_tokens <= (ranges[point.model].holds_tokens or 0)
        assert point.difference is None or (point.difference.low or 0) > -ranges[point.model].margin or not held
    odds = ranges[HAIKU].odds_per_doubling.value
    assert odds is not None
    assert odds < 1
    assert ranges[OPUS].odds_per_doubling.reason  # nothing ever fails: no curve


def test_differences_are_paired_on_the_items_that_both_sizes_have_a_verdict_on() -> None:
    short: list[list[bool | None]] = [[True], [True], [None], [False]]
    long: list[list[bool | None]] = [[False], [True], [True], [None]]
    sweep = analyze(together({2000: at_size(2000, {OPUS: short}), 9000: at_size(9000, {OPUS: long})})).sweep
    assert sweep is not None
    difference = sweep.of(OPUS)[1].difference
    assert difference == stats.paired_rates(0, 1, 2, 0.9)
    assert sweep.ranges[0].items == 2


@pytest.mark.parametrize("worst", [[True, False], [False, False]])
def test_epochs_are_averaged_before_sizes_are_compared(worst: list[bool]) -> None:
    short: list[list[bool]] = [[True, True]] * 12
    long: list[list[bool]] = [worst] * 6 + [[True, True]] * 6
    sweep = analyze(together({2000: at_size(2000, {OPUS: short}), 9000: at_size(9000, {OPUS: long})})).sweep
    assert sweep is not None
    now = [sum(worst) / 2] * 6 + [1.0] * 6
    assert sweep.of(OPUS)[1].difference == stats.paired_rates_clustered(now, [1.0] * 12, 0.9, epochs=2)


@pytest.mark.parametrize(
    ("card", "large", "analysed", "words"),
    [
        (2000, (OPUS, HAIKU), 2000, "card"),
        (7777, (OPUS, HAIKU), 250_000, "every model"),
        (None, (OPUS,), 2000, "every model"),
        (250_000, (OPUS,), 250_000, "card"),
    ],
)
def test_the_size_analysed_is_productions_or_the_largest_that_every_model_has(
    card: int | None, large: Sequence[str], analysed: int, words: str
) -> None:
    parts = {
        2000: at_size(2000, {OPUS: losing(8, 0), HAIKU: losing(8, 4)}),
        250_000: at_size(250_000, dict.fromkeys(large, losing(8, 2))),
    }
    analysis = analyze(together(parts, card, (OPUS, HAIKU)))
    assert analysis.sweep is not None
    assert (analysis.sweep.analysed, words in analysis.sweep.basis) == (analysed, True)
    assert analysis.models == analyze(parts[analysed]).models
    assert f"at {analysed:,} tokens" in analysis.warnings[0]
    assert f"at {analysed:,} tokens" in "".join(s.text for s in section(analysis).lede)
    if HAIKU not in large:
        (lacking,) = analysis.sweep.lacking
        assert (lacking.model, lacking.context_tokens) == (HAIKU, 250_000)
        assert "251,024 tokens of context and answer do not fit its window of 200,000" in lacking.reason
        assert any("Haiku 4.5 was not run at 250,000 tokens" in text for text in analysis.warnings)
        assert [p.context_tokens for p in analysis.sweep.of(HAIKU)] == [2000]
        assert "Haiku 4.5 was not run" in page(analysis)


@pytest.mark.parametrize(
    ("reached", "card", "trend", "words"),
    [
        (20_000, None, False, "prompts reach 19,998 (median) of the 50,000"),
        (50_400, 2000, True, "prompts of up to 50,400 tokens, over the 50,000"),
        (90_000, 2000, False, "prompts of up to 90,000 tokens, over the 50,000"),
    ],
)
def test_a_size_that_the_prompts_missed_is_said_and_if_by_far_gives_no_trend(
    reached: int, card: int | None, trend: bool, words: str
) -> None:
    analysis = analyze(three_sizes(card, reached))
    assert analysis.sweep is not None
    point = analysis.sweep.of(HAIKU)[2]
    assert words in point.missed
    assert sum(words in text for text in analysis.warnings) == 1
    assert (analysis.sweep.ranges[1].odds_per_doubling.value is not None) is trend
    assert words in page(analysis)


def test_sizes_that_wait_for_trials_or_grades_are_said() -> None:
    book = Book(spec((OPUS,), context_tokens=2000))
    for i in range(4):
        book.trial(f"item-{i:03d}", *([answered()] if i else []), model=OPUS, level=None)
    waiting = together({2000: book.snapshot(), 9000: at_size(9000, {OPUS: losing(4, 0)})})
    analysis = analyze(waiting)
    assert analysis.sweep is not None
    assert analysis.sweep.pending == 1
    assert any("1 trial at other sizes has no outcome yet" in text for text in analysis.warnings)
    assert any("3 outputs at 2,000 tokens are ungraded" in text for text in analysis.warnings)
    assert analysis.sweep.ranges[0].reason == "nothing is graded at the shortest size"
    assert "No model has grades to compare sizes by" in page(analysis)


def test_the_judges_bill_is_of_all_sizes() -> None:
    book = Book(spec((OPUS,), context_tokens=2000))
    book.judging(book.trial("item-000", answered(), level=1), answered(0.5))
    whole = together({2000: book.snapshot(), 9000: at_size(9000, {OPUS: losing(1, 0)})})
    assert analyze(whole).grading.judge_usd == 1.0
    assert analyze(at_context(whole, 2000)).grading.judge_usd == 0.5


# --- renderings -----------------------------------------------------------------------------------------------


def section(analysis: Analysis) -> Any:
    return next(s for s in build_report(analysis).sections if s.name == "context-sweep")


def method(analysis: Analysis) -> str:
    rows = next(s for s in build_report(analysis).sections if s.name == "method").blocks[0]
    assert isinstance(rows, Definitions)
    return "\n".join(f"{term}: {plain_text(text)}" for term, text in rows.rows)


def test_no_section_stands_without_a_sweep() -> None:
    assert "context-sweep" not in {s.name for s in build_report(analyze(run_of({OPUS: [[True]] * 3}))).sections}


def test_the_section_has_a_chart_with_intervals_and_a_row_for_each_size() -> None:
    made = section(analyze(three_sizes()))
    assert made.heading == "Shown to hold within 10 points: Haiku 4.5 to 10,000 tokens and Opus 4.6 to 50,000 tokens"
    (chart,) = (block for block in made.blocks if isinstance(block, Lines))
    assert [[e.n for e in line.estimates] for line in chart.lines] == [[60] * 3, [60] * 3]
    assert [len(block.rows) for block in made.blocks if isinstance(block, Table)] == [6, 2, 6]


@pytest.mark.long
def test_every_rendering_tells_the_sizes_and_none_a_variants_id() -> None:
    analysis = analyze(three_sizes())
    terminal = sweep_table(analysis, 200)
    assert terminal is not None
    assert terminal.row_count == 6
    for text in (
        render_html(analysis),
        render_markdown(analysis),
        render_json(analysis),
        trials_csv(trials_table(three_sizes())),
    ):
        assert "@2000" not in text
        assert "@50000" not in text
    markdown = render_markdown(analysis)
    assert "**Shown to hold within 10 points" in markdown
    assert "at 50,000 tokens, one of 3 sizes" in markdown
    points = json.loads(render_json(analysis))["analysis"]["sweep"]["points"]
    assert [(p["context_tokens"], p["pass_rate"]["value"]) for p in points][:2] == [(2000, 1.0), (10_000, 1.0)]
    assert "--context 2000,10000,50000" in page(analysis)


def test_a_page_says_where_the_outputs_of_other_sizes_are_and_what_failed_there() -> None:
    analysis = analyze(three_sizes())
    told = {each.name: plain_text(each.lede) for each in build_report(analysis).sections}
    assert "Attempts: 120 of production at 50,000 tokens, 0 failed" in method(analysis)
    where = "These are the outputs at 50,000 tokens; those at 2,000 and 10,000 are in the table of trials"
    assert where in told["items"].replace("\N{NO-BREAK SPACE}", " ")
    assert told["failures"].endswith("Trials at 50,000 tokens; of those at other sizes 0 failed.")
    assert not [name for name, text in told.items() if "at other sizes" in text and name not in ("failures",)]


@pytest.mark.parametrize("width", range(40, 131, 5))
def test_no_width_of_a_terminal_breaks_a_figure_of_a_size(width: int) -> None:
    table = sweep_table(analyze(three_sizes()), width)
    assert table is not None
    assert str(table.caption).endswith("of the shortest: Opus 4.6 to 50,000 tokens and Haiku 4.5 to 10,000 tokens")
    kept(table, width)


def test_a_size_that_is_held_against_itself_alone_is_not_said_to_be() -> None:
    parts = {size: at_size(size, {OPUS: losing(12, 0)}) for size in (2000, 50_000)}
    table = sweep_table(analyze(together(parts)), 100)
    assert table is not None
    assert not table.caption


def test_tables_of_two_runs_have_columns_of_the_same_kinds() -> None:
    """Nothing measured, whole numbers alone, or no failure: none makes another type of a column."""

    def kinds(**changes: Any) -> dict[str, str]:
        made = Book(spec((OPUS,)))
        made.trial("a", replace(answered(), **changes), model=OPUS, level=1)
        return {name: str(kind) for name, kind in trials_table(made.snapshot()).dtypes.items() if "wait" not in name}

    assert kinds() == kinds(felt_s=None, ttft_s=3.0, cost_usd=2.0) == kinds(error_type="x", latency_s=0.5)


def test_csv_has_the_items_own_ids_and_the_size_of_each_trial() -> None:
    rows = list(csv.DictReader(io.StringIO(trials_csv(trials_table(three_sizes())))))
    assert len(rows) == 3 * 2 * 60
    assert {row["item_id"] for row in rows} == {f"item-{i:03d}" for i in range(60)}
    assert [rows[0]["context_tokens"], rows[-1]["context_tokens"]] == ["2000", "50000"]


# --- baselines ------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_sweep_is_compared_with_a_baseline_at_the_same_size() -> None:
    now, then = three_sizes(), at_size(50_000, {OPUS: losing(60, 20), HAIKU: losing(60, 30)})
    expected = analyze(at_size(50_000, {OPUS: losing(60, 0), HAIKU: losing(60, 30)}), then).against
    assert analyze(now, then).against == expected
    assert analyze(now, three_sizes()).against[0].difference.value == 0
    assert analyze(then, now).against[0].gain == 0
    with pytest.raises(UsageError, match="without a run at 50,000 tokens"):
        analyze(now, together({2000: at_size(2000, {OPUS: losing(60, 0)}), 9000: at_size(9000, {OPUS: losing(60, 0)})}))
    with pytest.raises(UsageError, match="without a run without filling"):
        analyze(run_of({OPUS: [[True]] * 3}), now)


def test_a_model_of_other_sizes_alone_keeps_every_models_look() -> None:
    parts = {
        2000: at_size(2000, {OPUS: losing(8, 0), HAIKU: losing(8, 4), SONNET: losing(8, 0)}),
        250_000: at_size(250_000, {OPUS: losing(8, 0), SONNET: losing(8, 0)}),
    }
    analysis = analyze(together(parts, 250_000, (OPUS, HAIKU, SONNET)))
    chart = next(block for block in section(analysis).blocks if isinstance(block, Lines))
    assert [line.series.name for line in chart.lines] == ["Haiku 4.5", "Sonnet 4.6", "Opus 4.6"]
    assert len({line.series.slot for line in chart.lines}) == 3
    assert "Haiku 4.5" in page(analysis)
