"""The line before money is spent: what it may cost, and whether to go on."""

import sys

import typer

from evalkit.errors import UsageError


def confirm(what: str, yes: bool, free: bool, capped: bool) -> None:
    """Go on only with consent: --yes, a budget, a server that bills nothing, or an answer on the terminal.

    Raises UsageError where nobody can be asked, and typer.Exit if the answer is no.
    """
    typer.echo(what, err=True)
    if yes or free:
        return
    if sys.stdin.isatty() and sys.stderr.isatty():
        if not typer.confirm("Go on?", err=True):
            raise typer.Exit(0)
        return
    if not capped:
        raise UsageError("this would spend money and nobody can be asked; add --yes, or a cap with --budget-usd")


def dollars(amount: float | None) -> str:
    """An amount for the confirmation line."""
    return "unpriced" if amount is None else f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}"
