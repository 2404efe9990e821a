"""`evalkit runs`: the run files there are, and what is in one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.cli import options, urls
from evalkit.cli.terminal import say
from evalkit.errors import EvalkitError

if TYPE_CHECKING:
    from evalkit.records import Attempt, Snapshot


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("runs")(runs)


def runs(
    run: Annotated[
        Path | None,
        typer.Argument(parser=urls.readable, help="Run file to show (default: list all).", show_default=False),
    ] = None,
    folder: options.RunsFolder = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List run files, newest first, or show one.

    Examples:

      evalkit runs

      evalkit runs runs/support-replies-1a2b3c4d.db --json
    """
    import json

    from evalkit.cli.places import run_files

    if run is not None:
        facts = _facts(run)
        if as_json:
            typer.echo(json.dumps(facts, indent=2))
        else:
            say(_shown(facts))
        return
    listed = []
    for path in run_files(folder):
        try:
            listed.append(_facts(path))
        except EvalkitError as error:
            say(f"{path}: {error}", err=True)
    if as_json:
        typer.echo(json.dumps(listed, indent=2))
        return
    if not listed:
        say(f"no run file in {str(folder)!r}; `evalkit run dataset.jsonl` makes one")
    for facts in listed:
        state = f"{facts['settled']}/{facts['trials']} trials, {facts['graded']} graded"
        marks = " SIMULATED" if facts["simulated"] else ""
        marks += f" {facts['condition']}" if "condition" in facts else ""
        say(f"{facts['path']}  {facts['created_at']}  {state}{marks}")


def _facts(path: Path) -> dict[str, object]:
    from evalkit.conditional import mark
    from evalkit.standing_grades import counting
    from evalkit.store import RunFile

    with RunFile(path, read_only=True) as file:
        snapshot = file.snapshot()
    spec = snapshot.spec
    production = [a for a in snapshot.attempts if a.grader is None]
    judging, waiting = [a for a in snapshot.attempts if a.grader is not None], snapshot.in_batches
    return {
        "path": urls.as_given(path),
        "name": spec.name,
        "created_at": spec.created_at,
        "simulated": spec.simulated,
        "endpoint": spec.endpoint,
        "models": list(spec.models),
        "items": len({item.variant_of or item.id for item in snapshot.items}),
        "epochs": spec.epochs,
        "seed": spec.seed,
        "context_tokens": spec.context_tokens,
        "contexts": list(spec.contexts),
        **({"condition": mark(spec)} if spec.condition is not None else {}),
        "trials": len(snapshot.trials),
        "settled": len({a.trial_id for a in production if a.final}),
        "attempts": len(production),
        "failed_attempts": sum(a.outcome == "errored" for a in production),
        **_cut(snapshot),
        "lost_attempts": sum(a.outcome is None and a.id not in waiting for a in production),
        **({"in_batches": len(waiting)} if waiting else {}),
        "spend_usd": _spend(production),
        "unknown_cost_attempts": sum(a.cost_usd is None and a.id not in waiting for a in production),
        "graded": len({grade.trial_id for grade in counting(snapshot.grades) if grade.level is not None}),
        "judge_spend_usd": _spend(judging),
        "judge_unknown_cost": sum(a.cost_usd is None for a in judging),
        "rounds": [{"graders": list(r.graders), "blind": r.blind, "id": r.id} for r in snapshot.rounds],
        "dataset_sha256": spec.dataset_sha256,
        "rubric_sha256": spec.rubric_sha256,
        "prompt_sha256": spec.prompt_sha256,
        "package_version": spec.package_version,
        "prices_version": spec.prices_version,
    }


def _cut(snapshot: "Snapshot") -> dict[str, object]:
    """Streams that broke off after their answer had begun, by model, if there are any."""
    from dataclasses import asdict

    from evalkit.cut_streams import cut_streams

    models = {trial.id: trial.key.model for trial in snapshot.trials}
    production = [a for a in snapshot.attempts if a.grader is None and not snapshot.spec.imported]
    found = {model: cut_streams(a for a in production if models[a.trial_id] == model) for model in snapshot.spec.models}
    cut = {model: asdict(one) for model, one in found.items() if one.attempts}
    return {"cut_streams": cut} if cut else {}


def _spend(attempts: "list[Attempt]") -> float | None:
    """USD of all attempts, failed ones that were billed too; None if an answer has no price, or nothing has."""
    unknown = [a for a in attempts if a.cost_usd is None]
    if any(a.outcome not in (None, "errored") for a in unknown) or (unknown and len(unknown) == len(attempts)):
        return None
    return round(sum(a.cost_usd or 0.0 for a in attempts), 6)


def _shown(facts: dict[str, object]) -> str:
    width = max(map(len, facts))
    return "\n".join(f"{name.replace('_', ' '):<{width}}  {_plain(value)}" for name, value in facts.items())


def _plain(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case {"attempts": count, "input_tokens": read, "output_tokens": told, "received_tokens": received, **cost}:
            about = "" if received is None else f", about {received} received"
            return f"{count} ({read} tokens in, {told} out told{about}; USD {_plain(cost.get('cost_usd'))} at least)"
        case dict() if not {"id", "graders"} <= value.keys():
            return ", ".join(f"{name} {_plain(one)}" for name, one in value.items())
        case list():
            return ", ".join(map(_plain, value)) or "none"
        case {"id": number, "graders": graders, "blind": blind}:
            mark = {True: "", False: " (NOT BLIND)", None: " (blinding not known)"}[blind]
            return f"{number} by {' and '.join(graders)}{mark}"
        case _:
            return "unknown" if value is None else str(value)
