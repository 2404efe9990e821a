"""A model's shape alone, to stand before its name in running text."""

from evalkit.blocks import Series
from evalkit.charts.marks import shape
from evalkit.charts.svg import Svg


def legend_mark(series: Series) -> str:
    """The shape in a box of 12 px; the name beside it says the same to those who do not see it."""
    svg = Svg(12, 12, series.name)
    shape(svg, series, 6, 6.2, 4.6)
    return svg.finish("mark")
