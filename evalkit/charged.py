"""Sums that a budget bears: what is spent, and what is set aside since nobody knows what was billed."""

from collections.abc import Callable
from dataclasses import dataclass as mutable
from dataclasses import replace

from evalkit.frozen import dataclass
from evalkit.wording import listing, plural


@dataclass(frozen=True)
class Charged:
    """USD: `spent_usd` by the tokens that servers have told, `aside_usd` the most that `broken` attempts, which broke
    off, may have cost on top of that, and `in_batches` requests that are at a server.
    """

    spent_usd: float = 0.0
    aside_usd: float = 0.0
    broken: int = 0
    in_batches: int = 0

    @property
    def borne_usd(self) -> float:
        """What a budget has borne."""
        return self.spent_usd + self.aside_usd

    def plus(self, reserved_usd: float, cost_usd: float | None, cut: bool = False) -> "Charged":
        """This and an attempt for which so much was reserved; `cut`: its cost is the least that it may be."""
        if cost_usd is not None and not cut:
            return replace(self, spent_usd=self.spent_usd + cost_usd)
        known_usd = cost_usd or 0.0
        aside_usd = self.aside_usd + max(0.0, reserved_usd - known_usd)
        spent_usd = self.spent_usd + known_usd
        return replace(self, spent_usd=spent_usd, aside_usd=aside_usd, broken=self.broken + 1)

    def words(self, dollars: Callable[[float], str]) -> str:
        """Both sums in a clause: `$0.12 spent, $0.40 more set aside at worst case for 2 answers that broke off`."""
        return f"{dollars(self.spent_usd)} spent{self.aside(dollars)}"

    def aside(self, dollars: Callable[[float], str]) -> str:
        """What follows a sum that is spent, if anything is set aside."""
        if not self.aside_usd:
            return ""
        what = [f"{plural(self.broken, 'answer')} that broke off"] if self.broken else []
        what += [f"{plural(self.in_batches, 'request')} in batches"] if self.in_batches else []
        return f", {dollars(self.aside_usd)} more set aside at worst case for {listing(what)}"


NOTHING = Charged()


@mutable
class Claim:
    """What is set aside for one request: `usd`, by what was known last.

    `worst_usd()`: the most it may cost by what is known now, None if unpriced; `known_usd` is known to be billed.
    `in_batch`: it is at a server, and has not broken off.
    """

    worst_usd: Callable[[], float | None]
    usd: float = 0.0
    known_usd: float = 0.0
    in_batch: bool = False

    def reckoned(self) -> "Claim":
        """This at what is known now; never less than before, which may be on the way already."""
        self.usd = max(self.usd, self.worst_usd() or 0.0)
        return self

    @property
    def aside_usd(self) -> float:
        """What is set aside on top of what is known."""
        return max(0.0, self.usd - self.known_usd)
