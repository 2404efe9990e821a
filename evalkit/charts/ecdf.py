"""ECDF chart: the share of answers that had arrived after so many seconds, one staircase a model."""

from itertools import pairwise

from evalkit.chart_blocks import (
    Ecdf,
    Steps,
)
from evalkit.charts import legend
from evalkit.charts.labels import Box, Marks, Placed, place
from evalkit.charts.marks import dashes, ink_of, shape, x_axis
from evalkit.charts.scales import Scale, scale_of
from evalkit.charts.svg import Svg, stroke, variant

_SHARES = ((0.0, "0%"), (0.25, "25%"), (0.5, "50%"), (0.75, "75%"), (0.95, "95%"))
_DIRECT = 3
_LEFT, _SIZE = 44.0, 12.5
_SEEN = 0.5
"""Pixels."""


def draw(chart: Ecdf, width: int) -> str:
    """The chart at a width in px; where curves stand close, names go into a legend."""
    narrow = variant(width) == "narrow"
    steps = [s for s in chart.steps if s.values]
    across, up = scale_of(chart.x, _LEFT, width - 14), Scale(0, 1, 264, 12)
    spots = None if narrow or len(steps) > _DIRECT else _spots(steps, across, up, width)
    top = 12 if spots is not None else 12 + legend.height([s.series for s in steps], width)
    height = top + (288 if narrow else 304)
    svg = Svg(width, height, chart.finding)
    left, bottom = _LEFT, height - 52
    up = Scale(0, 1, bottom, top)
    for share, _ in _SHARES:
        svg.line(left, up(share), width - 14, up(share), stroke("line"))
    for share, name in _SHARES:
        svg.text(left - 8, up(share) + 4, name, anchor="end")
    x_axis(svg, chart.x, across, top, bottom, count=5 if narrow else 9, grid=False)
    for s in steps:
        svg.path(_stairs(s, across, up), stroke(ink_of(s.series), 2), stroke_linejoin="round", **dashes(s.series))
    for s, at in zip(steps, _ats(steps, across, up), strict=True):
        shape(svg, s.series, *at, 4.5)
    if spots is None:
        legend.draw(svg, [s.series for s in steps], 0)
    for s, spot in zip(steps, spots or (), strict=False):
        svg.halo(spot.x, spot.y, s.series.name, ink_of(s.series), size=_SIZE, anchor=spot.anchor)
    return svg.finish(variant(width))


def _ats(steps: list[Steps], across: Scale, up: Scale) -> list[tuple[float, float]]:
    """Where each curve has its shape: at other shares than its neighbours, which may run along with it."""
    found = []
    for i, s in enumerate(steps):
        wanted = (0.62, 0.5, 0.38)[i % 3] if len(steps) <= _DIRECT else 0.82 - 0.64 * i / (len(steps) - 1)
        share = min(wanted, len(s.values) / _total(s))
        found.append((across(s.values[min(int(share * _total(s)), len(s.values) - 1)]), up(share)))
    return found


def _spots(steps: list[Steps], across: Scale, up: Scale, width: float) -> list[Placed] | None:
    """Where names stand beside their curves; None if one would not be clear of all, or as near to another's."""
    courses = [_course(s, across, up) for s in steps]
    frame, found = Box(46, 2, width, up.start), list[Placed]()
    for i, (s, at) in enumerate(zip(steps, _ats(steps, across, up), strict=True)):
        names = [spot.box for spot in found]
        marks = Marks(courses[i], [box for course in courses[:i] + courses[i + 1 :] for box in course])
        spot = place(s.series.name, _SIZE, at, marks, frame, names)
        drawn = (*marks.own, *marks.others, *names)
        if not (spot.box.within(frame) and marks.owned(spot.box)) or any(spot.box.meets(box) for box in drawn):
            return None
        found.append(spot)
    return found


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
