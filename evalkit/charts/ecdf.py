"""ECDF chart: the share of answers that had arrived after so many seconds, one staircase a model."""

from itertools import pairwise

from evalkit.chart_blocks import (
    Ecdf,
    Series,
    Steps,
)
from evalkit.charts import legend
from evalkit.charts.labels import Box, place
from evalkit.charts.marks import ink_of, shape, x_axis
from evalkit.charts.scales import Scale, scale_of
from evalkit.charts.svg import Svg, stroke, variant

_SHARES = ((0.0, "0%"), (0.25, "25%"), (0.5, "50%"), (0.75, "75%"), (0.95, "95%"))
_DIRECT = 3
_SEEN = 0.5
"""Pixels."""


def draw(chart: Ecdf, width: int) -> str:
    """The chart at a width in px; where curves stand close, names go into a legend."""
    narrow = variant(width) == "narrow"
    steps = [s for s in chart.steps if s.values]
    listed = narrow or len(steps) > _DIRECT
    top = 12 + legend.height([s.series for s in steps], width) if listed else 12
    height = top + (288 if narrow else 304)
    svg = Svg(width, height, chart.finding)
    left, bottom = 44, height - 52
    across, up = scale_of(chart.x, left, width - 14), Scale(0, 1, bottom, top)
    for share, name in _SHARES:
        svg.line(left, up(share), width - 14, up(share), stroke("line"))
        svg.text(left - 8, up(share) + 4, name, anchor="end")
    x_axis(svg, chart.x, across, top, bottom, count=5 if narrow else 9, grid=False)
    for s in steps:
        svg.path(_stairs(s, across, up), stroke(ink_of(s.series), 2), stroke_linejoin="round")
    _identify(svg, steps, across, up, listed)
    return svg.finish(variant(width))


def _identify(svg: Svg, steps: list[Steps], across: Scale, up: Scale, listed: bool) -> None:
    """A shape on every curve, and its name beside it or in the legend."""
    if listed:
        legend.draw(svg, [s.series for s in steps], 0)
    taken = [] if listed else [box for s in steps for box in _course(s, across, up)]
    for i, s in enumerate(steps):
        share = min((0.62, 0.5, 0.38)[i % 3], len(s.values) / _total(s))
        at = across(s.values[min(int(share * _total(s)), len(s.values) - 1)]), up(share)
        shape(svg, s.series, *at, 4.5)
        if not listed:
            _name(svg, s.series, at, taken, up.start)


def _stairs(steps: Steps, across: Scale, up: Scale) -> list[tuple[float, float]]:
    """The staircase; steps that nobody could tell apart are one, or a large run would draw megabytes."""
    points, n = [(across(steps.values[0]), up(0.0))], _total(steps)
    for i, value in enumerate(steps.values, start=1):
        (x, y), (last_x, last_y) = (across(value), up(i / n)), points[-1]
        if abs(x - last_x) + abs(y - last_y) >= _SEEN or i == len(steps.values):
            points += [(x, last_y), (x, y)]
    return [*points, (across.end, up(len(steps.values) / n))]


def _total(steps: Steps) -> int:
    return len(steps.values) + steps.given_up


def _course(steps: Steps, across: Scale, up: Scale) -> list[Box]:
    """Boxes along the staircase, which names must not cover."""
    points = _stairs(steps, across, up) if steps.values else []
    return [
        Box(min(a[0], b[0]) - 2, min(a[1], b[1]) - 2, max(a[0], b[0]) + 2, max(a[1], b[1]) + 2)
        for a, b in pairwise(points)
    ]


def _name(svg: Svg, series: Series, at: tuple[float, float], taken: list[Box], bottom: float) -> None:
    spot = place(series.name, 12.5, at, taken, Box(46, 2, svg.width, bottom))
    taken.append(spot.box)
    svg.halo(spot.x, spot.y, series.name, ink_of(series), size=12.5, anchor=spot.anchor)
