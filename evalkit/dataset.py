"""Test items: what one is, what a set of them is, and how JSONL lines become them."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, field_validator, model_validator

from evalkit.strict import NOT_BLANK, Problem, StrictModel, content_sha256, shown, validated

Difficulty = Literal["easy", "medium", "hard"]
DIFFICULTIES: tuple[Difficulty, ...] = ("easy", "medium", "hard")

_SAMPLING = ("temperature", "top_p", "top_k")
_SAMPLING_REMEDY = "remove it; use --epochs for repeats"
_Text = Annotated[str, Field(min_length=1, pattern=NOT_BLANK)]


class Params(StrictModel):
    """Request settings that production uses and the API accepts; an item's own win over the dataset's."""

    max_tokens: Annotated[int, Field(gt=0)] | None = None
    stop_sequences: Annotated[tuple[_Text, ...], Field(strict=False)] | None = None  # a JSON list becomes a tuple
    thinking: dict[str, JsonValue] | None = None
    output_config: dict[str, JsonValue] | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_sent_as_written(cls, settings: Any) -> Any:
        for name, value in settings.items() if isinstance(settings, Mapping) else ():
            if name in _SAMPLING:
                raise ValueError(f"'params.{name}' is not a setting of the API any more; {_SAMPLING_REMEDY}")
            if value is None:
                raise ValueError(f"'params.{name}' is null; leave it out instead")
        return settings

    def chosen(self) -> dict[str, Any]:
        """Only what was set, as the API spells it."""
        return self.model_dump(mode="json", exclude_none=True)


class Message(StrictModel):
    """One turn of the conversation that production sends."""

    role: Literal["user", "assistant"]
    content: _Text


class Document(StrictModel):
    """A text that belongs into the prompt, under the name it is cited by."""

    name: _Text
    text: _Text


@dataclass(frozen=True)
class Attachment:
    """An image or PDF that is sent with an item."""

    name: str
    media_type: str
    sha256: str
    data: bytes = field(repr=False)


class Item(StrictModel):
    """One row of a test set, as it stands in the file."""

    id: _Text
    input: _Text | tuple[Message, ...]
    system: str | None = None
    documents: tuple[_Text | Document, ...] = ()
    reference: str | None = None
    difficulty: Difficulty | None = None
    tags: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()
    params: Params = Params()

    @field_validator("input")
    @classmethod
    def _ends_with_user(cls, value: str | tuple[Message, ...]) -> str | tuple[Message, ...]:
        if not isinstance(value, str) and (not value or value[0].role != "user" or value[-1].role != "user"):
            raise ValueError("'input' must begin and end with a user message; correct the roles")
        return value

    @property
    def task(self) -> str:
        """What is asked, as one text: the input, or the conversation with its roles."""
        if isinstance(self.input, str):
            return self.input
        if len(self.input) == 1:
            return self.input[0].content
        return "\n\n".join(f"{turn.role}: {turn.content}" for turn in self.input)


class Card(StrictModel):
    """What holds for a whole dataset: `<name>.yaml` beside `<name>.jsonl`, optional."""

    description: str | None = None
    system: str | None = None
    documents: _Text | None = None
    context_tokens: Annotated[int, Field(gt=0)] | None = None
    params: Params = Params()


@dataclass(frozen=True)
class Dataset:
    """Items with everything they refer to, read and checked.

    `documents` maps a name to its text: the evidence of all items, and the pool of the card's folder.
    `evidence` maps an item's id to the names of its answer-bearing documents, in order.
    """

    name: str
    items: tuple[Item, ...]
    card: Card = field(default_factory=Card)
    documents: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    attachments: Mapping[str, Attachment] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)

    @cached_property
    def sha256(self) -> str:
        """Content hash over items, card, document texts and attachments; not over file names or layout."""
        return content_sha256(
            {
                "items": [item.model_dump(mode="json", exclude_defaults=True) for item in self.items],
                "card": self.card.model_dump(mode="json", exclude={"description", "documents"}),
                "documents": dict(self.documents),
                "attachments": {name: a.sha256 for name, a in self.attachments.items()},
            }
        )

    def params(self, item: Item) -> dict[str, Any]:
        """Request settings of one item: the card's, overridden by its own."""
        return {**self.card.params.chosen(), **item.params.chosen()}

    def system(self, item: Item) -> str | None:
        """The system prompt of one item: its own, else the card's."""
        return item.system if item.system is not None else self.card.system


class NotAnObjectError(ValueError):
    """A line is not one well-formed JSON object."""


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    repeated = [key for key, times in Counter(key for key, _ in pairs).items() if times > 1]
    if repeated:
        raise NotAnObjectError(f"key {repeated[0]!r} stands twice in one object")
    return dict(pairs)


def _no_constant(name: str) -> Any:
    raise NotAnObjectError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise NotAnObjectError(f"{digits[:40]} is too large a number")
    return number


def json_object(line: str) -> dict[str, Any]:
    """One line's JSON object, in which nothing stands twice; NotAnObjectError says why it is none."""
    try:
        content = json.loads(line, object_pairs_hook=_no_repeats, parse_constant=_no_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise NotAnObjectError(f"not JSON ({error.msg} at column {error.colno})") from error
    except RecursionError as error:
        raise NotAnObjectError("nested too deeply to be read") from error
    except NotAnObjectError:
        raise
    except ValueError as error:
        raise NotAnObjectError("a whole number has too many digits") from error
    if not isinstance(content, dict):
        raise NotAnObjectError(f"not a JSON object but {shown(content)}")
    return content


def parse_item(line: str) -> Item | list[tuple[str, str]]:
    """One JSONL line as an Item, or its problems as (what, remedy)."""
    try:
        item = validated(Item, json_object(line))
    except NotAnObjectError as error:
        return [(str(error), "write one JSON object per line")]
    return [(what, remedy) for _, what, remedy in item] if isinstance(item, list) else item


def parse_items(lines: Iterable[str], file: str) -> tuple[list[tuple[int, Item]], list[Problem]]:
    """All items with their line numbers, and all problems (blank lines are passed over)."""
    items: list[tuple[int, Item]] = []
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        item = parse_item(line)
        if isinstance(item, list):
            problems += [Problem(file, number, what, remedy) for what, remedy in item]
            continue
        if item.id in seen:
            what = f"id {item.id!r} stands already on line {seen[item.id]}"
            problems.append(Problem(file, number, what, "give every item its own id"))
        seen.setdefault(item.id, number)
        items.append((number, item))
    if not items and not problems:
        problems.append(Problem(file, 1, "no items", "write one JSON object per line"))
    return items, problems
