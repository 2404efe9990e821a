"""What to send next: planned order, except that no model waits for another's limits."""

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import field
from functools import partial
from math import inf

from evalkit.charged import Claim
from evalkit.executors.pace import Need, Pace
from evalkit.frozen import dataclass
from evalkit.records import Request
from evalkit.uncounted import Unsure


@dataclass(frozen=True)
class Call:
    """One thing to get answered. `subject` is what its final attempt settles; `earlier` attempts count on, and
    so does what they made a user wait (None: nobody can say).

    `input_tokens`: the size of its prompt as far as it is known, for the limits a minute. `after`: a subject that is
    to have been asked about before, if it stands earlier in the order, so that this one finds its prompt in the cache.
    `unsure`: what knows more of `worst_case_usd`, where that matters. `most_tokens` and `cached` as in `Attempt`.
    """

    subject: str
    trial_id: int
    request: Request
    worst_case_usd: float | None
    earlier: int = 0
    earlier_felt_s: float | None = 0.0
    grader: str | None = None
    round_id: int | None = None
    input_tokens: int = 0
    after: str | None = None
    unsure: Unsure | None = None
    most_tokens: int | None = None
    cached: bool | None = None

    @property
    def worst_usd(self) -> Callable[[], float | None]:
        """What tells the most that a request of it can cost by what is known when it is asked; holds no prompt."""
        return partial(_same, self.worst_case_usd) if self.unsure is None else self.unsure.worst_usd

    @property
    def need(self) -> Need:
        """What it takes of its model's limits."""
        return Need(self.input_tokens, self.request.max_tokens)


def _same(usd: float | None) -> float | None:
    return usd


@dataclass
class Job:
    """A call under way. `since`: when it might have gone, had nothing of ours been in its way (monotonic, s).

    `felt_s`: latencies and pauses of its attempts so far; `doubted`: refused before its model had answered anything,
    and to be tried once more; `lost`: attempts whose worker was lost; `claim`: set aside for the one under way;
    `untimed`: one of them has no latency that could be claimed, so neither has what a user felt.
    """

    call: Call
    since: float
    attempts: int = 0
    felt_s: float = 0.0
    doubted: bool = False
    lost: int = 0
    claim: Claim | None = None
    untimed: bool = False


@dataclass
class _Lane:
    pace: Pace
    waiting: deque[tuple[int, Job]] = field(default_factory=deque)
    later: list[tuple[float, int, Job]] = field(default_factory=list)


class Schedule:
    """Jobs of all models, at most `window` of them taken from `calls` ahead of need.

    So a model whose limits are exhausted holds up the others only when the window holds nothing but its calls, and
    pairs of models stay close in time.
    """

    def __init__(self, calls: Iterator[Call], new_pace: Callable[[str], Pace], window: int) -> None:
        self._calls = calls
        self._new_pace = new_pace
        self._window = window
        self._waiting = 0
        self._numbers = itertools.count()
        self._lanes: dict[str, _Lane] = {}
        self._leading: dict[str, list[tuple[int, Job]]] = {}

    def pace(self, model: str) -> Pace:
        """How fast a model may be asked."""
        return self._lane(model).pace

    def put_back(self, job: Job, ready_at: float) -> None:
        """Have a job again, not before `ready_at`."""
        job.since = ready_at
        heapq.heappush(self._lane(job.call.request.model).later, (ready_at, next(self._numbers), job))

    def asked(self, subject: str) -> None:
        """An attempt for this subject has ended, in whatever way: what waited for it may go, before all later ones."""
        for number, job in reversed(self._leading.pop(subject, [])):
            self._lane(job.call.request.model).waiting.appendleft((number, job))
            self._waiting += 1

    @property
    def put_off(self) -> int:
        """How many jobs wait for another attempt."""
        return sum(len(lane.later) for lane in self._lanes.values())

    def next(self, now: float) -> Job | float | None:
        """A job that may go now; else the seconds until one may, infinite until one in flight has ended.

        None if no job is left here.
        """
        self._fill(now)
        soonest, best = inf, None
        for lane in self._lanes.values():
            found = self._ready(lane, now)
            if isinstance(found, tuple):
                best = min(best, (found[0], lane), key=lambda pair: pair[0]) if best else (found[0], lane)
            elif found is not None:
                soonest = min(soonest, found)
        if best is not None:
            return self._taken(best[1], now)
        return soonest if self._waiting or self.put_off or any(self._leading.values()) else None

    def _lane(self, model: str) -> _Lane:
        if model not in self._lanes:
            self._lanes[model] = _Lane(self._new_pace(model))
        return self._lanes[model]

    def _fill(self, now: float) -> None:
        while self._waiting < self._window and (call := next(self._calls, None)) is not None:
            place = next(self._numbers), Job(call, now)
            if call.after in self._leading:
                self._leading[call.after].append(place)
            else:
                self._leading[call.subject] = []
                self._lane(call.request.model).waiting.append(place)
                self._waiting += 1

    def _ready(self, lane: _Lane, now: float) -> tuple[int] | float | None:
        """The place in the order of the lane's next job if it may go now, else the wait for it in seconds."""
        due = bool(lane.later) and lane.later[0][0] <= now
        if not due and lane.pace.is_doubted and lane.pace.in_flight and not lane.later:
            return inf
        if not due and (not lane.waiting or (lane.pace.is_doubted and lane.later)):
            return lane.later[0][0] - now if lane.later else None
        job = lane.later[0][2] if due else lane.waiting[0][1]
        wait_s = lane.pace.wait_s(job.call.need, now)
        if wait_s == 0.0:
            return (-1 if due else lane.waiting[0][0],)
        return inf if wait_s is None else wait_s

    def _taken(self, lane: _Lane, now: float) -> Job:
        if lane.later and lane.later[0][0] <= now:
            return heapq.heappop(lane.later)[2]
        self._waiting -= 1
        return lane.waiting.popleft()[1]
