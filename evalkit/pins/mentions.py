"""What in a file only mentions a model: documentation, recorded data, comments, and a notebook's notes and results."""

import json
from pathlib import PurePosixPath

_PROSE = frozenset({".md", ".mdx", ".markdown", ".rst", ".adoc", ".txt"})
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
_HASH_NAMES = ("dockerfile", "makefile", ".env")
_SLASHES_NAMES = ("jenkinsfile",)
_QUOTES = "\"'`"


def is_prose(path: str) -> bool:
    """Whether a whole file only mentions: text or records by its ending, and no prompt by its name or folder."""
    name = PurePosixPath(path)
    if name.suffix.lower() in _RECORDED:
        return True
    instructs = any("prompt" in part.lower() or part.lower() in _INSTRUCTING for part in name.parts)
    return name.suffix.lower() in _PROSE and not instructs


def comment_marks(path: str) -> tuple[str, ...]:
    """What begins a comment to the end of the line in files of that name; none where that is not known."""
    name = PurePosixPath(path)
    suffix, whole = name.suffix.lower(), name.name.lower()
    marks = ("#",) if suffix in _HASH or whole.startswith(_HASH_NAMES) else ()
    return (*marks, "//") if suffix in _SLASHES or whole.startswith(_SLASHES_NAMES) else marks


def comment_at(line: str, marks: tuple[str, ...]) -> int:
    """Where a line's comment begins, counted from 0; its length without one.

    In doubt it is none, so that no id that runs is taken for a comment: a mark counts at the line's start or after
    white space, outside quotes.
    """
    start, quote = len(line) - len(line.lstrip()), ""
    if "//" in marks and line.startswith(("/*", "* "), start) and "*/" not in line.rstrip()[:-2]:
        return start
    if not any(mark in line for mark in marks):
        return len(line)
    for at, character in enumerate(line):
        if quote:
            quote = "" if character == quote and line[at - 1] != "\\" else quote
        elif character in _QUOTES:
            quote = character
        elif line.startswith(marks, at) and (at == 0 or line[at - 1].isspace()):
            return at
    return len(line)


def notebook_code(text: str) -> frozenset[str] | None:
    """The lines of a notebook's code cells, each as its file spells it; None if it is no notebook, or of one line."""
    try:
        cells = json.loads(text)["cells"]
        sources = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, TypeError, KeyError):
        return None
    if text.count("\n") < len(sources):
        return None
    lines = [line for source in sources for line in ([source] if isinstance(source, str) else source)]
    return frozenset(json.dumps(line, ensure_ascii=ascii_) for line in lines for ascii_ in (False, True))
