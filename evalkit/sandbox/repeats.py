"""Numbers the replies to equal requests, so that a repeat differs from the first and a retry does not."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass


@dataclass
class Turn:
    """One attempt: `number` equal requests were answered before it, `attempt` attempts at this one failed."""

    model: str
    content_sha256: str
    number: int
    attempt: int
    succeeded: bool = False
    ended: bool = False


class Repeats:
    """Counts per model and content. A number is taken while its attempt runs and given back if that fails."""

    def __init__(self) -> None:
        self._taken: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
        self._attempts: defaultdict[tuple[str, str, int], int] = defaultdict(int)

    def begin(self, model: str, content_sha256: str) -> Turn:
        """The turn of a request that has just arrived."""
        taken = self._taken[model, content_sha256]
        number = next(n for n in range(len(taken) + 1) if n not in taken)
        taken.add(number)
        attempt = self._attempts[model, content_sha256, number]
        self._attempts[model, content_sha256, number] = attempt + 1
        return Turn(model, content_sha256, number, attempt)

    def end(self, turn: Turn) -> None:
        """Gives the number back unless the reply was sent to its end. Ending twice is ending once."""
        if turn.ended:
            return
        turn.ended = True
        if turn.succeeded:
            self._attempts.pop((turn.model, turn.content_sha256, turn.number), None)
        else:
            self._taken[turn.model, turn.content_sha256].discard(turn.number)
