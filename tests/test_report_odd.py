"""What the report says of odd runs: nothing in two ways, nothing that is not so, nothing twice."""

import io
import re
from collections import Counter
from contextlib import redirect_stdout
from dataclasses import replace
from typing import Any

import pytest
from analysis_builders import HAIKU, OPUS, PASS_OR_FAIL, SONNET, Book, answered, ended, run_of, spec
from report_pages import made, plain_text, section
from rich.console import Console
from rich.table import Table as RichTable
from test_signals import planted

from evalkit.analysis import analyze
from evalkit.analysis.results import Analysis
from evalkit.blocks import MOST_WARNINGS, Facts, Items, Note, Paragraph, Table
from evalkit.chart_blocks import Lines
from evalkit.cli.models import models_table
from evalkit.cli.route_table import checks_table, policies_table, print_routing
from evalkit.cli.signal_tables import signal_table
from evalkit.cli.summary import summary_table
from evalkit.cli.terminal import PLAINLY
from evalkit.models import display_name
from evalkit.records import Usage
from evalkit.report import build_report, render_html, render_markdown
from evalkit.route import with_routing
from evalkit.sections.signals import figures
from evalkit.wording import money

REFUSED = ended("refused", 0.004, latency_s=1.0, ttft_s=0.3, felt_s=1.0, usage=Usage(input_tokens=900), text="No.")


def headings(analysis: Analysis) -> dict[str, str]:
    return {part.name: part.heading for part in build_report(analysis).sections}


def facts(analysis: Analysis, name: str) -> dict[str, str]:
    parts = [block for block in section(analysis, name).blocks if isinstance(block, Facts)]
    return {fact.title: plain_text(fact.text) for part in parts for fact in part.facts}


def test_a_model_that_never_answered_is_not_what_tells_items_apart() -> None:
    analysis = made("one_model_failed")
    (silent,) = [model for model in analysis.models if not model.counts.answered]
    part = sum(
        len({output.satisfied for output in item.outputs if output.model != silent.model}) > 1
        for item in analysis.outputs
    )
    (told,) = [text for title, text in facts(analysis, "how-sure").items() if "tell outputs apart" in title]
    assert told.endswith(f" {silent.name} answered nothing; of the others some pass and some fail on {part} items.")


def refusing() -> Analysis:
    """Of ten items the smaller model fails six, and the larger one is refused on four of these."""
    book = Book(spec((HAIKU, SONNET)))
    for i in range(10):
        book.trial(f"i{i}", answered(0.01, 2 + i / 10), model=HAIKU, level=int(i >= 6))
        book.trial(f"i{i}", *([REFUSED] if i < 4 else [answered(0.03, 3)]), model=SONNET, level=None if i < 4 else 1)
    return analyze(book.snapshot())


def all_refused() -> Analysis:
    book = Book(spec((HAIKU, OPUS)))
    for i in range(12):
        for model in (HAIKU, OPUS):
            book.trial(f"i{i}", REFUSED, model=model)
    return with_routing(analyze(book.snapshot()))


def one(level: bool = True) -> Analysis:
    return analyze(run_of({HAIKU: [[True]], OPUS: [[level]]}))


def test_an_alias_and_its_pin_go_by_their_ids_wherever_they_stand() -> None:
    """Both are Sonnet 4.5: `Use Sonnet 4.5` would name neither."""
    alias, pin = "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"
    passed = [[True]] * 30
    analysis = with_routing(analyze(run_of({HAIKU: [[i % 2 == 0] for i in range(30)], alias: passed, pin: passed})))
    assert [model.name for model in analysis.models] == ["Haiku 4.5", alias, pin]
    whole = render_html(analysis) + render_markdown(analysis)
    assert "Sonnet 4.5" not in whole.replace("\N{NO-BREAK SPACE}", " ")
    assert f"Use {alias}" in whole or f"Use {pin}" in whole
    assert display_name(pin, [HAIKU, pin]) == display_name(pin) == "Sonnet 4.5"


def test_retries_are_told_of_the_items_that_were_tried_so_often() -> None:
    """A run cut short in its second epoch: 20 of Haiku's 30 items and 16 of Opus's have two trials."""
    book = Book(spec((HAIKU, OPUS), epochs=2))
    for i in range(30):
        for model, twice in ((HAIKU, 20), (OPUS, 16)):
            for epoch in range(1, 3 if i < twice else 2):
                book.trial(f"i{i:02d}", answered(0.01), model=model, epoch=epoch, level=int(i != 25))
    part = section(analyze(book.snapshot()), "retries")
    assert "of 20 items tried so often" in part.heading
    (told,) = [plain_text(block.text) for block in part.blocks if isinstance(block, Paragraph)]
    assert "over 20 of Haiku 4.5 and 16 of Opus 4.6, and not" in told
    assert "one try may differ from the scorecard" in told


@pytest.mark.long
def test_a_bar_is_shown_as_it_was_stated() -> None:
    """Opus satisfies 91.3% of 300 items: 91% beside a bar of 91% would clear it."""
    flags = [[i >= 26] for i in range(300)]
    rubric = {**PASS_OR_FAIL, "decision": {"bar": 0.914}}
    run = run_of({HAIKU: [[i >= 60] for i in range(300)], OPUS: flags})
    analysis = analyze(replace(run, spec=replace(run.spec, rubric=rubric)))
    whole = plain_text(section(analysis, "verdict").lede) + render_html(analysis) + render_markdown(analysis)
    screen = Console(width=160, file=io.StringIO(), record=True)
    screen.print(summary_table(analysis, 160))
    for text in (whole, screen.export_text()):
        assert "91.4%" in text
        assert not re.search(r"\b91%[ \N{NO-BREAK SPACE}]bar|bar (is )?91%", text)
    assert "the 91.4% bar" in " ".join(analysis.decision.reasons.values())


def test_the_frontier_names_the_largest_gain_and_not_the_dearest() -> None:
    flags = {model: [[i >= fails] for i in range(200)] for model, fails in ((HAIKU, 20), (SONNET, 0), (OPUS, 7))}
    analysis = analyze(run_of(flags, costs={HAIKU: 0.01, SONNET: 0.03, OPUS: 0.06}))
    assert analysis.decision.option == HAIKU
    assert headings(analysis)["frontier"].startswith("Sonnet 4.6 buys +10 (")


def test_no_number_of_items_is_named_that_nobody_could_grade() -> None:
    analysis = analyze(run_of({HAIKU: [[i >= 6] for i in range(40)], OPUS: [[i >= 7] for i in range(40)]}))
    assert analysis.decision.option is None
    for needed, told in ((1_800_000, False), (1_800, True)):
        models = tuple(replace(model, items_to_clear=needed) for model in analysis.models)
        pairs = tuple(replace(pair, items_to_separate=needed) for pair in analysis.pairs)
        text = render_html(replace(analysis, models=models, pairs=pairs)).replace("\N{NO-BREAK SPACE}", " ")
        assert (f"about {needed:,}" in text) is told
        assert ("no number below 100,000: too close to tell" in text) is not told
        assert ("fewer than 100,000 items would not show that" in text) is not told


def test_models_that_fail_in_two_ways_do_not_part_and_the_sections_count_alike() -> None:
    analysis = refusing()
    assert headings(analysis)["item-map"] == "Every model satisfies 4 of 10 items, none satisfies 4; 2 tell them apart"
    (items,) = (block for block in section(analysis, "items").blocks if isinstance(block, Items))
    assert sum(item.differs for item in items.items) == 2
    assert plain_text(section(analysis, "items").lede).startswith("2 items on which the models part, 6 items that")
    assert "20% of the items tell outputs apart" in facts(analysis, "how-sure")


def test_where_every_request_was_refused_hardness_is_not_blamed_and_no_router_stands() -> None:
    analysis = all_refused()
    assert headings(analysis)["failures"] == "None of 24 trials brought a usable output: 24 refused"
    told = facts(analysis, "how-sure")
    assert told["100% are passed by none"].startswith("No model brought a usable output for them: i0")
    assert told["No item is passed by every output"] == "No item is too easy for all options."
    assert "No item tells outputs apart" in told
    assert "Rout" not in render_markdown(analysis)
    (lines,) = (block for block in section(analysis, "price-of-a-failure").blocks if isinstance(block, Lines))
    assert lines.stretches == (), "none is lowest where all cost the same"


@pytest.mark.parametrize(
    ("easy_usd", "easy", "told"),
    [
        (0.01, 30, "They took 5% of the spend on these items, and cannot set options apart by quality."),
        (0.19, 30, "They took 50% of the spend on these items, and cannot set options apart by quality."),
        (None, 30, "They cannot set options apart by quality."),
        (0.01, 60, "They cannot set options apart by quality."),
    ],
    ids=["cheap", "as dear", "of unknown cost", "all"],
)
def test_what_items_that_all_outputs_pass_took_is_reckoned(easy_usd: float | None, easy: int, told: str) -> None:
    book = Book(spec((HAIKU, SONNET)))
    for i in range(60):
        for model in (HAIKU, SONNET):
            passed = i < easy or model == SONNET
            book.trial(f"i{i:02}", answered(easy_usd if i < easy else 0.19), model=model, level=int(passed))
    found = facts(analyze(book.snapshot()), "how-sure")
    assert found[f"{easy / 60:.0%} are passed by every output"] == told


def test_items_that_some_model_was_refused_on_may_not_be_too_hard() -> None:
    floor = facts(refusing(), "how-sure")["40% are passed by none"]
    assert floor.startswith("Too hard for all of them, refused or cut, or the reference is wrong: i0")


def test_one_item_makes_whole_sentences_and_no_claim_of_steadiness() -> None:
    analysis = one(level=False)
    found = headings(analysis)
    assert found["how-sure"] == "One item cannot say how steady the choice is"
    assert found["item-map"] == "The one item is not satisfied by every model; 1 tells them apart"
    solo = analyze(run_of({HAIKU: [[True]]}))
    assert headings(solo)["failures"] == "The one trial brought an output"
    said = [plain_text(b.text) for b in section(solo, "latency").blocks if isinstance(b, Paragraph)]
    assert said[0].startswith(
        "The curves hold 1 of 1 trial of Haiku 4.5. Felt p90 of Haiku 4.5: open, no upper limit from 1 call (need 36)."
    )


def test_equal_means_name_no_lowest_model() -> None:
    assert headings(one())["criteria"] == "No criterion is shown to set the models apart: all means are the same"


def test_what_nobody_graded_has_no_models_that_part() -> None:
    book = Book(spec((HAIKU, OPUS)))
    for model in (HAIKU, OPUS):
        book.trial("i", answered(), model=model)
    analysis = analyze(book.snapshot())
    assert plain_text(section(analysis, "items").lede).startswith("Nothing is graded yet.")
    assert plain_text(section(analysis, "verdict").lede).startswith("2 outputs are waiting for grades")
    (scores, *_) = (block for block in section(analysis, "scorecard").blocks if isinstance(block, Table))
    assert {row.cells[0].doubt for row in scores.rows} == {"no item graded"}


def test_a_trial_that_has_not_run_waits_for_no_grade() -> None:
    book = Book(spec((HAIKU, OPUS)))
    for i in range(4):
        book.trial(f"i{i}", answered(), model=HAIKU, level=1)
        book.trial(f"i{i}", *([answered()] if i else []), model=OPUS, level=1 if i else None)
    assert headings(analyze(book.snapshot()))["item-map"].endswith("; 1 lacks a verdict")


@pytest.mark.parametrize(("minutes", "said"), [(5.0, "the default"), (6.0, "stated")])
def test_a_figure_that_nobody_need_have_stated_is_the_default(minutes: float, said: str) -> None:
    economics = {**PASS_OR_FAIL["economics"], "correction_minutes": minutes}
    run = run_of({HAIKU: [[i % 4 > 0] for i in range(20)], OPUS: [[True]] * 20})
    analysis = analyze(replace(run, spec=replace(run.spec, rubric={**PASS_OR_FAIL, "economics": economics})))
    for name in ("scorecard", "price-of-a-failure"):
        part = section(analysis, name)
        words = [part.lede, *(block.text for block in part.blocks if isinstance(block, Paragraph))]
        assert any(f"{money(minutes)} ({said})" in plain_text(text) for text in words)


def test_a_reason_that_many_cells_share_stands_once_below_the_table() -> None:
    book = Book(spec((HAIKU, "local-llm")))
    for i in range(6):
        for model in (HAIKU, "local-llm"):
            book.trial(f"i{i}", answered(None, 2 + i / 10), model=model, level=int(i > 0))
    text = render_markdown(analyze(book.snapshot()))
    table = [line for line in text.splitlines() if line.startswith("| ")]
    reason = "a request is unpriced, so no total can be given"
    assert not any(reason in line for line in table)
    assert all(line.split(" | ").count("unpriced") == 2 for line in table[1:])
    assert f"\n\nunpriced: {reason}.\n" in text


def test_the_method_repeats_no_warning_that_stands_beside_the_verdict() -> None:
    def notes(analysis: Analysis) -> list[Note]:
        return [block for block in section(analysis, "method").blocks if isinstance(block, Note)]

    analysis = analyze(run_of({HAIKU: [[i % 4 > 0] for i in range(60)]}))
    assert analysis.warnings
    assert len(analysis.warnings) < MOST_WARNINGS
    assert notes(analysis) == []
    many = replace(analysis, warnings=tuple(f"warning {i}" for i in range(MOST_WARNINGS + 1)))
    (note,) = notes(many)
    assert len(note.sentences) == MOST_WARNINGS + 1


def drawn(analysis: Analysis, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    with console.capture() as seen:
        console.print(summary_table(analysis, width))
    return seen.get().splitlines()


@pytest.mark.parametrize(
    ("width", "columns"), [(200, 7), (80, 5), (60, 4), (40, 3)], ids=["wide", "usual", "narrow", "half"]
)
def test_a_narrow_terminal_leaves_out_columns_before_it_breaks_a_figure(width: int, columns: int) -> None:
    analysis = made("whole")
    lines = drawn(analysis, width)
    rate, cost = analysis.model(SONNET).pass_rate, analysis.model(SONNET).cost_per_satisfactory
    assert rate.value is not None
    assert cost.value is not None
    assert len(summary_table(analysis, width).columns) == columns
    assert max(map(len, lines)) <= width
    assert not any(line.count("(") != line.count(")") for line in lines[: 2 * len(analysis.models) + 1])
    order = [line.split("4.")[0].strip() for line in lines if line.startswith(("Haiku", "Sonnet", "Opus"))]
    assert order == ["Haiku", "Sonnet", "Opus"], "as everywhere"


@pytest.mark.parametrize(
    "case", ["whole", "unpriced", "one_item", "no_option", "one_model_failed", "nothing_graded", "hostile"]
)
@pytest.mark.parametrize("name", [None, "bedrock:eu-central-1:arn:aws:bedrock:eu-central-1:1234:profile/z9y"])
def test_no_width_of_a_terminal_loses_a_character_of_a_figure(case: str, name: str | None) -> None:
    """A wait of 12.4 s that is cut at the edge reads as another wait."""
    analysis = made(case)
    if name is not None:
        models = tuple(replace(model, name=f"{name}-{i}") for i, model in enumerate(analysis.models))
        analysis = replace(analysis, models=models)
    for width in range(40, 131):
        table, lines = summary_table(analysis, width), drawn(analysis, width)
        assert max(map(len, lines)) <= width, width
        seen = Counter(re.split("[ ]+", " ".join(lines)))
        for column in table.columns[1:]:
            wanted = Counter(word for text in column.cells for word in re.split("[ \n]+", str(text)) if word)
            assert wanted <= seen, (width, column.header, wanted - seen)
        assert "".join(str(table.caption).split()) in "".join("".join(lines).split()), width
    assert len(summary_table(analysis, 130).columns) >= 5


def test_signs_that_an_encoding_lacks_are_written_plainly() -> None:
    text = "2.4¢ (2.1–2.9¢), 1.7×, −3 to +4… “é” \u202e\ud800"
    assert text.encode("ascii", PLAINLY) == b'2.4c (2.1-2.9c), 1.7x, -3 to +4... "\\xe9" \\u202e\\ud800'
    assert "2¢ ×".encode("latin-1", PLAINLY) == b"2\xa2 \xd7"


@pytest.mark.parametrize(
    ("places", "listed", "filling"),
    [((), ("a.md", "b.md", "c.md"), 0), ((1,), ("b.md",), 2), ((0, 1, 2), ("a.md", "b.md", "c.md"), 0)],
    ids=["nothing known", "one of three", "all"],
)
def test_documents_that_only_fill_the_prompt_bear_no_answer(
    places: tuple[int, ...], listed: tuple[str, ...], filling: int
) -> None:
    book = Book(spec((HAIKU,)))
    book.item("i", documents=("a.md", "b.md", "c.md"), evidence_positions=places)
    book.trial("i", answered(), model=HAIKU, level=1)
    analysis = analyze(book.snapshot())
    (items,) = (block for block in section(analysis, "items").blocks if isinstance(block, Items))
    (view,) = items.items
    assert (view.documents, view.bearing, view.filling) == (listed, places != (), filling)
    text = render_html(analysis)
    assert ("that bear the answer" in text) is (places != ())
    assert (f"{filling} others to fill the prompt" in text) is (filling > 0)


def passing(items: int, **failed: int) -> Analysis:
    """Models that fail so many of the items, the larger ones at the higher price."""
    models = {"haiku": HAIKU, "sonnet": SONNET, "opus": OPUS}
    passes = {models[name]: [[i >= count] for i in range(items)] for name, count in failed.items()}
    prices = {HAIKU: 0.01, SONNET: 0.03, OPUS: 0.05}
    return analyze(run_of(passes, {model: prices[model] for model in passes}))


@pytest.mark.parametrize(
    ("analysis", "title", "claim", "heading"),
    [
        (passing(60, haiku=30, sonnet=2), "Paying for corrections keeps the pick",
         ", shown to be ahead of Haiku 4.5.", "Sonnet 4.6 is the least costly model in total"),
        (passing(60, haiku=30, sonnet=3, opus=2), "Corrections could favour Opus 4.6",
         "with Opus 4.6 and", "Opus 4.6 looks the least costly model in total, but the data leave it open"),
        (passing(60, haiku=30, sonnet=2, opus=3), "Paying for corrections keeps the pick",
         ", shown to be ahead of Haiku 4.5 and ahead of Opus 4.6 by the estimates.",
         "Sonnet 4.6 looks the least costly model in total, but the data leave it open"),
        (passing(200, sonnet=20, opus=2), "Corrections favour Opus 4.6",
         "with Opus 4.6 and", "Opus 4.6 is the least costly model in total"),
    ],
    ids=["shown", "open for another", "shown against one", "shown for another"],
)  # fmt: skip
def test_the_first_screen_claims_of_corrections_what_their_section_shows(
    analysis: Analysis, title: str, claim: str, heading: str
) -> None:
    told = facts(analysis, "verdict")
    assert claim in told[title]
    assert headings(analysis)["price-of-a-failure"] == f"At $5.00 a correction, {heading}"


def test_a_lowest_total_is_one_of_the_models_that_have_a_total() -> None:
    analysis = passing(60, haiku=30, sonnet=2, opus=30)
    assert "has the lowest total of the models: " in facts(analysis, "verdict")["Paying for corrections keeps the pick"]
    unpriced = replace(analysis.models[0].human_fix, value=None, low=None, high=None, reason="a request is unpriced")
    models = (replace(analysis.models[0], human_fix=unpriced), *analysis.models[1:])
    told = facts(replace(analysis, models=models), "verdict")["Paying for corrections keeps the pick"]
    assert "has the lowest total of the models that have one: " in told


def test_a_column_of_money_has_one_unit_wherever_it_stands() -> None:
    analysis = passing(200, haiku=120, sonnet=20, opus=2)
    totals = [model.human_fix.value or 0.0 for model in analysis.models]
    assert min(totals) < 1 < max(totals)
    (prices,) = (block for block in section(analysis, "price-of-a-failure").blocks if isinstance(block, Table))
    for place in (2, 3):
        column = [plain_text(row.cells[place].text) + row.cells[place].doubt for row in prices.rows]
        assert len({"¢" in text for text in column}) == len({"$" in text for text in column}) == 1, column
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(summary_table(analysis, 200))
    (line,) = (line for line in console.export_text().splitlines() if line.startswith("Opus 4.6"))
    total = section(analysis, "scorecard").blocks[0]
    assert isinstance(total, Table)
    written = [plain_text(row.cells[3].text) for row in total.rows]
    assert all(text.startswith("$") for text in written)
    assert written[2] in line, "the terminal writes the total as the page does"


def test_of_waits_that_nobody_recorded_the_answers_own_latency_is_told_and_named() -> None:
    """As it is where outputs were made elsewhere: one latency an answer, and no word of retries."""
    book = Book(spec((HAIKU, SONNET)))
    for i in range(80):
        for model, latency_s in ((HAIKU, 2.0), (SONNET, 3.0)):
            book.trial(f"i{i}", answered(0.01, latency_s + i / 100, felt_s=None), model=model, level=1)
    analysis = analyze(book.snapshot())
    assert analysis.model(HAIKU).clocks["felt"].quantiles["p50"].reason == "retries and waits were not recorded"
    scores = section(analysis, "scorecard").blocks[0]
    assert isinstance(scores, Table)
    assert scores.columns[4].label.replace("\N{NO-BREAK SPACE}", " ") == "Latency of one attempt p50 · p95"
    assert [plain_text(row.cells[4].text) for row in scores.rows] == ["2.4 s · 2.8 s", "3.4 s · 3.8 s"]
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(summary_table(analysis, 200))
    shown = console.export_text()
    assert "p50 one attempt" in shown
    assert "felt" not in shown
    assert "not measured" not in shown + render_markdown(analysis)
    assert "p50 one attempt" not in str([column.header for column in summary_table(analysis, 60).columns])


def test_latency_says_how_many_trials_it_holds_and_what_it_leaves_out() -> None:
    """Refused, truncated and failed trials are in no clock: a model that is cut short must not look fast unseen."""
    cut = ended("truncated", 0.01, latency_s=9.0, ttft_s=0.3, felt_s=9.0, usage=Usage(input_tokens=900), text="And so")
    book = Book(spec((HAIKU, SONNET)))
    for i in range(10):
        book.trial(f"i{i}", cut if i < 2 else REFUSED if i == 2 else answered(0.01, 2 + i / 10), model=HAIKU)
        book.trial(f"i{i}", answered(0.03, 3), model=SONNET)
    analysis = analyze(book.snapshot())
    (said,) = (plain_text(b.text) for b in section(analysis, "latency").blocks if isinstance(b, Paragraph))
    assert said.startswith(
        "The curves hold 7 of 10 trials of Haiku 4.5 (without 1 refused and 2 truncated) and 10 of 10 of Sonnet 4.6. "
        "Without a whole answer there is no latency here; the gate counts a truncated one with its wait."
    )
    scores, _ = (block for block in section(analysis, "scorecard").blocks if isinstance(block, Table))
    beside = {
        plain_text(row.cells[0].text): row.cells[4].doubt.replace("\N{NO-BREAK SPACE}", " ") for row in scores.rows
    }
    assert beside["Haiku 4.5"].endswith("; 7 of 10")
    assert "of" not in beside["Sonnet 4.6"]
    (reading,) = (plain_text(b.text) for b in section(analysis, "scorecard").blocks if isinstance(b, Paragraph))
    assert "Latency is that of whole answers" in reading
    assert {m.name: (len(m.clocks["felt"].values_s), m.counts.truncated) for m in analysis.models} == {
        "Haiku 4.5": (7, 2),
        "Sonnet 4.6": (10, 0),
    }


def test_headings_claim_nothing_over_a_model_without_a_price() -> None:
    found = headings(made("unpriced"))
    assert (
        found["price-of-a-failure"]
        == "At $5.00 a correction, Sonnet 4.6 is the least costly priced and graded model in total"
    )
    assert found["frontier"].startswith("By the estimates, of the models drawn, ")
    assert "priced" not in headings(made("whole"))["price-of-a-failure"]


def test_the_extra_price_of_a_request_is_paired_and_has_its_interval() -> None:
    (pair,) = analyze(run_of({HAIKU: [[True]] * 20, OPUS: [[True]] * 20})).pairs
    assert (pair.extra_cost.value, pair.extra_cost.low) == (0, None)
    (found,) = (b for b in section(made("whole"), "price-of-a-failure").blocks if isinstance(b, Table))
    assert all("\N{EN DASH}" in row.cells[1].doubt for row in found.rows)


@pytest.mark.parametrize("cheap_usd", [0.03, 0.0])
def test_of_flat_prices_the_dearer_model_is_said_to_cost_more(cheap_usd: float) -> None:
    """Every item costs the same on its side, so that only the rates leave a doubt, which is too small."""
    book = Book(spec((HAIKU, OPUS)))
    for i in range(40):
        for model, usd in ((HAIKU, cheap_usd), (OPUS, 0.05)):
            book.trial(f"i{i}", answered(usd, 2.0), model=model, level=1)
    analysis = analyze(book.snapshot())
    assert headings(analysis)["scorecard"] == "Haiku 4.5 and Opus 4.6 clear 80%; Haiku 4.5 does so for less"
    assert "Opus 4.6 costs more, no gain shown" in facts(analysis, "verdict")
    assert "It is the cheapest of 2 models" in plain_text(section(analysis, "verdict").lede)


def test_where_nothing_is_satisfactory_the_link_leads_to_what_there_is_to_see() -> None:
    """Requests that failed stand among the failures; outputs that are all there, and bad, among the items."""
    bad = analyze(run_of({HAIKU: [[False]] * 30, OPUS: [[False]] * 30}))
    for analysis, target in ((bad, "items"), (all_refused(), "failures")):
        lede = section(analysis, "verdict").lede
        assert [span.link for span in lede if span.link] == [target]
    assert headings(bad)["failures"] == "All 60 trials brought an output"


def test_a_model_that_never_answers_makes_no_router_of_the_one_behind_it() -> None:
    """All its requests failed, for nothing: asking it first is asking the other one alone, and a call in vain."""
    book = Book(spec((HAIKU, SONNET, OPUS)))
    for i in range(40):
        for model in (HAIKU, SONNET):
            usd = (0.01 if model == HAIKU else 0.03) + i % 7 / 1e3
            book.trial(f"i{i}", answered(usd, 2.0), model=model, level=int((i + len(model)) % 13 > 0))
        book.trial(f"i{i}", ended("errored", 0.0, latency_s=1.0, felt_s=1.0), model=OPUS)
    analysis = with_routing(analyze(book.snapshot()))
    assert analysis.routing is not None
    assert any("then Haiku" in each.title for each in analysis.routing.values), "valued, for who asks"
    (scores, *_) = (block for block in section(analysis, "scorecard").blocks if isinstance(block, Table))
    assert not [row for row in scores.rows if "then Haiku" in plain_text(row.cells[0].text)]
    assert "Opus 4.6, then" not in render_markdown(analysis)


def test_routers_that_ask_a_model_which_never_answered_are_no_reason_to_buy_more_items() -> None:
    book = Book(spec((SONNET, OPUS)))
    for i in range(40):
        book.trial(f"i{i}", answered(0.03 + i % 7 / 1e3, 2.0), model=SONNET, level=int(i % 13 > 0))
        book.trial(f"i{i}", ended("errored", 0.0, latency_s=1.0, felt_s=1.0), model=OPUS)
    analysis = with_routing(analyze(book.snapshot()))
    assert analysis.routing is not None
    routers = [each for each in analysis.routing.values if each.kind == "router"]
    assert routers
    assert not any(each.mixes for each in routers)
    assert headings(analysis)["routing"] == "No router could be tried on these items"
    assert analysis.routing.decision.reason == "every router asks a model that never answered"


def test_a_router_that_chose_one_model_here_was_tried() -> None:
    """It might choose another on the next items, of which so few say little."""
    book = Book(spec((SONNET, HAIKU)))
    for i in range(12):
        for model, usd in ((SONNET, 0.03), (HAIKU, 0.01)):
            book.trial(f"i{i}", answered(usd + i % 7 / 1e4, 2.0), model=model, level=int(i % 5 > 0))
    analysis = with_routing(analyze(book.snapshot()))
    assert analysis.routing is not None
    assert not any(each.mixes for each in analysis.routing.values if each.kind == "router")
    assert analysis.routing.decision.verdict == "not_enough_data"
    assert "could be tried" not in headings(analysis)["routing"]


def test_equal_waits_are_not_told_as_two() -> None:
    """A median of 3.0 s and a p95 of 3.0 s would sound like a spread."""
    book = Book(spec((HAIKU,)))
    for i in range(40):
        book.trial(f"i{i}", answered(0.01, 2.0), model=HAIKU, level=1)
    assert headings(analyze(book.snapshot()))["latency"] == "Haiku 4.5's answers take about 3.0 s, median and p95 alike"


def test_a_smoothed_quantile_is_not_told_as_a_share_of_answers() -> None:
    """Two of 60 answers take a minute and none 2 to 59 s, so nothing is true of one in twenty from the p95 on."""
    book = Book(spec((HAIKU,)))
    for i in range(60):
        book.trial(f"i{i}", answered(0.01, 60.0 if i < 2 else 1.0 + i / 1000), model=HAIKU, level=1)
    part = section(analyze(book.snapshot()), "latency")
    assert part.heading.startswith("Haiku 4.5's median answer takes about 1.5 s, its p95 is about ")
    assert "one in twenty" not in part.heading
    assert "smoothed (Harrell and Davis), so one may lie where no answer did" in plain_text(part.lede)


def test_the_first_screen_says_that_there_are_more_models_than_it_names() -> None:
    names = [f"acme-{i}" for i in range(6)]
    analysis = analyze(run_of({name: [[True]] * 40 for name in names}))
    assert facts(analysis, "verdict")["2 more models"] == "They stand in the scorecard."
    one_more = facts(analyze(run_of({name: [[True]] * 40 for name in names[:5]})), "verdict")
    assert sum("acme-" in title for title in one_more) == 4, "the fourth has the room that a word of it would take"
    assert not [title for title in facts(refusing(), "verdict") if "more model" in title]


def test_where_nothing_has_a_verdict_the_satisfactory_outputs_are_unknown_and_not_none() -> None:
    _, counts = (b for b in section(made("nothing_graded"), "scorecard").blocks if isinstance(b, Table))
    at = [column.label for column in counts.columns].index("Satisfactory")
    assert {plain_text(row.cells[at].text) for row in counts.rows} == {"unknown"}


def kept(table: RichTable, width: int) -> None:
    """Every word of every cell stands whole on a terminal of that width."""
    console = Console(width=width, file=io.StringIO(), color_system=None)
    with console.capture() as seen:
        console.print(table)
    lines = seen.get().splitlines()
    assert max(map(len, lines)) <= width, width
    words = Counter(re.split("[ ]+", " ".join(lines)))
    for column in table.columns[1:]:
        wanted = Counter(word for text in column.cells for word in re.split("[ \n]+", str(text)) if word)
        assert wanted <= words, (width, column.header, wanted - words)


@pytest.mark.parametrize("width", range(50, 161, 3))
def test_no_width_of_a_terminal_breaks_a_figure_of_a_policy(width: int) -> None:
    """$1.09–$2 with .41 a line below reads as another interval."""
    routing = made("routed").routing
    assert routing is not None
    kept(policies_table(routing, 0.8, width), width)
    kept(checks_table(routing, max(60, width)), max(60, width))
    shown = [str(column.header) for column in policies_table(routing, 0.8, width).columns]
    assert ("p90" in shown) == (not policies_table(routing, 0.8, width).caption)


@pytest.mark.parametrize("width", range(40, 161, 5))
def test_no_width_of_a_terminal_breaks_a_figure_of_a_signal(width: int) -> None:
    signals = planted().signals
    seen = io.StringIO()
    Console(width=width, file=seen, color_system=None).print(signal_table(signals, width))
    words = set(seen.getvalue().split())
    for signal in signals:
        told = [signal.state, *([signal.reason] if signal.reason else figures(signal))]
        assert [word for text in told for word in text.split() if word not in words] == []
    assert ("figures" in words) == (width >= 100)


@pytest.mark.parametrize("width", range(40, 131, 5))
def test_no_width_of_a_terminal_breaks_a_model_s_price_or_context(width: int) -> None:
    rows: list[dict[str, Any]] = [
        {"id": name, "tier": "sonnet", "input_usd_per_mtok": 3.75, "output_usd_per_mtok": 18.75, "newer": newer,
         "context_tokens": 1_000_000, "price_cliff": {"above_tokens": 100_000, "factor": 5.0},
         "lifecycle": "deprecated, retires 2026-11-30", "pinned": True, "in_line_up": True}
        for name, newer in (("claude-sonnet-4-5-20250929", ["claude-sonnet-5-5", "x"]), ("claude-opus-5", []))
    ]  # fmt: skip
    table = models_table(rows, "genai-prices", width)
    kept(table, width)
    assert "claude-sonnet-4-5-20250929 *" in list(table.columns[0].cells)
    assert ("context" in [column.header for column in table.columns]) == ("wider" not in str(table.caption))


def test_no_pass_rate_of_a_policy_equals_the_bar_by_rounding_alone() -> None:
    """54 of 60 leave a lower limit of 79.9%, which is not the bar of 80%."""
    passed = {HAIKU: [[i > 5] for i in range(60)], OPUS: [[i % 10 > 0] for i in range(60)]}
    analysis = with_routing(analyze(run_of(passed)))
    assert analysis.routing is not None
    (table, *_) = (block for block in section(analysis, "routing").blocks if isinstance(block, Table))
    stream = io.StringIO()
    with redirect_stdout(stream):
        print_routing(analysis, analysis.routing)
    near = [each for each in analysis.routing.values if 0.795 <= (each.pass_rate.low or 0) < 0.8]
    assert near
    for each in near:
        (row,) = (row for row in table.rows if plain_text(row.cells[0].text) == each.title)
        assert row.cells[1].doubt.startswith("79.")
    assert "80–" not in stream.getvalue()


def test_items_on_which_all_models_are_alike_tell_no_models_apart() -> None:
    """One epoch of two is satisfactory under each model: outputs differ, the models do not."""
    flags = [[True, True]] * 3 + [[True, False]] * 2 + [[False, False]]
    analysis = analyze(run_of({HAIKU: flags, OPUS: [*flags[:5], [True, True]]}))
    assert headings(analysis)["item-map"] == "Every model satisfies 3 of 6 items; 1 tells them apart"
    assert "50% of the items tell outputs apart" in facts(analysis, "how-sure")
