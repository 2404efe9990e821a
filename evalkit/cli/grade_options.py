"""Options of `grade`, each described once."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from evalkit.cli import urls
from evalkit.panel import JudgeContext

RunFile = Annotated[
    Path | None, typer.Argument(parser=urls.local, help="Run file (default: the newest).", show_default=False)
]
Blind = Annotated[
    bool, typer.Option("--blind/--no-blind", help="Hide who wrote what; --no-blind is stamped on every result.")
]
By = Annotated[
    Literal["people", "judges", "checks"] | None,
    typer.Option("--by", help="Who grades (default: people on a terminal, else judges).", show_default=False),
]
SameRubric = Annotated[
    Path | None,
    typer.Option(
        "--rubric", parser=urls.readable, help="Make sure that the run was made with this rubric.", show_default=False
    ),
]
SideBySide = Annotated[
    bool | None,
    typer.Option(
        "--side-by-side/--one-by-one",
        help="An item's outputs together: people see all of them, judges two at a time in both orders.",
        show_default=False,
    ),
]

# --- of people

Grader = Annotated[
    list[str] | None,
    typer.Option(
        "--grader",
        help="Person who grades; repeatable (default: a name made of your login, which it does not tell).",
        show_default=False,
    ),
]
Overlap = Annotated[
    int | None, typer.Option(min=1, help="People who grade each item (default: all).", show_default=False)
]
RepeatShare = Annotated[
    float | None,
    typer.Option(min=0.0, max=0.5, help="Share of outputs that a person gets twice (0.05).", show_default=False),
]
AskAuthor = Annotated[
    bool | None,
    typer.Option("--ask-author/--no-ask-author", help="Ask who wrote what, once all is graded.", show_default=False),
]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the page.", show_default=False)]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Print the link only.")]
Calibrate = Annotated[
    int | None,
    typer.Option(
        "--calibrate",
        min=1,
        metavar="N",
        help="People grade about N outputs, items drawn at random, to see how far the judges are right (50 is good).",
        show_default=False,
    ),
]
Discordant = Annotated[
    bool,
    typer.Option("--discordant", help="People grade each item on which a judge tells models apart, and some others."),
]
ConcordantShare = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=1.0,
        help="Share of the others that --discordant draws, at least 10 items (0.2).",
        show_default=False,
    ),
]
Tty = Annotated[bool, typer.Option("--tty", help="Grade in this terminal.")]
Export = Annotated[
    Path | None,
    typer.Option(
        "--export",
        parser=urls.local,
        help="Write what to grade in elsewhere: .xlsx, .csv or .html (one offline page).",
        show_default=False,
    ),
]
Import = Annotated[
    Path | None,
    typer.Option("--import", parser=urls.local, help="Read what came back: .xlsx, .csv or .json.", show_default=False),
]
Close = Annotated[bool, typer.Option("--close", help="Close the round in which people grade.")]
Round = Annotated[
    int | None,
    typer.Option("--round", min=1, help="Round to close, where several are open.", show_default=False),
]

# --- of judges

Judge = Annotated[
    list[str] | None,
    typer.Option("--judge", help="Model that judges; repeatable (default: evalkit.yaml's).", show_default=False),
]
JudgeRepeats = Annotated[
    int | None, typer.Option(min=1, max=20, help="How often each judge is asked the same.", show_default=False)
]
Reading = Annotated[
    JudgeContext | None,
    typer.Option(
        "--judge-context",
        help="What a judge reads beside the output. reference: input and reference. evidence (default): also the"
        " documents marked as evidence, where an item has any: facts to hold the output against, at little cost."
        " full: all documents, for a rubric that asks about them; at a large context this costs more than the outputs"
        " did.",
        show_default=False,
    ),
]
AllowOwnJudge = Annotated[
    bool, typer.Option("--allow-own-judge", help="Allow a judge that is one of the models compared.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what the judges would cost; send nothing.")]
