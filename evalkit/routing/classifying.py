"""What a small model is asked, so that it classifies every item of a run."""

from collections.abc import Iterable, Mapping

from evalkit.dataset import Card, Dataset, Item
from evalkit.params import Params
from evalkit.records import ItemRecord
from evalkit.router import CLASSIFIER_MAX_TOKENS, CLASSIFIER_SYSTEM, Request, classification


def classifying(name: str, records: Iterable[ItemRecord], documents: Mapping[str, str]) -> Dataset:
    """The requests to a small model, one an item of a run, as a dataset of their own."""
    items = tuple(
        Item(id=record.id, input=classification(_request(record, documents)), system=CLASSIFIER_SYSTEM,
             params=Params(max_tokens=CLASSIFIER_MAX_TOKENS))
        for record in records
    )  # fmt: skip
    return Dataset(name, items, Card())


def _request(record: ItemRecord, documents: Mapping[str, str]) -> Request:
    return Request(record.task, tuple(documents.get(name, "") for name in record.documents), record.tags)
