"""From a dataset to the plan of a run: which trials, with which documents, in what order."""

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property

from evalkit.compact import PromptSizes
from evalkit.dataset import Dataset, Item
from evalkit.frozen import dataclass
from evalkit.prompt import Assembly, assemble, document_text
from evalkit.records import ItemRecord, Spec, Trial, TrialKey


@dataclass(frozen=True)
class Plan:
    """Everything about a run that is known before its first request."""

    spec: Spec
    items: tuple[ItemRecord, ...]
    sizes: PromptSizes
    order: Collection[TrialKey]

    def trials(self) -> Iterator[Trial]:
        """The trials as the run file numbers them."""
        return (Trial(position + 1, key, position) for position, key in enumerate(self.order))

    @cached_property
    def records(self) -> Mapping[str, ItemRecord]:
        """The items by their ids."""
        return {item.id: item for item in self.items}


def trial_order(item_ids: Sequence[str], models: Sequence[str], epochs: int, seed: int) -> Iterator[TrialKey]:
    """All trials, items shuffled by `seed` within each epoch and models interleaved within each item.

    So load and time of day hit all models alike, and pairs are close in time.
    """
    rng = random.Random(f"order:{seed}")  # noqa: S311  sampling, not secrets
    for epoch in range(1, epochs + 1):
        shuffled = list(item_ids)
        rng.shuffle(shuffled)
        for item_id in shuffled:
            yield from (TrialKey(item_id, model, epoch) for model in rng.sample(list(models), len(models)))


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


def record(
    item: Item, position: int, dataset: Dataset, assembly: Assembly, id_: str, context_tokens: int | None
) -> ItemRecord:
    """An item as the run file keeps it, under its own id or, in a sweep, under that of its variant."""
    swept, params = id_ != item.id, dataset.params(item)
    return ItemRecord(
        id=id_,
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
        speed=params.get("speed"),
        variant_of=item.id if swept else None,
        context_tokens=context_tokens if swept else None,
    )
