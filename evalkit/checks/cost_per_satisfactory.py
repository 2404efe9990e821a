"""Cost per satisfactory output: not higher by more than a ratio."""

from collections.abc import Iterator
from dataclasses import replace

from evalkit import stats
from evalkit.gating.dearer import Dearest, dearer_result
from evalkit.gating.evidence import Evidence, Measure, satisfied
from evalkit.gating.labels import is_mixed, labels_of
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Assay, Rules
from evalkit.stats import Estimate

ORDER = 21
_MIXED = "people decided some outputs for what the judge had said of them, and the judge the others"
Settings = Dearest


def check(evidence: Evidence, asked: Dearest, rules: Rules) -> Iterator[CheckResult]:
    """Over the items with a verdict on both sides; spend on unsatisfactory outputs included."""

    def compared(usd: Measure) -> tuple[Estimate, str | None]:
        costs = evidence.paired(lambda output: usd(output) if output.satisfied is not None else None)
        flags = evidence.paired(satisfied, frozenset(costs.items))
        sides = costs.candidate, flags.candidate, costs.baseline, flags.baseline
        return stats.cost_ratio(*sides, rules.confidence), costs.gap

    found = dearer_result("cost_per_satisfactory", "cost per satisfactory output", evidence, asked, rules, compared)
    yield _as_far_as_graded(found, evidence, rules.assay)


def _as_far_as_graded(found: CheckResult, evidence: Evidence, assay: Assay) -> CheckResult:
    """The result as far as the verdicts carry it: what a judge makes up, or sees as nobody knows, decides nothing."""
    pairs = evidence.shares(satisfied)
    if not assay.judged or labels_of(evidence, pairs).reach == "all":
        return found
    if is_mixed(evidence, pairs):
        why, needs = _MIXED, "people's grades of all outputs, or cost_per_request in its place"
    elif assay.cap and (assay.skewed or found.outcome == "pass"):
        why, _, needs = assay.cap.partition("; ")
    else:
        return found
    finding = f"{found.finding}; {why}"
    return replace(found, outcome="inconclusive", finding=finding, p_worse=None, needs=needs or assay.cap)
