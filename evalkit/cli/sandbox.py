"""`evalkit sandbox`: a simulated Claude API on this machine, to try things without a key."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from evalkit.cli.terminal import say
from evalkit.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sandbox")(sandbox)


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 8765,
    seed: Annotated[int, typer.Option(help="Another seed gives other answers.")] = 1,
    speed: Annotated[float, typer.Option(min=0, help="Times faster than a real API; 0 means no delays.")] = 1.0,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="Share of first attempts that fail, e.g. overloaded=0.05; repeatable.", show_default=False),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(help="Leave out models, batches, count_tokens or rate_headers.", show_default=False),
    ] = None,
    bills: Annotated[
        Path | None, typer.Option(help="Write what would be billed to this file, a JSON line a request.")
    ] = None,
) -> None:
    """Serve a simulated Claude API on loopback. What it answers is marked SIMULATED wherever it is shown.

    Example: evalkit sandbox --port 8765, and in another terminal
    evalkit run datasets/support-replies.jsonl --base-url http://127.0.0.1:8765

    Five of its models judge with a bias, to see whether it is found out: sandbox-judge-position, -verbosity, -partial
    (to the opus tier), -lenient and -random, as in evalkit grade --side-by-side --judge sandbox-judge-position
    """
    from evalkit.sandbox.server import serve
    from evalkit.sandbox.settings import SandboxSettings

    settings = SandboxSettings(
        seed=seed,
        speed=speed,
        fault_rates=dict(map(_rate, fault or [])),
        without=frozenset(without or []),
        bills=bills,
    )
    with suppress(KeyboardInterrupt):  # the way to end it
        serve(settings, port=port, ready=lambda url: say(f"simulated Claude API at {url} (Ctrl-C ends it)"))


def _rate(text: str) -> tuple[str, float]:
    name, _, share = text.partition("=")
    try:
        return name, float(share)
    except ValueError as error:
        raise UsageError(f"--fault {text!r} is not NAME=SHARE; write e.g. overloaded=0.05") from error
