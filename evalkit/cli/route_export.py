"""`evalkit route export`: a valued policy as a file that runs in production."""

from pathlib import Path
from typing import Annotated

import typer

from evalkit.cli import urls
from evalkit.cli.route_options import FailureUsd, Features, Mix, Run, Scores
from evalkit.cli.terminal import say


def export(
    run: Run = None,
    policy: Annotated[
        str | None, typer.Option(metavar="NAME", help="Policy (default: the decision's).", show_default=False)
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", parser=urls.writable, help="File to write.")] = Path(
        "router.json"
    ),
    failure_usd: FailureUsd = None,
    mix: Mix = None,
    features: Features = None,
    scores: Scores = None,
) -> None:
    """Write a policy, its numbers set on all items, for `evalkit.router` to run: see docs/routing.md.

    Example: evalkit route export runs/support-replies-1a2b3c4d.db --policy signals -o router.json
    """
    from evalkit.cli.route_options import analysed
    from evalkit.files import write_whole
    from evalkit.rendering import json
    from evalkit.route import export as exported

    analysis, asked = analysed(run, failure_usd, mix, features, scores)
    file, warning = exported(analysis, asked, policy)
    write_whole(output, json.dump(file))
    urls.deliver(output)
    if warning is not None:
        say(f"warning: {file.policy} is not what was decided: {warning}", err=True)
    say(f"{urls.as_given(output)}: {file.policy}{' (SIMULATED)' if file.simulated else ''}")
