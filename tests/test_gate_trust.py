"""What a judge's verdicts may carry: its errors on the two models compared, and what rests on what it was asked for."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analysis_builders import JUDGE, PASS_OR_FAIL, Book, answered, ended, round_, spec, write_run
from gates import BASELINE, CANDIDATE, PERSON
from sweep_builders import together
from test_gate_judges import PICKED, POLICY, RUBRIC, SAID, Pair, calibrated, judged, of

from evalkit.analysis import analyze
from evalkit.analysis.contexts import at_context
from evalkit.checks import cost_per_satisfactory
from evalkit.cli import main
from evalkit.discordant import discordant_items
from evalkit.errors import UsageError
from evalkit.gate import gate
from evalkit.gating.dearer import Dearest
from evalkit.gating.evidence import Evidence, satisfied
from evalkit.gating.labels import ALIKE, KNOWN, labels_of
from evalkit.gating.policy import read_policy
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Assay, Rules, assay_of
from evalkit.grading_records import MERGED, RoundEvent
from evalkit.records import PromptSize, Snapshot
from evalkit.rounds import LEFT, left_at_closing
from evalkit.rubric import Rubric

THIRD = "claude-haiku-4-5-20251001"
COSTS = read_policy("cost_per_satisfactory: {at_most: 1.1}\n", "gate.yaml")
UNSEEN: list[Pair] = [(1, 0)] * 30 + [(0, 0)] * 30 + [(1, 1)] * 40
"""A judge that sees 30 real losses, and none of 30 gains."""
TRUTH: dict[int, Pair] = {item: (0, 1) if 30 <= item < 60 else UNSEEN[item] for item in range(100)}


def drawn(said: list[Pair], people: dict[int, Pair]) -> dict[int, Pair]:
    """Of people's grades those that `--discordant` asks for."""
    asked = discordant_items(judged(said, {}), RUBRIC, 0.2).items
    return {item: people[item] for item in (int(name[-3:]) for name in asked)}


def with_a_third(third_is_easy: bool) -> Snapshot:
    """A judge that overlooks two of five bad outputs of the two compared; all of a third model's it sees, or none."""
    models = (BASELINE, CANDIDATE, *((THIRD,) if third_is_easy else ()))
    book = Book(spec(models, rubric_sha256=RUBRIC.sha256), rounds=[round_(graders=(JUDGE, PERSON))])
    for item in range(120):
        for model in models:
            good = int(item % 3 > 0) if model != THIRD else int(item % 6 == 0)
            said = good if good or model == THIRD else int(item % 5 < 2)
            trial = book.trial(f"item-{item:03d}", answered(served_model=model), model=model, level=said)
            if item < 90:
                book.grade(trial, good, grader=PERSON)
    return book.snapshot()


def test_what_a_judge_sees_of_a_third_model_vouches_for_nothing() -> None:
    two, three = of(with_a_third(False)), of(with_a_third(True))
    alone, beside = two.of_candidate.judges[0].accuracy, three.of_candidate.judges[0].accuracy
    assert (beside.youden_low_80 or 0) > (alone.youden_low_80 or 0) + 0.1
    assert assay_of(three) == assay_of(two)


def test_a_judge_checked_on_a_third_model_is_uncalibrated_on_these() -> None:
    snapshot = with_a_third(True)
    third = {t.id for t in snapshot.trials if t.key.model == THIRD}
    few = {t.id for t in snapshot.trials if int(t.key.item_id[-3:]) < 12}
    kept = tuple(g for g in snapshot.grades if g.grader == JUDGE or g.trial_id in third | few)
    assert "people graded 24 outputs that it decides, 30 are needed" in str(
        assay_of(of(replace(snapshot, grades=kept))).cap
    )


def test_a_cost_per_success_rests_on_no_mix_of_what_people_and_a_judge_say() -> None:
    mixed = gate(of(judged(UNSEEN, drawn(UNSEEN, TRUTH), events=PICKED)), COSTS)
    assert mixed.verdict == "inconclusive"
    (check,) = (one for one in mixed.checks if one.name == "cost_per_satisfactory")
    assert (check.p_worse, check.needs) == (None, "people's grades of all outputs, or cost_per_request in its place")
    by_people = gate(of(judged(UNSEEN, TRUTH, events=PICKED)), COSTS)
    (check,) = (one for one in by_people.checks if one.name == "cost_per_satisfactory")
    assert check.p_worse is not None


@pytest.mark.parametrize(
    ("truth", "price", "at_most", "as_judged", "with_mistakes"),
    [
        ((160, 80), 1.0, 1.95, ("pass", True), ("inconclusive", False)),  # twice the cost in truth, beyond the limit
        ((80, 160), 1.9, 1.0, ("inconclusive", True), ("inconclusive", False)),  # cheaper in truth
        ((160, 160), 1.0, 1.1, ("pass", False), ("pass", False)),
        ((160, 160), 1.4, 1.1, ("inconclusive", True), ("inconclusive", True)),
        ((160, 10), 1.0, 1.1, ("inconclusive", True), ("inconclusive", True)),  # all of the worse one's may be mistakes
        ((10, 160), 1.0, 1.1, ("pass", False), ("pass", False)),
        ((9, 10), 1.0, 1.5, ("pass", False), ("inconclusive", False)),  # nobody knows which is better
    ],
)
def test_a_cost_per_success_holds_for_what_a_judge_may_pass_by_mistake(
    truth: tuple[int, int],
    price: float,
    at_most: float,
    as_judged: tuple[str, bool],
    with_mistakes: tuple[str, bool],
) -> None:
    """Such passes take the ratio of the rates to 1: a limit that is reached seems kept, and a bargain a loss."""
    book = Book(spec((BASELINE, CANDIDATE), rubric_sha256=RUBRIC.sha256), rounds=[round_(graders=(JUDGE,))])
    for item in range(200):
        for model, good in zip((BASELINE, CANDIDATE), truth, strict=True):
            usd = 0.01 * (1 + item % 5 / 10) * (price if model == CANDIDATE else 1)
            said = int(item < good or item % 10 < 3)
            book.trial(f"item-{item:03d}", answered(usd, served_model=model), model=model, level=said)
    found = of(book.snapshot())

    def result(mistaken: float) -> CheckResult:
        rules = Rules(0.05, 7, Assay(judged=True, mistaken=mistaken))
        (check,) = cost_per_satisfactory.check(found, Dearest(at_most=at_most), rules)
        return check

    def shown(check: CheckResult) -> tuple[str, bool]:
        """Its outcome so far, and whether it is shown to be worse."""
        return check.outcome, check.p_worse is not None and check.p_worse < 0.05

    assert shown(result(0.0)) == as_judged
    assert shown(result(0.35)) == with_mistakes
    told = "all that the judge passes on one side may be" if min(truth) < 11 else "35% of unsatisfactory outputs"
    assert told in result(0.35).finding


def test_more_labels_settle_what_is_beyond_the_limit_only_as_the_judge_sees_it() -> None:
    """1.04 times as judged, and 0.99 without what the judge may pass by mistake, where 1.02 is asked for."""
    book = Book(spec((BASELINE, CANDIDATE), rubric_sha256=RUBRIC.sha256), rounds=[round_(graders=(JUDGE,))])
    for item in range(200):
        for model, good, price in ((BASELINE, 90, 1), (CANDIDATE, 100, 1.1)):
            usd = 0.01 * (1 + item % 5 / 10) * price
            said = int(item < good or item % 10 < 3)
            book.trial(f"item-{item:03d}", answered(usd, served_model=model), model=model, level=said)
    rules = Rules(0.05, 7, Assay(judged=True, mistaken=0.3))
    (check,) = cost_per_satisfactory.check(of(book.snapshot()), Dearest(at_most=1.02), rules)
    assert check.outcome == "inconclusive"
    assert str(check.needs).startswith("more labels")
    as_judged = replace(rules, assay=Assay(judged=True, mistaken=0.0))
    asked = Dearest(at_most=1.05)
    (either,), (judge,) = (cost_per_satisfactory.check(of(book.snapshot()), asked, r) for r in (rules, as_judged))
    assert (either.outcome, judge.outcome) == ("inconclusive", "inconclusive")
    assert either.needs == judge.needs, "of two ends below the limit the one that takes more items, here 1.04 times"
    (sure,) = cost_per_satisfactory.check(of(book.snapshot()), Dearest(at_most=0.9), rules)
    assert sure.needs == "no number of items, while the estimate stays at the limit or above it"


def test_items_that_are_advised_are_like_all_of_these_in_whatever_order_they_stand() -> None:
    found = []
    for turned in (1, -1):
        book = Book(spec((BASELINE, CANDIDATE), rubric_sha256=RUBRIC.sha256), rounds=[round_()])
        for place, item in enumerate(range(100)[::turned]):
            for model, price in ((BASELINE, 1.0), (CANDIDATE, 1.05)):
                usd = price * (0.01 if item < 60 else 0.05 + 0.01 * ((item * 7 + (model == BASELINE)) % 3))
                trial = book.trial(f"item-{place:03d}", answered(usd, served_model=model), model=model)
                book.grade(trial, int(item < 80), grader="ann")
        (check,) = cost_per_satisfactory.check(of(book.snapshot()), Dearest(at_most=1.1), Rules(0.05, 7, Assay()))
        assert check.outcome == "inconclusive"
        found.append(int(str(check.needs).removeprefix("about ").split(" more")[0]))
    assert found[0] == pytest.approx(found[1], abs=3)


@pytest.mark.parametrize("mistaken", [0.11, 0.115, 0.119])
def test_where_nearly_all_that_passes_may_be_mistakes_no_cost_per_success_is_known(mistaken: float) -> None:
    """36 of 300 items pass on both sides: at 0.119 a third of one is left, and limits are beyond all bounds."""
    book = Book(spec((BASELINE, CANDIDATE), rubric_sha256=RUBRIC.sha256), rounds=[round_(graders=(JUDGE,))])
    for item in range(300):
        for model, good in ((BASELINE, range(36)), (CANDIDATE, range(4, 40))):
            usd = 0.01 * (1 + item % 5 / 10)
            book.trial(f"item-{item:03d}", answered(usd, served_model=model), model=model, level=int(item in good))
    rules = Rules(0.05, 7, Assay(judged=True, mistaken=mistaken))
    for at_most in (1.6, 0.9):
        (check,) = cost_per_satisfactory.check(of(book.snapshot()), Dearest(at_most=at_most), rules)
        assert check.outcome == "inconclusive"
        assert check.p_worse is None or check.p_worse > 0.3


@pytest.mark.parametrize(("people", "verdict"), [({}, "inconclusive"), (calibrated(0), "pass")])
def test_a_cost_per_success_passes_on_no_judge_that_nobody_can_vouch_for(people: dict[int, Pair], verdict: str) -> None:
    text = "cost_per_satisfactory: {at_most: 1.5}\n"
    assert gate(of(judged(SAID, people)), read_policy(text, "gate.yaml")).verdict == verdict


def test_a_cost_per_success_fails_by_no_loss_that_a_judge_makes_up() -> None:
    said: list[Pair] = [(1, 0)] * 40 + [(1, 1)] * 50 + [(0, 0)] * 10
    people: dict[int, Any] = dict.fromkeys(range(25), (1, 1)) | {item: said[item] for item in range(50, 100)}
    found = of(judged(said, people))
    assert assay_of(found).skewed
    assert gate(found, COSTS).verdict == "inconclusive"
    alone = replace(found.of_candidate.grading, judges=())
    unheard = replace(found.of_candidate, grading=alone)
    assert gate(replace(found, of_baseline=unheard, of_candidate=unheard), COSTS).verdict == "fail", "it would fail"


def test_a_judge_that_was_another_model_on_one_side_fails_nobody() -> None:
    said: list[Pair] = [(1, 0)] * 20 + [(1, 1)] * 80
    found = of(judged(said, {}))
    served = {JUDGE: {BASELINE: {"judge-a": 100}, CANDIDATE: {"judge-b": 100}}}
    apart = replace(found.of_candidate, grading=replace(found.of_candidate.grading, answered_by=served))
    policy = read_policy("quality: {margin: 0.10}", "gate.yaml")
    assert gate(found, policy).verdict == "fail"
    report = gate(replace(found, of_baseline=apart, of_candidate=apart), policy)
    assert report.verdict == "inconclusive"
    assert "was answered by other models on one side" in str(report.checks[0].needs)


def test_people_and_a_judge_are_no_measure_of_each_other_where_it_picked() -> None:
    said: list[Pair] = [(1, 0)] * 10 + [(0, 1)] * 10 + [(1, 1)] * 60 + [(0, 0)] * 20
    truth: dict[int, Pair] = {item: (1, 1) if item < 20 else said[item] for item in range(100)}
    alone = analyze(judged(said, drawn(said, truth), events=PICKED))
    assert alone.agreement == ()
    assert not [line for line in alone.warnings if "not shown to agree" in line]
    snapshot = judged(said, drawn(said, truth), events=PICKED)
    again = [replace(g, grader="human bea") for g in snapshot.grades if g.grader == PERSON]
    rounds = tuple(replace(r, graders=(*r.graders, "human bea")) for r in snapshot.rounds)
    two = analyze(replace(snapshot, rounds=rounds, grades=(*snapshot.grades, *again)))
    assert {a.graders for a in two.agreement} == {tuple(sorted((PERSON, "human bea")))}
    policy = read_policy("agreement:", "gate.yaml")
    (check,) = gate(of(snapshot), policy).checks
    assert "one person alone, asked about outputs for what the judge had said of them" in check.finding
    everyone = analyze(judged(said, truth))
    assert [a.graders for a in everyone.agreement], "a sample drawn at random measures both"


@pytest.mark.parametrize("unsure", [(), (0,), (0, 50)])
def test_where_people_were_asked_about_all_a_poor_judge_decides_nothing_that_they_could_not_tell(
    unsure: tuple[int, ...],
) -> None:
    said: list[Pair] = [(1, 0)] * 12 + [(0, 1)] * 12 + [(1, 1)] * 76
    people: dict[int, Any] = {item: (1, None if item in unsure else 1) for item in range(100)}
    report = gate(of(judged(said, people)), read_policy("quality: {margin: 0.10}", "gate.yaml"))
    assert report.verdict == "pass"
    assert f"of {100 - len(unsure)} items" in report.checks[0].finding


def test_what_people_left_blank_is_no_grade_of_theirs() -> None:
    """They could not tell one criterion and left the other one, which the judge alone finds bad."""
    criteria = [{"id": name, "question": "Is it?", "levels": {"0": "No.", "1": "Yes."}} for name in ("helpful", "kind")]
    rubric = {**PASS_OR_FAIL, "criteria": criteria}
    book = Book(spec((BASELINE, CANDIDATE), rubric), rounds=[round_(graders=(JUDGE, PERSON))])
    for item in range(100):
        for model in (BASELINE, CANDIDATE):
            lost = item < 20 and model == CANDIDATE
            levels = {"helpful": 1, "kind": 0 if lost else 1}
            trial = book.trial(f"item-{item:03d}", answered(served_model=model), model=model, levels=levels)
            if item < 60 and not lost:
                book.grade(trial, 1, criterion="kind", grader=PERSON)
            if item < 60:
                book.grade(trial, None if lost else 1, criterion="helpful", grader=PERSON)
    report = gate(of(book.snapshot(events=PICKED)), read_policy("quality: {margin: 0.10}", "gate.yaml"))
    assert report.verdict == "inconclusive"


@pytest.mark.parametrize("blind", [None, False])
def test_people_are_asked_for_nothing_that_a_judge_said_in_a_round_they_cannot_join(blind: bool | None) -> None:
    snapshot = judged(SAID, {})
    theirs = replace(snapshot, rounds=tuple(replace(r, blind=blind) for r in snapshot.rounds))
    with pytest.raises(UsageError, match="that people can grade in blind; run `evalkit grade --blind --by judges`"):
        discordant_items(theirs, RUBRIC, 0.2)
    if blind is False:
        assert discordant_items(theirs, RUBRIC, 0.2, blind=False) == discordant_items(snapshot, RUBRIC, 0.2)
    begun = replace(snapshot, rounds=(*snapshot.rounds, round_(2, ())))
    joined = (RoundEvent("joined", 2, PERSON, at="2026-11-02T12:00:00+00:00"),)
    with pytest.raises(UsageError, match="run `evalkit grade --blind --by judges`"):
        discordant_items(replace(begun, events=joined), RUBRIC, 0.2)


def test_the_command_refuses_before_it_opens_a_round(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    snapshot = judged(SAID, {})
    rounds = tuple(replace(r, blind=None, graders=(JUDGE,)) for r in snapshot.rounds)
    path = write_run(tmp_path / "run.db", replace(snapshot, rounds=rounds))
    assert main(["grade", str(path), "--discordant", "--grader", "ann", "--export", str(tmp_path / "a.csv")]) == 2
    assert "none that people can grade in blind" in capsys.readouterr().err
    assert not (tmp_path / "a.csv").exists()
    assert main(["runs", str(path), "--json"]) == 0
    assert '"id": 2' not in capsys.readouterr().out


@pytest.mark.parametrize("later", [{"item-099"}, {f"item-{i:03d}" for i in range(50, 100)}])
def test_items_that_are_not_run_yet_were_told_apart_by_nobody(later: set[str]) -> None:
    snapshot = judged(SAID, drawn(SAID, dict(enumerate(SAID))), events=PICKED)
    to_run = {trial.id for trial in snapshot.trials if trial.key.item_id in later}
    part = replace(
        snapshot,
        attempts=tuple(a for a in snapshot.attempts if a.trial_id not in to_run),
        grades=tuple(g for g in snapshot.grades if g.trial_id not in to_run),
    )
    found = of(part)
    labels = labels_of(found, found.shares(satisfied))
    assert len(labels.strata) == 100 - len(later)
    assert gate(found, read_policy("quality: {margin: 0.10}", "gate.yaml")).checks


def test_people_are_asked_about_the_size_of_a_sweep_that_a_gate_decides_by() -> None:
    table = {BASELINE: [[True]] * 20, CANDIDATE: [[item > 3] for item in range(20)]}
    sweep = together({size: judged_at(size, table) for size in (2_000, 6_000)})
    found = discordant_items(sweep, RUBRIC, 0.2)
    assert (found.size, len(found.apart), len(found.drawn), found.alike) == (6_000, 4, 10, 16)
    assert {item.rpartition("@")[2] for item in found.items} == {"6000"}
    content = {"items": list(found.items), "apart": list(found.apart)}
    left = {"why": "closed by hand", LEFT: [[found.drawn[0], CANDIDATE, 1]]}
    events = (replace(PICKED[0], content=content), RoundEvent("closed", 1, None, left, at="2026-11-03"))
    asked = replace(sweep, events=events)
    assert analyze(asked).grading.told_apart == tuple(f"item-{item:03d}" for item in range(4))
    (key,) = left_at_closing(at_context(asked, 6_000), 1)
    assert key.item_id == found.drawn[0].partition("@")[0]
    assert not left_at_closing(at_context(asked, 2_000), 1)


def judged_at(size: int, table: dict[str, list[list[bool]]]) -> Snapshot:
    book = Book(spec(tuple(table), rubric_sha256=RUBRIC.sha256, context_tokens=size), rounds=[round_(graders=(JUDGE,))])
    for item in range(20):
        book.item(f"item-{item:03d}", documents=(f"filler-{size}",))
        for model, rows in table.items():
            level = int(rows[item][0])
            book.trial(f"item-{item:03d}", answered(served_model=model), model=model, level=level)
            book.sizes.append(PromptSize(f"item-{item:03d}", model, size - 10, counted=True))
    return book.snapshot()


REFUSED = ended("refused")
"""By one side on 20 items, on which the other answers badly."""
CHECKED: Mapping[str, Any] = {
    **PASS_OR_FAIL,
    "criteria": [
        *PASS_OR_FAIL["criteria"],
        {"id": "form", "question": "Well formed?", "kind": "check", "check": {"type": "regex", "pattern": "."}},
    ],
}


def lost(book: Book, item: int, model: str, how: str) -> None:
    """A trial that fails without a judge's word: refused, or by a check, whatever a judge may say of it beside."""
    name = f"item-{item:03d}"
    if how == "refused":
        book.trial(name, REFUSED, model=model)
    else:
        book.trial(name, answered(served_model=model), model=model, levels={"right": item % 2, "form": 0})


def with_losses(model: str, passed: int, labelled: int = 75, how: str = "refused") -> Snapshot:
    """150 items: 20 that `model` lost in one of these ways, of which a judge passes so many bad answers of the other;
    it errs on a third of 30 bad outputs of both models as well. People on every other item."""
    content = {"rubric": CHECKED} if how == "check" else {"rubric_sha256": RUBRIC.sha256}
    book = Book(spec((BASELINE, CANDIDATE), **content), rounds=[round_(graders=(JUDGE, PERSON))])
    for item in range(150):
        mute, bad = item % 15 in (0, 7), item % 15 in (1, 4, 8)
        for each in (BASELINE, CANDIDATE):
            said = item < 15 * passed / 2 if mute else not bad or item % 4 == 1
            if mute and each == model:
                lost(book, item, each, how)
                continue
            levels = {"right": int(said)} | ({"form": 1} if how == "check" else {})
            trial = book.trial(f"item-{item:03d}", answered(served_model=each), model=each, levels=levels)
            if item % 2 == 0 and item < 2 * labelled:
                book.grade(trial, int(not mute and not bad), grader=PERSON)
    return checked(book)


def checked(book: Book) -> Snapshot:
    """With the check's levels as its own."""
    made = book.snapshot()
    grades = tuple(replace(g, grader="checks") if g.criterion == "form" else g for g in made.grades)
    return replace(made, grades=grades)


CRITICAL = {**CHECKED, "criteria": [{**CHECKED["criteria"][0], "critical": 1}, CHECKED["criteria"][1]]}


def both_fail_the_check(items: int = 60) -> Book:
    """Two models alike on all items, of which every other fails a check on both sides."""
    book = Book(spec((BASELINE, CANDIDATE), rubric=CRITICAL), rounds=[round_(graders=(JUDGE, PERSON))])
    for item in range(items):
        for model in (BASELINE, CANDIDATE):
            levels = {"right": 1, "form": item % 2}
            book.trial(f"item-{item:03d}", answered(served_model=model), model=model, levels=levels)
    return book


@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
def test_of_what_checks_do_not_decide_as_many_are_drawn_as_a_gate_counts(share: float) -> None:
    """The others count for a criterion that a policy names, and in no verdict."""
    found = discordant_items(checked(both_fail_the_check()), Rubric.read_back(CRITICAL), share)
    assert found.alike == 60
    assert len(found.items) >= 60 * share
    assert sum(int(item[-3:]) % 2 for item in found.items) >= 10


def test_what_people_cannot_tell_of_an_output_that_a_check_fails_is_no_judges_word() -> None:
    book = both_fail_the_check()
    for trial in range(1, 121):
        book.grade(trial, None if trial == 1 else 1, grader=PERSON, ungraded_reason="unsure" if trial == 1 else None)
    found = of(replace(checked(book), events=PICKED))
    output = found.outputs()[0]["item-000"][0]
    assert (output.satisfied, output.decided_by, set(output.levels)) == (False, "check", {"form"})
    assert labels_of(found, found.shares(satisfied)).reach == "all"
    policy = read_policy("quality: {margin: 0.2, criteria: {right: 0.2}}", "gate.yaml")
    assert [check.outcome for check in gate(found, policy).checks] == ["pass", "pass"], "the one is taken at its worst"


def test_what_people_cannot_tell_and_a_check_fails_on_both_sides_is_no_part_of_their_sample() -> None:
    """Garbled outputs are alike for sure: among those that stand for the judge's others they would hide a loss."""
    book = both_fail_the_check()
    for item in range(40):
        for trial in (2 * item + 1, 2 * item + 2):
            book.grade(trial, item % 2 or None, grader=PERSON, ungraded_reason=None if item % 2 else "garbled")
    found = of(replace(checked(book), events=PICKED))
    labels = labels_of(found, found.shares(satisfied))
    assert (labels.reach, labels.alike, labels.sizes[ALIKE], labels.sizes[KNOWN]) == ("sampled", 20, 30, 30)
    on_it = labels_of(found, found.shares(lambda output: output.levels.get("right")), criterion="right")
    assert (on_it.reach, on_it.alike, on_it.untold, on_it.sizes[ALIKE]) == ("sampled", 20, 20, 40)


WAYS = pytest.mark.parametrize("how", ["refused", "check"])


@WAYS
def test_what_one_side_lost_without_a_judge_lends_the_other_its_mistakes(how: str) -> None:
    """Such a failure is one for sure, and a bad answer beside it passes as often as the judge errs, which neither J
    nor what it errs more on one model than on the other says."""
    found = of(with_losses(BASELINE, 6, how=how))
    assay, labels = assay_of(found), labels_of(found, found.shares(satisfied))
    assert assay.cap is None
    assert labels.lent == pytest.approx(10 / 150)  # the other 10 candidate's outputs people decided
    left = 0.10 * assay.factor - assay.mistaken * labels.lent
    assert assay.left(0.10, labels.lent) == pytest.approx(left)
    assert f"tested at {left * 100:.3g} points, since the judge errs" in gate(found, POLICY).checks[0].finding
    mirrored = of(with_losses(CANDIDATE, 6, how=how))
    assert labels_of(mirrored, mirrored.shares(satisfied)).lent == pytest.approx(-10 / 150)
    assert assay.left(0.10, -10 / 150) == 0.10 * assay.factor


def test_a_margin_of_which_the_judges_errors_leave_nothing_passes_nobody() -> None:
    found = of(with_losses(BASELINE, 2, labelled=24))
    check = gate(found, read_policy("quality: {margin: 0.02}", "gate.yaml")).checks[0]
    assert check.outcome == "inconclusive"
    assert "the judge may make a gain as large as the margin up" in check.finding
    assert "tested at" not in check.finding
    assert str(check.needs).endswith("let people grade what it told apart (`evalkit grade --discordant`)")


@WAYS
def test_errors_beside_such_a_trial_are_part_of_what_a_judge_makes_up(how: str) -> None:
    """Equal models, of which the candidate loses what the baseline answers badly, and the judge passes some of it."""
    found = of(with_losses(CANDIDATE, 6, how=how))
    pair = found.of_candidate.judges[0].by_pair[0]
    errors = {one.item_id: (one.a, one.b) for one in pair.errors}
    assert len(errors) == 75, "an item of which one side was refused is an item"
    of_refused = [errors[f"item-{item:03d}"] for item in range(0, 150, 2) if item % 15 in (0, 7)]
    on_baseline = [one[0] if pair.a == BASELINE else one[1] for one in of_refused]
    assert sum(on_baseline) == pytest.approx(3)
    assert all(0.0 in one for one in of_refused)
    leaning = assay_of(found).leaning
    assert leaning is not None
    assert leaning.value == pytest.approx(-3 / 75)


@pytest.mark.long
@WAYS
def test_a_judge_that_errs_alike_passes_no_loss_since_the_baseline_lost_more_without_it(how: str) -> None:
    """A loss of the margin by a candidate that loses less so. By J alone 10 of these 40 pass, refused."""
    rng, verdicts = np.random.default_rng(13), Counter[str]()
    for _ in range(40):
        book = Book(spec((BASELINE, CANDIDATE), rubric=CHECKED), rounds=[round_(graders=(JUDGE, PERSON))])
        kinds, labelled = (
            rng.choice(5, size=400, p=[0.2, 0.12, 0.02, 0.56, 0.1]),
            set(rng.permutation(400)[:50].tolist()),
        )
        for item, kind in enumerate(kinds):
            for model, is_good in ((BASELINE, kind in (1, 3)), (CANDIDATE, kind in (2, 3))):
                if kind == 0 and model == BASELINE:
                    lost(book, item, model, how)
                    continue
                levels = {"right": int(rng.random() < (0.95 if is_good else 0.20)), "form": 1}
                trial = book.trial(f"item-{item:03d}", answered(served_model=model), model=model, levels=levels)
                if item in labelled:
                    book.grade(trial, int(is_good), grader=PERSON)
        verdicts[gate(of(checked(book)), POLICY).verdict] += 1
    assert verdicts["pass"] <= 5, verdicts  # 2 expected at a one-sided error of .05; more than 5 by chance in 1 %


def test_a_judge_makes_no_mistake_on_what_it_never_saw() -> None:
    """Equal models: one refuses a fifth and is better on the rest, and of what is bad the judge passes three tenths."""
    book = Book(spec((BASELINE, CANDIDATE), rubric_sha256=RUBRIC.sha256), rounds=[round_(graders=(JUDGE,))])
    for item in range(200):
        usd = 0.01 * (1 + item % 5 / 10)
        for model, good, refused in ((BASELINE, 100, 0), (CANDIDATE, 100, 40)):
            if item >= 200 - refused:
                book.trial(f"item-{item:03d}", replace(ended("refused"), cost_usd=usd), model=model)
                continue
            said = int(item < good or item % 10 < 3)
            book.trial(f"item-{item:03d}", answered(usd, served_model=model), model=model, level=said)
    rules = Rules(0.05, 7, Assay(judged=True, mistaken=0.3))
    (check,) = cost_per_satisfactory.check(of(book.snapshot()), Dearest(at_most=1.5), rules)
    assert "1.00× (" in check.finding.partition(";")[2] or "1.0× (" in check.finding.partition(";")[2]


@pytest.mark.parametrize("beside", [(), ("claude-haiku-4-5-20251001",)])
@pytest.mark.parametrize("apart", [True, False])
def test_labels_of_other_files_that_saw_one_model_vouch_for_no_judge(apart: bool, beside: tuple[str, ...]) -> None:
    """Who labelled the one model's outputs before files were merged may be stricter than who labelled the other's, also
    where they saw a third model `beside` it."""
    rounds = [round_(1, (PERSON,)), round_(2, ("ben",)), round_(3, (JUDGE,))]
    book = Book(spec((BASELINE, CANDIDATE, *beside), rubric_sha256=RUBRIC.sha256), rounds=rounds)
    trials = {}
    for item in range(100):
        for model in (BASELINE, CANDIDATE, *beside):
            trials[item, model] = book.trial(f"item-{item:03d}", answered(served_model=model), model=model)
            if item < 50:
                of_ben = apart and model == CANDIDATE
                book.grade(
                    trials[item, model], int(item % 3 > 0), grader="ben" if of_ben else PERSON, round_id=1 + of_ben
                )
    for (item, _), trial in trials.items():
        book.grade(trial, int(item % 3 > 0), grader=JUDGE, round_id=3)
    closed = tuple(RoundEvent("closed", number, None, MERGED) for number in (1, 2))
    found = of(book.snapshot(events=closed))
    assert (found.of_candidate.judges == ()) == apart
    (check,) = gate(found, POLICY).checks
    assert ("the judge is uncalibrated: people graded 0 outputs" in str(check.needs)) == apart
    assert (check.outcome == "pass") == (not apart)


def labelled(who: Callable[[int, str], str], *beside: str, labels: int = 50, imported: bool = False) -> Evidence:
    """A judge that errs alike on two models, and labels of the first items' outputs by these people."""
    models = (BASELINE, CANDIDATE, *beside)
    rounds = [round_(1, (PERSON,)), round_(2, (JUDGE,))]
    book = Book(spec(models, rubric_sha256=RUBRIC.sha256, outputs_sha256="o" * 64 if imported else None), rounds=rounds)
    trials = {}
    for item in range(100):
        for model in models:
            trials[item, model] = book.trial(f"item-{item:03d}", answered(served_model=model), model=model)
            if item < labels and who(item, model):
                book.grade(trials[item, model], int(item % 3 > 0), grader=who(item, model), round_id=1)
    for (item, _), trial in trials.items():
        book.grade(trial, int(item % 3 > 0), grader=JUDGE, round_id=2)
    return of(book.snapshot())


def by_side(item: int, model: str) -> str:
    return "ben" if model == CANDIDATE else PERSON


def crowd_by_side(item: int, model: str) -> str:
    return f"{by_side(item, model)} {item // 4}"


@pytest.mark.parametrize("imported", [True, False])
@pytest.mark.parametrize(
    ("who", "set_aside", "needs"),
    [
        (by_side, 100, "people graded 0 outputs that it decides (100 more are by people who labelled one of the two"),
        (crowd_by_side, 100, "people graded 0 outputs that it decides (100 more are by people who labelled one of"),
        (lambda item, model: PERSON if item < 3 else by_side(item, model), 100, "people graded 0 outputs"),
        (lambda item, model: PERSON if item < 6 else by_side(item, model), 44, "people graded 6 of the items"),
        (lambda item, model: PERSON if item < 20 else by_side(item, model), 30, None),  # of ben alone
        (lambda item, model: PERSON, 0, None),
        (lambda item, model: f"p{item % 25 + (model == CANDIDATE)}", 0, None),  # two have two of one model alone
        (lambda item, model: f"p{item}{model}", 0, None),  # one label each
    ],
)
def test_labels_of_people_who_labelled_one_of_the_models_alone_vouch_for_no_judge(
    who: Callable[[int, str], str], set_aside: int, needs: str | None, imported: bool
) -> None:
    """Another may be stricter with the other; few labels of one person are all of one model by chance."""
    found = labelled(who, imported=imported)
    (pair,) = found.of_candidate.judges[0].by_pair
    assert (pair.set_aside, pair.outputs) == (set_aside, 100 - set_aside)
    (check,) = gate(found, POLICY).checks
    assert check.outcome == ("inconclusive" if needs else "pass")
    assert needs is None or needs in str(check.needs)


def test_who_labelled_two_of_three_models_vouches_for_those_two() -> None:
    third = "claude-haiku-4-5-20251001"
    found = labelled(lambda item, model: "ben" if model == third else PERSON, third)
    aside = {frozenset((pair.a, pair.b)): pair.set_aside for pair in found.of_candidate.judges[0].by_pair}
    assert aside == {
        frozenset((BASELINE, CANDIDATE)): 0,
        frozenset((BASELINE, third)): 100,
        frozenset((CANDIDATE, third)): 100,
    }
    assert gate(found, POLICY).verdict == "pass"
