"""Slices: where in the workload the models part, by difficulty, prompt size and tag."""

from collections.abc import Iterator
from math import comb, isclose

from evalkit.analysis.results import Analysis, Slice
from evalkit.analysis.sides import ALPHA, Shared, both, difference_p, standing
from evalkit.blocks import (
    Cell,
    Column,
    Row,
    Section,
    Table,
    table,
    words,
)
from evalkit.chart_blocks import (
    Axis,
    Forest,
    ForestRow,
    Mark,
    Series,
)
from evalkit.denominators import shown_counts
from evalkit.series import lineup
from evalkit.wording import allowed_for, plural

ORDER = 57
_MOST = 8


def build(analysis: Analysis) -> Section | None:
    """None for a run whose items have neither a difficulty nor tags."""
    series = lineup(analysis)
    slices = [s for s in analysis.slices if s.items and s.pass_rate]
    if not slices or not series:
        return None
    heading = _heading(analysis, slices)
    difficulty = [s for s in slices if s.kind == "difficulty"]
    context = [s for s in slices if s.kind == "context"]
    tags = sorted((s for s in slices if s.kind == "tag"), key=lambda s: (-s.items, s.name))
    charts = [_chart(analysis, part, series, heading) for part in (difficulty, context, tags[:_MOST]) if part]
    rest = f" {plural(len(tags) - _MOST, 'rarer tag')} not drawn." if len(tags) > _MOST else ""
    return Section(
        name="slices",
        label="Difficulty and tags",
        heading=heading,
        lede=words(
            "Pass rates on parts of the items. These are many comparisons on few items each: read them as hints where "
            f"to look, not as results.{rest}"
        ),
        blocks=(*charts, *_gaps([*difficulty, *context, *tags[:_MOST]], series)),
    )


def _gaps(slices: list[Slice], series: tuple[Series, ...]) -> Iterator[Table]:
    """Denominators where trials of a part lack an answer or a grade."""
    lacking = [
        (part, s, counts)
        for part in slices
        for s in series
        if (counts := part.counts.get(s.key)) is not None and counts.planned > counts.graded
    ]
    names = shown_counts(counts for _, _, counts in lacking)
    rows = [
        Row((Cell(words(s.name), part.name), *(Cell(words(f"{getattr(counts, name):,}")) for name in names)), s)
        for part, s, counts in lacking
    ]
    if rows:
        heads = map(str.capitalize, names)
        columns = (Column("Option and part"), *(Column(head, "end") for head in heads))
        told = "Trials of each part that lacks an answer or a grade"
        yield table(told, columns, rows, folded=told)


def _heading(analysis: Analysis, slices: list[Slice]) -> str:
    """The slice on which two models' intervals lie farthest apart, of those where they differ item by item, all pairs
    on all slices allowed for (Bonferroni)."""
    tests = sum(comb(len(part.pass_rate), 2) for part in slices)
    sides = standing(analysis).sides
    gaps = [
        (low.low - high.high, part.name, analysis.model(worse).name, analysis.model(best).name)
        for part in slices
        for best, low in part.pass_rate.items()
        for worse, high in part.pass_rate.items()
        if low.low is not None and high.high is not None and low.low > high.high
        if _differ(both(sides[worse], sides[best], part.item_ids), analysis.spec.seed, tests)
    ]
    if all(rate.value is None for part in slices for rate in part.pass_rate.values()):
        return "No part of the items is graded yet"
    if not gaps and len(analysis.models) == 1:
        return "How the parts of the items came out"
    if not gaps:
        return f"No part of the items is shown to set the models apart{allowed_for(tests)}"
    most, name, worse, best = max(gaps)
    alone = sum(isclose(gap[0], most) for gap in gaps) == 1
    return f"{worse} falls behind {best} {'most clearly' if alone else 'as clearly as anywhere'} on {name} items"


def _differ(sides: Shared, seed: int, tests: int) -> bool:
    p = difference_p(sides, seed)
    return p is not None and p * tests <= ALPHA


def _chart(analysis: Analysis, parts: list[Slice], series: tuple[Series, ...], finding: str) -> Forest:
    rows = tuple(
        ForestRow(
            part.name,
            tuple(Mark(s, part.pass_rate[s.key]) for s in series if s.key in part.pass_rate),
            plural(part.items, "item"),
        )
        for part in parts
    )
    axis = Axis("satisfactory outputs", "percent", 0.0, 1.0, reference=analysis.decision.bar, shade_below=True)
    return Forest(finding, axis, rows)
