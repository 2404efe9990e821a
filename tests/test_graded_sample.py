"""Failures beside outputs of which only a sample is graded: they count in the sample's proportion."""

from collections.abc import Set
from itertools import product
from statistics import fmean

import numpy as np
import pytest
from analysis_builders import HAIKU, OPUS, SONNET, Book, answered, ended, spec

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
    assert "as is the same share of its failures, 16 of 24; with them" in told
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
