"""Stacked bars: what became of every planned trial, model by model."""

from evalkit.chart_blocks import (
    Bar,
    Bars,
    Part,
)
from evalkit.charts.labels import text_width
from evalkit.charts.marks import ink_of
from evalkit.charts.scales import Scale
from evalkit.charts.short_names import short_names
from evalkit.charts.svg import INKS, PRINTED, Svg, fill, stroke, variant

_HEIGHT = 26


def draw(chart: Bars, width: int) -> str:
    """The chart at a width in px; counts stand in the parts that have room for them, all of them in the table."""
    narrow = variant(width) == "narrow"
    left, above = (0, 22) if narrow else (190, 0)
    step = _HEIGHT + above + 14
    most = max((sum(part.count for part in bar.parts) for bar in chart.bars), default=0)
    svg = Svg(width, step * len(chart.bars) + (52 if narrow else 30), chart.finding)
    scale = Scale(0, max(most, 1), left, width)
    room = width if narrow else left - 12
    names = short_names([bar.series.name for bar in chart.bars], 13, room, bold=True)
    for i, bar in enumerate(chart.bars):
        y = i * step + above
        svg.text(0, y - 6 if narrow else y + 18, names[bar.series.name], ink_of(bar.series), size=13, bold=True)
        _parts(svg, bar, scale, y)
    _legend(svg, chart, left, step * len(chart.bars) + 14)
    return svg.finish(variant(width))


def _parts(svg: Svg, bar: Bar, scale: Scale, y: float) -> None:
    start = 0
    for part in bar.parts:
        if not part.count:
            continue
        x1, x2 = scale(start), scale(start + part.count)
        start += part.count
        svg.open("g", {})
        svg.add("title", {}, f"{part.label}: {part.count:,}")
        svg.rect(x1 + 0.75, y, x2 - x1 - 1.5, _HEIGHT, _paint(part, ink_of(bar.series)), rx="2")
        if text_width(f"{part.count:,}", 12, bold=True) + 3 < x2 - x1:
            ink = "paper" if part.kind in ("satisfactory", "failed") else "ink"
            svg.text((x1 + x2) / 2, y + 17, f"{part.count:,}", ink, anchor="middle", bold=True)
        svg.close("g")


def _paint(part: Part, ink: str) -> dict[str, str]:
    if part.kind == "satisfactory":
        return fill(ink)
    if part.kind == "failed":
        return fill("fail")
    if part.kind == "unsatisfactory":
        return {"class": "faint", "fill": INKS[ink], "fill-opacity": "0.3"}
    dash = {"stroke-dasharray": "3 2"} if part.kind == "pending" else {}
    return stroke("dim", 1) | {"fill": INKS["paper"]} | dash


_NAMES = {
    "satisfactory": "satisfactory",
    "unsatisfactory": "not satisfactory",
    "failed": "refused, truncated or errored",
    "ungraded": "ungraded",
    "pending": "no outcome yet",
}


def _legend(svg: Svg, chart: Bars, left: float, y: float) -> None:
    x = left
    kinds = {part.kind: part for bar in chart.bars for part in bar.parts if part.count}
    for kind, name in _NAMES.items():
        if kind not in kinds:
            continue
        width = text_width(name, 11.5 if variant(int(svg.width)) == "narrow" else PRINTED) + 30
        if x > left and x + width > svg.width + 12:
            x, y = left, y + 20
        svg.rect(x, y - 10, 12, 12, _paint(kinds[kind], "ink"), rx="2")
        svg.text(x + 18, y, name, size=11.5)
        x += width
