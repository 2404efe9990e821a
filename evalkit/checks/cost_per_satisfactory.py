"""Cost per satisfactory output: not higher by more than a ratio."""

from collections.abc import Iterator

from evalkit import stats
from evalkit.gating.dearer import Dearest, dearer_result
from evalkit.gating.evidence import Evidence, Measure, satisfied
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Rules
from evalkit.stats import Estimate

ORDER = 21
Settings = Dearest


def check(evidence: Evidence, asked: Dearest, rules: Rules) -> Iterator[CheckResult]:
    """Over the items with a verdict on both sides; spend on unsatisfactory outputs included."""

    def compared(usd: Measure) -> tuple[Estimate, str | None]:
        costs = evidence.paired(lambda output: usd(output) if output.satisfied is not None else None)
        flags = evidence.paired(satisfied, frozenset(costs.items))
        sides = costs.candidate, flags.candidate, costs.baseline, flags.baseline
        return stats.cost_ratio(*sides, rules.confidence), costs.gap

    yield dearer_result("cost_per_satisfactory", "cost per satisfactory output", evidence, asked, rules, compared)
