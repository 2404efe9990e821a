"""The prices that a run's money rests on, as terms of its method and as one line for its summary."""

from collections.abc import Iterable

from evalkit.analysis.results import Analysis
from evalkit.blocks import Span, Text, words
from evalkit.import_costs import came_with_import, is_mixed
from evalkit.models import display_name
from evalkit.rates import Rates
from evalkit.records import Spec
from evalkit.wording import UNKNOWN, UNPRICED, listing, percent, plural, ratio, tokens

_MOST_IN_LINE = 3


def priced(spec: Spec) -> Iterable[Span]:
    """The day whose rates were taken; costs that came with an import have none."""
    if not spec.imported or any(spec.rates.values()):
        yield Span(", rates of ")
        yield Span(spec.created_at[:10], measured=True)


def price_rows(analysis: Analysis) -> Iterable[tuple[str, Text]]:
    """What each model was priced by; a model's own rates are told as such, and what is not known as unknown."""
    spec = analysis.spec
    for model in spec.models:
        others = [f"{plural(n, 'answer')} {why}" for why, n in analysis.priced_otherwise.get(model, {}).items()]
        otherwise = f"; counted otherwise: {listing(others)}" if others else ""
        yield f"Price of {display_name(model, spec.models)}", words(f"{_price(spec, model)}{otherwise}")


def batched_line(analysis: Analysis) -> str:
    """How many of the outputs, whose costs are as billed, had batches' price; empty without any."""
    halved = [o.unbatched_usd != o.cost_usd for item in analysis.outputs for o in item.outputs if o.cost_usd]
    if analysis.without_batches or not any(halved):
        return ""
    return f"Costs are as billed, {percent(sum(halved) / len(halved))} of outputs at batches' price"


def price_line(analysis: Analysis) -> str:
    """What few models were priced by, for small requests; empty where there are many, or where it was not recorded."""
    spec, others = analysis.spec, sum(sum(reasons.values()) for reasons in analysis.priced_otherwise.values())
    if not 0 < len(spec.models) <= _MOST_IN_LINE or not all(spec.rates.get(model) for model in spec.models):
        return ""
    told = [f"{display_name(model, spec.models)} {_small(spec.rates[model][0])}" for model in spec.models]
    otherwise = f"; {plural(others, 'answer')} counted otherwise" if others else ""
    tiers = any(len(spec.rates[model]) > 1 for model in spec.models)
    kinds = ["small prompts"] * tiers + ["outside batches"] * any(s.executor == "batch" for s in analysis.sessions)
    which = f" ({', '.join(kinds)})" if kinds else ""
    return f"USD per million input / output tokens{which}: {listing(told)}{otherwise}"


def _small(rates: Rates) -> str:
    return f"{_usd(rates.input)} / {_usd(rates.output)}{' (own rates)' if rates.own else ''}"


def _price(spec: Spec, model: str) -> str:
    tiers, given = spec.rates.get(model), came_with_import(spec, model)
    if given and not tiers:
        others = "; where one came without a cost, list prices of its tokens, not recorded here" * is_mixed(spec, model)
        return f"as imported, with each output{others}"
    if tiers is None:
        return f"not recorded in this run file, which was priced by {spec.prices_version}"
    if not tiers:
        return f"{UNKNOWN}: neither imported nor to be had from tokens" if spec.imported else UNKNOWN
    small, *larger = tiers
    whose = "by own rates of evalkit.yaml" if small.own else "published"
    beyond = [f"; for prompts of more than {tokens(tier.above_tokens)} tokens, {_rates(tier)}" for tier in larger]
    first = "as imported; where an output came without a cost, " if given else ""
    return f"{first}USD per million tokens, {whose}: {_rates(small)}{''.join(beyond)}; {_in_batches(small)}"


def _rates(rates: Rates) -> str:
    kinds = {
        "input": rates.input,
        "output": rates.output,
        "cache read": rates.cache_read,
        "cache write for 5 minutes": rates.cache_write_5m,
        "for an hour": rates.cache_write_1h,
    }
    return ", ".join(f"{kind} {_usd(usd)}" for kind, usd in kinds.items())


def _in_batches(rates: Rates) -> str:
    return f"in batches {UNPRICED if rates.batch_factor is None else ratio(rates.batch_factor)}"


def _usd(usd: float | None) -> str:
    """A price as it is stated, with all its decimals: `$5`, `$0.50`, `$0.125`."""
    if usd is None:
        return UNPRICED
    exact = f"{usd:,.10g}"
    return f"${usd:,.2f}" if "." in exact and round(usd, 2) == usd else f"${exact}"
