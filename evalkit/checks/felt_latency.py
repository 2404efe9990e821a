"""Felt latency, retries and waits included: no quantile is higher by more than a ratio."""

from collections.abc import Iterator

from evalkit.gating.evidence import Evidence
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Rules
from evalkit.gating.slower import Quantiles, slower_results

ORDER = 22
Settings = Quantiles


def check(evidence: Evidence, asked: Quantiles, rules: Rules) -> Iterator[CheckResult]:
    """Over the items that were answered on both sides; a batch has no latency, so nothing passes."""
    return slower_results("felt_latency", "felt latency", evidence, lambda output: output.felt_s, asked, rules)
