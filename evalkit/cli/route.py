"""`evalkit route`: what each routing policy would cost, how good and how slow it would be, on graded outputs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from evalkit.cli.own_numbers import FEATURES, SCORES, own_numbers

if TYPE_CHECKING:
    from evalkit.analysis import Analysis

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
    group = typer.Typer(cls=ValueByDefault, help=__doc__)
    group.command(DEFAULT)(value)
    app.add_typer(group, name="route")


def value(
    run: Annotated[Path | None, typer.Argument(help="Run file (default: the newest).", show_default=False)] = None,
    failure_usd: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="USD", show_default=False,
            help="What an unsatisfactory answer costs (default: its correction, as measured or as the rubric says).",
        ),
    ] = None,
    mix: Annotated[
        str | None,
        typer.Option(
            metavar="SHARES", show_default=False,
            help="Production's mix of difficulties, as easy=.7,medium=.25,hard=.05 (default: that of the items).",
        ),
    ] = None,
    features: Annotated[Path | None, FEATURES] = None,
    scores: Annotated[Path | None, SCORES] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:  # fmt: skip
    """Value every routing policy on a run's graded outputs, and say whether routing pays. Nothing is sent.

    Examples:

      evalkit route runs/support-replies-1a2b3c4d.db

      evalkit route --failure-usd 2.50 --json
    """
    from evalkit.cli.places import find_run, router_run
    from evalkit.route import Asked, route
    from evalkit.routing.mix import read_mix

    shares = None if mix is None else read_mix(mix)
    path = find_run(run)
    analysis = _analysed(path)
    own, known = own_numbers(analysis, features, scores)
    found = route(analysis, Asked(failure_usd, own, shares, router_run(path), known))
    if as_json:
        from evalkit.rendering import json

        typer.echo(json.dump({"run": analysis.spec.name, "simulated": analysis.simulated, "routing": found}), nl=False)
        return
    from evalkit.cli.route_table import print_routing

    print_routing(analysis, found)


def _analysed(run: Path) -> "Analysis":
    from evalkit.analysis import analyze
    from evalkit.conditional import refuse
    from evalkit.files import read_config
    from evalkit.pricing import Prices
    from evalkit.showing import snapshot_to_show

    snapshot = snapshot_to_show(run)
    refuse(snapshot.spec, "routed")
    return analyze(snapshot, prices=Prices(read_config(Path("evalkit.yaml")).prices))
