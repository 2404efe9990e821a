"""`evalkit demo`: the whole way from dataset to report against the sandbox, without an API key."""

from pathlib import Path
from typing import Annotated

import typer

from evalkit import in_flight
from evalkit.cli import options

FAULT_RATES = {"overloaded": 0.02, "rate_limited": 0.01, "stream_error": 0.01}
"""Some first attempts fail, as they do in production, so that the ledger has something to show."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    dataset: Annotated[Path, typer.Argument(help="Test set to demonstrate.")] = Path("datasets/support-replies.jsonl"),
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the HTML report goes.")] = Path(
        "reports/demo.html"
    ),
    seed: Annotated[int, typer.Option(help="Seed of run and sandbox.")] = 4,
    concurrency: Annotated[int, typer.Option("-j", "--concurrency", min=1, max=in_flight.MOST)] = 24,
    speed: Annotated[float, typer.Option(min=0, help="Times faster than a real API; 0 means no delays.")] = 1.0,
    folder: options.RunsFolder = Path("runs"),
) -> None:
    """Run, grade blind and report the shipped example against a simulated Claude API. Needs no key.

    Example: evalkit demo
    """
    from evalkit.cli.grade import grade
    from evalkit.cli.report import FORMATS, report
    from evalkit.cli.run import run
    from evalkit.sandbox.server import running
    from evalkit.sandbox.settings import SandboxSettings

    with running(SandboxSettings(seed=seed, speed=speed, fault_rates=FAULT_RATES)) as url:
        path = run(dataset, seed=seed, concurrency=concurrency, base_url=url, folder=folder)
        grade(path, concurrency=concurrency, base_url=url, by="judges")
    report(path, output=[output.with_suffix(suffix) for suffix in FORMATS])
