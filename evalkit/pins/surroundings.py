"""Where an id stands in its file: hashes of what is around it, from the most to the least that has to be the same.

So an id is found again though lines above it have changed, and what took its place though its own line has not.
"""

import hashlib
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, takewhile
from pathlib import PurePosixPath

from evalkit.frozen import dataclass
from evalkit.pins.spelling import Spelling, between

_SECTION = re.compile(r"\[\[?[^\[\]{}]+\]?\]\s*(?:[#;].*)?\Z")
_SECTIONED = frozenset({"", ".ini", ".cfg", ".toml", ".conf", ".cnf", ".env", ".properties", ".service"})
"""Endings of files in which a line `[name]` says what all lines up to the next one are about."""
_DOCUMENT = re.compile(r"---(?:\s|\Z)")
"""What begins another document of a YAML file."""
_NAMING = re.compile(
    r"""[-"'{(]*(?:name|id|key|title|path|route|env|environment|stage|use|purpose|task)["']?[:=]""", re.I
)
"""Lines, without white space, that say what a block is about."""
_FILE, _HEAD = -2, -1
"""What a section stands under, and what stands before the first of them does."""
_MOST_OWN = 500
"""Lines of a block that are kept to tell it by: a pin of each block of a large file has so many."""
_MOST_BLOCKS = 20
"""Blocks in each other around an id that are kept."""
_MOST_NEAR = 20
"""Lines on each side of one that are kept to tell it by where it has no block of its own."""
_BEFORE, _AFTER = "<", ">"
_PARTS = re.compile(r"[,;(){}\[\]]+")
_TOKEN = re.compile(r"[\w.$-]+|[\[\](){},;\0]")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_ID = "\0"
"""What stands for an id in a line that is looked at without its ids."""


@dataclass(frozen=True)
class _Line:
    """A line without white space and ids. `below`: the place (from 0) of the line that it stands under."""

    text: str
    below: int


@dataclass(frozen=True)
class Block:
    """The lines without ids of a part of a file. `named`: those that say what it is about."""

    lines: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Own:
    """What only this one of all ids in lines like its own stands among.

    `blocks`: each block that has no other such id, from the largest to its line alone; `depth`: how deep the first of
    them is in the file, 0 for the file itself. `near`: the lines beside its own, up to the next such id.
    """

    depth: int = 0
    blocks: tuple[Block, ...] = (Block(),)
    near: frozenset[str] = frozenset()

    @property
    def lines(self) -> frozenset[str]:
        """Those of the largest block."""
        return self.blocks[0].lines

    def likeness(self, other: "Own", common: frozenset[str]) -> int:
        """How many lines two have in common beside those, in blocks as large as both have alone; what names them counts
        before all else."""
        depth = max(self.depth, other.depth)
        one, two = self._at(depth), other._at(depth)
        return 1000 * len((one.named & two.named) - common) + len((one.lines & two.lines) - common)

    def nearness(self, other: "Own", common: frozenset[str]) -> int:
        """How many lines beside them two have in common beside those; what stands before them counts twice."""
        alike = (self.near & other.near) - common
        return len(alike) + sum(line.startswith(_BEFORE) for line in alike)

    def _at(self, depth: int) -> Block:
        return self.blocks[min(depth - self.depth, len(self.blocks) - 1)]


class Surroundings:
    """The lines of a file by what they stand under: more indentation, a list's key, a section."""

    def __init__(self, path: str, lines: Sequence[str], ids: Sequence[Sequence[Spelling]]) -> None:
        suffix = PurePosixPath(path).suffix.lower()
        self._parts = _SECTION if suffix in _SECTIONED else _DOCUMENT if suffix in (".yaml", ".yml") else None
        self._nests = suffix in (".json", ".jsonc", ".json5")
        self._lines = tuple(self._read(lines, ids))
        self._below: dict[int, list[int]] = {}
        self._ways = {_FILE: "", _HEAD: ""}
        self._holding: dict[str, Counter[int]] = {}
        self._blocks: dict[int, Block] = {}
        for number, line in enumerate(self._lines):
            if line is not None:
                self._below.setdefault(line.below, []).append(number)
                way = self._ways[line.below]
                self._ways[number] = (
                    way if line.below == _FILE and self._parts is _DOCUMENT else _hash([way, line.text])
                )
                if _ID in line.text:
                    self._holding.setdefault(self._ways[number], Counter()).update(self._way(number))

    def _read(self, lines: Sequence[str], ids: Sequence[Sequence[Spelling]]) -> Iterator[_Line | None]:
        above, nested, ended = [(-2.0, _FILE), (-1.0, _HEAD)], 0, False
        for number, (text, found) in enumerate(zip(lines, ids, strict=True)):
            if not text.strip():
                yield None
                continue
            depth, nested = self._depth(text, nested)
            if text.strip() == "{" and not self._nests and above[-1][0] == depth and not ended:
                depth += 0.25  # it belongs to the line before, and so does what follows
            ended = text.rstrip().endswith(("}", ";", ","))
            while above[-1][0] >= depth:
                above.pop()
            yield _Line(_plain(text, found), above[-1][1])
            above.append((depth, number))

    def _depth(self, text: str, nested: int) -> tuple[float, int]:
        """How deep a line stands, and how many brackets are open after it, of so many before."""
        bare = text.lstrip()
        if self._parts is not None and self._parts.match(bare):
            return -1, nested
        if self._nests:
            marks = _STRING.sub("", bare)
            opened = sum(mark in "[{" for mark in marks) - sum(mark in "]}" for mark in marks)
            return nested - (bare[:1] in ("]", "}")), nested + opened
        # a list may stand as far left as its key
        return len(text) - len(bare) + (0.5 if bare.startswith("- ") else 0), nested

    def places(self, number: int, own: Own) -> list[tuple[str, ...]]:
        """Those of the ids of a line (from 0), from left to right: by the block that is its `own`, by its line, by what
        is before it between its brackets, and by its key there."""
        line = self._lines[number]
        if line is None:
            return []
        alone, under = self._ways[number], self._ways[line.below]
        block = _hash(sorted(own.lines) if own.depth else ())
        return [
            (f"{alone}.{block}.{order}", f"{alone}.{order}", f"{under}.{before}", f"{under}:{key}")
            for order, (before, key) in enumerate(_keys(line.text))
        ]

    def own(self, number: int) -> Own:
        """What only this line of all that are like it stands among."""
        holding, way = self._holding[self._ways[number]], [*self._way(number)][::-1]
        depth = next((depth for depth, place in enumerate(way) if holding[place] == 1), len(way) - 1)
        blocks = (self._block(place) for place in way[depth : depth + _MOST_BLOCKS])
        return Own(depth, tuple(blocks), frozenset(self._near(number)))

    def _block(self, number: int) -> Block:
        if number not in self._blocks:
            lines = frozenset(islice(self._within(number), _MOST_OWN))
            self._blocks[number] = Block(lines, frozenset(line for line in lines if _NAMING.match(line)))
        return self._blocks[number]

    def _near(self, number: int) -> Iterator[str]:
        """The lines before and after one under the same line, each marked as such, up to the next that is like it, and
        what else stands between the commas and brackets of its own."""
        line, way = self._lines[number], self._ways[number]
        here = self._below[_FILE if line is None else line.below]
        at = bisect_left(here, number)
        if line is not None and line.text.count(_ID) == 1:
            yield from (_BEFORE + part for part in _PARTS.split(line.text) if _ID not in part)
        before, after = here[max(0, at - _MOST_NEAR) : at], here[at + 1 : at + 1 + _MOST_NEAR]
        for mark, beside in ((_BEFORE, reversed(before)), (_AFTER, after)):
            for other in takewhile(lambda other: self._ways[other] != way, beside):
                if (near := self._lines[other]) is not None and _ID not in near.text:
                    yield mark + near.text

    def _within(self, block: int) -> Iterator[str]:
        """The lines without ids of a block, its first one included."""
        waiting = [block]
        while waiting:
            number = waiting.pop()
            line = self._lines[number] if number >= 0 else None
            if line is not None and _ID not in line.text:
                yield line.text
            waiting += reversed(self._below.get(number, ()))

    def _way(self, number: int) -> Iterator[int]:
        """What a line stands under, from itself up."""
        while number != _FILE:
            yield number
            line = self._lines[number] if number >= 0 else None
            number = _FILE if line is None else line.below
        yield number


def _plain(text: str, ids: Iterable[Spelling]) -> str:
    """A line without its white space and the comma at its end, which the last of a list lacks, and with a mark in place
    of each id."""
    return "".join(_ID.join(part.replace(_ID, "") for part in between(text, ids)).split()).rstrip(",")


def _keys(text: str) -> Iterator[tuple[str, str]]:
    """What each id of a line is the value of, by the brackets that it stands in, and in the innermost by all that
    stands before it and by what follows the last comma."""
    outer: list[tuple[str, str]] = []
    before = path = key = ""
    for part in _TOKEN.findall(text):
        if part == _ID:
            yield before, _hash([path, key])
        elif part in "[({":
            outer.append((before, path))
            path, key = _hash([path, key]), ""
            before = path
        elif part in "])}":
            (before, path), key = outer.pop() if outer else ("", ""), ""
        elif part in ",;":
            key = ""
        else:
            before = _hash([before, part])
            key += part


def _hash(parts: Iterable[str]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(part.encode(errors="surrogatepass") + b"\n")
    return digest.hexdigest()
