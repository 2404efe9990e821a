"""What the report says in each case, and what it may claim."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from analysis_builders import HAIKU as BY_HAND_HAIKU
from analysis_builders import OPUS as BY_HAND_OPUS
from analysis_builders import Book, answered, run_of, spec
from report_fixtures import HAIKU, OPUS, SONNET
from report_pages import all_words, made, page, plain_text, section
from report_variants import VARIANTS

from evalkit.analysis import analyze
from evalkit.analysis.decide import decide
from evalkit.analysis.results import Analysis
from evalkit.blocks import (
    Table,
)
from evalkit.chart_blocks import Forest, Frontier
from evalkit.pairing import compare
from evalkit.report import build_report, render_html, render_markdown, section_modules
from evalkit.stats import Estimate
from evalkit.wording import doubt, interval, money, percent


@pytest.mark.parametrize(
    ("case", "headline", "lede"),
    [
        ("whole", "Use Sonnet 4.6.", "cheapest of 2 models shown to clear your 80% bar"),
        ("tie", "Use Opus 4.6.", "costs least, by the estimates alone, of 2 models shown to clear your 80% bar"),
        ("no_option", "No option clears the bar.", "Every option is shown to be below your 80% bar"),
        (
            "one_item",
            "Not enough data.",
            "Haiku 4.5, Sonnet 4.6 and Opus 4.6 come equally close: of each, 100% of the outputs are satisfactory",
        ),
        ("nothing_graded", "Not enough data.", "outputs are waiting for grades, so no pass rate exists yet"),
        ("one_model_failed", "Use Sonnet 4.6.", "of its outputs are satisfactory"),
        ("all_refused", "No option clears the bar.", "No option brought a single satisfactory output: 0%"),
        ("unpriced", "Not enough data.", "but Opus 4.6 is unpriced, so the cheapest cannot be named"),
        ("empty", "Not enough data.", "The run has no model"),
        ("empty_with_models", "Not enough data.", "No trial has run yet"),
    ],
)
def test_first_line_is_the_answer_and_the_lede_says_why(case: str, headline: str, lede: str) -> None:
    verdict = build_report(made(case)).sections[0]
    assert verdict.heading == headline
    assert lede in plain_text(verdict.lede)
    assert re.search(rf"<h1[^>]*>{re.escape(headline)}</h1>", page(case).replace("\N{NO-BREAK SPACE}", " "))


def test_a_picked_option_comes_with_rate_interval_n_and_cost() -> None:
    model = made("whole").model(SONNET)
    lede = plain_text(section(made("whole"), "verdict").lede)
    assert f"{percent(model.pass_rate.value)} of its outputs" in lede
    assert f"({interval(model.pass_rate, 'percent')}, 60 items)" in lede
    assert f"{money(model.cost_per_satisfactory.value)} per satisfactory output" in lede
    assert interval(model.cost_per_satisfactory, "money") in lede


def test_items_needed_are_the_analysis_own() -> None:
    """The verdict says the number that the analysis found, of the model that comes closest."""
    analysis = made("whole")
    few = Estimate(24 / 27, 0.71, 0.96, 0.95, 27, "Wilson")
    models = tuple(replace(m, pass_rate=few, items=27, items_to_clear=78) for m in analysis.models)
    decision = replace(analysis.decision, verdict="not_enough_data", option=None, eligible=())
    lede = plain_text(section(replace(analysis, models=models, decision=decision), "verdict").lede)
    assert "about 78 items would show" in lede


def test_a_model_without_any_success_is_named_with_its_limit() -> None:
    text = all_words("one_model_failed")
    assert "Haiku 4.5 produced nothing satisfactory" in text.replace("\N{NO-BREAK SPACE}", " ")
    assert "no success in 60 items" in text
    assert "0 of 60 trials, 60 errored (0–6%)" in text


def with_difference(low: float, high: float, p_holm: float = 0.01) -> Analysis:
    """The whole run, every pair with this interval."""
    analysis = made("whole")
    middle = Estimate((low + high) / 2, low, high, 0.95, 60, "Tango")
    return replace(analysis, pairs=tuple(replace(p, difference=middle, p_holm=p_holm) for p in analysis.pairs))


@pytest.mark.parametrize(
    ("low", "high", "p_holm", "claimed"),
    [
        (0.02, 0.2, 0.01, True),
        (-0.2, -0.02, 0.01, True),
        (-0.01, 0.2, 0.01, False),
        (-0.2, 0.01, 0.01, False),
        (0.0, 0.2, 0.01, False),
        (0.02, 0.2, 0.06, False),
    ],
)
def test_better_is_said_only_if_the_interval_excludes_zero_and_holm_agrees(
    low: float, high: float, p_holm: float, claimed: bool
) -> None:
    analysis = replace(with_difference(low, high, p_holm), outputs=())
    text = re.sub(r"<(style|script)>.*?</\1>", "", render_html(analysis), flags=re.S)
    assert bool(re.search(r"\bbetter\b", text)) is claimed
    assert bool(re.search(r"\bbetter\b", render_markdown(analysis))) <= claimed


def test_a_pair_reads_the_same_from_both_sides() -> None:
    forth, back = (compare(made("whole"), *pair) for pair in ((OPUS, HAIKU), (HAIKU, OPUS)))
    assert forth is not None
    assert back is not None
    assert (forth.gain, forth.loss) == (back.loss, back.gain)
    assert forth.better
    assert back.worse
    assert back.difference.low == -(forth.difference.high or 0)
    assert back.cost_ratio.high == pytest.approx(1 / (forth.cost_ratio.low or 0))
    assert compare(made("whole"), OPUS, "unknown") is None


def test_the_break_even_is_open_above_when_the_gain_may_be_nothing() -> None:
    text = all_words("whole")
    assert "no upper limit; not shown by the data" in text
    assert re.search(r"11¢ [\d.]+–\d+¢; shown", text)


def test_latency_without_an_upper_limit_says_how_many_calls_it_takes() -> None:
    assert "open, no upper limit from 55, 60 and 59 calls (need 72)" in all_words("whole")


@pytest.mark.parametrize(
    ("case", "name", "heading"),
    [
        ("one_item", "latency", "Haiku 4.5's only call took 1.5 s"),
        ("one_item", "frontier", "By the estimates, Haiku 4.5 costs least and none satisfies more"),
        ("one_item", "item-map", "Every model satisfies 1 of 1 item; none tells them apart"),
        ("all_refused", "failures", "None of 180 trials brought a usable output: 180 refused"),
        ("all_refused", "item-map", "No model satisfies any of 60 items"),
        ("nothing_graded", "scorecard", "There is no pass rate yet"),
        ("one_model_failed", "failures", "61 of 180 trials brought no usable output: 61 errored"),
    ],
)
def test_headings_of_runs_that_went_wrong_are_true(case: str, name: str, heading: str) -> None:
    assert section(made(case), name).heading == heading


def test_an_unknown_price_is_unpriced_everywhere() -> None:
    analysis = made("unpriced")
    scores = section(analysis, "scorecard").blocks[0]
    assert isinstance(scores, Table)
    opus = next(row for row in scores.rows if row.series is not None and row.series.key == OPUS)
    assert [plain_text(opus.cells[i].text) for i in (2, 3)] == ["unpriced", "unpriced"]
    assert "60 attempts have no known price" in opus.cells[2].doubt
    assert "Not drawn, for want of a cost or a pass rate: Opus 4.6." in plain_text(section(analysis, "frontier").lede)
    assert "cost per satisfactory output unpriced (" in all_words("unpriced")
    assert "at unpriced" not in all_words("unpriced")


def test_ungraded_outputs_have_no_rate_and_no_price_word() -> None:
    analysis = made("nothing_graded")
    text = all_words("nothing_graded")
    assert "no output is graded yet" in text
    assert "unpriced" not in text.lower().replace("unpriced attempts", "")
    assert section(analysis, "scorecard").heading == "There is no pass rate yet"
    assert section(analysis, "item-map").heading == "None of 60 items has a verdict under every model"


@pytest.mark.parametrize("module", section_modules(), ids=lambda m: m.__name__.rpartition(".")[2])
@pytest.mark.parametrize("case", sorted(VARIANTS))
def test_every_section_handles_every_run(module: Any, case: str) -> None:
    built = module.build(made(case))
    assert built is None or (built.heading and built.label and built.name)


def test_only_verdict_and_method_are_left_of_an_empty_run() -> None:
    assert [s.name for s in build_report(made("empty")).sections] == ["verdict", "method"]


ORDERED = (
    "verdict", "scorecard", "frontier", "price_of_failure", "retries", "routing", "caching", "latency", "criteria",
    "slices", "context_sweep", "side_by_side", "preferred", "against", "how_sure", "graders", "judge_bias",
    "consistency", "blinding", "grading_time", "signals", "item_map", "items", "failures", "method",
)  # fmt: skip
"""The answer, its cost, how fast it is, where it holds, how sure it is, how it was graded, and all of it to read."""


def test_sections_come_in_their_order() -> None:
    modules = [module.__name__.rpartition(".")[2] for module in section_modules()]
    assert [name for name in modules if name in ORDERED] == list(ORDERED)
    assert (modules[0], modules[-1]) == ("verdict", "method")
    assert [s.name for s in build_report(made("whole")).sections] == [
        "verdict", "scorecard", "frontier", "price-of-a-failure", "latency", "criteria", "slices", "side-by-side",
        "how-sure", "blinding", "signals", "item-map", "items", "failures", "method",
    ]  # fmt: skip
    contents = re.findall(r'<li><a href="#([a-z-]+)">', page("whole"))
    assert contents == [s.name for s in build_report(made("whole")).sections]


def test_no_section_imports_another() -> None:
    for module in section_modules():
        source = Path(str(module.__file__)).read_text(encoding="utf-8")
        assert "evalkit.sections" not in source
        assert not re.search(r"evalkit\.(store|providers|executors|graders|rendering|charts)", source)


# --- ties and nothings ----------------------------------------------------------------------------------------

ALL = [[True]] * 40


def test_options_that_cost_the_same_are_never_told_apart_by_money() -> None:
    made_ = analyze(run_of(dict.fromkeys((BY_HAND_HAIKU, BY_HAND_OPUS), ALL)))
    text = render_markdown(made_)
    assert "It costs no more than the other model shown to clear your 80% bar" in text
    assert "Paying for corrections keeps the pick" in text
    assert "has no higher total than another" in text
    assert "Corrections could favour" not in text
    headings = {s.name: s.heading for s in build_report(made_).sections}
    assert headings["price-of-a-failure"] == "At $5.00 a correction, all models cost the same in total"
    assert headings["scorecard"] == "Haiku 4.5 and Opus 4.6 clear 80% at the same cost"


def test_of_options_that_cost_the_same_the_surer_one_is_picked() -> None:
    weaker = [[i > 0] for i in range(60)]
    made_ = analyze(run_of({BY_HAND_HAIKU: weaker, BY_HAND_OPUS: [[True]] * 60}))
    cost = made_.model(BY_HAND_OPUS).cost_per_satisfactory
    level = [replace(m, cost_per_satisfactory=cost) for m in made_.models]
    assert decide(level, 0.8).option == BY_HAND_OPUS
    assert decide(level[::-1], 0.8).option == BY_HAND_OPUS


def test_short_work_alone_speaks_for_no_model_in_the_heading() -> None:
    passes = {BY_HAND_OPUS: [[True]] * 40, BY_HAND_HAIKU: [[i % 2 > 0] for i in range(40)]}
    made_ = analyze(run_of(passes, {BY_HAND_OPUS: 0.05, BY_HAND_HAIKU: 0.01}))
    part = next(s for s in build_report(made_).sections if s.name == "signals")
    assert part.heading == "Most of the work is short or structured: 1 of 10 signals shown"
    assert not part.summary


def test_short_work_speaks_for_no_cheaper_model_where_there_is_none() -> None:
    """The signal is about moving to a cheaper model; the share of short items stands all the same."""
    signal = next(s for s in analyze(run_of({BY_HAND_OPUS: [[False]] * 40})).signals if s.id == "bounded-work")
    assert (signal.state, signal.evidence[0].estimate.value) == ("not enough data", 1.0)
    none = "no model of this run is shown to cost less than Opus 4.6"
    assert signal.settles == f"run a cheaper model on the same items: {none}"


def test_two_items_have_no_interval_that_spans_the_world() -> None:
    made_ = analyze(run_of({BY_HAND_OPUS: [[True], [False]]}))
    total = made_.model(BY_HAND_OPUS).human_fix
    assert (total.low, total.high, total.warnings[-1]) == (None, None, "2 items give no interval")


def test_a_lower_limit_of_nothing_is_not_said() -> None:
    assert (
        doubt(Estimate(None, 0.0, None, 0.95, 9, "m", reason="no success in 9 items"), "money")
        == "no success in 9 items"
    )


def test_only_a_rule_that_was_there_before_the_run_is_said_to_have_been() -> None:
    whole = made("whole")
    imported = replace(whole, spec=replace(whole.spec, outputs_sha256="a" * 64))
    told = "The rule{}: the lower limit of an option's"
    assert told.format(", fixed before the run") in render_markdown(whole) + str(section(whole, "verdict").blocks)
    assert told.format("") in str(section(imported, "verdict").blocks)


def test_a_run_of_one_model_sets_nothing_apart() -> None:
    made_ = analyze(run_of({BY_HAND_OPUS: [[i % 10 > 0] for i in range(60)]}))
    headings = {s.name: s.heading for s in build_report(made_).sections}
    assert headings["item-map"] == "Opus 4.6 satisfies 54 of 60 items"
    assert headings["criteria"] == "Opus 4.6 is graded on “right” alone"
    assert "6 items that Opus 4.6 fails" in str(section(made_, "items").lede)
    page = render_html(made_)
    for claim in ("tell outputs apart", "tell sides apart", "on which the models part", "set the models apart"):
        assert claim not in page


def test_models_that_satisfy_alike_are_all_named_in_the_frontiers_heading() -> None:
    costs = {BY_HAND_OPUS: 0.05, BY_HAND_HAIKU: 0.04, "claude-sonnet-4-6": 0.01}
    passes = {model: [[i < 14 - 4 * (model == "claude-sonnet-4-6")] for i in range(20)] for model in costs}
    found = analyze(run_of(passes, costs))
    assert found.decision.option is None
    heading = section(found, "frontier").heading
    assert heading == "By the estimates, Sonnet 4.6 costs least and Opus 4.6 and Haiku 4.5 satisfy most"


def test_a_part_on_which_models_differ_item_by_item_is_named_though_their_intervals_overlap() -> None:
    """Eight of twenty hard items are lost and none gained: p .008, with 40% (22 to 61) beside 80% (58 to 92)."""
    book = Book(spec((BY_HAND_OPUS, BY_HAND_HAIKU)))
    for place in range(100):
        hard = place < 20
        book.item(f"i{place}", difficulty="hard" if hard else "easy")
        book.trial(f"i{place}", answered(), level=int(not hard or place < 16))
        book.trial(f"i{place}", answered(), model=BY_HAND_HAIKU, level=int(not hard or place < 8))
    told = section(analyze(book.snapshot()), "slices").heading
    assert told == "Haiku 4.5 falls behind Opus 4.6 most clearly on hard items"


@pytest.mark.parametrize(
    ("tags", "heading"),
    [
        ("a", "Haiku 4.5 falls behind Opus 4.6 most clearly on a items"),
        ("ab", "Haiku 4.5 falls behind Opus 4.6 as clearly as anywhere on a items"),
    ],
)
def test_a_heading_calls_none_of_several_equal_gaps_the_largest(tags: str, heading: str) -> None:
    book = Book(spec((BY_HAND_OPUS, BY_HAND_HAIKU)))
    for tag in tags:
        for place in range(30):
            book.item(f"{tag}{place}", tags=(tag,))
            book.trial(f"{tag}{place}", answered(), level=1)
            book.trial(f"{tag}{place}", answered(), model=BY_HAND_HAIKU, level=0)
    for place in range(30):
        book.item(f"z{place}")
        for model in (BY_HAND_OPUS, BY_HAND_HAIKU):
            book.trial(f"z{place}", answered(), model=model, level=1)
    assert section(analyze(book.snapshot()), "slices").heading == heading


def test_the_part_that_a_heading_names_is_drawn_however_rare_its_tag() -> None:
    book = Book(spec((BY_HAND_OPUS, BY_HAND_HAIKU)))
    for tag, items, level in (*((tag, 21, 1) for tag in "abcdefgh"), ("legal", 20, 0)):
        for place in range(items):
            book.item(f"{tag}{place}", tags=(tag,))
            book.trial(f"{tag}{place}", answered(), level=1)
            book.trial(f"{tag}{place}", answered(), model=BY_HAND_HAIKU, level=level)
    part = section(analyze(book.snapshot()), "slices")
    assert part.heading == "Haiku 4.5 falls behind Opus 4.6 most clearly on legal items"
    drawn = [row.label for block in part.blocks if isinstance(block, Forest) for row in block.rows]
    assert drawn == [*"abcdefg", "legal"]
    assert "1 rarer tag not drawn" not in plain_text(part.lede)
    assert "1 tag not drawn" in plain_text(part.lede)


def test_parts_of_a_run_that_nobody_graded_are_not_said_to_set_nobody_apart() -> None:
    book = Book(spec((BY_HAND_OPUS, BY_HAND_HAIKU)))
    for place in range(12):
        book.item(f"p{place}", tags=("long" if place % 2 else "short",))
        for model in (BY_HAND_OPUS, BY_HAND_HAIKU):
            book.trial(f"p{place}", answered(), model=model)
    assert section(analyze(book.snapshot()), "slices").heading == "No part of the items is graded yet"


def test_no_part_is_said_to_set_models_apart_that_differ_on_one_of_many_by_chance() -> None:
    """The unpaired intervals of one of 24 parts stand apart, and a difference of p .004 in 24 is none that is shown."""
    book = Book(spec((BY_HAND_OPUS, BY_HAND_HAIKU)))
    for part in range(24):
        for place in range(8):
            name = f"p{part:02d}-{place}"
            book.item(name, tags=(f"part{part:02d}",))
            book.trial(name, answered(), level=1)
            book.trial(name, answered(), model=BY_HAND_HAIKU, level=0 if part == 0 else 1)
    found = analyze(book.snapshot())
    assert section(found, "slices").heading == (
        "No part of the items is shown to set the models apart (24 comparisons allowed for)"
    )


def test_parts_of_one_model_set_nothing_apart() -> None:
    book = Book(spec((BY_HAND_OPUS,)))
    for place in range(30):
        book.item(f"a{place}", difficulty=("easy", "hard")[place % 2])
        book.trial(f"a{place}", answered(), level=1)
    assert section(analyze(book.snapshot()), "slices").heading == "How the parts of the items came out"


def test_what_costs_nothing_is_drawn_on_no_logarithmic_axis() -> None:
    for costs, told in (
        ({BY_HAND_OPUS: 0.0, BY_HAND_HAIKU: 0.0}, False),
        ({BY_HAND_OPUS: 5.0, BY_HAND_HAIKU: 0.01}, True),
    ):
        found = analyze(run_of({model: [[True]] * 20 for model in costs}, costs))
        (chart,) = (b for b in section(found, "frontier").blocks if isinstance(b, Frontier))
        assert (chart.x.log, chart.x.high > 0) == (told, True)
