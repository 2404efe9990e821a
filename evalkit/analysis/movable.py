"""Which requests of a log belong to parts of the items on which a cheaper model has been shown to be hardly worse."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import date
from functools import cached_property

from evalkit.analysis.item_kinds import FEWEST_ALIKE, Key, Kind, Kinds, nearest, several
from evalkit.analysis.log_mix import Split, mean_of, of_request, splits
from evalkit.analysis.places import Going, Place
from evalkit.analysis.prompt_sizes import Longest, longest_prompts
from evalkit.analysis.results import Analysis, Slice
from evalkit.analysis.sides import (
    ALPHA,
    MOST_TAGS,
    Side,
    Standing,
    both,
    paired_difference,
    standing,
)
from evalkit.analysis.spans import spans
from evalkit.analysis.sweep import HARDLY_WORSE, MARGIN
from evalkit.frozen import dataclass
from evalkit.models import display_name, same_model
from evalkit.rates import Rates
from evalkit.stats import Estimate
from evalkit.usage_log import UsageLine

MAPPING = (
    "a request belongs to the part of its difficulty; without one, to the parts of its tags, if the run tests each;"
    " without those, to the part of its input size; to none where its prompt is much longer than its model had there;"
    f" it counts where a cheaper model is shown to be {HARDLY_WORSE} on every part it belongs to, worse neither on its"
    " tags nor on the items that have several of the things it says, and to cost less there and by those items that"
    " have most of them, at what prompts on its side of both models' price cliffs cost and at the log's own mix of"
    " input and output; where the run's rates are not known, at the run's mix, and to no part where its prompt is much"
    " shorter than any that its model had there"
)


_NOT_SHOWN = "no cheaper model is shown to be hardly worse"
_NONE_KNOWN = ", so none is known to be cheaper"
_NO_CHEAPER = "none that is shown to be hardly worse is shown to cost less"
_WORSE = "one is, but is shown to be worse on items with several of the things that it says"
_NO_PART = "no difficulty, tag or input size that the run has a part for"
_NO_DIFFICULTY = "a difficulty that no item of the run has: add items of it"
_UNKNOWN_TAG = "a tag that no item of the run has: add items with it, or log the test set's tags alone"
_UNTESTED_TAG = (
    f"a tag of which the run has too few items (it tests the {MOST_TAGS} most frequent): add some, or log difficulties"
)
_TOO_LONG = "a prompt longer than the run's on its part"
_TOO_SHORT = "a prompt shorter than the run's on its part, whose input and output the run has no rates of"
_NEAR_CLIFF = "a prompt so near a price cliff that the run does not tell its side"
_HARDLY_TRIED = "a prompt on a side of a price cliff that the run hardly tried on its part"
_SET_ASIDE = (_TOO_SHORT, _NEAR_CLIFF, _HARDLY_TRIED)
"""Why a request does not move though its parts would let it."""


@dataclass(frozen=True)
class Move:
    """Requests of a model on parts of the items, and a cheaper one that is shown to be hardly worse on all of them.

    `cost_ratio`: what one of its requests costs there over one of the current model's, in the run, of prompts on the
    same side of their price cliffs; `at_log_mix`: with input and output in the proportion that these requests have, not
    the run's. `beyond`: the models whose cliff these are beyond. `escalated`: requests of the cheaper one in this log
    that were: what the current model has taken over from it may be among those that move. `first` and `last`: the
    days of the first and the last of the requests, UTC; whether they `began` and `ended` within the log (`spans`).
    `nearest`: where some items have several of the things that these requests say, what of it they have; the costs, and
    what share of their outputs the cheaper and the current model satisfied (`satisfied`, `satisfied_now`), are of these
    `items`, else of all of the parts.
    """

    current: str
    toward: str
    parts: tuple[str, ...]
    requests: int
    cost_ratio: Estimate
    nearest: tuple[str, ...] = ()
    items: int = 0
    beyond: tuple[str, ...] = ()
    escalated: int = 0
    at_log_mix: bool = False
    first: str = ""
    last: str = ""
    began: bool = False
    ended: bool = False
    satisfied: float | None = None
    satisfied_now: float | None = None


@dataclass(frozen=True)
class Moved:
    """Every request in one place. `unmapped`: by reason; `kept`: mapped, but no cheaper model is shown to be hardly
    worse; `worse`: one is on their parts, but is shown to be worse on items with some of what they say; `no_cheaper`:
    one is, but is not shown to cost less for them. `lines`: the move of each.

    `share`: of all requests, those that can move; a description of this log, without interval.
    """

    requests: int
    moves: tuple[Move, ...]
    kept: int
    worse: int
    no_cheaper: int
    unmapped: Mapping[str, int]
    share: Estimate
    mapping: str = MAPPING
    lines: tuple[int | None, ...] = field(default=(), repr=False)

    @property
    def unordered(self) -> str:
        """Why no model is known to be cheaper, if that keeps any request; else empty."""
        return next((reason for reason in self.unmapped if reason.endswith(_NONE_KNOWN)), "")

    @property
    def set_aside(self) -> int:
        """Requests of an unfit size on parts where a cheaper model is shown to be hardly worse."""
        return sum(self.unmapped.get(reason, 0) for reason in _SET_ASIDE)


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

    @cached_property
    def held(self) -> Mapping[str, frozenset[Key]]:
        """The parts on which each cheaper model, the cheapest first, is shown to be hardly worse."""
        shown = [holds for holds in self.standing.on_parts if holds.shown]
        return {
            side.model: frozenset((h.kind, h.part) for h in shown if h.model == side.model)
            for side in self.standing.cheaper
        }

    def placed(self, lines: Sequence[UsageLine]) -> list[Going | str]:
        """Where each request goes: to the cheapest model that may take it, if that costs less for all that it may take;
        else why to none, or not to the cheapest."""
        keys = [self._keys(line) for line in lines]
        costs = [of_request(self.rates, line.usage) for line in lines]
        found: dict[int, Going | str] = {n: why for n, why in enumerate(keys) if isinstance(why, str)}
        why_not: dict[int, str] = {}
        for model in self.held:
            together = defaultdict[Place, list[int]](list)
            for n, (of_line, line) in enumerate(zip(keys, lines, strict=True)):
                if n in found or isinstance(of_line, str):
                    continue
                place = self._may(model, of_line, line) or self._toward(model, of_line, line)
                if isinstance(place, Place):
                    together[place].append(n)
                elif place != _NOT_SHOWN:
                    why_not.setdefault(n, place)
            for place, numbers in together.items():
                going = Going(place, mean_of(costs[n] for n in numbers))
                for n in numbers:
                    if going.costs_less:
                        found[n] = going
                    else:
                        why_not.setdefault(n, _NO_CHEAPER)
        for n, (of_line, line) in enumerate(zip(keys, lines, strict=True)):
            if n not in found and not isinstance(of_line, str):
                found[n] = why_not.get(n) or self._kept(of_line, line)
        return [found[n] for n in range(len(lines))]

    def _may(self, model: str, keys: tuple[Key, ...], line: UsageLine) -> str:
        """Why a cheaper model is not shown to be hardly worse for all that a request says; empty where it is: on each
        of its parts, and it is shown to be worse on no kind of items that have any of it."""
        if not self.held[model].issuperset(keys):
            return _NOT_SHOWN
        kinds = self.kinds.of(line.difficulty, line.tags or ())
        return _WORSE if any(self._is_worse(model, kind.items) for kind in kinds) else ""

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

    def _toward(self, model: str, keys: tuple[Key, ...], line: UsageLine) -> Place | str:
        """The place of requests like this one that a model would take; else why it does not."""
        size, kinds = line.usage.total_input_tokens or None, self.kinds.of(line.difficulty, line.tags or ())
        place = self._place(model, keys, kinds)
        if size and size > place.most:
            return _TOO_LONG
        beyond = place.side(size)
        if beyond is None:
            return _NEAR_CLIFF
        if beyond != place.beyond:
            place = self._known(replace(place, beyond=beyond))
        if len(place.alike) < min(FEWEST_ALIKE, len(place.items)):
            return _HARDLY_TRIED
        return _TOO_SHORT if size and size < place.least else place

    def _kept(self, keys: tuple[Key, ...], line: UsageLine) -> str:
        """Why no cheaper model is shown to be hardly worse for a request."""
        size = line.usage.total_input_tokens or None
        if size and size > self._place(self.current, keys).most:
            return _TOO_LONG
        unpriced = "" if self.standing.cheaper else self.standing.unordered
        return f"{unpriced}{_NONE_KNOWN}" if unpriced else _NOT_SHOWN

    def _place(self, model: str, keys: tuple[Key, ...], kinds: tuple[Kind, ...] = ()) -> Place:
        parts, sides = tuple(self.parts[key] for key in keys), self.standing.sides
        like = (nearest(kinds), several(kinds), self.splits, self.flat)
        return self._known(Place(self.current, model, keys, parts, self.longest, sides, (False, False), *like))

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
    moves = _moves(groups, lines, Counter(ids[line.model] for line in lines if line.escalated), weeks)
    numbers = {going: i for i, going in enumerate(moves)}
    share = Estimate(
        sum(move.requests for move in moves.values()) / len(lines), None, None, 0.95, len(lines), "count, no inference"
    )
    return Moved(
        len(lines),
        tuple(moves.values()),
        reasons.pop(_NOT_SHOWN, 0),
        reasons.pop(_WORSE, 0),
        reasons.pop(_NO_CHEAPER, 0),
        dict(reasons),
        share,
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


def _moves(
    groups: Sequence[Going | None],
    lines: Sequence[UsageLine],
    escalated: Mapping[str | None, int],
    weeks: Sequence[date],
) -> dict[Going, Move]:
    """By place, in an order that is the same for all logs; `escalated`: how often each model of the run was."""
    requests = Counter(going for going in groups if going is not None)
    days, found = defaultdict[Going, set[date]](set), {}
    for going, line in zip(groups, lines, strict=True):
        if going is not None:
            days[going].add(line.at.date())
    when = spans(days, weeks, lines[0].at.date(), lines[-1].at.date())  # lines stand by time
    for going in sorted(requests, key=_order):
        place, span = going.place, when[going]
        found[going] = Move(
            place.current,
            place.toward,
            tuple(name for _, name in place.keys),
            requests[going],
            going.cost_ratio,
            () if place.nearest is None else tuple(name for _, name in sorted(place.nearest.said)),
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
    near = [] if place.nearest is None else sorted(place.nearest.said)
    return place.current, place.toward, place.keys, near, str(place.beyond), [sorted(kind.said) for kind in place.kinds]


def _of_run(model: str, analysis: Analysis) -> str | None:
    """The run's id of a logged model; None where the run does not have it."""
    ids = [m.model for m in analysis.models]
    return model if model in ids else next((i for i in ids if same_model(i, model)), None)


def _is_worse(candidate: Side, baseline: Side, items: Iterable[str]) -> bool:
    """Whether a model is shown to be worse there, and not to be hardly worse."""
    found = paired_difference(both(candidate, baseline, items), 1 - 2 * ALPHA)
    return found.low is not None and found.high is not None and found.low <= -MARGIN and found.high < 0
