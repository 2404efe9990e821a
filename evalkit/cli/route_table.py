"""Routing on the terminal: the decision, and a line for each policy."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table

from evalkit.cli.fitted import fitted, fitting
from evalkit.cli.terminal import say
from evalkit.wording import Format, interval, listing, money, plural, value

if TYPE_CHECKING:
    from evalkit.analysis import Analysis
    from evalkit.analysis.routing import Routing
    from evalkit.stats import Estimate

VERDICTS = {"route": "ROUTE", "keep": "KEEP ONE MODEL", "not_enough_data": "NOT ENOUGH DATA"}

_LEAST_FIRST = ("p90", "felt p50", "$ a satisfactory", "$ a request", "satisfactory", "gain")
"""What a terminal that is too narrow for all columns leaves out."""


def print_routing(analysis: "Analysis", routing: "Routing") -> None:
    """The decision first, then every policy, then what was left out."""
    from evalkit.cli.terminal import console

    if analysis.simulated:
        say("SIMULATED")
    decision = routing.decision
    say(f"{VERDICTS[decision.verdict]}: {decision.reason}.")
    terminal = console()
    terminal.print(policies_table(routing, analysis.decision.bar, terminal.width))
    if routing.verifiers:
        terminal.print(checks_table(routing, terminal.width))
    for line in (*_other_pick(analysis, routing), *_notes(routing)):
        say(line)


def policies_table(routing: "Routing", bar: float, width: int) -> Table:
    """A row a policy, with as many columns as there is room for; no pass rate equals the bar by rounding alone."""
    policies = routing.values
    marks = (" *" if each.name == routing.decision.policy else "" for each in policies)
    every = {
        "policy": [f"{each.title}{mark}" for each, mark in zip(policies, marks, strict=True)],
        "satisfactory": [_range(each.pass_rate, "percent", bar) for each in policies],
        "$ a request": [_range(each.cost_per_request, "money") for each in policies],
        "$ a satisfactory": [_range(each.cost_per_satisfactory, "money") for each in policies],
        "$ with failures": [_range(each.expected_usd, "money") for each in policies],
        "gain": ["" if each.kind == "single" else _range(each.gain_usd, "money") for each in policies],
        "felt p50": [value(each.felt["p50"], "seconds") for each in policies],
        "p90": [value(each.felt["p90"], "seconds") for each in policies],
    }
    shown = fitting(every, ("policy",), width, _LEAST_FIRST)
    left_out = [name for name in every if name not in shown]
    return fitted(shown, ("policy",), width, f"A wider terminal shows {listing(left_out)}, too." if left_out else "")


def checks_table(routing: "Routing", width: int) -> Table:
    """How often the checks of cascades err."""
    columns = {
        "what escalates": [each.check for each in routing.verifiers],
        "escalated": [_range(each.escalated, "percent") for each in routing.verifiers],
        "of good outputs": [_range(each.good_escalated, "percent") for each in routing.verifiers],
        "bad ones let through": [_range(each.bad_accepted, "percent") for each in routing.verifiers],
    }
    return fitted(columns, ("what escalates",), width, "")


def _range(estimate: "Estimate", style: Format, bar: float | None = None) -> str:
    """The interval, held together; where there is none, as of prices that are all alike, the value alone."""
    known = estimate.low is not None or estimate.high is not None
    return (interval(estimate, style, bar) if known else value(estimate, style, bar)).replace(" ", "\N{NO-BREAK SPACE}")


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
