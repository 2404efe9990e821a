"""Logistic regression: each model's chances from the ranks of a request's features, learned from graded outputs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from evalkit.analysis.routing import NotValued
from evalkit.routing.learned import learned
from evalkit.routing.outcomes import FloatArray, IntArray, Outcomes
from evalkit.routing.policy import Policy
from evalkit.stats.sample_quantiles import values_reached

ORDER = 70
CUTS = 10
"""Parts that a feature's values are ranked into, which keeps a few huge requests from deciding."""


def policies(outcomes: Outcomes) -> Iterator[Policy | NotValued]:
    """One, where scikit-learn is installed."""
    what = "to the model expected to cost least in the end, by a logistic regression on features and tags"
    yield from learned(outcomes, "logistic", "Learned (logistic regression)", what, lambda inputs: 1 + inputs, learn)


def learn(names: Sequence[str], rows: FloatArray, satisfied: IntArray, weights: FloatArray) -> Mapping[str, Any]:
    """A weight for the rank of each feature, shrunk as scikit-learn does by default."""
    from sklearn.linear_model import LogisticRegression

    cuts = [_cuts(rows[:, column]) for column in range(len(names))]
    seen = [column for column, cut in enumerate(cuts) if cut]
    if not seen:
        rate = np.average(satisfied, weights=weights)
        return {"intercept": float(np.log(rate / (1 - rate))), "terms": [], "trees": []}
    ranks = [np.searchsorted(cuts[c], rows[:, c], side="right") / len(cuts[c]) for c in seen]
    model = LogisticRegression(max_iter=1000).fit(np.stack(ranks, axis=1), satisfied, sample_weight=weights)
    terms = [
        {"feature": names[column], "cuts": cuts[column], "weight": float(weight)}
        for column, weight in zip(seen, model.coef_[0], strict=True)
    ]
    return {"intercept": float(model.intercept_[0]), "terms": terms, "trees": []}


def _cuts(values: FloatArray) -> list[float]:
    return sorted(values_reached(values, np.arange(1, CUTS + 1) / CUTS) - {float(values.min())})
