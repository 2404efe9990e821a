"""Which requests of a log belong to parts of the items on which a cheaper model has been shown to be hardly worse."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

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
    f" cheaper model is shown to be {HARDLY_WORSE} on every part it belongs to"
)

_NEARLY = 1.25
"""Times the longest prompt that was tried, which production's may have unless they cost otherwise then."""


@dataclass(frozen=True)
class Move:
    """Requests of a model on parts of the items, and the cheapest model shown to be hardly worse on all of them.

    `cost_ratio`: what one of its requests costs there over one of the current model's, in the run.
    """

    current: str
    toward: str
    parts: tuple[str, ...]
    requests: int
    cost_ratio: Estimate


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
    sizes = list(_sizes(analysis))
    keys: list[tuple[str, str, tuple[Slice, ...]] | None] = []
    unmapped: Counter[str] = Counter()
    kept = 0
    longest, limits = _longest(analysis), dict[tuple[str, str, str, str | None], float]()

    def most(part: Slice, current: str, toward: str | None) -> float:
        key = part.kind, part.name, current, toward
        if key not in limits:
            limits[key] = _most(part, current, toward, longest)
        return limits[key]

    for line in lines:
        place, reason = around[line.model], ""
        parts = () if place is None else _parts_of(line, place, sizes)
        if place is None:
            reason = f"{display_name(line.model, analysis.spec.models)} is not in the run"
        elif not parts:
            reason = "no difficulty, tag or input size that the run has a part for"
        toward = None if place is None or not parts else _toward(place, parts)
        size = line.usage.total_input_tokens
        if place and size and any(size > most(part, place.current, toward) for part in parts):
            reason = "a prompt longer than the run's on its part"
        if reason:
            unmapped[reason] += 1
        elif toward is None:
            kept += 1
        keys.append(None if reason or toward is None or place is None else (place.current, toward, parts))
    return _counted(lines, keys, kept, unmapped, {p.current: p for p in around.values() if p is not None})


def _counted(
    lines: Sequence[UsageLine],
    keys: Sequence[tuple[str, str, tuple[Slice, ...]] | None],
    kept: int,
    unmapped: Counter[str],
    around: Mapping[str, Standing],
) -> Moved:
    named = {(c, t, tuple(p.name for p in parts)): (c, t, parts) for c, t, parts in (k for k in keys if k is not None)}
    places = {key: i for i, key in enumerate(sorted(named))}
    of_line = tuple(None if k is None else places[k[0], k[1], tuple(p.name for p in k[2])] for k in keys)
    requests = Counter(of_line)
    moves = []
    for key, i in places.items():
        current, toward, parts = named[key]
        items = {item for part in parts for item in part.item_ids}
        sides = around[current].sides
        ratio = request_cost_ratio(sides[toward], sides[current], sorted(items))
        moves.append(Move(current, toward, key[2], requests[i], ratio))
    can_move = sum(move.requests for move in moves)
    share = Estimate(can_move / len(lines), None, None, 0.95, len(lines), "count, no inference")
    return Moved(len(lines), tuple(moves), kept, dict(unmapped), share, lines=of_line)


def _standing_of(model: str, analysis: Analysis) -> Standing | None:
    """The run around the logged model; None where the run does not have it."""
    ids = [m.model for m in analysis.models]
    found = model if model in ids else next((i for i in ids if same_model(i, model)), None)
    return None if found is None else standing(analysis, found)


def _sizes(analysis: Analysis) -> Iterator[tuple[int, int, Slice]]:
    """Smallest and largest prompt of each part by size, by the most tokens that any model was billed for an item."""
    largest = {
        item.id: max((o.input_tokens for o in item.outputs if o.input_tokens is not None), default=None)
        for item in analysis.outputs
    }
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
    return tuple(part for low, high, part in sizes if size is not None and low <= size <= high)[:1]


def _longest(analysis: Analysis) -> Mapping[str, Mapping[str, int]]:
    """The most tokens that each model's prompt of an item had, of items where that is known."""
    found: dict[str, dict[str, int]] = {m.model: {} for m in analysis.models}
    for item in analysis.outputs:
        for output in item.outputs:
            if output.input_tokens is not None:
                of_model = found[output.model]
                of_model[item.id] = max(of_model.get(item.id, 0), output.input_tokens)
    return found


def _most(part: Slice, current: str, toward: str | None, longest: Mapping[str, Mapping[str, int]]) -> float:
    """The longest prompt, in tokens of the current model, that the run speaks of on a part: nearly as long as those it
    was tried with, and beyond no step of either model, a window or a price cliff, that those had kept to."""
    limits = [math.inf]
    had = {m: [longest[m][i] for i in part.item_ids if i in longest[m]] for m in (current, toward) if m is not None}
    for model, tokens in had.items():
        per_text = max(tokens) / max(had[current]) if tokens and had[current] else _per_text(model, current)
        tried = [_NEARLY * max(tokens)] if tokens else []
        steps = [step for step in _steps(model) if not tokens or step >= max(tokens)]
        limits += [limit / per_text for limit in (*tried, *steps)]
    return min(limits)


def _steps(model: str) -> list[int]:
    """Prompt sizes beyond which a request does not fit a model, or costs otherwise."""
    facts = known(model)
    return [] if facts is None else [facts.context_tokens, *(facts.price_cliff or ())[:1]]


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
