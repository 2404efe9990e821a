"""Whether a cost is shown to stay below a ratio, told as a check's result."""

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from evalkit import stats
from evalkit.gating.evidence import Evidence
from evalkit.gating.not_worse import ratio_limit, ratio_result
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Rules
from evalkit.stats import Estimate
from evalkit.strict import StrictModel


class Dearest(StrictModel):
    """`at_most`: the ratio, candidate over baseline, that the cost must be shown to stay below."""

    at_most: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.10


def dearer_result(
    name: str,
    what: str,
    evidence: Evidence,
    asked: Dearest,
    rules: Rules,
    compared: Callable[[], tuple[Estimate, str | None]],
) -> CheckResult:
    """`compared` gives the ratio, and why it may not pass (None if it may); it is asked for only where both sides are
    priced, since a side with an unpriced request has no total."""
    for model in evidence.sides:
        if model.cost_per_request.value is None:
            finding = f"{what}: {model.name} {model.cost_per_request.reason}"
            return CheckResult(name, "inconclusive", finding, ratio_limit(asked.at_most), needs="prices")
    ratio, gap = compared()
    return ratio_result(name, what, ratio, asked.at_most, stats.above_one_p(ratio), gap, rules)
