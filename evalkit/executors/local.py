"""Run calls from this process: an attempt loop that records every attempt, as fast as each model allows."""

import asyncio
import random
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import field, replace
from datetime import UTC, datetime
from math import inf
from time import perf_counter

from evalkit.charged import NOTHING, Charged
from evalkit.cut_streams import is_cut
from evalkit.error_kinds import LOST, NEVER_SENT, UNREADABLE
from evalkit.errors import NoRoomError
from evalkit.executors.budget import Budget
from evalkit.executors.ending import Ending
from evalkit.executors.ledger import Ledger
from evalkit.executors.pace import Need, Pace
from evalkit.executors.schedule import Call, Job, Schedule
from evalkit.frozen import dataclass
from evalkit.pricing import LIST_PRICES, Prices, as_asked
from evalkit.providers import Sends
from evalkit.records import AttemptStart, Reply, Request
from evalkit.standstill import is_unclocked

SAME_REFUSALS = 3
"""So many requests that a model refuses before it has answered any are taken for a mistake in the settings."""

LOST_AT_MOST = 2
"""A call whose attempts have taken so many workers with them, or were so unlucky, is left for another time."""

ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""What ends a process from outside; Windows has no second one."""

RAMP_S = 0.004
"""Pause between the first sends: all at once would make the last one's request wait for the others."""


@dataclass(frozen=True)
class Limits:
    """How hard to try. Waits in seconds; `concurrency` is the most requests in flight.

    `trial_s`: no attempt is made of a call that its user would have waited for longer than this. `pinned`: requests
    and tokens a minute and model, by what they limit (as in `Reply.allowances`), in place of what the server tells.
    `lately`: what was sent to a model within the last minute, and when (monotonic, s), which counts against `pinned`.
    """

    concurrency: int = 8
    attempts: int = 6
    backoff_s: float = 0.5
    backoff_cap_s: float = 30.0
    retry_after_cap_s: float = 120.0
    trial_s: float = 1800.0
    pinned: Mapping[str, int] = field(default_factory=dict)
    lately: Mapping[str, Sequence[tuple[float, Need]]] = field(default_factory=dict)

    def pace(self, model: str) -> Pace:
        """How fast a model may be asked from the start."""
        return Pace(self.concurrency, self.pinned, self.lately.get(model, ()))


@dataclass(frozen=True)
class Progress:
    """One attempt has ended; `final` if it settled its call. `limit`: how many may be in flight to its model.

    `felt_s` None: nobody can say (a batch, or our own standstill). `waiting`: after a stop, the requests still in
    flight. `left`: neither settled nor to be tried again by this command; None if that hangs on what else its model
    answers. `charged`: what the run file has cost by then.
    """

    call: Call
    reply: Reply
    final: bool
    cost_usd: float | None
    felt_s: float | None
    limit: int = 0
    waiting: int | None = None
    left: bool | None = False
    charged: Charged = NOTHING


def completed(reply: Reply, request: Request) -> Reply:
    """A reply as it is recorded: where its usage is silent, with what was asked for."""
    usage = as_asked(reply.usage, request)
    return reply if usage is reply.usage else replace(reply, usage=usage)


def cost_of(request: Request, reply: Reply, when: datetime, prices: Prices = LIST_PRICES) -> float | None:
    """USD of one attempt: a request that was refused with an error status, or never sent, is not billed; else by its
    tokens."""
    if reply.outcome == "errored" and reply.usage.input_tokens is None:
        unbilled = reply.error_type in NEVER_SENT or (reply.status is not None and reply.status >= 400)
        return 0.0 if unbilled else None
    return prices.price(request.model, reply.usage, when).usd


class _Execution:
    """The state of one execution: a dispatcher that starts attempts, and the attempts under way."""

    def __init__(
        self,
        calls: Iterable[Call],
        provider: Sends,
        ledger: Ledger,
        limits: Limits,
        budget: Budget,
        tell: Callable[[Progress], None],
        session_id: int | None,
        prices: Prices,
        say: Callable[[str], None],
    ) -> None:
        self.prices, self.say = prices, say
        self.provider, self.ledger, self.limits, self.budget, self.tell = provider, ledger, limits, budget, tell
        self.session_id = session_id
        self.schedule = Schedule(iter(calls), limits.pace, window=2 * limits.concurrency)
        self.ending = Ending()
        self.tasks: set[asyncio.Task[None]] = set()
        self.changed = asyncio.Event()
        self.started = self.under_way = 0
        self.held: Job | None = None
        self.heard: set[str] = set()
        self.given_up: dict[str, int] = {}
        self.unreadable: dict[str, int] = {}
        self.doubtful: dict[str, list[Job]] = {}
        self.failure: BaseException | None = None
        self.unrecorded: list[float | None] = []

    async def run(self) -> None:
        """Start attempts until none is left to start, and wait for the last: what is in flight is paid for. A
        failure is raised then."""
        try:
            while not self._stopped:
                found = self._next()
                if found is None:
                    break
                if not isinstance(found, Job):
                    await self._until_changed(found)
                elif self._reserve(found):
                    await self._start(found)
                elif self.tasks:
                    self.held = found  # what is under way may turn out cheaper than its worst case
                    await self._until_changed(inf)
                else:
                    self.ending.out_of_budget = True
            while self.tasks:
                await self._until_changed(inf)
            self._raise_failure()
            self.ending.unsettled += self.schedule.put_off
        finally:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)

    def _reserve(self, job: Job) -> bool:
        job.claim = self.budget.reserve(job.call.worst_usd)
        return job.claim is not None

    def _next(self) -> Job | float | None:
        """What may go now, else the seconds until it may (infinite: until an attempt ends); None when all is done."""
        if self.held is not None:
            held, self.held = self.held, None
            return held
        if len(self.tasks) >= self.limits.concurrency:
            return inf
        found = self.schedule.next(perf_counter())
        if found is None:
            return inf if self.tasks else self._next_doubted()
        return found

    async def _until_changed(self, seconds: float) -> None:
        """Wait for the end of an attempt, a stop, or so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(None if seconds == inf else seconds):
                await self.changed.wait()
        self.changed.clear()

    @property
    def _stopped(self) -> bool:
        return self.ending.stopped or self.failure is not None

    def _raise_failure(self) -> None:
        if self.failure is None:
            return
        if isinstance(self.failure, NoRoomError) and self.unrecorded:
            known, unpriced = [usd for usd in self.unrecorded if usd is not None], self.unrecorded.count(None)
            more = f" and {unpriced} of unknown cost" if unpriced else ""
            raise NoRoomError(
                f"{self.failure}; {len(self.unrecorded)} answers that had come could not be recorded"
                f" (${sum(known):.4f}{more}) and will be asked for again"
            ) from self.failure
        raise self.failure

    async def _start(self, job: Job) -> None:
        if 0 < self.started < self.limits.concurrency:
            await asyncio.sleep(RAMP_S)
        if self._stopped:
            self._settle(job, 0.0)
            return
        self.started += 1
        self.under_way += 1
        self.schedule.pace(job.call.request.model).sent(job.call.need, perf_counter())
        task = asyncio.create_task(self._attempt(job))
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            if self.failure is None and self.tasks:
                why = "the disk is full" if isinstance(task.exception(), NoRoomError) else "stopping"
                self.say(f"{why}: nothing more is sent, waiting for {len(self.tasks)} in flight")
            self.failure = self.failure or task.exception()
        self.changed.set()

    async def _attempt(self, job: Job) -> None:
        """One request: recorded, sent, recorded again, learned from."""
        call, when, taken = job.call, datetime.now(UTC), perf_counter()
        start = AttemptStart(
            call.trial_id, call.earlier + job.attempts + 1, when.isoformat(), max(0.0, taken - job.since),
            call.grader, call.round_id, self.session_id, len(self.tasks), call.most_tokens, call.cached,
        )  # fmt: skip
        attempt_id = await self.ledger.start_attempt(start)
        sent = perf_counter()
        reply = completed(await self.provider.attempt(call.request), call.request)
        now = perf_counter()
        pause_s = self._pause_s(job, reply)
        pace = self.schedule.pace(call.request.model)
        pace.ended(reply, sent, now, pause_s)
        self.schedule.asked(call.subject)
        job.attempts += 1
        job.felt_s += now - sent if reply.latency_s is None else reply.latency_s
        job.untimed |= is_unclocked(reply)
        felt_s = None if job.untimed or call.earlier_felt_s is None else call.earlier_felt_s + job.felt_s
        cost_usd = cost_of(call.request, reply, when, self.prices)
        doubtful = self._doubt(job, reply)
        final = not (doubtful or reply.retryable or reply.stops_run)
        again = reply.retryable and not (doubtful or reply.stops_run)
        given_up = again and self._is_enough(job, reply, pause_s)
        # A user waits through the pause before another attempt, also if that is made by the next command. Whom we give
        # up on is told so, and waits no more.
        waited_s = felt_s + pause_s if felt_s is not None and again and not given_up else felt_s
        try:
            await self.ledger.finish_attempt(attempt_id, call.subject, reply, final, waited_s, cost_usd)
        except NoRoomError:
            self.unrecorded.append(cost_usd)
            raise
        self._settle(job, cost_usd, is_cut(reply))
        if call.unsure is not None and call.unsure.hear(reply.usage):
            self.budget.reckon()
        self.ending.untimed += final and job.untimed and reply.outcome != "errored"
        if reply.stops_run:
            self.stop(fatal=reply, model=call.request.model)
        elif again:
            self._retry(job, reply, now, None if given_up else pause_s)
        self.under_way -= 1
        waiting = self.under_way if self.ending.stopped else None
        left = not final and (given_up or self.ending.stopped or (None if doubtful else False))
        self.tell(Progress(call, reply, final, cost_usd, felt_s, int(pace.limit), waiting, left, self.budget.charged))

    def _settle(self, job: Job, cost_usd: float | None, cut: bool = False) -> None:
        if job.claim is not None:
            self.budget.settle(job.claim, cost_usd, cut)
            job.claim = None

    def _is_enough(self, job: Job, reply: Reply, pause_s: float) -> bool:
        """Whether a call is left for another time, after an attempt that might be made again."""
        job.lost += reply.error_type == LOST
        enough = job.attempts >= self.limits.attempts or job.lost >= LOST_AT_MOST
        return enough or job.felt_s + pause_s > self.limits.trial_s

    def _retry(self, job: Job, reply: Reply, now: float, pause_s: float | None) -> None:
        """Have another attempt after a pause, or none if there have been enough."""
        self.ending.last_failure = reply
        if pause_s is None:
            self.ending.unsettled += 1
            self._give_up(job)
            return
        job.felt_s += pause_s  # a user would wait through it; what comes on top is our own queue
        self.schedule.put_back(job, now + pause_s)

    def _give_up(self, job: Job) -> None:
        """A model that has never answered or answers no more, whatever was asked of it how often, is not asked
        everything else too."""
        model = job.call.request.model
        self.given_up[model] = self.given_up.get(model, 0) + 1
        silent = model not in self.heard or self.schedule.pace(model).is_doubted
        if silent and self.given_up[model] >= SAME_REFUSALS:
            self.ending.unheard = True
            self.changed.set()

    def _pause_s(self, job: Job, reply: Reply) -> float:
        """The wait before another attempt: the server's own wish up to a cap, else full jitter."""
        ceiling = min(self.limits.backoff_cap_s, self.limits.backoff_s * 2 ** (job.attempts + 1))
        wait_s = random.uniform(0, ceiling)  # noqa: S311  jitter, not secrets
        if reply.retry_after_s is None:
            return wait_s
        return min(reply.retry_after_s, self.limits.retry_after_cap_s) + wait_s / 4

    def _next_doubted(self) -> Job | None:
        waiting = next((jobs for jobs in self.doubtful.values() if jobs), None)
        if waiting is None:
            return None
        job = waiting.pop(0)
        job.doubted, job.since = True, perf_counter()
        return job

    def _doubt(self, job: Job, reply: Reply) -> bool:
        """Whether a failure for good may be of every request to its model (a wrong setting, a server of another kind).

        So it is while the model has answered nothing yet. Such a call is not settled; SAME_REFUSALS of them stop
        the run before a mistake in the settings has spoilt all of it. A server that breaks the protocol later on is
        left as well: after as many such answers in a row as one call has attempts, for each may be billed.
        """
        model, is_unreadable = job.call.request.model, reply.error_type == UNREADABLE
        if reply.outcome != "errored":
            self.heard.add(model)
            self.unreadable[model] = self.given_up[model] = 0
        self.unreadable[model] = self.unreadable.get(model, 0) + is_unreadable
        if self.unreadable[model] >= self.limits.attempts:
            self.stop(fatal=reply)
        failed = reply.outcome == "errored" and (is_unreadable or not reply.retryable)
        if not failed or reply.stops_run or job.doubted or model in self.heard:
            return False
        waiting = self.doubtful.setdefault(model, [])
        waiting.append(job)
        if len(waiting) >= SAME_REFUSALS:
            self.stop(fatal=reply, model=model)
        return True

    def stop(self, fatal: Reply | None = None, model: str | None = None) -> None:
        """Start nothing more; what is in flight may end. Without a fatal reply (of a model) it is the user who asks."""
        if self.ending.fatal is None:
            self.ending.fatal, self.ending.fatal_model = fatal, model
        self.ending.interrupted = self.ending.interrupted or fatal is None
        self.changed.set()

    def interrupt(self) -> None:
        """Ctrl-C: once lets requests in flight end, twice gives them up."""
        if self.ending.interrupted:
            for task in self.tasks:
                task.cancel()
        elif self.tasks:
            self.say(f"stopping: waiting for {len(self.tasks)} in flight; Ctrl-C again gives them up")
        self.stop()


@contextmanager
def interruptible(interrupt: Callable[[], None]) -> Iterator[None]:
    """Have Ctrl-C call `interrupt` instead of breaking off, and what ends a process from outside or closes its
    terminal, unless that is ignored (`nohup`)."""
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in ENDING if signal.getsignal(number) != signal.SIG_IGN}
    try:
        for number in (signal.SIGINT, *before):
            loop.add_signal_handler(number, interrupt)
    except (NotImplementedError, RuntimeError, ValueError):  # Windows' loop knows no signals, other threads may not
        # Ctrl-C then breaks the run off, of which nothing is lost: every attempt is on disk, the same command goes on.
        yield
        return
    try:
        yield
    finally:
        for number in (signal.SIGINT, *before):
            loop.remove_signal_handler(number)
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


async def execute(
    calls: Iterable[Call],
    provider: Sends,
    ledger: Ledger,
    limits: Limits,
    budget: Budget,
    tell: Callable[[Progress], None],
    session_id: int | None = None,
    prices: Prices = LIST_PRICES,
    say: Callable[[str], None] = lambda _: None,
) -> Ending:
    """Settle every call, or stop: on a fatal refusal, an exhausted budget, or Ctrl-C.

    Every attempt is recorded before it is sent and when it has ended. A call whose attempts all failed in a
    way that may pass is left unsettled, for the next run of the same command. Bugs and disk errors propagate.
    `say` takes a line for the user when Ctrl-C has to wait.
    """
    execution = _Execution(calls, provider, ledger, limits, budget, tell, session_id, prices, say)
    with interruptible(execution.interrupt):
        await execution.run()
    return execution.ending
