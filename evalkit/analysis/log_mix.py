"""What a request of one model costs over another's at a log's own mix of input and output, by the run's costs."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import fsum
from statistics import fmean

from evalkit import stats
from evalkit.analysis.priced_otherwise import FAST, IN_REGION
from evalkit.analysis.results import Analysis, OutputResult
from evalkit.analysis.sides import Side
from evalkit.frozen import dataclass
from evalkit.import_costs import came_with_import
from evalkit.rates import Rates
from evalkit.records import Usage
from evalkit.stats import Estimate
from evalkit.stats.estimate import no_estimate


@dataclass(frozen=True)
class InOut:
    """USD of what went in, and of what came out."""

    into: float
    out: float

    @property
    def both(self) -> float:
        """What the request costs."""
        return self.into + self.out


Split = Mapping[str, InOut]
"""A model's costs by item, mean USD a trial."""


def splits(analysis: Analysis, sides: Mapping[str, Side]) -> Mapping[str, Split]:
    """The costs of each side in two, by the run's rates; none of a model whose rates are not known, nor of an item
    whose tokens are not. Only the shares are by the rates, so that retries and batches keep their weight."""
    found = {}
    for model, side in sides.items():
        tiers = _tiers(analysis, model)
        if tiers:
            cached = any(use.model == model and (use.read_tokens or use.written_tokens) for use in analysis.caching)
            shares = _shares(analysis, model, tiers, cached=cached)
            free = {item: InOut(0.0, 0.0) for item, usd in side.costs.items() if not usd}  # as of an error: no tokens
            found[model] = free | {
                item: InOut(usd * share.into / share.both, usd * share.out / share.both)
                for item, usd in side.costs.items()
                if usd and (share := shares.get(item)) is not None and share.both
            }
    return found


def of_request(tiers: Sequence[Rates], usage: Usage) -> InOut | None:
    """What a request costs by such rates; None where a token count or a rate is not known."""
    size = usage.total_input_tokens
    if size is None or usage.output_tokens is None or not tiers:
        return None
    rates = _tier(tiers, size)
    kinds = (
        (usage.input_tokens, rates.input),
        (usage.cache_read_tokens, rates.cache_read),
        (usage.cache_write_5m_tokens, rates.cache_write_5m),
        (usage.cache_write_1h_tokens, rates.cache_write_1h),
    )
    if rates.output is None or any(tokens and rate is None for tokens, rate in kinds):
        return None
    into = fsum((tokens or 0) * (rate or 0.0) for tokens, rate in kinds)
    return InOut(into / 1e6, usage.output_tokens * rates.output / 1e6)


def mean_of(costs: Iterable[InOut | None]) -> InOut | None:
    """Of those that are known; None without any."""
    known = [cost for cost in costs if cost is not None and cost.both]
    return InOut(fmean(c.into for c in known), fmean(c.out for c in known)) if known else None


def ratio_at(mix: InOut, candidate: Sequence[InOut], baseline: Sequence[InOut]) -> Estimate:
    """Cost of a request of one side over the other's, paired, at another mix of input and output than the items'.

    The baseline's items are weighed so that their input and their output cost what they do at the mix, the candidate's
    by the same weights. The ratio is that of the means. Its interval has to allow for the weights' being from the same
    items: an item whose input is long on both sides says nothing of their ratio. So for the interval each part of the
    baseline is scaled by what the candidate's costs over it, which leaves the ratio of the means as it is.
    """
    weighed = _weighed(mix, candidate, baseline)
    if weighed is None:
        return no_estimate("the log has what the items have none of", 0.95, "log-ratio t", len(baseline))
    into, out, ours, theirs = weighed
    scale = (into * theirs.into + out * theirs.out) / mix.both
    into_scaled, out_scaled = (
        weight * one / other / scale if weight and scale else 0.0
        for weight, one, other in ((into, theirs.into, ours.into), (out, theirs.out, ours.out))
    )
    return stats.mean_cost_ratio(
        [into * item.into + out * item.out for item in candidate],
        [into_scaled * item.into + out_scaled * item.out for item in baseline],
    )


def is_more_at(mix: InOut, candidate: Sequence[InOut], baseline: Sequence[InOut]) -> bool:
    """Whether that ratio is more than 1, without its interval, which takes long."""
    weighed = _weighed(mix, candidate, baseline)
    return weighed is not None and weighed[0] * weighed[3].into + weighed[1] * weighed[3].out > mix.both


def _weighed(
    mix: InOut, candidate: Sequence[InOut], baseline: Sequence[InOut]
) -> tuple[float, float, InOut, InOut] | None:
    """What the items' input and output are weighed by, and their means on the baseline and the candidate; None where
    what is asked for was never had."""
    ours, theirs = (InOut(fmean(c.into for c in s), fmean(c.out for c in s)) for s in (baseline, candidate))
    into, out = _weight(mix.into, ours.into), _weight(mix.out, ours.out)
    return None if into is None or out is None else (into, out, ours, theirs)


def _weight(asked: float, had: float) -> float | None:
    """None where what is asked for was never had."""
    if not asked:
        return 0.0
    return asked / had if had else None


def _tiers(analysis: Analysis, model: str) -> Sequence[Rates]:
    """The rates that a model's answers were billed by, but for a region or fast mode, which are dearer by a factor of
    all; none where these are not known."""
    spec = analysis.spec
    otherwise = set(analysis.priced_otherwise.get(model, ()))
    if came_with_import(spec, model) or otherwise - {IN_REGION, FAST} or (otherwise and analysis.caching):
        return ()
    tiers = spec.rates.get(model, ())
    return () if any(tier.output is None for tier in tiers) else tiers


def _tier(tiers: Sequence[Rates], size: int) -> Rates:
    return next((tier for tier in reversed(tiers) if size > tier.above_tokens), tiers[0])


def _shares(analysis: Analysis, model: str, tiers: Sequence[Rates], *, cached: bool) -> Mapping[str, InOut]:
    """By item, what its answers' tokens come to."""
    known = defaultdict[str, list[InOut]](list)
    for item in analysis.outputs:
        for output in item.outputs:
            if output.model == model and output.outcome is not None:
                cost = of_request(tiers, Usage(output.input_tokens, output.output_tokens))
                if cost is not None:
                    known[item.id].append(_as_billed(cost, output, tiers) if cached else cost)
    return {item: InOut(fsum(c.into for c in costs), fsum(c.out for c in costs)) for item, costs in known.items()}


def _as_billed(cost: InOut, output: OutputResult, tiers: Sequence[Rates]) -> InOut:
    """With what a cache held at its own price: all of the bill that is not output."""
    rates = _tier(tiers, output.input_tokens or 0)
    usd = (output.cost_usd or 0.0) / ((rates.batch_factor or 1.0) if output.batched else 1.0)
    return replace(cost, into=max(0.0, usd - cost.out))
