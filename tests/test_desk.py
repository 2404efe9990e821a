"""The desk: piles in an order of one's own, marks written once, shares, repeats, and the end of a round."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from evalkit.blind import HIDDEN, GradingTask
from evalkit.desk import CANNOT_TELL, Desk, Mark, Standing, close_round, open_for_people
from evalkit.errors import IntegrityError, UsageError
from evalkit.grade import open_round
from evalkit.grader_names import CHECKS, first_of, is_again
from evalkit.grading_records import WITHDRAWN, RoundEvent
from evalkit.models import LINE_UP
from evalkit.queues import rubric_of
from evalkit.rounds import HANDED_OUT, Settings, being_graded, left_at_closing, left_to_grade, people_of, shares
from evalkit.standing_grades import counting, standing
from evalkit.store import RunFile
from evalkit.web.turnout import Turnout
from tests import people
from tests.people import RUBRIC

ITEMS = 12


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunFile]:
    with RunFile(people.write(tmp_path / "run.db", ITEMS)) as file:
        yield file


def desk_of(run: RunFile, *names: str, blind: bool = True, **settings: Any) -> Desk:
    desk = Desk(run, open_for_people(run, blind, Settings(**settings)))
    for person in names:
        desk.join(person)
    return desk


def tasks(desk: Desk, person: str) -> list[GradingTask]:
    return [task for sitting in desk.pile(person).sittings for task in sitting]


def level(label: str, criterion: str = "correct", value: int | None = 2, nonce: str = "n", **more: Any) -> Mark:
    return Mark(nonce, label, "level", {"criterion": criterion, "level": value}, **more)


def grade_all(desk: Desk, person: str) -> None:
    for n, task in enumerate(tasks(desk, person)):
        for criterion in desk.criteria:
            assert desk.take(person, level(task.label, criterion.id, nonce=f"{person}{n}{criterion.id}"))


def test_a_task_shows_the_item_and_the_scrubbed_output_and_nothing_of_its_author(run: RunFile) -> None:
    desk = desk_of(run, "ann")
    seen = repr(desk.pile("ann").sittings).lower()
    assert not [word for word in (*LINE_UP, "claude", "opus", "sonnet", "haiku", "anthropic") if word in seen]
    task = tasks(desk, "ann")[0]
    assert HIDDEN in task.output
    assert [(p.name, p.evidence) for p in task.documents] == [("a.md", False), ("b.md", True)]


def test_a_round_that_is_not_blind_shows_outputs_as_they_came(run: RunFile) -> None:
    pile = desk_of(run, "ann", blind=False).pile("ann")
    came = {attempt.trial_id: attempt.text for attempt in run.snapshot().attempts}
    assert all(task.output == came[pile.trials[task.label].id] for sitting in pile.sittings for task in sitting)
    assert set(pile.identity_marks.values()) == {0}


def test_everybody_has_an_own_order_and_own_labels_which_stay(run: RunFile) -> None:
    desk = desk_of(run, "ann", "ben")
    piles = {person: [task.label for task in tasks(desk, person)] for person in ("ann", "ben")}
    assert not set(piles["ann"]) & set(piles["ben"])
    trials = {p: [desk.pile(p).trials[label].id for label in labels] for p, labels in piles.items()}
    assert trials["ann"] != trials["ben"]
    assert sorted(trials["ann"]) == sorted(trials["ben"]) == list(range(1, 3 * ITEMS + 1))
    again = Desk(run, open_for_people(run, blind=True))
    assert {person: [task.label for task in tasks(again, person)] for person in piles} == piles


def test_an_items_outputs_share_a_screen_and_each_model_stands_before_each_other_equally_often(run: RunFile) -> None:
    desk = desk_of(run, "ann")
    pile = desk.pile("ann")
    screens = [[pile.trials[task.label].key for task in sitting] for sitting in pile.sittings]
    assert [len({key.item_id for key in screen}) for screen in screens] == [1] * ITEMS
    for a, b in combinations(LINE_UP, 2):
        before = sum([k.model for k in s].index(a) < [k.model for k in s].index(b) for s in screens)
        assert abs(2 * before - ITEMS) <= 1
    assert len({tuple(key.model for key in screen) for screen in screens}) > 2


def test_a_mark_is_in_the_file_before_take_returns_and_only_once(run: RunFile) -> None:
    desk = desk_of(run, "ann")
    label = tasks(desk, "ann")[0].label
    assert desk.take("ann", level(label, active_s=3.0))
    with RunFile(run.path, read_only=True) as other:
        seen = other.snapshot()
    assert [(g.grader, g.criterion, g.level, g.identity_marks) for g in seen.grades] == [("ann", "correct", 2, 1)]
    assert not desk.take("ann", level(label, active_s=3.0))
    assert len(run.snapshot().grades) == 1
    assert desk.standing("ann")[label] == Standing(levels={"correct": 2}, active_s=3.0)


def test_standing_is_the_same_at_another_desk(run: RunFile) -> None:
    desk = desk_of(run, "ann")
    first, second = desk.pile("ann").sittings[0][:2]
    other = desk.pile("ann").sittings[1][0].label
    for n, mark in enumerate((
        level(first.label), level(first.label, "tone", 1), level(first.label, "tone", 0),
        Mark("", first.label, "flag", {"on": True}), Mark("", first.label, "note", {"text": "odd"}, 2.0),
        Mark("", first.label, "edit", {"text": "I say so."}, 90.0), Mark("", first.label, "done"),
        Mark("", second.label, "skip"),
        Mark("", first.label, "prefer", {"over": second.label, "choice": "first"}),
        level(other, "tone", None), Mark("", other, "time", {}, 5.0),
    )):  # fmt: skip
        assert desk.take("ann", Mark(str(n), mark.label, mark.kind, mark.content, mark.active_s))
    again = Desk(run, open_for_people(run, blind=True)).standing("ann")
    assert again == desk.standing("ann")
    assert again[first.label] == Standing(
        {"correct": 2, "tone": 0}, flagged=True, note="odd", done=True, edited="I say so.",
        preferred={second.label: "first"}, active_s=92.0, edit_s=90.0,
    )  # fmt: skip
    assert again[second.label].skipped == 1
    assert again[other].levels == {"tone": None}


def test_who_wrote_what_is_asked_last_and_then_grades_stand(run: RunFile) -> None:
    desk = desk_of(run, "ann", "ben", ask_author=True)
    first, second = desk.pile("ann").sittings[0][:2]
    guess = Mark("g", first.label, "author", {"guess": LINE_UP[0]})
    grade_all(desk, "ann")
    assert not desk.is_through("ann")
    labels = list(desk.pile("ann").trials)
    for label in labels[1:]:
        assert desk.take("ann", Mark(f"d{label}", label, "done"))
    for too_early in (lambda: desk.take("ann", guess), lambda: desk.ask_who_wrote("ann")):
        with pytest.raises(
            UsageError, match=r"none of the answers offered|1 output left; who wrote them is asked last"
        ):
            too_early()
    assert desk.authors("ann") == ()
    assert desk.take("ann", level(labels[0], nonce="once"))
    desk.take("ann", Mark("d", labels[0], "done"))
    assert desk.ask_who_wrote("ann") == desk.ask_who_wrote("ann") == tuple(sorted(LINE_UP))
    assert desk.take("ann", guess)
    later = Desk(run, desk.round)
    assert (later.authors("ann"), later.authors("ben")) == (tuple(sorted(LINE_UP)), ())
    before = run.snapshot()
    for mark in (
        level(first.label, value=0, nonce="late"),
        Mark("p", first.label, "prefer", {"over": second.label, "choice": "tie"}),
        Mark("e", first.label, "edit", {"text": "better"}, 3.0),
    ):  # fmt: skip
        with pytest.raises(UsageError, match="has been asked who wrote what, so the grades stand"):
            later.take("ann", mark)
    assert not later.take("ann", level(labels[0], nonce="once"))  # what was written before may be sent again
    assert later.take("ann", Mark("f", first.label, "flag", {"on": True}))
    after = run.snapshot()
    assert (after.grades, after.preferences, after.corrections) == (
        before.grades,
        before.preferences,
        before.corrections,
    )
    assert not later.is_through("ann")
    for label in labels:
        later.take("ann", Mark(f"g{label}", label, "author", {"guess": None}))
    assert later.is_through("ann")
    with pytest.raises(UsageError, match="use --ask-author"):
        desk_of(run, "cleo", ask_author=False).ask_who_wrote("cleo")


def test_what_others_read_is_written_beside_the_mark(run: RunFile) -> None:
    desk = desk_of(run, "ann")
    first, second = desk.pile("ann").sittings[0][:2]
    for n, mark in enumerate((
        level(first.label), level(first.label, value=None), Mark("", first.label, "level", {"criterion": "correct"}),
        Mark("", first.label, "edit", {"text": "x"}, 30.0), Mark("", first.label, "edit", {"text": "y"}, 60.0),
        Mark("", second.label, "prefer", {"over": first.label, "choice": "tie"}),
    )):  # fmt: skip
        desk.take("ann", Mark(str(n), mark.label, mark.kind, mark.content, mark.active_s))
    seen, trials = run.snapshot(), desk.pile("ann").trials
    assert [(g.level, g.ungraded_reason) for g in seen.grades] == [(2, None), (None, CANNOT_TELL), (None, WITHDRAWN)]
    assert [(c.grader, c.trial_id, c.minutes) for c in seen.corrections] == [
        ("ann", trials[first.label].id, minutes) for minutes in (0.5, 1.5)
    ]
    assert [(p.first_trial_id, p.second_trial_id, p.choice) for p in seen.preferences] == [
        (trials[second.label].id, trials[first.label].id, "tie")
    ]
    changes = [m.content["changed"] for m in seen.markings if m.kind == "edit"]
    assert changes == [1.0, 1.0]


@pytest.mark.parametrize(
    ("kind", "content", "told"),
    [
        ("level", {"criterion": "correct", "level": 7}, "7 is no level of 'correct'; use 0, 1, 2"),
        ("level", {"criterion": "correct", "level": True}, "True is no level"),
        ("level", {"criterion": "correct", "level": "2"}, "'2' is no level"),
        ("level", {"criterion": "correct", "level": 1.0}, "1.0 is no level"),
        ("level", {"criterion": "correct", "level": [2]}, r"\[2\] is no level"),
        ("level", {"criterion": "format", "level": 1}, "'format' is no criterion that people grade"),
        ("level", {}, "None is no criterion"),
        ("note", {"text": 3}, "a note needs a text"),
        ("edit", {"text": "x" * 200_001}, "at most 200,000 characters"),
        ("flag", {"on": "yes"}, "on or off"),
        ("author", {"guess": LINE_UP[0]}, "none of the answers offered"),
        ("prefer", {"over": "nobody", "choice": "first"}, "between two outputs of one item"),
        ("done", {}, "criteria without a level"),
    ],
)
def test_what_cannot_be_taken_is_refused_and_nothing_is_written(
    kind: Any, content: Mapping[str, Any], told: str, run: RunFile
) -> None:
    desk = desk_of(run, "ann")
    with pytest.raises(UsageError, match=told):
        desk.take("ann", Mark("n", tasks(desk, "ann")[0].label, kind, content))
    assert run.snapshot().markings == () == run.snapshot().grades


def test_a_choice_that_was_not_offered_is_refused(run: RunFile) -> None:
    desk = desk_of(run, "ann")
    first, second = desk.pile("ann").sittings[0][:2]
    with pytest.raises(UsageError, match="'both' is no choice; use first, second or tie"):
        desk.take("ann", Mark("n", first.label, "prefer", {"over": second.label, "choice": "both"}))


def test_marks_of_another_person_of_no_label_and_of_no_time_are_refused(run: RunFile) -> None:
    desk = desk_of(run, "ann", "ben")
    with pytest.raises(UsageError, match="none of the outputs"):
        desk.take("ben", level(tasks(desk, "ann")[0].label))
    with pytest.raises(UsageError, match="does not take part"):
        desk.take("cleo", level("x"))
    for seconds in (-1.0, 1e9, float("nan")):
        with pytest.raises(UsageError, match="no number of seconds"):
            desk.take("ann", level(tasks(desk, "ann")[0].label, active_s=seconds))


@pytest.mark.parametrize("name", ["", " ", "judge x", "checks", "check y", "ann (again)", " ann", "a\nb", "x" * 61])
def test_a_name_that_reads_as_something_else_cannot_join(name: str, run: RunFile) -> None:
    with pytest.raises(UsageError, match=r"cannot be used|spaces around"):
        desk_of(run, name)
    assert people_of(run.snapshot(), 1) == ()


@pytest.mark.parametrize("name", ["Ann", "\u0430nn", "\u00e1nn", "an\u200bn"])
def test_one_person_under_two_spellings_cannot_join_twice(name: str, run: RunFile) -> None:
    with pytest.raises(UsageError, match=r"looks like 'ann'|cannot be used"):
        desk_of(run, "ann", name)
    assert desk_of(run, "ann", "anna").people == ("ann", "anna")


def test_shares_are_even_and_a_newcomer_takes_nothing_begun(run: RunFile) -> None:
    desk = desk_of(run, "ann", "ben", overlap=1)
    assert {len(desk.pile(p).sittings) for p in ("ann", "ben")} == {ITEMS // 2}
    begun = desk.pile("ann").sittings[0]
    desk.take("ann", level(begun[0].label))
    desk.join("cleo")
    labels = [{task.label for task in sitting} for sitting in desk.pile("ann").sittings]
    assert {task.label for task in begun} in labels
    assert Counter(len(desk.pile(p).sittings) for p in ("ann", "ben", "cleo")) == {4: 3}


def test_a_pile_handed_out_stays_whole_and_is_handed_out_once(run: RunFile) -> None:
    desk = desk_of(run, "ann", "ben", overlap=1)
    taken = desk.hand_out("ann")
    events = run.snapshot().events
    desk.join("cleo")
    assert desk.hand_out("ann").trials == taken.trials
    assert run.snapshot().events == (*events, RoundEvent("joined", desk.round.id, "cleo", at=ANY))


def test_repeats_come_later_under_another_label_beside_a_new_output_and_count_for_nobody_else(run: RunFile) -> None:
    desk = desk_of(run, "ann", repeat_share=0.1)
    pile = desk.pile("ann")
    repeated = [label for label, name in pile.graders.items() if is_again(name)]
    assert len(repeated) == 4
    place = {task.label: n for n, sitting in enumerate(pile.sittings) for task in sitting}
    for label in repeated:
        (first,) = [one for one, t in pile.trials.items() if t.id == pile.trials[label].id and one != label]
        assert place[label] > place[first]
        beside = {is_again(pile.graders[task.label]) for task in pile.sittings[place[label]]}
        assert beside == {True, False}
    grade_all(desk, "ann")
    grades = run.snapshot().grades
    assert {g.grader for g in grades} == {"ann", "ann (again)"}
    assert {first_of(g.grader) for g in grades} == {"ann"} == {g.grader for g in counting(grades)}
    assert left_to_grade(run.snapshot(), 1, RUBRIC) == {"ann": 0}


def test_side_by_side_whole_items_come_again_in_an_order_of_their_own(run: RunFile) -> None:
    desk = desk_of(run, "ann", repeat_share=0.05, layout="side")
    pile = desk.pile("ann")
    kinds = [{is_again(pile.graders[task.label]) for task in sitting} for sitting in pile.sittings]
    assert Counter(map(frozenset, kinds)) == {frozenset({False}): ITEMS, frozenset({True}): 3}
    assert {len(sitting) for sitting in pile.sittings} == {3}
    first, second = pile.sittings[kinds.index({True})][:2]
    assert desk.take("ann", Mark("p", first.label, "prefer", {"over": second.label, "choice": "first"}))
    assert [p.grader for p in run.snapshot().preferences] == ["ann (again)"]


def test_where_nothing_is_hidden_everybodys_outputs_are_still_their_own_and_a_repeat_another(run: RunFile) -> None:
    desk = desk_of(run, "ann", "ben", blind=False, repeat_share=0.1)
    grade_all(desk, "ann")
    assert not set(desk.pile("ann").trials) & set(desk.pile("ben").trials)
    assert Counter(g.grader for g in run.snapshot().grades) == {"ann": 2 * 3 * ITEMS, "ann (again)": 2 * 4}


def test_people_go_on_in_the_round_they_have_begun_whatever_judges_open_meanwhile(run: RunFile) -> None:
    begun = desk_of(run, "ann").round
    newer = open_round(run, ("judge a",), blind=True)
    assert open_round(run, ("judge b",), blind=True).id > newer.id > 0
    assert open_for_people(run, blind=True).id == begun.id
    close_round(run, begun.id, "enough")
    assert open_for_people(run, blind=True).id == newer.id + 1  # the newest that is open


def test_a_closing_names_the_outputs_that_people_were_asked_about_and_left(run: RunFile) -> None:
    some = tuple(item.id for item in run.snapshot().items[:2])
    desk = desk_of(run, "ann", items=some)
    desk.deal("ann")
    (one, *rest) = tasks(desk, "ann")
    for n, criterion in enumerate(desk.criteria):
        assert desk.take("ann", level(one.label, criterion.id, nonce=str(n)))
    close_round(run, desk.round.id, "closed by hand")
    asked = {trial.key for trial in run.snapshot().trials if trial.key.item_id in some}
    assert len(rest) == len(asked) - 1
    left = left_at_closing(run.snapshot(), desk.round.id)
    assert len(left) == len(rest)
    assert left < asked


def test_a_closing_names_nothing_that_came_after_people_took_their_outputs_away(tmp_path: Path) -> None:
    """Whoever works on a sheet of earlier items has been dealt later ones as well, and was never asked about them."""
    with RunFile(people.write(tmp_path / "run.db", ITEMS)) as run:
        some = [item.id for item in run.snapshot().items[:3]]
        desk = desk_of(run, "ann", "ben")
        run.add_event(RoundEvent("joined", desk.round.id, "ann", {HANDED_OUT: some}, at="2026-11-03T10:00:00+00:00"))
        desk = Desk(run, desk.round)
        assert {t.key.item_id for t in desk.deal("ann").trials.values()} > set(some)
        close_round(run, desk.round.id, "closed by hand")
        left = left_at_closing(run.snapshot(), desk.round.id)
        assert {key.item_id for key in left} == set(some), "and ben has never opened the page"


def test_a_closing_names_nothing_of_a_desk_that_nobody_came_to(run: RunFile) -> None:
    """How far everybody is, is known without dealing them anything; a mark deals what it is on."""
    desk = desk_of(run, "ann", "ben")
    assert Turnout(desk).counts() == {"ann": (0, 3 * ITEMS), "ben": (0, 3 * ITEMS)}
    assert desk.take("ann", level(tasks(desk, "ann")[0].label, nonce="begun"))
    close_round(run, desk.round.id, "closed by hand")
    (left,) = left_at_closing(run.snapshot(), desk.round.id)
    assert left == desk.pile("ann").trials[tasks(desk, "ann")[0].label].key, "one of its criteria lacks a grade"


def test_a_repeat_that_was_taken_away_comes_back_though_others_are_drawn_by_now(tmp_path: Path) -> None:
    """More is run while somebody has a sheet: another order, and other repeats."""
    with RunFile(people.write(tmp_path / "run.db", ITEMS)) as run:
        desk = desk_of(run, "ann", repeat_share=0.1, items=tuple(item.id for item in run.snapshot().items[:5]))
        pile = desk.hand_out("ann")
        repeats = {label for label, name in pile.graders.items() if is_again(name)}
        grown = Settings(repeat_share=0.1)
        run.add_event(RoundEvent("settings", desk.round.id, None, grown.content(), at="2026-11-03T10:00:00+00:00"))
        later = Desk(run, desk.round)
        assert pile.trials.keys() < later.pile("ann").trials.keys()
        again_now = {label for label, name in later.pile("ann").graders.items() if is_again(name)}
        assert repeats < again_now
        shown = [task.label for sitting in later.pile("ann").sittings for task in sitting]
        assert sorted(shown) == sorted(later.pile("ann").trials)
        grade_all(later, "ann")
        graded = {grade.trial_id for grade in run.snapshot().grades if is_again(grade.grader)}
        assert {pile.trials[label].id for label in repeats} < graded


def test_items_that_are_named_are_asked_for_beside_a_sample_and_not_out_of_it(run: RunFile) -> None:
    """`--calibrate` and then `--discordant` in one round."""
    named = tuple(item.id for item in run.snapshot().items[6:])
    desk = desk_of(run, "ann", sample=9)
    (sampled,) = shares(run.snapshot(), desk.round.id).values()
    assert len(sampled) == 3
    assert not set(named) <= set(sampled)
    open_for_people(run, True, Settings(sample=9, items=named))
    (both,) = shares(run.snapshot(), desk.round.id).values()
    assert set(both) == {*named, *sampled}


def test_what_a_person_took_away_stays_theirs_though_other_items_are_asked_for_by_now(run: RunFile) -> None:
    """A sample or a queue is drawn anew when more is run; the sheet still comes back, and nobody else gets it."""
    some, others = ([item.id for item in run.snapshot().items][part] for part in (slice(4), slice(3, 9)))
    desk = desk_of(run, "ann", items=tuple(some))
    sheet = desk.hand_out("ann").trials
    run.add_event(
        RoundEvent("settings", desk.round.id, None, Settings(items=tuple(others)).content(), at="2026-11-03T10:00:00Z")
    )
    later = Desk(run, desk.round)
    later.join("ben")
    assert sheet.keys() < later.pile("ann").trials.keys()
    asked = {grader: {t.key.item_id for t in later.pile(grader).trials.values()} for grader in ("ann", "ben")}
    assert asked == {"ann": {*some, *others}, "ben": {*others}}
    assert len(sheet) == 3 * 4


def test_a_round_is_at_work_until_it_is_closed_and_then_takes_nothing(run: RunFile) -> None:
    assert being_graded(run.snapshot()) is None
    desk = desk_of(run, "ann")
    assert (desk.round.graders, desk.authors("ann")) == ((CHECKS,), ())
    working = being_graded(run.snapshot())
    assert working is not None
    assert working.id == desk.round.id
    assert desk.left() == {"ann": 3 * ITEMS}
    grade_all(desk, "ann")
    assert desk.left() == {"ann": 0}
    assert desk.is_open
    close_round(run, desk.round.id, "all graded")
    assert not desk.is_open
    close_round(run, desk.round.id, "twice")
    (closing,) = [event.content for event in run.snapshot().events if event.kind == "closed"]
    assert closing == {"why": "all graded", "left": []}
    assert being_graded(run.snapshot()) is None
    with pytest.raises(IntegrityError, match="has been closed"):
        desk.take("ann", level(tasks(desk, "ann")[0].label, nonce="late"))
    assert open_for_people(run, blind=True).id == desk.round.id + 1


def test_a_withdrawn_level_is_left_to_grade_again(run: RunFile) -> None:
    desk = desk_of(run, "ann")
    grade_all(desk, "ann")
    desk.take("ann", Mark("w", tasks(desk, "ann")[0].label, "level", {"criterion": "tone"}))
    assert desk.left() == {"ann": 1}
    assert len(standing(run.snapshot().grades)) == 2 * 3 * ITEMS - 1


def test_only_outputs_and_only_grades_of_the_round_count_in_what_is_left(run: RunFile) -> None:
    desk = desk_of(run, "ann")
    grade_all(desk, "ann")
    seen = run.snapshot()
    elsewhere = replace(seen, grades=tuple(replace(grade, round_id=7) for grade in seen.grades))
    assert left_to_grade(elsewhere, desk.round.id, RUBRIC) == {"ann": 3 * ITEMS}
    silent = replace(elsewhere, attempts=elsewhere.attempts[1:])
    assert left_to_grade(silent, desk.round.id, RUBRIC) == {"ann": 3 * ITEMS - 1}


def test_a_rubric_that_is_not_the_one_fixed_before_the_run_grades_nothing(run: RunFile) -> None:
    seen = run.snapshot()
    edited = replace(seen, spec=replace(seen.spec, rubric_sha256="0" * 64))
    with pytest.raises(IntegrityError, match="rubric does not match its hash"):
        rubric_of(edited)


def test_a_secret_is_the_same_at_another_desk_and_serves_one_purpose(run: RunFile) -> None:
    one, other = desk_of(run, "ann"), desk_of(run, "ann")
    assert one.secret("cookies") == other.secret("cookies") != one.secret("links")


def test_people_join_the_round_of_a_judge_and_settings_are_declared_once(run: RunFile) -> None:
    run.add_event(RoundEvent("shown", None, None, {"how": "report"}))
    first = desk_of(run, "ann", overlap=2)
    second = desk_of(run, "ben", overlap=2)
    assert (first.round.id, second.people, second.settings.overlap) == (second.round.id, ("ann", "ben"), 2)
    assert [event.kind for event in run.snapshot().events] == ["shown", "settings", "joined", "joined"]


@pytest.mark.parametrize(("sample", "items"), [(1, 1), (3, 1), (4, 2), (30, 10), (1000, ITEMS), (None, ITEMS)])
def test_a_sample_is_of_whole_items_so_that_every_model_is_in_it_equally(
    sample: int | None, items: int, run: RunFile
) -> None:
    desk = desk_of(run, "ann", "ben", sample=sample, overlap=1)
    seen = [trial.key for person in ("ann", "ben") for trial in desk.pile(person).trials.values()]
    assert len(seen) == 3 * items
    assert set(Counter(key.model for key in seen).values()) == {items}
    assert sum(desk.left().values()) == 3 * items
    grade_all(desk, "ann")
    grade_all(desk, "ben")
    assert desk.left() == {"ann": 0, "ben": 0}


def test_a_sample_is_drawn_by_the_seed_and_grows_by_adding(run: RunFile) -> None:
    def drawn(sample: int) -> set[str]:
        desk = desk_of(run, "ann", sample=sample)
        return {trial.key.item_id for trial in desk.pile("ann").trials.values()}

    few, more = drawn(9), drawn(18)
    assert few < more
    assert drawn(9) == few
    assert sorted(few) != [f"i{n}" for n in range(3)]
