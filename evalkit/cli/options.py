"""Options that commands share or that `run` has, each described once."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from evalkit import in_flight
from evalkit.cli import urls

MOST_USD = 1e9
"""No amount that is given is larger; infinity is none."""

Rubric = Annotated[
    Path | None,
    typer.Option(
        "--rubric",
        parser=urls.readable,
        show_default=False,
        help="Rubric (default: that of the same name in rubrics/).",
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option("-j", "--concurrency", min=1, max=in_flight.MOST, help="Most requests in flight (default: 8)."),
]
BudgetUsd = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=MOST_USD,
        show_default=False,
        help="Most that the run file may cost in all, run and grade together (default: evalkit.yaml's).",
    ),
]
BaseUrl = Annotated[str | None, typer.Option(help="Another server with the same API.")]
Yes = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask before spending.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Errors only.")]
RunsFolder = Annotated[Path, typer.Option("--runs", help="Folder of the run files.")]

# --- of `run` alone

TestSet = Annotated[
    Path | None,
    typer.Argument(parser=urls.readable_dataset, help="Test set, one JSON object a line.", show_default=False),
]
Models = Annotated[
    list[str] | None,
    typer.Option("-m", "--model", help="Model id, repeatable (default: the line-up).", show_default=False),
]
Epochs = Annotated[int | None, typer.Option(min=1, max=100, help="Repetitions of each item (default: 1).")]
Limit = Annotated[int | None, typer.Option("-n", "--limit", min=1, help="Only the first N items.")]
Seed = Annotated[int | None, typer.Option(help="Seed of order and context (default: 1).")]
Context = Annotated[
    str | None,
    typer.Option(help="Fill prompts up to N tokens (default: the dataset card's); 2k,10k,50k runs every size."),
]
MaxTokens = Annotated[
    int | None, typer.Option(min=1, help="Longest answer, where the dataset says nothing (default: 1024).")
]
OnlyUnsatisfactory = Annotated[
    str | None, typer.Option(metavar="MODEL", help="Only items on which MODEL failed every epoch in the run of --from.")
]
Source = Annotated[
    Path | None,
    typer.Option("--from", parser=urls.readable, help="Run file to choose items from.", show_default=False),
]
WithRouter = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        show_default=False,
        help="Have MODEL classify every request too, in a run of its own, for `evalkit route`.",
    ),
]
BudgetBeside = Annotated[
    Path | None,
    typer.Option(
        "--budget-beside",
        metavar="FILE",
        parser=urls.local,
        show_default=False,
        help="Run file that the budget is for as well, e.g. of the baseline's outputs.",
    ),
]
Cache = Annotated[
    Literal["off", "as-production"],
    typer.Option(help="as-production marks for caching what the dataset's card says."),
]
Rpm = Annotated[int | None, typer.Option(min=1, help="Requests a minute and model (default: what the server allows).")]
Tpm = Annotated[
    int | None, typer.Option(min=1, help="Input tokens a minute and model (default: what the server allows).")
]
Timeout = Annotated[float, typer.Option(min=0.1, max=86_400.0, help="Longest wait for one whole answer, seconds.")]
Executor = Annotated[
    Literal["local", "batch", "ray"],
    typer.Option(
        help="batch: Message Batches, half the price, no latency, up to 24 h. ray: sent by a cluster's workers."
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT", help="With ray: the cluster, auto for this machine's own (default: one is started)."
    ),
]
LatencySample = Annotated[int, typer.Option(min=0, metavar="K", help="With batches: stream K items for their latency.")]
Share = Annotated[
    float,
    typer.Option(
        min=0.01, max=1.0, help="Send only this share of the items, drawn by the seed; a larger one goes on later."
    ),
]
RunOutput = Annotated[
    Path | None,
    typer.Option("-o", "--output", parser=urls.local, help="Run file (default: runs/<dataset>-<hash>.db)."),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Progress as JSON, one object a line on stdout; the last is the `done` event.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count and estimate; send and write nothing.")]
