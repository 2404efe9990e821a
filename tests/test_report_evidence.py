"""What the report says about its own footing: stability, graders, retries, a baseline, attempts, repetition."""

import re
import shlex
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from analysis_builders import Book, answered, spec
from report_fixtures import HAIKU, OPUS, SONNET
from report_graders import ADA, BEN, JUDGE_MODEL
from report_pages import Elements, all_words, made, page, plain_text, section
from report_variants import VARIANTS
from typer.testing import CliRunner

from evalkit.analysis import analyze
from evalkit.analysis.agreements import OVERALL
from evalkit.analysis.estimates import estimates_of
from evalkit.analysis.graded_by import HowAsked
from evalkit.analysis.pair_results import Baseline
from evalkit.analysis.per_model import QUANTILES
from evalkit.analysis.preferred import Preferred
from evalkit.analysis.priced_otherwise import FAST, IN_REGION, OTHER
from evalkit.analysis.reliability import Leniency
from evalkit.analysis.results import Analysis, Counts
from evalkit.analysis.robust_results import Stability
from evalkit.analysis.sessions import SessionResult
from evalkit.blocks import (
    Definitions,
    Facts,
    Paragraph,
    Row,
    Section,
    Table,
)
from evalkit.chart_blocks import (
    Ecdf,
    Forest,
    Shares,
)
from evalkit.cli import application
from evalkit.cli.summary import stability_line, summary_table
from evalkit.commands import command_of_run
from evalkit.config import OwnRates
from evalkit.cut_streams import CutStreams
from evalkit.pairing import SINCE
from evalkit.pricing import LIST_PRICES, Prices
from evalkit.rates import Rates
from evalkit.records import Usage
from evalkit.report import build_report, render_html, render_markdown
from evalkit.stats import AgreementFlag, Estimate, paired_rates, quantile
from evalkit.stats.estimate import no_estimate
from evalkit.wording import coefficient, estimated, interval, milliseconds, percent, shift


def tables(part: Section) -> list[Table]:
    return [block for block in part.blocks if isinstance(block, Table)]


def written(row: Row) -> list[str]:
    """Each cell's words with its doubt."""
    return [f"{plain_text(cell.text)} ({cell.doubt})" if cell.doubt else plain_text(cell.text) for cell in row.cells]


def settled(analysis: Analysis, shares: dict[str, float | None], none: float | None) -> Analysis:
    return replace(analysis, stability=Stability(shares, none, 60 if none is not None else 0, 2000))


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "present"),
    [
        ("how-sure", {"whole", "unpriced", "one_item", "no_option", "hostile", "three_epochs"}),
        ("graders", {"people_and_judge", "people_at_odds", "hostile"}),
        ("retries", {"three_epochs"}),
        ("against", {"with_baseline", "hostile"}),
    ],
)
def test_a_section_stands_only_where_there_is_something_to_show(name: str, present: set[str]) -> None:
    found = {case for case in VARIANTS if name in [s.name for s in build_report(made(case)).sections]}
    assert found >= present
    assert not found & {"empty", "empty_with_models", "nothing_graded"}
    if name != "how-sure":
        assert found == present


# --- how sure --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shares", "none", "heading"),
    [
        ({SONNET: 0.71, OPUS: 0.25, HAIKU: 0.0}, 0.04,
         "The rule picks Sonnet 4.6 in 71% of resamples; Opus 4.6 in 25%; no option in 4%"),
        ({SONNET: 1.0, OPUS: 0.0, HAIKU: 0.0}, 0.0, "In every resample the rule picks Sonnet 4.6"),
        ({SONNET: 0.0, OPUS: 0.002, HAIKU: 0.0}, 0.998,
         "The rule picks no option in >99% of resamples; Opus 4.6 in <1%"),
        ({SONNET: None, OPUS: None, HAIKU: None}, None, "How steady the choice is cannot be said"),
    ],
)  # fmt: skip
def test_the_heading_says_how_the_rule_falls(shares: dict[str, float | None], none: float | None, heading: str) -> None:
    assert section(settled(made("whole"), shares, none), "how-sure").heading == heading


def test_shares_are_drawn_for_every_option_and_none_with_what_they_rest_on() -> None:
    part = section(made("whole"), "how-sure")
    chart = next(block for block in part.blocks if isinstance(block, Shares))
    assert [s.name for s, _ in chart.shares] == ["Haiku 4.5", "Sonnet 4.6", "Opus 4.6", "No option"]
    assert sum(share for _, share in chart.shares) == pytest.approx(1)
    assert chart.unit == "2,000 resamples of 60 items"
    assert "2,000 resamples of 60 items" in all_words("whole")


def test_unknown_stability_comes_with_its_reason() -> None:
    part = section(made("unpriced"), "how-sure")
    assert isinstance(part.blocks[0], Paragraph)
    assert "not every attempt has a price: Opus 4.6" in plain_text(part.blocks[0].text)
    bare = section(settled(made("whole"), {}, None), "how-sure")
    assert isinstance(bare.blocks[0], Paragraph)
    assert "nothing to draw from" in plain_text(bare.blocks[0].text)


def needed(analysis: Analysis) -> dict[str, str]:
    rows = tables(section(analysis, "how-sure"))[0].rows
    return {plain_text(row.cells[0].text): plain_text(row.cells[3].text) for row in rows}


def test_items_needed_are_the_analysis_own_and_settled_ones_say_so() -> None:
    analysis = made("whole")
    pair = next(p for p in analysis.pairs if {p.a, p.b} == {SONNET, OPUS})
    assert needed(analysis) == {
        "Haiku 4.5": "settled: it does not",
        "Sonnet 4.6": "settled: it does",
        "Opus 4.6": "settled: it does",
        "Sonnet 4.6 and Haiku 4.5": "settled: they do",
        "Opus 4.6 and Haiku 4.5": "settled: they do",
        "Opus 4.6 and Sonnet 4.6": f"about {pair.items_to_separate:,}",
    }


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (78, "about 78"),
        (161, "about 170"),
        (29_949, "about 30,000"),
        (60, "a few more than 60"),
        (None, "no number: the rate is not above it"),
    ],
)
def test_an_open_rate_says_how_many_items_would_settle_it(wanted: int | None, text: str) -> None:
    analysis = made("whole")
    rate = Estimate(0.86, 0.75, 0.93, 0.95, 60, "Wilson")
    models = tuple(replace(m, pass_rate=rate, items_to_clear=wanted) for m in analysis.models)
    assert needed(replace(analysis, models=models))["Opus 4.6"] == text


def test_no_difference_at_all_is_never_separated() -> None:
    analysis = made("whole")
    flat = Estimate(0.0, -0.1, 0.1, 0.95, 60, "Tango")
    pairs = tuple(replace(p, difference=flat, items_to_separate=None) for p in analysis.pairs)
    assert needed(replace(analysis, pairs=pairs))["Opus 4.6 and Haiku 4.5"] == "no number: no difference is seen"


def test_item_quality_is_counted_and_doubtful_items_lead_to_their_item() -> None:
    analysis = made("three_epochs")
    quality = analysis.item_quality
    assert quality is not None
    assert "support-004" in quality.doubtful_ids
    facts = next(block for block in section(analysis, "how-sure").blocks if isinstance(block, Facts)).facts
    assert facts[0].title == f"{percent(quality.discriminating)} of the items tell outputs apart"
    assert plain_text(facts[0].text).startswith(f"{len(quality.discriminating_ids)} of 40 items")
    assert facts[3].title == f"{len(quality.doubtful_ids)} items to look at"
    assert ('href="#item-004">support-004</a>') in page("three_epochs")
    assert "which go against the rest" in all_words("whole")


def test_a_long_list_of_items_is_cut_and_says_so() -> None:
    analysis = made("whole")
    assert analysis.item_quality is not None
    many = replace(analysis.item_quality, floor_ids=tuple(item.id for item in analysis.outputs[:15]))
    facts = next(b for b in section(replace(analysis, item_quality=many), "how-sure").blocks if isinstance(b, Facts))
    assert plain_text(facts.facts[2].text).endswith("support-012 and 3 more.")


def test_hostile_item_names_are_links_by_place_alone() -> None:
    hrefs = [a["href"] for tag, a in Elements(page("hostile")).tags if tag == "a" and "href" in a]
    assert all(href and re.fullmatch(r"#[a-z0-9-]+", href) for href in hrefs)
    assert "#item-003" in hrefs


# --- graders ---------------------------------------------------------------------------------------------------


def test_agreement_has_figure_interval_flag_and_reason_for_verdict_and_criteria() -> None:
    analysis = made("people_and_judge")
    part = section(analysis, "graders")
    rows = tables(part)[0].rows
    assert [plain_text(row.cells[0].text) for row in rows] == ["The verdict", "correct", "complete", "tone"]
    overall = next(a for a in analysis.agreement if a.criterion == "satisfactory")
    assert estimated(overall.alpha, "coefficient") in part.heading
    assert written(rows[0])[2:5] == [
        estimated(overall.alpha, "coefficient"),
        estimated(overall.ac, "coefficient"),
        estimated(overall.raw, "percent"),
    ]
    for row in rows:
        assert row.cells[1].text[0].tone in ("green", "amber", "red")
        assert row.cells[1].text[0].tone == row.cells[1].text[0].text
        assert plain_text(row.cells[5].text).startswith("Alpha ")
    assert '<span class="flag red">red</span>' in page("people_and_judge")


@pytest.mark.parametrize(
    ("colour", "heading"),
    [
        ("green", "The graders agree on the verdict: alpha"),
        ("amber", "Agreement on the verdict allows tentative conclusions only: alpha"),
        ("red", "The graders are not shown to agree on the verdict: alpha"),
    ],
)
def test_the_heading_follows_the_flag(colour: str, heading: str) -> None:
    analysis = made("people_and_judge")
    flag = AgreementFlag(colour, ("because.",))
    found = tuple(replace(a, flag=flag) for a in analysis.agreement)
    assert section(replace(analysis, agreement=found), "graders").heading.startswith(heading)


def test_what_judges_alone_agree_on_is_not_said_of_people() -> None:
    """What people were asked about for what a judge had said is no measure of either."""
    analysis = made("people_and_judge")
    flag = AgreementFlag("green", ("because.",))
    alone = tuple(replace(a, graders=("judge a", "judge b"), flag=flag) for a in analysis.agreement)
    part = section(replace(analysis, agreement=alone, grading=replace(analysis.grading, picked=True)), "graders")
    assert part.heading.startswith("The judges agree on the verdict: alpha")
    assert plain_text(part.lede).startswith("2 judges, on the outputs that at least two of them graded.")
    assert f"Not of {ADA} and {BEN}, who graded outputs for what a judge had said of them." in plain_text(part.lede)


def test_agreement_without_alpha_says_why() -> None:
    analysis = made("people_and_judge")
    none = Estimate(None, None, None, 0.95, 40, "jackknife", reason="all grades are the same")
    found = tuple(replace(a, alpha=none) for a in analysis.agreement)
    part = section(replace(analysis, agreement=found), "graders")
    assert part.heading == "How far the graders agree on the verdict cannot be said"
    assert written(tables(part)[0].rows[0])[2] == "unknown (all grades are the same)"


def test_severity_names_who_to_ask_and_about_what() -> None:
    analysis = made("people_and_judge")
    asked = replace(analysis.agreement[2], deviating={BEN: "severity -0.61 (-0.67 to -0.56)"})
    rows = tables(section(replace(analysis, agreement=(*analysis.agreement[:2], asked, *analysis.agreement[3:])),
                          "graders"))[1].rows  # fmt: skip
    by_name = {plain_text(row.cells[0].text): written(row) for row in rows}
    assert set(by_name) == {ADA, BEN, f"Judge {JUDGE_MODEL}"}
    assert by_name[BEN][3] == "tone: severity −0.61 (−0.67 to −0.56)"
    assert by_name[ADA][3] == "nothing stands out"
    overall = next(a for a in analysis.agreement if a.criterion == "satisfactory")
    assert by_name[BEN][1] == estimated(overall.severity[BEN], "points")


def test_a_judge_is_shown_against_people_with_corrected_rates_and_leniency() -> None:
    analysis = made("people_and_judge")
    (judge,) = analysis.judges
    part = section(analysis, "graders")
    accuracy, corrected = tables(part)[2:]
    seen = estimated(judge.accuracy.sensitivity, "percent").removesuffix(")")
    assert written(accuracy.rows[0])[1] == f"{seen}, {judge.accuracy.sensitivity.n} items)"
    overall = next(a for a in analysis.agreement if a.criterion == OVERALL)
    assert overall.outputs > overall.alpha.n  # several models' answers to each item
    agreed = f"The verdict ({overall.outputs} outputs of {overall.alpha.n} items)"
    assert written(tables(part)[0].rows[0])[0] == agreed
    assert written(accuracy.rows[0])[3] == estimated(judge.accuracy.youden, "coefficient")
    assert [plain_text(row.cells[0].text) for row in corrected.rows] == ["Haiku 4.5", "Sonnet 4.6", "Opus 4.6"]
    haiku = written(corrected.rows[0])
    assert haiku[1] == estimated(analysis.model(HAIKU).pass_rate, "percent", 0.8)
    assert haiku[2] == estimated(judge.corrected[HAIKU], "percent", 0.8)
    assert haiku[3].endswith(f"(beside {judge.corrected[HAIKU].n} labels)")
    assert all(row.cells[2].estimate is not None for row in corrected.rows)
    leniency = part.blocks[-1]
    assert isinstance(leniency, Paragraph)
    assert "Sonnet 4.6 and Haiku 4.5" in plain_text(leniency.text)
    assert "No different error rates are shown" in plain_text(leniency.text)


def test_a_lenient_judge_and_missing_worth_are_said() -> None:
    analysis = made("people_and_judge")
    judge = replace(analysis.judges[0], leniency_p=(Leniency(HAIKU, OPUS, 0.5, 0.002, 0.9, 0.006),), worth_labels={})
    part = section(replace(analysis, judges=(judge,)), "graders")
    told = plain_text(part.blocks[-1].text)
    assert "different rates on the outputs of Opus 4.6 and Haiku 4.5" in told
    assert told.endswith("adjusted by Holm for all that are tested: Opus 4.6 and Haiku 4.5 0.006.")
    unlabelled = replace(judge, leniency_p=(Leniency(HAIKU, OPUS, 1.0),))
    told = plain_text(section(replace(analysis, judges=(unlabelled,)), "graders").blocks[-1].text)
    assert "No different error rates are shown" in told
    assert told.endswith("Opus 4.6 and Haiku 4.5 not tested.")
    assert written(tables(part)[3].rows[0])[3] == "unknown (an interval is missing)"
    alone = section(replace(analysis, judges=(replace(judge, leniency_p=()),)), "graders")
    assert "leniency between options cannot be looked at" in plain_text(alone.blocks[-1].text)


def test_a_judge_without_agreement_is_the_heading() -> None:
    analysis = replace(made("people_and_judge"), agreement=())
    part = section(analysis, "graders")
    assert part.heading.startswith(f"Judge {JUDGE_MODEL} passes 9")
    assert "Alpha" not in plain_text(part.lede)


def test_a_checked_judge_is_not_called_uncalibrated() -> None:
    assert "uncalibrated" not in all_words("people_and_judge")
    assert "(checked against people)" in render_markdown(made("people_and_judge"))
    assert "checked against people on 88 outputs. " in all_words("people_and_judge")
    assert "(uncalibrated)" in render_markdown(made("whole"))
    assert "3 models, graded by 2 people, run" in render_markdown(made("people_at_odds"))


def footer(analysis: Analysis) -> str:
    return render_markdown(analysis).rsplit("\n\n", 1)[-1]


def judge_row(analysis: Analysis) -> str:
    found = [block for block in section(analysis, "method").blocks if isinstance(block, Definitions)]
    return next(plain_text(text) for block in found for name, text in block.rows if name == "Judge")


def test_a_judge_is_said_to_err_in_the_figures_that_rest_on_it_and_in_no_others() -> None:
    whole, both = made("whole"), made("people_and_judge")
    assert "Its errors are in every figure above" in judge_row(whole)
    assert "Its grades decide 8" in judge_row(both)
    assert f"graded by 2 people and {JUDGE_MODEL} (checked against people)" in footer(both)
    taken = replace(
        both,
        outputs=tuple(
            replace(item, outputs=tuple(replace(o, decided_by=o.decided_by and "people") for o in item.outputs))
            for item in both.outputs
        ),
    )
    assert "No verdict rests on its grades" in judge_row(taken)
    assert "graded by 2 people, run" in footer(taken)
    dropped = replace(both, grading=replace(both.grading, dropped={JUDGE_MODEL: "J 0.01"}))
    assert judge_row(dropped).endswith(f"{JUDGE_MODEL} decides nothing. Graders in the report has more.")
    assert "errors are in" not in judge_row(dropped)
    assert "graded by 2 people, run" in footer(dropped)
    second = replace(both.grading, judges=(*both.grading.judges, "another"))
    assert "Their grades decide 8" in judge_row(replace(both, grading=second))
    one_left = judge_row(replace(both, grading=replace(second, dropped={"another": "J 0.01"})))
    assert "Its grades decide 8" in one_left
    assert one_left.endswith("another decides nothing. Graders in the report has more.")


def test_method_points_to_no_section_that_is_not_there() -> None:
    """One judge alone has nobody to agree with."""
    for name in ("whole", "people_and_judge"):
        analysis = made(name)
        there = "graders" in [part.name for part in build_report(analysis).sections]
        assert there == (name == "people_and_judge")
        assert ("Graders" in judge_row(analysis)) == there


def test_people_are_asked_for_as_much_as_they_were() -> None:
    both = made("people_and_judge")

    def asked(**of_people: object) -> list[list[str]]:
        by_people = [c for c in commands(replace(both, grading=replace(both.grading, **of_people))) if "people" in c]
        named = [part for person in both.grading.people for part in ("--grader", person)]
        assert all(command[5 : 5 + len(named)] == named for command in by_people)
        return [command[5 + len(named) :] for command in by_people]

    assert asked(sample=None) == [[]]
    assert asked(sample=60, overlap=1) == [["--calibrate", "60", "--overlap", "1"]]
    assert asked(picked=True, sample=None) == [["--discordant"]]
    assert asked(repeat_share=0.05, asked_author=True) == [["--ask-author"]]
    assert asked(repeat_share=0.1) == [["--repeat-share", "0.1"]]
    assert asked(repeat_share=0.0) == [["--repeat-share", "0"]]
    checked = commands(replace(both, grading=replace(both.grading, people=(), judges=())))
    assert checked[1][3:] == ["--by", "checks"]
    assert asked(picked=True, sample=12) == [["--calibrate", "12"], ["--discordant"]]
    assert asked(picked=True, sample=None, overlap=1) == [["--discordant", "--overlap", "1"]]


def test_only_who_was_shown_two_outputs_side_by_side_is_asked_so_again() -> None:
    both = made("people_and_judge")
    compared = replace(both.grading, compared=(HowAsked((JUDGE_MODEL,)),))
    for analysis, asked in (
        (replace(both, grading=replace(both.grading, side_by_side=True)), [False, True]),
        (replace(both, grading=compared), [False, True, False]),
    ):
        _, *grade, _ = commands(analysis)
        assert ["--side-by-side" in command for command in grade] == asked, "a judge grades and compares apart"


def test_a_round_that_only_compared_is_told_and_what_it_cost() -> None:
    whole = made("whole")
    compared = Preferred(JUDGE_MODEL, SONNET, HAIKU, 9, 3, 5, 1, paired_rates(5, 3, 9), 1.0)
    asked = (HowAsked((JUDGE_MODEL,)),)
    grading = replace(whole.grading, round=None, grades=0, judges=(), judged=(), compared=asked, rounds=1)
    analysis = replace(whole, preferred=(compared,), grading=grading)
    rows = method_rows(analysis)
    assert rows["Grading"] == f"no grades yet in 1 round; compared side by side by {JUDGE_MODEL}"
    assert "attempts" in rows["Judge's cost"]
    (grade,) = commands(analysis)[1:-1]
    assert grade[3:] == ["--by", "judges", "--judge", JUDGE_MODEL, "--judge-repeats", "1", "--side-by-side"]


def test_the_methods_of_all_intervals_are_named_and_none_without_limits() -> None:
    whole = made("whole")
    first, *others = whole.models
    unpriced = replace(first, cost_per_request=no_estimate("unpriced", 0.95, "a method of nothing shown"))
    edge = replace(others[0], pass_rate=replace(first.pass_rate, method="exact limits"))
    analysis = replace(whole, models=(unpriced, edge, *others[1:]))
    rows = method_rows(analysis)
    told = rows["Intervals"]
    assert "a method of nothing shown" not in told
    assert f"cost per request: {others[0].cost_per_request.method};" in told
    assert f"pass rate: {first.pass_rate.method} or {edge.pass_rate.method};" in told
    shown = {e.method for e in estimates_of(whole) if e.low is not None or e.high is not None}
    assert set(rows["Other intervals"].split("; ")) == {m for m in shown if m not in told}
    routed = method_rows(made("routed"))["Other intervals"].split("; ")
    assert routed[-1] == "of policies with numbers to set cross-fitted, one step wider than its label"
    assert not [method for method in routed[:-1] if "cross-fitted" in method]


# --- retries ---------------------------------------------------------------------------------------------------


def test_retries_show_success_spend_and_price_for_each_number_of_tries() -> None:
    analysis = made("three_epochs")
    part = section(analysis, "retries")
    rows = tables(part)[0].rows
    assert [row.cells[0].doubt for row in rows] == ["one try", "up to 2 tries", "up to 3 tries"] * 3
    last = analysis.model(HAIKU).retries[-1]
    assert written(rows[2])[1] == estimated(last.success, "percent", 0.8)
    assert last.cost_per_satisfactory is not None
    assert interval(last.cost_per_satisfactory, "money", cents=True) in written(rows[2])[3]
    assert written(rows[2])[2].endswith("(mean of 40 items)")
    assert "presumes that the product can tell a bad output from a good one" in plain_text(part.lede)


def test_the_retry_heading_names_who_clears_the_bar_only_with_retries() -> None:
    analysis = made("three_epochs")
    rate = analysis.model(HAIKU).retries[-1].success
    assert section(analysis, "retries").heading == (
        f"Haiku 4.5 clears 80% within 3 tries: {estimated(rate, 'percent', 0.8)}"
    )
    everyone = replace(analysis.decision, eligible=(OPUS, SONNET, HAIKU))
    other = section(replace(analysis, decision=everyone), "retries").heading
    assert re.fullmatch(r"Within 3 tries Sonnet 4\.6 solves \d+% \(.+\) of the items, at [\d.]+¢ each", other)


def test_unpriced_retries_and_many_epochs() -> None:
    analysis = made("three_epochs")
    line = analysis.model(OPUS).retries[0]
    many = tuple(replace(line, tries=k, cost_usd=None, cost_per_satisfactory=None) for k in range(1, 13))
    models = tuple(replace(m, retries=many) for m in analysis.models)
    rows = tables(section(replace(analysis, models=models), "retries"))[0].rows
    assert [row.cells[0].doubt for row in rows[:6]] == [
        "one try", "up to 2 tries", "up to 3 tries", "up to 5 tries", "up to 10 tries", "up to 12 tries",
    ]  # fmt: skip
    assert written(rows[0])[2:] == ["unpriced (an attempt has no price)"] * 2


# --- baseline --------------------------------------------------------------------------------------------------


def test_each_model_is_compared_with_its_counterpart() -> None:
    analysis = made("with_baseline")
    part = section(analysis, "against")
    rows = tables(part)[0].rows
    assert [row.cells[0].doubt for row in rows] == [
        "against the same model", "against the same model", "against Opus 4.5",
    ]  # fmt: skip
    pair = next(p for p in analysis.against if p.b == HAIKU)
    now, then = (estimated(rate, "percent") for rate in (pair.now, pair.then))
    assert written(rows[0])[1] == f"{now.removesuffix(')')}; then {then.replace(' (', ', ')}"
    assert written(rows[0])[2] == estimated(pair.difference, "points")
    assert written(rows[0])[7] == estimated(pair.cost_ratio, "ratio")
    assert part.heading == "Haiku 4.5 is better than in the baseline run"
    assert [plain_text(row.cells[3].text) for row in rows] == ["now better", "not enough data to tell", SINCE["level"]]


@pytest.mark.parametrize("prices", [None, "genai-prices 0.1"])
def test_a_change_of_the_price_list_is_no_change_of_what_a_model_costs(prices: str | None) -> None:
    analysis = made("with_baseline")
    spec, same = analysis.spec, Estimate(0.0, -0.01, 0.01, 0.95, 60, "Tango")
    earlier = Baseline(
        spec.name,
        spec.sha256,
        spec.created_at,
        False,
        "d",
        "r",
        "p",
        spec.models,
        prices or spec.prices_version,
        "",
        (),
    )
    level = tuple(replace(pair, difference=same, p_holm=1.0, priced_alike=prices is None) for pair in analysis.against)
    told = section(replace(analysis, against=level, baseline=earlier), "against").heading
    assert "No change in the pass rate" in told
    assert bool(re.search("costs? (more|less)", told)) == (prices is None)


def test_that_the_rate_stays_hides_no_change_of_cost_and_latency() -> None:
    analysis = made("with_baseline")
    level, dearer = Estimate(0.0, -0.05, 0.05, 0.95, 60, "Tango"), Estimate(1.5, 1.3, 1.7, 0.95, 60, "log-t")
    pairs = tuple(
        replace(p, difference=level, cost_ratio=dearer, cost_p_holm=0.001, latency_ratio=dearer)
        for p in analysis.against
    )
    changed = replace(analysis, against=pairs)
    heading = section(changed, "against").heading
    assert heading.startswith("No change in the pass rate since the baseline run")
    assert heading.endswith("; Haiku 4.5, Sonnet 4.6 and Opus 4.6 cost more")
    open_ = tuple(replace(p, difference=replace(p.difference, low=-0.3)) for p in pairs)
    assert section(replace(analysis, against=open_), "against").heading == (
        "Not enough data to tell a change in the pass rate since the baseline run; Haiku 4.5, Sonnet 4.6 and Opus 4.6"
        " cost more"
    )
    facts = [fact for block in section(changed, "verdict").blocks if isinstance(block, Facts) for fact in block.facts]
    (since,) = (fact for fact in facts if fact.title.startswith("Since the baseline run"))
    assert since.title.endswith("no change in the pass rate (within 10 points), at more cost")
    assert "answers took 1.5\N{MULTIPLICATION SIGN} (1.3" in plain_text(since.text)


@pytest.mark.parametrize(
    ("low", "high", "p_holm", "heading"),
    [
        (0.02, 0.2, 0.01, "Haiku 4.5, Sonnet 4.6 and Opus 4.6 (Opus 4.5 then) are better than in the baseline run"),
        (-0.2, -0.02, 0.01, "Haiku 4.5, Sonnet 4.6 and Opus 4.6 (Opus 4.5 then) are worse than in the baseline run"),
        (0.02, 0.2, 0.06, "Not enough data to tell a change in the pass rate since the baseline run"),
        (-0.01, 0.2, 0.01, "Not enough data to tell a change in the pass rate since the baseline run"),
        (-0.10, 0.05, 1.0, "Not enough data to tell a change in the pass rate since the baseline run"),
        (-0.09, 0.09, 1.0, "No change in the pass rate since the baseline run: every difference lies within 10 points"),
    ],
)
def test_a_change_is_said_only_if_interval_and_holm_agree(low: float, high: float, p_holm: float, heading: str) -> None:
    analysis = made("with_baseline")
    middle = Estimate((low + high) / 2, low, high, 0.95, 60, "Tango")
    pairs = tuple(replace(p, difference=middle, p_holm=p_holm) for p in analysis.against)
    part = section(replace(analysis, against=pairs), "against")
    assert part.heading.startswith(heading)
    claims = {plain_text(row.cells[3].text) for row in tables(part)[0].rows}
    assert ("no change in the pass rate (within 10 points)" in claims) is heading.startswith("No change")
    assert ("not enough data to tell" in claims) is heading.startswith("Not enough")


def test_a_mixed_change_is_not_called_none_and_no_change_has_its_margin_beside_it() -> None:
    """The pick stays as it was while another model falls: both are said, the fall first, in a comment as well."""
    analysis = made("with_baseline")
    level, fell = (Estimate(x, x - 0.05, x + 0.05, 0.95, 60, "Tango") for x in (0.0, -0.35))
    picked = analysis.decision.option
    other = next(p.b for p in analysis.against if p.b != picked)
    pairs = tuple(
        replace(p, difference=fell if p.b == other else level, p_holm=0.001 if p.b == other else 1.0)
        for p in analysis.against
    )
    mixed = replace(analysis, against=pairs)
    facts = [fact for block in section(mixed, "verdict").blocks if isinstance(block, Facts) for fact in block.facts]
    (since,) = (fact for fact in facts if fact.title.startswith("Since the baseline run"))
    names = [analysis.model(key).name for key in (other, picked or "")]
    assert since.title == (
        f"Since the baseline run: {names[0]}: now worse; {names[1]}: no change in the pass rate (within 10 points)"
    )
    assert [name in plain_text(since.text) for name in names] == [True, True]
    for said in (render_markdown(mixed), render_html(mixed)):
        assert said.count("no change in the pass rate") == said.count("no change in the pass rate (within") > 0


def test_a_baseline_without_common_items_says_so() -> None:
    analysis = made("with_baseline")
    none = Estimate(None, None, None, 0.95, 0, "Tango", reason="no item has a verdict for both models")
    pairs = tuple(replace(p, difference=none, p_value=None, p_holm=None) for p in analysis.against)
    assert "no item has a verdict for both models" in render_html(replace(analysis, against=pairs))


# --- attempts, clocks, repetition, terminal --------------------------------------------------------------------


def test_failed_attempts_are_told_by_kind() -> None:
    analysis = made("three_epochs")
    (attempts,) = tables(section(analysis, "failures"))
    place = [column.label for column in attempts.columns].index("Failed by kind")
    assert plain_text(attempts.rows[0].cells[place].text) == "overloaded_error ×3, rate_limit_error ×1"
    calm = replace(analysis, models=tuple(replace(m, failures={}) for m in analysis.models))
    assert "Failed by kind" not in [c.label for c in tables(section(calm, "failures"))[0].columns]


def test_streams_that_were_cut_are_told_apart_with_what_they_took() -> None:
    analysis = made("whole")
    assert "Cut in the middle" not in [c.label for c in tables(section(analysis, "failures"))[0].columns]
    first, *others = analysis.models
    cut = CutStreams(2, 2000, 2, received_tokens=150, cost_usd=0.011)
    (attempts, *_) = tables(section(replace(analysis, models=(replace(first, cut=cut), *others)), "failures"))
    place = [column.label for column in attempts.columns].index("Cut in the middle")
    cells = [row.cells[place] for row in attempts.rows]
    told = {plain_text(cell.text): cell.doubt for cell in cells}
    assert told == {"0": "", "2": "2,000 tokens in, 2 out reported, about 150 received; 1.1¢ at least"}


def test_the_time_a_token_takes_has_a_scale_of_its_own() -> None:
    charts = [block for block in section(made("whole"), "latency").blocks if isinstance(block, Forest)]
    assert [chart.axis.format for chart in charts] == ["seconds", "milliseconds"]
    assert [row.label for row in charts[1].rows] == ["Per token, p50", "Per token, p95"]
    clocks = {m.model: {k: c for k, c in m.clocks.items() if k != "inter_token"} for m in made("whole").models}
    models = tuple(replace(m, clocks=clocks[m.model]) for m in made("whole").models)
    bare = section(replace(made("whole"), models=models), "latency")
    assert len([block for block in bare.blocks if isinstance(block, Forest)]) == 1


def test_the_doubt_of_a_whole_curve_is_said() -> None:
    blocks = section(made("whole"), "latency").blocks
    assert {m.clocks["felt"].quantiles["p50"].n for m in made("whole").models} == {55, 59, 60}
    assert "within 18 points up or down (95%, 55 items)" in "".join(
        plain_text(b.text) for b in blocks if isinstance(b, Paragraph)
    )


def test_calls_that_timed_out_are_counted_beside_the_clocks() -> None:
    """Cut off is not fast: the median of two clocks of three is open, and the page says why."""
    first, *others = made("whole").models
    few = replace(first.clocks["felt"], censored_s=(600.0, 600.0, 601.0))
    cut = replace(few, quantiles={n: quantile((1.0,), q, censored=(600.0,) * 3) for n, q in QUANTILES.items()})
    models = (replace(first, clocks={**first.clocks, "felt": cut}), *others)
    blocks = section(replace(made("whole"), models=models), "latency").blocks
    words = "".join(plain_text(b.text) for b in blocks if isinstance(b, Paragraph))
    (curves,) = (b for b in blocks if isinstance(b, Ecdf))
    assert [steps.given_up for steps in curves.steps] == [
        3 * (steps.series.name == first.name) for steps in curves.steps
    ]
    assert sum(steps.given_up for steps in curves.steps) == 3
    assert f"Felt, {first.name}: 3 calls given up after 600 s or more" in words
    assert "given up" not in "".join(
        plain_text(b.text) for b in section(made("whole"), "latency").blocks if isinstance(b, Paragraph)
    )
    assert render_html(replace(made("whole"), models=models))


def method_rows(analysis: Analysis) -> dict[str, str]:
    blocks = (block for block in section(analysis, "method").blocks if isinstance(block, Definitions))
    return {term: plain_text(text) for block in blocks for term, text in block.rows}


def commands(analysis: Analysis) -> list[list[str]]:
    text = re.findall(r"<code>(evalkit [^<]+)</code>", render_html(analysis))
    return [shlex.split(line.replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">")) for line in text]


def test_the_run_can_be_repeated_with_the_command_and_found_by_its_name() -> None:
    analysis = made("whole")
    run, *grade, report = commands(analysis)
    assert run == [
        "evalkit", "run", "datasets/support-replies.jsonl", "-m", OPUS, "-m", SONNET, "-m", HAIKU, "--epochs", "1",
        "--seed", "7", "--context", "10000",
    ]  # fmt: skip
    file = f"runs/support-replies-{analysis.spec.sha256[:8]}.db"
    assert report == ["evalkit", "report", file]
    assert grade == [
        ["evalkit", "grade", file, "--by", "judges", "--judge", JUDGE_MODEL, "--judge-repeats", "1", "--one-by-one"]
    ]


def test_the_command_names_a_rubric_that_is_not_the_datasets_own_and_how_requests_were_cached() -> None:
    """Without them it would make another run: another spec, at other costs or with another bar."""
    analysis = made("whole")
    strict = replace(analysis.spec, rubric={**analysis.spec.rubric, "name": "strict"}, cache="5m")
    run = commands(replace(analysis, spec=strict))[0]
    assert run[:5] == ["evalkit", "run", "datasets/support-replies.jsonl", "--rubric", "rubrics/strict.yaml"]
    assert run[run.index("--cache") + 1] == "as-production"
    kept = replace(strict, rubric_file="mine/team.yaml", dataset_files=("mine/replies.jsonl",))
    assert kept.sha256 == strict.sha256
    assert command_of_run(kept)[2:5] == ["mine/replies.jsonl", "--rubric", "mine/team.yaml"]
    chosen = replace(strict, condition={"rule": "unsatisfactory", "model": HAIKU, "run": "f" * 64})
    again = command_of_run(chosen)
    assert not {"--rubric", "--cache"} & set(again), "taken from the run that its items were chosen from"


def test_a_run_whose_items_went_both_ways_says_that_no_command_sends_it_so() -> None:
    analysis = made("whole")
    items = tuple(
        replace(item, outputs=tuple(replace(o, batched=o.model == OPUS, outcome="answered") for o in item.outputs))
        for item in analysis.outputs
    )
    mixed = replace(analysis, outputs=items, sessions=(session_of("batch"),))
    assert "--executor" not in commands(mixed)[0]
    told = "but 60 of 180 answers came from batches, others of their items did not"
    assert method_rows(mixed)["To repeat"].endswith(told)
    assert told not in method_rows(analysis)["To repeat"]
    waiting = replace(mixed, sessions=(replace(session_of("batch"), waiting=3),))
    assert commands(waiting)[0][-2:] == ["--executor", "batch"], "what is there is fetched by no other"


def session_of(executor: str) -> SessionResult:
    counts = dict.fromkeys(("failed", "lost", "waiting", "judging", "reused", "connections", "timed", "left_out"), 0)
    times = dict.fromkeys(
        ("in_flight", "service_s", "felt_s", "queued_s", "lag_p99_s", "lag_max_s", "stood_s"),
        cast("float | None", None),
    )
    return SessionResult(
        id=1, started_at="2026-11-02", executor=executor, concurrency=8, ended=True, attempts=60, **counts, **times
    )


@pytest.mark.parametrize(("streamed", "sample"), [(3, ["--latency-sample", "3"]), (0, []), (60, None)])
def test_a_run_in_batches_is_repeated_in_batches_with_as_many_items_beside_them(
    streamed: int, sample: list[str] | None
) -> None:
    """Streamed it would cost twice as much; what is still in a batch is in no sample."""
    analysis = made("whole")
    items = tuple(
        replace(
            item,
            outputs=tuple(
                replace(o, batched=n >= streamed, outcome="answered" if n < 50 else None) for o in item.outputs
            ),
        )
        for n, item in enumerate(analysis.outputs)
    )
    sent = (session_of("local" if sample is None else "batch"), replace(session_of("batch"), attempts=0, judging=9))
    run = commands(replace(analysis, outputs=items, sessions=sent))[0]
    assert run[run.index("10000") + 1 :] == ([] if sample is None else ["--executor", "batch", *sample])


def test_the_grading_can_be_repeated_too_by_whoever_graded_and_blind_or_not() -> None:
    analysis = made("whole")
    assert analysis.grading.round is not None
    seen = replace(
        analysis.grading,
        judges=("a b",),
        judged=(HowAsked(("a b",)),),
        people=("Ada",),
        round=replace(analysis.grading.round, blind=False),
    )
    _, *grade, (_, _, file) = commands(replace(analysis, grading=seen))
    assert grade == [
        [
            "evalkit",
            "grade",
            file,
            "--by",
            "judges",
            "--judge",
            "a b",
            "--judge-repeats",
            "1",
            "--one-by-one",
            "--no-blind",
        ],
        ["evalkit", "grade", file, "--by", "people", "--grader", "Ada", "--no-blind"],
    ]
    asked = replace(analysis.grading, judged=(HowAsked((JUDGE_MODEL,), 3, "full"),), compared=())
    pairs = (HowAsked((JUDGE_MODEL,), 2, "reference", "http://localhost"), HowAsked(("other",), 1, "full"))
    _, _, compared, other, _ = commands(replace(analysis, grading=replace(asked, compared=pairs)))
    assert other[5:] == ["--judge", "other", "--judge-repeats", "1", "--judge-context", "full", "--side-by-side"]
    assert compared[7:] == [
        "--judge-repeats", "2", "--judge-context", "reference", "--base-url", "http://localhost:PORT", "--side-by-side",
    ]  # fmt: skip
    gateway = replace(analysis.spec, endpoint="https://gateway.example/anthropic")
    (again,) = commands(replace(analysis, grading=asked, spec=gateway))[1:-1]
    assert again[5:] == [
        "--judge", JUDGE_MODEL, "--judge-repeats", "3", "--judge-context", "full",
        "--base-url", "https://gateway.example/anthropic", "--one-by-one",
    ]  # fmt: skip
    peeked = commands(replace(analysis, grading=replace(seen, at_work=True)))
    assert peeked[-1] == ["evalkit", "report", file, "--peek"]
    own = replace(analysis.grading, judged=(HowAsked((HAIKU,)),))
    assert "--allow-own-judge" in commands(replace(analysis, grading=own))[1]
    elsewhere = replace(seen, round=replace(analysis.grading.round, blind=None))
    assert len(commands(replace(analysis, grading=elsewhere))) == 2
    compared = replace(elsewhere, compared=(HowAsked(("a",)),))
    assert [c[-1] for c in commands(replace(analysis, grading=compared))[1:-1]] == ["--side-by-side"]


def test_provenance_names_all_that_the_figures_rest_on() -> None:
    analysis = made("whole")
    spec = analysis.spec
    rows = method_rows(analysis)
    assert rows["Run"] == f"{spec.name} started {spec.created_at}"
    for term, said in (
        ("Spec", spec.sha256),
        ("Dataset", spec.dataset_sha256),
        ("Rubric", spec.rubric_sha256),
        ("Prompt", spec.prompt_sha256),
        ("Versions", f"evalkit {spec.package_version}, prices {spec.prices_version}, rates of {spec.created_at[:10]}"),
        (
            "Price of Opus 4.6",
            "USD per million tokens, published: input $5, output $25, cache read $0.50, cache write for 5 minutes"
            " $6.25, for an hour $10; in batches 0.50×",
        ),
        (
            "Attempts",
            "186 of production, 6 failed, 0 without an end, 0 without a price, 0 of unknown cost; known costs are in"
            " every cost above",
        ),
        ("Ungraded", "0 outputs"),
        ("Draws", f"orders, resamples and permutations start from the run's seed, {spec.seed}"),
    ):
        assert rows[term] == said
    for method in ("Wilson", "Tango", "MOVER", "order statistics", "log"):
        assert method.lower() in rows["Intervals"].lower()
    assert {f"Model {m.name}" for m in analysis.models} <= set(rows)
    assert {"To repeat", "This report", "Endpoint", "Judge's cost"} <= set(rows)


def test_prices_are_those_that_the_run_file_has_and_no_others() -> None:
    analysis = made("whole")

    def told(**changes: Any) -> str:
        spec = replace(analysis.spec, **changes)
        rows = [r for b in section(replace(analysis, spec=spec), "method").blocks if isinstance(b, Definitions)
                for r in b.rows]  # fmt: skip
        return plain_text(dict(rows)["Price of Haiku 4.5"])

    tiers = (Rates(0.1, 0.5), Rates(0.5, 2.5, above_tokens=100_000))
    assert told(rates={HAIKU: tiers}) == (
        "USD per million tokens, published: input $0.10, output $0.50, cache read unpriced, cache write for 5 minutes"
        " unpriced, for an hour unpriced; for prompts of more than 100,000 tokens, input $0.50, output $2.50, cache"
        " read unpriced, cache write for 5 minutes unpriced, for an hour unpriced; in batches unpriced"
    )
    assert "by own rates of evalkit.yaml: input $0.125," in told(rates={HAIKU: (Rates(0.125, 1, own=True),)})
    assert told(rates={HAIKU: ()}) == "unknown"
    before = told(rates={}, prices_version="genai-prices 0.1.0, own rates f75a538dea53")
    assert before == ("not recorded in this run file, which was priced by genai-prices 0.1.0, own rates f75a538dea53")
    imported: dict[str, Any] = {"outputs_sha256": "a" * 64, "prices_version": f"as imported: {HAIKU}"}
    assert told(rates={}, **imported) == "as imported, with each output"
    merged = f"as imported: {HAIKU}; genai-prices 0.2.3 from tokens: {HAIKU}"
    assert told(rates={}, **{**imported, "prices_version": merged}).startswith(
        "as imported, with each output; where one"
    )
    assert told(rates={HAIKU: (Rates(1, 5),)}, **imported).startswith("as imported; where an output came without")


def priced_at(*usages: Usage, model: str, prices: Prices = LIST_PRICES) -> Analysis:
    """A run that began with the published rates, of answers that cost what these prices say."""
    now = datetime(2026, 11, 2, tzinfo=UTC)
    book = Book(spec((model,), rates={model: LIST_PRICES.tiers(model, now)}))
    for number, usage in enumerate(usages):
        book.trial(f"i{number}", answered(prices.price(model, usage, now).usd, usage=usage), model=model, level=1)
    return analyze(book.snapshot())


SIZES = (1, 99_999, 100_000, 100_001, 250_000)


@pytest.mark.parametrize("model", [OPUS, HAIKU, "claude-sonnet-5-5", "claude-haiku-5-5"])
def test_what_the_rates_say_is_what_was_counted(model: str) -> None:
    kinds = ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
    plain = [Usage(size, 7) for size in SIZES]
    cached = [Usage(10, 7, **{kind: size}) for kind in kinds for size in SIZES]
    batched = [replace(usage, service_tier="batch") for usage in (*plain, *cached)]
    assert not priced_at(*plain, *cached, *batched, model=model).priced_otherwise


def test_what_was_counted_otherwise_is_told_beside_the_prices() -> None:
    """Of a run that went on after own rates had changed, and of modes that have prices of their own."""
    usages = (Usage(10, 7), Usage(10, 7, inference_geo="us"), Usage(10, 7, inference_geo="us"))
    analysis = priced_at(*usages, Usage(954, 66, speed="fast"), model="claude-opus-5-5")
    assert analysis.priced_otherwise == {"claude-opus-5-5": {IN_REGION: 2, FAST: 1}}
    rows = dict(row for b in section(analysis, "method").blocks if isinstance(b, Definitions) for row in b.rows)
    told = plain_text(rows["Price of Opus 5.5"])
    assert told.endswith("; counted otherwise: 2 answers in a region with a price of its own and 1 answer in fast mode")
    assert "Opus 5.5 $4 / $20; 3 answers counted otherwise" in render_markdown(analysis)
    fine = Prices({HAIKU: OwnRates(input=0.0833333333, output=0.4166666667)})
    now = datetime(2026, 11, 2, tzinfo=UTC)
    book = Book(spec((HAIKU,), rates={HAIKU: fine.tiers(HAIKU, now)}))
    book.trial("i", answered(fine.price(HAIKU, Usage(12_345, 678), now).usd, usage=Usage(12_345, 678)), model=HAIKU)
    assert not analyze(book.snapshot()).priced_otherwise, "rates of more digits than are kept"
    dearer = Prices({HAIKU: OwnRates(input=10, output=50)})
    assert priced_at(Usage(10, 7), model=HAIKU, prices=dearer).priced_otherwise == {HAIKU: {OTHER: 1}}


def test_the_summary_has_the_prices_of_few_models() -> None:
    analysis = made("whole")
    line = "USD per million input / output tokens: Opus 4.6 $5 / $25, Sonnet 4.6 $3 / $15 and Haiku 4.5 $1 / $5"
    assert line in render_markdown(analysis)
    two = replace(analysis.spec, rates={**analysis.spec.rates, HAIKU: (Rates(1, 5), Rates(2, 9, above_tokens=9))})
    assert "output tokens (small prompts): Opus" in render_markdown(replace(analysis, spec=two))
    own = replace(analysis.spec, rates={**analysis.spec.rates, HAIKU: (Rates(0.5, 2.5, own=True),)})
    assert "Haiku 4.5 $0.50 / $2.50 (own rates)" in render_markdown(replace(analysis, spec=own))
    assert "per million" not in render_markdown(replace(analysis, spec=replace(analysis.spec, rates={})))


def test_outputs_that_nobody_graded_are_counted_as_such() -> None:
    analysis = made("whole")
    first, *others = analysis.models
    left = replace(analysis, models=(replace(first, counts=replace(first.counts, ungraded=3)), *others))
    rows = [row for block in section(left, "method").blocks if isinstance(block, Definitions) for row in block.rows]
    assert plain_text(dict(rows)["Ungraded"]) == "3 outputs"


@pytest.mark.long
def test_the_command_names_what_differs_from_the_defaults() -> None:
    analysis = made("whole")
    spec = replace(analysis.spec, limit=5, max_tokens=64, endpoint="http://127.0.0.1", context_tokens=None)
    run = commands(replace(analysis, spec=spec))[0]
    assert run[-6:] == ["--limit", "5", "--max-tokens", "64", "--base-url", "http://127.0.0.1:PORT"]
    other = commands(replace(analysis, spec=replace(spec, endpoint="https://api.example.com")))[0]
    assert other[-1] == "https://api.example.com"
    help_text = CliRunner().invoke(application(), ["run", "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    for flag in (part for part in [*run, *commands(analysis)[0]] if part.startswith("-")):
        assert flag in help_text


def test_hostile_names_cannot_leave_their_argument() -> None:
    run, *grades, report = commands(made("hostile"))
    assert run[:3] == ["evalkit", "run", "datasets/<b>run|`x`</b>.jsonl"]
    assert {tuple(grade[:4]) for grade in grades} == {("evalkit", "grade", report[2], "--by")}
    assert len(report) == 3


def test_the_terminal_says_how_steady_the_choice_is() -> None:
    shares: dict[str, float | None] = {SONNET: 0.71, OPUS: 0.25, HAIKU: 0.0}
    analysis = settled(made("whole"), shares, 0.04)
    line = "the rule picks Sonnet 4.6 in 71% of resamples, Opus 4.6 in 25%, no option in 4%"
    assert stability_line(analysis) == f"{line} (2,000 resamples of 60 items)"
    assert line in str(summary_table(analysis).caption)
    assert stability_line(made("unpriced")) == ""
    assert "resamples" not in str(summary_table(made("unpriced")).caption)


@pytest.mark.parametrize(
    ("write", "x", "text"),
    [
        (coefficient, 0.874, "0.87"), (coefficient, -0.124, "−0.12"), (coefficient, -0.001, "0.00"),
        (coefficient, None, "unknown"), (shift, 0.25, "+0.25"), (shift, -0.1, "−0.10"), (shift, 0.0, "0.00"),
        (shift, None, "unknown"), (milliseconds, 0.0123, "12 ms"), (milliseconds, None, "unknown"),
    ],
)  # fmt: skip
def test_new_units_read_well(write: object, x: float | None, text: str) -> None:
    assert callable(write)
    assert write(x) == text


def test_intervals_of_new_units_keep_their_sign() -> None:
    assert interval(Estimate(0.1, -0.2, 0.4, 0.95, 9, "m"), "coefficient") == "−0.20 to 0.40"
    assert interval(Estimate(0.1, -0.2, 0.4, 0.95, 9, "m"), "shift") == "−0.20 to +0.40"
    assert interval(Estimate(0.02, 0.015, 0.04, 0.95, 9, "m"), "milliseconds") == "15–40 ms"


def test_what_is_missing_for_one_model_or_grader_is_named() -> None:
    analysis = made("whole")
    none = Estimate(None, None, None, 0.95, 0, "none", reason="nothing is graded yet")
    models = tuple(replace(m, pass_rate=none) if m.model == OPUS else m for m in analysis.models)
    bare = replace(analysis, models=models, item_quality=None)
    assert needed(bare)["Opus 4.6"] == "unknown"
    assert not any(isinstance(block, Facts) for block in section(bare, "how-sure").blocks)
    graded = made("people_and_judge")
    verdict = tuple(a for a in graded.agreement if a.criterion == "satisfactory")
    rows = tables(section(replace(graded, agreement=verdict), "graders"))[1].rows
    assert written(rows[0])[2] == "unknown (no criterion is judged)"


def test_parts_show_their_denominators_where_something_is_missing() -> None:
    analysis = made("whole")
    assert not tables(section(analysis, "slices"))
    key = analysis.models[0].model
    full, lacking = (
        Counts(20, 20 - refused, refused, 0, 0, 0, 20 - refused, 0, 20, 15 - refused) for refused in (0, 2)
    )
    slices = tuple(replace(part, counts={key: lacking if part.name == "hard" else full}) for part in analysis.slices)
    (found,) = tables(section(replace(analysis, slices=slices), "slices"))
    assert [c.label for c in found.columns][:4] == ["Option and part", "Planned", "Answered", "Refused"]
    (row,) = found.rows
    assert written(row)[:4] == [f"{analysis.models[0].name} (hard)", "20", "18", "2"]
