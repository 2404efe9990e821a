"""Analysis: a snapshot of a run in, one frozen result out, which report, gate and routing all read."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from evalkit.analysis.against import (
    NO_COUNTERPART,
    against,
    at_like_caches,
    at_one_price,
    baseline_of,
    priced_alike,
    set_apart_by_caches,
)
from evalkit.analysis.agreements import agreements
from evalkit.analysis.blinding import blinding, seen_through
from evalkit.analysis.caching import cache_costs, cache_warnings
from evalkit.analysis.columns import Columns, columns_of, in_all
from evalkit.analysis.compare import pairs
from evalkit.analysis.consistency import consistencies
from evalkit.analysis.contexts import at_context, production_size, sizes_of
from evalkit.analysis.corrections import correction_cost
from evalkit.analysis.criterion_gaps import criterion_gaps
from evalkit.analysis.decide import decide
from evalkit.analysis.disputes import disputes
from evalkit.analysis.grading import grading_of
from evalkit.analysis.grading_time import grading_time
from evalkit.analysis.items import item_results
from evalkit.analysis.judge_biases import judge_biases
from evalkit.analysis.leanings import hasty_graders, leanings
from evalkit.analysis.per_model import criteria, model_result, slices
from evalkit.analysis.preferred import preferred
from evalkit.analysis.price_cliffs import cliff_warnings, price_cliffs
from evalkit.analysis.priced_otherwise import priced_otherwise
from evalkit.analysis.reliability import judge_validity
from evalkit.analysis.results import Analysis, ItemResult
from evalkit.analysis.robust import item_quality, stability
from evalkit.analysis.sessions import clock_warnings, session_results
from evalkit.analysis.signals import find_signals
from evalkit.analysis.sweep import sweep_of, sweep_warnings
from evalkit.analysis.trials import TrialResult, graded_by_sandbox, trial_results
from evalkit.analysis.validity import validities
from evalkit.analysis.views import Levels, levels_by_grader
from evalkit.analysis.warn import about_origin, warnings_for
from evalkit.analysis.without_batches import EXACT, batch_warnings, pair_sent_unlike, sent_apart, without_batches
from evalkit.analysis.workers import worker_results
from evalkit.conditional import mark, refuse
from evalkit.cut_streams import CutStreams
from evalkit.difficulty import DIFFICULTIES
from evalkit.errors import IntegrityError, UsageError
from evalkit.grader_names import JUDGE
from evalkit.pricing import Prices
from evalkit.records import Attempt, ItemRecord, PromptSize, Snapshot, Spec
from evalkit.rounds import picked
from evalkit.rubric import Rubric

SMALLEST_SLICE = 5
"""Items below which a slice by tag says nothing worth a line."""

__all__ = ["Analysis", "analyze"]


def analyze(
    snapshot: Snapshot,
    baseline: Snapshot | None = None,
    prices: Prices | None = None,
    counterparts: Mapping[str, str] | None = None,
) -> Analysis:
    """Everything that can be said about a run now; pure, so the same arguments give the same result.

    With a `baseline` run of the same dataset and rubric, each model is compared with its counterpart there as well;
    `counterparts` names it for a model where it is not the one of the same id or tier.
    `prices` are the team's own, where the run was priced by them; without, the published ones.
    Of a context sweep one size is analysed, that of production, and all of them side by side in `sweep`. Raises
    IntegrityError if the two runs are not of the same dataset and rubric, UsageError if one of them is conditional
    or the baseline was not run at the size.
    """
    if baseline is not None:
        baseline = _comparable(baseline, snapshot.spec)
    if snapshot.spec.contexts:
        return _of_sweep(snapshot, baseline, prices, counterparts)
    return _of_one(snapshot, baseline, prices, counterparts, sent_apart(snapshot, prices or Prices()))


def _of_one(
    snapshot: Snapshot,
    baseline: Snapshot | None,
    prices: Prices | None,
    counterparts: Mapping[str, str] | None,
    apart: bool,
) -> Analysis:
    """The analysis of a run at one context size; `apart`: at the price without batches."""
    found, tables = _analyzed(snapshot, prices, apart)
    if baseline is not None:
        found = _with_baseline(found, tables, snapshot, baseline, counterparts, prices)
    found = replace(found, signals=find_signals(found))
    text = mark(snapshot.spec)
    return found if text is None else _conditional(found, text)


def _analyzed(snapshot: Snapshot, prices: Prices | None, apart: bool) -> tuple[Analysis, Mapping[str, Columns]]:
    """A run by itself, without signals, and its trials by model."""
    rubric = Rubric.read_back(snapshot.spec.rubric)
    billed = trial_results(snapshot, rubric)
    results = without_batches(snapshot, billed, prices or Prices()) if apart else billed
    models = snapshot.spec.models
    by_model = _by_model(results, models)
    tables = _tables(by_model, rubric)
    correction = correction_cost(snapshot.corrections, results, rubric.economics, said=snapshot.spec.economics_stated)
    sizes = {m: _sizes(snapshot, m) for m in models}
    per_model = tuple(model_result(m, by_model[m], tables[m], sizes[m], rubric, correction, models) for m in models)
    if snapshot.spec.imported:  # nobody here knows whether a failure of theirs broke off, and its cost was given
        per_model = tuple(replace(model, cut=CutStreams()) for model in per_model)
    grading = grading_of(snapshot, results, rubric)
    levels = levels_by_grader(snapshot)
    judges = judge_validity(levels, results, rubric, snapshot.spec.seed, picked(snapshot), all_heard=grading.picked)
    caching = cache_costs(_attempts(by_model), prices)
    outputs = item_results(snapshot, billed, prices or Prices())
    analysis = Analysis(
        spec=snapshot.spec,
        items=len(snapshot.items),
        models=per_model,
        pairs=pairs(tables, snapshot.spec.seed, correction.usd),
        slices=slices(
            tables,
            {**_groups(snapshot.items), **_by_context(snapshot, outputs)},
            correction,
            rubric.economics.review_usd,
        ),
        criteria=criteria(tables, rubric),
        criterion_gaps=criterion_gaps(tables, rubric, snapshot.spec.seed),
        decision=decide(per_model, rubric.decision.bar),
        grading=grading,
        outputs=outputs,
        priced_otherwise=priced_otherwise(snapshot),
        without_batches=apart,
        price_cliffs=price_cliffs(outputs, snapshot.spec, _own(prices)),
        review_usd=rubric.economics.review_usd,
        correction=correction,
        documents=snapshot.documents,
        simulated_grades=graded_by_sandbox(snapshot),
        stability=None
        if any(model.at_worst for model in per_model)
        else stability(tables, rubric.decision.bar, snapshot.spec.seed),
        item_quality=item_quality(tables, [item.id for item in snapshot.items]),
        judges=judges,
        caching=caching,
        sessions=session_results(snapshot),
        workers=worker_results(snapshot),
    )
    analysis = _with_graders(analysis, snapshot, levels, results, rubric)
    return replace(analysis, warnings=_warnings(analysis, snapshot, rubric, tables, results)), tables


def _sizes(snapshot: Snapshot, model: str) -> list[PromptSize]:
    return [size for size in snapshot.sizes if size.model == model]


def _by_model(results: Sequence[TrialResult], models: Sequence[str]) -> dict[str, list[TrialResult]]:
    return {model: [result for result in results if result.key.model == model] for model in models}


def _tables(by_model: Mapping[str, Sequence[TrialResult]], rubric: Rubric) -> dict[str, Columns]:
    criteria = [criterion.id for criterion in rubric.criteria]
    return {model: columns_of(results, criteria) for model, results in by_model.items()}


def _with_baseline(
    analysis: Analysis,
    tables: Mapping[str, Columns],
    snapshot: Snapshot,
    baseline: Snapshot,
    counterparts: Mapping[str, str] | None,
    prices: Prices | None,
) -> Analysis:
    _refuse_other_work(snapshot, baseline)
    priced_by = prices or Prices()
    earlier, then = _analyzed(baseline, None, sent_apart(baseline, priced_by))
    apart = analysis.without_batches or earlier.without_batches
    if apart:
        tables, then = _tables_of(snapshot), _tables_of(baseline)
    settings = (snapshot.spec.seed, analysis.correction.usd, counterparts)
    compared = against(tables, then, *settings)
    sent: tuple[str, ...] = ()
    unlike = {pair.b: pair_sent_unlike(baseline, pair.a, snapshot, pair.b) for pair in compared}
    by_caches = set_apart_by_caches(compared, earlier.caching, analysis.caching)
    if apart or max(unlike.values(), default=0.0) > EXACT:
        now, before = (_tables_of(run, priced_by) for run in (snapshot, baseline))
        outside = [
            full if apart or unlike[full.b] > EXACT else pair
            for pair, full in zip(compared, against(now, before, *settings), strict=True)
        ]
        compared, sent = at_one_price(compared, outside, snapshot, baseline, unlike, by_caches)
    compared, warmed = at_like_caches(compared, by_caches)
    if not compared:
        analysis = replace(analysis, warnings=(*analysis.warnings, NO_COUNTERPART))
    compared, priced = priced_alike(compared, earlier, analysis)
    known = baseline_of(snapshot, baseline, compared, (*sent, *warmed, *priced))
    told = tuple(f"Earlier run: {line}" for line in (*earlier.warnings, *clock_warnings(earlier.sessions)))
    return replace(analysis, against=compared, baseline=replace(known, warnings=told))


def _tables_of(run: Snapshot, outside: Prices | None = None) -> Mapping[str, Columns]:
    """Trials by model, as billed or, with prices, as they would have been `outside` of batches."""
    rubric = Rubric.read_back(run.spec.rubric)
    billed = trial_results(run, rubric)
    results = billed if outside is None else without_batches(run, billed, outside)
    return _tables(_by_model(results, run.spec.models), rubric)


def _attempts(by_model: Mapping[str, Sequence[TrialResult]]) -> dict[str, list[Attempt]]:
    return {model: [a for result in results for a in result.attempts] for model, results in by_model.items()}


def _with_graders(
    analysis: Analysis, snapshot: Snapshot, levels: Levels, results: Sequence[TrialResult], rubric: Rubric
) -> Analysis:
    """What can be said of the graders: how far they agree, and what else their grades are worth."""
    heard = {g: said for g, said in levels.items() if g.removeprefix(JUDGE) not in analysis.grading.dropped}
    return replace(
        analysis,
        agreement=agreements(heard, results, rubric, picked(snapshot)),
        consistency=consistencies(snapshot, rubric),
        disputes=disputes(heard, snapshot, rubric),
        blinding=blinding(snapshot),
        preferred=preferred(snapshot),
        judge_biases=judge_biases(snapshot, levels, results, rubric),
        leanings=leanings(snapshot, {result.trial_id: result for result in results}),
        grading_time=grading_time(snapshot),
        validity=validities(snapshot, analysis.grading.judges, analysis.judges),
    )


def _warnings(
    analysis: Analysis,
    snapshot: Snapshot,
    rubric: Rubric,
    tables: Mapping[str, Columns],
    results: Sequence[TrialResult],
) -> tuple[str, ...]:
    """What every form of the report warns of."""
    shared = in_all([table.decided for table in tables.values()]) if tables else []
    about = warnings_for(
        snapshot,
        analysis.models,
        analysis.grading,
        rubric,
        tables,
        analysis.judges,
        analysis.agreement,
        len(shared[0]) if shared else 0,
        results,
    )
    asked = analysis.spec.cache != "off" and any(model.counts.answered for model in analysis.models)
    return (
        *about_origin(snapshot),
        *seen_through(analysis.blinding),
        *hasty_graders(analysis.leanings),
        *(batch_warnings(snapshot, results) if analysis.without_batches else ()),
        *about,
        *cache_warnings(analysis.caching, marked=asked),
        *cliff_warnings(analysis.price_cliffs),
    )


def _own(prices: Prices | None) -> Collection[str]:
    """The models that the team pays by rates of its own."""
    return () if prices is None else prices.own


def _conditional(analysis: Analysis, text: str) -> Analysis:
    """Without a verdict, which would be one on the workload, and marked first of all."""
    return replace(
        analysis,
        decision=replace(analysis.decision, verdict="conditional", option=None),
        stability=None,
        signals=(),
        warnings=(f"{text[0].upper()}{text[1:]}.", *analysis.warnings),
    )


def _of_sweep(
    snapshot: Snapshot, baseline: Snapshot | None, prices: Prices | None, counterparts: Mapping[str, str] | None
) -> Analysis:
    """The analysis of production's size, with all sizes beside it."""
    size, basis = production_size(snapshot)
    apart = sent_apart(snapshot, prices or Prices())
    parts = {
        each: _of_one(at_context(snapshot, each), None, prices, None, apart) for each in sorted(sizes_of(snapshot))
    }
    main = parts[size]
    if baseline is not None:
        main = _of_one(at_context(snapshot, size), _at_same(baseline, size), prices, counterparts, apart)
    answer = max((item.max_tokens or snapshot.spec.max_tokens for item in snapshot.items), default=0)
    sweep = sweep_of(snapshot.spec, parts, size, basis, answer)
    judging = grading_of(snapshot, (), Rubric.read_back(snapshot.spec.rubric))
    cliffs = price_cliffs((item for part in parts.values() for item in part.outputs), snapshot.spec, _own(prices))
    of_one_size, about_sizes = set(cliff_warnings(main.price_cliffs)), tuple(sweep_warnings(sweep))
    return replace(
        main,
        spec=snapshot.spec,
        grading=replace(
            main.grading,
            judge_usd=judging.judge_usd,
            judge_attempts=judging.judge_attempts,
            judge_failed_attempts=judging.judge_failed_attempts,
        ),
        price_cliffs=cliffs,
        warnings=(
            *about_sizes[:1],
            *(line for line in main.warnings if line not in of_one_size),
            *about_sizes[1:],
            *cliff_warnings(cliffs, by_size=True),
        ),
        sessions=session_results(snapshot),
        workers=worker_results(snapshot),
        sweep=sweep,
    )


def _comparable(baseline: Snapshot, spec: Spec) -> Snapshot:
    """A baseline at the size of the run; UsageError if either of them is conditional."""
    refuse(spec, "compared with a baseline")
    refuse(baseline.spec, "a baseline")
    return baseline if spec.contexts else _at_same(baseline, spec.context_tokens)


def _at_same(baseline: Snapshot, size: int | None) -> Snapshot:
    """A baseline at the size it is compared at; one that is no sweep is taken as it is."""
    if not baseline.spec.contexts:
        return baseline
    if size is None or size not in sizes_of(baseline):
        at = "without filling" if size is None else f"at {size:,} tokens"
        raise UsageError(f"the baseline is a context sweep without a run {at}; name a baseline that has one")
    return at_context(baseline, size)


def _refuse_other_work(snapshot: Snapshot, baseline: Snapshot) -> None:
    for what in ("dataset_sha256", "rubric_sha256"):
        ours, theirs = getattr(snapshot.spec, what), getattr(baseline.spec, what)
        if ours != theirs:
            raise IntegrityError(
                f"the baseline has another {what.removesuffix('_sha256')} ({theirs[:12]}, not {ours[:12]});"
                " compare runs of the same one"
            )


def _groups(items: Sequence[ItemRecord]) -> Mapping[tuple[str, str], frozenset[str]]:
    """Parts of the items worth a line: each difficulty, and tags that some but not all items have."""
    found: dict[tuple[str, str], frozenset[str]] = {
        ("difficulty", level): frozenset(item.id for item in items if item.difficulty == level)
        for level in DIFFICULTIES
    }
    tags = Counter(tag for item in items for tag in set(item.tags))
    for tag, number in sorted(tags.items(), key=lambda pair: (-pair[1], pair[0])):
        if SMALLEST_SLICE <= number < len(items):
            found[("tag", tag)] = frozenset(item.id for item in items if tag in item.tags)
    return {place: ids for place, ids in found.items() if ids}


def _by_context(snapshot: Snapshot, outputs: Sequence[ItemResult]) -> Mapping[tuple[str, str], frozenset[str]]:
    """Thirds of the items by prompt size (the largest over models), where sizes differ by a factor of two or more.

    By what was billed where nobody counted prompts before they were sent, as of an import.
    """
    largest: dict[str, int] = defaultdict(int)
    for size in snapshot.sizes:
        largest[size.item_id] = max(largest[size.item_id], size.tokens)
    if not snapshot.sizes:
        for item in outputs:
            if tokens := [output.input_tokens for output in item.outputs if output.input_tokens is not None]:
                largest[item.id] = max(tokens)
    ordered = sorted(largest, key=lambda item: (largest[item], item))
    if len(ordered) < 3 * SMALLEST_SLICE or largest[ordered[-1]] < 2 * largest[ordered[0]]:
        return {}
    cuts = [round(third * len(ordered) / 3) for third in range(4)]
    parts = [ordered[low:high] for low, high in pairwise(cuts)]
    return {
        ("context", f"{largest[part[0]]:,} to {largest[part[-1]]:,} tokens"): frozenset(part) for part in parts if part
    }
