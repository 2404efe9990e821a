"""What production marks for caching: which parts of a request, and what it takes to send them so."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from evalkit.dataset import Dataset
from evalkit.errors import UsageError
from evalkit.params import CacheMarks
from evalkit.records import Request

CacheMode = Literal["off", "as-production"]


def chosen_marks(mode: CacheMode, dataset: Dataset) -> CacheMarks | None:
    """What to mark in every request of a run; None for a run without caching.

    Raises UsageError if production's marks are asked for and the dataset has none, or none that marks anything.
    """
    if mode == "off":
        return None
    marks, card = dataset.card.cache, f"{dataset.name}.yaml"
    if marks is None:
        raise UsageError(
            f"--cache as-production, but the card {card} does not say what production marks;"
            " write e.g. `cache: {system: true, documents: true, ttl: 5m}` in it"
        )
    absent = absent_parts(dataset, marks)
    if len(absent) == sum((marks.system, marks.tools, marks.documents)):
        raise UsageError(
            f"--cache as-production, but no item has what 'cache' in {card} marks ({', '.join(absent)});"
            " mark a part that is sent, or leave --cache out"
        )
    return marks


def absent_parts(dataset: Dataset, marks: CacheMarks) -> tuple[str, ...]:
    """The parts that are marked and that no item of the dataset has."""
    has = {
        "system": marks.system and not any(dataset.system(item) for item in dataset.items),
        "tools": marks.tools and not any(dataset.params(item).get("tools") for item in dataset.items),
        "documents": marks.documents and not (dataset.documents or any(item.attachments for item in dataset.items)),
    }
    return tuple(name for name, missing in has.items() if missing)


def with_marks(request: Request, marks: CacheMarks | None, document_block: str) -> Request:
    """The request with `cache_control` at the end of each part that is marked and that it has.

    `document_block` is the documents' text as it stands in the first message: the message is cut after it. Where a
    request has no documents, its attachments' end is marked.
    """
    if marks is None:
        return request
    control = {"cache_control": {"type": "ephemeral", "ttl": marks.ttl}}
    system, params, messages = request.system, dict(request.params), request.messages
    if marks.system and isinstance(system, str) and system:
        system = ({"type": "text", "text": system, **control},)
    if marks.tools and params.get("tools"):
        *others, last = params["tools"]
        params["tools"] = [*others, {**last, **control}]
    if marks.documents:
        first = {**messages[0], "content": _cut(messages[0]["content"], document_block, control)}
        messages = (first, *messages[1:])
    return replace(request, system=system, params=params, messages=messages)


def _cut(content: Any, document_block: str, control: Mapping[str, Any]) -> Any:
    """A message's content with its documents, else its attachments, marked; as it was where it has neither."""
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    *attached, text = blocks
    before, block, after = text["text"].partition(document_block) if document_block else ("", "", text["text"])
    if block:
        marked = {"type": "text", "text": before + block, **control}
        return [*attached, marked, *([{"type": "text", "text": after}] if after else [])]
    if attached:
        return [*attached[:-1], {**attached[-1], **control}, text]
    return content
