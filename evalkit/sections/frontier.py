"""Frontier: what quality costs, option by option, against the bar."""

from dataclasses import replace
from math import inf, isclose

from evalkit.analysis.results import Analysis, ModelResult
from evalkit.analysis.routing import PolicyValue
from evalkit.blocks import (
    Section,
    words,
)
from evalkit.chart_blocks import (
    Axis,
    Frontier,
    FrontierPoint,
)
from evalkit.pairing import Comparison, compare
from evalkit.series import lineup, routed
from evalkit.wording import estimated, listing, stated

ORDER = 30
OF_WORKLOAD = True
_LOG_FROM = 5.0


def build(analysis: Analysis) -> Section | None:
    """None unless at least one option has both a pass rate and a cost."""
    drawable = [
        m for m in analysis.models if m.cost_per_satisfactory.value is not None and m.pass_rate.value is not None
    ]
    if not drawable:
        return None
    missing = [m.name for m in analysis.models if m not in drawable]
    absent = f" Not drawn, for want of a cost or a pass rate: {listing(missing)}." if missing else ""
    heading = _heading(analysis, drawable)
    joined = "; the dotted line joins the options that no other beats on both estimates" if len(drawable) > 1 else ""
    return Section(
        name="frontier",
        label="Cost and quality",
        heading=heading,
        lede=words(f"Up and to the left is to be preferred. Lines are intervals both ways{joined}.{absent}"),
        blocks=(_chart(analysis, drawable, heading),),
    )


def _heading(analysis: Analysis, drawable: list[ModelResult]) -> str:
    cheapest = min(drawable, key=lambda m: m.cost_per_satisfactory.value or 0.0)
    best = max(drawable, key=lambda m: (m.pass_rate.value or 0.0, -(m.cost_per_satisfactory.value or 0.0)))
    pick = analysis.decision.option
    if len(drawable) == 1:
        return (
            f"{best.name}: {estimated(best.pass_rate, 'percent', analysis.decision.bar)} for "
            f"{estimated(best.cost_per_satisfactory, 'money')}"
        )
    if pick is None:
        some = ", of the models drawn" if len(drawable) < len(analysis.models) else ""  # the others may beat them
        if not some and (shown := routed(analysis)) is not None and _satisfies_more(shown[1], best):
            some = ", of the models alone"
        return f"By the estimates{some}, {_by_estimates(drawable, cheapest, best)}"
    name = analysis.model(pick).name
    dearer = [c for m in drawable if (c := compare(analysis, m.model, pick)) is not None and c.dearer]
    gains = [c for c in dearer if c.better]
    if gains:
        gain = max(gains, key=_worth)
        return f"{analysis.model(gain.first).name} buys {estimated(gain.difference, 'points')} points over {name}"
    if dearer and routed(analysis) is not None:
        return f"Paying more than {name} costs for a model alone is not shown to buy quality"
    if dearer:
        return f"Paying more than {name} costs is not shown to buy quality"
    return f"No {'model' if routed(analysis) else 'option'} is shown to cost more than {name} and satisfy more"


def _worth(gain: Comparison) -> tuple[float, float]:
    """By how much is gained, and of equal gains what costs least."""
    return round(gain.difference.value or 0.0, 9), -(gain.cost_ratio.value or inf)


def _satisfies_more(router: PolicyValue, best: ModelResult) -> bool:
    return (router.pass_rate.value or 0.0) > (best.pass_rate.value or 0.0)


def _by_estimates(drawable: list[ModelResult], cheapest: ModelResult, best: ModelResult) -> str:
    costs = [m.cost_per_satisfactory.value or 0.0 for m in drawable]
    if all(isclose(cost, costs[0], rel_tol=1e-9) for cost in costs):
        return f"{listing([m.name for m in drawable])} cost the same"
    least = cheapest.cost_per_satisfactory.value or 0.0
    names = [m.name for m, cost in zip(drawable, costs, strict=True) if isclose(cost, least, rel_tol=1e-9)]
    lowest = f"{listing(names)} {'cost' if len(names) > 1 else 'costs'} least"
    most = best.pass_rate.value or 0.0
    top = [m.name for m in drawable if isclose(m.pass_rate.value or 0.0, most, rel_tol=1e-9)]
    if cheapest.name in top:
        return f"{lowest} and none satisfies more"
    return f"{lowest} and {listing(top)} {'satisfy' if len(top) > 1 else 'satisfies'} most"


def _chart(analysis: Analysis, drawable: list[ModelResult], finding: str) -> Frontier:
    bar = analysis.decision.bar
    points = tuple(
        FrontierPoint(s, m.cost_per_satisfactory, m.pass_rate, s.key == analysis.decision.option)
        for s in lineup(analysis)
        if (m := analysis.model(s.key)) in drawable
    )
    routing = routed(analysis)
    if routing is not None and routing[1].cost_per_satisfactory.value is not None:
        series, router = routing
        short = replace(series, name="Routed")  # the scorecard has the name of the policy
        points = (*points, FrontierPoint(short, router.cost_per_satisfactory, router.pass_rate))
    lows = [x for p in points for x in (p.y.low, p.y.value) if x is not None]
    y = Axis(
        "satisfactory outputs",
        "percent",
        max(0.0, int((min([*lows, bar]) - 0.04) * 10) / 10),
        1.0,
        reference=bar,
        reference_label=f"below your {stated(bar)} bar",
    )
    return Frontier(finding, _cost_axis(points), y, points)


def _cost_axis(points: tuple[FrontierPoint, ...]) -> Axis:
    """Logarithmic where the costs are far apart and none is zero, else from zero."""
    known = [x for p in points for x in (p.x.low, p.x.value, p.x.high) if x is not None and x > 0]
    low, high = min(known, default=0.01), max(known, default=0.01)
    if high / low > _LOG_FROM and all(p.x.value for p in points):
        return Axis("cost per satisfactory output, log scale", "money", low / 1.5, high * 1.35, log=True)
    return Axis("cost per satisfactory output", "money", 0.0, high * 1.12)
