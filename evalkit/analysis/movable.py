"""Which requests of a log belong to parts of the items on which a cheaper model has been shown to be hardly worse."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import date
from functools import cached_property

from evalkit import stats
from evalkit.analysis.item_kinds import FEWEST_ALIKE, Key, Kind, Kinds, nearest
from evalkit.analysis.log_mix import Split, mean_of, of_request, splits
from evalkit.analysis.moves import (
    FEW,
    HARDLY_TRIED,
    NEAR_CLIFF,
    NO_CHEAPER,
    NO_DIFFICULTY,
    NO_PART,
    NONE_KNOWN,
    NOT_SHOWN,
    TOO_LONG,
    TOO_SHORT,
    UNKNOWN_TAG,
    UNTESTED_TAG,
    WORSE,
    Move,
    Moved,
)
from evalkit.analysis.places import Going, Place
from evalkit.analysis.prompt_sizes import Longest, longest_prompts
from evalkit.analysis.results import Analysis, Slice
from evalkit.analysis.sides import (
    ALPHA,
    Challenge,
    Side,
    Standing,
    both,
    holding,
    least_items,
    paired_difference,
    standing,
)
from evalkit.analysis.spans import Span, settled_since, spans
from evalkit.analysis.sweep import MARGIN
from evalkit.frozen import dataclass
from evalkit.models import display_name, same_model
from evalkit.rates import Rates
from evalkit.stats import Estimate
from evalkit.usage_log import UsageLine


@dataclass(frozen=True)
class _Around:
    """What the run says of requests of one of its models, each worked out once for all of them."""

    standing: Standing
    longest: Longest
    splits: Mapping[str, Split]
    kinds: Kinds
    places: dict[Place, Place] = field(default_factory=dict)
    worse: dict[tuple[str, frozenset[str]], bool] = field(default_factory=dict)

    @property
    def current(self) -> str:
        return self.standing.current

    @property
    def rates(self) -> Sequence[Rates]:
        """What the run's requests of this model were priced by."""
        return self.standing.analysis.spec.rates.get(self.current, ())

    @cached_property
    def flat(self) -> frozenset[str]:
        """Models by the team's own rates, which know no size of prompt."""
        rates = self.standing.analysis.spec.rates
        return frozenset(model for model, tiers in rates.items() if any(tier.own for tier in tiers))

    @cached_property
    def tags(self) -> Mapping[str, int]:
        """How many items have each tag."""
        return Counter(tag for item in self.standing.analysis.outputs for tag in set(item.tags))

    @cached_property
    def parts(self) -> Mapping[Key, Slice]:
        """The parts of the items that are tested."""
        return {(part.kind, part.name): part for part in self.standing.parts}

    @cached_property
    def sizes(self) -> Sequence[tuple[int, int, Key]]:
        """Smallest and largest prompt of each part by size, in the tokens of this model."""
        found = []
        for key, part in self.parts.items():
            tokens = [t for i in part.item_ids if (t := self.longest[self.current].get(i)) is not None]
            if key[0] == "context" and tokens:
                found.append((min(tokens), max(tokens), key))
        return found

    def held(self, keys: Collection[Key]) -> Mapping[str, frozenset[Key]]:
        """On which of these parts, the log's, each cheaper model, the cheapest first, is shown to be hardly worse.

        What is told is a share of the log, so that of the parts that count the expected share of false ones is held
        down, over the models and the parts that the log's requests belong to (Benjamini and Hochberg 1995).
        """
        asked, cheaper = sorted(keys), self.standing.cheaper
        tests = [
            Challenge(side, self.standing.side, *key, self.parts[key].item_ids) for side in cheaper for key in asked
        ]
        shown = [holds for holds in holding(tests, stats.benjamini_hochberg) if holds.shown]
        return {s.model: frozenset((h.kind, h.part) for h in shown if h.model == s.model) for s in cheaper}

    def placed(self, lines: Sequence[UsageLine]) -> list[Going | str]:
        """Where each request goes: to the cheapest model that may take it, if that costs less for all that it may take;
        else why to none, or not to the cheapest."""
        keys = [self._keys(line) for line in lines]
        costs = [of_request(self.rates, line.usage) for line in lines]
        found: dict[int, Going | str] = {n: why for n, why in enumerate(keys) if isinstance(why, str)}
        why_not: dict[int, str] = {}
        held = self.held({key for of_line in keys if not isinstance(of_line, str) for key in of_line})
        for model in held:
            together = defaultdict[Place, list[int]](list)
            for n, (of_line, line) in enumerate(zip(keys, lines, strict=True)):
                if n in found or isinstance(of_line, str):
                    continue
                why = self._worse_on(model, line) if held[model].issuperset(of_line) else NOT_SHOWN
                place = why or self._toward(model, of_line, line)
                if isinstance(place, Place):
                    together[place].append(n)
                elif place != NOT_SHOWN:
                    why_not.setdefault(n, place)
            for place, numbers in together.items():
                kinds = tuple(self._of_kind(place, kind) for kind in place.kinds)
                going = Going(place, mean_of(costs[n] for n in numbers), kinds)
                for n in numbers:
                    if going.costs_less:
                        found[n] = going
                    else:
                        why_not.setdefault(n, NO_CHEAPER)
        for n, (of_line, line) in enumerate(zip(keys, lines, strict=True)):
            if n not in found and not isinstance(of_line, str):
                found[n] = why_not.get(n) or self._kept(of_line, line)
        return [found[n] for n in range(len(lines))]

    def _worse_on(self, model: str, line: UsageLine) -> str:
        """That a cheaper model is shown to be worse on a kind of items that have any of what a request says, if so."""
        kinds = self.kinds.of(line.difficulty, line.tags or ())
        return WORSE if any(self._is_worse(model, kind.items) for kind in kinds) else ""

    def _is_worse(self, model: str, items: frozenset[str]) -> bool:
        """Worked out once for all requests alike."""
        if (model, items) not in self.worse:
            self.worse[model, items] = _is_worse(self.standing.sides[model], self.standing.side, items)
        return self.worse[model, items]

    def _keys(self, line: UsageLine) -> tuple[Key, ...] | str:
        """The parts that a request belongs to, by the first kind that it says something of; else why to none. A tag
        that every item has says nothing."""
        if line.difficulty is not None:
            key = ("difficulty", line.difficulty)
            return (key,) if key in self.parts else NO_DIFFICULTY
        tags = sorted(tag for tag in set(line.tags or ()) if self.tags.get(tag) != len(self.standing.analysis.outputs))
        if any(tag not in self.tags for tag in tags):
            return UNKNOWN_TAG
        if any(("tag", tag) not in self.parts for tag in tags):
            return UNTESTED_TAG
        size = line.usage.total_input_tokens
        return (
            tuple(("tag", tag) for tag in tags)
            or tuple(key for low, high, key in self.sizes if size is not None and low <= size <= high)
            or NO_PART
        )

    def _toward(self, model: str, keys: tuple[Key, ...], line: UsageLine) -> Place | str:
        """The place of requests like this one that a model would take; else why it does not."""
        size, kinds = line.usage.total_input_tokens or None, self.kinds.of(line.difficulty, line.tags or ())
        place = self._place(model, keys, kinds)
        if size and size > place.most:
            return TOO_LONG
        beyond = place.side(size)
        if beyond is None:
            return NEAR_CLIFF
        if beyond != place.beyond:
            place = self._known(replace(place, beyond=beyond))
        if len(place.alike) < min(FEWEST_ALIKE, len(place.items)):
            return HARDLY_TRIED
        return TOO_SHORT if size and size < place.least else place

    def _kept(self, keys: tuple[Key, ...], line: UsageLine) -> str:
        """Why no cheaper model is shown to be hardly worse for a request."""
        size = line.usage.total_input_tokens or None
        if size and size > self._place(self.current, keys).most:
            return TOO_LONG
        unpriced = "" if self.standing.cheaper else self.standing.unordered
        if unpriced:
            return f"{unpriced}{NONE_KNOWN}"
        least = least_items(self.standing.analysis.spec.epochs)
        few = self.standing.cheaper and any(len(self.parts[key].item_ids) < least for key in keys)
        return f"{FEW} {least}: add items" if few else NOT_SHOWN

    def _place(self, model: str, keys: tuple[Key, ...], kinds: tuple[Kind, ...] = ()) -> Place:
        parts, sides = tuple(self.parts[key] for key in keys), self.standing.sides
        like = (nearest(kinds), kinds, self.splits, self.flat)
        return self._known(Place(self.current, model, keys, parts, self.longest, sides, (False, False), *like))

    def _of_kind(self, place: Place, kind: Kind) -> Place:
        """Where requests would go that say no more than what a kind of items has."""
        return self._known(replace(place, keys=(), parts=(), nearest=(kind,), kinds=()))

    def _known(self, place: Place) -> Place:
        """The one that is kept of all that are alike."""
        return self.places.setdefault(place, place)


def moved(lines: Sequence[UsageLine], analysis: Analysis, weeks: Sequence[date] = ()) -> Moved:
    """Each request's place: a move, kept, or unmapped. A request is never assumed to belong anywhere.

    `weeks`: the Mondays of the log's whole ones.
    """
    ids = {model: _of_run(model, analysis) for model in {line.model for line in lines}}
    found = _found(lines, ids, analysis)
    groups = [one if isinstance(one, Going) else None for one in found]
    reasons = Counter(reason for reason in found if isinstance(reason, str))
    when, since = _when(groups, lines, weeks)
    moves = _moves(groups, when, Counter(ids[line.model] for line in lines if line.escalated))
    numbers = {going: i for i, going in enumerate(moves)}
    share = Estimate(
        sum(move.requests for move in moves.values()) / len(lines), None, None, 0.95, len(lines), "count, no inference"
    )
    return Moved(
        len(lines),
        tuple(moves.values()),
        reasons.pop(NOT_SHOWN, 0),
        reasons.pop(WORSE, 0),
        reasons.pop(NO_CHEAPER, 0),
        dict(reasons),
        share,
        since,
        lines=tuple(None if going is None else numbers[going] for going in groups),
    )


def _found(lines: Sequence[UsageLine], ids: Mapping[str, str | None], analysis: Analysis) -> list[Going | str]:
    """Where each goes, or why to none; `ids`: the run's of each model that is logged."""
    absent = {model: f"{display_name(model, analysis.spec.models)} is not in the run" for model in ids}
    found: list[Going | str] = [absent[line.model] for line in lines]
    of_model = defaultdict[str, list[int]](list)
    for n, line in enumerate(lines):
        if (model := ids[line.model]) is not None:
            of_model[model].append(n)
    around, kinds = {model: standing(analysis, model) for model in of_model}, Kinds(analysis.outputs)
    longest, apart = longest_prompts(analysis), splits(analysis, next((s.sides for s in around.values()), {}))
    for model, numbers in of_model.items():
        placed = _Around(around[model], longest, apart, kinds).placed([lines[n] for n in numbers])
        for n, one in zip(numbers, placed, strict=True):
            found[n] = one
    return found


def _when(
    groups: Sequence[Going | None], lines: Sequence[UsageLine], weeks: Sequence[date]
) -> tuple[Mapping[Going, Span], str]:
    """When each was made, and since when what would move is what it is (`Moved.since`).

    Asked of each move and of all of a model together: where production goes over to another version, each of its moves
    may be too rare to tell.
    """
    days, counts = defaultdict[Going | str, set[date]](set), Counter[Going | str]()
    for going, line in zip(groups, lines, strict=True):
        for kind in () if going is None else (going, going.place.current):
            days[kind].add(line.at.date())
            counts[kind] += 1
    when = spans(days, weeks, lines[0].at.date(), lines[-1].at.date()) if days else {}  # lines stand by time
    of_moves = {
        going: replace(span, ended=span.ended or when[going.place.current].ended)
        for going, span in when.items()
        if isinstance(going, Going)
    }
    models = [kind for kind in when if isinstance(kind, str)]
    return of_moves, settled_since(when, counts, sum(counts[going] for going in of_moves), models)


def _moves(
    groups: Sequence[Going | None], when: Mapping[Going, Span], escalated: Mapping[str | None, int]
) -> dict[Going, Move]:
    """By place, in an order that is the same for all logs; `escalated`: how often each model of the run was."""
    requests, found = Counter(going for going in groups if going is not None), {}
    for going in sorted(requests, key=_order):
        place, span = going.place, when[going]
        found[going] = Move(
            place.current,
            place.toward,
            tuple(name for _, name in place.keys),
            requests[going],
            going.cost_ratio,
            tuple(tuple(name for _, name in sorted(kind.said)) for kind in place.nearest),
            len(place.items),
            tuple(m for m, beyond in zip((place.current, place.toward), place.beyond, strict=True) if beyond),
            escalated.get(place.toward, 0),
            at_log_mix=going.mix is not None and place.split is not None,
            first=span.first.isoformat(),
            last=span.last.isoformat(),
            began=span.began,
            ended=span.ended,
            satisfied=place.rate(place.toward),
            satisfied_now=place.rate(place.current),
        )
    return found


def _order(going: Going) -> tuple[object, ...]:
    place = going.place
    kinds = [sorted(kind.said) for kind in (*place.nearest, *place.kinds)]
    return place.current, place.toward, place.keys, str(place.beyond), kinds


def _of_run(model: str, analysis: Analysis) -> str | None:
    """The run's id of a logged model; None where the run does not have it."""
    ids = [m.model for m in analysis.models]
    return model if model in ids else next((i for i in ids if same_model(i, model)), None)


def _is_worse(candidate: Side, baseline: Side, items: Iterable[str]) -> bool:
    """Whether a model is shown to be worse there, and not to be hardly worse."""
    found = paired_difference(both(candidate, baseline, items), 1 - 2 * ALPHA)
    return found.low is not None and found.high is not None and found.low <= -MARGIN and found.high < 0
