"""The words beside an id: they stay the same where lines are broken anew, or one format becomes another."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, takewhile
from operator import eq

from evalkit.frozen import dataclass
from evalkit.pins.spelling import Spelling, between

_MOST = 24
"""Words on each side of an id that are kept to tell it by."""
_LOOKED_AT = 500
"""Words, brackets and beginnings of lines on each side that are looked through for these."""
_TOKEN = re.compile(r"\w+|[\[\](){}]")
_DEEPEST = 1_000_000


@dataclass(frozen=True)
class Beside:
    """The words before an id and after it in its block and those around it, from the nearest one on, and its line
    without white space; ids are left out of all. `nth`: how many of its file with the same words stand before it.
    """

    line: str = ""
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    nth: int = 0

    def likeness(self, other: "Beside") -> int:
        """How many words on both sides are the same, up to the first that is not."""
        return _alike(self.before, other.before) + _alike(self.after, other.after)

    def in_common(self, other: "Beside") -> int:
        """How many words two have in common, wherever they stand: keys may be in another order."""
        return len({*self.before, *self.after} & {*other.before, *other.after})


def _alike(one: tuple[str, ...], two: tuple[str, ...]) -> int:
    return sum(1 for _ in takewhile(bool, map(eq, one, two)))


def beside(lines: Sequence[str], ids: Sequence[Sequence[Spelling]]) -> Iterator[Beside]:
    """The words beside each id of a file, in order."""
    tokens, at = list[str | int](), list[tuple[int, int, str]]()
    for line, found in zip(lines, ids, strict=True):
        first, *others = parts = between(line, found)
        own, depths = "".join("".join(parts).split()), _depths(line)
        tokens += [*depths, *_TOKEN.findall(first.lower())]
        for other in others:
            at.append((len(tokens), depths[-1], own))
            tokens += _TOKEN.findall(other.lower())
    seen = Counter[tuple[tuple[str, ...], ...]]()
    for place, depth, own in at:
        near = tokens[max(0, place - _LOOKED_AT) : place]
        before = tuple(islice(_under(reversed(near), depth), _MOST))
        after = tuple(islice(_in_block(tokens[place : place + _LOOKED_AT], depth), _MOST))
        yield Beside(own, before, after, seen[before, after])
        seen[before, after] += 1


def _depths(line: str) -> list[int]:
    """How far right a line begins, and its words where these follow the dash of a list; one of white space alone ends
    no block."""
    if not line.strip():
        return [_DEEPEST]
    begins, words = (len(line) - len(line.lstrip(marks)) for marks in (" \t", " \t-"))
    return [begins] if begins == words else [begins, words]


def _under(tokens: Iterable[str | int], depth: int) -> Iterator[str]:
    """The words before an id, backwards: those of its own block and of what that stands in. Blocks that are over are
    passed by, with what they are called."""
    closed, passed, called, line = 0, False, False, list[str]()
    for part in tokens:
        if isinstance(part, int):
            if part > depth:
                passed = passed or bool(line)
            else:
                if not (passed and part == depth):
                    yield from line
                depth, passed = part, False
            called = False
            line.clear()
        elif part in ")]}":
            closed, called = closed + 1, False
        elif part in "([{":
            called = closed == 1
            closed = max(0, closed - 1)
        elif not (closed or called):
            line.append(part)


def _in_block(tokens: Iterable[str | int], depth: int) -> Iterator[str]:
    """The words up to the end of the block: a bracket that closes what was open before, or a line further left."""
    opened = 0
    for part in tokens:
        if isinstance(part, int):
            if part < depth and not opened:
                return
        elif part in "([{":
            opened += 1
        elif part in ")]}":
            opened -= 1
            if opened < 0:
                return
        else:
            yield part
