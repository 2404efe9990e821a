"""Cost per satisfactory output: not higher by more than a ratio."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from evalkit import stats
from evalkit.gating.evidence import Evidence, satisfied
from evalkit.gating.not_worse import ratio_result
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Rules
from evalkit.strict import StrictModel

ORDER = 21


class Settings(StrictModel):
    """`at_most`: the ratio, candidate over baseline, that it must be shown to stay below."""

    at_most: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.10


def check(evidence: Evidence, asked: Settings, rules: Rules) -> Iterator[CheckResult]:
    """Over the items with a verdict on both sides; spend on unsatisfactory outputs included."""
    name, limit = "cost_per_satisfactory", f"below {asked.at_most:g}×"
    for model in evidence.sides:
        if model.cost_per_request.value is None:
            finding = f"cost per satisfactory output: {model.name} {model.cost_per_request.reason}"
            yield CheckResult(name, "inconclusive", finding, limit, needs="prices")
            return
    costs = evidence.paired(lambda output: output.cost_usd if output.satisfied is not None else None)
    flags = evidence.paired(satisfied, frozenset(costs.items))
    ratio = stats.cost_ratio(costs.candidate, flags.candidate, costs.baseline, flags.baseline, rules.confidence)
    p_worse = stats.above_one_p(ratio)
    yield ratio_result(name, "cost per satisfactory output", ratio, asked.at_most, p_worse, costs.gap)
