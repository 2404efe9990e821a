"""Whether trials are shown to end in a bad way no more often than before, told as a check's result."""

from typing import Annotated

from pydantic import Field

from evalkit.gating.evidence import Evidence
from evalkit.gating.not_worse import share_result
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Rules
from evalkit.records import Outcome
from evalkit.strict import StrictModel


class Rise(StrictModel):
    """`margin`: the rise that may not be overlooked, as a share of all trials."""

    margin: Annotated[float, Field(gt=0, lt=1)] = 0.05


def ended_result(name: str, outcome: Outcome, evidence: Evidence, asked: Rise, rules: Rules) -> CheckResult:
    """Every trial that has ended counts, however it ended."""
    pairs = evidence.paired(lambda output: None if output.outcome is None else float(output.outcome != outcome))
    return share_result(name, f"outputs not {outcome}", pairs, asked.margin, rules)
