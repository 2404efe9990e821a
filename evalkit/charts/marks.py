"""Marks: a shape per model that doubles its colour, and intervals whose open ends show."""

import math

from evalkit.chart_blocks import (
    Axis,
    Series,
)
from evalkit.charts.labels import fit, text_width
from evalkit.charts.scales import Scale, named_ticks, tick_name
from evalkit.charts.svg import INKS, Svg, course, fill, px, stroke
from evalkit.series import NEUTRAL, POLICY, SLOTS
from evalkit.stats import Estimate

Point = tuple[float, float]


def ink_of(series: Series) -> str:
    """The colour's name of a model."""
    return "ink" if series.slot < 0 else f"m{series.slot % SLOTS}"


def shape(svg: Svg, series: Series, x: float, y: float, r: float = 5.0, ink: str = "") -> None:
    """The model's shape at a point: circle, square, triangle, and three more; hollow from the seventh model on,
    with a dot inside from the thirteenth on.

    A policy is a hollow diamond. `ink` is another colour than the model's, for a shape that stands on that.
    """
    inside = ink_of(series) if ink else "paper"
    ink, hollow = ink or ink_of(series), series.slot >= SLOTS or series.slot == POLICY
    paint = stroke(ink, 2) if hollow else fill(ink)
    if hollow:
        paint = paint | {"fill": INKS[inside]}
    if series.slot == NEUTRAL.slot or (series.slot >= 0 and series.slot % SLOTS == 0):
        svg.add("circle", {"cx": px(x), "cy": px(y), "r": px(r)} | paint)
    else:
        corners = _corners(series.slot % SLOTS if series.slot >= 0 else POLICY, x, y, r)
        svg.add("path", {"d": f"{course(corners)}Z"} | paint)
    if hollow and series.slot >= 2 * SLOTS:
        svg.add("circle", {"cx": px(x), "cy": px(y), "r": px(r * 0.4)} | fill(ink))


def dashes(series: Series) -> dict[str, str]:
    """Attributes of a model's curve: dashed from the seventh model on, whose colours have been used before."""
    return {"stroke_dasharray": _DASHES[series.slot // SLOTS % len(_DASHES)]} if series.slot >= SLOTS else {}


_DASHES = ("", "7 4", "2 3")


def _corners(slot: int, x: float, y: float, r: float) -> list[Point]:
    if slot == 1:
        s = r * 0.92
        return [(x - s, y - s), (x + s, y - s), (x + s, y + s), (x - s, y + s)]
    if slot in (2, 3):
        up = -1 if slot == 2 else 1
        return [(x, y + up * r * 1.2), (x + r * 1.15, y - up * r * 0.85), (x - r * 1.15, y - up * r * 0.85)]
    if slot == POLICY:
        return [(x, y - r * 1.15), (x + r * 1.15, y), (x, y + r * 1.15), (x - r * 1.15, y)]
    if slot == 4:
        return [(x + r * 1.1 * math.cos(a), y + r * 1.1 * math.sin(a)) for a in _turns(6)]
    w = r * 0.42
    return [
        (x - w, y - r), (x + w, y - r), (x + w, y - w), (x + r, y - w), (x + r, y + w), (x + w, y + w),
        (x + w, y + r), (x - w, y + r), (x - w, y + w), (x - r, y + w), (x - r, y - w), (x - w, y - w),
    ]  # fmt: skip


def _turns(count: int) -> list[float]:
    return [2 * math.pi * i / count for i in range(count)]


def interval(svg: Svg, series: Series, estimate: Estimate, scale: Scale, y: float, r: float = 5.0) -> None:
    """A horizontal interval with the estimate on it; an end that is missing or beyond the axis is an arrow."""
    extent(svg, series, estimate, scale, y)
    dot(svg, series, estimate, scale, y, r)


def extent(svg: Svg, series: Series, estimate: Estimate, scale: Scale, y: float) -> None:
    """The interval alone."""
    if estimate.value is None and estimate.low is None:
        return
    ink = ink_of(series)
    if estimate.low is not None or estimate.high is not None:
        low = estimate.low if estimate.low is not None else scale.low
        high = estimate.high if estimate.high is not None else scale.high
        svg.line(scale(low), y, scale(high), y, stroke(ink, 2), stroke_linecap="round")
        if estimate.low is None or estimate.low < scale.low:
            _arrow(svg, ink, scale.start, y, -1)
        if estimate.high is None or estimate.high > scale.high:
            _arrow(svg, ink, scale.end, y, 1)


def dot(svg: Svg, series: Series, estimate: Estimate, scale: Scale, y: float, r: float = 5.0) -> None:
    """The estimate alone, where it lies on the axis."""
    if estimate.value is not None and scale.holds(estimate.value):
        shape(svg, series, scale(estimate.value), y, r)


def upright(svg: Svg, series: Series, estimate: Estimate, scale: Scale, x: float) -> None:
    """A vertical interval, without a mark."""
    if estimate.low is None and estimate.high is None:
        return
    low = estimate.low if estimate.low is not None else scale.low
    high = estimate.high if estimate.high is not None else scale.high
    svg.line(x, scale(low), x, scale(high), stroke(ink_of(series), 2), stroke_linecap="round")


def _arrow(svg: Svg, ink: str, x: float, y: float, way: int) -> None:
    svg.path([(x - way * 5, y - 4), (x, y), (x - way * 5, y + 4)], stroke(ink, 2), stroke_linejoin="round")


def x_axis(svg: Svg, axis: Axis, scale: Scale, top: float, bottom: float, *, count: int = 6, grid: bool = True) -> None:
    """Grid lines, tick names below, and the axis's name under them at the end."""
    named = named_ticks(axis, scale, count)
    for value, _ in named if grid else ():
        svg.line(scale(value), top, scale(value), bottom, stroke("line"))
    for value, name in named:
        svg.text(_inside(scale(value), name, svg.width), bottom + 18, name, anchor="middle")
    reference_line(svg, axis, scale, top, bottom)
    if axis.label:
        end = min(max(scale.end, text_width(axis.label, 12)), svg.width)
        svg.text(end, bottom + 38, fit(axis.label, 12, svg.width), anchor="end")


def _inside(x: float, name: str, width: float, *, bold: bool = False) -> float:
    half = text_width(name, 12, bold=bold) / 2
    return min(max(x, half), width - half)


def reference_line(svg: Svg, axis: Axis, scale: Scale, top: float, bottom: float) -> None:
    """The marked value of a horizontal axis: a dashed line with its value in bold at the foot."""
    if axis.reference is None or not scale.holds(axis.reference):
        return
    x = scale(axis.reference)
    svg.line(x, top, x, bottom, stroke("ink", 1.2), stroke_dasharray="3 3")
    name = axis.reference_label or tick_name(axis.reference, axis)
    svg.text(_inside(x, name, svg.width, bold=True), bottom + 18, name, "ink", anchor="middle", bold=True)
