"""What models cost at the price without batches, where unlike shares of their requests went in some."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import combinations
from math import fsum

from evalkit.analysis.results import Analysis, OutputResult
from evalkit.analysis.trials import TrialResult
from evalkit.frozen import dataclass
from evalkit.models import display_name
from evalkit.pricing import Prices
from evalkit.records import Attempt, ItemRecord, Snapshot

FEW = 0.05
"""Share of a side's costs that may have gone another way, as a batch's last few do, where that cannot be put right."""
EXACT = 1e-9
"""What sums of shares may be off by."""
NOT_AS_BILLED = "costs are those of the same requests outside of batches, spend and single outputs' costs as billed"


@dataclass(frozen=True)
class _Sent:
    """The trials of an item that cost something: USD, how many, and the share of them in a batch."""

    usd: float
    trials: int
    batched: float


_Side = Mapping[str, _Sent]
"""By item."""


def sent_apart(snapshot: Snapshot, prices: Prices) -> bool:
    """Whether models had batches' price for other trials of the items, or a model at other sizes: a bill then tells of
    the way that requests went as much as of the model. Where nobody knows what some would have cost outside, a few do
    not count."""
    sides, few = _sides(snapshot), _tolerated(snapshot, prices)
    return any(
        _unlike(sides[one], sides[other]) > few
        for one, other in combinations(sides, 2)
        if one[1] == other[1] or one[0] == other[0]
    )


def pair_sent_unlike(then: Snapshot, earlier: str, now: Snapshot, later: str) -> float:
    """By which part of their costs a model of an earlier run and one of a later run, both at one size, were sent
    another way."""
    one, other = _sides(then).get((earlier, None)), _sides(now).get((later, None))
    return 0.0 if one is None or other is None else _unlike(one, other)


def batch_shares(snapshot: Snapshot) -> Mapping[str, str]:
    """Of each model that cost something, which share of trials was at batches' price, in words."""
    found: dict[str, list[_Sent]] = defaultdict(list)
    for (model, _), side in _sides(snapshot).items():
        found[model] += side.values()
    return {
        model: _share(round(fsum(s.batched * s.trials for s in sent)), sum(s.trials for s in sent))
        for model, sent in found.items()
    }


def _share(batched: int, trials: int) -> str:
    """In per cent, but for a few that it would hide."""
    told = f"{batched / trials:.0%}"
    if told == "100%" and batched < trials:
        return f"all but {trials - batched:,}"
    return f"only {batched:,}" if told == "0%" and batched else told


def _unlike(one: _Side, other: _Side) -> float:
    """How far the shares of the items' trials in batches differ, each item by its part of the costs."""
    shared = one.keys() & other.keys()
    totals = [fsum(side[item].usd for item in shared) for side in (one, other)]
    parts = ((one[i].usd / totals[0] + other[i].usd / totals[1], one[i].batched - other[i].batched) for i in shared)
    return fsum(abs(apart) * part / 2 for part, apart in parts)


def _tolerated(snapshot: Snapshot, prices: Prices) -> float:
    items, keys = {item.id: item for item in snapshot.items}, {trial.id: trial.key for trial in snapshot.trials}
    version = snapshot.spec.prices_version
    for attempt in snapshot.attempts:
        if attempt.grader is None and attempt.cost_usd and attempt.usage.service_tier == "batch":
            key = keys[attempt.trial_id]
            if _outside(attempt, attempt.cost_usd, key.model, items[key.item_id], prices, version) is None:
                return FEW
    return EXACT


def _sides(snapshot: Snapshot) -> Mapping[tuple[str, int | None], _Side]:
    """By model and, of a context sweep, by size."""
    keys = {trial.id: trial.key for trial in snapshot.trials}
    swept = {item.id: (item.variant_of, item.context_tokens) for item in snapshot.items if item.variant_of is not None}
    costs: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for attempt in snapshot.attempts:
        if attempt.grader is None and attempt.cost_usd:
            costs[attempt.trial_id].append((attempt.cost_usd, attempt.usage.service_tier == "batch"))
    found: dict[tuple[str, int | None], dict[str, list[tuple[float, bool]]]] = defaultdict(lambda: defaultdict(list))
    for trial_id, paid in costs.items():
        item, size = swept.get(keys[trial_id].item_id, (keys[trial_id].item_id, None))
        usd, batched = fsum(usd for usd, _ in paid), any(flag for _, flag in paid)
        found[keys[trial_id].model, size][item].append((usd, batched))
    return {
        place: {
            item: _Sent(fsum(usd for usd, _ in trials), len(trials), sum(flag for _, flag in trials) / len(trials))
            for item, trials in side.items()
        }
        for place, side in found.items()
    }


def without_batches(snapshot: Snapshot, results: Sequence[TrialResult], prices: Prices) -> list[TrialResult]:
    """The same trials at the price that they would have outside of a batch; unpriced where nobody knows that."""
    items, version = {item.id: item for item in snapshot.items}, snapshot.spec.prices_version
    return [_at_full_price(result, items[result.key.item_id], prices, version) for result in results]


def _at_full_price(result: TrialResult, item: ItemRecord, prices: Prices, version: str) -> TrialResult:
    if result.known_usd is None:
        return result
    usd = unbatched_usd(result, item, prices, version)
    return replace(result, cost_usd=usd, unpriced=usd is None)


def unbatched_usd(result: TrialResult, item: ItemRecord, prices: Prices, version: str) -> float | None:
    """What the trial would have cost outside of a batch, at the rates that it was billed by."""
    if result.known_usd is None or all(attempt.usage.service_tier != "batch" for attempt in result.attempts):
        return result.known_usd
    costs = [_outside(a, a.cost_usd, result.key.model, item, prices, version) for a in result.attempts if a.cost_usd]
    known = [usd for usd in costs if usd is not None]
    return fsum(known) if len(known) == len(costs) else None


def _outside(attempt: Attempt, usd: float, model: str, item: ItemRecord, prices: Prices, version: str) -> float | None:
    """The same of one request, which says in a batch no longer that fast mode was asked for."""
    usage = replace(attempt.usage, speed=item.speed or attempt.usage.speed)
    return prices.unbatched_usd(model, usage, usd, datetime.fromisoformat(attempt.sent_at), version)


def compared_usd(analysis: Analysis, output: OutputResult) -> float | None:
    """What an output cost at the price by which the models of a run are compared."""
    return output.unbatched_usd if analysis.without_batches else output.cost_usd


def batch_warnings(snapshot: Snapshot, results: Sequence[TrialResult]) -> Iterator[str]:
    """That costs are not as billed, and whose are not known; `results` are at the price without batches."""
    models, shares = snapshot.spec.models, batch_shares(snapshot)
    told = ", ".join(f"{shares[model]} of {display_name(model, models)}" for model in models if model in shares)
    yield (
        f"Not the same requests of each model and size went in batches ({told}): {NOT_AS_BILLED}, so that models are"
        " compared and not ways of sending."
    )
    if unknown := unknown_outside(results):
        outputs = "an output" if unknown == 1 else f"{unknown:,} outputs"
        yield (
            f"What {outputs} would cost {NOT_KNOWN}, so {'it counts' if unknown == 1 else 'they count'} as unpriced:"
            " send all models the same way."
        )


NOT_KNOWN = "outside of a batch is not known (caches, fast mode, own prices)"


def unknown_outside(results: Sequence[TrialResult]) -> int:
    """How many of these, at the price without batches, have none though they were billed."""
    return sum(r.unpriced and bool(r.attempts) and all(a.cost_usd is not None for a in r.attempts) for r in results)
