"""A model's shape alone, to stand before its name in running text."""

from evalkit.chart_blocks import (
    Series,
)
from evalkit.charts.marks import shape
from evalkit.charts.svg import Svg


def legend_mark(series: Series) -> str:
    """The shape in a box of 12 px, hidden from screen readers: the name stands beside it."""
    svg = Svg(12, 12, "")
    shape(svg, series, 6, 6.2, 4.6)
    return svg.finish("mark", decoration=True, shrinks=False)
