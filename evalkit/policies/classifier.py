"""A small model classifies every request and says which model is to answer it: its call is paid and waited for."""

from collections.abc import Iterator

import numpy as np

from evalkit.analysis.routing import NotValued
from evalkit.models import display_name
from evalkit.router import CLASSIFIER_MAX_TOKENS, CLASSIFIER_SYSTEM, LEVELS, model_for_level
from evalkit.routing.flows import Flow, Path
from evalkit.routing.outcomes import Outcomes
from evalkit.routing.policy import Policy, fixed

ORDER = 50
NAME, TITLE = "classifier", "A small model decides"


def policies(outcomes: Outcomes) -> Iterator[Policy | NotValued]:
    """Simple requests to the cheapest model, complex ones to the dearest: fixed beforehand, nothing is tuned."""
    found = outcomes.classified
    if found is None:
        yield NotValued(NAME, TITLE, "no request was classified; evalkit run --with-router MODEL has that done")
        return
    name = display_name(found.model, outcomes.models)
    if not np.isfinite(found.cost_usd).all():
        yield NotValued(NAME, TITLE, f"a call of {name} has no known price")
        return
    levels = dict(zip(LEVELS, _models(outcomes.models), strict=True))
    rule = {
        "kind": "classifier", "classifier": found.model, "system": CLASSIFIER_SYSTEM,
        "max_tokens": CLASSIFIER_MAX_TOKENS, "levels": levels,
    }  # fmt: skip
    places = np.array([[outcomes.place(model_for_level(rule, level)) for level in row] for row in found.levels])
    paths = tuple(Path((m,), (places == m).astype(float)) for m in range(len(outcomes.models)) if (places == m).any())
    what = f"{name} names each request simple, standard or complex; the cheapest, a middle or the"
    yield fixed(
        NAME, f"{TITLE} ({name})", f"{what} dearest model answers it", "router",
        Flow(paths, found.cost_usd, found.felt_s), rule,
    )  # fmt: skip


def _models(models: tuple[str, ...]) -> tuple[str, str, str]:
    """For simple, standard and complex requests, of models that rise in cost."""
    return models[0], models[(len(models) - 1) // 2], models[-1]
