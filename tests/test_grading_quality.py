"""What the analysis says of graders beside agreement: repeats, disputes, blinding, preferences, biases, time."""

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit import stats
from evalkit.analysis import Analysis, analyze
from evalkit.analysis.agreements import agreements
from evalkit.analysis.preferred import PEOPLE
from evalkit.blocks import Section, Table
from evalkit.grader_names import again
from evalkit.grading_records import Marking, Preference, RoundEvent
from evalkit.records import Correction
from evalkit.report import build_report, render_html, render_json
from tests.analysis_builders import HAIKU, JUDGE, OPUS, SONNET, WEIGHTED, Book, answered, round_, spec
from tests.big_snapshots import rated

ANN, BEN = "ann", "ben"
GOLD = Path(__file__).parent / "stats" / "gold.json"
MODELS = (OPUS, SONNET, HAIKU)


def section(analysis: Analysis, name: str) -> Section:
    return next(s for s in build_report(analysis).sections if s.name == name)


def words(part: Section) -> list[list[str]]:
    """Each table's rows as plain text with doubts."""
    return [
        ["".join(span.text for span in cell.text) + (f" ({cell.doubt})" if cell.doubt else "") for cell in row.cells]
        for table in part.blocks
        if isinstance(table, Table)
        for row in table.rows
    ]


def book(items: int = 4, **changes: Any) -> Book:
    """Every item under three models, nothing graded; trials are numbered item by item, model by model."""
    made = Book(spec(MODELS, **changes), rounds=[round_(1, (ANN, BEN, JUDGE))])
    for n in range(items):
        for model in MODELS:
            made.trial(f"i{n}", answered(text="x" * (10 + n)), model=model)
    return made


# ---- consistency --------------------------------------------------------------------------------------------------


def test_a_person_with_themselves() -> None:
    made = book()
    first, second = [1, 0, 1, 1, 0, 1], [1, 0, 1, 0, 0, 1]
    for trial, (one, two) in enumerate(zip(first, second, strict=True), start=1):
        made.grade(trial, one, grader=ANN)
        made.grade(trial, two, grader=again(ANN))
    made.grade(7, 1, grader=ANN)
    analysis = analyze(made.snapshot())
    verdict, right = analysis.consistency
    items = ["i0"] * 3 + ["i1"] * 3
    assert (verdict.grader, verdict.criterion, right.criterion) == (ANN, "satisfactory", "right")
    assert (right.views, right.outputs) == (2, 6)
    assert right.exact.value == pytest.approx(5 / 6)
    assert right.kappa.value == pytest.approx(2 / 3)  # observed 1/6 apart, 1/2 expected
    assert right.ac == stats.gwet_ac([first, second], "quadratic", items=items)
    assert right.exact.n == 2
    assert analysis.agreement == ()
    part = section(analysis, "consistency")
    assert part.heading.startswith("ann gives the same verdict again on 83% (")
    assert words(part)[0][0] == "ann"


def test_a_judges_repeats_with_each_other() -> None:
    made = book()
    for trial in range(1, 13):
        for repeat in ("", " #2", " #3"):
            made.grade(trial, trial % 2, grader=JUDGE + repeat)
    found = analyze(made.snapshot()).consistency
    assert {(c.grader, c.views, c.outputs, c.exact.value) for c in found} == {(JUDGE, 3, 12, 1.0)}
    assert found[0].kappa.reason == "asked more than twice: see AC"


# ---- disputes -----------------------------------------------------------------------------------------------------


def test_items_are_ranked_by_how_far_graders_are_apart() -> None:
    made = Book(spec(rubric=WEIGHTED), rounds=[round_(1, (ANN, BEN))])
    for item, (ann, ben) in {"a": ((2, 5), (2, 5)), "b": ((0, 1), (2, 5)), "c": ((2, 5), (1, 5))}.items():
        trial = made.trial(item, answered())
        for grader, (right, tone) in ((ANN, ann), (BEN, ben)):
            made.grade(trial, right, grader=grader)
            made.grade(trial, tone, grader=grader, criterion="tone")
    analysis = analyze(made.snapshot())
    first, second = analysis.disputes
    assert (first.item_id, first.distance, first.split, first.outputs) == ("b", 1.0, 1, 1)
    assert (second.item_id, second.distance, second.split, second.criterion) == ("c", 0.25, 1, "right")
    assert words(section(analysis, "consistency"))[0][:2] == ["b (Question b?)", "100% (of the scale)"]
    alone = Book(rounds=[round_(1, (ANN,))])
    alone.grade(alone.trial("a", answered()), 1, grader=ANN)
    assert analyze(alone.snapshot()).disputes == ()


def test_an_output_shows_what_each_of_several_graders_said_and_whose_word_counts() -> None:
    made = Book(rounds=[round_(1, (JUDGE, ANN, BEN))])
    for item, levels in (("both", (0, 1)), ("one", (1,)), ("judged", ())):
        trial = made.trial(item, answered(), level=1)
        for grader, level in zip((ANN, BEN), levels, strict=False):
            made.grade(trial, level, grader=grader)
    analysis = analyze(made.snapshot())
    given = {item.id: dict(item.outputs[0].given) for item in analysis.outputs}
    assert given == {
        "both": {"right": {ANN: 0, BEN: 1, JUDGE: 1}}, "one": {"right": {ANN: 1, JUDGE: 1}}, "judged": {},
    }  # fmt: skip
    dropped = replace(analysis, grading=replace(analysis.grading, dropped={JUDGE.removeprefix("judge "): "J .01"}))
    other = replace(dropped.outputs[2].outputs[0], given={"right": {JUDGE: 1, "judge other": 0}})
    item = replace(dropped.outputs[2], outputs=(other, *dropped.outputs[2].outputs[1:]))
    page = render_html(replace(dropped, outputs=(*dropped.outputs[:2], item)))
    assert f"judge other 0; not counted: {JUDGE} 1" in re.sub(r"<[^>]+>", "", page)
    page = render_html(analysis)
    assert f"{ANN} 0, {BEN} 1; not counted: {JUDGE} 1" in re.sub(r"<[^>]+>", "", page)


# ---- blinding -----------------------------------------------------------------------------------------------------


def _guesses(made: Book, guesses: Mapping[int, str | None], grader: str = ANN, round_id: int = 1) -> list[Marking]:
    return [Marking(round_id, grader, trial, "author", {"guess": guess}) for trial, guess in guesses.items()]


def test_guesses_of_the_author_by_model() -> None:
    made = book()
    made.grade(1, 1, grader=ANN)
    knows_opus = {trial: OPUS if trial % 3 == 1 else None for trial in range(1, 13)}
    marks = [
        *_guesses(made, {1: HAIKU}), *_guesses(made, knows_opus), *_guesses(made, {2: OPUS}, again(ANN)),
        *_guesses(made, {3: OPUS}, round_id=2),
    ]  # fmt: skip
    snapshot = made.snapshot(markings=tuple(marks))
    found = analyze(snapshot).blinding
    assert found is not None
    assert (found.asked, found.said, found.graders) == (12, 4, 1)
    assert {model: index.value for model, index in found.index.items()} == {OPUS: 1.0, SONNET: 0.0, HAIKU: 0.0}
    assert found.overall.value == pytest.approx(1 / 3)
    assert sorted((g.author, g.guess or "", g.times) for g in found.guesses) == sorted(
        [(OPUS, OPUS, 4), (SONNET, "", 4), (HAIKU, "", 4)]
    )
    part = section(analyze(snapshot), "blinding")
    could = found.overall.low is not None and found.overall.low > 0
    assert part.heading.startswith("Graders could tell authors" if could else "It is not shown that graders could tell")
    warned = [text for text in analyze(snapshot).warnings if "Bang's index" in text]
    assert len(warned) == could
    knows_all = {trial: (OPUS, SONNET, HAIKU)[(trial - 1) % 3] for trial in range(1, 13)}
    seen = analyze(made.snapshot(markings=tuple(_guesses(made, knows_all))))
    (warning,) = [text for text in seen.warnings if "Bang's index" in text]
    assert warning.startswith("Graders could tell who wrote what better than chance (Bang's index 1.00, ")
    assert words(part)[3][0] == "All, the mean of the above (12 answers)"
    told = json.loads(render_json(analyze(snapshot)))["analysis"]["blinding"]["guesses"]
    assert {"author": SONNET, "guess": None, "times": 4} in told


def test_names_that_outputs_gave_away_are_counted_by_model() -> None:
    made = book()
    for trial in range(1, 13):
        made.grade(trial, 1, grader=ANN, identity_marks=2 if trial == 3 else 0)
    part = section(analyze(made.snapshot()), "blinding")
    assert part.heading == "2 mentions of a model's or maker's name were hidden"
    assert dict(words(part)) == {"Haiku 4.5": "2", "Sonnet 4.6": "0", "Opus 4.6": "0"}


# ---- preferences --------------------------------------------------------------------------------------------------


def prefer(first: int, second: int, choice: Any, grader: str = ANN, round_id: int = 1) -> Preference:
    return Preference(round_id, grader, first, second, choice)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ([prefer(1, 3, "first"), prefer(4, 6, "second"), prefer(9, 7, "tie")], (PEOPLE, OPUS, HAIKU, 3, 1, 1, 1)),
        ([prefer(1, 3, "first"), prefer(3, 1, "first")], (PEOPLE, OPUS, HAIKU, 1, 0, 1, 0)),
        ([prefer(1, 3, "first"), prefer(1, 3, "first", BEN), prefer(3, 1, "first", "cy")],
         (PEOPLE, OPUS, HAIKU, 1, 1, 0, 0)),
        ([prefer(1, 3, "first", JUDGE), prefer(3, 1, "second", JUDGE)], ("claude-sonnet-5-5", OPUS, HAIKU, 1, 1, 0, 0)),
        ([prefer(1, 3, "first", JUDGE), prefer(3, 1, "first", JUDGE)], ("claude-sonnet-5-5", OPUS, HAIKU, 1, 0, 0, 1)),
        ([prefer(1, 3, "first", JUDGE)], None),
        ([prefer(1, 3, None, JUDGE), prefer(3, 1, "first", JUDGE)], None),
        ([prefer(1, 3, "first", again(ANN))], None),
        ([prefer(1, 3, "first", round_id=2)], None),
        ([prefer(1, 3, "first"), prefer(1, 3, None)], None),
        ([prefer(1, 3, "first"), prefer(1, 3, None), prefer(1, 3, "tie")], (PEOPLE, OPUS, HAIKU, 1, 0, 0, 1)),
    ],
)  # fmt: skip
def test_preferences_count_once_an_item(given: Sequence[Preference], found: tuple[Any, ...] | None) -> None:
    made = book()
    made.rounds.append(round_(2, (ANN,), blind=False))
    made.grade(1, 1, grader=ANN)
    result = analyze(made.snapshot(preferences=tuple(given))).preferred
    assert [(p.grader, p.a, p.b, p.items, p.won_by_a, p.won_by_b, p.tied) for p in result] == ([found] if found else [])


def test_the_preference_heading_is_the_finding() -> None:
    made = book(30)
    made.grade(1, 1, grader=ANN)
    always = tuple(prefer(3 * n + 1, 3 * n + 3, "second") for n in range(30))
    analysis = analyze(made.snapshot(preferences=always))
    (found,) = analysis.preferred
    assert found.difference == stats.paired_rates(30, 0, 30)
    assert section(analysis, "preferred").heading == "People prefer Haiku 4.5 to Opus 4.6 on 100% of 30 items"
    even = tuple(prefer(3 * n + 1, 3 * n + 3, "second" if n % 2 else "first") for n in range(30))
    assert "no model" in section(analyze(made.snapshot(preferences=even)), "preferred").heading


def test_a_preference_of_three_pairs_counts_after_holms_correction() -> None:
    made = book(30)
    made.grade(1, 1, grader=ANN)
    of_pairs = {(1, 3): (11, 3), (1, 2): (6, 5), (2, 3): (5, 6)}
    told = tuple(
        prefer(3 * n + a, 3 * n + b, "second" if n < won else "first" if n < won + lost else "tie")
        for (a, b), (won, lost) in of_pairs.items()
        for n in range(30)
    )
    found = analyze(made.snapshot(preferences=told))
    assert [p.p_holm for p in found.preferred if p.won_by_b == 11] == [pytest.approx(3 * stats.mcnemar_midp(11, 3))]
    assert stats.mcnemar_midp(11, 3) < 0.05
    assert section(found, "preferred").heading == "Side by side no model's outputs are shown to be preferred"


def test_peoples_preferences_stand_beside_the_judges_and_the_swap_is_asked_of_judges_alone() -> None:
    made = book(10)
    made.grade(1, 1, grader=ANN)
    people = [prefer(3 * n + 1, 3 * n + 3, "first" if n < 7 else "tie") for n in range(10)]
    judge = [
        prefer(*pair, "first", JUDGE) for n in range(10) for pair in [(3 * n + 1, 3 * n + 3), (3 * n + 3, 3 * n + 1)]
    ]
    analysis = analyze(made.snapshot(preferences=(*people, *judge)))
    part = section(analysis, "preferred")
    pair = "Haiku 4.5 and Opus 4.6"
    assert [row[:5] for row in words(part)] == [
        [pair, "people", "0% (0 of 10 items)", "70% (7 of 10 items)", "30% (3 of 10 items)"],
        [pair, "Judge claude-sonnet-5-5", "0% (0 of 10 items)", "0% (0 of 10 items)", "100% (10 of 10 items)"],
    ]
    assert analysis.preferred[0].difference == stats.paired_rates(0, 7, 10)
    assert "both orders" in "".join(span.text for span in part.lede)
    alone = section(analyze(made.snapshot(preferences=tuple(people))), "preferred")
    assert "both orders" not in "".join(span.text for span in alone.lede)


# ---- flags, notes, what was put off -------------------------------------------------------------------------------


def marked(trial: int, kind: Any, grader: str = ANN, round_id: int = 1, **content: Any) -> Marking:
    return Marking(round_id, grader, trial, kind, content)


def left(trial: int, *marks: Marking) -> list[tuple[Any, ...]]:
    """What people left on a trial's output."""
    made = book(2)
    made.rounds.append(round_(2, (ANN,)))
    made.grade(1, 1, grader=ANN)
    outputs = [o for item in analyze(made.snapshot(markings=marks)).outputs for o in item.outputs]
    remarks = next(o for o in outputs if o.trial_id == trial).remarks
    return [(r.grader, r.flagged, r.note, r.put_off, r.graded) for r in remarks]


@pytest.mark.parametrize(
    ("marks", "found"),
    [
        ([marked(2, "level", criterion="right", level=1), marked(2, "done")], []),
        ([marked(2, "flag", on=True), marked(2, "done")], [(ANN, True, "", 0, True)]),
        ([marked(2, "flag", on=True), marked(2, "flag", on=False)], []),
        ([marked(2, "note", text="old"), marked(2, "note", text="new")], [(ANN, False, "new", 0, False)]),
        ([marked(2, "note", text="old"), marked(2, "note", text="")], []),
        ([marked(2, "note", text="mine"), marked(2, "note", BEN, text="his")],
         [(ANN, False, "mine", 0, False), (BEN, False, "his", 0, False)]),
        ([marked(2, "note", text="once"), marked(2, "note", again(ANN), text="twice")],
         [(ANN, False, "once\ntwice", 0, False)]),
        ([marked(2, "flag", on=True), marked(2, "flag", again(ANN), on=False)], [(ANN, True, "", 0, False)]),
        ([marked(2, "flag", on=True), marked(2, "flag", round_id=2, on=True)], [(ANN, True, "", 0, False)]),
        ([marked(2, "skip"), marked(2, "skip")], [(ANN, False, "", 2, False)]),
        ([marked(2, "skip"), marked(2, "done")], [(ANN, False, "", 1, True)]),
        ([marked(2, "skip"), marked(2, "done"), marked(2, "level", criterion="right")], [(ANN, False, "", 1, False)]),
        ([marked(1, "flag", on=True)], []),
    ],
)  # fmt: skip
def test_what_people_left_on_an_output(marks: list[Marking], found: list[tuple[Any, ...]]) -> None:
    assert left(2, *marks) == found


def test_flags_notes_and_what_was_put_off_are_in_the_report_by_model_and_with_their_item() -> None:
    made = book()
    made.grade(1, 1, grader=ANN)
    assert "remarks" not in [s.name for s in build_report(analyze(made.snapshot())).sections]
    marks = (
        marked(3, "flag", on=True), marked(3, "note", text="<b>odd</b>\u202e"), marked(3, "flag", BEN, on=True),
        marked(6, "flag", on=True), marked(4, "skip"), marked(5, "note", text="fine"),
    )  # fmt: skip
    analysis = analyze(made.snapshot(markings=marks))
    part = section(analysis, "remarks")
    assert part.heading == "People flagged 2 outputs, wrote notes on 2 and put off 1, of 12 outputs"
    assert words(part) == [
        ["Haiku 4.5", "4", "2", "1", "0", "0"],
        ["Sonnet 4.6", "4", "0", "1", "0", "0"],
        ["Opus 4.6", "4", "0", "0", "1", "1"],
        ["i0", "Haiku 4.5", "ann and ben", "ann: <b>odd</b>\u202e"],
        ["i1", "Haiku 4.5", "ann", ""],
    ]
    page = render_html(analysis)
    assert page.count("&lt;b&gt;odd&lt;/b&gt;⟦U+202E⟧") == 2
    assert "<b>odd" not in page
    assert '<a href="#item-001">' in page
    (output,) = [
        o
        for o in json.loads(render_json(analysis))["analysis"]["outputs"][1]["outputs"]
        if o["remarks"] and o["trial_id"] == 5
    ]
    assert output["remarks"] == [{"grader": "ann", "flagged": False, "note": "fine", "put_off": 0, "graded": False}]


# ---- judges -------------------------------------------------------------------------------------------------------


def _judged(favour: str | None = None, per_char: float = 0.0, first: float = 0.0, items: int = 60) -> Analysis:
    """A fairly good judge that may favour a model, long outputs or the place shown first."""
    rng = random.Random(11)  # noqa: S311  invented data
    made, preferences = Book(spec(MODELS), rounds=[round_(1, (ANN, JUDGE))]), []
    for n in range(items):
        trials = []
        for model in MODELS:
            length = rng.randint(100, 900)
            trial = made.trial(f"i{n}", answered(text="x" * length), model=model)
            truth = int(rng.random() < 0.6)
            said = truth if rng.random() < 0.85 else 1 - truth
            if model == favour and rng.random() < 0.9:
                said = 1
            if rng.random() < per_char:
                said = int(length > 500)
            made.grade(trial, truth, grader=ANN)
            made.grade(trial, said)
            trials.append(trial)
        for one, other in ((0, 1), (0, 2), (1, 2)):
            for a, b in ((trials[one], trials[other]), (trials[other], trials[one])):
                better = "first" if a < b else "second"
                fair = better if rng.random() < 0.8 else rng.choice(("first", "second"))
                preferences.append(prefer(a, b, "first" if rng.random() < first else fair, JUDGE))
    return analyze(made.snapshot(preferences=tuple(preferences)))


@pytest.mark.long
def test_agreement_says_whose_grades_do_not_count() -> None:
    """A judge of an earlier round is compared with people, and none of the figures rests on it."""
    made = Book(spec(MODELS), rounds=[round_(1, (JUDGE,)), round_(2, (ANN, "ben"))])
    for n in range(20):
        for model in MODELS:
            trial = made.trial(f"i{n}", answered(), model=model)
            made.grade(trial, n % 2, grader=JUDGE, round_id=1)
            for person in (ANN, "ben"):
                made.grade(trial, n % 2 if n else 1, grader=person, round_id=2)
    told = "".join(span.text for span in section(analyze(made.snapshot()), "graders").lede)
    assert f" {JUDGE} graded in a round that does not count, and agreement is of all." in told


def test_a_judge_without_bias_has_none_shown() -> None:
    analysis = _judged()
    (found,) = analysis.judge_biases
    assert (found.judge, found.pairs, found.own_tier) == ("claude-sonnet-5-5", 180, "sonnet")
    assert section(analysis, "judge-bias").heading == "No leaning of a judge by length, place or tier is shown"
    assert {row[4] for row in words(section(analysis, "judge-bias"))} == {"no", "not a bias by itself"}


@pytest.mark.long
@pytest.mark.parametrize(
    ("bias", "told"),
    [
        ({"favour": SONNET}, "favours sonnet (its own tier)"),
        ({"per_char": 0.7}, "prefers long outputs"),
        ({"first": 0.5}, "prefers the place shown first"),
    ],
)
def test_each_bias_of_a_judge_is_found(bias: dict[str, Any], told: str) -> None:
    analysis = _judged(**bias)
    assert told in section(analysis, "judge-bias").heading
    (found,) = analysis.judge_biases
    assert found.position is not None
    assert found.position.consistent.value is not None
    apart = found.pairs - found.pairs * found.position.consistent.value
    places = [row[1] for row in words(section(analysis, "judge-bias"))]
    assert f"The place shown first, where orders differ ({apart:.0f} pairs)" in places


def _erring(right: float, favour: float, seed: int) -> Analysis:
    """People pass Opus more than Haiku; a judge is right so often, and passes all of Sonnet's with a chance."""
    rng = random.Random(seed)  # noqa: S311  invented data
    made = Book(spec(MODELS), rounds=[round_(1, (ANN, JUDGE))])
    for n in range(50):
        for model, rate in ((OPUS, 0.9), (SONNET, 0.6), (HAIKU, 0.3)):
            trial, truth = made.trial(f"i{n}", answered(), model=model), int(rng.random() < rate)
            said = truth if rng.random() < right else 1 - truth
            made.grade(trial, truth, grader=ANN)
            made.grade(trial, 1 if model == SONNET and rng.random() < favour else said)
    return analyze(made.snapshot())


@pytest.mark.parametrize("right", [0.65, *(pytest.param(each, marks=pytest.mark.slow) for each in (0.5, 0.8))])
def test_what_a_judge_errs_is_not_taken_for_favour(right: float) -> None:
    """Errors alone lift the figure for the worse models, to 30 points and more where the judge tosses a coin."""
    told = [section(_erring(right, 0.0, seed), "judge-bias") for seed in range(10)]
    assert sum("favour" in part.heading for part in told) <= 1
    rows = [row for part in told for row in words(part) if row[1].startswith("Favour for haiku")]
    assert all("by its errors alone" in row[3] for row in rows)
    said = sum("J " in row[1] and "this may be noise" in row[1] for row in rows)
    assert said >= 9 if right == 0.5 else said == 0
    assert all((_erring(right, 0.0, seed).judge_biases[0].favour["haiku"].low or 0) > 0 for seed in range(3))


def test_favour_is_still_found_beside_errors() -> None:
    assert "favours sonnet (its own tier)" in section(_erring(0.85, 0.9, 1), "judge-bias").heading


def test_a_judge_is_shown_by_model_with_kappa() -> None:
    analysis = _judged(items=30)
    (judge,) = analysis.judges
    assert set(judge.by_model) == set(MODELS)
    assert sum(a.sensitivity.n + a.specificity.n for a in judge.by_model.values()) >= 60
    assert judge.kappa.n == 30
    row = next(row for row in words(section(analysis, "graders")) if row[0].startswith("claude-sonnet-5-5"))
    assert row[4].startswith(f"{judge.kappa.value:.2f}")
    assert "on Haiku 4.5" in [row[0] for row in words(section(analysis, "graders"))]


# ---- time ---------------------------------------------------------------------------------------------------------


def test_time_for_an_output_is_the_sum_of_its_marks() -> None:
    made = book()
    made.grade(1, 1, grader=ANN)
    marks = [
        *(Marking(1, ANN, trial, "level", {}, 10.0 * trial) for trial in range(1, 8)),
        Marking(1, ANN, 1, "time", {}, 90.0), Marking(1, again(ANN), 2, "level", {}, 999.0),
        Marking(1, BEN, 3, "level", {}, None),
    ]  # fmt: skip
    analysis = analyze(made.snapshot(markings=tuple(marks)))
    times = analysis.grading_time
    assert times.outputs == 7
    assert times.by_grader[BEN] is None
    assert times.overall == times.by_grader[ANN]
    assert times.overall is not None
    assert times.overall.value == pytest.approx(50, abs=8)  # of 20, 30, 40, 50, 60, 70 and 100
    part = section(analysis, "grading-time")
    assert part.measured
    assert words(part)[1] == ["ben", "not measured (graded where time is not taken)"]
    assert analyze(made.snapshot()).grading_time.overall is None


def test_second_grades_measure_no_correction() -> None:
    made = book(1)
    made.grade(1, 0, grader=ANN)
    fixed = (Correction(1, ANN, 4.0), Correction(1, again(ANN), 40.0))
    assert analyze(made.snapshot(corrections=fixed)).correction.minutes.value == 4.0


def test_the_whole_report_is_the_same_twice() -> None:
    analysis = _judged(favour=SONNET, first=0.5, items=20)
    assert render_html(analysis) == render_html(analysis)
    assert "Judge bias" in render_html(analysis)


# ---- validity ------------------------------------------------------------------------------------------------------


def _joined(round_id: int, prompt: str) -> RoundEvent:
    return RoundEvent("joined", round_id, JUDGE, {"judge_prompt_sha256": prompt})


def _labelled(labels: int, wrong: int) -> Book:
    made = Book(rounds=[round_(1, (JUDGE, ANN))])
    for n in range(40):
        trial = made.trial(f"i{n}", answered())
        made.grade(trial, 1 - n % 2 if n < wrong else n % 2)
        if n < labels:
            made.grade(trial, n % 2, grader=ANN)
    return made


@pytest.mark.parametrize(
    ("labels", "wrong", "state"),
    [(0, 0, "uncalibrated"), (29, 0, "few_labels"), (30, 0, "calibrated"), (40, 20, "dropped")],
)
def test_validity_is_bound_to_judge_prompt_rubric_and_dataset(labels: int, wrong: int, state: str) -> None:
    made = _labelled(labels, wrong)
    analysis = analyze(made.snapshot(events=(_joined(1, "p1"),)))
    (found,) = json.loads(render_json(analysis))["validity"]
    assert (found["judge"], found["state"], found["labels"]) == ("claude-sonnet-5-5", state, labels)
    assert [found[f"{what}_sha256"] for what in ("judge_prompt", "rubric", "dataset")] == ["p1", "r" * 64, "d" * 64]
    (unknown,) = analyze(made.snapshot()).validity
    assert unknown.judge_prompt_sha256 is None


def test_what_a_judge_said_when_it_was_asked_otherwise_says_nothing_of_it_now() -> None:
    """In its first round it was wrong everywhere; asked anew it is right."""
    made = _labelled(40, 40)
    made.rounds.append(round_(2))
    for n in range(40):
        made.grade(n + 1, n % 2, round_id=2)
    same = analyze(made.snapshot(events=(_joined(1, "p1"), _joined(2, "p1"))))
    anew = analyze(made.snapshot(events=(_joined(1, "p1"), _joined(2, "p2"))))
    assert same.judges == anew.judges  # the newest grade counts in any case
    made.grades = [grade for grade in made.grades if grade.round_id == 1 or grade.trial_id <= 35]
    anew = analyze(made.snapshot(events=(_joined(1, "p1"), _joined(2, "p2"))))
    assert [judge.outputs for judge in anew.judges] == [35]
    assert anew.judges[0].accuracy.youden.value == 1.0
    assert anew.validity[0].judge_prompt_sha256 == "p2"


# ---- a study's size ------------------------------------------------------------------------------------------------


def test_agreement_of_a_large_study_is_that_of_each_table() -> None:
    """Three raters on six criteria, as in HANNA; the benchmark holds its time to a bar."""
    levels, results, rubric = rated(1056, 3, 6)
    found = agreements(levels, results, rubric)
    assert [a.outputs for a in found] == [1056] * 7
    table = [[levels[f"rater {r}"][t]["c2"] for t in range(1, 1057)] for r in range(3)]
    assert found[2].alpha == stats.krippendorff_alpha(table, "ordinal", items=[r.key.item_id for r in results])
    assert found[2].alpha.n == 96


def test_the_published_example_reaches_the_report_as_it_was_published() -> None:
    """Krippendorff (2011): four observers, twelve units; alpha .849 at interval level, .815 at ordinal."""
    case = next(c for c in json.loads(GOLD.read_text())["cases"] if c["id"] == "agree.krippendorff2011.interval")
    observers = case["inputs"]["reliability_data_coders_x_units"]
    scale = {str(level): "anchor" for level in range(1, 6)}
    criteria = [{"id": "right", "question": "?", "levels": scale}]
    made = Book(spec(rubric={"name": "published", "criteria": criteria, "satisfactory": {"score": 0.5}}))
    for unit in range(12):
        trial = made.trial(f"u{unit}", answered())
        for observer, ratings in enumerate(observers):
            if ratings[unit] is not None:
                made.grade(trial, ratings[unit], grader=f"observer {observer}")
    right = analyze(made.snapshot()).agreement[0]
    assert right.alpha.value == pytest.approx(0.815, abs=6e-4)
    assert stats.krippendorff_alpha(observers, "interval").value == pytest.approx(case["expected"], abs=case["tol"])


@pytest.mark.parametrize(("others", "value"), [((), 0.8), (("cy",), None)])
def test_of_two_graders_the_weighted_kappa_is_told(others: tuple[str, ...], value: float | None) -> None:
    made = Book(rounds=[round_(1, (ANN, BEN, *others))])
    for n in range(20):
        trial = made.trial(f"i{n}", answered())
        for grader in (ANN, BEN, *others):
            made.grade(trial, int(n < (10 if grader == ANN else 8)), grader=grader)
    analysis = analyze(made.snapshot())
    assert (
        [a.kappa and a.kappa.value for a in analysis.agreement] == [pytest.approx(value)] * 2 if value else [None] * 2
    )
    assert ("Weighted kappa" in render_html(analysis)) == bool(value)


def test_judges_that_are_listened_to_are_also_taken_as_one() -> None:
    """Two judges err on different outputs; a third that knows nothing is dropped and not in the panel."""
    made = Book(rounds=[round_(1, (ANN, JUDGE, "judge b", "judge c"))])
    for n in range(60):
        trial, truth = made.trial(f"i{n}", answered()), n % 2
        made.grade(trial, truth, grader=ANN)
        for grader, wrong in ((JUDGE, n < 8), ("judge b", 8 <= n < 16), ("judge c", n % 4 < 2)):
            made.grade(trial, 1 - truth if wrong else truth, grader=grader)
    analysis = analyze(made.snapshot())
    assert [judge.judge for judge in analysis.judges] == ["b", "c", "claude-sonnet-5-5", "panel of 2"]
    assert analysis.agreement[0].graders == (ANN, "judge b", JUDGE)
    panel = analysis.judges[-1].accuracy  # the lower median of two: both must pass it
    assert panel.sensitivity.value == pytest.approx(22 / 30)
    assert panel.specificity.value == 1.0
    assert {v.judge: v.state for v in analysis.validity} == {
        "b": "calibrated", "c": "dropped", "claude-sonnet-5-5": "calibrated",
    }  # fmt: skip
    assert "Dropped: its grades decide nothing" in render_html(analysis).replace("<strong>", "").replace(
        "</strong>", ""
    )


def test_of_several_rounds_people_prefer_as_in_the_one_that_counts() -> None:
    """A round is done again because the one before is not to be relied on; where none counts, by how much is there."""

    def found(*rounds: tuple[int, str, Any], graded: int | None, later: int = 6) -> tuple[int, int, int]:
        book = Book(spec((OPUS, HAIKU)), rounds=[round_(number, (grader,)) for number, grader, _ in rounds])
        said = []
        for n in range(6):
            one, other = (book.trial(f"i{n}", answered(), model=model) for model in (OPUS, HAIKU))
            for number, grader, choice in rounds:
                said += [Preference(number, grader, one, other, choice)] * (number == 1 or n < later)
                if number == graded:
                    book.grade(one, 1, grader=grader, round_id=number)
        made = book.snapshot(preferences=tuple(said), rounds=tuple(book.rounds))
        (only,) = analyze(made).preferred
        return only.won_by_a, only.won_by_b, only.tied

    assert found((1, ANN, "first"), (2, BEN, "tie"), graded=2) == (0, 0, 6)
    assert found((1, ANN, "first"), (2, ANN, "tie"), graded=2) == (0, 0, 6), "nobody counts twice"
    assert found((1, ANN, "first"), (2, BEN, "second"), graded=None) == (0, 6, 0)
    assert found((1, ANN, "first"), (2, BEN, "second"), graded=None, later=1) == (6, 0, 0), "one comparison hides none"


def test_pairs_alone_are_said_to_give_no_rate() -> None:
    book = Book(spec((OPUS, HAIKU)))
    first, second = (book.trial("i", answered(), model=model) for model in (OPUS, HAIKU))
    said = [
        analyze(book.snapshot(preferences=chosen)).warnings[0]
        for chosen in ((), (Preference(1, JUDGE, first, second, "tie"),))
    ]
    assert said == [
        "Nothing is graded yet: `evalkit grade --blind` comes next.",
        "Outputs were only compared in pairs, so there is no rate yet: `evalkit grade --blind` comes next.",
    ]
