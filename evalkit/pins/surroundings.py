"""Where an id stands in its file: hashes of what is around it, from the most to the least that has to be the same.

So an id is found again though lines above it have changed, and what took its place though its own line has not.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from evalkit.frozen import dataclass
from evalkit.pins.spelling import Spelling

_SECTION = re.compile(r"\[\[?[^\[\]{}]+\]?\]\s*(?:[#;].*)?\Z")
_SECTIONED = frozenset({"", ".ini", ".cfg", ".toml", ".conf", ".cnf", ".env", ".properties", ".service"})
"""Endings of files in which a line `[name]` says what all lines up to the next one are about."""
_TOKEN = re.compile(r"[\w.$-]+|[\[\](){},;\0]")
_ID = "\0"
"""What stands for an id in a line that is looked at without its ids."""


@dataclass(frozen=True)
class _Line:
    """A line without white space and ids. `below`: the place (from 0) of the line that it stands under, or -1."""

    text: str
    below: int


class Surroundings:
    """The lines of a file by what they stand under: more indentation, a list's key, a section."""

    def __init__(self, path: str, lines: Sequence[str], ids: Sequence[Sequence[Spelling]]) -> None:
        self._sectioned = PurePosixPath(path).suffix.lower() in _SECTIONED
        self._lines = tuple(self._read(lines, ids))
        self._blocks: dict[int, str] = {}
        self._others: dict[int, list[str]] = {}
        for line in self._lines:
            if line is not None and _ID not in line.text:
                self._others.setdefault(line.below, []).append(line.text)

    def _read(self, lines: Sequence[str], ids: Sequence[Sequence[Spelling]]) -> Iterator[_Line | None]:
        above: list[tuple[float, int]] = []
        for number, (text, found) in enumerate(zip(lines, ids, strict=True)):
            if not text.strip():
                yield None
                continue
            depth = self._depth(text)
            while above and above[-1][0] >= depth:
                above.pop()
            yield _Line(_plain(text, found), above[-1][1] if above else -1)
            above.append((depth, number))

    def _depth(self, text: str) -> float:
        bare = text.lstrip()
        if self._sectioned and _SECTION.match(bare):
            return -1
        return len(text) - len(bare) + (0.5 if bare.startswith("- ") else 0)  # a list may stand as far left as its key

    def places(self, number: int) -> list[tuple[str, ...]]:
        """Those of the ids of a line (from 0), from left to right: by all that is around and above it, by its block,
        by its line, by what is before it between its brackets, and by its key there."""
        line = self._lines[number]
        if line is None:
            return []
        above = list(self._above(line))
        under = _hash(one.text for one in above)
        everything = _hash(part for one in above for part in (one.text, self._block(one.below)))
        beside = _hash([line.text, self._block(line.below), self._block(number)])
        alone = _hash([line.text])
        return [
            (f"{everything}.{beside}.{order}", f"{under}.{beside}.{order}", f"{under}.{alone}.{order}",
             f"{under}.{before}", f"{under}:{key}")
            for order, (before, key) in enumerate(_keys(line.text))
        ]  # fmt: skip

    def _block(self, below: int) -> str:
        """The lines without ids that stand directly below one."""
        if below not in self._blocks:
            self._blocks[below] = _hash(self._others.get(below, ()))
        return self._blocks[below]

    def _above(self, line: _Line) -> Iterator[_Line]:
        at: int = line.below
        while at >= 0 and (upper := self._lines[at]) is not None:
            yield upper
            at = upper.below


def _plain(text: str, ids: Iterable[Spelling]) -> str:
    """A line without its white space, and with a mark in place of each id."""
    parts, end = [], 0
    for one in ids:
        parts.append(text[end : one.column - 1])
        end = one.column - 1 + len(one.written)
    return "".join(_ID.join(part.replace(_ID, "") for part in [*parts, text[end:]]).split())


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
