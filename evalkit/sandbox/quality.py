"""How good a reply is: the chance that it is right, by tier, generation, difficulty and input size."""

from __future__ import annotations

import math
from typing import Literal

from evalkit.sandbox.catalog import ModelSpec, Tier
from evalkit.sandbox.seeds import Draws, normal

Outcome = Literal["correct", "partly_wrong", "wrong", "refused", "truncated"]
Difficulty = Literal["easy", "medium", "hard"]

REFUSED, TRUNCATED = 0.005, 0.010
"""Share of replies that are refused, and that ramble until they reach max_tokens."""

PARTLY_WRONG = 0.5
"""Share of the failures in which the core is right and another fact is wrong or left out."""

SKILL: dict[Tier, dict[Difficulty, float]] = {
    "opus": {"easy": 6.20, "medium": 5.20, "hard": 3.70},
    "sonnet": {"easy": 6.00, "medium": 4.80, "hard": 3.10},
    "haiku": {"easy": 5.20, "medium": 3.60, "hard": 0.90},
    "fable": {"easy": 6.50, "medium": 4.80, "hard": 3.10},
    "mythos": {"easy": 6.60, "medium": 5.00, "hard": 3.40},
}
"""Log-odds of being right on an average item with 2,000 tokens of input, for the 4.6 generation."""

PER_DOUBLING: dict[Tier, float] = {"opus": 0.12, "sonnet": 0.15, "haiku": 0.34, "fable": 0.10, "mythos": 0.09}
"""Log-odds lost with each doubling of the input beyond 2,000 tokens: the small tier loses most."""

PER_GENERATION = 0.5
"""Log-odds gained from one whole generation to the next."""

ITEM_SPREAD = 0.8
"""Standard deviation of the items' own ease (log-odds), shared by all models: some items are hard for all."""


def success_probability(spec: ModelSpec, difficulty: Difficulty, plain_tokens: float, item_shift: float) -> float:
    """The chance (0-1) that a reply which is neither refused nor truncated is right in every fact.

    `plain_tokens` are counted with the 4.6 tokenizer; `item_shift` is the item's own ease in log-odds.
    """
    doublings = max(0.0, math.log2(max(plain_tokens, 1.0) / 2000))
    log_odds = SKILL[spec.tier][difficulty] - PER_DOUBLING[spec.tier] * doublings
    log_odds += PER_GENERATION * (spec.generation - 4.6) + item_shift
    return 1 / (1 + math.exp(-log_odds))


def item_shift(seed: int, item_sha256: str) -> float:
    """How much easier than its kind an item is (log-odds), the same for every model."""
    return ITEM_SPREAD * normal(seed, "item", item_sha256)


def draw_outcome(draws: Draws, spec: ModelSpec, difficulty: Difficulty, plain_tokens: float, shift: float) -> Outcome:
    """The quality of one reply."""
    ending = draws.uniform("ending")
    if ending < REFUSED:
        return "refused"
    if ending < REFUSED + TRUNCATED:
        return "truncated"
    if draws.chance("success", success_probability(spec, difficulty, plain_tokens, shift)):
        return "correct"
    return "partly_wrong" if draws.chance("partly", PARTLY_WRONG) else "wrong"
