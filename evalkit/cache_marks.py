"""What production marks for caching: which parts of a request, and what it takes to send them so."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

from evalkit.dataset import Dataset, Item
from evalkit.errors import UsageError
from evalkit.params import CacheMarks
from evalkit.records import Request

CacheMode = Literal["off", "as-production"]

_MARK = "cache_control"
_MOST_MARKS = 4
"""What the API takes of them in one request, whatever the model."""


def chosen_marks(mode: CacheMode, dataset: Dataset) -> CacheMarks | None:
    """What to mark in every request of a run; None for a run without caching.

    Raises UsageError if production's marks are asked for and the dataset has none, or none that marks anything, its
    turns have some of another duration than the card says.
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
    if len(absent) == sum((marks.system, marks.tools, marks.documents, marks.turns)):
        raise UsageError(
            f"--cache as-production, but no item has what 'cache' in {card} marks ({', '.join(absent)});"
            " mark a part that is sent, or leave --cache out"
        )
    found = {str(mark.get("ttl") or "5m") for item in dataset.items for mark in _marks_of(item)}
    others = found - {marks.ttl}
    if marks.turns and others:
        raise UsageError(
            f"--cache as-production, but turns have marks for {' and '.join(sorted(others))} and 'cache' in {card} says"
            f" {marks.ttl}, for which a run is priced; give all of them one ttl"
        )
    return marks


def check_marks(dataset: Dataset, item_id: str, request: Request) -> None:
    """UsageError for a request, as it would be sent, with more marks than the API takes."""
    blocks = [*(request.params.get("tools") or ()), *_held({"content": request.system}), *request.messages]
    count = sum(1 for _ in _marks_in(blocks))
    if count > _MOST_MARKS:
        raise UsageError(
            f"--cache as-production, but item {item_id!r} has {count} marks for caching, and the API takes"
            f" {_MOST_MARKS} a request; mark fewer parts in {dataset.name}.yaml, or fewer blocks of its turns"
        )


def has_marks(item: Item) -> bool:
    """Whether blocks of an item's own turns are marked for caching."""
    return next(_marks_of(item), None) is not None


def _marks_of(item: Item) -> Iterator[Mapping[str, Any]]:
    for turn in item.turns:
        yield from _marks_in(turn.blocks)


def _marks_in(blocks: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for block in blocks:
        control = block.get(_MARK)
        if control is not None:
            yield control if isinstance(control, Mapping) else {}
        for holder in (block, block.get("source")):
            yield from _marks_in(_held(holder))


def _held(holder: Any) -> list[Mapping[str, Any]]:
    """The blocks in a tool's result, or in the source of a document in parts."""
    content = holder.get("content") if isinstance(holder, Mapping) else None
    return [block for block in content if isinstance(block, Mapping)] if isinstance(content, list | tuple) else []


def _unmarked(content: Any) -> Any:
    """A message's content without marks."""
    if not isinstance(content, list) or next(_marks_in(_held({"content": content})), None) is None:
        return content
    return [_unmarked_block(block) if isinstance(block, Mapping) else block for block in content]


def _unmarked_block(block: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in block.items() if name != _MARK}
    if "content" in plain:
        plain["content"] = _unmarked(plain["content"])
    if isinstance(source := plain.get("source"), Mapping) and "content" in source:
        plain["source"] = {**source, "content": _unmarked(source["content"])}
    return plain


def absent_parts(dataset: Dataset, marks: CacheMarks) -> tuple[str, ...]:
    """The parts that are marked and that no item of the dataset has."""
    has = {
        "system": marks.system and not any(dataset.system(item) for item in dataset.items),
        "tools": marks.tools and not any(dataset.params(item).get("tools") for item in dataset.items),
        "documents": marks.documents and not (dataset.documents or any(item.attachments for item in dataset.items)),
        "turns": marks.turns and not any(map(has_marks, dataset.items)),
    }
    return tuple(name for name, missing in has.items() if missing)


def with_marks(request: Request, marks: CacheMarks | None, document_block: str) -> Request:
    """The request with `cache_control` at the end of each part that is marked and that it has.

    `document_block` is the documents' text as it stands in the first message: the message is cut after it. Where a
    request has no documents, its attachments' end is marked. Marks that the turns have are left out unless these are
    production's: nothing is cached that a run does not price.
    """
    if marks is None or not marks.turns:
        plain = tuple({**message, "content": _unmarked(message["content"])} for message in request.messages)
        request = replace(request, messages=plain)
    if marks is None:
        return request
    control = {_MARK: {"type": "ephemeral", "ttl": marks.ttl}}
    system, params, messages = request.system, dict(request.params), request.messages
    if marks.system and isinstance(system, str) and system.strip():
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
    for end in filter(None, (document_block, document_block.rstrip())):  # a template may have cut the empty lines off
        before, block, after = text["text"].partition(end)
        if not block:
            continue
        marked = {"type": "text", "text": before + block, **control}
        return [*attached, marked, *([{"type": "text", "text": after}] if after else [])]
    if attached:
        return [*attached[:-1], {**attached[-1], **control}, text]
    return content
