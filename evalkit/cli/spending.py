"""The line before money is spent: what it may cost, and whether to go on."""

import signal
import sys

import typer

from evalkit.errors import InterruptedRunError, UsageError


def confirm(what: str, yes: bool, free: bool, capped: bool) -> None:
    """Go on only with consent: --yes, a budget, a server that bills nothing, or an answer on the terminal.

    Raises UsageError where nobody can be asked, InterruptedRunError for Ctrl-C, and typer.Exit if the answer is no.
    """
    typer.echo(what, err=True)
    if yes or free:
        return
    if sys.stdin.isatty() and sys.stderr.isatty():
        if not _agreed():
            raise typer.Exit(0)
        return
    if not capped:
        raise UsageError("this would spend money and nobody can be asked; add --yes, or a cap with --budget-usd")


def _agreed() -> bool:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # an event loop would put Ctrl-C off
    try:
        return typer.confirm("Go on?", err=True)
    except typer.Abort as error:
        raise InterruptedRunError("nothing was sent; run the same command when you are ready") from error
    finally:
        signal.signal(signal.SIGINT, before)


def dollars(amount: float | None) -> str:
    """An amount for the confirmation line."""
    return "unpriced" if amount is None else f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}"
