"""Signals of the wrong model as data: what speaks for another one, on what figures, and what would settle it."""

from typing import Literal

from evalkit.frozen import dataclass
from evalkit.stats import Estimate

Direction = Literal["upgrade", "downgrade", "mix"]
State = Literal["shown", "not shown", "not enough data"]
"""`shown`: the interval lies on the signal's side. `not shown`: on the other. `not enough data`: on both, or none."""


@dataclass(frozen=True)
class Evidence:
    """One figure behind a signal. `n` of the estimate counts items (or requests); `note` says how it is read.

    `p_value` is adjusted for every test of the signal, None where nothing was tested.
    """

    what: str
    estimate: Estimate
    unit: Literal["percent", "points", "ratio"]
    note: str = ""
    p_value: float | None = None


@dataclass(frozen=True)
class Signal:
    """One reason to use another model than `current`, or several, and how far the data bear it out.

    `toward` is the model it points at, None where it names none or is not shown. `parts`: names of the parts of the
    items on which it is shown, empty where it is not about parts. `settles` says what would decide it, empty where it
    is decided; `reason` why it could not be computed at all.
    """

    id: str
    direction: Direction
    name: str
    current: str
    state: State
    evidence: tuple[Evidence, ...] = ()
    settles: str = ""
    reason: str | None = None
    toward: str | None = None
    parts: tuple[str, ...] = ()


def by_interval(estimate: Estimate, at: float, other: float | None = None, *, above: bool = True) -> State:
    """Where an interval lies: `shown` beyond `at`, `not shown` short of `other` (`at` unless given), else unknown.

    `above` False: shown is what lies below `at`.
    """
    if estimate.low is None or estimate.high is None:
        return "not enough data"
    low, high = (estimate.low, estimate.high) if above else (-estimate.high, -estimate.low)
    sign = 1 if above else -1
    if low > sign * at:
        return "shown"
    return "not shown" if high <= sign * (at if other is None else other) else "not enough data"


def any_of(states: list[State]) -> State:
    """Of several ways to show one thing: shown if one is; not shown only if each is known not to be."""
    if "shown" in states:
        return "shown"
    return "not shown" if states and set(states) == {"not shown"} else "not enough data"
