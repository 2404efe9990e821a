"""How much memory something holds, counted by Python itself, so that no other work on the machine matters."""

import tracemalloc
from collections.abc import Callable


def traced(make: Callable[[], object]) -> int:
    """Bytes that were taken to make something, and are still taken while it is there."""
    tracemalloc.start()
    try:
        kept = make()
        size = tracemalloc.get_traced_memory()[0]
        del kept
        return size
    finally:
        tracemalloc.stop()


def traced_peak(make: Callable[[], object]) -> int:
    """Bytes that making something takes at most at one time."""
    tracemalloc.start()
    try:
        make()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
