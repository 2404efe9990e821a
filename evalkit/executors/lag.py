"""Whether our own clock can be trusted: how late the event loop wakes when it has asked to be woken."""

import asyncio
import gc
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf

from evalkit.providers import Sends
from evalkit.records import Reply, Request
from evalkit.standstill import STALL_S, without_clocks

EVERY_S = 0.02

_KEPT = 20_000
_COLLECTED_AFTER = 50_000

_CLOCK = getattr(time, "CLOCK_BOOTTIME", None) or getattr(time, "CLOCK_MONOTONIC", None)
"""One that goes on while the machine sleeps: Linux' own, or that of macOS. Windows has neither."""


def _now_s() -> float:
    return time.perf_counter() if _CLOCK is None else time.clock_gettime(_CLOCK)


@dataclass
class Lag:
    """Delays of the loop's own timer, seconds. `max_s`: the longest one, None before there are any.

    `due_s`: when it is to be woken next; `stood_until_s`: the end of the latest standstill, by `_now_s`.
    """

    delays_s: "array[float]" = field(default_factory=lambda: array("d"))
    max_s: float | None = None
    due_s: float = inf
    stood_until_s: float = -inf

    @property
    def p99_s(self) -> float | None:
        """The delay that one wake-up in a hundred passes; None before there are any."""
        return sorted(self.delays_s)[int(len(self.delays_s) * 0.99)] if self.delays_s else None

    def stood_still_since(self, moment_s: float) -> bool:
        """Whether the loop has stood still for long at any time since, or has only just come to itself."""
        return self.stood_until_s > moment_s or _now_s() - self.due_s > STALL_S

    async def watch(self) -> None:
        """Measure until cancelled; of a long run the latest wake-ups are kept."""
        while True:
            self.due_s = _now_s() + EVERY_S
            await asyncio.sleep(EVERY_S)
            self._woken(_now_s())

    def _woken(self, now_s: float) -> None:
        late_s = max(0.0, now_s - self.due_s)
        self.delays_s.append(late_s)
        self.max_s = max(self.max_s or 0.0, late_s)
        if late_s > STALL_S:
            self.stood_until_s = now_s
        if len(self.delays_s) > 2 * _KEPT:
            del self.delays_s[:_KEPT]


@dataclass(frozen=True)
class Believed:
    """Sends through another, and claims no latency of what was under way while our own loop stood still.

    A process that is stopped (Ctrl-Z, SIGSTOP, a paused container, a laptop asleep) hears late what came in time.
    """

    sends: Sends
    lag: Lag

    async def attempt(self, request: Request) -> Reply:
        """Send one request, once, and say how it ended."""
        begun_s = _now_s()
        reply = await self.sends.attempt(request)
        return without_clocks(reply) if self.lag.stood_still_since(begun_s) else reply


@contextmanager
def watched() -> Iterator[Lag]:
    """The lag of the running loop while something goes on, with what is loaded kept out of garbage collection.

    A full collection over the SDK's thousands of modules would stop the loop for some 80 ms. What is made from here on
    is collected often enough to stay small, however seldom it was while they loaded.
    """
    lag, before = Lag(), gc.get_threshold()
    gc.freeze()
    gc.set_threshold(min(before[0], _COLLECTED_AFTER), *before[1:])
    watcher = asyncio.get_running_loop().create_task(lag.watch())
    try:
        yield lag
    finally:
        watcher.cancel()
        gc.set_threshold(*before)
        gc.unfreeze()
