"""`evalkit pins`: the model ids in a code base, what a change does to them, and the evidence for each."""

import json
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evalkit.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from evalkit.pins.bumps import Bump
    from evalkit.pins.lock import Lock
    from evalkit.pins.scan import Pin

pins = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", context_settings={"help_option_names": ["-h", "--help"]}
)
Paths = Annotated[
    list[Path] | None, typer.Argument(help="Files or folders (default: this folder).", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
LockFile = Annotated[Path, typer.Option("--lock", help="The file of approvals.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(pins, name="pins", help="Find pinned model ids, see what a change bumps, and ask for its evidence.")


@pins.command("scan")
def scan(paths: Paths = None, as_json: AsJson = False) -> None:
    """List the Claude model ids in code, configuration and prompts, with their lifecycle and what is newer.

    Ids in documentation are counted but not listed; a line with `evalkit: ignore` is passed over.

    Example: evalkit pins scan src infra
    """
    from evalkit.pins.facts import facts_of
    from evalkit.pins.scan import in_code

    found = _scanned(paths)
    code, now = in_code(found), datetime.now(UTC)
    facts = {model: facts_of(model, now) for model in sorted({pin.model for pin in code})}
    if as_json:
        typer.echo(json.dumps({"pins": [asdict(p) for p in found], "models": _plain(facts)}, indent=2))
        return
    for pin in code:
        alias = "" if pin.kind == "pin" else " (alias: may change under you)"
        typer.echo(f"{pin.path}:{pin.line}: {pin.written}{alias}")
    for model, known in facts.items():
        typer.echo(f"{model}: {_told(known)}")
    prose = len(found) - len(code)
    typer.echo(f"{len(code)} in code, {prose} in documentation")


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    return {model: asdict(known) for model, known in facts.items()}


def _told(facts: Any) -> str:
    retires = f", retires {facts.retires}" if facts.retires else ""
    if not facts.newer:
        return f"{facts.lifecycle}{retires}"
    newer = "; ".join(_priced(change) for change in facts.newer)
    return f"{facts.lifecycle}{retires}; newer: {newer}"


def _priced(change: Any) -> str:
    from evalkit.wording import ratio

    if change.input_ratio is None:
        return f"{change.model} (price change unknown)"
    told = f"{change.model} ({ratio(change.input_ratio)} a token in, {ratio(change.output_ratio)} out"
    if change.input_per_text is not None and change.input_per_text != change.input_ratio:
        told += f"; about {ratio(change.input_per_text)} the same text, which has more tokens there"
    return f"{told})"


@pins.command("diff")
def diff(
    revisions: Annotated[str, typer.Argument(help="BASE..HEAD, or BASE...HEAD from where they parted.")],
    as_json: AsJson = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 1 if a pin changed, as git diff does.")
    ] = False,
) -> None:
    """Name the model ids that a change bumps, adds or removes. Documentation alone changes no pin.

    Example: evalkit pins diff origin/main...HEAD
    """
    from evalkit.pins.facts import price_change

    found = _changes(revisions)
    if as_json:
        changes = [{"change": b.change, "then": _side(b.then), "now": _side(b.now)} for b in found]
        typer.echo(json.dumps({"changed": bool(found), "changes": changes}, indent=2))
    else:
        for bump in found:
            line = _line(bump)
            if bump.then is not None and bump.now is not None:
                line += f"; price: {_priced(price_change(bump.then.model, bump.now.model, datetime.now(UTC)))}"
            typer.echo(line)
        if not found:
            typer.echo("no pin changed")
    raise typer.Exit(int(ExitCode.REGRESSION) if exit_code and found else 0)


def _side(pin: "Pin | None") -> dict[str, Any] | None:
    return None if pin is None else asdict(pin)


def _line(bump: "Bump") -> str:
    pin = bump.now or bump.then
    place = f"{pin.path}:{pin.line}" if pin else ""
    if bump.then is not None and bump.now is not None:
        return f"{place}: {bump.then.written} -> {bump.now.written}"
    return f"{place}: {pin.written if pin else ''} {bump.change}"


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
    allow_simulated: Annotated[
        bool, typer.Option("--allow-simulated", help="Let the sandbox's evidence count, for a trial.")
    ] = False,
) -> None:
    """Fail if a model id in the code has no valid evidence: none, not passed, simulated, too old, edited, or of
    another dataset, rubric or policy than the lock names.

    Example: evalkit pins verify --changed origin/main...HEAD
    """
    from evalkit.pins.lock import faults, refuse
    from evalkit.pins.scan import in_code

    if changed is not None:
        asked = sorted(bump.now for bump in _changes(changed) if bump.now is not None)
    else:
        asked = in_code(_scanned(paths))
    held, today = _read(lock), datetime.now(UTC).date()
    wanted, problems = _wanted(held), []
    for pin in asked:
        found = ["an alias may change under you"] if pin.kind == "alias" else []
        found += list(faults(held, pin.model, wanted, today, allow_simulated=allow_simulated))
        found += _retired(pin.model, today)
        problems += [f"{pin.path}:{pin.line}: {pin.written}: {fault}; {_REMEDY}" for fault in found]
    refuse(problems)
    typer.echo(f"{len(asked)} pins, each with valid evidence" if asked else "no pin to verify")


_REMEDY = "run the gate and approve its report with `evalkit pins approve`, or go back to the pin before"


def _retired(model: str, today: date) -> list[str]:
    from evalkit.models import known

    facts = known(model)
    if facts is not None and facts.retires is not None and date.fromisoformat(facts.retires) <= today:
        return [f"the model was retired on {facts.retires}"]
    return []


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


def _scanned(paths: list[Path] | None) -> list["Pin"]:
    from evalkit.pins.repository import files_of
    from evalkit.pins.scan import pins_in

    return sorted(pin for path, content in files_of(paths or [Path()]) for pin in pins_in(path, content))


def _changes(revisions_: str) -> list["Bump"]:
    from evalkit.pins.bumps import bumps
    from evalkit.pins.repository import changed_files, content_at, revisions
    from evalkit.pins.scan import pins_in

    here = Path()
    base, head = revisions(revisions_, here)
    paths = changed_files(base, head, here)
    then, now = ([pin for path in paths for pin in pins_in(path, content_at(c, path, here))] for c in (base, head))
    return bumps(then, now)
