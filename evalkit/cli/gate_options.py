"""Options of `evalkit gate`."""

from pathlib import Path
from typing import Annotated

import typer

from evalkit.cli import urls

RunFile = Annotated[
    Path | None,
    typer.Argument(
        parser=urls.readable_run, help="Run file that holds both models (default: the newest).", show_default=False
    ),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        parser=urls.readable_or_name, help="The pinned model of the run, or a run file of its own.", show_default=False
    ),
]
Candidate = Annotated[
    str | None,
    typer.Option(
        parser=urls.readable_or_name,
        show_default=False,
        help="The model that is to replace it, or a run file of its own.",
    ),
]
Policy = Annotated[
    Path | None,
    typer.Option(
        parser=urls.readable,
        help="What the candidate must show (default: gate.yaml; else 10 points).",
        show_default=False,
    ),
]
Output = Annotated[
    list[Path] | None,
    typer.Option(
        "-o",
        "--output",
        parser=urls.writable,
        help="File to write: .json, .xml (JUnit), .md; repeatable.",
        show_default=False,
    ),
]
OnInconclusive = Annotated[
    str | None,
    typer.Option(help="fail (exit 3), warn or pass (exit 0); default: the policy's.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON alone.")]
Aa = Annotated[bool, typer.Option("--aa", help="The baseline against itself: two epochs of it, or two run files.")]
SensitivityCheck = Annotated[
    bool, typer.Option("--sensitivity-check", help="The candidate is known to be worse: pass if the gate fails it.")
]
AllowSimulated = Annotated[
    bool, typer.Option("--allow-simulated", help="Let the sandbox's outputs pass, for a trial of the gate.")
]
