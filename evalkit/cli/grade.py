"""`evalkit grade`: blind grades for a run's outputs, by people, by checks and by LLM judges."""

import asyncio
from pathlib import Path

import typer

from evalkit.cli import grade_options, options
from evalkit.cli.spending import warn_of_aliases


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
    tty: grade_options.Tty = False,
    export: grade_options.Export = None,
    import_: grade_options.Import = None,
    close: grade_options.Close = False,
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
    wishes = {
        "overlap": overlap, "repeat_share": repeat_share, "ask_author": ask_author, "layout": layout,
        "sample": calibrate,
    }  # fmt: skip
    for_people = {
        "--grader": grader, "--overlap": overlap, "--repeat-share": repeat_share, "--ask-author": ask_author,
        "--calibrate": calibrate, "--port": port, "--no-browser": no_browser or None, "--tty": tty or None,
        "--export": export, "--import": import_, "--close": close or None,
    }  # fmt: skip
    for_judges = {
        "--judge": judge, "--judge-repeats": judge_repeats, "--judge-context": judge_context,
        "--allow-own-judge": allow_own_judge or None, "--dry-run": dry_run or None, "--budget-usd": budget_usd,
        "--base-url": base_url, "-j": concurrency, "--yes": yes or None,
    }  # fmt: skip
    path = find_run(run)
    only_way(for_people)
    if import_ is not None:
        for_judges |= {"--dry-run": None, "--yes": None}
    with RunFile(path, read_only=dry_run and import_ is None) as file:
        criteria = rubric_of(file.snapshot())
        if rubric is not None:
            _same_rubric(rubric, criteria.sha256)
        chosen = who_grades(by, criteria, for_people, for_judges)
        people, names = PeopleSession(file, blind, wishes, quiet), grader or []
        if close:
            close_by_hand(file)
        elif import_ is not None:
            bring_in(file, import_, names, yes, dry_run)
        elif export is not None:
            hand_out(file, people, export, names)
        elif tty:
            grade_here(file, people, names)
        elif chosen == "people":
            people.grade(names, port, browser=not no_browser)
        else:
            config = read_config(Path("evalkit.yaml"))
            panel = config.panel.asked(judge, judge_repeats, judge_context, side_by_side)
            judges = None if chosen == "checks" or not criteria.judged else panel
            warn_of_aliases([] if judges is None else judges.judges)
            session = JudgeSession(
                judges,
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
