"""Merging: run files of one spec as one new file, whole, or refused with what differs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection

from evalkit import rows
from evalkit.carried_rows import Source, carried_rows
from evalkit.conditional import mark
from evalkit.disk_errors import read_plainly
from evalkit.errors import IntegrityError, UsageError
from evalkit.files import is_elsewhere
from evalkit.frozen import dataclass
from evalkit.locks import is_held
from evalkit.plan import trial_order
from evalkit.rates import Rates
from evalkit.records import ItemRecord, PromptSize, Spec, Trial, TrialKey
from evalkit.showing import refuse_while_graded
from evalkit.spec_differences import differences, differing
from evalkit.store import RunFile
from evalkit.wording import plural

_MAY_DIFFER = frozenset({"models", "name"})
_IMPORTS_MAY_DIFFER = frozenset({*_MAY_DIFFER, "outputs_sha256", "epochs"})
"""What specs of files that are merged may have for themselves. Epochs of an import were not asked for, but found."""


@dataclass(frozen=True)
class Merged:
    """What the new file holds: `settled` of its `trials`, and `rounds` of grading, which are closed.

    `growing`: files that requests were still being sent for.
    """

    models: tuple[str, ...]
    trials: int
    settled: int
    rounds: int
    growing: tuple[Path, ...] = ()


@dataclass(frozen=True)
class _Part:
    """What is known of one of the files: its plan, and the trials (by id) for which a request was ever sent."""

    path: Path
    db: Connection
    spec: Spec
    items: Mapping[str, ItemRecord]
    documents: Mapping[str, str]
    sizes: Sequence[PromptSize]
    trials: Sequence[Trial]
    begun: frozenset[int]


def merge(paths: Sequence[Path], target: Path) -> Merged:
    """Make the file `target` of all that `paths` hold, which stay as they are, also while others write them.

    Raises UsageError for files that cannot be joined as they are now, IntegrityError for those of other specs, for
    trials that two of them hold, and for what is damaged.
    """
    place = target.parent.resolve() / target.name  # `missing/../x.db` is one, though no folder `missing` is there
    if place.exists():
        raise UsageError(f"{str(target)!r} exists already; name a new file with -o")
    with ExitStack() as held:
        files = [held.enter_context(RunFile(path, read_only=True)) for path in _distinct(paths)]
        parts, growing = [], tuple(path for path in paths if is_held(path, "run") or is_held(path, "grade"))
        for file in files:
            parts.append(_part(file, held.enter_context(file.still())))
            _refuse_unfinished(file, parts[-1])
        return replace(_written(parts, place), growing=growing)


def _distinct(paths: Sequence[Path]) -> Sequence[Path]:
    if len(paths) < 2:
        raise UsageError("one run file is nothing to merge; name two or more")
    for place, path in enumerate(paths):
        if path.resolve() in [other.resolve() for other in paths[:place]]:
            raise UsageError(f"{str(path)!r} is named twice; name each run file once")
    return paths


def _part(file: RunFile, db: Connection) -> _Part:
    spec = file.spec()
    with read_plainly(file.path):
        items = [rows.item_of(row) for row in db.execute("SELECT * FROM item ORDER BY position")]
        begun = db.execute("SELECT DISTINCT trial_id FROM attempt_start WHERE grader IS NULL")
        return _Part(
            path=file.path,
            db=db,
            spec=spec,
            items={item.id: item for item in items},
            documents={row["name"]: row["text"] for row in db.execute("SELECT * FROM document ORDER BY name")},
            sizes=[rows.size_of(row) for row in db.execute("SELECT * FROM prompt_size ORDER BY item_id, model")],
            trials=[rows.trial_of(row) for row in db.execute("SELECT * FROM trial ORDER BY position")],
            begun=frozenset(row["trial_id"] for row in begun),
        )


def _refuse_unfinished(file: RunFile, part: _Part) -> None:
    """What goes on elsewhere, and could not go on in two files: answers awaited from a batch, and people grading."""
    with read_plainly(part.path):
        waiting = "batch_entry b LEFT JOIN attempt a ON a.id = b.attempt_id WHERE a.id IS NULL"
        count = part.db.execute(f"SELECT count(*) FROM {waiting}").fetchone()[0]  # noqa: S608
        closed = "SELECT round_id FROM round_event WHERE kind = 'closed'"
        joined = f"SELECT 1 FROM round_event WHERE kind = 'joined' AND round_id NOT IN ({closed})"  # noqa: S608
        at_work = part.db.execute(joined).fetchone()
    if count:
        what = f"{plural(count, 'request')} of {part.path} may be in batches at the server"
        raise UsageError(f"{what}; fetch them first: the same `evalkit run` with --executor batch")
    if at_work:
        try:
            refuse_while_graded(file.snapshot())
        except UsageError as error:
            raise UsageError(f"{part.path}: {str(error).partition(',')[0]}") from error


def _written(parts: Sequence[_Part], target: Path) -> Merged:
    first = parts[0]
    for other in parts[1:]:
        _refuse_other_spec(first, other)
    items, documents = _items(parts), _documents(parts)
    sizes = {(size.item_id, size.model): size for part in reversed(parts) for size in part.sizes}
    _refuse_same_trials(parts)
    spec = _joined(parts)
    order = _order(parts, spec, items)
    numbers = {key: number for number, key in enumerate(order, start=1)}
    sources = [_source(part, parts, spec, numbers) for part in parts]
    outcomes = carried_rows(sources, datetime.now(UTC).isoformat(timespec="seconds"))
    with RunFile.create(target, spec, items, documents, order, sizes.values(), outcomes) as merged:
        with merged.still() as db, read_plainly(target):
            rounds = db.execute("SELECT count(*) FROM round").fetchone()[0]
        return Merged(spec.models, len(order), sum(merged.outcomes().values()), rounds)


def _refuse_other_spec(first: _Part, other: _Part) -> None:
    if first.spec.condition != other.spec.condition:
        chosen = first if first.spec.condition is not None else other
        raise IntegrityError(
            f"{chosen.path} is {mark(chosen.spec)}; it is never pooled with other items: merge runs of one choice"
        )
    if first.spec.imported != other.spec.imported:
        imported = first if first.spec.imported else other
        raise IntegrityError(
            f"the outputs of {imported.path} were imported, nobody here knows how they were made; import all or none"
        )
    may_differ = _IMPORTS_MAY_DIFFER if first.spec.imported else _MAY_DIFFER
    found = [what for what in differences(first.spec, other.spec) if what not in may_differ]
    if found:
        told = f"{differing(found)}{_numbers(found, first.spec, other.spec)}"
        raise IntegrityError(f"{other.path} is another run than {first.path}: {told}; merge runs of one spec")


def _numbers(found: Sequence[str], then: Spec, now: Spec) -> str:
    """What differs that is a number, on either side; hashes say nothing to a reader."""
    pairs = {what: (getattr(now, what, None), getattr(then, what, None)) for what in found}
    told = [
        f"{what} {'none' if one is None else one} and {'none' if other is None else other}"
        for what, (one, other) in pairs.items()
        if isinstance(one, int) or isinstance(other, int)
    ]
    return f" ({'; '.join(told)})" if told else ""


def _items(parts: Sequence[_Part]) -> list[ItemRecord]:
    """The items of all, each of which must be the same in every file that has it."""
    found: dict[str, tuple[ItemRecord, Path]] = {}
    for part in parts:
        for item in part.items.values():
            known, path = found.setdefault(item.id, (item, part.path))
            if replace(known, position=item.position) != item:
                raise IntegrityError(
                    f"item {item.id!r} had {_differing(known, item)} in {part.path} than in {path}; run the models"
                    " together in one run"
                )
    items = [item for item, _ in found.values()]
    if parts[0].spec.imported:  # each import has numbered its own
        return [replace(item, position=position) for position, item in enumerate(items)]
    return sorted(items, key=lambda item: item.position)


def _differing(known: ItemRecord, item: ItemRecord) -> str:
    if known.documents != item.documents:
        return "other documents"  # a context is filled up to what fits every model of its run
    return "another content"


def _documents(parts: Sequence[_Part]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in parts:
        for name, text in part.documents.items():
            if found.setdefault(name, text) != text:
                raise IntegrityError(
                    f"document {name!r} of {part.path} has another text than that of {parts[0].path}; restore one from"
                    " a copy"
                )
    return found


def _refuse_same_trials(parts: Sequence[_Part]) -> None:
    holder: dict[TrialKey, Path] = {}
    for part in parts:
        twice = [t.key for t in part.trials if t.id in part.begun and holder.setdefault(t.key, part.path) != part.path]
        if twice:
            item_id, model, epoch = twice[0]
            raise IntegrityError(
                f"{holder[twice[0]]} and {part.path} both hold requests for {plural(len(twice), 'trial')}, first item"
                f" {item_id!r}, {model}, epoch {epoch}; merge files of different trials, not copies or repeats"
            )


def _joined(parts: Sequence[_Part]) -> Spec:
    """The spec of all: that of the run which would have had all their models from the start."""
    specs = [part.spec for part in parts]
    outputs = [spec.outputs_sha256 for spec in specs if spec.outputs_sha256 is not None]
    return replace(
        specs[0],
        epochs=max(spec.epochs for spec in specs),
        models=tuple(dict.fromkeys(model for spec in specs for model in spec.models)),
        created_at=min(spec.created_at for spec in specs),
        package_version=", ".join(dict.fromkeys(spec.package_version for spec in specs)),
        prices_version="; ".join(dict.fromkeys(spec.prices_version for spec in specs)),
        outputs_sha256=_together(outputs) if outputs else None,
        rates=_common_rates(specs),
        dataset_files=_dataset_files(specs),
        rubric_file=_found(spec.rubric_file for spec in specs),
    )


def _together(hashes: Iterable[str]) -> str:
    """One hash for outputs of several files: their sum, so that it is the same in whatever steps they are merged."""
    return f"{sum(int(one, 16) for one in hashes) % 2**256:064x}"


def _found(files: Iterable[str | None]) -> str | None:
    """Of files of the same content, one in the working folder before one that lay elsewhere."""
    return min(filter(None, files), key=is_elsewhere, default=None)


def _dataset_files(specs: Sequence[Spec]) -> tuple[str, ...]:
    """That of a run; each of imports, whose outputs are as many files, unless one of them does not say its own."""
    if specs[0].imported:
        known = all(spec.dataset_files for spec in specs)
        return tuple(file for spec in specs for file in spec.dataset_files) if known else ()
    one = _found(file for spec in specs for file in spec.dataset_files)
    return () if one is None else (one,)


def _common_rates(specs: Sequence[Spec]) -> dict[str, tuple[Rates, ...]]:
    """The rates of each model that every file with it was priced by."""
    models = dict.fromkeys(model for spec in specs for model in spec.models)
    found = {model: [spec.rates.get(model) for spec in specs if model in spec.models] for model in models}
    return {model: of[0] for model, of in found.items() if of[0] is not None and of.count(of[0]) == len(of)}


def _order(parts: Sequence[_Part], spec: Spec, items: Sequence[ItemRecord]) -> list[TrialKey]:
    """The trials as one run of all would have planned them; those of imports as they came."""
    planned = dict.fromkeys(trial.key for part in parts for trial in part.trials)
    if spec.imported:
        return list(planned)
    ordered = trial_order([item.id for item in items], spec.models, spec.epochs, spec.seed)
    return [key for key in ordered if key in planned]


def _source(part: _Part, parts: Sequence[_Part], spec: Spec, numbers: Mapping[TrialKey, int]) -> Source:
    elsewhere = {item for other in parts if other is not part for item in _begun_items(other)}
    complete = set(part.spec.models) == set(spec.models)
    whole = frozenset(trial.id for trial in part.trials if complete and trial.key.item_id not in elsewhere)
    return Source(part.path, part.db, {trial.id: numbers[trial.key] for trial in part.trials}, whole)


def _begun_items(part: _Part) -> Iterator[str]:
    return (trial.key.item_id for trial in part.trials if trial.id in part.begun)
