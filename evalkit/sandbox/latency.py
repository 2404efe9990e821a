"""How long a reply takes: log-normal times to the first token and between tokens, by tier and input size."""

from __future__ import annotations

import math

from evalkit.frozen import dataclass
from evalkit.sandbox.catalog import ModelSpec, Tier
from evalkit.sandbox.seeds import Draws
from evalkit.sandbox.settings import SandboxSettings

FIRST_TOKEN_S: dict[Tier, tuple[float, float]] = {
    "haiku": (0.35, 0.25),
    "sonnet": (0.60, 0.50),
    "opus": (1.00, 0.90),
    "fable": (1.30, 1.10),
    "mythos": (1.50, 1.30),
}
"""Median seconds to the first token without input, and what 50,000 input tokens add to it."""

TOKENS_PER_S: dict[Tier, float] = {
    "haiku": 120.0,
    "sonnet": 75.0,
    "opus": 45.0,
    "fable": 40.0,
    "mythos": 35.0,
}
"""Median speed of the output."""

FIRST_TOKEN_SPREAD, SPEED_SPREAD, GAP_SPREAD = 0.30, 0.12, 0.35
"""Standard deviations of the logarithms: between replies (first token, speed), between gaps in a reply."""


@dataclass(frozen=True)
class Pace:
    """The times of one reply in seconds of this server's clock."""

    first_token_s: float
    per_token_s: float
    draws: Draws

    def gap_s(self, index: int, piece_tokens: float) -> float:
        """The pause before the piece with this index (from 0)."""
        if self.per_token_s == 0:
            return 0.0
        # The correction keeps the mean gap at the nominal speed: a log-normal's mean lies above its median.
        jitter = math.exp(GAP_SPREAD * self.draws.normal(f"gap {index}") - GAP_SPREAD**2 / 2)
        return piece_tokens * self.per_token_s * jitter

    def total_s(self, output_tokens: int) -> float:
        """How long a reply of this many tokens takes when it is not streamed."""
        return self.first_token_s + output_tokens * self.per_token_s


def draw_pace(settings: SandboxSettings, spec: ModelSpec, plain_tokens: float, draws: Draws) -> Pace:
    """The pace of a reply to an input of this size (4.6 tokens)."""
    base_s, growth_s = FIRST_TOKEN_S[spec.tier]
    median_s = base_s + growth_s * plain_tokens / 50_000
    first_s = median_s * math.exp(FIRST_TOKEN_SPREAD * draws.normal("first token"))
    per_token_s = math.exp(SPEED_SPREAD * draws.normal("speed")) / TOKENS_PER_S[spec.tier]
    return Pace(settings.scaled_s(first_s), settings.scaled_s(per_token_s), draws)
