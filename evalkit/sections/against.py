"""Against the baseline: each model compared with its counterpart in an earlier run, on the same items."""

from collections.abc import Iterator, Mapping, Sequence

from evalkit.analysis.pair_results import Against
from evalkit.analysis.results import Analysis
from evalkit.analysis.sweep import MARGIN
from evalkit.blocks import (
    Cell,
    Column,
    Definitions,
    Note,
    Paragraph,
    Row,
    Section,
    Span,
    Text,
    code,
    strong,
    table,
    words,
)
from evalkit.chart_blocks import (
    Axis,
)
from evalkit.models import display_name
from evalkit.pairing import SINCE, Comparison, against_baseline, in_order
from evalkit.series import lineup
from evalkit.shown_items import NAMED, anchors
from evalkit.wording import doubt, estimated, interval, listing, p_value, plural, value

ORDER = 68
_TOLD = 3
"""Models whose change stands in the first sentences."""


def build(analysis: Analysis) -> Section | None:
    """None without a baseline run."""
    comparisons = against_baseline(analysis, lineup(analysis))
    if not comparisons:
        return None
    columns = (
        Column("Now, against then", brief=True),
        Column("Satisfactory", "end", brief=True),
        Column("Difference in points", axis=_axis(comparisons), brief=True),
        Column("Result", brief=True),
        Column("Only now satisfactory", "end"),
        Column("Only then", "end"),
        Column("p after Holm", "end"),
        Column("Cost ratio", "end", brief=True),
        Column("Latency ratio", "end", brief=True),
    )
    pairs = in_order(analysis, lineup(analysis))
    differs, warned = (analysis.baseline.differs, analysis.baseline.warnings) if analysis.baseline else ((), ())
    rows = [_row(analysis, c, pair) for c, pair in zip(comparisons, pairs, strict=True)]
    return Section(
        name="against",
        label="Against the baseline",
        heading=_heading(analysis, comparisons),
        lede=words(*_changes(analysis, comparisons, pairs)),
        blocks=(
            table("This run against the baseline", columns, rows),
            Paragraph(words(_how(comparisons))),
            *_baseline(analysis),
            *((Note("What else differs", tuple(words(line) for line in differs)),) if differs else ()),
            *((Note("Before you rely on this", tuple(words(line) for line in warned)),) if warned else ()),
            *_changed(analysis, pairs),
        ),
        summary=True,
    )


def _changes(analysis: Analysis, comparisons: list[Comparison], pairs: list[Against]) -> Iterator[Span | str]:
    """The first few models' rates now and then, and their difference, each with its interval."""
    for place, (c, pair) in enumerate(list(zip(comparisons, pairs, strict=True))[:_TOLD]):
        yield f"{' ' * (place > 0)}{_named(analysis, c)}: "
        yield strong(f"{value(pair.now, 'percent')} satisfactory")
        now, then = doubt(pair.now, "percent"), estimated(pair.then, "percent")
        yield f" ({now}), {then} then: {estimated(c.difference, 'points')} points on {plural(c.items, 'item')}."
    if len(comparisons) > _TOLD:
        yield f" {plural(len(comparisons) - _TOLD, 'more model')} below."


def _how(comparisons: list[Comparison]) -> str:
    return (
        "Each model of this run against the same model, or the one of the same tier, in the baseline run, on up to"
        f" {plural(max(c.items for c in comparisons), 'item')} that both have a verdict on. A difference counts as"
        " shown only if its interval excludes zero and Holm's adjustment over all rows agrees, no change only if it"
        f" lies within {MARGIN * 100:.0f} points to either side. Cost ratio: per satisfactory output, now over then;"
        " a cost is called more or less by the same rule."
        " Latency ratio: one attempt's time, now over then, over the items that both answered."
    )


def _baseline(analysis: Analysis) -> Iterator[Note]:
    """Which run the earlier one is, in a line; Method has its hashes in full."""
    if analysis.baseline is not None:
        run = analysis.baseline
        made = Span(f" of {run.created_at[:10]}", measured=True)
        yield Note(
            "The baseline run",
            ((Span("Baseline: run "), strong(run.name), made, Span(", spec "), code(run.sha256[:12]), Span(".")),),
        )


def _heading(analysis: Analysis, comparisons: list[Comparison]) -> str:
    mark = "SIMULATED baseline: " if analysis.baseline and analysis.baseline.simulated else ""
    return f"{mark}{_finding(analysis, comparisons)}"


def _finding(analysis: Analysis, comparisons: list[Comparison]) -> str:
    up, down = [c for c in comparisons if c.better], [c for c in comparisons if c.worse]
    if not up and not down:
        costs = _dearer_or_cheaper(analysis, comparisons)
        if all(c.level for c in comparisons):
            told = f"every difference lies within {MARGIN * 100:.0f} points{costs}"
            return f"No change in the pass rate since the baseline run: {told}"
        return f"Not enough data to tell a change in the pass rate since the baseline run{costs}"
    parts = [f"{listing([_named(analysis, c) for c in some])} {'is' if len(some) == 1 else 'are'} {how}"
             for some, how in ((down, "worse"), (up, "better")) if some]  # fmt: skip
    return f"{listing(parts)} than in the baseline run"


def _named(analysis: Analysis, c: Comparison) -> str:
    """A model, with the one of the earlier run that it is compared with where that is another."""
    name = analysis.model(c.first).name
    return name if c.first == c.second else f"{name} ({display_name(c.second, analysis.spec.models)} then)"


def _dearer_or_cheaper(analysis: Analysis, comparisons: list[Comparison]) -> str:
    """Whose cost is shown to have changed, however alike the rates are."""
    told = ""
    for how in ("more", "less"):
        names = [analysis.model(c.first).name for c in comparisons if (c.dearer if how == "more" else c.cheaper)]
        told += f"; {listing(names)} {'costs' if len(names) == 1 else 'cost'} {how}" if names else ""
    return told


def _row(analysis: Analysis, c: Comparison, pair: Against) -> Row:
    now, then = analysis.model(c.first).name, display_name(c.second, analysis.spec.models)
    series = next(s for s in lineup(analysis) if s.key == c.first)
    result = SINCE[c.change]
    beside = "the same model" if c.first == c.second else then
    rates = f"{doubt(pair.now, 'percent')}; then {value(pair.then, 'percent')}, {doubt(pair.then, 'percent')}"
    if c.difference.value is None:
        difference = Cell(words(value(c.difference, "points")), doubt(c.difference, "points"))
    else:
        difference = Cell((strong(value(c.difference, "points")),), interval(c.difference, "points"), c.difference)
    return Row(
        (
            Cell(words(now), f"against {beside}"),
            Cell(words(value(pair.now, "percent")), rates),
            difference,
            Cell(words(result)),
            Cell(words(_count(c.gain)), f"of {c.items:,}"),
            Cell(words(_count(c.loss)), f"of {c.items:,}"),
            Cell(words(p_value(c.p_holm)), f"p\N{NO-BREAK SPACE}{p_value(c.p_value)}"),
            Cell((strong(value(c.cost_ratio, "ratio")),), f"{doubt(c.cost_ratio, 'ratio')}{c.cost_undone}"),
            Cell((strong(value(pair.latency_ratio, "ratio")),), doubt(pair.latency_ratio, "ratio"), measured=True),
        ),
        series,
    )


def _changed(analysis: Analysis, pairs: list[Against]) -> Iterator[Definitions]:
    """The items on which each model did worse, then better, than its counterpart, each a click away."""
    places = anchors(analysis)
    for how in ("worse", "better"):
        named = [(analysis.model(p.b).name, p.regressed if how == "worse" else p.improved) for p in pairs]
        rows = [(f"{name}, {how} on {plural(len(ids), 'item')}", _linked(ids, places)) for name, ids in named if ids]
        if rows:
            yield Definitions(tuple(rows), brief=how == "worse")


def _linked(ids: Sequence[str], places: Mapping[str, str]) -> Text:
    links = [Span(id_, "code", link=places.get(id_, "")) for id_ in ids[:NAMED]]
    more = f" and {len(ids) - len(links):,} more" if len(ids) > len(links) else ""
    return words(*(part for link in links for part in (link, Span(" "))), more)


def _count(items: float) -> str:
    """Items, with a decimal only where epochs make them fractional."""
    return f"{items:.1f}".removesuffix(".0")


def _axis(comparisons: list[Comparison]) -> Axis:
    bounds = [x for c in comparisons for x in (c.difference.low, c.difference.high) if x is not None]
    low, high = min([*bounds, -0.05]), max([*bounds, 0.05])
    pad = (high - low) * 0.05
    return Axis("", "points", max(low - pad, -1.0), min(high + pad, 1.0), reference=0.0)
