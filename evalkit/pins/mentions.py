"""What in a file only mentions a model: documentation, recorded data, comments, and a notebook's notes and results."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

_PROSE = frozenset({
    ".md", ".mdx", ".markdown", ".rst", ".adoc", ".asciidoc", ".org", ".tex", ".textile", ".txt",
})  # fmt: skip
_PROSE_NAMES = frozenset({
    "readme", "changelog", "changes", "history", "news", "license", "licence", "copying", "notice", "authors",
    "contributing",
})  # fmt: skip
_PAGES = frozenset({".html", ".htm"})
_PAGE_FOLDERS = frozenset({"docs", "doc", "site"})
_RECORDED = frozenset({".jsonl", ".ndjson", ".csv", ".tsv", ".log"})
_INSTRUCTING = frozenset({".claude", "agents"})
"""Folders whose texts are instructions to a model, often with the model's id at their head."""
_HASH = frozenset({
    ".py", ".pyi", ".sh", ".bash", ".zsh", ".rb", ".r", ".pl", ".yaml", ".yml", ".toml", ".cfg", ".conf", ".env", ".mk",
    ".tf", ".tfvars", ".hcl", ".properties", ".ex", ".exs", ".nix", ".ps1",
})  # fmt: skip
_SLASHES = frozenset({
    ".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".java", ".kt", ".kts", ".scala", ".go", ".rs", ".swift", ".cs", ".c",
    ".cc", ".cpp", ".h", ".php", ".groovy", ".gradle", ".jsonc", ".json5", ".tf", ".hcl", ".proto", ".dart", ".bicep",
})  # fmt: skip
_DASHES = frozenset({".sql", ".lua"})
_MARKUP = frozenset({".html", ".htm", ".xml", ".vue", ".svelte", ".csproj", ".props", ".plist"})
_HASH_NAMES = ("dockerfile", "makefile", ".env")
_SLASHES_NAMES = ("jenkinsfile",)
_QUOTES = "\"'`"


def is_prose(path: str) -> bool:
    """Whether a whole file only mentions: text or records by its ending, and no prompt by its name or folder."""
    name = PurePosixPath(path)
    if name.suffix.lower() in _RECORDED:
        return True
    if any("prompt" in part.lower() or part.lower() in _INSTRUCTING for part in name.parts):
        return False
    page = name.suffix.lower() in _PAGES and any(part.lower() in _PAGE_FOLDERS for part in name.parts[:-1])
    return page or name.suffix.lower() in _PROSE or name.name.lower() in _PROSE_NAMES


def told_at_head(path: str, lines: Sequence[str]) -> dict[int, int]:
    """The lines that say which model reads a text, `model:` between two lines `---` at its head, as commands, agents
    and skills have it in whatever folder: by number from 0, each with where a comment begins in it."""
    if PurePosixPath(path).suffix.lower() not in _PROSE or not lines or lines[0].rstrip() != "---":
        return {}
    end = next((n for n, line in enumerate(lines[1:_LONGEST_HEAD], start=1) if line.rstrip() in ("---", "...")), 0)
    return {n: comment_at(lines[n], ("#",)) for n in range(1, end) if _MODEL.match(lines[n])}


_MODEL = re.compile(r"""\s*["']?model["']?\s*:""", re.IGNORECASE)
_LONGEST_HEAD = 1_000
"""Lines that are looked through for the end of a text's head."""


def comment_marks(path: str) -> tuple[str, ...]:
    """What begins a comment to the end of the line in files of that name; none where that is not known."""
    name = PurePosixPath(path)
    suffix, whole = name.suffix.lower(), name.name.lower()
    hashes = suffix in (*_HASH, ".dockerfile") or whole.startswith(_HASH_NAMES)
    marks: tuple[str, ...] = ("#",) if hashes else ()
    marks += ("# ",) if suffix == ".php" else ()  # `#[` begins an attribute, which runs
    marks += ("--",) if suffix in _DASHES else ()
    return (*marks, "//", "/*") if suffix in _SLASHES or whole.startswith(_SLASHES_NAMES) else marks


def comment_at(line: str, marks: tuple[str, ...]) -> int:
    """Where a line's comment begins, counted from 0; its length without one.

    In doubt it is none, so that no id that runs is taken for a comment: a mark counts at the line's start or after
    white space, outside quotes, and `/*` behind code if its comment ends the line.
    """
    if not any(mark in line for mark in marks):
        return len(line)
    quote, over = "", 0
    for at, character in enumerate(line):
        apart = at == 0 or line[at - 1].isspace()
        if at < over:
            continue
        if quote:
            quote = "" if character == quote and line[at - 1] != "\\" else quote
        elif character in _QUOTES:
            quote = character
        elif "/*" in marks and line.startswith("/*", at):
            _, end, behind = line[at + 2 :].partition("*/")
            if end and not behind.strip() and apart and line[:at].strip():
                return at
            over = len(line) - len(behind) if end else over
        elif line.startswith(marks, at) and apart:
            return at
    return len(line)


def block_comments(path: str, lines: Sequence[str]) -> dict[int, int]:
    """How far lines are within a comment over several lines, by number from 0: up to which column, counted from 0.

    A comment counts if it begins a line, and if no text over several lines is open before it.
    """
    found: dict[int, int] = {}
    suffix = PurePosixPath(path).suffix.lower()
    if suffix == ".ini":
        return {n: len(line) for n, line in enumerate(lines) if line.lstrip().startswith((";", "#"))}
    begins, ends = ("<!--", "-->") if suffix in _MARKUP else ("/*", "*/") if _has_blocks(path, suffix) else ("", "")
    inside, texts = False, {"`": 0, '"""': 0, "'''": 0}
    for number, line in enumerate(lines if begins else ()):
        start = len(line) - len(line.lstrip())
        opened = not inside and line.startswith(begins, start) and not any(n % 2 for n in texts.values())
        if inside or opened:
            end = line.find(ends, start + len(begins) if opened else 0)
            inside = end < 0
            found[number] = len(line) if inside else end + len(ends)
        rest = line[found.get(number, 0) :]
        for mark in texts:
            texts[mark] += rest.count(mark)
        if suffix in _WITH_HEREDOCS and _HEREDOC.search(rest):
            break
    return found


_WITH_HEREDOCS = (".php", ".tf", ".hcl")
_HEREDOC = re.compile(r"<<[<~-]?\s*['\"]?[A-Za-z_]")
"""What begins a text to a mark of its own: from there on nothing is taken for a comment over several lines."""


def _has_blocks(path: str, suffix: str) -> bool:
    return suffix in (*_SLASHES, ".sql", ".css", ".scss") or PurePosixPath(path).name.lower().startswith(_SLASHES_NAMES)


def notebook_notes(text: str) -> frozenset[str]:
    """The lines of a notebook's notes and results that no code cell holds, each as its file spells it; none if it is
    no notebook."""
    try:
        cells = json.loads(text)["cells"]
        code = {line for cell in cells if cell["cell_type"] == "code" for line in _texts(cell["source"])}
        said = {line for cell in cells if cell["cell_type"] != "code" for line in _texts(cell["source"])}
        said |= {line for cell in cells for line in _texts(cell.get("outputs"))}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return frozenset()
    return frozenset(json.dumps(line, ensure_ascii=ascii_) for line in said - code for ascii_ in (False, True))


_KEY = re.compile(r'^\s*"[\w/+.-]+":\s*(?=")')


def is_note(line: str, notes: frozenset[str]) -> bool:
    """Whether a line of a notebook's file holds one of its notes or results, and nothing else."""
    return _KEY.sub("", line).strip().rstrip(",") in notes


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)
