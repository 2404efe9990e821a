"""`evalkit report`: the answer, as one HTML file, Markdown, JSON or CSV, and in short on the terminal."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.errors import UsageError

if TYPE_CHECKING:
    from evalkit.analysis import Analysis

FORMATS = (".html", ".md", ".json")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(
    run: Annotated[Path | None, typer.Argument(help="Run file (default: the newest).", show_default=False)] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "-o", "--output", show_default=False,
            help="File to write, format by its ending (.html .md .json .csv), repeatable"
            " (default: reports/<run>.html, .md and .json).",
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(help="Earlier run of the same dataset and rubric to compare with.", show_default=False),
    ] = None,
    peek: Annotated[
        bool, typer.Option("--peek", help="Show results although people are still grading; it is recorded.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No table on the terminal.")] = False,
) -> None:  # fmt: skip
    """Write the report of a run and print its answer; not while people are grading it.

    Examples:

      evalkit report

      evalkit report runs/support-replies-1a2b3c4d.db -o report.html -o trials.csv
    """
    from evalkit.analysis import analyze, trials_csv
    from evalkit.cli.places import find_run
    from evalkit.files import read_config, write_whole
    from evalkit.pricing import Prices
    from evalkit.showing import refuse_while_graded, snapshot_to_show
    from evalkit.store import RunFile

    path = find_run(run)
    paths = output or [Path("reports") / f"{path.stem}{suffix}" for suffix in FORMATS]
    for target in paths:
        if target.suffix not in (*FORMATS, ".csv"):
            raise UsageError(f"{str(target)!r}: unknown format; end it in .html, .md, .json or .csv")
    snapshot, earlier = snapshot_to_show(path, peek), None
    if baseline is not None:
        with RunFile(baseline, read_only=True) as file:
            earlier = file.snapshot()
        refuse_while_graded(earlier)
    analysis = analyze(snapshot, earlier, Prices(read_config(Path("evalkit.yaml")).prices))
    texts = [trials_csv(snapshot) if t.suffix == ".csv" else _rendered(t.suffix, analysis) for t in paths]
    for target, text in zip(paths, texts, strict=True):
        write_whole(target, text)
    if not quiet:
        _print_summary(analysis)
    for target in paths:
        typer.echo(f"{target} ({target.stat().st_size / 1000:,.0f} kB)")


def _rendered(suffix: str, analysis: "Analysis") -> str:
    from evalkit.report import render_html, render_json, render_markdown

    return {".html": render_html, ".md": render_markdown, ".json": render_json}[suffix](analysis)


def _print_summary(analysis: "Analysis") -> None:
    from evalkit.analysis.sessions import lateness
    from evalkit.cli.summary import summary_table, sweep_table, verdict_lines
    from evalkit.cli.terminal import console

    for line in verdict_lines(analysis):
        typer.echo(line)
    console().print(summary_table(analysis))
    sizes = sweep_table(analysis)
    if sizes is not None:
        console().print(sizes)
    late = lateness(analysis.sessions)
    for warning in (*analysis.warnings, *((late,) if late else ())):
        typer.echo(f"! {warning}")
