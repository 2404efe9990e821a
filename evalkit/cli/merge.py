"""`evalkit merge`: several run files of one spec as one."""

from pathlib import Path
from typing import Annotated

import typer

from evalkit.cli import urls
from evalkit.cli.terminal import say


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("merge")(merge)


def merge(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", parser=urls.readable, help="Run files, two or more.", show_default=False),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", parser=urls.writable_new, help="The new run file.", show_default=False)
    ],
) -> Path:
    """Join run files of one dataset, rubric, prompt and settings into a new one; their models may differ.

    Two files that hold requests for the same trial are refused. Grades stay in rounds of their own, which take no more:
    `evalkit grade` lets all outputs be graded together.

    Examples:

      evalkit merge runs/pinned.db runs/candidate.db -o runs/both.db

      evalkit merge laptop.db server-1.db server-2.db -o runs/all.db
    """
    from evalkit.cli.places import check_output
    from evalkit.merging import merge as merge_files
    from evalkit.wording import plural

    check_output(output)
    made = merge_files(files, output)
    urls.deliver(output)
    name = urls.as_given(output)
    settled = "all settled" if made.settled == made.trials else f"{made.settled:,} of them settled"
    say(f"merged: {name} ({plural(made.trials, 'trial')}, {settled}; {', '.join(made.models)})")
    for path in made.growing:
        say(f"! requests are still being sent for {path}; what comes of them is not in {name}: merge when they end")
    if made.rounds:
        one = ", only one of which counts" * (made.rounds > 1)
        say(f"! the grades so far are kept in {plural(made.rounds, 'closed round')}{one}")
    say(f"next: evalkit {urls.next_here('grade --blind', output)}")
    return output
