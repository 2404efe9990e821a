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
    return Found(pins=tuple(sorted(set(pins))), skipped=tuple(dict.fromkeys(left_out)))  # paths may overlap


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
    """Those whose place held their model already, in the code of their file at some commit up to where a change begins.

    All files are looked up at once, and then those that may have been called otherwise one by one.
    """
    base, head = revisions(named, folder)
    files = [file for file in changed_files(base, head, folder) if file.path in {pin.path for pin in pins}]
    texts = contents([file.blobs[1] for file in files], folder)
    whole = {file.path: [*pins_in(file.path, text)] for file, text in zip(files, texts, strict=True)}
    found = set[Pin]()
    for model in {pin.model for pin in pins}:
        sought = {path: {pin for pin in pins if pin.model == model and pin.path == path} for path in whole}
        paths = sorted(path for path, wanted in sought.items() if wanted)
        parts = [paths[start : start + _AT_ONCE] for start in range(0, len(paths), _AT_ONCE)]
        for part in [*parts, *([path] for path in paths)]:
            left = [path for path in part if sought[path] - found]
            for path, past in _past(model, left, base, folder) if left else ():
                found |= _kept(past, whole[path], sought[path] - found)
                if not any(sought[path] - found for path in left):
                    break
    return frozenset(found)


def _kept(past: Sequence[Pin], whole: Sequence[Pin], sought: Collection[Pin]) -> set[Pin]:
    """Those of a file's pins that stood in the same place of an earlier state of it, and are no change from that."""
    held = {(pin.places[-1], pin.model) for pin in in_code(past)}
    kept = {pin for pin in sought if (pin.places[-1], pin.model) in held}
    return kept - {bump.now for bump in bumps(past, whole) if bump.now is not None} if kept else kept


def _past(model: str, paths: Sequence[str], base: str, folder: Path) -> Iterator[tuple[str, list[Pin]]]:
    """Files whose code named a model at a commit up to the base, as they are called now, with their pins as of then."""
    pattern = "[-_.@]?".join(re.escape(part) for part in re.split("[-_.@]", model))
    left = list(dict.fromkeys(changed_lines(pattern, paths, base, folder)))
    for (path, _), content in zip(left, contents([blob for _, blob in left], folder), strict=True):
        past = [*pins_in(path, content)]
        if any(one.model == model for one in in_code(past)):
            yield path if len(paths) > 1 else paths[0], past
