"""A request for a message, read once: the text that matters, its size in tokens, and its fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from evalkit.frozen import dataclass
from evalkit.sandbox import tokens
from evalkit.sandbox.catalog import ModelSpec

Body = Mapping[str, Any]

MESSAGE_OVERHEAD, IMAGE, DOCUMENT_PAGE = 4, 1500, 1800
"""Tokens (4.6 generation) for the frame of a message, for an image, and for each page of a PDF."""

BASE64_CHARACTERS_PER_PAGE = 60_000
"""How large a page of a PDF is taken to be, since the sandbox does not open PDFs."""

_NOT_CONTENT = frozenset({"stream", "model", "metadata", "service_tier"})


@dataclass(frozen=True)
class Segment:
    """A stretch of the prompt in sending order; `ttl` is set where a cache breakpoint follows it."""

    text: str
    plain_tokens: float
    ttl: str | None = None


@dataclass(frozen=True)
class MessageRequest:
    """A valid request: `plain_tokens` as the 4.6 tokenizer counts, `input_tokens` as the model's own does."""

    spec: ModelSpec
    body: Body
    content_sha256: str
    user_text: str
    segments: tuple[Segment, ...]
    plain_tokens: float
    input_tokens: int

    @property
    def max_tokens(self) -> int:
        """The most tokens the reply may have, thinking included."""
        return int(self.body["max_tokens"])

    @property
    def streams(self) -> bool:
        """Whether the reply is wanted as a stream."""
        return bool(self.body.get("stream"))

    @property
    def stop_sequences(self) -> tuple[str, ...]:
        """Texts at which the reply ends."""
        return tuple(self.body.get("stop_sequences") or ())

    @property
    def schema(self) -> Body | None:
        """The JSON schema the reply must satisfy, if any."""
        wanted = (self.body.get("output_config") or {}).get("format") or {}
        schema = wanted.get("schema")
        return schema if isinstance(schema, Mapping) else None

    @property
    def tools(self) -> tuple[Body, ...]:
        """The tools that the reply may call; none where the request forbids it."""
        forbidden = (self.body.get("tool_choice") or {}).get("type") == "none"
        return () if forbidden else tuple(self.body.get("tools") or ())

    @property
    def forced_tools(self) -> tuple[Body, ...]:
        """The tools of which the reply must call one, if it must."""
        choice = self.body.get("tool_choice") or {}
        if choice.get("type") == "tool":
            return tuple(tool for tool in self.tools if tool["name"] == choice["name"])
        return self.tools if choice.get("type") == "any" else ()

    @property
    def effort(self) -> str:
        """How hard the model is asked to work, from low to max."""
        return str((self.body.get("output_config") or {}).get("effort") or self.spec.default_effort)

    @property
    def thinks(self) -> bool:
        """Whether a thinking block precedes the reply."""
        kind = (self.body.get("thinking") or {}).get("type")
        return self.spec.thinks_unasked if kind is None else kind in ("adaptive", "enabled")


def read_request(body: Body, spec: ModelSpec) -> MessageRequest:
    """Everything the sandbox needs to know about a validated body; the only place that reads all of it."""
    content = {name: value for name, value in body.items() if name not in _NOT_CONTENT}
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    sha256 = hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
    segments = tuple(_segments(body))
    plain = sum(segment.plain_tokens for segment in segments)
    return MessageRequest(
        spec, body, sha256, _last_user_text(body), segments, plain, max(1, round(plain * spec.token_factor))
    )


def _last_user_text(body: Body) -> str:
    """What the user asked last; results of tools are no words of theirs."""
    said = [message["content"] for message in body.get("messages") or () if message["role"] == "user"]
    texts = (
        "\n".join(str(block.get("text", "")) for block in _blocks(content) if block.get("type") == "text")
        for content in reversed(said)
    )
    return next(filter(None, texts), "")


def _segments(body: Body) -> Iterator[Segment]:
    for tool in body.get("tools") or ():
        yield _segment(json.dumps(tool, sort_keys=True, ensure_ascii=False), tool)
    for block in _blocks(body.get("system")):
        yield _block_segment(block)
    for message in body.get("messages") or ():
        yield Segment(message["role"], MESSAGE_OVERHEAD)
        for block in _blocks(message["content"]):
            yield _block_segment(block)
    if body.get("cache_control"):
        yield Segment("", 0.0, _ttl(body))


def _blocks(content: Any) -> list[Body]:
    if content is None:
        return []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _block_segment(block: Body) -> Segment:
    told = block.get("source")
    source: Body = told if isinstance(told, Mapping) else {}
    if block.get("type") == "image":
        return Segment(str(source), IMAGE, _ttl(block))
    if block.get("type") == "document" and source.get("type") != "text":
        pages = 1 + len(str(source.get("data", ""))) // BASE64_CHARACTERS_PER_PAGE
        return Segment(str(source), DOCUMENT_PAGE * pages, _ttl(block))
    for text in (block.get("text"), block.get("thinking"), source.get("data")):
        if isinstance(text, str):
            return _segment(text, block)
    return _segment(json.dumps(block, sort_keys=True, ensure_ascii=False), block)


def _segment(text: str, block: Body) -> Segment:
    return Segment(text, tokens.weigh(text), _ttl(block))


def _ttl(block: Body) -> str | None:
    control = block.get("cache_control")
    return str(control.get("ttl") or "5m") if isinstance(control, Mapping) else None
