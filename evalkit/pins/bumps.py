"""What a change does to pins: which model ids a file named before, and which it names now."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from evalkit.pins.scan import Pin, in_code

Change = Literal["bump", "added", "removed"]


@dataclass(frozen=True)
class Bump:
    """One change of a model id: `then` is None for one that is new, `now` for one that is gone."""

    then: Pin | None
    now: Pin | None

    @property
    def change(self) -> Change:
        """What happened."""
        return "added" if self.then is None else "removed" if self.now is None else "bump"


def bumps(then: Iterable[Pin], now: Iterable[Pin]) -> list[Bump]:
    """The changes between two states of the same files, in code alone.

    An id that moved, within a file or to another, or that is spelled otherwise, has not changed. Each new id is taken
    to replace a gone one: of the same file, of the same tier, the nearest, in this order.
    """
    before, after = in_code(then), in_code(now)
    gone, new = _difference(before, after), _difference(after, before)
    found = []
    for pin in new:
        replaced = min(gone, key=lambda old: _distance(old, pin), default=None)
        if replaced is not None:
            gone.remove(replaced)
        found.append(Bump(replaced, pin))
    return found + [Bump(pin, None) for pin in gone]


def _distance(old: Pin, new: Pin) -> tuple[bool, bool, int]:
    return old.path != new.path, _tier(old) != _tier(new), abs(old.line - new.line)


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
