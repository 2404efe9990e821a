"""Run: fill every gap of a planned run's file with an answer."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from evalkit.bill import WorstCase, most_tokens, shown_by, worst_cases
from evalkit.cache_marks import chosen_marks
from evalkit.charged import NOTHING, Charged, Claim
from evalkit.claims import borne, claims
from evalkit.dataset import Dataset
from evalkit.errors import BudgetError, UsageError
from evalkit.executors.budget import Budget, payers
from evalkit.executors.ending import Ending, raise_if_stopped
from evalkit.executors.local import Limits, Progress
from evalkit.executors.schedule import Call
from evalkit.executors.sending import send
from evalkit.frozen import dataclass
from evalkit.planning import Prepared, settled_trials
from evalkit.prompt import build_request
from evalkit.prompt_notes import naming_prompts
from evalkit.providers import Provider
from evalkit.records import Snapshot
from evalkit.sent_lately import Lately, sent_lately, together
from evalkit.store import RunFile
from evalkit.uncounted import ShownSizes, Unsure
from evalkit.way import sent_in_batches

if TYPE_CHECKING:
    from evalkit.executors.ray import Cluster


@dataclass(frozen=True)
class Done:
    """How a completed run went: trials by outcome, and how late the clock beside the requests was (p99, s; None if
    unknown). `untimed`: trials of this command whose latency is left out, since their sender stood still meanwhile."""

    outcomes: Mapping[str, int]
    lag_p99_s: float | None
    untimed: int = 0


def attempts_so_far(snapshot: Snapshot) -> dict[int, int]:
    """How many production attempts each trial has had."""
    counts: dict[int, int] = {}
    for attempt in snapshot.attempts:
        if attempt.grader is None:
            counts[attempt.trial_id] = max(counts.get(attempt.trial_id, 0), attempt.number)
    return counts


def felt_so_far(snapshot: Snapshot) -> dict[int, float | None]:
    """How long a user of each trial has waited for its production attempts, s; None, not less, where that of any is
    unknown: the process stood still or died meanwhile, or it was in a batch.

    The time until the next command is none of it, being ours and not the service's: who retries by himself goes on
    after the pause, which is in the row of the attempt before it.
    """
    felt: dict[int, float | None] = {}
    for attempt in snapshot.attempts:
        if attempt.grader is None:
            before = felt.get(attempt.trial_id, 0.0)
            unknown = before is None or attempt.felt_s is None
            felt[attempt.trial_id] = None if unknown else max(before or 0.0, attempt.felt_s or 0.0)
    return felt


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
    cluster: "Cluster | None" = None,
) -> Done:
    """Send what is pending. Returns when every trial is settled that is not left for later. `say` takes lines about
    batches and workers for the user; `cluster` is whose workers send, if this process does not. `limits.lately` is what
    others have just sent; what this run has is added.

    Raises BudgetError, InfrastructureError or InterruptedRunError when it had to stop; all that was answered
    is in the run file, and the same call goes on from there.
    """
    check_budget(prepared, budget_usd)
    with RunFile(prepared.path) as run, run.only_writer(*payers("run", budget_usd)):
        past, plan, now = _past(run, prepared), prepared.plan, datetime.now(UTC)
        way, prices = prepared.options.way, prepared.options.prices
        items = way.batched(plan.items, plan.spec.seed, past.batched)
        budget = Budget(budget_usd, past.charged, past.aside)
        passed_over = prepared.later.union(past.settled)
        batched = {t.id for t in plan.trials() if t.key.item_id in items and t.id not in passed_over}
        batched |= past.in_batches
        calls = partial(
            _calls,
            prepared,
            dataset,
            past,
            worst_cases(plan, now, prices, items),
            None if budget_usd is None else past.shown,
        )
        limits = replace(limits, lately=together(limits.lately, past.lately))
        ending, lag_p99_s = await send(calls, batched, provider, run, limits, budget, tell, say, prices, cluster)
        if ending.stopped or ending.unsettled:
            _stop(ending, budget, run, prepared, dataset)
        return Done(run.outcomes(), lag_p99_s, ending.untimed)


@dataclass(frozen=True)
class _Past:
    """What earlier commands have done: trials settled or left in batches, items that went in any, attempts a trial and
    what they made a user wait, USD spent, what was just sent, and what answers have shown."""

    settled: Collection[int] = ()
    in_batches: frozenset[int] = frozenset()
    batched: frozenset[str] = frozenset()
    attempts: Mapping[int, int] = field(default_factory=dict)
    felt_s: Mapping[int, float | None] = field(default_factory=dict)
    charged: Charged = NOTHING
    aside: Collection[Claim] = ()
    lately: Lately = field(default_factory=dict)
    shown: ShownSizes = field(default_factory=ShownSizes)


def _past(run: RunFile, prepared: Prepared) -> _Past:
    if run.is_untouched():  # a new run; a large one should not be in memory twice
        return _Past()
    snapshot = run.snapshot()
    waiting = snapshot.in_batches
    in_batches = frozenset(attempt.trial_id for attempt in snapshot.attempts if attempt.id in waiting)
    now = datetime.now(UTC)
    shown = shown_by(snapshot, prepared.plan)
    aside = claims(snapshot, now, prepared.options.prices, waiting, shown)
    return _Past(
        settled_trials(snapshot), in_batches, sent_in_batches(snapshot), attempts_so_far(snapshot),
        felt_so_far(snapshot), borne(snapshot, aside), aside, sent_lately(snapshot, now), shown,
    )  # fmt: skip


def _stop(ending: Ending, budget: Budget, run: RunFile, prepared: Prepared, dataset: Dataset) -> None:
    """Say why a run had to stop; one that was turned down before anything was answered or billed leaves no file."""
    snapshot = run.snapshot()
    models = {trial.id: trial.key.model for trial in snapshot.trials}
    answered = {
        models[a.trial_id] for a in snapshot.attempts if a.grader is None and a.outcome not in (None, "errored")
    }
    try:
        raise_if_stopped(ending, budget, "run", answered)
    except BudgetError as error:
        settled = settled_trials(snapshot)
        left = {trial.key.item_id for trial in snapshot.trials if trial.id not in settled}
        if named := naming_prompts(prepared.plan, dataset, left):
            raise BudgetError(f"{error}; all that its model takes is set aside for each of {named}") from error
        raise
    except UsageError as error:
        if answered:
            raise UsageError(f"{error}; what other models have answered stays in {run.path}") from error
        raise
    finally:
        free = all(a.outcome == "errored" and a.cost_usd == 0 for a in snapshot.attempts)
        if ending.fatal is not None and free and not (prepared.exists or snapshot.batches):
            run.discard()


def _calls(
    prepared: Prepared,
    dataset: Dataset,
    past: _Past,
    worst_usd: WorstCase,
    shown: ShownSizes | None,
    chosen: Callable[[int], bool],
) -> Iterator[Call]:
    """Calls for the chosen trials that are unsettled, in planned order, each request built only when its turn comes."""
    plan, marks = prepared.plan, chosen_marks(prepared.options.cache, dataset)
    items = {item.id: item for item in dataset.items}
    for trial in plan.trials():
        if trial.id in past.settled or trial.id in prepared.later or not chosen(trial.id):
            continue
        item_id, model, _ = trial.key
        record = plan.records[item_id]
        item = items[record.variant_of or item_id]
        request = build_request(model, item, dataset, record.documents, plan.spec.max_tokens, marks)
        size = plan.sizes.of(item_id, model)
        unsure = None if shown is None else Unsure(model, most_tokens(size), partial(worst_usd, trial.key), shown)
        yield Call(
            f"trial/{trial.id}",
            trial.id,
            request,
            worst_usd(trial.key) if unsure is None else None,
            past.attempts.get(trial.id, 0),
            past.felt_s.get(trial.id, 0.0),
            input_tokens=size.tokens,
            unsure=unsure,
        )
