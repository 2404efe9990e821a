"""From a dataset to the plan of a run: which trials, with which documents, in what order, at what worst cost."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from evalkit.dataset import Dataset, Item
from evalkit.pricing import price
from evalkit.prompt import Assembly, assemble, document_text
from evalkit.records import ItemRecord, PromptSize, Spec, TrialKey, Usage


@dataclass(frozen=True)
class Plan:
    """Everything about a run that is known before its first request."""

    spec: Spec
    items: tuple[ItemRecord, ...]
    sizes: tuple[PromptSize, ...]
    order: tuple[TrialKey, ...]


@dataclass(frozen=True)
class Estimate:
    """What one model's trials may cost, USD: for the input alone, and if every answer is as long as allowed.

    None where the price is unknown.
    """

    model: str
    requests: int
    input_tokens: int
    counted: bool
    input_usd: float | None
    worst_usd: float | None


def trial_order(item_ids: Sequence[str], models: Sequence[str], epochs: int, seed: int) -> tuple[TrialKey, ...]:
    """All trials, items shuffled by `seed` within each epoch and models interleaved within each item.

    So load and time of day hit all models alike, and pairs are close in time.
    """
    rng = random.Random(f"order:{seed}")  # noqa: S311  sampling, not secrets
    order: list[TrialKey] = []
    for epoch in range(1, epochs + 1):
        shuffled = list(item_ids)
        rng.shuffle(shuffled)
        for item_id in shuffled:
            order += [TrialKey(item_id, model, epoch) for model in rng.sample(list(models), len(models))]
    return tuple(order)


def fixed_text(item: Item, dataset: Dataset) -> str:
    """The part of an item's prompt that is there whatever documents come along."""
    return (dataset.system(item) or "") + item.task


def assemble_item(item: Item, dataset: Dataset, room_characters: float | None, seed: int) -> Assembly:
    """An item's documents: its evidence, and distractors up to `room_characters` for the whole prompt.

    No room given means evidence alone.
    """
    evidence = dataset.evidence.get(item.id, ())
    room = 0.0 if room_characters is None else room_characters - len(fixed_text(item, dataset))
    sizes = {name: float(len(document_text([name], dataset.documents))) for name in dataset.documents}
    pool = {} if room_characters is None else dataset.documents
    return assemble(evidence, pool, sizes, room, f"{seed}:{item.id}")


def record(item: Item, position: int, dataset: Dataset, assembly: Assembly) -> ItemRecord:
    """An item as the run file keeps it."""
    return ItemRecord(
        id=item.id,
        position=position,
        task=item.task,
        system=dataset.system(item),
        reference=item.reference,
        difficulty=item.difficulty,
        tags=item.tags,
        documents=assembly.documents,
        evidence_positions=assembly.evidence_positions,
    )


def worst_case_usd(model: str, input_tokens: int, max_tokens: int, when: datetime) -> float | None:
    """The most one request can cost: its input, and an answer as long as allowed; None if unpriced."""
    return price(model, Usage(input_tokens=input_tokens, output_tokens=max_tokens), when).usd


def estimate(
    dataset: Dataset, keys: Sequence[TrialKey], spec: Spec, sizes: Sequence[PromptSize], when: datetime
) -> tuple[Estimate, ...]:
    """Per model: requests, tokens and cost of the trials in `keys`."""
    items = {item.id: item for item in dataset.items}
    by_place = {(size.item_id, size.model): size for size in sizes}
    estimates = []
    for model in spec.models:
        places = [by_place[(key.item_id, model)] for key in keys if key.model == model]
        caps = [output_cap(items[place.item_id], dataset, spec.max_tokens) for place in places]
        floors = [worst_case_usd(model, place.tokens, 0, when) for place in places]
        worsts = [worst_case_usd(model, p.tokens, cap, when) for p, cap in zip(places, caps, strict=True)]
        tokens = sum(place.tokens for place in places)
        counted = all(place.counted for place in places)
        estimates.append(Estimate(model, len(places), tokens, counted, _total(floors), _total(worsts)))
    return tuple(estimates)


def _total(amounts: Sequence[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None


def output_cap(item: Item, dataset: Dataset, max_tokens: int) -> int:
    """The most tokens an item's answer may have."""
    return int(dataset.params(item).get("max_tokens", max_tokens))
