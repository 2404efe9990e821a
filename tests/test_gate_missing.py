"""What a gate makes of trials without a verdict: a pass stands only if it would whatever they had been."""

import re
from dataclasses import replace
from typing import Any

import pytest
from analysis_builders import Book, answered, ended, failed, round_, spec
from gates import BASELINE, CANDIDATE, Side, evidence, run, table
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.analysis import analyze
from evalkit.errors import IntegrityError
from evalkit.gate import gate
from evalkit.gating.evidence import evidence_of
from evalkit.gating.graders import refuse_other_graders
from evalkit.gating.looks import Sequential
from evalkit.gating.policy import read_policy
from evalkit.gating.results import CheckResult
from evalkit.gating.staged import staged
from evalkit.records import Attempt

UNGRADED = answered()


def quality(then: Side, now: Side, margin: float, **changes: Any) -> CheckResult:
    policy = read_policy(f"quality: {{margin: {margin}}}", "gate.yaml")
    return gate(evidence(then, now, **changes), policy).checks[0]


@pytest.mark.parametrize(
    ("missing", "outcome"),
    [(0, "pass"), (1, "pass"), (60, "inconclusive")],
)  # fmt: skip
def test_an_item_with_one_verdict_of_three_is_not_known(missing: int, outcome: str) -> None:
    """Every item has a verdict, and 120 of the candidate's 300 trials have none."""
    now: list[Any] = [[True, UNGRADED, UNGRADED]] * missing + [[True, True, True]] * (100 - missing)
    found = quality([[True, True, True]] * 100, now, 0.05)
    assert found.outcome == outcome
    assert (f"{2 * missing} trials without a figure could overturn it" in found.finding) == (outcome != "pass")
    assert found.needs is None or "repeat `evalkit run` and `evalkit grade`" in found.needs


def test_an_import_is_asked_for_what_it_lacks_and_not_to_run_again() -> None:
    """Its outputs were made elsewhere: no `evalkit run` brings those that are missing."""
    now: list[Any] = [[True, UNGRADED, UNGRADED]] * 60 + [[True, True, True]] * 40
    asked = evidence([[True, True, True]] * 100, now, outputs_sha256="a" * 64)
    found = gate(asked, read_policy("{quality: {margin: 0.05}, completeness: {}}", "gate.yaml")).checks
    needs = [one.needs or "" for one in found]
    assert len(needs) == 2
    assert all("evalkit import" in told and "evalkit run" not in told for told in needs), needs


BASES = [
    (f"as imported: {BASELINE}, {CANDIDATE}", True),
    (f"prices 1 from tokens: {BASELINE}, {CANDIDATE}", True),
    (f"as imported: {BASELINE}; prices 1 from tokens: {CANDIDATE}", False),
    (f"as imported: {BASELINE}, {CANDIDATE}; prices 1 from tokens: {CANDIDATE}", False),
    (f"as imported: {BASELINE}; prices 1", False),  # joined with a run of this package
    (f"as imported: {BASELINE}, {CANDIDATE}; prices 1 from tokens: other", True),
]


@pytest.mark.parametrize(("said", "alike"), BASES)
def test_costs_that_are_given_are_not_held_against_list_prices(said: str, alike: bool) -> None:
    """A bill knows of caches, batches and discounts; the list price of an import's tokens does not."""
    rows = [[True]] * 60
    asked = evidence(rows, rows, outputs_sha256="a" * 64, prices_version=said)
    (found,) = gate(asked, read_policy("cost_per_request: {}", "gate.yaml")).checks
    assert (found.outcome == "pass") is alike
    assert ("list prices of the tokens" in found.finding) is not alike
    assert any("list prices of the tokens" in text for text in asked.of_candidate.warnings) is not alike


@pytest.mark.parametrize(
    ("then", "now", "outcome"),
    [
        (True, True, "pass"),
        (True, UNGRADED, "inconclusive"),
        (UNGRADED, False, "inconclusive"),
        (UNGRADED, UNGRADED, "inconclusive"),
        (UNGRADED, True, "pass"),  # at worst the two are equal there
    ],
)
def test_a_gap_as_large_as_the_margin_passes_only_where_it_cannot_hide_a_loss(
    then: Any, now: Any, outcome: str
) -> None:
    rest = [[True]] * 95
    assert quality([*rest, *[[then]] * 5], [*rest, *[[now]] * 5], 0.05).outcome == outcome


cell = st.sampled_from([True, True, True, True, True, False, None])


@pytest.mark.long
@settings(max_examples=20, deadline=None)
@given(rows=st.lists(st.tuples(cell, cell, cell, cell), min_size=40, max_size=40), margin=st.sampled_from([0.2, 0.4]))
def test_a_pass_stands_exactly_where_it_does_with_what_is_missing_against_the_candidate(
    rows: list[tuple[bool | None, ...]], margin: float
) -> None:
    def sides(of_baseline: Any, of_candidate: Any) -> tuple[Any, Any]:
        then = [[of_baseline if flag is None else flag for flag in row[:2]] for row in rows]
        return then, [[of_candidate if flag is None else flag for flag in row[2:]] for row in rows]

    found = quality(*sides(UNGRADED, UNGRADED), margin)
    worst = quality(*sides(True, False), margin)
    assert found.outcome != "pass" or worst.outcome == "pass"
    if not any(None in row for row in rows):
        assert found.outcome == worst.outcome


@pytest.mark.long
def test_a_trial_that_an_item_lacks_beside_others_is_missing() -> None:
    """Of 20 items two trials of three were left out, as somebody may who imports what came out well."""
    then: list[Any] = [[True, True, True]] * 100
    policy = read_policy("quality: {margin: 0.05}\ncompleteness: {}\nfelt_latency: {p50: 1.2}", "gate.yaml")
    picked = gate(evidence(then, [[True]] * 20 + [[True, True, True]] * 80), policy).checks
    assert [(c.name, c.outcome) for c in picked] == [
        ("quality", "inconclusive"), ("felt_latency: p50", "inconclusive"), ("completeness", "inconclusive"),
    ]  # fmt: skip
    assert "40 trials without a figure could overturn it" in picked[0].finding
    assert "260 of 300 trials" in picked[2].finding
    fewer = gate(evidence(then, [[True]] * 100), policy).checks
    assert {c.outcome for c in fewer if c.name != "felt_latency: p50"} == {"pass"}, "one trial of each is a plan"


@pytest.mark.long
def test_what_is_missing_fails_nothing() -> None:
    """It says nothing about the candidate yet, one way or the other."""
    now: list[Any] = [[UNGRADED]] * 40 + [[True]] * 20
    assert quality([[True]] * 60, now, 0.10).outcome == "inconclusive"
    lost: list[Any] = [[False]] * 30 + [[UNGRADED]] * 10 + [[True]] * 20
    assert quality([[True]] * 60, lost, 0.10).outcome == "fail"


@pytest.mark.parametrize(("lost", "outcome"), [(12, "inconclusive"), (50, "fail")])
def test_a_loss_that_what_is_missing_could_make_up_for_fails_nothing(lost: int, outcome: str) -> None:
    """Somebody could not tell twenty of the candidate's outputs: they may all be good, and were left out for that."""
    now: list[Any] = [[False]] * lost + [[True]] * (80 - lost) + [[UNGRADED]] * 20
    found = quality([[True]] * 80 + [[False]] * 20, now, 0.10)
    assert found.outcome == outcome, found.finding
    assert ("20 trials without a figure could overturn it" in found.finding) == (outcome != "fail")


@pytest.mark.parametrize("unsure", [True, False])
def test_what_is_missing_makes_no_cost_per_success_and_no_bet_either(unsure: bool) -> None:
    """Somebody cannot tell 40 of the candidate's good outputs of 120, of two models that are equal on each item."""
    book = Book(spec((BASELINE, CANDIDATE)), rounds=[round_(graders=("ann",))])
    for item in range(120):
        for model in (BASELINE, CANDIDATE):
            good = item % 4 > 0 if model == BASELINE else item % 4 < 3
            trial = book.trial(f"item-{item:03d}", answered(0.01, served_model=model), model=model, level=None)
            untold = unsure and model == CANDIDATE and good and item % 4 < 2 and item < 80
            lost = model == CANDIDATE and not unsure and good and item % 4 < 2 and item < 80
            book.grade(trial, None if untold else int(good and not lost), grader="ann",
                       ungraded_reason="x" if untold else None)  # fmt: skip
    snapshot = book.snapshot()
    analysis = analyze(snapshot)
    asked = read_policy("{quality: {margin: 0.1}, cost_per_satisfactory: {at_most: 1.1}}", "gate.yaml")
    checks = gate(evidence_of(analysis, analysis, BASELINE, CANDIDATE), asked).checks
    by_name = {one.name: one for one in checks}
    assert by_name["cost_per_satisfactory"].outcome == ("inconclusive" if unsure else "fail"), by_name
    assert ("40 trials without a figure could overturn it" in by_name["cost_per_satisfactory"].finding) == unsure
    assert ("in a new round (`evalkit grade --close`, then" in str(by_name["cost_per_satisfactory"].needs)) == unsure
    _, look = staged(
        evidence_of(analysis, analysis, BASELINE, CANDIDATE), (snapshot, snapshot),
        Sequential(looks=(1.0,), fail_fast=True), 0.05, analyze,
    )  # fmt: skip
    assert look.wealth is not None
    assert look.wealth_needed is not None
    assert (look.wealth >= look.wealth_needed) == (not unsure)


@pytest.mark.parametrize(
    ("untold", "slices", "anew"), [(7, (), False), (9, (), False), (9, ("legal",), True), (12, (), True)]
)
def test_who_else_may_grade_what_one_could_not_tell_is_not_refused_for_it(
    untold: int, slices: tuple[str, ...], anew: bool
) -> None:
    """Of 500 items, 60 of them legal, somebody cannot tell some of the candidate's legal outputs."""
    book = Book(spec((BASELINE, CANDIDATE)), rounds=[round_(graders=("ann",))])
    for item in range(500):
        book.item(f"item-{item:03d}", tags=("legal",) if item < 60 else ())
        for model in (BASELINE, CANDIDATE):
            trial = book.trial(f"item-{item:03d}", answered(served_model=model), model=model, level=None)
            gap = model == CANDIDATE and item < untold
            book.grade(trial, None if gap else 1, grader="ann", ungraded_reason="?" if gap else None)
            if gap:
                book.grade(trial, 1, grader="cat")
    alone = [grade for grade in book.grades if grade.grader == "ann"]
    analysis = analyze(replace(book.snapshot(), grades=tuple(alone)))
    found = replace(evidence_of(analysis, analysis, BASELINE, CANDIDATE), slices=slices)
    assert ("grade them all in a new round" in found.remedy) == anew
    assert (f"let somebody else grade the {untold} outputs" in found.remedy) != anew
    snapshot = book.snapshot()
    if anew:
        with pytest.raises(IntegrityError, match="ann"):
            refuse_other_graders(snapshot, BASELINE, snapshot, CANDIDATE, slices=slices)
    else:
        refuse_other_graders(snapshot, BASELINE, snapshot, CANDIDATE, slices=slices)


@pytest.mark.long
def test_what_nobody_has_come_to_keeps_no_loss_from_being_told() -> None:
    """Of the first 60 of 120 items, half are lost; the others were never graded on either side."""
    none: list[Any] = [[UNGRADED]] * 60
    assert quality([*[[True]] * 60, *none], [*[[True], [False]] * 30, *none], 0.10).outcome == "fail"


@pytest.mark.long
@pytest.mark.parametrize(
    ("check", "lost"),
    [
        ("cost_per_request: {at_most: 1.1}", ended("errored", None)),
        ("felt_latency: {p50: 1.2}", ended("refused")),  # a refusal has no wait to compare
    ],
)
def test_costs_and_times_are_known_of_nearly_all_trials_not_items(check: str, lost: Attempt) -> None:
    """One trial of three is known of each item: every item has a figure, and two thirds are missing."""
    for unknown, outcome in ((0, "pass"), (2, "pass"), (40, "inconclusive")):
        then: list[Any] = [[True, True, True]] * 60
        now: list[Any] = [[True, lost, lost]] * unknown + [[True, True, True]] * (60 - unknown)
        policy = read_policy(check, "gate.yaml")
        found = gate(evidence(then, now, attempt=lambda m, i: answered(0.01 + i / 1000, served_model=m)), policy)
        assert found.checks[0].outcome == outcome, found.checks[0]


def test_a_slice_and_a_share_of_endings_count_what_is_missing_too() -> None:
    then, now = table(0, 0, 60)
    gone: list[Any] = [[UNGRADED] if i < 6 else row for i, row in enumerate(now)]
    policy = read_policy("quality: {margin: 0.3, slices: {hard: 0.3}}\nrefusals: {margin: 0.1}", "gate.yaml")
    found = gate(evidence(then, gone, difficulty=lambda item: "hard" if item < 20 else "easy"), policy)
    assert {c.name: c.outcome for c in found.checks} == {
        "quality": "pass", "quality: hard": "inconclusive", "refusals": "pass",
    }  # fmt: skip


# --- an outage ---

ALL = """
quality: {margin: 0.10}
cost_per_request: {at_most: 1.1}
refusals: {margin: 0.10}
truncations: {margin: 0.10}
completeness: {at_least: 0.85}
"""


def out_of_reach(outage: int, of: int) -> list[list[bool | Attempt]]:
    """A side whose server was away for its last trials: tried several times, and to be tried again."""
    return [[True] if i < of - outage else [failed()] for i in range(of)]


@pytest.mark.long
@pytest.mark.parametrize("outage", [9, 60])
def test_an_outage_of_the_baseline_hides_no_loss(outage: int) -> None:
    """Nine losses of 80, and the baseline was never answered where the candidate does well."""
    now: list[Any] = [[False]] * 9 + [[True]] * 71
    assert quality([[True]] * 80, now, 0.10).outcome == "fail"
    found = quality(out_of_reach(outage, 80), now, 0.10)
    assert found.outcome != "pass"
    assert found.estimate is not None
    assert (found.estimate.value or 0) < 0, "what nobody answered is no gain"


def test_an_outage_of_the_candidate_is_no_loss_and_no_pass() -> None:
    found = quality([[True]] * 80, out_of_reach(40, 80), 0.10)
    assert found.outcome == "inconclusive"
    assert "40 trials without a figure could overturn it" in found.finding or "is not excluded" in found.finding
    ended_so: list[Any] = [[True]] * 40 + [[ended("errored")]] * 40
    assert quality([[True]] * 80, ended_so, 0.10).outcome == "fail", "an error that is final is a failure"


@pytest.mark.parametrize("side", [0, 1])
def test_what_failed_for_now_is_missing_in_every_share_and_cost(side: int) -> None:
    """Answers are refused without cost while the server is away: neither cheap, nor free of refusals, nor complete."""
    sides: list[Any] = [[[True]] * 80, [[True]] * 80]
    for outage in (0, 16):
        sides[side] = out_of_reach(outage, 80)
        found = gate(evidence(*sides), read_policy(ALL, "gate.yaml"))
        given = {c.name: c.outcome for c in found.checks}
        if side == 0:  # whatever the baseline would have done, the candidate does all of it well
            assert [given.pop(name) for name in ("quality", "refusals", "truncations")] == ["pass"] * 3
        assert set(given.values()) == {"inconclusive" if outage else "pass"}
        told = [note for note in found.notes if "failed on every attempt so far, and are missing here" in note]
        named = f"{outage} trials of the {('baseline', 'candidate')[side]} failed"
        assert [note.startswith(named) for note in told] == [True] * bool(outage)
        assert f"{80 - outage} of 80 trials" in next(c.finding for c in found.checks if c.name == "completeness")


def test_what_the_baselines_own_run_warns_of_is_told_too() -> None:
    then, now = analyze(run(out_of_reach(16, 80), [[True]] * 80)), analyze(run(*table(0, 0, 80)))
    found = gate(evidence_of(then, now, BASELINE, CANDIDATE), read_policy("completeness: {}", "gate.yaml"))
    assert sum("(16 of them failed on every attempt so far)" in note for note in found.notes) == 1
    assert len(set(found.notes)) == len(found.notes)


@pytest.mark.parametrize("check", ["cost_per_request", "cost_per_satisfactory"])
@pytest.mark.parametrize(("each_usd", "outcome"), [(0.0, "pass"), (0.004, "pass"), (0.06, "inconclusive")])
def test_what_calls_cost_that_nobody_answered_lets_no_cost_pass(check: str, each_usd: float, outcome: str) -> None:
    def attempt(model: str, item: int) -> Attempt:
        return answered(cost_usd=0.01, served_model=model)

    cut: list[Any] = [[replace(failed(), cost_usd=each_usd)] if i < 3 else [True] for i in range(80)]
    policy = read_policy(f"{check}: {{at_most: 1.1}}", "gate.yaml")
    found = gate(evidence([[True]] * 80, cut, attempt=attempt), policy).checks[0]
    assert found.outcome == outcome, found.finding
    assert ("3 calls of the candidate that failed on every attempt" in found.finding) == (outcome != "pass")


@pytest.mark.parametrize(("settled", "outcome"), [(False, "inconclusive"), (True, "fail")])
def test_waits_in_an_outage_show_no_candidate_slower_and_those_of_calls_that_failed_for_good_do(
    settled: bool, outcome: str
) -> None:
    def attempt(model: str, item: int) -> Attempt:
        return answered(latency_s=1 + item % 9 / 10, served_model=model)

    away: list[Any] = [[replace(failed(), felt_s=60.0, final=settled)] if i < 16 else [True] for i in range(80)]
    policy = read_policy("felt_latency: {p90: 1.2}", "gate.yaml")
    assert gate(evidence([[True]] * 80, away, attempt=attempt), policy).checks[0].outcome == outcome


@pytest.mark.parametrize(("outage", "outcome"), [(0, "pass"), (4, "pass"), (16, "inconclusive")])
def test_an_outage_of_the_baseline_makes_no_candidate_fast(outage: int, outcome: str) -> None:
    def attempt(model: str, item: int) -> Attempt:
        return answered(latency_s=1 + item % 9 / 10, served_model=model)

    away: list[Any] = [[replace(failed(), felt_s=60.0)] if i < outage else [True] for i in range(80)]
    policy = read_policy("felt_latency: {p50: 1.2}", "gate.yaml")
    found = gate(evidence(away, [[True]] * 80, attempt=attempt), policy).checks[0]
    assert found.outcome == outcome
    assert ("16 of 80 trials of the baseline lack the figure" in found.finding) == (outcome != "pass")


@pytest.mark.long
def test_items_without_a_figure_are_asked_for_before_new_ones() -> None:
    found = quality([[True]] * 60, [*[[True]] * 58, [UNGRADED], [UNGRADED]], 0.05)
    assert found.outcome == "inconclusive"
    assert str(found.needs).startswith(
        "figures for 2 items without one (grade them, by people or another judge where a judge could not); or else"
    )


@pytest.mark.long
def test_two_items_that_never_differ_ask_for_no_thousand_more() -> None:
    policy = read_policy("refusals: {margin: 0.05}", "gate.yaml")
    (found,) = gate(evidence([[True]] * 2, [[True]] * 2), policy).checks
    told = re.match(r"about (\d+) more items", str(found.needs))
    assert told is not None, found.needs
    assert 57 <= int(told[1]) < 200, "59 that never differ pass"
