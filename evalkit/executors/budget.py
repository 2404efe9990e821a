"""A spending cap that parallel calls cannot overshoot: money is set aside before a request is sent."""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

from evalkit.charged import NOTHING, Charged, Claim
from evalkit.errors import UsageError


def payers(command: str, limit_usd: float | None) -> tuple[str, ...]:
    """The kinds of work to hold a run file for: under a budget both, since it is one over what both spend."""
    return (command,) if limit_usd is None else ("run", "grade")


class Budget:
    """USD that a run file may cost in all. `charged` starts with what its attempts, judges' too, have cost, of which
    `aside` are the claims that may still grow.
    """

    def __init__(self, limit_usd: float | None, charged: Charged = NOTHING, aside: Iterable[Claim] = ()) -> None:
        """Raises UsageError for a limit that is no number, or infinite: nothing would ever be more than that."""
        if limit_usd is not None and not math.isfinite(limit_usd):
            raise UsageError("the budget is not a number; give --budget-usd in dollars, e.g. 5")
        self.limit_usd = limit_usd
        self.charged = charged
        self._reserved_usd = 0.0
        self._in_flight: dict[int, Claim] = {}
        self._aside = list(aside)

    def reserve(self, worst_usd: Callable[[], float | None]) -> Claim | None:
        """Set aside the most a request can cost; None if what is left, less what is set aside, does not hold it."""
        claim = Claim(worst_usd).reckoned()
        if self.limit_usd is None:
            return claim
        if self.charged.borne_usd + self._reserved_usd + claim.usd > self.limit_usd + 1e-12:
            return None
        return self._borne(claim)

    def bear(self, worst_usd: Callable[[], float | None]) -> Claim:
        """Set aside for a request that is under way already, whether it fits or not."""
        return self._borne(Claim(worst_usd).reckoned())

    def _borne(self, claim: Claim) -> Claim:
        self._reserved_usd += claim.usd
        self._in_flight[id(claim)] = claim
        return claim

    def settle(self, claim: Claim, cost_usd: float | None, cut: bool = False) -> None:
        """Replace a reservation by what was really spent; an unknown cost, or that of an answer which was `cut`, counts
        as the worst case."""
        self.charged = self.charged.plus(claim.usd, cost_usd, cut)
        if self.limit_usd is None:
            return
        self._in_flight.pop(id(claim), None)
        self._reserved_usd = self._reserved_usd - claim.usd if self._in_flight else 0.0
        if cost_usd is None or cut:
            claim.known_usd = cost_usd or 0.0
            self._aside.append(claim)

    def reckon(self) -> None:
        """Answers have shown that requests may cost more: so may all that is set aside for others."""
        before_usd = sum(claim.aside_usd for claim in self._aside)
        more_usd = sum(claim.reckoned().aside_usd for claim in self._aside) - before_usd
        self.charged = replace(self.charged, aside_usd=self.charged.aside_usd + more_usd)
        self._reserved_usd = sum(claim.reckoned().usd for claim in self._in_flight.values())
