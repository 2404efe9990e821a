"""Routing: what each policy would cost, how good and how slow it would be, and whether it pays to route at all."""

from collections.abc import Iterator

from evalkit.analysis.results import Analysis
from evalkit.analysis.routing import Claim, PolicyValue, Routing
from evalkit.blocks import Block, Cell, Column, Note, Paragraph, Row, Section, Table, strong, table, words
from evalkit.chart_blocks import Axis, Series
from evalkit.models import display_name
from evalkit.series import lineup
from evalkit.stats import Estimate
from evalkit.wording import (
    Format,
    estimated,
    interval,
    listing,
    money,
    percent,
    plural,
    points,
    sentence,
    value,
)
from evalkit.wording import doubt as doubt_of

ORDER = 45
OF_WORKLOAD = True
_VERDICTS = {"route": "Route", "keep": "Keep one model", "not_enough_data": "Routing is not settled"}
_ONE_LOT = "\N{NO-BREAK SPACE}·\N{NO-BREAK SPACE}"
_STATES = {"shown": "no worse, shown", "no shown loss": "no shown loss, nor shown to be no worse", "loss": "worse"}
_HOLDS = {True: "holds", False: "does not hold", None: "open"}


def build(analysis: Analysis) -> Section | None:
    """None where policies were not valued."""
    routing = analysis.routing
    if routing is None:
        return None
    return Section(
        name="routing",
        label="Routing",
        heading=heading(routing),
        lede=words(
            "Every policy on the same items, from the outputs that are graded already: nothing was sent again. Numbers"
            " that a policy sets are set on other items than those it is valued on, and no policy sees a grade. An"
            f" unsatisfactory answer costs {money(routing.failure_usd)} ({routing.failure_source})."
        ),
        blocks=tuple(_blocks(analysis, routing)),
        summary=True,
    )


def heading(routing: Routing) -> str:
    """The decision as a finding."""
    decision = routing.decision
    if decision.verdict == "route":
        gain = estimated(routing.value_of(decision.policy).gain_usd, "money")
        single = routing.value_of(decision.single).title
        return f"{routing.value_of(decision.policy).title} saves {gain} a request in the end over {_low(single)}"
    name = routing.value_of(decision.single).title
    if decision.verdict == "keep":
        return f"No router beats {_low(name)}"
    return f"No router is shown to beat {_low(name)} on {plural(routing.items, 'item')}"


def _low(title: str) -> str:
    return title[0].lower() + title[1:]


def _blocks(analysis: Analysis, routing: Routing) -> Iterator[Block]:
    decision = routing.decision
    settles = f" To settle it: {decision.settles}." if decision.settles else ""
    yield Paragraph(
        words(strong(f"{_VERDICTS[decision.verdict]}."), f" {sentence(decision.reason)}{settles} {_kept(routing)}")
    )
    yield _policies(analysis, routing)
    yield Paragraph(words(_reading(routing)))
    if routing.verifiers:
        yield _checks(routing)
    if routing.claims:
        yield _claims(routing.claims)
    if routing.parts:
        yield _parts(routing)
    notes = tuple(words(text) for text in _notes(routing))
    if notes:
        yield Note("What is left out", notes)


def _kept(routing: Routing) -> str:
    decision = routing.decision
    if decision.verdict == "not_enough_data":
        return f"Until then, {_low(routing.value_of(decision.single).title)}."
    if decision.verdict == "route":
        told = routing.value_of(decision.policy).told
        return f"It sends {told}." if told else ""
    return ""


def _policies(analysis: Analysis, routing: Routing) -> Table:
    columns = (
        Column("Policy", brief=True),
        Column("Satisfactory", axis=_rate_axis(routing, analysis.decision.bar), brief=True),
        Column("Cost per request", "end", brief=True),
        Column("Cost per satisfactory output", "end"),
        Column("Total in the end", "end", brief=True),
        Column("Gain a request", "end", brief=True),
        Column(f"Felt p50{_ONE_LOT}p90", "end"),
        Column(_ONE_LOT.join(s.name for s in lineup(analysis)), "end"),
    )
    return table("Policies", columns, [_row(analysis, routing, each) for each in routing.values])


def _rate_axis(routing: Routing, bar: float) -> Axis:
    lows = [x for each in routing.values for x in (each.pass_rate.low, each.pass_rate.value) if x is not None]
    return Axis("", "percent", max(0.0, int(min([*lows, bar - 0.1]) * 10) / 10), 1.0, reference=bar)


def _row(analysis: Analysis, routing: Routing, each: PolicyValue) -> Row:
    gain = each.gain_usd
    single = each.name == routing.best
    felt = _ONE_LOT.join(value(each.felt[q], "seconds") for q in ("p50", "p90"))
    return Row(
        cells=(
            Cell(words(each.title), _what(each)),
            _estimate(each.pass_rate, "percent"),
            _estimate(each.cost_per_request, "money"),
            _estimate(each.cost_per_satisfactory, "money"),
            _estimate(each.expected_usd, "money"),
            Cell(words("best single")) if single else _estimate(gain, "money"),
            Cell(words(felt), interval(each.felt["p50"], "seconds"), measured=True),
            Cell(words(_shares(analysis, each))),
        ),
        series=_series(analysis, each),
        picked=each.name == routing.decision.policy,
    )


def _what(each: PolicyValue) -> str:
    if each.kind == "router":
        return "cross-fitted" if each.tuned else ""
    return {"single": "", "mixture": "half and half", "oracle": "knows the grades, as nobody can"}[each.kind]


def _series(analysis: Analysis, each: PolicyValue) -> Series | None:
    return next((s for s in lineup(analysis) if each.name == f"always-{s.key}"), None)


def _shares(analysis: Analysis, each: PolicyValue) -> str:
    return _ONE_LOT.join(percent(each.shares[s.key].value) for s in lineup(analysis) if s.key in each.shares)


def _estimate(estimate: Estimate, style: Format) -> Cell:
    return Cell((strong(value(estimate, style)),), doubt_of(estimate, style), estimate)


def _reading(routing: Routing) -> str:
    area, single = routing.hull_area, routing.hull_area_single
    told = ""
    if area is not None and single is not None:
        told = (
            f" Mean pass rate over the range of cost, under the hull of all policies that can be run:"
            f" {estimated(area, 'percent')}; of single models alone {estimated(single, 'percent')} (area over largest"
            " less smallest cost)."
        )
    above = [(each.over_line, each.title) for each in routing.values if each.over_line is not None]
    line, title = max(above, key=lambda pair: pair[0].value or 0.0) if above else (None, "")
    if line is not None:
        told += (
            f" A mixture by lot of the same cost is what every router must beat: {title} stands"
            f" {estimated(line, 'points')} points above it."
        )
    return (
        "The total in the end adds what unsatisfactory answers cost; the gain is how much lower it is than with the"
        f" best single model, paired item by item. The last column is who answers how many requests.{told}"
    )


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
    return table(f"What is claimed of routing, with {_low(claims[0].policy)}", columns, rows)


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
    return table("What the checks of cascades get wrong", columns, rows)


def _parts(routing: Routing) -> Table:
    single = _low(routing.value_of(routing.best).title)
    columns = Column("Part of the items"), Column("May move to"), Column("Difference, points", "end"), Column("State")
    rows = [
        Row(
            (
                Cell(words(each.part), plural(each.items, "item")),
                Cell(words(display_name(each.toward))),
                Cell(words(points(each.difference.value)), interval(each.difference, "points")),
                Cell(words(_STATES[each.state])),
            ),
            picked=each.state == "shown",
        )
        for each in routing.parts
    ]
    return table(f"What may move down a tier from {single}", columns, rows)


def _notes(routing: Routing) -> Iterator[str]:
    if routing.mix is not None:
        shares = listing([f"{percent(share)} {name}" for name, share in routing.mix.shares.items()])
        yield (
            f"Weighted to {shares}: {routing.mix.effective_items:.0f} items in effect. Parts of the items, and other"
            " sections, are not weighted."
        )
    for each in routing.not_valued:
        yield f"{each.title} is not valued: {sentence(each.reason)}"
    for reason, count in routing.left_out.items():
        yield f"Left out: {plural(count, 'item')} {reason}."
    yield from routing.warnings
