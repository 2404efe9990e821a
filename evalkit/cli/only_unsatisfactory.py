"""`evalkit run --only-unsatisfactory`: a dearer model on the items that the usual one failed, all else as it was."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.cli import urls
from evalkit.cli.choice import Choice
from evalkit.errors import IntegrityError, UsageError

if TYPE_CHECKING:
    from evalkit.records import Spec
    from evalkit.selection import Selection

_FREE = frozenset({"name", "models", "epochs", "limit", "endpoint", "choice of items"})
"""In what such a run may differ from the one its items come from."""


def again(
    model: str | None,
    source: Path | None,
    dataset: Path | None,
    rubric: Path | None,
    dearer: Sequence[str] | None,
    epochs: int | None,
    taken: Mapping[str, object],
    tell: Callable[[str], None],
) -> Choice | None:
    """The run to make, after `model` in the run file `source`; None if it failed no item, of which `tell` takes a line.

    `taken` are options that the source decides, by their names, with what was given for them. Raises UsageError for
    what cannot be chosen from, IntegrityError for another dataset or rubric than the source's.
    """
    from evalkit.analysis import analyze
    from evalkit.conditional import refuse
    from evalkit.selection import unsatisfactory
    from evalkit.showing import refuse_while_graded
    from evalkit.store import RunFile

    if model is None or source is None:
        raise UsageError("--only-unsatisfactory MODEL and --from RUN go together; give both")
    with RunFile(source, read_only=True) as file:
        snapshot = file.snapshot()
    refuse(snapshot.spec, "chosen from")
    refuse_while_graded(snapshot)
    _refuse_names(model, dearer, snapshot.spec, source)
    for name, given in taken.items():
        if given is not None:
            raise UsageError(f"{name} is taken from {source}; leave it out")
    analysis = analyze(snapshot)
    found = unsatisfactory(analysis, model)
    if not found.judged:
        raise UsageError(f"{source}: no item has a grade for every epoch of {model!r}; `evalkit grade --blind` first")
    swept = None if analysis.sweep is None else analysis.sweep.analysed
    tell(urls.as_given(_said(found, source, swept)))
    if not found.failed:
        return None
    size = snapshot.spec.context_tokens if swept is None else swept
    return _run(found, snapshot.spec, source, size, dataset, rubric, dearer or (), epochs)


def _refuse_names(model: str, dearer: Sequence[str] | None, spec: "Spec", source: Path) -> None:
    if model not in spec.models:
        raise UsageError(f"{source} has no model {model!r}; it has {', '.join(spec.models)}")
    if not dearer:
        raise UsageError("--only-unsatisfactory needs the dearer model; name it with -m")
    if model in dearer:
        raise UsageError(f"model {model!r} is the one that failed these items; name another with -m")


def _said(found: "Selection", source: Path, swept: int | None) -> str:
    """What was looked for and found; `swept`: the size of a context sweep at which it was."""
    from evalkit.models import display_name

    at = source if swept is None else f"{source} at {swept:,} tokens"
    name, left = display_name(found.model), f"; {found.left_out} not judged in every epoch, left out"
    tail = left if found.left_out else ""
    if not found.failed:
        failed = f"{name} failed none of the {found.judged} items of {at} in every epoch"
        return f"{failed}{tail}: nothing to run"
    return f"{name} was not satisfactory in any epoch on {len(found.failed)} of {found.judged} items of {at}{tail}"


def _run(
    found: "Selection",
    spec: "Spec",
    source: Path,
    size: int | None,
    dataset: Path | None,
    rubric: Path | None,
    dearer: Sequence[str],
    epochs: int | None,
) -> Choice:
    from evalkit.conditional import condition
    from evalkit.dataset_files import read_dataset
    from evalkit.files import read_rubric, without_machine
    from evalkit.planning import Options
    from evalkit.rubric import Rubric

    place = dataset or Path("datasets") / f"{spec.name}.jsonl"
    if dataset is None and not place.is_file():
        raise UsageError(f"{str(place)!r} is not there; name the dataset of {source}")
    loaded = read_dataset(place)
    stated = bool(spec.economics_stated)
    criteria = Rubric.read_back(spec.rubric, correction_stated=stated) if rubric is None else read_rubric(rubric)
    for what, ours, theirs in (
        ("dataset", loaded.sha256, spec.dataset_sha256),
        ("rubric", criteria.sha256, spec.rubric_sha256),
    ):
        if ours != theirs:
            raise IntegrityError(
                f"the {what} is another than that of {source} ({ours[:12]}, not {theirs[:12]}); use the same one"
            )
    options = Options(
        models=tuple(dearer),
        epochs=epochs or spec.epochs,
        seed=spec.seed,
        contexts=() if size is None else (size,),
        max_tokens=spec.max_tokens,
        cache="off" if spec.cache == "off" else "as-production",
        only=found.failed,
        condition=condition(found.model, spec.sha256, len(found.failed), found.judged),
        dataset_files=(without_machine(place),),
    )
    return Choice(place, loaded, criteria, options, spec)


def refuse_unlike(source: "Spec", planned: "Spec") -> None:
    """IntegrityError if the planned run would differ from its source in more than models, items and epochs."""
    from evalkit.spec_differences import differences, differing

    if source.contexts:  # one of its sizes is run again
        source = replace(source, contexts=(), context_tokens=planned.context_tokens)
    differ = [what for what in differences(planned, source) if what not in _FREE]
    if differ:
        raise IntegrityError(
            f"the run would not be like the one its items come from ({differing(differ)});"
            " use the same version, dataset and server"
        )
