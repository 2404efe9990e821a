"""What a model's tokens cost, by which a run was priced."""

from evalkit.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per million tokens of each kind, for prompts of more than `above_tokens`; None: no price is known.

    `batch_factor`: how many times as much a batch costs. `own`: by the team's contract, from `evalkit.yaml`.
    """

    input: float
    output: float | None
    cache_read: float | None = None
    cache_write_5m: float | None = None
    cache_write_1h: float | None = None
    batch_factor: float | None = None
    above_tokens: int = 0
    own: bool = False
