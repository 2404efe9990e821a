"""Whether trials are shown to end in a bad way no more often than before, told as a check's result."""

from collections.abc import Iterator

from evalkit.gating.evidence import Evidence
from evalkit.gating.naming import Planned
from evalkit.gating.not_worse import Margin, share_result
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Rules
from evalkit.records import Outcome
from evalkit.strict import StrictModel


class Rise(StrictModel):
    """`margin`: the rise that may not be overlooked, as a share of all trials."""

    margin: Margin = 0.05


def ended_foreseen(name: str, asked: Rise, planned: Planned) -> Iterator[tuple[str, int, float]]:
    """One share of all items."""
    yield name, len(planned.items), asked.margin


def ended_result(name: str, outcome: Outcome, evidence: Evidence, asked: Rise, rules: Rules) -> CheckResult:
    """Every trial that has ended counts, however it ended."""
    pairs = evidence.shares(lambda output: None if output.outcome is None else float(output.outcome != outcome))
    return share_result(name, f"outputs not {outcome}", pairs, asked.margin, rules)
