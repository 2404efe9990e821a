"""What a change does to pins: which model ids a file named before, and which it names now."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from evalkit.pins.scan import Pin, in_code

Change = Literal["bump", "added", "removed"]


@dataclass(frozen=True)
class Bump:
    """One change of a model id in a file: `then` is None for one that is new, `now` for one that is gone."""

    path: str
    then: Pin | None
    now: Pin | None

    @property
    def change(self) -> Change:
        """What happened."""
        return "added" if self.then is None else "removed" if self.now is None else "bump"


def bumps(path: str, then: Iterable[Pin], now: Iterable[Pin]) -> list[Bump]:
    """The changes of one file, in code alone. An id that only moved, or is spelled otherwise, has not changed.

    Each new id is taken to replace the nearest gone one of the same tier, else the nearest gone one.
    """
    gone, new = _difference(in_code(then), in_code(now)), _difference(in_code(now), in_code(then))
    found = []
    for pin in new:
        replaced = min(gone, key=lambda old: (_tier(old) != _tier(pin), abs(old.line - pin.line)), default=None)
        if replaced is not None:
            gone.remove(replaced)
        found.append(Bump(path, replaced, pin))
    return found + [Bump(path, pin, None) for pin in gone]


def _difference(pins: Sequence[Pin], others: Sequence[Pin]) -> list[Pin]:
    """Those of the pins that the others do not hold, as often as they do not."""
    left, found = Counter(other.model for other in others), []
    for pin in pins:
        if left[pin.model]:
            left[pin.model] -= 1
        else:
            found.append(pin)
    return found


def _tier(pin: Pin) -> str:
    return next((tier for tier in ("opus", "sonnet", "haiku") if tier in pin.model), pin.model)
