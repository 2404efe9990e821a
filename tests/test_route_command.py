"""`evalkit route` on run files: what it prints, refuses and leaves out."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from analysis_builders import HAIKU, OPUS, SONNET, Book, answered, ended, run_of, spec, write_run
from typer.testing import CliRunner, Result

from evalkit.analysis import analyze
from evalkit.cli import application
from evalkit.records import Snapshot
from evalkit.report import build_report, render_json, render_markdown
from evalkit.route import Asked, route, with_routing
from evalkit.routing.outcomes import NothingToRouteError, outcomes_of

COSTS = {HAIKU: 0.01, SONNET: 0.03, OPUS: 0.05}


def graded(items: int = 40, epochs: int = 1, seed: int = 5) -> Snapshot:
    """Three models, each a little better than the cheaper one."""
    rng = np.random.default_rng(seed)
    rates = {OPUS: 0.95, HAIKU: 0.7, SONNET: 0.85}
    passes = {
        m: [[bool(rng.random() < rate) for _ in range(epochs)] for _ in range(items)] for m, rate in rates.items()
    }
    made = run_of(passes, COSTS)
    return replace(
        made, items=tuple(replace(item, task="Tell me more. " * (1 + i)) for i, item in enumerate(made.items))
    )


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(application(), ["route", *map(str, arguments)], env={"COLUMNS": "200"})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "x.db", graded())


@pytest.mark.long
def test_prints_the_decision_and_a_line_for_each_policy(run: Path) -> None:
    found = invoke(run)
    assert found.exit_code == 0, found.output
    for word in ("Always Haiku 4.5", "Always Opus 4.6", "by lot", "Oracle", "An unsatisfactory answer costs $5.00"):
        assert word in found.output
    assert any(found.output.startswith(word) for word in ("ROUTE", "KEEP ONE MODEL", "NOT ENOUGH DATA"))


@pytest.mark.long
def test_json_holds_every_figure_with_its_interval(run: Path) -> None:
    found = invoke(run, "--json", "--failure-usd", "2")
    routing = json.loads(found.output)["routing"]
    assert (routing["failure_usd"], routing["failure_source"], routing["items"]) == (2.0, "as asked", 40)
    single = next(value for value in routing["values"] if value["name"] == f"always-{OPUS}")
    assert set(single["felt"]) == {"p50", "p90", "p95"}
    assert single["pass_rate"]["low"] < single["pass_rate"]["value"] < single["pass_rate"]["high"]


@pytest.mark.long
def test_single_models_have_the_figures_of_the_report() -> None:
    """Routing and report read one analysis, so they cannot disagree."""
    analysis = analyze(graded(epochs=2))
    routing = route(analysis)
    for model in analysis.models:
        value = routing.value_of(f"always-{model.model}")
        assert value.pass_rate == model.pass_rate
        assert value.cost_per_request.value == pytest.approx(model.cost_per_request.value)
        assert value.cost_per_satisfactory.value == pytest.approx(model.cost_per_satisfactory.value)
        assert value.cost_per_satisfactory.high == pytest.approx(model.cost_per_satisfactory.high)
        assert value.expected_usd.value == pytest.approx(model.human_fix.value)
        assert value.felt["p50"].value == pytest.approx(model.clocks["felt"].quantiles["p50"].value)


def test_models_rise_in_cost_whatever_their_order_in_the_run() -> None:
    assert outcomes_of(analyze(graded()), 5.0).models == (HAIKU, SONNET, OPUS)


def test_failures_count_and_what_is_not_complete_is_left_out_by_reason() -> None:
    book = Book(spec((HAIKU, OPUS)))
    for i in range(6):
        book.trial(f"i{i}", answered(0.01), model=HAIKU, level=1)
        book.trial(f"i{i}", answered(0.05), model=OPUS, level=1)
    book.trial("refused", ended("refused", 0.01), model=HAIKU)
    book.trial("refused", answered(0.05), model=OPUS, level=1)
    book.trial("ungraded", answered(0.01), model=HAIKU)
    book.trial("ungraded", answered(0.05), model=OPUS, level=1)
    book.trial("unpriced", answered(None), model=HAIKU, level=1)
    book.trial("unpriced", answered(0.05), model=OPUS, level=1)
    book.trial("pending", model=HAIKU)
    book.trial("pending", answered(0.05), model=OPUS, level=1)
    book.trial("cost unknown", ended("errored", None, error_type="timeout"), model=HAIKU)
    book.trial("cost unknown", answered(0.05), model=OPUS, level=1)
    outcomes = outcomes_of(analyze(book.snapshot()), 5.0)
    assert [item.id for item in outcomes.items] == [*(f"i{i}" for i in range(6)), "refused", "cost unknown"]
    assert outcomes.satisfied[6:, 0].tolist() == [[0], [0]], "a failure of unknown cost is a failure"
    assert outcomes.cost_usd[7].tolist() == [[0.0], [0.05]], "at the least that it cost"
    assert dict(outcomes.left_out) == {
        "not graded for every model": 1,
        "unpriced for a model": 1,
        "not run by every model": 1,
    }


def test_items_that_one_model_ran_more_often_are_named_as_that() -> None:
    """Imports, and what is merged, may hold two answers of one model and one of another."""
    book = Book(spec((HAIKU, OPUS), epochs=2))
    for item, often in (("both", (2, 2)), ("uneven", (1, 2)), ("one alone", (0, 2))):
        for model, trials in zip((HAIKU, OPUS), often, strict=True):
            for epoch in range(1, trials + 1):
                book.trial(item, answered(0.01), model=model, epoch=epoch, level=1)
    outcomes = outcomes_of(analyze(book.snapshot()), 5.0)
    assert [item.id for item in outcomes.items] == ["both"]
    assert dict(outcomes.left_out) == {"not run in every epoch by every model": 1, "not run by every model": 1}


def test_a_run_of_one_model_is_refused(tmp_path: Path) -> None:
    found = invoke(write_run(tmp_path / "x.db", run_of({OPUS: [[True]] * 5})))
    assert isinstance(found.exception, NothingToRouteError)
    assert found.exception.exit_code == 2


def test_a_mix_of_difficulties_that_the_items_lack_is_refused(run: Path) -> None:
    found = invoke(run, "--mix", "easy=.5,hard=.5")
    assert "0 of the graded items are easy" in str(found.exception)


def test_an_answer_that_costs_nothing_when_wrong_is_warned_about(run: Path) -> None:
    assert "the cheapest model always wins" in invoke(run, "--failure-usd", "0").output


@pytest.mark.long
def test_where_the_report_picks_another_model_than_the_lowest_total_that_is_said(run: Path) -> None:
    told = "The report picks Opus 4.6, by the bar and the cost per satisfactory output: keep that."
    found = invoke(run, "--failure-usd", "0.001").output
    assert told in found
    assert "* every request to Opus 4.6" in found
    assert "The report picks" not in invoke(run, "--failure-usd", "50").output


def test_report_shows_routing_in_every_form() -> None:
    analysis = with_routing(analyze(graded(60)))
    section = next(s for s in build_report(analysis).sections if s.name == "routing")
    assert section.heading == "No router is shown to be cheaper in total than Opus 4.6 alone on 60 items"
    assert f"**{section.heading}**" in render_markdown(analysis)
    assert json.loads(render_json(analysis))["analysis"]["routing"]["items"] == 60
    scorecard = next(s for s in build_report(analysis).sections if s.name == "scorecard")
    assert any("Routed:" in str(cell) for cell in scorecard.blocks)


def test_report_of_one_model_has_no_routing() -> None:
    analysis = with_routing(analyze(run_of({OPUS: [[True]] * 5})))
    assert analysis.routing is None
    assert all(s.name != "routing" for s in build_report(analysis).sections)


@pytest.mark.long
def test_the_same_run_is_valued_the_same_twice() -> None:
    analysis = analyze(graded(30, 2))
    assert route(analysis, Asked(1.0)) == route(analysis, Asked(1.0))
