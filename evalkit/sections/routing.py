"""Routing: what each policy would cost, how good and how slow it would be, and whether it pays to route at all."""

from collections.abc import Iterator, Sequence
from math import isclose

from evalkit.analysis.results import Analysis
from evalkit.analysis.routing import Claim, PolicyValue, Routing
from evalkit.analysis.sweep import HARDLY_WORSE
from evalkit.blocks import Block, Cell, Column, Note, Paragraph, Row, Section, Table, strong, table, words
from evalkit.chart_blocks import Axis, Series
from evalkit.pairing import compare, reserve
from evalkit.routing.decide import NOTABLE
from evalkit.series import lineup, policy
from evalkit.stats import Estimate
from evalkit.wording import (
    UNKNOWN,
    Format,
    estimated,
    in_cents,
    interval,
    listing,
    money,
    percent,
    plural,
    points,
    sentence,
    stated,
    value,
)
from evalkit.wording import doubt as doubt_of

ORDER = 45
OF_WORKLOAD = True
_VERDICTS = {"route": "Route", "keep": "Keep one model", "not_enough_data": "Routing is not settled"}
_LEADING = 6
"""Policies that a reader sees first; all of them are one line further down."""
_MOST_SAID = 1200
"""Characters in which policies without a value are named; of many models there is more to say, and a table folds it."""
_KINDS = ("single", "router", "mixture", "oracle")
_ROUNDING = 1e-9
"""Up to here a difference of shares is none."""
_ONE_LOT = "\N{NO-BREAK SPACE}·\N{NO-BREAK SPACE}"
_STATES = {"shown": f"{HARDLY_WORSE}, shown", "no shown loss": "a loss neither shown nor excluded", "loss": "worse"}
_COUNTED = {True: ("holds", "hold"), False: ("does not", "do not"), None: ("open", "open")}
"""How claims are counted: one, and others."""
_HOLDS = {True: "holds", False: "does not hold", None: "open"}
_NOTABLY = f"{NOTABLE:.0%} cheaper in total"


def build(analysis: Analysis) -> Section | None:
    """None where policies were not valued, or where none satisfies anything."""
    routing = analysis.routing
    if routing is None or not any(each.pass_rate.value for each in routing.values):
        return None
    return Section(
        name="routing",
        label="Routing",
        heading=heading(analysis, routing),
        lede=words(
            "A policy says which model answers which request. All are valued on the same items, from outputs that are"
            " graded already: nothing was sent again. What a policy is tuned to was set on other items than those it is"
            " valued on, and no policy sees a grade. An unsatisfactory answer is taken to cost"
            f" {money(routing.failure_usd)} ({routing.failure_source})."
        ),
        blocks=tuple(_blocks(analysis, routing)),
        summary=routing.decision.compared > 0,
    )


def heading(analysis: Analysis, routing: Routing) -> str:
    """The decision as a finding; with the price it is for where it is held against another model than the verdict's."""
    decision, single = routing.decision, routing.value_of(routing.decision.single).phrase
    at = f"At {money(routing.failure_usd)} a failure no" if _other_pick(analysis, routing) else "No"
    if decision.verdict == "route":
        won = routing.value_of(decision.policy)
        return f"{won.opening} saves {estimated(won.gain_usd, 'money')} a request in total over {single}{reserve(won)}"
    if decision.short_of_bar:
        what = "clears" if decision.verdict == "keep" else "is shown both to be cheaper and to clear"
        return f"{at} router that may be {_NOTABLY} than {single} {what} {stated(analysis.decision.bar)}"
    if not decision.compared:
        return "No router could be tried on these items"
    if decision.verdict == "keep":
        return f"{at} router is {_NOTABLY} than {single}"
    cheaper = _NOTABLY if any(each.shown for each in routing.values) else "cheaper in total"
    return f"{at} router is shown to be {cheaper} than {single} on {plural(routing.items, 'item')}"


def _other_pick(analysis: Analysis, routing: Routing) -> bool:
    """Whether the verdict names another model than the one with the lowest total, or none."""
    return routing.decision.single != f"always-{analysis.decision.option}"


def _blocks(analysis: Analysis, routing: Routing) -> Iterator[Block]:
    decision = routing.decision
    settles = f" To settle it: {decision.settles}." if decision.settles else ""
    yield Paragraph(
        words(
            strong(f"{_VERDICTS[decision.verdict]}."),
            f" {sentence(decision.reason)}{settles} {_kept(analysis, routing)}",
        )
    )
    if decision.compared:
        yield _policies(analysis, routing, _leading(routing))
        yield Paragraph(words(_reading(routing)))
    yield _all(analysis, routing)
    if routing.verifiers:
        yield _checks(routing)
    if routing.claims:
        yield _claims(routing.claims)
    if routing.parts:
        shown, n = sum(each.state == "shown" for each in routing.parts), len(routing.parts)
        told = f"{shown or 'none'} of {n} {'are' if shown > 1 else 'is'} shown to be {HARDLY_WORSE}"
        yield Paragraph(words(f"Parts of the items that a cheaper model might take over: {told}."))
        yield _parts(analysis, routing)
    if left := " ".join(_left_out(routing)):
        yield Paragraph(words(left))
    if len(_unvalued(routing)) > _MOST_SAID:
        yield _not_valued(routing)
    if routing.warnings:
        yield Note("Before you route", tuple(words(text) for text in routing.warnings))


def _kept(analysis: Analysis, routing: Routing) -> str:
    """What to do meanwhile, which is what the verdict says; and why this section's rule would have it otherwise."""
    decision, single = routing.decision, routing.value_of(routing.decision.single).phrase
    told = ""
    if decision.verdict == "route" and routing.value_of(decision.policy).told:
        told = f"It sends {routing.value_of(decision.policy).told}. "
    if not _other_pick(analysis, routing):
        return f"Until then, use {single}." if decision.verdict == "not_enough_data" else told
    pick, total = analysis.decision.option, f"the total with failures at {money(routing.failure_usd)}"
    best = decision.single.removeprefix("always-")
    if pick is None:
        single_ones = [each for each in routing.values if each.kind == "single"]
        lowest = routing.value_of(decision.single).expected_usd.value or 0.0
        level = [each for each in single_ones if isclose(each.expected_usd.value or 0.0, lowest)]
        names = listing([analysis.model(each.name.removeprefix("always-")).name for each in level])
        least = "the same for all" if len(level) == len(single_ones) else f"lowest for {names} by the estimates"
        return f"{told}The verdict names no model; this section goes by {total}, which is {least}."
    name, pair = analysis.model(pick).name, compare(analysis, best, pick)
    meanwhile = {
        "route": "",
        "keep": f"Keep {name}, as the verdict says. ",
        "not_enough_data": f"Until then, the verdict stands: use {name} alone. ",
    }[decision.verdict]
    costs = "is shown to cost less than" if pair is not None and pair.saves else "only looks cheaper than"
    return (
        f"{told}{meanwhile}The verdict goes by the bar and the cost per satisfactory output; this section goes by"
        f" {total}, where {analysis.model(best).name} {costs} {name}."
    )


def _leading(routing: Routing) -> list[PolicyValue]:
    """Single models, then the routers that gain most, the one the decision is about among them."""
    single = [each for each in routing.values if each.kind == "single"]
    if len(single) > _LEADING // 2:
        best = max(single, key=lambda each: each.pass_rate.value or 0.0)
        single = [e for e in single if e in (single[0], best) or e.name in (routing.best, routing.decision.policy)]
    routers = [each for each in _ranked(routing) if each.kind == "router"]
    routers.sort(key=lambda each: each.name != routing.decision.router)
    return [*single, *routers[: _LEADING - len(single)]]


def _ranked(routing: Routing) -> list[PolicyValue]:
    """Policies by kind, routers by what they gain."""
    return sorted(
        routing.values,
        key=lambda each: (_KINDS.index(each.kind), -(each.gain_usd.value or 0.0) if each.kind == "router" else 0.0),
    )


def _policies(analysis: Analysis, routing: Routing, leading: list[PolicyValue]) -> Table:
    columns = (
        Column("Policy", brief=True),
        Column("Satisfactory", axis=_rate_axis(leading, analysis.decision.bar), brief=True),
        Column("Cost of the calls", "end", brief=True),
        Column(_total(routing), "end", brief=True),
        Column("Saved a request", "end", brief=True),
        Column("Answered by"),
    )
    return table("Policies", columns, [_row(analysis, routing, each, _units(leading)) for each in leading])


def _all(analysis: Analysis, routing: Routing) -> Table:
    columns = (
        Column("Policy"),
        Column("Satisfactory", "end"),
        Column("Cost of the calls", "end"),
        Column("Cost per satisfactory output", "end"),
        Column(_total(routing), "end"),
        Column("Saved a request", "end"),
        Column(f"Felt latency p50{_ONE_LOT}p90", "end"),
    )
    units = _units(routing.values)
    rows = [_whole_row(analysis, routing, each, units) for each in _ranked(routing)]
    told = f"All {plural(len(rows), 'policy', 'policies')}, with cost per satisfactory output and felt latency"
    return table("All policies", columns, rows, folded=told)


def _total(routing: Routing) -> str:
    return f"Total with failures at\N{NO-BREAK SPACE}{money(routing.failure_usd)}"


def _rate_axis(values: list[PolicyValue], bar: float) -> Axis:
    lows = [x for each in values for x in (each.pass_rate.low, each.pass_rate.value) if x is not None]
    return Axis("", "percent", max(0.0, int(min([*lows, bar - 0.1]) * 10) / 10), 1.0, reference=bar)


def _units(values: Sequence[PolicyValue]) -> tuple[bool, bool]:
    """Whether cents serve all totals, and all savings, so that a column has one unit."""
    return in_cents([each.expected_usd for each in values]), in_cents([each.gain_usd for each in values])


def _row(analysis: Analysis, routing: Routing, each: PolicyValue, units: tuple[bool, bool]) -> Row:
    return Row(
        cells=(
            Cell(words(each.title), _what(each)),
            _estimate(each.pass_rate, "percent", bar=analysis.decision.bar),
            _estimate(each.cost_per_request, "money"),
            _estimate(each.expected_usd, "money", units[0]),
            _saved(routing, each, units[1]),
            Cell(words(_shares(analysis, each))),
        ),
        series=_series(analysis, each),
        picked=each.name == routing.decision.policy,
    )


def _whole_row(analysis: Analysis, routing: Routing, each: PolicyValue, units: tuple[bool, bool]) -> Row:
    timed = any(each.felt[q].value is not None for q in ("p50", "p90"))
    felt = _ONE_LOT.join(value(each.felt[q], "seconds") for q in ("p50", "p90")) if timed else UNKNOWN
    return Row(
        cells=(
            Cell(words(each.title), _what(each)),
            _estimate(each.pass_rate, "percent", bar=analysis.decision.bar),
            _estimate(each.cost_per_request, "money"),
            _estimate(each.cost_per_satisfactory, "money"),
            _estimate(each.expected_usd, "money", units[0]),
            _saved(routing, each, units[1]),
            Cell(words(felt), doubt_of(each.felt["p50"], "seconds"), measured=True),
        ),
        series=_series(analysis, each),
        picked=each.name == routing.decision.policy,
    )


def _saved(routing: Routing, each: PolicyValue, cents: bool) -> Cell:
    """What a policy saves against the best single model, which saves nothing against itself."""
    return Cell(words("best single")) if each.name == routing.best else _estimate(each.gain_usd, "money", cents)


def _what(each: PolicyValue) -> str:
    if each.kind == "router":
        return "tuned on other items" if each.tuned else ""
    return {"single": "", "mixture": "half of the requests each", "oracle": "knows the grades, as nobody can"}[
        each.kind
    ]


def _series(analysis: Analysis, each: PolicyValue) -> Series | None:
    if each.kind != "single":
        return policy(each, each.title)
    return next((s for s in lineup(analysis) if each.name == f"always-{s.key}"), None)


def _shares(analysis: Analysis, each: PolicyValue) -> str:
    """Who answers how many requests, those without any left out: `62% Haiku 4.5, 38% Opus 4.6`."""
    shares = [(s.name, each.shares[s.key].value or 0.0) for s in lineup(analysis) if s.key in each.shares]
    told = (f"{percent(share)} {name}".replace(" ", "\N{NO-BREAK SPACE}") for name, share in shares if share > 0)
    return ", ".join(told)


def _estimate(estimate: Estimate, style: Format, cents: bool | None = None, bar: float | None = None) -> Cell:
    shown, told = value(estimate, style, bar, cents), doubt_of(estimate, style, bar, cents)
    return Cell((strong(shown),), told, estimate)


def _reading(routing: Routing) -> str:
    review = f"{money(routing.review_usd)} of review and " if routing.review_usd else ""
    told = (
        f"The total adds {review}what unsatisfactory answers cost to what the calls cost; saved is how much lower it is"
        f" than with {routing.value_of(routing.best).phrase}, item by item."
    )
    area, single = routing.hull_area, routing.hull_area_single
    if area is not None and single is not None and _more_than(area, single):
        told += (
            " For a budget anywhere between the cheapest and the dearest model, the best policies satisfy"
            f" {estimated(area, 'percent')} on average, single models alone {estimated(single, 'percent')}."
        )
    above = [(each.over_line, each) for each in routing.values if each.over_line is not None]
    return told + _over_lots(above) if above else told


def _more_than(area: Estimate, single: Estimate) -> bool:
    """Whether the figures as they are shown differ."""
    return (area.value or 0.0) > (single.value or 0.0) and value(area, "percent") != value(single, "percent")


def _over_lots(above: list[tuple[Estimate, PolicyValue]]) -> str:
    """The policy farthest above what drawing lots satisfies, and whether that is shown."""
    line, best = max(above, key=lambda pair: pair[0].value or 0.0)
    lots = " Drawing lots between two models gives any cost in between without looking at a request, so a router must"
    if line.low is not None and line.low > 0:
        doubt = f"{interval(line, 'points')} with all routers looked at together"
        more = f"{value(line, 'points').removeprefix('+')} points more ({doubt})"
        return f"{lots} do better: at the same cost {best.phrase} satisfies {more}."
    if not line.value or line.value < _ROUNDING:
        return f"{lots} do better, and none does."
    most = f"{best.phrase} with {value(line, 'points')} points ({interval(line, 'points')})"
    return f"{lots} do better, which none is shown to: at the same cost the most is {most}."


def _claims(claims: tuple[Claim, ...]) -> Table:
    columns = Column("Claimed of routing"), Column("Claim", "end"), Column("Measured here", "end"), Column("Verdict")
    rows = [
        Row(
            (
                Cell(words(each.what), each.note),
                Cell(words(each.claimed)),
                Cell(
                    words(value(each.measured, each.unit)),
                    doubt_of(each.measured, each.unit),
                    measured=each.unit == "seconds",
                ),
                Cell(words(_HOLDS[each.holds]), measured=each.unit == "seconds"),
            )
        )
        for each in claims
    ]
    counts = {holds: sum(c.holds is holds for c in claims) for holds in _COUNTED}
    told = ", ".join(plural(count, *_COUNTED[holds]) for holds, count in counts.items())
    policy = f"\N{LEFT DOUBLE QUOTATION MARK}{claims[0].policy}\N{RIGHT DOUBLE QUOTATION MARK}"
    folded = f"What routing in three layers is said to do, beside what {policy} does here: {told}"
    return table(f"What is claimed of routing, with {claims[0].policy}", columns, rows, folded)


def _checks(routing: Routing) -> Table:
    columns = (
        Column("What escalates"),
        Column("Escalated", "end"),
        Column("Of good outputs", "end"),
        Column("Bad outputs let through", "end"),
    )
    rows = [
        Row(
            (
                Cell(words(sentence(each.check).removesuffix("."))),
                *(_estimate(found, "percent") for found in (each.escalated, each.good_escalated, each.bad_accepted)),
            )
        )
        for each in routing.verifiers
    ]
    folded = f"How often the checks of cascades err: {plural(len(rows), 'check')}"
    return table("What the checks of cascades get wrong", columns, rows, folded)


def _parts(analysis: Analysis, routing: Routing) -> Table:
    single = routing.value_of(routing.best).phrase
    columns = (
        Column("Part of the items"),
        Column("May move to"),
        Column("Difference, points, 90%", "end"),
        Column("State"),
    )
    rows = [
        Row(
            (
                Cell(words(each.part), plural(each.items, "item")),
                Cell(words(analysis.model(each.toward).name)),
                Cell(words(points(each.difference.value)), interval(each.difference, "points")),
                Cell(words(_STATES[each.state])),
            ),
            picked=each.state == "shown",
        )
        for each in routing.parts
    ]
    return table(f"What may move down a tier from {single}", columns, rows)


def _unvalued(routing: Routing) -> str:
    return "; ".join(f"{each.title} ({each.reason})" for each in routing.not_valued)


def _not_valued(routing: Routing) -> Table:
    rows = [Row((Cell(words(each.title)), Cell(words(each.reason)))) for each in routing.not_valued]
    told = f"{len(rows)} policies were not valued, and why"
    return table("Policies that were not valued", (Column("Policy"), Column("Why", "prose")), rows, folded=told)


def _left_out(routing: Routing) -> Iterator[str]:
    if routing.mix is not None:
        shares = listing([f"{percent(share)} {name}" for name, share in routing.mix.shares.items()])
        yield (
            f"Weighted to {shares}: {routing.mix.effective_items:.0f} items in effect. Parts of the items, and other"
            " sections, are not weighted."
        )
    if 0 < len(_unvalued(routing)) <= _MOST_SAID:
        yield f"Not valued: {_unvalued(routing)}."
    for reason, count in routing.left_out.items():
        yield f"Left out: {plural(count, 'item')} {reason}."
