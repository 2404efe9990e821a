"""Answers to what the sandbox does not recognise: a modest paragraph made of the input's own words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from evalkit.sandbox import phrases
from evalkit.sandbox.catalog import ModelSpec
from evalkit.sandbox.seeds import Draws

READ_CHARACTERS = 6000
"""How much of the end of an input is read for words."""

_WORD = re.compile(r"[A-Za-zÀ-ÿ]{5,}")
_DULL_TEXT = """
about above after again also because before below between could every first following given please should
their there these thing think those under until using where which while would write years answer question
output input
"""
_DULL = frozenset(_DULL_TEXT.split())
_OPENINGS = (
    "Going by what you have sent, this is mainly about {a} and {b}.",
    "As I read it, the question turns on {a}, with {b} close behind.",
    "The material deals with {a} first of all, and then with {b}.",
)
_MIDDLES = (
    "The point that decides it seems to be {c}, so I would settle that before anything else.",
    "What matters most for {a} is how {c} is meant, and the text leaves some room there.",
    "I would start with {c}, since the rest follows from it.",
)
_EXTRAS = (
    "It also helps to keep {d} apart from {b}, because the two are easily mixed up.",
    "For {d}, I would ask whoever wrote this what they had in mind, rather than guess.",
    "If {d} turns out differently from what is described, the conclusion about {a} would change as well.",
)
_ENDINGS = (
    "I have kept to what is in the text, and where it is silent I have said so.",
    "With more background I could be more definite.",
    "",
)


def plausible_answer(task: str, spec: ModelSpec, draws: Draws) -> str:
    """A short answer to any task; longer from the larger tiers."""
    a, b, c, d = salient_words(task)
    manner = phrases.register(spec.tier)
    parts = [draws.choose("opening", _OPENINGS), draws.choose("middle", _MIDDLES)]
    if manner != "haiku":
        parts.append(draws.choose("extra", _EXTRAS))
    if manner == "opus":
        parts.append(draws.choose("aside", phrases.ELABORATIONS))
    parts.append(draws.choose("closing", _ENDINGS))
    return " ".join(part for part in parts if part).format(a=a, b=b, c=c, d=d)


def salient_words(task: str) -> Sequence[str]:
    """Four words that stand for a task: the frequent and long ones first."""
    words = [word.lower() for word in _WORD.findall(task[-READ_CHARACTERS:])]
    counted = Counter(word for word in words if word not in _DULL)
    ranked = sorted(counted, key=lambda word: (-counted[word] * len(word), word))
    return [*ranked, "the request", "its purpose", "the wording", "the details"][:4]
