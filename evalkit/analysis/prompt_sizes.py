"""How long a run's prompts were, by the tokens of each model, and on which side of price cliffs prompts lie."""

import math
from collections.abc import Collection, Mapping, Sequence

from evalkit.analysis.results import Analysis, Slice
from evalkit.models import known

NEARLY = 1.25
"""Times the longest prompt that was tried, which production's may have."""
Longest = Mapping[str, Mapping[str, int]]
"""The most tokens that each model's prompt of an item had, of items where that is known."""
Beyond = tuple[bool | None, bool | None]
"""Whether a prompt is beyond the price cliffs of the current model and the other; None where its size is not known."""


def longest_prompts(analysis: Analysis) -> Longest:
    found: dict[str, dict[str, int]] = {m.model: {} for m in analysis.models}
    for item in analysis.outputs:
        for output in item.outputs:
            if output.input_tokens is not None:
                of_model = found[output.model]
                of_model[item.id] = max(of_model.get(item.id, 0), output.input_tokens)
    return found


def most_tokens(part: Slice, models: Sequence[str], longest: Longest) -> float:
    limits, current = [math.inf], models[0]
    had = {model: [longest[model][i] for i in part.item_ids if i in longest[model]] for model in models}
    for model, tokens in had.items():
        per_text = max(tokens) / max(had[current]) if tokens and had[current] else tokens_per_text(model, current)
        tried, facts = [NEARLY * max(tokens)] if tokens else [], known(model)
        window = [] if facts is None else [facts.context_tokens]
        limits += [limit / per_text for limit in (*tried, *window)]
    return min(limits)


def sides_of(current: str, toward: str, item: str, longest: Longest, flat: Collection[str] = ()) -> Beyond:
    """Of an item's prompt, by the tokens that each model was billed for, or those of the other."""
    one, other = (longest[model].get(item) for model in (current, toward))
    ours = other and other * tokens_per_text(current, toward) if one is None else one
    theirs = one and one * tokens_per_text(toward, current) if other is None else other
    return is_beyond(current, ours, flat), is_beyond(toward, theirs, flat)


def is_beyond(model: str, tokens: float | None, flat: Collection[str] = ()) -> bool | None:
    """Whether a prompt is beyond the model's price cliff; those with rates of the team's own, which are `flat`, have
    none."""
    facts = known(model)
    if facts is None or facts.price_cliff is None or model in flat:
        return False
    return None if tokens is None else tokens > facts.price_cliff[0]


def tokens_per_text(model: str, current: str) -> float:
    """Tokens that one model makes of a text over those of another, as far as both are known."""
    one, other = known(model), known(current)
    return one.tokens_per_text / other.tokens_per_text if one and other else 1.0
