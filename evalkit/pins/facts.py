"""What is known of a pinned model: its lifecycle, what is newer, and what a bump does to the price of the same text."""

from dataclasses import dataclass
from datetime import datetime

from evalkit.models import known, newer_in_tier
from evalkit.pricing import rates


@dataclass(frozen=True)
class PriceChange:
    """What one model's input and output tokens cost, over another's, and the same text's (both None where unknown).

    `input_per_text` and `output_per_text` count that newer tokenizers make more tokens of the same text.
    """

    model: str
    input_ratio: float | None
    output_ratio: float | None
    input_per_text: float | None
    output_per_text: float | None


@dataclass(frozen=True)
class PinFacts:
    """`lifecycle` is unknown for an id that this version has never heard of; `retires` an ISO date or None."""

    model: str
    tier: str | None
    lifecycle: str
    retires: str | None
    newer: tuple[PriceChange, ...]


def facts_of(model_id: str, now: datetime) -> PinFacts:
    """The facts, at the prices of that moment."""
    model = known(model_id)
    if model is None:
        return PinFacts(model_id, None, "unknown", None, ())
    newer = tuple(price_change(model_id, other, now) for other in newer_in_tier(model_id))
    return PinFacts(model_id, model.tier, model.lifecycle, model.retires, newer)


def price_change(model_id: str, other: str, now: datetime) -> PriceChange:
    """What `other` costs over `model_id`."""
    then, there = rates(model_id, now), rates(other, now)
    if then is None or there is None or not all(then):
        return PriceChange(other, None, None, None, None)
    ratios = there[0] / then[0], there[1] / then[1]
    old, new = known(model_id), known(other)
    tokens = new.tokens_per_text / old.tokens_per_text if old and new else None
    texts = (None, None) if tokens is None else (ratios[0] * tokens, ratios[1] * tokens)
    return PriceChange(other, *ratios, *texts)
