"""The oracle: the cheapest model that would have done, as only somebody who knows the grades could choose it."""

from collections.abc import Iterator

import numpy as np

from evalkit.routing.flows import Flow, Path
from evalkit.routing.outcomes import FloatArray, Outcomes
from evalkit.routing.policy import Policy, fixed

ORDER = 90
INFLATED = "upper bound, inflated"


def policies(outcomes: Outcomes) -> Iterator[Policy]:
    """With two epochs or more the choice is made on one half and valued on the other; with one it is inflated."""
    if outcomes.epochs == 1:
        what = f"the best model of each item, chosen by the very grade it is valued by ({INFLATED})"
        yield fixed("oracle", f"Oracle ({INFLATED})", what, "oracle", _by(outcomes, [([0], [0])]))
        return
    half = (outcomes.epochs + 1) // 2
    first, second = list(range(half)), list(range(half, outcomes.epochs))
    what = "the best model of each item, chosen on one half of the epochs and valued on the other"
    yield fixed("oracle", "Oracle (split-epoch)", what, "oracle", _by(outcomes, [(first, second), (second, first)]))


def _by(outcomes: Outcomes, halves: list[tuple[list[int], list[int]]]) -> Flow:
    """Both halves count alike, however many epochs they have; models that are equally good share the trial."""
    weights = np.zeros(outcomes.satisfied.shape)
    for choose, value in halves:
        weights[:, :, value] = _best(outcomes.utility_usd[:, :, choose].mean(axis=2))[:, :, None] * (
            outcomes.epochs / len(halves) / len(value)
        )
    return Flow(tuple(Path((m,), weights[:, m]) for m in range(len(outcomes.models))))


def _best(utility: FloatArray) -> FloatArray:
    top = utility.max(axis=1, keepdims=True)
    best = utility >= top - 1e-12 * np.abs(utility).max(axis=1, keepdims=True)
    return np.asarray(best / best.sum(axis=1, keepdims=True))
