"""What a report section may say: frozen data that every renderer understands, never markup."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evalkit.stats import Estimate
from evalkit.wording import Format

Tone = Literal["plain", "strong", "doubt", "code", "green", "amber", "red"]


@dataclass(frozen=True)
class Series:
    """A model as charts and tables show it; `slot` is its colour and shape, the same everywhere."""

    key: str
    name: str
    slot: int


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
class Axis:
    """A scale of a chart or of a column of intervals; `reference` is a value to mark, `shade_below` tints under it."""

    label: str
    format: Format
    low: float
    high: float
    log: bool = False
    reference: float | None = None
    reference_label: str = ""
    shade_below: bool = False


@dataclass(frozen=True)
class Mark:
    """One model's estimate on an axis."""

    series: Series
    estimate: Estimate


@dataclass(frozen=True)
class ForestRow:
    """Estimates that belong together, one line each; `note` is small print under the label."""

    label: str
    marks: tuple[Mark, ...]
    note: str = ""


@dataclass(frozen=True)
class Forest:
    """Intervals in rows on one axis."""

    finding: str
    axis: Axis
    rows: tuple[ForestRow, ...]


@dataclass(frozen=True)
class FrontierPoint:
    """One option with both its intervals; `picked` rings it."""

    series: Series
    x: Estimate
    y: Estimate
    picked: bool = False


@dataclass(frozen=True)
class Frontier:
    """Options as points with intervals both ways; less x and more y is to be preferred."""

    finding: str
    x: Axis
    y: Axis
    points: tuple[FrontierPoint, ...]


@dataclass(frozen=True)
class Line:
    """A curve through (x, y) points in ascending x; `estimates`, one a point, mark points that were measured."""

    series: Series
    points: tuple[tuple[float, float], ...]
    estimates: tuple[Estimate, ...] = ()


@dataclass(frozen=True)
class Crossing:
    """A point where two lines meet; `shown` is whether the data show it or the estimates alone do."""

    x: float
    y: float
    label: str
    shown: bool


@dataclass(frozen=True)
class Stretch:
    """A part of the x axis on which one line is the lowest."""

    series: Series
    low: float
    high: float


@dataclass(frozen=True)
class Lines:
    """Curves over a shared axis, who is lowest where, and one marked x or y."""

    finding: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...]
    stretches: tuple[Stretch, ...] = ()
    crossings: tuple[Crossing, ...] = ()


@dataclass(frozen=True)
class Steps:
    """Sorted values of one model, and how many more were `given_up`, which are larger than all of them."""

    series: Series
    values: tuple[float, ...]
    given_up: int = 0


@dataclass(frozen=True)
class Ecdf:
    """Share of values up to x, one staircase a model, which what was given up keeps below 1."""

    finding: str
    x: Axis
    steps: tuple[Steps, ...]


PartKind = Literal["satisfactory", "unsatisfactory", "failed", "ungraded", "pending"]


@dataclass(frozen=True)
class Part:
    """A counted share of a bar."""

    kind: PartKind
    label: str
    count: int


@dataclass(frozen=True)
class Bar:
    """One model's trials, split by what became of them."""

    series: Series
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Bars:
    """Stacked bars of equal scale, in counts."""

    finding: str
    bars: tuple[Bar, ...]
    unit: str


@dataclass(frozen=True)
class Shares:
    """Each option's part, in [0, 1], of one whole that `unit` names."""

    finding: str
    unit: str
    shares: tuple[tuple[Series, float], ...]


MapState = Literal["satisfactory", "mixed", "unsatisfactory", "failed", "ungraded"]


@dataclass(frozen=True)
class MapCell:
    """What became of one item under one model."""

    series: Series
    state: MapState
    label: str


@dataclass(frozen=True)
class MapColumn:
    """One item: where a click leads, and a cell per model in the order of `Heatmap.series`."""

    item: str
    anchor: str
    group: str
    cells: tuple[MapCell, ...]


@dataclass(frozen=True)
class Heatmap:
    """Items by models; columns of one group stand together."""

    finding: str
    series: tuple[Series, ...]
    columns: tuple[MapColumn, ...]


Chart = Forest | Frontier | Lines | Ecdf | Bars | Shares | Heatmap


@dataclass(frozen=True)
class Column:
    """A table column. With an `axis`, its cells draw their interval; `brief` columns go into the summary."""

    label: str
    align: Literal["start", "end"] = "start"
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
    """Cells in column order; a `picked` row stands out."""

    cells: tuple[Cell, ...]
    series: Series | None = None
    picked: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of cells under columns; the first column names the row."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Paragraph:
    """A sentence or a few."""

    text: Text


@dataclass(frozen=True)
class Note:
    """What a reader must know before relying on a figure: whole sentences, most important first."""

    title: str
    sentences: tuple[Text, ...]


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
    """Terms and what they were in this run."""

    rows: tuple[tuple[str, Text], ...]


@dataclass(frozen=True)
class GradeLine:
    """One criterion's grade of one output; `level` is a number with its scale, or why there is none."""

    criterion: str
    level: str
    passed: bool | None
    comment: str = ""


@dataclass(frozen=True)
class OutputView:
    """One output as a reader sees it; `blind_place` (from 0) is its place while names are hidden."""

    series: Series
    epoch: int
    blind_place: int
    result: str
    state: MapState
    text: str
    cut_characters: int
    grades: tuple[GradeLine, ...]
    cost: str
    time: str
    error: str | None


@dataclass(frozen=True)
class ItemView:
    """One item with its outputs side by side; `differs` if models part on it, `failing` if any fails it."""

    id: str
    anchor: str
    title: str
    task: str
    reference: str | None
    difficulty: str | None
    tags: tuple[str, ...]
    documents: tuple[str, ...]
    outputs: tuple[OutputView, ...]
    differs: bool
    failing: bool


@dataclass(frozen=True)
class Items:
    """Every item of the run, to be read."""

    items: tuple[ItemView, ...]
    models: int


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


def table(caption: str, columns: Sequence[Column], rows: Sequence[Row]) -> Table:
    """A table; ValueError if a row has another number of cells than there are columns."""
    for row in rows:
        if len(row.cells) != len(columns):
            raise ValueError(f"{caption}: a row has {len(row.cells)} cells for {len(columns)} columns")
    return Table(caption, tuple(columns), tuple(rows))
