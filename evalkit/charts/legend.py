"""Legend: shapes with names in a row, where names cannot stand beside what they name."""

from collections.abc import Iterable

from evalkit.chart_blocks import (
    Series,
)
from evalkit.charts.labels import text_width
from evalkit.charts.marks import ink_of, shape
from evalkit.charts.short_names import short_names
from evalkit.charts.svg import Svg

HEIGHT = 26.0
"""Room that a legend of one row takes at the top of a drawing, px."""


def rows(series: Iterable[Series], room: float) -> list[list[tuple[Series, str]]]:
    """The models with their names, shortened where one is wider than the room in px, in rows that fit it."""
    listed = list(series)
    found = _wrapped(listed, room, room)
    return found if len(found) <= _MOST_ROWS else _wrapped(listed, room, (room - _GAP) / 2)


def _wrapped(listed: list[Series], room: float, most: float) -> list[list[tuple[Series, str]]]:
    """In rows that fit the room, px, models that take at most so many of it each."""
    names = short_names([s.name for s in listed], 12, most - 14, bold=True)
    found: list[list[tuple[Series, str]]] = [[]]
    used = 0.0
    for s in listed:
        name = names[s.name]
        if found[-1] and used + _width(name) - _GAP > room:
            found.append([])
            used = 0.0
        found[-1].append((s, name))
        used += _width(name)
    return found


def height(series: Iterable[Series], room: float) -> float:
    """What the legend takes at the top of a drawing, px."""
    return HEIGHT + 20 * (len(rows(series, room)) - 1)


def draw(svg: Svg, series: Iterable[Series], left: float) -> None:
    """The legend at the top of a drawing, from `left` to its right edge."""
    for i, row in enumerate(rows(series, svg.width - left)):
        x, y = left, 12 + i * 20
        for s, name in row:
            shape(svg, s, x + 4, y - 4, 4.2)
            svg.text(x + 14, y, name, ink_of(s), bold=True)
            x += _width(name)


_GAP, _MOST_ROWS = 14.0, 4
"""Pixels between a name and the next shape; rows above which names are shortened so that two stand in each."""


def _width(name: str) -> float:
    return 14 + text_width(name, 12, bold=True) + _GAP
