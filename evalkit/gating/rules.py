"""The rules that every check of a gate shares: how sure it must be, and how much a judge's errors shrink a margin."""

from dataclasses import dataclass

from evalkit.analysis.reliability import PANEL, JudgeValidity
from evalkit.analysis.views import FEWEST_LABELS
from evalkit.gating.evidence import Evidence

LEAST_YOUDEN_LOW = 0.5
DIFFERENT = 0.05


@dataclass(frozen=True)
class Rules:
    """`alpha`: one-sided error of every check. `seed`: of resampling. `assay`: what the graders' errors allow."""

    alpha: float
    seed: int
    assay: "Assay"

    @property
    def confidence(self) -> float:
        """Of the two-sided interval whose limits are the one-sided tests at `alpha`."""
        return 1 - 2 * self.alpha


@dataclass(frozen=True)
class Assay:
    """What a difference of verdicts says about a difference of outputs.

    A judge with sensitivity + specificity - 1 = J shrinks every true difference to J times its size, so a margin is
    tested at `factor` times its size (the lower 80 % limit of J; 1 for people and checks). `cap`: why quality may not
    pass at all, None if it may. A loss that errors only make smaller is a loss all the same; `skewed` errors, more of
    them on one side, can make one up, so that quality may not fail either.
    """

    factor: float = 1.0
    cap: str | None = None
    skewed: bool = False


def assay_of(evidence: Evidence) -> Assay:
    """How far the graders of this evidence can be trusted to see a loss."""
    analysis = evidence.of_candidate
    judges = analysis.grading.judges
    if not judges:
        return Assay()
    if not evidence.together:
        return Assay(cap="a judge graded the two sides apart; put both models into one run and grade them together")
    found = _validity(judges, analysis.judges)
    if found is None or found.outputs < FEWEST_LABELS:
        labels = 0 if found is None else found.outputs
        return Assay(
            cap=f"the judge is uncalibrated: people graded {labels} of its outputs, {FEWEST_LABELS} are needed; "
            "let them with `evalkit grade --calibrate`"
        )
    low = found.accuracy.youden_low_80
    if low is None or low < LEAST_YOUDEN_LOW:
        known = "unknown" if low is None else f"at least {low:.2f} only"
        return Assay(
            cap=f"the judge's J is {known}, under {LEAST_YOUDEN_LOW}; let people grade, or find a better judge"
        )
    different = found.leniency_p.get(
        (min(evidence.baseline, evidence.candidate), max(evidence.baseline, evidence.candidate))
    )
    if different is not None and different < DIFFERENT:
        return Assay(
            cap=f"the judge errs more on one model than on the other (p {different:.3f}); let people grade", skewed=True
        )
    return Assay(factor=min(1.0, low))


def _validity(judges: tuple[str, ...], found: tuple[JudgeValidity, ...]) -> JudgeValidity | None:
    """The one judge's, or that of several taken as one."""
    for one in found:
        if one.judge.startswith(PANEL) if len(judges) > 1 else one.judge in judges:
            return one
    return None
