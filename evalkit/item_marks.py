"""What an item's outputs amount to, and the address of an item inside a report."""

from collections.abc import Sequence

from evalkit.analysis.results import OutputResult
from evalkit.chart_blocks import MapState


def anchor(index: int) -> str:
    """The fragment of the item at a position (from 0): plain, whatever characters its id has."""
    return f"item-{index + 1:03d}"


def state_of(outputs: Sequence[OutputResult]) -> MapState:
    """One model's outputs on one item, over its epochs: what a single mark can say about them."""
    judged = [o.satisfied for o in outputs if o.satisfied is not None]
    if judged and all(judged):
        return "satisfactory" if len(judged) == len(outputs) else "ungraded"
    if any(judged):
        return "mixed"
    if any(o.outcome in ("refused", "truncated", "errored") for o in outputs):
        return "failed"
    return "unsatisfactory" if judged else "ungraded"
