"""CPU seconds of a report, from the records to the page: the analysis, and all that is drawn and written."""

import sys
from collections.abc import Iterator
from pathlib import Path
from time import process_time

from bench.rig import QUICK, Row, spend

CASES = ((100, 2.0), (2_000, 15.0))
"""Items under three models, and the seconds that are allowed."""
OUTPUT = "Dear customer, thank you for writing. " * 54
"""Two kilobytes."""


def rendering() -> Iterator[Row]:
    """Each case in a process of its own."""
    for items, limit_s in CASES[:1] if QUICK else CASES:
        analysed, rendered, size = spend([sys.executable, "-m", "bench.report", str(items)], Path.cwd()).output.split()
        took = float(analysed) + float(rendered)
        parts = f"{took:.2f} CPU s ({float(analysed):.2f} analysis), {float(size):.1f} MB"
        yield Row("report", f"page of {items:,} items x 3, 2 kB each", parts, "", "", f"{limit_s:g} s", took < limit_s)


def main(items: str) -> None:
    """Print the CPU seconds of the analysis and of the page, and the page's size in MB."""
    from dataclasses import replace

    from big_snapshots import big_snapshot

    from evalkit.analysis import analyze
    from evalkit.report import render_html

    snapshot = big_snapshot(int(items))
    long = replace(snapshot, attempts=tuple(replace(a, text=f"{a.trial_id} {OUTPUT}") for a in snapshot.attempts))
    began = process_time()
    analysis = analyze(long)
    analysed = process_time()
    page = render_html(analysis)
    print(analysed - began, process_time() - analysed, len(page.encode()) / 1e6)


if __name__ == "__main__":
    main(sys.argv[1])
