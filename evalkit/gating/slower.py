"""Whether the quantiles of a clock are shown to keep to their limits, told as checks' results."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, model_validator

from evalkit import stats
from evalkit.gating.evidence import Evidence, Measure, gap
from evalkit.gating.not_worse import ratio_result
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Rules
from evalkit.strict import StrictModel

Ratio = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Quantiles(StrictModel):
    """The ratio, candidate over baseline, that each quantile named must be shown to stay below."""

    p50: Ratio | None = None
    p90: Ratio | None = None

    @model_validator(mode="after")
    def _names_one(self) -> "Quantiles":
        if self.p50 is None and self.p90 is None:
            raise ValueError("names neither 'p50' nor 'p90'; name at least one with its ratio")
        return self


def slower_results(
    name: str, what: str, evidence: Evidence, measure: Measure, asked: Quantiles, rules: Rules
) -> Iterator[CheckResult]:
    """One result for each quantile asked for."""
    then, now = evidence.trials(lambda output: _positive(measure(output)))
    both = [item for item in then if item in now]
    for label, q, at_most in (("p50", 0.5, asked.p50), ("p90", 0.9, asked.p90)):
        if at_most is None:
            continue
        ratio, p_worse = stats.quantile_ratio(
            [now[item] for item in both], [then[item] for item in both], q, rules.seed, rules.confidence
        )
        missing = gap(len(both), len(evidence.items))
        yield ratio_result(f"{name}: {label}", f"{what} {label}", ratio, at_most, p_worse, missing)


def _positive(seconds: float | None) -> float | None:
    return seconds if seconds is not None and seconds > 0 else None
