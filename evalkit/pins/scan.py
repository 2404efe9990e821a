"""Model ids in files: where each stands, in code that runs or in prose that only mentions it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from evalkit.pins.spelling import Kind, Provider, spellings

IGNORE = "evalkit: ignore"
"""A line that says so is passed over."""
LARGEST_BYTES = 2_000_000
_PROSE = frozenset({".md", ".markdown", ".rst", ".adoc", ".txt"})
_OURS = frozenset({"evalkit.lock"})
_SUFFIXES = frozenset({".lock", ".db", ".min.js", ".svg", ".ipynb_checkpoints"})


@dataclass(frozen=True, order=True)
class Pin:
    """One model id in one place. `prose`: the file only mentions it, so nothing runs because of it."""

    path: str
    line: int
    column: int
    written: str
    model: str
    kind: Kind
    provider: Provider
    prose: bool


def pins_in(path: str, content: bytes) -> Iterator[Pin]:
    """The ids of one file; none in binary files, very large ones, lock files and run files."""
    name = PurePosixPath(path)
    if name.name in _OURS or name.suffix in _SUFFIXES or len(content) > LARGEST_BYTES or b"\0" in content[:8192]:
        return
    if b"claude-" not in content:
        return
    prose = is_prose(path)
    for number, line in enumerate(content.decode("utf-8", errors="replace").splitlines(), start=1):
        if IGNORE in line:
            continue
        for found in spellings(line):
            yield Pin(path, number, found.column, found.written, found.model, found.kind, found.provider, prose)


def is_prose(path: str) -> bool:
    """Whether a file is documentation: text by its ending, and no prompt by its name or folder."""
    name = PurePosixPath(path)
    return name.suffix.lower() in _PROSE and not any("prompt" in part.lower() for part in name.parts)


def in_code(pins: Iterable[Pin]) -> list[Pin]:
    """Those that something runs by, in order."""
    return sorted(pin for pin in pins if not pin.prose)
