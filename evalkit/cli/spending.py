"""The line before money is spent: what it may cost, and whether to go on."""

import os
import re
import signal
import sys
from collections.abc import Collection, Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

import typer

from evalkit.cli.terminal import say
from evalkit.errors import InterruptedRunError, UsageError
from evalkit.models import BEDROCK, BEDROCK_URLS, alias_warning, same_model

if TYPE_CHECKING:
    from evalkit.bill import Bill
    from evalkit.charged import Charged

_A_SLIP = 0.85
"""How alike the letters of two ids are of which one is the other with a letter wrong."""


def confirm(what: str, yes: bool, free: bool, capped: bool, quiet: bool = False) -> None:
    """Go on only with consent: --yes, a budget, a server that bills nothing, or an answer on the terminal.

    `quiet` says what it is about only to somebody who is asked.

    Raises UsageError where nobody can be asked, InterruptedRunError for Ctrl-C, and typer.Exit if the answer is no.
    """
    asks = not (yes or free) and sys.stdin.isatty() and sys.stderr.isatty()
    if asks or not quiet:
        say(what, err=True)
    if yes or free:
        return
    if asks:
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


def check_models(
    models: Sequence[str], router: str | None, base_url: str | None, priced: Collection[str], *, silent: bool
) -> None:
    """What there is to say of a run's models: `check_server` and `warn_of_ids`."""
    asked = [*models, *filter(None, [router])]
    check_server(base_url, asked)
    if not silent:
        warn_of_ids(asked, priced)


def check_server(base_url: str | None, models: Sequence[str]) -> None:
    """UsageError where --base-url would be asked nothing: a request must not go elsewhere than its user thinks.

    Not where a server is named for Bedrock.
    """
    named = any(os.environ.get(name) for name in BEDROCK_URLS)
    if base_url is not None and not named and all(model.startswith(BEDROCK) for model in models):
        raise UsageError(
            "--base-url is a server of Anthropic's API, and all models are on Bedrock; name another server for those by"
            f" {BEDROCK_URLS[1]} (profiles, ARNs and ids with a version) and {BEDROCK_URLS[0]}"
        )


def warn_of_ids(models: Sequence[str], priced: Collection[str]) -> None:
    """One line for each id that is no pin, and for each whose prices evalkit.yaml seems to have under another one."""
    for warning in filter(None, map(alias_warning, models)):
        say(f"warning: {warning}", err=True)
    for model in (model for model in models if model not in priced):
        here = [other for other in priced if other.startswith(BEDROCK) == model.startswith(BEDROCK)]
        alike = [other for other in here if same_model(other, model) or _is_slip(other, model)]
        if alike and alike[0] not in models:
            told = f"evalkit.yaml has prices of {alike[0]!r}, which say nothing of {model!r}"
            say(f"warning: {told}; write them under the id that is asked for", err=True)


def _is_slip(one: str, other: str) -> bool:
    """Whether two ids have the same numbers, and nearly the same letters."""
    (digits, letters), (of_other, its_letters) = (
        (re.findall(r"\d+", model), re.sub(r"\d", "", model)) for model in (one, other)
    )
    return digits == of_other and SequenceMatcher(None, letters, its_letters).ratio() >= _A_SLIP


def capped(budget_usd: float | None, charged: "Charged") -> str:
    """The budget as the end of the confirmation line; empty without one."""
    return "" if budget_usd is None else f", budget ${budget_usd:,.10g} for run and grade ({charged.words(dollars)})"


def dollars(amount: float | None) -> str:
    """An amount for the confirmation line."""
    return "unpriced" if amount is None else f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}"


def at_most(worst_usd: float | None) -> str:
    """The most that something can cost; an unknown price makes no bound."""
    return "unpriced" if worst_usd is None else f"at most {dollars(worst_usd)}"


def foreseen(expected_usd: float | None, worst_usd: float | None) -> str:
    """What something is expected to cost, and the most that it can."""
    if expected_usd is None or worst_usd is None:
        return "unpriced"
    return f"about {dollars(expected_usd)}, {at_most(worst_usd)}"


def bound_lines(bill: "Bill") -> list[str]:
    """Which part of the most that requests can cost is a bound for want of a count, and what brings it nearer."""
    from evalkit.fitting import COUNTED_WHOLE

    uncounted, requests = (sum(getattr(line, name) for line in bill.lines) for name in ("uncounted", "requests"))
    longer = ", prompts a tenth longer than counted" if uncounted < requests else ""
    lines = [f"  at most: answers as long as allowed{longer}, US prices unless 'inference_geo' in the params is global"]
    if uncounted:
        closer = "this server counts none"
        if uncounted < requests:
            few = requests <= COUNTED_WHOLE
            closer = (
                "one of the servers does not count them"
                if few
                else f"of up to {COUNTED_WHOLE:,} prompts (-n) each is counted"
            )
        lines.append(
            f"  at most: {uncounted:,} of {requests:,} prompts are not counted and may have a token a byte, where"
            f" English has one in 3 to 4; {closer}"
        )
    if bill.judges:
        lines.append("  at most, judging: prompts of a token a byte, with outputs and grades as long as allowed")
    return lines
