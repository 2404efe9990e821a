"""`evalkit grade`: blind grades for a run's outputs, by deterministic checks and an LLM judge."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.spending import warn_of_aliases


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("grade")(grade)


def grade(
    run: Annotated[Path | None, typer.Argument(help="Run file (default: the newest).", show_default=False)] = None,
    blind: Annotated[
        bool,
        typer.Option("--blind/--no-blind", help="Hide who wrote what; --no-blind is stamped on every result."),
    ] = True,
    judge: Annotated[
        str | None,
        typer.Option("--judge", help="Model that judges (default: evalkit.yaml's).", show_default=False),
    ] = None,
    no_judge: Annotated[bool, typer.Option("--no-judge", help="Deterministic checks only.")] = False,
    rubric: Annotated[
        Path | None, typer.Option(help="Make sure that the run was made with this rubric.", show_default=False)
    ] = None,
    concurrency: options.Concurrency = None,
    budget_usd: options.BudgetUsd = None,
    base_url: options.BaseUrl = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what the judge would cost; send nothing.")] = False,
    yes: options.Yes = False,
    quiet: options.Quiet = False,
) -> None:
    """Grade the outputs of a run. The same command again grades only what has no grade yet.

    Examples:

      evalkit grade --blind

      evalkit grade --blind runs/support-replies-1a2b3c4d.db --judge claude-sonnet-5-5 --budget-usd 45 --yes
    """
    from evalkit.cli.grade_judges import JudgeSession
    from evalkit.cli.places import find_run
    from evalkit.files import read_config
    from evalkit.pricing import Prices
    from evalkit.queues import rubric_of
    from evalkit.store import RunFile

    config = read_config(Path("evalkit.yaml"))
    path = find_run(run)
    with RunFile(path, read_only=dry_run) as file:
        criteria = rubric_of(file.snapshot())
        if rubric is not None:
            _same_rubric(rubric, criteria.sha256)
        model = None if no_judge or not criteria.judged else (judge or config.judge)
        warn_of_aliases([] if model is None else [model])
        session = JudgeSession(
            model,
            blind=blind,
            concurrency=concurrency or config.concurrency,
            budget_usd=config.budget_usd if budget_usd is None else budget_usd,
            base_url=base_url or config.base_url,
            dry_run=dry_run,
            yes=yes,
            quiet=quiet,
            prices=Prices(config.prices),
        )
        asyncio.run(session.grade(file))


def _same_rubric(path: Path, sha256: str) -> None:
    from evalkit.errors import IntegrityError
    from evalkit.files import read_rubric

    found = read_rubric(path)
    if found.sha256 != sha256:
        raise IntegrityError(
            f"rubric {str(path)!r} ({found.sha256[:12]}) is not the one fixed before this run ({sha256[:12]});"
            " make a new run, or leave --rubric out"
        )
