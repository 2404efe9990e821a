"""Time and peak memory of the analysis alone, and how its time grows with items; for illustration."""

import sys
from collections.abc import Iterator
from math import log
from pathlib import Path
from time import perf_counter

from bench.rig import QUICK, Row, spend

PEOPLE = ("ann", "bob", "cem", "dee", "judge j")
CASES = ((100, 5, PEOPLE), (1_000, 1, PEOPLE[-1:]), (10_000, 1, PEOPLE[-1:]))


def growth() -> Iterator[Row]:
    """Each case in a process of its own."""
    took: dict[int, float] = {}
    for items, epochs, graders in CASES[:1] if QUICK else CASES:
        command = [sys.executable, "-m", "bench.analysis", str(items), str(epochs), *graders]
        cost = spend(command, Path.cwd())
        took[items] = float(cost.output)
        what = f"analysis, {items:,} items x 3 x {epochs} epochs, {len(graders)} graders"
        yield Row("analysis", what, f"{took[items]:.2f} s, {cost.rss_mb:.0f} MB", "", "", "", None)
    if not QUICK:
        power = log(took[10_000] / took[1_000]) / log(10)
        yield Row("analysis", "its time grows with the items to the power", f"{power:.2f}", "", "", "", None)


HANNA = (1056, 3, 6)
"""Stories, raters and criteria of the study whose size is the bar."""


def agreement() -> Iterator[Row]:
    """Agreement on every criterion and on the verdict, in a process of its own."""
    command = [sys.executable, "-m", "bench.analysis", "agreement", *map(str, HANNA)]
    cost = spend(command, Path.cwd())
    took, (outputs, raters, criteria) = float(cost.output), HANNA
    what = f"agreement, {outputs:,} outputs x {raters} graders x {criteria} criteria"
    yield Row("agreement", what, f"{took:.2f} s", "", "", "5 s", took < 5)


def agree(outputs: str, raters: str, criteria: str) -> None:
    """Print the seconds that it takes to say how far so many graders agree."""
    from big_snapshots import rated

    from evalkit.analysis.reliability import agreements

    levels, results, rubric = rated(int(outputs), int(raters), int(criteria))
    began = perf_counter()
    agreements(levels, results, rubric)
    print(perf_counter() - began)


def main(items: str, epochs: str, *graders: str) -> None:
    """Print the seconds of one analysis."""
    from big_snapshots import big_snapshot

    from evalkit.analysis import analyze

    snapshot = big_snapshot(int(items), int(epochs), graders)
    began = perf_counter()
    analyze(snapshot)
    print(perf_counter() - began)


if __name__ == "__main__":
    agree(*sys.argv[2:]) if sys.argv[1] == "agreement" else main(*sys.argv[1:])
