"""Which correction of a pass rate for a judge's errors is worth a word: not where people decided, or labels are few."""

from collections.abc import Sequence

from evalkit.analysis.reliability import JudgeValidity
from evalkit.analysis.views import FEWEST_LABELS
from evalkit.stats import Estimate

FEWEST_OF_A_MODEL = 10
"""Labels of people on a model's outputs below which its corrected rate says little but that they are few."""


def corrected_rate(
    judges: Sequence[JudgeValidity], model: str, by_judge: int, by_people: int
) -> tuple[str, Estimate] | None:
    """The judge, or all as one, and a model's pass rate as people would have found it; None where that is no matter.

    `by_judge` and `by_people`: how many of the model's outputs each of them decided.
    """
    heard = [one for one in judges if one.dropped is None and one.outputs >= FEWEST_LABELS]
    if not heard or by_people > by_judge:
        return None
    judge = heard[-1]  # the panel stands last
    found = judge.corrected.get(model)
    if found is None or found.value is None or found.n < FEWEST_OF_A_MODEL:
        return None
    return judge.judge, found
