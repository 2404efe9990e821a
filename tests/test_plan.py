"""The plan: every trial once, models interleaved, and a worst case that is never a guess."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from analysis_builders import Book, answered, lost
from analysis_builders import spec as run_spec
from hypothesis import given
from hypothesis import strategies as st

from evalkit.dataset import Card, Dataset, Params
from evalkit.plan import (
    Plan,
    assemble_item,
    charged_usd,
    estimate,
    fixed_text,
    record,
    trial_order,
    worst_case_usd,
    worst_cases,
)
from evalkit.prompt import Assembly
from evalkit.records import Attempt, ItemRecord, PromptSize, Spec, TrialKey
from tests.builders import dataset, item

NOW = datetime(2026, 11, 22, tzinfo=UTC)
OPUS, HAIKU = "claude-opus-4-6", "claude-haiku-4-5"


def spec(*models: str, max_tokens: int = 1000) -> Spec:
    return Spec(
        name="r", dataset_sha256="", rubric_sha256="", prompt_sha256="", models=models, epochs=1, seed=1,
        context_tokens=None, limit=None, endpoint="", simulated=True, max_tokens=max_tokens, rubric={},
        package_version="", prices_version="", created_at="",
    )  # fmt: skip


names = st.lists(st.text("abcdef", min_size=1, max_size=3), unique=True, max_size=6)


@given(names, names, st.integers(1, 3), st.integers())
def test_every_trial_stands_once_and_epochs_follow_each_other(
    items: list[str], models: list[str], epochs: int, seed: int
) -> None:
    order = trial_order(items, models, epochs, seed)
    wanted = {TrialKey(i, m, e) for i in items for m in models for e in range(1, epochs + 1)}
    assert set(order) == wanted
    assert len(order) == len(wanted)
    assert [key.epoch for key in order] == sorted(key.epoch for key in order)


@given(names, names.filter(bool), st.integers())
def test_models_of_an_item_run_close_together(items: list[str], models: list[str], seed: int) -> None:
    order = trial_order(items, models, 1, seed)
    blocks = [order[n : n + len(models)] for n in range(0, len(order), len(models))]
    assert all(len({key.item_id for key in block}) == 1 for block in blocks)


def test_order_repeats_for_a_seed_and_differs_between_seeds() -> None:
    ids = [f"i{n}" for n in range(20)]
    assert trial_order(ids, ["a", "b"], 2, 1) == trial_order(ids, ["a", "b"], 2, 1)
    assert len({trial_order(ids, ["a", "b"], 1, seed) for seed in range(20)}) == 20
    first, second = ([key.item_id for key in trial_order(ids, ["a"], 2, 1) if key.epoch == epoch] for epoch in (1, 2))
    assert first != second


def test_no_model_always_goes_first() -> None:
    order = trial_order([f"i{n}" for n in range(300)], ["a", "b", "c"], 1, 7)
    firsts = Counter(key.model for key in order[::3])
    assert all(70 < count < 130 for count in firsts.values())


@pytest.mark.parametrize(
    ("system", "card", "text"),
    [(None, None, "What is due?"), ("S", "C", "SWhat is due?"), (None, "C", "CWhat is due?")],
)
def test_fixed_text_is_system_and_task(system: str | None, card: str | None, text: str) -> None:
    made = dataset(item(system=system), card=Card(system=card))
    assert fixed_text(made.items[0], made) == text


def filled() -> Dataset:
    documents = {f"d{n}": "x" * 200 for n in range(20)}
    return dataset(item("a"), item("b"), documents=documents, evidence={"a": ("d1",), "b": ("d1",)})


def test_documents_differ_by_item_and_seed_and_repeat_otherwise() -> None:
    made = filled()
    a, b = made.items
    picked = [assemble_item(*case) for case in ((a, made, 2000.0, 1), (b, made, 2000.0, 1), (a, made, 2000.0, 2))]
    assert len({assembly.documents for assembly in picked}) == 3
    assert assemble_item(a, made, 2000.0, 1) == picked[0]


def test_room_counts_the_fixed_text() -> None:
    made = filled()
    roomy = assemble_item(made.items[0], made, 2000.0, 1)
    long = item("a", system="s" * 1000)
    tight = assemble_item(long, dataset(long, documents=made.documents, evidence=made.evidence), 2000.0, 1)
    assert len(tight.documents) < len(roomy.documents)


def test_record_keeps_what_grading_and_reports_need() -> None:
    made = dataset(item(reference="r", difficulty="hard", tags=["t"]), card=Card(system="s"))
    assert record(made.items[0], 4, made, Assembly(("d", "e"), (1,))) == ItemRecord(
        "a", 4, "What is due?", "s", "r", "hard", ("t",), ("d", "e"), (1,)
    )


def test_worst_case_is_a_full_answer() -> None:
    assert worst_case_usd(OPUS, 50_000, 800, NOW, "us") == pytest.approx(0.27 * 1.1)
    assert worst_case_usd(OPUS, 50_000, 800, NOW) == pytest.approx(0.27)
    assert worst_case_usd("nobody", 50_000, 800, NOW) is None


def plan_of(made: Dataset, *models: str, sizes: Sequence[PromptSize] = ()) -> Plan:
    items = tuple(record(row, n, made, Assembly((), ())) for n, row in enumerate(made.items))
    return Plan(spec(*models), items, tuple(sizes), ())


@pytest.mark.parametrize(
    ("own", "card", "output_usd"),
    [
        ({}, {}, 1000 * 25e-6),
        ({"max_tokens": 5}, {}, 5 * 25e-6),
        ({}, {"max_tokens": 7}, 7 * 25e-6),
        ({"max_tokens": 5}, {"max_tokens": 7}, 5 * 25e-6),
        ({"inference_geo": "us"}, {}, 1000 * 25e-6 * 1.1),
        ({}, {"inference_geo": "us"}, 1000 * 25e-6 * 1.1),
        ({"inference_geo": "global"}, {"inference_geo": "us"}, 1000 * 25e-6),
    ],
)
def test_worst_case_follows_the_items_settings_then_the_cards_then_the_runs(
    own: dict[str, Any], card: dict[str, Any], output_usd: float
) -> None:
    made = dataset(item(params=own), card=Card(params=Params(**card)))
    plan = plan_of(made, OPUS, sizes=[PromptSize("a", OPUS, 0, True)])
    assert worst_cases(plan.items, plan.sizes, plan.spec, NOW)(TrialKey("a", OPUS, 1)) == pytest.approx(output_usd)
    (only,) = estimate(plan, [TrialKey("a", OPUS, 1)], NOW)
    assert only.worst_usd == pytest.approx(output_usd)


def test_estimate_sums_the_trials_of_each_model() -> None:
    made = dataset(item("a"), item("b", params={"max_tokens": 200}))
    keys = trial_order(["a", "b"], [OPUS, HAIKU], 2, 1)
    sizes = [PromptSize(i, m, 10_000 if i == "a" else 20_000, m == OPUS) for i in "ab" for m in (OPUS, HAIKU)]
    opus, haiku = estimate(plan_of(made, OPUS, HAIKU, sizes=sizes), keys, NOW)
    assert (opus.model, opus.requests, opus.input_tokens, opus.counted) == (OPUS, 4, 60_000, True)
    assert opus.input_usd == pytest.approx(60_000 * 5e-6)
    assert opus.worst_usd == pytest.approx(60_000 * 5e-6 + 2 * 1200 * 25e-6)
    assert haiku.counted is False
    assert haiku.input_usd == pytest.approx(60_000 * 1e-6)


def test_us_only_input_is_dearer_in_the_estimate_too() -> None:
    made = dataset(item(params={"inference_geo": "us"}))
    plan = plan_of(made, OPUS, sizes=[PromptSize("a", OPUS, 10_000, True)])
    (only,) = estimate(plan, [TrialKey("a", OPUS, 1)], NOW)
    assert only.input_usd == pytest.approx(10_000 * 5e-6 * 1.1)


def test_estimate_of_an_unpriced_model_is_unknown_not_free() -> None:
    plan = plan_of(dataset(), "nobody", sizes=[PromptSize("a", "nobody", 10, True)])
    (only,) = estimate(plan, [TrialKey("a", "nobody", 1)], NOW)
    assert (only.requests, only.input_tokens, only.input_usd, only.worst_usd) == (1, 10, None, None)


def test_estimate_of_no_trials_is_zero() -> None:
    (only,) = estimate(plan_of(dataset(), OPUS), [], NOW)
    assert (only.requests, only.input_usd, only.worst_usd) == (0, 0, 0)


@pytest.mark.parametrize(
    ("judging", "to_come_usd", "charged"),
    [
        ([], 0.0, 0.04 + 0.0125),
        ([answered(0.02)], 0.0, 0.04 + 0.0125 + 0.02),
        ([answered(0.02), lost()], 0.0, 0.04 + 0.0125 + 2 * 0.02),
        ([answered(0.02), lost()], 0.03, 0.04 + 0.0125 + 0.02 + 0.03),
        ([lost()], 0.0, 0.04 + 2 * 0.0125),
    ],
)
def test_a_budget_bears_production_and_judging_and_what_may_have_been_billed_at_its_worst(
    judging: list[Attempt], to_come_usd: float, charged: float
) -> None:
    book = Book(run_spec((OPUS,), max_tokens=300), sizes=[PromptSize("a", OPUS, 1000, True)])
    trial = book.trial("a", lost(), answered(0.04), level=1)
    for attempt in judging:
        book.judging(trial, attempt)
    assert charged_usd(book.snapshot(), NOW, to_come_usd) == pytest.approx(charged)
