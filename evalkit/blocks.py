"""What a report section may say: frozen data that every renderer understands, never markup."""

from collections.abc import Sequence
from typing import Literal

from evalkit.chart_blocks import Axis, Chart, MapState, Series
from evalkit.frozen import dataclass
from evalkit.stats import Estimate

Tone = Literal["plain", "strong", "doubt", "code", "green", "amber", "red"]


@dataclass(frozen=True)
class Span:
    """A run of text. `measured`: it derives from a clock, so runs are compared without it. `link`: an anchor here."""

    text: str
    tone: Tone = "plain"
    series: Series | None = None
    measured: bool = False
    link: str = ""


Text = tuple[Span, ...]


def words(*parts: str | Span) -> Text:
    """A text from plain strings and spans; empty parts are left out."""
    spans = (Span(part) if isinstance(part, str) else part for part in parts)
    return tuple(span for span in spans if span.text)


def prose(text: str, measured: bool = False) -> Text:
    """A sentence in which `backticks` mark what is typed."""
    parts = enumerate(text.split("`"))
    return tuple(Span(part, "code" if i % 2 else "plain", measured=measured) for i, part in parts if part)


def strong(text: str) -> Span:
    """A figure that carries the sentence."""
    return Span(text, "strong")


def doubt(text: str) -> Span:
    """The interval or the reason that goes with a figure."""
    return Span(text, "doubt")


def code(text: str) -> Span:
    """A hash, an id or a command, shown as it is typed."""
    return Span(text, "code")


@dataclass(frozen=True)
class Column:
    """A table column. With an `axis`, its cells draw their interval; `brief` columns go into the summary.

    `align` is prose for sentences, which a narrow screen sets over its whole width.
    """

    label: str
    align: Literal["start", "end", "prose"] = "start"
    axis: Axis | None = None
    brief: bool = False


@dataclass(frozen=True)
class Cell:
    """One value, its doubt below it, and the interval to draw if the column has an axis."""

    text: Text
    doubt: str = ""
    estimate: Estimate | None = None
    badge: bool = False
    measured: bool = False


@dataclass(frozen=True)
class Row:
    """Cells in column order; a `picked` row stands out. Where there is no room for all, those of a high `rank` go."""

    cells: tuple[Cell, ...]
    series: Series | None = None
    picked: bool = False
    rank: int = 0


@dataclass(frozen=True)
class Table:
    """Rows of cells under columns; the first column names the row.

    With `folded`, a line of that text stands in its place until a reader opens it; it is not printed.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    folded: str = ""


@dataclass(frozen=True)
class Paragraph:
    """A sentence or a few."""

    text: Text


MOST_WARNINGS = 4
"""Warnings that a page has room for beside the verdict; where there are more, the method lists them all."""


@dataclass(frozen=True)
class Note:
    """What a reader must know before relying on a figure: whole sentences, most important first.

    `rest`: the section of the page that has those which it leaves out here, beyond the first for which it has `room`;
    without, it leaves out none. Other forms have them all here.
    """

    title: str
    sentences: tuple[Text, ...]
    rest: str = ""
    room: int = MOST_WARNINGS

    @property
    def left_out(self) -> int:
        """How many the page leaves out."""
        return max(0, len(self.sentences) - self.room) if self.rest else 0


@dataclass(frozen=True)
class Fact:
    """A short finding with the figures that carry it."""

    title: str
    text: Text
    series: Series | None = None


@dataclass(frozen=True)
class Facts:
    """Findings side by side."""

    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Definitions:
    """Terms and what they were in this run; `brief` ones stand in the summary too, folded."""

    rows: tuple[tuple[str, Text], ...]
    brief: bool = False


@dataclass(frozen=True)
class GradeLine:
    """One criterion's grade of one output; `level` is a number with its scale, or why there is none; `given`: what each
    of several graders said."""

    criterion: str
    level: str
    passed: bool | None
    comment: str = ""
    given: str = ""


TEXT_LIMIT = 20_000
"""Characters of a text that a report shows; what is cut is said, and stands whole in a side file."""


@dataclass(frozen=True)
class Excerpt:
    """A text as far as a report shows it, `limit` characters at most; `file` is the name of the side file that has the
    whole of a cut one.
    """

    whole: str
    file: str
    limit: int = TEXT_LIMIT

    @property
    def shown(self) -> str:
        """Its beginning."""
        return self.whole[: self.limit]

    @property
    def cut_characters(self) -> int:
        """How many characters are not shown."""
        return max(len(self.whole) - self.limit, 0)


@dataclass(frozen=True)
class RemarkLine:
    """What one person left beside grades: what they did, and their note."""

    grader: str
    did: str
    note: str


@dataclass(frozen=True)
class OutputView:
    """One output as a reader sees it; `blind_place` (from 0) is its place while names are hidden."""

    series: Series
    epoch: int
    blind_place: int
    result: str
    state: MapState
    text: Excerpt
    grades: tuple[GradeLine, ...]
    cost: str
    time: str
    error: str | None
    remarks: tuple[RemarkLine, ...] = ()


@dataclass(frozen=True)
class ItemView:
    """One item with its outputs side by side; `differs` if models part on it, `failing` if any fails it.

    `documents` are those that bear the answer, if `bearing`, else all in the prompt; `filling`: how many others it has.
    """

    id: str
    anchor: str
    title: str
    task: Excerpt
    reference: Excerpt | None
    difficulty: str | None
    tags: tuple[str, ...]
    documents: tuple[str, ...]
    bearing: bool
    filling: int
    outputs: tuple[OutputView, ...]
    differs: bool
    failing: bool


@dataclass(frozen=True)
class Items:
    """The items that are to be read; `of` so many of the run."""

    items: tuple[ItemView, ...]
    models: int
    of: int

    @property
    def excerpts(self) -> tuple[Excerpt, ...]:
        """Every text of the items."""
        return tuple(
            text
            for item in self.items
            for text in (item.task, item.reference, *(output.text for output in item.outputs))
            if text is not None
        )


Block = Paragraph | Note | Facts | Definitions | Table | Items | Chart


@dataclass(frozen=True)
class Section:
    """One part of the report. `heading` is a finding; `label` names the part in the contents.

    `measured`: the whole part derives from clocks. `summary`: it also stands in the Markdown summary.
    """

    name: str
    label: str
    heading: str
    lede: Text
    blocks: tuple[Block, ...]
    measured: bool = False
    summary: bool = False


def table(caption: str, columns: Sequence[Column], rows: Sequence[Row], folded: str = "") -> Table:
    """A table; ValueError if a row has another number of cells than there are columns."""
    for row in rows:
        if len(row.cells) != len(columns):
            raise ValueError(f"{caption}: a row has {len(row.cells)} cells for {len(columns)} columns")
    return Table(caption, tuple(columns), tuple(rows), folded)
