"""Quality: the share of satisfactory outputs is not lower by a margin, overall, by slice and by critical criterion."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from evalkit.analysis.results import OutputResult
from evalkit.errors import UsageError
from evalkit.gating.evidence import Evidence, Measure, satisfied
from evalkit.gating.labels import labels_of
from evalkit.gating.not_worse import share_result
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Rules
from evalkit.rubric import Criterion
from evalkit.strict import StrictModel

ORDER = 10
Margin = Annotated[float, Field(gt=0, lt=1)]


class Settings(StrictModel):
    """`margin`: the loss that may not be overlooked, as a share. `slices`: margins by difficulty or tag.
    `criteria`: margins for the share of outputs at a critical criterion's floor or above it."""

    margin: Margin
    slices: dict[str, Margin] = Field(default_factory=dict)
    criteria: dict[str, Margin] = Field(default_factory=dict)


def check(evidence: Evidence, asked: Settings, rules: Rules) -> Iterator[CheckResult]:
    """Trials that ended without an output count as not satisfactory on both sides; ungraded ones are left out."""
    what, assay = "satisfactory outputs", rules.assay
    pairs = evidence.paired(satisfied)
    yield share_result("quality", what, pairs, asked.margin, rules, assay, labels_of(evidence, pairs))
    for name, margin in asked.slices.items():
        pairs = evidence.paired(satisfied, evidence.part(name))
        known = labels_of(evidence, pairs)
        yield share_result(f"quality: {name}", f"{what} ({name})", pairs, margin, rules, assay, known)
    for name, margin in asked.criteria.items():
        criterion = _criterion(evidence, name)
        what, pairs = f"outputs at {name} {criterion.critical} or above", evidence.paired(_at_floor(criterion))
        if criterion.kind == "check":
            yield share_result(f"quality: {name}", what, pairs, margin, rules)
            continue
        yield share_result(f"quality: {name}", what, pairs, margin, rules, assay, labels_of(evidence, pairs))


def _criterion(evidence: Evidence, name: str) -> Criterion:
    critical = {criterion.id: criterion for criterion in evidence.rubric.criteria if criterion.critical is not None}
    if name not in critical:
        known = ", ".join(critical) or "none is critical"
        raise UsageError(f"the gate names a criterion {name!r} that is not critical in the rubric; use one of: {known}")
    return critical[name]


def _at_floor(criterion: Criterion) -> Measure:
    """Whether an output reaches the floor; a trial that ended without an output does not."""
    floor = criterion.critical or 0

    def measure(output: OutputResult) -> float | None:
        if output.outcome is None:
            return None
        if output.outcome != "answered":
            return 0.0
        level = output.levels.get(criterion.id)
        return None if level is None else float(level >= floor)

    return measure
