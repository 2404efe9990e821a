"""Planning: from a dataset to the trials of a run, counted, fitted into their context, and priced; nothing is sent."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile

from evalkit import __version__
from evalkit.bill import Bill, run_bill
from evalkit.cache_marks import CacheMode, check_marks, chosen_marks
from evalkit.cached_prefixes import Prefix, marked_prefixes
from evalkit.charged import NOTHING, Charged
from evalkit.claims import charged
from evalkit.compact import PromptSizes, TrialOrder
from evalkit.dataset import Dataset, Item
from evalkit.dataset_changes import changed_parts
from evalkit.disk_errors import said_plainly
from evalkit.errors import InfrastructureError, IntegrityError, UsageError
from evalkit.fitting import NoServer, Variant, fitted_plan
from evalkit.frozen import dataclass
from evalkit.judge_bill import foreseen_lines, judges_seen
from evalkit.models import DEFAULT_MAX_TOKENS, known
from evalkit.panel import Panel
from evalkit.plan import Plan
from evalkit.pricing import LIST_PRICES, Prices
from evalkit.prompt import build_request, prompt_sha256
from evalkit.prompt_notes import prompt_notes
from evalkit.providers import Preflight, Provider, batches
from evalkit.records import Snapshot, Spec, TrialKey
from evalkit.request_check import rejections
from evalkit.rubric import Rubric
from evalkit.spec_differences import differences, differing
from evalkit.staging import first_items
from evalkit.store import RunFile
from evalkit.way import LOCAL, Way, sent_in_batches


@dataclass(frozen=True)
class Options:
    """What to run. `contexts` empty means what the dataset's card says, and no filling without a card.

    Several contexts make a sweep: every item at every size. `only` names the items to take, and `condition` says by
    what rule they were chosen. `share`: of the planned items, the part to send now; it makes no other run.
    `dataset_files`, `rubric_file`: as of `Spec`.
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
    way: Way = LOCAL
    share: float = 1.0
    dataset_files: tuple[str, ...] = ()
    rubric_file: str | None = None


@dataclass(frozen=True, repr=False)
class Prepared:
    """A plan, the run file it belongs to, and the trials that are settled. `exists` says that it is a resumption.

    Nobody wants it printed, but asyncio (3.11) spells out what a main task returns, which is every item of a run.
    `later`: trials that this command leaves for one with a larger share.
    `charged` is what the run file has cost, judging included. `notes` are lines for the user: what was left out,
    and how this run differs from an earlier one.
    """

    plan: Plan
    path: Path
    exists: bool
    settled: frozenset[int]
    bill: Bill
    charged: Charged
    options: Options
    notes: tuple[str, ...] = ()
    later: frozenset[int] = frozenset()

    @property
    def done(self) -> int:
        """How many trials are settled already."""
        return len(self.settled)

    @property
    def left(self) -> int:
        """How many are still to be sent by this command."""
        return len(self.plan.order) - self.done - len(self.later)


def chosen_items(dataset: Dataset, options: Options) -> tuple[Item, ...]:
    """The items of a run: all, those of `only`, or the first `limit` of them."""
    items = tuple(item for item in dataset.items if options.only is None or item.id in options.only)
    return items if options.limit is None else items[: options.limit]


def make_spec(name: str, dataset: Dataset, rubric: Rubric | None, options: Options, server: Preflight) -> Spec:
    """What this run is; two calls with the same inputs give the same run. Without a rubric it can be priced only."""
    contexts, marks, now = options.contexts, chosen_marks(options.cache, dataset), datetime.now(UTC)
    return Spec(
        name=name,
        dataset_sha256=dataset.sha256,
        rubric_sha256="" if rubric is None else rubric.sha256,
        prompt_sha256=prompt_sha256(options.max_tokens, dataset.template),
        models=options.models,
        epochs=options.epochs,
        seed=options.seed,
        context_tokens=contexts[0] if len(contexts) == 1 else dataset.card.context_tokens,
        limit=options.limit,
        endpoint=server.endpoint,
        simulated=server.simulated,
        max_tokens=options.max_tokens,
        rubric={} if rubric is None else rubric.content(),
        package_version=__version__,
        prices_version=options.prices.version(),
        created_at=now.isoformat(timespec="seconds"),
        contexts=contexts if len(contexts) > 1 else (),
        cache="off" if marks is None else marks.ttl,
        condition=options.condition,
        economics_stated=None if rubric is None else rubric.economics.correction_stated,
        rates={model: options.prices.tiers(model, now) for model in options.models},
        dataset_files=options.dataset_files,
        rubric_file=options.rubric_file,
    )


def run_path(folder: Path, spec: Spec) -> Path:
    """Where a run lives: the dataset's name and the spec's hash, so that the same command finds it again."""
    return folder / f"{spec.name}-{spec.sha256[:8]}.db"


async def prepare(
    dataset: Dataset,
    rubric: Rubric,
    options: Options,
    provider: Provider,
    place: Path,
    tell: Callable[[int, int], None],
    panel: Panel | None = None,
    at_once: int = 8,
) -> Prepared:
    """Validate against the server, find or plan the run, and say what is left and what it may cost.

    `place` is the folder of the run files, or the run file itself if it ends in .db. Spends nothing and writes
    nothing. `tell(done, total)` reports the counting of tokens; `at_once` requests will be in flight. Raises UsageError
    for an unknown model that is still to be asked or a context that does not fit, IntegrityError for a file of another
    run, InfrastructureError if the server refuses.
    """
    server = await provider.preflight(options.models)
    chosen = replace(dataset, items=chosen_items(dataset, options))
    problems = rejections(chosen, options.models, options.max_tokens, server.facts)
    if problems and not server.problems:
        raise UsageError("\n".join(problems))
    if options.way.executor == "batch":
        await batches.require(provider)
    spec = make_spec(dataset.name, dataset, rubric, options, server)
    path = place if place.suffix == ".db" else run_path(place, spec)
    now, snapshot, notes = datetime.now(UTC), _earlier(path, spec, chosen), tuple[str, ...]()
    if snapshot is not None:
        ids, keys = [item.id for item in snapshot.items], (trial.key for trial in snapshot.trials)
        order = TrialOrder(keys, ids, snapshot.spec.models)
        plan = Plan(snapshot.spec, snapshot.items, PromptSizes(snapshot.sizes), order)
        settled = settled_trials(snapshot)
        spent = charged(snapshot, now, prices=options.prices, besides=snapshot.in_batches)
        notes = (*_at_server(snapshot, options.way, path), *_other_prices(snapshot.spec, spec))
    else:
        _refuse_unserved(server, options.models)
        variants, notes = _variants(dataset, options, spec)
        plan = await fitted_plan(dataset, spec, variants, provider, tell, server.facts)
        notes = (*notes, *_others(place, spec))
        settled, spent = set(), NOTHING
    notes = (*notes, *prompt_notes(plan, chosen, options.cache))
    later = _later(plan, options.share, settled, snapshot)
    batched = options.way.batched(plan.items, spec.seed, () if snapshot is None else sent_in_batches(snapshot))
    waiting = later | settled
    left = [trial.key for trial in plan.trials() if trial.id not in waiting] if waiting else plan.order
    _refuse_unserved(server, {key.model for key in set(left) - _in_batches(snapshot)})
    prefixes = _prefixes(plan, chosen, options)
    lines = run_bill(plan, left, now, snapshot, options.prices, batched, prefixes, at_once)
    lengths = {line.model: line.output_tokens for line in lines}
    documents = dataset.documents if snapshot is None else snapshot.documents
    outputs = _outputs(plan, (trial.key for trial in plan.trials() if trial.id not in later), lengths)
    seen = None if snapshot is None else judges_seen(snapshot)
    judges = (
        ()
        if panel is None
        else foreseen_lines(panel, rubric, plan.records, documents, outputs, now, options.prices, seen)
    )
    return Prepared(
        plan, path, snapshot is not None, frozenset(settled), Bill(lines, judges), spent, options, notes, later
    )


def _in_batches(snapshot: Snapshot | None) -> frozenset[TrialKey]:
    """The trials whose answers a batch has, or will have, for whoever fetches them."""
    if snapshot is None or not snapshot.in_batches:
        return frozenset()
    waiting = {attempt.trial_id for attempt in snapshot.attempts if attempt.id in snapshot.in_batches}
    return frozenset(trial.key for trial in snapshot.trials if trial.id in waiting)


def _refuse_unserved(server: Preflight, models: Collection[str]) -> None:
    """UsageError where a model of these is none that the server has; one of which nothing is left to send may be gone,
    as a pin that has retired."""
    problems = [problem for model, problem in server.problems.items() if model in models]
    if problems:
        raise UsageError("\n".join(problems))


def _outputs(
    plan: Plan, keys: Iterable[TrialKey], lengths: Mapping[str, float]
) -> Iterator[tuple[TrialKey, float, int]]:
    """What judges will be shown: each output with the tokens it is expected to have, and the most."""
    for key in keys:
        yield key, lengths[key.model], plan.records[key.item_id].max_tokens or plan.spec.max_tokens


def _prefixes(plan: Plan, dataset: Dataset, options: Options) -> Callable[[str], tuple[Prefix, ...]]:
    """What is marked for caching in each item's prompt. UsageError for one that is marked more than the API takes."""
    marks, items = chosen_marks(options.cache, dataset), {item.id: item for item in dataset.items}

    @cache
    def of_item(item_id: str) -> tuple[Prefix, ...]:
        record = plan.records[item_id]
        item = items[record.variant_of or item_id]
        request = build_request("", item, dataset, record.documents, options.max_tokens, marks)
        check_marks(dataset, item.id, request)
        return marked_prefixes(request)

    for record in plan.items if marks is not None else ():
        of_item(record.id)  # all are checked before anything is spent
    return of_item


def _later(plan: Plan, share: float, settled: Collection[int], snapshot: Snapshot | None) -> frozenset[int]:
    """Trials beyond the share that is sent now; what a batch has taken is fetched all the same."""
    if share >= 1:
        return frozenset()
    now = first_items(plan.items, plan.spec.seed, share)
    taken = set(settled)
    if snapshot is not None:
        waiting = snapshot.in_batches
        taken |= {attempt.trial_id for attempt in snapshot.attempts if attempt.id in waiting}
    return frozenset(t.id for t in plan.trials() if t.key.item_id not in now and t.id not in taken)


def foreseen_bill(dataset: Dataset, rubric: Rubric | None, options: Options, panel: Panel) -> Bill:
    """What a run may cost before any server is asked: prompts estimated from their characters, typical answers.

    The judges' lines are for judging every output; none without a rubric. Raises UsageError for a context that does
    not fit.
    """
    spec = make_spec(dataset.name, dataset, rubric, options, Preflight("", simulated=False))
    plan = asyncio.run(
        fitted_plan(dataset, spec, _variants(dataset, options, spec)[0], NoServer(), lambda *_: None, {})
    )
    now = datetime.now(UTC)
    prefixes = _prefixes(plan, dataset, options)
    lines = run_bill(plan, plan.order, now, None, options.prices, prefixes=prefixes)
    lengths = {line.model: line.output_tokens for line in lines}
    outputs = _outputs(plan, plan.order, lengths)
    if rubric is None:
        return Bill(lines)
    judges = foreseen_lines(panel, rubric, plan.records, dataset.documents, outputs, now, options.prices)
    return Bill(lines, judges)


def check_writable(place: Path) -> None:
    """InfrastructureError if no run file can be made at `place`: better said before tokens are counted than after."""
    folder = place.parent if place.suffix == ".db" else place
    try:
        while not folder.exists():
            folder = folder.parent
        with TemporaryFile(dir=folder):
            return
    except OSError as error:
        raise InfrastructureError(
            f"run files cannot be written in {str(folder)!r} ({error.strerror}); name another place with --runs or -o"
        ) from error


def _at_server(snapshot: Snapshot, way: Way, path: Path) -> tuple[str, ...]:
    """What an earlier command has left in batches; UsageError if this one would send it once more."""
    count = len(snapshot.in_batches)
    if count and way.executor != "batch":
        raise UsageError(
            f"{count} requests of {path} are in batches at the server, paid for; fetch them with --executor batch"
        )
    return (f"{count} of these were submitted by an earlier command: fetched, not sent again",) if count else ()


def _other_prices(theirs: Spec, ours: Spec) -> tuple[str, ...]:
    """Prices make no other run, but a total of two price lists has to be known for one."""
    if theirs.prices_version == ours.prices_version:
        return ()
    return (f"begun with other prices: {theirs.prices_version}, from here on {ours.prices_version}",)


def _earlier(path: Path, spec: Spec, dataset: Dataset) -> Snapshot | None:
    """What the run file holds already; None if there is none."""
    with said_plainly(path):
        if not path.exists():
            return None
    with RunFile(path, read_only=True) as run:
        snapshot = run.snapshot()
    if snapshot.spec.sha256 != spec.sha256:
        what = differing(differences(spec, snapshot.spec))
        if spec.dataset_sha256 != snapshot.spec.dataset_sha256:
            what += f"; in the dataset: {changed_parts(dataset, snapshot)}"
        if spec.models != snapshot.spec.models:
            what += f"; its models, in this order: {', '.join(snapshot.spec.models)}"
        raise IntegrityError(f"{path} holds another run ({what}); name another file, or leave -o out")
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
        return [f"not the run of {other}: {differing(differences(spec, theirs))}; nothing of it is reused"]
    return []


def _variants(dataset: Dataset, options: Options, spec: Spec) -> tuple[list[Variant], tuple[str, ...]]:
    """Every item at every size, without models that the size does not fit; and lines for what was left out."""
    _check_caps(spec)
    sizes: tuple[int | None, ...] = spec.contexts or (spec.context_tokens,)
    items = chosen_items(dataset, options)
    answer = max((dataset.params(item).get("max_tokens") or spec.max_tokens for item in items), default=0)
    fitting = {size: tuple(model for model in spec.models if _fits(model, size, answer)) for size in sizes}
    notes = []
    for size, models in fitting.items():
        left_out = [model for model in spec.models if model not in models]
        if left_out and not spec.contexts:
            raise UsageError(f"{_too_large(left_out[0], size, answer)}; lower --context or leave the model out")
        notes += [f"skipped: {_too_large(model, size, answer)}" for model in left_out]
    if not any(fitting.values()):
        raise UsageError(f"{'; '.join(notes)}; no size is left, lower --context")
    variants = [
        Variant(item, n * len(sizes) + m, size, fitting[size], f"{item.id}@{size}" if spec.contexts else item.id)
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


def _fits(name: str, context_tokens: int | None, answer_tokens: int) -> bool:
    model = known(name)
    return model is None or (context_tokens or 0) + answer_tokens <= model.context_tokens


def _too_large(name: str, context_tokens: int | None, answer_tokens: int) -> str:
    model = known(name)
    window = model.context_tokens if model else 0
    needed = (context_tokens or 0) + answer_tokens
    return f"{needed:,} tokens of context and answer do not fit {name!r} ({window:,})"


def settled_trials(snapshot: Snapshot) -> set[int]:
    """Trials that have their answer, or a failure that trying again cannot change."""
    return {attempt.trial_id for attempt in snapshot.attempts if attempt.final and attempt.grader is None}


def start(prepared: Prepared, dataset: Dataset) -> None:
    """Write the plan of a new run into its file; a run that exists, if only since just now, is left as it is."""
    if prepared.path.exists():
        return
    plan = prepared.plan
    used = {name for item in plan.items for name in item.documents}
    documents = {name: text for name, text in dataset.documents.items() if name in used}
    RunFile.create(prepared.path, plan.spec, plan.items, documents, plan.order, plan.sizes).close()
