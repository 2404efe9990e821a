"""Criteria between models: a gap is named exactly where a paired test shows one, as beside it on the page."""

import random

import pytest
from analysis_builders import HAIKU, OPUS, PASS_OR_FAIL, SONNET, Book, answered, spec

from evalkit.analysis import analyze
from evalkit.records import Snapshot
from evalkit.sections import criteria

FINE = {"id": "fine", "question": "How fine?", "levels": {"0": "Not.", "1": "So so.", "2": "Fine."}}


def graded(levels: dict[str, list[int]], rubric: dict[str, object] = PASS_OR_FAIL) -> Snapshot:
    book = Book(spec(tuple(levels), rubric))
    for model, given in levels.items():
        for item, level in enumerate(given):
            book.trial(f"i{item:03d}", answered(), model=model, level=level)
    return book.snapshot()


def heading(snapshot: Snapshot) -> str:
    section = criteria.build(analyze(snapshot))
    assert section is not None
    return section.heading


@pytest.mark.parametrize(("losses", "shown"), [(4, False), (5, True)])
def test_one_criterion_that_is_the_verdict_says_what_the_pairs_say(losses: int, shown: bool) -> None:
    """Their intervals overlap by far: of 30 items 5 are lost and none gained."""
    snapshot = graded({OPUS: [1] * 30, HAIKU: [0] * losses + [1] * (30 - losses)})
    analysis = analyze(snapshot)
    (gap,), (pair,) = analysis.criterion_gaps, analysis.pairs
    assert (gap.p_value, gap.p_holm) == (pair.p_value, pair.p_holm)
    assert (gap.worse, gap.better, gap.items) == (HAIKU, OPUS, 30)
    assert gap.difference == pytest.approx(losses / 30)
    said = (
        "Haiku 4.5 loses most ground to Opus 4.6"
        if shown
        else "No criterion is shown to set the models apart; the lowest mean"
    )
    assert heading(snapshot).startswith(said)


def test_intervals_that_stand_apart_show_nothing_that_pairs_and_all_tests_do_not() -> None:
    """Six tests or more: what one of them would show alone is no finding."""
    draw = random.Random(7)  # noqa: S311  no secrets
    rubric = {**PASS_OR_FAIL, "criteria": [{**FINE, "id": f"c{n}"} for n in range(8)]}
    named = 0
    for _ in range(20):
        book = Book(spec((OPUS, SONNET, HAIKU), rubric))
        for item in range(30):
            for model in (OPUS, SONNET, HAIKU):
                book.trial(
                    f"i{item:03d}", answered(), model=model, levels={f"c{n}": draw.randint(0, 2) for n in range(8)}
                )
        analysis = analyze(book.snapshot())
        least = min(analysis.criterion_gaps, key=lambda gap: gap.p_value)
        assert least.p_holm == pytest.approx(min(1.0, 24 * least.p_value)), "8 criteria, 3 pairs of models"
        named += "ground" in heading(book.snapshot())
        assert "ground" in heading(book.snapshot()) or "apart (24 comparisons allowed for);" in heading(book.snapshot())
    assert named <= 3


def test_a_gap_on_some_items_alone_says_on_how_many() -> None:
    """On the others the better one does worse, so that the means beside it say the opposite."""
    some = graded({HAIKU: [0] * 12 + [1] * 18, OPUS: [1] * 30 + [0] * 70})
    assert heading(some) == (
        "Haiku 4.5 loses most ground to Opus 4.6 on “right”, on the 30 items that both have a level on"
    )


def test_only_items_that_both_models_have_are_held_against_each_other() -> None:
    book = Book(spec((OPUS, HAIKU)))
    for item in range(40):
        book.trial(f"i{item:03d}", answered(), model=OPUS, level=int(item < 20))
        if item < 20:
            book.trial(f"i{item:03d}", answered(), model=HAIKU, level=1)
    (gap,) = analyze(book.snapshot()).criterion_gaps
    assert (gap.items, gap.difference, gap.p_holm) == (20, 0.0, 1.0)
