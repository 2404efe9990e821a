"""Legend: shapes with names in a row, where names cannot stand beside what they name."""

from collections.abc import Iterable

from evalkit.chart_blocks import (
    Series,
)
from evalkit.charts.labels import fit, text_width
from evalkit.charts.marks import ink_of, shape
from evalkit.charts.svg import Svg

HEIGHT = 26.0
"""Room that a legend of one row takes at the top of a drawing, px."""


def rows(series: Iterable[Series], room: float) -> list[list[Series]]:
    """The names in rows that fit the room in px."""
    found: list[list[Series]] = [[]]
    used = 0.0
    for s in series:
        width = _width(s)
        if found[-1] and used + width > room:
            found.append([])
            used = 0.0
        found[-1].append(s)
        used += width
    return found


def height(series: Iterable[Series], room: float) -> float:
    """What the legend takes at the top of a drawing, px."""
    return HEIGHT + 20 * (len(rows(series, room)) - 1)


def draw(svg: Svg, series: Iterable[Series], left: float) -> None:
    """The legend at the top of a drawing, from `left` to its right edge."""
    for i, row in enumerate(rows(series, svg.width - left)):
        x, y = left, 12 + i * 20
        for s in row:
            shape(svg, s, x + 4, y - 4, 4.2)
            svg.text(x + 14, y, fit(s.name, 12, svg.width - x - 14, bold=True), ink_of(s), bold=True)
            x += _width(s)


def _width(series: Series) -> float:
    return text_width(series.name, 12, bold=True) + 28
