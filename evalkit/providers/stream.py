"""Reading one streamed answer: from raw events to a Reply, without a model object for each of them.

An answer is told in deltas by block. Its output is the text of its text blocks, then a line of JSON for each tool
call, `{"input": …, "tool": name}`, the same for the same call. Thinking is no part of it.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

from evalkit.providers.environment import redacted
from evalkit.providers.headers import SIMULATED, Headers, allowances, request_id
from evalkit.providers.transport import Clock
from evalkit.records import Allowance, Outcome, Reply, Usage

_ENDINGS: dict[str, tuple[Outcome, str | None, str | None]] = {
    "refusal": ("refused", None, None),
    "max_tokens": ("truncated", None, None),
    "model_context_window_exceeded": ("truncated", "context_overflow", "the context window was full before the end"),
    # The server broke off a long turn of its own tools and waits to be asked for the rest: this is not all of it.
    "pause_turn": ("truncated", "pause_turn", "the server paused its turn before the end"),
}
"""Outcome, kind and message by stop reason; every other reason is that of an answer."""

_COUNTS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_WORDS = ("service_tier", "speed", "inference_geo")


def _parsed(data: str) -> Any:
    """JSON; read by the quick parser, which a character cut between two deltas is an error to."""
    try:
        return from_json(data, cache_strings="keys")  # a cache of texts would only grow
    except ValueError:
        return json.loads(data)


class MalformedEventError(ValueError):
    """An event that lacks what its kind must have: the server's fault, not a bug of ours."""


def whole_characters(text: str) -> str:
    """Servers that count UTF-16 units can cut a character between two deltas; half of one cannot be stored."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def count_or_none(value: Any) -> int | None:
    """A count of tokens; servers send all kinds of things in its place."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


@dataclass
class _Block:
    """One block of content: what it is, whether the server has said so, and the pieces it has come in."""

    kind: str
    announced: bool = False
    tool: str | None = None
    input: Any = None
    pieces: list[str] = field(default_factory=list)

    def tool_line(self) -> str:
        written = "".join(self.pieces)
        try:
            arguments = json.loads(written) if written else self.input
        except (ValueError, RecursionError):  # cut at the token limit, or written badly: kept as it came
            arguments = written
        return json.dumps({"tool": self.tool, "input": arguments}, sort_keys=True, ensure_ascii=False)


@dataclass
class Heard:
    """What has arrived of one answer so far."""

    clock: Clock
    blocks: list[_Block] = field(default_factory=list)
    by_index: dict[Any, _Block] = field(default_factory=dict)
    usage: dict[str, Any] = field(default_factory=dict)
    served_model: str | None = None
    request_id: str | None = None
    stop_reason: str | None = None
    is_measured: bool = False
    headers_s: float | None = None
    ttft_s: float | None = None
    ended_s: float | None = None
    simulated: bool = False
    allowances: dict[str, Allowance] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether the answer is all there: a stream may end cleanly and still be cut."""
        return self.ended_s is not None and self.stop_reason is not None

    def headers(self, headers: Headers) -> None:
        """Take in the response headers, the moment they are there."""
        self.headers_s = self.clock.since_sent(self.clock.headers)
        self.request_id = request_id(headers)
        self.simulated = SIMULATED in headers
        self.allowances = allowances(headers)

    def event(self, data: str) -> None:
        """Take in one streaming event; unknown kinds are passed over. Raises MalformedEventError."""
        try:
            event = _parsed(data)
            take = _TAKEN.get(event["type"])
            if take is not None:
                take(self, event)
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
            raise MalformedEventError(f"malformed event ({type(error).__name__}: {error})") from error

    def _start(self, event: dict[str, Any]) -> None:
        message = event["message"]
        self.served_model = _text_or_none(message.get("model"))
        self._count(message.get("usage"))

    def _open(self, event: dict[str, Any]) -> None:
        content = event["content_block"]
        kind = content["type"]
        block = self.by_index.get(event.get("index"))
        if block is None or block.announced or block.kind != kind:  # what was heard before stays
            block = self._new_block(event, kind)
        block.announced = True
        if kind == "text" and content.get("text"):
            self._hear(block, content["text"])  # the vendor sends it empty, other servers may not
        elif kind == "tool_use":
            block.tool, block.input = _text_or_none(content.get("name")), content.get("input")

    def _delta(self, event: dict[str, Any]) -> None:
        delta = event["delta"]
        kind = delta["type"]
        if kind == "text_delta":
            self._hear(self._block(event, "text"), delta["text"])
        elif kind == "input_json_delta":
            self._hear(self._block(event, "tool_use"), delta["partial_json"])

    def _block(self, event: dict[str, Any], kind: str) -> _Block:
        block = self.by_index.get(event.get("index"))
        return self._new_block(event, kind) if block is None else block  # some servers do not announce their blocks

    def _new_block(self, event: dict[str, Any], kind: str) -> _Block:
        block = self.by_index[event.get("index")] = _Block(kind)
        self.blocks.append(block)
        return block

    def _hear(self, block: _Block, text: Any) -> None:
        if not isinstance(text, str):
            raise TypeError(f"an event whose text is {text!r}")
        if self.ttft_s is None and text and block.kind in ("text", "tool_use"):
            self.ttft_s = self.clock.since_sent(self.clock.arrived)
        block.pieces.append(text)

    def _end(self, event: dict[str, Any]) -> None:
        """The ending may come in several events; what a later one leaves out stays."""
        self.stop_reason = _text_or_none(event["delta"].get("stop_reason")) or self.stop_reason
        usage = event.get("usage")
        self._count(usage)
        self.is_measured |= isinstance(usage, dict) and count_or_none(usage.get("output_tokens")) is not None

    def _stop(self, _: dict[str, Any]) -> None:
        self.ended_s = self.clock.since_sent(self.clock.arrived)

    def _count(self, usage: Any) -> None:
        """Later counts replace earlier ones; what a later event leaves out stays."""
        if not isinstance(usage, dict):
            return
        told = {name: count_or_none(usage.get(name)) for name in _COUNTS}
        told["write_1h"] = _inner_count(usage, "cache_creation", "ephemeral_1h_input_tokens")
        told["thinking"] = _inner_count(usage, "output_tokens_details", "thinking_tokens")
        self.usage.update({name: count for name, count in told.items() if count is not None})
        self.usage.update({name: usage[name] for name in _WORDS if isinstance(usage.get(name), str)})

    def _usage(self) -> Usage:
        """Counts as they were told. An answer begins with a running count of its output, which is no total."""
        counts = self.usage
        written, hour = counts.get("cache_creation_input_tokens"), counts.get("write_1h")
        return Usage(
            input_tokens=counts.get("input_tokens"),
            output_tokens=counts.get("output_tokens") if self.is_measured or not self.complete else None,
            cache_read_tokens=counts.get("cache_read_input_tokens"),
            cache_write_5m_tokens=None if written is None else max(0, written - (hour or 0)),
            cache_write_1h_tokens=hour,
            service_tier=counts.get("service_tier"),
            speed=counts.get("speed"),
            inference_geo=counts.get("inference_geo"),
            thinking_tokens=counts.get("thinking"),
        )

    def _output(self) -> str:
        text = "".join(piece for block in self.blocks if block.kind == "text" for piece in block.pieces)
        calls = [block.tool_line() for block in self.blocks if block.kind == "tool_use"]
        return whole_characters("\n".join([text, *calls] if text else calls))

    def reply(self) -> Reply:
        """The answer, if it arrived whole."""
        if not self.complete or self.stop_reason is None:
            return self.failure("stream_cut", "the stream ended before the answer did", retryable=True)
        outcome, kind, message = _ENDINGS.get(self.stop_reason, ("answered", None, None))
        return self._reply(outcome, error_type=kind, error_message=message)

    def failure(self, kind: str, message: str, **facts: Any) -> Reply:
        """A failed attempt, with what had arrived."""
        told = whole_characters(redacted(message)[:500])
        return self._reply("errored", error_type=whole_characters(kind), error_message=told, **facts)

    def _reply(self, outcome: Outcome, **facts: Any) -> Reply:
        return Reply(
            outcome=outcome,
            latency_s=self.clock.since_sent() if self.ended_s is None else self.ended_s,
            text=self._output(),
            ttft_s=self.ttft_s,
            stop_reason=self.stop_reason,
            served_model=self.served_model,
            request_id=self.request_id,
            usage=self._usage(),
            simulated=self.simulated,
            headers_s=self.headers_s,
            reused=self.clock.reused,
            allowances=self.allowances,
            **facts,
        )


def _inner_count(usage: dict[str, Any], part: str, name: str) -> int | None:
    inner = usage.get(part)
    return count_or_none(inner.get(name)) if isinstance(inner, dict) else None


def _text_or_none(value: Any) -> str | None:
    return whole_characters(value) if isinstance(value, str) else None


_TAKEN = {
    "message_start": Heard._start,
    "content_block_start": Heard._open,
    "content_block_delta": Heard._delta,
    "message_delta": Heard._end,
    "message_stop": Heard._stop,
}
