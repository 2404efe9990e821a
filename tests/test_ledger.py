"""Writes go through one thread: durable before they are told done, together where they wait, each failing alone."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from test_store import make

from evalkit.executors.lag import Believed, Lag, watched
from evalkit.executors.ledger import Ledger
from evalkit.executors.session import session
from evalkit.records import AttemptStart, Reply, Request, Usage
from evalkit.session_records import TRUSTED_LAG_S
from evalkit.standstill import STALL_S
from evalkit.store import RunFile


@dataclass
class Book:
    """Keeps what is committed, and forgets a transaction that fails."""

    kept: list[Any] = field(default_factory=list)
    transactions: int = 0

    @contextmanager
    def together(self) -> Iterator[None]:
        before = list(self.kept)
        try:
            yield
        except BaseException:
            self.kept = before
            raise
        self.transactions += 1

    def start_attempt(self, start: AttemptStart) -> int:
        self.kept.append(start)
        return len(self.kept)

    def finish_attempt(self, *_: Any) -> None:
        raise sqlite3.OperationalError("disk is full")

    def keep(self, what: Any) -> Any:
        if isinstance(what, Exception):
            self.kept.append("half")
            raise what
        self.kept.append(what)
        return what


async def test_what_waits_together_is_one_transaction_in_the_order_of_its_hand_over() -> None:
    book = Book()
    ledger = Ledger(book)
    results = await asyncio.gather(*(ledger.submit(lambda n=n: book.keep(n)) for n in range(500)))
    await ledger.close()
    assert results == book.kept == list(range(500))
    assert book.transactions < 500


async def test_a_write_that_fails_fails_alone_and_leaves_nothing() -> None:
    book = Book()
    ledger = Ledger(book)
    works = [0, ValueError("bad"), 2, KeyError("worse"), 4]
    results = await asyncio.gather(*(ledger.submit(lambda w=w: book.keep(w)) for w in works), return_exceptions=True)
    await ledger.close()
    assert book.kept == [0, 2, 4]
    assert [type(result) for result in results] == [int, ValueError, int, KeyError, int]


async def test_an_error_nobody_waited_for_is_raised_in_the_end() -> None:
    book = Book()
    ledger = Ledger(book)
    ledger.write(lambda: book.keep(ValueError("lost")))
    ledger.write(lambda: book.keep(1))
    with pytest.raises(ValueError, match="lost"):
        await ledger.close()
    assert book.kept == [1]


async def test_a_waiter_that_was_cancelled_does_not_undo_the_write() -> None:
    book = Book()
    ledger = Ledger(book)
    future = ledger.submit(lambda: book.keep(1))
    future.cancel()
    await ledger.close()
    assert book.kept == [1]


@pytest.fixture
def run_file(tmp_path: Path) -> Iterator[RunFile]:
    with make(tmp_path / "tiny.db") as made:
        yield made


async def test_a_session_is_in_the_run_file_with_its_attempts_and_the_lag_of_its_loop(run_file: RunFile) -> None:
    async with session(run_file, "local", 8) as opened:
        started = await opened.ledger.start_attempt(AttemptStart(1, 1, "now", 0.0, session_id=opened.id, in_flight=1))
        await opened.ledger.finish_attempt(started, "trial/1", Reply("answered", 1.0, "Hi"), True, 1.0, None)
        await asyncio.sleep(0.1)
    snapshot = run_file.snapshot()
    (told,), (attempt,) = snapshot.sessions, snapshot.attempts
    assert (told.executor, told.concurrency, attempt.session_id, attempt.in_flight) == ("local", 8, told.id, 1)
    assert told.ended_at is not None
    assert told.lag_p99_s is not None
    assert told.lag_max_s is not None
    assert 0 <= told.lag_p99_s <= told.lag_max_s


async def test_a_loop_that_is_held_up_says_so() -> None:
    with watched() as lag:
        for _ in range(10):
            time.sleep(0.06)
            await asyncio.sleep(0.021)
    assert lag.p99_s is not None
    assert lag.p99_s > TRUSTED_LAG_S


TIMED = Reply("answered", 0.3, "Hi", 0.1, usage=Usage(10, 2), status=200, headers_s=0.05, reused=True)


@dataclass
class Stalls:
    """Answers after our own process has stood still for so long, and the server has taken its time."""

    stands_s: float
    takes_s: float

    async def attempt(self, request: Request) -> Reply:
        await asyncio.sleep(0)
        time.sleep(self.stands_s)
        await asyncio.sleep(self.takes_s)
        return replace(TIMED, text=request.model)


@pytest.mark.parametrize("takes_s", [0.0, 0.05])
async def test_no_latency_is_claimed_of_what_was_under_way_while_our_own_process_stood_still(
    takes_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its answer is read before the watcher has had its turn; text, tokens and status stay."""
    monkeypatch.setattr("evalkit.executors.lag.STALL_S", STALL_S)
    request = Request("m", ({"role": "user", "content": "Hello"},), 10)
    with watched() as lag:
        await asyncio.sleep(0.05)
        during = await Believed(Stalls(STALL_S + 0.05, takes_s), lag).attempt(request)
        await asyncio.sleep(0.05)
        after = await Believed(Stalls(0.0, takes_s), lag).attempt(request)
    assert (after.latency_s, after.ttft_s, after.headers_s) == (0.3, 0.1, 0.05)
    assert during == replace(after, latency_s=None, ttft_s=None, headers_s=None)
    assert lag.max_s is not None
    assert lag.max_s > STALL_S


@pytest.mark.long
async def test_the_longest_standstill_is_remembered_however_long_a_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evalkit.executors.lag.STALL_S", STALL_S)
    monkeypatch.setattr("evalkit.executors.lag._KEPT", 2)
    monkeypatch.setattr("evalkit.executors.lag._now_s", iter([0.0, 3.02, *(n / 50 for n in range(200, 400))]).__next__)
    lag = Lag()
    with suppress(RuntimeError):  # the clock has come to its end
        await lag.watch()
    assert len(lag.delays_s) < 6
    assert (lag.max_s, lag.stood_until_s) == (pytest.approx(3.0), 3.02)
