"""`evalkit grade`: blind grades for a run's outputs, by people, by checks and by LLM judges."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from evalkit.cli import grade_options, options
from evalkit.cli.spending import check_server, warn_of_ids
from evalkit.cli.terminal import say

if TYPE_CHECKING:
    from evalkit.cli.grade_people import Who
    from evalkit.cli.grade_wishes import ForJudges, ForPeople
    from evalkit.rubric import Rubric
    from evalkit.store import RunFile


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("grade")(grade)


def grade(
    run: grade_options.RunFile = None,
    blind: grade_options.Blind = True,
    by: grade_options.By = None,
    rubric: grade_options.SameRubric = None,
    side_by_side: grade_options.SideBySide = None,
    grader: grade_options.Grader = None,
    overlap: grade_options.Overlap = None,
    repeat_share: grade_options.RepeatShare = None,
    ask_author: grade_options.AskAuthor = None,
    port: grade_options.Port = None,
    no_browser: grade_options.NoBrowser = False,
    calibrate: grade_options.Calibrate = None,
    discordant: grade_options.Discordant = False,
    concordant_share: grade_options.ConcordantShare = None,
    tty: grade_options.Tty = False,
    export: grade_options.Export = None,
    import_: grade_options.Import = None,
    close: grade_options.Close = False,
    round_: grade_options.Round = None,
    judge: grade_options.Judge = None,
    judge_repeats: grade_options.JudgeRepeats = None,
    judge_context: grade_options.Reading = None,
    allow_own_judge: grade_options.AllowOwnJudge = False,
    concurrency: options.Concurrency = None,
    budget_usd: options.BudgetUsd = None,
    base_url: options.BaseUrl = None,
    dry_run: grade_options.DryRun = False,
    yes: options.Yes = False,
    quiet: options.Quiet = False,
) -> None:
    """Grade the outputs of a run. The same command again grades only what has no grade yet.

    Examples:

      evalkit grade --blind --grader ann --grader ben --overlap 2

      evalkit grade --blind --by judges

      evalkit grade --blind runs/support-replies-1a2b3c4d.db --judge claude-sonnet-5-5 --budget-usd 45 --yes
    """
    from evalkit.cli.grade_sheets import only_way
    from evalkit.cli.grade_wishes import ForJudges, ForPeople
    from evalkit.cli.places import find_run
    from evalkit.store import RunFile

    people = ForPeople(
        grader, overlap, repeat_share, ask_author, calibrate, discordant, concordant_share,
        port, no_browser, tty, export, import_, close, round_,
    )  # fmt: skip
    judges = ForJudges(
        judge, judge_repeats, judge_context, allow_own_judge, concurrency, budget_usd, base_url, dry_run, yes
    )
    path = find_run(run)
    only_way(people.given)
    with RunFile(path, read_only=dry_run and import_ is None) as file:
        _let_grade(file, by, rubric, people, judges, blind=blind, side_by_side=side_by_side, quiet=quiet)


def _let_grade(
    file: "RunFile",
    by: "Who | None",
    rubric: Path | None,
    people: "ForPeople",
    judges: "ForJudges",
    *,
    blind: bool,
    side_by_side: bool | None,
    quiet: bool,
) -> None:
    from evalkit.cli.grade_discordant import queued
    from evalkit.cli.grade_people import PeopleSession, close_by_hand, who_grades
    from evalkit.cli.grade_sheets import bring_in, hand_out
    from evalkit.cli.grade_tty import grade_here
    from evalkit.queues import rubric_of
    from evalkit.showing import refuse_router_run

    snapshot = file.snapshot()
    refuse_router_run(snapshot, file.path)
    criteria = rubric_of(snapshot)
    if rubric is not None:
        _same_rubric(rubric, criteria.sha256)
    else:
        _tell_of_an_edit(criteria)
    shared = {"--dry-run", "--yes"} if people.import_ is not None else set()  # they speak of the import then
    for_judges = {name: value for name, value in judges.given.items() if name not in shared}
    chosen = who_grades(by, criteria, people.given, for_judges)
    wishes = {**people.settings(side_by_side), **queued(file, criteria, people, blind=blind)}
    session, names = PeopleSession(file, blind, wishes, quiet), people.grader or []
    if people.close:
        close_by_hand(file, people.round_)
    elif people.import_ is not None:
        bring_in(file, people.import_, names, judges.yes, judges.dry_run)
    elif people.export is not None:
        hand_out(file, session, people.export, names)
    elif people.tty:
        grade_here(file, session, names)
    elif chosen == "people":
        session.grade(names, people.port, browser=not people.no_browser)
    else:
        judged = chosen == "judges" and bool(criteria.judged)
        _by_judges(file, judges, judged=judged, blind=blind, side_by_side=side_by_side, quiet=quiet)


def _by_judges(
    file: "RunFile", asked: "ForJudges", *, judged: bool, blind: bool, side_by_side: bool | None, quiet: bool
) -> None:
    import asyncio

    from evalkit.cli.grade_judges import JudgeSession
    from evalkit.files import read_config
    from evalkit.pricing import Prices

    config = read_config(Path("evalkit.yaml"))
    panel = config.panel.asked(asked.judge, asked.judge_repeats, asked.judge_context, side_by_side) if judged else None
    if panel is not None:
        check_server(asked.base_url, panel.judges)
        warn_of_ids(panel.judges, config.prices)
    session = JudgeSession(
        panel,
        blind=blind,
        concurrency=asked.concurrency or config.concurrency,
        budget_usd=config.budget_usd if asked.budget_usd is None else asked.budget_usd,
        base_url=asked.base_url or config.base_url,
        dry_run=asked.dry_run,
        yes=asked.yes,
        quiet=quiet,
        prices=Prices(config.prices),
        allow_own=asked.allow_own_judge,
    )
    asyncio.run(session.grade(file))


def _tell_of_an_edit(rubric: "Rubric") -> None:
    """Say that an edited rubric file changes nothing here: the run file holds the rubric it was made with."""
    from evalkit.files import load_rubric

    path = Path("rubrics") / f"{rubric.name}.yaml"
    now = load_rubric(path) if path.is_file() else rubric
    if isinstance(now, list) or now.sha256 != rubric.sha256:
        say(
            f"{path} is not the rubric that this run was made with; its outputs are graded by the one in the run file,"
            " and to grade by another, make a new run",
            err=True,
        )


def _same_rubric(path: Path, sha256: str) -> None:
    from evalkit.errors import IntegrityError
    from evalkit.files import read_rubric

    found = read_rubric(path)
    if found.sha256 != sha256:
        raise IntegrityError(
            f"rubric {str(path)!r} ({found.sha256[:12]}) is not the one fixed before this run ({sha256[:12]});"
            " make a new run, or leave --rubric out"
        )
