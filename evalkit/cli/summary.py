"""The answer of a report on the terminal: verdict, one row a model."""

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from evalkit.conditional import mark
from evalkit.sections.how_sure import resampled, rule_shares
from evalkit.sections.verdict import headline
from evalkit.wording import Format, doubt, listing, percent, plural, tokens, value

if TYPE_CHECKING:
    from evalkit.analysis import Analysis
    from evalkit.stats import Estimate


def verdict_lines(analysis: "Analysis") -> list[str]:
    """The verdict, and why each model is or is not in question."""
    lines = ["SIMULATED"] if analysis.simulated else []
    condition = mark(analysis.spec)
    if condition is not None:
        return [*lines, condition]
    lines.append(headline(analysis))
    for model in analysis.models:
        lines.append(f"  {model.name} {analysis.decision.reasons[model.model]}")
    return lines


def summary_table(analysis: "Analysis") -> Table:
    """Pass rate, money and time of each model, with intervals."""
    table = Table(box=None, pad_edge=False, header_style="dim", caption_justify="left")
    for name in (
        "model",
        "satisfactory",
        "per request",
        "per satisfactory",
        "with correction",
        "p50 felt",
        "p90 felt",
    ):
        table.add_column(name, justify="left" if name == "model" else "right", overflow="fold")
    for model in analysis.models:
        felt = model.clocks["felt"].quantiles
        money = (model.cost_per_request, model.cost_per_satisfactory, model.human_fix)
        table.add_row(
            model.name,
            cell(model.pass_rate, "percent"),
            *(cell(estimate, "money") for estimate in money),
            cell(felt["p50"], "seconds"),
            cell(felt["p90"], "seconds"),
        )
    base = f"{plural(analysis.items, 'item')}; in brackets 95 % intervals; bar {percent(analysis.decision.bar)}"
    table.caption = Text("\n".join(filter(None, [base, stability_line(analysis)])))
    return table


def sweep_table(analysis: "Analysis") -> Table | None:
    """Each model at each size of a context sweep; None for a run at one size."""
    sweep = analysis.sweep
    if sweep is None:
        return None
    names = {found.model: found.name for found in sweep.ranges}
    table = Table(box=None, pad_edge=False, header_style="dim", caption_justify="left")
    for name in ("model", "context", "satisfactory", "against shortest", "per request", "p50 one attempt"):
        table.add_column(name, justify="left" if name == "model" else "right", overflow="fold")
    for point in sweep.points:
        table.add_row(
            names[point.model],
            tokens(point.context_tokens),
            cell(point.pass_rate, "percent"),
            "shortest" if point.difference is None else cell(point.difference, "points"),
            cell(point.cost_per_request, "money"),
            cell(point.latency_p50, "seconds"),
        )
    held = [f"{found.name} to {tokens(found.holds_tokens)} tokens" for found in sweep.ranges if found.holds_tokens]
    margin = f"{sweep.ranges[0].margin * 100:.0f}" if sweep.ranges else ""
    table.caption = Text(f"held within {margin} points of the shortest: {listing(held)}" if held else "")
    return table


def stability_line(analysis: "Analysis") -> str:
    """How the rule would fall on other items like these; empty where that is unknown."""
    shares = rule_shares(analysis)
    if not shares or analysis.stability is None:
        return ""
    (first, share), *rest = shares
    parts = [f"{first} in {percent(share)} of resamples", *(f"{name} in {percent(part)}" for name, part in rest)]
    return f"the rule picks {', '.join(parts)} ({resampled(analysis.stability)})"


def cell(estimate: "Estimate", style: Format) -> str:
    """An estimate with its doubt below it."""
    return f"{value(estimate, style)}\n({doubt(estimate, style)})"
