"""The figures of a chart as a table: for readers without pictures, and for checking."""

from itertools import pairwise

from evalkit.blocks import (
    Cell,
    Column,
    Row,
    Table,
    table,
    words,
)
from evalkit.chart_blocks import (
    Bars,
    Chart,
    Ecdf,
    Forest,
    Frontier,
    Heatmap,
    Line,
    Lines,
    Shares,
    Steps,
)
from evalkit.wording import Format, doubt, number, percent, value


def table_of(chart: Chart) -> Table | None:
    """The chart's figures; None for an item map, whose items are all listed below it anyway."""
    figures: Table | None
    match chart:
        case Forest():
            figures = _forest(chart)
        case Frontier():
            figures = _frontier(chart)
        case Lines():
            figures = _lines(chart)
        case Ecdf():
            figures = _ecdf(chart)
        case Bars():
            figures = _bars(chart)
        case Shares():
            figures = _shares(chart)
        case Heatmap():
            figures = None
    return figures


def _forest(chart: Forest) -> Table:
    style, bar = chart.axis.format, chart.axis.reference
    rows = [
        Row(
            (
                Cell(words(row.label), row.note),
                Cell(words(mark.series.name)),
                Cell(words(value(mark.estimate, style, bar))),
                Cell(words(doubt(mark.estimate, style, bar))),
                Cell(words(f"{mark.estimate.n:,}")),
            ),
            mark.series,
        )
        for row in chart.rows
        for mark in row.marks
    ]
    heads = (Column(chart.axis.label), Column("Option"), Column("Estimate", "end"))
    return table("Figures of the chart", (*heads, Column("Interval", "end"), Column("n", "end")), rows)


def _frontier(chart: Frontier) -> Table:
    rows = [
        Row(
            (
                Cell(words(p.series.name)),
                *(
                    Cell(words(value(e, axis.format, axis.reference)), doubt(e, axis.format, axis.reference))
                    for e, axis in ((p.x, chart.x), (p.y, chart.y))
                ),
                Cell(words(f"{p.y.n:,}")),
            ),
            p.series,
        )
        for p in chart.points
    ]
    columns = (Column("Option"), Column(chart.x.label, "end"), Column(chart.y.label, "end"), Column("n", "end"))
    return table("Figures of the chart", columns, rows)


def _lines(chart: Lines) -> Table:
    """Every measured point; of a smooth curve where it crosses another and every tenth sampled point, which is enough
    to read it from."""
    if any(line.estimates for line in chart.lines):
        return _measured_lines(chart)
    columns = (Column(chart.x.label), *(Column(line.series.name, "end") for line in chart.lines))
    longest = max((line.points for line in chart.lines), key=len, default=())
    read = [(x, number(x, chart.x.format), "") for x, _ in longest[::10]]
    read += [(c.x, c.label, "two curves cross") for c in chart.crossings]
    rows = [
        Row((Cell(words(name), told), *(Cell(words(number(_at(line, x), chart.y.format))) for line in chart.lines)))
        for x, name, told in sorted(read)
    ]
    return table("Figures of the chart", columns, rows)


def _at(line: Line, x: float) -> float:
    """A curve's height at x, on the straight line between its points to either side."""
    for (x1, y1), (x2, y2) in pairwise(line.points):
        if x1 <= x <= x2:
            return y1 + (y2 - y1) * (x - x1) / (x2 - x1) if x2 > x1 else y1
    return line.points[-1][1]


def _measured_lines(chart: Lines) -> Table:
    columns = (Column(chart.x.label), *(Column(line.series.name, "end") for line in chart.lines))
    found = [dict(zip((x for x, _ in line.points), line.estimates, strict=True)) for line in chart.lines]
    style, bar = chart.y.format, chart.y.reference
    rows = [
        Row(
            (
                Cell(words(number(x, chart.x.format))),
                *(
                    Cell(words(value(by_x[x], style, bar)), doubt(by_x[x], style, bar))
                    if x in by_x
                    else Cell(words("none"))
                    for by_x in found
                ),
            )
        )
        for x in sorted({x for by_x in found for x in by_x})
    ]
    return table("Figures of the chart", columns, rows)


def _ecdf(chart: Ecdf) -> Table:
    shares = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
    heads = ("10%", "25%", "50%", "75%", "90%", "all")
    columns = (Column("Option"), *(Column(f"{head} within", "end") for head in heads), Column("n", "end"))
    rows = [
        Row(
            (
                Cell(words(steps.series.name)),
                *(Cell(words(_within(steps, share, chart.x.format))) for share in shares),
                Cell(
                    words(str(len(steps.values) + steps.given_up)),
                    f"{steps.given_up:,} given up" if steps.given_up else "",
                ),
            ),
            steps.series,
        )
        for steps in chart.steps
    ]
    return table("Figures of the chart", columns, rows)


def _within(steps: Steps, share: float, style: Format) -> str:
    """The time by which this share had arrived; open where it falls among what was given up."""
    total = len(steps.values) + steps.given_up
    place = min(max(round(share * total + 0.4999) - 1, 0), total - 1)
    if not steps.values:
        return number(None, style)
    return number(steps.values[place], style) if place < len(steps.values) else "open"


def _bars(chart: Bars) -> Table:
    heads = [part.label for part in chart.bars[0].parts] if chart.bars else []
    columns = (Column("Option"), *(Column(head.capitalize(), "end") for head in heads))
    rows = [
        Row((Cell(words(bar.series.name)), *(Cell(words(f"{part.count:,}")) for part in bar.parts)), bar.series)
        for bar in chart.bars
    ]
    return table("Figures of the chart", columns, rows)


def _shares(chart: Shares) -> Table:
    rows = [Row((Cell(words(s.name)), Cell(words(percent(share)))), s) for s, share in chart.shares]
    return table("Figures of the chart", (Column("Option"), Column(f"Share of {chart.unit}", "end")), rows)
