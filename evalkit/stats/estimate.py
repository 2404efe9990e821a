"""Estimate: one number with its interval, or the reason why there is none."""

import math
from dataclasses import replace

from evalkit.frozen import dataclass
from evalkit.stats.plain import Plain


@dataclass(frozen=True, slots=True)
class Estimate(Plain):
    """A number together with its doubt.

    `value`, `low` and `high` share one unit, that of the function which made the estimate. A bound that does
    not exist is None, and so is a value that does not exist; `reason` then says why. nan and inf never
    appear. `confidence` is in (0, 1), `n` counts independent units (items, pairs), `method` names the
    interval in words, and `warnings` are whole sentences for the reader.

    Raises ValueError for a non-finite number, for bounds in the wrong order, and for a missing value without
    a reason (or a reason beside a value).
    """

    value: float | None
    low: float | None
    high: float | None
    confidence: float
    n: int
    method: str
    warnings: tuple[str, ...] = ()
    reason: str | None = None

    def __post_init__(self) -> None:
        Plain.__post_init__(self)  # `super()` does not know a class that was made anew for its slots
        for name in ("value", "low", "high"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise ValueError(f"{name} = {number} is not finite; use None for what does not exist")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low = {self.low} is above high = {self.high}")
        if (self.value is None) != (self.reason is not None):
            raise ValueError(f"value = {self.value} and reason = {self.reason!r}: exactly one of them must be None")

    @property
    def mirrored(self) -> "Estimate":
        """The same of the difference the other way round."""
        value, low, high = (None if x is None else -x for x in (self.value, self.high, self.low))
        return replace(self, value=value, low=low, high=high)


def no_estimate(reason: str, confidence: float, method: str, n: int = 0) -> Estimate:
    """An Estimate without value or bounds, and the reason why."""
    return Estimate(None, None, None, confidence, n, method, reason=reason)
