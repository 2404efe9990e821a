"""Bars 10 and 11: how far reported latencies are from the server's own clock."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.ledger import read
from bench.mock_api import Truth
from bench.rig import QUICK, ROUNDS, TIMED, Mock, Row, Workload, mock

JITTERED = f"{TIMED} jitter=0.3"
PLACES = {1: 8, 32: 100, 64: 130, 128: 200}
"""Items for each number of requests in flight."""
Errors = list[float]


@dataclass(frozen=True)
class Told:
    """Errors of one round, reported minus true, in ms: time to first text, whole answer, and first text to end."""

    ttft: Errors
    total: Errors
    streaming: Errors


def errors(rows: Sequence[Mapping[str, Any]], log: Sequence[Truth]) -> Told:
    """Join what a client reported with the truth, by request id; ValueError if a row has no truth."""
    truths = {truth.request_id: truth for truth in log}
    told = Told([], [], [])
    for row in rows:
        truth = truths.get(row["request_id"])
        if truth is None:
            raise ValueError(f"request {row['request_id']} is not in the server's log")
        if row["ttft_s"] is None or truth.t_first is None or truth.t_end is None:
            continue
        ttft = 1000 * row["ttft_s"] - (truth.t_first - truth.t_rx) / 1e6
        total = 1000 * row["latency_s"] - (truth.t_end - truth.t_rx) / 1e6
        told.ttft.append(ttft)
        told.total.append(total)
        told.streaming.append(total - ttft)
    return told


def at(values: Errors, hundredth: int) -> float:
    """A percentile, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, -(-len(ordered) * hundredth // 100) - 1)]


def _best(rounds: Sequence[Told], what: str, hundredth: int) -> float:
    """The best round's percentile: noise only adds."""
    return min(at(getattr(told, what), hundredth) for told in rounds)


def latencies() -> Iterator[Row]:
    """Bars 10 and 11; at 1 and 32 in flight for illustration."""
    with tempfile.TemporaryDirectory() as folder, mock() as server:
        for in_flight, items in PLACES.items():
            load = Workload(Path(folder), 4 if QUICK else items)
            taken = _rounds(load, server, in_flight, ROUNDS if in_flight >= 64 else 1)
            yield from _rows(in_flight, taken)


def _rounds(load: Workload, server: Mock, in_flight: int, rounds: int) -> dict[str, list[Told]]:
    taken: dict[str, list[Told]] = {"ours": [], "proto": [], "naive": []}
    for _ in range(rounds):
        for name, told in taken.items():
            server.script(JITTERED)
            if name == "ours":
                rows = read(load.evalkit(server, in_flight)[1])["attempts"]
            else:
                rows = load.naive(server, in_flight, "proto_client" if name == "proto" else "naive")[1]
            told.append(errors(rows, server.log()))
    return taken


_LIMITS = {
    (64, "ttft", 50): 1, (64, "ttft", 99): 5, (128, "ttft", 99): 8,
    (64, "total", 50): 3, (64, "total", 99): 7, (128, "total", 99): 10,
}  # fmt: skip
"""How many ms more than the hand-written client are allowed; bar 10, and for the total 2 ms more."""


def _rows(in_flight: int, taken: dict[str, list[Told]]) -> Iterator[Row]:
    names = {"ttft": "TTFT", "total": "latency"}
    for what, name in names.items():
        for hundredth in (50, 99):
            ours, proto, naive = (_best(taken[side], what, hundredth) for side in ("ours", "proto", "naive"))
            limit = _LIMITS.get((in_flight, what, hundredth))
            title = (
                f"{name} error p{hundredth}, {in_flight} in flight / hand-written client (naive script: {naive:.1f} ms)"
            )
            allowed = "" if limit is None else f"≤ +{limit} ms"
            met = None if limit is None else ours <= proto + limit
            yield Row("10", title, f"{ours:.1f} ms", f"{proto:.1f} ms", f"{ours - proto:+.1f} ms", allowed, met)
    if in_flight == 64:
        yield from _per_delta(taken)


def _per_delta(taken: dict[str, list[Told]]) -> Iterator[Row]:
    """No client keeps a stamp for each delta, so the last one stands for all: its lag against the first one's."""
    for hundredth, allowed in ((50, None), (99, 4)):
        ours, proto = (
            _best([_late(told) for told in taken[side]], "streaming", hundredth) for side in ("ours", "proto")
        )
        limit = 1.0 if allowed is None else proto + allowed
        shown = "≤ 1 ms" if allowed is None else f"≤ +{allowed} ms"
        title = f"lag of the last delta against the first, p{hundredth}, 64 in flight / hand-written client"
        yield Row("11", title, f"{ours:.1f} ms", f"{proto:.1f} ms", f"{ours - proto:+.1f} ms", shown, ours <= limit)


def _late(told: Told) -> Told:
    return Told(told.ttft, told.total, [abs(value) for value in told.streaming])
