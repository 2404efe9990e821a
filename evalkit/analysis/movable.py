"""Which requests of a log belong to parts of the items on which a cheaper model has been shown to be hardly worse."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import cache, partial

from evalkit.analysis.results import Analysis, Slice
from evalkit.analysis.sides import Standing, request_cost_ratio, standing
from evalkit.analysis.sweep import HARDLY_WORSE
from evalkit.frozen import dataclass
from evalkit.models import display_name, known, same_model
from evalkit.stats import Estimate
from evalkit.usage_log import UsageLine

MAPPING = (
    "a request belongs to the part of its difficulty; without one, to the parts of its tags; without those, to the"
    " part of its input size; to none where its prompt is much longer than its model had there; it counts where a"
    f" cheaper model is shown to be {HARDLY_WORSE} on every part it belongs to, at what prompts on its side of both"
    " models' price cliffs cost there"
)

_NEARLY = 1.25
"""Times the longest prompt that was tried, which production's may have."""
_FEWEST_ALIKE = 5
"""Items on one side of a price cliff below which the run does not say what requests on that side cost."""
_Longest = Mapping[str, Mapping[str, int]]
"""The most tokens that each model's prompt of an item had, of items where that is known."""
_Beyond = tuple[bool | None, bool | None]
"""Whether a prompt is beyond the price cliffs of the current model and the other; None where its size is not known."""


@dataclass(frozen=True)
class Move:
    """Requests of a model on parts of the items, and the cheapest model shown to be hardly worse on all of them.

    `cost_ratio`: what one of its requests costs there over one of the current model's, in the run, of prompts on the
    same side of their price cliffs; `beyond`: the models whose cliff these are beyond.
    """

    current: str
    toward: str
    parts: tuple[str, ...]
    requests: int
    cost_ratio: Estimate
    beyond: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Place:
    """What requests have in common: where they go, if they may (`toward`), the parts they belong to, and their side of
    the price cliffs."""

    current: str
    toward: str | None
    names: tuple[str, ...]
    parts: tuple[Slice, ...] = field(compare=False)
    beyond: _Beyond = (False, False)

    @property
    def items(self) -> frozenset[str]:
        return frozenset(item for part in self.parts for item in part.item_ids)

    def alike(self, longest: _Longest) -> list[str]:
        """The items with prompts on the same side, whose costs say what these requests cost. Where the size of these
        is not known, all if they are on one side, else none."""
        tried = {item: _sides(self.current, self.toward or self.current, item, longest) for item in self.items}
        if None in self.beyond:
            return sorted(tried) if len(set(tried.values())) == 1 else []
        return sorted(item for item, sides in tried.items() if sides == self.beyond)

    def rates(self, longest: _Longest) -> tuple[float, float]:
        """The fewest and the most tokens that the other model made of one of the current's, of the same texts."""
        toward, ours = self.toward or self.current, longest[self.current]
        both = [longest[toward][i] / ours[i] for i in self.items if i in longest[toward] and ours.get(i)]
        known_rate = _per_text(toward, self.current)
        return min(both, default=known_rate), max(both, default=known_rate)

    def side(self, size: int | None, rates: tuple[float, float]) -> _Beyond | None:
        """Of a request of so many tokens of the current model; None where the other would make now more and now fewer
        than its cliff of them."""
        toward = self.toward or self.current
        sides = {(_is_beyond(self.current, size), _is_beyond(toward, size and size * rate)) for rate in rates}
        return sides.pop() if len(sides) == 1 else None

    def most(self, longest: _Longest) -> float:
        """The longest prompt, in tokens of the current model, that the run speaks of on every part: nearly as long as
        those it was tried with, and within the windows of both models."""
        models = [model for model in (self.current, self.toward) if model is not None]
        return min(_most(part, models, longest) for part in self.parts)


@dataclass(frozen=True)
class Moved:
    """Every request in one place. `unmapped`: by reason; `kept`: mapped, but not shown. `lines`: the move of each.

    `share`: of all requests, those that can move; a description of this log, without interval.
    """

    requests: int
    moves: tuple[Move, ...]
    kept: int
    unmapped: Mapping[str, int]
    share: Estimate
    mapping: str = MAPPING
    lines: tuple[int | None, ...] = field(default=(), repr=False)


def moved(lines: Sequence[UsageLine], analysis: Analysis) -> Moved:
    """Each request's place: a move, kept, or unmapped. A request is never assumed to belong anywhere."""
    around = {model: _standing_of(model, analysis) for model in {line.model for line in lines}}
    longest = _longest(analysis)
    sizes = {
        standing.current: list(_sizes(analysis, longest[standing.current])) for standing in around.values() if standing
    }
    most, alike = cache(partial(_Place.most, longest=longest)), cache(partial(_Place.alike, longest=longest))
    rates = cache(partial(_Place.rates, longest=longest))
    hardly_tried = cache(lambda place: len(alike(place)) < min(_FEWEST_ALIKE, len(place.items)))
    places: list[_Place | None] = []
    unmapped: Counter[str] = Counter()
    kept = 0
    for line in lines:
        standing, reason, place = around[line.model], "", None
        parts = () if standing is None else _parts_of(line, standing, sizes[standing.current])
        if standing is None:
            reason = f"{display_name(line.model, analysis.spec.models)} is not in the run"
        elif not parts:
            reason = "no difficulty, tag or input size that the run has a part for"
        else:
            toward, names = _toward(standing, parts), tuple(part.name for part in parts)
            size = line.usage.total_input_tokens or None
            place = _Place(standing.current, toward, names, parts)
            beyond = (False, False) if toward is None else place.side(size, rates(place))
            place = replace(place, beyond=beyond or place.beyond)
            if size and size > most(place):
                reason = "a prompt longer than the run's on its part"
            elif beyond is None:
                reason = "a prompt so near a price cliff that the run does not tell its side"
            elif toward is not None and hardly_tried(place):
                reason = "a prompt on a side of a price cliff that the run hardly tried on its part"
        if reason:
            unmapped[reason] += 1
        elif place is not None and place.toward is None:
            kept += 1
        places.append(None if reason or place is None or place.toward is None else place)
    sides = {standing.current: standing.sides for standing in around.values() if standing is not None}
    ratios = {
        place: request_cost_ratio(sides[place.current][place.toward], sides[place.current][place.current], alike(place))
        for place in set(places)
        if place is not None and place.toward is not None
    }
    return _counted(places, ratios, kept, unmapped)


def _counted(
    places: Sequence[_Place | None], ratios: Mapping[_Place, Estimate], kept: int, unmapped: Mapping[str, int]
) -> Moved:
    order = sorted(ratios, key=lambda place: (place.current, place.toward, place.names, str(place.beyond)))
    numbers, requests = {place: i for i, place in enumerate(order)}, Counter(places)
    moves = []
    for place in order:
        models = place.current, place.toward or ""
        beyond = tuple(model for model, side in zip(models, place.beyond, strict=True) if side)
        moves.append(Move(*models, place.names, requests[place], ratios[place], beyond))
    share = Estimate(sum(m.requests for m in moves) / len(places), None, None, 0.95, len(places), "count, no inference")
    of_line = tuple(None if place is None else numbers[place] for place in places)
    return Moved(len(places), tuple(moves), kept, dict(unmapped), share, lines=of_line)


def _standing_of(model: str, analysis: Analysis) -> Standing | None:
    """The run around the logged model; None where the run does not have it."""
    ids = [m.model for m in analysis.models]
    found = model if model in ids else next((i for i in ids if same_model(i, model)), None)
    return None if found is None else standing(analysis, found)


def _sizes(analysis: Analysis, largest: Mapping[str, int]) -> Iterator[tuple[int, int, Slice]]:
    """Smallest and largest prompt of each part by size, in the tokens of one model."""
    for part in (p for p in analysis.slices if p.kind == "context"):
        tokens = [t for i in part.item_ids if (t := largest.get(i)) is not None]
        if tokens:
            yield min(tokens), max(tokens), part


def _parts_of(line: UsageLine, place: Standing, sizes: Sequence[tuple[int, int, Slice]]) -> tuple[Slice, ...]:
    """By the first kind that the line says something of and the run has parts for."""
    parts = {(part.kind, part.name): part for part in place.parts}
    if (found := parts.get(("difficulty", line.difficulty or ""))) is not None:
        return (found,)
    tagged = [parts[key] for tag in sorted(set(line.tags or ())) if (key := ("tag", tag)) in parts]
    if tagged:
        return tuple(tagged)
    size = line.usage.total_input_tokens
    return tuple(part for low, high, part in sizes if size is not None and low <= size <= high)


def _longest(analysis: Analysis) -> _Longest:
    found: dict[str, dict[str, int]] = {m.model: {} for m in analysis.models}
    for item in analysis.outputs:
        for output in item.outputs:
            if output.input_tokens is not None:
                of_model = found[output.model]
                of_model[item.id] = max(of_model.get(item.id, 0), output.input_tokens)
    return found


def _most(part: Slice, models: Sequence[str], longest: _Longest) -> float:
    limits, current = [math.inf], models[0]
    had = {model: [longest[model][i] for i in part.item_ids if i in longest[model]] for model in models}
    for model, tokens in had.items():
        per_text = max(tokens) / max(had[current]) if tokens and had[current] else _per_text(model, current)
        tried, facts = [_NEARLY * max(tokens)] if tokens else [], known(model)
        window = [] if facts is None else [facts.context_tokens]
        limits += [limit / per_text for limit in (*tried, *window)]
    return min(limits)


def _sides(current: str, toward: str, item: str, longest: _Longest) -> _Beyond:
    """Of an item's prompt, by the tokens that each model was billed for, or those of the other."""
    one, other = (longest[model].get(item) for model in (current, toward))
    ours = other and other * _per_text(current, toward) if one is None else one
    theirs = one and one * _per_text(toward, current) if other is None else other
    return _is_beyond(current, ours), _is_beyond(toward, theirs)


def _is_beyond(model: str, tokens: float | None) -> bool | None:
    facts = known(model)
    if facts is None or facts.price_cliff is None:
        return False
    return None if tokens is None else tokens > facts.price_cliff[0]


def _per_text(model: str, current: str) -> float:
    """Tokens that one model makes of a text over those of another, as far as both are known."""
    one, other = known(model), known(current)
    return one.tokens_per_text / other.tokens_per_text if one and other else 1.0


def _toward(place: Standing, parts: Sequence[Slice]) -> str | None:
    """The cheapest model that is shown to be hardly worse on every one of the parts."""
    for side in place.cheaper:
        held = {(h.kind, h.part) for h in place.on_parts if h.model == side.model and h.shown}
        if all((part.kind, part.name) in held for part in parts):
            return side.model
    return None
