"""Server-sent events, read without a line-by-line decoder: it would cost as much as all else that an event costs."""

import codecs
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import httpx2
    from httpx2 import AsyncByteStream

MOST_READ = 10_000
"""Bytes, or characters, of what a server says beside an answer."""

NO_EVENTS = "evalkit_no_events"
"""The extension of a response that has had no event: how its body began."""


@dataclass(slots=True)
class SentEvent:
    """One event: its name, if it has one, and its data."""

    event: str | None
    data: str


async def sse(response: "httpx2.Response") -> AsyncIterator[SentEvent]:
    """The events of a stream, each once its blank line is there. Raises UnicodeDecodeError for other than UTF-8."""
    held, begun, after_cr = list[bytes](), False, False
    beginning: bytearray | None = bytearray()  # until there is an event
    # What is not compressed is taken as it comes, with two layers less for each event.
    raw = "content-encoding" not in response.headers
    async for part in cast("AsyncByteStream", response.stream) if raw else response.aiter_bytes():
        piece = part[1:] if after_cr and part.startswith(b"\n") else part
        if not piece:
            after_cr = after_cr and not part
            continue
        if beginning is not None and len(beginning) < MOST_READ:
            beginning += piece[:MOST_READ]
        after_cr = piece.endswith(b"\r")  # the line has ended, whether or not the other half of its end follows
        if b"\r" in piece:
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if held:
            if b"\n\n" not in piece and not (piece.startswith(b"\n") and held[-1].endswith(b"\n")):
                held.append(piece)  # joined once it is whole: megabytes may come in thousands of pieces
                continue
            piece = b"".join((*held, piece))
        *blocks, rest = piece.split(b"\n\n")
        held = [rest] if rest else []
        if blocks and not begun:
            blocks[0], begun = blocks[0].removeprefix(codecs.BOM_UTF8), True
        for block in blocks:
            if (event := _event(block)) is not None:
                beginning = None
                yield event
    if beginning is not None:
        response.extensions[NO_EVENTS] = bytes(beginning)


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
