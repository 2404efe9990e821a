"""Test items: what one is, what a set of them is, and how JSONL lines become them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import field
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, JsonValue, field_validator
from pydantic.dataclasses import dataclass as strict_dataclass

from evalkit.difficulty import Difficulty
from evalkit.frozen import dataclass
from evalkit.json_lines import NotAnObjectError, json_object
from evalkit.params import CacheMarks, Params
from evalkit.strict import NOT_BLANK, STRICT, Problem, StrictModel, adapter, mapping_sha256, validated
from evalkit.turns import Message, check_turns

_Text = Annotated[str, Field(min_length=1, pattern=NOT_BLANK)]


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


_NO_VARS: dict[str, JsonValue] = {}
"""One for all items that have none, and never changed: a dict of its own for each is a fifth of what an item takes."""


@strict_dataclass(frozen=True, slots=True, config=STRICT)
class Item:
    """One row of a test set, as it stands in the file; with slots, since a large set holds many."""

    id: _Text
    input: _Text | tuple[Message, ...]
    system: str | None = None
    documents: tuple[_Text | Document, ...] = ()
    reference: str | None = None
    difficulty: Difficulty | None = None
    tags: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()
    params: Params = Params()
    vars: dict[_Text, JsonValue] = Field(default_factory=lambda: _NO_VARS)

    @field_validator("input")
    @classmethod
    def _can_be_sent(cls, value: str | tuple[Message, ...]) -> str | tuple[Message, ...]:
        if not isinstance(value, str):
            check_turns(value)
        return value

    @property
    def turns(self) -> tuple[Message, ...]:
        """The conversation that is sent; where it ends with the assistant, the answer goes on from there."""
        return (Message(role="user", content=self.input),) if isinstance(self.input, str) else self.input

    @property
    def task(self) -> str:
        """What is asked, as one text: the input, or the conversation with its roles; then the item's variables."""
        turns = self.turns
        parts = [turns[0].text] if len(turns) == 1 else [f"{turn.role}: {turn.text}" for turn in turns]
        parts += [f"{name}: {_spelled(value)}" for name, value in self.vars.items()]
        return "\n\n".join(parts)


def _spelled(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class Card(StrictModel):
    """What holds for a whole dataset: `<name>.yaml` beside `<name>.jsonl`, optional."""

    description: str | None = None
    system: str | None = None
    documents: _Text | None = None
    context_tokens: Annotated[int, Field(gt=0)] | None = None
    params: Params = Params()
    template: _Text | None = None
    cache: CacheMarks | None = None


@dataclass(frozen=True)
class TemplateText:
    """A dataset's prompt template, and where its first line stands."""

    text: str
    file: str = field(compare=False)
    line: int = field(default=1, compare=False)


@dataclass(frozen=True)
class Dataset:
    """Items with everything they refer to, read and checked.

    `documents` maps a name to its text: the evidence of all items, and the pool of the card's folder.
    `evidence` maps an item's id to the names of its answer-bearing documents, in order. Of a card with problems,
    which is not whole, `card` has what could be read.
    """

    name: str
    items: tuple[Item, ...]
    card: Card = field(default_factory=Card)
    documents: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    attachments: Mapping[str, Attachment] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)
    template: TemplateText | None = None
    card_is_whole: bool = field(default=True, compare=False)

    @cached_property
    def sha256(self) -> str:
        """Content hash over items, card, template, document texts and attachments; not over file names or layout."""
        named = {"description", "documents", "template"}
        content = {
            "items": map(_dumped, self.items),
            "card": self.card.model_dump(mode="json", by_alias=True, exclude=named, exclude_defaults=True),
            "documents": dict(self.documents),
            "attachments": {name: a.sha256 for name, a in self.attachments.items()},
        }
        return mapping_sha256(content | ({"template": self.template.text} if self.template else {}))

    def params(self, item: Item) -> dict[str, Any]:
        """Request settings of one item: the card's, overridden by its own."""
        return {**self.card.params.chosen(), **item.params.chosen()}

    def system(self, item: Item) -> str | None:
        """The system prompt of one item: its own, else the card's."""
        return item.system if item.system is not None else self.card.system


def _dumped(item: Item) -> Any:
    return adapter(Item).dump_python(item, mode="json", by_alias=True, exclude_defaults=True)


NO_ITEMS = "no items"
REPEATED = "stands already on line"


def parse_item(line: str) -> Item | list[tuple[str, str]]:
    """One JSONL line as an Item, or its problems as (what, remedy)."""
    return _read_item(line)[0]


def _read_item(line: str) -> tuple[Item | list[tuple[str, str]], object]:
    """One JSONL line as an Item, or its problems; and the id it has, whatever else is wrong with it."""
    problems: list[tuple[str, str]] = []
    try:
        content: dict[str, Any] | None = json_object(line)
    except NotAnObjectError as error:
        problems, content = [(what, "write one JSON object per line") for what in error.problems], error.partly
    if content is None:
        return problems, None
    item = validated(Item, content)
    if not isinstance(item, list):
        return problems or item, item.id
    return problems + [(what, remedy) for _, what, remedy in item], content.get("id")


def parse_items(lines: Iterable[str], file: str) -> tuple[list[tuple[int, Item]], list[Problem]]:
    """All items with their line numbers, and all problems (blank lines are passed over)."""
    items: list[tuple[int, Item]] = []
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        item, id_ = _read_item(line)
        if isinstance(id_, str) and seen.setdefault(id_, number) != number:
            what = f"id {id_!r} {REPEATED} {seen[id_]}"
            problems.append(Problem(file, number, what, "give every item its own id"))
        if isinstance(item, list):
            problems += [Problem(file, number, what, remedy) for what, remedy in item]
        else:
            items.append((number, item))
    if not items and not problems:
        problems.append(Problem(file, 1, NO_ITEMS, "write one JSON object per line"))
    return items, problems
