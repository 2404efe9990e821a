"""Forest chart: intervals in rows, one lane a model, with the figures beside them."""

from evalkit.chart_blocks import (
    Forest,
    ForestRow,
    Mark,
    Series,
)
from evalkit.charts import legend
from evalkit.charts.labels import fit, text_width
from evalkit.charts.marks import dot, extent, ink_of, x_axis
from evalkit.charts.scales import Scale, scale_of
from evalkit.charts.short_names import short_names
from evalkit.charts.svg import PRINTED, Svg, fill, stroke, variant
from evalkit.wording import interval as interval_words
from evalkit.wording import value

_LANE, _PADDING, _LABELS = 15.5, 7, 216.0


def _small(narrow: bool) -> float:
    """Size of the figures, px: paper takes the wide drawing at three quarters, where less could not be read."""
    return 11.5 if narrow else 12.5


def draw(chart: Forest, width: int) -> str:
    """The chart at a width in px; on a narrow page the row's label stands above its lanes."""
    narrow = variant(width) == "narrow"
    series = _series(chart)
    left = 0.0 if narrow else _LABELS
    top = legend.height(series, width - left - 8) if len(series) > 1 else 2.0
    values, intervals = _widths(chart, _small(narrow) if narrow else PRINTED)
    right = width - values - intervals - 26
    above = 20 if narrow else 0
    heights = [_height(row, above) for row in chart.rows]
    bottom = top + sum(heights)
    svg = Svg(width, bottom + (46 if chart.axis.label else 26), chart.finding)
    if len(series) > 1:
        legend.draw(svg, series, left + 8)
    scale = scale_of(chart.axis, left + 8, right)
    if chart.axis.shade_below and chart.axis.reference is not None:
        svg.rect(scale.start, top, scale(chart.axis.reference) - scale.start, bottom - top, fill("tint"))
    x_axis(svg, chart.axis, scale, top, bottom, count=4 if narrow else 6)
    tops = [top + sum(heights[:place]) for place in range(len(heights) + 1)]
    for y in tops:
        svg.line(0, y, width, y, stroke("line"))
    room = width * 0.6 if narrow else _LABELS - 10
    labels = short_names([row.label for row in chart.rows], 13, room, bold=True)
    _labels(svg, [(row, labels[row.label], y) for row, y in zip(chart.rows, tops, strict=False)], above)
    lanes = [
        (mark, y + above + _PADDING + _LANE * (lane + 0.5))
        for row, y in zip(chart.rows, tops, strict=False)
        for lane, mark in enumerate(row.marks)
    ]
    _marks(svg, chart, series, lanes, scale, intervals)
    return svg.finish(variant(width))


def _series(chart: Forest) -> list[Series]:
    return list(dict.fromkeys(mark.series for row in chart.rows for mark in row.marks))


def _figures(mark: Mark, chart: Forest) -> tuple[str, str]:
    """The value and its interval, each for a column of its own."""
    estimate, style = mark.estimate, chart.axis.format
    if estimate.value is None:
        return "none", f"n = {estimate.n:,}"
    if estimate.low is None and estimate.high is None:
        return value(estimate, style), f"n = {estimate.n:,}"
    words = interval_words(estimate, style).replace(", no upper limit", ", open").replace(", no lower limit", ", open")
    return value(estimate, style), words


def _widths(chart: Forest, size: float) -> tuple[float, float]:
    figures = [_figures(mark, chart) for row in chart.rows for mark in row.marks]
    first = max((text_width(value_, size, bold=True) for value_, _ in figures), default=0.0)
    return first + 6, max((text_width(words, size) for _, words in figures), default=0.0)


def _height(row: ForestRow, above: float) -> float:
    lanes = len(row.marks) * _LANE + 2 * _PADDING
    return max(lanes, 30 if above else 44 if row.note else 34) + above


def _marks(
    svg: Svg, chart: Forest, series: list[Series], lanes: list[tuple[Mark, float]], scale: Scale, intervals: float
) -> None:
    """The marks with their figures, each at its height: a model's together, which takes least room on a page."""
    size = _small(variant(int(svg.width)) == "narrow")
    for model in series:
        own = [(mark, y) for mark, y in lanes if mark.series == model]
        for mark, y in own:
            extent(svg, model, mark.estimate, scale, y)
        for mark, y in own:
            dot(svg, model, mark.estimate, scale, y, 4.2)
        for mark, y in own:
            x, figure = svg.width - intervals - 8, _figures(mark, chart)[0]
            svg.text(x, y + 4, figure, ink_of(model), size=size, anchor="end", bold=True)
    for mark, y in lanes:
        svg.text(svg.width - intervals, y + 4, _figures(mark, chart)[1], size=size)


def _labels(svg: Svg, rows: list[tuple[ForestRow, str, float]], above: float) -> None:
    """What each row is, with its note: above its lanes on a narrow page, else beside them."""
    middles = [top + 19 if above else top + _height(row, 0) / 2 + (4 if not row.note else -3) for row, _, top in rows]
    for (_, label, _), y in zip(rows, middles, strict=True):
        svg.text(0, y, label, "ink", size=13, bold=True)
    size = _small(bool(above))
    for (row, label, _), y in zip(rows, middles, strict=True):
        if above:
            room = svg.width - text_width(label, 13, bold=True) - 12
            svg.text(svg.width, y, fit(row.note, size, room), anchor="end", size=size)
        else:
            svg.text(0, y + 16, fit(row.note, size, _LABELS - 4), size=size)
