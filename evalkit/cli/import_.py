"""`evalkit import`: a run file from outputs that were produced elsewhere."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.cli import options, urls
from evalkit.cli.terminal import in_shell, say
from evalkit.errors import EvalkitError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.importing import Imported
    from evalkit.rubric import Rubric


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import")(import_)


def import_(
    results: Annotated[
        Path,
        typer.Argument(
            parser=urls.readable_with_rubric, help="Outputs, one JSON object a line.", show_default=False
        ),
    ],
    rubric: options.Rubric = None,
    satisfactory_from: Annotated[
        str | None,
        typer.Option(
            "--satisfactory-from", metavar="CRITERION", show_default=False,
            help="Without a rubric: level 1 on this criterion is satisfactory, level 0 is not.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", parser=urls.writable_new, show_default=False,
            help="Run file (default: runs/<results>-<hash>.db).",
        ),
    ] = None,
) -> Path:  # fmt: skip
    """Make a run file from outputs produced elsewhere, to grade and report them like any other run.

    A line: {"item_id", "model", "epoch"?, "prompt"?, "reference"?, "difficulty"?, "tags"?: {..}, "output"?, "error"?,
    "input_tokens"?, "output_tokens"?, "cost_usd"?, "latency_s"?, "ttft_s"?, "served_model"?,
    "grades"?: [{"grader", "kind": "human|judge|check", "criterion", "level" (null = ungraded)}]}.
    What is absent is unknown. A line with neither output nor error is a failed trial; "" is an output.

    Examples:

      evalkit import results.jsonl --rubric rubrics/support.yaml -o runs/support.db

      evalkit import votes.jsonl --satisfactory-from correct
    """
    from evalkit.cli.import_notes import notes
    from evalkit.cli.places import check_output

    if output is not None:
        check_output(output)
    made, left_out = _read(results, rubric, satisfactory_from)
    path = output or Path("runs") / f"{made.spec.name}-{made.spec.sha256[:8]}.db"
    if path.exists():
        _refuse_another(path, made)
        say(f"imported already, nothing to do: {urls.as_given(path)}")
    else:
        _write(path, made)
        urls.deliver(path)
        say(f"imported: {urls.as_given(path)}")
    for note in notes(made, left_out):
        say(note)
    then = f"report {in_shell(urls.as_given(path))}" if made.grades else urls.next_here("grade --blind", path)
    say(f"next: evalkit {then}")
    return path


def _read(results: Path, rubric: Path | None, satisfactory_from: str | None) -> "tuple[Imported, Mapping[str, int]]":
    """The whole import, and how many grades on which other criteria are left out; ProblemsError with every problem."""
    from datetime import UTC, datetime

    from evalkit.errors import ProblemsError
    from evalkit.files import read_lines, read_rubric, without_machine
    from evalkit.import_lines import grade_problems, parse_lines
    from evalkit.importing import build, only_criterion

    file = None if satisfactory_from is not None else _rubric_file(results, rubric)
    criteria = _one_criterion(satisfactory_from or "", rubric) if file is None else read_rubric(file)
    lines, problems = parse_lines(read_lines(results, "results"), str(results))
    left_out: Mapping[str, int] = {}
    if satisfactory_from is not None:
        lines, left_out = only_criterion(lines, satisfactory_from)
        if left_out and not any(one.line.grades for one in lines):
            raise UsageError(
                f"--satisfactory-from {satisfactory_from!r}: no line has a grade on it, but on"
                f" {', '.join(sorted(left_out))}; name one of those"
            )
    problems = sorted([*problems, *grade_problems(lines, criteria, str(results))])
    if problems:
        raise ProblemsError([str(problem) for problem in problems])
    made = build(results.stem, [one.line for one in lines], criteria, datetime.now(UTC))
    named = None if file is None else without_machine(file)
    return replace(
        made, spec=replace(made.spec, dataset_files=(without_machine(results),), rubric_file=named)
    ), left_out


def _rubric_file(results: Path, rubric: Path | None) -> Path:
    from evalkit.files import find_rubric, read_config

    try:
        return rubric or find_rubric(results, read_config(Path("evalkit.yaml")))
    except UsageError as error:
        raise UsageError(f"{error}; or name the criterion that says it all with --satisfactory-from") from error


def _one_criterion(satisfactory_from: str, rubric: Path | None) -> "Rubric":
    from pydantic import ValidationError

    from evalkit.importing import satisfactory_rubric

    if rubric is not None:
        raise UsageError("--rubric and --satisfactory-from exclude each other; leave one out")
    try:
        return satisfactory_rubric(satisfactory_from)
    except ValidationError as error:
        what = f"--satisfactory-from {satisfactory_from!r} cannot name a criterion"
        raise UsageError(f"{what}; begin with a-z, go on with a-z, 0-9, - and _ (41 at most)") from error


def _refuse_another(path: Path, made: "Imported") -> None:
    """An existing file may be this very import; any other is left alone."""
    from evalkit.store import RunFile

    try:
        with RunFile(path) as file:
            same = file.spec().sha256 == made.spec.sha256
    except EvalkitError:
        same = False
    if not same:
        raise UsageError(f"{str(path)!r} exists already and is not this import; choose another name with -o")


def _write(path: Path, made: "Imported") -> None:
    from evalkit.outcome_rows import outcome_rows
    from evalkit.store import RunFile

    outcomes = outcome_rows(made.attempts, made.rounds, made.grades, made.spec.created_at)
    RunFile.create(path, made.spec, made.items, {}, made.order, (), outcomes).close()
