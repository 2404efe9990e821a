"""Failures beside outputs of which only a sample is graded: they count in the sample's proportion."""

from collections.abc import Set
from itertools import product
from statistics import fmean

import numpy as np
import pytest
from analysis_builders import HAIKU, JUDGE, OPUS, PASS_OR_FAIL, SONNET, Book, answered, ended, failed, round_, spec

from evalkit.analysis import Analysis, analyze

Trials = Set[tuple[int, str]]
ALL = (OPUS, SONNET, HAIKU)


def sampled_run(
    items: int, refused: Trials, graded: Trials, wrong: Trials = frozenset(), models: tuple[str, ...] = ALL
) -> Analysis:
    """Every trial runs once; of the outputs, those among `graded` have a grade."""
    book = Book(spec(models))
    for trial in product(range(items), models):
        attempt = ended("refused") if trial in refused else answered()
        number = book.trial(f"i{trial[0]}", attempt, model=trial[1])
        if trial in graded and trial not in refused:
            book.grade(number, int(trial not in wrong))
    return analyze(book.snapshot())


def test_a_sample_of_items_bears_the_failures_of_its_items() -> None:
    """Every fourth of 200 items is graded; 24 requests of one model fail, 8 of them among the 50."""
    refused = {(i, HAIKU) for i in (*range(0, 32, 4), *range(33, 97, 4))}
    analysis = sampled_run(200, refused, set(product(range(0, 200, 4), ALL)))
    haiku = analysis.model(HAIKU)
    assert (haiku.pass_rate.value, haiku.pass_rate.n) == (42 / 50, 50)
    assert (haiku.counts.decided, haiku.counts.failed, haiku.counts.failed_undecided) == (50, 24, 16)
    (told,) = (text for text in analysis.warnings if text.startswith("Haiku 4.5: 134 outputs"))
    assert "as are 16 of its 24 failures, in proportion; with them" in told
    assert "between 21% and 88%" in told  # 42 of 200 and 176 of 200
    assert not any(model.counts.failed_undecided for model in analysis.models[:2])


@pytest.mark.parametrize("sample", ["items", "outputs", "one model"])
def test_a_rate_from_a_sample_is_that_of_all_outputs_on_average(sample: str) -> None:
    """120 items, a fifth of them refused and a tenth of the rest wrong: 72 %; a third is graded."""
    models = (HAIKU,) if sample == "one model" else ALL
    lot, rates = np.random.default_rng(5), []
    for _ in range(60):
        refused, wrong, graded = (
            {trial for trial in product(range(120), models) if lot.random() < share} for share in (0.2, 0.1, 1 / 3)
        )
        if sample == "items":
            graded = set(product((i for i in range(120) if lot.random() < 1 / 3), models))
        rate = sampled_run(120, refused, graded, wrong, models).model(HAIKU).pass_rate.value
        assert rate is not None
        rates.append(rate)
    assert fmean(rates) == pytest.approx(0.72, abs=0.025)


def test_unreadable_verdicts_leave_all_failures_in_the_rate() -> None:
    trials = set(product(range(100), (HAIKU,)))
    refused, unreadable = set(product(range(10), (HAIKU,))), set(product(range(98, 100), (HAIKU,)))
    model = sampled_run(100, refused, trials - unreadable, models=(HAIKU,)).models[0]
    assert (model.pass_rate.value, model.pass_rate.n, model.counts.failed_undecided) == (88 / 98, 98, 0)


def test_a_model_that_fails_everywhere_is_seen_on_the_sample_only() -> None:
    haiku = sampled_run(60, set(product(range(60), (HAIKU,))), set(product(range(15), ALL))).model(HAIKU)
    assert (haiku.pass_rate.value, haiku.pass_rate.n) == (0.0, 15)


def test_items_without_any_output_count_in_the_proportion_of_the_run() -> None:
    """20 of 60 items are refused by every model; half of the others are graded."""
    analysis = sampled_run(60, set(product(range(20), ALL)), set(product(range(20, 60, 2), ALL)))
    assert [(m.pass_rate.n, m.counts.failed_undecided) for m in analysis.models] == [(30, 10)] * 3


def test_grades_that_could_not_be_read_of_one_model_leave_another_models_failures_in_its_rate() -> None:
    """Haiku refuses ten of 60 items; on just these Sonnet's grades were asked for and are unreadable, or missing."""
    failing = {(i, HAIKU) for i in range(10)}
    for asked in (True, False):
        book = Book(spec((HAIKU, SONNET)))
        for i, model in product(range(60), (HAIKU, SONNET)):
            refused = (i, model) in failing
            number = book.trial(f"i{i}", ended("refused") if refused else answered(), model=model)
            if i >= 10:
                book.grade(number, 1)
            elif asked and not refused:
                book.grade(number, None)
        analysis = analyze(book.snapshot())
        assert [(m.pass_rate.value, m.pass_rate.n) for m in analysis.models] == [(50 / 60, 60), (1.0, 50)]


def test_a_part_of_the_items_that_is_graded_bears_its_own_failures_alone() -> None:
    """Only the hard items are graded, of one model, which refuses every fourth item."""
    book = Book(spec((HAIKU,)))
    for i in range(120):
        book.item(f"i{i}", difficulty=("easy", "hard")[i % 2])
        number = book.trial(f"i{i}", ended("refused") if i % 8 < 2 else answered(), model=HAIKU)
        if i % 2 and i % 8 >= 2:
            book.grade(number, 1)
    analysis = analyze(book.snapshot())
    rates = {part.name: part.pass_rate[HAIKU] for part in analysis.slices if part.kind == "difficulty"}
    assert (rates["hard"].value, rates["hard"].n) == (0.75, 60)
    assert (rates["easy"].value, rates["easy"].reason) == (None, "nothing is graded yet")


@pytest.mark.parametrize("models", [(HAIKU,), (HAIKU, SONNET)], ids=["one model", "two models"])
@pytest.mark.parametrize("sample", ["items", "epochs"])
def test_a_sample_of_items_or_epochs_bears_just_the_failures_in_it(sample: str, models: tuple[str, ...]) -> None:
    """Of 60 items in five epochs 20 are graded, or all in the first epoch; what is graded is good."""
    book, lot = Book(spec(models, epochs=5)), np.random.default_rng(3)
    in_sample: dict[str, dict[int, list[bool]]] = {model: {} for model in models}
    for i, model, epoch in product(range(60), models, range(1, 6)):
        refused, sampled = lot.random() < 0.3, (i < 20 if sample == "items" else epoch == 1)
        number = book.trial(f"i{i:02d}", ended("refused") if refused else answered(), model=model, epoch=epoch)
        if sampled:
            in_sample[model].setdefault(i, []).append(not refused)
            if not refused:
                book.grade(number, 1)
    for model in analyze(book.snapshot()).models:
        expected = [fmean(flags) for flags in in_sample[model.model].values()]
        assert (model.pass_rate.value, model.items) == (pytest.approx(fmean(expected)), len(expected))


@pytest.mark.parametrize("judged", [1.0, 0.5])
def test_a_judge_of_a_part_is_corrected_at_the_failures_of_the_whole(judged: float) -> None:
    """People graded all, a judge who is always right a part; a fifth failed. The corrected rate is people's own."""
    book = Book(spec((HAIKU,)), rounds=[round_(graders=(JUDGE, "ann"))])
    for i in range(200):
        number = book.trial(f"i{i}", ended("refused") if i % 5 == 0 else answered(), model=HAIKU)
        if i % 5:
            book.grade(number, int(i % 10 > 1), grader="ann")
            if i < 200 * judged:
                book.grade(number, int(i % 10 > 1))
    analysis = analyze(book.snapshot())
    assert analysis.models[0].pass_rate.value == 0.7
    assert analysis.judges[0].corrected[HAIKU].value == pytest.approx(0.7)
    assert not any(text.startswith("Corrected for") for text in analysis.warnings)


@pytest.mark.parametrize("asked_all_the_same", [False, True])
def test_outputs_that_fail_a_checks_floor_are_no_more_than_their_share_of_a_sample(asked_all_the_same: bool) -> None:
    """They are decided before anybody is asked; a fifth fails it, the rest is good, and a quarter is graded."""
    rubric = {
        **PASS_OR_FAIL,
        "criteria": [
            *PASS_OR_FAIL["criteria"],
            {"id": "form", "question": "In form?", "kind": "check", "critical": 1, "check": {"type": "exact"}},
        ],
    }
    book = Book(spec((HAIKU, SONNET), rubric=rubric), rounds=[round_(graders=(JUDGE, "check"))])
    for i, model in product(range(80), (HAIKU, SONNET)):
        number, fails = book.trial(f"i{i}", answered(), model=model), model == HAIKU and i % 5 == 0
        book.grade(number, 0 if fails else 1, grader="check", criterion="form")
        if i % 4 == 0 and (asked_all_the_same or not fails):
            book.grade(number, 1)
    haiku, sonnet = analyze(book.snapshot()).models
    assert (haiku.pass_rate.value, haiku.pass_rate.n) == (0.8, 20)
    assert (sonnet.pass_rate.value, sonnet.pass_rate.n) == (1.0, 20)


def test_open_trials_beside_a_sample_are_no_more_than_their_share_either() -> None:
    """A quarter of 80 items is graded, all of them good; a tenth of the trials failed on every attempt so far."""
    book = Book(spec((HAIKU, SONNET)))
    for i, model in product(range(80), (HAIKU, SONNET)):
        is_open = model == HAIKU and i % 10 == 0
        number = book.trial(f"i{i}", failed() if is_open else answered(), model=model)
        if i % 4 == 0 and not is_open:
            book.grade(number, 1)
    analysis = analyze(book.snapshot())
    haiku = analysis.models[0]
    assert haiku.at_worst is not None
    assert (haiku.pass_rate.value, haiku.pass_rate.n) == (1.0, 16)  # of 20 sampled items four are open
    assert (haiku.at_worst.value, haiku.at_worst.n) == (0.8, 20)
    assert any("would make its rate 80%, not 100%" in text for text in analysis.warnings)
