"""Agreement: the graders agree on what is satisfactory at least so far."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from evalkit.analysis.reliability import OVERALL
from evalkit.gating.evidence import Evidence
from evalkit.gating.naming import NotThereError, Planned
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Rules
from evalkit.strict import StrictModel
from evalkit.wording import estimated

ORDER = 40
_DROP = "drop agreement from the policy"


class Settings(StrictModel):
    """`at_least`: Krippendorff's alpha on the verdict, or Gwet's AC1 where nearly everything passes or fails."""

    at_least: Annotated[float, Field(gt=-1, le=1)] = 0.667


def check(evidence: Evidence, asked: Settings, _rules: Rules) -> Iterator[CheckResult]:
    """Too little agreement, or too few graders to know, is inconclusive: it says nothing against the candidate."""
    name, limit = "agreement", f"at least {asked.at_least:g}"
    found = next((one for one in evidence.of_candidate.agreement if one.criterion == OVERALL), None)
    if found is None:
        finding = "agreement: one grader alone, so nobody knows how far graders agree"
        second = "a second person, or another judge," if evidence.unheard else "a second grader"
        remedy = f"{second} on the same outputs" if evidence.rubric.judged else _DROP
        yield CheckResult(name, "inconclusive", finding, limit, needs=remedy)
        return
    which, estimate = ("alpha", found.alpha) if found.alpha.value is not None else ("AC1", found.ac)
    passed = estimate.value is not None and estimate.value >= asked.at_least and found.flag.colour != "red"
    finding = f"agreement on the verdict: {which} {estimated(estimate, 'coefficient')}"
    needs = None if passed else "a clearer rubric, or graders who talk over what they disagree on"
    yield CheckResult(name, "pass" if passed else "inconclusive", finding, limit, estimate, "coefficient", needs=needs)


def asks(_asked: Settings, planned: Planned) -> Iterator[str]:
    """What it takes of graders, before anybody has graded; NotThereError where nobody will."""
    if planned.criteria and not any(criterion.kind == "judged" for criterion in planned.criteria):
        what = "agreement is that of people and judges, and the rubric has checks alone"
        raise NotThereError(f"{what}; {_DROP}", "agreement")
    yield "agreement: needs two people or judges on the same outputs"
