"""Run: fill every gap of a planned run's file with an answer."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from evalkit.bill import request_usd
from evalkit.dataset import Dataset
from evalkit.errors import UsageError
from evalkit.executors.budget import Budget
from evalkit.executors.ending import raise_if_stopped
from evalkit.executors.local import Limits, Progress, execute
from evalkit.executors.schedule import Call
from evalkit.executors.session import session
from evalkit.plan import output_cap
from evalkit.planning import Prepared, dataset_items, settled_trials
from evalkit.prompt import build_request
from evalkit.providers import Provider
from evalkit.records import Snapshot, TrialKey
from evalkit.store import RunFile


@dataclass(frozen=True)
class Done:
    """How a completed run went: trials by outcome, and how late our own clock was (p99, s; None if unknown)."""

    outcomes: Mapping[str, int]
    lag_p99_s: float | None


def attempts_so_far(snapshot: Snapshot) -> dict[int, int]:
    """How many production attempts each trial has had."""
    counts: dict[int, int] = {}
    for attempt in snapshot.attempts:
        if attempt.grader is None:
            counts[attempt.trial_id] = max(counts.get(attempt.trial_id, 0), attempt.number)
    return counts


def check_budget(prepared: Prepared, budget_usd: float | None) -> None:
    """UsageError for a budget that could not be kept, since it is no number or a price is unknown."""
    Budget(budget_usd)
    unpriced = ", ".join(line.model for line in prepared.bill.lines if line.worst_usd is None)
    if budget_usd is not None and unpriced:
        raise UsageError(f"a budget cannot be kept: {unpriced} has no known price; leave it or --budget-usd out")


async def carry_out(
    prepared: Prepared,
    dataset: Dataset,
    provider: Provider,
    limits: Limits,
    budget_usd: float | None,
    tell: Callable[[Progress], None],
) -> Done:
    """Send what is pending. Returns when every trial is settled.

    Raises BudgetError, InfrastructureError or InterruptedRunError when it had to stop; all that was answered
    is in the run file, and the same call goes on from there.
    """
    check_budget(prepared, budget_usd)
    with RunFile(prepared.path) as run, run.only_writer("run"):
        snapshot = run.snapshot()
        worst_usd = _worst_cases(prepared, dataset)
        budget = Budget(budget_usd, _charged(snapshot, worst_usd))
        calls = _calls(prepared, dataset, snapshot, worst_usd)
        async with session(run, "local", limits.concurrency) as opened:
            ending = await execute(calls, provider, opened.ledger, limits, budget, tell, opened.id)
        raise_if_stopped(ending, budget, "run")
        final = [a for a in run.snapshot().attempts if a.final and a.grader is None]
    return Done(Counter(str(attempt.outcome) for attempt in final), opened.lag.p99_s)


def _worst_cases(prepared: Prepared, dataset: Dataset) -> Callable[[TrialKey], float | None]:
    """The most one request of a trial can cost, USD."""
    items = dataset_items(dataset, prepared.plan)
    sizes = {(size.item_id, size.model): size.tokens for size in prepared.plan.sizes}
    max_tokens, now = prepared.plan.spec.max_tokens, datetime.now(UTC)

    def worst_usd(key: TrialKey) -> float | None:
        cap = output_cap(items[key.item_id], dataset, max_tokens)
        return request_usd(key.model, sizes[(key.item_id, key.model)], cap, now)

    return worst_usd


def _charged(snapshot: Snapshot, worst_usd: Callable[[TrialKey], float | None]) -> float:
    """What the budget has borne, USD: an attempt that may have been billed, nobody knows how much, at its worst."""
    keys = {trial.id: trial.key for trial in snapshot.trials}
    attempts = [attempt for attempt in snapshot.attempts if attempt.grader is None]
    return sum((worst_usd(keys[a.trial_id]) or 0.0) if a.cost_usd is None else a.cost_usd for a in attempts)


def _calls(
    prepared: Prepared, dataset: Dataset, snapshot: Snapshot, worst_usd: Callable[[TrialKey], float | None]
) -> Iterator[Call]:
    """Calls for what is unsettled now, in planned order, each request built only when its turn comes."""
    settled, earlier = settled_trials(snapshot), attempts_so_far(snapshot)
    items = dataset_items(dataset, prepared.plan)
    records = {item.id: item for item in prepared.plan.items}
    tokens = {(size.item_id, size.model): size.tokens for size in prepared.plan.sizes}
    for trial in prepared.pending:
        if trial.id in settled:
            continue
        item_id, model, _ = trial.key
        documents, max_tokens = records[item_id].documents, prepared.plan.spec.max_tokens
        request = build_request(model, items[item_id], dataset, documents, max_tokens)
        yield Call(
            f"trial/{trial.id}",
            trial.id,
            request,
            worst_usd(trial.key),
            earlier.get(trial.id, 0),
            input_tokens=tokens[(item_id, model)],
        )
