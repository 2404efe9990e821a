"""ECDF chart: the share of answers that had arrived after so many seconds, one staircase a model."""

from evalkit.blocks import Ecdf, Steps
from evalkit.charts.labels import Box, place
from evalkit.charts.marks import ink_of, shape, x_axis
from evalkit.charts.scales import Scale, scale_of
from evalkit.charts.svg import Svg, stroke, variant

_SHARES = ((0.0, "0%"), (0.25, "25%"), (0.5, "50%"), (0.75, "75%"), (0.95, "95%"))


def draw(chart: Ecdf, width: int) -> str:
    """The chart at a width in px."""
    narrow = variant(width) == "narrow"
    height = 300 if narrow else 340
    svg = Svg(width, height, chart.finding)
    left, bottom = 44, height - 52
    across, up = scale_of(chart.x, left, width - 14), Scale(0, 1, bottom, 12)
    for share, name in _SHARES:
        svg.line(left, up(share), width - 14, up(share), stroke("line"))
        svg.text(left - 8, up(share) + 4, name, anchor="end")
    x_axis(svg, chart.x, across, 12, bottom, count=5 if narrow else 9, grid=False)
    taken = [box for steps in chart.steps for box in _course(steps, across, up)]
    for steps in chart.steps:
        if steps.values:
            svg.path(_stairs(steps, across, up), stroke(ink_of(steps.series), 2), stroke_linejoin="round")
    for i, steps in enumerate(s for s in chart.steps if s.values):
        _name(svg, steps, (0.62, 0.5, 0.38)[i % 3], across, up, taken)
    return svg.finish(variant(width))


def _stairs(steps: Steps, across: Scale, up: Scale) -> list[tuple[float, float]]:
    points, n = [(across(steps.values[0]), up(0.0))], len(steps.values)
    for i, value in enumerate(steps.values, start=1):
        points += [(across(value), up((i - 1) / n)), (across(value), up(i / n))]
    return [*points, (across.end, up(1.0))]


def _course(steps: Steps, across: Scale, up: Scale) -> list[Box]:
    """Boxes along the staircase, which names must not cover."""
    points = _stairs(steps, across, up) if steps.values else []
    return [
        Box(min(a[0], b[0]) - 2, min(a[1], b[1]) - 2, max(a[0], b[0]) + 2, max(a[1], b[1]) + 2)
        for a, b in zip(points, points[1:], strict=False)
    ]


def _name(svg: Svg, steps: Steps, share: float, across: Scale, up: Scale, taken: list[Box]) -> None:
    at = across(steps.values[min(int(share * len(steps.values)), len(steps.values) - 1)]), up(share)
    spot = place(steps.series.name, 12.5, at, taken, Box(46, 2, svg.width, up.start))
    taken.append(spot.box)
    shape(svg, steps.series, *at, 4)
    svg.halo(spot.x, spot.y, steps.series.name, ink_of(steps.series), size=12.5, anchor=spot.anchor)
