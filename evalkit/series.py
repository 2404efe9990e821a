"""How each model looks: one order, one colour and shape, in every table and chart."""

from collections.abc import Sequence
from math import isclose

from evalkit.analysis.corrected import corrected_rate
from evalkit.analysis.results import Analysis, ModelResult
from evalkit.analysis.routing import LEAST_ITEMS, PolicyValue
from evalkit.chart_blocks import (
    Series,
)
from evalkit.denominators import decided_by
from evalkit.models import known
from evalkit.stats import Estimate

SLOTS = 6
"""Colours that were tested against each other and both backgrounds; a seventh model starts again, hollow, a thirteenth
with a dot."""

_TIERS = ("haiku", "sonnet", "opus")


def lineup(analysis: Analysis) -> tuple[Series, ...]:
    """The models of an analysis in the order and look that every section uses."""
    here = {m.model for m in analysis.models}
    return tuple(series for series in everyone(analysis) if series.key in here)


def everyone(analysis: Analysis) -> tuple[Series, ...]:
    """The line-up, and models of a context sweep that took part at other sizes alone."""
    names = {m.model: m.name for m in analysis.models}
    if analysis.sweep is not None:
        names |= {r.model: r.name for r in analysis.sweep.ranges if r.model not in names}
    return arrange(list(names), list(names.values()))


def arrange(model_ids: Sequence[str], names: Sequence[str]) -> tuple[Series, ...]:
    """Models from the smallest tier to the largest, unknown ones last, each with its slot.

    A tier keeps its colour from report to report; a second model of a tier takes the next free slot.
    """
    order = sorted(range(len(model_ids)), key=lambda i: (_rank(model_ids[i]), i))
    taken: set[int] = set()
    series = []
    for i in order:
        slot = _slot(model_ids[i], taken)
        taken.add(slot)
        series.append(Series(model_ids[i], names[i], slot))
    return tuple(series)


def rank(analysis: Analysis, key: str) -> int:
    """Who is named where there is no room for all: what clears the bar, then what may, then what is known to miss."""
    if key in analysis.decision.eligible:
        return 0
    high = analysis.model(key).pass_rate.high
    return 1 if high is not None and high >= analysis.decision.bar else 2


def routed(analysis: Analysis) -> tuple[Series, PolicyValue] | None:
    """The router to show beside the models: the one that the decision is about, else the one that gains most; None
    without any.

    One whose answers all come from the same model is none: it is that model, behind calls that bring nothing. Nor is
    any under an outage, when they were valued without the items that this leaves open, or on too few items.
    """
    routing = None if any(model.at_worst for model in analysis.models) else analysis.routing
    routers = [each for each in routing.values if each.kind == "router" and each.mixes] if routing is not None else []
    if routing is None or not routers:
        return None
    best = max(routers, key=lambda each: (each.name == routing.decision.router, each.gain_usd.value or 0.0))
    if best.pass_rate.n < LEAST_ITEMS:
        return None
    return policy(best, f"Routed: {best.title}"), best


def clearing_router(analysis: Analysis) -> PolicyValue | None:
    """A router that clears the bar where no model is picked, by preference the one that the scorecard shows; beside a
    pick that one, if it costs less by the estimates. None without any.
    """
    shown = routed(analysis)
    if shown is None or analysis.routing is None or analysis.decision.verdict == "conditional":
        return None
    if analysis.decision.option is not None:
        costs = (each.cost_per_satisfactory.value for each in (shown[1], analysis.model(analysis.decision.option)))
        cost, pick = costs
        less = cost is not None and pick is not None and cost < pick
        return shown[1] if less and clears(analysis, shown[1]) else None
    clearing = [each for each in analysis.routing.values
                if each.kind == "router" and each.mixes and clears(analysis, each)]  # fmt: skip
    return max(clearing, key=lambda each: (each.name == shown[1].name, each.gain_usd.value or 0.0), default=None)


def routing_may_clear(analysis: Analysis) -> bool:
    """Whether the router beside the models may lie above the bar, so that what is below is not every option."""
    shown = routed(analysis)
    high = shown[1].rate_together.high if shown else None
    return high is not None and high >= analysis.decision.bar


def clears(analysis: Analysis, router: PolicyValue) -> bool:
    """Whether a router is shown to clear the bar, less what the judge is shown to overrate the outputs that it uses."""
    overrated = sum((share.value or 0.0) * _overrated(analysis, model) for model, share in router.shares.items())
    low = router.rate_together.low
    return low is not None and low - overrated >= analysis.decision.bar


def as_graded(analysis: Analysis, model: str) -> str:
    """That a model clears the bar by its grades alone, where its rate corrected for the judge's errors does not show
    it; else empty."""
    found = _corrected(analysis, model)
    shown = found is None or (found.low or 0.0) >= analysis.decision.bar
    return "" if shown else ", by grades that the judge's errors may undo"


def below_once_corrected(analysis: Analysis, model: str) -> bool:
    """Whether a model is shown to be below the bar once its rate is corrected for the judge's errors."""
    found = _corrected(analysis, model)
    return found is not None and found.high is not None and found.high < analysis.decision.bar


def _overrated(analysis: Analysis, model: str) -> float:
    """By how much the pass rate is lower once corrected for the judge's errors."""
    found, as_graded = _corrected(analysis, model), analysis.model(model).pass_rate.value
    return 0.0 if found is None or as_graded is None else max(0.0, as_graded - (found.value or 0.0))


def _corrected(analysis: Analysis, model: str) -> Estimate | None:
    if not analysis.judges:  # or all outputs of a large run would be looked at for nothing
        return None
    decided = decided_by(analysis, model)
    found = corrected_rate(analysis.judges, model, decided["judge"], decided["people"])
    return None if found is None else found[1]


def policy(each: PolicyValue, name: str) -> Series:
    """How a router looks: a hollow diamond in ink, since it is none of the models whose outputs it passes on."""
    return Series(each.name, name, POLICY)


def _rank(model_id: str) -> tuple[int, tuple[int, int]]:
    model = known(model_id)
    return (_TIERS.index(model.tier), model.generation) if model else (len(_TIERS), (0, 0))


def _slot(model_id: str, taken: set[int]) -> int:
    model = known(model_id)
    if model and _TIERS.index(model.tier) not in taken:
        return _TIERS.index(model.tier)
    extra = len(_TIERS)
    return next(slot for slot in range(extra, extra + len(taken) + 1) if slot not in taken)


NEUTRAL = Series("", "", -1)
"""For figures that belong to no one model: drawn as a circle in ink."""

POLICY = -2
"""The slot of routing policies."""


def level_with(analysis: Analysis, judged: list[ModelResult], best: ModelResult) -> list[str]:
    """The names of the best model and of those that have its very rate and lower limit, in the line-up's order."""

    def near(one: float | None, other: float | None) -> bool:
        return isclose(one or 0.0, other or 0.0, rel_tol=1e-9)

    same = {m.model for m in judged
            if near(m.pass_rate.value, best.pass_rate.value) and near(m.pass_rate.low, best.pass_rate.low)}  # fmt: skip
    return [s.name for s in lineup(analysis) if s.key in same]
