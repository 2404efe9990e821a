"""Routing on the terminal: the decision, and a line for each policy."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table

from evalkit.cli.terminal import say
from evalkit.wording import Format, interval, money, plural, value

if TYPE_CHECKING:
    from evalkit.analysis import Analysis
    from evalkit.analysis.routing import PolicyValue, Routing
    from evalkit.stats import Estimate

VERDICTS = {"route": "ROUTE", "keep": "KEEP ONE MODEL", "not_enough_data": "NOT ENOUGH DATA"}


def print_routing(analysis: "Analysis", routing: "Routing") -> None:
    """The decision first, then every policy, then what was left out."""
    from evalkit.cli.terminal import console

    if analysis.simulated:
        say("SIMULATED")
    decision = routing.decision
    say(f"{VERDICTS[decision.verdict]}: {decision.reason}.")
    console().print(_table(routing, analysis.decision.bar))
    if routing.verifiers:
        console().print(_checks(routing))
    for line in (*_other_pick(analysis, routing), *_notes(routing)):
        say(line)


def _table(routing: "Routing", bar: float) -> Table:
    """A row a policy; no pass rate equals the bar by rounding alone."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in (
        "policy",
        "satisfactory",
        "$ a request",
        "$ a satisfactory",
        "$ with failures",
        "gain",
        "felt p50",
        "p90",
    ):
        table.add_column(name, overflow="fold")
    for each in routing.values:
        mark = " *" if each.name == routing.decision.policy else ""
        table.add_row(each.title + mark, *_figures(each, bar))
    return table


def _checks(routing: "Routing") -> Table:
    """How often the checks of cascades err."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("what escalates", "escalated", "of good outputs", "bad ones let through"):
        table.add_column(name, overflow="fold")
    for each in routing.verifiers:
        figures = (each.escalated, each.good_escalated, each.bad_accepted)
        table.add_row(each.check, *(interval(found, "percent") for found in figures))
    return table


def _figures(each: "PolicyValue", bar: float) -> list[str]:
    return [
        _range(each.pass_rate, "percent", bar),
        _range(each.cost_per_request, "money"),
        _range(each.cost_per_satisfactory, "money"),
        _range(each.expected_usd, "money"),
        "" if each.kind == "single" else _range(each.gain_usd, "money"),
        value(each.felt["p50"], "seconds"),
        value(each.felt["p90"], "seconds"),
    ]


def _range(estimate: "Estimate", style: Format, bar: float | None = None) -> str:
    """The interval; where there is none, as of prices that are all alike, the value alone."""
    known = estimate.low is not None or estimate.high is not None
    return interval(estimate, style, bar) if known else value(estimate, style, bar)


def _other_pick(analysis: "Analysis", routing: "Routing") -> Iterator[str]:
    """That the report picks another model than the one with the lowest total, where no router is used."""
    pick, decision = analysis.decision.option, routing.decision
    if pick is not None and decision.verdict != "route" and decision.single != f"always-{pick}":
        yield (
            f"The report picks {analysis.model(pick).name}, by the bar and the cost per satisfactory output: keep that."
            f" {routing.value_of(decision.single).opening} has the lowest total."
        )


def _notes(routing: "Routing") -> Iterator[str]:
    decision = routing.decision
    yield f"* {routing.value_of(decision.policy).what}"
    if decision.settles:
        yield f"To settle it: {decision.settles}."
    review = f", a look at any answer {money(routing.review_usd)}" if routing.review_usd else ""
    yield (
        f"An unsatisfactory answer costs {money(routing.failure_usd)} ({routing.failure_source}){review}; gain: how"
        f" much less a request costs, {'both' if review else 'failures'} included, than with"
        f" {routing.value_of(routing.best).phrase}."
    )
    for each in routing.not_valued:
        yield f"not valued: {each.title}: {each.reason}"
    for reason, number in routing.left_out.items():
        yield f"left out: {plural(number, 'item')} {reason}"
    for warning in routing.warnings:
        yield f"! {warning}"
