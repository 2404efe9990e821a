"""Felt latency, retries and waits included: no quantile is higher by more than a ratio."""

from collections.abc import Iterator

from evalkit.gating.evidence import Evidence
from evalkit.gating.naming import Planned
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Rules
from evalkit.gating.slower import Clock, Quantiles, few_foreseen, slower_results

ORDER = 22
Settings = Quantiles
CLOCK = Clock(
    "felt_latency",
    "felt latency",
    measure=lambda output: output.felt_s if output.outcome in ("answered", "truncated") else None,
    waited=lambda output: output.felt_s,
)


def check(evidence: Evidence, asked: Quantiles, rules: Rules) -> Iterator[CheckResult]:
    """Over the items that were streamed; a refusal is quick and no answer, so it has no wait to compare."""
    return slower_results(CLOCK, evidence, asked, rules)


def asks(asked: Quantiles, planned: Planned) -> Iterator[str]:
    """How many items a quantile takes."""
    return few_foreseen("felt_latency", asked, planned)
