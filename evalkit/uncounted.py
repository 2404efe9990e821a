"""How large a prompt is that no server has counted: about, and at most, by all that is sent of it."""

import base64
import binascii
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from math import ceil
from typing import Any

from evalkit.frozen import dataclass
from evalkit.models import known
from evalkit.records import Request, Usage

CHARACTERS_PER_TOKEN = 3.5
"""Of ASCII text, for what is expected: on the safe side for English prose with the newer tokenizers. Other scripts have
about a token a character."""

MARGIN = 2.0
"""How many times the tokens that one model makes of a text another one may make of it."""

_SENT = ("tools", "tool_choice", "output_config")
_FRAME_TOKENS = 4
_ADDED_TOKENS, _MOST_ADDED_TOKENS = 350, 1000
"""Of the text that a server puts before tools, and as much before an output format."""

_IMAGE_TOKENS, _MOST_IMAGE_TOKENS = 1500, 5000
"""Larger images are scaled down: to 1568 pixels a side, with the newest models to 2576."""

_PAGE_TOKENS, _MOST_PAGE_TOKENS = 2500, 8000
"""Of a PDF, each sent as text and as an image."""

_SHORT_TOKENS = 500
"""A prompt below this tells nothing of how a longer one was measured: what comes to it is added to any."""

_WRITTEN_OUT = ("text", "content")
"""Kinds of source that hold the text of a document; others hold a file or name it."""

_MOST_PAGES, _PAGE_CHARACTERS = 600, 60_000
_OBJECTS = re.compile(rb"/ObjStm\b[^\0]{0,500}?\bstream\r?\n")
_MOST_UNPACKED = 64 * 2**20
_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])|/Count\s+(\d{1,4})\b")


@dataclass(frozen=True, slots=True)
class Uncounted:
    """A prompt's size in tokens: `about` for its text and `attached` for images and PDFs, as far as can be told.

    It has `most` at the utmost: a token stands for at least one byte of a text. `unseen`: documents that it only names,
    of which each is taken for one page, and for as many as the API takes at the utmost.
    """

    about: float
    attached: float
    most: int
    unseen: int = 0

    def most_of(self, model: str) -> int:
        """The most tokens of a model, which takes no prompt beyond its window."""
        window = window_of(model)
        return self.most if window is None else min(self.most, window)


def measured(request: Request) -> Uncounted:
    """The size of all that a server takes for input."""
    frames = len(request.messages)
    about, attached, most, unseen = float(frames * _FRAME_TOKENS), 0, 0, 0
    for part in _parts(request):
        if isinstance(part, _File):
            some, its_most = part.tokens
            attached, most, unseen = attached + some, most + its_most, unseen + part.is_unseen
        else:
            about += guessed_tokens(part)
            most += len(part.encode("utf-8", "surrogatepass"))
    for asked in (request.params.get("tools"), (request.params.get("output_config") or {}).get("format")):
        about += _ADDED_TOKENS if asked else 0
        most += _MOST_ADDED_TOKENS if asked else 0
    return Uncounted(about, attached, most, unseen)


def guessed_tokens(text: str) -> float:
    """About how many tokens a text has."""
    plain = len(text) if text.isascii() else len(text.encode("ascii", "ignore"))
    return len(text) - plain + plain / CHARACTERS_PER_TOKEN


def about_block(block: Mapping[str, Any]) -> float:
    """About how many tokens a part of a prompt has."""
    if "text" in block:
        return guessed_tokens(str(block["text"]))
    return sum(part.tokens[0] if isinstance(part, _File) else guessed_tokens(part) for part in _of_content([block]))


def unseen_documents(content: Any) -> int:
    """How many documents a message only names, by URL or file id, so that nobody here knows how long they are."""
    return sum(isinstance(part, _File) and part.is_unseen for part in _of_content(content))


def window_of(model: str) -> int | None:
    """Tokens that no prompt of a model has more of, since it would be turned down; None if unknown."""
    facts = known(model)
    return None if facts is None else facts.context_tokens


@dataclass(frozen=True, slots=True)
class _File:
    """An image or a document in a prompt; `encoded` None where the prompt only names it, by its URL or its file id."""

    kind: str
    encoded: str | None

    @property
    def is_unseen(self) -> bool:
        """Whether nothing is known of how long it is; of an image it is known well enough."""
        return self.encoded is None and self.kind != "image"

    @property
    def tokens(self) -> tuple[int, int]:
        """About, and at most."""
        if self.kind == "image":
            return _IMAGE_TOKENS, _MOST_IMAGE_TOKENS
        if self.encoded is None:
            return _PAGE_TOKENS, _MOST_PAGES * _MOST_PAGE_TOKENS
        found, least = _pages(self.encoded), 1 + len(self.encoded) // _PAGE_CHARACTERS
        most = max(found, least) if found else _MOST_PAGES
        return (found or least) * _PAGE_TOKENS, most * _MOST_PAGE_TOKENS


def _parts(request: Request) -> Iterator[str | _File]:
    """All text that is sent, with the names and marks that structure it, and all files."""
    yield from _of_content(request.system)
    for message in request.messages:
        yield json.dumps({"role": message["role"], "content": ""})
        yield from _of_content(message["content"])
    for name in _SENT:
        if name in request.params:
            yield json.dumps(request.params[name], ensure_ascii=False)


def _of_content(content: Any) -> Iterator[str | _File]:
    """The same of one content, with what its blocks hold in turn: a tool's result, or a document in parts."""
    if content is None or isinstance(content, str):
        yield content or ""
        return
    for block in content:
        if not isinstance(block, Mapping):
            yield json.dumps(block, ensure_ascii=False)
            continue
        frame, source = dict(block), block.get("source")
        if isinstance(block.get("text"), str):
            yield str(block["text"])
            frame["text"] = ""
        if isinstance(block.get("content"), list):
            yield from _of_content(block["content"])
            frame["content"] = []
        if isinstance(source, Mapping) and isinstance(source.get("content"), list):
            yield from _of_content(source["content"])
            frame["source"] = {**source, "content": []}
        elif isinstance(source, Mapping) and source.get("type") not in _WRITTEN_OUT:
            yield _File(str(block.get("type")), _encoded(source))
            frame["source"] = {}
        yield json.dumps(frame, ensure_ascii=False)


def _encoded(source: Mapping[str, Any]) -> str | None:
    return str(source.get("data", "")) if source.get("type") == "base64" else None


def _pages(encoded: str) -> int:
    """Pages of a PDF as far as it says so, older versions of a page included; 0 if it does not."""
    try:
        data = base64.b64decode(encoded)
    except (binascii.Error, ValueError):
        return 0
    unpacked = _object_streams(data)
    if unpacked is None:
        return 0
    counts = [match.group(1) for match in _PAGE.finditer(data + unpacked)]
    return max(counts.count(None), *(int(count) for count in counts if count is not None), 0)


def _object_streams(data: bytes) -> bytes | None:
    """What a PDF keeps compressed beside its pages' contents, its pages for one; None where that cannot be read."""
    found = bytearray()
    if b"/ObjStm" in data and b"/Encrypt" in data:
        return None
    for begun in _OBJECTS.finditer(data):
        unpacking, end = zlib.decompressobj(), data.find(b"endstream", begun.end())
        try:
            found += unpacking.decompress(data[begun.end() : max(end, begun.end())], _MOST_UNPACKED - len(found))
        except zlib.error:
            return None
        if not unpacking.eof or len(found) >= _MOST_UNPACKED:
            return None
        found += b"\n"
    return bytes(found) if len(_OBJECTS.findall(data)) == data.count(b"/ObjStm") else None


@dataclass
class ShownSizes:
    """What answers have shown of the sizes of prompts, counted or not, by model.

    `beyond`: how many times what was taken for the most a prompt of some length has had; `added`: how many tokens more
    a short one has, of which a frame around it may be a large part. That others had far less says nothing of the next,
    which may be of another kind.
    """

    beyond: dict[str, float] = field(default_factory=dict)
    added: dict[str, int] = field(default_factory=dict)

    def hear(self, model: str, most_tokens: int, usage: Usage) -> bool:
        """An answer has come to a prompt of which `most_tokens` was the most; whether it shows that others may be
        longer than was known."""
        tokens = usage.total_input_tokens
        if tokens is None:
            return False
        before = (self.added.get(model, 0), self.beyond.get(model, 1.0))
        if most_tokens < _SHORT_TOKENS:
            self.added[model] = max(before[0], tokens - most_tokens)
        else:
            self.beyond[model] = max(before[1], tokens / most_tokens)
        return (self.added.get(model, 0), self.beyond.get(model, 1.0)) != before

    def most_tokens(self, model: str, planned: int) -> int:
        """The most that a prompt can have, which was `planned` before anything was answered."""
        most = ceil(planned * self.beyond.get(model, 1.0)) + self.added.get(model, 0)
        window = window_of(model)
        return most if window is None else max(planned, min(most, window))


@dataclass(frozen=True)
class Unsure:
    """A prompt of which `planned` tokens are the most, unless answers to others show otherwise.

    `usd(tokens)` is the most a request with so long a prompt can cost; None if unpriced.
    """

    model: str
    planned: int
    usd: Callable[[int], float | None]
    shown: ShownSizes

    def worst_usd(self) -> float | None:
        """The most one request can cost, as far as is known now."""
        return self.usd(self.shown.most_tokens(self.model, self.planned))

    def hear(self, usage: Usage) -> bool:
        """It was answered, and had so many tokens; whether others may be longer than was known."""
        return self.shown.hear(self.model, self.planned, usage)
