"""Run: plan the trials of a dataset, and fill every gap of the run file with an answer."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from evalkit import __version__
from evalkit.dataset import Dataset, Item
from evalkit.errors import IntegrityError, UsageError
from evalkit.executors.budget import Budget, payers
from evalkit.executors.local import Call, Limits, Progress, execute, raise_if_stopped
from evalkit.models import known
from evalkit.plan import (
    Estimate,
    Plan,
    assemble_item,
    charged_usd,
    estimate,
    record,
    spent_usd,
    trial_order,
    worst_cases,
)
from evalkit.pricing import prices_version
from evalkit.prompt import DEFAULT_MAX_TOKENS, build_request, document_text, prompt_sha256
from evalkit.providers import Preflight, Provider
from evalkit.records import ItemRecord, PromptSize, Request, Snapshot, Spec, Trial, TrialKey
from evalkit.rubric import Rubric
from evalkit.store import RunFile

_SAMPLE_CHARACTERS = 120_000
_CHARACTERS_PER_TOKEN = 3.5
"""Used only where a server cannot count: on the safe side for English prose with the newer tokenizers."""
_COUNTING_AT_ONCE = 8


@dataclass(frozen=True)
class Options:
    """What to run. `context_tokens` None means what the dataset's card says, and no filling without a card."""

    models: tuple[str, ...]
    epochs: int = 1
    limit: int | None = None
    seed: int = 1
    context_tokens: int | None = None
    max_tokens: int = DEFAULT_MAX_TOKENS


@dataclass(frozen=True)
class Prepared:
    """A plan, the run file it belongs to, and what is still to be sent.

    `exists` says that it is a resumption; `spent_usd` is what the run file has cost, judging included.
    """

    plan: Plan
    path: Path
    exists: bool
    pending: tuple[Trial, ...]
    estimates: tuple[Estimate, ...]
    spent_usd: float


def chosen_items(dataset: Dataset, limit: int | None) -> tuple[Item, ...]:
    """The items of a run: all, or the first `limit`."""
    return dataset.items if limit is None else dataset.items[:limit]


def make_spec(name: str, dataset: Dataset, rubric: Rubric, options: Options, server: Preflight) -> Spec:
    """What this run is; two calls with the same inputs give the same run."""
    return Spec(
        name=name,
        dataset_sha256=dataset.sha256,
        rubric_sha256=rubric.sha256,
        prompt_sha256=prompt_sha256(options.max_tokens),
        models=options.models,
        epochs=options.epochs,
        seed=options.seed,
        context_tokens=options.context_tokens or dataset.card.context_tokens,
        limit=options.limit,
        endpoint=server.endpoint,
        simulated=server.simulated,
        max_tokens=options.max_tokens,
        rubric=rubric.content(),
        package_version=__version__,
        prices_version=prices_version(),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def run_path(folder: Path, spec: Spec) -> Path:
    """Where a run lives: the dataset's name and the spec's hash, so that the same command finds it again."""
    return folder / f"{spec.name}-{spec.sha256[:8]}.db"


async def prepare(
    dataset: Dataset,
    rubric: Rubric,
    options: Options,
    provider: Provider,
    folder: Path,
    tell: Callable[[int, int], None],
) -> Prepared:
    """Validate against the server, find or plan the run, and say what is left and what it may cost.

    Spends nothing and writes nothing. `tell(done, total)` reports the counting of tokens. Raises UsageError
    for an unknown model or a context that does not fit, InfrastructureError if the server refuses.
    """
    server = await provider.preflight(options.models)
    if server.problems:
        raise UsageError("\n".join(server.problems))
    spec = make_spec(dataset.name, dataset, rubric, options, server)
    _check_windows(spec)
    path = run_path(folder, spec)
    if path.exists():
        with RunFile(path, read_only=True) as run:
            snapshot = run.snapshot()
        if snapshot.spec.sha256 != spec.sha256:
            raise IntegrityError(f"{path} holds another run than its name says; move it away or restore its name")
        plan = Plan(snapshot.spec, snapshot.items, snapshot.sizes, tuple(t.key for t in snapshot.trials))
        trials, settled, spent = snapshot.trials, settled_trials(snapshot), spent_usd(snapshot)
    else:
        plan = await _plan(dataset, spec, provider, tell)
        trials = tuple(Trial(n + 1, key, n) for n, key in enumerate(plan.order))
        settled, spent = set(), 0.0
    pending = tuple(trial for trial in trials if trial.id not in settled)
    estimates = estimate(plan, [t.key for t in pending], datetime.now(UTC))
    return Prepared(plan, path, path.exists(), pending, estimates, spent)


def _check_windows(spec: Spec) -> None:
    for name in spec.models:
        model = known(name)
        if model is not None and spec.max_tokens > model.max_output_tokens:
            raise UsageError(
                f"--max-tokens {spec.max_tokens:,} is over what {name!r} can write"
                f" ({model.max_output_tokens:,}); lower it"
            )
        needed = (spec.context_tokens or 0) + spec.max_tokens
        if model is not None and needed > model.context_tokens:
            raise UsageError(
                f"{needed:,} tokens of context and answer do not fit {name!r} ({model.context_tokens:,});"
                " lower --context or leave the model out"
            )


def settled_trials(snapshot: Snapshot) -> set[int]:
    """Trials that have their answer, or a failure that trying again cannot change."""
    return {attempt.trial_id for attempt in snapshot.attempts if attempt.final and attempt.grader is None}


def attempts_so_far(snapshot: Snapshot) -> dict[int, int]:
    """How many production attempts each trial has had."""
    counts: dict[int, int] = {}
    for attempt in snapshot.attempts:
        if attempt.grader is None:
            counts[attempt.trial_id] = max(counts.get(attempt.trial_id, 0), attempt.number)
    return counts


async def _plan(dataset: Dataset, spec: Spec, provider: Provider, tell: Callable[[int, int], None]) -> Plan:
    items = chosen_items(dataset, spec.limit)
    room = await _room_characters(dataset, spec, provider)
    planned: dict[str, tuple[ItemRecord, list[PromptSize]]] = {}
    queue = iter(enumerate(items))

    async def work() -> None:
        for position, item in queue:
            planned[item.id] = await _fit(item, position, dataset, spec, provider, room)
            tell(len(planned), len(items))

    async with asyncio.TaskGroup() as group:
        for _ in range(_COUNTING_AT_ONCE):
            group.create_task(work())
    records = tuple(planned[item.id][0] for item in items)
    sizes = tuple(size for item in items for size in planned[item.id][1])
    order = trial_order([item.id for item in items], spec.models, spec.epochs, spec.seed)
    return Plan(spec, records, sizes, order)


async def _room_characters(dataset: Dataset, spec: Spec, provider: Provider) -> float | None:
    """How many characters fill the context, by the model that makes the most tokens of this text."""
    if spec.context_tokens is None:
        return None
    sample = document_text(sorted(dataset.documents), dataset.documents)[:_SAMPLE_CHARACTERS]
    sample = sample or " ".join(item.task for item in dataset.items)[:_SAMPLE_CHARACTERS]
    ratios = []
    for model in spec.models:
        tokens = await provider.count_tokens(Request(model, ({"role": "user", "content": sample},), 1))
        ratios.append(len(sample) / tokens if tokens else _CHARACTERS_PER_TOKEN)
    return spec.context_tokens * min(ratios)


async def _fit(
    item: Item, position: int, dataset: Dataset, spec: Spec, provider: Provider, room: float | None
) -> tuple[ItemRecord, list[PromptSize]]:
    """An item's prompt, counted for every model, with its room narrowed until none is over the context."""
    while True:
        assembly = assemble_item(item, dataset, room, spec.seed)
        sizes = [await _size(item, model, dataset, assembly.documents, spec, provider) for model in spec.models]
        largest = max(size.tokens for size in sizes)
        fits = room is None or spec.context_tokens is None or largest <= spec.context_tokens
        if fits or len(assembly.documents) == len(assembly.evidence_positions):
            return record(item, position, dataset, assembly), sizes
        room = room * min(0.995, spec.context_tokens / largest) if room and spec.context_tokens else 0.0


async def _size(
    item: Item, model: str, dataset: Dataset, documents: Sequence[str], spec: Spec, provider: Provider
) -> PromptSize:
    request = build_request(model, item, dataset, documents, spec.max_tokens)
    tokens = await provider.count_tokens(request)
    if tokens is not None:
        return PromptSize(item.id, model, tokens, counted=True)
    characters = len(request.system or "") + sum(len(str(message["content"])) for message in request.messages)
    return PromptSize(item.id, model, round(characters / _CHARACTERS_PER_TOKEN), counted=False)


def start(prepared: Prepared, dataset: Dataset) -> None:
    """Write the plan of a new run into its file; a run that exists, if only since just now, is left as it is."""
    if prepared.path.exists():
        return
    plan = prepared.plan
    used = {name for item in plan.items for name in item.documents}
    documents = {name: text for name, text in dataset.documents.items() if name in used}
    RunFile.create(prepared.path, plan.spec, plan.items, documents, plan.order, plan.sizes).close()


def check_budget(prepared: Prepared, budget_usd: float | None) -> None:
    """UsageError for a budget that could not be kept, since it is no number or a price is unknown."""
    Budget(budget_usd)
    unpriced = ", ".join(e.model for e in prepared.estimates if e.worst_usd is None)
    if budget_usd is not None and unpriced:
        raise UsageError(f"a budget cannot be kept: {unpriced} has no known price; leave it or --budget-usd out")


async def carry_out(
    prepared: Prepared,
    dataset: Dataset,
    provider: Provider,
    limits: Limits,
    budget_usd: float | None,
    tell: Callable[[Progress], None],
) -> None:
    """Send what is pending. Returns when every trial is settled.

    Raises BudgetError, InfrastructureError or InterruptedRunError when it had to stop; all that was answered
    is in the run file, and the same call goes on from there.
    """
    check_budget(prepared, budget_usd)
    with RunFile(prepared.path) as run, run.only_writer(*payers("run", budget_usd)):
        snapshot, plan, now = run.snapshot(), prepared.plan, datetime.now(UTC)
        worst_usd = worst_cases(plan.items, plan.sizes, plan.spec, now)
        budget = Budget(budget_usd, charged_usd(snapshot, now))
        calls = _calls(prepared, dataset, snapshot, worst_usd)
        ending = await execute(calls, provider, run, limits, budget, tell)
    raise_if_stopped(ending, budget, "run")


def _calls(
    prepared: Prepared, dataset: Dataset, snapshot: Snapshot, worst_usd: Callable[[TrialKey], float | None]
) -> Iterator[Call]:
    """Calls for what is unsettled now, in planned order, each request built only when its turn comes."""
    settled, earlier = settled_trials(snapshot), attempts_so_far(snapshot)
    items = {item.id: item for item in dataset.items}
    records = {item.id: item for item in prepared.plan.items}
    for trial in prepared.pending:
        if trial.id in settled:
            continue
        item_id, model, _ = trial.key
        documents, max_tokens = records[item_id].documents, prepared.plan.spec.max_tokens
        request = build_request(model, items[item_id], dataset, documents, max_tokens)
        yield Call(f"trial/{trial.id}", trial.id, request, worst_usd(trial.key), earlier.get(trial.id, 0))
