"""Progress of long work: a live table on a terminal, a plain line every tenth elsewhere; always on stderr."""

import os
import sys
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import quantiles
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

    from evalkit.executors.local import Progress


def is_interactive() -> bool:
    """Whether stderr is a terminal that can redraw."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")


@dataclass
class _Row:
    total: int
    done: int = 0
    failed: int = 0
    retries: int = 0
    spent_usd: float = 0.0
    unpriced: bool = False
    felt_s: "array[float]" = field(default_factory=lambda: array("d"))

    def quantile(self, hundredth: int) -> str:
        if len(self.felt_s) < 2:
            return "–"
        return f"{quantiles(self.felt_s, n=100, method='inclusive')[hundredth - 1]:.1f} s"

    def spent(self) -> str:
        return "unpriced" if self.unpriced else f"${self.spent_usd:.3f}"


class Board:
    """Counts what has ended, per model, and shows it."""

    def __init__(self, totals: dict[str, int], quiet: bool = False) -> None:
        self._rows = {name: _Row(total) for name, total in totals.items() if total}
        self._began = monotonic()
        self._quiet = quiet
        self._tenth = 0
        self._said = ""
        self._live: Live | None = None

    @contextmanager
    def shown(self) -> Iterator["Board"]:
        """Show the board while the work goes on."""
        if self._quiet or not self._rows or not is_interactive():
            yield self
            return
        from rich.console import Console
        from rich.live import Live

        with Live(console=Console(stderr=True), refresh_per_second=4, get_renderable=self._table) as self._live:
            yield self

    def tell(self, progress: "Progress") -> None:
        """One attempt has ended."""
        row = self._rows[progress.call.request.model]
        if progress.cost_usd is not None:
            row.spent_usd += progress.cost_usd
        elif progress.reply.outcome != "errored":
            row.unpriced = True
        if progress.final:
            row.done += 1
            if progress.felt_s is not None:
                row.felt_s.append(progress.felt_s)
            row.failed += progress.reply.outcome != "answered"
        else:
            row.retries += 1
        self._line()

    def say(self, line: str) -> None:
        """Something to know meanwhile; on a terminal it stands under the table until there is something newer."""
        self._said = line
        if self._live is None and not self._quiet:
            print(line, file=sys.stderr, flush=True)

    def _line(self) -> None:
        if self._live is not None or self._quiet:
            return
        done = sum(row.done for row in self._rows.values())
        total = sum(row.total for row in self._rows.values())
        tenth = 10 * done // total
        if tenth > self._tenth:
            self._tenth = tenth
            spent = sum(row.spent_usd for row in self._rows.values())
            print(f"{done}/{total} done, ${spent:.3f} spent, {self._left()}", file=sys.stderr, flush=True)

    def _left(self) -> str:
        """Time left by the slowest model, since fast ones finish first."""
        elapsed = monotonic() - self._began
        lefts = [elapsed / row.done * (row.total - row.done) for row in self._rows.values() if row.done]
        if len(lefts) < len(self._rows):
            return "time left unknown"
        return f"about {max(lefts):.0f} s left"

    def _table(self) -> "Table":
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("model", "", "done", "failed", "retries", "p50", "p95", "spend"):
            table.add_column(name, justify="left" if name in ("model", "") else "right", no_wrap=True)
        for model, row in self._rows.items():
            bar = ProgressBar(total=row.total, completed=row.done, width=20)
            cells = (f"{row.done}/{row.total}", str(row.failed), str(row.retries))
            table.add_row(model, bar, *cells, row.quantile(50), row.quantile(95), row.spent())
        spent = sum(row.spent_usd for row in self._rows.values())
        caption = f"{monotonic() - self._began:.0f} s elapsed, {self._left()}, ${spent:.3f} spent"
        table.caption = "\n".join(filter(None, (caption, self._said)))
        return table


@contextmanager
def counting(what: str, quiet: bool = False) -> Iterator["Counter"]:
    """A counter for work without money; silent unless it takes long enough to notice."""
    counter = Counter(what, quiet)
    try:
        yield counter
    finally:
        counter.close()


class Counter:
    """Reports `done of total` at most once a second, and nothing for quick work."""

    def __init__(self, what: str, quiet: bool) -> None:
        self._what, self._quiet, self._last, self._said = what, quiet, monotonic(), False

    def __call__(self, done: int, total: int) -> None:
        """So many of so many are done."""
        now = monotonic()
        if self._quiet or now - self._last < (1 if is_interactive() else 10):
            return
        self._last, self._said = now, True
        end = "\r" if is_interactive() else "\n"
        print(f"{self._what}: {done}/{total} ", file=sys.stderr, end=end, flush=True)

    def close(self) -> None:
        """Clear the line."""
        if self._said and is_interactive():
            print(" " * 60, file=sys.stderr, end="\r", flush=True)
