"""Plays a small model that rates how complex a request is, and errs at a known rate."""

from __future__ import annotations

import re

from evalkit.sandbox.answer_keys import AnswerKey
from evalkit.sandbox.seeds import Draws
from evalkit.sandbox.wire import dump

RIGHT = 0.8
"""Share of requests with an answer key whose difficulty is rated as it is; the others by a step."""

UNREADABLE = 0.01
"""Share of ratings that are no JSON."""

_REQUEST = re.compile(r"<attached>.*?</attached>\s*<request>\n(.*)\n</request>", re.DOTALL)
_LEVELS = ("simple", "standard", "complex")
_RANKS = {"easy": 0, "medium": 1, "hard": 2}
_LONG_WORDS, _SHORT_WORDS = 80, 25


def read_request(user_text: str) -> str | None:
    """The request that is to be rated; None if none is."""
    found = _REQUEST.search(user_text)
    return found[1] if found else None


def rate(request: str, key: AnswerKey | None, draws: Draws) -> str:
    """A rating: by the item's difficulty where it is known, else by length."""
    if draws.chance("unreadable rating", UNREADABLE):
        return "This looks like a question about the matter at hand."
    words = len(request.split())
    by_length = 0 if words < _SHORT_WORDS else 2 if words > _LONG_WORDS else 1
    rank = _RANKS[key.difficulty] if key is not None else by_length
    if not draws.chance("right rating", RIGHT):
        rank = 1 if rank != 1 else draws.choose("wrong rating", (0, 2))
    return dump({"intent": "a question", "complexity": _LEVELS[rank]})
