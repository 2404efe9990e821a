"""Parts of the items that a cheaper model may take from the best single one, as far as the data bear that out."""

from typing import Literal

from evalkit.analysis.results import Analysis
from evalkit.analysis.routing import PartMove
from evalkit.analysis.sides import Holds, standing


def movable_parts(analysis: Analysis, single: str) -> tuple[PartMove, ...]:
    """Each cheaper model on each part that has enough items to be tested; Holm over all of them.

    `single` is a model id. Of the parts without a shown loss only those `shown` are known to be no worse by the margin.
    """
    return tuple(
        PartMove(held.kind, held.part, held.difference.n, held.model, held.difference, _state(held))
        for held in standing(analysis, single).on_parts
        if held.difference.value is not None
    )


def _state(held: Holds) -> Literal["shown", "no shown loss", "loss"]:
    if held.shown:
        return "shown"
    return "loss" if held.worse else "no shown loss"
