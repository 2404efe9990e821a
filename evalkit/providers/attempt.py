"""One request through one of the SDK's clients: sent once, and read to its end or its deadline."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from evalkit.error_kinds import NO_CONNECTION
from evalkit.providers.failures import StreamError, error_in, failed, unstreamed
from evalkit.providers.headers import read_headers
from evalkit.providers.posting import Body, Post
from evalkit.providers.sse import MOST_READ, NO_EVENTS, sse
from evalkit.providers.stream import Heard, count_or_none
from evalkit.providers.transport import start_clock
from evalkit.records import Reply, Request
from evalkit.standstill import STALL_S

if TYPE_CHECKING:
    import httpx2

CLOSING_S = 1.0
"""How long a server may take to end a stream whose answer is complete; its connection can then be used again."""

_TICK_S = 1.0
_COUNTED = frozenset({
    "model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control", "speed",
})  # fmt: skip
_STREAMS = ("text/event-stream", "application/vnd.amazon.eventstream")
_COUNTING_PAUSES_S = (0.5, 2.0, 8.0, None)
_COUNTING_S = 60.0
_TOO_MANY, _SERVER_ERROR, _NOT_IMPLEMENTED = 429, 500, 501


class Event(Protocol):
    """One event of a stream: its name, if it has one, and its JSON."""

    @property
    def event(self) -> str | None: ...
    @property
    def data(self) -> str: ...


Decode = Callable[["httpx2.Response"], AsyncIterator[Event]]
"""From a response to its events."""


def body_of(request: Request) -> dict[str, Any]:
    """The JSON of a request. Settings go out as they are: which of them a model takes is for the server to say."""
    system = {} if request.system is None else {"system": request.system}
    return {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "messages": list(request.messages),
        **request.params,
        **system,
    }


def counted_body(request: Request) -> dict[str, Any]:
    """The part of a request that is its input."""
    return {name: value for name, value in body_of(request).items() if name in _COUNTED}


def is_fast(request: Request) -> bool:
    """Whether a request asks for fast mode."""
    return request.params.get("speed") == "fast"


async def attempt(post: Post, body: Body, deadline_s: float, decode: Decode = sse, *, fast: bool) -> Reply:
    """Stream one answer; `body` asks for a stream. Whatever the server or the network does becomes a Reply."""
    heard = Heard(start_clock())
    try:
        async with asyncio.timeout(deadline_s) as limit:
            with _put_off(limit, deadline_s):
                await _listen(post, body, heard, decode, limit, fast=fast)
        return heard.reply()
    except TimeoutError:
        if heard.clock.sent is None:
            failure = heard.failure(NO_CONNECTION, f"no connection within {deadline_s:g} s", retryable=True)
        else:
            failure = heard.failure("timeout", f"no complete answer within {deadline_s:g} s", retryable=True)
    except Exception as error:
        failure = failed(heard, error)
    return heard.reply() if heard.complete else failure  # what goes wrong after its end is no part of an answer


@contextmanager
def _put_off(limit: asyncio.Timeout, deadline_s: float) -> Iterator[None]:
    """Put a deadline off by the time for which our own process stands still: what came meanwhile is read first.

    A late tick runs before the deadline that has passed with it, since it was due sooner.
    """
    loop, every_s = asyncio.get_running_loop(), min(_TICK_S, deadline_s / 4)
    ticks: list[asyncio.TimerHandle] = []

    def tick(due: float) -> None:
        late_s, ends = loop.time() - due, limit.when()
        if late_s > STALL_S and ends is not None and not limit.expired():
            limit.reschedule(ends + late_s)
        wait()

    def wait() -> None:
        due = loop.time() + every_s
        ticks[:] = [loop.call_at(due, tick, due)]

    wait()
    try:
        yield
    finally:
        ticks[0].cancel()


async def _listen(post: Post, body: Body, heard: Heard, decode: Decode, limit: asyncio.Timeout, *, fast: bool) -> None:
    response = await post("/v1/messages", body, fast)  # the deadline is kept once, not at each byte
    headers, is_empty = read_headers(response), True
    heard.headers(headers)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind not in ("", *_STREAMS):
            raise unstreamed(headers, await _beginning(response))
        async for event in decode(response):
            is_empty = False
            if event.event == "error":
                raise StreamError(event.data)
            if event.event is None and (told := error_in(event.data)) is not None:
                raise told
            if event.event not in (None, "ping") and event.data and not heard.complete:
                heard.event(event.data)
                if heard.complete:
                    end = asyncio.get_running_loop().time() + CLOSING_S
                    limit.reschedule(min(end, limit.when() or end))
        if is_empty:
            found = unstreamed(headers, response.extensions.get(NO_EVENTS, b""))
            if not kind or isinstance(found, StreamError):
                raise found
    finally:
        await response.aclose()


async def _beginning(response: "httpx2.Response") -> bytes:
    """As much of a body as is looked into."""
    found = bytearray()
    async with aclosing(response.aiter_bytes()) as pieces:
        async for piece in pieces:
            found += piece
            if len(found) > MOST_READ:
                break
    return bytes(found[:MOST_READ])


async def count(post: Post, body: Body, *, fast: bool) -> int | None:
    """Input tokens as the server counts them; None if it has no such endpoint or is out of reach."""
    import anthropic
    import httpx2

    for pause_s in _COUNTING_PAUSES_S:
        try:
            async with asyncio.timeout(_COUNTING_S):
                answer = await post("/v1/messages/count_tokens", body, fast)
                return count_or_none(json.loads(await answer.aread())["input_tokens"])
        except (anthropic.APIStatusError, anthropic.APIConnectionError, httpx2.TransportError, TimeoutError) as error:
            status = getattr(error, "status_code", None)
            passing = status is None or status == _TOO_MANY or (status >= _SERVER_ERROR and status != _NOT_IMPLEMENTED)
            if pause_s is None or not passing:
                return None
            await asyncio.sleep(pause_s)
        except (anthropic.AnthropicError, ValueError, KeyError, TypeError, RecursionError):
            return None
    return None
