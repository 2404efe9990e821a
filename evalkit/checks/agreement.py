"""Agreement: the graders agree on what is satisfactory at least so far."""

from collections.abc import Iterator
from math import ceil
from typing import Annotated

from pydantic import Field

from evalkit.analysis.agreements import OVERALL, Agreement
from evalkit.gating.evidence import Evidence
from evalkit.gating.naming import NotThereError, Planned
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Rules
from evalkit.stats.estimate import Estimate
from evalkit.strict import StrictModel
from evalkit.wording import estimated, plural

ORDER = 40
_DROP = "drop agreement from the policy"
_LEAST_LOW = 0.40
"""A lower limit under this is the one of a red flag: one output graded alike by two has a coefficient of 1 too."""
_LEAST_ALPHA = 0.667
"""Under this the flag is red, unless alpha misleads for prevalence."""
_LEAST_OUTPUTS = 20
"""As many as one grader is asked to grade again."""


class Settings(StrictModel):
    """`at_least`: Krippendorff's alpha on the verdict, or Gwet's AC1 where alpha is not known."""

    at_least: Annotated[float, Field(gt=-1, le=1)] = 0.667


def check(evidence: Evidence, asked: Settings, _rules: Rules) -> Iterator[CheckResult]:
    """Too little agreement, or too few graders to know, is inconclusive: it says nothing against the candidate."""
    name, limit = "agreement", f"at least {asked.at_least:g}"
    found = next((one for one in evidence.of_candidate.agreement if one.criterion == OVERALL), None)
    if found is None:
        finding = "agreement: one grader alone, so nobody knows how far graders agree"
        if evidence.picked:
            finding = "agreement: one person alone, asked about outputs for what the judge had said of them"
        second = "a second person, or another judge," if evidence.unheard else "a second grader"
        remedy = f"{second} on the same outputs" if evidence.rubric.judged else _DROP
        yield CheckResult(name, "inconclusive", finding, limit, needs=remedy)
        return
    which, estimate = ("alpha", found.alpha) if found.alpha.value is not None else ("AC1", found.ac)
    finding = f"agreement on the verdict: {which} {estimated(estimate, 'coefficient')}"
    needs = _needs(found, estimate, asked.at_least)
    yield CheckResult(
        name, "pass" if needs is None else "inconclusive", finding, limit, estimate, "coefficient", needs=needs
    )


def _needs(found: Agreement, estimate: Estimate, at_least: float) -> str | None:
    """What would settle it, None where it is shown: by the estimate, and by a lower limit that few outputs lack."""
    if estimate.value is None or estimate.low is None:
        return f"outputs that fail among those that two have graded, or {_DROP}"
    if estimate.value < at_least or estimate.value <= _LEAST_LOW:  # its lower limit cannot reach above it
        return "; or ".join(_to_agree(found, estimate, max(at_least, _LEAST_LOW)))
    limits = [estimate.low, *([] if found.flag.colour == "red" or found.ac.low is None else [found.ac.low])]
    lacking = max(0, _LEAST_OUTPUTS - found.outputs)
    if max(limits) >= _LEAST_LOW and not lacking:
        return None
    apart, allowed = estimate.value - estimate.low, estimate.value - _LEAST_LOW
    more = max(1, ceil(found.outputs * (apart / allowed) ** 2) - found.outputs)
    least = f"at least {_LEAST_OUTPUTS}, and a lower limit of {_LEAST_LOW:.2f}, are needed"
    return f"about {plural(max(lacking, more), 'more output')} graded by two ({least})"


def _to_agree(found: Agreement, estimate: Estimate, wanted: float) -> Iterator[str]:
    """What may bring agreement above what is wanted, or show that it is."""
    if found.alpha.value is not None and found.alpha.value < _LEAST_ALPHA and found.flag.colour != "red":
        yield "outputs that fail among those that two grade, since nearly all pass, so that alpha misleads"
    elif estimate.high is not None and estimate.high > wanted:
        yield (
            f"more outputs that two grade ({found.outputs:,} here), since the coefficient may be as high as"
            f" {estimate.high:.2f}"
        )
    yield "a clearer rubric, or graders who talk over what they disagree on"


def asks(_asked: Settings, planned: Planned) -> Iterator[str]:
    """What it takes of graders, before anybody has graded; NotThereError where nobody will."""
    if planned.criteria and not any(criterion.kind == "judged" for criterion in planned.criteria):
        what = "agreement is that of people and judges, and the rubric has checks alone"
        raise NotThereError(f"{what}; {_DROP}", "agreement")
    yield "agreement: needs two people or judges on the same outputs"
