"""Gradient boosting: each model's chances from many small decision trees, learned from graded outputs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from evalkit.analysis.routing import NotValued
from evalkit.routing.learned import learned
from evalkit.routing.outcomes import FloatArray, IntArray, Outcomes
from evalkit.routing.policy import Policy

ORDER = 75
TREES, DEPTH, RATE = 40, 2, 0.1
"""Small on purpose: a few hundred items bear no more. Two levels see what two features say together."""


def policies(outcomes: Outcomes) -> Iterator[Policy | NotValued]:
    """One, where scikit-learn is installed."""
    what = "to the model expected to cost least in the end, by gradient boosting on features and tags"
    numbers = 1 + TREES * (2 * 2**DEPTH - 1)
    yield from learned(outcomes, "boosting", "Learned (gradient boosting)", what, lambda _: numbers, learn)


def learn(names: Sequence[str], rows: FloatArray, satisfied: IntArray, weights: FloatArray) -> Mapping[str, Any]:
    """The trees as numbers: `[feature, threshold, tree up to it, tree above it]`."""
    from sklearn.ensemble import GradientBoostingClassifier

    model = GradientBoostingClassifier(
        n_estimators=TREES, max_depth=DEPTH, learning_rate=RATE, subsample=0.5, random_state=0
    ).fit(rows, satisfied, sample_weight=weights)
    rate = np.average(satisfied, weights=weights)
    trees = [_tree(stage[0].tree_, 0, names) for stage in model.estimators_]
    return {"intercept": float(np.log(rate / (1 - rate))), "terms": [], "trees": trees}


def _tree(tree: Any, node: int, names: Sequence[str]) -> Any:
    """A node and what is below it. scikit-learn compares features in single precision, which differs from this only
    for values that single precision cannot tell from the threshold."""
    if tree.children_left[node] < 0:
        return float(RATE * tree.value[node, 0, 0])
    below = (_tree(tree, int(side[node]), names) for side in (tree.children_left, tree.children_right))
    return [names[tree.feature[node]], float(tree.threshold[node]), *below]
