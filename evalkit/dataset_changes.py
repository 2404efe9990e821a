"""Which part of a dataset is another one than that of an earlier run, as far as its run file says."""

from collections.abc import Iterator

from evalkit.dataset import Dataset
from evalkit.records import Snapshot


def changed_parts(dataset: Dataset, earlier: Snapshot) -> str:
    """The parts in words; what a run file does not hold, as images, is named where all else is equal."""
    beyond = "" if earlier.spec.limit is None else "items beyond --limit, "
    not_held = f"what a run file does not hold: {beyond}template, attachments, turns, params or cache"
    return ", ".join(_changed(dataset, earlier)) or not_held


def _changed(dataset: Dataset, earlier: Snapshot) -> Iterator[str]:
    items = {item.id: item for item in dataset.items}
    records = {record.variant_of or record.id: record for record in earlier.items}
    both = [(items[id_], records[id_]) for id_ in items if id_ in records]
    if items.keys() != records.keys():
        yield "items"
    elif list(items) != list(records):
        yield "order of the items"
    if any(dataset.system(item) != record.system for item, record in both):
        yield "system prompt"
    if any(item.task != record.task for item, record in both):
        yield "input"
    for name in ("reference", "difficulty", "tags"):
        if any(getattr(item, name) != getattr(record, name) for item, record in both):
            yield name
    if any(dataset.documents.get(name) != text for name, text in earlier.documents.items()):
        yield "documents"
    named = ("max_tokens", "inference_geo", "speed")
    if any(dataset.params(item).get(name) != getattr(record, name) for item, record in both for name in named):
        yield "params"
