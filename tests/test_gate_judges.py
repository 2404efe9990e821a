"""The gate on a judge's grades: shrunk margins, people's grades that make them needless, and checks of the gate."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as xml

import numpy as np
import pytest
from analysis_builders import JUDGE, PASS_OR_FAIL, Book, answered, round_, spec, write_run
from gates import BASELINE, CANDIDATE, PERSON, run, table

from evalkit.analysis import analyze
from evalkit.analysis.counting_round import current_round
from evalkit.analysis.views import why_dropped
from evalkit.cli import main
from evalkit.discordant import discordant_items
from evalkit.errors import UsageError
from evalkit.gate import flip_rate, gate
from evalkit.gating.evidence import Evidence, against_itself, evidence_of, satisfied
from evalkit.gating.labels import labels_of
from evalkit.gating.looks import Look, Sequential, up_to
from evalkit.gating.policy import read_policy
from evalkit.gating.rules import assay_of
from evalkit.gating.staged import staged
from evalkit.grading_records import RoundEvent
from evalkit.records import Attempt, Snapshot
from evalkit.rounds import in_drawing_order
from evalkit.rubric import Rubric

POLICY = read_policy("quality: {margin: 0.10}", "gate.yaml")
Pair = tuple[int | None, ...]
RUBRIC = Rubric.model_validate(PASS_OR_FAIL, strict=False)
PICKED = (RoundEvent("settings", 1, None, {"items": ["item-000"], "apart": []}, at="2026-11-02"),)
"""People were asked for what the judge had said, so that their grades say nothing of how often it errs."""


def judged(said: list[Pair], people: dict[int, Pair], **changes: Any) -> Snapshot:
    """What a judge says of each item (baseline, candidate), and people of some, in one round."""
    book = Book(spec((BASELINE, CANDIDATE), rubric_sha256=RUBRIC.sha256), rounds=[round_(graders=(JUDGE, PERSON))])
    for item, levels in enumerate(said):
        for side, model in enumerate((BASELINE, CANDIDATE)):
            trial = book.trial(f"item-{item:03d}", answered(served_model=model), model=model, level=levels[side])
            if item in people and len(people[item]) > side:
                book.grade(trial, people[item][side], grader=PERSON)
    return book.snapshot(**changes)


def sample_of(items: Iterable[int]) -> RoundEvent:
    """That people were asked to grade a sample, of these items in the order they were drawn."""
    drawn = [f"item-{item:03d}" for item in items]
    return RoundEvent("settings", 1, None, {"sample": 2 * len(drawn), "drawn": drawn}, at="2026-11-02")


def of(snapshot: Snapshot) -> Evidence:
    analysis = analyze(snapshot)
    return evidence_of(analysis, analysis, BASELINE, CANDIDATE)


SAID: list[Pair] = [(1, 0)] * 3 + [(0, 1)] * 3 + [(1, 1)] * 84 + [(0, 0)] * 10
ALIKE = {item: SAID[item] for item in range(6, 100)}


def calibrated(errors: int) -> dict[int, Pair]:
    """People on 40 items: 20 that the judge passes and all that it fails, both models alike, `errors` of each wrong."""
    found = {}
    for place, item in enumerate([*range(6, 26), *range(90, 100)]):
        level = SAID[item][0]
        wrong = place < errors or 20 <= place < 20 + errors
        found[item] = (1 - level, 1 - level) if wrong else (level, level)
    return found


def test_the_margin_shrinks_with_the_lower_limit_of_the_judges_j() -> None:
    found = of(judged(SAID, calibrated(0)))
    low = found.of_candidate.judges[0].accuracy.youden_low_80
    assert low is not None
    assert assay_of(found).factor == low < 1
    report = gate(found, POLICY)
    assert f"tested at {low * 10:.3g} points" in report.checks[0].finding
    assert any(note.startswith(f"to pass at {low * 10:.3g} points it can lose at most") for note in report.notes)


@pytest.mark.parametrize(
    ("people", "cap"),
    [
        ({}, "uncalibrated: people graded 0"),
        ({item: SAID[item] for item in range(6, 20)}, "people graded 28 outputs that it decides, 30 are needed"),
        (calibrated(2), "under 0.5"),
        ({item: SAID[item] for item in range(6, 90)}, "J is unknown"),
        ({item: SAID[item][: 2 if item < 15 else 1] for item in range(6, 100)}, "people graded 9 of the items"),
        (
            {item: (1, 0) if 30 <= item < 50 else SAID[item] for item in range(6, 100)},
            "errs otherwise on one model",
        ),
    ],
)
def test_a_judge_that_nobody_can_vouch_for_passes_nothing(people: dict[int, Pair], cap: str) -> None:
    found = of(judged(SAID, people))
    assert cap in str(assay_of(found).cap)
    assert gate(found, POLICY).verdict != "pass"


def test_errors_on_one_side_only_cannot_fail_a_candidate_either() -> None:
    said: list[Pair] = [(1, 0)] * 20 + [(1, 1)] * 70 + [(0, 0)] * 10
    people = dict.fromkeys(range(15), (1, 1)) | {item: said[item] for item in range(50, 100)}
    found = of(judged(said, people))
    assert assay_of(found).skewed
    report = gate(found, POLICY)
    assert report.verdict == "inconclusive"
    (check,) = (one for one in report.checks if one.name == "quality")
    assert "a loss is likely" not in check.finding, "it is the judge's own"
    assert str(check.needs).startswith("the judge errs otherwise on one model than on the other (p <0.001); let people")


@pytest.mark.long
def test_a_critical_criterion_is_tested_by_how_the_judge_sees_that_one() -> None:
    """The judge sees all that is unhelpful and nothing that breaks the policy: its J on the verdict is no measure."""
    criteria = [
        {"id": name, "question": "Is it?", "levels": {"0": "No.", "1": "Yes."}, **more}
        for name, more in (("helpful", {}), ("policy", {"critical": 1}))
    ]
    rubric = {**PASS_OR_FAIL, "criteria": criteria}
    book = Book(spec((BASELINE, CANDIDATE), rubric), rounds=[round_(graders=(JUDGE, PERSON))])
    for item in range(140):
        helpful, kept = int(item >= 20), int(item not in range(20, 25))
        for model in (BASELINE, CANDIDATE):
            seen = {"helpful": int(helpful and (item, model) != (139, CANDIDATE)), "policy": 1}  # 139 is told apart
            trial = book.trial(f"item-{item:03d}", answered(served_model=model), model=model, levels=seen)
            for criterion, level in (("helpful", helpful), ("policy", kept)) if item < 60 else ():
                book.grade(trial, level, criterion=criterion, grader=PERSON)
    found = of(book.snapshot())
    checks = gate(found, read_policy("quality: {margin: 0.10, criteria: {policy: 0.10}}", "gate.yaml")).checks
    overall, policy = (assay_of(found, criterion) for criterion in (None, "policy"))
    assert (overall.cap, overall.factor > 0.5) == (None, True)
    assert "the judge's J on policy is" in str(policy.cap)
    assert [check.outcome for check in checks] == ["pass", "inconclusive"]


def test_a_judge_that_has_since_been_asked_otherwise_passes_nothing() -> None:
    asked = [RoundEvent("joined", n, JUDGE, {"judge_prompt_sha256": str(n) * 64}, at="2026-11-02") for n in (1, 2)]
    snapshot = judged(SAID, calibrated(0))
    rounds = (*snapshot.rounds, round_(2, (JUDGE,)))
    found = of(replace(snapshot, rounds=rounds, events=tuple(asked)))
    assert "has since been asked otherwise" in str(assay_of(found).cap)
    assert assay_of(of(replace(snapshot, events=tuple(asked[:1])))).cap is None


@pytest.mark.parametrize("losses", range(4))
def test_a_calibrated_judge_decides_however_few_items_it_tells_apart(losses: int) -> None:
    """People's sample alone is too small to pass on, and must not count for more where the judge sees no difference."""
    said: list[Pair] = [(1, int(item >= losses)) for item in range(90)] + [(0, 0)] * 10
    report = gate(of(judged(said, calibrated(0))), POLICY)
    assert report.verdict == "pass"
    assert "since the judge errs" in report.checks[0].finding


def answered_by(counts: dict[str, list[str]]) -> Evidence:
    """A calibrated judge, whose answers on each side came from these models, as many times as they stand there."""
    snapshot = judged(SAID, calibrated(0))
    models = {trial.id: trial.key.model for trial in snapshot.trials}
    left = {model: iter(served) for model, served in counts.items()}
    answers = [
        replace(
            attempt, id=1000 + attempt.id, grader=JUDGE, round_id=1, served_model=next(left[models[attempt.trial_id]])
        )
        for attempt in snapshot.attempts
    ]
    return of(replace(snapshot, attempts=(*snapshot.attempts, *answers)))


@pytest.mark.parametrize(
    ("then", "now", "apart"),
    [
        (["a"] * 100, ["a"] * 100, False),
        (["a"] * 100, ["b"] * 100, True),
        (["a"] * 100, ["a"] * 94 + ["b"] * 6, True),
        (["a"] * 100, ["a"] * 95 + ["b"] * 5, False),
        (["a", "b"] * 50, ["a", "b"] * 50, False),
    ],
)
def test_a_judge_answered_by_another_model_on_one_side_passes_nothing(
    then: list[str], now: list[str], apart: bool
) -> None:
    found = answered_by({BASELINE: then, CANDIDATE: now})
    cap = assay_of(found).cap
    assert ("was answered by other models on one side than on the other" in str(cap)) is apart
    assert (gate(found, POLICY).verdict == "pass") is not apart
    told = [line for line in found.of_candidate.warnings if "was answered by several models" in line]
    assert bool(told) is (len({*then, *now}) > 1)


# --- people's grades beside a judge's ---


@pytest.mark.parametrize("everything", [False, True])
def test_what_people_and_a_judge_say_together_is_no_sample_once_the_judge_picked(everything: bool) -> None:
    """It sees 30 real losses and none of 30 gains: where people look at what it told apart, only the losses show."""
    said: list[Pair] = [(1, 0)] * 30 + [(0, 0)] * 30 + [(1, 1)] * 40
    truth = {item: (0, 1) if 30 <= item < 60 else said[item] for item in range(100)}
    people = truth if everything else {item: level for item, level in truth.items() if item < 30 or item % 4 == 0}
    snapshot = judged(said, people, events=PICKED)
    policy = read_policy("quality: {margin: 0.10}\nsequential: {looks: [1.0], fail_fast: true}\n", "gate.yaml")
    analysis = analyze(snapshot)
    assert policy.sequential is not None
    evidence, look = staged(of(snapshot), (snapshot, snapshot), policy.sequential, policy.alpha, lambda _: analysis)
    report = gate(evidence, policy, look=look)
    assert report.verdict == "inconclusive"
    assert (report.flips is not None) is everything
    assert ("no fail fast" in " ".join(report.notes)) is not everything
    assert any("here mix the two" in line for line in analysis.warnings) is not everything


def test_grades_asked_for_what_the_judge_said_do_not_measure_it() -> None:
    """Else a judge would look worse than it is by the very pairs it tells apart, and be dropped."""
    people = {**APART, **{item: SAID[item] for item in range(6, 16)}}
    assert analyze(judged(SAID, people)).grading.dropped
    found = analyze(judged(SAID, people, events=PICKED))
    assert not found.grading.dropped
    assert not found.judges
    drawn = (*PICKED, sample_of(people))  # a sample drawn before measures it all the same
    assert analyze(judged(SAID, people, events=drawn)).judges[0].outputs == 32


@pytest.mark.parametrize(("back", "measured"), [([], 0), (range(20, 40), 40), (range(25, 40), 0), (range(20, 35), 30)])
def test_a_sample_measures_the_judge_as_far_as_it_has_come_back(back: Sequence[int], measured: int) -> None:
    """Which of a sample come back may be a choice: of one that is still out, those graded for another reason are."""
    people = {**APART, **{item: SAID[item] for item in (*range(6, 16), *back)}}
    events = (*PICKED, sample_of([*range(20, 40), *range(10)]))
    missing = {item: level for item, level in people.items() if item not in (1, 2, 3, 4)}
    found = analyze(judged(SAID, missing, events=events)).judges
    assert sum(one.outputs for one in found) == measured + 2 * (len(back) == 20)
    nearly = {item: SAID[item] for item in (*range(21, 40), *range(6, 10), 0, *range(1, 4))}  # 27 of 30 items
    assert analyze(judged(SAID, nearly, events=events)).judges[0].outputs == 54


def test_a_part_with_too_few_grades_of_people_is_no_worse_by_a_mix_of_theirs_and_the_judges() -> None:
    """The judge sees the 12 losses of the part and none of its 12 gains."""
    said: list[Pair] = [(1, 0)] * 12 + [(0, 0)] * 12 + [(1, 1)] * 116
    people = {item: level for item, level in enumerate(said) if item < 12 or item >= 40}
    people |= dict.fromkeys(range(12, 15), (0, 1))
    snapshot = judged(said, people, events=PICKED)
    items = tuple(replace(i, tags=("hard",) if n < 40 else ()) for n, i in enumerate(snapshot.items))
    policy = read_policy("quality: {margin: 0.10, slices: {hard: 0.15}}", "gate.yaml")
    overall, hard = gate(of(replace(snapshot, items=items)), policy).checks
    assert "by people's grades" in overall.finding
    assert hard.outcome == "inconclusive"
    assert str(hard.needs).startswith("people's grades of all items that the judge tells apart and 10 others of these")


def test_a_sample_drawn_at_random_after_such_a_round_measures_the_judge() -> None:
    """People gave up on what it told apart, and calibrated it instead."""
    first = judged(SAID, {}, events=PICKED)
    sample = replace(sample_of(calibrated(0)), round_id=2)
    again = tuple(replace(g, round_id=2) for g in judged(SAID, calibrated(0)).grades)
    later = replace(first, rounds=(*first.rounds, round_(2, (JUDGE, PERSON))), grades=(*first.grades, *again))
    found = of(replace(later, events=(*PICKED, sample)))
    assert found.of_candidate.judges[0].outputs == 60
    assert not found.picked
    assert gate(found, POLICY).verdict == "pass"


def test_a_sample_that_finds_a_judge_out_leaves_the_queue_what_it_told_apart() -> None:
    """Once the queue is asked for no judge is dropped; without its word before, all items would be told apart."""
    people: dict[int, Pair] = {item: (item % 2, item % 2) for item in range(20, 60)} | dict.fromkeys(
        range(90, 100), (0, 1)
    )
    sampled = judged(SAID, people, events=(sample_of(people),))
    assert analyze(sampled).grading.dropped
    assert discordant_items(sampled, RUBRIC, 0.2).apart == discordant_items(judged(SAID, {}), RUBRIC, 0.2).apart


def test_a_queue_of_a_later_round_counts_though_a_sample_before_found_the_judge_out() -> None:
    """Else people's grades of all that it told apart would be no work done, since the judge's are none."""
    labels: dict[int, Pair] = {item: (item % 2, item % 2) for item in range(20, 60)}
    labels |= dict.fromkeys(range(90, 100), (0, 1))
    first = judged(SAID, labels, events=(sample_of(labels),))
    queue = discordant_items(judged(SAID, {}), RUBRIC, 0.2)
    asked: dict[int, Pair] = {int(item[-3:]): SAID[int(item[-3:])] for item in queue.items}
    again = tuple(replace(g, round_id=2) for g in judged(SAID, asked).grades)
    content = {"items": list(queue.items), "apart": list(queue.apart)}
    event = replace(PICKED[0], round_id=2, content=content)
    rounds = (*first.rounds, round_(2, (JUDGE, PERSON)))
    found = analyze(replace(first, rounds=rounds, grades=(*first.grades, *again), events=(*first.events, event)))
    assert (found.grading.round, found.grading.picked, found.grading.dropped) == (rounds[-1], True, {})


def test_a_queue_counts_no_more_than_a_later_sample_that_is_larger() -> None:
    queue = discordant_items(judged(SAID, {}), RUBRIC, 0.05)
    asked: dict[int, Pair] = {int(item[-3:]): SAID[int(item[-3:])] for item in queue.items}
    event = replace(PICKED[0], content={"items": list(queue.items), "apart": list(queue.apart)})
    first = judged(SAID, asked, events=(event,))
    labels: dict[int, Pair] = {item: (item % 2, item % 2) for item in range(50, 100)}
    again = tuple(replace(g, round_id=2) for g in judged(SAID, labels).grades)
    rounds = (*first.rounds, round_(2, (JUDGE, PERSON)))
    events = (event, replace(sample_of(labels), round_id=2))
    found = analyze(replace(first, rounds=rounds, grades=(*first.grades, *again), events=events))
    assert len(asked) < len(labels)
    assert (found.grading.round, found.grading.picked) == (rounds[-1], False)
    assert found.grading.dropped


EVERYTHING: dict[int, Pair] = {item: SAID[item] for item in range(100)}
QUEUE = discordant_items(judged(SAID, {}), RUBRIC, 0.2)
WIDER = discordant_items(judged(SAID, {}), RUBRIC, 0.6)


def work(kind: str) -> tuple[dict[int, Pair], dict[str, Any] | None]:
    """What people graded in a round, and its settings: a queue whole or begun, a sample, all, or nothing at all."""
    if kind == "nothing":
        return {}, None
    if kind in ("all", "nearly all"):
        return {item: SAID[item] for item in range(100 if kind == "all" else 92)}, None
    if kind.endswith("sample"):
        drawn = range(20, 40) if kind == "sample" else range(20, 95)
        return {item: SAID[item] for item in drawn}, dict(sample_of(drawn).content)
    if kind == "queue of a judge that tells nothing apart":
        named, apart = [f"item-{item:03d}" for item in range(40, 52)], []
    else:
        queue = WIDER if kind.startswith("wider") else QUEUE
        named, apart = list(queue.items), list(queue.apart)
    of_these = named[: len(apart) + 3] if kind.endswith("begun") else named
    content = {"items": named, "apart": apart}
    if kind.endswith("cannot tell"):
        return dict.fromkeys((int(item[-3:]) for item in named), (None, None)), content
    return {int(item[-3:]): SAID[int(item[-3:])] for item in of_these}, content


@pytest.mark.parametrize(
    ("first", "then", "counts"),
    [
        ("all", "queue", 1),
        ("nearly all", "queue", 1),
        ("all", "larger sample", 1),
        ("all", "all", 2),
        ("queue", "sample", 1),
        ("queue", "nothing", 1),
        ("queue", "larger sample", 2),
        ("wider queue", "larger sample", 1),
        ("queue", "wider queue", 2),
        ("wider queue", "queue", 1),
        ("all", "nearly all", 1),
        ("queue", "wider queue of which people cannot tell", 1),
        ("queue", "all", 2),
        ("sample", "queue", 2),
        ("larger sample", "queue", 2),
        ("larger sample", "queue of a judge that tells nothing apart", 2),
        ("queue", "wider queue, begun", 1),
        ("sample", "larger sample", 2),
    ],
)
@pytest.mark.parametrize("knows", [True, False])
def test_what_people_settled_is_not_undone_by_less(first: str, then: str, counts: int, knows: bool) -> None:
    """Whether or not a sample finds the judge out."""
    said = SAID if knows else [(item % 2, (item // 2) % 2) for item in range(100)]
    grades, events = [], []
    for number, kind in enumerate((first, then), start=1):
        people, settings = work(kind)
        grades += [replace(g, round_id=number) for g in judged(said, people).grades]
        if settings is not None:
            events.append(RoundEvent("settings", number, None, settings, at="2026-11-02"))
    rounds = tuple(round_(number, (JUDGE, PERSON)) for number in (1, 2))
    found = current_round(replace(judged(said, {}), rounds=rounds, grades=tuple(grades), events=tuple(events)))
    assert found is not None
    assert found.id == counts


def test_one_criterion_of_several_settles_no_output() -> None:
    """People who filled one column of two have left every verdict open."""
    two = {**PASS_OR_FAIL, "criteria": [{**PASS_OR_FAIL["criteria"][0], "id": name} for name in ("right", "kind")]}
    rounds = [round_(number, (JUDGE, PERSON)) for number in (1, 2)]
    book = Book(spec((BASELINE, CANDIDATE), two), rounds=rounds)
    for item in range(40):
        for model in (BASELINE, CANDIDATE):
            trial = book.trial(f"item-{item:03d}", answered(), model=model)
            book.grade(trial, 1, grader=PERSON, criterion="right", round_id=1)
            for name in ("right", "kind"):
                book.grade(trial, 1, grader=JUDGE, criterion=name, round_id=2)
                if item < 10:
                    book.grade(trial, 1, grader=PERSON, criterion=name, round_id=2)
    found = current_round(book.snapshot())
    assert found is not None
    assert found.id == 2


def test_what_people_left_when_they_closed_their_round_does_not_undo_it() -> None:
    """They were asked about it: one output without a grade of theirs is no output that the round never knew."""
    first = judged(SAID, {}).trials
    asked = [trial for trial in first if trial.key.item_id != "item-099"]
    book = judged(SAID, {})
    people = [replace(g, grader=PERSON) for g in book.grades if g.trial_id in {t.id for t in asked}]
    judge = [replace(g, round_id=2) for g in book.grades]
    rounds = (round_(1, (PERSON,)), round_(2, (JUDGE, PERSON)))
    left = [list(trial.key) for trial in first if trial not in asked]
    closed = RoundEvent("closed", 1, None, {"left": left}, at="2026-11-02")
    more = [replace(g, round_id=2) for g in people[:40]]
    for events, counts in (((closed,), 1), ((), 2)):
        made = replace(book, rounds=rounds, grades=(*people, *judge, *more), events=events)
        found = current_round(made)
        assert found is not None
        assert found.id == counts


def test_what_people_settled_no_longer_counts_for_a_run_that_has_grown() -> None:
    people, settings = work("queue")
    book = judged(SAID, people)
    early = {trial.id for trial in book.trials if trial.key.item_id < "item-050"}
    first = [grade for grade in book.grades if grade.trial_id in early]
    later = [replace(grade, round_id=2) for grade in judged(SAID, {}).grades]
    rounds = tuple(round_(number, (JUDGE, PERSON)) for number in (1, 2))
    event = RoundEvent("settings", 1, None, settings or {}, at="2026-11-02")
    found = current_round(replace(book, rounds=rounds, grades=(*first, *later), events=(event,)))
    assert found is not None
    assert found.id == 2


def test_grades_of_all_that_people_gave_without_settings_measure_a_judge() -> None:
    """As with imported ones: a later queue must not take them away."""
    first = judged(SAID, EVERYTHING)
    event = replace(PICKED[0], round_id=2, content=work("queue")[1])
    again = tuple(replace(g, round_id=2) for g in judged(SAID, work("queue")[0]).grades)
    rounds = (*first.rounds, round_(2, (JUDGE, PERSON)))
    found = analyze(replace(first, rounds=rounds, grades=(*first.grades, *again), events=(event,)))
    assert found.judges[0].outputs == 200


def test_a_sample_measures_a_judge_at_an_early_look_by_the_part_that_it_holds() -> None:
    labels: dict[int, Pair] = {item: SAID[item] for item in range(20, 60)}
    whole = judged(SAID, labels, events=(*PICKED, sample_of(labels)))
    look = Look(1, (0.5, 1.0), (50, 100), (0.01, 0.05), (0.01, 0.05))
    part = up_to(whole, look)
    held = {item.id for item in part.items} & {f"item-{item:03d}" for item in labels}
    assert 10 < len(held) < 40
    assert analyze(part).judges[0].outputs == 2 * len(held)


def test_where_people_grade_all_after_a_queue_that_measures_the_judge() -> None:
    everything = RoundEvent("settings", 2, None, {"from": "a later version"}, at="2026-11-03")
    people: dict[int, Pair] = {item: SAID[item] for item in range(100)}
    found = analyze(judged(SAID, people, events=(*PICKED, everything)))
    assert found.judges[0].outputs == 200


def test_a_judge_whose_word_picked_nothing_in_the_round_that_counts_is_dropped_as_ever() -> None:
    """An earlier round had a queue; in this one people graded a sample of what a worthless judge says anew."""
    rng = np.random.default_rng(3)
    said: list[Pair] = [(int(rng.random() < 0.5), int(rng.random() < 0.5)) for _ in range(100)]
    people: dict[int, Pair] = {item: (item % 2, item % 2) for item in range(30)}
    first, later = judged(said, {}, events=PICKED), judged(said, people)
    again = tuple(replace(g, round_id=2) for g in later.grades)
    sample = replace(sample_of(people), round_id=2)
    rounds = (*first.rounds, round_(2, (JUDGE, PERSON)))
    made = replace(first, rounds=rounds, grades=(*first.grades, *again), events=(*PICKED, sample))
    found = analyze(made)
    assert (found.grading.round, found.grading.picked) == (rounds[-1], False)
    assert found.grading.dropped
    assert found.judges[0].dropped


def test_what_people_could_not_tell_lacks_a_verdict_and_leaves_the_others() -> None:
    people = {**APART, **{item: SAID[item] for item in range(6, 60)}}
    snapshot = judged(SAID, people, events=PICKED)
    place = next(n for n, g in enumerate(snapshot.grades) if g.grader == PERSON)
    for level in (None, 1):
        grades = list(snapshot.grades)
        reason = "cannot tell" if level is None else None
        grades[place] = replace(grades[place], level=level, ungraded_reason=reason)
        report = gate(of(replace(snapshot, grades=tuple(grades))), POLICY)
        assert "by people's grades of all items that the judge told apart" in report.checks[0].finding
        assert report.checks[0].within
        both, unsure = of(replace(snapshot, grades=tuple(grades))), replace(snapshot, grades=tuple(grades))
        looks = Sequential(looks=(0.5, 1.0))
        _, look = staged(both, (unsure, unsure), looks, 0.05, analyze)
        assert (look.number, look.ungraded) == (2, 0), "nobody can say more of it"


def test_what_people_could_not_tell_of_a_sample_counts_for_all_that_it_stands_for() -> None:
    """Eight of 80 sampled items stand for twenty of 200: as a loss, that is the margin."""
    said: list[Pair] = [(1, 1)] * 200
    people: dict[int, Any] = dict.fromkeys(range(80), (1, 1)) | dict.fromkeys(range(0, 80, 10), (1, None))
    snapshot = judged(said, people, events=PICKED)
    found = of(snapshot)
    pairs = found.shares(lambda o: None if o.satisfied is None else float(o.satisfied))
    assert pairs.worst is not None
    assert labels_of(found, pairs.worst).alike == 80
    report = gate(found, POLICY)
    assert report.verdict == "inconclusive"
    assert "8 trials without a figure could overturn it" in str(report.checks[0].needs)


def test_a_criterion_that_people_could_not_tell_is_not_the_judges_to_pass() -> None:
    criteria = [
        {"id": name, "question": "Is it?", "levels": {"0": "No.", "1": "Yes."}, **more}
        for name, more in (("helpful", {}), ("policy", {"critical": 1}))
    ]
    rubric = {**PASS_OR_FAIL, "criteria": criteria}
    book = Book(spec((BASELINE, CANDIDATE), rubric), rounds=[round_(graders=(JUDGE, PERSON))])
    for item in range(120):
        for model in (BASELINE, CANDIDATE):
            good = {"helpful": 1, "policy": 1}
            trial = book.trial(f"item-{item:03d}", answered(served_model=model), model=model, levels=good)
            unsure = item < 6 and model == CANDIDATE
            book.grade(trial, 1, criterion="helpful", grader=PERSON)
            book.grade(trial, None if unsure else 1, criterion="policy", grader=PERSON)
    found = of(book.snapshot(events=PICKED))
    checks = gate(found, read_policy("quality: {margin: 0.15, criteria: {policy: 0.05}}", "gate.yaml")).checks
    assert checks[1].outcome == "inconclusive"
    assert "6 trials without a figure could overturn it" in str(checks[1].needs)
    assert "let somebody else grade the 6 outputs that people could not tell (`evalkit grade --blind`)" in str(
        checks[1].needs
    )


def test_what_people_were_asked_about_for_a_third_model_is_no_sample_of_the_others() -> None:
    """The judge tells 50 items apart by the third model alone, where people find ten losses, and draws from 50 more."""
    third = "claude-haiku-4-5-20251001"
    models = (BASELINE, CANDIDATE, third)
    book = Book(spec(models, rubric_sha256=RUBRIC.sha256), rounds=[round_(graders=(JUDGE, PERSON))])
    for item in range(100):
        for model in models:
            said = int(not (item < 50 and model == third))
            trial = book.trial(f"item-{item:03d}", answered(served_model=model), model=model, level=said)
            if item < 60:
                book.grade(trial, int(not (item < 10 and model == CANDIDATE)), grader=PERSON)
    items = [f"item-{item:03d}" for item in range(60)]
    found = of(book.snapshot(events=(replace(PICKED[0], content={"items": items, "apart": items[:50]}),)))
    labels = labels_of(found, found.shares(satisfied))
    assert (labels.sizes, labels.alike, labels.reach) == ((0, 0, 50, 0, 50), 10, "sampled")
    check = gate(found, POLICY).checks[0]
    assert check.estimate is not None
    assert check.estimate.value == pytest.approx(-0.10)
    assert "10 of the 50 items that the judge graded alike" in check.finding


@pytest.mark.parametrize("untold", [(), (14,), (14, 15)])
def test_what_people_could_not_tell_of_the_sample_saves_no_candidate_from_what_they_found(
    untold: tuple[int, ...],
) -> None:
    """Ten of 36 are drawn where the judge tells 14 of 50 apart, all of them lost."""
    said: list[Pair] = [(1, 0)] * 14 + [(1, 1)] * 36
    people: dict[int, Any] = {item: (1, None) if item in untold else said[item] for item in range(24)}
    found = of(judged(said, people, events=PICKED))
    assert labels_of(found, found.shares(satisfied)).reach == "sampled"
    assert gate(found, POLICY).verdict == "fail"


def test_where_people_could_tell_nothing_of_the_sample_it_carries_nothing() -> None:
    said: list[Pair] = [(1, 0)] * 14 + [(1, 1)] * 36
    people: dict[int, Any] = {item: (1, None) if item > 14 else said[item] for item in range(24)}
    found = of(judged(said, people, events=PICKED))
    assert labels_of(found, found.shares(satisfied)).reach == "few"


def test_what_people_know_to_be_lost_is_lost_whatever_else_they_could_not_tell() -> None:
    criteria = [
        {"id": name, "question": "Is it?", "levels": {"0": "No.", "1": "Yes."}, **more}
        for name, more in (("helpful", {}), ("policy", {"critical": 1}))
    ]
    rubric = {**PASS_OR_FAIL, "criteria": criteria}
    for tells in (True, False):
        book = Book(spec((BASELINE, CANDIDATE), rubric), rounds=[round_(graders=(JUDGE, PERSON))])
        for item in range(100):
            for model in (BASELINE, CANDIDATE):
                lost = item < 20 and model == CANDIDATE
                trial = book.trial(
                    f"item-{item:03d}", answered(served_model=model), model=model, levels={"helpful": 1, "policy": 1}
                )
                book.grade(trial, None if lost and not tells else 1, criterion="helpful", grader=PERSON)
                book.grade(trial, int(not lost), criterion="policy", grader=PERSON)
        report = gate(of(book.snapshot(events=PICKED)), POLICY)
        assert report.verdict == "fail", tells
        assert report.checks[0].estimate is not None
        assert report.checks[0].estimate.value == pytest.approx(-0.20)


def test_a_judge_that_could_pass_alone_passes_nothing_that_people_picked_from() -> None:
    """People's sample vouches for it; then they are asked about all that it tells apart, and look at two of six."""
    people = calibrated(0) | {0: (1, 0), 1: (1, 0)}
    drawn = of(judged(SAID, calibrated(0)))
    assert gate(drawn, POLICY).verdict == "pass"
    found = of(judged(SAID, people, events=(*PICKED, sample_of(calibrated(0)))))
    assert assay_of(found).cap is None
    report = gate(found, POLICY)
    assert report.verdict == "inconclusive"
    assert "people have graded only a part of what the judge tells apart" in report.checks[0].finding


@pytest.mark.long
def test_a_partial_judge_that_a_sample_finds_out_fails_no_equal_model_by_what_it_told_apart() -> None:
    """It passes nearly all of the baseline's bad outputs and none of the candidate's. Were it dropped, what it told
    apart would be left alone, mostly losses: 32 of 80 runs failed so."""
    rng, verdicts, found_out = np.random.default_rng(7), Counter[str](), 0
    for _ in range(60):
        good = rng.choice(4, size=100, p=[0.1, 0.1, 0.6, 0.2])
        truth = [(int(one in (0, 2)), int(one in (1, 2))) for one in good]
        said: list[Pair] = [
            (int(rng.random() < (0.90, 0.98)[then]), int(rng.random() < (0.05, 0.75)[now])) for then, now in truth
        ]
        bare = judged(said, {})
        queue = discordant_items(bare, RUBRIC, 0.2)
        drawn = in_drawing_order([f"item-{item:03d}" for item in range(100)], bare.spec.seed)[:25]
        asked = {int(item[-3:]) for item in (*queue.items, *drawn)}
        content = {"items": list(queue.items), "apart": list(queue.apart), "sample": 50, "drawn": drawn}
        events = (replace(PICKED[0], content=content),)
        evidence = of(judged(said, {item: truth[item] for item in asked}, events=events))
        judge = evidence.of_candidate.judges[0]
        assert judge.outputs == 50
        found_out += why_dropped(judge.accuracy, judge.outputs) is not None
        report = gate(evidence, POLICY)
        assert "by people's grades of all items that the judge told apart" in report.checks[0].finding
        verdicts[report.verdict] += 1
    assert found_out >= 50
    assert verdicts["fail"] <= 6, verdicts  # 3 expected at a one-sided error of .05; more than 6 by chance in 3 %


STRICTER: list[Pair] = [(1, 0)] * 16 + [(1, 1)] * 54 + [(0, 0)] * 30
"""A loss of 16 points by a judge's word, beyond what chance makes of equal models."""


def labelled(made_up: int) -> dict[int, Pair]:
    """People on every fourth item: the judge errs on two bad outputs of both, and of four losses made up so many."""
    found: dict[int, Pair] = {item: STRICTER[item] for item in range(0, 100, 4)}
    return found | dict.fromkeys(range(0, 4 * made_up, 4), (1, 1)) | {96: (1, 1)}


@pytest.mark.parametrize(("made_up", "verdict"), [(0, "fail"), (3, "inconclusive")])
def test_a_loss_has_to_exceed_what_people_found_the_judge_to_make_up(made_up: int, verdict: str) -> None:
    """Three errors of 25 on one side and none on the other do not show that its errors differ; nor that they do not."""
    both = read_policy("quality: {margin: 0.10}\ncost_per_satisfactory: {at_most: 1.1}", "gate.yaml")
    found = of(judged(STRICTER, labelled(made_up)))
    assert not assay_of(found).skewed
    report = gate(found, both)
    quality, cost = report.checks
    assert report.verdict == quality.outcome == verdict
    doubt = "the judge may have made the loss up"
    assert (doubt in quality.finding) == (made_up > 0)
    if made_up:
        assert (quality.needs or "").startswith("people's grades of the 16 items that the judge tells apart"), quality
        assert "the judge may have made it up" in cost.finding
    assert cost.outcome == verdict
    flipped = [(c, b) for b, c in STRICTER]
    people = {item: pair[::-1] for item, pair in labelled(made_up).items()}
    assert gate(of(judged(flipped, people)), both).verdict != "fail", "nor does it lean towards the candidate's loss"


HARD = range(40)
"""Of which the judge sees 16 lost."""


def with_hard_ones(snapshot: Snapshot) -> Evidence:
    items = tuple(replace(i, tags=("hard",) if n in HARD else ()) for n, i in enumerate(snapshot.items))
    return of(replace(snapshot, items=items))


@pytest.mark.parametrize(
    ("labelled", "wrong", "outcome"),
    [
        ((0, 4, 8, *range(16, 40, 4), *range(40, 100, 2)), (0, 4, 8), "inconclusive"),  # 3 of 9 here, of 39 in all
        ((0, 4, 8, *range(16, 40, 4), *range(40, 100, 2)), (40, 42), "fail"),  # it made up none of these
        ((0, *range(40, 100, 2)), (0,), "inconclusive"),  # one label has no spread
        (range(40, 100, 2), (), "inconclusive"),  # nobody has checked it there
    ],
)
def test_a_slice_is_held_to_what_the_judge_makes_up_there(
    labelled: tuple[int, ...], wrong: tuple[int, ...], outcome: str
) -> None:
    people = {item: STRICTER[item] for item in labelled} | dict.fromkeys(wrong, (1, 1))
    said = [(1, 0) if item in wrong else level for item, level in enumerate(STRICTER)]
    evidence = with_hard_ones(judged(said, people))
    policy = read_policy("quality: {margin: 0.10, slices: {hard: 0.15}}", "gate.yaml")
    hard = gate(evidence, policy).checks[1]
    assert hard.outcome == outcome, hard
    assert ("the judge may have made the loss up" in hard.finding) == (outcome == "inconclusive")


@pytest.mark.long
def test_a_judge_that_is_stricter_with_the_candidate_on_hard_items_fails_few_equal_models_there() -> None:
    """Held to its leaning on all items, 9 of these 80 slices failed."""
    rng, failed = np.random.default_rng(12), 0
    for _ in range(80):
        truth = [(int(one in (0, 2)), int(one in (1, 2))) for one in rng.choice(4, size=100, p=[0.05, 0.05, 0.6, 0.3])]
        said: list[Pair] = [
            (
                int(rng.random() < (0.95 if then else 0.10)),
                int(rng.random() < ((0.70 if item in HARD else 0.95) if now else (0.03 if item in HARD else 0.10))),
            )
            for item, (then, now) in enumerate(truth)
        ]
        labels = {int(item): truth[item] for item in rng.permutation(100)[:25]}
        policy = read_policy("quality: {margin: 0.10, slices: {hard: 0.15}}", "gate.yaml")
        failed += gate(with_hard_ones(judged(said, labels)), policy).checks[1].outcome == "fail"
    assert failed <= 8, failed  # 4 expected at a one-sided error of .05; more than 8 by chance in 2 %


@pytest.mark.parametrize(("refuted", "verdict"), [(0, "fail"), (14, "inconclusive"), (28, "inconclusive")])
def test_labels_too_few_for_a_pass_refute_a_loss_all_the_same(refuted: int, verdict: str) -> None:
    """Taken for no labels they would leave the judge its word, where people found it wrong each time."""
    said: list[Pair] = [(1, 0)] * 30 + [(1, 1)] * 50 + [(0, 0)] * 20
    report = gate(of(judged(said, dict.fromkeys(range(refuted // 2), (1, 1)))), POLICY)
    assert report.verdict == verdict
    assert "the judge is uncalibrated" in report.checks[0].finding


def test_an_item_whose_epochs_differ_is_one_item() -> None:
    """Counted once as good and once as bad, nine items of three epochs would be more than ten."""
    book = Book(spec((BASELINE, CANDIDATE), epochs=3), rounds=[round_(graders=(JUDGE, PERSON))])
    for item in range(60):
        for model in (BASELINE, CANDIDATE):
            for epoch in (1, 2, 3):
                level = int(epoch <= item % 4)
                trial = book.trial(f"i{item}", answered(served_model=model), model=model, epoch=epoch, level=level)
                if item < 9:
                    book.grade(trial, level, grader=PERSON)
    cap = str(assay_of(of(book.snapshot())).cap)
    assert "people graded 9 of the items" in cap
    assert "`evalkit grade --calibrate 60`" in cap


def test_nothing_fails_fast_by_what_the_judge_may_have_made_up() -> None:
    asked = Sequential(looks=[1.0], fail_fast=True)
    for made_up, outcome in ((0, "fail"), (3, "inconclusive")):
        snapshot = judged(STRICTER, labelled(made_up))
        evidence, look = staged(of(snapshot), (snapshot, snapshot), asked, 0.05, analyze)
        for number in (0, 1):  # before the first look, where nothing else is tested, and at it
            report = gate(evidence, POLICY, look=replace(look, number=number, wealth=1e6))
            assert report.verdict == outcome
            assert ("quality: fail fast" in [check.name for check in report.checks]) == (outcome == "fail")


@pytest.mark.long
def test_a_judge_that_is_stricter_with_the_candidate_fails_few_equal_models() -> None:
    """By the judge's difference alone a quarter of such runs failed: 50 labels hardly show that its errors differ."""
    rng, verdicts = np.random.default_rng(11), Counter[str]()
    for _ in range(80):
        good = rng.choice(4, size=100, p=[0.1, 0.1, 0.6, 0.2])
        truth = [(int(one in (0, 2)), int(one in (1, 2))) for one in good]
        said: list[Pair] = [
            (
                int(rng.random() < (0.95 if then else 0.10)),
                int(rng.random() < (0.85 if now else 0.05)),
            )
            for then, now in truth
        ]
        drawn = rng.permutation(100)[:25]
        verdicts[gate(of(judged(said, {int(item): truth[item] for item in drawn})), POLICY).verdict] += 1
    assert verdicts["fail"] <= 8, verdicts  # 4 expected at a one-sided error of .05; more than 8 by chance in 2 %


def test_a_judge_that_few_labels_dropped_may_be_shown_to_be_good_by_more() -> None:
    """Of 40 outputs that people labelled two are bad, of which it sees one: J is .5, and may be anything."""
    said: list[Pair] = [(1, 1)] * 98 + [(0, 0), (1, 1)]
    people = {**dict.fromkeys(range(19), (1, 1)), 98: (0, 0), 99: (0, 0)}
    found = of(judged(said, people))
    assert found.of_candidate.grading.dropped
    needs = str(gate(found, POLICY).checks[0].needs)
    assert "let people grade more of a sample, which may show it to be better (`--calibrate 84`), or all (" in needs


@pytest.mark.parametrize("level", [0, 1], ids=["lost", "kept"])
def test_no_remedy_asks_a_judge_again_that_is_dropped(level: int) -> None:
    """Its grades decide nothing, so that neither the same commands again nor more items of its grading settle it."""
    people = {item: (1 - SAID[item][0], level) for item in (*range(6, 46), *range(90, 100))}
    found = of(judged(SAID, people))
    assert list(found.of_candidate.grading.dropped) == [JUDGE.removeprefix("judge ")]
    report = gate(found, read_policy("quality: {margin: 0.10}\ncompleteness:\nagreement:", "gate.yaml"))
    needs = {check.name: check.needs or "" for check in report.checks}
    failed = {check.name for check in report.checks if check.outcome == "fail"}
    assert failed == ({"quality"} if level == 0 else set())
    for name in {"quality", "completeness"} - failed:
        assert "let people grade all (`evalkit grade --blind --calibrate 200`), or another judge" in needs[name], needs
        assert "repeat" not in needs[name]
        assert "more item" not in needs[name]
    assert needs["agreement"].startswith("a second person, or another judge")


def test_each_output_says_who_decided_it_and_what_the_judge_alone_would_say() -> None:
    outputs = [o for item in analyze(judged([(1, 1), (1, 0)], {0: (0, 1)})).outputs for o in item.outputs]
    assert [(o.satisfied, o.decided_by, o.judge_satisfied) for o in outputs] == [
        (False, "people", True), (True, "people", True), (True, "judge", True), (False, "judge", False),
    ]  # fmt: skip


APART: dict[int, Pair] = {0: (1, 1), 1: (1, 0), 2: (1, 1), 3: (0, 1), 4: (1, 1), 5: (0, 0)}


@pytest.mark.parametrize(
    ("people", "reach"),
    [
        ({}, "few"),
        ({**APART, **ALIKE}, "all"),
        (APART, "few"),
        ({**APART, **{item: SAID[item] for item in range(6, 15)}}, "few"),
        ({**APART, **{item: SAID[item] for item in range(6, 16)}}, "sampled"),
        ({item: SAID[item] for item in range(1, 60)}, "few"),  # one that the judge tells apart is missing
    ],
)
def test_how_far_peoples_grades_carry(people: dict[int, Pair], reach: str) -> None:
    found = of(judged(SAID, people, events=PICKED))
    assert labels_of(found, found.paired(lambda o: None if o.satisfied is None else float(o.satisfied))).reach == reach


def test_with_all_that_the_judge_tells_apart_graded_by_people_the_nominal_margin_is_tested() -> None:
    found = of(judged(SAID, {**APART, **{item: SAID[item] for item in range(6, 60)}}, events=PICKED))
    report = gate(found, POLICY)
    assert report.verdict == "pass"
    assert not any("it can lose at most" in note for note in report.notes), "a sample of labels allows no such count"
    estimate = report.checks[0].estimate
    assert estimate is not None
    assert (estimate.value, estimate.n) == (0.0, 100)  # one of three losses and one of three gains are real
    assert "people's grades of all items that the judge told apart and 54 of the 94 items" in report.checks[0].finding
    few = gate(of(judged(SAID, {**APART, **{item: SAID[item] for item in range(6, 16)}}, events=PICKED)), POLICY)
    assert few.verdict == "inconclusive"
    told = re.match(
        r"people's grades of all 6 that the judge tells apart and (\d+) of the 94 items that it graded alike"
        r" \(10 so far\), in a new round .* `--discordant --concordant-share (0.\d+)`\)",
        str(few.checks[0].needs),
    )
    assert told is not None, few.checks[0].needs
    assert math.ceil(float(told[2]) * 94) == int(told[1])
    for graded, verdict in ((int(told[1]), "pass"), (int(told[1]) - 1, "inconclusive")):
        people = {**APART, **{item: SAID[item] for item in range(6, 6 + graded)}}
        assert gate(of(judged(SAID, people, events=PICKED)), POLICY).verdict == verdict


def test_where_no_more_grades_are_enough_the_number_of_items_is_said() -> None:
    people = {**APART, **{item: SAID[item] for item in range(6, 60)}}
    narrow = read_policy("quality: {margin: 0.03}", "gate.yaml")
    needs = str(gate(of(judged(SAID, people, events=PICKED)), narrow).checks[0].needs)
    told = re.match(
        r"about (\d+) more items \((\d+) in all\), .*, all graded by people, if the difference stays", needs
    )
    assert told is not None, needs
    times = round(int(told[2]) / 100)
    for more, verdict in ((times + 1, "pass"), (max(1, times - 1), "inconclusive")):
        said, whole = SAID * more, {n: APART.get(n % 100, SAID[n % 100]) for n in range(100 * more)}
        assert gate(of(judged(said, whole, events=PICKED)), narrow).verdict == verdict, more


def test_losses_that_the_judge_overlooks_count_once_people_find_them() -> None:
    blind: dict[int, Pair] = {item: (1, 0) if item < 36 else SAID[item] for item in range(6, 66)}
    report = gate(of(judged(SAID, {**APART, **blind}, events=PICKED)), POLICY)
    assert report.verdict == "fail"


@pytest.mark.parametrize(
    ("gone", "verdict"),
    [
        ([], "pass"),
        ([(1, None)], "pass"),
        ([(None, 1)] * 9, "pass"),  # at worst alike
        ([(1, None)] * 9, "inconclusive"),
        ([(None, None)] * 9, "inconclusive"),
    ],
)
def test_items_that_nobody_could_grade_count_against_the_candidate(gone: list[Any], verdict: str) -> None:
    people = {**APART, **{item: SAID[item] for item in range(6, 100)}}
    report = gate(of(judged([*SAID, *gone], people, events=PICKED)), POLICY)
    assert report.verdict == verdict
    sampled = {item: level for item, level in people.items() if item < 60}
    assert gate(of(judged([*SAID, *gone], sampled, events=PICKED)), POLICY).verdict == verdict


# --- what people are asked ---


def test_people_get_what_the_judge_tells_apart_and_a_sample_of_the_rest() -> None:
    snapshot = judged(SAID, {})
    found = discordant_items(snapshot, RUBRIC, 0.2)
    assert found.apart == tuple(f"item-{item:03d}" for item in range(6))
    assert (len(found.drawn), found.alike) == (19, 94)
    assert set(found.apart).isdisjoint(found.drawn)
    assert discordant_items(snapshot, RUBRIC, 0.01).drawn == found.drawn[:10]
    assert discordant_items(judged(SAID, APART), RUBRIC, 0.2) == found  # once people have graded, too


def test_once_a_round_is_closed_what_the_judge_said_in_the_next_one_counts() -> None:
    first = judged(SAID, calibrated(0))
    shut = replace(first, events=(*first.events, RoundEvent("closed", 1, None, at="2026-11-03")))
    with pytest.raises(UsageError, match="`evalkit grade --blind --by judges`, which opens a new one"):
        discordant_items(shut, RUBRIC, 0.2)
    again = [replace(grade, round_id=2) for grade in first.grades if grade.grader == JUDGE]
    both = replace(shut, rounds=(*first.rounds, round_(2, (JUDGE,))), grades=(*first.grades, *again))
    assert discordant_items(both, RUBRIC, 0.2) == discordant_items(first, RUBRIC, 0.2)


def test_without_a_judge_there_is_nothing_to_tell_apart() -> None:
    snapshot = run(*table(3, 3, 20))
    with pytest.raises(UsageError, match="no judge has graded"):
        discordant_items(snapshot, RUBRIC, 0.2)


@pytest.mark.long
def test_the_command_hands_out_exactly_those_outputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_run(tmp_path / "run.db", replace(judged(SAID, {}), rounds=(round_(),)))
    sheet = tmp_path / "sheet.csv"
    assert (
        main(["grade", str(path), "--discordant", "--grader", "ann", "--repeat-share", "0", "--export", str(sheet)])
        == 0
    )
    assert "6 items that the judge tells apart, and of 19 drawn from 94" in capsys.readouterr().err
    text = sheet.read_text(encoding="utf-8-sig")
    snapshot = judged(SAID, {})
    for item in range(100):
        asked = f"item-{item:03d}" in discordant_items(snapshot, RUBRIC, 0.2).items
        assert text.count(f"Question item-{item:03d}?") == (2 if asked else 0)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--discordant", "--calibrate", "50"], "exclude each other"),
        (["--concordant-share", "0.4", "--by", "people"], "no meaning without --discordant"),
        (["--discordant", "--by", "judges"], "no meaning when judges grade"),
    ],
)
def test_wishes_that_do_not_go_together_are_named(
    options: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_run(tmp_path / "run.db", replace(judged(SAID, {}), rounds=(round_(),)))
    assert main(["grade", str(path), *options]) == 2
    assert told in capsys.readouterr().err


# --- the gate, tried on what is known ---


@pytest.mark.long
def test_a_model_against_itself_passes_and_its_flips_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [[True, False]] * 3 + [[False, True]] * 3 + [[True, True]] * 94
    snapshot = run(rows, rows)
    itself = against_itself(analyze(snapshot), BASELINE)
    assert (flip_rate(itself).value, itself.epochs) == (0.06, 1)
    path = write_run(tmp_path / "run.db", snapshot)
    assert main(["gate", str(path), "--aa", "--baseline", BASELINE]) == 0
    assert "flip rate: 6%" in capsys.readouterr().out
    assert main(["gate", "--aa", "--baseline", str(path), "--candidate", str(path)]) == 2  # which of the two models?


def alone(path: Path, grader: str, asked: str | None = None) -> Path:
    """A run of one model on 100 items, all good in the eyes of one person; `asked` begins the ids of its requests."""
    book = Book(spec((BASELINE,), rubric_sha256=RUBRIC.sha256), rounds=[round_(graders=(grader,))])
    for item in range(100):
        answer = answered(served_model=BASELINE, request_id=None if asked is None else f"{asked}{item}")
        trial = book.trial(f"item-{item:03d}", answer, model=BASELINE)
        book.grade(trial, 1, grader=grader)
    return write_run(path, book.snapshot())


def test_two_runs_of_one_model_are_compared_and_refused_where_others_graded_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other, bens = alone(tmp_path / "1.db", "ann"), alone(tmp_path / "2.db", "ann"), alone(tmp_path / "3.db", "ben")
    assert main(["gate", "--aa", "--baseline", str(one), "--candidate", str(other)]) == 3, "they were graded apart"
    assert "flip rate: 0%" in capsys.readouterr().out
    assert main(["gate", "--aa", "--baseline", str(one), "--candidate", str(bens)]) == 6
    assert "were graded by others (ann; ben)" in capsys.readouterr().err


def test_a_copy_of_a_run_is_no_other_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Compared with its copy, whatever was run comes out equal."""
    one, copy = alone(tmp_path / "1.db", "ann", "req_a"), tmp_path / "copy.db"
    copy.write_bytes(one.read_bytes())
    for asked in (["--aa"], []):
        assert main(["gate", *asked, "--baseline", str(one), "--candidate", str(copy)]) == 6
        assert "hold answers to the same requests (100, first 'req_a0')" in capsys.readouterr().err
    other = alone(tmp_path / "2.db", "ann", "req_b")
    assert main(["gate", "--aa", "--baseline", str(one), "--candidate", str(other)]) == 3


def test_two_epochs_are_compared_at_the_same_hours() -> None:
    """The second was worse and slower for all, as where a provider has a bad hour; a later run file shows that."""
    rows = [[True, False]] * 20 + [[True, True]] * 40

    def attempt(model: str, item: int) -> Attempt:
        return answered(served_model=model)

    slow = replace(answered(served_model=CANDIDATE), felt_s=9.0)
    both: list[Any] = [[attempt(CANDIDATE, i), slow] for i in range(60)]
    itself = against_itself(analyze(run(rows, both, attempt=attempt)), CANDIDATE)
    found = gate(itself, read_policy("felt_latency: {p50: 1.5}", "gate.yaml")).checks[0]
    assert found.outcome != "fail", found.finding
    assert gate(against_itself(analyze(run(rows, rows)), CANDIDATE), POLICY).verdict != "fail"
    then, now = (analyze(run([[row[n]] for row in rows], [[row[n]] for row in rows])) for n in (0, 1))
    assert gate(evidence_of(then, now, CANDIDATE, CANDIDATE), POLICY).verdict == "fail"


def test_one_epoch_cannot_be_compared_with_itself() -> None:
    with pytest.raises(UsageError, match="--epochs 2"):
        against_itself(analyze(run(*table(0, 0, 60))), BASELINE)


@pytest.mark.parametrize(
    ("counts", "code", "told"),
    [((0, 25, 35), 0, "the gate notices"), ((2, 6, 52), 1, "would not notice"), ((1, 1, 58), 1, "would not notice")],
)
def test_a_weaker_candidate_must_fail(
    counts: tuple[int, int, int], code: int, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_run(tmp_path / "run.db", run(*table(*counts)))
    files = [tmp_path / f"gate.{suffix}" for suffix in ("json", "xml", "md")]
    asked = ["gate", str(path), "--sensitivity-check", "--candidate", CANDIDATE]
    assert main([*asked, *(part for file in files for part in ("-o", str(file)))]) == code
    assert told in capsys.readouterr().out
    as_json, junit, markdown = (file.read_text(encoding="utf-8") for file in files)
    assert json.loads(as_json)["exit"] == {0: "pass", 1: "regression"}[code]
    suite = xml.fromstring(junit)[0]  # noqa: S314  our own
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", str(code), "0")
    assert len(suite.findall("testcase/failure")) == code
    assert told in markdown.splitlines()[1]
    assert main(["gate", str(path), "--sensitivity-check"]) == 2


def test_failing_for_its_price_alone_is_not_noticing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = tmp_path / "gate.yaml"
    policy.write_text("quality: {margin: 0.10}\ncost_per_request: {at_most: 1.1}\n", encoding="utf-8")
    dear = run(*table(1, 1, 58), attempt=lambda m, i: answered(0.01 if m == BASELINE else 0.02, served_model=m))
    path = write_run(tmp_path / "run.db", dear)
    assert main(["gate", str(path), "--policy", str(policy)]) == 1
    assert main(["gate", str(path), "--policy", str(policy), "--sensitivity-check", "--candidate", CANDIDATE]) == 1
    assert "would not notice" in capsys.readouterr().out


def test_a_model_that_came_later_takes_nothing_from_what_people_were_asked_about() -> None:
    """A candidate merged into the run, which no judge has graded, tells nothing apart of what people graded before."""
    people = {item: SAID[item] for item in range(26)}
    asked = [f"item-{item:03d}" for item in range(26)]
    events = (replace(PICKED[0], content={"items": asked, "apart": asked[:6]}),)
    alone = of(judged(SAID, people, events=events))
    book = Book(
        spec((BASELINE, CANDIDATE, "claude-new-1"), rubric_sha256=RUBRIC.sha256),
        rounds=[round_(graders=(JUDGE, PERSON))],
    )
    for item, levels in enumerate(SAID):
        for side, model in enumerate((BASELINE, CANDIDATE)):
            trial = book.trial(f"item-{item:03d}", answered(served_model=model), model=model, level=levels[side])
            if item in people:
                book.grade(trial, people[item][side], grader=PERSON)
        book.trial(f"item-{item:03d}", answered(served_model="claude-new-1"), model="claude-new-1")
    beside = of(book.snapshot(events=events))
    there, here = (labels_of(found, found.shares(satisfied)) for found in (beside, alone))
    assert there == here
    assert here.reach == "sampled"
    assert gate(beside, POLICY).checks[0].estimate == gate(alone, POLICY).checks[0].estimate
