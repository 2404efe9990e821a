"""`evalkit check`: everything doubtful about a dataset and a rubric, before money is spent."""

from pathlib import Path
from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.errors import ProblemsError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    dataset: Annotated[Path, typer.Argument(help="Test set, one JSON object a line.", show_default=False)],
    rubric: options.Rubric = None,
) -> None:
    """Check a dataset and its rubric: every problem at once, as `file:line: what; what to do`.

    The card's prompt template is filled in for every item, attachments are opened, and settings are held against
    what the models of evalkit.yaml accept. Nothing is sent.

    Example: evalkit check datasets/support-replies.jsonl
    """
    from evalkit.dataset_check import doubts, effect_line
    from evalkit.errors import UsageError
    from evalkit.files import find_rubric, load_dataset, load_rubric, read_config
    from evalkit.prompt import DEFAULT_MAX_TOKENS
    from evalkit.request_check import rejections
    from evalkit.rubric import Rubric
    from evalkit.strict import Problem
    from evalkit.wording import plural

    loaded, problems = load_dataset(dataset)
    config = read_config(Path("evalkit.yaml"))
    found: Rubric | None = None
    try:
        path = rubric or find_rubric(dataset, config)
    except UsageError as error:
        what, _, remedy = str(error).partition("; ")
        problems.append(Problem(str(dataset), 1, what, remedy, "warning"))
    else:
        result = load_rubric(path)
        found, problems = (None, problems + result) if isinstance(result, list) else (result, problems)
    if loaded.items:
        problems = problems + doubts(dataset, loaded, found)
    if not any(problem.severity == "error" for problem in problems):
        for line in rejections(loaded, config.models, DEFAULT_MAX_TOKENS, {}):
            what, _, remedy = line.partition("; ")
            problems.append(Problem(str(dataset), 1, what, remedy, "warning"))
    problems = sorted(problems)
    for problem in problems:
        if problem.severity == "warning":
            typer.echo(str(problem))
    errors = [str(problem) for problem in problems if problem.severity == "error"]
    if loaded.items:
        typer.echo(effect_line(loaded))
    if errors:
        raise ProblemsError(errors)
    rubric_hash = f", rubric {found.sha256[:12]}" if found is not None else ""
    typer.echo(f"{dataset}: no errors, {plural(len(problems), 'warning')}; dataset {loaded.sha256[:12]}{rubric_hash}")
