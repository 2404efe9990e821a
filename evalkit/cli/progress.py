"""Progress of long work: a live table on a terminal, plain lines elsewhere, JSON for machines, or nothing."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING

from evalkit.charged import NOTHING, Charged
from evalkit.cli.events import emit
from evalkit.cli.progress_words import standing, state
from evalkit.cli.tally import Ahead, Tally
from evalkit.cli.terminal import say
from evalkit.errors import BudgetError

if TYPE_CHECKING:
    from rich.live import Live

    from evalkit.executors.local import Progress

FIRST_WAIT_S, LONGER = 30.0, 1.25
"""A line where nothing can be redrawn comes after so long at the latest, each time so much later."""
MOST_NOTES = 24
"""Lines beside those of every tenth and those on errors at the end, so that no run takes more than 40."""
_WARN_AT = 0.8


def is_interactive() -> bool:
    """Whether stderr is a terminal that can redraw."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")


class Board:
    """Counts what has ended, per model, and shows it."""

    def __init__(
        self,
        ahead: Mapping[str, Ahead],
        quiet: bool = False,
        *,
        budget_usd: float | None = None,
        charged: Charged = NOTHING,
        as_json: bool = False,
    ) -> None:
        self.tally = Tally(ahead, budget_usd, charged)
        self._began = monotonic()
        self._quiet, self._as_json = quiet, as_json
        self._tenth = self._notes = 0
        self._said, self._warned = "", False
        self._live: Live | None = None
        self._printing, self._ended = Lock(), Event()

    @contextmanager
    def shown(self) -> Iterator["Board"]:
        """Show the board while the work goes on."""
        if self._quiet or not self.tally.rows:
            yield self
        elif self._as_json or not is_interactive():
            with self._heard():
                yield self
        else:
            from rich.live import Live

            from evalkit.cli.progress_table import drawing, screen

            console = screen()
            with Live(
                console=console,
                refresh_per_second=4,
                get_renderable=lambda: drawing(self.tally, monotonic() - self._began, self._said, console),
            ) as self._live:
                yield self

    @contextmanager
    def _heard(self) -> Iterator[None]:
        """A sign of life also while nothing ends, and at last the errors, each once."""
        watch = Thread(target=self._watch, daemon=True)
        watch.start()
        try:
            yield
        finally:
            self._ended.set()
            watch.join()
            for line in self.tally.troubles():
                self._print(line)

    def _watch(self) -> None:
        wait_s = FIRST_WAIT_S
        while not self._ended.wait(wait_s):
            if self._is_room():
                self._state()
            wait_s *= LONGER

    def tell(self, progress: "Progress") -> None:
        """One attempt has ended."""
        self.tally.count(progress)
        self._warn()
        tenth = 10 * self.tally.done // self.tally.total
        if tenth > self._tenth:
            self._tenth = tenth
            self._state()

    def say(self, line: str) -> None:
        """Something to know meanwhile; on a terminal it stands under the table until there is something newer."""
        self._said = line
        if self._is_room():
            self._print(line)

    def _is_room(self) -> bool:
        self._notes += 1
        return self._notes <= MOST_NOTES

    @contextmanager
    def missing(self) -> Iterator[None]:
        """Have a budget that ends the work say what is left of it."""
        try:
            yield
        except BudgetError as error:
            raise BudgetError(f"{error} ({self.tally.missing()})") from error

    def _warn(self) -> None:
        budget_usd, charged = self.tally.budget_usd, self.tally.charged
        if budget_usd and not self._warned and charged.borne_usd >= _WARN_AT * budget_usd - 1e-12:
            self._warned = True
            spent, aside = f"${charged.spent_usd:.3f}", charged.aside(lambda usd: f"${usd:.3f}")
            self.say(f"warning: {spent} of the budget of ${budget_usd:,.10g} is spent{aside}; {self.tally.missing()}")

    def _state(self) -> None:
        """Where it stands, as a line."""
        if self._live is not None or self._quiet:
            return
        elapsed_s = monotonic() - self._began
        if self._as_json:
            with self._printing:
                emit("progress", **standing(self.tally, elapsed_s))
        else:
            self._print(state(self.tally, elapsed_s))

    def _print(self, line: str) -> None:
        if self._live is not None or self._quiet:
            return
        with self._printing:
            if self._as_json:
                emit("note", text=line)
            else:
                say(line, err=True)


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
