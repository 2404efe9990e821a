"""The words beside an id: they stay the same where lines are broken anew, or one format becomes another."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, takewhile
from operator import eq
from typing import TypeGuard

from evalkit.frozen import dataclass
from evalkit.pins.spelling import Spelling, between

_MOST = 24
"""Words on each side of an id that are kept to tell it by."""
_TOKEN = re.compile(r"\w+|[\[\](){}]")
_DEEPEST = 1_000_000


@dataclass(frozen=True)
class Beside:
    """The words before an id, those after it in its block, from the nearest one on, and its line without white space;
    ids are left out of all."""

    line: str = ""
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    def likeness(self, other: "Beside") -> int:
        """How many words on both sides are the same, up to the first that is not."""
        return _alike(self.before, other.before) + _alike(self.after, other.after)


def _alike(one: tuple[str, ...], two: tuple[str, ...]) -> int:
    return sum(1 for _ in takewhile(bool, map(eq, one, two)))


def beside(lines: Sequence[str], ids: Sequence[Sequence[Spelling]]) -> Iterator[Beside]:
    """The words beside each id of a file, in order."""
    tokens, at = list[str | int](), list[tuple[int, int, str]]()
    for line, found in zip(lines, ids, strict=True):
        first, *others = parts = between(line, found)
        own, depth = "".join("".join(parts).split()), _depth(line)
        tokens += [depth, *_TOKEN.findall(first)]
        for other in others:
            at.append((len(tokens), depth, own))
            tokens += _TOKEN.findall(other)
    for place, depth, own in at:
        before = (part for part in map(tokens.__getitem__, range(place - 1, -1, -1)) if _is_word(part))
        after = _in_block(map(tokens.__getitem__, range(place, len(tokens))), depth)
        yield Beside(own, tuple(islice(before, _MOST)), tuple(islice(after, _MOST)))


def _depth(line: str) -> int:
    """How far right the words of a line begin; one of white space alone ends no block."""
    return len(line) - len(line.lstrip(" \t-")) if line.strip() else _DEEPEST


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


def _is_word(part: str | int) -> TypeGuard[str]:
    return isinstance(part, str) and part not in "([{)]}"
