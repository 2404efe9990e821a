"""Line chart: one curve a model over a shared axis, who is lowest where, and where curves cross."""

from bisect import bisect_right
from itertools import pairwise

from evalkit.chart_blocks import (
    Crossing,
    Line,
    Lines,
)
from evalkit.charts.labels import Box, spread, text_width
from evalkit.charts.marks import dashes, ink_of, shape, upright, x_axis
from evalkit.charts.scales import Scale, name_width, scale_of, tick_name, ticks
from evalkit.charts.short_names import short_names
from evalkit.charts.svg import INKS, Svg, fill, px, stroke, variant
from evalkit.wording import number

_NAME_PX, _NAME_STEP, _BESIDE = 12.5, 17.0, 28.0
"""Size of the names, from one to the next, and from the end of the curves to them, px."""
_VALUE_PX, _VALUE_STEP, _LEVELS = 11.5, 16.0, 5
"""Size of the values of crossings, and in how many rows of which height they may stand, px."""
_APART = 7.0
"""Pixels between the intervals of two models at one x, which would hide each other."""


def draw(chart: Lines, width: int) -> str:
    """The chart at a width in px; names stand at the right end of their curves."""
    narrow = variant(width) == "narrow"
    height = max(330 if narrow else 360, 118 + int(_NAME_STEP) * len(chart.lines))
    svg = Svg(width, height, chart.finding)
    names = short_names([line.series.name for line in chart.lines], _NAME_PX, width * 0.32, bold=True)
    widest = max((text_width(name, _NAME_PX, bold=True) for name in names.values()), default=0.0)
    left = max(46 if narrow else 58, name_width(chart.y) + 10)
    right, bottom = width - widest - _BESIDE - 8, height - 52
    across, up = scale_of(chart.x, left, right), scale_of(chart.y, bottom, 58)
    _stretches(svg, chart, across)
    mark = chart.y.reference
    named = [value for value in ticks(chart.y, 6) if mark is None or abs(up(value) - up(mark)) >= 14]
    for value in named:
        svg.line(left, up(value), right, up(value), stroke("line"))
    for value in named:
        svg.text(left - 8, up(value) + 4, tick_name(value, chart.y), anchor="end")
    svg.text(0, 42, chart.y.label, size=11.5)
    x_axis(svg, chart.x, across, 58, bottom, count=4 if narrow else 7, grid=False)
    _mark_y(svg, chart, across, up)
    for place, line in enumerate(chart.lines):
        beside = _APART * (place - (len(chart.lines) - 1) / 2) if line.estimates else 0.0
        drawn = [(across(x) + beside, up(y)) for x, y in line.points]
        for piece in _pieces(line, drawn):
            svg.path(piece, stroke(ink_of(line.series), 2.2), stroke_linejoin="round", **dashes(line.series))
        _measured(svg, line, drawn, up)
    _crossings(svg, chart, across, up)
    _names(svg, chart, names, across, up)
    return svg.finish(variant(width))


def _pieces(line: Line, drawn: list[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """What is drawn in one stroke: the points up to each step, those beyond, where there are two or more."""
    xs = [x for x, _ in line.points]
    ends = [0, *(bisect_right(xs, step) for step in sorted(line.steps)), len(xs)]
    return [piece for start, end in pairwise(ends) if len(piece := drawn[start:end]) > 1]


def _measured(svg: Svg, line: Line, drawn: list[tuple[float, float]], up: Scale) -> None:
    """The points that were measured, with their intervals."""
    for estimate, (x, y) in zip(line.estimates, drawn, strict=False):
        upright(svg, line.series, estimate, up, x)
        shape(svg, line.series, x, y)


def _mark_y(svg: Svg, chart: Lines, across: Scale, up: Scale) -> None:
    """The marked value of the vertical axis: a dashed line with its value in bold at its head."""
    mark = chart.y.reference
    if mark is not None and up.holds(mark):
        svg.line(across.start, up(mark), across.end, up(mark), stroke("ink", 1.2), stroke_dasharray="3 3")
        name = number(mark, chart.y.format)
        svg.text(across.start - 8, up(mark) + 4, name, "ink", anchor="end", bold=True)


def _stretches(svg: Svg, chart: Lines, across: Scale) -> None:
    """The strip above the plot: the model with the lowest curve over each part of the axis."""
    for part in chart.stretches:
        x1, x2 = across(part.low), across(part.high)
        svg.rect(x1 + 0.75, 0, x2 - x1 - 1.5, 22, fill(ink_of(part.series)), rx="3")
        for name in (f"{part.series.name} lowest", part.series.name):
            if text_width(name, 11.5, bold=True) + 4 < x2 - x1:
                svg.text((x1 + x2) / 2, 15, name, "paper", size=11.5, anchor="middle", bold=True)
                break
        else:
            shape(svg, part.series, (x1 + x2) / 2, 11, min(4.6, (x2 - x1) / 3), ink="paper")


def _crossings(svg: Svg, chart: Lines, across: Scale, up: Scale) -> None:
    """Dots where lines cross, over their values; a value that has no place of its own is left to the table."""
    seen = sorted((c for c in chart.crossings if across.holds(c.x)), key=lambda c: (not c.shown, c.x))
    for crossing in seen:
        x, y = across(crossing.x), up(crossing.y)
        svg.line(x, y, x, up.start, stroke("dim", 1), stroke_dasharray="1 3")
        paint = fill("ink") if crossing.shown else stroke("ink", 1.6) | {"fill": INKS["paper"]}
        svg.add("circle", {"cx": px(x), "cy": px(y), "r": "4"} | paint)
    verticals = [Box(across(c.x) - 1, up(c.y) - 5, across(c.x) + 1, up.start) for c in seen]
    curves = [Box(across(x) - 3, up(y) - 2, across(x) + 3, up(y) + 2) for line in chart.lines for x, y in line.points]
    taken: list[tuple[float, Box]] = []
    for crossing in seen:
        free = [
            box
            for box in _places(crossing, across, up)
            if not any(box.meets(other) or _swapped(crossing.x, box, x, other) for x, other in taken)
        ]
        if free:
            box = min(free, key=lambda box: sum(box.meets(line) for line in (*curves, *verticals)))
            taken.append((crossing.x, box))
            svg.halo(box.left + 2, box.bottom - 4, crossing.label, "ink", size=_VALUE_PX)


def _swapped(x: float, box: Box, other_x: float, other: Box) -> bool:
    """Whether two values of one row would stand the other way round than what they are of."""
    return box.top == other.top and (x - other_x) * (box.left - other.left) < 0


def _places(crossing: Crossing, across: Scale, up: Scale) -> list[Box]:
    """Where a crossing's value may stand: to either side of its dotted line, in rows from the axis upwards."""
    width = text_width(crossing.label, _VALUE_PX, bold=True) + 4
    sides = (across(crossing.x) + 4, across(crossing.x) - 4 - width)
    lefts = [left for left in sides if across.start <= left and left + width <= across.end]
    tops = [up.start - 4 - _VALUE_STEP * (level + 1) for level in range(_LEVELS)]
    return [Box(left, top, left + width, top + _VALUE_STEP) for top in tops for left in lefts]


def _names(svg: Svg, chart: Lines, names: dict[str, str], across: Scale, up: Scale) -> None:
    """A name and shape for each curve beside its end, led to where names had to move apart."""
    drawn = [line for line in chart.lines if line.points]
    ends = [up(line.points[-1][1]) for line in drawn]
    for line, end, y in zip(drawn, ends, spread(ends, _NAME_STEP, up.end, up.start), strict=True):
        ink, start = ink_of(line.series), across.end
        svg.path([(start, end), (start + 4, end), (start + 11, y), (start + 14, y)], stroke(ink, 1))
        shape(svg, line.series, start + 19, y, 4)
        svg.text(start + _BESIDE, y + 4, names[line.series.name], ink, size=_NAME_PX, bold=True)
