"""Kinds of items: those that have several of the things in common that a request says, its difficulty and its tags."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache, cached_property
from itertools import combinations

from evalkit.analysis.results import ItemResult
from evalkit.frozen import dataclass

FEWEST_ALIKE = 5
"""Items below which a kind says nothing of its requests, nor one side of a price cliff what requests there cost."""
Key = tuple[str, str]
"""Kind and name of a part."""
Said = frozenset[Key]
"""A difficulty and tags."""


@dataclass(frozen=True)
class Kind:
    """The items that have all of what is `said`, and more or not."""

    said: Said
    items: frozenset[str]


class Kinds:
    """The items of a run by what they say, asked for every request alike once."""

    def __init__(self, outputs: Sequence[ItemResult]) -> None:
        self._said = {item.id: said_by(item.difficulty, item.tags) for item in outputs}
        self._found: dict[Said, tuple[Kind, ...]] = {}
        self._items = cache(self._with)

    @cached_property
    def _telling(self) -> Said:
        """What some items say, and not all: a tag that all have tells nothing apart, nor does one that none has."""
        counts = Counter(key for said in self._said.values() for key in said)
        return frozenset(key for key, count in counts.items() if count < len(self._said))

    def of(self, difficulty: str | None, tags: Iterable[str]) -> tuple[Kind, ...]:
        """All that a request says, its single things first, then each two of them and all that any item has in common
        with it: those with a few items at least.

        The items of these kinds are all that tried several of its things at once, however few have all of them. Items
        of another difficulty are asked only about tags that too few items of the request's own have.
        """
        said = said_by(difficulty, tags) & self._telling
        if said not in self._found:
            hard = frozenset(key for key in said if key[0] == "difficulty")
            common = {said & of_item for of_item in self._different}
            pairs = {frozenset(keys) for n in (1, 2) for keys in combinations(sorted(said), n)}
            kinds = {one: Kind(one, self._items(one)) for one in sorted(common | pairs, key=_order) if one}
            found = (kind for one, kind in kinds.items() if hard <= one or len(self._items(one | hard)) < FEWEST_ALIKE)
            self._found[said] = tuple(kind for kind in found if len(kind.items) >= FEWEST_ALIKE)
        return self._found[said]

    @cached_property
    def _different(self) -> frozenset[Said]:
        return frozenset(self._said.values())

    @cached_property
    def _by_key(self) -> Mapping[Key, frozenset[str]]:
        return {key: frozenset(item for item, said in self._said.items() if key in said) for key in self._telling}

    def _with(self, said: Said) -> frozenset[str]:
        """The items that have all of it."""
        return frozenset.intersection(*(self._by_key[key] for key in said))


def said_by(difficulty: str | None, tags: Iterable[str]) -> Said:
    """What an item or a request says of itself."""
    of_difficulty: Collection[Key] = () if difficulty is None else [("difficulty", difficulty)]
    return frozenset({*of_difficulty, *(("tag", tag) for tag in tags)})


def nearest(kinds: Iterable[Kind]) -> tuple[Kind, ...]:
    """The kinds with most in common, several things and the difficulty always if that tells anything; of as many, all.
    None of them where only single things are."""
    found = tuple(kinds)
    hard = any(_has_difficulty(kind) for kind in found)
    several = [kind for kind in found if len(kind.said) > 1 and _has_difficulty(kind) == hard]
    most = max((len(kind.said) for kind in several), default=0)
    return tuple(kind for kind in several if len(kind.said) == most)


def _has_difficulty(kind: Kind) -> bool:
    return any(name == "difficulty" for name, _ in kind.said)


def _order(said: Said) -> tuple[int, list[Key]]:
    return len(said), sorted(said)
