"""Decides whether a text states a reference fact: numbers, content words and negation must agree."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

MIN_OVERLAP = 0.5
"""Share (0-1) of a reference line's content words that a sentence must repeat to state the same fact."""

LABEL_WORDS = 3
"""A line without numbers and with at most this many content words must be repeated in full."""

MIN_CONTRIBUTION = 0.2
"""Share (0-1) of the line's words that each of two neighbouring sentences must add, to be read as one."""

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_SENTENCE_END = re.compile(r"(?<=[.!?])['\")\]]*\s+(?=['\"(\[]*[A-Z0-9£$€])|\n+")
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|approx|incl|etc|vs|mr|mrs|ms|dr)\.$", re.IGNORECASE)
_NEGATIONS = frozenset({"not", "no", "cannot", "never", "nor", "neither", "none", "without", "unable"})
_NUMBER_WORDS = {
    "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
    "ten": "10", "eleven": "11", "twelve": "12", "fourteen": "14", "fifteen": "15", "twenty": "20",
    "thirty": "30", "sixty": "60", "ninety": "90",
}  # fmt: skip
_STOPWORD_TEXT = """
a about after all also am an and any are as at be because been before being both but by can could do
does each either even for from had has have he her here his how i if in into is it its itself just
let may me might more most must my of off on once only or our out over own per please she should
since so some still such than that the their them then there these they this those through to too
under until up upon us very was we were what when where which while who whose will with within would
you your yours one
"""
_STOPWORDS = frozenset(_STOPWORD_TEXT.split())


class Statement(NamedTuple):
    """What a sentence commits itself to: its numbers, stems of its content words, and whether it negates."""

    numbers: frozenset[str]
    stems: frozenset[str]
    negated: bool


def covers(reference_line: str, text: str) -> bool:
    """Whether one sentence of the text, or two neighbours in a paragraph read together, states the reference line.

    It does if it repeats all the line's numbers, at least MIN_OVERLAP of its content words, and negates
    exactly when the line does.
    """
    line = read_statement(reference_line.lstrip("-*• \t"))
    if not (line.numbers or line.stems):
        return False
    return any(_agrees(line, candidate) for candidate in _candidates(line, text))


def read_statement(sentence: str) -> Statement:
    """The numbers, content-word stems and negation of one sentence."""
    plain = sentence.lower().replace("’", "'").replace("‘", "'")
    numbers = {_canonical_number(n) for n in _NUMBER.findall(plain)}
    stems, negated = set[str](), False
    for word in _WORD.findall(plain):
        if word in _NEGATIONS or word.endswith("n't"):
            negated = True
        elif word in _NUMBER_WORDS:
            numbers.add(_NUMBER_WORDS[word])
        elif word not in _STOPWORDS and len(word) > 1:
            stems.add(_stem(word))
    return Statement(frozenset(numbers), frozenset(stems), negated)


@lru_cache(maxsize=512)
def split_sentences(text: str) -> tuple[str, ...]:
    """The sentences and lines of a text, without empty ones."""
    parts = list[str]()
    joins_next = False
    for piece in (part.strip() for part in _SENTENCE_END.split(text)):
        if joins_next and piece:
            parts[-1] += " " + piece
        elif piece:
            parts.append(piece)
        joins_next = bool(parts) and _ABBREVIATION.search(parts[-1]) is not None
    return tuple(parts)


def _candidates(line: Statement, text: str) -> Iterator[Statement]:
    for paragraph in text.splitlines():
        sentences = [read_statement(sentence) for sentence in split_sentences(paragraph)]
        yield from sentences
        for first, second in itertools.pairwise(sentences):
            # Otherwise a neighbour that says something else could lend its negation or its numbers.
            if min(_contribution(line, first, second), _contribution(line, second, first)) >= MIN_CONTRIBUTION:
                yield Statement(
                    first.numbers | second.numbers,
                    first.stems | second.stems,
                    first.negated or second.negated,
                )


def _contribution(line: Statement, sentence: Statement, other: Statement) -> float:
    wanted = len(line.stems) + len(line.numbers)
    added = len((line.stems & sentence.stems) - other.stems)
    return (added + len((line.numbers & sentence.numbers) - other.numbers)) / wanted


def _agrees(line: Statement, candidate: Statement) -> bool:
    if not line.numbers <= candidate.numbers or line.negated != candidate.negated:
        return False
    # "category: billing" and "category: delivery" share half their words and say opposite things.
    is_label = not line.numbers and len(line.stems) <= LABEL_WORDS
    return overlap(line, candidate) >= (1.0 if is_label else MIN_OVERLAP)


def overlap(line: Statement, candidate: Statement) -> float:
    """Share (0-1) of the line's content words that the candidate repeats; 1 for a line of numbers alone."""
    return len(line.stems & candidate.stems) / len(line.stems) if line.stems else 1.0


def _canonical_number(digits: str) -> str:
    plain = re.sub(r",(?=\d{3}\b)", "", digits)
    return re.sub(r"\.0+$", "", plain)


def _stem(word: str) -> str:
    # Six letters without the common endings join "refunded" with "refund", and "replaced" with "replacement".
    stem = word.removesuffix("'s")
    for ending in ("ing", "ed", "es", "s"):
        if stem.endswith(ending) and len(stem) - len(ending) >= 3:
            stem = stem.removesuffix(ending)
            break
    if stem.endswith(("e", "i", "y")) and len(stem) > 3:
        stem = stem[:-1]
    return stem[:6]
