"""Shares: parts of one whole as bars, one option a row, each with its figure."""

from evalkit.chart_blocks import (
    Series,
    Shares,
)
from evalkit.charts.labels import fit, text_width
from evalkit.charts.marks import ink_of
from evalkit.charts.scales import Scale
from evalkit.charts.short_names import short_names
from evalkit.charts.svg import Svg, fill, variant
from evalkit.wording import percent

_BAR, _STEP, _SIZE = 18, 32, 13


def draw(chart: Shares, width: int) -> str:
    """The chart at a width in px; a bar as long as the track is the whole."""
    narrow = variant(width) == "narrow"
    left, above = (0.0, 22) if narrow else (190.0, 0)
    svg = Svg(width, (_STEP + above) * len(chart.shares) + 24, chart.finding)
    scale = Scale(0.0, 1.0, left, width - text_width(">99%", _SIZE, bold=True) - 12)
    names = short_names([s.name for s, _ in chart.shares], _SIZE, width if narrow else left - 12, bold=True)
    for i, (series, share) in enumerate(chart.shares):
        y = i * (_STEP + above) + above
        svg.text(0, y - 6 if narrow else y + 14, names[series.name], ink_of(series), size=_SIZE, bold=True)
        _bar(svg, series, share, scale, y)
    svg.text(left, (_STEP + above) * len(chart.shares) + 12, fit(chart.unit, 12, width - left))
    return svg.finish(variant(width))


def _bar(svg: Svg, series: Series, share: float, scale: Scale, y: float) -> None:
    ink, x = ink_of(series), scale(share)
    svg.rect(scale.start, y, scale.end - scale.start, _BAR, fill("tint"), rx="2")
    svg.rect(scale.start, y, x - scale.start, _BAR, fill(ink), rx="2")
    svg.text(x + 8, y + 14, percent(share), "ink", size=_SIZE, bold=True)
