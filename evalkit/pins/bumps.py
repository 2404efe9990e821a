"""What a change does to pins: which model ids a file named before, and which it names now."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from difflib import SequenceMatcher
from functools import partial
from itertools import chain, groupby, takewhile
from operator import itemgetter
from typing import Any, Literal, TypeVar

from evalkit.frozen import dataclass
from evalkit.pins.address import Address
from evalkit.pins.scan import Pin, in_code
from evalkit.pins.spelling import tier_of

Change = Literal["bump", "added", "removed"]


@dataclass(frozen=True)
class Bump:
    """One change of a model id: `then` is None for one that is new, `now` for one that is gone."""

    then: Pin | None
    now: Pin | None

    @property
    def change(self) -> Change:
        """What happened."""
        return "added" if self.then is None else "removed" if self.now is None else "bump"


_MOST_PAIRS = 250_000
_FEW_TO_TELL_APART = 3
"""One gone and one new of a place are a pair, whatever is around them."""
_Key = TypeVar("_Key")
_WORD = re.compile(r"\w+")


@dataclass
class _Left:
    """What is not yet accounted for, and the replacements found so far."""

    gone: list[Pin]
    new: list[Pin]
    found: list[Bump]

    def replace(self, key: Callable[[Pin, Pin], Any]) -> None:
        """Pair what is gone with what is new, the best pairs first; two of one model are no change."""
        if len(self.gone) * len(self.new) > _MOST_PAIRS:
            self.in_turn()
            return
        pairs = sorted(((old, pin) for old in self.gone for pin in self.new), key=lambda pair: key(*pair))
        for old, pin in pairs:
            if old in self.gone and pin in self.new:
                self.pair(old, pin)

    def pair_alike(self, likeness: Callable[[Pin, Pin], int]) -> None:
        """Pair those that are like each other at all, the most alike first. Of two that are as much alike, the one of
        another model is what became of it where one side has more (in doubt it is a bump), else that with more of the
        same words beside it."""
        in_doubt = len(self.gone) != len(self.new)
        pairs = []
        for n, old in enumerate(self.gone):
            for m, pin in enumerate(self.new):
                if (alike := likeness(old, pin)) > 0:
                    same, one, two = old.model == pin.model, old.beside, pin.beside
                    words = -one.likeness(two), -one.in_common(two), abs(one.nth - two.nth)
                    pairs.append((-alike, in_doubt and same, words, not same, abs(n - m), n, m))
        gone, new = self.gone.copy(), self.new.copy()
        for *_, n, m in sorted(pairs):
            if gone[n] in self.gone and new[m] in self.new:
                self.pair(gone[n], new[m])

    def in_turn(self) -> None:
        """Pair the first with the first, and so on."""
        pairs = list(zip(self.gone, self.new, strict=False))
        self.gone, self.new = self.gone[len(pairs) :], self.new[len(pairs) :]
        self.found += [Bump(old, pin) for old, pin in pairs if old.model != pin.model]

    def pair(self, old: Pin, pin: Pin) -> None:
        """Take one for what the other became."""
        self.gone.remove(old)
        self.new.remove(pin)
        if old.model != pin.model:
            self.found.append(Bump(old, pin))


def bumps(then: Iterable[Pin], now: Iterable[Pin]) -> list[Bump]:
    """The changes between two states of the same files, in code alone.

    Each place of a file is compared with itself: by what its keys and names are, then by ever less of what is around
    it, and where lines were broken anew by
    the words beside it; then what is left of the file, then what is left of all files. An id that moved, or is spelled
    otherwise, has not changed, unless it stands where another stood: two values that were exchanged are two bumps.
    """
    before, after = _by_path(then), _by_path(now)
    called = _moved_to(before, after)
    left = _Left([*chain(*before.values())], [*chain(*after.values())], [])
    for step in (_at_addresses, _at_all_places, _by_words):
        left = step(_in_each_file(left, called, step))  # a block that went to another file is compared with itself too
    left = _in_each_file(left, called, _in_file)
    _moved(left)
    left.replace(_of_one_tier)
    rest = [Bump(None, pin) for pin in left.new]
    brought = sorted([*left.found, *rest], key=lambda bump: bump.now or _NEVER)
    return brought + [Bump(pin, None) for pin in left.gone]


_NEVER = Pin("", 0, 0, "", "", "pin", "anthropic", prose=False)


def _in_each_file(left: _Left, called: Mapping[str, str], step: Callable[[_Left], _Left]) -> _Left:
    """What a step leaves when it looks at each file by itself; `called`: what files that are gone are called now."""
    gone, new = _by_path(left.gone), _by_path(left.new)
    gone = {called.get(path, path): pins for path, pins in gone.items()}
    rest = _Left([], [], left.found)
    for path in sorted({*gone, *new}):
        of_file = step(_Left(gone.get(path, []), new.get(path, []), []))
        rest.gone += of_file.gone
        rest.new += of_file.new
        rest.found += of_file.found
    return rest


def _by_path(pins: Iterable[Pin]) -> dict[str, list[Pin]]:
    return {path: list(of_path) for path, of_path in groupby(in_code(pins), key=lambda pin: pin.path)}


def _moved_to(before: Mapping[str, list[Pin]], after: Mapping[str, list[Pin]]) -> dict[str, str]:
    """What files that are gone are called now: by their path, then by the models that they have in like places."""
    found = []
    for old in before.keys() - after.keys():
        places = {pin.places[-1] for pin in before[old]}
        for new in after.keys() - before.keys():
            if not places.isdisjoint(pin.places[-1] for pin in after[new]):
                alike = {pin.model for pin in before[old]} & {pin.model for pin in after[new]}
                found.append((-len({*_WORD.findall(old)} & {*_WORD.findall(new)}), -len(alike), old, new))
    moved: dict[str, str] = {}
    for _, _, old, new in sorted(found):
        if old not in moved and new not in moved.values():
            moved[old] = new
    return moved


def _at_addresses(left: _Left) -> _Left:
    """Pairs those that the file's own grammar gives one place, which is no other's: of the same address; within others
    than before, or in fewer; called the same at both ends; or the only one of what is called the same first.
    """
    addresses = [pin.address for pin in (*left.gone, *left.new) if pin.address]
    if not addresses:
        return left
    alike = sum(1 for _ in takewhile(lambda names: len(set(names)) == 1, zip(*addresses, strict=False)))
    shared = min(alike, min(map(len, addresses)) - 1)
    heads = {pin.address[shared] for pin in left.new if pin.address}
    for names in range(max(2, *map(len, addresses)), 1, -1):
        _pair_at(left, itemgetter(slice(-names, None)), partial(_is_moved, names=names, shared=shared, heads=heads))
    _pair_at(left, itemgetter(shared, -1))
    _pair_at(left, itemgetter(slice(shared, shared + 1)))
    return left


def _pair_at(
    left: _Left, called: Callable[[Address], tuple[str, ...]], may_be: Callable[[Address, Address], bool] | None = None
) -> None:
    """Pairs what is called the same in one place each, by a part of their addresses."""
    gone, new = (_by_name(pins, called) for pins in (left.gone, left.new))
    olds, news = set[Pin](), set[Pin]()  # apart, since a place may hold the same then and now and be another's
    for name, old in gone.items():
        now = new.get(name, [])
        if len(old) != len(now) or not (_is_one_place(old) and _is_one_place(now)):
            continue
        if len(old) > 1 and Counter(map(_model, old)) != Counter(map(_model, now)):  # not only in another order
            continue
        if may_be is None or may_be(old[0].address, now[0].address):
            left.found += [Bump(one, pin) for one, pin in zip(old, now, strict=True) if one.model != pin.model]
            olds.update(old)
            news.update(now)
    left.gone = [pin for pin in left.gone if pin not in olds]
    left.new = [pin for pin in left.new if pin not in news]


def _by_name(pins: Iterable[Pin], called: Callable[[Address], tuple[str, ...]]) -> Mapping[tuple[str, ...], list[Pin]]:
    found: dict[tuple[str, ...], list[Pin]] = {}
    for pin in pins:
        if pin.address:
            found.setdefault(called(pin.address), []).append(pin)
    return found


def _is_moved(then: Address, now: Address, names: int, shared: int, heads: Set[str]) -> bool:
    """Whether two addresses that end in the same names may be one: with more levels or fewer, or of a service that is
    not there any more by the name that it had, which follows the names that all addresses share."""
    before, after = then[:-names], now[:-names]
    return _is_within(before, after) or _is_within(after, before) or then[shared] not in heads


def _is_within(some: Sequence[str], others: Sequence[str]) -> bool:
    """Whether all of the names are among the others, in this order."""
    rest = iter(others)
    return all(name in rest for name in some)


def _is_one_place(pins: Sequence[Pin]) -> bool:
    """Whether these stand in one, where their order tells them apart if there are several."""
    return len({pin.address for pin in pins}) == 1


def _at_all_places(left: _Left) -> _Left:
    for nth in range(max((len(pin.places) for pin in (*left.gone, *left.new)), default=0)):
        left = _at_places(left, nth)
    return left


def _by_words(left: _Left) -> _Left:
    """Pairs those with like words beside them, whatever lines they stand in."""
    if len(left.gone) * len(left.new) <= _MOST_PAIRS:
        left.pair_alike(lambda old, pin: old.beside.likeness(pin.beside))
    return left


def _in_file(left: _Left) -> _Left:
    gone, new, found = sorted(left.gone), sorted(left.new), left.found
    left = _unaligned(gone, new)
    if left.gone:  # what is left may have been replaced by one that only seems to have moved
        left = _Left(gone, new, [])
        left.replace(_nearest)
    return _Left(left.gone, left.new, found + left.found)


def _at_places(found: _Left, nth: int) -> _Left:
    """What is left when each place, as the nth of a pin's places tells it, has been compared with itself."""
    places: dict[str, tuple[list[Pin], list[Pin]]] = {}
    for side, pins in enumerate((found.gone, found.new)):
        for pin in pins:
            places.setdefault(pin.places[min(nth, len(pin.places) - 1)], ([], []))[side].append(pin)
    rest = _Left([], [], found.found)
    for gone, new in places.values():
        alike = _by_likeness(gone, new)
        rest.found += alike.found
        here = alike.gone, alike.new
        left = _unaligned(*here)
        if {pin.model for pin in left.gone} & {pin.model for pin in left.new}:  # in another order
            left = _Left(*here, [])
            left.in_turn()
        else:
            left.replace(_of_one_tier)
        rest.gone += left.gone
        rest.new += left.new
        rest.found += left.found
    return rest


def _by_likeness(gone: list[Pin], new: list[Pin]) -> _Left:
    """Pairs those of one place by what only one of them stands among: blocks change their order, and their contents.

    Where no block tells them apart, the lines beside them do, unless these alone are in another order.
    """
    left = _Left(gone.copy(), new.copy(), [])
    if min(len(gone), len(new)) == 0 or len(gone) + len(new) < _FEW_TO_TELL_APART or len(gone) * len(new) > _MOST_PAIRS:
        return left
    common = _in_all(pin.own.lines for pin in (*gone, *new))
    beside = _in_all(pin.own.near for pin in (*gone, *new))
    left.pair_alike(lambda old, pin: old.own.likeness(pin.own, common))
    by_near = _Left(left.gone.copy(), left.new.copy(), left.found.copy())
    by_near.pair_alike(lambda old, pin: old.own.nearness(pin.own, beside))
    in_order = [pin.model for pin in left.gone] == [pin.model for pin in left.new]
    return left if in_order and not by_near.gone else by_near  # lines around them may move too


def _in_all(parts: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset.intersection(*parts)


def _unaligned(then: list[Pin], now: list[Pin]) -> _Left:
    """What is gone and what is new of two lists, by their models in order."""
    alike = _alike(then, now)
    then, now = then[alike:], now[alike:]
    alike = _alike(then[::-1], now[::-1])
    then, now = then[: len(then) - alike], now[: len(now) - alike]
    if len(then) * len(now) > _MOST_PAIRS:
        return _Left(then, now, [])
    models = [pin.model for pin in then], [pin.model for pin in now]
    steps = [step for step in SequenceMatcher(None, *models, autojunk=False).get_opcodes() if step[0] != "equal"]
    return _Left(
        [pin for step in steps for pin in then[step[1] : step[2]]],
        [pin for step in steps for pin in now[step[3] : step[4]]],
        [],
    )


def _alike(then: Sequence[Pin], now: Sequence[Pin]) -> int:
    """How many pins of one model each both lists begin with."""
    pairs = zip(then, now, strict=False)
    return next((n for n, (old, pin) in enumerate(pairs) if old.model != pin.model), min(len(then), len(now)))


def _moved(left: _Left) -> None:
    """Takes out what is gone from one file and new in another, where it replaces nothing."""
    gone = Counter(pin.model for pin in left.gone) & Counter(pin.model for pin in left.new)
    new = gone.copy()
    left.gone, left.new = (_without(left.gone, gone, _model), _without(left.new, new, _model))


def _model(pin: Pin) -> str:
    return pin.model


def _without(pins: Sequence[Pin], moved: Counter[_Key], key: Callable[[Pin], _Key]) -> list[Pin]:
    """The pins less the first of each key, so many as have moved; these are counted off."""
    rest = []
    for pin in pins:
        if moved[key(pin)]:
            moved[key(pin)] -= 1
        else:
            rest.append(pin)
    return rest


def _of_one_tier(old: Pin, new: Pin) -> tuple[bool, bool, int]:
    return old.path != new.path, tier_of(old.model) != tier_of(new.model), abs(old.line - new.line)


def _nearest(old: Pin, new: Pin) -> tuple[bool, int, bool]:
    apart = abs(old.line - new.line)
    return apart > 0 and tier_of(old.model) != tier_of(new.model), apart, old.model != new.model
