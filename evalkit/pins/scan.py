"""Model ids in files: where each stands, in what runs or where it is only mentioned."""

import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, field
from pathlib import PurePosixPath
from typing import Any

from evalkit.frozen import dataclass
from evalkit.pins.address import Address, addresses
from evalkit.pins.beside import Beside, beside
from evalkit.pins.docstrings import text_lines
from evalkit.pins.mentions import (
    block_comments,
    comment_at,
    comment_marks,
    is_note,
    is_prose,
    notebook_notes,
    told_at_head,
)
from evalkit.pins.spelling import SOUGHT, Kind, Provider, Spelling, imports_constants, spellings
from evalkit.pins.surroundings import Own, Surroundings

IGNORE = "evalkit: ignore"
"""A line that says so is passed over."""
LARGEST_BYTES = 20_000_000
_OURS = frozenset({"evalkit.lock", "evalkit.yaml"})
"""They name models to compare and to grade by, which production does not run."""
_COMPARED = re.compile(r"(?:baseline|candidate):")
"""Lines of `gate.yaml` that do the same; anything else in a file of that name is not ours."""
_OUR_REPORTS = {
    frozenset({"schema_version", "headline", "exit", "gate", "sha256"}): "gate",
    frozenset(
        {
            "schema_version",
            "simulated",
            "title",
            "verdict",
            "conditional",
            "headline",
            "findings",
            "validity",
            "analysis",
        }
    ): "analysis",
}
"""The keys of a report as JSON, and the one that holds what it found."""
_OUR_MARKUP = {
    ".xml": re.compile(r"\s*(?:<\?xml[^>]*>\s*)?<testsuites name=\"evalkit gate[ \"]"),
    ".html": re.compile(
        r"\s*<!doctype html>\s*<html[^>]*>\s*<head>\s*<meta charset=\"utf-8\">\s*"
        r"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src &#39;none&#39;; style-src &#39;sha256-"
    ),
}
"""How the JUnit file of a gate begins, and a report's page, which its own policy keeps from asking anything."""
_GENERATED = (".lock", ".db", ".min.js", ".map", ".svg")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SOUGHT = re.compile(SOUGHT)
_OTHER_BREAKS = re.compile("\r(?!\n)|[\x85\u2028\u2029]")
"""What ends a line to some languages and not to git. What follows may run, so such a file has no comments."""


@dataclass(frozen=True, order=True)
class Pin:
    """One model id in one place. `prose`: it is only mentioned there, so nothing runs because of it.

    `places`: where it stands, from the most to the least that has to be the same, so that it can be found again; `own`:
    what it stands among, where others stand at like places; `beside`: the words next to it, which stay where lines are
    broken anew; `address`: what the file's own grammar calls its place, empty where that is no place of its own.
    """

    path: str
    line: int
    column: int
    written: str
    model: str
    kind: Kind
    provider: Provider
    prose: bool
    places: tuple[str, ...] = field(default=("",), compare=False)
    own: Own = field(default=Own(), compare=False)
    beside: Beside = field(default=Beside(), compare=False)
    address: Address = field(default=(), compare=False)


def plain(pin: Pin) -> dict[str, Any]:
    """For JSON: what a reader can use."""
    return {name: value for name, value in asdict(pin).items() if name not in ("places", "own", "beside", "address")}


def skipped(path: str, content: bytes) -> str | None:
    """Why a file that seems to name a model is not looked into; None if it is, or if it names none, or is generated."""
    if _is_ours_or_generated(PurePosixPath(path).name) or not re.search(SOUGHT.encode(), content):
        return None
    if len(content) > LARGEST_BYTES:
        return f"{len(content) / 1e6:.0f} MB, more than {LARGEST_BYTES / 1e6:.0f} MB"
    return "no text, neither UTF-8 nor marked as UTF-16" if _is_binary(content) else None


def _is_ours_or_generated(name: str) -> bool:
    return name in _OURS or name.endswith(_GENERATED)


def _is_binary(content: bytes) -> bool:
    return b"\0" in content[:8192] and not content.startswith(_UTF16)


def pins_in(path: str, content: bytes) -> Iterator[Pin]:
    """The ids of one file; none in binary files, very large ones, generated ones and our own."""
    name = PurePosixPath(path).name
    if _is_ours_or_generated(name) or len(content) > LARGEST_BYTES or _is_binary(content):
        return
    text = _text_of(content)
    if not _SOUGHT.search(text) or _is_our_report(PurePosixPath(path).suffix.lower(), text):
        return
    lines = text.split("\n")
    mentions, imported = _mentions(path, text, lines), imports_constants(text)
    ids = [() if IGNORE in line else tuple(spellings(line, imported=imported)) for line in lines]
    around, words, called = Surroundings(path, lines, ids), beside(lines, ids), addresses(path, lines, ids)
    for number, (line, found) in enumerate(zip(lines, ids, strict=True)):
        if not found:
            continue
        (starts, ends), own = mentions(number, line), around.own(number)
        for one, places in zip(found, around.places(number, own), strict=True):
            runs = ends < one.column <= starts
            at = number + 1, *_named(one)
            yield Pin(path, *at, prose=not runs, places=places, own=own, beside=next(words), address=next(called))


def _named(one: Spelling) -> tuple[int, str, str, Kind, Provider]:
    return one.column, one.written, one.model, one.kind, one.provider


def _text_of(content: bytes) -> str:
    if content.startswith(_UTF16):
        return content.decode("utf-16", errors="replace")
    return content.removeprefix(codecs.BOM_UTF8).decode(errors="replace")


def _is_our_report(suffix: str, text: str) -> bool:
    if (begins := _OUR_MARKUP.get(suffix)) is not None:
        return begins.match(text) is not None
    if suffix != ".json":
        return False
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return False
    found = _OUR_REPORTS.get(frozenset(content)) if isinstance(content, dict) else None
    return found is not None and isinstance(content[found], dict)


def _mentions(path: str, text: str, lines: Sequence[str]) -> Callable[[int, str], tuple[int, int]]:
    """For a line: from which column, and up to which, ids are only mentioned."""
    name, marks = PurePosixPath(path), comment_marks(path)
    whole, blocks = is_prose(path), block_comments(path, lines)
    head = told_at_head(path, lines) if whole else {}
    if not whole and name.suffix != ".ipynb" and _OTHER_BREAKS.search(text):
        return lambda _, line: (len(line), 0)
    notes = notebook_notes(text) if name.suffix == ".ipynb" else frozenset[str]()
    docs, inside = text_lines(text) if name.suffix in (".py", ".pyi") else (frozenset[int](), frozenset[int]())
    compares = name.name == "gate.yaml"

    def of_line(number: int, line: str) -> tuple[int, int]:
        if number in head:
            return head[number], 0
        if whole or number in docs or is_note(line, notes) or (compares and _COMPARED.match(line)):
            return 0, 0
        if number in inside:
            return len(line), 0
        return comment_at(line, marks), blocks.get(number, 0)

    return of_line


def in_code(pins: Iterable[Pin]) -> list[Pin]:
    """Those that something runs by, in order."""
    return sorted(pin for pin in pins if not pin.prose)
