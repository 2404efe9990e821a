"""Time to first token, of the attempt that answered: no quantile is higher by more than a ratio."""

from collections.abc import Iterator

from evalkit.gating.evidence import Evidence
from evalkit.gating.naming import Planned
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Rules
from evalkit.gating.slower import Clock, Quantiles, few_foreseen, slower_results

ORDER = 23
Settings = Quantiles
CLOCK = Clock(
    "ttft",
    "time to first token",
    measure=lambda output: None if output.outcome == "refused" else output.ttft_s,
    waited=lambda output: output.latency_s,
)


def check(evidence: Evidence, asked: Quantiles, rules: Rules) -> Iterator[CheckResult]:
    """Over the items that were streamed; of a call that broke off, the first token counts if there was one."""
    return slower_results(CLOCK, evidence, asked, rules)


def asks(asked: Quantiles, planned: Planned) -> Iterator[str]:
    """How many items a quantile takes."""
    return few_foreseen("ttft", asked, planned)
