"""Price of a failure: which model is the cheapest once people put right what it got wrong."""

import math
from itertools import combinations, pairwise

from evalkit.analysis.results import Analysis
from evalkit.blocks import (
    Cell,
    Column,
    Row,
    Section,
    Table,
    Text,
    strong,
    table,
    words,
)
from evalkit.chart_blocks import (
    Axis,
    Crossing,
    Line,
    Lines,
    Series,
    Stretch,
)
from evalkit.frozen import dataclass
from evalkit.pairing import MANY_PAIRS, Comparison, all_pairs, compare, corrected
from evalkit.series import lineup
from evalkit.wording import doubt, in_cents, listing, money, plural, value

ORDER = 40
OF_WORKLOAD = True
_SAMPLES = 60


_ROUNDING_USD = 1e-12


@dataclass(frozen=True)
class _Cost:
    """A model's expected cost of a request: `request_usd` plus `miss` (share not satisfactory) times H."""

    series: Series
    request_usd: float
    miss: float

    def at(self, correction_usd: float) -> float:
        return self.request_usd + self.miss * correction_usd


def build(analysis: Analysis) -> Section | None:
    """None unless two options have both a cost and a pass rate."""
    costs = [c for s in lineup(analysis) if (c := _cost(analysis, s)) is not None]
    if len(costs) < 2:
        return None
    heading = _heading(analysis, costs)
    return Section(
        name="price-of-a-failure",
        label="Price of a failure",
        heading=heading,
        lede=_lede(analysis, costs),
        blocks=(
            *((_chart(analysis, costs, heading),) if any(c.at(1.0) > 0 for c in costs) else ()),  # a log scale has no 0
            *_tables(analysis, costs),
        ),
    )


def _cost(analysis: Analysis, series: Series) -> _Cost | None:
    """By the total at the stated correction, which is of the graded trials, as the break-evens are."""
    model = analysis.model(series.key)
    if model.human_fix.value is None or model.pass_rate.value is None:
        return None
    miss = 1 - model.pass_rate.value
    return _Cost(series, model.human_fix.value - miss * analysis.correction_usd, miss)


def _heading(analysis: Analysis, costs: list[_Cost]) -> str:
    own = analysis.correction_usd
    best = min(costs, key=lambda c: c.at(own))
    level = [c for c in costs if math.isclose(c.at(own), best.at(own), rel_tol=1e-9)]
    some = " priced and graded" if len(costs) < len(lineup(analysis)) else ""  # the others may cost less
    if len(level) == len(costs):
        return f"At {money(own)} a correction, all{some} models cost the same in total"
    rivals = [compare(analysis, best.series.key, c.series.key) for c in costs if c not in level]
    shown = all(c is not None and c.saves for c in rivals)
    names, alone = listing([c.series.name for c in level]), len(level) == 1
    what = f"the least costly{some} model{'' if alone else 's'} in total"
    sure = f"{'is' if alone else 'are'} {what}" if shown else f"look{'s' * alone} {what}, but the data leave it open"
    return f"At {money(own)} a correction, {names} {sure}"


def _lede(analysis: Analysis, costs: list[_Cost]) -> Text:
    review = f" + {money(analysis.review_usd)} review" if analysis.review_usd else ""
    return words(
        f"Expected total of one request = its price{review} + share not satisfactory × what it costs to put one right. "
        f"What it costs here is {money(analysis.correction_usd)} ({analysis.correction.source}). A filled dot is a "
        f"break-even that the data show, a hollow one rests on the estimates alone.{_apart(analysis, costs)}"
    )


def _apart(analysis: Analysis, costs: list[_Cost]) -> str:
    """That curves and break-evens rest on other items, where they do: not all are graded for both models of a pair."""
    most = max(analysis.model(c.series.key).items for c in costs)
    shared = sorted({pair.items for pair in _pairs(analysis, costs) if pair.items < most})
    if not shared:
        return ""
    few = f"{shared[0]:,}" if len(shared) == 1 else f"{shared[0]:,} to {shared[-1]:,}"
    return (
        f" The curves are of all that is graded of each model, up to {plural(most, 'item')}; the break-even points and"
        f" savings below compare two models on the items graded for both, {few}, so that they may lie elsewhere; where"
        " they do, none is marked."
    )


def _cross(a: _Cost, b: _Cost) -> float | None:
    """The correction cost at which two options cost the same; None if one is never overtaken."""
    if math.isclose(a.miss, b.miss) or math.isclose(a.request_usd, b.request_usd, abs_tol=_ROUNDING_USD):
        return None
    point = (b.request_usd - a.request_usd) / (a.miss - b.miss)
    return point if point > 0 else None


def _span(costs: list[_Cost], correction_usd: float) -> tuple[float, float, list[float]]:
    """The ends of the chart's axis, around what one pays and where another model becomes the least costly; and all
    break-even points."""
    points = [x for a, b in combinations(costs, 2) if (x := _cross(a, b)) is not None]
    whole = _stretches(costs, min(points) / 2, max(points) * 2, points) if points else ()
    known = [stretch.low for stretch in whole[1:]] + [correction_usd] * (correction_usd > 0)
    return 10.0 ** math.floor(math.log10(min(known, default=0.1) / 3)), max(known, default=1.0) * 4, points


def _lowest(costs: list[_Cost], correction_usd: float) -> tuple[Stretch, ...]:
    low, high, points = _span(costs, correction_usd)
    return _stretches(costs, low, high, points)


def _chart(analysis: Analysis, costs: list[_Cost], finding: str) -> Lines:
    low, high, points = _span(costs, analysis.correction_usd)
    xs = [low * (high / low) ** (i / _SAMPLES) for i in range(_SAMPLES + 1)]
    totals = [c.at(x) for c in costs for x in (low, high)]
    stretches = _stretches(costs, low, high, points)
    own = analysis.correction_usd if low <= analysis.correction_usd <= high else None
    whose = "yours" if analysis.correction.source != "the default" else "default"
    label = f"{whose} {money(own)}" if own is not None else ""
    return Lines(
        finding,
        Axis("what it costs to put one output right, log scale", "money", low, high, True, own, label),
        Axis(
            "expected total cost of a request, log scale",
            "money",
            max(min(totals) / 1.5, 1e-6),
            max(totals) * 1.4,
            True,
        ),
        tuple(Line(c.series, tuple((x, c.at(x)) for x in xs)) for c in costs),
        *((stretches, _crossings(analysis, costs, stretches)) if _as_paired(analysis, stretches) else ((), ())),
    )


def _stretches(costs: list[_Cost], low: float, high: float, points: list[float]) -> tuple[Stretch, ...]:
    """Who is lowest where: the winner between neighbouring break-even points, equal neighbours joined.

    None where all cost the same everywhere.
    """
    if all(math.isclose(c.at(x), costs[0].at(x), rel_tol=1e-9) for c in costs for x in (low, high)):
        return ()
    edges = [low, *sorted(x for x in points if low < x < high), high]
    found: list[Stretch] = []
    for left, right in pairwise(edges):
        winner = min(costs, key=lambda c: c.at(math.sqrt(left * right))).series
        if found and found[-1].series == winner:
            found[-1] = Stretch(winner, found[-1].low, right)
        else:
            found.append(Stretch(winner, left, right))
    return tuple(found)


def _crossings(analysis: Analysis, costs: list[_Cost], stretches: tuple[Stretch, ...]) -> tuple[Crossing, ...]:
    by_key = {c.series.key: c for c in costs}
    cents = in_cents([c.break_even for c in _pairs(analysis, costs)])
    crossings = []
    for left, right in pairwise(stretches):
        pair = compare(analysis, right.series.key, left.series.key)
        shown = pair is not None and pair.overtaken
        label = money(right.low, cents=cents)
        crossings.append(Crossing(right.low, by_key[right.series.key].at(right.low), label, shown))
    return tuple(crossings)


def _as_paired(analysis: Analysis, stretches: tuple[Stretch, ...]) -> bool:
    """Whether the curves, each of its own model's graded items, cross where the items of both have them cross."""
    for left, right in pairwise(stretches):
        pair = compare(analysis, right.series.key, left.series.key)
        most = max(analysis.model(side.series.key).items for side in (left, right))
        if pair is None or pair.items == most:
            continue
        point = pair.break_even.value
        if point is None or not math.isclose(point, right.low, rel_tol=0.01):
            return False
    return True


def _pairs(analysis: Analysis, costs: list[_Cost]) -> list[Comparison]:
    keys = {c.series.key for c in costs}
    return [c for c in all_pairs(analysis, lineup(analysis)) if c.first in keys and c.second in keys]


def _tables(analysis: Analysis, costs: list[_Cost]) -> tuple[Table, ...]:
    """Every pair; of many, those with the least costly model and those whose curves cross in the chart, the others
    folded."""
    pairs = _pairs(analysis, costs)
    columns = (
        Column("Comparison"),
        Column("Extra price of a request", "end"),
        Column("Break-even correction cost", "end"),
        Column(f"Saving per request at {money(analysis.correction_usd)}", "end"),
    )
    units = (
        in_cents([c.break_even for c in pairs]),
        in_cents([c.saving for c in pairs]),
        in_cents([c.extra_cost for c in pairs]),
    )
    rows = [_row(analysis, pair, units) for pair in pairs]
    if len(pairs) <= MANY_PAIRS:
        return (table("Break-even points", columns, rows),)
    own = analysis.correction_usd
    best = min(costs, key=lambda c: c.at(own)).series
    crossing = {frozenset((a.series.key, b.series.key)) for a, b in pairwise(_lowest(costs, own))}
    first = [
        row
        for row, pair in zip(rows, pairs, strict=True)
        if best.key in (pair.first, pair.second) or frozenset((pair.first, pair.second)) in crossing
    ]
    return (
        table(f"Break-even points of {best.name}, and of the chart", columns, first),
        table("Break-even points", columns, rows, folded=f"Break-even points of all {len(pairs)} pairs"),
    )


def _row(analysis: Analysis, pair: Comparison, units: tuple[bool, bool, bool]) -> Row:
    """`units`: whether cents serve all break-even points, savings and extra prices, so that a column has one unit."""
    first, second = analysis.model(pair.first), analysis.model(pair.second)
    point, saved, extra = pair.break_even, pair.saving, pair.extra_cost
    limits = doubt(point, "money", cents=units[0])
    shown = "shown" if pair.overtaken else f"not shown by the data{corrected(analysis, pair)}"
    return Row(
        (
            Cell(words(first.name), f"instead of {second.name}"),
            Cell(words(value(extra, "money", cents=units[2])), doubt(extra, "money", cents=units[2])),
            Cell(
                (strong(value(point, "money", cents=units[0])),),
                f"{limits}; {shown}" if point.value or pair.corrected_away else limits,
            ),
            Cell((strong(value(saved, "money", cents=units[1])),), doubt(saved, "money", cents=units[1])),
        )
    )
