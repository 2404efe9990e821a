"""Output format: the share of outputs that pass the rubric's checks of form is not lower by a margin."""

from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import Field

from evalkit.analysis.results import OutputResult
from evalkit.gating.evidence import Evidence
from evalkit.gating.naming import NotThereError, Planned, one_of
from evalkit.gating.not_worse import Margin, share_result
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Rules
from evalkit.rubric import Criterion
from evalkit.strict import StrictModel

ORDER = 32


class Settings(StrictModel):
    """`criteria`: which of the rubric's checks are of form (default: those against a JSON Schema or a pattern)."""

    margin: Margin = 0.05
    criteria: Annotated[tuple[str, ...], Field(strict=False)] = ()


def check(evidence: Evidence, asked: Settings, rules: Rules) -> Iterator[CheckResult]:
    """A trial that ended without an output has no right form."""
    names = _criteria(evidence.rubric.criteria, asked.criteria)

    def right(output: OutputResult) -> float | None:
        if output.outcome is None:
            return None
        levels = [output.levels.get(name) for name in names]
        if output.outcome != "answered":
            return 0.0
        return None if None in levels else float(all(levels))

    pairs = evidence.shares(right)
    yield share_result("output_format", f"outputs of the right form ({', '.join(names)})", pairs, asked.margin, rules)


def foresee(asked: Settings, planned: Planned) -> Iterator[tuple[str, int, float]]:
    """One share of all items; NotThereError for what is no check of the rubric."""
    if planned.criteria is not None:
        _criteria(planned.criteria, asked.criteria)
    yield "output_format", len(planned.items), asked.margin


def _criteria(criteria: Sequence[Criterion], named: tuple[str, ...]) -> tuple[str, ...]:
    checks = {c.id: c.check for c in criteria if c.kind == "check" and c.check is not None}
    for place, name in enumerate(named):
        if name not in checks:
            remedy = one_of(checks, name, "it has none, so drop output_format")
            what = f"output_format names {name!r}, no check of the rubric"
            raise NotThereError(f"{what}; {remedy}", "output_format", "criteria", place)
    found = tuple(dict.fromkeys(named)) or tuple(
        name for name, one in checks.items() if one.type in ("json_schema", "regex")
    )
    if not found:
        what = "output_format finds no check of form in the rubric"
        raise NotThereError(f"{what}; name some under 'criteria', or drop it", "output_format")
    return found
