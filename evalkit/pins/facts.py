"""What is known of a pinned model: its lifecycle, what is newer, and what a bump does to the price of the same text."""

import re
from datetime import date, datetime

from evalkit.frozen import dataclass
from evalkit.models import KNOWN, known, newer_in_tier
from evalkit.pins.spelling import tier_of
from evalkit.pricing import rates

SOON_DAYS = 60
"""A pin that retires within so many days is warned about: about what a bump with its evidence takes a team."""
# Ids without their date. State of November 2026, from the vendor's deprecation pages.
_GONE = {
    "claude-1": "2024-11-06", "claude-1-3": "2024-11-06", "claude-instant-1": "2024-11-06",
    **{f"claude-1.{minor}": "2024-11-06" for minor in range(4)},
    **{f"claude-instant-1-{minor}": "2024-11-06" for minor in range(3)},
    "claude-2": "2025-07-21", "claude-2.0": "2025-07-21", "claude-2.1": "2025-07-21", "claude-3-sonnet": "2025-07-21",
    "claude-3-5-sonnet": "2025-10-28",  # by the release notes of that day
    "claude-3-haiku": "2026-04-20",  # and by litellm pull request 26139, whose tests failed from that day on
    "claude-3-opus": "2026-01-05", "claude-3-5-haiku": "2026-02-19", "claude-3-7-sonnet": "2026-02-19",
    "claude-opus-4": "2026-06-15", "claude-opus-4-0": "2026-06-15",
    "claude-sonnet-4": "2026-06-15", "claude-sonnet-4-0": "2026-06-15", "claude-mythos-preview": "2026-06-30",
}  # fmt: skip


@dataclass(frozen=True)
class PriceChange:
    """What one model's input and output tokens cost, over another's, and the same text's (both None where unknown).

    `input_per_text` and `output_per_text` count that newer tokenizers make more tokens of the same text. `price_cliff`:
    the one model's, as of `Model`: all these are of shorter prompts.
    """

    model: str
    input_ratio: float | None
    output_ratio: float | None
    input_per_text: float | None
    output_per_text: float | None
    price_cliff: tuple[int, float] | None = None


@dataclass(frozen=True)
class PinFacts:
    """`lifecycle` is unknown for an id that this version has never heard of; `retires` an ISO date or None.

    The dates are of Anthropic's own API; cloud platforms keep their own.
    """

    model: str
    tier: str | None
    lifecycle: str
    retires: str | None
    newer: tuple[PriceChange, ...]

    def retires_soon(self, today: date) -> bool:
        """Whether it retires within `SOON_DAYS`, or has."""
        return self.retires is not None and (date.fromisoformat(self.retires) - today).days <= SOON_DAYS


def facts_of(model_id: str, now: datetime) -> PinFacts:
    """The facts, at the prices of that moment."""
    stem = re.sub(r"-\d{8}$", "", model_id)
    model, tier = known(model_id) or known(stem), tier_of(model_id)
    if model is not None:
        lifecycle, retires, later = model.lifecycle, model.retires, newer_in_tier(model.id)
    elif stem in _GONE:
        lifecycle, retires, later = "retired", _GONE[stem], _usable(tier)
    else:
        return PinFacts(model_id, tier, "unknown", None, ())
    if lifecycle == "deprecated" and retires is not None and date.fromisoformat(retires) <= now.date():
        lifecycle = "retired"
    return PinFacts(model_id, tier, lifecycle, retires, tuple(price_change(model_id, other, now) for other in later))


def _usable(tier: str | None) -> tuple[str, ...]:
    found = [m for m in KNOWN if m.tier == tier and m.lifecycle == "active" and m.pinned]
    return tuple(m.id for m in sorted(found, key=lambda m: m.generation, reverse=True))


def price_change(model_id: str, other: str, now: datetime) -> PriceChange:
    """What `other` costs over `model_id`."""
    then, there = rates(model_id, now), rates(other, now)
    old, new = known(model_id) or known(re.sub(r"-\d{8}$", "", model_id)), known(other)
    cliff = None if new is None else new.price_cliff
    if then is None or there is None or not all(then):
        return PriceChange(other, None, None, None, None, price_cliff=cliff)
    ratios = there[0] / then[0], there[1] / then[1]
    tokens = new.tokens_per_text / old.tokens_per_text if old and new else None
    texts = (None, None) if tokens is None else (ratios[0] * tokens, ratios[1] * tokens)
    return PriceChange(other, ratios[0], ratios[1], texts[0], texts[1], cliff)
