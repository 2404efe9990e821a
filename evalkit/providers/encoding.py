"""Requests as the bytes that are sent: a long text that several requests share is turned into JSON once."""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from evalkit.base64_text import Base64

_LONG = 2_000
"""Characters from which on a text is worth looking up."""

_PLACE = "\x00an attachment\x00"
"""What stands for the data of an attachment while its block is turned into JSON."""


def encoded(body: Mapping[str, Any]) -> bytes:
    """A request's body as JSON, whose long parts are copied once: a process that turns 20 MB into JSON stands still for
    0.3 s.
    """
    fields = (
        (_json(name), b":", *(_messages(value) if name == "messages" else (_json(value),)))
        for name, value in body.items()
    )
    return b"".join((b"{", *_listed(fields), b"}"))


def _messages(messages: Any) -> Iterable[bytes]:
    return (b"[", *_listed(map(_message, messages)), b"]")


def _message(message: Mapping[str, Any]) -> Iterable[bytes]:
    content = message["content"]
    if isinstance(content, list) and any(map(_attached, content)):
        inside = (b"[", *_listed(map(_block, content)), b"]")
    elif isinstance(content, str) and len(content) >= _LONG:
        inside = (_long(content),)
    else:
        return (_json(message),)
    return (b'{"role":', _json(message["role"]), b',"content":', *inside, b"}")


def _block(block: Any) -> Iterable[bytes]:
    """A block of content; the data of an attachment needs no JSON."""
    data = _attached(block)
    if data is None:
        return (_json(block),)
    before, after = _json({**block, "source": {**block["source"], "data": _PLACE}}).split(_json(_PLACE))
    return (before, b'"', data.encode("ascii"), b'"', after)


def _attached(block: Any) -> Base64 | None:
    source = block.get("source") if isinstance(block, Mapping) else None
    data = source.get("data") if isinstance(source, Mapping) else None
    return data if isinstance(data, Base64) else None


def _listed(elements: Iterable[Iterable[bytes]]) -> Iterator[bytes]:
    for place, pieces in enumerate(elements):
        if place:
            yield b","
        yield from pieces


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


@lru_cache(maxsize=8)
def _long(text: str) -> bytes:
    """An item is counted for each model, and then sent to each, one soon after the other."""
    return _json(text)
