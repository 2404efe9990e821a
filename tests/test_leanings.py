"""People's leanings: a liking for the place shown first or for length, and grades given faster than anybody reads."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from analysis_builders import HAIKU, OPUS, Book, answered, round_, spec
from report_pages import plain_text, section

from evalkit import stats
from evalkit.analysis import analyze
from evalkit.analysis.leanings import Haste, Leaning, hasty_graders
from evalkit.analysis.results import Analysis
from evalkit.blocks import Section, Table
from evalkit.grader_names import again
from evalkit.grading_records import Choice, Marking, Preference
from evalkit.report import build_report
from evalkit.stats import Estimate

ANN = "ann"
NEITHER = "ann is not shown to favour a place or to grade faster than reading takes"
SIZES = {OPUS: 900, HAIKU: 300}
"""Words of each model's outputs: at 1,000 a minute, 54 and 18 s."""


def graded(
    choose: Callable[[int, bool], Choice] | None, seconds: float | None, items: int = 40, others: int = 0
) -> Analysis:
    """Two outputs an item, shown first in turn. `choose` prefers by item and whether the long one is shown first;
    `seconds` of attention go to each output; `others` compare them as well, and favour no place.
    """
    book, preferences, marks = Book(spec((OPUS, HAIKU)), rounds=[round_(1, (ANN,))]), [], []
    for n in range(items):
        long, short = (
            book.trial(f"i{n}", answered(text="word " * SIZES[model]), model=model) for model in (OPUS, HAIKU)
        )
        first, second = (long, short) if n % 2 else (short, long)
        for trial in (first, second):
            book.grade(trial, 1, grader=ANN)
            if seconds is not None:
                marks.append(Marking(1, ANN, trial, "level", {"criterion": "right", "level": 1}, seconds))
        if choose is not None:
            preferences.append(Preference(1, ANN, first, second, choose(n, first == long)))
        for other in range(others):
            preferences.append(Preference(1, f"fair{other}", first, second, "first" if n % 4 < 2 else "second"))
    return analyze(book.snapshot(preferences=tuple(preferences), markings=tuple(marks)))


def shares(leaning: Leaning) -> list[Estimate]:
    return [haste.share for haste in leaning.hasty]


def rows(part: Section) -> list[list[str]]:
    (shown,) = (block for block in part.blocks if isinstance(block, Table))
    return [[plain_text(cell.text) for cell in row.cells] for row in shown.rows]


@pytest.mark.parametrize(
    ("choose", "heading", "first", "longer"),
    [
        (lambda n, _: "first", "ann prefers the output shown first", "100%", "50%"),
        (lambda n, _: "second", "ann prefers the output shown second", "0%", "50%"),
        (lambda n, long: "first" if long else "second", NEITHER, "50%",
         "100%"),
        (lambda n, _: "first" if n % 4 < 2 else "second", NEITHER,
         "50%", "50%"),
    ],
    ids=["the first place", "the second place", "length alone", "neither"],
)  # fmt: skip
def test_a_liking_for_a_place_is_told_from_one_for_length(
    choose: Callable[[int, bool], Choice], heading: str, first: str, longer: str
) -> None:
    part = section(graded(choose, seconds=60), "leanings")
    assert part.heading == heading
    assert [row[2] for row in rows(part)] == [first, longer, "0%"]
    assert rows(part)[1][4] == "not a bias by itself"


def test_of_many_people_one_who_leans_by_chance_is_not_accused() -> None:
    """27 of 40 is apart from a half by itself (52 to 80 %), and not among six people who compared outputs."""
    alone = graded(lambda n, _: "first" if n < 27 else "second", seconds=60)
    among = graded(lambda n, _: "first" if n < 27 else "second", seconds=60, others=5)
    assert section(alone, "leanings").heading == "ann prefers the output shown first"
    assert (
        section(among, "leanings").heading == "Nobody is shown to favour a place or to grade faster than reading takes"
    )
    assert among.leanings[0].first == alone.leanings[0].first


def test_ties_and_what_was_taken_back_lean_nowhere() -> None:
    (found,) = graded(lambda n, _: "tie" if n % 2 else "first", seconds=60).leanings
    assert found.first == stats.rate_clustered([1] * 20, [1] * 20)
    (none,) = graded(lambda n, _: "tie", seconds=60).leanings
    assert none.first.reason == "no output was preferred to another side by side"
    assert len(rows(section(graded(lambda n, _: "tie", seconds=60), "leanings"))) == 1


@pytest.mark.parametrize(("seconds", "share"), [(37.0, 0.0), (35.0, 1.0)])
def test_items_whose_outputs_got_less_time_than_reading_takes_are_counted(seconds: float, share: float) -> None:
    """Both outputs of an item have 1,200 words, 72 s: one may be read before the first mark on the other."""
    analysis = graded(None, seconds)
    (found,) = analysis.leanings
    assert shares(found) == [stats.rate(round(40 * share), 40)]
    heading = section(analysis, "leanings").heading
    assert heading.startswith(
        "ann graded 100% (91–100%) of items faster than they can be read" if share else "ann is not shown"
    )
    warned = [line for line in analysis.warnings if "faster than reading takes" in line]
    assert [line.partition(":")[0] for line in warned] == (
        ["Grader ann was faster than reading takes on 100% of the items (91% to 100%)"] if share else []
    )
    assert not warned or analysis.warnings[0] == warned[0], "before what says less of a rate"
    labels = {part.label for part in build_report(analysis).sections}
    assert "Attention" in labels
    assert all(line.endswith("; Attention in the report has more.") for line in warned)


def test_a_glance_at_a_few_items_is_no_reason_to_doubt_a_rate() -> None:
    few = replace(graded(None, 37.0).leanings[0], hasty=(Haste(1, "both", stats.rate(4, 40)),))  # 4 to 23 %
    assert list(hasty_graders([few])) == []


def test_haste_in_a_round_that_no_longer_counts_says_nothing_of_the_rates() -> None:
    book = Book(spec((OPUS,)), rounds=[round_(1, (ANN,)), round_(2, ("bob",))])
    marks = []
    for n in range(40):
        trial = book.trial(f"i{n}", answered(text="word " * 900))
        for number, (grader, seconds) in enumerate(((ANN, 1.0), ("bob", 60.0)), 1):
            book.grade(trial, 1, grader=grader, round_id=number)
            marks.append(Marking(number, grader, trial, "level", {"criterion": "right", "level": 1}, seconds))
    found = analyze(book.snapshot(markings=tuple(marks)))
    assert [each.grader for each in found.leanings] == ["bob"]
    assert not [line for line in found.warnings if "faster than reading takes" in line]
    by_judge = book.snapshot(markings=tuple(mark for mark in marks if mark.grader == ANN))
    (heard,) = analyze(by_judge).leanings
    assert heard.grader == ANN, "who alone was timed is heard, whichever round counts"
    pairs = Book(spec((OPUS, HAIKU)), rounds=[round_(1, (ANN,)), round_(2, ("bob",))])
    marks, preferences = [], []
    for n in range(40):
        one, other = (pairs.trial(f"i{n}", answered(text="word " * 900), model=model) for model in (OPUS, HAIKU))
        preferences.append(Preference(1, ANN, one, other, "first" if n % 2 else "second"))
        for trial in (one, other):
            pairs.grade(trial, 1, grader="bob", round_id=2)
            for number, grader, seconds in ((1, ANN, 1.0), (2, "bob", 60.0)):
                marks.append(Marking(number, grader, trial, "level", {"criterion": "right", "level": 1}, seconds))
    said = analyze(pairs.snapshot(markings=tuple(marks), preferences=tuple(preferences)))
    told = {each.grader: [(h.rests, h.round_id, h.share.value) for h in each.hasty] for each in said.leanings}
    assert told == {ANN: [("preferences", 1, 1.0)], "bob": [("grades", 2, 0.0)]}, "of whom a choice is told"


@pytest.mark.parametrize(
    ("compared", "anew"), [(15, 150), (40, 40)], ids=["few compared in haste", "all done again with care"]
)
def test_haste_is_told_of_the_round_that_it_was_in(compared: int, anew: int) -> None:
    """Round 1 compared outputs in haste, and its preferences are told; round 2 graded with care, and counts."""
    book = Book(spec((OPUS, HAIKU)), rounds=[round_(1, (ANN,)), round_(2, (ANN,))])
    marks, preferences = [], []
    for n in range(anew):
        one, other = (book.trial(f"i{n}", answered(text="word " * 900), model=model) for model in (OPUS, HAIKU))
        for number, seconds in ((1, 2.0), (2, 200.0)):
            for trial in (one, other) if number == 2 or n < compared else ():
                book.grade(trial, 1, grader=ANN, round_id=number)
                marks.append(Marking(number, ANN, trial, "level", {"criterion": "right", "level": 1}, seconds))
        if n < compared:
            preferences.append(Preference(1, ANN, one, other, "first" if n % 2 else "second"))
    analysis = analyze(book.snapshot(markings=tuple(marks), preferences=tuple(preferences)))
    (found,) = analysis.leanings
    assert shares(found) == [stats.rate(compared, compared), stats.rate(0, anew)]
    (line,) = [line for line in analysis.warnings if "faster than reading takes" in line]
    assert line.startswith(
        f"Grader ann was faster than reading takes on 100% of the {compared} items compared in round 1 ("
    )
    assert "have somebody else compare them before you rely" in line
    part = section(analysis, "leanings")
    assert part.heading.startswith("ann compared 100% (")
    assert part.heading.endswith(") of the items of round 1 faster than they can be read")
    assert [row[1:3] for row in rows(part)][-2:] == [
        ["Compared faster than it can be read (round 1)", "100%"],
        ["Graded faster than it can be read (round 2)", "0%"],
    ]


def test_a_round_is_heard_by_how_many_items_people_dealt_with_and_not_by_how_often() -> None:
    """In round 2 ann changed her mind five times on each of 3 items; in round 1 she compared 12 once."""
    book = Book(spec((OPUS, HAIKU)), rounds=[round_(1, (ANN,)), round_(2, (ANN,)), round_(3)])
    preferences, marks = [], []
    for n in range(12):
        one, other = (book.trial(f"i{n}", answered(), model=model) for model in (OPUS, HAIKU))
        for trial in (one, other):
            book.grade(trial, 1, round_id=3)
        for number, times in ((1, 1), (2, 5 if n < 3 else 0)):
            preferences += [Preference(number, ANN, one, other, "first")] * times
            marks += [Marking(number, ANN, one, "level", {"criterion": "right", "level": 1}, 60.0)] * times
    found = analyze(book.snapshot(preferences=tuple(preferences), markings=tuple(marks)))
    assert [each.items for each in found.preferred] == [12]
    (heard,) = found.leanings
    assert (heard.first.n, [share.n for share in shares(heard)]) == (12, [12])


def test_time_that_nobody_measured_and_second_sight_are_no_haste() -> None:
    assert graded(None, None).leanings == ()
    assert "leanings" not in [part.name for part in build_report(graded(None, None)).sections]
    book = Book(spec((OPUS,)), rounds=[round_(1, (ANN,))])
    trial = book.trial("a", answered(text="word " * 900))
    book.grade(trial, 1, grader=ANN)
    unmeasured = Marking(1, ANN, trial, "level", {"criterion": "right", "level": 1})
    seen_again = Marking(1, again(ANN), trial, "level", {"criterion": "right", "level": 1}, 1.0)
    assert analyze(book.snapshot(markings=(unmeasured, seen_again))).leanings == ()


def test_guesses_of_authors_and_flags_hide_no_haste() -> None:
    """Who wrote an output is asked when all is graded, and a flag takes no time of its own."""
    book, marks = Book(spec((OPUS,)), rounds=[round_(1, (ANN,))]), []
    for n in range(40):
        trial = book.trial(f"i{n}", answered(text="word " * 900), model=OPUS)
        book.grade(trial, 1, grader=ANN)
        marks.append(Marking(1, ANN, trial, "level", {"criterion": "right", "level": 1}, 2.0))
        marks.append(Marking(1, ANN, trial, "flag", {"on": True}))
        marks.append(Marking(1, ANN, trial, "author", {"guess": OPUS}, 60.0))
    analysis = analyze(book.snapshot(markings=tuple(marks)))
    (found,) = analysis.leanings
    assert shares(found) == [stats.rate(40, 40)]
    assert analysis.grading_time.overall is not None
    assert analysis.grading_time.overall.value == pytest.approx(2.0)
