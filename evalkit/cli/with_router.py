"""`evalkit run --with-router`: a small model classifies every request too, in a run of its own beside the first."""

from copy import copy
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.cli.choice import Choice
from evalkit.cli.spending import dollars
from evalkit.cli.terminal import in_shell
from evalkit.errors import BudgetError, UsageError

if TYPE_CHECKING:
    from evalkit.cli.run import Session


async def run_with_router(session: "Session", chosen: Choice, place: Path, router: str) -> Path:
    """The run, then that of the small model, which may spend what the first one leaves of the budget."""
    from evalkit.claims import charged
    from evalkit.cli.places import router_file
    from evalkit.router import CLASSIFIER_MAX_TOKENS
    from evalkit.routing.classifying import classifying
    from evalkit.store import RunFile

    if chosen.options.contexts[1:] or chosen.source is not None:
        raise UsageError("--with-router needs a run of all items at one size; leave it or the other option out")
    await _check_model(session, router)
    prepared = await session.run(chosen, place)
    requests = classifying(prepared.plan.spec.name, prepared.plan.items, chosen.dataset.documents)
    options = replace(
        chosen.options, models=(router,), contexts=(), limit=None, cache="off", max_tokens=CLASSIFIER_MAX_TOKENS
    )
    apart = copy(session)
    apart.panel = None  # nobody grades it
    file = router_file(prepared.path)
    if session.budget_usd is not None and prepared.path.exists():
        with RunFile(prepared.path, read_only=True) as run:
            borne = charged(run.snapshot(), datetime.now(UTC), chosen.options.prices)
        if borne.borne_usd >= session.budget_usd and not file.exists():
            told = f"nothing of the budget of {dollars(session.budget_usd)} is left for the router"
            raise BudgetError(f"{told} ({borne.words(dollars)}); raise --budget-usd")
        apart.budget_usd = max(session.budget_usd - borne.borne_usd, 1e-9)  # which lets nothing through
    if not session.dry_run:
        file.parent.mkdir(parents=True, exist_ok=True)
    then = f"grade --blind {in_shell(prepared.path)}"
    await apart.run(replace(chosen, dataset=requests, options=options), file, then, beside=prepared.path)
    session.talk.ending.update(run=str(prepared.path), router_run=str(file))
    return prepared.path


async def _check_model(session: "Session", router: str) -> None:
    """UsageError for a model that the server does not have, before anything is spent."""
    from evalkit.providers.dispatch import open_provider

    provider = open_provider((router,), session.base_url, session.concurrency, session.timeout_s)
    try:
        problems = (await provider.preflight((router,))).problems
    finally:
        await provider.close()
    if problems:
        raise UsageError("\n".join(problems))
