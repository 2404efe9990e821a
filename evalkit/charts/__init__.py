"""Charts as inline SVG: each chart block drawn for a wide and a narrow page."""

from evalkit.chart_blocks import (
    Bars,
    Chart,
    Ecdf,
    Forest,
    Frontier,
    Heatmap,
    Lines,
    Shares,
)
from evalkit.charts import bars, ecdf, forest, frontier, heatmap, lines, shares

WIDE, NARROW = 920, 358
"""Widths in px: one scaled-down drawing would have unreadable text on a phone."""


def draw(chart: Chart, width: int) -> str:
    """The chart as an SVG element of this width in px."""
    match chart:
        case Forest():
            drawing = forest.draw(chart, width)
        case Frontier():
            drawing = frontier.draw(chart, width)
        case Lines():
            drawing = lines.draw(chart, width)
        case Ecdf():
            drawing = ecdf.draw(chart, width)
        case Bars():
            drawing = bars.draw(chart, width)
        case Shares():
            drawing = shares.draw(chart, width)
        case Heatmap():
            drawing = heatmap.draw(chart, width)
    return drawing
