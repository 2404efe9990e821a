"""What `route` and `route export` have in common: how policies are valued, and the run they are valued on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.cli import urls
from evalkit.cli.options import MOST_USD
from evalkit.cli.own_numbers import FEATURES, SCORES, own_numbers

if TYPE_CHECKING:
    from evalkit.analysis import Analysis
    from evalkit.route import Asked

Run = Annotated[
    Path | None, typer.Argument(parser=urls.readable_run, help="Run file (default: the newest).", show_default=False)
]
FailureUsd = Annotated[
    float | None,
    typer.Option(
        min=0, max=MOST_USD, metavar="USD", show_default=False,
        help="What an unsatisfactory answer costs (default: its correction, as measured or as the rubric says).",
    ),
]  # fmt: skip
Mix = Annotated[
    str | None,
    typer.Option(
        metavar="SHARES", show_default=False,
        help="Production's mix of difficulties, as easy=.7,medium=.25,hard=.05 (default: that of the items).",
    ),
]  # fmt: skip

Features = Annotated[Path | None, FEATURES]
Scores = Annotated[Path | None, SCORES]


def analysed(
    run: Path | None, failure_usd: float | None, mix: str | None, features: Path | None, scores: Path | None
) -> "tuple[Analysis, Asked]":
    """The run, analysed, and how its policies are to be valued."""
    from evalkit.analysis import analyze
    from evalkit.cli.places import find_run, router_run
    from evalkit.conditional import refuse
    from evalkit.files import read_config
    from evalkit.pricing import Prices
    from evalkit.route import Asked
    from evalkit.routing.mix import read_mix
    from evalkit.showing import snapshot_to_show

    shares = None if mix is None else read_mix(mix)
    path = find_run(run)
    snapshot = snapshot_to_show(path)
    refuse(snapshot.spec, "routed")
    analysis = analyze(snapshot, prices=Prices(read_config(Path("evalkit.yaml")).prices))
    own, known = own_numbers(analysis, features, scores)
    return analysis, Asked(failure_usd, own, shares, router_run(path), known)
