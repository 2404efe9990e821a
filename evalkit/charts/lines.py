"""Line chart: one curve a model over a shared axis, who is lowest where, and where curves cross."""

from evalkit.chart_blocks import (
    Line,
    Lines,
)
from evalkit.charts.labels import fit, spread, text_width
from evalkit.charts.marks import ink_of, shape, upright, x_axis
from evalkit.charts.scales import Scale, name_width, scale_of, tick_name, ticks
from evalkit.charts.svg import INKS, Svg, fill, px, stroke, variant
from evalkit.wording import number

_APART = 7.0
"""Pixels between the intervals of two models at one x, which would hide each other."""


def draw(chart: Lines, width: int) -> str:
    """The chart at a width in px; names stand at the right end of their curves."""
    narrow = variant(width) == "narrow"
    height = 330 if narrow else 360
    svg = Svg(width, height, chart.finding)
    names = min(max((text_width(line.series.name, 12.5, bold=True) for line in chart.lines), default=0.0), width * 0.32)
    left = max(46 if narrow else 58, name_width(chart.y) + 10)
    right, bottom = width - names - 22, height - 52
    across, up = scale_of(chart.x, left, right), scale_of(chart.y, bottom, 58)
    _stretches(svg, chart, across)
    mark = chart.y.reference
    for value in ticks(chart.y, 6):
        if mark is not None and abs(up(value) - up(mark)) < 14:
            continue
        svg.line(left, up(value), right, up(value), stroke("line"))
        svg.text(left - 8, up(value) + 4, tick_name(value, chart.y), anchor="end")
    svg.text(0, 42, chart.y.label, size=11.5)
    x_axis(svg, chart.x, across, 58, bottom, count=4 if narrow else 7, grid=False)
    _mark_y(svg, chart, across, up)
    for place, line in enumerate(chart.lines):
        beside = _APART * (place - (len(chart.lines) - 1) / 2) if line.estimates else 0.0
        drawn = [(across(x) + beside, up(y)) for x, y in line.points]
        svg.path(drawn, stroke(ink_of(line.series), 2.2), stroke_linejoin="round")
        _measured(svg, line, drawn, up)
    _crossings(svg, chart, across, up)
    _names(svg, chart, across, up)
    return svg.finish(variant(width))


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
    bottom, taken = up.start, -1e9
    for crossing in sorted(chart.crossings, key=lambda c: c.x):
        if not across.holds(crossing.x):
            continue
        x, y = across(crossing.x), up(crossing.y)
        svg.line(x, y, x, bottom, stroke("dim", 1), stroke_dasharray="1 3")
        paint = (
            fill("ink") if crossing.shown else stroke("ink", 1.6) | {"class": "s-ink f-paper", "fill": INKS["paper"]}
        )
        svg.add("circle", {"cx": px(x), "cy": px(y), "r": "4"} | paint)
        width = text_width(crossing.label, 11.5, bold=True)
        start = min(x + 6, across.end - width)
        level = bottom - 8 if start > taken else bottom - 24
        svg.halo(start, level, crossing.label, "ink", size=11.5)
        taken = start + width + 8


def _names(svg: Svg, chart: Lines, across: Scale, up: Scale) -> None:
    ends = [up(line.points[-1][1]) if line.points else up.end for line in chart.lines]
    for line, end, y in zip(chart.lines, ends, spread(ends, 17, up.end, up.start), strict=True):
        if not line.points:
            continue
        if not line.estimates:
            shape(svg, line.series, across.end, end, 4)
        room = svg.width - across.end - 10
        svg.text(
            across.end + 10,
            y + 4,
            fit(line.series.name, 12.5, room + 6, bold=True),
            ink_of(line.series),
            size=12.5,
            bold=True,
        )
