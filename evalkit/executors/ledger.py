"""Writes of a running execution, off the event loop: one thread, one transaction for all that waits."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any, Protocol

from evalkit.errors import NoRoomError
from evalkit.executors.kept_back import KeptBack
from evalkit.records import AttemptStart, Reply

_AT_ONCE = 256


class Books(Protocol):
    """What can be written into; a RunFile is one. Its writing methods may be nested in `together`."""

    def together(self) -> AbstractContextManager[Any]:
        """A context in which all writes are one transaction."""
        ...

    def start_attempt(self, start: AttemptStart) -> int:
        """Record that a request is about to be sent; returns the attempt's id."""
        ...

    def finish_attempt(
        self, attempt_id: int, subject: str, reply: Reply, final: bool, felt_s: float | None, cost_usd: float | None
    ) -> None:
        """Record how it ended."""
        ...


@dataclass
class _Job:
    work: Callable[[], Any]
    future: "asyncio.Future[Any] | None" = None
    owed: bool = False
    result: Any = None
    error: Exception | None = None


class Ledger:
    """Hands writes to a thread; each is durable when its future is done.

    Requests are recorded in the order in which they were handed over. A write that fails fails alone. Once the disk is
    full, the space that was `kept` back is for what is owed: the ends of attempts that are paid for.
    """

    def __init__(self, books: Books, kept: KeptBack | None = None) -> None:
        self.books = books
        self._kept = kept or KeptBack()
        self._full: NoRoomError | None = None
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._write, name="ledger", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], Any], *, owed: bool = False) -> "asyncio.Future[Any]":
        """Have `work` done by the thread; the future holds its result or its error. `owed`: on a full disk as well."""
        future = self._loop.create_future()
        self._jobs.put(_Job(work, future, owed))
        return future

    def write(self, work: Callable[[], Any]) -> None:
        """Have `work` done without waiting for it; an error is raised when the ledger is closed."""
        self._jobs.put(_Job(work))

    async def start_attempt(self, start: AttemptStart) -> int:
        """Record that a request is about to be sent, before it is; returns the attempt's id."""
        attempt_id: int = await self.submit(lambda: self.books.start_attempt(start))
        return attempt_id

    async def finish_attempt(
        self, attempt_id: int, subject: str, reply: Reply, final: bool, felt_s: float | None, cost_usd: float | None
    ) -> None:
        """Record how an attempt ended; `subject` names what it settles."""
        end = partial(self.books.finish_attempt, attempt_id, subject, reply, final, felt_s, cost_usd)
        await self.submit(end, owed=True)

    async def close(self) -> None:
        """Wait for what was handed over, and end the thread; raises what a write raised that nobody waited for."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.sleep(0)  # let the last results be delivered
        if self._failure is not None:
            raise self._failure

    def _write(self) -> None:
        for jobs in self._waiting():
            if self._full is not None or not self._together(jobs):
                for job in jobs:
                    self._alone(job)
            self._loop.call_soon_threadsafe(self._deliver, jobs)

    def _together(self, jobs: list[_Job]) -> bool:
        try:
            with self.books.together():
                for job in jobs:
                    job.result = job.work()
        except Exception:  # one of them is to blame: each for itself, with its own error
            return False
        return True

    def _alone(self, job: _Job) -> None:
        if self._full is not None and not job.owed:
            job.error = self._full
            return
        try:
            with self.books.together():
                job.result = job.work()
        except NoRoomError as error:
            self._full = self._full or error
            if job.owed and self._kept.give_up():
                self._alone(job)
            else:
                job.error = error
        except Exception as error:  # handed to whoever waits for it
            job.error = error

    def _waiting(self) -> Iterator[list[_Job]]:
        """All that waits, as often as something does, until the end is handed over."""
        while (job := self._jobs.get()) is not None:
            jobs, last = [job], False
            while len(jobs) < _AT_ONCE and not self._jobs.empty():
                more = self._jobs.get()
                if more is None:
                    last = True
                    break
                jobs.append(more)
            yield jobs
            if last:
                return

    def _deliver(self, jobs: list[_Job]) -> None:
        for job in jobs:
            if job.future is None:
                self._failure = self._failure or job.error
            elif job.future.done():
                continue  # whoever waited was cancelled; the write itself stands
            elif job.error is not None:
                job.future.set_exception(job.error)
            else:
                job.future.set_result(job.result)
