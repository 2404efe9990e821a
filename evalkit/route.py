"""Routing: what every policy would cost, how good and how slow it would be, on the outputs of a run that are graded."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from evalkit.analysis.results import Analysis
from evalkit.analysis.routing import DifficultyMix, Routing
from evalkit.analysis.without_batches import NOT_AS_BILLED
from evalkit.errors import UsageError
from evalkit.frozen import dataclass
from evalkit.records import Snapshot
from evalkit.routing.claims import claims
from evalkit.routing.classified import classified
from evalkit.routing.decide import decide
from evalkit.routing.export import RouterFile, advice, exported
from evalkit.routing.line import hull_areas_of
from evalkit.routing.mix import weighted
from evalkit.routing.outcomes import NothingToRouteError, Outcomes, outcomes_of
from evalkit.routing.own import Scores, refuse_grades, scores_of
from evalkit.routing.parts import movable_parts
from evalkit.routing.value import field_of, looked_at_together, values_of


@dataclass(frozen=True)
class Asked:
    """How policies are to be valued. `failure_usd`: what an unsatisfactory answer costs, None for what the rubric says.

    `own`: the team's own features by item id; `scores`: its own numbers of each output. `mix`: production's share of
    each difficulty, None to take the items as they are. `router_run`: the run in which a small model classified the
    requests.
    """

    failure_usd: float | None = None
    own: Mapping[str, Mapping[str, float]] | None = None
    mix: Mapping[str, float] | None = None
    router_run: Snapshot | None = None
    scores: Scores | None = None


def route(analysis: Analysis, asked: Asked = Asked()) -> Routing:
    """Value every policy; UsageError where a run has nothing to route between, or no complete item."""
    outcomes, mix = _weighted(analysis, asked)
    field = field_of(outcomes, analysis.decision.option)
    values = looked_at_together(values_of(field), field)
    runnable = [each.worth for each in field.valued if each.policy.kind in ("single", "router")]
    singles = [each.worth for each in field.valued if each.policy.kind == "single"]
    area, area_of_singles = hull_areas_of(outcomes, [runnable, singles])
    return Routing(
        items=len(outcomes),
        epochs=outcomes.epochs,
        failure_usd=outcomes.failure_usd,
        failure_source="as asked" if asked.failure_usd is not None else analysis.correction.source,
        best=field.single.policy.name,
        values=values,
        decision=decide(values, field, analysis.decision.bar, analysis.decision.option),
        left_out=outcomes.left_out,
        not_valued=field.not_valued,
        hull_area=area,
        hull_area_single=area_of_singles,
        claims=claims(values, field),
        parts=movable_parts(analysis, outcomes.models[field.best]),
        mix=mix,
        review_usd=outcomes.review_usd,
        classifier=None if outcomes.classified is None else outcomes.classified.model,
        warnings=tuple(_warnings(outcomes, analysis)),
    )


def outcomes_for(analysis: Analysis, asked: Asked) -> Outcomes:
    """What policies are valued on."""
    failure_usd = analysis.correction_usd if asked.failure_usd is None else asked.failure_usd
    refuse_grades(analysis, asked.own or {}, asked.scores or {})
    outcomes = outcomes_of(analysis, failure_usd, asked.own)
    measured = analysis.correction.usd if asked.failure_usd is None and analysis.correction.outputs else None
    outcomes = replace(outcomes, scores=scores_of(outcomes, asked.scores or {}), measured_usd=measured)
    return (
        outcomes if asked.router_run is None else replace(outcomes, classified=classified(asked.router_run, outcomes))
    )


def export(analysis: Analysis, asked: Asked = Asked(), name: str | None = None) -> tuple[RouterFile, str | None]:
    """A policy to run, by default the decision's, with what speaks against it; UsageError if it cannot be run."""
    routing = route(analysis, asked)
    outcomes, _ = _weighted(analysis, asked)
    wanted = routing.decision.policy if name is None else name
    return exported(analysis, routing, outcomes, wanted), advice(routing, wanted)


def _weighted(analysis: Analysis, asked: Asked) -> tuple[Outcomes, DifficultyMix | None]:
    outcomes = outcomes_for(analysis, asked)
    return (outcomes, None) if asked.mix is None else weighted(outcomes, asked.mix)


def with_routing(analysis: Analysis, asked: Asked = Asked()) -> Analysis:
    """An analysis that says what routing is worth too, where there is anything to route between."""
    if analysis.spec.condition is not None:
        return analysis
    try:
        return replace(analysis, routing=route(analysis, asked))
    except NothingToRouteError:
        return analysis
    except UsageError as error:
        return replace(analysis, warnings=(*analysis.warnings, f"Routing is not valued: {error}."))


def _warnings(outcomes: Outcomes, analysis: Analysis) -> list[str]:
    found = []
    if outcomes.failure_usd == 0:
        found.append(
            "An unsatisfactory answer costs nothing here, so the cheapest model always wins; say what it costs with"
            " --failure-usd."
        )
    if analysis.without_batches:
        found.append(f"Not the same requests of each model went in batches: {NOT_AS_BILLED}.")
    if analysis.spec.imported and np.isfinite(outcomes.felt_s).any():
        found.append("Waits are latencies as they were imported; nobody knows what users waited between attempts.")
    return found
