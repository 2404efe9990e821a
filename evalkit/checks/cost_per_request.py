"""Cost of a request: the mean over items, failed attempts included, is not higher by more than a ratio."""

from collections.abc import Iterator

from evalkit import stats
from evalkit.gating.dearer import Dearest, dearer_result
from evalkit.gating.evidence import Evidence, Measure
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Rules
from evalkit.stats import Estimate

ORDER = 20
Settings = Dearest


def check(evidence: Evidence, asked: Dearest, rules: Rules) -> Iterator[CheckResult]:
    """A side with an unpriced request has no total, so nothing passes."""

    def compared(usd: Measure) -> tuple[Estimate, str | None]:
        pairs = evidence.paired(usd)
        return stats.mean_cost_ratio(pairs.candidate, pairs.baseline, rules.confidence), pairs.gap

    yield dearer_result("cost_per_request", "cost per request", evidence, asked, rules, compared)
