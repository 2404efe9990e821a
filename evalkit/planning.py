"""Planning: from a dataset to the trials of a run, counted, fitted into their context, and priced; nothing is sent."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Protocol

from evalkit import __version__
from evalkit.bill import Bill, judge_line, run_bill, spent_usd
from evalkit.cache_marks import CacheMode, chosen_marks
from evalkit.dataset import Dataset, Item
from evalkit.errors import InfrastructureError, IntegrityError, UsageError
from evalkit.models import known
from evalkit.plan import Plan, assemble_item, record, trial_order
from evalkit.pricing import LIST_PRICES, Prices
from evalkit.prompt import DEFAULT_MAX_TOKENS, build_request, document_text, prompt_sha256
from evalkit.providers import Preflight, Provider
from evalkit.records import ItemRecord, PromptSize, Request, Snapshot, Spec, Trial, TrialKey
from evalkit.request_check import rejections
from evalkit.rubric import Rubric
from evalkit.store import RunFile

MOST_COUNTED = 3000
"""Prompts up to which each is counted. Of more a part is: counting has a rate limit of its own."""

_SAMPLE_CHARACTERS = 120_000
_CHARACTERS_PER_TOKEN = 3.5
"""Used only where a server cannot count: on the safe side for English prose with the newer tokenizers."""
_COUNTING_AT_ONCE = 8


@dataclass(frozen=True)
class Options:
    """What to run. `context_tokens` empty means what the dataset's card says, and no filling without a card.

    Several contexts make a sweep: every item at every size. `only` names the items to take, and `condition` says by
    what rule they were chosen.
    """

    models: tuple[str, ...]
    epochs: int = 1
    limit: int | None = None
    seed: int = 1
    contexts: tuple[int, ...] = ()
    max_tokens: int = DEFAULT_MAX_TOKENS
    cache: CacheMode = "off"
    prices: Prices = LIST_PRICES
    only: frozenset[str] | None = None
    condition: Mapping[str, object] | None = None


@dataclass(frozen=True)
class Prepared:
    """A plan, the run file it belongs to, and what is still to be sent. `exists` says that it is a resumption.

    `spent_usd` is what the run file has cost, judging included. `notes` are lines for the user: what was left out,
    and how this run differs from an earlier one.
    """

    plan: Plan
    path: Path
    exists: bool
    pending: tuple[Trial, ...]
    bill: Bill
    spent_usd: float
    options: Options
    notes: tuple[str, ...] = ()

    @property
    def done(self) -> int:
        """Trials that are settled already."""
        return len(self.plan.order) - len(self.pending)


class _Counter(Protocol):
    """What planning asks of a provider."""

    async def count_tokens(self, request: Request, /) -> int | None: ...


class _NoServer:
    """Counts nothing, so that sizes are estimated from characters."""

    async def count_tokens(self, _request: Request, /) -> int | None:
        return None


@dataclass(frozen=True)
class _Variant:
    """An item at one size: what becomes one record of the run file."""

    item: Item
    position: int
    context_tokens: int | None
    models: tuple[str, ...]
    id: str = field(default="")


def chosen_items(dataset: Dataset, options: Options) -> tuple[Item, ...]:
    """The items of a run: all, those of `only`, or the first `limit` of them."""
    items = tuple(item for item in dataset.items if options.only is None or item.id in options.only)
    return items if options.limit is None else items[: options.limit]


def make_spec(name: str, dataset: Dataset, rubric: Rubric | None, options: Options, server: Preflight) -> Spec:
    """What this run is; two calls with the same inputs give the same run. Without a rubric it can be priced only."""
    contexts, marks = options.contexts, chosen_marks(options.cache, dataset)
    return Spec(
        name=name,
        dataset_sha256=dataset.sha256,
        rubric_sha256="" if rubric is None else rubric.sha256,
        prompt_sha256=prompt_sha256(options.max_tokens, dataset.template),
        models=options.models,
        epochs=options.epochs,
        seed=options.seed,
        context_tokens=max(contexts) if contexts else dataset.card.context_tokens,
        limit=options.limit,
        endpoint=server.endpoint,
        simulated=server.simulated,
        max_tokens=options.max_tokens,
        rubric={} if rubric is None else rubric.content(),
        package_version=__version__,
        prices_version=options.prices.version(),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        contexts=contexts if len(contexts) > 1 else (),
        cache="off" if marks is None else marks.ttl,
        condition=options.condition,
    )


def run_path(folder: Path, spec: Spec) -> Path:
    """Where a run lives: the dataset's name and the spec's hash, so that the same command finds it again."""
    return folder / f"{spec.name}-{spec.sha256[:8]}.db"


_WHAT = {
    "dataset_sha256": "dataset",
    "rubric_sha256": "rubric",
    "prompt_sha256": "prompt",
    "context_tokens": "context",
    "max_tokens": "output cap",
    "condition": "choice of items",
}
_SAID_ELSEWHERE = {"contexts", "rubric", "package_version", "prices_version", "created_at"}


def differences(ours: Spec, theirs: Spec) -> list[str]:
    """What makes two specs different runs, in words."""
    names = [name for name in ours.__dataclass_fields__ if name not in _SAID_ELSEWHERE]
    found = [_WHAT.get(name, name) for name in names if getattr(ours, name) != getattr(theirs, name)]
    return [*found, "contexts"] if ours.contexts != theirs.contexts and "context" not in found else found


async def prepare(
    dataset: Dataset,
    rubric: Rubric,
    options: Options,
    provider: Provider,
    place: Path,
    tell: Callable[[int, int], None],
    judge: str | None = None,
) -> Prepared:
    """Validate against the server, find or plan the run, and say what is left and what it may cost.

    `place` is the folder of the run files, or the run file itself if it ends in .db. Spends nothing and writes
    nothing. `tell(done, total)` reports the counting of tokens. Raises UsageError for an unknown model or a context
    that does not fit, IntegrityError for a file of another run, InfrastructureError if the server refuses.
    """
    server = await provider.preflight(options.models)
    problems = server.problems or rejections(dataset, options.models, options.max_tokens, server.facts)
    if problems:
        raise UsageError("\n".join(problems))
    spec = make_spec(dataset.name, dataset, rubric, options, server)
    path = place if place.suffix == ".db" else run_path(place, spec)
    now, snapshot, notes = datetime.now(UTC), _earlier(path, spec), tuple[str, ...]()
    if snapshot is not None:
        plan = Plan(snapshot.spec, snapshot.items, snapshot.sizes, tuple(t.key for t in snapshot.trials))
        trials, settled, spent = snapshot.trials, settled_trials(snapshot), spent_usd(snapshot)
    else:
        variants, notes = _variants(dataset, options, spec)
        plan = await _plan(dataset, spec, variants, provider, tell)
        notes = (*notes, *_others(place, spec))
        settled, spent = set(), 0.0
        trials = tuple(Trial(n + 1, key, n) for n, key in enumerate(plan.order))
    pending = tuple(trial for trial in trials if trial.id not in settled)
    records = {item.id: item for item in plan.items}
    lines = run_bill(plan, [t.key for t in pending], now, snapshot, options.prices)
    lengths = {line.model: line.output_tokens for line in lines}
    outputs = ((t.key.item_id, lengths[t.key.model]) for t in trials)
    judged = None if judge is None else judge_line(judge, rubric, records, outputs, now, options.prices)
    return Prepared(plan, path, snapshot is not None, pending, Bill(lines, judged), spent, options, notes)


def foreseen_bill(dataset: Dataset, rubric: Rubric | None, options: Options, judge: str) -> Bill:
    """What a run may cost before any server is asked: prompts estimated from their characters, typical answers.

    The judge's line is for grading every output once; None without a rubric. Raises UsageError for a context that
    does not fit.
    """
    spec = make_spec(dataset.name, dataset, rubric, options, Preflight("", simulated=False))
    plan = asyncio.run(_plan(dataset, spec, _variants(dataset, options, spec)[0], _NoServer(), lambda *_: None))
    now, records = datetime.now(UTC), {item.id: item for item in plan.items}
    lines = run_bill(plan, plan.order, now, None, options.prices)
    lengths = {line.model: line.output_tokens for line in lines}
    outputs = ((key.item_id, lengths[key.model]) for key in plan.order)
    return Bill(lines, None if rubric is None else judge_line(judge, rubric, records, outputs, now, options.prices))


def check_writable(place: Path) -> None:
    """InfrastructureError if no run file can be made at `place`: better said before tokens are counted than after."""
    folder = place.parent if place.suffix == ".db" else place
    while not folder.exists():
        folder = folder.parent
    try:
        with TemporaryFile(dir=folder):
            return
    except OSError as error:
        raise InfrastructureError(
            f"run files cannot be written in {str(folder)!r} ({error.strerror}); name another place with --runs or -o"
        ) from error


def _earlier(path: Path, spec: Spec) -> Snapshot | None:
    """What the run file holds already; None if there is none."""
    if not path.exists():
        return None
    with RunFile(path, read_only=True) as run:
        snapshot = run.snapshot()
    if snapshot.spec.sha256 != spec.sha256:
        what = ", ".join(differences(spec, snapshot.spec))
        raise IntegrityError(f"{path} holds another run ({what} differ); name another file, or leave -o out")
    return snapshot


def _others(place: Path, spec: Spec) -> list[str]:
    """How this new run differs from the latest one of the same dataset, which it neither goes on with nor mixes."""
    if place.suffix == ".db" or not place.is_dir():
        return []
    for other in sorted(place.glob(f"{spec.name}-*.db"), key=lambda p: p.stat().st_mtime, reverse=True):
        try:
            with RunFile(other, read_only=True) as run:
                theirs = run.spec()
        except (IntegrityError, UsageError):
            continue
        return [f"not the run of {other}: {', '.join(differences(spec, theirs))} differ; nothing of it is reused"]
    return []


def _variants(dataset: Dataset, options: Options, spec: Spec) -> tuple[list[_Variant], tuple[str, ...]]:
    """Every item at every size, without models that the size does not fit; and lines for what was left out."""
    _check_caps(spec)
    sizes: tuple[int | None, ...] = spec.contexts or (spec.context_tokens,)
    fitting = {size: tuple(model for model in spec.models if _fits(model, size, spec)) for size in sizes}
    notes = []
    for size, models in fitting.items():
        left_out = [model for model in spec.models if model not in models]
        if left_out and not spec.contexts:
            raise UsageError(f"{_too_large(left_out[0], size, spec)}; lower --context or leave the model out")
        notes += [f"skipped: {_too_large(model, size, spec)}" for model in left_out]
    if not any(fitting.values()):
        raise UsageError(f"{'; '.join(notes)}; no size is left, lower --context")
    items = chosen_items(dataset, options)
    variants = [
        _Variant(item, n * len(sizes) + m, size, fitting[size], f"{item.id}@{size}" if spec.contexts else item.id)
        for n, item in enumerate(items)
        for m, size in enumerate(sizes)
        if fitting[size]
    ]
    return variants, tuple(notes)


def _check_caps(spec: Spec) -> None:
    for name in spec.models:
        model = known(name)
        if model is not None and spec.max_tokens > model.max_output_tokens:
            raise UsageError(
                f"--max-tokens {spec.max_tokens:,} is over what {name!r} can write"
                f" ({model.max_output_tokens:,}); lower it"
            )


def _fits(name: str, context_tokens: int | None, spec: Spec) -> bool:
    model = known(name)
    return model is None or (context_tokens or 0) + spec.max_tokens <= model.context_tokens


def _too_large(name: str, context_tokens: int | None, spec: Spec) -> str:
    model = known(name)
    window = model.context_tokens if model else 0
    needed = (context_tokens or 0) + spec.max_tokens
    return f"{needed:,} tokens of context and answer do not fit {name!r} ({window:,})"


def settled_trials(snapshot: Snapshot) -> set[int]:
    """Trials that have their answer, or a failure that trying again cannot change."""
    return {attempt.trial_id for attempt in snapshot.attempts if attempt.final and attempt.grader is None}


async def _plan(
    dataset: Dataset,
    spec: Spec,
    variants: Sequence[_Variant],
    provider: _Counter,
    tell: Callable[[int, int], None],
) -> Plan:
    planner = _Planner(dataset, spec, provider, await _characters_per_token(dataset, spec, provider))
    planner.count_every = max(1, len(variants) * len(spec.models) // MOST_COUNTED)
    planned: dict[str, tuple[ItemRecord, list[PromptSize]]] = {}
    queue = iter(variants)

    async def work() -> None:
        for variant in queue:
            planned[variant.id] = await planner.fit(variant)
            tell(len(planned), len(variants))

    async with asyncio.TaskGroup() as group:
        for _ in range(_COUNTING_AT_ONCE):
            group.create_task(work())
    records = tuple(planned[variant.id][0] for variant in variants)
    sizes = tuple(size for variant in variants for size in planned[variant.id][1])
    return Plan(spec, records, sizes, tuple(_order(variants, spec)))


def _order(variants: Sequence[_Variant], spec: Spec) -> Iterator[TrialKey]:
    fitting = {variant.id: variant.models for variant in variants}
    for key in trial_order([variant.id for variant in variants], spec.models, spec.epochs, spec.seed):
        if key.model in fitting[key.item_id]:
            yield key


async def _characters_per_token(dataset: Dataset, spec: Spec, provider: _Counter) -> Mapping[str, float]:
    """How many characters of this dataset's text make a token, by model."""
    sample = document_text(sorted(dataset.documents), dataset.documents)[:_SAMPLE_CHARACTERS]
    sample = sample or " ".join(item.task for item in dataset.items)[:_SAMPLE_CHARACTERS]
    ratios = {}
    for model in spec.models:
        tokens = await provider.count_tokens(Request(model, ({"role": "user", "content": sample},), 1))
        ratios[model] = len(sample) / tokens if tokens else _CHARACTERS_PER_TOKEN
    return ratios


@dataclass
class _Planner:
    """Fits items into their context; `count_every` prompt of those that need no fitting is counted."""

    dataset: Dataset
    spec: Spec
    provider: _Counter
    ratios: Mapping[str, float]
    count_every: int = 1

    async def fit(self, variant: _Variant) -> tuple[ItemRecord, list[PromptSize]]:
        """An item's prompt, counted for every model, with its room narrowed until none is over the context."""
        context = variant.context_tokens
        room = None if context is None else context * min(self.ratios[model] for model in variant.models)
        while True:
            assembly = assemble_item(variant.item, self.dataset, room, self.spec.seed)
            sizes = [await self._size(variant, model, assembly.documents) for model in variant.models]
            largest = max(size.tokens for size in sizes)
            fits = room is None or context is None or largest <= context
            if fits or len(assembly.documents) == len(assembly.evidence_positions):
                return record(variant.item, variant.position, self.dataset, assembly, variant.id, context), sizes
            room = room * min(0.995, context / largest) if room and context else 0.0

    async def _size(self, variant: _Variant, model: str, documents: Sequence[str]) -> PromptSize:
        request = build_request(model, variant.item, self.dataset, documents, self.spec.max_tokens)
        if variant.context_tokens is not None or variant.position % self.count_every == 0:
            tokens = await self.provider.count_tokens(request)
            if tokens is not None:
                return PromptSize(variant.id, model, tokens, counted=True)
        characters = len(request.system or "") + sum(len(str(message["content"])) for message in request.messages)
        return PromptSize(variant.id, model, round(characters / self.ratios[model]), counted=False)


def start(prepared: Prepared, dataset: Dataset) -> None:
    """Write the plan of a new run into its file; a run that exists, if only since just now, is left as it is."""
    if prepared.path.exists():
        return
    plan = prepared.plan
    used = {name for item in plan.items for name in item.documents}
    documents = {name: text for name, text in dataset.documents.items() if name in used}
    RunFile.create(prepared.path, plan.spec, plan.items, documents, plan.order, plan.sizes).close()


def dataset_items(dataset: Dataset, plan: Plan) -> dict[str, Item]:
    """The dataset's item behind each record of a plan, by the record's id."""
    items = {item.id: item for item in dataset.items}
    return {item.id: items[item.variant_of or item.id] for item in plan.items}
