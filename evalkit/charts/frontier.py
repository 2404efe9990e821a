"""Frontier chart: cost against quality, both with their intervals, names beside the points."""

from itertools import pairwise, permutations

from evalkit.chart_blocks import (
    Frontier,
    FrontierPoint,
)
from evalkit.charts import legend
from evalkit.charts.labels import Box, Marks, Placed, place, text_width
from evalkit.charts.marks import ink_of, interval, shape, upright, x_axis
from evalkit.charts.scales import Scale, name_width, scale_of, tick_name, ticks
from evalkit.charts.short_names import short_names
from evalkit.charts.svg import PRINTED, Svg, fill, px, stroke, variant
from evalkit.wording import number

_LABEL_PX, _NAME_PX = 11.5, 13.0
_FEW = 4
"""Points whose names may cover part of a line; with more, nobody could tell whose name it is."""


def draw(chart: Frontier, width: int) -> str:
    """The chart at a width in px; points without both estimates are not drawn."""
    narrow = variant(width) == "narrow"
    height = 330 if narrow else 370
    left, bottom = max(44 if narrow else 52, name_width(chart.y) + 10), height - 52
    across, up = scale_of(chart.x, left, width - 14), scale_of(chart.y, bottom, 14)
    points = [p for p in chart.points if p.x.value is not None and p.y.value is not None]
    label = _bar_label(chart, points, across, up)
    names = short_names([p.series.name for p in points], _NAME_PX, width * 0.45, bold=True)
    spots = _spots(label, points, names, across, up, width)
    if spots is None:
        above = legend.height([p.series for p in points], width)
        height, bottom = height + int(above), bottom + int(above)
        up = scale_of(chart.y, bottom, 14 + int(above))
        label = _bar_label(chart, points, across, up)
    svg = Svg(width, height, chart.finding)
    _bar(svg, chart, across, up)
    _y_axis(svg, chart, up, left, width - 14)
    x_axis(svg, chart.x, across, up.end, bottom, count=4 if narrow else 8, grid=False)
    edge = _edge(points, across, up)
    if len(edge) > 1:
        svg.path(edge, stroke("dim", 1.2), stroke_dasharray="2 4", stroke_linecap="round")
    for point in points:
        _cross(svg, point, across, up)
    if label is not None:
        svg.halo(label.left, label.bottom - 6, chart.y.reference_label, "dim", size=_LABEL_PX)
    if spots is None:
        legend.draw(svg, [p.series for p in points], 0)
    for point, spot in zip(points, spots or (), strict=False):
        svg.halo(spot.x, spot.y, names[point.series.name], ink_of(point.series), size=_NAME_PX, anchor=spot.anchor)
    return svg.finish(variant(width))


def _at(point: FrontierPoint, across: Scale, up: Scale) -> tuple[float, float]:
    return across(point.x.value or 0.0), up(point.y.value or 0.0)


def _bar(svg: Svg, chart: Frontier, across: Scale, up: Scale) -> None:
    bar = chart.y.reference
    if bar is None or not up.holds(bar):
        return
    svg.rect(across.start, up(bar), across.end - across.start, up.start - up(bar), fill("tint"))
    svg.line(across.start, up(bar), across.end, up(bar), stroke("ink", 1.2), stroke_dasharray="3 3")


def _bar_label(chart: Frontier, points: list[FrontierPoint], across: Scale, up: Scale) -> Box | None:
    """Where the bar's label stands: below its line, as far right as nothing crosses it; else where least does."""
    bar = chart.y.reference
    if bar is None or not up.holds(bar) or not chart.y.reference_label:
        return None
    size = _LABEL_PX if variant(int(across.end)) == "narrow" else PRINTED
    y, width = up(bar), text_width(chart.y.reference_label, size, bold=True)
    taken = [box for point in points for box in _extent(point, across, up)]
    step, room = width / 4, across.end - 8 - width - across.start
    lefts = [across.end - 8 - width - i * step for i in range(int(room / step) + 1)]
    places = [Box(left, y + 3, left + width, y + 23) for left in (*lefts, across.start + 6) if left >= across.start + 6]
    return min(places, key=lambda place: sum(place.overlap(box) for box in taken), default=None)


def _y_axis(svg: Svg, chart: Frontier, up: Scale, left: float, right: float) -> None:
    bar = chart.y.reference
    named = [value for value in ticks(chart.y, 6) if bar is None or abs(up(value) - up(bar)) > 14]
    for value in named:
        svg.line(left, up(value), right, up(value), stroke("line"))
    for value in named:
        svg.text(left - 8, up(value) + 4, tick_name(value, chart.y), anchor="end")
    if bar is not None and up.holds(bar):
        svg.text(left - 8, up(bar) + 4, number(bar, chart.y.format), "ink", anchor="end", bold=True)


def _edge(points: list[FrontierPoint], across: Scale, up: Scale) -> list[tuple[float, float]]:
    """The options that no other beats on both estimates, which a dashed line joins."""
    best: list[tuple[float, float]] = []
    quality = -1.0
    for point in sorted(points, key=lambda p: (p.x.value or 0.0, -(p.y.value or 0.0))):
        if (point.y.value or 0.0) > quality:
            quality = point.y.value or 0.0
            best.append(_at(point, across, up))
    return best


def _along(edge: list[tuple[float, float]]) -> list[Box]:
    """Boxes along the dashed line, which names keep clear of."""
    steps = 12
    return [Box(x - 3, y - 3, x + 3, y + 3)
            for a, b in pairwise(edge) for i in range(1, steps)
            for x, y in [(a[0] + (b[0] - a[0]) * i / steps, a[1] + (b[1] - a[1]) * i / steps)]]  # fmt: skip


def _cross(svg: Svg, point: FrontierPoint, across: Scale, up: Scale) -> None:
    x, y = _at(point, across, up)
    interval(svg, point.series, point.x, across, y, 0)
    upright(svg, point.series, point.y, up, x)
    if point.picked:
        svg.add("circle", {"cx": px(x), "cy": px(y), "r": "13"} | stroke("ink", 1.6))
    shape(svg, point.series, x, y, 6.5)


def _spots(
    label: Box | None, points: list[FrontierPoint], names: dict[str, str], across: Scale, up: Scale, width: float
) -> list[Placed] | None:
    """Where names stand beside their points; None where one would stand on another or as near to another's marks as to
    its own, or many in each other's lines."""
    orders = permutations(range(len(points))) if len(points) <= _FEW else [tuple(range(len(points)))]
    frame = Box(across.start, 0, width, up.start)
    extents, edge = [_extent(p, across, up) for p in points], _along(_edge(points, across, up))
    for order in orders:  # who comes first may take the only place that another has
        texts, found = [label] if label is not None else [], dict[int, Placed]()
        for i in order:
            marks = Marks(extents[i], [box for j, boxes in enumerate(extents) if j != i for box in boxes])
            name, at = names[points[i].series.name], _at(points[i], across, up)
            spot = place(name, _NAME_PX, at, marks, frame, texts, edge)
            barred = texts if len(points) <= _FEW else [*texts, *marks.own, *marks.others, *edge]
            if not spot.box.within(frame) or not marks.owned(spot.box) or any(map(spot.box.meets, barred)):
                break
            texts.append(spot.box)
            found[i] = spot
        else:
            return [found[i] for i in range(len(points))]
    return None


def _extent(point: FrontierPoint, across: Scale, up: Scale) -> list[Box]:
    x, y = _at(point, across, up)
    left = across(point.x.low if point.x.low is not None else across.low)
    right = across(point.x.high if point.x.high is not None else across.high)
    top = up(point.y.high if point.y.high is not None else up.high)
    bottom = up(point.y.low if point.y.low is not None else up.low)
    r = 14 if point.picked else 8
    return [Box(left, y - 3, right, y + 3), Box(x - 3, top, x + 3, bottom), Box(x - r, y - r, x + r, y + r)]
