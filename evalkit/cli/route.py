"""`evalkit route`: what each routing policy would cost, how good and how slow it would be, on graded outputs."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from evalkit.cli import route_export
from evalkit.cli.route_options import FailureUsd, Features, Mix, Run, Scores, analysed

DEFAULT = "value"


class ValueByDefault(TyperGroup):
    """A group in which what names no command of its own is the run file to value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command in where none is named."""
        named = bool(args) and args[0] in self.commands
        if not named and args[:1] not in (["--help"], ["-h"]):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    purpose = "Say what each routing policy would cost, how good and how slow it would be, on graded outputs."
    group = typer.Typer(
        cls=ValueByDefault, help=f"{purpose}\n\nExample: evalkit route runs/support-replies-1a2b3c4d.db"
    )
    group.command(DEFAULT)(value)
    group.command("export")(route_export.export)
    app.add_typer(group, name="route")


def value(
    run: Run = None,
    failure_usd: FailureUsd = None,
    mix: Mix = None,
    features: Features = None,
    scores: Scores = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:  # fmt: skip
    """Value every routing policy on a run's graded outputs, and say whether routing pays. Nothing is sent.

    Examples:

      evalkit route runs/support-replies-1a2b3c4d.db

      evalkit route --failure-usd 2.50 --json
    """
    from evalkit.route import route

    analysis, asked = analysed(run, failure_usd, mix, features, scores)
    found = route(analysis, asked)
    if as_json:
        from evalkit.rendering import json

        typer.echo(json.dump({"run": analysis.spec.name, "simulated": analysis.simulated, "routing": found}), nl=False)
        return
    from evalkit.cli.route_table import print_routing

    print_routing(analysis, found)
