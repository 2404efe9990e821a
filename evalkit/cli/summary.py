"""The answer of a report on the terminal: verdict, one row a model."""

from typing import TYPE_CHECKING

from rich.table import Table

from evalkit.cli.fitted import fitted, fitting
from evalkit.cli.terminal import WIDE
from evalkit.conditional import mark
from evalkit.main_clock import main_clock
from evalkit.price_rows import batched_line
from evalkit.sections.how_sure import resampled, rule_shares
from evalkit.sections.scorecard import other_denominators
from evalkit.sections.verdict import headline
from evalkit.series import lineup
from evalkit.wording import Format, doubt, in_cents, listing, percent, plural, stated, tokens, value

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
    for model in (analysis.model(s.key) for s in lineup(analysis)):
        lines.append(f"  {model.name} {analysis.decision.reasons[model.model]}")
    return lines


_CLOCKS = {"felt": "felt", "total": "one attempt"}
_LEAST_FIRST = ("per request", "p50 ", "p95 ", "with correction", "per satisfactory")
"""What a terminal that is too narrow for all columns leaves out."""


def summary_table(analysis: "Analysis", width: int = WIDE) -> Table:
    """Pass rate, money and time of each model, with intervals; as many columns as so wide a terminal has room for."""
    every, reasons = _columns(analysis)
    columns = fitting(every, ("model",), width, _LEAST_FIRST)
    base = f"{plural(analysis.items, 'item')}; in brackets 95% intervals; bar {stated(analysis.decision.bar)}"
    unlike = other_denominators(analysis) if "per request" in columns else ""
    told = "\n".join(filter(None, [base, *reasons, batched_line(analysis), unlike, stability_line(analysis)]))
    return fitted(columns, ("model",), width, told)


def _columns(analysis: "Analysis") -> tuple[dict[str, list[str]], list[str]]:
    """Cells by column, and the reasons that many figures are missing for, which stand below the table."""
    models, bar = [analysis.model(s.key) for s in lineup(analysis)], analysis.decision.bar
    told_by = main_clock(analysis)
    waits, what = [model.clocks[told_by].quantiles for model in models], _CLOCKS[told_by]
    figures: dict[str, tuple[Format, list[Estimate]]] = {
        "satisfactory": ("percent", [model.pass_rate for model in models]),
        "per request": ("money", [model.cost_per_request for model in models]),
        "per satisfactory": ("money", [model.cost_per_satisfactory for model in models]),
        "with correction": ("money", [model.human_fix for model in models]),
        f"p50 {what}": ("seconds", [clock["p50"] for clock in waits]),
        f"p95 {what}": ("seconds", [clock["p95"] for clock in waits]),
    }
    cells = {
        name: [cell(e, style, in_cents(estimates), bar if style == "percent" else None) for e in estimates]
        for name, (style, estimates) in figures.items()
    }
    missing = [
        text
        for name, (_, estimates) in figures.items()
        for text, estimate in zip(cells[name], estimates, strict=True)
        if estimate.value is None and estimate.low is None
    ]
    below = [text for text in dict.fromkeys(missing) if missing.count(text) > 1]
    for name, texts in cells.items():
        cells[name] = [text.partition("\n")[0] if text in below else text for text in texts]
    said = [
        f"{word}: {reason.removeprefix('(').removesuffix(')')}"
        for word, _, reason in (text.partition("\n") for text in below)
    ]
    return {"model": [model.name for model in models], **cells}, said


def sweep_table(analysis: "Analysis", width: int) -> Table | None:
    """Each model at each size of a context sweep, with as many columns as so wide a terminal has room for; None for a
    run at one size."""
    sweep = analysis.sweep
    if sweep is None:
        return None
    names = {found.model: found.name for found in sweep.ranges}
    every = {
        "model": [names[p.model] for p in sweep.points],
        "context": [tokens(p.context_tokens) for p in sweep.points],
        "satisfactory": [cell(p.pass_rate, "percent", bar=analysis.decision.bar) for p in sweep.points],
        "against shortest, 90%": [
            "shortest" if p.difference is None else cell(p.difference, "points") for p in sweep.points
        ],
        "per request": [cell(p.cost_per_request, "money") for p in sweep.points],
        "p50 one attempt": [cell(p.latency_p50, "seconds") for p in sweep.points],
    }
    columns = fitting(every, ("model",), width, ("p50 one attempt", "per request", "against shortest, 90%"))
    least = min(sweep.sizes)
    held = [f"{f.name} to {tokens(f.holds_tokens)} tokens" for f in sweep.ranges if (f.holds_tokens or 0) > least]
    margin = f"{sweep.ranges[0].margin * 100:.0f}" if sweep.ranges else ""
    return fitted(
        columns, ("model",), width, f"held within {margin} points of the shortest: {listing(held)}" if held else ""
    )


def stability_line(analysis: "Analysis") -> str:
    """How the rule would fall on other items like these; empty where that is unknown."""
    shares = rule_shares(analysis)
    if not shares or analysis.stability is None:
        return ""
    (first, share), *rest = shares
    parts = [f"{first} in {percent(share)} of resamples", *(f"{name} in {percent(part)}" for name, part in rest)]
    return f"the rule picks {', '.join(parts)} ({resampled(analysis, analysis.stability)})"


def cell(estimate: "Estimate", style: Format, cents: bool | None = None, bar: float | None = None) -> str:
    """An estimate with its doubt below it. `cents` fixes the unit of money, so that a column has one; no share equals
    the `bar` by rounding alone."""
    shown, told = value(estimate, style, bar, cents), doubt(estimate, style, bar, cents)
    told = told.replace(", no upper limit", ", open").replace(", no lower limit", ", open")
    if estimate.value is not None:  # figures, which a line must not break
        shown, told = (text.replace(" ", "\N{NO-BREAK SPACE}") for text in (shown, told))
    return f"{shown}\n({told})"
