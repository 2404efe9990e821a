"""Forest chart: intervals in rows, one lane a model, with the figures beside them."""

from evalkit.blocks import Forest, ForestRow, Mark
from evalkit.charts.labels import fit, text_width
from evalkit.charts.marks import ink_of, interval, x_axis
from evalkit.charts.scales import Scale, scale_of
from evalkit.charts.svg import Svg, fill, stroke, variant
from evalkit.wording import interval as interval_words
from evalkit.wording import value

_LANE = 17
_PADDING = 9


def draw(chart: Forest, width: int) -> str:
    """The chart at a width in px; on a narrow page the row's label stands above its lanes."""
    narrow = variant(width) == "narrow"
    figures = _figures_width(chart)
    left, right = (0 if narrow else 190), width - figures - 14
    above = 20 if narrow else 0
    heights = [_height(row, above) for row in chart.rows]
    bottom = sum(heights) + 4
    svg = Svg(width, bottom + (46 if chart.axis.label else 26), chart.finding)
    scale = scale_of(chart.axis, left + 8, right)
    if chart.axis.shade_below and chart.axis.reference is not None:
        svg.rect(scale.start, 2, scale(chart.axis.reference) - scale.start, bottom - 2, fill("tint"))
    x_axis(svg, chart.axis, scale, 2, bottom, count=4 if narrow else 6)
    top = 2.0
    for row, height in zip(chart.rows, heights, strict=True):
        _row(svg, chart, row, scale, top, above)
        top += height
        svg.line(0, top, width, top, stroke("line"))
    return svg.finish(variant(width))


def _figures_width(chart: Forest) -> float:
    texts = [_figures(mark, chart) for row in chart.rows for mark in row.marks]
    return max((text_width(text, 11.5) for text in texts), default=0.0)


def _figures(mark: Mark, chart: Forest) -> str:
    style = chart.axis.format
    if mark.estimate.value is None:
        return "no figure"
    if mark.estimate.low is None and mark.estimate.high is None:
        return f"{value(mark.estimate, style)}  no interval"
    words = interval_words(mark.estimate, style)
    return f"{value(mark.estimate, style)}  {words.replace(', no upper limit', ', open').replace(', no lower limit', ', open')}"


def _height(row: ForestRow, above: float) -> float:
    lanes = len(row.marks) * _LANE + 2 * _PADDING
    return max(lanes, 30 if above else 44 if row.note else 34) + above


def _row(svg: Svg, chart: Forest, row: ForestRow, scale: Scale, top: float, above: float) -> None:
    if above:
        svg.text(0, top + 19, fit(row.label, 13, svg.width * 0.6), "ink", size=13, bold=True)
        svg.text(svg.width, top + 19, row.note, anchor="end", size=11.5)
    else:
        middle = top + _height(row, 0) / 2 + (4 if not row.note else -3)
        svg.text(0, middle, fit(row.label, 13, 178), "ink", size=13, bold=True)
        svg.text(0, middle + 16, row.note, size=11.5)
    for lane, mark in enumerate(row.marks):
        y = top + above + _PADDING + _LANE * (lane + 0.5)
        interval(svg, mark.series, mark.estimate, scale, y, 4.2)
        svg.text(svg.width, y + 4, _figures(mark, chart), ink_of(mark.series), size=11.5, anchor="end")
