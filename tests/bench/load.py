"""Bars 3 to 9: what a run costs in time, CPU, memory and disk."""

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median

from bench.mock_api import Truth
from bench.rig import (
    INSTANT,
    QUICK,
    ROUNDS,
    TIMED,
    Cost,
    Mock,
    Row,
    Workload,
    alternated,
    middle,
    mock,
    paired,
    ratio_row,
    span_s,
    spend,
)
from bench.startup import IMPORT_SDK

IN_FLIGHT = 32
WAVES = -(-300 // IN_FLIGHT)
IDEAL_S = WAVES * 0.79
SIZES = (60, 120, 180) if QUICK else (1_000, 10_000, 30_000)


class _Pair:
    """evalkit and the naive script over the same items, with what the mock saw of evalkit."""

    def __init__(self, load: Workload, server: Mock, script: str, in_flight: int = IN_FLIGHT) -> None:
        self.load, self.server, self.script, self.in_flight = load, server, script, in_flight
        self.logs: list[list[Truth]] = []
        self.path = Path()

    def ours(self) -> Cost:
        self.server.script(self.script)
        cost, self.path = self.load.evalkit(self.server, self.in_flight)
        self.logs.append(self.server.log())
        return cost

    def naive(self) -> Cost:
        self.server.script(self.script)
        return self.load.naive(self.server, self.in_flight)[0]

    def taken(self, rounds: int = ROUNDS) -> tuple[list[Cost], list[Cost]]:
        sides = alternated(rounds, {"ours": self.ours, "naive": self.naive})
        return sides["ours"], sides["naive"]


def three_hundred() -> Iterator[Row]:
    """Bars 3 to 5: 100 items x 3 models, 32 in flight, without delays and as real streams."""
    with tempfile.TemporaryDirectory() as folder, mock() as server:
        load = Workload(Path(folder), 100)
        for script, bar, name in ((INSTANT, "5*", "no delays"), (TIMED, "5", "300 ms + 50 deltas")):
            pair = _Pair(load, server, script)
            sides = {"ours": pair.ours, "naive": pair.naive, "sdk": lambda: spend(IMPORT_SDK, Path(folder))}
            ours, naive, sdk = alternated(ROUNDS, sides).values()
            what = f"whole CPU, 100 x 3, {name}, {IN_FLIGHT} in flight / naive script"
            row = _cpu_row(bar, what, ours, naive, 0.75)
            yield row if bar == "5" else Row(*_fields(row)[:5], "", None)
            fixed = [cost.wall_s - span_s(log) for cost, log in zip(ours, pair.logs, strict=True)]
            what = f"fixed cost of a run (wall less span), {name} / `import anthropic`"
            yield ratio_row("3", what, median(fixed), middle(sdk, "wall_s"), "s", 1.25)
        spans = median(map(span_s, pair.logs))
        yield ratio_row("4", "span of the timed run / the ideal", spans, IDEAL_S, "s", 1.04)
        counts = sum(truth.path.endswith("count_tokens") for truth in pair.logs[-1])
        yield Row("3", "count_tokens requests before a run of 300", str(counts), "", "", "", None)


def _fields(row: Row) -> list[str]:
    return [row.bar, row.what, row.ours, row.yardstick, row.ratio]


def _cpu_row(bar: str, what: str, ours: Sequence[Cost], theirs: Sequence[Cost], limit: float) -> Row:
    ratio = paired(ours, theirs, "cpu_s")
    seconds = [f"{middle(side, 'cpu_s'):.2f} s" for side in (ours, theirs)]
    return Row(bar, what, *seconds, f"{ratio:.2f}", f"≤ {limit:g}", ratio <= limit)


def scale() -> Iterator[Row]:
    """Bars 6 to 8: 1k, 10k and 30k trials without delays. The largest is run once."""
    small, middling, large = SIZES
    with tempfile.TemporaryDirectory() as folder, mock() as server:
        pairs = {size: _Pair(Workload(Path(folder), -(-size // 3)), server, INSTANT) for size in SIZES}
        costs = {size: pairs[size].taken() for size in (small, middling)}
        costs[large] = ([pairs[large].ours()], [])
        trials = {size: 3 * pairs[size].load.items for size in SIZES}
        more = trials[middling] - trials[small]
        marginal = [
            1000
            * median((b.cpu_s - a.cpu_s) / more for a, b in zip(costs[small][side], costs[middling][side], strict=True))
            for side in (0, 1)
        ]
        yield ratio_row(
            "6", f"CPU a further request, {small:,} to {middling:,} trials / naive script", *marginal, "ms", 1.0
        )
        yield from _rates(costs, trials, pairs)
        cpu = {size: middle(costs[size][0], "cpu_s") for size in SIZES}
        rss = {size: middle(costs[size][0], "rss_mb") for size in SIZES}
        bare = median(spend(IMPORT_SDK, Path(folder)).rss_mb for _ in range(ROUNDS))
        yield ratio_row("7", f"peak memory, {large:,} / {small:,} trials", rss[large], rss[small], "MB", 1.10)
        yield ratio_row("7", f"peak memory, {small:,} trials / `import anthropic`", rss[small], bare, "MB", 1.25)
        late = 1000 * (cpu[large] - cpu[middling]) / (trials[large] - trials[middling])
        what = f"CPU a further request, {middling:,} to {large:,} / {small:,} to {middling:,}"
        yield ratio_row("7", what, late, marginal[0], "ms", 1.1)
        yield _record_size("8", pairs[middling].path, trials[middling])


def _rates(costs: dict, trials: dict[int, int], pairs: dict[int, _Pair]) -> Iterator[Row]:
    size = SIZES[1]
    rate = [trials[size] / middle(side, "wall_s") for side in costs[size]]
    yield Row(
        "6*",
        f"trials a second, {size:,}, no delays, whole process",
        *(f"{r:.0f}/s" for r in rate),
        f"{rate[0] / rate[1]:.2f}",
        "",
        None,
    )
    inside = trials[size] / median(map(span_s, pairs[size].logs))
    yield Row("6*", f"trials a second, {size:,}, from first request to last byte", f"{inside:.0f}/s", "", "", "", None)


def _tables(path: Path) -> dict[str, int]:
    """Bytes of the file by table, indexes counted with theirs."""
    with closing(sqlite3.connect(path)) as db:
        owner = dict(db.execute("SELECT name, tbl_name FROM sqlite_master"))
        sizes: dict[str, int] = {}
        for name, size in db.execute("SELECT name, SUM(pgsize) FROM dbstat GROUP BY name"):
            table = owner.get(name, name)
            sizes[table] = sizes.get(table, 0) + size
        return sizes


def _answers_bytes(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT COALESCE(SUM(LENGTH(text)), 0) FROM attempt").fetchone()[0])


def _record_size(bar: str, path: Path, trials: int) -> Row:
    a_record = (path.stat().st_size - _answers_bytes(path)) / trials
    what = f"run file a record without its answer, {trials:,} trials"
    return Row(bar, what, f"{a_record:,.0f} B", "", "", "≤ 1200 B", a_record <= 1200)


def large_prompts() -> Iterator[Row]:
    """Bars 8 and 9: 200 KB prompts against small ones."""
    items = 10 if QUICK else 100
    with tempfile.TemporaryDirectory() as folder, mock() as server:
        small = _Pair(Workload(Path(folder), items), server, INSTANT)
        large = _Pair(Workload(Path(folder), items, 200_000), server, INSTANT)
        taken = alternated(ROUNDS, {"large": large.ours, "naive": large.naive, "small": small.ours})
        yield _cpu_row(
            "9", f"whole CPU, {items} x 3 x 200 KB prompts / naive script", taken["large"], taken["naive"], 1.0
        )
        memory = [middle(taken[side], "rss_mb") for side in ("large", "small")]
        yield ratio_row("9", "peak memory, 200 KB prompts / small prompts", *memory, "MB", 1.3)
        logs = [_without_prompts(pair.path) / 1000 for pair in (large, small)]
        yield ratio_row("8", "run file without its items, 200 KB prompts / small prompts", *logs, "kB", 1.1)
        copies = large.path.read_bytes().count(b"marker-1-end")
        yield Row("8", "copies of a 200 KB prompt in the run file", str(copies), "", "", "1", copies == 1)


def _without_prompts(path: Path) -> int:
    return sum(size for table, size in _tables(path).items() if table not in ("item", "document", "prompt"))
