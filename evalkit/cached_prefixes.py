"""What of a prompt is marked for caching, and which request finds it there: for what a run is expected to cost."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from evalkit.frozen import dataclass
from evalkit.records import Request
from evalkit.uncounted import about_block

TTL_S = {"5m": 300.0, "1h": 3600.0}


@dataclass(frozen=True, slots=True)
class Prefix:
    """The beginning of a prompt up to a mark; `share` of the prompt's tokens are in it, as far as can be told."""

    sha256: bytes
    share: float


def marked_prefixes(request: Request) -> tuple[Prefix, ...]:
    """One a mark, the shortest first; empty for a request without marks."""
    digest, tokens, found = hashlib.sha256(), 0.0, list[tuple[bytes, float]]()
    for block in _blocks(request):
        content = {name: value for name, value in block.items() if name != "cache_control"}
        digest.update(json.dumps(content, ensure_ascii=True).encode())
        tokens += about_block(content)
        if "cache_control" in block:
            found.append((digest.digest(), tokens))
    return tuple(Prefix(sha256, marked / tokens) for sha256, marked in found)


def _blocks(request: Request) -> Iterator[Mapping[str, Any]]:
    """All of a prompt in the order in which it is cached."""
    tools = request.params.get("tools") or ()
    yield from ({"tool": tool, **_mark_of(tool)} for tool in tools)
    for content in (request.system, *(message["content"] for message in request.messages)):
        yield from [{"text": content}] if isinstance(content, str) else content or ()


def _mark_of(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"cache_control": tool["cache_control"]} if "cache_control" in tool else {}


@dataclass
class ExpectedCache:
    """What requests in order find in the cache if each takes `request_s` and `at_once` are in flight.

    A prefix can be read once the first request with it has been answered, which is after `at_once` more were sent, and
    as long as it was used within its time to live.
    """

    ttl: str
    at_once: int
    written: dict[tuple[str, bytes], int] = field(default_factory=dict)
    used: dict[tuple[str, bytes], int] = field(default_factory=dict)

    def shares(self, place: int, model: str, prefixes: Sequence[Prefix], request_s: float) -> tuple[float, float]:
        """The shares of the prompt of request number `place` that are read, and that are written."""
        read = 0.0
        for prefix in prefixes:
            key = model, prefix.sha256
            is_alive = key in self.used and (place - self.used[key]) * request_s / self.at_once <= TTL_S[self.ttl]
            if not is_alive:
                self.written[key] = place
            elif place - self.written[key] >= self.at_once:
                read = prefix.share
            self.used[key] = place
        return read, (prefixes[-1].share if prefixes else 0.0) - read
