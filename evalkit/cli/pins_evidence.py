"""Which files an approval in `evalkit.lock` is of: found when it is made, and read again when it is verified."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import EvalkitError, UsageError
from evalkit.pins.lock import WORTHLESS, Approval, Lock
from evalkit.wording import plural

if TYPE_CHECKING:
    from evalkit.gating.policy import Common

_POLICY = "gate.yaml"


def files_of(
    report: Mapping[str, Any], named: Mapping[str, Path | None], held: Lock, folder: Path, *, imported: bool
) -> dict[str, str]:
    """The dataset, rubric and policy that a gate's report is of, as paths from the lock's folder.

    What is not named is looked for by its hash: where earlier approvals had it, then where evalkit keeps such files.
    UsageError for a file that is named and is another, for one that is not found, unless outputs were imported, and for
    a report of a part of the dataset: who chooses the part may choose the verdict.
    """
    gate = report["gate"]
    found = {kind: _found(kind, gate["provenance"], named, held, folder) for kind in _READERS}
    for kind, path in found.items():
        if path is None and not imported:
            raise UsageError(
                f"no {kind} here is the one that the report is of; name it with --{kind}, or say --imported if its"
                " outputs were"
            )
    if (dataset := found["dataset"]) is not None:
        _refuse_part(gate, dataset)
    found["policy"] = policy_of(gate, named.get("policy"))
    return {kind: _from(folder, path) for kind, path in found.items() if path is not None}


def _from(folder: Path, path: Path) -> str:
    if path.is_absolute():  # the folder may be reached by another name
        path, folder = path.parent.resolve() / path.name, folder.resolve()
    return Path(os.path.relpath(path, folder)).as_posix()


def asked_files(named: Mapping[str, Path | None], folder: Path) -> dict[str, str | None]:
    """The files that evidence must be of, from the lock's folder: those that are named, and with a dataset the rubric
    and the policy that a run of it and its gate would take. UsageError where there is no such rubric."""
    found = {kind: path for kind, path in named.items() if path is not None}
    for path in found.values():
        if not path.exists():
            raise UsageError(f"{str(path)!r} does not exist; name the file that evidence is to be of")
    asked: dict[str, str | None] = {kind: _from(folder, path) for kind, path in found.items()}
    if (dataset := found.get("dataset")) is not None:
        if "rubric" not in asked:
            asked["rubric"] = _from(folder, _rubric_of(dataset))
        if "policy" not in asked:
            asked["policy"] = _from(folder, Path(_POLICY)) if Path(_POLICY).exists() else None
    return asked


def _refuse_part(gate: Mapping[str, Any], path: Path) -> None:
    """A look of a plan of all items is no part: its error was fixed before anything was seen."""
    from evalkit.dataset_files import read_dataset

    planned, whole = gate["provenance"].get("planned_items", gate["items"]), len(read_dataset(path).items)
    if not isinstance(planned, int) or planned < whole:
        raise UsageError(
            f"the report is of {planned} of the {plural(whole, 'item')} of {str(path)!r}, and evidence is of a dataset"
            " whole; run without --limit, grade and gate that"
        )


def _rubric_of(dataset: Path) -> Path:
    """The rubric that a run of a dataset takes unless one is named; UsageError where there is none."""
    from evalkit.files import find_rubric, read_config

    return find_rubric(dataset, read_config(Path("evalkit.yaml")))


def _found(
    kind: str, hashes: Mapping[str, str], all_named: Mapping[str, Path | None], held: Lock, folder: Path
) -> Path | None:
    named, dataset = all_named.get(kind), all_named.get("dataset")
    read, wanted = _READERS[kind], hashes[f"{kind}_sha256"]
    if named is not None:
        if read(named) != wanted:
            raise UsageError(f"{str(named)!r} is not the {kind} that the report is of; name that one with --{kind}")
        return named
    earlier = [folder / path for one in held.approvals if (path := getattr(one, kind)) is not None]
    if kind == "rubric" and dataset is not None:
        with suppress(UsageError):
            earlier.insert(0, _rubric_of(dataset))
    usual = sorted(Path(f"{kind}s").glob("*.jsonl" if kind == "dataset" else "*.yaml"))
    return next((path for path in dict.fromkeys(earlier + usual) if _hash_or_none(read, path) == wanted), None)


def policy_of(gate: Mapping[str, Any], named: Path | None) -> Path | None:
    """The policy that a gate's report is of; None for what the gate asks by itself. UsageError for one that does not
    ask for quality: a pin is approved on what its outputs are worth."""
    from evalkit.gating.policy import NO_QUALITY

    path = named or (Path(_POLICY) if Path(_POLICY).exists() else None)
    policy = _policy(path, gate["items"], gate["epochs"])
    if policy.sha256 != gate["provenance"]["policy_sha256"]:
        said = f"{str(path)!r} is not" if path else "what `evalkit gate` asks by itself is not"
        raise UsageError(f"{said} the policy that the report is of; name that one with --policy")
    if not policy.asks_for_quality:
        raise UsageError(f"{str(path)!r} approves no pin: {NO_QUALITY}, and gate again")
    return path


def hashes_in(folder: Path) -> Callable[[Approval], dict[str, str]]:
    """For an approval: what the files that it is of hash to now, with the lock in that folder; empty for one that is
    gone, which is no evidence and no wrong file."""
    read: dict[tuple[str, str], str] = {}

    def hashes_of(held: Approval) -> dict[str, str]:
        found = {}
        for kind, reader in _READERS.items():
            path = getattr(held, kind)
            if path is not None:
                if (kind, path) not in read:
                    read[kind, path] = reader(folder / path) if (folder / path).exists() else ""
                found[f"{kind}_sha256"] = read[kind, path]
        usual = folder / _POLICY
        policy = folder / held.policy if held.policy else usual if usual.exists() else None
        gone = held.policy is not None and policy is not None and not policy.exists()
        return {**found, "policy_sha256": "" if gone else worth(_policy(policy, held.items, held.epochs))}

    def worth(policy: "Common") -> str:
        return policy.sha256 if policy.asks_for_quality else WORTHLESS

    return hashes_of


def _dataset_hash(path: Path) -> str:
    from evalkit.dataset_files import read_dataset

    return read_dataset(path).sha256


def _rubric_hash(path: Path) -> str:
    from evalkit.files import read_rubric

    return read_rubric(path).sha256


def _policy(path: Path | None, items: int, epochs: int) -> "Common":
    from evalkit.cli.gate_policy import read
    from evalkit.gating.policy import default_policy

    return default_policy(items, epochs) if path is None else read(path)


_READERS: Mapping[str, Callable[[Path], str]] = {"dataset": _dataset_hash, "rubric": _rubric_hash}


def _hash_or_none(read: Callable[[Path], str], path: Path) -> str | None:
    try:
        return read(path)
    except EvalkitError:
        return None
