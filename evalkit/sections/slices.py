"""Slices: where in the workload the models part, by difficulty, prompt size and tag."""

from collections.abc import Iterator
from itertools import permutations
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
    heading, named = _heading(analysis, slices)
    difficulty = [s for s in slices if s.kind == "difficulty"]
    context = [s for s in slices if s.kind == "context"]
    tags = sorted((s for s in slices if s.kind == "tag"), key=lambda s: (-s.items, s.name))
    drawn = [*tags[: _MOST - 1], *([named] if named in tags[_MOST:] else tags[_MOST - 1 : _MOST])]
    charts = [_chart(analysis, part, series, heading) for part in (difficulty, context, drawn) if part]
    rest = f" {plural(len(tags) - _MOST, 'tag')} not drawn." if len(tags) > _MOST else ""
    return Section(
        name="slices",
        label="Difficulty and tags",
        heading=heading,
        lede=words(
            "Pass rates on parts of the items. These are many comparisons on few items each: read them as hints where "
            f"to look, not as results.{rest}"
        ),
        blocks=(*charts, *_gaps([*difficulty, *context, *drawn], series)),
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


def _heading(analysis: Analysis, slices: list[Slice]) -> tuple[str, Slice | None]:
    """What the parts show, and the one on which two models differ most clearly item by item, all pairs on all parts
    allowed for (Bonferroni); None where none do."""
    tests = sum(comb(len(part.pass_rate), 2) for part in slices)
    sides = standing(analysis).sides
    gaps = [
        (p, part.name, analysis.model(worse).name, analysis.model(best).name, place)
        for place, part in enumerate(slices)
        for worse, best in permutations(part.pass_rate, 2)
        if (p := _behind_p(both(sides[worse], sides[best], part.item_ids), analysis.spec.seed)) * tests <= ALPHA
    ]
    if all(rate.value is None for part in slices for rate in part.pass_rate.values()):
        return "No part of the items is graded yet", None
    if not gaps and len(analysis.models) == 1:
        return "How the parts of the items came out", None
    if not gaps:
        return f"No part of the items is shown to set the models apart{allowed_for(tests)}", None
    least, name, worse, best, place = min(gaps)
    alone = sum(isclose(gap[0], least) for gap in gaps) == 1
    how = "most clearly" if alone else "as clearly as anywhere"
    return f"{worse} falls behind {best} {how} on {name} items", slices[place]


def _behind_p(sides: Shared, seed: int) -> float:
    """Two-sided p that the first model is no worse than the second on the items of both, whatever becomes of open
    trials; 1 where it is not."""
    seen = [one for one in (sides, sides.at_worst, sides.at_best) if one is not None]
    behind = all(sum(one.candidate) < sum(one.baseline) for one in seen)
    return max(difference_p(one, seed) or 0.0 for one in seen) if behind else 1.0


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
