"""The answer keys: which item a request is about, and what right and wrong answers to it look like."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from evalkit.errors import UsageError
from evalkit.frozen import dataclass
from evalkit.sandbox.quality import Difficulty

_DOCUMENTS_END = "</documents>"


@dataclass(frozen=True)
class Fact:
    """One point of an answer, told rightly and told wrongly."""

    right: str
    wrong: str


@dataclass(frozen=True)
class AnswerKey:
    """One item's key: facts to compose an answer of, or whole answers (correct, partial, wrong) instead."""

    id: str
    input_sha256: str
    difficulty: Difficulty
    facts: tuple[Fact, ...] = ()
    answers: Mapping[str, str] | None = None


def input_sha256(text: str) -> str:
    """The SHA-256 (hex) by which an input is recognised, whatever its white space."""
    return hashlib.sha256(" ".join(text.split()).encode("utf-8", "surrogatepass")).hexdigest()


def task_of(user_text: str) -> str:
    """The task in a user message: what follows its documents, or all of it."""
    return user_text.rpartition(_DOCUMENTS_END)[2] if _DOCUMENTS_END in user_text else user_text


@lru_cache(maxsize=8)
def load_keys(extra: Path | None = None) -> Mapping[str, AnswerKey]:
    """All keys by input_sha256: those that come with the sandbox, then those of the extra folder.

    Raises UsageError for a line that is not a key. A line without input_sha256 is left out.
    """
    shipped: Traversable = files("evalkit.sandbox") / "keys"
    folders: list[Traversable] = [shipped] if extra is None else [shipped, extra]
    return {key.input_sha256: key for folder in folders for key in _read_folder(folder)}


def _read_folder(folder: Traversable) -> Iterator[AnswerKey]:
    if not folder.is_dir():
        raise UsageError(f"no answer keys at {folder}; name a folder with *.jsonl files")
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not entry.name.endswith(".jsonl"):
            continue
        for number, line in enumerate(entry.read_text("utf-8").splitlines(), 1):
            try:
                row = json.loads(line) if line.strip() else {}
                if "input_sha256" in row:
                    yield _read_key(row)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise UsageError(f"{entry}:{number}: not an answer key ({error!r}); check it with keycheck") from error


def _read_key(row: Mapping[str, Any]) -> AnswerKey:
    facts = tuple(Fact(fact["right"], fact["wrong"]) for fact in row.get("facts") or ())
    answers = row.get("answers")
    if not facts and not answers:
        raise ValueError("neither facts nor answers")
    return AnswerKey(row["id"], row["input_sha256"], row["difficulty"], facts, answers)
