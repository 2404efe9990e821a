"""Prompt sizes beyond which a model bills every token at a higher price, where a run's prompts come near."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from evalkit.analysis.results import ItemResult, PriceCliff
from evalkit.import_costs import came_with_import
from evalkit.models import display_name, known
from evalkit.pricing import OWN_RATES
from evalkit.records import Spec

NEAR = 0.8
"""Share of that size from which on the longest prompt of a run is near it: production's vary, too."""


def price_cliffs(items: Iterable[ItemResult], spec: Spec, own: Collection[str] = ()) -> tuple[PriceCliff, ...]:
    """The cliffs that prompts come near or pass, by the tokens of the `items`' answered requests: of a context sweep
    those of all sizes.

    None of a model whose costs are not by the published prices: those that came with an import, and those of a run by
    the team's own rates, `own` if they are still known, else of all.
    """
    sizes: dict[str, list[int]] = {model: [] for model in spec.models}
    for item in items:
        for output in item.outputs:
            if output.input_tokens is not None:
                sizes[output.model].append(output.input_tokens)
    found = []
    for model, tokens in sizes.items():
        facts = known(model)
        if facts is None or facts.price_cliff is None or not tokens or not _published(model, spec, own):
            continue
        above, factor = facts.price_cliff
        if max(tokens) >= NEAR * above:
            name = display_name(model, spec.models)
            found.append(PriceCliff(model, name, above, factor, min(tokens), max(tokens)))
    return tuple(found)


def _published(model: str, spec: Spec, own: Collection[str]) -> bool:
    """Whether a model's requests were priced by the published prices."""
    by_own = OWN_RATES in spec.prices_version and (not own or model in own)
    return not by_own and not came_with_import(spec, model)


def cliff_warnings(cliffs: Sequence[PriceCliff], *, by_size: bool = False) -> Iterator[str]:
    """What each of them means for the costs of this run and of production, a sentence each; `by_size`: of a sweep,
    whose costs are told of each size by itself."""
    for cliff in cliffs:
        if cliff.largest_tokens <= cliff.above_tokens:
            longest = f"the longest here has {cliff.largest_tokens:,}"
            yield f"{cliff.rule}: {longest}, and a somewhat longer one costs {cliff.factor:g} times as much."
        elif cliff.smallest_tokens > cliff.above_tokens:
            yield f"{cliff.rule}, as all here have: one that keeps to it costs {1 / cliff.factor:.0%} of that at most."
        elif by_size:
            yield f"{cliff.rule}, as those of the larger sizes here have: see 'Context length'."
        else:
            yield f"{cliff.rule}, as some here have: costs of its requests are of two prices."
