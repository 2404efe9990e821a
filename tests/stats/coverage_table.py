"""Measure every bar and write the table into docs/statistics.md, between its two markers."""

import sys
from pathlib import Path

import numpy as np
from coverage_bars import ENUMERATED, SIMULATED, Measured, measured

DOCUMENT = Path(__file__).parents[2] / "docs" / "statistics.md"
START, END = "<!-- coverage table: start -->", "<!-- coverage table: end -->"
HEADER = (
    "| Bar | Figure | Cells | Asked | Least | Mean | Most | Naive method | Its least to most |",
    "|---|---|---|---|---|---|---|---|---|",
)


def asked(result: Measured) -> str:
    """The bar in words."""
    parts = (("each >=", result.least), ("mean >=", result.mean), ("each <=", result.most))
    return ", ".join(f"{word} {number:.3f}" for word, number in parts if number is not None)


def row(result: Measured) -> str:
    """One line of the table; raises SystemExit when the bar is not met, or is met by the naive method."""
    if not result.met_by(result.ours) or result.met_by(result.naive):
        raise SystemExit(f"{result.bar} {result.figure}: the bar does not hold: {result}")
    ours = " | ".join(f"{float(value):.3f}" for value in (min(result.ours), np.mean(result.ours), max(result.ours)))
    naive = f"{min(result.naive):.3f} to {max(result.naive):.3f}" if len(result.naive) > 1 else f"{result.naive[0]:.3f}"
    cells = (result.bar, result.figure, result.cells, asked(result), ours, result.naive_name, naive)
    return f"| {' | '.join(cells)} |"


def replaced(text: str, lines: list[str]) -> str:
    """The document with these lines between its markers; ValueError unless it has both, once, in order."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end or START in after or END in after:
        raise ValueError(f"the document needs {START} and {END}, once each")
    return "\n".join((before + START, *lines, END + after))


def main() -> int:
    """Measure, print and write; the numbers are the same on every run."""
    rows = [row(result) for name in (*ENUMERATED, *SIMULATED) for result in measured(name)]
    lines = [*HEADER, *sorted(rows, key=lambda line: (int(line.split()[1][1:]), line))]
    DOCUMENT.write_text(replaced(DOCUMENT.read_text(encoding="utf-8"), lines), encoding="utf-8")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
