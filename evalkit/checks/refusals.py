"""Refusals: the share of trials that ended refused is not higher by a margin."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from evalkit.gating.evidence import Evidence
from evalkit.gating.not_worse import share_result
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Rules
from evalkit.strict import StrictModel

ORDER = 30


class Settings(StrictModel):
    """`margin`: the rise that may not be overlooked, as a share of all trials."""

    margin: Annotated[float, Field(gt=0, lt=1)] = 0.05


def check(evidence: Evidence, asked: Settings, rules: Rules) -> Iterator[CheckResult]:
    """Every trial that has ended counts, however it ended."""
    pairs = evidence.paired(lambda output: None if output.outcome is None else float(output.outcome != "refused"))
    yield share_result("refusals", "outputs not refused", pairs, asked.margin, rules)
