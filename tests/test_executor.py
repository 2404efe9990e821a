"""The executor records every attempt, tries again within its limits, and never passes its budget."""
# ruff: noqa: S311  chance is no secret here

import asyncio
import math
import os
import random
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.charged import Charged, Claim
from evalkit.error_kinds import LOST
from evalkit.errors import BudgetError, ExitCode, InfrastructureError, InterruptedRunError, UsageError
from evalkit.executors import local
from evalkit.executors.batch_entry import without_prompt
from evalkit.executors.budget import Budget
from evalkit.executors.ending import Ending, raise_if_stopped
from evalkit.executors.ledger import Ledger
from evalkit.executors.local import Limits, Progress, completed, cost_of, execute
from evalkit.executors.schedule import Call
from evalkit.providers import Preflight
from evalkit.records import AttemptStart, Reply, Request, Usage
from evalkit.uncounted import ShownSizes, Unsure

HAIKU = "claude-haiku-4-5-20251001"
REQUEST = Request(HAIKU, ({"role": "user", "content": "Hello"},), 100)
GOOD = Reply("answered", 0.0, "Hi", usage=Usage(input_tokens=10, output_tokens=2), status=200)
BUSY = Reply("errored", 0.0, status=529, error_type="overloaded_error", error_message="Busy", retryable=True)
AT_ONCE = Limits(concurrency=4, attempts=4, backoff_s=0.0, backoff_cap_s=0.0, retry_after_cap_s=0.0)

Behaviour = Callable[[Request, int], Awaitable[Reply]]
"""From a request and its number among all (from 0) to its reply."""


def fatal(status: int, kind: str) -> Reply:
    return Reply("errored", 0.0, status=status, error_type=kind, error_message="No", stops_run=True)


@dataclass
class FakeProvider:
    """Answers as it is told, and knows how many requests it has had at once."""

    behave: Behaviour
    sent: list[Request] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    async def attempt(self, request: Request) -> Reply:
        number = len(self.sent)
        self.sent.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self.behave(request, number)
        finally:
            self.in_flight -= 1

    async def count_tokens(self, request: Request) -> int | None:
        return None

    async def preflight(self, models: Sequence[str]) -> Preflight:
        return Preflight("fake", simulated=True)

    async def close(self) -> None:
        return None


@dataclass
class Book:
    """A ledger in memory."""

    started: list[dict[str, Any]] = field(default_factory=list)
    finished: dict[int, dict[str, Any]] = field(default_factory=dict)

    def together(self) -> AbstractContextManager[None]:
        return nullcontext()

    def start_attempt(self, start: AttemptStart) -> int:
        self.started.append(asdict(start))
        return len(self.started)

    def finish_attempt(
        self, attempt_id: int, subject: str, reply: Reply, final: bool, felt_s: float | None, cost_usd: float | None
    ) -> None:
        assert attempt_id not in self.finished
        self.finished[attempt_id] = {
            "subject": subject, "reply": reply, "final": final, "felt_s": felt_s, "cost_usd": cost_usd,
        }  # fmt: skip

    def settled(self) -> set[str]:
        return {row["subject"] for row in self.finished.values() if row["final"]}


def calls(count: int, worst_usd: float | None = 0.001) -> list[Call]:
    return [Call(f"trial/{n}", n, REQUEST, worst_usd) for n in range(1, count + 1)]


async def carry_out(
    provider: FakeProvider,
    todo: Sequence[Call],
    book: Book,
    limits: Limits = AT_ONCE,
    budget: Budget | None = None,
    tell: Callable[[Progress], None] = lambda _: None,
) -> Ending:
    ledger = Ledger(book)
    try:
        return await execute(todo, provider, ledger, limits, budget or Budget(None), tell)
    finally:
        await ledger.close()


def always(reply: Reply) -> Behaviour:
    async def behave(request: Request, number: int) -> Reply:
        await asyncio.sleep(0)
        return reply

    return behave


def in_turn(*replies: Reply) -> Behaviour:
    async def behave(request: Request, number: int) -> Reply:
        return replies[min(number, len(replies) - 1)]

    return behave


# --- the ledger -----------------------------------------------------------------------------------------------


async def test_an_attempt_is_recorded_before_it_is_sent_and_again_when_it_has_ended() -> None:
    book, seen = Book(), list[tuple[int, int]]()

    async def behave(request: Request, number: int) -> Reply:
        seen.append((len(book.started), len(book.finished)))
        return GOOD

    provider = FakeProvider(behave)
    await carry_out(provider, calls(3), book, replace(AT_ONCE, concurrency=1))
    assert seen == [(1, 0), (2, 1), (3, 2)]


async def test_a_request_that_cannot_be_recorded_is_not_sent() -> None:
    class Full(Book):
        def start_attempt(self, *_: Any) -> int:
            raise InfrastructureError("the disk is full")

    provider = FakeProvider(always(GOOD))
    with pytest.raises(InfrastructureError, match="full"):
        await carry_out(provider, calls(3), Full())
    assert provider.sent == []


async def test_every_call_is_settled_once_with_no_more_in_flight_than_allowed() -> None:
    book, provider = Book(), FakeProvider(always(GOOD))
    ending = await carry_out(provider, calls(50), book)
    assert (ending.unsettled, ending.stopped, len(book.started)) == (0, False, 50)
    assert book.settled() == {f"trial/{n}" for n in range(1, 51)}
    assert provider.most_in_flight <= AT_ONCE.concurrency


async def test_failed_attempts_count_and_are_recorded_and_only_the_last_is_final() -> None:
    book, provider, told = Book(), FakeProvider(in_turn(BUSY, BUSY, GOOD)), list[Progress]()
    ending = await carry_out(provider, [replace(calls(1)[0], earlier=5)], book, tell=told.append)
    assert ending.unsettled == 0
    assert [row["number"] for row in book.started] == [6, 7, 8]
    assert [row["final"] for row in book.finished.values()] == [False, False, True]
    assert [progress.final for progress in told] == [False, False, True]


async def test_giving_up_leaves_the_call_unsettled_with_all_its_attempts_and_code_5() -> None:
    book, provider = Book(), FakeProvider(always(BUSY))
    ending = await carry_out(provider, calls(3), book)
    assert (ending.unsettled, len(provider.sent)) == (3, 3 * AT_ONCE.attempts)
    assert book.settled() == set()
    with pytest.raises(InfrastructureError, match=r"3 requests failed .*overloaded_error: Busy") as raised:
        raise_if_stopped(ending, Budget(None), "run")
    assert raised.value.exit_code == ExitCode.PROVIDER


async def test_no_attempt_is_made_that_a_user_would_have_waited_too_long_for() -> None:
    slow = replace(BUSY, latency_s=10.0)
    for trial_s, sent in ((9.0, 1), (25.0, 3), (1000.0, AT_ONCE.attempts)):
        provider = FakeProvider(always(slow))
        ending = await carry_out(provider, calls(1), Book(), replace(AT_ONCE, trial_s=trial_s))
        assert (ending.unsettled, len(provider.sent)) == (1, sent)


ONE = replace(AT_ONCE, concurrency=1)
REFUSED = Reply("errored", 0.0, status=400, error_type="invalid_request_error", error_message="No")


async def test_a_refusal_by_a_model_that_has_answered_settles_its_call_at_the_first_attempt() -> None:
    book = Book()
    ending = await carry_out(FakeProvider(in_turn(GOOD, REFUSED, REFUSED)), calls(3), book, ONE)
    assert (ending.unsettled, ending.stopped, len(book.started)) == (0, False, 3)
    assert book.settled() == {"trial/1", "trial/2", "trial/3"}


async def test_a_refusal_by_a_model_that_has_not_answered_yet_is_tried_once_more() -> None:
    book = Book()
    ending = await carry_out(FakeProvider(in_turn(REFUSED, GOOD, REFUSED)), calls(2), book, ONE)
    assert (ending.unsettled, ending.stopped, len(book.started)) == (0, False, 3)
    assert book.settled() == {"trial/1", "trial/2"}


UNREADABLE = replace(REFUSED, status=None, error_type="unreadable_answer", retryable=True)


async def test_a_model_of_which_no_answer_arrives_whole_is_not_asked_everything() -> None:
    cut = replace(BUSY, status=200, error_type="stream_cut")
    provider = FakeProvider(always(cut))
    ending = await carry_out(provider, calls(300), Book())
    assert ending.unheard
    assert len(provider.sent) <= 12 + AT_ONCE.concurrency * (1 + AT_ONCE.attempts)


async def test_a_model_whose_answers_arrive_whole_no_more_is_not_asked_everything_else() -> None:
    cut = replace(BUSY, status=200, error_type="stream_cut")
    provider, book = FakeProvider(in_turn(*[GOOD] * 30, cut)), Book()
    ending = await carry_out(provider, calls(300), book)
    assert ending.unheard
    assert len(book.settled()) == 30
    assert len(provider.sent) <= 30 + 12 + AT_ONCE.concurrency * (1 + AT_ONCE.attempts)


async def test_a_doubted_model_is_asked_on_once_it_answers_and_where_nothing_else_is_left_to_try() -> None:
    cut = replace(BUSY, status=200, error_type="stream_cut")
    late, book = FakeProvider(in_turn(*[cut] * 14, GOOD)), Book()
    ending = await carry_out(late, calls(40), book)
    assert not ending.unheard
    assert len(book.settled()) == 40 - ending.unsettled
    assert ending.unsettled <= 14 // AT_ONCE.attempts
    one = FakeProvider(always(cut))
    assert (await asyncio.wait_for(carry_out(one, calls(40), Book(), ONE), 30)).unheard


@pytest.mark.parametrize("reply", [REFUSED, UNREADABLE])
async def test_a_model_that_refuses_its_first_three_requests_stops_the_run_and_spoils_nothing(reply: Reply) -> None:
    book = Book()
    ending = await carry_out(FakeProvider(always(reply)), calls(40), book)
    assert ending.fatal == reply
    assert book.settled() == set()
    assert len(book.started) <= 3 + AT_ONCE.concurrency
    with pytest.raises(InfrastructureError, match=rf"{reply.error_type} \(No\)"):
        raise_if_stopped(ending, Budget(None), "run")


async def test_an_unreadable_answer_between_good_ones_is_asked_for_again() -> None:
    book = Book()
    ending = await carry_out(FakeProvider(in_turn(GOOD, UNREADABLE, UNREADABLE, GOOD)), calls(3), book, ONE)
    assert (ending.unsettled, ending.stopped, len(book.started)) == (0, False, 5)
    assert all(row["reply"] is GOOD for row in book.finished.values() if row["final"])
    assert book.settled() == {"trial/1", "trial/2", "trial/3"}


async def test_a_server_that_turns_to_rubbish_after_good_answers_stops_the_run_and_settles_nothing_more() -> None:
    book = Book()
    ending = await carry_out(FakeProvider(in_turn(GOOD, UNREADABLE)), calls(100), book)
    assert ending.fatal == UNREADABLE
    assert book.settled() == {"trial/1"}
    assert len(book.started) <= 1 + AT_ONCE.attempts + AT_ONCE.concurrency


async def test_rubbish_for_all_there_is_stops_the_run_instead_of_settling_it() -> None:
    book = Book()
    ending = await carry_out(FakeProvider(always(UNREADABLE)), calls(2), book)
    assert (ending.fatal, book.settled()) == (UNREADABLE, set())
    assert len(book.started) <= AT_ONCE.attempts + 2


async def test_two_refusals_of_all_there_is_are_settled_by_the_second() -> None:
    book = Book()
    ending = await carry_out(FakeProvider(always(REFUSED)), calls(2), book)
    assert (ending.unsettled, ending.stopped, len(book.started)) == (0, False, 4)
    assert book.settled() == {"trial/1", "trial/2"}


@pytest.mark.parametrize(
    "reply",
    [
        fatal(401, "authentication_error"),
        fatal(402, "billing_error"),
        fatal(403, "permission_error"),
        fatal(429, "rate_limit_error"),
    ],
)
async def test_a_fatal_refusal_in_the_middle_stops_all_workers_and_settles_nothing(reply: Reply) -> None:
    async def behave(request: Request, number: int) -> Reply:
        await asyncio.sleep(0)
        return reply if number == 10 else GOOD

    book, provider = Book(), FakeProvider(behave)
    ending = await carry_out(provider, calls(100), book)
    assert ending.fatal is reply
    assert 11 <= len(provider.sent) <= 11 + AT_ONCE.concurrency
    assert len(book.finished) == len(book.started) == len(provider.sent)
    assert len(book.settled()) == len(provider.sent) - 1
    with pytest.raises(InfrastructureError, match=str(reply.error_type)):
        raise_if_stopped(ending, Budget(None), "run")


async def test_a_fatal_refusal_ends_the_waits_of_the_others() -> None:
    patient = replace(AT_ONCE, retry_after_cap_s=3600.0)

    async def behave(request: Request, number: int) -> Reply:
        await asyncio.sleep(0.01)
        return replace(BUSY, retry_after_s=3600.0) if number < 3 else fatal(401, "authentication_error")

    ending = await asyncio.wait_for(carry_out(FakeProvider(behave), calls(20), Book(), patient), 30)
    assert ending.fatal is not None


async def test_a_bug_of_ours_is_raised_once_what_is_in_flight_is_recorded() -> None:
    async def behave(request: Request, number: int) -> Reply:
        if number == 2:
            raise ZeroDivisionError
        await asyncio.sleep(0.2)
        return GOOD

    provider, book = FakeProvider(behave), Book()
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(carry_out(provider, calls(20), book), 30)
    assert provider.in_flight == 0
    assert len(provider.sent) < 20
    assert len(book.settled()) == len(provider.sent) - 1


# --- waits ----------------------------------------------------------------------------------------------------


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def waits_of(limits: Limits, reply: Reply, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between the attempts of one call that always fails, without waiting for them."""
    clock, waits = Clock(), list[float]()

    async def until_changed(execution: Any, seconds: float) -> None:
        if seconds < math.inf:
            waits.append(seconds)
            clock.now += seconds
        else:
            await asyncio.gather(*execution.tasks)

    with monkeypatch.context() as patched:
        patched.setattr(local, "perf_counter", clock)
        patched.setattr(local._Execution, "_until_changed", until_changed)
        await carry_out(FakeProvider(always(reply)), calls(1), Book(), limits)
    return waits


async def test_back_off_grows_with_jitter_up_to_its_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local.random, "uniform", lambda low, high: high)
    limits = Limits(attempts=8, backoff_s=0.5, backoff_cap_s=10.0)
    assert await waits_of(limits, BUSY, monkeypatch) == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]


async def test_back_off_is_never_negative_nor_over_its_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(attempts=60, backoff_s=0.5, backoff_cap_s=3.0)
    waits = await waits_of(limits, BUSY, monkeypatch)
    assert all(0 <= wait <= 3.0 for wait in waits)
    assert len({round(wait, 6) for wait in waits}) > 30, "no jitter: all would come back at the same moment"


@pytest.mark.parametrize(("asked_s", "least_s"), [(5.0, 5.0), (0.0, 0.0), (119.0, 119.0), (4_294_967.0, 120.0)])
async def test_a_servers_wish_is_honoured_up_to_the_cap(
    asked_s: float, least_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits(attempts=4, backoff_s=0.5, backoff_cap_s=4.0, retry_after_cap_s=120.0)
    waits = await waits_of(limits, replace(BUSY, retry_after_s=asked_s), monkeypatch)
    assert len(waits) == 3
    assert all(least_s <= wait <= least_s + limits.backoff_cap_s / 4 for wait in waits)


# --- clocks ---------------------------------------------------------------------------------------------------


async def test_felt_time_holds_retries_and_waits_and_queueing_is_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, book = Clock(), Book()

    async def behave(request: Request, number: int) -> Reply:
        clock.now += 2.0
        return replace(GOOD if number == 2 else BUSY, latency_s=2.0)

    async def until_changed(execution: Any, seconds: float) -> None:
        if seconds < math.inf:
            clock.now += seconds + 1.5  # others are in the way
        else:
            await asyncio.gather(*execution.tasks)

    monkeypatch.setattr(local.random, "uniform", lambda low, high: 10.0)
    with monkeypatch.context() as patched:
        patched.setattr(local, "perf_counter", clock)
        patched.setattr(local._Execution, "_until_changed", until_changed)
        await carry_out(FakeProvider(behave), calls(1), book)
    assert [row["queued_s"] for row in book.started] == pytest.approx([0.0, 1.5, 1.5])
    assert [row["felt_s"] for row in book.finished.values()] == [12.0, 24.0, 26.0], "with the pauses that follow"


@pytest.mark.parametrize(("attempts", "paused"), [(2, True), (1, False)])
async def test_a_pause_that_the_next_command_ends_was_felt_and_none_follows_the_last_attempt(
    monkeypatch: pytest.MonkeyPatch, attempts: int, paused: bool
) -> None:
    """A second call stops the run while the first is to wait for its next attempt."""

    async def behave(request: Request, number: int) -> Reply:
        return replace(BUSY, latency_s=2.0) if number == 0 else fatal(401, "authentication_error")

    monkeypatch.setattr(local.random, "uniform", lambda low, high: 10.0)
    book = Book()
    await carry_out(FakeProvider(behave), calls(2), book, replace(ONE, attempts=attempts))
    assert len(book.started) == 2
    assert book.finished[1]["felt_s"] == (12.0 if paused else 2.0)


@pytest.mark.parametrize(("earlier_s", "felt_s"), [(3.0, 5.0), (0.0, 2.0), (None, None)])
async def test_after_an_attempt_whose_time_is_unknown_nobody_knows_what_a_user_felt(
    earlier_s: float | None, felt_s: float | None
) -> None:
    book, (call,) = Book(), calls(1)
    todo = [replace(call, earlier=1, earlier_felt_s=earlier_s)]
    ending = await carry_out(FakeProvider(always(replace(GOOD, latency_s=2.0))), todo, book)
    assert (book.finished[1]["felt_s"], ending.untimed) == (felt_s, 0)


@pytest.mark.parametrize(("tried_s", "felt"), [(0.5, True), (None, False)])
async def test_a_standstill_while_nothing_was_connected_leaves_felt_time_unknown(
    monkeypatch: pytest.MonkeyPatch, tried_s: float | None, felt: bool
) -> None:
    monkeypatch.setattr(local.random, "uniform", lambda low, high: 0.0)
    away, book = replace(BUSY, error_type="no_connection", status=None, latency_s=tried_s), Book()

    async def behave(request: Request, number: int) -> Reply:
        return replace(GOOD, latency_s=2.0) if number else away

    await carry_out(FakeProvider(behave), calls(1), book)
    assert book.finished[2]["felt_s"] == (2.5 if felt else None)


async def test_felt_time_is_never_less_than_the_attempts_own() -> None:
    async def behave(request: Request, number: int) -> Reply:
        began = local.perf_counter()
        await asyncio.sleep(random.random() / 100)
        return replace(BUSY if number % 3 else GOOD, latency_s=local.perf_counter() - began)

    book = Book()
    await carry_out(FakeProvider(behave), calls(20), book)
    assert all(row["felt_s"] >= row["reply"].latency_s for row in book.finished.values())
    assert all(row["queued_s"] >= 0 for row in book.started)


# --- money ----------------------------------------------------------------------------------------------------

NOW = local.datetime(2026, 11, 22, tzinfo=local.UTC)


@pytest.mark.parametrize(
    ("reply", "cost_usd"),
    [
        (replace(GOOD, usage=Usage(input_tokens=1_000_000, output_tokens=0)), 1.0),
        (replace(GOOD, outcome="truncated", usage=Usage(input_tokens=0, output_tokens=1_000_000)), 5.0),
        (replace(GOOD, outcome="refused", usage=Usage(input_tokens=0, output_tokens=200_000)), 1.0),
        (replace(BUSY, status=200, usage=Usage(input_tokens=1_000_000, output_tokens=0)), 1.0),
        (BUSY, 0.0),
        (fatal(401, "authentication_error"), 0.0),
        (replace(BUSY, status=None, error_type="timeout"), None),
        (replace(BUSY, status=200), None),
        (replace(GOOD, usage=Usage()), None),
    ],
)
def test_what_an_attempt_cost_is_known_or_unknown_but_never_guessed(reply: Reply, cost_usd: float | None) -> None:
    assert cost_of(REQUEST, reply, NOW) == (None if cost_usd is None else pytest.approx(cost_usd))


@settings(max_examples=25)
@given(
    limit_usd=st.floats(0.0, 0.02),
    spent_usd=st.floats(0.0, 0.01),
    seed=st.integers(0, 2**32),
    worsts=st.lists(st.floats(0.0, 0.004), min_size=1, max_size=40),
)
def test_sixteen_at_once_never_pass_the_budget(
    limit_usd: float, spent_usd: float, seed: int, worsts: list[float]
) -> None:
    rng = random.Random(seed)
    truth = {"usd": spent_usd}

    async def behave(request: Request, number: int) -> Reply:
        await asyncio.sleep(rng.choice([0, 0, 0.0005]))
        # Haiku: 5 USD a million output tokens; never more than the worst case the call was announced with.
        tokens = math.floor(rng.random() ** 0.3 * request.max_tokens)
        truth["usd"] += tokens * 5e-6
        assert truth["usd"] <= max(limit_usd, spent_usd) + 1e-9
        if rng.random() < 0.2:
            told = min(tokens, 1)  # a stream that breaks off told a running count
            return replace(BUSY, status=200, usage=Usage(input_tokens=0, output_tokens=told))
        if rng.random() < 0.2:
            return replace(BUSY, status=None)  # nobody knows what it cost
        return replace(GOOD, usage=Usage(input_tokens=0, output_tokens=tokens))

    todo = [
        Call(f"trial/{n}", n, replace(REQUEST, max_tokens=math.floor(usd / 5e-6)), usd)
        for n, usd in enumerate(worsts, start=1)
    ]
    budget, book = Budget(limit_usd, Charged(spent_usd)), Book()
    limits = replace(AT_ONCE, concurrency=16, attempts=3)
    ending = asyncio.run(carry_out(FakeProvider(behave), todo, book, limits, budget))
    assert truth["usd"] <= budget.charged.borne_usd + 1e-9, "an unknown cost counts as the worst case"
    assert ending.out_of_budget or len(book.settled()) + ending.unsettled == len(todo)


def test_an_attempt_costs_what_was_asked_for_where_its_answer_does_not_say() -> None:
    told = replace(GOOD, usage=Usage(input_tokens=1000, output_tokens=100))
    opus = replace(REQUEST, model="claude-opus-4-6")
    american = replace(opus, params={"inference_geo": "us"})
    plain, in_us = (cost_of(asked, completed(told, asked), NOW) for asked in (opus, american))
    assert plain
    assert in_us == pytest.approx(plain * 1.1)
    assert completed(told, american).usage.inference_geo == "us", "as it is recorded"


@pytest.mark.parametrize("ttl", ["5m", "1h"])
@pytest.mark.parametrize("where", ["system", "messages"])
def test_a_batch_prices_what_is_written_to_a_cache_as_a_stream_does(ttl: str, where: str) -> None:
    """The server does not say for how long, and the prompt is not kept while it works."""
    marked = {"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral", "ttl": ttl}}
    message = {"role": "user", "content": [marked]}
    parts = {"system": (marked,)} if where == "system" else {"messages": (message,)}
    call = Call("trial/1", 1, replace(REQUEST, model="claude-opus-4-6", **parts), 1.0)
    told = replace(GOOD, usage=Usage(10, 20, cache_write_5m_tokens=5000))
    kept = without_prompt(call).request
    assert "Long." not in str(kept)
    assert completed(told, kept) == completed(told, call.request)
    factor = 2.0 if ttl == "1h" else 1.25
    assert cost_of(kept, completed(told, kept), NOW) == pytest.approx((10 * 5 + 5000 * factor * 5 + 20 * 25) / 1e6)


def test_without_a_budget_nothing_waits_for_money() -> None:
    budget = Budget(None)
    claims = [budget.reserve(lambda: 1e9) for _ in range(3)]
    assert claims[0]
    assert all(claims)
    budget.settle(claims[0], 2.0)
    assert budget.charged.borne_usd == 2.0


def test_money_set_aside_is_free_again_once_the_true_cost_is_known() -> None:
    budget = Budget(1.0)
    first = budget.reserve(lambda: 0.9)
    assert first
    assert not budget.reserve(lambda: 0.9)
    budget.settle(first, 0.05)
    second = budget.reserve(lambda: 0.9)
    assert second
    budget.settle(second, None)
    assert budget.charged.borne_usd == pytest.approx(0.95)
    assert not budget.reserve(lambda: 0.06)
    assert budget.reserve(lambda: 0.05)


def test_what_is_set_aside_grows_with_what_is_shown_of_it() -> None:
    """Of what is in flight, of what broke off, and of what broke off in an earlier command."""
    worst = {"usd": 0.1}
    budget = Budget(1.0, Charged(0.0, 0.1, 1), [Claim(lambda: worst["usd"]).reckoned()])
    lost, cut, flying = (budget.reserve(lambda: worst["usd"]) for _ in range(3))
    assert lost
    assert cut
    assert flying
    budget.settle(lost, None)
    budget.settle(cut, 0.03, cut=True)
    assert (budget.charged.spent_usd, budget.charged.aside_usd) == pytest.approx((0.03, 0.1 + 0.1 + 0.07))
    worst["usd"] = 0.2
    budget.reckon()
    assert (budget.charged.spent_usd, budget.charged.aside_usd) == pytest.approx((0.03, 0.2 + 0.2 + 0.17))
    assert not budget.reserve(lambda: 0.21), "0.6 is borne, and 0.2 in flight"
    assert budget.reserve(lambda: 0.19)
    budget.settle(flying, 0.01)
    assert budget.charged.borne_usd == pytest.approx(0.61)
    assert budget.reserve(lambda: 0.19)


async def test_once_an_answer_has_shown_what_is_billed_nothing_is_sent_beside_what_was_set_aside_too_low() -> None:
    """Two requests are lost whose cost nobody knows; then answers cost fifty times what was planned."""
    shown, sent = ShownSizes(), list[int]()

    async def behave(request: Request, number: int) -> Reply:
        sent.append(number)
        if number < 2:
            return replace(BUSY, status=None)
        await asyncio.sleep(0.001)
        return replace(GOOD, usage=Usage(input_tokens=50_000, output_tokens=0))

    def usd(tokens: int) -> float:
        return tokens * 1e-6  # Haiku, without any output

    todo = [Call(f"trial/{n}", n, REQUEST, None, unsure=Unsure(REQUEST.model, 1000, usd, shown)) for n in range(1, 41)]
    budget, book = Budget(1.0), Book()
    ending = await carry_out(FakeProvider(behave), todo, book, replace(AT_ONCE, concurrency=4, attempts=1), budget)
    assert ending.out_of_budget
    answers = len(sent) - 2
    assert budget.charged.spent_usd == pytest.approx(answers * 0.05)
    assert budget.charged.aside_usd == pytest.approx(2 * 0.05), "what an answer showed holds for them too"
    assert 0.9 < budget.charged.borne_usd <= 1.0 + 1e-9


async def test_a_call_waits_for_money_that_others_have_set_aside_but_may_not_need() -> None:
    budget, book = Budget(0.0015), Book()
    cheap = always(replace(GOOD, usage=Usage(input_tokens=0, output_tokens=0)))
    ending = await carry_out(FakeProvider(cheap), calls(20), book, budget=budget)
    assert (ending.out_of_budget, len(book.settled())) == (False, 20)


def test_rounding_never_leaves_a_reservation_that_nobody_holds() -> None:
    budget = Budget(1e6)
    amounts = [random.Random(n).random() * 1e4 for n in range(2000)]
    held = [claim for amount in amounts if (claim := budget.reserve(partial(float, amount / 30)))]
    for claim in reversed(held):
        budget.settle(claim, 0.0)
    assert budget.reserve(lambda: 1e6)
    assert not budget.reserve(lambda: 1.0)


@pytest.mark.parametrize("no_number", [math.nan, math.inf])
def test_a_budget_that_is_no_number_is_refused(no_number: float) -> None:
    with pytest.raises(UsageError, match="not a number"):
        Budget(no_number)


async def test_an_empty_budget_sends_nothing_and_says_how_to_go_on() -> None:
    provider, budget = FakeProvider(always(GOOD)), Budget(0.0)
    ending = await carry_out(provider, calls(5), Book(), budget=budget)
    assert provider.sent == []
    with pytest.raises(BudgetError, match=r"raise --budget-usd") as raised:
        raise_if_stopped(ending, budget, "run")
    assert raised.value.exit_code == ExitCode.BUDGET


async def test_what_is_only_set_aside_at_the_end_of_a_budget_is_not_called_spent() -> None:
    """Two answers: of the first nobody knows what was billed, and of the second only what its beginning cost."""
    cut = replace(BUSY, status=200, usage=Usage(input_tokens=10, output_tokens=1))
    gone = replace(BUSY, status=None, error_type="connection_error")
    known_usd = cost_of(REQUEST, cut, NOW) or 0.0
    budget, book = Budget(0.0035), Book()
    ending = await carry_out(FakeProvider(in_turn(gone, cut, GOOD)), calls(3), book, ONE, budget)
    good_usd = cost_of(REQUEST, GOOD, NOW) or 0.0
    assert budget.charged.broken == 2
    assert budget.charged.spent_usd == pytest.approx(known_usd + 3 * good_usd)
    assert budget.charged.aside_usd == pytest.approx(0.002 - known_usd)
    told = (
        r"\$0\.0000 spent, \$0\.0020 more set aside at worst case for 2 answers that broke off on this run file by run"
    )
    budget = Budget(0.0, replace(budget.charged, spent_usd=0.0))
    with pytest.raises(BudgetError, match=told):
        raise_if_stopped(replace(ending, out_of_budget=True, unsettled=0), budget, "run")


async def test_the_end_of_the_budget_ends_the_waits_of_the_others() -> None:
    patient = replace(AT_ONCE, retry_after_cap_s=3600.0)

    async def behave(request: Request, number: int) -> Reply:
        await asyncio.sleep(0.01)
        return replace(BUSY, retry_after_s=3600.0) if number == 0 else replace(GOOD, usage=Usage())

    budget = Budget(0.0035)
    ending = await asyncio.wait_for(carry_out(FakeProvider(behave), calls(20), Book(), patient, budget), 30)
    assert ending.out_of_budget


# --- interruption ---------------------------------------------------------------------------------------------


async def interrupted_at(number: int, times: int) -> tuple[Ending, FakeProvider, Book]:
    """A run that gets Ctrl-C while the given request, and three others, are in flight."""
    gate = asyncio.Event()

    async def behave(request: Request, sent: int) -> Reply:
        if sent < number:
            return GOOD
        if provider.in_flight == AT_ONCE.concurrency:
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(0.02)
            gate.set()
        await gate.wait()
        await asyncio.sleep(0.02)
        return GOOD

    provider, book = FakeProvider(behave), Book()
    ending = await asyncio.wait_for(carry_out(provider, calls(100), book), 30)
    return ending, provider, book


async def test_ctrl_c_once_lets_requests_in_flight_end_and_starts_none() -> None:
    ending, provider, book = await interrupted_at(10, times=1)
    assert ending.interrupted
    assert len(provider.sent) == 10 + AT_ONCE.concurrency
    assert len(book.finished) == len(book.started) == len(provider.sent)
    with pytest.raises(InterruptedRunError, match="goes on from here") as raised:
        raise_if_stopped(ending, Budget(None), "run")
    assert raised.value.exit_code == ExitCode.INTERRUPTED


async def test_ctrl_c_twice_gives_up_requests_in_flight_but_keeps_their_beginning() -> None:
    ending, provider, book = await interrupted_at(10, times=2)
    assert ending.interrupted
    assert len(book.started) == len(provider.sent) == 10 + AT_ONCE.concurrency
    assert len(book.finished) == 10
    assert provider.in_flight == 0


async def test_ctrl_c_ends_a_wait_for_the_next_attempt() -> None:
    async def behave(request: Request, number: int) -> Reply:
        if number == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return replace(BUSY, retry_after_s=3600.0)

    patient = replace(AT_ONCE, retry_after_cap_s=3600.0, trial_s=7200.0)
    ending = await asyncio.wait_for(carry_out(FakeProvider(behave), calls(4), Book(), patient), 30)
    assert (ending.interrupted, ending.unsettled) == (True, 4)


async def test_ctrl_c_is_pythons_own_again_afterwards() -> None:
    await carry_out(FakeProvider(always(GOOD)), calls(2), Book())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_outside_the_main_thread_a_run_goes_on_without_ctrl_c() -> None:
    async def in_thread() -> Ending:
        return await asyncio.to_thread(lambda: asyncio.run(carry_out(FakeProvider(always(GOOD)), calls(5), Book())))

    assert asyncio.run(in_thread()).unsettled == 0


@pytest.mark.parametrize(
    ("replies", "felt", "untimed"),
    [
        ((GOOD,), True, 0),
        ((replace(GOOD, latency_s=None),), False, 1),
        ((replace(BUSY, latency_s=None), GOOD), False, 1),
        ((replace(BUSY, latency_s=None, error_type=LOST), GOOD), False, 1),
        ((replace(REFUSED, latency_s=None),), False, 0),
    ],
)
async def test_what_a_user_felt_is_not_claimed_where_an_attempts_latency_is_not(
    replies: Sequence[Reply], felt: bool, untimed: int
) -> None:
    book = Book()
    ending = await carry_out(FakeProvider(in_turn(*replies)), calls(1), book, ONE)
    last = book.finished[len(book.finished)]
    assert (last["felt_s"] is not None, ending.untimed) == (felt, untimed)
    assert last["reply"] == replies[-1], "the answer stays"
    assert last["cost_usd"] == cost_of(REQUEST, replies[-1], NOW)
