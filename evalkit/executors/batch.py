"""Run calls in Message Batches: submitted in chunks, polled, fetched in any order, and never submitted twice."""

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import perf_counter

from evalkit import batch_rows
from evalkit.charged import Claim
from evalkit.error_kinds import GONE, NOT_AGAIN
from evalkit.executors.batch_entry import (
    ENTRY_BYTES,
    RESULTS_MISSING,
    Entry,
    OpenBatch,
    Settled,
    Terms,
    attempt_of,
    judged,
    missing,
    settled,
    without_prompt,
)
from evalkit.executors.batch_search import look_for
from evalkit.executors.budget import Budget
from evalkit.executors.ending import Ending
from evalkit.executors.ledger import Ledger
from evalkit.executors.local import Limits, Progress, interruptible
from evalkit.executors.schedule import Call
from evalkit.pricing import Prices
from evalkit.providers import batches
from evalkit.providers.batches import BatchError, HasClient
from evalkit.records import AttemptStart, Reply, Snapshot
from evalkit.store import RunFile

TERMS = Terms()
"""What the API allows, and how often it is asked."""

_TOGETHER = 256
"""Results that are written in one transaction."""


@dataclass
class BatchExecution:
    """One execution: rounds of submitting what may go and waiting until all of it has come back.

    `calls` gives the unsettled calls anew as often as it is called, so that no prompt has to be kept while the
    server works; those that an earlier command has submitted must be among them. `say` takes lines for the user.
    Every request is recorded as an attempt before its batch is submitted, and never submitted again while the
    server may have it.
    """

    calls: Callable[[], Iterable[Call]]
    provider: HasClient
    ledger: Ledger
    run_file: RunFile
    limits: Limits
    budget: Budget
    tell: Callable[[Progress], None]
    session_id: int | None
    say: Callable[[str], None]
    prices: Prices
    terms: Terms = field(default_factory=lambda: TERMS)
    ending: Ending = field(default_factory=Ending, init=False)
    open: list[OpenBatch] = field(default_factory=list, init=False)
    known: set[str] = field(default_factory=set, init=False)
    over: set[int] = field(default_factory=set, init=False)
    numbers: dict[int, int] = field(default_factory=dict, init=False)
    tries: dict[int, int] = field(default_factory=dict, init=False)
    heard: set[str] = field(default_factory=set, init=False)
    back: Counter[tuple[str, str]] = field(default_factory=Counter, init=False)
    woken: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def carry_out(self) -> Ending:
        """Settle every call, or stop: on a refusal of all, an exhausted budget, or Ctrl-C.

        Bugs and disk errors propagate.
        """
        work = asyncio.ensure_future(self._work())
        with interruptible(lambda: self.interrupt(work)):
            try:
                await work
            except asyncio.CancelledError:
                if not self.ending.interrupted:
                    raise
        return self.ending

    async def _work(self) -> None:
        """Fetch what earlier commands left at the server, submit the rest, and again what has to be tried again."""
        self._take_up(self.run_file.snapshot())
        while not self.ending.stopped:
            short = await self._submit_all()
            if not self.open:
                self.ending.out_of_budget = short and not self.ending.stopped
                break
            await self._until_settled()
        self.ending.at_server += sum(len(batch.entries) for batch in self.open)

    def interrupt(self, work: "asyncio.Future[None]") -> None:
        """Ctrl-C: once leaves the batches at the server after the request under way, twice at once."""
        if self.ending.interrupted:
            work.cancel()
        self.ending.interrupted = True
        self.woken.set()

    def _take_up(self, snapshot: Snapshot) -> None:
        """Batches that earlier commands have left, with the attempts that were recorded for them."""
        attempts, waiting = {attempt.id: attempt for attempt in snapshot.attempts}, snapshot.in_batches
        models = {trial.id: trial.key.model for trial in snapshot.trials}
        self.heard = {models[a.trial_id] for a in snapshot.attempts if a.outcome not in (None, "errored")}
        trials = {attempts[id_].trial_id for id_ in waiting}
        calls = {call.trial_id: without_prompt(call) for call in self.calls() if call.trial_id in trials}
        for batch in snapshot.batches:
            self.known |= {batch.server_id} if batch.server_id else set()
            entries, created = {}, datetime.fromisoformat(batch.created_at)
            for id_ in (id_ for id_ in batch.attempts if id_ in waiting and attempts[id_].trial_id in calls):
                call = calls[attempts[id_].trial_id]
                entries[id_] = Entry(id_, call, attempts[id_].number, self.budget.bear(call.worst_usd))
            if entries:
                size, now = len(batch.attempts), perf_counter()
                self.open.append(OpenBatch(batch.id, batch.nonce, created, batch.server_id, size, entries, now))

    # --- to the server

    async def _submit_all(self) -> bool:
        """Submit every call that is neither over nor at the server, in chunks; True if the budget cut it short."""
        at_server = {entry.call.trial_id for batch in self.open for entry in batch.entries.values()}
        chunk: list[tuple[Call, Claim, bytes]] = []
        size, short = 0, False
        for call in self.calls():
            if call.trial_id in self.over or call.trial_id in at_server:
                continue
            await asyncio.sleep(0)  # Ctrl-C is heard between two prompts
            body, full = batches.encoded(call.request), len(chunk) == self.terms.requests
            if chunk and (full or size + len(body) + ENTRY_BYTES > self.terms.bytes):
                await self._submit(chunk)
                chunk, size = [], 0
            if self.ending.stopped:
                return False
            claim = self.budget.reserve(call.worst_usd)
            if claim is None:
                short = True
                break
            chunk.append((without_prompt(call), claim, body))
            size += len(body) + ENTRY_BYTES
        if chunk and not self.ending.stopped:
            await self._submit(chunk)
        return short

    async def _submit(self, chunk: list[tuple[Call, Claim, bytes]]) -> None:
        """Record a batch with its attempts, and then send it."""
        now, nonce = datetime.now(UTC), secrets.token_hex(8)
        numbers = [self.numbers.get(call.trial_id, call.earlier) + 1 for call, _, _ in chunk]
        starts = [
            AttemptStart(call.trial_id, number, now.isoformat(), None, call.grader, call.round_id, self.session_id)
            for (call, _, _), number in zip(chunk, numbers, strict=True)
        ]
        batch_id, ids = await self.ledger.submit(lambda: self._record(nonce, now, starts))
        entries = {
            id_: Entry(id_, call, number, claim)
            for id_, number, (call, claim, _) in zip(ids, numbers, chunk, strict=True)
        }
        batch = OpenBatch(batch_id, nonce, now, None, len(ids), entries, perf_counter())
        self.open.append(batch)
        await self._send(batch, {id_: body for id_, (_, _, body) in zip(ids, chunk, strict=True)})

    def _record(self, nonce: str, now: datetime, starts: list[AttemptStart]) -> tuple[int, list[int]]:
        with self.run_file.together() as db:
            ids = [self.run_file.start_attempt(start) for start in starts]
            return batch_rows.add(db, nonce, now.isoformat(), ids), ids

    async def _send(self, batch: OpenBatch, bodies: dict[int, bytes]) -> None:
        """One batch to the server; if nobody knows whether it arrived, it is looked for later."""
        entries = [(f"{batch.nonce}_{id_}", body) for id_, body in bodies.items()]
        for attempt in range(1, self.limits.attempts + 1):
            try:
                shown = await batches.create(self.provider, entries)
            except BatchError as error:
                self.ending.last_failure = error.reply
                if not error.refused:
                    batch.doubted_since = perf_counter()
                    batch.submissions += 1
                    if error.reply.error_type == batches.NOT_A_BATCH:
                        self.ending.fatal = error.reply  # the same command looks whether the server has it
                    return
                if error.reply.retryable and attempt < self.limits.attempts:
                    await self._wait(self._pause_s(attempt, error.reply))
                if not error.reply.retryable or attempt == self.limits.attempts or self.ending.stopped:
                    await self._refused(batch, error.reply)
                    return
            else:
                await self._accept(batch, shown.id)
                self.say(f"submitted {len(batch.entries)} requests as {shown.id}")
                return

    async def _accept(self, batch: OpenBatch, server_id: str) -> None:
        def write() -> None:
            with self.run_file.together() as db:
                batch_rows.accept(db, batch.id, server_id)

        await self.ledger.submit(write)
        batch.server_id = server_id
        self.known.add(server_id)

    async def _refused(self, batch: OpenBatch, reply: Reply) -> None:
        """A batch that the server would not take: its requests were never made, and are left for another time."""
        entries = list(batch.entries.values())
        await self._settle(batch, [(entry, reply, False, 0.0) for entry in entries])
        self.open.remove(batch)
        if not reply.retryable:
            self.ending.fatal = reply
            return
        left = {entry.call.trial_id for entry in entries} - self.over
        self.over |= left
        self.ending.unsettled += len(left)

    def _pause_s(self, attempt: int, reply: Reply) -> float:
        ceiling = min(self.limits.backoff_cap_s, self.limits.backoff_s * 2**attempt)
        wait_s = random.uniform(0, ceiling)  # noqa: S311  jitter, not secrets
        return min(reply.retry_after_s or 0.0, self.limits.retry_after_cap_s) + wait_s

    # --- from the server

    async def _until_settled(self) -> None:
        """Look at the open batches, ever less often, until none is left."""
        began = perf_counter()
        while self.open:
            for batch in list(self.open):
                if self.ending.stopped:
                    return
                await (self._look_for(batch) if batch.server_id is None else self._look_at(batch))
            self.open = [batch for batch in self.open if batch.entries]
            self.ending.back = dict(self.back)  # not before all that has ended is recorded
            if self.open and not self.ending.stopped:
                waited = perf_counter() - began
                next_s = min(self.terms.look_cap_s, max(self.terms.look_s, waited / 10))
                self._say_waiting(waited, next_s)
                await self._wait(next_s)

    def _say_waiting(self, waited: float, next_s: float) -> None:
        count, many = sum(len(batch.entries) for batch in self.open), len(self.open)
        self.say(
            f"{count} requests in {many} {'batch' if many == 1 else 'batches'} at the server, waiting for"
            f" {waited:.0f} s, next look in {next_s:.0f} s; Ctrl-C leaves them there, the same command goes on"
        )

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.woken.wait()

    async def _look_for(self, batch: OpenBatch) -> None:
        """Find a batch that was about to be submitted when something failed; submit it if the server has none."""
        try:
            found = await look_for(self.provider, batch, self.known)
        except BatchError as error:
            self._failed_look(batch, error.reply)
            return
        if found.late is not None:
            told = f"{found.late} may be the one that was submitted, has ended, and there are no results of it yet"
            self._failed_look(batch, missing(f"{told}; looking again for up to {self.terms.patience_s / 60:.0f} min"))
            return
        batch.failing_since = None
        if found.ours is not None:
            await self._accept(batch, found.ours)
        elif found.is_absent and perf_counter() - batch.doubted_since >= self.terms.appear_s:
            await self._send_again(batch)

    async def _send_again(self, batch: OpenBatch) -> None:
        """The server has no such batch: send it under the names and attempts that were recorded for it."""
        if batch.submissions >= self.limits.attempts:
            self._leave(batch)
            return
        by_trial = {entry.call.trial_id: id_ for id_, entry in batch.entries.items()}
        calls = (call for call in self.calls() if call.trial_id in by_trial)
        await self._send(batch, {by_trial[call.trial_id]: batches.encoded(call.request) for call in calls})

    async def _look_at(self, batch: OpenBatch) -> None:
        """Fetch a batch's results if it has ended."""
        server_id = batch.server_id or ""
        try:
            shown = await batches.retrieve(self.provider, server_id)
            if shown.ended and shown.has_results:
                await self._fetch(batch, server_id)
            elif shown.ended and not shown.archived:
                self._failed_look(batch, missing(f"{server_id} has ended, and there are no results of it yet"))
                return
            elif shown.ended:
                gone = Reply("errored", None, error_type=GONE, error_message="not kept any more", retryable=True)
                await self._settle(batch, [(entry, gone, False, None) for entry in batch.entries.values()])
            batch.failing_since = None
        except BatchError as error:
            reply = error.reply
            if reply.status == 404:
                told = f"{server_id} is not among this key's batches; use the key it was submitted with"
                reply = replace(reply, error_message=told)
            self._failed_look(batch, reply)

    def _failed_look(self, batch: OpenBatch, reply: Reply) -> None:
        self.ending.last_failure = reply
        failed = f"the server cannot be asked about a batch ({reply.error_type}: {reply.error_message})"
        self.say(reply.error_message or failed if reply.error_type == RESULTS_MISSING else failed)
        if reply.stops_run:
            self.ending.fatal = reply
        batch.failing_since = batch.failing_since or perf_counter()
        if perf_counter() - batch.failing_since > self.terms.patience_s:
            self._leave(batch)

    def _leave(self, batch: OpenBatch) -> None:
        """Give a batch up for this time; another run of the command takes it up."""
        self.open.remove(batch)
        self.over |= {entry.call.trial_id for entry in batch.entries.values()}
        self.ending.unsettled += len(batch.entries)
        self.ending.at_server += len(batch.entries)

    async def _fetch(self, batch: OpenBatch, server_id: str) -> None:
        """Record an ended batch's results, as far as they can be read: they are paid for."""
        found: list[Settled] = []
        try:
            await self._take(batch, server_id, found)
        finally:
            await self._settle(batch, found)
        if batch.entries and not self.ending.stopped:
            raise BatchError(missing(f"{server_id} has no results for {len(batch.entries)} of its requests"))

    async def _take(self, batch: OpenBatch, server_id: str, found: list[Settled]) -> None:
        """Record answers in groups as they come; `found` keeps the last, and failures, which no answer may follow."""
        failed: dict[int, Settled] = {}
        taken, again = set[int](), set[int]()
        async with aclosing(batches.results(self.provider, server_id)) as stream:
            async for result in stream:
                answers = result.reply.outcome != "errored"
                if (id_ := attempt_of(result, batch.nonce)) in taken or (id_ in failed and not answers):
                    again.add(id_)
                    continue
                entry = batch.entries.get(id_)
                if entry is None:
                    continue  # recorded before an interruption
                one = settled(entry, result, batch.created_at, self.prices)
                if not answers:
                    failed[id_] = one
                    continue
                if failed.pop(id_, None) is not None:
                    again.add(id_)
                taken.add(id_)
                self.heard.add(entry.call.request.model)
                found.append(one)
                if len(found) >= _TOGETHER or self.ending.stopped:
                    await self._settle(batch, found)
                    found.clear()
                if self.ending.stopped:
                    return
        if again:
            told = f"{len(again)} answers of {batch.requests} stand twice in the results of {server_id}"
            self.say(f"{told}; the first that was answered counts")
        ended, wrong = judged(failed.values(), self.heard)
        found += ended
        for model, reply in wrong.items():
            self.ending.fatal, self.ending.fatal_model = reply, model

    async def _settle(self, batch: OpenBatch, found: list[Settled]) -> None:
        """Record how entries ended, all together, and learn from it."""

        def write() -> None:
            for entry, reply, final, cost_usd in found:
                self.run_file.finish_attempt(entry.attempt_id, entry.call.subject, reply, final, None, cost_usd)

        await self.ledger.submit(write)
        for entry, reply, final, cost_usd in found:
            batch.entries.pop(entry.attempt_id, None)
            self.budget.settle(entry.claim, cost_usd)
            self._learn(entry, reply, final)
            if reply.error_type in NOT_AGAIN:
                self.back[reply.error_type, batch.server_id or ""] += 1
            left = not final and (self.ending.stopped or entry.call.trial_id in self.over)
            self.tell(Progress(entry.call, reply, final, cost_usd, None, left=left, charged=self.budget.charged))

    def _learn(self, entry: Entry, reply: Reply, final: bool) -> None:
        trial_id = entry.call.trial_id
        if entry.call.unsure is not None and entry.call.unsure.hear(reply.usage):
            self.budget.reckon()
        self.numbers[trial_id] = entry.number
        self.tries[trial_id] = self.tries.get(trial_id, 0) + 1
        if reply.stops_run:
            self.ending.fatal, self.ending.fatal_model = reply, entry.call.request.model
        elif final:
            self.over.add(trial_id)
        else:
            self.ending.last_failure = reply
            if self.tries[trial_id] >= self.limits.attempts or reply.error_type in NOT_AGAIN:
                self.over.add(trial_id)
                self.ending.unsettled += 1
