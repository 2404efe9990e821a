"""What a context sweep shows: each model over the sizes, paired item by item."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

from evalkit import stats
from evalkit.analysis.results import Analysis, AtSize, Context, ContextRange, ItemResult, Lacking, Sweep
from evalkit.models import display_name, known
from evalkit.records import Spec
from evalkit.stats import Estimate
from evalkit.stats.estimate import no_estimate

MARGIN = 0.10
"""A loss of this much against the shortest size is what a longer one must be shown not to have."""
HARDLY_WORSE = f"less than {MARGIN * 100:.0f} points worse"
"""What non-inferiority by it shows, in words: a smaller loss may be there, and may be shown beside it."""

_CONFIDENCE = 0.90
"""Of the interval that goes with a one-sided test at 5 %."""

SHORT_OF = 0.8
"""A median prompt below this share of the size that was asked for has missed it."""

_GEE = "logistic GEE, t"


def sweep_of(spec: Spec, parts: Mapping[int, Analysis], analysed: int, basis: str, answer_tokens: int) -> Sweep:
    """The sweep from the analyses of its sizes alone; `analysed` is the size that everything else is about, and
    `answer_tokens` the most that an item's answer may have."""
    sizes = tuple(sorted(parts))
    present = {m: [s for s in sizes if m in {r.model for r in parts[s].models}] for m in spec.models}
    points = tuple(_point(m, s, parts, present[m][0]) for m in spec.models for s in present[m])
    return Sweep(
        sizes=sizes,
        analysed=analysed,
        basis=basis,
        points=points,
        ranges=tuple(
            _range(
                model,
                display_name(model, spec.models),
                {s: parts[s] for s in present[model]},
                [p for p in points if p.model == model],
            )
            for model in spec.models
            if present[model]
        ),
        lacking=tuple(
            Lacking(model, display_name(model, spec.models), size, _why_lacking(model, size + answer_tokens))
            for model in spec.models
            for size in spec.contexts
            if size not in present[model]
        ),
        pending=sum(point.counts.pending for point in points),
    )


def _why_lacking(model: str, needed: int) -> str:
    facts = known(model)
    if facts is not None and needed > facts.context_tokens:
        return f"{needed:,} tokens of context and answer do not fit its window of {facts.context_tokens:,}"
    return "it was not planned"


def _point(model: str, size: int, parts: Mapping[int, Analysis], shortest: int) -> AtSize:
    result = parts[size].model(model)
    difference = None if size == shortest else _difference(parts[size], parts[shortest], model)
    return AtSize(
        model=model,
        context_tokens=size,
        items=result.items,
        counts=result.counts,
        pass_rate=result.pass_rate,
        cost_per_request=result.cost_per_request,
        cost_per_satisfactory=result.cost_per_satisfactory,
        latency_p50=result.clocks["total"].quantiles["p50"],
        reached=result.context,
        difference=difference,
        spend_usd=result.spend_usd,
        missed=_missed(size, result.context),
    )


def _missed(size: int, reached: Context | None) -> str:
    if reached is None:
        return ""
    if reached.largest_tokens > size:
        return f"prompts of up to {reached.largest_tokens:,} tokens, over the {size:,} asked for"
    if reached.median_tokens < SHORT_OF * size:
        return f"prompts reach {reached.median_tokens:,} (median) of the {size:,} tokens asked for"
    return ""


def _verdicts(items: Sequence[ItemResult], model: str) -> dict[str, list[float]]:
    """The verdicts on one model's outputs by item; items without any are left out."""
    found = {
        item.id: [float(o.satisfied) for o in item.outputs if o.model == model and o.satisfied is not None]
        for item in items
    }
    return {item: flags for item, flags in found.items() if flags}


def _mean(flags: Sequence[float]) -> float:
    return sum(flags) / len(flags)


def _difference(here: Analysis, shortest: Analysis, model: str) -> Estimate:
    """Rate here minus rate at the shortest size, on the items that have a verdict at both."""
    now, then = _verdicts(here.outputs, model), _verdicts(shortest.outputs, model)
    both = sorted(set(now) & set(then))
    if not both:
        return no_estimate("no item has a verdict at both sizes", _CONFIDENCE, "Tango score")
    epochs = max(len(flags) for item in both for flags in (now[item], then[item]))
    return stats.paired_rates_clustered(
        [_mean(now[item]) for item in both], [_mean(then[item]) for item in both], _CONFIDENCE, epochs
    )


def _range(model: str, name: str, parts: Mapping[int, Analysis], points: Sequence[AtSize]) -> ContextRange:
    """Over the sizes up to the first that nothing is graded at, on the items that have a verdict at all of them."""
    by_size = {size: _verdicts(parts[size].outputs, model) for size in sorted(parts)}
    graded = list(takewhile(lambda size: by_size[size], by_size))
    items = sorted(set.intersection(*(set(by_size[size]) for size in graded))) if graded else []
    if not items:
        reason = "no item has a verdict at every size" if graded else "nothing is graded at the shortest size"
        return ContextRange(model, name, MARGIN, 0, None, None, no_estimate(reason, 0.95, _GEE), reason)
    table = [[_mean(by_size[size][item]) for size in graded] for item in items]
    epochs = max(len(by_size[size][item]) for size in graded for item in items)
    found = stats.effective_length(table, graded, MARGIN, epochs=epochs)
    ungraded = next((size for size in by_size if size not in graded), None)
    open_at = ungraded if found.failed_at is None else round(found.failed_at)
    return ContextRange(
        model=model,
        name=name,
        margin=MARGIN,
        items=len(items),
        holds_tokens=None if found.length is None else round(found.length),
        open_at=open_at,
        odds_per_doubling=_per_doubling(table, graded, points),
    )


def _per_doubling(table: Sequence[Sequence[float]], sizes: Sequence[int], points: Sequence[AtSize]) -> Estimate:
    """A doubling of the size means nothing where the prompts were far from it."""
    if len(sizes) < 2:
        return no_estimate("one size has no trend", 0.95, _GEE, len(table))
    if any(_far(point) for point in points):
        return no_estimate("the prompts missed a size", 0.95, _GEE, len(table))
    return stats.logistic_per_doubling(table, sizes).odds_ratio


def _far(point: AtSize) -> bool:
    share = 1.0 if point.reached is None else point.reached.median_tokens / point.context_tokens
    return not SHORT_OF <= share <= 1 / SHORT_OF


def sweep_warnings(sweep: Sweep) -> Iterator[str]:
    """What a reader of a sweep must know, in sentences; the first says which size all other figures are of."""
    yield (
        f"Context sweep: all figures outside 'Context length' are of the prompts at {sweep.analysed:,} tokens,"
        f" {sweep.basis}."
    )
    models = {point.model for point in sweep.points}
    names_of = {model: display_name(model, models) for model in models}
    for size in sweep.sizes:
        missed: dict[str, list[str]] = {}  # what goes beyond the analysed size is said of every run
        for point in sweep.points:
            beyond = point.reached is not None and point.reached.largest_tokens > size
            if point.context_tokens == size and point.missed and not (beyond and size == sweep.analysed):
                missed.setdefault(point.missed, []).append(names_of[point.model])
        for text, names in missed.items():
            yield f"{', '.join(names)}: {text}; what is said of {size:,} tokens is of those prompts."
    for lacking in sweep.lacking:
        yield f"{lacking.name} was not run at {lacking.context_tokens:,} tokens: {lacking.reason}."
    elsewhere = sum(p.counts.pending for p in sweep.points if p.context_tokens != sweep.analysed)
    if elsewhere:
        trials, have = ("trial", "has") if elsewhere == 1 else ("trials", "have")
        yield f"Incomplete: {elsewhere:,} {trials} at other sizes {have} no outcome yet; run the same command to go on."
    for size in sweep.sizes:
        waiting = [p for p in sweep.points if p.context_tokens == size and p.counts.ungraded]
        if waiting and size != sweep.analysed:
            count = sum(p.counts.ungraded for p in waiting)
            outputs, are = ("output", "is") if count == 1 else ("outputs", "are")
            yield f"{count:,} {outputs} at {size:,} tokens {are} ungraded and left out of the rates there."
