"""Whose word decides on each side of a gate: where some could not tell, and criterion by criterion."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from analysis_builders import HAIKU, JUDGE, OPUS, PASS_OR_FAIL, Book, answered, round_, spec, write_run
from gates import BASELINE, CANDIDATE, run
from sweep_builders import three_sizes

from evalkit.analysis import analyze
from evalkit.analysis.contexts import at_context
from evalkit.cli import main
from evalkit.errors import IntegrityError
from evalkit.gating.evidence import against_itself, evidence_of
from evalkit.gating.graders import refuse_other_graders
from evalkit.records import Grade

ITEMS = 60
TWO = {**PASS_OR_FAIL, "criteria": [*PASS_OR_FAIL["criteria"], {**PASS_OR_FAIL["criteria"][0], "id": "kind"}]}
Said = Callable[[int, str], Mapping[str, int | None]]
"""What each grader says of an output, by item and model; None: could not tell."""


def check_graders(refused: str | None, **says: Said) -> None:
    """Whether the graders of items on which they say this, by criterion, are refused with that reason."""
    rubric = TWO if "kind" in says else PASS_OR_FAIL
    book = Book(spec((BASELINE, CANDIDATE), rubric=rubric), rounds=[round_(graders=())])
    for item in range(ITEMS):
        for model in (BASELINE, CANDIDATE):
            trial = book.trial(f"item-{item:02d}", answered(served_model=model), model=model)
            for criterion, of_output in says.items():
                for grader, level in of_output(item, model).items():
                    reason = "could not tell" if level is None else None
                    book.grade(trial, level, grader=grader, criterion=criterion, ungraded_reason=reason)
    snapshot = book.snapshot()
    with pytest.raises(IntegrityError, match=refused) if refused else nullcontext():
        refuse_other_graders(snapshot, BASELINE, snapshot, CANDIDATE)


def told(item: int, model: str, baseline: int, candidate: int) -> int | None:
    """A level, but None of so many items' outputs of each model, which lie scattered."""
    return None if item * 7 % ITEMS < (baseline if model == BASELINE else candidate) else 1


@pytest.mark.parametrize("others", [[], [JUDGE]])
def test_who_could_not_tell_has_graded_all_the_same(others: Sequence[str]) -> None:
    """Where no other person has: what stands for it then a gate reckons with, and nothing that one can do mends it."""
    check_graders(None, right=lambda item, model: {"ann": told(item, model, 0, 20), **dict.fromkeys(others, 1)})


@pytest.mark.parametrize(
    ("says", "refused"),
    [
        (
            lambda i, m: {"ann": told(i, m, 3, 24), "ben": 1},
            f"^ann graded 57 of 60 items' outputs of {BASELINE} and 36 of",
        ),
        (
            lambda i, m: {"ann": told(i, m, 24, 3), "ben": 1},
            f"^ann graded 36 of 60 items' outputs of {BASELINE} and 57 of",
        ),
        (
            lambda i, m: {f"p{i % 12}": told(i, m, 3, 24), f"p{(i + 1) % 12}": 1},
            f"^2 people or more graded 57 of 60 items' outputs of {BASELINE} and 36 of",
        ),
        (lambda i, m: {"ann": told(i, m, 20, 23), "ben": 1}, None),
        (lambda i, m: {"ann": told(i, m, 3, 24), "ben": told(i, m, 3, 24)}, None),  # nobody told those
    ],
)
def test_what_one_of_several_could_not_tell_rests_on_the_others(says: Said, refused: str | None) -> None:
    """A strict grader who is unsure of one side more leaves it to a lenient one; and two are stricter than one."""
    remedy = ", without what they could not tell, so that.*; have people who can tell both sides grade them"
    check_graders(refused and f"{refused}.*{remedy}", right=says)


@pytest.mark.parametrize(("unsure", "refused"), [(0.05, True), (0.0, False)])
def test_a_few_outputs_that_the_stricter_of_two_could_not_tell_may_hide_a_loss_of_a_small_margin(
    unsure: float, refused: bool
) -> None:
    book = Book(spec((BASELINE, CANDIDATE)), rounds=[round_(graders=())])
    for item in range(300):
        for model in (BASELINE, CANDIDATE):
            trial = book.trial(f"item-{item:03d}", answered(served_model=model), model=model)
            book.grade(trial, 1, grader="ben")
            open_ = model == CANDIDATE and item < 300 * unsure
            book.grade(trial, None if open_ else 1, grader="ann", ungraded_reason="could not tell" if open_ else None)
    snapshot = book.snapshot()
    with pytest.raises(IntegrityError, match=r"^ann graded 300 of 300") if refused else nullcontext():
        refuse_other_graders(snapshot, BASELINE, snapshot, CANDIDATE)


@pytest.mark.parametrize(
    ("graders", "unread", "items"),
    [((JUDGE, "judge b"), (0, 9), 300), ((JUDGE, "judge b"), (1, 20), 300), (("ann", "ben"), (0, 9), 600)],
)
def test_a_few_outputs_of_one_side_that_one_of_two_could_not_tell_are_no_unlike_shares(
    graders: tuple[str, str], unread: tuple[int, int], items: int
) -> None:
    """Under a tenth of the items for judges, two in a hundred for people, however surely it is more than by chance."""
    steady, unsure = graders
    book = Book(spec((BASELINE, CANDIDATE)), rounds=[round_(graders=())])
    for item in range(items):
        for model, open_ in zip((BASELINE, CANDIDATE), unread, strict=True):
            trial = book.trial(f"item-{item:03d}", answered(served_model=model), model=model)
            book.grade(trial, 1, grader=steady)
            known = item * 7 % items >= open_
            book.grade(trial, 1 if known else None, grader=unsure, ungraded_reason=None if known else "cannot tell")
    snapshot = book.snapshot()
    refuse_other_graders(snapshot, BASELINE, snapshot, CANDIDATE)


def handed_out(
    seed: int,
    people: int,
    to_strict: tuple[float, float],
    items: int = 200,
    kind: Callable[[int], str] | None = None,
    by_kind: bool = False,
) -> str | None:
    """Why outputs are refused that so many people graded, one each, of whom half got that share of each side; if so.

    `kind`: the tag of each item; `by_kind`: the two halves of the people change places on items of another than `a`.
    """
    draw, book = np.random.default_rng(seed), Book(spec((BASELINE, CANDIDATE)), rounds=[round_(graders=())])
    for item in range(items):
        tags = (kind(item),) if kind else ()
        book.item(f"item-{item:03d}", tags=tags)
        swapped = by_kind and "a" not in tags
        for model, strict in zip((BASELINE, CANDIDATE), to_strict[::-1] if swapped else to_strict, strict=True):
            who = int(draw.integers(people // 2)) + people // 2 * (draw.random() < strict)
            book.grade(
                book.trial(f"item-{item:03d}", answered(served_model=model), model=model), 1, grader=f"p{who:03d}"
            )
    return why_refused(book)


def why_refused(book: Book, *slices: str) -> str | None:
    snapshot = book.snapshot()
    try:
        refuse_other_graders(snapshot, BASELINE, snapshot, CANDIDATE, slices=slices)
    except IntegrityError as error:
        return str(error)
    return None


def test_a_crowd_of_whom_the_strict_graded_more_of_one_side_is_refused() -> None:
    """Nobody alone graded a tenth of it."""
    told = [handed_out(seed, 24, (0.67, 0.33)) for seed in range(20)]
    assert sum(why is not None for why in told) >= 18
    together = (
        f"and 21 other people graded unlike shares of {BASELINE} and {CANDIDATE}, so that being strict looks like"
    )
    assert any(together in (why or "") for why in told)


@pytest.mark.parametrize(("people", "items"), [(2, 200), (24, 200), (50, 100), (100, 200)])
def test_a_crowd_that_outputs_were_handed_out_to_by_chance_is_not(people: int, items: int) -> None:
    """Somebody with four outputs has all of one model once in eight times."""
    assert sum(handed_out(seed, people, (0.5, 0.5), items) is not None for seed in range(20)) <= 1


def test_what_one_could_not_tell_of_one_topic_refuses_a_gate_of_that_topic_alone() -> None:
    """Ann and Ben grade everything, and Ben cannot tell nine of the candidate's outputs of a rare tag."""
    book = Book(spec((BASELINE, CANDIDATE)), rounds=[round_(graders=())])
    for item in range(500):
        book.item(f"item-{item:03d}", tags=("legal",) if item < 60 else ())
        for model in (BASELINE, CANDIDATE):
            trial = book.trial(f"item-{item:03d}", answered(served_model=model), model=model, level=None)
            book.grade(trial, 1, grader="ann")
            untold = model == CANDIDATE and item < 9
            book.grade(trial, None if untold else 1, grader="ben", ungraded_reason="?" if untold else None)
    assert why_refused(book) is None
    assert (why_refused(book, "legal") or "").startswith("on the 60 items of 'legal', ")


@pytest.mark.parametrize("people", [2, 14])
def test_people_who_change_places_between_kinds_of_items_are_refused_on_one_kind(people: int) -> None:
    """Of a set that lies sorted, who grades the baseline's first half and the candidate's second grades one kind."""
    for seed in range(5):
        told = handed_out(seed, people, (1.0, 0.0), kind=lambda item: "a" if item < 100 else "b", by_kind=True)
        assert re.match(r"on the 100 items of '[ab]', p\d+(, p\d+)? and .* graded unlike shares of", told or ""), told


@pytest.mark.parametrize("people", [2, 14])
def test_people_who_change_places_within_each_kind_of_items_are_not(people: int) -> None:
    """Nor are those to whom outputs were handed out by chance, whatever tags there are."""
    for kind in (lambda item: str(item % 2), lambda item: f"tag {item % 12}"):
        told = [handed_out(seed, people, (0.5, 0.5), kind=kind) for seed in range(20)]
        assert sum(why is not None for why in told) <= 1
    assert not latin(people, kind=lambda item: str(item // 2 % 2))


def latin(people: int, kind: Callable[[int], str], items: int = 200) -> str | None:
    """The same of people who change places from one item to the next."""
    book = Book(spec((BASELINE, CANDIDATE)), rounds=[round_(graders=())])
    for item in range(items):
        book.item(f"item-{item:03d}", tags=(kind(item),))
        for side, model in enumerate((BASELINE, CANDIDATE)):
            who = (item + side * people // 2) % people
            book.grade(book.trial(f"item-{item:03d}", answered(), model=model), 1, grader=f"p{who}")
    return why_refused(book)


@pytest.mark.parametrize(
    ("swapped", "refused"),
    [
        (True, f"^on right, outputs of {BASELINE} were graded by ann, who graded hardly any of {CANDIDATE}"),
        (False, None),
    ],
)
def test_each_criterion_is_graded_by_the_same_on_both_sides(swapped: bool, refused: str | None) -> None:
    """Graders who change places have graded both sides, and each criterion of one side alone."""

    def by(first: str, other: str) -> Said:
        return lambda item, model: {other if swapped and model == CANDIDATE else first: 1}

    check_graders(refused, right=by("ann", "ben"), kind=by("ben", "ann"))


def test_a_criterion_that_one_side_is_graded_more_on_is_named() -> None:
    def kind(item: int, model: str) -> Mapping[str, int | None]:
        return {"ann" if item < (50 if model == BASELINE else 10) else "ben": 1}

    refused = f"^on kind, ann graded 50 of 60 items' outputs of {BASELINE} and 10 of {CANDIDATE}, so that"
    check_graders(refused, right=lambda item, model: {"ann": 1, "ben": 1}, kind=kind)


@pytest.mark.parametrize("people", [True, False])
def test_what_a_judge_could_not_read_matters_where_its_word_counts(people: bool) -> None:
    def says(item: int, model: str) -> Mapping[str, int | None]:
        unread = {"judge b": None} if model == CANDIDATE and item < 20 else {"judge b": 1}
        return {JUDGE: 1, **unread, **({"ann": told(item, model, 0, 20)} if people else {})}

    check_graders(None if people else f"^judge b graded 60 of 60 items' outputs of {BASELINE} and 40 of", right=says)


@pytest.mark.parametrize(("size", "refused"), [(10_000, True), (2000, False), (50_000, False)])
def test_of_a_sweep_the_size_that_decides_is_asked_about(size: int, refused: bool) -> None:
    """Sixty items at each of three sizes, at one of which somebody graded three quarters of one side."""
    sweep = three_sizes(card=10_000)
    place = {item.id: item.context_tokens for item in sweep.items}
    trials = {trial.id: trial.key for trial in sweep.trials}

    def by(grade: Grade) -> Grade:
        key = trials[grade.trial_id]
        share = 2 if place[key.item_id] != size else 3 if key.model == OPUS else 1
        return replace(grade, grader="ann" if int(key.item_id[5:8]) % 4 < share else "ben")

    graded = replace(sweep, grades=tuple(map(by, sweep.grades)))
    told = "ann graded 45 of 60 items' outputs of"
    with pytest.raises(IntegrityError, match=told) if refused else nullcontext():
        refuse_other_graders(graded, OPUS, graded, HAIKU)


def test_of_a_sweep_nobody_says_what_more_items_cost_at_all_sizes() -> None:
    swept = analyze(three_sizes(card=10_000))
    assert evidence_of(swept, swept, OPUS, HAIKU).item_usd is None
    plain = analyze(at_context(three_sizes(card=10_000), 10_000))
    assert evidence_of(plain, plain, OPUS, HAIKU).item_usd is not None


@pytest.mark.parametrize(("by", "refused"), [("epoch", False), ("side", True), ("nobody else", False)])
def test_sides_of_one_model_that_others_graded_are_no_model_beside_itself(
    by: str, refused: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each side has half of each epoch, so that people who graded one epoch each have graded both sides alike."""
    rows: list[list[bool]] = [[True, True]] * ITEMS
    sides = against_itself(analyze(run(rows, rows)), BASELINE).epochs_of
    assert sides is not None
    book = Book(spec((BASELINE, CANDIDATE), epochs=2), rounds=[round_(graders=())])
    for item in range(ITEMS):
        for epoch in (1, 2):
            name = f"item-{item:03d}"
            trial = book.trial(name, answered(served_model=BASELINE), model=BASELINE, epoch=epoch)
            bens = {"epoch": epoch == 2, "side": sides[1](name) == epoch}.get(by, False)
            book.grade(trial, 1, grader="ben" if bens else "ann")
    code = main(["gate", str(write_run(tmp_path / "run.db", book.snapshot())), "--aa"])
    assert code == (6 if refused else 0)
    told = f"outputs of one epoch of {BASELINE} were graded by ann, who graded hardly any of its other"
    assert (told in capsys.readouterr().err) == refused
