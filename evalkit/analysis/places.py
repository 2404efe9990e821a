"""Where requests of a log may go: the parts of a run's items that they belong to, and what moving them costs there."""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property

from evalkit.analysis.item_kinds import FEWEST_ALIKE, Key, Kind
from evalkit.analysis.log_mix import InOut, Split, is_more_at, ratio_at
from evalkit.analysis.prompt_sizes import NEARLY, Beyond, Longest, is_beyond, most_tokens, sides_of, tokens_per_text
from evalkit.analysis.results import Slice
from evalkit.analysis.sides import Side, differs_from, request_cost_ratio
from evalkit.frozen import dataclass
from evalkit.stats import Estimate


@dataclass(frozen=True)
class Place:
    """What requests have in common: the model that would take them (their own if none), the parts they belong to, the
    kinds of items that have any of the things they say, the `nearest` of them, and their side of the price cliffs.
    One for all requests alike, since its figures take long."""

    current: str
    toward: str
    keys: tuple[Key, ...]
    parts: tuple[Slice, ...] = field(compare=False)
    longest: Longest = field(compare=False)
    sides: Mapping[str, Side] = field(compare=False)
    beyond: Beyond = (False, False)
    nearest: tuple[Kind, ...] = ()
    kinds: tuple[Kind, ...] = ()
    splits: Mapping[str, Split] = field(default_factory=dict, compare=False)
    flat: frozenset[str] = field(default=frozenset(), compare=False)

    @cached_property
    def items(self) -> frozenset[str]:
        """Those that say what the requests cost: of the nearest kinds, else all of their parts."""
        of_kinds = frozenset(item for kind in self.nearest for item in kind.items)
        return of_kinds or frozenset(item for part in self.parts for item in part.item_ids)

    @cached_property
    def alike(self) -> list[str]:
        """The items with prompts on the same side, whose costs say what these requests cost. Where the size of these
        is not known, all if they are on one side, else none."""
        tried = {item: sides_of(self.current, self.toward, item, self.longest, self.flat) for item in self.items}
        if None in self.beyond:
            return sorted(tried) if len(set(tried.values())) == 1 else []
        return sorted(item for item, sides in tried.items() if sides == self.beyond)

    @cached_property
    def rates(self) -> tuple[float, float]:
        """The fewest and the most tokens that the other model made of one of the current's, of the same texts."""
        theirs, ours = self.longest[self.toward], self.longest[self.current]
        found = [theirs[i] / ours[i] for i in self.items if i in theirs and ours.get(i)]
        known_rate = tokens_per_text(self.toward, self.current)
        return min(found, default=known_rate), max(found, default=known_rate)

    @cached_property
    def most(self) -> float:
        """The longest prompt, in tokens of the current model, that the run speaks of on every part: nearly as long as
        those it was tried with, and within the windows of both models."""
        return min(most_tokens(part, (self.current, self.toward), self.longest) for part in self.parts)

    @cached_property
    def least(self) -> float:
        """The shortest prompt that the run speaks of: any, where the costs of input and of output are known apart."""
        if self.split is not None:
            return 0.0
        ours = self.longest[self.current]
        had = [[ours[i] for i in part.item_ids if i in ours] for part in self.parts]
        return max((min(tokens) / NEARLY for tokens in had if tokens), default=0.0)

    @cached_property
    def split(self) -> tuple[Sequence[InOut], Sequence[InOut]] | None:
        """What input and output cost on the items alike, of the other model and of the current; None where that is not
        known of all of them."""
        models = (self.toward, self.current)
        ids = [i for i in self.alike if all(i in self.sides[model].costs for model in models)]
        if not all(i in self.splits.get(model, ()) for model in models for i in ids):
            return None
        other, own = ([self.splits[model][i] for i in ids] for model in models)
        return other, own

    def cost_ratio(self, mix: InOut | None) -> Estimate:
        """What a request of the other model costs here over one of the current's: at this mean cost of input and of
        output, if it is known, else at the run's."""
        plain = request_cost_ratio(self.sides[self.toward], self.sides[self.current], self.alike)
        if mix is None or self.split is None or plain.value is None:
            return plain
        return ratio_at(mix, *self.split)

    def costs_more(self, mix: InOut | None) -> bool:
        """Whether the other model is shown to cost more here, on a few items at least."""
        if len(self.alike) < FEWEST_ALIKE or (mix and self.split and not is_more_at(mix, *self.split)):
            return False
        return _is_shown(self.cost_ratio(mix), less=False)

    def rate(self, model: str) -> float | None:
        """Share of the items' trials with a verdict that a model satisfied, each item counting once."""
        flags = self.sides[model].satisfied
        means = [sum(flags[item]) / len(flags[item]) for item in self.items if flags.get(item)]
        return sum(means) / len(means) if means else None

    def side(self, size: int | None) -> Beyond | None:
        """Of a request of so many tokens of the current model; None where the other would make now more and now fewer
        than its cliff of them."""
        ours = is_beyond(self.current, size, self.flat)
        sides = {(ours, is_beyond(self.toward, size and size * rate, self.flat)) for rate in self.rates}
        return sides.pop() if len(sides) == 1 else None


@dataclass(frozen=True)
class Going:
    """All requests of a log that would go to one place, with the mean cost of their input and output, and the places of
    the `kinds` of items that have some of what they say."""

    place: Place
    mix: InOut | None = field(compare=False)
    kinds: tuple[Place, ...] = field(default=(), compare=False)

    @cached_property
    def cost_ratio(self) -> Estimate:
        return self.place.cost_ratio(self.mix)

    @cached_property
    def costs_less(self) -> bool:
        """Whether it is shown, of several parts on each: what is saved on one hides what another costs more. Nor may it
        be shown to cost more on any kind of items that have some of the things that the requests say."""
        place = self.place
        alone = zip(place.keys, place.parts, strict=True)
        parts = [replace(place, keys=(key,), parts=(part,), nearest=(), kinds=()) for key, part in alone]
        less = [self.cost_ratio, *(one.cost_ratio(self.mix) for one in parts)]
        return all(_is_shown(r, less=True) for r in less) and not any(one.costs_more(self.mix) for one in self.kinds)


def _is_shown(ratio: Estimate, *, less: bool) -> bool:
    """Whether a cost ratio is shown to be less than 1, or more."""
    return ratio.value is not None and ratio.value != 1 and (ratio.value < 1) == less and differs_from(ratio, 1.0)
