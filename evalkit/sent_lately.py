"""What was just sent to each model: it counts against limits a minute, whichever command and run file it was for."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from time import perf_counter

from evalkit.compact import PromptSizes
from evalkit.executors.pace import MINUTE_S, Need
from evalkit.records import Snapshot

Lately = Mapping[str, Sequence[tuple[float, Need]]]
"""By model: when something was sent within the last minute, s on this process's clock, and what it took; in order."""


def sent_lately(snapshot: Snapshot, now: datetime) -> Lately:
    """What a run has streamed by then, from its file; what went in batches has other limits."""
    here, keys = perf_counter(), {trial.id: trial.key for trial in snapshot.trials}
    sizes, in_batches = PromptSizes(snapshot.sizes), snapshot.in_batches
    found: dict[str, list[tuple[float, Need]]] = {}
    for attempt in snapshot.attempts:
        ago_s = (now - datetime.fromisoformat(attempt.sent_at)).total_seconds()
        if attempt.grader is None and 0 <= ago_s < MINUTE_S and attempt.id not in in_batches:
            item_id, model, _ = keys[attempt.trial_id]
            found.setdefault(model, []).append((here - ago_s, Need(sizes.of(item_id, model).tokens)))
    return {model: sorted(sent, key=lambda one: one[0]) for model, sent in found.items()}


def together(one: Lately, other: Lately) -> Lately:
    """What two runs have sent."""
    models = {*one, *other}
    return {m: sorted([*one.get(m, ()), *other.get(m, ())], key=lambda sent: sent[0]) for m in models}
