"""Cost of a request: the mean over items, failed attempts included, is not higher by more than a ratio."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from evalkit import stats
from evalkit.gating.evidence import Evidence
from evalkit.gating.not_worse import ratio_result
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Rules
from evalkit.strict import StrictModel

ORDER = 20


class Settings(StrictModel):
    """`at_most`: the ratio, candidate over baseline, that the mean cost must be shown to stay below."""

    at_most: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.10


def check(evidence: Evidence, asked: Settings, rules: Rules) -> Iterator[CheckResult]:
    """A side with an unpriced request has no total, so nothing passes."""
    name, limit = "cost_per_request", f"below {asked.at_most:g}×"
    for model in evidence.sides:
        if model.cost_per_request.value is None:
            finding = f"cost per request: {model.name} {model.cost_per_request.reason}"
            yield CheckResult(name, "inconclusive", finding, limit, needs="prices")
            return
    pairs = evidence.paired(lambda output: output.cost_usd)
    ratio = stats.mean_cost_ratio(pairs.candidate, pairs.baseline, rules.confidence)
    yield ratio_result(name, "cost per request", ratio, asked.at_most, stats.above_one_p(ratio), pairs.gap)
