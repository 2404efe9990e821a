"""What a grader may see, under which name, and with every sign of the author removed."""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from evalkit.models import KNOWN
from evalkit.rubric import Criterion

HIDDEN = "[name hidden]"


@dataclass(frozen=True)
class GradingTask:
    """One output to grade. It has no field for model, cost, tokens, time or order, and never will."""

    label: str
    criteria: tuple[Criterion, ...]
    task: str
    reference: str | None
    output: str


def label_for(key: bytes, grader: str, trial_id: int) -> str:
    """An opaque name for a trial, new for every grader: HMAC-SHA256 cut to 80 bits, in base32."""
    digest = hmac.new(key, f"{grader}\x1f{trial_id}".encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:10]).decode("ascii").lower()


def grading_order(seed: int, grader: str, item_id: str, trial_id: int) -> tuple[str, str]:
    """Sort key of a grader's queue: items in a seeded order, and the outputs of an item in one of their own."""

    def place(*parts: object) -> str:
        return hashlib.sha256("\x1f".join(map(str, (seed, grader, *parts))).encode()).hexdigest()

    return place("item", item_id), place("output", item_id, trial_id)


_TIERS = ("opus", "sonnet", "haiku", "fable", "mythos")
_MAKERS = ("claude", "anthropic")
_VERSION = r"(?:[\s\-–]*v?\d{1,2}(?:[.\-]\d{1,2})?(?:[\-@]\d{8})?)"
_TIER = "(?:" + "|".join(_TIERS) + ")"


@lru_cache(maxsize=64)
def _identity_pattern(model_ids: tuple[str, ...], common_words: frozenset[str]) -> re.Pattern[str]:
    """Names that give an author away; `common_words` are those the task itself uses, left alone when bare."""
    ids = sorted({*model_ids, *(model.id for model in KNOWN)}, key=len, reverse=True)
    bare = [word for word in (*_MAKERS, *_TIERS) if word not in common_words]
    parts = [
        *(re.escape(model_id) for model_id in ids),
        rf"\bclaude[\s\-]+(?:\d[\d.\-]*[\s\-]+)?{_TIER}\b{_VERSION}?",
        rf"\bclaude{_VERSION}",
        rf"\b{_TIER}{_VERSION}\b",
        rf"(?<=\bas )(?:claude|{_TIER})\b",
        rf"(?<=\bi am )(?:claude|{_TIER})\b",
        rf"(?<=\bi['’]m )(?:claude|{_TIER})\b",
        *(rf"\b{word}(?:['’]s)?\b" for word in bare),
    ]
    return re.compile("|".join(parts), re.IGNORECASE)


_INVISIBLE = dict.fromkeys([0x00AD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF])
"""Characters nobody sees, with which a name could be spelled past a search."""


def scrub(text: str, model_ids: Sequence[str], context: str = "") -> tuple[str, int]:
    """`text` with every name of a model or its maker replaced by a visible mark, and how many there were.

    A bare word that `context` (the task) uses itself, as in "write a haiku", is not a sign of the author and
    stays; a self-introduction or a name with a version never stays.
    """
    words = frozenset(re.findall(r"[a-z]+", context.lower()))
    common = frozenset(word for word in (*_MAKERS, *_TIERS) if word in words)
    scrubbed, marks = _identity_pattern(tuple(model_ids), common).subn(HIDDEN, text.translate(_INVISIBLE))
    return (scrubbed, marks) if marks else (text, 0)
