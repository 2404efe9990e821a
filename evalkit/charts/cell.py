"""Intervals inside a table: a small drawing a cell, and the scale at the head of the column."""

from evalkit.chart_blocks import (
    Axis,
    Series,
)
from evalkit.charts.labels import text_width
from evalkit.charts.marks import interval
from evalkit.charts.scales import named_ticks, scale_of, tick_name
from evalkit.charts.svg import Svg, stroke
from evalkit.series import NEUTRAL
from evalkit.stats import Estimate

WIDTH = 200
_HEIGHT, _EDGE = 30, 14


def draw_cell(axis: Axis, estimate: Estimate, series: Series | None) -> str:
    """One interval on the column's scale; without a model it is drawn in the neutral ink.

    Hidden from screen readers, which hear the figures beside it.
    """
    svg = Svg(WIDTH, _HEIGHT, "")
    scale = scale_of(axis, _EDGE, WIDTH - _EDGE)
    middle = _HEIGHT / 2
    svg.line(_EDGE, middle, WIDTH - _EDGE, middle, stroke("line"))
    if axis.reference is not None and scale.holds(axis.reference):
        x = scale(axis.reference)
        svg.line(x, 1, x, _HEIGHT - 1, stroke("ink", 1.2), stroke_dasharray="3 3")
    interval(svg, series or NEUTRAL, estimate, scale, middle)
    return svg.finish("cell", decoration=True)


def draw_head(axis: Axis, *, narrow: bool = False) -> str:
    """The scale over the cells of a column; hidden from screen readers, which hear the values.

    `narrow`: for the first cell, where a narrow page has no heads of columns.
    """
    svg = Svg(WIDTH, 14, "")
    scale = scale_of(axis, _EDGE, WIDTH - _EDGE)
    for value, name in named_ticks(axis, scale, 4):
        half = text_width(name, 11.5) / 2
        svg.text(min(max(scale(value), half), WIDTH - half), 11, name, size=11.5, anchor="middle")
    if axis.reference is not None and scale.holds(axis.reference):
        name = tick_name(axis.reference, axis)
        svg.text(scale(axis.reference), 11, name, "ink", size=11.5, anchor="middle", bold=True)
    return svg.finish("cell narrow scale" if narrow else "cell scale", decoration=True)
