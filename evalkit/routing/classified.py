"""A small model's classification of every item: the requests that ask for it, and what came of them."""

from collections.abc import Sequence

import numpy as np

from evalkit.errors import IntegrityError
from evalkit.records import Attempt, Snapshot, TrialKey
from evalkit.router import CLASSIFIER_SYSTEM, classification, level_of
from evalkit.routing.outcomes import Classified, Outcomes


def is_classifying(snapshot: Snapshot) -> bool:
    """Whether a run holds what a small model said of requests, and no answers to them."""
    return bool(snapshot.items) and all(item.system == CLASSIFIER_SYSTEM for item in snapshot.items)


def classified(snapshot: Snapshot, outcomes: Outcomes) -> Classified:
    """What such a run holds on the items; IntegrityError where it asked something else, or not of every item."""
    model = snapshot.spec.models[0]
    asked = {item.id: item.task for item in snapshot.items}
    trials = {trial.key: trial.id for trial in snapshot.trials}
    attempts: dict[int, list[Attempt]] = {}
    for attempt in snapshot.attempts:
        if attempt.grader is None:
            attempts.setdefault(attempt.trial_id, []).append(attempt)
    rows: list[list[Sequence[Attempt]]] = []
    for item, request in zip(outcomes.items, outcomes.requests, strict=True):
        if asked.get(item.id) != classification(request):
            raise IntegrityError(
                f"the run of the router asked something else of item {item.id!r}; run it anew with --with-router"
            )
        keys = [TrialKey(item.id, model, epoch) for epoch in range(1, outcomes.epochs + 1)]
        rows.append([attempts.get(trials.get(key, -1), []) for key in keys])
        if not all(any(attempt.final for attempt in found) for found in rows[-1]):
            raise IntegrityError(f"the run of the router has not classified item {item.id!r} yet; run it to its end")
    return Classified(
        model,
        tuple(tuple(_level(found) for found in row) for row in rows),
        np.array([[_usd(found) for found in row] for row in rows]),
        np.array([[_felt_s(found) for found in row] for row in rows]),
    )


def _level(attempts: Sequence[Attempt]) -> str | None:
    last = attempts[-1]
    return level_of(last.text) if last.outcome == "answered" else None


def _usd(attempts: Sequence[Attempt]) -> float:
    """Of all attempts; a failed one of unknown cost is left out, as in a run's own figures."""
    known = [attempt.cost_usd for attempt in attempts if attempt.cost_usd is not None]
    return sum(known) if known else float("nan")


def _felt_s(attempts: Sequence[Attempt]) -> float:
    felt = attempts[-1].felt_s
    return float("nan") if felt is None else felt
