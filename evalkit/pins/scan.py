"""Model ids in files: where each stands, in what runs or where it is only mentioned."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from evalkit.pins.mentions import comment_at, comment_marks, is_prose, notebook_code
from evalkit.pins.spelling import SOUGHT, Kind, Provider, spellings

IGNORE = "evalkit: ignore"
"""A line that says so is passed over."""
LARGEST_BYTES = 2_000_000
_OURS = frozenset({"evalkit.lock", "evalkit.yaml", "gate.yaml"})
"""They name models to compare and to grade by, which production does not run."""
_OUR_REPORT = b'"rubric_sha256"'
_GENERATED = (".lock", ".db", ".min.js", ".map", ".svg")
_SOUGHT = re.compile(SOUGHT.encode())


@dataclass(frozen=True, order=True)
class Pin:
    """One model id in one place. `prose`: it is only mentioned there, so nothing runs because of it."""

    path: str
    line: int
    column: int
    written: str
    model: str
    kind: Kind
    provider: Provider
    prose: bool


def pins_in(path: str, content: bytes) -> Iterator[Pin]:
    """The ids of one file; none in binary files, very large ones, generated ones and our own."""
    name = PurePosixPath(path).name
    if name in _OURS or name.endswith(_GENERATED) or len(content) > LARGEST_BYTES or b"\0" in content[:8192]:
        return
    if not _SOUGHT.search(content) or (name.endswith(".json") and _OUR_REPORT in content):
        return
    text = content.decode("utf-8", errors="replace")
    prose, marks = is_prose(path), comment_marks(path)
    cells = notebook_code(text) if name.endswith(".ipynb") else None
    for number, line in enumerate(text.split("\n"), start=1):
        found = [] if IGNORE in line else list(spellings(line))
        if not found:
            continue
        mentioned = prose or (cells is not None and line.strip().removeprefix('"source": ').rstrip(",") not in cells)
        runs_until = 0 if mentioned else comment_at(line, marks)
        for one in found:
            mention = one.column > runs_until
            yield Pin(path, number, one.column, one.written, one.model, one.kind, one.provider, mention)


def in_code(pins: Iterable[Pin]) -> list[Pin]:
    """Those that something runs by, in order."""
    return sorted(pin for pin in pins if not pin.prose)
