"""A context sweep's sizes: each of them as a run of its own, and the one that stands for production."""

from collections.abc import Mapping
from dataclasses import replace

from evalkit.grading_records import RoundEvent
from evalkit.records import ItemRecord, Snapshot
from evalkit.rounds import LEFT


def at_context(snapshot: Snapshot, size: int) -> Snapshot:
    """A sweep's records at one size, under the items' own ids, as if only this size had been run.

    `size` in tokens, as it was asked for. Models that were not run at it are left out. Sessions and rounds stay whole:
    they were of all sizes. ValueError for a size that the run does not have.
    """
    names = {item.id: item.variant_of or item.id for item in snapshot.items if item.context_tokens == size}
    if not names:
        raise ValueError(f"{size} is not one of the sizes of this run: {snapshot.spec.contexts}")
    items = tuple(_plain(item) for item in snapshot.items if item.id in names)
    trials = tuple(
        replace(trial, key=trial.key._replace(item_id=names[trial.key.item_id]))
        for trial in snapshot.trials
        if trial.key.item_id in names
    )
    ids, used = {trial.id for trial in trials}, {name for item in items for name in item.documents}
    asked = {trial.key.model for trial in trials}
    models = tuple(model for model in snapshot.spec.models if model in asked)
    return replace(
        snapshot,
        spec=replace(snapshot.spec, models=models, context_tokens=size, contexts=()),
        items=items,
        sizes=tuple(replace(s, item_id=names[s.item_id]) for s in snapshot.sizes if s.item_id in names),
        trials=trials,
        attempts=tuple(attempt for attempt in snapshot.attempts if attempt.trial_id in ids),
        grades=tuple(grade for grade in snapshot.grades if grade.trial_id in ids),
        markings=tuple(mark for mark in snapshot.markings if mark.trial_id in ids),
        preferences=tuple(p for p in snapshot.preferences if {p.first_trial_id, p.second_trial_id} <= ids),
        documents={name: text for name, text in snapshot.documents.items() if name in used},
        events=tuple(_renamed(event, names) for event in snapshot.events),
    )


def _renamed(event: RoundEvent, names: Mapping[str, str]) -> RoundEvent:
    """What happened around a round, of the items of one size alone where it names any."""
    content = dict(event.content)
    for named in ("items", "apart", "drawn"):
        if content.get(named) is not None:
            content[named] = [names[item] for item in content[named] if item in names]
    if LEFT in content:
        content[LEFT] = [[names[item], *rest] for item, *rest in content[LEFT] if item in names]
    return replace(event, content=content)


def _plain(item: ItemRecord) -> ItemRecord:
    return replace(item, id=item.variant_of or item.id, variant_of=None, context_tokens=None)


def production_size(snapshot: Snapshot) -> tuple[int, str]:
    """The size of a sweep that a decision is about, in tokens, and why.

    It is the one that the dataset's card names, if it was run; else the largest that every model was run at; else the
    largest that any was.
    """
    place = {item.id: item.context_tokens for item in snapshot.items}
    models: dict[int, set[str]] = {}
    for trial in snapshot.trials:
        size = place[trial.key.item_id]
        if size is not None:
            models.setdefault(size, set()).add(trial.key.model)
    named, shared = snapshot.spec.context_tokens, [s for s in models if models[s] == set(snapshot.spec.models)]
    if named in models and named is not None:
        return named, "production's size, as the dataset's card says"
    if shared:
        return max(shared), "the largest size that every model was run at"
    return max(models, default=max(snapshot.spec.contexts)), "the largest size; no size was run with every model"


def sizes_of(snapshot: Snapshot) -> set[int]:
    """The sizes in tokens that a sweep has items at."""
    return {item.context_tokens for item in snapshot.items if item.context_tokens is not None}
