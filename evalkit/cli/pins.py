"""`evalkit pins`: the model ids in a code base, what a change does to them, and the evidence for each."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evalkit.cli.terminal import say
from evalkit.errors import ExitCode, IntegrityError, UsageError
from evalkit.wording import listing, plural

if TYPE_CHECKING:
    from evalkit.pins.bumps import Bump
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
Dataset = Annotated[Path | None, typer.Option(help="Let only evidence on this dataset count.", show_default=False)]
Rubric = Annotated[
    Path | None, typer.Option(help="And by this rubric (default: the dataset's own).", show_default=False)
]
Policy = Annotated[
    Path | None, typer.Option(help="And by this policy (default: gate.yaml if there is one).", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    purpose = "Find pinned model ids, see what a change bumps, and ask for its evidence."
    app.add_typer(pins, name="pins", help=f"{purpose}\n\nExample: evalkit pins verify --changed origin/main...HEAD")


@pins.command("scan")
def scan(paths: Paths = None, as_json: AsJson = False) -> None:
    """List the Claude model ids in code, configuration and prompts, with their lifecycle and what is newer.

    Ids in documentation, comments and recorded data are counted but not listed; a line with `evalkit: ignore` is
    passed over, and a file that git ignores unless it is named. Retirement dates are those of Anthropic's own API.

    Example: evalkit pins scan src infra
    """
    from evalkit.cli.pins_table import counted, print_pins
    from evalkit.models import few
    from evalkit.pins.facts import facts_of
    from evalkit.pins.found import pins_under
    from evalkit.pins.places import one_line
    from evalkit.pins.repository import ignored
    from evalkit.pins.scan import in_code, plain

    paths = paths or [Path()]
    looked, passed_over = pins_under(paths), ignored(paths)
    found = looked.pins
    code, now = in_code(found), datetime.now(UTC)
    facts = {model: facts_of(model, now) for model in sorted({pin.model for pin in code})}
    if as_json:
        told = {"pins": [plain(pin) for pin in found], "models": {m: asdict(known) for m, known in facts.items()}}
        typer.echo(json.dumps(told | {"skipped": _skipped(looked.skipped), "ignored": passed_over}, indent=2))
        return
    print_pins(code, facts, now.date())
    _tell_skipped(looked.skipped)
    if passed_over:
        told_of = few([one_line(path) for path in passed_over])
        say(f"warning: not looked into, since git ignores them: {told_of}; name one to look into it", err=True)
    say(counted(len(code), len(found) - len(code)))


def _skipped(pairs: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"path": path, "reason": reason} for path, reason in pairs]


def _tell_skipped(pairs: Sequence[tuple[str, str]]) -> None:
    from evalkit.pins.places import one_line

    for path, reason in pairs:
        say(f"warning: {one_line(path)} is not looked into: {reason}", err=True)


def _tell_removed(found: "Iterable[Bump]", *, annotate: bool) -> None:
    """A pin that is gone asks for no evidence, and a spelling that cannot be read may stand in its place."""
    from evalkit.pins.places import place
    from evalkit.rendering.annotations import annotation

    told = "removed, and no model id that can be read replaces it"
    for pin in (bump.then for bump in found if bump.now is None and bump.then is not None):
        say(f"warning: {place(pin)}: {told}", err=True)
        if annotate:
            say(annotation("warning", pin.path, pin.line, f"{pin.written}: {told}"))


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

    looked = bumps_between(revisions, Path())
    found = looked.bumps
    if as_json:
        changes = [{"change": b.change, "then": _side(b.then), "now": _side(b.now)} for b in found]
        told = {"changed": bool(found), "changes": changes, "skipped": _skipped(looked.skipped)}
        typer.echo(json.dumps(told, indent=2))
    else:
        for bump in found:
            both = (bump.then.model, bump.now.model) if bump.then and bump.now else None
            print_bump(bump, price_change(*both, datetime.now(UTC)) if both else None)
        _tell_skipped(looked.skipped)
        if not found:
            say("no pin changed")
    raise typer.Exit(int(ExitCode.REGRESSION) if exit_code and found else 0)


def _side(pin: "Pin | None") -> dict[str, Any] | None:
    from evalkit.pins.scan import plain

    return None if pin is None else plain(pin)


@pins.command("approve")
def approve(
    report: Annotated[Path, typer.Argument(help="JSON report of a gate: evalkit gate -o gate.json.")],
    lock: LockFile = Path("evalkit.lock"),
    dataset: Annotated[
        Path | None, typer.Option(help="Dataset it is of (default: found by its hash).", show_default=False)
    ] = None,
    rubric: Annotated[
        Path | None, typer.Option(help="Rubric it is of (default: found by its hash).", show_default=False)
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="Policy it is of (default: gate.yaml if there is one).", show_default=False)
    ] = None,
    imported: Annotated[
        bool, typer.Option("--imported", help="The outputs were imported: no dataset file holds their items.")
    ] = False,
) -> None:
    """Record a gate's verdict on its candidate, so that the pin may stand in the code. Commit the lock file.

    Evidence is of the dataset, rubric and policy that the gate used, and counts while those stay as they are.

    Example: evalkit pins approve gate.json --dataset datasets/tickets.jsonl --rubric rubrics/tickets.yaml
    """
    from evalkit.cli.pins_evidence import files_of
    from evalkit.files import read_text, write_whole
    from evalkit.pins.lock import approval_of, superseded, with_approval, write_lock
    from evalkit.pins.spelling import meant_by
    from evalkit.strict import shown

    try:
        content = json.loads(read_text(report, "gate report"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{str(report)!r} is no gate report ({error}); write one with `evalkit gate -o`") from error
    candidate, baseline = (meant_by(_model_in(content, side, report)) for side in ("candidate", "baseline"))
    held, today = _read(lock), datetime.now(UTC).date()
    approval_of(content, candidate, baseline, today, held.max_age_days)  # a report at all, and in time
    named = {"dataset": dataset, "rubric": rubric, "policy": policy}
    files = files_of(content, named, held, lock.parent, imported=imported)
    approval = approval_of(content, candidate, baseline, today, held.max_age_days, **files)
    write_whole(lock, write_lock(with_approval(held, approval)))
    gone = [
        f"{one.verdict} of {one.approved_on}" + (f" on {shown(one.dataset)}" if one.dataset else "")
        for one in superseded(held, approval)
    ]
    instead = f", in place of its {listing(gone)}" if gone else ""
    say(f"{lock}: {candidate}: {approval.verdict} on {plural(approval.items, 'item')}{instead}")


def _model_in(content: object, side: str, report: Path) -> str:
    """The model on a side of a gate's report; UsageError for JSON that is something else."""
    gate = content.get("gate") if isinstance(content, dict) else None
    name = gate.get(side) if isinstance(gate, dict) else None
    if not isinstance(name, str) or not name:
        raise UsageError(f"{str(report)!r} is no gate report; write one with `evalkit gate -o gate.json`")
    return name


@pins.command("verify")
def verify(
    paths: Paths = None,
    lock: LockFile = Path("evalkit.lock"),
    changed: Annotated[
        str | None,
        typer.Option(help="Ask for evidence only for what BASE..HEAD bumps or adds.", show_default=False),
    ] = None,
    dataset: Dataset = None,
    rubric: Rubric = None,
    policy: Policy = None,
    allow_simulated: AllowSimulated = False,
    annotate: Annotated[
        bool, typer.Option("--annotate", help="Print GitHub's commands as well, which mark the lines of the change.")
    ] = False,
) -> None:
    """Fail if a model id in the code has no valid evidence: none, not passed, simulated, too old, edited, against
    another model than the one it replaces, or of another dataset, rubric or policy than there is now. Going back to
    the pin before needs none. Name your dataset, or evidence on any that the change brings along counts.

    Example: evalkit pins verify --changed origin/main...HEAD --dataset datasets/tickets.jsonl
    """
    named = {"dataset": dataset, "rubric": rubric, "policy": policy}
    found = _verdicts(paths, lock, changed, allow_simulated, named, annotate=annotate)
    for one in found:
        for warning in one.warnings:
            say(f"warning: {one.place}: {warning}", err=True)
    if changed is not None:
        _warn_of_files(changed, lock, {one.asked.pin.model for one in found})
    if annotate:
        _annotate(found)
    problems = [f"{one.place}: {problem}" for one in found for problem in one.problems]
    if problems:
        elsewhere = [] if lock.exists() else [f"{lock} is not here; --lock names the file of approvals"]
        raise IntegrityError("\n".join([*problems, *elsewhere]))
    say(f"{plural(len(found), 'pin')} that may stand" if found else "no pin to verify")


def _warn_of_files(changed: str, lock: Path, models: set[str]) -> None:
    from evalkit.cli.pins_policy import config_changes, file_changes, policy_changes

    held = [one for one in _read(lock).approvals if one.model in models]
    of_config = config_changes(changed) if models else ()
    for told in (*policy_changes(changed, held, lock.parent), *file_changes(changed, held, lock.parent), *of_config):
        say(f"warning: {told}", err=True)


def _annotate(found: "list[Verdict]") -> None:
    from evalkit.rendering.annotations import annotation

    for one in found:
        pin = one.asked.pin
        for problem in one.problems:
            say(annotation("error", pin.path, pin.line, f"{pin.written}: {problem}"))
        for warning in one.warnings:
            say(annotation("warning", pin.path, pin.line, f"{pin.written}: {warning}"))


@pins.command("unproven")
def unproven(
    revisions: Range,
    lock: LockFile = Path("evalkit.lock"),
    dataset: Dataset = None,
    rubric: Rubric = None,
    policy: Policy = None,
    allow_simulated: AllowSimulated = False,
    baseline: Annotated[
        str | None, typer.Option(help="Refuse if this model is another than a pin before.", show_default=False)
    ] = None,
    candidate: Annotated[
        str | None, typer.Option(help="Refuse if this model is another than a pin now.", show_default=False)
    ] = None,
) -> None:
    """Print the gates that a change lacks, for scripts: one `BASELINE CANDIDATE` a line, nothing if it lacks none.

    Example: evalkit pins unproven origin/main...HEAD
    """
    from evalkit.pins.verdicts import refuse_others, unproven_pairs

    named = {"dataset": dataset, "rubric": rubric, "policy": policy}
    pairs = unproven_pairs(_verdicts(None, lock, revisions, allow_simulated, named))
    refuse_others(pairs, baseline, candidate)
    for then, now in pairs:
        say(f"{then} {now}")


def _verdicts(
    paths: list[Path] | None,
    lock: Path,
    changed: str | None,
    allow_simulated: bool,
    named: Mapping[str, Path | None],
    *,
    annotate: bool = False,
) -> "list[Verdict]":
    from evalkit.cli.pins_evidence import asked_files, hashes_in
    from evalkit.pins.found import bumps_between, models_before, pins_under, stood_before
    from evalkit.pins.scan import in_code
    from evalkit.pins.verdicts import Asked, Terms, asked_by, verdicts

    if changed is not None and paths:
        raise UsageError("--changed looks at the whole change; leave the paths out")
    now, hashes, files = datetime.now(UTC), hashes_in(lock.parent), asked_files(named, lock.parent)
    if changed is None:
        looked = pins_under(paths or [Path()])
        terms = Terms(_read(lock), now, hashes, allow_simulated=allow_simulated, files=files)
        asked = [Asked(pin) for pin in in_code(looked.pins)]
    else:
        looked = bumps_between(changed, Path())
        stood = partial(stood_before, named=changed, folder=Path())
        models = cache(partial(models_before, changed, Path()))
        terms = Terms(_read(lock), now, hashes, stood, models, allow_simulated, files)
        asked = asked_by(looked.bumps, terms)
        _tell_removed(looked.bumps, annotate=annotate)
    _tell_skipped(looked.skipped)
    return list(verdicts(asked, terms))


def _read(path: Path) -> "Lock":
    from evalkit.files import read_text
    from evalkit.pins.lock import Lock, read_lock

    return read_lock(read_text(path, "lock file"), str(path)) if path.exists() else Lock()
