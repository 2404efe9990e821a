"""Selection: which items a dearer model is worth trying on, from what the usual one did with them."""

from collections.abc import Sequence

from evalkit.analysis.results import Analysis
from evalkit.frozen import dataclass


@dataclass(frozen=True)
class Selection:
    """Items by what one model did: `failed` in every epoch, out of the `judged` ones that have a verdict in each.

    `left_out` items have an epoch that is not run or not graded yet: nobody can say which they are.
    """

    model: str
    failed: frozenset[str]
    judged: int
    left_out: int


def unsatisfactory(analysis: Analysis, model: str) -> Selection:
    """The items on which `model` missed the rubric's bar in every epoch; a refusal or an error is such a miss."""
    judged: list[tuple[str, Sequence[bool]]] = []
    left_out = 0
    for item in analysis.outputs:
        verdicts = [output.satisfied for output in item.outputs if output.model == model]
        known = [verdict for verdict in verdicts if verdict is not None]
        if verdicts and len(known) == len(verdicts):
            judged.append((item.id, known))
        else:
            left_out += 1
    failed = frozenset(item for item, verdicts in judged if not any(verdicts))
    return Selection(model, failed, len(judged), left_out)
