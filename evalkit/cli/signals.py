"""`evalkit signals`: what speaks for another model than the one in use, from a run and from production's own log."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.cli import urls
from evalkit.cli.terminal import say
from evalkit.errors import ProblemsError, UsageError

if TYPE_CHECKING:
    from evalkit.analysis import Analysis
    from evalkit.analysis.evidence import Signal
    from evalkit.analysis.production import Production
    from evalkit.usage_log import UsageLine

_MOST_PROBLEMS = 20
"""Of a log's that are told: production writes the same mistake into a million lines."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("signals")(signals)


def signals(
    run: Annotated[
        Path | None,
        typer.Argument(parser=urls.readable, help="Run file (default: the newest).", show_default=False),
    ] = None,
    usage: Annotated[
        Path | None,
        typer.Option(
            parser=urls.readable, show_default=False,
            help="Log of production, one request a line as JSON (docs/signals.md).",
        ),
    ] = None,
    current: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", show_default=False,
            help="The model in use (default: the log's most frequent, else what the run's rule picks).",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:  # fmt: skip
    """Say what speaks for a stronger model, a cheaper one, or several.

    Examples:

      evalkit signals

      evalkit signals runs/support-replies-1a2b3c4d.db --usage usage.jsonl
    """
    from evalkit.analysis import analyze
    from evalkit.analysis.production import production
    from evalkit.analysis.signals import find_signals
    from evalkit.cli.places import find_run
    from evalkit.conditional import refuse
    from evalkit.files import read_config
    from evalkit.pricing import Prices
    from evalkit.rendering import json
    from evalkit.showing import snapshot_to_show

    lines = None if usage is None else _read(usage)
    snapshot = snapshot_to_show(find_run(run))
    refuse(snapshot.spec, "read for signals")
    prices = Prices(read_config(Path("evalkit.yaml")).prices)
    analysis = analyze(snapshot, prices=prices)
    chosen = _in_use(analysis, current, lines or ())
    found = analysis.signals if chosen is None else find_signals(analysis, chosen)
    logged = None if lines is None else production(lines, analysis, prices)
    if as_json:
        content = {
            "run": analysis.spec.name, "simulated": analysis.simulated,
            "current": found[0].current if found else None, "signals": found, "production": logged,
        }  # fmt: skip
        typer.echo(json.dump(content), nl=False)
        return
    _print(analysis, found, logged)


def _read(path: Path) -> "tuple[UsageLine, ...]":
    from evalkit.files import read_lines
    from evalkit.usage_log import parse_usage

    lines, problems = parse_usage(read_lines(path, "usage log"), str(path))
    if problems:
        more = len(problems) - _MOST_PROBLEMS
        rest = [f"{path}: {more:,} problems more; correct what writes the log"] if more > 0 else []
        raise ProblemsError([*(str(problem) for problem in problems[:_MOST_PROBLEMS]), *rest])
    return lines


def _in_use(analysis: "Analysis", named: str | None, lines: "tuple[UsageLine, ...]") -> str | None:
    """The run's id of the model in use; None if neither an option nor the log says."""
    from collections import Counter

    from evalkit.models import same_model
    from evalkit.strict import did_you_mean

    ids = [model.model for model in analysis.models]

    def of_run(name: str) -> str | None:
        return name if name in ids else next((i for i in ids if same_model(i, name)), None)

    if named is not None:
        found = of_run(named)
        if found is None:
            raise UsageError(f"--current {named!r} is not in the run; {did_you_mean(named, ids)}")
        return found
    logged = Counter(found for line in lines if (found := of_run(line.model)) is not None)
    return logged.most_common(1)[0][0] if logged else None


def _print(analysis: "Analysis", found: "tuple[Signal, ...]", logged: "Production | None") -> None:
    from evalkit.cli.signal_tables import production_lines, signal_table
    from evalkit.cli.terminal import console
    from evalkit.sections.signals import heading, told_by_verdicts

    if analysis.simulated:
        say("SIMULATED")
    if not found:
        say("No signal can be read: nothing is graded yet; `evalkit grade` first.")
    else:
        say(heading(found, analysis.spec.models))
        terminal = console()
        terminal.print(signal_table(found, terminal.width))
        for line in told_by_verdicts(analysis):
            say(f"! {line}")
    for line in () if logged is None else production_lines(logged):
        say(line)
