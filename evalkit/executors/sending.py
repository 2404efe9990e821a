"""Send a run's calls: some streamed from here, the others in batches."""

from collections.abc import Callable, Collection, Iterator
from itertools import chain

from evalkit.errors import UsageError
from evalkit.executors.budget import Budget
from evalkit.executors.ending import Ending
from evalkit.executors.local import Limits, Progress, execute
from evalkit.executors.schedule import Call
from evalkit.executors.session import session
from evalkit.pricing import Prices
from evalkit.providers import Provider
from evalkit.store import RunFile


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
) -> tuple[Ending, float | None]:
    """Have the trials `batched` answered in batches, after all others have been streamed, each in their own session.

    `calls` gives the unsettled calls of the trials that a test lets through, anew as often as it is called. Returns
    how it ended, and how late our own clock was while streaming (p99, s).
    """
    ending, lag_p99_s = Ending(), None
    streamed = calls(lambda trial_id: trial_id not in batched)
    if (first := next(streamed, None)) is not None:
        async with session(run, "local", limits.concurrency) as opened:
            ending = await execute(
                chain((first,), streamed), provider, opened.ledger, limits, budget, tell, opened.id, prices, say
            )
        lag_p99_s = opened.lag.p99_s
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
    rest.last_failure = rest.last_failure or ending.last_failure
    return rest, lag_p99_s
