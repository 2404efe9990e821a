"""`evalkit grade`: blind grades for a run's outputs, by people on a page, by checks and by an LLM judge."""

import asyncio
from pathlib import Path
from typing import Annotated, Literal

import typer

from evalkit.cli.spending import BUDGET_HELP, warn_of_aliases


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
    concurrency: Annotated[int | None, typer.Option("-j", "--concurrency", min=1, max=256)] = None,
    budget_usd: Annotated[float | None, typer.Option(min=0.0, help=BUDGET_HELP, show_default=False)] = None,
    base_url: Annotated[str | None, typer.Option(help="Another server with the same API.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what the judge would cost; send nothing.")] = False,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask before spending.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
    by: Annotated[
        Literal["people", "judges", "checks"] | None,
        typer.Option("--by", help="Who grades (default: people on a terminal, else judges).", show_default=False),
    ] = None,
    grader: Annotated[
        list[str] | None,
        typer.Option("--grader", help="Person who grades; repeatable (default: your login).", show_default=False),
    ] = None,
    overlap: Annotated[
        int | None, typer.Option(min=1, help="People who grade each item (default: all).", show_default=False)
    ] = None,
    repeat_share: Annotated[
        float | None,
        typer.Option(min=0.0, max=0.5, help="Share of outputs that a person gets twice (0.05).", show_default=False),
    ] = None,
    side_by_side: Annotated[
        bool | None,
        typer.Option("--side-by-side/--one-by-one", help="People see an item's outputs together.", show_default=False),
    ] = None,
    ask_author: Annotated[
        bool | None,
        typer.Option("--ask-author/--no-ask-author", help="Ask in the end who wrote it.", show_default=False),
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the page.", show_default=False)] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the link only.")] = False,
    export: Annotated[
        Path | None,
        typer.Option(
            "--export",
            help="Write what to grade in elsewhere: .xlsx, .csv or .html (one offline page).",
            show_default=False,
        ),
    ] = None,
    import_: Annotated[
        Path | None, typer.Option("--import", help="Read what came back: .xlsx, .csv or .json.", show_default=False)
    ] = None,
    tty: Annotated[bool, typer.Option("--tty", help="Grade in this terminal.")] = False,
    close: Annotated[bool, typer.Option("--close", help="Close the round in which people grade.")] = False,
) -> None:
    """Grade the outputs of a run. The same command again grades only what has no grade yet.

    Examples:

      evalkit grade --blind --grader ann --grader ben --overlap 2

      evalkit grade --blind --by judges

      evalkit grade --blind runs/support-replies-1a2b3c4d.db --judge claude-sonnet-5-5 --budget-usd 45 --yes
    """
    from evalkit.cli.grade_judges import JudgeSession
    from evalkit.cli.grade_people import PeopleSession, close_by_hand, who_grades
    from evalkit.cli.grade_sheets import bring_in, hand_out, only_way
    from evalkit.cli.grade_tty import grade_here
    from evalkit.cli.places import find_run
    from evalkit.files import read_config
    from evalkit.pricing import Prices
    from evalkit.queues import rubric_of
    from evalkit.store import RunFile

    layout = None if side_by_side is None else "side" if side_by_side else "point"
    wishes = {"overlap": overlap, "repeat_share": repeat_share, "ask_author": ask_author, "layout": layout}
    for_people = {
        "--grader": grader, "--overlap": overlap, "--repeat-share": repeat_share, "--side-by-side": side_by_side,
        "--ask-author": ask_author, "--port": port, "--no-browser": no_browser or None, "--close": close or None,
        "--export": export, "--import": import_, "--tty": tty or None,
    }  # fmt: skip
    for_judges = {
        "--judge": judge, "--dry-run": dry_run or None, "--budget-usd": budget_usd, "--base-url": base_url,
        "-j": concurrency, "--yes": yes or None,
    }  # fmt: skip
    path = find_run(run)
    only_way(for_people)
    if import_ is not None:
        for_judges.pop("--dry-run"), for_judges.pop("--yes")
    with RunFile(path, read_only=dry_run and import_ is None) as file:
        criteria = rubric_of(file.snapshot())
        if rubric is not None:
            _same_rubric(rubric, criteria.sha256)
        chosen = who_grades(by, criteria, no_judge, for_people, for_judges)
        if close:
            close_by_hand(file)
            return
        if import_ is not None:
            bring_in(file, import_, grader or [], yes, dry_run)
            return
        if export is not None:
            hand_out(file, PeopleSession(file, blind, wishes, quiet), export, grader or [])
            return
        if tty:
            grade_here(file, PeopleSession(file, blind, wishes, quiet), grader or [])
            return
        if chosen == "people":
            PeopleSession(file, blind, wishes, quiet).grade(grader or [], port, browser=not no_browser)
            return
        config = read_config(Path("evalkit.yaml"))
        model = None if chosen == "checks" or not criteria.judged else (judge or config.judge)
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
