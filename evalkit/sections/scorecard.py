"""Scorecard: every model's pass rate, cost and latency in one table, with all denominators."""

from collections.abc import Iterable
from math import isclose

from evalkit.analysis.results import Analysis, ModelResult
from evalkit.analysis.routing import PolicyValue
from evalkit.analysis.without_batches import NOT_AS_BILLED
from evalkit.blocks import (
    Cell,
    Column,
    Paragraph,
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
    Series,
)
from evalkit.denominators import shown_counts
from evalkit.main_clock import NAMES, MainClock, main_clock, timed
from evalkit.pairing import compare
from evalkit.price_rows import batched_line
from evalkit.series import clearing_router, clears, lineup, rank, routed, routing_may_clear
from evalkit.stats import Estimate
from evalkit.wording import (
    NOT_MEASURED,
    UNKNOWN,
    Format,
    doubt,
    in_cents,
    listing,
    money,
    plural,
    seconds,
    stated,
    value,
)

ORDER = 20

_NOT_SHOWN = "not\N{NO-BREAK SPACE}shown"
_HELD_DOT = "\N{NO-BREAK SPACE}·\N{NO-BREAK SPACE}"


def build(analysis: Analysis) -> Section | None:
    """The table that the verdict is read from; None for a run without models."""
    series = lineup(analysis)
    if not series:
        return None
    return Section(
        name="scorecard",
        label="Scorecard",
        heading=_heading(analysis),
        lede=_lede(analysis),
        blocks=(_scores(analysis, series), Paragraph(_reading(analysis)), _denominators(analysis, series)),
        summary=True,
    )


def _is_level(analysis: Analysis, pick: str, key: str) -> bool:
    one, other = (analysis.model(model).cost_per_satisfactory.value for model in (pick, key))
    return key == pick or (one is not None and other is not None and isclose(one, other, rel_tol=1e-9))


def _is_cheaper(analysis: Analysis, pick: str, key: str) -> bool:
    """Whether one is shown to cost less than another; of what costs nothing there is no ratio to show it by."""
    free, price = (analysis.model(model).cost_per_satisfactory.value for model in (pick, key))
    pair = compare(analysis, pick, key)
    return (free == 0 and bool(price)) or (pair is not None and pair.cheaper)


def _heading(analysis: Analysis) -> str:
    bar, decision = stated(analysis.decision.bar), analysis.decision
    if decision.verdict == "conditional":
        return "Figures on these items alone, not of the workload"
    names = [s.name for s in lineup(analysis) if s.key in decision.eligible]
    if not names:
        return _none_clears(analysis, bar)
    if len(names) == 1:
        return f"Of the models only {names[0]} has its whole interval above {bar}"
    cheaper = [key for key in decision.eligible if key != decision.option]
    pick = decision.option
    level = [key for key in decision.eligible if pick and _is_level(analysis, pick, key)]
    if (
        pick
        and level != list(decision.eligible)
        and all(_is_cheaper(analysis, pick, k) for k in cheaper if k not in level)
    ):
        who = listing([s.name for s in lineup(analysis) if s.key in level])
        return f"{listing(names)} clear {bar}; {who} {'does' if len(level) == 1 else 'do'} so for less"
    costs = [cost for key in decision.eligible if (cost := analysis.model(key).cost_per_satisfactory.value) is not None]
    if len(costs) == len(names) and all(isclose(cost, costs[0], rel_tol=1e-9) for cost in costs):
        return f"{listing(names)} clear {bar} at the same cost"
    return f"{listing(names)} clear {bar}; which costs less is not settled"


def _none_clears(analysis: Analysis, bar: str) -> str:
    router, shown = clearing_router(analysis), routed(analysis)
    if router is not None and shown is not None and shown[1].name == router.name:
        return f"No model alone has a lower limit that reaches {bar}; {router.phrase} has"
    if routing_may_clear(analysis):
        return f"No model alone has a lower limit that reaches {bar}"
    graded = any(m.pass_rate.value is not None for m in analysis.models)
    return f"No lower limit reaches {bar}" if graded else "There is no pass rate yet"


def _lede(analysis: Analysis) -> Text:
    rule = analysis.spec.rubric.get("satisfactory")
    score = rule.get("score") if isinstance(rule, dict) else None
    when = (
        f"when its score reaches {score:g} and no critical criterion falls below its floor"
        if score
        else "by the rubric"
    )
    return words(
        f"Marks are estimates, lines are intervals. An output is satisfactory {when}; a refused, truncated or "
        "errored one is not. Items are the unit: epochs are averaged first."
    )


def _scores(analysis: Analysis, series: tuple[Series, ...]) -> Table:
    bar = analysis.decision.bar
    rates = [analysis.model(s.key).pass_rate for s in series]
    costs = [analysis.model(s.key).cost_per_satisfactory for s in series]
    conditional = analysis.decision.verdict == "conditional"  # the bar is for the workload
    columns = (
        Column("Option", brief=True),
        Column("Satisfactory", axis=_rate_axis(rates, bar), brief=True),
        Column("Cost per satisfactory output", axis=_cost_axis(costs), brief=True),
        Column(f"Total with corrections at\N{NO-BREAK SPACE}{money(analysis.correction_usd)}", "end", brief=True),
        Column(f"{NAMES[main_clock(analysis)]} p50{_HELD_DOT}p95", "end", brief=True),
        *(() if conditional else (Column(f"{stated(bar)}\N{NO-BREAK SPACE}bar", "end", brief=True),)),
    )
    units = in_cents(costs), in_cents([analysis.model(s.key).human_fix for s in series])
    rows = [_row(analysis, s, units) for s in series]
    if not conditional and (router := routed(analysis)) is not None and router[1].pass_rate.value:
        rows.append(_policy_row(analysis, *router, units))
    return table("Scorecard", columns, rows)


def _policy_row(analysis: Analysis, series: Series, router: PolicyValue, units: tuple[bool, bool]) -> Row:
    rate, bar, felt = router.pass_rate, analysis.decision.bar, [router.felt[q] for q in ("p50", "p95")]
    timed = any(quantile.value is not None for quantile in felt)
    waits = _HELD_DOT.join(value(quantile, "seconds") for quantile in felt) if timed else UNKNOWN
    return Row(
        cells=(
            Cell(words(series.name), f"{plural(rate.n, 'item')}{', tuned on others' if router.tuned else ''}"),
            _estimate(rate, "percent", bar),
            _estimate(router.cost_per_satisfactory, "money", cents=units[0]),
            _estimate(router.expected_usd, "money", cents=units[1]),
            Cell(
                (strong(waits),),
                _HELD_DOT.join(map(_brief, felt)) if timed else doubt(felt[0], "seconds"),
                measured=True,
            ),
            _policy_standing(analysis, router),
        ),
        series=series,
    )


def _policy_standing(analysis: Analysis, router: PolicyValue) -> Cell:
    alone, limits, bar = router.pass_rate, router.rate_together, analysis.decision.bar
    if clears(analysis, router):
        return Cell(words("clears"))
    if limits.high is not None and limits.high < bar:
        return Cell(words("below"))
    if alone.low is None or alone.low < bar:
        return Cell(words(_NOT_SHOWN))
    judge = limits.low is not None and limits.low >= bar
    return Cell(words(_NOT_SHOWN), "the judge overrates its outputs" if judge else _as_one_of(limits, bar))


def _as_one_of(limits: Estimate, bar: float) -> str:
    return f"{doubt(limits, 'percent', bar)} as the best of several routers"


def _row(analysis: Analysis, series: Series, units: tuple[bool, bool]) -> Row:
    model, bar = analysis.model(series.key), analysis.decision.bar
    picked = analysis.decision.option == series.key
    standing = () if analysis.decision.verdict == "conditional" else (_standing(analysis, model),)
    return Row(
        cells=(
            Cell(words(model.name), plural(model.items, "item") if model.items else "no item graded"),
            _estimate(model.pass_rate, "percent", bar),
            _estimate(model.cost_per_satisfactory, "money", cents=units[0]),
            _estimate(model.human_fix, "money", cents=units[1]),
            _latency(model, main_clock(analysis)),
            *standing,
        ),
        series=series,
        picked=picked,
        rank=rank(analysis, series.key),
    )


def _estimate(estimate: Estimate, style: Format, bar: float | None = None, cents: bool | None = None) -> Cell:
    return Cell((strong(value(estimate, style, bar, cents)),), doubt(estimate, style, bar, cents), estimate)


def _latency(model: ModelResult, name: MainClock) -> Cell:
    clock = model.clocks.get(name)
    if clock is None or not clock.values_s:
        if model.counts.pending == model.counts.planned:
            none = "no attempt has succeeded yet" if model.failed_attempts else "no call has ended"
            return Cell(words(UNKNOWN), none, measured=True)
        untimed = clock.quantiles["p50"].reason if clock is not None else None
        return Cell(words(NOT_MEASURED), untimed or "no answer was timed", measured=True)
    shown = [clock.quantiles[q] for q in ("p50", "p95") if q in clock.quantiles]
    texts = [value(quantile, "seconds") for quantile in shown]
    ranges = _HELD_DOT.join(_brief(quantile) for quantile in shown)
    held, planned = timed(model, name), model.counts.planned
    some = f"; {held:,}\N{NO-BREAK SPACE}of\N{NO-BREAK SPACE}{planned:,}" if held < planned else ""
    return Cell((strong(" · ".join(texts)),), ranges + some, measured=True)


def _brief(quantile: Estimate) -> str:
    """The interval without unit, to stand under a pair of figures: `1.9–2.5`, `3.2–open`."""
    if quantile.low is None and quantile.high is None:
        return f"n = {quantile.n:,}"
    ends = ("open" if x is None else seconds(x).removesuffix(" s") for x in (quantile.low, quantile.high))
    return "–".join(ends)


def _standing(analysis: Analysis, model: ModelResult) -> Cell:
    if analysis.decision.option == model.model:
        return Cell(words("pick"), badge=True)
    if model.model in analysis.decision.eligible:
        return Cell(words("clears"))
    if model.pass_rate.value is None:
        return Cell(words("unknown"))
    missed = model.pass_rate.high is not None and model.pass_rate.high < analysis.decision.bar
    return Cell(words("below" if missed else _NOT_SHOWN))


def _rate_axis(rates: list[Estimate], bar: float) -> Axis | None:
    """None where there is nothing to draw: a scale would be made up."""
    lows = [x for rate in rates for x in (rate.low, rate.value) if x is not None]
    if not lows:
        return None
    low = min([*lows, bar - 0.1])
    return Axis("", "percent", max(0.0, int(low * 10) / 10), 1.0, reference=bar)


def _cost_axis(costs: list[Estimate]) -> Axis | None:
    """From zero, so that lengths can be compared; long enough for every limit that exists, None without any."""
    tops = [x for cost in costs for x in (cost.high, cost.value, cost.low) if x is not None]
    return Axis("", "money", 0.0, max(tops) * 1.08 or 1.0) if tops else None


def _reading(analysis: Analysis) -> Text:
    review = f" plus {money(analysis.review_usd)} of review for each output" if analysis.review_usd else ""
    return words(
        "Cost per satisfactory output counts all others as waste; the total with corrections pays a person "
        f"{money(analysis.correction_usd)} ({analysis.correction.source}) to put each of them right{review}. Failed "
        "attempts cost in both. "
        f"{_as_billed(analysis)}"
        f"{_timed(analysis)}Below: what became of every planned trial. "
        f"{other_denominators(analysis)}"
    )


def _as_billed(analysis: Analysis) -> str:
    """At which price costs are, where requests went in batches."""
    told = f"Here {NOT_AS_BILLED}" if analysis.without_batches else batched_line(analysis)
    return f"{told}. " if told else ""


def other_denominators(analysis: Analysis) -> str:
    """Which trials the figures beside the cost per request leave out, as a sentence; empty where that is none."""
    tried = [(m.name, m.counts.decided, m.counts.planned - m.counts.pending) for m in analysis.models if m.items]
    apart = [f"{decided:,} of {n:,} with {name}" for name, decided, n in tried if decided < n]
    if not apart:
        return ""
    return (
        "Cost per request is of all trials with an outcome; pass rate and other costs are of those with a verdict:"
        f" {listing(apart)}."
    )


def _timed(analysis: Analysis) -> str:
    """What latency leaves out, where it leaves out anything."""
    name = main_clock(analysis)
    held = [(timed(model, name), model.counts.planned) for model in analysis.models]
    if not any(count for count, _ in held) or all(count >= planned for count, planned in held):
        return ""
    return "Latency is that of whole answers and of calls that timed out; beside it, how many of the trials these are. "


def _denominators(analysis: Analysis, series: tuple[Series, ...]) -> Table:
    models = [analysis.model(s.key) for s in series]
    names = shown_counts([model.counts for model in models])
    columns = [Column("Option"), *(Column(name.capitalize(), "end") for name in names)]
    columns += [Column("Cost per request", "end"), Column("Spend", "end")]
    cents = in_cents([model.cost_per_request for model in models])
    rows = [_counts(model, s, cents, names) for model, s in zip(models, series, strict=True)]
    return table("Denominators and spend", columns, rows)


def _counts(model: ModelResult, series: Series, cents: bool, names: Iterable[str]) -> Row:
    counts = {name: f"{getattr(model.counts, name):,}" for name in names}
    if not model.counts.decided:
        counts["satisfactory"] = "unknown"
    cells = [Cell(words(model.name)), *(Cell(words(count)) for count in counts.values())]
    request = model.cost_per_request
    cells.append(_estimate(request, "money", cents=cents))
    unpriced = f"{plural(model.unpriced_attempts, 'attempt')} without a price" if model.unpriced_attempts else ""
    cells.append(Cell(words(money(model.spend_usd)), unpriced or plural(model.attempts, "attempt")))
    return Row(tuple(cells), series)
