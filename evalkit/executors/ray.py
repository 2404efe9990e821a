"""Have requests sent by the workers of a Ray cluster; all that must be one for the run stays in this process.

A worker is an actor, in a process of its own, that makes attempts as this process would. Which request goes when, what
it may cost, whether it is tried again and what the run file says of it is decided here.
"""

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import Any

import evalkit
from evalkit import worker_rows
from evalkit.error_kinds import LOST, NO_WORKER
from evalkit.errors import InfrastructureError
from evalkit.executors.ray_cluster import aside, installed, reason
from evalkit.executors.ray_worker import Sender, Told, own_settings
from evalkit.executors.session import OpenSession
from evalkit.frozen import dataclass
from evalkit.in_flight import workers_on
from evalkit.providers import Provider
from evalkit.records import Reply, Request
from evalkit.session_records import Worker
from evalkit.store import RunFile
from evalkit.wording import plural

LOOK_S = 1.0
"""Pause between two looks at which nodes there are, and between two questions to each worker."""

SILENT_S = 60.0
"""A worker that says nothing for so long is taken for lost."""

WAITING_S = 10.0
"""A run that has had no worker for so long says so."""

PATIENCE_S = 300.0
"""A run that has had no worker for so long stops: clusters that grow by demand need minutes for a new machine."""

_AGAIN_S = 5.0
"""Pause before a worker is started again where none could be."""

_TOGETHER_S = 5.0
"""How long the first worker waits for the others before anything is sent."""

_LAST_WORD_S = 2.0
_PINGS = 5
_NUMBERS = re.compile(r"\b[0-9a-f]{8,}\b|\d+")

_CALL_S = 10.0
"""A cluster's head that has said nothing for so long does not answer."""


@dataclass(frozen=True)
class Cluster:
    """Where a run's workers are to be, and what each opens to send requests with. `address` None: on this machine."""

    address: str | None
    opened: Callable[[], Provider]


@dataclass(eq=False)
class _Live:
    """A worker that is there: its actor, what the run file says of it, and its requests under way.

    `given_up` is done once no answer is waited for any more: those of a worker that cannot be reached never come.
    """

    actor: Any
    record: Worker
    told: Told
    under_way: int = 0
    gone: str | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    given_up: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def name(self) -> str:
        return f"worker {self.record.id} on {self.record.host}"


@asynccontextmanager
async def pool(
    cluster: Cluster, run: RunFile, session: OpenSession, concurrency: int, say: Callable[[str], None]
) -> AsyncIterator["Pool"]:
    """Workers on every node of the connected cluster, for as long as it lasts; their ends are recorded.

    Raises InfrastructureError if there is not one in time.
    """
    workers = Pool(cluster, run, session, concurrency, say)
    watching = asyncio.create_task(workers.keep())
    try:
        await workers.ready()
        yield workers
    finally:
        await workers.hear_out()
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching  # raises what was a bug of ours


class Pool:
    """Sends each request by the worker that has the fewest under way; a lost worker is replaced, a new node used."""

    def __init__(
        self, cluster: Cluster, run: RunFile, session: OpenSession, concurrency: int, say: Callable[[str], None]
    ) -> None:
        self._ray = installed()
        self._cluster, self._run, self._session, self._say = cluster, run, session, say
        self._concurrency = concurrency
        self._actor = self._ray.remote(Sender)
        self._workers: list[_Live] = []
        self._came = asyncio.Event()
        self._nodes: dict[str, int] = {}
        self._hosts: dict[str, str] = {}
        self._told: set[tuple[str, str]] = set()
        self._places: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._why = "none has come up; is a CPU free for one?"
        self.lag_p99_s: float | None = None

    async def ready(self) -> None:
        """Wait for the first worker, and a little for the others; InfrastructureError if there is not one in time."""
        if await self._freest() is None:
            raise InfrastructureError(f"{self._none}; then run the same command again")
        with suppress(TimeoutError):
            async with asyncio.timeout(_TOGETHER_S):
                while len(self._workers) < sum(self._nodes.values()):
                    await self._another()
        nodes = len({worker.record.node for worker in self._workers})
        self._say(f"{plural(len(self._workers), 'worker')} on {plural(nodes, 'node')} of the Ray cluster")

    @property
    def _none(self) -> str:
        return f"no worker has been there for {PATIENCE_S:g} s ({self._why}); check the cluster with `ray status`"

    async def _another(self) -> None:
        self._came.clear()
        await self._came.wait()

    async def attempt(self, request: Request) -> Reply:
        """Have one request sent, once. A reply of its own kind says that its worker was lost, or that there is none."""
        worker = await self._freest()
        if worker is None:
            return Reply("errored", None, error_type=NO_WORKER, error_message=self._none, stops_run=True)
        worker.under_way += 1
        try:
            reply = await self._answer(worker, request)
        except (self._ray.exceptions.RayError, TimeoutError) as error:
            if isinstance(error, self._ray.exceptions.RayTaskError):
                raise  # a bug of ours, with its traceback
            self._lose(worker, type(error).__name__)
            number = worker.record.id  # and not its machine: this is told in reports
            why = f"worker {number} was lost ({worker.gone}) before it had told the answer, which may have been billed"
            return Reply("errored", None, error_type=LOST, error_message=why, retryable=True, worker_id=number)
        finally:
            worker.under_way -= 1
        return replace(reply, worker_id=worker.record.id)

    async def _answer(self, worker: _Live, request: Request) -> Reply:
        """What a worker answers; TimeoutError once nobody waits for it: where the head is gone too, Ray waits on."""
        answer = asyncio.ensure_future(worker.actor.attempt.remote(request))
        try:
            await asyncio.wait((answer, worker.given_up), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise TimeoutError
            reply: Reply = answer.result()
            return reply
        finally:
            answer.cancel()

    async def _freest(self) -> _Live | None:
        """The worker with the fewest requests under way, any of several; None if none comes in time."""
        if not await self._comes(WAITING_S):
            self._tell_once(f"no worker yet, waiting for one for up to {PATIENCE_S:g} s", self._why)
            if not await self._comes(PATIENCE_S - WAITING_S):
                return None
        return min(self._workers, key=lambda worker: (worker.under_way, random.random()))  # noqa: S311  no secrets

    async def _comes(self, within_s: float) -> bool:
        """Whether there is a worker, or one comes in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not self._workers:
                    await self._another()
        return bool(self._workers)

    async def keep(self) -> None:
        """Have workers on every node that there is, until cancelled."""
        try:
            while True:
                await self._look()
                await asyncio.sleep(LOOK_S)
        finally:
            for task in self._places.values():
                task.cancel()
            await asyncio.gather(*self._places.values(), return_exceptions=True)

    async def hear_out(self) -> None:
        """Have every worker tell of its clock once more, before they are ended."""
        asked = [asyncio.create_task(self._ask(worker)) for worker in self._workers]
        if asked:
            await asyncio.wait(asked, timeout=_LAST_WORD_S)

    async def _ask(self, worker: _Live) -> None:
        with suppress(self._ray.exceptions.RayError):
            worker.told = await worker.actor.tell.remote()

    async def _look(self) -> None:
        """Which nodes there are now, and a task for each worker that one of them should have."""
        try:
            nodes = await aside(self._ray.nodes, _CALL_S)
        except (self._ray.exceptions.RayError, TimeoutError) as error:
            self._why = "its head does not answer" if isinstance(error, TimeoutError) else type(error).__name__
            self._tell_once("the Ray cluster", self._why)
            return
        self._hosts = {n["NodeID"]: str(n.get("NodeManagerHostname") or n["NodeID"]) for n in nodes}
        cpus = {n["NodeID"]: int(n["Resources"].get("CPU", 0)) for n in nodes if n["Alive"]}
        self._nodes = workers_on(cpus, self._concurrency)
        for place in [(node, number) for node, count in self._nodes.items() for number in range(count)]:
            task = self._places.get(place)
            if task is not None and task.done():
                task.result()  # raises what was a bug of ours
            if task is None or task.done():
                self._places[place] = asyncio.create_task(self._hold(place[0]))

    async def _hold(self, node: str) -> None:
        """Start a worker on a node and have it send, until it is lost."""
        actor = self._made(node)
        try:
            worker = await self._started(actor, node)
        except (self._ray.exceptions.RayError, TimeoutError) as error:
            self._why = reason(error)
            self._tell_once(f"no worker on {self._hosts[node]}", self._why)
            await self._kill(actor)
            await asyncio.sleep(_AGAIN_S)
            return
        except asyncio.CancelledError:
            await self._kill(actor)
            raise
        self._workers.append(worker)
        self._came.set()
        try:
            await self._watch(worker)
        finally:
            self._end(worker)
            await self._kill(actor)  # which ends what it had under way, if Ray can reach anything
            worker.given_up.cancel()

    async def _kill(self, actor: Any) -> None:
        with suppress(self._ray.exceptions.RayError, TimeoutError):
            await aside(lambda: self._ray.kill(actor), _LAST_WORD_S)

    def _tell_once(self, what: str, why: str) -> None:
        """Say it unless it has been said, but for the ids and numbers in it, which are others each time."""
        kind = (what, _NUMBERS.sub("", why))
        if kind not in self._told:
            self._told.add(kind)
            self._say(f"{what}: {why}")

    def _made(self, node: str) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return self._actor.options(
            num_cpus=1,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=self._concurrency + 8,  # all that may be in flight, and questions about the clock
            scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
        ).remote()

    async def _started(self, actor: Any, node: str) -> _Live:
        place = await actor.open.remote(evalkit.__version__, self._cluster.opened, own_settings())
        told, offset_s, error_s = await _compared(actor)
        record = Worker(0, self._session.id, _now(), place.host, node, place.pid, offset_s, error_s)
        number = await self._session.ledger.submit(lambda: self._recorded(record))
        return _Live(actor, replace(record, id=number), told)

    async def _watch(self, worker: _Live) -> None:
        """Ask a worker how it is, until it does not answer or a request has found it lost."""
        while worker.gone is None:
            try:
                async with asyncio.timeout(SILENT_S):
                    worker.told = await worker.actor.tell.remote()
            except (self._ray.exceptions.RayError, TimeoutError) as error:
                silent = isinstance(error, TimeoutError)
                self._lose(worker, f"silent for {SILENT_S:g} s" if silent else type(error).__name__)
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await worker.ended.wait()

    def _lose(self, worker: _Live, why: str) -> None:
        """Give a worker nothing more to do."""
        if worker.gone is not None:
            return
        worker.gone = self._why = why
        self._workers.remove(worker)
        worker.ended.set()
        self._say(f"{worker.name} was lost ({why}) with {plural(worker.under_way, 'request')} under way")

    def _end(self, worker: _Live) -> None:
        if worker in self._workers:
            self._workers.remove(worker)
        self.lag_p99_s = max(self.lag_p99_s or 0.0, worker.told.lag_p99_s or 0.0)
        told = worker.told
        ended = replace(
            worker.record, ended_at=_now(), lost=worker.gone, lag_p99_s=told.lag_p99_s, lag_max_s=told.lag_max_s
        )
        self._session.ledger.write(lambda: self._record_end(ended))

    def _recorded(self, worker: Worker) -> int:
        with self._run.together() as db:
            return worker_rows.start(db, worker)

    def _record_end(self, worker: Worker) -> None:
        with self._run.together() as db:
            worker_rows.end(db, worker)


async def _compared(actor: Any) -> tuple[Told, float, float]:
    """What a worker tells, how far its wall clock is ahead of ours, and how exactly that is known; seconds."""
    found = []
    for _ in range(_PINGS):
        asked = time.time()
        told: Told = await actor.tell.remote()
        error_s = max(0.0, time.time() - asked) / 2
        found.append((error_s, told.clock_s - asked - error_s, told))
    error_s, offset_s, told = min(found, key=lambda one: one[0])
    return told, offset_s, error_s


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
