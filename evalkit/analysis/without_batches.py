"""What models cost at the price without batches, where unlike shares of their requests went in some."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from math import fsum

from evalkit.analysis.results import Analysis, OutputResult
from evalkit.analysis.trials import TrialResult
from evalkit.models import display_name
from evalkit.pricing import Prices
from evalkit.records import Attempt, ItemRecord, Snapshot

_Side = Mapping[str, Sequence[bool]]
"""Of each item the trials that cost something: whether in a batch."""


def sent_apart(*snapshots: Snapshot) -> bool:
    """Whether models had batches' price for different shares of an item's trials, or a model at different sizes: a bill
    then tells of the way that requests went as much as of the model."""
    sides = [side for snapshot in snapshots for side in _sides(snapshot).values()]
    if any(snapshot.spec.contexts for snapshot in snapshots):
        return len({flag for side in sides for flags in side.values() for flag in flags}) > 1
    shares: dict[str, set[float]] = defaultdict(set)
    for side in sides:
        for item, flags in side.items():
            shares[item].add(sum(flags) / len(flags))
    return any(len(of_item) > 1 for of_item in shares.values())


def batch_shares(snapshot: Snapshot) -> Mapping[str, float]:
    """Of each model that cost something, the share of trials at batches' price."""
    flat = {model: [flag for flags in side.values() for flag in flags] for model, side in _sides(snapshot).items()}
    return {model: sum(flags) / len(flags) for model, flags in flat.items()}


def _sides(snapshot: Snapshot) -> Mapping[str, _Side]:
    keys = {trial.id: trial.key for trial in snapshot.trials}
    batched: dict[int, bool] = {}
    for attempt in snapshot.attempts:
        if attempt.grader is None and attempt.cost_usd:
            batched[attempt.trial_id] = batched.get(attempt.trial_id, False) or attempt.usage.service_tier == "batch"
    found: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for trial_id, flag in batched.items():
        found[keys[trial_id].model][keys[trial_id].item_id].append(flag)
    return found


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
    shares = batch_shares(snapshot)
    told = ", ".join(
        f"{display_name(m, snapshot.spec.models)} {shares[m]:.0%}" for m in snapshot.spec.models if m in shares
    )
    yield (
        f"Unlike shares of requests went in batches ({told}): costs are those of the same requests outside of batches,"
        " so that models are compared and not ways of sending; spend is as billed."
    )
    unknown = sum(result.unpriced and all(a.cost_usd is not None for a in result.attempts) for result in results)
    if unknown:
        outputs = "an output" if unknown == 1 else f"{unknown:,} outputs"
        yield (
            f"What {outputs} would cost outside of a batch is not known (caches, fast mode, own prices), so"
            f" {'it counts' if unknown == 1 else 'they count'} as unpriced: send all models the same way."
        )
