"""How judges were asked is kept with their round, so that they can be asked again in the same way."""

from dataclasses import replace

from analysis_builders import HAIKU, JUDGE, OPUS, Book, answered, round_, spec

from evalkit.analysis import analyze
from evalkit.analysis.graded_by import HowAsked
from evalkit.analysis.grading import _asked
from evalkit.grading_records import Preference, RoundEvent
from evalkit.judge_prompts import content


def test_each_judge_is_asked_again_as_in_its_own_newest_round() -> None:
    """Two judges may have compared in rounds of their own, and a round whose answers were all there asked no server."""
    events = (
        RoundEvent("joined", 1, "judge a", content("p", "full", "http://u")),
        RoundEvent("joined", 2, "judge b", content("p", "reference", "http://v")),
        RoundEvent("joined", 3, "judge b", content("p", "evidence", None)),
        RoundEvent("joined", 3, "ann"),
    )
    said = [(1, "judge a"), (1, "judge a #2"), (2, "judge b #3"), (3, "judge b"), (3, "ann"), (3, "checks")]
    assert _asked(replace(Book().snapshot(), events=events), said) == (
        HowAsked(("a",), 2, "full", "http://u"),
        HowAsked(("b",), 1, "evidence", "http://v"),
    )


def test_judges_of_one_round_that_were_not_asked_equally_often_are_asked_apart() -> None:
    events = (RoundEvent("joined", 1, "judge a", content("p", "full", "http://u")),)
    said = [(1, "judge a"), (1, "judge a #2"), (1, "judge b"), (1, "judge c"), (1, "judge c #2")]
    assert _asked(replace(Book().snapshot(), events=events), said) == (
        HowAsked(("b",), 1, "full", "http://u"),
        HowAsked(("a", "c"), 2, "full", "http://u"),
    )


def test_of_rounds_of_older_files_nothing_is_on_record_but_who_spoke() -> None:
    events = (RoundEvent("joined", 1, "judge a", {"judge_prompt_sha256": "p"}),)
    assert _asked(replace(Book().snapshot(), events=events), [(1, "judge a")]) == (HowAsked(("a",)),)
    assert _asked(Book().snapshot(), [(1, "ann")]) == ()


def test_comparisons_that_nobody_hears_since_they_were_not_blind_are_not_asked_for_again() -> None:
    book = Book(spec((OPUS, HAIKU)), rounds=[round_(1), replace(round_(2), blind=False)])
    first, second = (book.trial("a", answered(), model=model, level=1) for model in (OPUS, HAIKU))
    said = [Preference(n, JUDGE, first, second, "first", "") for n in (1, 2)]
    heard, unheard = (analyze(book.snapshot(preferences=(one,))) for one in said)
    assert [how.judges for how in heard.grading.compared] == [(JUDGE.removeprefix("judge "),)]
    assert unheard.grading.compared == ()
