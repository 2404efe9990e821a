"""Requests as the bytes that are sent: a long text that several requests share is turned into JSON once."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

_LONG = 2_000
"""Characters from which on a text is worth looking up."""


def encoded(body: Mapping[str, Any]) -> bytes:
    """A request's body as JSON."""
    parts = (
        _json(name) + b":" + (_messages(value) if name == "messages" else _json(value)) for name, value in body.items()
    )
    return b"{" + b",".join(parts) + b"}"


def _messages(messages: Any) -> bytes:
    return b"[" + b",".join(_message(message) for message in messages) + b"]"


def _message(message: Mapping[str, Any]) -> bytes:
    text = message["content"]
    if not isinstance(text, str) or len(text) < _LONG:
        return _json(message)
    return b'{"role":' + _json(message["role"]) + b',"content":' + _long(text) + b"}"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


@lru_cache(maxsize=8)
def _long(text: str) -> bytes:
    """An item is counted for each model, and then sent to each, one soon after the other."""
    return _json(text)
