"""Where pins are looked for: in the files as they are, in what a change did to them, and in what there was before."""

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from evalkit.frozen import dataclass
from evalkit.pins.bumps import Bump, bumps
from evalkit.pins.repository import (
    changed_files,
    changed_lines,
    content_at,
    contents,
    files_of,
    files_with,
    revisions,
)
from evalkit.pins.scan import Pin, in_code, pins_in, skipped
from evalkit.pins.spelling import SOUGHT

_AT_ONCE = 500
"""Paths that git is asked about in one call: more might not fit into a command."""


@dataclass(frozen=True)
class Found:
    """Pins or what happened to them, and what was not looked into: a path with the reason for each."""

    pins: tuple[Pin, ...] = ()
    bumps: tuple[Bump, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()


def pins_under(paths: Sequence[Path]) -> Found:
    """All ids in files and folders, in order."""
    pins, left_out = list[Pin](), list[tuple[str, str]]()
    for path, content in files_of(paths):
        pins += pins_in(path, content)
        left_out += _left_out(path, content)
    return Found(pins=tuple(sorted(pins)), skipped=tuple(left_out))


def bumps_between(named: str, folder: Path) -> Found:
    """What `BASE..HEAD` does to the pins of a repository; UsageError for what is no range of its commits."""
    base, head = revisions(named, folder)
    then, now, left_out = list[Pin](), list[Pin](), list[tuple[str, str]]()
    changed = changed_files(base, head, folder)
    files = [file for file in changed if not file.is_submodule]
    read = contents([blob for file in files for blob in file.blobs], folder)
    for file in files:
        then += pins_in(file.path, next(read))
        content = next(read)
        now += pins_in(file.path, content)
        left_out += _left_out(file.path, content)
    modules = [(file.path, "a submodule, which changed") for file in changed if file.is_submodule]
    return Found(bumps=tuple(bumps(then, now)), skipped=(*left_out, *modules))


def _left_out(path: str, content: bytes) -> Iterator[tuple[str, str]]:
    why = skipped(path, content)
    if why is not None:
        yield path, why


def models_before(named: str, folder: Path) -> frozenset[str]:
    """The models that the code named where a change begins."""
    base, _ = revisions(named, folder)
    files = files_with(SOUGHT, base, folder)
    return frozenset(pin.model for path in files for pin in in_code(pins_in(path, content_at(base, path, folder))))


def stood_before(pins: Collection[Pin], named: str, folder: Path) -> frozenset[Pin]:
    """Those of which the code of the same file named the model at some commit up to where a change begins.

    All files are looked up at once, and then those that may have been called otherwise one by one.
    """
    base, _ = revisions(named, folder)
    found = set[Pin]()
    for model in {pin.model for pin in pins}:
        paths = sorted({pin.path for pin in pins if pin.model == model})
        parts = [paths[start : start + _AT_ONCE] for start in range(0, len(paths), _AT_ONCE)]
        there = {path for part in parts for path in _that_named(model, part, base, folder)}
        there |= {path for path in paths if path not in there and _that_named(model, [path], base, folder)}
        found |= {pin for pin in pins if pin.model == model and pin.path in there}
    return frozenset(found)


def _that_named(model: str, paths: Sequence[str], base: str, folder: Path) -> set[str]:
    """The files whose code named a model at a commit up to the base, as they were called then."""
    pattern = "[-_.@]?".join(re.escape(part) for part in re.split("[-_.@]", model))
    left = list(dict.fromkeys(changed_lines(pattern, paths, base, folder)))
    found = set[str]()
    for (path, _), content in zip(left, contents([blob for _, blob in left], folder), strict=True):
        if path not in found and any(one.model == model for one in in_code(pins_in(path, content))):
            found.add(path)
            if found == set(paths):
                break
    return found
