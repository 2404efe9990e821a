"""From a dataset to the plan of a run: which trials, with which documents, in what order, at what worst cost."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from evalkit.dataset import Dataset, Item
from evalkit.pricing import price
from evalkit.prompt import Assembly, assemble, document_text
from evalkit.records import ItemRecord, PromptSize, Snapshot, Spec, TrialKey, Usage


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
    params = dataset.params(item)
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
        max_tokens=params.get("max_tokens"),
        inference_geo=params.get("inference_geo"),
    )


def worst_case_usd(
    model: str, input_tokens: int, max_tokens: int, when: datetime, inference_geo: str | None = None
) -> float | None:
    """The most one request can cost: its input, and an answer as long as allowed; None if unpriced."""
    usage = Usage(input_tokens=input_tokens, output_tokens=max_tokens, inference_geo=inference_geo)
    return price(model, usage, when).usd


def worst_cases(
    items: Sequence[ItemRecord], sizes: Sequence[PromptSize], spec: Spec, when: datetime
) -> Callable[[TrialKey], float | None]:
    """The most one request of a trial can cost, USD; None if unpriced."""
    records = {item.id: item for item in items}
    tokens = {(size.item_id, size.model): size.tokens for size in sizes}

    def worst_usd(key: TrialKey) -> float | None:
        item = records[key.item_id]
        cap = item.max_tokens or spec.max_tokens
        return worst_case_usd(key.model, tokens[(item.id, key.model)], cap, when, item.inference_geo)

    return worst_usd


def estimate(plan: Plan, keys: Sequence[TrialKey], when: datetime) -> tuple[Estimate, ...]:
    """Per model: requests, tokens and cost of the trials in `keys`."""
    geo = {item.id: item.inference_geo for item in plan.items}
    by_place = {(size.item_id, size.model): size for size in plan.sizes}
    worst_usd = worst_cases(plan.items, plan.sizes, plan.spec, when)
    estimates = []
    for model in plan.spec.models:
        chosen = [key for key in keys if key.model == model]
        places = [by_place[(key.item_id, model)] for key in chosen]
        floors = [worst_case_usd(model, place.tokens, 0, when, geo[place.item_id]) for place in places]
        worsts = [worst_usd(key) for key in chosen]
        tokens = sum(place.tokens for place in places)
        counted = all(place.counted for place in places)
        estimates.append(Estimate(model, len(places), tokens, counted, _total(floors), _total(worsts)))
    return tuple(estimates)


def _total(amounts: Sequence[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None


def spent_usd(snapshot: Snapshot) -> float:
    """USD of all priced attempts so far, of production and of judges."""
    return sum(attempt.cost_usd or 0.0 for attempt in snapshot.attempts)


def charged_usd(snapshot: Snapshot, when: datetime, judging_usd: float = 0.0) -> float:
    """What a budget has borne, USD, of production and of judges.

    An attempt that may have been billed, nobody knows how much, counts at its trial's worst case; one of a judge
    like the dearest of its kind, seen or to come (`judging_usd`).
    """
    keys = {trial.id: trial.key for trial in snapshot.trials}
    worst_usd = worst_cases(snapshot.items, snapshot.sizes, snapshot.spec, when)
    judged = max([judging_usd, *(a.cost_usd or 0.0 for a in snapshot.attempts if a.grader is not None)])
    unknown = [attempt for attempt in snapshot.attempts if attempt.cost_usd is None]
    return spent_usd(snapshot) + sum(
        (a.grader is not None and judged) or worst_usd(keys[a.trial_id]) or 0.0 for a in unknown
    )
