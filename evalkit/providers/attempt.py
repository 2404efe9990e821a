"""One request through one of the SDK's clients: sent once, and read to its end or its deadline."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

from evalkit.providers.failures import NotAStreamError, StreamError, failed
from evalkit.providers.headers import read_headers
from evalkit.providers.sse import sse
from evalkit.providers.stream import Heard, count_or_none
from evalkit.providers.transport import CONNECT_S, start_clock
from evalkit.records import Reply, Request

if TYPE_CHECKING:
    import httpx2
    from anthropic import AsyncAnthropic, AsyncAnthropicBedrock, AsyncAnthropicBedrockMantle, RequestOptions

    Client = AsyncAnthropic | AsyncAnthropicBedrock | AsyncAnthropicBedrockMantle

CLOSING_S = 1.0
"""How long a server may take to end a stream whose answer is complete; its connection can then be used again."""

_COUNTED = frozenset({
    "model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control", "speed",
})  # fmt: skip
_STREAMS = ("text/event-stream", "application/vnd.amazon.eventstream")
_COUNTING_PAUSES_S = (0.5, 2.0, 8.0, None)
_NOT_IMPLEMENTED = 501


class Event(Protocol):
    """One event of a stream: its name, if it has one, and its JSON."""

    @property
    def event(self) -> str | None: ...
    @property
    def data(self) -> str: ...


FAST_MODE = "fast-mode-2026-02-01"
"""The beta that some models want to be named with `speed: fast`; those that do not pass over it."""

Decode = Callable[["httpx2.Response"], AsyncIterator[Event]]
"""From a response to its events."""

Body = dict[str, Any] | bytes
"""What is posted; bytes where the client need not look into it."""


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


def beta_headers(client: "Client", *, fast: bool) -> dict[str, str]:
    """What a request in fast mode has to name, besides what the environment names for every request."""
    if not fast:
        return {}
    own = {name.lower(): value for name, value in client.default_headers.items()}.get("anthropic-beta")
    return {"anthropic-beta": f"{own},{FAST_MODE}" if own else FAST_MODE}


def _posted(body: Body) -> dict[str, Any]:
    return {"content": body} if isinstance(body, bytes) else {"body": body}


async def attempt(client: "Client", body: Body, deadline_s: float, decode: Decode = sse, *, fast: bool) -> Reply:
    """Stream one answer; `body` asks for a stream. Whatever the server or the network does becomes a Reply."""
    heard = Heard(start_clock())
    try:
        async with asyncio.timeout(deadline_s) as limit:
            await _listen(client, body, heard, decode, limit, fast=fast)
        return heard.reply()
    except TimeoutError:
        failure = heard.failure("timeout", f"no complete answer within {deadline_s:g} s", retryable=True)
    except Exception as error:
        failure = failed(heard, error)
    return heard.reply() if heard.complete else failure  # what goes wrong after its end is no part of an answer


async def _listen(
    client: "Client", body: Body, heard: Heard, decode: Decode, limit: asyncio.Timeout, *, fast: bool
) -> None:
    import httpx2
    from anthropic import AsyncStream

    # The deadline is kept once, not at each byte.
    options: RequestOptions = {
        "timeout": httpx2.Timeout(None, connect=CONNECT_S),
        "headers": beta_headers(client, fast=fast),
    }
    # The SDK's general call, for its own `create` builds a model of every request and takes no setting it lacks.
    sent = client.post(
        "/v1/messages",
        cast_to=httpx2.Response,
        **_posted(body),
        options=options,
        stream=True,
        stream_cls=AsyncStream,
    )
    response = cast(httpx2.Response, await sent)  # as `cast_to` says; the signature knows streams of models only
    headers, is_empty = read_headers(response), True
    heard.headers(headers)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind not in ("", *_STREAMS):
            raise NotAStreamError(headers)
        async for event in decode(response):
            is_empty = False
            if event.event == "error":
                raise StreamError(event.data)
            if event.event not in (None, "ping") and event.data and not heard.complete:
                heard.event(event.data)
                if heard.complete:
                    end = asyncio.get_running_loop().time() + CLOSING_S
                    limit.reschedule(min(end, limit.when() or end))
        if is_empty and not kind:
            raise NotAStreamError(headers)
    finally:
        await response.aclose()


async def count(client: "Client", body: Body, *, fast: bool) -> int | None:
    """Input tokens as the server counts them; None if it has no such endpoint or is out of reach."""
    import anthropic
    import httpx2

    for pause_s in _COUNTING_PAUSES_S:
        try:
            answer = await client.post(
                "/v1/messages/count_tokens",
                cast_to=httpx2.Response,
                **_posted(body),
                options={"headers": beta_headers(client, fast=fast)},
            )
            return count_or_none(answer.json()["input_tokens"])
        except (anthropic.RateLimitError, anthropic.InternalServerError, anthropic.APIConnectionError) as error:
            if pause_s is None or getattr(error, "status_code", None) == _NOT_IMPLEMENTED:
                return None
            await asyncio.sleep(pause_s)
        except (anthropic.AnthropicError, ValueError, KeyError, TypeError, RecursionError):
            return None
    return None
