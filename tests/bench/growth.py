"""How time, memory and files grow from 1,000 to 100,000 trials, command by command. Of a run's memory there is a bar.

CPU seconds, since whole runs take minutes, in which a shared machine does other work. Each command is a process.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from math import log
from pathlib import Path

from bench.mock_api import MODELS
from bench.rig import QUICK, Cost, Mock, Row, Workload, mock, ratio_row, run_file, spend

SIZES = (60, 180) if QUICK else (1_000, 10_000, 100_000)
IN_FLIGHT = "32"
JUDGE = "claude-sonnet-5-5"
GRADED = """\
name: growth
criteria:
  - id: right
    question: Does the answer say what it should?
    levels: {0: "No.", 1: "In part.", 2: "All of it."}
satisfactory:
  score: 0.9
"""
_DECIDED = (0, 1, 3)
"""Exit codes of a gate."""
_MORE_MEMORY = 1.5
"""Times the memory that a run of ten times the trials may take."""


class _Suite:
    """One size: its items, the files that its commands make, and what each command took."""

    def __init__(self, folder: Path, trials: int, server: Mock) -> None:
        self.folder, self.server = folder, server
        folder.mkdir()
        self.load = Workload(folder, -(-trials // len(MODELS)), rubric=GRADED)
        self.runs, self.page = folder / "runs", folder / "report.html"

    @property
    def trials(self) -> int:
        return len(MODELS) * self.load.items

    def steps(self) -> Mapping[str, tuple[list[str], Callable[[], Path | None]]]:
        """Commands in order, and the file whose size is of interest when each has ended."""
        run = self.load.command(self.server, int(IN_FLIGHT), self.runs)
        judge = ["grade", "--judge", JUDGE, "--base-url", self.server.url, "-j", IN_FLIGHT, "-y", "-q"]
        gate = ["gate", "--baseline", MODELS[1], "--candidate", MODELS[0], "--allow-simulated"]
        return {
            "run": (run, self.file),
            "run again, complete": (run, lambda: None),
            "grade by a judge": (self.of_run(judge), self.file),
            "report, HTML": (self.of_run(["report", "-q", "-o", str(self.page)]), lambda: self.page),
            "gate": (self.of_run(gate), lambda: None),
            "route": (self.of_run(["route", "value"]), lambda: None),
        }

    def of_run(self, words: list[str]) -> list[str]:
        command, *options = words
        deep = [options.pop(0)] if command == "route" else []
        return [sys.executable, "-m", "evalkit", command, *deep, "RUN", *options]

    def file(self) -> Path:
        return run_file(self.runs)

    def take(self, command: list[str]) -> Cost:
        """What one command took; RuntimeError if it failed."""
        cost = spend([str(self.file()) if word == "RUN" else word for word in command], self.folder, may_fail=True)
        if cost.code not in (_DECIDED if "gate" in command else (0,)):
            raise RuntimeError(f"{' '.join(command)[:200]} ended with {cost.code}:\n{cost.output[-2000:]}")
        return cost


def growth() -> Iterator[Row]:
    """A row a command and size, and the power of the trials that its time grows with."""
    with tempfile.TemporaryDirectory() as folder, mock() as server:
        before: dict[str, tuple[int, float]] = {}
        run_mb: float | None = None
        for trials in SIZES:
            server.script("tokens=20 criterion=right")
            suite = _Suite(Path(folder) / str(trials), trials, server)
            for name, (command, file) in suite.steps().items():
                cost = suite.take(command)
                made = file()
                size = "" if made is None else f", {made.stat().st_size / 1e6:.1f} MB file"
                figures, power = (
                    f"{cost.cpu_s:.1f} CPU s, {cost.rss_mb:.0f} MB{size}",
                    _power(before, name, suite, cost),
                )
                yield Row("growth", f"{name}, {suite.trials:,} trials", figures, "", power, "", None)
                if name == "run":
                    if run_mb is not None:
                        what = f"run, {suite.trials:,} trials: memory against the size before"
                        yield ratio_row("growth", what, cost.rss_mb, run_mb, "MB", _MORE_MEMORY)
                    run_mb = cost.rss_mb


def _power(before: dict[str, tuple[int, float]], name: str, suite: _Suite, cost: Cost) -> str:
    """With which power of the trials the time has grown since the size before; 1 is in proportion."""
    earlier, before[name] = before.get(name), (suite.trials, cost.cpu_s)
    return "" if earlier is None else f"^{log(cost.cpu_s / earlier[1]) / log(suite.trials / earlier[0]):.2f}"
