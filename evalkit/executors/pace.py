"""How fast one model may be asked: a concurrency that adapts, and what keeps to its limits a minute."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import field

from evalkit.error_kinds import LOST, TOO_FAST, is_for_load
from evalkit.frozen import dataclass
from evalkit.records import Allowance, Reply

START = 12
"""Requests in flight to begin with; three models at the default -j never reach it, a high -j has to earn it."""

KEPT = 0.75
"""Share of the limit that a refusal for load leaves; servers overloaded for a moment need no more than that."""

REGAINED = 2.0
"""How much the limit grows a round trip after the first such refusal."""

_REFILL_S = 60.0

_FRUITLESS = 12
"""So many attempts in a row that came to nothing, though a server may have billed them, before a model is asked nothing
new until one of them is answered."""

MINUTE_S = 61.0
"""How long a request counts against a pinned limit a minute: two of them may be on their way for different times."""


@dataclass(frozen=True)
class Need:
    """What one request takes of its model's limits; `output_tokens` is the most it may write, as limits count it."""

    input_tokens: int = 0
    output_tokens: int = 0

    def of(self, kind: str) -> int:
        """How much of the limit called `kind`."""
        amounts = {"requests": 1, "input_tokens": self.input_tokens, "output_tokens": self.output_tokens}
        return amounts.get(kind, self.input_tokens + self.output_tokens)


@dataclass
class Bucket:
    """A limit a minute that refills evenly, as the API's do. `stamp` is when `level` held, s."""

    per_minute: float
    level: float
    stamp: float

    def wait_s(self, amount: float, now: float) -> float:
        """Seconds until `amount` may be taken; what is larger than the bucket needs it full."""
        self._refill(now)
        missing = min(amount, self.per_minute) - self.level
        return 0.0 if missing <= 1e-9 else missing * _REFILL_S / self.per_minute

    def take(self, amount: float, now: float) -> None:
        """Take it, into debt if it has to be."""
        self._refill(now)
        self.level -= amount

    def correct(self, remaining: float, now: float) -> None:
        """The server counts too, and others use the same account: it has the last word where it has less."""
        self._refill(now)
        self.level = min(self.level, remaining)

    def _refill(self, now: float) -> None:
        self.level = min(self.per_minute, self.level + (now - self.stamp) * self.per_minute / _REFILL_S)
        self.stamp = now


@dataclass
class Window:
    """A pinned limit: no minute, wherever it begins, has more. `taken`: the last minute's moments, s, and amounts."""

    per_minute: float
    taken: deque[tuple[float, float]] = field(default_factory=deque)
    sum: float = 0.0

    def wait_s(self, amount: float, now: float) -> float:
        """Seconds until `amount` may be taken; what is larger than the limit needs a minute of its own."""
        while self.taken and self.taken[0][0] + MINUTE_S <= now:
            self.sum -= self.taken.popleft()[1]
        over, until = self.sum + amount - self.per_minute, now
        for moment, earlier in self.taken:
            if over <= 0:
                break
            over, until = over - earlier, moment + MINUTE_S
        return until - now

    def take(self, amount: float, now: float) -> None:
        """Take it."""
        self.taken.append((now, amount))
        self.sum += amount


@dataclass
class Pace:
    """One model's pace. Times are of one monotonic clock, s.

    `limit` grows by one an answer until the first refusal for load (so it doubles a round trip), then by REGAINED a
    round trip; such a refusal leaves KEPT of it, once for all requests that were under way together. While a
    `retry-after` lasts nothing is sent. Limits that the server tells in its headers are kept, unless `pinned` says
    what they are. `fruitless`: attempts in a row without an answer that may have been billed. `lately`: when requests
    of earlier processes went in the last minute, and what they took.
    """

    ceiling: int
    pinned: Mapping[str, int] = field(default_factory=dict)
    lately: Iterable[tuple[float, Need]] = ()
    limit: float = START
    in_flight: int = 0
    throttled: int = 0
    fruitless: int = 0
    _growing: bool = True
    _cut_at: float = float("-inf")
    _not_before: float = float("-inf")
    _buckets: dict[str, Bucket] = field(default_factory=dict)
    _windows: dict[str, Window] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.limit = min(self.limit, self.ceiling)
        self._windows = {kind: Window(per_minute) for kind, per_minute in self.pinned.items()}
        for moment, need in sorted(self.lately, key=lambda sent: sent[0]):
            self._take(need, moment)

    def wait_s(self, need: Need, now: float) -> float | None:
        """Seconds until a request may be sent, 0 for now; None while all its places are taken."""
        if self.in_flight >= int(self.limit):
            return None
        waits = [limit.wait_s(need.of(kind), now) for kind, limit in self._limits()]
        return max(0.0, self._not_before - now, *waits)

    def sent(self, need: Need, now: float) -> None:
        """A request is on its way."""
        self.in_flight += 1
        self._take(need, now)

    def _take(self, need: Need, now: float) -> None:
        for kind, limit in self._limits():
            limit.take(need.of(kind), now)

    def _limits(self) -> list[tuple[str, Bucket | Window]]:
        return [*self._buckets.items(), *self._windows.items()]

    def ended(self, reply: Reply, sent_at: float, now: float, hold_s: float = 0.0) -> None:
        """Learn from how a request ended that was sent at `sent_at`; a 429 stops its model for `hold_s`."""
        self.in_flight -= 1
        for kind, allowance in reply.allowances.items():
            self._told(kind, allowance, now)
        if reply.outcome == "errored" and is_for_load(reply.status, reply.error_type):
            self._throttle(reply, sent_at, now, hold_s)
        elif reply.outcome != "errored":
            self.fruitless = 0
            self.limit = min(self.ceiling, self.limit + (1.0 if self._growing else REGAINED / self.limit))

        elif (reply.status or 200) < 400 and reply.error_type != LOST:
            self.fruitless += 1

    @property
    def is_doubted(self) -> bool:
        """Whether to try again what has been asked, rather than to ask more."""
        return self.fruitless >= _FRUITLESS

    def _throttle(self, reply: Reply, sent_at: float, now: float, hold_s: float) -> None:
        self.throttled += 1
        if reply.status == 429 or reply.error_type in TOO_FAST:
            self._not_before = max(self._not_before, now + hold_s)
        if sent_at > self._cut_at:
            self._growing, self._cut_at = False, now
            self.limit = max(1.0, self.limit * KEPT)

    def _told(self, kind: str, told: Allowance, now: float) -> None:
        if kind in self.pinned or not told.limit or told.remaining is None:
            return
        bucket = self._buckets.get(kind)
        if bucket is None or bucket.per_minute != told.limit:
            self._buckets[kind] = Bucket(told.limit, told.remaining, now)
        else:
            bucket.correct(told.remaining, now)
