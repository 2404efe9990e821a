"""Sends a reply as server-sent events at its pace, with the faults that break streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

from evalkit.sandbox import tokens, wire
from evalkit.sandbox.exchange import Exchange
from evalkit.sandbox.reply import Reply, Thinking

TOKENS_PER_DELTA = 8
"""How much text one event carries: few enough events for fifty streams at a time, enough to time them."""

BEFORE_HEADERS = 0.8
"""Share of the time to the first token that passes before the response headers."""


async def stream_events(
    exchange: Exchange, request_id: str, drop: Callable[[], None], close: Callable[[], None]
) -> AsyncIterator[bytes]:
    """The events of a reply from message_start to message_stop, or to where its fault breaks them off.

    `close` ends the turn before the client can see how it ended: its next request may come at once.
    """
    envelope, reply, fault = exchange.envelope, exchange.reply, exchange.fault
    exchange.tab.output_tokens = 1
    yield wire.sse({"type": "message_start", "message": wire.started_message(envelope)})
    for _ in range(1 + fault.pings):
        yield wire.sse({"type": "ping"})
    await _pause(exchange.pace.first_token_s * (1 - BEFORE_HEADERS) + fault.slow_first)
    index = 0
    if reply.thinking is not None:
        async for event in _thinking_block(exchange, reply.thinking):
            yield event
        index = 1
    if _has_block(reply):
        yield _block_start(index, _empty_block(exchange))
        async for event in _text_deltas(exchange, index):
            yield event
    if _breaking_point(exchange) is not None:
        close()
        if fault.error_after is not None:
            yield wire.sse(fault.error().body(request_id))
        elif fault.truncate_after is None:
            drop()
        return
    if _has_block(reply):
        yield wire.sse({"type": "content_block_stop", "index": index})
    usage = envelope.delta_usage(reply.output_tokens, reply.thinking_tokens)
    exchange.tab.output_tokens = reply.output_tokens
    yield wire.sse({"type": "message_delta", "delta": wire.ending(reply), "usage": usage})
    exchange.turn.succeeded = True
    close()
    yield wire.sse({"type": "message_stop"})


def _breaking_point(exchange: Exchange) -> int | None:
    fault = exchange.fault
    return next((n for n in (fault.error_after, fault.truncate_after, fault.drop_after) if n is not None), None)


async def _thinking_block(exchange: Exchange, thinking: Thinking) -> AsyncIterator[bytes]:
    yield _block_start(0, {"type": "thinking", "thinking": "", "signature": ""})
    if thinking.text:
        yield _delta(0, {"type": "thinking_delta", "thinking": thinking.text})
    await _pause(thinking.tokens * exchange.pace.per_token_s)
    yield _delta(0, {"type": "signature_delta", "signature": wire.signature_of(exchange.envelope)})
    yield wire.sse({"type": "content_block_stop", "index": 0})


async def _text_deltas(exchange: Exchange, index: int) -> AsyncIterator[bytes]:
    last = _breaking_point(exchange)
    for number, (text, size) in enumerate(_pieces(exchange)):
        if number == last:
            return
        # The first piece comes at the time to the first token; the pauses lie between the pieces.
        pause_s = exchange.pace.gap_s(number, size) if number else 0.0
        await _pause(pause_s + exchange.fault.slow_tokens)
        is_call = exchange.reply.tool is not None
        yield _delta(
            index,
            {"type": "input_json_delta", "partial_json": text} if is_call else {"type": "text_delta", "text": text},
        )


def _has_block(reply: Reply) -> bool:
    return bool(reply.text) or reply.tool is not None


def _empty_block(exchange: Exchange) -> wire.Json:
    tool = exchange.reply.tool
    return {"type": "text", "text": ""} if tool is None else wire.tool_block(exchange.envelope, tool)


def _pieces(exchange: Exchange) -> Iterator[tuple[str, float]]:
    return tokens.pieces(exchange.reply.text, TOKENS_PER_DELTA, exchange.request.spec.token_factor)


def _block_start(index: int, block: wire.Json) -> bytes:
    return wire.sse({"type": "content_block_start", "index": index, "content_block": block})


def _delta(index: int, delta: wire.Json) -> bytes:
    return wire.sse({"type": "content_block_delta", "index": index, "delta": delta})


async def _pause(seconds: float) -> None:
    await asyncio.sleep(seconds)
