"""A spending cap that parallel calls cannot overshoot: money is set aside before a request is sent."""

import math

from evalkit.charged import NOTHING, Charged
from evalkit.errors import UsageError


def payers(command: str, limit_usd: float | None) -> tuple[str, ...]:
    """The kinds of work to hold a run file for: under a budget both, since it is one over what both spend."""
    return (command,) if limit_usd is None else ("run", "grade")


class Budget:
    """USD that a run file may cost in all. `charged` starts with what its attempts, judges' too, have cost."""

    def __init__(self, limit_usd: float | None, charged: Charged = NOTHING) -> None:
        """Raises UsageError for a limit that is no number, or infinite: nothing would ever be more than that."""
        if limit_usd is not None and not math.isfinite(limit_usd):
            raise UsageError("the budget is not a number; give --budget-usd in dollars, e.g. 5")
        self.limit_usd = limit_usd
        self.charged = charged
        self._reserved_usd = 0.0
        self._in_flight = 0

    def reserve(self, worst_case_usd: float) -> bool:
        """Set aside the most a request can cost; False if what is left, less what is set aside, does not hold it."""
        if self.limit_usd is None:
            return True
        if self.charged.borne_usd + self._reserved_usd + worst_case_usd > self.limit_usd + 1e-12:
            return False
        self._reserved_usd += worst_case_usd
        self._in_flight += 1
        return True

    def bear(self, worst_case_usd: float) -> None:
        """Set aside for a request that is under way already, whether it fits or not."""
        self._reserved_usd += worst_case_usd
        self._in_flight += 1

    def settle(self, reserved_usd: float, cost_usd: float | None, cut: bool = False) -> None:
        """Replace a reservation by what was really spent; an unknown cost, or that of an answer which was `cut`, counts
        as the worst case."""
        self.charged = self.charged.plus(reserved_usd, cost_usd, cut)
        if self.limit_usd is not None:
            self._in_flight -= 1
            self._reserved_usd = self._reserved_usd - reserved_usd if self._in_flight else 0.0
