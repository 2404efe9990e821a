"""Answers that did not cost what the rates say that their run began with, and why: a region, a mode, other rates."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from math import fsum, isclose

from evalkit.import_costs import came_with_import
from evalkit.rates import Rates
from evalkit.records import Snapshot, Usage

FAST, IN_REGION, OTHER = "in fast mode", "in a region with a price of its own", "by other rates than the run began with"
_ROUNDED_USD = 1e-12
"""What a token's price may lack, since rates are kept to a millionth of a dollar per million."""


def priced_otherwise(snapshot: Snapshot) -> Mapping[str, Mapping[str, int]]:
    """By model, how many priced answers cost otherwise, by reason; nothing of costs that came with an import."""
    spec, models = snapshot.spec, {trial.id: trial.key.model for trial in snapshot.trials}
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for attempt in snapshot.attempts:
        usage, cost = attempt.usage, attempt.cost_usd
        if attempt.grader is not None or cost is None or usage.input_tokens is None:
            continue
        model = models[attempt.trial_id]
        tiers = spec.rates.get(model)
        if tiers and not came_with_import(spec, model) and not _says(tiers, usage, cost):
            found[model][_why(usage)] += 1
    return {model: dict(reasons) for model, reasons in found.items()}


def _says(tiers: Sequence[Rates], usage: Usage, cost: float) -> bool:
    """Whether the rates come to this cost."""
    size = usage.total_input_tokens or 0
    rates = next((tier for tier in reversed(tiers) if size > tier.above_tokens), tiers[0])
    kinds = (
        (usage.input_tokens, rates.input),
        (usage.output_tokens, rates.output),
        (usage.cache_read_tokens, rates.cache_read),
        (usage.cache_write_5m_tokens, rates.cache_write_5m),
        (usage.cache_write_1h_tokens, rates.cache_write_1h),
    )
    factor = rates.batch_factor if usage.service_tier == "batch" else 1.0
    if factor is None or any(tokens and rate is None for tokens, rate in kinds):
        return False
    usd = factor * fsum((tokens or 0) * (rate or 0.0) for tokens, rate in kinds) / 1e6
    rounded = _ROUNDED_USD * sum(tokens or 0 for tokens, _ in kinds)
    return isclose(usd, cost, rel_tol=1e-6, abs_tol=1e-12 + rounded)


def _why(usage: Usage) -> str:
    if usage.speed == "fast" and usage.service_tier != "batch":
        return FAST
    return IN_REGION if usage.inference_geo == "us" else OTHER
