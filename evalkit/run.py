"""Run: fill every gap of a planned run's file with an answer."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from evalkit.bill import charged_usd, worst_cases
from evalkit.cache_marks import chosen_marks
from evalkit.dataset import Dataset
from evalkit.errors import UsageError
from evalkit.executors.budget import Budget, payers
from evalkit.executors.ending import Ending, raise_if_stopped
from evalkit.executors.local import Limits, Progress
from evalkit.executors.schedule import Call
from evalkit.executors.sending import send
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
    say: Callable[[str], None] = lambda _: None,
) -> Done:
    """Send what is pending. Returns when every trial is settled. `say` takes lines about batches for the user.

    Raises BudgetError, InfrastructureError or InterruptedRunError when it had to stop; all that was answered
    is in the run file, and the same call goes on from there.
    """
    check_budget(prepared, budget_usd)
    with RunFile(prepared.path) as run, run.only_writer(*payers("run", budget_usd)):
        snapshot, plan, now = run.snapshot(), prepared.plan, datetime.now(UTC)
        way, prices, waiting = prepared.options.way, prepared.options.prices, snapshot.in_batches
        items = way.batched(plan.items, plan.spec.seed)
        worst_usd = worst_cases(plan.items, plan.sizes, plan.spec, now, prices, items)
        budget = Budget(budget_usd, charged_usd(snapshot, now, prices=prices, besides=waiting))
        batched = {trial.id for trial in prepared.pending if trial.key.item_id in items}
        batched |= {attempt.trial_id for attempt in snapshot.attempts if attempt.id in waiting}
        streamed = {trial.id for trial in prepared.pending} - batched
        calls = partial(_calls, prepared, dataset, snapshot, worst_usd)
        ending, lag_p99_s = await send(calls, streamed, batched, provider, run, limits, budget, tell, say, prices)
        if ending.stopped or ending.unsettled:
            _stop(ending, budget, run, prepared)
        return Done(run.outcomes(), lag_p99_s)


def _stop(ending: Ending, budget: Budget, run: RunFile, prepared: Prepared) -> None:
    """Say why a run had to stop; one that was turned down before anything was answered or billed leaves no file."""
    snapshot = run.snapshot()
    models = {trial.id: trial.key.model for trial in snapshot.trials}
    answered = {
        models[a.trial_id] for a in snapshot.attempts if a.grader is None and a.outcome not in (None, "errored")
    }
    try:
        raise_if_stopped(ending, budget, "run", answered)
    except UsageError as error:
        if answered:
            raise UsageError(f"{error}; what other models have answered stays in {run.path}") from error
        raise
    finally:
        free = all(a.outcome == "errored" and a.cost_usd == 0 for a in snapshot.attempts)
        if ending.fatal is not None and free and not (prepared.exists or snapshot.batches):
            run.discard()


def _calls(
    prepared: Prepared, dataset: Dataset, snapshot: Snapshot, worst_usd: Callable[[TrialKey], float | None]
) -> Iterator[Call]:
    """Calls for what is unsettled now, in planned order, each request built only when its turn comes."""
    settled, earlier = settled_trials(snapshot), attempts_so_far(snapshot)
    marks = chosen_marks(prepared.options.cache, dataset)
    items = dataset_items(dataset, prepared.plan)
    records = {item.id: item for item in prepared.plan.items}
    tokens = {(size.item_id, size.model): size.tokens for size in prepared.plan.sizes}
    for trial in prepared.pending:
        if trial.id in settled:
            continue
        item_id, model, _ = trial.key
        documents, max_tokens = records[item_id].documents, prepared.plan.spec.max_tokens
        request = build_request(model, items[item_id], dataset, documents, max_tokens, marks)
        yield Call(
            f"trial/{trial.id}",
            trial.id,
            request,
            worst_usd(trial.key),
            earlier.get(trial.id, 0),
            input_tokens=tokens[(item_id, model)],
        )
