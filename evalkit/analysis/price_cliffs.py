"""Prompt sizes beyond which a model bills every token at a higher price, where a run's prompts come near."""

from collections.abc import Collection, Iterator, Sequence

from evalkit.analysis.results import Context, PriceCliff
from evalkit.models import display_name, known

NEAR = 0.8
"""Share of that size from which on the longest prompt of a run is near it: production's vary, too."""


def price_cliffs(
    prompts: Sequence[tuple[str, Context | None]], models: Collection[str], own: Collection[str] = ()
) -> tuple[PriceCliff, ...]:
    """The cliffs that prompts come near or pass. `prompts`: a model and what its prompts had, of a context sweep at
    each size; `models`: all of the run, to name them apart; `own`: those that the team pays by rates of its own, which
    have none.
    """
    found = []
    for model in dict.fromkeys(model for model, _ in prompts):
        facts = known(model)
        sizes = [context for name, context in prompts if name == model and context is not None]
        if facts is None or facts.price_cliff is None or model in own or not sizes:
            continue
        above, factor = facts.price_cliff
        smallest, largest = min(s.smallest_tokens for s in sizes), max(s.largest_tokens for s in sizes)
        if largest >= NEAR * above:
            found.append(PriceCliff(model, display_name(model, models), above, factor, smallest, largest))
    return tuple(found)


def cliff_warnings(cliffs: Sequence[PriceCliff], *, by_size: bool = False) -> Iterator[str]:
    """What each of them means for the costs of this run and of production, a sentence each; `by_size`: of a sweep,
    whose costs are told of each size by itself."""
    for cliff in cliffs:
        if cliff.largest_tokens <= cliff.above_tokens:
            longest = f"the longest here has {cliff.largest_tokens:,}"
            yield f"{cliff.rule}: {longest}, and a somewhat longer one costs {cliff.factor:g} times as much."
        elif cliff.smallest_tokens > cliff.above_tokens:
            yield f"{cliff.rule}, as all here have: one that keeps to it costs {1 / cliff.factor:.0%} of that."
        elif by_size:
            yield f"{cliff.rule}, as those of the larger sizes here have: see 'Context length'."
        else:
            yield f"{cliff.rule}, as some here have: costs of its requests are of two prices."
