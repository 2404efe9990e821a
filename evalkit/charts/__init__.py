"""Charts as inline SVG: each chart block drawn for a wide and a narrow page."""

from evalkit.blocks import Bars, Chart, Ecdf, Forest, Frontier, Heatmap, Lines, Shares
from evalkit.charts import bars, ecdf, forest, frontier, heatmap, lines, shares

WIDE, NARROW = 920, 358
"""Widths in px: one scaled-down drawing would have unreadable text on a phone."""


def draw(chart: Chart, width: int) -> str:
    """The chart as an SVG element of this width in px."""
    match chart:
        case Forest():
            return forest.draw(chart, width)
        case Frontier():
            return frontier.draw(chart, width)
        case Lines():
            return lines.draw(chart, width)
        case Ecdf():
            return ecdf.draw(chart, width)
        case Bars():
            return bars.draw(chart, width)
        case Shares():
            return shares.draw(chart, width)
        case Heatmap():
            return heatmap.draw(chart, width)
