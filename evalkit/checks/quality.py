"""Quality: the share of satisfactory outputs is not lower by a margin, overall, by slice and by critical criterion."""

from collections.abc import Iterator, Sequence
from functools import partial

from pydantic import Field

from evalkit.analysis.results import OutputResult
from evalkit.analysis.views import FEWEST_LABELS
from evalkit.gating.evidence import Evidence, Measure, satisfied
from evalkit.gating.labels import labels_of
from evalkit.gating.naming import NotThereError, Planned, one_of, part_of
from evalkit.gating.not_worse import Margin, share_result
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import FEWEST_OF_A_SIDE, Rules, assay_of
from evalkit.rubric import Criterion
from evalkit.strict import StrictModel

ORDER = 10


class Settings(StrictModel):
    """`margin`: the loss that may not be overlooked, as a share. `slices`: margins by difficulty or tag.
    `criteria`: margins for the share of outputs at a critical criterion's floor or above it."""

    margin: Margin
    slices: dict[str, Margin] = Field(default_factory=dict)
    criteria: dict[str, Margin] = Field(default_factory=dict)


def check(evidence: Evidence, asked: Settings, rules: Rules) -> Iterator[CheckResult]:
    """Trials that ended without an output count as not satisfactory on both sides; ungraded ones are left out, and
    must leave a pass standing whatever they would have been."""
    what, assay, known = "satisfactory outputs", rules.assay, partial(labels_of, evidence)
    yield share_result("quality", what, evidence.shares(satisfied), asked.margin, rules, assay, known)
    for name, margin in asked.slices.items():
        part = evidence.part(name)
        pairs, of_part = evidence.shares(satisfied, part), assay_of(evidence, part=part)
        yield share_result(f"quality: {name}", f"{what} ({name})", pairs, margin, rules, of_part, known)
    for name, margin in asked.criteria.items():
        criterion = _criterion(evidence.rubric.criteria, name)
        what, pairs = f"outputs at {name} {criterion.critical} or above", evidence.shares(_at_floor(criterion))
        if criterion.kind == "check":
            yield share_result(_of_criterion(name, asked), what, pairs, margin, rules)
            continue
        on_it = partial(labels_of, evidence, criterion=name)
        yield share_result(_of_criterion(name, asked), what, pairs, margin, rules, assay_of(evidence, name), on_it)


def _of_criterion(name: str, asked: Settings) -> str:
    return f"quality: {name}{' (criterion)' * (name in asked.slices)}"


def foresee(asked: Settings, planned: Planned) -> Iterator[tuple[str, int, float]]:
    """Each share that is compared, the items it is of and its margin; NotThereError for what is not there."""
    yield "quality", len(planned.items), asked.margin
    for name, margin in asked.slices.items():
        yield f"quality: {name}", len(part_of(planned.items, name)), margin
    for name, margin in asked.criteria.items():
        if planned.criteria is not None:
            _criterion(planned.criteria, name)
        yield _of_criterion(name, asked), len(planned.items), margin


def asks(_asked: Settings, planned: Planned) -> Iterator[str]:
    """What it takes of graders, before anybody has graded."""
    if any(criterion.kind == "judged" for criterion in planned.criteria or ()):
        yield (
            f"quality: a judge alone cannot pass it: people have to grade {FEWEST_LABELS} of the outputs as well, of "
            f"{FEWEST_OF_A_SIDE} items or more (`evalkit grade --calibrate 50`, with several epochs more), or all that "
            "it tells apart (`--discordant`)"
        )


def _criterion(criteria: Sequence[Criterion], name: str) -> Criterion:
    critical = {criterion.id: criterion for criterion in criteria if criterion.critical is not None}
    if name not in critical:
        remedy = one_of(critical, name, "none is critical there, so take it out")
        what = f"the gate names a criterion {name!r} that is not critical in the rubric"
        raise NotThereError(f"{what}; {remedy}", "quality", "criteria", name)
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
