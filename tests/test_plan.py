"""The plan: every trial once, models interleaved, documents by seed."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.compact import PromptSizes, TrialOrder
from evalkit.dataset import Card, Dataset
from evalkit.plan import assemble_item, fixed_text, record, trial_order
from evalkit.prompt import Assembly
from evalkit.records import ItemRecord, PromptSize, TrialKey
from tests.builders import dataset, item

names = st.lists(st.text("abcdef", min_size=1, max_size=3), unique=True, max_size=6)


@given(names, names, st.integers(1, 3), st.integers())
def test_every_trial_stands_once_and_epochs_follow_each_other(
    items: list[str], models: list[str], epochs: int, seed: int
) -> None:
    order = tuple(trial_order(items, models, epochs, seed))
    wanted = {TrialKey(i, m, e) for i in items for m in models for e in range(1, epochs + 1)}
    assert set(order) == wanted
    assert len(order) == len(wanted)
    assert [key.epoch for key in order] == sorted(key.epoch for key in order)


@given(names, names.filter(bool), st.integers())
def test_models_of_an_item_run_close_together(items: list[str], models: list[str], seed: int) -> None:
    order = tuple(trial_order(items, models, 1, seed))
    blocks = [order[n : n + len(models)] for n in range(0, len(order), len(models))]
    assert all(len({key.item_id for key in block}) == 1 for block in blocks)


def test_order_repeats_for_a_seed_and_differs_between_seeds() -> None:
    ids = [f"i{n}" for n in range(20)]
    assert [*trial_order(ids, ["a", "b"], 2, 1)] == [*trial_order(ids, ["a", "b"], 2, 1)]
    assert len({tuple(trial_order(ids, ["a", "b"], 1, seed)) for seed in range(20)}) == 20
    first, second = ([key.item_id for key in trial_order(ids, ["a"], 2, 1) if key.epoch == epoch] for epoch in (1, 2))
    assert first != second


def test_no_model_always_goes_first() -> None:
    order = tuple(trial_order([f"i{n}" for n in range(300)], ["a", "b", "c"], 1, 7))
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
    plain = ItemRecord("a", 4, "What is due?", "s", "r", "hard", ("t",), ("d", "e"), (1,))
    assembly = Assembly(("d", "e"), (1,))
    assert record(made.items[0], 4, made, assembly, "a", 50_000) == plain
    swept = record(made.items[0], 4, made, assembly, "a@50000", 50_000)
    assert swept == replace(plain, id="a@50000", variant_of="a", context_tokens=50_000)


@given(epochs=st.integers(1, 3), seed=st.integers(0, 50))
def test_an_order_kept_in_few_bytes_is_the_order(epochs: int, seed: int) -> None:
    ids, models = [f"i{n}" for n in range(7)], ["a", "b", "c"]
    keys = tuple(trial_order(ids, models, epochs, seed))
    order = TrialOrder(iter(keys), ids, models)
    assert (tuple(order), len(order)) == (keys, len(keys))
    assert keys[-1] in order
    assert TrialKey("i0", "a", epochs + 1) not in order


def test_sizes_kept_in_few_bytes_are_found_by_item_and_model() -> None:
    sizes = [PromptSize(f"i{n}", model, 100 * n, n % 2 == 0) for n in range(5) for model in ("a", "b")[: 1 + n % 2]]
    kept = PromptSizes(sizes[:3])
    kept.add(sizes[3:])
    assert list(kept) == sizes
    assert all(kept.of(size.item_id, size.model) == size for size in sizes)
    for unknown in (("i0", "b"), ("i4", "b"), ("i9", "a")):
        with pytest.raises(KeyError):
            kept.of(*unknown)
