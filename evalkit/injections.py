"""Text in an output that speaks to whoever grades it: found as it is read, counted, quoted so that it cannot act."""

import re
from collections.abc import Iterator

from evalkit.lookalikes import as_read

TAGS = (
    "rubric", "criterion", "question", "level", "document", "input", "reference", "output", "first_output",
    "second_output",
)  # fmt: skip
"""What stands around the parts of a judge's request; material must not close them."""

_GRADER = r"(?:grader|judge|evaluator|grading\s{1,3}model)"
_EARLIER = r"(?:previous|prior|above|earlier|preceding|foregoing|system|grading|judging)"
_FILLER = r"(?:(?:all|any|of|the|your|these|those|my|everything)\s{1,3}){0,4}"
_BEST = r"(?:highest|maximum|max|top|full|perfect|best)"
_THIS = r"(?:(?:this|that|it|me|us|the|my|an?|output|answer|response|reply|text|with|as)\s{1,3}){0,6}"
_SPEAKS_TO_A_GRADER = (
    rf"\b(?:ignore|disregard|forget|override)\s{{1,3}}{_FILLER}{_EARLIER}\s{{1,3}}"
    r"(?:instructions?|prompts?|messages?|rubric|criteria|guidelines|rules)\b",
    rf"\b(?:ignore|disregard|forget|override)\s{{1,3}}{_FILLER}(?:rubric|criteria|reference\s{{1,3}}answer)\b",
    rf"\b(?:give|award|assign|grant|rate|grade|score|mark)\s{{1,3}}{_THIS}{_BEST}\s{{1,3}}(?:possible\s{{1,3}})?"
    r"(?:scores?|grades?|marks?|levels?|ratings?|points)\b",
    rf"\b(?:notes?|messages?|instructions?|attention)\s{{0,3}}(?:,|:|to|for)\s{{0,3}}(?:the\s{{1,3}})?"
    rf"(?:ai\s{{1,3}}|llm\s{{1,3}})?{_GRADER}\b",
    r"\b(?:dear|ai|llm)\s{1,3}(?:grader|evaluator|judge\s{1,3}model)\b",
    rf"\byou\s{{1,3}}are\s{{1,3}}(?:now\s{{1,3}})?(?:an?|the|my)\s{{1,3}}(?:[a-z]{{1,12}}\s{{1,3}}){{0,2}}{_GRADER}\b",
    r"\b(?:prefer|choose|pick|select)\s{1,3}(?:this|the\s{1,3}(?:first|second|other))\s{1,3}"
    r"(?:output|answer|response|reply)\b",
)
_ACTS_AS_THE_FRAME = (
    r"^[ \t>*]{0,8}(?:system|assistant|human)[ \t*]{0,4}:",
    r"<\|[a-z_ ]{1,30}\|>",
    r"\[/?inst\]|<</?sys>>",
    r"</?(?:system|assistant|human)\s{0,3}>",
    rf"<\s{{0,3}}/[\s/]{{0,3}}(?:{'|'.join(TAGS)})\b",
    r"\{\s{0,8}[\"']grades[\"']\s{0,3}:",
    r"[\"']level[\"']\s{0,3}:\s{0,3}\d{1,3}\s{0,8}\}",
    r"[\"']preferred[\"']\s{0,3}:\s{0,3}[\"'](?:first|second|tie)[\"']",
)
_ATTEMPT = re.compile("|".join((*_SPEAKS_TO_A_GRADER, *_ACTS_AS_THE_FRAME)), re.IGNORECASE | re.MULTILINE)


def injections(text: str) -> int:
    """How many places of an output speak to its grader, or look like a turn, a tag or a verdict of its request."""
    return sum(1 for _ in _places(text))


def quoted(text: str) -> str:
    """The text with each of those places between `[quoted:` and `]`, and not a character lost."""
    parts, end = [], 0
    for start, stop in _places(text):
        parts += [text[end:start], f"[quoted: {text[start:stop]}]"]
        end = stop
    return "".join([*parts, text[end:]])


def _places(text: str) -> Iterator[tuple[int, int]]:
    seen, places = as_read(text)
    for match in _ATTEMPT.finditer(seen):
        yield places[match.start()], places[match.end() - 1] + 1
