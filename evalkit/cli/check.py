"""`evalkit check`: everything doubtful about a dataset and a rubric, before money is spent."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.cli import options, urls
from evalkit.cli.terminal import say
from evalkit.errors import ProblemsError, UsageError, folded

if TYPE_CHECKING:
    from evalkit.config import Config
    from evalkit.rubric import Criterion
    from evalkit.strict import Problem


Policy = Annotated[
    Path | None,
    typer.Option(
        parser=urls.readable, help="Policy of a gate to check as well (default: gate.yaml, if any).", show_default=False
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(min=1, help="Repetitions that the gate will have (default: evalkit.yaml's).", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    dataset: Annotated[
        Path, typer.Argument(parser=urls.readable_dataset, help="Test set, one JSON object a line.", show_default=False)
    ],
    rubric: options.Rubric = None,
    policy: Policy = None,
    epochs: Epochs = None,
) -> None:
    """Check a dataset and its rubric: every problem at once, as `file:line: what; what to do`.

    Where there is a policy of a gate, also whether its slices and criteria exist and what so many items can pass.

    The card's prompt template is filled in for every item, attachments are opened, and settings are held against
    what the models of evalkit.yaml accept. Nothing is sent.

    Example: evalkit check datasets/support-replies.jsonl
    """
    from evalkit.cli.gate_policy import outlook, policy_file, usual_outlook
    from evalkit.config import Config
    from evalkit.dataset import REPEATED
    from evalkit.dataset_check import beyond_windows, doubts, effect_line
    from evalkit.dataset_files import load_dataset
    from evalkit.files import read_config
    from evalkit.models import DEFAULT_MAX_TOKENS
    from evalkit.request_check import rejections
    from evalkit.strict import Problem
    from evalkit.wording import plural

    loaded, problems = load_dataset(dataset)
    config, errors = Config(), list[str]()
    with _noted(errors):
        config = read_config(Path("evalkit.yaml"))
    criteria, rubric_hash, rubric_problems = _rubric_of(dataset, rubric, config)
    if loaded.items:
        own = (problem for problem in problems if problem.file == str(dataset))
        wrong = {problem.line for problem in own if REPEATED not in problem.what}
        problems += doubts(dataset, loaded, criteria, len(wrong - set(loaded.lines.values())))
        problems += beyond_windows(dataset, loaded, config.models)
    if not any(problem.severity == "error" for problem in problems):
        for line in rejections(loaded, config.models, DEFAULT_MAX_TOKENS, {}):
            what, _, remedy = line.partition("; ")
            problems.append(Problem(str(dataset), 1, what, remedy, "warning"))
    problems = sorted([*problems, *rubric_problems])
    errors += [str(problem) for problem in problems if problem.severity == "error"]
    warnings = [problem for problem in problems if problem.severity == "warning"]
    for line in folded([str(problem) for problem in warnings]):
        say(urls.as_given(line))
    affordable = list[str]()
    with _noted(errors):
        if asked := policy_file(policy):
            affordable = outlook(asked, loaded.items, criteria if rubric_hash else None, epochs or config.epochs)
        elif loaded.items:
            affordable = usual_outlook(len(loaded.items), epochs or config.epochs)
    if errors:
        raise ProblemsError(errors)
    say(effect_line(loaded))
    for line in affordable:
        say(urls.as_given(line))
    ending = f"no errors, {plural(len(warnings), 'warning')}; dataset {loaded.sha256[:12]}{rubric_hash}"
    say(f"{urls.as_given(dataset)}: {ending}")


@contextmanager
def _noted(errors: list[str]) -> Iterator[None]:
    """Add what is wrong to the errors, and go on."""
    try:
        yield
    except UsageError as error:
        errors.append(str(error))
    except ProblemsError as error:
        errors += error.problems


def _rubric_of(dataset: Path, named: Path | None, config: "Config") -> "tuple[Sequence[Criterion], str, list[Problem]]":
    """The criteria of a rubric that can be read, its hash to print, and its problems."""
    from evalkit.files import find_rubric, load_rubric, sound_criteria
    from evalkit.strict import Problem

    try:
        path = named or find_rubric(dataset, config)
    except UsageError as error:
        what, _, remedy = str(error).partition("; ")
        return (), "", [Problem(str(dataset), 1, what, remedy, "warning")]
    try:
        found = load_rubric(path)
    except UsageError as error:
        what, _, remedy = str(error).partition("; ")
        return (), "", [Problem(str(path), 1, what, remedy)]
    if isinstance(found, list):
        return sound_criteria(path), "", found
    return found.criteria, f", rubric {found.sha256[:12]}", []
