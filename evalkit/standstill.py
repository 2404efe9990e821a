"""What may not be claimed of a request that was under way while our own process stood still."""

from dataclasses import replace

from evalkit.records import Attempt, Reply

STALL_S = 0.25
"""The longest that our own loop may stand still for latencies beside it to be believed.

Nothing that belongs to running takes it so long (a full garbage collection takes some 80 ms), and many a first text is
there sooner, so that with this in it a latency would be another figure. What is shorter is in the lag that is shown.
"""


def without_clocks(reply: Reply) -> Reply:
    """The same answer, with no latency claimed, as of one from a batch."""
    return replace(reply, latency_s=None, ttft_s=None, headers_s=None)


def is_unclocked(told: Reply | Attempt) -> bool:
    """Whether an attempt has ended and nobody can say how long it took, whoever was waited for."""
    return told.latency_s is None
