"""`evalkit run --with-router`: a small model classifies every request too, in a run of its own beside the first."""

from contextlib import ExitStack
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.cli.choice import Choice
from evalkit.cli.terminal import in_shell
from evalkit.errors import UsageError

if TYPE_CHECKING:
    from evalkit.charged import Charged
    from evalkit.cli.run import Session
    from evalkit.pricing import Prices


async def run_with_router(session: "Session", chosen: Choice, place: Path, router: str) -> Path:
    """The run, then that of the small model: one budget for both files, also where either goes on later."""
    from evalkit.cli.places import router_file
    from evalkit.executors.budget import payers
    from evalkit.router import CLASSIFIER_MAX_TOKENS
    from evalkit.routing.classifying import classifying
    from evalkit.store import RunFile

    if chosen.options.contexts[1:] or chosen.source is not None:
        raise UsageError("--with-router needs a run of all items at one size; leave it or the other option out")
    await _check_model(session, router)
    session.shared_with = router_file
    prepared = await session.run(chosen, place)
    requests = classifying(prepared.plan.spec.name, prepared.plan.items, chosen.dataset.documents)
    options = replace(
        chosen.options, models=(router,), contexts=(), limit=None, cache="off", max_tokens=CLASSIFIER_MAX_TOKENS
    )
    apart = copy(session)
    apart.panel = None  # nobody grades it
    file = router_file(prepared.path)
    apart.shared_with = lambda _: prepared.path
    _refuse_another(file, router)
    if not session.dry_run:
        file.parent.mkdir(parents=True, exist_ok=True)
    then = f"grade --blind {in_shell(prepared.path)}"
    with ExitStack() as held:
        paying = not session.dry_run and prepared.path.exists()
        if paying and session.budget_usd is not None:  # or another run would spend of it meanwhile
            run = held.enter_context(RunFile(prepared.path))
            held.enter_context(run.only_writer(*payers("run", session.budget_usd)))
        await apart.run(replace(chosen, dataset=requests, options=options), file, then, beside=prepared.path)
    session.talk.ending.update(run=str(prepared.path), router_run=str(file))
    return prepared.path


def _refuse_another(file: Path, router: str) -> None:
    """IntegrityError where another model has classified the requests already."""
    from evalkit.errors import IntegrityError
    from evalkit.store import RunFile

    if not file.is_file():
        return
    with RunFile(file, read_only=True) as run:
        models = run.spec().models
    if models != (router,):
        raise IntegrityError(
            f"{file} holds what {', '.join(models)} said of these requests; move it away to have {router} asked"
        )


def charged_of(path: Path, prices: "Prices") -> "Charged":
    """What a run file's requests came to, and may have."""
    from evalkit.claims import charged
    from evalkit.store import RunFile

    with RunFile(path, read_only=True) as run:
        return charged(run.snapshot(), datetime.now(UTC), prices)


async def _check_model(session: "Session", router: str) -> None:
    """UsageError for a model that the server does not have, before anything is spent."""
    from evalkit.providers.dispatch import open_provider

    provider = open_provider((router,), session.base_url, session.concurrency, session.timeout_s)
    try:
        problems = (await provider.preflight((router,))).problems
    finally:
        await provider.close()
    if problems:
        raise UsageError("\n".join(problems.values()))
