"""How often a cascade's check errs, measured against the grades that it does not see."""

from evalkit.analysis.routing import Verifier
from evalkit.routing.figures import Figures
from evalkit.routing.flows import Flow
from evalkit.routing.outcomes import FloatArray, Outcomes


def verifier_of(outcomes: Outcomes, check: str, flow: Flow, figures: Figures) -> Verifier | None:
    """The errors of a flow's first check on the first model's outputs; None where `check` is empty.

    Numbers that the check has were set on other items than those it is measured on.
    """
    if not check:
        return None
    good = outcomes.satisfied[:, flow.paths[0].asked[0]]
    up = sum((path.weight for path in flow.paths if len(path.asked) > 1), start=0 * good)

    def share(hits: FloatArray, of: FloatArray) -> tuple[FloatArray, FloatArray]:
        return (hits * of).sum(axis=1), of.sum(axis=1)

    return Verifier(
        check=check,
        escalated=figures.rate(up.mean(axis=1)),
        good_escalated=figures.share_among(*share(up, good)),
        bad_accepted=figures.share_among(*share(1 - up, 1 - good)),
    )
