"""Run the bars (all, or those named), print the table, and after a full run write it into docs/benchmarks.md."""

import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import analysis, endurance, fidelity, growth, load, report, routing, scaling, startup
from bench.rig import QUICK, ROUNDS, Row

DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
START, END = "<!-- bench table: start -->", "<!-- bench table: end -->"
GROUPS: tuple[tuple[str, Callable[[], Iterator[Row]]], ...] = (
    ("1", startup.help_and_version),
    ("2", startup.report_of_300),
    ("cold", startup.every_command),
    ("3 4 5", load.three_hundred),
    ("8 9", load.large_prompts),
    ("10 11", fidelity.latencies),
    ("12 13", endurance.faults),
    ("14", endurance.killed_and_resumed),
    ("15", endurance.own_clock),
    ("6 7 8", load.scale),
    ("analysis", analysis.growth),
    ("agreement", analysis.agreement),
    ("report", report.rendering),
    ("router", routing.router),
    ("growth", growth.growth),
    ("scaling", scaling.growth),
)
_HEADER = "| bar | what | evalkit | yardstick | ratio | asked | met |"


def line(row: Row) -> str:
    """A row as Markdown."""
    met = {True: "yes", False: "**no**", None: ""}[row.met]
    return f"| {' | '.join((row.bar, row.what, row.ours, row.yardstick, row.ratio, row.limit, met))} |"


def circumstances() -> str:
    """With what, where and when the table was made."""
    now = datetime.now(UTC).date().isoformat()
    with Path("/proc/loadavg").open() as file:
        busy = file.read().split()[0]
    return (
        f"`make bench` on {now}: {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()},"
        f" {ROUNDS} rounds; load average at the end {busy}. {'QUICK: a smoke test, no figures.' if QUICK else ''}"
    ).rstrip()


def written(text: str, lines: Sequence[str]) -> str:
    """The document with these lines between its markers; ValueError unless it has both, once, in order."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end or START in after or END in after:
        raise ValueError(f"the document needs {START} and {END}, once each")
    return "\n".join((before + START, *lines, END + after))


def main(wanted: set[str]) -> int:
    """Measure and tell; 0, since figures of a shared machine are for reading."""
    rows: list[Row] = []
    print(_HEADER, "|:--|:--|--:|--:|--:|--:|:--|", sep="\n", flush=True)
    for bars, measure in GROUPS:
        if wanted and not wanted & set(bars.split()):
            continue
        for row in measure():
            if not wanted or row.bar.rstrip("*") in wanted:
                rows.append(row)
                print(line(row), flush=True)
    asked = [row for row in rows if row.met is not None]
    told = f"{sum(bool(row.met) for row in asked)} of {len(asked)} lines with a bar meet it."
    print(f"\n{told} {circumstances()}")
    if not wanted and not QUICK:
        lines = [f"{circumstances()} {told}", "", _HEADER, "|:--|:--|--:|--:|--:|--:|:--|", *map(line, rows)]
        DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8"), lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(set(sys.argv[1:])))
