"""Streams that broke off in the middle of an answer: what they are known to have taken, apart from all answers."""

from collections.abc import Iterable

from evalkit.frozen import dataclass
from evalkit.records import Attempt, Reply


@dataclass(frozen=True)
class CutStreams:
    """Attempts that failed after their answer had begun, which a server may bill.

    `input_tokens` and `output_tokens` are those the server had told before the break, so that the output is a lower
    bound; about `received_tokens` of output had arrived, by how long the answers' tokens are (None without answers).
    `cost_usd` is of the tokens told; None where a price is unknown.
    """

    attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    received_tokens: int | None = 0
    cost_usd: float | None = 0.0


def is_cut(one: Attempt | Reply) -> bool:
    """Whether it failed after its answer had begun: what is billed is at least, and nobody knows, what was told."""
    return one.outcome == "errored" and one.usage.total_input_tokens is not None


def cut_streams(attempts: Iterable[Attempt]) -> CutStreams:
    """The cut ones among attempts at one model, the answered ones among which tell how long a token is."""
    cut: list[Attempt] = []
    characters = tokens = 0
    for attempt in attempts:
        if is_cut(attempt):
            cut.append(attempt)
        elif attempt.outcome == "answered" and attempt.text and attempt.usage.output_tokens:
            characters += len(attempt.text)
            tokens += attempt.usage.output_tokens - (attempt.usage.thinking_tokens or 0)
    received = sum(len(attempt.text) for attempt in cut)
    costs = [attempt.cost_usd for attempt in cut if attempt.cost_usd is not None]
    return CutStreams(
        attempts=len(cut),
        input_tokens=sum(attempt.usage.total_input_tokens or 0 for attempt in cut),
        output_tokens=sum(attempt.usage.output_tokens or 0 for attempt in cut),
        received_tokens=round(received * tokens / characters) if characters else None if received else 0,
        cost_usd=sum(costs) if len(costs) == len(cut) else None,
    )
