"""Learned routers: how likely each model is to satisfy a request, from what is known before any is asked."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from evalkit.analysis.routing import NotValued
from evalkit.models import display_name
from evalkit.router import TAG
from evalkit.routing.flows import chosen
from evalkit.routing.outcomes import BoolArray, FloatArray, IntArray, Outcomes
from evalkit.routing.policy import Fitted, Policy

LEAST_TAGGED = 10
"""Items with a tag, and without it, from which it may be looked at."""

Learn = Callable[[Sequence[str], FloatArray, IntArray, FloatArray], Mapping[str, Any]]
"""From features' names, their values (rows x features), whether each row satisfied, and its weight to `intercept`,
`terms` and `trees` of `evalkit.router`'s learned rules."""


def inputs_of(outcomes: Outcomes) -> Mapping[str, FloatArray]:
    """What can tell these items apart: features that differ, and tags that are neither rare nor usual."""
    told = {name: values for name, values in outcomes.features.items() if np.ptp(values) > 0}
    counts = Counter(tag for request in outcomes.requests for tag in set(request.tags))
    for tag in sorted(counts):
        if min(counts[tag], len(outcomes) - counts[tag]) >= LEAST_TAGGED:
            told[f"{TAG}{tag}"] = np.array([float(tag in request.tags) for request in outcomes.requests])
    return told


def learned(
    outcomes: Outcomes, name: str, title: str, what: str, numbers: Callable[[int], int], learn: Learn
) -> Iterator[Policy | NotValued]:
    """The policy that asks the model expected to cost least in the end; `numbers` of inputs are set for a model.

    What a model charges is a line in the characters of the request, or its mean.
    """
    inputs = inputs_of(outcomes)
    if find_spec("sklearn") is None:
        yield NotValued(name, title, "it needs an extra; pip install 'evalkit-claude[learn]'")
    elif not inputs:
        yield NotValued(name, title, "every request looks the same")
    else:
        tuned = len(outcomes.models) * (numbers(len(inputs)) + 2)
        yield Policy(name, title, what, "router", _fit(outcomes, inputs, learn), tuned)


def _fit(outcomes: Outcomes, inputs: Mapping[str, FloatArray], learn: Learn) -> Callable[[BoolArray], Fitted]:
    names, values = list(inputs), np.stack(list(inputs.values()), axis=1)

    def fit(train: BoolArray) -> Fitted:
        models = [
            {"model": model, **_price(outcomes, place, train), **_odds(outcomes, place, train, names, values, learn)}
            for place, model in enumerate(outcomes.models)
        ]
        rule = {"kind": "learned", "failure_usd": float(outcomes.failure_usd), "models": models}
        expected = np.stack([expected_usd(each, outcomes, inputs) for each in models])
        places = expected.argmin(axis=0)  # of equals the first, as the router does
        return Fitted(chosen(outcomes, places), rule, _told(outcomes, places))

    return fit


def expected_usd(learned: Mapping[str, Any], outcomes: Outcomes, inputs: Mapping[str, FloatArray]) -> FloatArray:
    """`evalkit.router.expected_usd` of all requests at once, to the same decision."""
    log_odds = np.full(len(outcomes), float(learned["intercept"]))
    for term in learned["terms"]:
        reached = np.searchsorted(term["cuts"], inputs[term["feature"]], side="right")
        log_odds += term["weight"] * reached / len(term["cuts"])
    for tree in learned["trees"]:
        log_odds += _leaves(tree, inputs)
    characters = outcomes.features["context_characters"]
    price = np.maximum(0.0, learned["fixed_usd"] + learned["per_character_usd"] * characters)
    return np.asarray(price + outcomes.failure_usd / (1 + np.exp(np.minimum(log_odds, 700.0))))


def _leaves(node: Any, inputs: Mapping[str, FloatArray]) -> FloatArray | float:
    """What a tree says of each request."""
    if isinstance(node, int | float):
        return node
    feature, threshold, up_to, above = node
    return np.where(inputs[feature] <= threshold, _leaves(up_to, inputs), _leaves(above, inputs))


def _odds(
    outcomes: Outcomes, place: int, train: BoolArray, names: Sequence[str], values: FloatArray, learn: Learn
) -> Mapping[str, Any]:
    """A model's chances; the same for every request where the items show nothing else."""
    rate, weight = outcomes.satisfied[train, place].mean(axis=1), outcomes.weights[train]
    good, bad = rate * weight, (1 - rate) * weight
    if not good.any() or not bad.any():
        return {"intercept": float(np.log((good.sum() + 0.5) / (bad.sum() + 0.5))), "terms": [], "trees": []}
    rows = np.concatenate([values[train], values[train]])
    satisfied = np.repeat([1, 0], int(train.sum()))
    weights = np.concatenate([good, bad])
    kept = weights > 0
    return learn(names, rows[kept], satisfied[kept], weights[kept])


def _price(outcomes: Outcomes, place: int, train: BoolArray) -> Mapping[str, float]:
    """A model's price as a line in the size of the request; level where it would fall."""
    size, usd = outcomes.features["context_characters"][train], outcomes.cost_usd[train, place].mean(axis=1)
    weight = outcomes.weights[train]
    mean_size, mean_usd = np.average(size, weights=weight), np.average(usd, weights=weight)
    spread = np.average((size - mean_size) ** 2, weights=weight)
    rise = np.average((size - mean_size) * (usd - mean_usd), weights=weight)
    slope = max(0.0, float(rise / spread)) if spread > 0 else 0.0
    return {"fixed_usd": float(mean_usd - slope * mean_size), "per_character_usd": slope}


def _told(outcomes: Outcomes, places: IntArray) -> str:
    shares = [float((places == m).mean()) for m in range(len(outcomes.models))]
    names = [display_name(m, outcomes.models) for m in outcomes.models]
    return ", ".join(f"{share:.0%} to {name}" for share, name in zip(shares, names, strict=True))
