"""Complexity signals: simple requests to the cheapest model, complex ones up, by what a request looks like."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.analysis.routing import NotValued
from evalkit.frozen import dataclass
from evalkit.models import display_name
from evalkit.router import FEATURES
from evalkit.routing.flows import chosen
from evalkit.routing.outcomes import BoolArray, FloatArray, Outcomes
from evalkit.routing.policy import Fitted, Policy
from evalkit.stats.sample_quantiles import values_reached

ORDER = 30

CUTS = 20
"""Parts that a feature's values are split into."""
LEVELS = 11
"""Levels of the score that a threshold is chosen from, from nothing below it to everything."""
_LABELS: Mapping[str, str] = {
    "words": "query length",
    "questions": "number of questions",
    "conditionals": "conditional reasoning",
    "comparisons": "requests to compare or analyse",
    "documents": "number of documents",
    "context_characters": "context size",
}


def policies(outcomes: Outcomes) -> Iterator[Policy | NotValued]:
    """All signals together, and each that tells these items apart by itself."""
    telling = [name for name in (*FEATURES, *_own(outcomes)) if _cuts(outcomes.features[name])]
    if not telling:
        yield NotValued("signals", "Complexity signals", "every request looks the same")
        return
    if len(telling) > 1:
        what = f"by the mean rank of {len(telling)} signals ({', '.join(map(_label, telling))})"
        yield _policy(outcomes, "signals", "Complexity signals", what, telling)
    for name in telling:
        label = _label(name)
        yield _policy(outcomes, f"by-{name.replace('_', '-')}", f"By {label}", f"by {label} alone", [name])


def _own(outcomes: Outcomes) -> list[str]:
    return sorted(set(outcomes.features) - set(FEATURES))


def _label(name: str) -> str:
    return _LABELS.get(name, name)


def _cuts(values: FloatArray) -> list[float]:
    """Values that split the items into parts, rising; empty where all are alike. No grade enters them."""
    return sorted(values_reached(values, np.arange(1, CUTS) / CUTS) - {float(values.min())})


@dataclass(frozen=True)
class _Scale:
    """Scores of all items, 0 (simple) to 1, and what they are made of."""

    parts: tuple[dict[str, Any], ...]
    scores: FloatArray

    @property
    def levels(self) -> list[float]:
        """Thresholds worth trying, rising: from nothing below to everything."""
        found = sorted(values_reached(self.scores, np.arange(LEVELS) / (LEVELS - 1)))
        return [*found, found[-1] + 1]


def _scale(outcomes: Outcomes, names: Sequence[str]) -> _Scale:
    cuts = [_cuts(outcomes.features[name]) for name in names]
    ranks = [
        np.searchsorted(c, outcomes.features[name], side="right") / len(c) for name, c in zip(names, cuts, strict=True)
    ]
    parts = tuple({"feature": name, "cuts": c} for name, c in zip(names, cuts, strict=True))
    return _Scale(parts, np.asarray(sum(ranks[1:], start=ranks[0]) / len(ranks)))


def _policy(outcomes: Outcomes, name: str, title: str, what: str, names: Sequence[str]) -> Policy:
    scale = _scale(outcomes, names)
    settings = list(combinations_with_replacement(scale.levels, len(outcomes.models) - 1))
    places = np.stack([np.searchsorted(setting, scale.scores, side="right") for setting in settings], axis=1)
    values = np.take_along_axis(outcomes.utility_usd.mean(axis=2), places, axis=1) * outcomes.weights[:, None]

    def fit(train: BoolArray) -> Fitted:
        best = int(np.argmax(values[train].sum(axis=0)))
        rule, flow = _rule(outcomes, scale, settings[best]), chosen(outcomes, places[:, best])
        return Fitted(flow, rule, told=_told(outcomes, places[:, best]))

    return Policy(name, title, what, "router", fit, tuned=len(outcomes.models) - 1)


def _rule(outcomes: Outcomes, scale: _Scale, thresholds: Sequence[float]) -> dict[str, Any]:
    steps = [{"below": below, "model": model} for below, model in zip(thresholds, outcomes.models[:-1], strict=True)]
    return {"kind": "thresholds", "score": list(scale.parts), "steps": steps, "otherwise": outcomes.models[-1]}


def _told(outcomes: Outcomes, places: npt.NDArray[Any]) -> str:
    shares = [float((places == m).mean()) for m in range(len(outcomes.models))]
    names = [display_name(m, outcomes.models) for m in outcomes.models]
    return ", ".join(f"{share:.0%} to {name}" for share, name in zip(shares, names, strict=True))
