"""Item map: a cell per item and model, in bands that fit the page, each a link to the item."""

from collections import Counter
from collections.abc import Mapping
from itertools import groupby
from typing import get_args

from evalkit.chart_blocks import (
    Heatmap,
    MapCell,
    MapColumn,
    MapState,
    Series,
)
from evalkit.charts import legend
from evalkit.charts.labels import text_width
from evalkit.charts.marks import ink_of, shape
from evalkit.charts.short_names import short_names
from evalkit.charts.svg import INKS, PRINTED, Svg, fill, px, stroke, variant
from evalkit.series import NEUTRAL

_GAP = 2.5
_SHAPES = 20.0
"""Room for the shape that begins a row, px."""


def draw(chart: Heatmap, width: int) -> str:
    """The chart at a width in px; groups keep together as far as a band allows.

    Every row begins with its model's shape; names stand beside it, or above all bands on a narrow page.
    """
    narrow = variant(width) == "narrow"
    left = _SHAPES if narrow else 118.0
    top = legend.height(chart.series, width) if narrow else 0.0
    step = 22.0 if narrow else min(max((width - left) / max(len(chart.columns), 1), 13.0), 28.0)
    per_band = max(int((width - left) / step + 1e-6), 1)
    bands = [chart.columns[i : i + per_band] for i in range(0, len(chart.columns), per_band)]
    grid = _Grid(left, step, 22.0, variant(width)[0])
    band_height = len(chart.series) * grid.row + 36
    svg = Svg(width, top + len(bands) * band_height + (44 if narrow else 20), chart.finding, links=True)
    alike = _define(svg, chart, grid)
    if narrow:
        legend.draw(svg, chart.series, 0)
    for i, band in enumerate(bands):
        _band(svg, chart.series, band, grid, top + i * band_height + 18, alike)
    _legend(svg, chart, left, top + len(bands) * band_height + 10)
    return svg.finish(variant(width))


class _Grid:
    """Where cells stand: `left` edge, `step` from column to column, `row` from model to model, px.

    `name` begins the ids of what is drawn once and then used.
    """

    def __init__(self, left: float, step: float, row: float, name: str) -> None:
        self.left, self.step, self.row, self.name = left, step, row, name

    def id(self, row: int, state: MapState) -> str:
        """Of a model's cell in a state."""
        return f"{self.name}{row}{_KINDS.index(state)}"


_KINDS = get_args(MapState)


_States = tuple[MapState, ...]


def _define(svg: Svg, chart: Heatmap, grid: _Grid) -> dict[_States, str]:
    """Every kind of cell once, and every column that comes again, whose names are given back: drawn anew for each item
    they would be the largest thing on a page."""
    kinds = {(i, cell.state): cell for column in chart.columns for i, cell in enumerate(column.cells)}
    svg.open("defs", {})
    for (i, state), cell in sorted(kinds.items(), key=lambda kind: grid.id(*kind[0])):
        svg.open("g", {"id": grid.id(i, state)})
        _cell(svg, cell, 0, 0, grid.step - _GAP, grid.row - _GAP)
        svg.close("g")
    counts = Counter(_states(column) for column in chart.columns)
    alike = {states: f"{grid.name}c{i}" for i, (states, n) in enumerate(counts.most_common()) if n > 1 < len(states)}
    for states, name in alike.items():
        svg.open("g", {"id": name})
        _cells(svg, states, 0, 0, grid)
        svg.close("g")
    svg.close("defs")
    return alike


def _states(column: MapColumn) -> _States:
    return tuple(cell.state for cell in column.cells)


def _cells(svg: Svg, states: _States, x: float, top: float, grid: _Grid) -> None:
    for i, state in enumerate(states):
        svg.add("use", _at(grid.id(i, state), x, top + i * grid.row))


def _at(name: str, x: float, y: float) -> dict[str, str]:
    """Attributes of what is used at a place."""
    return {"href": f"#{name}"} | {key: px(value) for key, value in (("x", x), ("y", y)) if value}


def _band(
    svg: Svg,
    series: tuple[Series, ...],
    band: tuple[MapColumn, ...],
    grid: _Grid,
    top: float,
    alike: Mapping[_States, str],
) -> None:
    names = short_names([model.name for model in series], 12.5, grid.left - _SHAPES - 4, bold=True)
    for i, model in enumerate(series):
        shape(svg, model, grid.left - 12, top + i * grid.row + 9.5, 4.2)
        if grid.left > _SHAPES:
            svg.text(0, top + i * grid.row + 14, names[model.name], ink_of(model), size=12.5, bold=True)
    x = grid.left
    for group, members in groupby(band, key=lambda column: column.group):
        columns = list(members)
        if text_width(group, 11.5) < len(columns) * grid.step:
            svg.text(x, top - 6, group, size=11.5)
        for column in columns:
            _column(svg, column, x, top, grid, alike)
            x += grid.step


def _column(svg: Svg, column: MapColumn, x: float, top: float, grid: _Grid, alike: Mapping[_States, str]) -> None:
    labels = {cell.label for cell in column.cells}
    all_of_them = f"all {labels.pop()}" if len(labels) == 1 and len(column.cells) > 1 else ""
    outcome = all_of_them or "; ".join(f"{cell.series.name} {cell.label}" for cell in column.cells)
    svg.open("a", {"href": f"#{column.anchor}"})
    svg.add("title", {}, f"{column.item}: {outcome}")
    if (name := alike.get(_states(column))) is not None:
        svg.add("use", _at(name, x, top))
    else:
        _cells(svg, _states(column), x, top, grid)
    svg.close("a")


def _cell(svg: Svg, cell: MapCell, x: float, y: float, width: float, height: float) -> None:
    ink = ink_of(cell.series)
    if cell.state == "satisfactory":
        svg.rect(x, y, width, height, fill(ink), rx="2")
        return
    frame = {"fill": INKS["tint"]}
    dash = {"stroke-dasharray": "2 2"} if cell.state == "ungraded" else {}
    svg.rect(
        x + 0.5, y + 0.5, width - 1, height - 1, frame | {"stroke": INKS["dim"], "stroke-width": "0.8"} | dash, rx="2"
    )
    if cell.state == "mixed":
        svg.path([(x, y + height), (x, y), (x + width, y), (x, y + height)], fill(ink))
    elif cell.state == "failed":
        r, mx, my = min(width, height) * 0.24, x + width / 2, y + height / 2
        ends = [(mx - r, my - r), (mx + r, my + r), (mx, my), (mx - r, my + r), (mx + r, my - r)]
        svg.path(ends, stroke("fail", 2), stroke_linecap="round")


_STATES: tuple[tuple[MapState, str], ...] = (
    ("satisfactory", "satisfactory"),
    ("mixed", "in some epochs"),
    ("unsatisfactory", "not satisfactory"),
    ("failed", "no usable output"),
    ("ungraded", "ungraded"),
)


def _legend(svg: Svg, chart: Heatmap, left: float, y: float) -> None:
    seen = {cell.state for column in chart.columns for cell in column.cells}
    x = left
    for state, name in _STATES:
        if state not in seen:
            continue
        width = 20 + text_width(name, 11.5 if variant(int(svg.width)) == "narrow" else PRINTED) + 16
        if x > left and x + width > svg.width:
            x, y = left, y + 22
        _cell(svg, MapCell(NEUTRAL, state, name), x, y - 11, 13, 14)
        svg.text(x + 20, y, name, size=11.5)
        x += width
