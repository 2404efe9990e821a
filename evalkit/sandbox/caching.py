"""The prompt cache: which input tokens of a request are written to it or read from it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from evalkit.frozen import dataclass
from evalkit.sandbox.catalog import ModelSpec
from evalkit.sandbox.request import MessageRequest

TTL_S = {"5m": 300.0, "1h": 3600.0}


@dataclass(frozen=True)
class CacheUse:
    """Tokens of the input by how they are billed; they add up to the whole input."""

    uncached: int
    read: int = 0
    write_5m: int = 0
    write_1h: int = 0


def minimum_tokens(spec: ModelSpec) -> int:
    """The shortest prefix that is cached (tokens)."""
    if spec.generation >= 5.5:
        return 512
    if spec.tier == "sonnet":
        return 2048 if spec.generation >= 4.6 else 1024
    return 4096 if spec.generation >= 4.5 else 1024


class PromptCache:
    """Prefixes seen lately, by model and hash; lives as long as the server."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._expires: dict[tuple[str, str], float] = {}

    def use(self, request: MessageRequest) -> CacheUse:
        """Reads the longest known prefix, and writes up to the last breakpoint."""
        marks = _breakpoints(request)
        if not marks:
            return CacheUse(request.input_tokens)
        now = self._clock()
        read = max(
            (size for sha256, size, _ in marks if self._expires.get((request.spec.id, sha256), 0) > now),
            default=0,
        )
        for sha256, _, ttl in marks:
            self._expires[request.spec.id, sha256] = now + TTL_S.get(ttl, TTL_S["5m"])
        end, ttl = marks[-1][1], marks[-1][2]
        written = max(0, end - read)
        uncached = request.input_tokens - read - written
        return CacheUse(uncached, read, 0, written) if ttl == "1h" else CacheUse(uncached, read, written)


def _breakpoints(request: MessageRequest) -> list[tuple[str, int, str]]:
    if not any(segment.ttl for segment in request.segments):
        return []
    running, plain = hashlib.sha256(), 0.0
    marks: list[tuple[str, int, str]] = []
    for segment in request.segments:
        running.update(segment.text.encode("utf-8", "surrogatepass") + b"\x1f")
        plain += segment.plain_tokens
        size = round(plain * request.spec.token_factor)
        if segment.ttl and size >= minimum_tokens(request.spec):
            marks.append((running.hexdigest(), min(size, request.input_tokens), segment.ttl))
    return marks
