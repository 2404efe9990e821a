"""Context sweeps made by hand: ordinary runs of the same items, put together as a run file holds them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from analysis_builders import HAIKU, OPUS, Book, answered, spec

from evalkit.records import PromptSize, Snapshot, TrialKey


def together(parts: Mapping[int, Snapshot], card: int | None = None, models: Sequence[str] = ()) -> Snapshot:
    """A sweep from one ordinary snapshot a size; `card` is production's size, `models` all that were asked for."""
    sizes = sorted(parts)
    first = parts[sizes[0]]
    whole = replace(
        first,
        spec=replace(
            first.spec, contexts=tuple(sizes), context_tokens=card, models=tuple(models) or first.spec.models
        ),
        items=(), sizes=(), trials=(), attempts=(), grades=(), documents={},
    )  # fmt: skip
    for size in sizes:
        whole = _with(whole, parts[size], size)
    return whole


def _with(whole: Snapshot, part: Snapshot, size: int) -> Snapshot:
    step, attempts = len(whole.trials), len(whole.attempts)
    return replace(
        whole,
        items=whole.items
        + tuple(replace(i, id=f"{i.id}@{size}", variant_of=i.id, context_tokens=size) for i in part.items),
        sizes=whole.sizes + tuple(replace(s, item_id=f"{s.item_id}@{size}") for s in part.sizes),
        trials=whole.trials
        + tuple(
            replace(t, id=t.id + step, key=TrialKey(f"{t.key.item_id}@{size}", *t.key[1:]), position=t.position + step)
            for t in part.trials
        ),
        attempts=whole.attempts
        + tuple(replace(a, id=a.id + attempts, trial_id=a.trial_id + step) for a in part.attempts),
        grades=whole.grades + tuple(replace(g, trial_id=g.trial_id + step) for g in part.grades),
        rounds=whole.rounds or part.rounds,
        documents={**whole.documents, **part.documents},
    )


def at_size(size: int, passes: Mapping[str, Sequence[Sequence[bool | None]]], reached: int | None = None) -> Snapshot:
    """One size as a run of its own: for each model a list of epochs an item; None is an output without a grade.

    The first output cost a judge's request, and a document fills every prompt.
    """
    epochs = max(len(row) for rows in passes.values() for row in rows)
    book = Book(spec(tuple(passes), epochs=epochs, context_tokens=size))
    for i in range(max(map(len, passes.values()))):
        book.item(f"item-{i:03d}", documents=(f"filler-{size}",))
        for model, rows in passes.items():
            for epoch, passed in enumerate(rows[i], start=1):
                level = None if passed is None else int(passed)
                book.trial(f"item-{i:03d}", answered(size / 1e6, 1 + i / 10), model=model, epoch=epoch, level=level)
            book.sizes.append(PromptSize(f"item-{i:03d}", model, (reached or size - 10) - i % 5, counted=True))
    book.judging(1, answered(0.5))
    return book.snapshot(documents={f"filler-{size}": "text"})


def losing(items: int, lost: int) -> list[list[bool]]:
    """One epoch an item, of which the last few fail."""
    return [[i < items - lost] for i in range(items)]


def three_sizes(card: int | None = None, reached: int | None = None) -> Snapshot:
    """Sixty items: one model holds throughout, the other loses one item at 10,000 tokens and thirty at 50,000."""
    lost = {2000: 0, 10_000: 1, 50_000: 30}
    parts = {
        size: at_size(size, {OPUS: losing(60, 0), HAIKU: losing(60, n)}, reached if size == 50_000 else None)
        for size, n in lost.items()
    }
    return together(parts, card)
