"""Which requests of a log belong to parts of the items on which a cheaper model has been shown to be hardly worse."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property

from evalkit.analysis.results import Analysis, Slice
from evalkit.analysis.sides import (
    ALPHA,
    MOST_TAGS,
    Side,
    Standing,
    both,
    differs_from,
    paired_difference,
    request_cost_ratio,
    standing,
)
from evalkit.analysis.sweep import HARDLY_WORSE, MARGIN
from evalkit.frozen import dataclass
from evalkit.models import display_name, known, same_model
from evalkit.stats import Estimate
from evalkit.usage_log import UsageLine

MAPPING = (
    "a request belongs to the part of its difficulty; without one, to the parts of its tags, if the run tests each;"
    " without those, to the part of its input size; to none where its prompt is much longer than its model had there;"
    f" it counts where a cheaper model is shown to be {HARDLY_WORSE} on every part it belongs to, and worse on none of"
    " its tags, and to cost less there, at what prompts on its side of both models' price cliffs cost"
)

_NEARLY = 1.25
"""Times the longest prompt that was tried, which production's may have."""
_FEWEST_ALIKE = 5
"""Items on one side of a price cliff below which the run does not say what requests on that side cost."""
_Longest = Mapping[str, Mapping[str, int]]
"""The most tokens that each model's prompt of an item had, of items where that is known."""
_Beyond = tuple[bool | None, bool | None]
"""Whether a prompt is beyond the price cliffs of the current model and the other; None where its size is not known."""
_Key = tuple[str, str]
"""Kind and name of a part."""

_NOT_SHOWN = "no cheaper model is shown to be hardly worse"
_NO_CHEAPER = "none that is shown to be hardly worse is shown to cost less"
_NO_PART = "no difficulty, tag or input size that the run has a part for"
_NO_DIFFICULTY = "a difficulty that no item of the run has: add items of it"
_UNKNOWN_TAG = "a tag that no item of the run has: add items with it, or log the test set's tags alone"
_UNTESTED_TAG = (
    f"a tag of which the run has too few items (it tests the {MOST_TAGS} most frequent): add some, or log difficulties"
)
_TOO_LONG = "a prompt longer than the run's on its part"
_NEAR_CLIFF = "a prompt so near a price cliff that the run does not tell its side"
_HARDLY_TRIED = "a prompt on a side of a price cliff that the run hardly tried on its part"


@dataclass(frozen=True)
class Move:
    """Requests of a model on parts of the items, and a cheaper one that is shown to be hardly worse on all of them.

    `cost_ratio`: what one of its requests costs there over one of the current model's, in the run, of prompts on the
    same side of their price cliffs; `beyond`: the models whose cliff these are beyond. `escalated`: requests of the
    cheaper one in this log that were: what the current model has taken over from it may be among those that move.
    """

    current: str
    toward: str
    parts: tuple[str, ...]
    requests: int
    cost_ratio: Estimate
    beyond: tuple[str, ...] = ()
    escalated: int = 0


@dataclass(frozen=True)
class _Place:
    """What requests have in common: the model that would take them (their own if none), the parts they belong to, and
    their side of the price cliffs. One for all requests alike, since its figures take long."""

    current: str
    toward: str
    keys: tuple[_Key, ...]
    parts: tuple[Slice, ...] = field(compare=False)
    longest: _Longest = field(compare=False)
    sides: Mapping[str, Side] = field(compare=False)
    beyond: _Beyond = (False, False)

    @cached_property
    def items(self) -> frozenset[str]:
        return frozenset(item for part in self.parts for item in part.item_ids)

    @cached_property
    def alike(self) -> list[str]:
        """The items with prompts on the same side, whose costs say what these requests cost. Where the size of these
        is not known, all if they are on one side, else none."""
        tried = {item: _sides(self.current, self.toward, item, self.longest) for item in self.items}
        if None in self.beyond:
            return sorted(tried) if len(set(tried.values())) == 1 else []
        return sorted(item for item, sides in tried.items() if sides == self.beyond)

    @cached_property
    def rates(self) -> tuple[float, float]:
        """The fewest and the most tokens that the other model made of one of the current's, of the same texts."""
        theirs, ours = self.longest[self.toward], self.longest[self.current]
        found = [theirs[i] / ours[i] for i in self.items if i in theirs and ours.get(i)]
        known_rate = _per_text(self.toward, self.current)
        return min(found, default=known_rate), max(found, default=known_rate)

    @cached_property
    def most(self) -> float:
        """The longest prompt, in tokens of the current model, that the run speaks of on every part: nearly as long as
        those it was tried with, and within the windows of both models."""
        return min(_most(part, (self.current, self.toward), self.longest) for part in self.parts)

    @cached_property
    def cost_ratio(self) -> Estimate:
        """What a request of the other model costs here over one of the current's."""
        return request_cost_ratio(self.sides[self.toward], self.sides[self.current], self.alike)

    def side(self, size: int | None) -> _Beyond | None:
        """Of a request of so many tokens of the current model; None where the other would make now more and now fewer
        than its cliff of them."""
        sides = {(_is_beyond(self.current, size), _is_beyond(self.toward, size and size * r)) for r in self.rates}
        return sides.pop() if len(sides) == 1 else None


@dataclass(frozen=True)
class Moved:
    """Every request in one place. `unmapped`: by reason; `kept`: mapped, but no cheaper model is shown to be hardly
    worse; `no_cheaper`: one is, but is not shown to cost less on their parts. `lines`: the move of each.

    `share`: of all requests, those that can move; a description of this log, without interval.
    """

    requests: int
    moves: tuple[Move, ...]
    kept: int
    no_cheaper: int
    unmapped: Mapping[str, int]
    share: Estimate
    mapping: str = MAPPING
    lines: tuple[int | None, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class _Around:
    """What the run says of requests of one of its models, each worked out once for all of them."""

    standing: Standing
    longest: _Longest
    places: dict[_Place, _Place] = field(default_factory=dict)

    @property
    def current(self) -> str:
        return self.standing.current

    @cached_property
    def tags(self) -> Mapping[str, int]:
        """How many items have each tag."""
        return Counter(tag for item in self.standing.analysis.outputs for tag in set(item.tags))

    @cached_property
    def parts(self) -> Mapping[_Key, Slice]:
        """The parts of the items that are tested."""
        return {(part.kind, part.name): part for part in self.standing.parts}

    @cached_property
    def sizes(self) -> Sequence[tuple[int, int, _Key]]:
        """Smallest and largest prompt of each part by size, in the tokens of this model."""
        found = []
        for key, part in self.parts.items():
            tokens = [t for i in part.item_ids if (t := self.longest[self.current].get(i)) is not None]
            if key[0] == "context" and tokens:
                found.append((min(tokens), max(tokens), key))
        return found

    @cached_property
    def held(self) -> Mapping[str, frozenset[_Key]]:
        """The parts on which each cheaper model, the cheapest first, is shown to be hardly worse."""
        shown = [holds for holds in self.standing.on_parts if holds.shown]
        return {
            side.model: frozenset((h.kind, h.part) for h in shown if h.model == side.model)
            for side in self.standing.cheaper
        }

    @cached_property
    def worse(self) -> Mapping[str, frozenset[str]]:
        """The tags, however few their items, on which each is shown to be worse, and not by less than the margin."""
        tags = [part for part in self.standing.analysis.slices if part.kind == "tag"]
        return {
            side.model: frozenset(part.name for part in tags if _is_worse(side, self.standing.side, part))
            for side in self.standing.cheaper
        }

    def place(self, line: UsageLine) -> _Place | str:
        """Where a request goes: to the cheapest model that may take it; else why to none, or not to the cheapest."""
        keys = self._keys(line)
        if isinstance(keys, str):
            return keys
        tags, why_not, size = set(line.tags or ()), "", line.usage.total_input_tokens or None
        may = [model for model, held in self.held.items() if held.issuperset(keys) and not tags & self.worse[model]]
        for model in may or [self.current]:
            found = self._toward(model, keys, size)
            if isinstance(found, _Place):
                return found
            why_not = why_not or found
        return why_not

    def _keys(self, line: UsageLine) -> tuple[_Key, ...] | str:
        """The parts that a request belongs to, by the first kind that it says something of; else why to none. A tag
        that every item has says nothing."""
        if line.difficulty is not None:
            key = ("difficulty", line.difficulty)
            return (key,) if key in self.parts else _NO_DIFFICULTY
        tags = sorted(tag for tag in set(line.tags or ()) if self.tags.get(tag) != len(self.standing.analysis.outputs))
        if any(tag not in self.tags for tag in tags):
            return _UNKNOWN_TAG
        if any(("tag", tag) not in self.parts for tag in tags):
            return _UNTESTED_TAG
        size = line.usage.total_input_tokens
        return (
            tuple(("tag", tag) for tag in tags)
            or tuple(key for low, high, key in self.sizes if size is not None and low <= size <= high)
            or _NO_PART
        )

    def _toward(self, model: str, keys: tuple[_Key, ...], size: int | None) -> _Place | str:
        """The place of requests of such a size that a model would take; else why it does not."""
        parts = tuple(self.parts[key] for key in keys)
        place = self._known(_Place(self.current, model, keys, parts, self.longest, self.standing.sides))
        if size and size > place.most:
            return _TOO_LONG
        if model == self.current:
            return _NOT_SHOWN
        beyond = place.side(size)
        if beyond is None:
            return _NEAR_CLIFF
        if beyond != place.beyond:
            place = self._known(replace(place, beyond=beyond))
        if len(place.alike) < min(_FEWEST_ALIKE, len(place.items)):
            return _HARDLY_TRIED
        ratio = place.cost_ratio
        return place if ratio.value is not None and ratio.value < 1 and differs_from(ratio, 1.0) else _NO_CHEAPER

    def _known(self, place: _Place) -> _Place:
        """The one that is kept of all that are alike."""
        return self.places.setdefault(place, place)


def moved(lines: Sequence[UsageLine], analysis: Analysis) -> Moved:
    """Each request's place: a move, kept, or unmapped. A request is never assumed to belong anywhere."""
    ids = {model: _of_run(model, analysis) for model in {line.model for line in lines}}
    longest = _longest(analysis)
    around = {model: _Around(standing(analysis, model), longest) for model in set(ids.values()) if model is not None}
    absent = {model: f"{display_name(model, analysis.spec.models)} is not in the run" for model in ids}
    found = [absent[line.model] if (model := ids[line.model]) is None else around[model].place(line) for line in lines]
    places = [place if isinstance(place, _Place) else None for place in found]
    reasons = Counter(reason for reason in found if isinstance(reason, str))
    moves = _moves(places, Counter(ids[line.model] for line in lines if line.escalated))
    numbers = {place: i for i, place in enumerate(moves)}
    share = Estimate(
        sum(move.requests for move in moves.values()) / len(lines), None, None, 0.95, len(lines), "count, no inference"
    )
    return Moved(
        len(lines),
        tuple(moves.values()),
        reasons.pop(_NOT_SHOWN, 0),
        reasons.pop(_NO_CHEAPER, 0),
        dict(reasons),
        share,
        lines=tuple(None if place is None else numbers[place] for place in places),
    )


def _moves(places: Sequence[_Place | None], escalated: Mapping[str | None, int]) -> dict[_Place, Move]:
    """By place, in an order that is the same for all logs; `escalated`: how often each model of the run was."""
    requests = Counter(place for place in places if place is not None)
    return {
        place: Move(
            place.current,
            place.toward,
            tuple(name for _, name in place.keys),
            requests[place],
            place.cost_ratio,
            tuple(m for m, beyond in zip((place.current, place.toward), place.beyond, strict=True) if beyond),
            escalated.get(place.toward, 0),
        )
        for place in sorted(requests, key=lambda place: (place.current, place.toward, place.keys, str(place.beyond)))
    }


def _of_run(model: str, analysis: Analysis) -> str | None:
    """The run's id of a logged model; None where the run does not have it."""
    ids = [m.model for m in analysis.models]
    return model if model in ids else next((i for i in ids if same_model(i, model)), None)


def _is_worse(candidate: Side, baseline: Side, part: Slice) -> bool:
    """Whether a model is shown to be worse there, and not to be hardly worse."""
    found = paired_difference(both(candidate, baseline, part.item_ids), 1 - 2 * ALPHA)
    return found.low is not None and found.high is not None and found.low <= -MARGIN and found.high < 0


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
