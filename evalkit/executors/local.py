"""Run calls from this process: a fixed pool of workers, and an attempt loop that records every attempt."""

import asyncio
import random
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import perf_counter
from typing import Protocol

from evalkit.errors import BudgetError, InfrastructureError, InterruptedRunError
from evalkit.executors.budget import Budget
from evalkit.pricing import price
from evalkit.providers import Provider
from evalkit.records import Reply, Request

SAME_REFUSALS = 3
"""So many requests that a model refuses before it has answered any are taken for a mistake in the settings."""

RAMP_S = 0.004
"""Pause between the starts of workers: all at once would make the last one's request wait for the others."""


@dataclass(frozen=True)
class Call:
    """One thing to get answered. `subject` is what its final attempt settles; `earlier` attempts count on.

    `doubted`: it was refused before its model had answered anything, and is tried once more.
    """

    subject: str
    trial_id: int
    request: Request
    worst_case_usd: float | None
    earlier: int = 0
    grader: str | None = None
    round_id: int | None = None
    doubted: bool = False


@dataclass(frozen=True)
class Limits:
    """How hard to try. Waits in seconds; `concurrency` is the number of requests in flight."""

    concurrency: int = 8
    attempts: int = 6
    backoff_s: float = 0.5
    backoff_cap_s: float = 30.0
    retry_after_cap_s: float = 120.0


@dataclass(frozen=True)
class Progress:
    """One attempt has ended; `final` if it settled its call."""

    call: Call
    reply: Reply
    final: bool
    cost_usd: float | None
    felt_s: float


@dataclass
class Ending:
    """Why the calls came to an end: all done, or stopped, and how many calls were given up unsettled."""

    fatal: Reply | None = None
    out_of_budget: bool = False
    interrupted: bool = False
    unsettled: int = 0
    last_failure: Reply | None = None

    @property
    def stopped(self) -> bool:
        """Whether no further call may start."""
        return self.fatal is not None or self.out_of_budget or self.interrupted


class Ledger(Protocol):
    """Where attempts are recorded: before they are sent, and when they have ended."""

    def start_attempt(
        self, trial_id: int, number: int, sent_at: str, queued_s: float, grader: str | None, round_id: int | None
    ) -> int:
        """Record that a request is about to be sent; returns the attempt's id."""
        ...

    def finish_attempt(
        self, attempt_id: int, subject: str, reply: Reply, final: bool, felt_s: float, cost_usd: float | None
    ) -> None:
        """Record how it ended."""
        ...


def cost_of(request: Request, reply: Reply, when: datetime) -> float | None:
    """USD of one attempt: a request that was refused with an error status is not billed; else by its tokens."""
    if reply.outcome == "errored" and reply.usage.input_tokens is None:
        return 0.0 if reply.status is not None and reply.status >= 400 else None
    return price(request.model, reply.usage, when).usd


@dataclass
class _Pool:
    """The state that the workers of one execution share."""

    provider: Provider
    ledger: Ledger
    limits: Limits
    budget: Budget
    tell: Callable[[Progress], None]
    ending: Ending = field(default_factory=Ending)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    heard: set[str] = field(default_factory=set)
    doubtful: dict[str, list[Call]] = field(default_factory=dict)

    async def work(self, calls: Iterator[Call], delay_s: float) -> None:
        """Take calls from the shared iterator until there are none, or something stops the run."""
        await asyncio.sleep(delay_s)
        for call in calls:
            if self.ending.stopped:
                return
            await self._settle(call)
        while not self.ending.stopped and (doubted := self._next_doubted()) is not None:
            await self._settle(doubted)

    def _next_doubted(self) -> Call | None:
        waiting = next((calls for calls in self.doubtful.values() if calls), None)
        return None if waiting is None else replace(waiting.pop(0), doubted=True)

    def _doubt(self, call: Call, reply: Reply) -> bool:
        """Whether a refusal may be of every request to its model (a wrong setting), not of this one alone.

        So it is while the model has answered nothing yet. Such a call is not settled; SAME_REFUSALS of them stop
        the run before a mistake in the settings has spoilt all of it.
        """
        if reply.outcome != "errored":
            self.heard.add(call.request.model)
        refused = reply.outcome == "errored" and 400 <= (reply.status or 0) < 500 and not reply.retryable
        if not refused or reply.stops_run or call.doubted or call.request.model in self.heard:
            return False
        waiting = self.doubtful.setdefault(call.request.model, [])
        waiting.append(replace(call, earlier=call.earlier + 1))
        if len(waiting) >= SAME_REFUSALS:
            self.ending.fatal = reply
            self.stop.set()
        return True

    async def _settle(self, call: Call) -> None:
        taken, first_sent = perf_counter(), None
        for number in range(1, self.limits.attempts + 1):
            worst = call.worst_case_usd or 0.0
            if not await self.budget.reserve(worst):
                self.ending.out_of_budget = True
                self.stop.set()
                return
            if self.ending.stopped:
                await self.budget.settle(worst, 0.0)
                return
            now = perf_counter()
            queued_s = now - taken
            first_sent = now if first_sent is None else first_sent + queued_s  # our queue is not felt as the model's
            reply = await self._attempt(replace(call, earlier=call.earlier + number - 1), first_sent, queued_s)
            if not reply.retryable:
                return
            self.ending.last_failure = reply
            if number == self.limits.attempts or not await self._pause(number, reply):
                break
            taken = perf_counter()
        self.ending.unsettled += 1

    async def _attempt(self, call: Call, first_sent: float, queued_s: float) -> Reply:
        when = datetime.now(UTC)
        attempt_id = self.ledger.start_attempt(
            call.trial_id, call.earlier + 1, when.isoformat(), queued_s, call.grader, call.round_id
        )
        reply = await self.provider.attempt(call.request)
        felt_s = perf_counter() - first_sent
        cost_usd = cost_of(call.request, reply, when)
        final = not (reply.retryable or reply.stops_run or self._doubt(call, reply))
        self.ledger.finish_attempt(attempt_id, call.subject, reply, final, felt_s, cost_usd)
        await self.budget.settle(call.worst_case_usd or 0.0, cost_usd)
        if reply.stops_run:
            self.ending.fatal = reply
            self.stop.set()
        self.tell(Progress(call, reply, final, cost_usd, felt_s))
        return reply

    async def _pause(self, number: int, reply: Reply) -> bool:
        """Wait before the next attempt: the server's own wish up to a cap, else full jitter. False if stopped."""
        ceiling = min(self.limits.backoff_cap_s, self.limits.backoff_s * 2**number)
        wait = random.uniform(0, ceiling)  # noqa: S311  jitter, not secrets
        if reply.retry_after_s is not None:
            wait = min(reply.retry_after_s, self.limits.retry_after_cap_s) + wait / 4
        try:
            await asyncio.wait_for(self.stop.wait(), wait)
        except TimeoutError:
            return True
        return False

    def interrupt(self) -> None:
        """Start nothing more; what is in flight may end."""
        self.ending.interrupted = True
        self.stop.set()


@contextmanager
def _interruptible(pool: _Pool, workers: list["asyncio.Task[None]"]) -> Iterator[None]:
    """Ctrl-C once lets requests in flight end; twice gives them up."""
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if pool.ending.interrupted:
            for worker in workers:
                worker.cancel()
        pool.interrupt()

    try:
        loop.add_signal_handler(signal.SIGINT, on_signal)
    except (NotImplementedError, RuntimeError, ValueError):  # not on this platform, or not in the main thread
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


async def execute(
    calls: Iterable[Call],
    provider: Provider,
    ledger: Ledger,
    limits: Limits,
    budget: Budget,
    tell: Callable[[Progress], None],
) -> Ending:
    """Settle every call, or stop: on a fatal refusal, an exhausted budget, or Ctrl-C.

    Every attempt is recorded before it is sent and when it has ended. A call whose attempts all failed in a
    way that may pass is left unsettled, for the next run of the same command. Bugs and disk errors propagate.
    """
    pool = _Pool(provider, ledger, limits, budget, tell)
    iterator = iter(calls)
    workers = [asyncio.create_task(pool.work(iterator, RAMP_S * number)) for number in range(limits.concurrency)]
    with _interruptible(pool, workers):
        done, _ = await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
        failures = [task.exception() for task in done if not task.cancelled() and task.exception()]
        for worker in workers:
            if not worker.done():
                worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    if failures and failures[0] is not None:
        raise failures[0]
    return pool.ending


def raise_if_stopped(ending: Ending, budget: Budget, command: str) -> None:
    """Turn an early ending into the error that says what to do next."""
    if ending.interrupted:
        raise InterruptedRunError(f"interrupted; the same `evalkit {command}` command goes on from here")
    if ending.fatal is not None:
        reply = ending.fatal
        raise InfrastructureError(
            f"the API stopped the run: {reply.error_type} ({reply.error_message});"
            f" put it right, then the same `evalkit {command}` command goes on from here"
        )
    if ending.out_of_budget:
        raise BudgetError(
            f"the budget of ${budget.limit_usd:.2f} leaves no room for the next request"
            f" (${budget.spent_usd:.4f} spent on this run file by run and grade);"
            " raise --budget-usd and run the same command to go on"
        )
    if ending.unsettled:
        last = ending.last_failure
        why = f"{last.error_type}: {last.error_message}" if last else "no answer"
        raise InfrastructureError(
            f"{ending.unsettled} requests failed on every attempt (last: {why});"
            f" the same `evalkit {command}` command tries them again"
        )
