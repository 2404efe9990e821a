"""`evalkit grade`: blind grades for a run's outputs, by deterministic checks and LLM judges."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from evalkit.cli.spending import BUDGET_HELP, warn_of_aliases
from evalkit.panel import JudgeContext, Panel

JUDGE_CONTEXT_HELP = (
    "What a judge reads beside the output. reference: input and reference. evidence (default): also the documents"
    " marked as evidence, where an item has any: facts to hold the output against, at little cost. full: all documents,"
    " for a rubric that asks about them; at a large context this costs more than the outputs did."
)


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
        list[str] | None,
        typer.Option("--judge", help="Model that judges; repeatable (default: evalkit.yaml's).", show_default=False),
    ] = None,
    judge_repeats: Annotated[
        int | None, typer.Option(min=1, max=20, help="How often each judge is asked the same.", show_default=False)
    ] = None,
    judge_context: Annotated[JudgeContext | None, typer.Option(help=JUDGE_CONTEXT_HELP, show_default=False)] = None,
    side_by_side: Annotated[
        bool | None,
        typer.Option(
            "--side-by-side/--one-by-one",
            help="Judges prefer one of every two outputs of an item, asked in both orders, or grade one by one.",
            show_default=False,
        ),
    ] = None,
    allow_own_judge: Annotated[
        bool, typer.Option("--allow-own-judge", help="Allow a judge that is one of the models compared.")
    ] = False,
    no_judge: Annotated[bool, typer.Option("--no-judge", help="Deterministic checks only.")] = False,
    rubric: Annotated[
        Path | None, typer.Option(help="Make sure that the run was made with this rubric.", show_default=False)
    ] = None,
    concurrency: Annotated[int | None, typer.Option("-j", "--concurrency", min=1, max=256)] = None,
    budget_usd: Annotated[float | None, typer.Option(min=0.0, help=BUDGET_HELP, show_default=False)] = None,
    base_url: Annotated[str | None, typer.Option(help="Another server with the same API.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what the judges would cost; send nothing.")] = False,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask before spending.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
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
        ours = config.panel
        asked = Panel(
            judges=tuple(dict.fromkeys(judge)) if judge else ours.judges,
            repeats=judge_repeats or ours.repeats,
            context=judge_context or ours.context,
            side_by_side=ours.side_by_side if side_by_side is None else side_by_side,
        )
        panel = None if no_judge or not criteria.judged else asked
        warn_of_aliases([] if panel is None else panel.judges)
        session = JudgeSession(
            panel,
            blind=blind,
            concurrency=concurrency or config.concurrency,
            budget_usd=config.budget_usd if budget_usd is None else budget_usd,
            base_url=base_url or config.base_url,
            dry_run=dry_run,
            yes=yes,
            quiet=quiet,
            prices=Prices(config.prices),
            allow_own=allow_own_judge,
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
