"""Which requests of a log belong to parts of the items on which a cheaper model has been shown to be hardly worse."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import date
from functools import cached_property

from evalkit.analysis.log_mix import Split, mean_of, of_request, splits
from evalkit.analysis.places import FEWEST_ALIKE, Going, Key, Place
from evalkit.analysis.prompt_sizes import Longest, longest_prompts
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
from evalkit.models import display_name, same_model
from evalkit.rates import Rates
from evalkit.stats import Estimate
from evalkit.usage_log import UsageLine

MAPPING = (
    "a request belongs to the part of its difficulty; without one, to the parts of its tags, if the run tests each;"
    " without those, to the part of its input size; to none where its prompt is much longer than its model had there;"
    f" it counts where a cheaper model is shown to be {HARDLY_WORSE} on every part it belongs to, and worse on none of"
    " its tags, and to cost less there, at what prompts on its side of both models' price cliffs cost and at the log's"
    " own mix of input and output; where the run's rates are not known, at the run's mix, and to no part where its"
    " prompt is much shorter than any that its model had there"
)


_EXPECTED = 3.0
_NOT_SHOWN = "no cheaper model is shown to be hardly worse"
_NONE_KNOWN = ", so none is known to be cheaper"
_NO_CHEAPER = "none that is shown to be hardly worse is shown to cost less"
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
    that were: what the current model has taken over from it may be among those that move. `last`: the day of the last
    of the requests, UTC; `ended`: whether none of what would move from the one to the other is made any more.
    `satisfied` and `satisfied_now`: what share of the parts' outputs the cheaper and the current model satisfied.
    """

    current: str
    toward: str
    parts: tuple[str, ...]
    requests: int
    cost_ratio: Estimate
    beyond: tuple[str, ...] = ()
    escalated: int = 0
    at_log_mix: bool = False
    last: str = ""
    ended: bool = False
    satisfied: float | None = None
    satisfied_now: float | None = None


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

    @property
    def unordered(self) -> str:
        """Why no model is known to be cheaper, if that keeps any request; else empty."""
        return next((reason for reason in self.unmapped if reason.endswith(_NONE_KNOWN)), "")

    @property
    def set_aside(self) -> int:
        """Requests of an unfit size on parts where a cheaper model is shown to be hardly worse."""
        return sum(self.unmapped.get(reason, 0) for reason in _SET_ASIDE)


@dataclass(frozen=True)
class _Like:
    """Whether a model is shown to be worse, and to cost more a request, on items like some requests."""

    worse: bool = False
    dearer: bool = False


@dataclass(frozen=True)
class _Around:
    """What the run says of requests of one of its models, each worked out once for all of them."""

    standing: Standing
    longest: Longest
    splits: Mapping[str, Split]
    places: dict[Place, Place] = field(default_factory=dict)
    alike: dict[tuple[str, str | None, frozenset[str]], _Like] = field(default_factory=dict)

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

    @cached_property
    def worse(self) -> Mapping[str, frozenset[str]]:
        """The tags, however few their items, on which each is shown to be worse, and not by less than the margin."""
        tags = [part for part in self.standing.analysis.slices if part.kind == "tag"]
        return {
            side.model: frozenset(part.name for part in tags if _is_worse(side, self.standing.side, part.item_ids))
            for side in self.standing.cheaper
        }

    def placed(self, lines: Sequence[UsageLine]) -> list[Going | str]:
        """Where each request goes: to the cheapest model that may take it, if that costs less for all that it may take;
        else why to none, or not to the cheapest."""
        keys = [self._keys(line) for line in lines]
        costs = [of_request(self.rates, line.usage) for line in lines]
        found: dict[int, Going | str] = {n: why for n, why in enumerate(keys) if isinstance(why, str)}
        why_not: dict[int, str] = {}
        for model in (*self.held, self.current):  # the latter only says why none of the others may
            together = defaultdict[Place, list[int]](list)
            for n, (of_line, line) in enumerate(zip(keys, lines, strict=True)):
                asked = n not in why_not if model == self.current else self._may(model, of_line, line)
                if n in found or isinstance(of_line, str) or not asked:
                    continue
                place = self._toward(model, of_line, line.usage.total_input_tokens or None)
                if isinstance(place, Place):
                    together[place].append(n)
                else:
                    why_not.setdefault(n, place)
            for place, numbers in together.items():
                going = Going(place, mean_of(costs[n] for n in numbers))
                for n in numbers:
                    if going.costs_less and not self._like(model, lines[n]).dearer:
                        found[n] = going
                    else:
                        why_not.setdefault(n, _NO_CHEAPER)
        return [found[n] if n in found else why_not[n] for n in range(len(lines))]

    def _may(self, model: str, keys: tuple[Key, ...] | str, line: UsageLine) -> bool:
        """Whether a cheaper model is shown to be hardly worse for all that a request says."""
        holds = self.held[model].issuperset(keys) and self.worse[model].isdisjoint(line.tags or ())
        return holds and not self._like(model, line).worse

    def _like(self, model: str, line: UsageLine) -> _Like:
        """What is shown of a model on the items that have all that a request says, where it says several things and
        there are a few; worked out once for all requests that say the same."""
        difficulty, tags = line.difficulty, frozenset(line.tags or ())
        if (difficulty is not None) + len(tags) < 2:
            return _Like()
        if (model, difficulty, tags) not in self.alike:
            outputs, sides = self.standing.analysis.outputs, (self.standing.sides[model], self.standing.side)
            items = [i.id for i in outputs if difficulty in (None, i.difficulty) and tags <= set(i.tags)]
            few = len(items) < FEWEST_ALIKE
            self.alike[model, difficulty, tags] = (
                _Like() if few else _Like(_is_worse(*sides, items), _is_dearer(*sides, items))
            )
        return self.alike[model, difficulty, tags]

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

    def _toward(self, model: str, keys: tuple[Key, ...], size: int | None) -> Place | str:
        """The place of requests of such a size that a model would take; else why it does not."""
        parts = tuple(self.parts[key] for key in keys)
        sides, splits_, flat = self.standing.sides, self.splits, self.flat
        place = Place(self.current, model, keys, parts, self.longest, sides, splits=splits_, flat=flat)
        place = self._known(place)
        if size and size > place.most:
            return _TOO_LONG
        if model == self.current:
            unpriced = "" if self.standing.cheaper else self.standing.unordered
            return f"{unpriced}{_NONE_KNOWN}" if unpriced else _NOT_SHOWN
        beyond = place.side(size)
        if beyond is None:
            return _NEAR_CLIFF
        if beyond != place.beyond:
            place = self._known(replace(place, beyond=beyond))
        if len(place.alike) < min(FEWEST_ALIKE, len(place.items)):
            return _HARDLY_TRIED
        return _TOO_SHORT if size and size < place.least else place

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
    around = {model: standing(analysis, model) for model in of_model}
    longest, apart = longest_prompts(analysis), splits(analysis, next((s.sides for s in around.values()), {}))
    for model, numbers in of_model.items():
        placed = _Around(around[model], longest, apart).placed([lines[n] for n in numbers])
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
    last = {going: line.at.date() for going, line in zip(groups, lines, strict=True)}  # lines stand by time
    gone = _ended(groups, lines, weeks)
    found = {}
    for going in sorted(requests, key=lambda g: (g.place.current, g.place.toward, g.place.keys, str(g.place.beyond))):
        place = going.place
        found[going] = Move(
            place.current,
            place.toward,
            tuple(name for _, name in place.keys),
            requests[going],
            going.cost_ratio,
            tuple(m for m, beyond in zip((place.current, place.toward), place.beyond, strict=True) if beyond),
            escalated.get(place.toward, 0),
            at_log_mix=going.mix is not None and place.split is not None,
            last=last[going].isoformat(),
            ended=(place.current, place.toward) in gone,
            satisfied=place.rate(place.toward),
            satisfied_now=place.rate(place.current),
        )
    return found


def _ended(
    groups: Sequence[Going | None], lines: Sequence[UsageLine], weeks: Sequence[date]
) -> frozenset[tuple[str, str]]:
    """The models from and to which no request would move any more: none in the last whole week nor after, and at least
    three were to be expected since the last, so that chance leaves none in one of twenty logs.

    Of all that would move from one to the other together, since a rare combination of tags is missing from many a week.
    """
    days: dict[tuple[str, str], list[date]] = defaultdict(list)
    for going, line in zip(groups, lines, strict=True):
        if going is not None:
            days[going.place.current, going.place.toward].append(line.at.date())

    def is_over(of_pair: Sequence[date]) -> bool:
        lasted, since = (
            max(1, (end - start).days) for start, end in ((lines[0].at.date(), of_pair[-1]), (of_pair[-1], until))
        )
        return of_pair[-1] < weeks[-1] and len(of_pair) / lasted * since >= _EXPECTED

    until = lines[-1].at.date() if lines else date.min
    return frozenset(pair for pair, of_pair in days.items() if weeks and is_over(of_pair))


def _of_run(model: str, analysis: Analysis) -> str | None:
    """The run's id of a logged model; None where the run does not have it."""
    ids = [m.model for m in analysis.models]
    return model if model in ids else next((i for i in ids if same_model(i, model)), None)


def _is_dearer(candidate: Side, baseline: Side, items: Iterable[str]) -> bool:
    ratio = request_cost_ratio(candidate, baseline, items)
    return ratio.value is not None and ratio.value > 1 and differs_from(ratio, 1.0)


def _is_worse(candidate: Side, baseline: Side, items: Iterable[str]) -> bool:
    """Whether a model is shown to be worse there, and not to be hardly worse."""
    found = paired_difference(both(candidate, baseline, items), 1 - 2 * ALPHA)
    return found.low is not None and found.high is not None and found.low <= -MARGIN and found.high < 0
