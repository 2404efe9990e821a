"""How long runs of up to ten million trials take, and what they cost: a simulation from what one request was measured
to cost, request by request."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from heapq import heapify, heapreplace

from bench.rig import QUICK, Row

SENDER_CPU_S = 0.0038
"""CPU of one streamed answer of 50 deltas in the process that sends it, and DRIVER_CPU_S of the process that only
has it sent by a worker and records it: docs/scaling.md says from which measurement."""
DRIVER_CPU_S = 0.0018

FIRST_S, BETWEEN_S, DELTAS = 1.2, 0.02, 50
"""A typical answer: its first text after 1.2 s, then 50 pieces of 8 tokens, 20 ms apart; 2.2 s in all."""
SPREAD = 0.5
"""Standard deviation of the logarithm of an answer's time."""
INPUT_TOKENS, OUTPUT_TOKENS, MODEL = 2_000, 400, "claude-sonnet-4-6"
SIZES = (1_000,) if QUICK else (10_000, 100_000, 1_000_000, 10_000_000)


@dataclass(frozen=True)
class Setting:
    """Who sends, how much at once, and what the server allows a minute (None: all that comes).

    `senders` processes have the requests under way in equal parts. With a `driver` they are workers, and every
    request passes through that one process as well.
    """

    name: str
    in_flight: int
    senders: int = 1
    driver: bool = False
    per_minute: int | None = None


SETTINGS = (
    Setting("local, a server that allows 4,000 requests a minute", 256, per_minute=4_000),
    Setting("ray, 8 workers, the same server", 256, senders=8, driver=True, per_minute=4_000),
    Setting("local, a server of one's own without a limit", 1_024),
    Setting("ray, 2 workers, the same server", 1_024, senders=2, driver=True),
    Setting("ray, 8 workers, the same server, four times as many in flight", 4_096, senders=8, driver=True),
)


@dataclass(frozen=True)
class Taken:
    """What a simulated run takes. Shares are of its time: how long the busiest sender and the driver were at work."""

    hours: float
    sender: float
    driver: float


def simulate(setting: Setting, trials: int, seed: int = 0) -> Taken:
    """Send so many requests, each as soon as a place is free and the server's minute allows it.

    A process works at one thing at a time, in the order it comes; an answer ends when the server has sent it and
    its sender has had the time to read it.
    """
    draw = random.Random(seed).lognormvariate  # noqa: S311  a simulation
    median_s = FIRST_S + BETWEEN_S * DELTAS
    gap_s = 0.0 if setting.per_minute is None else 60 / setting.per_minute
    free = [(0.0, place) for place in range(setting.in_flight)]
    heapify(free)
    idle_from = [0.0] * setting.senders
    driver_from = allowed_from = last = 0.0
    for _ in range(trials):
        at, place = free[0]
        at = max(at, allowed_from)
        allowed_from = at + gap_s
        if setting.driver:
            at = driver_from = max(at, driver_from) + DRIVER_CPU_S
        sender = place % setting.senders
        read = idle_from[sender] = max(at, idle_from[sender]) + SENDER_CPU_S
        end = max(read, at + median_s * draw(0.0, SPREAD))
        heapreplace(free, (end, place))
        last = max(last, end)
    each = trials / setting.senders * SENDER_CPU_S
    return Taken(last / 3600, each / last, trials * DRIVER_CPU_S / last if setting.driver else 0.0)


def usd(trials: int, *, batched: bool) -> float:
    """List price of so many typical answers."""
    from evalkit.pricing import LIST_PRICES
    from evalkit.records import Usage

    usage = Usage(input_tokens=INPUT_TOKENS, output_tokens=OUTPUT_TOKENS)
    price = LIST_PRICES.price(MODEL, replace(usage, service_tier="batch") if batched else usage, datetime.now(UTC))
    assert price.usd is not None
    return trials * price.usd


def growth() -> Iterator[Row]:
    """A row for each setting and size."""
    for setting in SETTINGS:
        for trials in SIZES:
            taken = simulate(setting, trials)
            busy = f"senders {taken.sender:.0%} busy" + (f", driver {taken.driver:.0%}" if setting.driver else "")
            yield Row("scaling", f"{setting.name}: {trials:,} trials", f"{taken.hours:,.2f} h", busy, "", "", None)
    for trials in SIZES:
        streamed, batched = usd(trials, batched=False), usd(trials, batched=True)
        yield Row(
            "scaling", f"{MODEL}, {trials:,} trials", f"${streamed:,.0f}", f"in batches ${batched:,.0f}", "", "", None
        )
