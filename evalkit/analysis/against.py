"""This run against an earlier one of the same items: each model with its counterpart, and what else differs."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields, replace

import numpy as np

from evalkit import stats
from evalkit.analysis.caching import CacheUse, warmed_apart
from evalkit.analysis.columns import Columns, in_all
from evalkit.analysis.compare import UNPRICED, adjusted, pair_of
from evalkit.analysis.counting_round import current_round
from evalkit.analysis.pair_results import Against, Baseline, Pair
from evalkit.analysis.per_model import hedged_rate
from evalkit.analysis.priced_otherwise import OTHER
from evalkit.analysis.results import Analysis
from evalkit.analysis.trials import graded_by_sandbox
from evalkit.analysis.without_batches import EXACT, FEW, NOT_KNOWN, batch_shares
from evalkit.commands import report_against
from evalkit.judge_prompts import asked_in
from evalkit.models import display_name, known, same_model
from evalkit.records import Snapshot
from evalkit.stats import Estimate
from evalkit.stats.estimate import no_estimate

_SETTINGS = {
    "prompt_sha256": "the prompt template",
    "epochs": "epochs",
    "limit": "the limit of items",
    "context_tokens": "the context size asked for",
    "max_tokens": "the longest answer",
    "cache": "caching",
    "endpoint": "the endpoint",
    "simulated": "whether the sandbox answered",
    "prices_version": "the price list",
    "package_version": "evalkit's version",
}
"""What of a spec may differ between runs that are compared, as it is called."""
_FEW = 0.011
"""Share of answers in a region or mode of another price that no ratio is made up by: one in a hundred, rounded."""
_UNKNOWN_OUTSIDE = f"what requests cost {NOT_KNOWN}"
NO_COUNTERPART = (
    "No model of this run has a counterpart in the baseline run, by its id or its tier, so nothing is compared with it:"
    " `evalkit compare --pair THEN=NOW` compares those that are named."
)


def against(
    tables: Mapping[str, Columns],
    baseline: Mapping[str, Columns],
    seed: int,
    correction_usd: Estimate,
    named: Mapping[str, str] | None = None,
) -> tuple[Against, ...]:
    """Each model against its counterpart in the baseline run; p-values adjusted by Holm over all.

    The counterpart is the one in `named`, else the same id, else the same model by another id, else the first of the
    same tier.
    """
    return adjusted(
        [
            _against(other, model, baseline[other], table, seed, correction_usd)
            for model, table in tables.items()
            if (other := (named or {}).get(model) or _counterpart(model, tuple(baseline))) is not None
        ]
    )


def _counterpart(model: str, candidates: Sequence[str]) -> str | None:
    if model in candidates:
        return model
    facts = known(model)
    same = [c for c in candidates if same_model(c, model)]
    same_tier = [c for c in candidates if facts and (k := known(c)) and k.tier == facts.tier]
    return next(iter([*same, *same_tier]), None)


def _against(a: str, b: str, then: Columns, now: Columns, seed: int, correction_usd: Estimate) -> Against:
    pair = pair_of(a, b, then, now, seed, correction_usd)
    before, after = in_all((then.decided, now.decided))
    of_then, of_now = (side.of(after.items) if after.items else side for side in (then, now))
    change = after.satisfied - before.satisfied
    return Against(
        **{field.name: getattr(pair, field.name) for field in fields(Pair)},
        then=hedged_rate(of_then),
        now=hedged_rate(of_now),
        latency_ratio=_latency_ratio(then, now),
        improved=tuple(after.items[place] for place in np.flatnonzero(change > 0)),
        regressed=tuple(after.items[place] for place in np.flatnonzero(change < 0)),
    )


def _latency_ratio(then: Columns, now: Columns) -> Estimate:
    """Over the items that both answered in a measured time."""
    ours, theirs = _latencies(now), _latencies(then)
    items = [name for name in ours if name in theirs]
    return stats.geometric_mean_ratio([ours[name] for name in items], [theirs[name] for name in items])


def _latencies(side: Columns) -> dict[str, float]:
    """Mean seconds by item."""
    timed = side.numbers["latency_s"] > 0
    items = [side.items[place] for place in np.unique(side.item[timed]).tolist()]
    return dict(zip(items, side.means("latency_s", timed).tolist(), strict=True))


def at_one_price(
    billed: Sequence[Against],
    outside: Sequence[Against],
    run: Snapshot,
    earlier: Snapshot,
    unlike: Mapping[str, float],
    warmed: Collection[str] = (),
) -> tuple[tuple[Against, ...], tuple[str, ...]]:
    """The same comparisons at the price without batches where it is known, and a sentence on each pair sent `unlike`,
    by the later id and the part of the costs.

    As billed where it is not known and the pair was sent alike, or all but a few requests, which then are not priced
    alike. Of the pairs that caches set apart (`warmed`) nothing is said of costs here: they are not compared at all.
    """
    found, told, then, now = [], [], batch_shares(earlier), batch_shares(run)
    for pair, full in zip(billed, outside, strict=True):
        unknown = full.cost_ratio.reason == UNPRICED.reason != pair.cost_ratio.reason
        alike, few = unlike[pair.b] <= EXACT, unlike[pair.b] <= FEW
        one, how = full, "compared at the price without batches"
        if unknown and few:
            one, how = replace(pair, priced_alike=alike), f"as billed and follow that, since {_UNKNOWN_OUTSIDE}"
        elif unknown:
            one, how = _unpriced(full, _UNKNOWN_OUTSIDE), f"not compared: {_UNKNOWN_OUTSIDE}"
        found.append(one)
        if not alike:
            name, shares = display_name(pair.b, run.spec.models), (then.get(pair.a, "0%"), now.get(pair.b, "0%"))
            others = ", of other items" if shares[0] == shares[1] else ""
            sent = f"{shares[0]} of its requests went in batches then and {shares[1]} now{others}"
            told.append(f"Different: {name}: {sent}{'' if pair.b in warmed else f'; costs are {how}'}.")
    return adjusted(found), tuple(told)


def set_apart_by_caches(
    compared: Sequence[Against], then: Sequence[CacheUse], now: Sequence[CacheUse]
) -> Mapping[str, str]:
    """Of the pairs of which one run found far more of its prompts in a cache, by the later id, what caches gave."""
    before, after = ({use.model: use for use in uses} for uses in (then, now))
    apart = {pair.b: warmed_apart(before.get(pair.a), after.get(pair.b)) for pair in compared}
    return {m: f"a cache gave {r[0]:.0%} of the input then and {r[1]:.0%} now" for m, r in apart.items() if r}


def at_like_caches(compared: Sequence[Against], why: Mapping[str, str]) -> tuple[tuple[Against, ...], tuple[str, ...]]:
    """The same without costs where caches set the runs apart, and a sentence on each pair."""
    told = [
        f"Different: {display_name(m)}: {w}; costs are not compared, and hits shorten latency." for m, w in why.items()
    ]
    return adjusted([_unpriced(pair, why[pair.b]) if pair.b in why else pair for pair in compared]), tuple(told)


def priced_alike(
    compared: Sequence[Against], then: Analysis, now: Analysis
) -> tuple[tuple[Against, ...], tuple[str, ...]]:
    """The same with whether each was priced alike, and a sentence on each whose answers were not."""
    apart = {pair.b: (_otherwise(then, pair.a), _otherwise(now, pair.b)) for pair in compared}
    told = [
        f"Different: {display_name(model)}: {_shares(before)} then and {_shares(after)} now; the costs follow that."
        for model, (before, after) in apart.items()
        if _apart(before, after)
    ]
    pairs = [
        replace(
            pair,
            priced_alike=pair.priced_alike and _one_list(then, pair.a, now, pair.b) and not _apart(before, after),
        )
        for pair, (before, after) in zip(compared, apart.values(), strict=True)
    ]
    return tuple(pairs), tuple(told)


def _apart(before: Mapping[str, float], after: Mapping[str, float]) -> bool:
    """Whether a price of its own is part of a cost ratio: of some, more than a few answers on one side alone; of rates
    that nobody has kept, any."""
    kinds = before.keys() | after.keys()
    return OTHER in kinds or any(abs(before.get(kind, 0.0) - after.get(kind, 0.0)) > _FEW for kind in kinds)


def _one_list(then: Analysis, a: str, now: Analysis, b: str) -> bool:
    rates = then.spec.rates.get(a)
    return then.spec.prices_version == now.spec.prices_version or (
        a == b and rates == now.spec.rates.get(b) and bool(rates)
    )


def _otherwise(run: Analysis, model: str) -> Mapping[str, float]:
    """Of a model's priced answers the shares, in hundredths, that cost otherwise than its rates say, by reason."""
    answers = sum(
        output.cost_usd is not None for item in run.outputs for output in item.outputs if output.model == model
    )
    shares = {why: round(n / max(answers, n), 2) for why, n in run.priced_otherwise.get(model, {}).items()}
    return {why: share for why, share in shares.items() if share}


def _shares(otherwise: Mapping[str, float]) -> str:
    told = [f"{share:.0%} of answers {why}" for why, share in otherwise.items()]
    return ", ".join(told) or "every answer by its rates"


def _unpriced(pair: Against, why: str) -> Against:
    nothing = no_estimate(why, 0.95, pair.cost_ratio.method, pair.items)
    return replace(pair, cost_ratio=nothing, extra_cost=nothing, break_even=nothing, saving=nothing)


def baseline_of(run: Snapshot, earlier: Snapshot, compared: Sequence[Pair], priced: Sequence[str] = ()) -> Baseline:
    """Who the earlier run is, and what is not the same in the two; `priced` says it of batches, caches and prices."""
    spec = earlier.spec
    differs = (
        *_settings(run, earlier),
        *priced,
        *_graders(run, earlier),
        *_alone(run, earlier, compared),
    )
    return Baseline(
        name=spec.name,
        sha256=spec.sha256,
        created_at=spec.created_at,
        imported=spec.imported,
        dataset_sha256=spec.dataset_sha256,
        rubric_sha256=spec.rubric_sha256,
        prompt_sha256=None if spec.imported else spec.prompt_sha256,
        models=spec.models,
        prices_version=spec.prices_version,
        command=report_against(run.spec, spec),
        differs=differs,
        simulated=spec.simulated or graded_by_sandbox(earlier),
    )


def _settings(run: Snapshot, earlier: Snapshot) -> Iterator[str]:
    for name, called in _SETTINGS.items():
        then, now = (_short(getattr(snapshot.spec, name)) for snapshot in (earlier, run))
        if then != now:
            yield f"Different: {called}, {then} then and {now} now."


def _short(value: object) -> str:
    """A value of a spec to read; of a hash its beginning."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return value[:12] if isinstance(value, str) and len(value) == 64 else str(value)


def _graders(run: Snapshot, earlier: Snapshot) -> Iterator[str]:
    then, now = current_round(earlier), current_round(run)
    who = [", ".join(sorted(round_.graders)) if round_ else "nobody" for round_ in (then, now)]
    if who[0] != who[1]:
        yield f"Different: the graders, {who[0]} then and {who[1]} now; a change may be theirs."
    blind = [_short(round_.blind) if round_ else "none" for round_ in (then, now)]
    if then and now and blind[0] != blind[1]:
        yield f"Different: whether grading was blind, {blind[0]} then and {blind[1]} now."
    read = [asked_in(snapshot, round_.id)[0] for snapshot, round_ in ((earlier, then), (run, now)) if round_]
    if len(set(read)) > 1 and None not in read:
        yield f"Different: what judges read beside an output, {read[0]} then and {read[1]} now."


def _alone(run: Snapshot, earlier: Snapshot, compared: Sequence[Pair]) -> Iterator[str]:
    for snapshot, when, paired in ((earlier, "then", [p.a for p in compared]), (run, "now", [p.b for p in compared])):
        alone = [display_name(model, snapshot.spec.models) for model in snapshot.spec.models if model not in paired]
        if alone:
            yield f"Not compared with any model of the other run: {', '.join(alone)} ({when})."
