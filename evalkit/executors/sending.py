"""Send a run's calls: some streamed from here, the others in batches."""

from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager
from itertools import chain
from typing import TYPE_CHECKING

from evalkit.errors import UsageError
from evalkit.executors.budget import Budget
from evalkit.executors.ending import Ending
from evalkit.executors.lag import Believed
from evalkit.executors.local import Limits, Progress, execute
from evalkit.executors.schedule import Call
from evalkit.executors.session import OpenSession, session
from evalkit.in_flight import workers_for
from evalkit.pricing import Prices
from evalkit.providers import Provider, Sends
from evalkit.store import RunFile

if TYPE_CHECKING:
    from evalkit.executors.ray import Cluster


async def send(
    calls: Callable[[Callable[[int], bool]], Iterator[Call]],
    batched: Collection[int],
    provider: Provider,
    run: RunFile,
    limits: Limits,
    budget: Budget,
    tell: Callable[[Progress], None],
    say: Callable[[str], None],
    prices: Prices,
    cluster: "Cluster | None" = None,
) -> tuple[Ending, float | None]:
    """Have the trials `batched` answered in batches, after all others have been streamed, each in their own session.

    `calls` gives the unsettled calls of the trials that a test lets through, anew as often as it is called. What is
    streamed is sent by the workers of a `cluster`, if there is one. Returns how it ended, and how late the clock beside
    the requests was while streaming (p99, s).
    """
    ending, lag_p99_s = Ending(), None
    streamed = calls(lambda trial_id: trial_id not in batched)
    if (first := next(streamed, None)) is not None:
        async with _streaming(provider, cluster, run, limits, say) as (opened, sends):
            ending = await execute(
                chain((first,), streamed), sends, opened.ledger, limits, budget, tell, opened.id, prices, say
            )
        lag_p99_s = opened.lag.p99_s if cluster is None else getattr(sends, "lag_p99_s", None)
    if not batched or ending.stopped:
        return ending, lag_p99_s
    from evalkit.executors.batch import BatchExecution
    from evalkit.providers.batches import NO_BATCHES, HasClient

    if not isinstance(provider, HasClient):
        raise UsageError(NO_BATCHES)
    async with session(run, "batch", 1) as opened:
        execution = BatchExecution(
            lambda: calls(lambda trial_id: trial_id in batched),
            provider, opened.ledger, run, limits, budget, tell, opened.id, say, prices,
        )  # fmt: skip
        rest = await execution.carry_out()
    rest.unsettled += ending.unsettled
    rest.untimed += ending.untimed
    rest.last_failure = rest.last_failure or ending.last_failure
    return rest, lag_p99_s


@asynccontextmanager
async def _streaming(
    provider: Provider, cluster: "Cluster | None", run: RunFile, limits: Limits, say: Callable[[str], None]
) -> AsyncIterator[tuple[OpenSession, Sends]]:
    """A session, and what sends its requests: this process, or a cluster's workers."""
    if cluster is None:
        async with session(run, "local", limits.concurrency) as opened:
            yield opened, Believed(provider, opened.lag)
        return
    from evalkit.executors.ray import pool
    from evalkit.executors.ray_cluster import connected

    with connected(cluster.address, workers_for(limits.concurrency)):
        async with (
            session(run, "ray", limits.concurrency) as opened,
            pool(cluster, run, opened, limits.concurrency, say) as workers,
        ):
            yield opened, workers
