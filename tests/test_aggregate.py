"""One level from several graders: the declared rule, people over judges, repeats, and grades taken back."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.analysis import analyze
from evalkit.analysis.aggregate import DROPPED, agreed, combined
from evalkit.analysis.counting_round import current_round
from evalkit.analysis.trials import trial_results
from evalkit.analysis.views import levels_by_grader, people_verdicts
from evalkit.grader_names import again, judge_of
from evalkit.grading_records import WITHDRAWN
from evalkit.records import Grade
from evalkit.rubric import Rubric
from tests.analysis_builders import JUDGE, PASS_OR_FAIL, Book, answered, round_, spec
from tests.builders import judged, rubric

LEVELS = st.lists(st.integers(0, 4), min_size=1, max_size=7)


@pytest.mark.parametrize(
    ("levels", "median", "majority", "mean", "lowest"),
    [
        ([2], 2, 2, 2, 2),
        ([0, 2], 0, 0, 1, 0),
        ([0, 1, 2], 1, 0, 1, 0),
        ([1, 2, 2], 2, 2, 5 / 3, 1),
        ([0, 0, 2, 2], 0, 0, 1, 0),
        ([0, 1, 2, 2], 1, 2, 1.25, 0),
        ([4, 0, 3, 3, 0], 3, 0, 2, 0),
    ],
)
def test_each_rule_by_hand(levels: list[int], median: int, majority: int, mean: float, lowest: int) -> None:
    assert combined(levels, "median") == median
    assert combined(levels, "majority") == majority
    assert combined(levels, "mean") == pytest.approx(mean)
    assert combined(levels, "all") == lowest


@given(LEVELS, st.randoms(use_true_random=False))
def test_no_rule_looks_at_the_order_or_leaves_the_levels(levels: list[int], random: Any) -> None:
    shuffled = list(levels)
    random.shuffle(shuffled)
    for rule in ("median", "majority", "mean", "all"):
        found = combined(levels, rule)
        assert found == pytest.approx(combined(shuffled, rule))
        assert min(levels) <= found <= max(levels)
        assert rule == "mean" or found in levels
    assert combined(levels, "all") <= combined(levels, "median")
    assert combined(levels, "mean") == pytest.approx(fmean(levels))


def grades(*given: tuple[str, int | None], reason: str = "unreadable") -> list[Grade]:
    return [
        Grade(1, who, 1, "right", level, None if level is not None else reason, f"{who} says") for who, level in given
    ]


@pytest.mark.parametrize(
    ("given", "level"),
    [
        ([("judge m", 0), ("judge n", 0), ("ann", 2)], 2),
        ([("judge m", 0), ("ann", None)], 0),
        ([("judge m", 0), ("judge m #2", 2), ("judge m #3", 2)], 2),
        ([("judge m", 0), ("judge m #2", 0), ("judge m #3", 0), ("judge n", 2), ("judge o", 2)], 2),
        ([("judge m", 0), ("judge m", 2)], 2),
        ([("checks", 1), ("judge m", 0)], 0),
        ([("ann", 2), ("ben", 1), ("judge m", 0)], 1),
    ],
)
def test_people_replace_judges_and_a_judges_repeats_are_one_view(
    given: Sequence[tuple[str, int | None]], level: int
) -> None:
    found = agreed(grades(*given), "median")
    assert found.levels == {"right": level}
    assert ("judge" in found.comments["right"]) == (not any(who == "ann" and value is not None for who, value in given))


def test_a_dropped_judge_is_not_listened_to_and_its_outputs_say_so() -> None:
    both = grades(("judge m", 0), ("judge m #2", 0), ("judge n", 2))
    assert agreed(both, "median", {"judge m"}).levels == {"right": 2}
    alone = agreed(grades(("judge m", 0)), "median", {"judge m": "J is low"})
    assert (alone.levels, alone.ungraded) == ({}, {"right": DROPPED})


def test_names() -> None:
    assert [judge_of(n) for n in ("judge m #2", "judge m #12", "judge m", "judge m #x", "ann #2")] == [
        "judge m", "judge m", "judge m", "judge m #x", "ann #2",
    ]  # fmt: skip


def _book(given: Mapping[str, Sequence[int | None]], rule: str = "median", reason: str = "unreadable") -> Book:
    """One output; each grader's grades in turn, None with `reason`."""
    book = Book(spec(rubric={**PASS_OR_FAIL, "aggregate": rule}), rounds=[round_(1, tuple(given))])
    trial = book.trial("i", answered())
    for grader, levels in given.items():
        for level in levels:
            book.grade(trial, level, grader=grader, **({} if level is not None else {"ungraded_reason": reason}))
    return book


def _result(book: Book) -> Any:
    snapshot = book.snapshot()
    (found,) = trial_results(snapshot, Rubric.model_validate_json(__import__("json").dumps(snapshot.spec.rubric)))
    return found


@pytest.mark.parametrize(
    ("given", "rule", "level", "satisfied"),
    [
        ({"ann": [1], "ben": [0]}, "median", 0, False),
        ({"ann": [1], "ben": [1], "cy": [0]}, "majority", 1, True),
        ({"ann": [1], "ben": [1], "cy": [0]}, "mean", 2 / 3, False),
        ({"ann": [1], "ben": [1], "cy": [0]}, "all", 0, False),
        ({"ann": [1], again("ann"): [0]}, "all", 1, True),
    ],
)
def test_the_declared_rule_decides(given: Any, rule: str, level: float, satisfied: bool) -> None:
    found = _result(_book(given, rule))
    assert found.levels == {"right": pytest.approx(level)}
    assert found.satisfied is satisfied


@pytest.mark.parametrize(("levels", "stands"), [([1, None], None), ([1, None, 0], 0), ([1, None, None, 1], 1)])
def test_a_grade_taken_back_is_gone(levels: list[int | None], stands: int | None) -> None:
    book = _book({"ann": levels}, reason=WITHDRAWN)
    found, by_grader = _result(book), levels_by_grader(book.snapshot())
    assert found.levels == ({} if stands is None else {"right": stands})
    assert found.ungraded == {}
    assert by_grader == ({} if stands is None else {"ann": {1: {"right": stands}}})
    assert (current_round(book.snapshot()) is None) == (stands is None)


def test_cannot_tell_is_ungraded_with_its_reason() -> None:
    found = _result(_book({"ann": [1, None]}, reason="the grader could not tell"))
    assert found.ungraded == {"right": "the grader could not tell"}


def test_repeats_of_judges_and_people_are_no_further_graders() -> None:
    given: dict[str, Sequence[int | None]] = {JUDGE: [1], f"{JUDGE} #2": [0], f"{JUDGE} #3": [1], again("ann"): [0]}
    analysis = analyze(_book(given).snapshot())
    assert analysis.agreement == ()
    assert analysis.grading.judges == (JUDGE.removeprefix("judge "),)
    assert levels_by_grader(_book(given).snapshot()) == {JUDGE: {1: {"right": 1}}}


def _calibrated(wrong: int, labels: int = 40) -> Book:
    """A judge that errs on so many of the labels, half of which people pass; and ten outputs without a label."""
    book = Book(rounds=[round_(1, (JUDGE, "ann"))])
    for n in range(labels + 10):
        trial, truth = book.trial(f"i{n}", answered()), n % 2
        if n < labels:
            book.grade(trial, truth, grader="ann")
        book.grade(trial, 1 - truth if n < wrong else truth)
    return book


@pytest.mark.parametrize(
    ("wrong", "labels", "dropped"), [(2, 40, False), (20, 40, True), (14, 29, False), (15, 30, True)]
)
def test_a_judge_that_is_not_shown_to_know_enough_is_dropped(wrong: int, labels: int, dropped: bool) -> None:
    analysis = analyze(_calibrated(wrong, labels).snapshot())
    (judge,) = analysis.judges
    assert (judge.dropped is not None) == dropped
    assert (judge.accuracy.youden.low or 0) <= 0.3 if dropped else True
    graded = sum(model.counts.graded for model in analysis.models)
    assert graded == labels + (0 if dropped else 10)
    told = [warning for warning in analysis.warnings if "dropped" in warning]
    assert len(told) == dropped
    if dropped:
        assert "10" in next(w for w in analysis.warnings if "ungraded and left out" in w)


def test_a_dropped_judge_hides_no_grade_of_people() -> None:
    """In a later round of its own it has graded more outputs than they; where it is right it is the one to go by."""
    for wrong, counts, graded in ((20, 1, 40), (2, 2, 50)):
        book = _calibrated(wrong)
        book.rounds = [round_(1, ("ann",)), round_(2)]
        book.grades = [replace(g, round_id=2 if g.grader == JUDGE else 1) for g in book.grades]
        analysis = analyze(book.snapshot())
        assert analysis.grading.round is not None
        assert analysis.grading.round.id == counts
        assert sum(model.counts.graded for model in analysis.models) == graded


@pytest.mark.parametrize("rule", ["median", "majority", "mean", "all"])
def test_a_judge_is_held_against_the_verdicts_that_make_the_rates(rule: str) -> None:
    """Where people differ, too: an output on which they are split is as much of the sample as the others."""
    rules = rubric(judged("right"), satisfactory={"score": 0.75}, aggregate=rule)
    book = Book(spec(rubric=rules.content()), rounds=[round_(1, (JUDGE, "ann", "ben"))])
    for n, (ann, ben, judge) in enumerate(product((0, 2), repeat=3)):
        trial = book.trial(f"i{n}", answered())
        for grader, level in (("ann", ann), ("ben", ben), (JUDGE, judge)):
            book.grade(trial, level, criterion="right", grader=grader)
    analysis, snapshot = analyze(book.snapshot()), book.snapshot()
    decided = {found.trial_id: found.satisfied for found in trial_results(snapshot, rules)}
    assert people_verdicts(levels_by_grader(snapshot), rules) == decided
    (found,) = analysis.judges
    assert found.outputs == 8
    assert found.accuracy.youden.value == 0  # this judge says yes to half of everything


def test_the_rule_is_part_of_the_rubric_and_its_default_leaves_every_hash_as_it_was() -> None:
    plain = rubric(judged("correct"))
    assert plain.aggregate == "median"
    assert "aggregate" not in plain.content()
    old = plain.model_dump(mode="json", by_alias=True)
    old.pop("aggregate")
    from evalkit.strict import content_sha256

    assert plain.sha256 == content_sha256(old)
    other = plain.model_copy(update={"aggregate": "all"})
    other.__dict__.pop("sha256", None)
    assert other.sha256 != plain.sha256
    assert other.content()["aggregate"] == "all"
