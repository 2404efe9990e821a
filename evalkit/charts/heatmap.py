"""Item map: a cell per item and model, in bands that fit the page, each a link to the item."""

from itertools import groupby

from evalkit.blocks import Heatmap, MapCell, MapColumn
from evalkit.charts.labels import fit, text_width
from evalkit.charts.marks import ink_of
from evalkit.charts.svg import INKS, Svg, fill, stroke, variant

_GAP = 2


def draw(chart: Heatmap, width: int) -> str:
    """The chart at a width in px; groups keep together as far as a band allows."""
    narrow = variant(width) == "narrow"
    left = 0.0 if narrow else 118.0
    size = 22 if narrow else _cell_size(len(chart.columns), width - left)
    per_band = max(int((width - left) // size), 1)
    bands = _bands(chart, per_band)
    band_height = len(chart.series) * size + 34
    svg = Svg(width, len(bands) * band_height + (56 if narrow else 30), chart.finding, links=True)
    for b, band in enumerate(bands):
        _band(svg, chart, band, left, b * band_height + 16, size)
    _legend(svg, chart, left, len(bands) * band_height + 14)
    return svg.finish(variant(width))


def _cell_size(columns: int, room: float) -> float:
    return min(max(room / max(columns, 1), 13.0), 26.0)


def _bands(chart: Heatmap, per_band: int) -> list[list[MapColumn]]:
    columns = list(chart.columns)
    return [columns[i : i + per_band] for i in range(0, len(columns), per_band)]


def _band(svg: Svg, chart: Heatmap, band: list[MapColumn], left: float, top: float, size: float) -> None:
    if left:
        for row, series in enumerate(chart.series):
            name = fit(series.name, 12, left - 8)
            svg.text(0, top + row * size + size / 2 + 4, name, ink_of(series), bold=True)
    x = left
    for group, members in groupby(band, key=lambda column: column.group):
        columns = list(members)
        svg.text(x, top - 5, fit(group, 11.5, len(columns) * size + 30 if len(columns) > 1 else size), size=11.5)
        for column in columns:
            _column(svg, column, x, top, size)
            x += size


def _column(svg: Svg, column: MapColumn, x: float, top: float, size: float) -> None:
    outcome = "; ".join(f"{cell.series.name} {cell.label}" for cell in column.cells)
    svg.open("a", {"href": f"#{column.anchor}", "aria-label": f"{column.item}: {outcome}"})
    svg.add("title", {}, f"{column.item}: {outcome}")
    for row, cell in enumerate(column.cells):
        _cell(svg, cell, x, top + row * size, size - _GAP)
    svg.close("a")


def _cell(svg: Svg, cell: MapCell, x: float, y: float, side: float) -> None:
    ink = ink_of(cell.series)
    blank = {"class": "f-tint", "fill": INKS["tint"]}
    if cell.state == "satisfactory":
        svg.rect(x, y, side, side, fill(ink), rx="2")
    elif cell.state == "mixed":
        svg.rect(x, y, side, side, blank, rx="2")
        svg.path([(x, y + side), (x, y), (x + side, y + side), (x, y + side)], fill(ink))
    elif cell.state == "failed":
        svg.rect(x, y, side, side, blank, rx="2")
        a, b = side * 0.28, side * 0.72
        svg.line(x + a, y + a, x + b, y + b, stroke("fail", 2), stroke_linecap="round")
        svg.line(x + a, y + b, x + b, y + a, stroke("fail", 2), stroke_linecap="round")
    elif cell.state == "unsatisfactory":
        svg.rect(x, y, side, side, blank, rx="2")
    else:
        svg.rect(x + 0.5, y + 0.5, side - 1, side - 1, stroke("dim", 1), rx="2", stroke_dasharray="2 2")


_STATES = (
    ("satisfactory", "satisfactory"),
    ("mixed", "in some epochs"),
    ("unsatisfactory", "not satisfactory"),
    ("failed", "no usable output"),
    ("ungraded", "ungraded"),
)


def _legend(svg: Svg, chart: Heatmap, left: float, y: float) -> None:
    seen = {cell.state: cell for column in chart.columns for cell in column.cells}
    x = left
    for state, name in _STATES:
        if state not in seen:
            continue
        width = 20 + text_width(name, 11.5) + 16
        if x > left and x + width > svg.width:
            x, y = left, y + 20
        _cell(svg, seen[state], x, y - 10, 13)
        svg.text(x + 20, y, name, size=11.5)
        x += width
