"""Minutes of correction: measured before stated, with their doubt, down to totals and break-evens."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from analysis_builders import HAIKU, OPUS, Book, answered, run_of, spec

from evalkit import stats
from evalkit.analysis import analyze
from evalkit.analysis.results import Analysis
from evalkit.cli import main
from evalkit.records import Correction, Snapshot
from evalkit.report import render_html, render_json
from evalkit.stats import Estimate
from evalkit.store import RunFile


def two_models() -> Snapshot:
    """20 items: Opus fails the first 4, Haiku the first 10."""
    passes = {OPUS: [[i >= 4] for i in range(20)], HAIKU: [[i >= 10] for i in range(20)]}
    return run_of(passes, {OPUS: 0.04, HAIKU: 0.01})


def measured(snapshot: Snapshot, *minutes: tuple[str, str, float], grader: str = "human ann") -> Snapshot:
    """With corrections of (item, model, minutes)."""
    ids = {(trial.key.item_id, trial.key.model): trial.id for trial in snapshot.trials}
    found = tuple(Correction(ids[item, model], grader, m) for item, model, m in minutes)
    return replace(snapshot, corrections=snapshot.corrections + found)


def texts(analysis: Analysis) -> str:
    return render_html(analysis).replace("\N{NO-BREAK SPACE}", " ")


def test_minutes_that_nobody_measured_have_no_doubt() -> None:
    analysis = analyze(two_models())
    assert (analysis.correction.source, analysis.correction_usd) == ("the default", 5.0)
    assert analysis.correction.minutes == Estimate(5.0, None, None, 0.95, 0, "stated")
    opus = analysis.model(OPUS)
    costs = [o.cost_usd for item in analysis.outputs for o in item.outputs if o.model == OPUS]
    flags = [float(bool(o.satisfied)) for item in analysis.outputs for o in item.outputs if o.model == OPUS]
    assert opus.human_fix == stats.human_fix_cost(costs, flags, 5.0, 0.5)
    assert "(the default)" in texts(analysis)


@pytest.mark.parametrize(
    ("economics", "source"),
    [
        ("", "the default"),
        ("economics: {review_minutes: 1}", "the default"),
        ("economics: {correction_minutes: 5, hourly_rate_usd: 60}", "stated"),
        ("economics: {hourly_rate_usd: 60}", "stated"),
        ("economics: {correction_minutes: 6}", "stated"),
    ],
)
def test_what_a_rubric_states_is_not_called_the_default_even_where_it_is_the_same(
    economics: str, source: str, tmp_path: Path
) -> None:
    rubric, rows, run = (tmp_path / name for name in ("r.yaml", "rows.jsonl", "r.db"))
    criteria = "criteria: [{id: right, question: Is it right, levels: {0: bad, 1: good}}]"
    rubric.write_text(f"name: r\n{criteria}\nsatisfactory: {{score: 1.0}}\n{economics}\n")
    graded = [{"grader": "ann", "kind": "human", "criterion": "right", "level": 0}]
    rows.write_text(json.dumps({"item_id": "a", "model": OPUS, "output": "x", "cost_usd": 0.01, "grades": graded}))
    assert main(["import", str(rows), "--rubric", str(rubric), "-o", str(run)]) == 0
    with RunFile(run, read_only=True) as file:
        snapshot = file.snapshot()
    assert analyze(snapshot).correction.source == source
    older = replace(snapshot.spec, economics_stated=None)
    assert older.sha256 == snapshot.spec.sha256, "what is said of it makes no other run of it"


@pytest.mark.long
def test_measured_minutes_take_their_place_with_their_doubt() -> None:
    stated = analyze(two_models())
    minutes = [("item-000", OPUS, 9.0), ("item-001", OPUS, 12.0), ("item-005", HAIKU, 6.0), ("item-000", HAIKU, 11.0)]
    analysis = analyze(measured(two_models(), *minutes))
    mean = stats.mean_cost([10.0, 12.0, 6.0])  # items are the unit
    assert analysis.correction.source == "measured on 4 outputs"
    assert analysis.correction.minutes == mean
    assert (analysis.correction.usd.value, analysis.correction.usd.n) == (pytest.approx(28 / 3), 3)
    assert analysis.correction.usd.high == pytest.approx(mean.high)
    for model, failing in ((OPUS, 0.2), (HAIKU, 0.5)):
        ours, theirs = analysis.model(model).human_fix, stated.model(model).human_fix
        assert ours.value == pytest.approx((theirs.value or 0) + failing * (28 / 3 - 5))
        assert (ours.high or 0) - (ours.low or 0) > (theirs.high or 0) - (theirs.low or 0)
    assert '"source": "measured on 4 outputs"' in render_json(analysis)
    assert "measured on 4 outputs of 3 items" in texts(analysis)
    assert "(measured on 4 outputs)" in texts(analysis)
    assert "At $9.33 a correction" in texts(analysis)
    easy = {part.name: part for part in analysis.slices}
    assert all(part.human_fix[OPUS].value is not None for part in easy.values())


def test_later_measurements_replace_and_graders_are_averaged() -> None:
    snapshot = measured(two_models(), ("item-000", OPUS, 50.0), ("item-000", OPUS, 8.0), ("item-001", OPUS, 3.0))
    analysis = analyze(measured(snapshot, ("item-000", OPUS, 4.0), grader="human bob"))
    assert analysis.correction.minutes == stats.mean_cost([6.0, 3.0])
    assert analysis.correction.source == "measured on 2 outputs"


def test_minutes_spent_on_satisfactory_outputs_do_not_count() -> None:
    analysis = analyze(measured(two_models(), ("item-019", OPUS, 90.0)))
    assert analysis.correction.source == "the default"


def test_one_measured_output_is_used_and_its_missing_doubt_is_said() -> None:
    analysis = analyze(measured(two_models(), ("item-000", OPUS, 8.0)))
    assert (analysis.correction.source, analysis.correction_usd) == ("measured on 1 output", 8.0)
    assert "the doubt of the correction cost is unknown and left out" in analysis.model(OPUS).human_fix.warnings


def test_nothing_failed_leaves_nothing_to_measure() -> None:
    book = Book(spec((OPUS,)))
    book.trial("only", answered(), level=1)
    assert analyze(book.snapshot(corrections=(Correction(1, "human ann", 3.0),))).correction.source == "the default"


def test_a_correction_cost_without_doubt_is_a_number() -> None:
    costs, flags = [1.0, 2.0, 3.0], [1.0, 0.0, 1.0]
    certain = Estimate(4.0, None, None, 0.95, 0, "stated")
    assert stats.human_fix_cost(costs, flags, certain) == stats.human_fix_cost(costs, flags, 4.0)
    unknown = Estimate(None, None, None, 0.95, 0, "m", reason="nobody knows")
    assert stats.human_fix_cost(costs, flags, unknown).reason == "nobody knows"
    measured_minutes = stats.mean_cost([3.0, 5.0])
    assert stats.human_fix_cost([], [], measured_minutes) == stats.human_fix_cost([], [], 4.0)  # no items, no cost


@pytest.mark.long
@pytest.mark.parametrize(("spread", "share", "least"), [(0.5, 0.3, 0.92), (0.5, 1.0, 0.92), (0.8, 0.3, 0.89)])
def test_totals_with_measured_corrections_cover_what_they_claim(spread: float, share: float, least: float) -> None:
    """60 items at a rate of .6, minutes log-normal, measured on a share of the failures; 7 skewed ones fall short."""
    rng, held, without, repeats = np.random.default_rng(4), 0, 0, 600
    truth = 0.05 + 0.4 * np.exp(spread**2 / 2)
    for _ in range(repeats):
        flags = (rng.random(60) < 0.6).astype(float)
        failures = int((1 - flags).sum())
        minutes = np.exp(spread * rng.normal(size=max(2, round(share * failures))))
        correction = stats.mean_cost(minutes)
        costs = 0.05 * np.exp(0.3 * rng.normal(size=60) - 0.3**2 / 2)
        for cost, plain_number in ((correction, False), (correction.value, True)):
            total = stats.human_fix_cost(costs, flags, cost)
            covered = (total.low or 0) <= truth <= (total.high or 0)
            without, held = without + (plain_number and covered), held + (not plain_number and covered)
    assert held / repeats >= least
    assert without / repeats < held / repeats - 0.02
