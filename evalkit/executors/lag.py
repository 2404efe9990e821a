"""Whether our own clock can be trusted: how late the event loop wakes when it has asked to be woken."""

import asyncio
import gc
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

EVERY_S = 0.02

_KEPT = 20_000
_COLLECTED_AFTER = 50_000


@dataclass
class Lag:
    """Delays of the loop's own timer, seconds."""

    delays_s: "array[float]" = field(default_factory=lambda: array("d"))

    @property
    def p99_s(self) -> float | None:
        """The delay that one wake-up in a hundred passes; None before there are any."""
        return sorted(self.delays_s)[int(len(self.delays_s) * 0.99)] if self.delays_s else None

    @property
    def max_s(self) -> float | None:
        """The longest one."""
        return max(self.delays_s, default=None)

    async def watch(self) -> None:
        """Measure until cancelled; of a long run the latest wake-ups are kept."""
        while True:
            asked = perf_counter() + EVERY_S
            await asyncio.sleep(EVERY_S)
            self.delays_s.append(max(0.0, perf_counter() - asked))
            if len(self.delays_s) > 2 * _KEPT:
                del self.delays_s[:_KEPT]


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
