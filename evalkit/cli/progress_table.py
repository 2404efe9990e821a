"""The live table of a run under way: a row a model, and a line or two on all of it, as wide as the terminal allows."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from evalkit.cli.progress_words import dollars, footer
from evalkit.cli.terminal import console
from evalkit.models import display_name, known
from evalkit.wording import visible

if TYPE_CHECKING:
    from evalkit.cli.tally import Row, Tally

WIDE = 96
"""Columns from which everything has room; below, rate and retries go, and the last line becomes two."""
NARROW = 56
"""Columns below which the bar goes too."""
_COLOURS = {"haiku": "cyan", "sonnet": "yellow", "opus": "magenta"}


def screen() -> Console:
    """The console of stderr; without colours or any other style where NO_COLOR is set."""
    return console(stderr=True, highlight=False)


def drawing(tally: "Tally", elapsed_s: float, said: str, console: Console) -> Group:
    """All that stands on the terminal: the table, the footer, errors once each, and the latest note."""
    dash = "-" if console.options.ascii_only else "–"
    lines = [*footer(tally, elapsed_s, console.width >= WIDE), *tally.troubles(), *([said] if said else [])]
    text = "\n".join(lines)
    shown = text.replace("×", "x").encode("ascii", "replace").decode() if console.options.ascii_only else text
    return Group(_table(tally, elapsed_s, console.width, dash), shown)


def _table(tally: "Tally", elapsed_s: float, width: int, dash: str) -> Table:
    columns: dict[str, Callable[[Row], str]] = {
        "done": lambda row: f"{row.done}/{row.total}",
        "rate": lambda row: f"{row.done / elapsed_s:.1f}/s" if elapsed_s and row.done else dash,
        "p50": lambda row: _seconds(row.quantile_s(50), dash),
        "p95": lambda row: _seconds(row.quantile_s(95), dash),
        "spend": lambda row: "unpriced" if row.unpriced else dollars(row.spent_usd),
        "retries": lambda row: str(row.retries),
        "failed": lambda row: str(row.failed),
    }
    if width < WIDE:
        del columns["rate"], columns["retries"]
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    table.add_column("model", no_wrap=True, overflow="ellipsis")
    bar = 20 if width >= WIDE else 8 if width >= NARROW else 0
    if bar:
        table.add_column("", width=bar)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for model, row in tally.rows.items():
        style = _style(model)
        drawn = [ProgressBar(row.total, row.done, width=bar, complete_style=style, finished_style=style)] if bar else []
        table.add_row(Text(visible(_name(model, tally)), style), *drawn, *(write(row) for write in columns.values()))
    return table


def _name(model: str, tally: "Tally") -> str:
    """The short name, unless another model has it too."""
    return display_name(model, tally.rows)


def _style(model: str) -> str:
    found = known(model)
    return _COLOURS.get(found.tier, "default") if found else "default"


def _seconds(seconds: float | None, dash: str) -> str:
    return dash if seconds is None else f"{seconds:.1f} s"
