"""`evalkit pins`: the model ids in a code base, what a change does to them, and the evidence for each."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evalkit.errors import ExitCode, IntegrityError, UsageError
from evalkit.wording import plural

if TYPE_CHECKING:
    from evalkit.pins.lock import Lock
    from evalkit.pins.scan import Pin
    from evalkit.pins.verdicts import Verdict

pins = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", context_settings={"help_option_names": ["-h", "--help"]}
)
Paths = Annotated[
    list[Path] | None, typer.Argument(help="Files or folders (default: this folder).", show_default=False)
]
Range = Annotated[str, typer.Argument(help="BASE..HEAD, or BASE...HEAD from where they parted.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
LockFile = Annotated[Path, typer.Option("--lock", help="The file of approvals.")]
AllowSimulated = Annotated[
    bool, typer.Option("--allow-simulated", help="Let the sandbox's evidence count, for a trial.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(pins, name="pins", help="Find pinned model ids, see what a change bumps, and ask for its evidence.")


@pins.command("scan")
def scan(paths: Paths = None, as_json: AsJson = False) -> None:
    """List the Claude model ids in code, configuration and prompts, with their lifecycle and what is newer.

    Ids in documentation, comments and recorded data are counted but not listed; a line with `evalkit: ignore` is
    passed over. Retirement dates are those of Anthropic's own API.

    Example: evalkit pins scan src infra
    """
    from evalkit.cli.pins_table import counted, print_pins
    from evalkit.pins.facts import facts_of
    from evalkit.pins.found import pins_under
    from evalkit.pins.scan import in_code

    found = pins_under(paths or [Path()])
    code, now = in_code(found), datetime.now(UTC)
    facts = {model: facts_of(model, now) for model in sorted({pin.model for pin in code})}
    if as_json:
        plain = {model: asdict(known) for model, known in facts.items()}
        typer.echo(json.dumps({"pins": [asdict(pin) for pin in found], "models": plain}, indent=2))
        return
    print_pins(code, facts, now.date())
    typer.echo(counted(len(code), len(found) - len(code)))


@pins.command("diff")
def diff(
    revisions: Range,
    as_json: AsJson = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 1 if a pin changed, as git diff does.")
    ] = False,
) -> None:
    """Name the model ids that a change bumps, adds or removes. Text and comments alone change no pin.

    Example: evalkit pins diff origin/main...HEAD
    """
    from evalkit.cli.pins_table import print_bump
    from evalkit.pins.facts import price_change
    from evalkit.pins.found import bumps_between

    found = bumps_between(revisions, Path())
    if as_json:
        changes = [{"change": b.change, "then": _side(b.then), "now": _side(b.now)} for b in found]
        typer.echo(json.dumps({"changed": bool(found), "changes": changes}, indent=2))
    else:
        for bump in found:
            both = (bump.then.model, bump.now.model) if bump.then and bump.now else None
            print_bump(bump, price_change(*both, datetime.now(UTC)) if both else None)
        if not found:
            typer.echo("no pin changed")
    raise typer.Exit(int(ExitCode.REGRESSION) if exit_code and found else 0)


def _side(pin: "Pin | None") -> dict[str, Any] | None:
    return None if pin is None else asdict(pin)


@pins.command("approve")
def approve(
    report: Annotated[Path, typer.Argument(help="JSON report of a gate: evalkit gate -o gate.json.")],
    lock: LockFile = Path("evalkit.lock"),
    dataset: Annotated[
        Path | None, typer.Option(help="Dataset that evidence must be of from now on.", show_default=False)
    ] = None,
    rubric: Annotated[
        Path | None, typer.Option(help="Rubric that evidence must be of from now on.", show_default=False)
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="Policy that evidence must be of from now on.", show_default=False)
    ] = None,
) -> None:
    """Record a gate's verdict on its candidate, so that the pin may stand in the code. Commit the lock file.

    Example: evalkit pins approve gate.json --dataset datasets/tickets.jsonl --rubric rubrics/tickets.yaml
    """
    from evalkit.files import read_text, write_whole
    from evalkit.pins.lock import approval_of, with_approval, write_lock
    from evalkit.pins.spelling import spellings

    try:
        content = json.loads(read_text(report, "gate report"))
    except ValueError as error:
        raise UsageError(f"{str(report)!r} is no gate report ({error}); write one with `evalkit gate -o`") from error
    names = [str(_nested(content, "gate", name)) for name in ("candidate", "baseline")]
    candidate, baseline = (next((s.model for s in spellings(name)), name) for name in names)
    held = _read(lock)
    named = {"dataset": dataset, "rubric": rubric, "policy": policy}
    held = held.model_copy(update={name: path.as_posix() for name, path in named.items() if path is not None})
    approval = approval_of(content, candidate, baseline, datetime.now(UTC).date())
    write_whole(lock, write_lock(with_approval(held, approval)))
    typer.echo(f"{lock}: {candidate}: {approval.verdict} on {approval.items} items")


def _nested(content: object, *keys: str) -> object:
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    return content


@pins.command("verify")
def verify(
    paths: Paths = None,
    lock: LockFile = Path("evalkit.lock"),
    changed: Annotated[
        str | None,
        typer.Option(help="Ask for evidence only for what BASE..HEAD bumps or adds.", show_default=False),
    ] = None,
    allow_simulated: AllowSimulated = False,
    annotate: Annotated[
        bool, typer.Option("--annotate", help="Print GitHub's commands as well, which mark the lines of the change.")
    ] = False,
) -> None:
    """Fail if a model id in the code has no valid evidence: none, not passed, simulated, too old, edited, or of
    another dataset, rubric or policy than the lock names. Going back to the pin before needs none.

    Example: evalkit pins verify --changed origin/main...HEAD
    """
    found = _verdicts(paths, lock, changed, allow_simulated)
    for one in found:
        for warning in one.warnings:
            typer.echo(f"warning: {one.place}: {warning}", err=True)
    if annotate:
        _annotate(found)
    problems = [f"{one.place}: {problem}" for one in found for problem in one.problems]
    if problems:
        raise IntegrityError("\n".join(problems))
    typer.echo(f"{plural(len(found), 'pin')} that may stand" if found else "no pin to verify")


def _annotate(found: "list[Verdict]") -> None:
    from evalkit.rendering.annotations import annotation

    for one in found:
        pin = one.asked.pin
        for problem in one.problems:
            typer.echo(annotation("error", pin.path, pin.line, f"{pin.written}: {problem}"))
        for warning in one.warnings:
            typer.echo(annotation("warning", pin.path, pin.line, f"{pin.written}: {warning}"))


@pins.command("unproven")
def unproven(
    revisions: Range, lock: LockFile = Path("evalkit.lock"), allow_simulated: AllowSimulated = False
) -> None:  # fmt: skip
    """Print the gates that a change lacks, for scripts: one `BASELINE CANDIDATE` a line, nothing if it lacks none.

    Example: evalkit pins unproven origin/main...HEAD
    """
    from evalkit.pins.verdicts import unproven_pairs

    for baseline, candidate in unproven_pairs(_verdicts(None, lock, revisions, allow_simulated)):
        typer.echo(f"{baseline} {candidate}")


def _verdicts(
    paths: list[Path] | None, lock: Path, changed: str | None, allow_simulated: bool
) -> "list[Verdict]":  # fmt: skip
    from evalkit.pins.found import bumps_between, pins_under
    from evalkit.pins.scan import in_code
    from evalkit.pins.verdicts import Asked, asked_by, verdicts

    if changed is not None and paths:
        raise UsageError("--changed looks at the whole change; leave the paths out")
    held = _read(lock)
    if changed is not None:
        asked = asked_by(bumps_between(changed, Path()), held)
    else:
        asked = [Asked(pin) for pin in in_code(pins_under(paths or [Path()]))]
    return list(verdicts(asked, held, _wanted(held), datetime.now(UTC), allow_simulated=allow_simulated))


def _wanted(held: "Lock") -> dict[str, str]:
    """The hashes, as of today, of the files that evidence must be of."""
    from evalkit.files import read_dataset, read_rubric, read_text
    from evalkit.gating.policy import read_policy

    found = {}
    if held.dataset is not None:
        found["dataset_sha256"] = read_dataset(Path(held.dataset)).sha256
    if held.rubric is not None:
        found["rubric_sha256"] = read_rubric(Path(held.rubric)).sha256
    if held.policy is not None:
        found["policy_sha256"] = read_policy(read_text(Path(held.policy), "policy"), held.policy).sha256
    return found


def _read(path: Path) -> "Lock":
    from evalkit.files import read_text
    from evalkit.pins.lock import Lock, read_lock

    return read_lock(read_text(path, "lock file"), str(path)) if path.exists() else Lock()
