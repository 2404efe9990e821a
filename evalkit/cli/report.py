"""`evalkit report`: the answer, in the forms that the endings name, and in short on the terminal."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.cli import report_files, urls
from evalkit.cli.terminal import say

if TYPE_CHECKING:
    from evalkit.analysis import Analysis
    from evalkit.records import Snapshot
    from evalkit.redaction import Redaction

FORMATS = (".html", ".md", ".json")

Run = Annotated[
    Path | None,
    typer.Argument(parser=urls.readable_run, help="Run file (default: the newest).", show_default=False),
]
Output = Annotated[
    list[Path] | None,
    typer.Option(
        "-o", "--output", parser=urls.writable, show_default=False,
        help="File to write, format by its ending (.html .md .json .csv .xlsx .parquet), repeatable"
        " (default: reports/<run>.html, .md and .json; none with --json).",
    ),
]  # fmt: skip
Baseline = Annotated[
    Path | None,
    typer.Option(
        parser=urls.readable, help="Earlier run of the same dataset and rubric to compare with.", show_default=False
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def _print_schema(wanted: bool) -> None:
    if wanted:
        from importlib.resources import files

        typer.echo(files("evalkit").joinpath("schemas", "report.schema.json").read_text(encoding="utf-8"), nl=False)
        raise typer.Exit


def report(
    run: Run = None,
    output: Output = None,
    baseline: Baseline = None,
    peek: report_files.Peek = False,
    redact: report_files.Redact = None,
    no_outputs: report_files.NoOutputs = False,
    as_json: report_files.AsJson = False,
    _json_schema: Annotated[
        bool,
        typer.Option("--json-schema", is_eager=True, callback=_print_schema, help="Print the JSON's schema and exit."),
    ] = False,
    quiet: report_files.Quiet = False,
) -> None:  # fmt: skip
    """Write the report of a run and print its answer; not while people are grading it.

    Examples:

      evalkit report

      evalkit report runs/support-replies-1a2b3c4d.db -o report.html -o trials.csv

      evalkit report s3://team/runs/support.db -o s3://team/reports/support.html

      evalkit report --json --no-outputs | jq .headline
    """
    from evalkit.analysis import analyze
    from evalkit.cli.places import find_run, router_run
    from evalkit.files import read_config
    from evalkit.forms import check_endings
    from evalkit.pricing import Prices
    from evalkit.route import Asked, with_routing
    from evalkit.showing import refuse_itself, snapshot_to_show

    path = find_run(run)
    paths = output or ([] if as_json else [Path("reports") / f"{path.stem}{suffix}" for suffix in FORMATS])
    check_endings(paths)
    hidden = report_files.redaction(redact, no_outputs)
    snapshot = snapshot_to_show(path, peek)
    earlier = None if baseline is None else _earlier(baseline)
    if baseline is not None and earlier is not None:
        refuse_itself(earlier, snapshot, baseline, path)
    analysis = analyze(snapshot, earlier, Prices(read_config(Path("evalkit.yaml")).prices))
    analysis = with_routing(analysis, Asked(router_run=router_run(path)))
    shown = report_files.shown(analysis, snapshot, hidden, path)
    written = report_files.write(paths, shown)
    if not quiet and not as_json:
        _print_summary(replace(shown.analysis, workers=analysis.workers), hidden)  # who runs it may know the machines
    report_files.tell(written, to_stderr=as_json, quiet=quiet)
    if as_json:
        typer.echo(shown.json, nl=False)


def _earlier(baseline: Path) -> "Snapshot":
    """The run to compare with, unless people are grading it."""
    from evalkit.showing import refuse_while_graded
    from evalkit.store import RunFile

    with RunFile(baseline, read_only=True) as file:
        snapshot = file.snapshot()
    refuse_while_graded(snapshot, "compare")
    return snapshot


def _print_summary(analysis: "Analysis", hidden: "Redaction") -> None:
    from evalkit.analysis.sessions import clock_warnings
    from evalkit.analysis.workers import worker_warnings
    from evalkit.cli.summary import summary_table, sweep_table, verdict_lines
    from evalkit.cli.terminal import console

    for line in verdict_lines(analysis):
        say(hidden.name(line))
    screen = console()
    screen.print(summary_table(analysis, screen.width))
    sizes = sweep_table(analysis, screen.width)
    if sizes is not None:
        screen.print(sizes)
    for warning in (*analysis.warnings, *clock_warnings(analysis.sessions), *worker_warnings(analysis.workers)):
        say(f"! {hidden.name(warning)}")
