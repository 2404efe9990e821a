"""What has ended of a run under way, model by model, what it has cost, and what it is heading for."""

from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import field
from statistics import quantiles
from typing import TYPE_CHECKING

from evalkit.charged import NOTHING, Charged
from evalkit.error_kinds import is_for_load
from evalkit.frozen import dataclass

if TYPE_CHECKING:
    from evalkit.executors.local import Progress

_MOST_TROUBLES = 5


@dataclass(frozen=True)
class Ahead:
    """What one model is about to be asked: so many requests, at about so much; None if it has no price."""

    requests: int
    expected_usd: float | None = None


@dataclass
class Row:
    """One model's part. `failed` trials ended for good without a usable answer; retries failed and were tried again."""

    total: int
    expected_usd: float | None = None
    done: int = 0
    failed: int = 0
    retries: int = 0
    spent_usd: float = 0.0
    unpriced: bool = False
    felt_s: "array[float]" = field(default_factory=lambda: array("d"))

    def quantile_s(self, hundredth: int) -> float | None:
        """Of the times that users would have waited; None for fewer than two of them."""
        if len(self.felt_s) < 2:
            return None
        return quantiles(self.felt_s, n=100, method="inclusive")[hundredth - 1]

    def projected_usd(self) -> float | None:
        """What all of it will have cost, by what it cost so far, else by the estimate; None if nobody knows."""
        if self.unpriced:
            return None
        return self.spent_usd / self.done * self.total if self.done else self.expected_usd


@dataclass
class _Trouble:
    count: int = 0
    throttled: bool = False
    limits: dict[str, int] = field(default_factory=dict)
    became: Counter[str] = field(default_factory=Counter)

    def hint(self) -> str:
        """What was done about it; nothing as long as that is not decided."""
        slowest = min(self.limits.values(), default=0)
        if self.throttled and slowest:
            return f", slowed to {slowest} at a time"
        if list(self.became.values()) == [self.count]:
            return f", {next(iter(self.became))}"
        return "".join(f", {count} {what}" for what, count in sorted(self.became.items()))


class Tally:
    """Counts what ends. Projections are made for each model and then joined, since the fast and cheap one ends first.

    `before` is what earlier commands have cost; a budget counts that too.
    """

    def __init__(self, ahead: Mapping[str, Ahead], budget_usd: float | None = None, before: Charged = NOTHING) -> None:
        self.rows = {name: Row(one.requests, one.expected_usd) for name, one in ahead.items() if one.requests}
        self.budget_usd, self.before, self.charged = budget_usd, before, before
        self.waiting: int | None = None
        self._troubles: dict[str, _Trouble] = {}

    def count(self, progress: "Progress") -> None:
        """One attempt has ended."""
        row, reply = self.rows[progress.call.request.model], progress.reply
        self.charged = progress.charged
        if progress.cost_usd is not None:
            row.spent_usd += progress.cost_usd
        elif reply.outcome != "errored":
            row.unpriced = True
        if progress.final:
            row.done += 1
            if progress.felt_s is not None:
                row.felt_s.append(progress.felt_s)
            row.failed += reply.outcome != "answered"
        elif progress.left is False:
            row.retries += 1
        if reply.outcome == "errored":
            self._note(progress)
        self.waiting = progress.waiting

    def _note(self, progress: "Progress") -> None:
        reply = progress.reply
        name = " ".join(filter(None, (str(reply.status or "").removeprefix("200"), reply.error_type))) or "no answer"
        trouble = self._troubles.setdefault(name, _Trouble())
        trouble.count += 1
        trouble.throttled = trouble.throttled or is_for_load(reply.status, reply.error_type)
        if progress.final or progress.left is not None:
            trouble.became["for good" if progress.final else "left" if progress.left else "tried again"] += 1
        if progress.limit:
            trouble.limits[progress.call.request.model] = progress.limit

    def troubles(self) -> list[str]:
        """Each kind of error once, with its count and what came of it: `429 rate_limit_error ×12, tried again`."""
        most = sorted(self._troubles.items(), key=lambda one: -one[1].count)
        lines = [f"{name} ×{trouble.count}{trouble.hint()}" for name, trouble in most[:_MOST_TROUBLES]]
        return [*lines, f"{len(most) - len(lines)} more kinds of errors"] if len(most) > len(lines) else lines

    @property
    def done(self) -> int:
        """Requests that were settled."""
        return sum(row.done for row in self.rows.values())

    @property
    def total(self) -> int:
        """Requests that are to be settled."""
        return sum(row.total for row in self.rows.values())

    @property
    def spent_usd(self) -> float:
        """What is known to have been spent on the run file, USD."""
        return self.charged.spent_usd

    @property
    def unpriced(self) -> bool:
        """Whether something was paid for at a price that nobody knows."""
        return any(row.unpriced for row in self.rows.values())

    def projected_usd(self) -> float | None:
        """What the run file will have cost in the end: the sum over models; None if one is unpriced."""
        parts = [row.projected_usd() for row in self.rows.values()]
        return None if None in parts else self.before.spent_usd + sum(part or 0.0 for part in parts)

    def left_s(self, elapsed_s: float) -> float | None:
        """Seconds left by the slowest model; None before each has ended something."""
        rows = self.rows.values()
        if not all(row.done for row in rows):
            return None
        return max((elapsed_s / row.done * (row.total - row.done) for row in rows), default=0.0)

    def missing(self) -> str:
        """What a run that stopped lacks: `54 of 180 requests are left, about $2.10 by what the others cost`."""
        left = f"{self.total - self.done} of {self.total} requests are left"
        projected = self.projected_usd()
        if projected is None or self.done == self.total:
            return left
        by = "by what they cost so far" if all(row.done for row in self.rows.values()) else "by the estimate"
        return f"{left}, about ${max(0.0, projected - self.spent_usd):.2g} {by}"
