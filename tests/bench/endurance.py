"""Bars 12 to 15: faults, a killed process, and a clock that cannot be trusted."""

import os
import re
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic, monotonic_ns, sleep
from typing import Any

from bench.fidelity import JITTERED, errors
from bench.ledger import read
from bench.mock_api import Truth
from bench.rig import LIMIT_S, QUICK, TIMED, Mock, Row, Workload, environment, mock, run_file, spend

FAULTY = "ttft=20 itl=1 tokens=20 429=0.1 529=0.05 drop=0.02"
UNEVEN = f"{TIMED} jitter=0.9"
"""Streams in step would all end at the moment of the kill, which real ones do not."""
IN_FLIGHT = 32
Records = Sequence[Mapping[str, Any]]


def _answers(log: Sequence[Truth]) -> list[Truth]:
    return [truth for truth in log if truth.path == "/v1/messages"]


def _trial(record: Mapping[str, Any]) -> tuple[str, str]:
    return record["item_id"], record["model"]


def faults() -> Iterator[Row]:
    """Bars 12 and 13."""
    with tempfile.TemporaryDirectory() as folder, mock() as server:
        load = Workload(Path(folder), 20 if QUICK else 100)
        for seed in (1, 7):
            script = f"{FAULTY} seed={seed}"
            server.script(script)
            _, rows = load.naive(server, IN_FLIGHT)
            naive_late = sum(error > 25 for error in errors(rows, server.log()).ttft)
            server.script(script)
            cost, path = load.evalkit(server, IN_FLIGHT, may_fail=True)
            records, log = read(path)["attempts"], _answers(server.log())
            wanted = 3 * load.items
            yield from _faulty_rows(seed, wanted, len(rows), naive_late, records, log, cost.code)


def _faulty_rows(
    seed: int, wanted: int, naive_answered: int, naive_late: int, records: Records, log: Sequence[Truth], code: int
) -> Iterator[Row]:
    answered = {_trial(r) for r in records if r["outcome"] == "answered" and r["final"]}
    ended = f"{len(answered)} of {wanted}" + (f" (exit {code})" if code else "")
    yield _count(
        "13", f"answered under faults, seed {seed}", ended, str(naive_answered), f"{wanted}", len(answered) == wanted
    )
    same = Counter(r["request_id"] for r in records) == Counter(t.request_id for t in log)
    what = f"attempts recorded / requests the server had, seed {seed}"
    yield _count("13", what, str(len(records)), str(len(log)), "the same ids", same)
    yield _cut_tokens(seed, records, log)
    late = [error for error in errors([r for r in records if r["outcome"] == "answered"], log).ttft if error > 25]
    yield _count(
        "12", f"TTFTs over 25 ms too long under faults, seed {seed}", str(len(late)), str(naive_late), "0", not late
    )


def _cut_tokens(seed: int, records: Records, log: Sequence[Truth]) -> Row:
    """Whether the ledger knows, apart from the answers, what the cut streams had been billed for."""
    cut = {truth.request_id: truth for truth in log if truth.fault == "drop"}
    kept = [r for r in records if r["request_id"] in cut and r["outcome"] == "errored"]
    known = [r for r in kept if r["usage"]["input_tokens"] == cut[r["request_id"]].input_tokens]
    out = sum(r["usage"]["output_tokens"] or 0 for r in known)
    true_out = sum(truth.deltas for truth in cut.values())
    what = f"cut streams recorded apart with their input tokens, seed {seed} (output tokens {out}, truly {true_out})"
    return _count("13", what, str(len(known)), str(len(cut)), "all", len(known) == len(cut))


def _count(bar: str, what: str, ours: str, yardstick: str, limit: str, met: bool) -> Row:
    return Row(bar, what, ours, yardstick, "", limit, met)


def killed_and_resumed() -> Iterator[Row]:
    """Bar 14."""
    with tempfile.TemporaryDirectory() as folder, mock() as server:
        load = Workload(Path(folder), 20 if QUICK else 100)
        for number in range(1 if QUICK else 2):
            yield from _kill_rows(load, server, load.new_runs(), number + 1)


def _settled(records: Records) -> set[tuple[str, str]]:
    return {_trial(record) for record in records if record["final"]}


def _kill_rows(load: Workload, server: Mock, runs: Path, number: int) -> Iterator[Row]:
    wanted = 3 * load.items
    server.script(UNEVEN)
    killed_ns = _kill_half_way(load.command(server, IN_FLIGHT, runs), load.folder, server, wanted // 2)
    recorded = _settled(read(run_file(runs))["attempts"])
    finished = {(t.item, t.model): (killed_ns - t.t_end) / 1e6 for t in _answers(server.log()) if t.t_end}
    server.script(UNEVEN)
    subprocess.run(
        load.command(server, IN_FLIGHT, runs), check=True, capture_output=True, env=environment(), cwd=load.folder
    )
    sent = [(t.item, t.model) for t in _answers(server.log())]
    after = _settled(read(run_file(runs))["attempts"])
    again, unrecorded, lost = recorded & set(sent), finished.keys() - recorded, recorded - after
    name = f"kill -9 at {len(finished)} of {wanted}, run {number}:"
    yield _count("14", f"{name} records lost", str(len(lost)), "", "0", not lost)
    yield _count("14", f"{name} recorded requests sent again", str(len(again)), "", "0", not again)
    oldest_ms = max((finished[trial] for trial in unrecorded), default=0.0)
    what = f"{name} answered but not yet recorded (the oldest for {oldest_ms:.0f} ms)"
    yield _count("14", what, str(len(unrecorded)), "", "≤ 1", len(unrecorded) <= 1)
    yield _count(
        "14",
        f"{name} sent after",
        str(len(sent)),
        str(wanted - len(recorded)),
        "equal",
        len(sent) == wanted - len(recorded),
    )
    yield _count("14", f"{name} answered in the end", str(len(after)), str(wanted), "equal", len(after) == wanted)


def _kill_half_way(command: Sequence[str], folder: Path, server: Mock, half: int) -> int:
    """Kill a run once so many answers have been sent; returns when, monotonic ns."""
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(), cwd=folder
    ) as child:
        until = monotonic() + LIMIT_S
        while server.ended() < half:
            if child.poll() is not None or monotonic() > until:
                raise RuntimeError(f"the run ended with {child.poll()} before {half} answers")
            sleep(0.005)
        os.kill(child.pid, signal.SIGKILL)
        return monotonic_ns()


def own_clock() -> Iterator[Row]:
    """Bar 15: an idle and an overloaded run; evalkit should tell them apart by itself."""
    calm, busy = (8, "calm", JITTERED), (256, "overloaded", "ttft=300 itl=2 tokens=300")
    with tempfile.TemporaryDirectory() as folder, mock() as server:
        for in_flight, name, script in (calm, busy):
            load = Workload(Path(folder), 10 if in_flight == 8 or QUICK else 100)
            server.script(script)
            runs = load.new_runs()
            command = [word for word in load.command(server, in_flight, runs) if word != "-q"]  # it hides warnings
            cost = spend(command, load.folder, may_fail=True)
            told = read(run_file(runs))
            off = errors([r for r in told["attempts"] if r["outcome"] == "answered"], server.log())
            worst = max(off.ttft, default=0.0)
            lag = told["sessions"][-1].get("lag_p99_s") if told["sessions"] else None
            warned = [line for line in cost.output.splitlines() if re.search(r"\blag|late\b|clock|behind", line)]
            shown = "unknown" if lag is None else f"{1000 * lag:.1f} ms"
            what = (
                f"loop lag p99 as evalkit tells it, {name}, {in_flight} in flight (largest TTFT error {worst:.0f} ms)"
            )
            yield Row("15", what, shown, "", "", "known", lag is not None)
            expected = lag is not None and lag > 0.010
            words = f"{warned[0].strip()[:60]}" if warned else "no warning"
            met = None if lag is None else bool(warned) == expected
            yield Row("15", f"warning past 10 ms, {name}", words, "", "", "if past 10 ms", met)
