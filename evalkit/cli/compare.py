"""`evalkit compare`: two runs of the same dataset and rubric, item by item."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.cli import report_files, urls
from evalkit.cli.terminal import say
from evalkit.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from evalkit.analysis import Analysis
    from evalkit.records import Snapshot
    from evalkit.redaction import Redaction


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare")(compare)


def compare(
    earlier: Annotated[Path, typer.Argument(metavar="EARLIER", parser=urls.readable, help="Run file to compare with.")],
    later: Annotated[Path, typer.Argument(metavar="LATER", parser=urls.readable, help="Run file that is compared.")],
    pair: Annotated[
        list[str] | None,
        typer.Option(
            metavar="THEN=NOW", show_default=False,
            help="Model of the earlier run and model of the later one to compare, repeatable"
            " (default: the same id, else the same tier).",
        ),
    ] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "-o", "--output", parser=urls.writable, show_default=False,
            help="File to write (.html .md .json), repeatable.",
        ),
    ] = None,
    peek: report_files.Peek = False,
    redact: report_files.Redact = None,
    no_outputs: report_files.NoOutputs = False,
    as_json: report_files.AsJson = False,
    quiet: report_files.Quiet = False,
) -> None:  # fmt: skip
    """Compare two runs of the same dataset and rubric: pass rate, cost, latency and the items that changed.

    Examples:

      evalkit compare runs/before.db runs/after.db

      evalkit compare a.db b.db --pair claude-sonnet-4-5=claude-sonnet-4-6 -o change.html -o change.md
    """
    from evalkit.analysis import analyze
    from evalkit.commands import comparison
    from evalkit.files import read_config
    from evalkit.forms import check_endings
    from evalkit.pricing import Prices
    from evalkit.report import COMPARISON
    from evalkit.showing import refuse_itself, snapshot_to_show

    paths = output or []
    check_endings(paths, (".html", ".md", ".json"))
    hidden = report_files.redaction(redact, no_outputs)
    then, now = (snapshot_to_show(path, peek, "compare") for path in (earlier, later))
    prices = Prices(read_config(Path("evalkit.yaml")).prices)
    analysis = analyze(now, then, prices, _counterparts(pair or (), then, now))
    refuse_itself(then, now, earlier, later)
    if not analysis.against:
        raise UsageError(
            f"no model of {str(later)!r} has a counterpart in {str(earlier)!r}; name one with --pair THEN=NOW"
        )
    analysis = _of_this_page(analysis, comparison(now.spec, then.spec, pair or (), peek=peek))
    shown = replace(report_files.shown(analysis, now, hidden, later), parts=COMPARISON)
    written = report_files.write(paths, shown)
    if not quiet and not as_json:
        _print(shown.analysis, hidden)
    report_files.tell(written, to_stderr=as_json, quiet=quiet)
    if as_json:
        typer.echo(shown.json, nl=False)


def _of_this_page(analysis: "Analysis", command: str) -> "Analysis":
    """With the items that changed alone, the command of a comparison, and what the later run warns of beside what the
    earlier does: no verdict stands above a comparison to tell it."""
    from evalkit.analysis.sessions import clock_warnings

    changed = {item for one in analysis.against for item in (*one.improved, *one.regressed)}
    analysis = replace(analysis, outputs=tuple(item for item in analysis.outputs if item.id in changed))
    told = tuple(f"Later run: {line}" for line in (*analysis.warnings, *clock_warnings(analysis.sessions)))
    if analysis.baseline is None:
        return analysis
    warnings = (*told, *analysis.baseline.warnings)
    return replace(analysis, baseline=replace(analysis.baseline, command=command, warnings=warnings))


def _counterparts(pairs: Sequence[str], then: "Snapshot", now: "Snapshot") -> Mapping[str, str]:
    """The model of the earlier run that each named model of the later one is compared with."""
    found: dict[str, str] = {}
    for text in pairs:
        old, _, new = text.partition("=")
        for model, snapshot, when in ((old, then, "earlier"), (new, now, "later")):
            if model not in snapshot.spec.models:
                there = ", ".join(snapshot.spec.models)
                raise UsageError(f"--pair {text!r}: the {when} run has no model {model!r}; it has {there}")
        if new in found:
            raise UsageError(f"--pair {text!r}: {new!r} is paired with {found[new]!r} already; name it once")
        found[new] = old
    return found


def _print(analysis: "Analysis", hidden: "Redaction") -> None:
    from evalkit.cli.terminal import console
    from evalkit.report import COMPARISON, build_report

    report = build_report(analysis, COMPARISON)
    if report.simulated:
        say("SIMULATED")
    say(hidden.name(report.sections[0].heading) + ".")
    console().print(_table(analysis, console().width, hidden))
    then = analysis.baseline
    for line in (*((*then.differs, *then.warnings) if then else ()), *hidden.notes):
        say(f"! {hidden.name(line)}")


_LEAST_FIRST = ("latency ratio", "cost ratio", "better on", "worse on")
"""What a terminal that is too narrow for all columns leaves out."""


def _table(analysis: "Analysis", width: int, hidden: "Redaction") -> "Table":
    """One row a pair: rates then and now, their paired difference, ratios of cost and time, items that changed."""
    from evalkit.cli.fitted import fitted, least_width
    from evalkit.cli.summary import cell
    from evalkit.models import display_name
    from evalkit.pairing import in_order
    from evalkit.series import lineup
    from evalkit.wording import listing, value

    pairs, models = in_order(analysis, lineup(analysis)), analysis.spec.models
    columns = {
        "then": [f"{hidden.name(display_name(pair.a, models))}\n{value(pair.then, 'percent')}" for pair in pairs],
        "now": [f"{analysis.model(pair.b).name}\n{value(pair.now, 'percent')}" for pair in pairs],
        "difference": [cell(pair.difference, "points") for pair in pairs],
        "cost ratio": [cell(pair.cost_ratio, "ratio") for pair in pairs],
        "latency ratio": [cell(pair.latency_ratio, "ratio") for pair in pairs],
        "better on": [f"{len(pair.improved)} of {pair.items}" for pair in pairs],
        "worse on": [f"{len(pair.regressed)} of {pair.items}" for pair in pairs],
    }
    told = "difference in points, in brackets 95% intervals; cost per satisfactory output"
    left_out: list[str] = []
    while least_width(columns, ("then", "now")) > width and len(left_out) < len(_LEAST_FIRST):
        left_out.append(_LEAST_FIRST[len(left_out)])
        del columns[left_out[-1]]
    if left_out:
        told += f"; a wider terminal shows {listing(left_out)} too"
    return fitted(columns, ("then", "now"), width, told)
