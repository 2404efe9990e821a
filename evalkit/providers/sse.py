"""Server-sent events, read without a line-by-line decoder: it would cost as much as all else that an event costs."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import httpx2
    from httpx2 import AsyncByteStream


@dataclass(slots=True)
class SentEvent:
    """One event: its name, if it has one, and its data."""

    event: str | None
    data: str


async def sse(response: "httpx2.Response") -> AsyncIterator[SentEvent]:
    """The events of a stream, each once its blank line is there. Raises UnicodeDecodeError for other than UTF-8."""
    waiting = b""
    # What is not compressed is taken as it comes, with two layers less for each event.
    raw = "content-encoding" not in response.headers
    async for piece in cast("AsyncByteStream", response.stream) if raw else response.aiter_bytes():
        waiting += piece
        if b"\r" in waiting:
            held = waiting.endswith(b"\r")  # half of a line's end, perhaps
            waiting = waiting[: -1 if held else None].replace(b"\r\n", b"\n").replace(b"\r", b"\n") + b"\r" * held
        *blocks, waiting = waiting.split(b"\n\n")
        for block in blocks:
            if (event := _event(block)) is not None:
                yield event


def _event(block: bytes) -> SentEvent | None:
    """One event from its lines; None if these are comments and what else is passed over."""
    name, data = None, []
    for line in block.decode().split("\n"):
        field, _, value = line.partition(":")
        if field == "data":
            data.append(value.removeprefix(" "))
        elif field == "event":
            name = value.removeprefix(" ")
    return SentEvent(name, "\n".join(data)) if data or name else None
