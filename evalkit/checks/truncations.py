"""Truncations: the share of trials that ended truncated is not higher by a margin."""

from collections.abc import Iterator

from evalkit.gating.ended import Rise, ended_foreseen, ended_result
from evalkit.gating.evidence import Evidence
from evalkit.gating.naming import Planned
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Rules

ORDER = 31
Settings = Rise


def check(evidence: Evidence, asked: Rise, rules: Rules) -> Iterator[CheckResult]:
    """Every trial that has ended counts, however it ended."""
    yield ended_result("truncations", "truncated", evidence, asked, rules)


def foresee(asked: Rise, planned: Planned) -> Iterator[tuple[str, int, float]]:
    """One share of all items."""
    return ended_foreseen("truncations", asked, planned)
