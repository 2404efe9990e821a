"""What a grader may see, under which name, and with every sign of the author removed."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from evalkit.frozen import dataclass
from evalkit.lookalikes import as_read
from evalkit.models import KNOWN
from evalkit.records import ItemRecord
from evalkit.rubric import Criterion

HIDDEN = "[name hidden]"


@dataclass(frozen=True)
class Passage:
    """A document of an item, as a grader may read it; `evidence`: it holds what the answer needs."""

    name: str
    text: str
    evidence: bool = False


@dataclass(frozen=True, slots=True)
class GradingTask:
    """One output to grade. It has no field for model, cost, tokens, time or order, and never will."""

    label: str
    criteria: tuple[Criterion, ...]
    task: str
    reference: str | None
    output: str
    documents: tuple[Passage, ...] = ()


def passages(item: ItemRecord, documents: Mapping[str, str]) -> tuple[Passage, ...]:
    """An item's documents in their order."""
    return tuple(
        Passage(name, documents[name], place in item.evidence_positions) for place, name in enumerate(item.documents)
    )


def label_for(key: bytes, grader: str, trial_id: int) -> str:
    """An opaque name for a trial, new for every grader: HMAC-SHA256 cut to 80 bits, in base32."""
    digest = hmac.new(key, f"{grader}\x1f{trial_id}".encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:10]).decode("ascii").lower()


def grading_order(seed: int, grader: str, item_id: str, trial_id: int) -> tuple[str, str]:
    """Sort key of a grader's queue: items in a seeded order, and the outputs of an item in one of their own."""

    def place(*parts: object) -> str:
        return hashlib.sha256("\x1f".join(map(str, (seed, grader, *parts))).encode()).hexdigest()

    return place("item", item_id), place("output", item_id, trial_id)


def person_order(key: bytes, grader: str, item_id: str) -> str:
    """Sort key of a person's items. It needs the sealed key, so that nobody can work out an order beforehand."""
    return _place(key, grader, "item", item_id)


def output_order(key: bytes, grader: str, rank: int, models: Sequence[str]) -> tuple[str, ...]:
    """In which order the models' outputs stand on a grader's screen number `rank` (from 0).

    Every second order is the one before it reversed: over any number of screens, each of two models stands before
    the other equally often, within one.
    """
    block = sorted(models, key=lambda model: _place(key, grader, "output", rank // 2, model))
    return tuple(reversed(block) if rank % 2 else block)


def lot(key: bytes, grader: str, purpose: str, trial_id: int) -> str:
    """A draw for one purpose, which tells nothing of the label or of another draw."""
    return _place(key, grader, "lot", purpose, trial_id)


def _place(key: bytes, *parts: object) -> str:
    return hmac.new(key, "\x1f".join(map(str, parts)).encode(), hashlib.sha256).hexdigest()


_TIERS = ("opus", "sonnet", "haiku", "fable", "mythos")
_MAKERS = ("claude", "anthropic")
NAMING = (*_MAKERS, *_TIERS)
_TIER = "(?:" + "|".join(_TIERS) + ")"
_GAP = r"[\s\-–_]"
_LEFT, _RIGHT = r"(?<![^\W_])", r"(?![^\W_])"
"""Edges of a word; unlike `\\b`, an underscore does not belong to the word."""
_VERSION = rf"(?:{_GAP}{{0,3}}v?\d{{1,2}}(?!\d)(?:[.\-_]\d{{1,2}}(?!\d))?)"
_TAIL = r"(?:[\-.@:_]v?\d+)*"
"""Dates, regions and revisions glued to a name: they would tell as much as the name."""
_INTRODUCTION = r"\b(?:as|i\s{1,3}am|i['’]m|name\s{1,3}is)\s{1,3}"


@lru_cache(maxsize=64)
def _identity_pattern(model_ids: tuple[str, ...], common_words: frozenset[str]) -> re.Pattern[str]:
    """Names that give an author away; `common_words` are those the task itself uses, left alone when bare."""
    ids = sorted({*model_ids, *(model.id for model in KNOWN)}, key=len, reverse=True)
    bare = [word for word in NAMING if word not in common_words]
    names = [
        *(f"{re.escape(model_id)}\\d*{_TAIL}" for model_id in ids if "claude" in model_id.lower()),
        *(f"{_LEFT}{re.escape(model_id)}{_RIGHT}" for model_id in ids if "claude" not in model_id.lower()),
        rf"{_LEFT}claude{_GAP}{{0,3}}(?:\d[\d.\-_]{{0,6}}{_GAP}{{1,3}})?{_TIER}(?![a-z])(?:{_VERSION}{_TAIL}|{_TAIL})",
        rf"{_LEFT}claude{_VERSION}{_TAIL}",
        rf"{_LEFT}{_TIER}{_VERSION}{_TAIL}{_RIGHT}",
        *(f"{_LEFT}{word}{_RIGHT}" for word in bare),
    ]
    any_name = "|".join(names)
    introduced = f"(?P<before>{_INTRODUCTION})(?:{any_name}|(?:claude|{_TIER}){_RIGHT})"
    return re.compile(f"(?:{introduced}|{any_name})(?:['’]s{_RIGHT})?", re.IGNORECASE)


def scrub(text: str, model_ids: Sequence[str], context: str = "") -> tuple[str, int]:
    """`text` with every name of a model or its maker (`names_in`) replaced by a visible mark, and how many there were.

    The rest of the text stays to the byte.
    """
    kept, end, names = [], 0, names_in(text, model_ids, context)
    for start, stop in names:
        kept.append(text[end:start])
        end = stop
    return HIDDEN.join([*kept, text[end:]]), len(names)


def names_in(text: str, model_ids: Sequence[str], context: str = "") -> list[tuple[int, int]]:
    """Where `text` names a model or its maker, from and to.

    A bare word that `context` (the task) uses itself, as in "write a haiku", is not a sign of the author and does not
    count; a self-introduction or a name with a version always does. Names are looked for as a reader would see them,
    whatever letters they are spelled with.
    """
    words = {word.removesuffix("s") for word in re.findall(r"[a-z]+", as_read(context)[0].lower())}
    common = frozenset(word for word in NAMING if words & {word, word.removesuffix("s")})
    seen, places = as_read(text)
    found = []
    for match in _identity_pattern(tuple(as_read(name)[0] for name in model_ids), common).finditer(seen):
        start = match.end("before") if match["before"] else match.start()
        found.append((_left(places, start), _right(places, match.end(), len(text))))
    return found


def _left(places: Sequence[int], start: int) -> int:
    """Where in the text a name begins, with what is unseen before it."""
    return min(places[start], places[start - 1] + 1) if start else 0


def _right(places: Sequence[int], end: int, length: int) -> int:
    """Where in the text a name ends, with what is unseen after it."""
    return max(places[end], places[end - 1] + 1) if end < len(places) else length
