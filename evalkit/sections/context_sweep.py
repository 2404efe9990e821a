"""Context sweep: how each model does on the same items as their prompts grow."""

from collections.abc import Iterable

from evalkit.analysis.results import Analysis, AtSize, ContextRange, PriceCliff, Sweep
from evalkit.blocks import (
    Cell,
    Column,
    Note,
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
    Line,
    Lines,
    Series,
)
from evalkit.series import everyone
from evalkit.stats import smallest_passing_n
from evalkit.wording import UNKNOWN, doubt, listing, money, plural, points, sentence, stated, tokens, value

ORDER = 60


def build(analysis: Analysis) -> Section | None:
    """None for a run at one size."""
    sweep = analysis.sweep
    if sweep is None:
        return None
    series = tuple(s for s in everyone(analysis) if sweep.of(s.key))
    heading = _heading(sweep, series)
    notes = tuple(words(text) for text in _notes(sweep, series))
    chart = _chart(analysis, sweep, series, heading)
    return Section(
        name="context-sweep",
        label="Context length",
        heading=heading,
        lede=_lede(analysis, sweep),
        blocks=(
            *((chart,) if chart.lines else ()),
            *_costs(analysis, sweep, series),
            _sizes(analysis, sweep, series),
            _ranges(sweep, series),
            _requests(sweep, series),
            *((Note("About the sizes", notes),) if notes else ()),
        ),
        summary=True,
    )


def _range(sweep: Sweep, series: Series) -> ContextRange:
    return next(found for found in sweep.ranges if found.model == series.key)


def _heading(sweep: Sweep, series: tuple[Series, ...]) -> str:
    held = [(s.name, found) for s in series if (found := _range(sweep, s)).holds_tokens is not None]
    if not held:
        return "No model has grades to compare sizes by"
    beyond = [f"{name} to {tokens(found.holds_tokens)} tokens" for name, found in held if _passed(sweep, found)]
    if not beyond:
        return f"At no size beyond {tokens(min(sweep.sizes))} tokens is any model shown to hold its rate"
    margin = f"{held[0][1].margin * 100:.0f}"
    rest = listing([name for name, found in held if not _passed(sweep, found)])
    tail = f"; {rest} not beyond {tokens(min(sweep.sizes))}" if rest else ""
    return f"Shown to hold within {margin} points: {listing(beyond)}{tail}"


def _passed(sweep: Sweep, found: ContextRange) -> bool:
    """Whether any size but the shortest, which needs no test, is held."""
    return found.holds_tokens is not None and found.holds_tokens > sweep.of(found.model)[0].context_tokens


def _lede(analysis: Analysis, sweep: Sweep) -> Text:
    margin = sweep.ranges[0].margin if sweep.ranges else 0.1
    least = smallest_passing_n(margin)
    short = f"; fewer than {least} can show that only by gains" if least is not None and analysis.items < least else ""
    return words(
        f"The same {plural(analysis.items, 'item')} at every size, compared item by item. A size is held if it is "
        f"shown not to lose {margin * 100:.0f} points or more against the shortest, by a one-sided test at 5% (which "
        f"takes a 90% interval above {points(-margin)}), each size in turn until one does not pass; one that is open "
        f"may hold as well, which more items would show{short}. The other differences are not adjusted for their "
        "number. ",
        strong(f"Everything else in this report is of the prompts at {tokens(sweep.analysed)} tokens"),
        f", {sweep.basis}.",
    )


def _chart(analysis: Analysis, sweep: Sweep, series: tuple[Series, ...], finding: str) -> Lines:
    bar = analysis.decision.bar
    lines = tuple(
        Line(s, tuple((float(p.context_tokens), p.pass_rate.value or 0.0) for p in known), tuple(e for _, e in pairs))
        for s in series
        if (pairs := [(p, p.pass_rate) for p in sweep.of(s.key) if p.pass_rate.value is not None])
        and (known := [p for p, _ in pairs])
    )
    lows = [x for line in lines for e in line.estimates for x in (e.low, e.value) if x is not None]
    low = max(0.0, int((min([*lows, bar]) - 0.04) * 10) / 10)
    return Lines(
        finding,
        _across(sweep),
        Axis(f"satisfactory outputs; your bar is {stated(bar)}", "percent", low, 1.0, reference=bar),
        lines,
    )


def _across(sweep: Sweep, cliff: PriceCliff | None = None) -> Axis:
    """The sizes on a log scale, a price cliff marked."""
    low, high = min(sweep.sizes) / 1.3, max(sweep.sizes) * 1.3
    if cliff is None:
        return Axis("context asked for, tokens, log scale", "tokens", low, high, True)
    had = [p.reached.median_tokens for p in sweep.points if p.reached is not None] or [cliff.above_tokens]
    low, high = min(low, *had), max(high, *had, cliff.above_tokens)
    label = "tokens that prompts had (median), log scale"
    return Axis(label, "tokens", low, high, True, reference=float(cliff.above_tokens))


def _costs(analysis: Analysis, sweep: Sweep, series: tuple[Series, ...]) -> Iterable[Lines | Note]:
    """What a request costs at each size, where a price cliff lies between or close by them."""
    if not analysis.price_cliffs:
        return
    lines = tuple(
        Line(
            s,
            tuple((float(size), e.value or 0.0) for size, e in had),
            tuple(e for _, e in had),
            tuple(float(cliff.above_tokens) for cliff in analysis.price_cliffs if cliff.model == s.key),
        )
        for s in series
        if (
            had := [
                (p.reached.median_tokens, p.cost_per_request)
                for p in sweep.of(s.key)
                if p.reached is not None and p.cost_per_request.value is not None
            ]
        )
    )
    if not lines:
        return
    told = [_cliff(sweep, cliff) for cliff in analysis.price_cliffs]
    yield Lines(told[0], _across(sweep, analysis.price_cliffs[0]), _cost_axis(lines), lines)
    yield Note("Price cliff", tuple(words(f"{one}.") for one in told))


def _cost_axis(lines: tuple[Line, ...]) -> Axis:
    """Logarithmic, so that a step of the cheapest model is not lost under the dearest, unless one is free."""
    known = [x for line in lines for e in line.estimates for x in (e.low, e.value, e.high) if x is not None]
    if min(known) <= 0:
        return Axis("cost of a request", "money", 0.0, max(known) * 1.05)
    return Axis("cost of a request, log scale", "money", min(known) / 1.3, max(known) * 1.3, log=True)


def _cliff(sweep: Sweep, cliff: PriceCliff) -> str:
    """Where a model's price steps up, and what requests cost on either side of it."""
    points = [(p.reached, p.cost_per_request) for p in sweep.of(cliff.model) if p.cost_per_request.value is not None]
    had = [(reached, usd) for reached, usd in points if reached is not None]
    below = [one for one in had if one[0].largest_tokens <= cliff.above_tokens]
    beyond = [one for one in had if one not in below]  # as a whole, or in part
    sides = [
        f"{value(usd, 'money')} a request with prompts of {tokens(reached.smallest_tokens)} to"
        f" {tokens(reached.largest_tokens)} tokens"
        for reached, usd in (*below[-1:], *beyond[:1])
    ]
    return f"{cliff.rule}: {' and '.join(sides)}" if sides else cliff.rule


def _sizes(analysis: Analysis, sweep: Sweep, series: tuple[Series, ...]) -> Table:
    bar = analysis.decision.bar
    rates = [p.pass_rate for p in sweep.points]
    lows = [x for rate in rates for x in (rate.low, rate.value) if x is not None]
    axis = Axis("", "percent", max(0.0, int(min([*lows, bar - 0.1]) * 10) / 10), 1.0, reference=bar)
    columns = (
        Column("Option", brief=True),
        Column("Context asked for", "end", brief=True),
        Column("Prompts had", "end"),
        Column("Satisfactory", axis=axis, brief=True),
        Column("Points against the shortest, 90%", "end", brief=True),
        Column("Cost per satisfactory output", "end", brief=True),
    )
    return table("Each size", columns, [_row(analysis, sweep, s, p) for s in series for p in sweep.of(s.key)])


def _row(analysis: Analysis, sweep: Sweep, series: Series, point: AtSize) -> Row:
    bar, reached, gap = analysis.decision.bar, point.reached, point.difference
    spread = "" if reached is None else f"{tokens(reached.smallest_tokens)} to {tokens(reached.largest_tokens)}"
    estimated = "" if reached is None or reached.counted else ", estimated"
    rate, price = point.pass_rate, point.cost_per_satisfactory
    return Row(
        (
            Cell(words(series.name), plural(point.items, "item")),
            _asked(sweep, point),
            Cell(words(UNKNOWN if reached is None else tokens(reached.median_tokens)), f"{spread}{estimated}"),
            Cell((strong(value(rate, "percent", bar)),), doubt(rate, "percent", bar), rate),
            Cell(words("shortest")) if gap is None else Cell((strong(value(gap, "points")),), doubt(gap, "points")),
            Cell((strong(value(price, "money")),), doubt(price, "money")),
        ),
        series,
        picked=point.model == analysis.decision.option and point.context_tokens == sweep.analysed,
    )


def _asked(sweep: Sweep, point: AtSize) -> Cell:
    return Cell(words(tokens(point.context_tokens)), "analysed" if point.context_tokens == sweep.analysed else "")


def _requests(sweep: Sweep, series: tuple[Series, ...]) -> Table:
    columns = (
        Column("Option"),
        Column("Context asked for", "end"),
        Column("Cost per request", "end"),
        Column("Latency of one attempt, p50", "end"),
        Column("Spend", "end"),
    )
    rows = [_request(sweep, s, p) for s in series for p in sweep.of(s.key)]
    told = "Cost, latency and spend of requests at each size"
    return table("Requests at each size", columns, rows, folded=told)


def _request(sweep: Sweep, series: Series, point: AtSize) -> Row:
    price, time = point.cost_per_request, point.latency_p50
    return Row(
        (
            Cell(words(series.name)),
            _asked(sweep, point),
            Cell((strong(value(price, "money")),), doubt(price, "money")),
            Cell(words(value(time, "seconds")), doubt(time, "seconds"), measured=True),
            Cell(words(money(point.spend_usd))),
        ),
        series,
    )


def _ranges(sweep: Sweep, series: tuple[Series, ...]) -> Table:
    columns = (
        Column("Option"),
        Column("Held to", "end"),
        Column("First size that is open", "end"),
        Column("Odds per doubling of the size", "end"),
    )
    return table("How far each option holds its rate", columns, [_held(s, _range(sweep, s)) for s in series])


def _held(series: Series, found: ContextRange) -> Row:
    held = Cell(words(UNKNOWN), found.reason or "") if found.holds_tokens is None else Cell(
        (strong(f"{tokens(found.holds_tokens)} tokens"),)
    )  # fmt: skip
    odds = found.odds_per_doubling
    return Row(
        (
            Cell(words(series.name), plural(found.items, "item")),
            held,
            Cell(words("none" if found.open_at is None and not found.reason else tokens(found.open_at))),
            Cell(words(value(odds, "ratio")), doubt(odds, "ratio")),
        ),
        series,
    )


def _notes(sweep: Sweep, series: tuple[Series, ...]) -> Iterable[str]:
    for lacking in sweep.lacking:
        yield sentence(f"{lacking.name} was not run at {tokens(lacking.context_tokens)} tokens: {lacking.reason}")
    for s in series:
        missed = [f"at {tokens(p.context_tokens)}, {p.missed}" for p in sweep.of(s.key) if p.missed]
        if missed:
            yield sentence(f"{s.name}: {'; '.join(missed)}. What is said of such a size is of the prompts there were")
    if sweep.pending:
        yield sentence(f"{plural(sweep.pending, 'trial')} of all sizes without an outcome yet")
