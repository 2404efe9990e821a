"""How large a prompt is that no server has counted: about, and at most, by all that is sent of it."""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from math import ceil
from typing import Any

from evalkit.frozen import dataclass
from evalkit.models import known, plain_id
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

_MOST_PAGES, _PAGE_CHARACTERS = 600, 60_000
_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])|/Count\s+(\d{1,4})\b")


@dataclass(frozen=True, slots=True)
class Uncounted:
    """A prompt's size in tokens: `about` for its text and `attached` for images and PDFs, as far as can be told.

    It has `most` at the utmost: a token stands for at least one byte of a text.
    """

    about: float
    attached: float
    most: int

    def most_of(self, model: str) -> int:
        """The most tokens of a model, which takes no prompt beyond its window."""
        window = window_of(model)
        return self.most if window is None else min(self.most, window)


def measured(request: Request) -> Uncounted:
    """The size of all that a server takes for input."""
    frames = len(request.messages)
    about, attached, most = float(frames * _FRAME_TOKENS), 0, 0
    for text in _texts(request):
        about += guessed_tokens(text)
        most += len(text.encode("utf-8", "surrogatepass"))
    for kind, encoded in _attachments(request):
        some, its_most = _of_attachment(kind, encoded)
        attached, most = attached + some, most + its_most
    for asked in (request.params.get("tools"), (request.params.get("output_config") or {}).get("format")):
        about += _ADDED_TOKENS if asked else 0
        most += _MOST_ADDED_TOKENS if asked else 0
    return Uncounted(about, attached, most)


def guessed_tokens(text: str) -> float:
    """About how many tokens a text has."""
    plain = len(text) if text.isascii() else len(text.encode("ascii", "ignore"))
    return len(text) - plain + plain / CHARACTERS_PER_TOKEN


def about_block(block: Mapping[str, Any]) -> float:
    """About how many tokens a part of a prompt has."""
    if (encoded := _encoded(block)) is not None:
        return _of_attachment(str(block.get("type")), encoded)[0]
    return guessed_tokens(str(block["text"]) if "text" in block else json.dumps(block, ensure_ascii=False))


def window_of(model: str) -> int | None:
    """Tokens that no prompt of a model has more of, since it would be turned down; None if unknown."""
    facts = known(plain_id(model))
    return None if facts is None else facts.context_tokens


def _texts(request: Request) -> Iterator[str]:
    """All text that is sent, with the names and marks that structure it."""
    yield from _of_content(request.system)
    for message in request.messages:
        yield json.dumps({"role": message["role"], "content": ""})
        yield from _of_content(message["content"])
    for name in _SENT:
        if name in request.params:
            yield json.dumps(request.params[name], ensure_ascii=False)


def _of_content(content: Any) -> Iterator[str]:
    if content is None or isinstance(content, str):
        yield content or ""
        return
    for block in content:
        if _encoded(block) is None:
            text = block.get("text")
            frame = block if text is None else {**block, "text": ""}
            yield json.dumps(frame, ensure_ascii=False)
            yield text or ""


def _attachments(request: Request) -> Iterator[tuple[str, str]]:
    for message in request.messages:
        for block in message["content"] if not isinstance(message["content"], str) else ():
            if (encoded := _encoded(block)) is not None:
                yield str(block.get("type")), encoded


def _encoded(block: Mapping[str, Any]) -> str | None:
    source = block.get("source")
    if not isinstance(source, Mapping) or source.get("type") != "base64":
        return None
    return str(source.get("data", ""))


def _of_attachment(kind: str, encoded: str) -> tuple[int, int]:
    """Tokens of an image or PDF: about, and at most."""
    if kind == "image":
        return _IMAGE_TOKENS, _MOST_IMAGE_TOKENS
    found, least = _pages(encoded), 1 + len(encoded) // _PAGE_CHARACTERS
    most = max(found, least) if found else _MOST_PAGES
    return (found or least) * _PAGE_TOKENS, most * _MOST_PAGE_TOKENS


def _pages(encoded: str) -> int:
    """Pages of a PDF as far as it says so uncompressed; 0 if it does not."""
    try:
        data = base64.b64decode(encoded)
    except (binascii.Error, ValueError):
        return 0
    counts = [match.group(1) for match in _PAGE.finditer(data)]
    return max(counts.count(None), *(int(count) for count in counts if count is not None), 0)


@dataclass
class Shown:
    """What answers have shown of the sizes of prompts that nobody has counted, by model.

    `beyond`: how many times what was taken for the most one has had. That others had far less says nothing of the next,
    which may be of another kind.
    """

    beyond: dict[str, float] = field(default_factory=dict)

    def hear(self, model: str, most_tokens: int, usage: Usage) -> None:
        """An answer has come to a prompt of which `most_tokens` was the most."""
        tokens = usage.total_input_tokens
        if tokens is None:
            return
        self.beyond[model] = max(self.beyond.get(model, 1.0), tokens / max(1, most_tokens))

    def most_tokens(self, model: str, planned: int) -> int:
        """The most that a prompt can have, which was `planned` before anything was answered."""
        return ceil(planned * self.beyond.get(model, 1.0))
