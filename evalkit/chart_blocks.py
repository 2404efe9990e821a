"""The charts of a report as frozen data: what is drawn, never how."""

from typing import Literal

from evalkit.frozen import dataclass
from evalkit.stats import Estimate
from evalkit.wording import Format


@dataclass(frozen=True)
class Series:
    """A model as charts and tables show it; `slot` is its colour and shape, the same everywhere."""

    key: str
    name: str
    slot: int


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
    """A curve through (x, y) points in ascending x; `estimates`, one a point, mark points that were measured. It is
    broken at `steps`: there y jumps, and no value lies between."""

    series: Series
    points: tuple[tuple[float, float], ...]
    estimates: tuple[Estimate, ...] = ()
    steps: tuple[float, ...] = ()


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
