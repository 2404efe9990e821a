"""YAML text to plain values with their lines: no tags, no repeated keys, nothing that means something else."""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import yaml

from evalkit.frozen import dataclass

Path = tuple[str | int, ...]
"""Where a value stands inside a document: keys and list positions from the root."""

MOST_VALUES = 100_000
"""Aliases can make a few lines into millions of values; no file that people write comes near this."""

_TAG = "tag:yaml.org,2002:"
_AS_WRITTEN = (f"{_TAG}str", f"{_TAG}timestamp", f"{_TAG}value", f"{_TAG}merge")
_CONVERTED = (f"{_TAG}null", f"{_TAG}bool", f"{_TAG}int", f"{_TAG}float")


@dataclass(frozen=True)
class Partly:
    """What could be read of YAML that has problems: None stands at the places in `unread`."""

    data: Any
    lines: Mapping[Path, int]
    unread: frozenset[Path]


class YamlError(ValueError):
    """YAML that cannot be read as a whole: its first problem, at `line` (from 1).

    `problems` are all of them as (line, what); `partly` is None where the syntax is broken, so nothing could be read.
    """

    def __init__(self, line: int, what: str) -> None:
        self.line = line
        self.problems: tuple[tuple[int, str], ...] = ((line, what),)
        self.partly: Partly | None = None
        super().__init__(what)


def parse_yaml(text: str) -> tuple[Any, dict[Path, int]]:
    """YAML text to plain values, and the line (from 1) on which each key or list entry stands.

    Keys become text. Raises YamlError for broken syntax, repeated keys, aliases to themselves, tags, numbers
    that are not finite or not plainly numbers, and anything else that JSON could not hold.
    """
    try:
        node = yaml.compose(text, yaml.SafeLoader)
        reader = _Reader(text)
        data = None if node is None else reader.read(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(mark.line + 1 if mark else 1, error.problem or "not readable as YAML") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(line, f"character {chr(error.character)!r} is not allowed") from error
    except RecursionError as error:
        raise YamlError(1, "nested too deeply to be read") from error
    if reader.problems:
        found = YamlError(*min(reader.problems))
        found.problems = tuple(sorted(reader.problems))
        found.partly = Partly(data, reader.lines, frozenset(reader.unread))
        raise found
    return data, reader.lines


def parse_readable(text: str) -> tuple[Any, Mapping[Path, int]]:
    """The same of as much as can be read, for what looks at a file whose problems are told already."""
    try:
        return parse_yaml(text)
    except YamlError as error:
        return (error.partly.data, error.partly.lines) if error.partly else (None, {})


class _Reader:
    """Turns nodes into values and keeps count of them, of their lines, and of what is wrong with them."""

    def __init__(self, text: str) -> None:
        self.convert = yaml.SafeLoader(text).construct_object
        self.lines: dict[Path, int] = {(): 1}
        self.values = 0
        self.problems: set[tuple[int, str]] = set()
        self.unread: set[Path] = set()

    def read(self, node: yaml.Node, path: Path = (), above: frozenset[int] = frozenset()) -> Any:
        """The value of a node; None where it has none, which is noted, so that the rest can be read."""
        with self._noted():
            return self.plain(node, path, above)
        self.unread.add(path)
        return None

    def plain(self, node: yaml.Node, path: Path, above: frozenset[int]) -> Any:
        """The value of a node at `path`; `above` are the nodes it stands in."""
        self.values += 1
        if self.values > MOST_VALUES:
            raise _problem(node, f"aliases make more than {MOST_VALUES:,} values")
        above = _within(node, above)
        if isinstance(node, yaml.MappingNode):
            return {key: self._entry(*pair, (*path, key), above) for key, pair in self._pairs(node, above).items()}
        if isinstance(node, yaml.SequenceNode):
            _expect_tag(node, "seq")
            return [self._entry(entry, entry, (*path, index), above) for index, entry in enumerate(node.value)]
        return self._scalar(node)

    def _entry(self, start: yaml.Node, value: yaml.Node, path: Path, above: frozenset[int]) -> Any:
        self.lines[path] = start.start_mark.line + 1
        return self.read(value, path, above)

    def _pairs(self, node: yaml.MappingNode, above: frozenset[int]) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Key and value nodes by the key's text: its own, then those merged in with `<<`, the first of which win."""
        _expect_tag(node, "map")
        pairs: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merged: list[yaml.Node] = []
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge":
                merged += value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                continue
            with self._noted():
                key = self._key(key_node)
                if key in pairs:
                    raise _problem(key_node, f"key {key!r} stands twice")
                pairs[key] = (key_node, value_node)
        for source in merged:
            with self._noted():
                if not isinstance(source, yaml.MappingNode):
                    raise _problem(source, "'<<' takes a mapping or a list of mappings")
                for key, pair in self._pairs(source, _within(source, above)).items():
                    pairs.setdefault(key, pair)
        return pairs

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Pass over what cannot be read, and note it."""
        try:
            yield
        except YamlError as error:
            if self.values > MOST_VALUES:
                raise
            self.problems.add((error.line, str(error)))

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise _problem(node, "a list or a mapping cannot be a key")
        key = self._scalar(node)
        return key if isinstance(key, str) else json.dumps(key)

    def _scalar(self, node: yaml.Node) -> Any:
        written = str(node.value)
        if node.tag in _AS_WRITTEN:
            return written
        if node.tag not in _CONVERTED:
            raise _problem(node, f"tag {node.tag.removeprefix(_TAG)!r} is not allowed")
        try:
            value = self.convert(node)
        except ValueError as error:
            raise _problem(node, f"{written[:40]!r} is not a number that can be read") from error
        if isinstance(value, float) and not math.isfinite(value):
            raise _problem(node, f"{written!r} is not a finite number")
        if isinstance(value, int | float) and (":" in written or _is_octal(written)):
            raise _problem(node, f"{written!r} unquoted means the number {value}")
        return value


def _is_octal(written: str) -> bool:
    digits = written.lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()


def _within(node: yaml.Node, above: frozenset[int]) -> frozenset[int]:
    if id(node) in above:
        raise _problem(node, "an alias contains itself")
    return above | {id(node)}


def _expect_tag(node: yaml.Node, kind: str) -> None:
    if node.tag != f"{_TAG}{kind}":
        raise _problem(node, f"tag {node.tag.removeprefix(_TAG)!r} is not allowed")


def _problem(node: yaml.Node, what: str) -> YamlError:
    return YamlError(node.start_mark.line + 1, what)
