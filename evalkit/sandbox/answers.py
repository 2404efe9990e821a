"""Composes replies to items with an answer key: right or wrong as drawn, in the manner of the tier."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.sandbox import phrases
from evalkit.sandbox.answer_keys import AnswerKey, Fact
from evalkit.sandbox.catalog import ModelSpec
from evalkit.sandbox.quality import Outcome
from evalkit.sandbox.reply import Draft
from evalkit.sandbox.seeds import Draws

NAMES_ITSELF = 0.01
"""Share of composed replies that say which model wrote them."""

LEFT_OUT = 0.5
"""Share of partly wrong replies that leave the fact out instead of getting it wrong."""

STAYS_RIGHT = 0.6
"""Chance that a further fact is right in a reply whose core is wrong."""

LONGEST_RAMBLE_TOKENS = 4096
"""A rambling reply ends by itself here: under a higher limit no reply is truncated."""


def compose(key: AnswerKey, outcome: Outcome, spec: ModelSpec, context: str, draws: Draws) -> Draft:
    """The reply to an item of this outcome; `context` (system prompt and task) decides letter or memo.

    Refusals and rambling are made by `refuse` and `ramble`.
    """
    if key.answers is not None:
        names: dict[Outcome, str] = {"partly_wrong": "partial", "wrong": "wrong"}
        return Draft(key.answers[names.get(outcome, "correct")])
    points = _points(key.facts, outcome, draws)
    return Draft(introduce(_lay_out(points, spec, context, draws), spec, draws))


def refuse(draws: Draws) -> Draft:
    """A refusal, with little text or none."""
    return Draft(draws.choose("refusal", phrases.REFUSALS), "refusal", phrases.REFUSAL_EXPLANATION)


def ramble(draft: Draft, max_tokens: int, draws: Draws) -> Draft:
    """A reply that talks around its answer for longer than `max_tokens`."""
    count = len(phrases.RAMBLING)
    start = int(draws.uniform("ramble") * count)
    # Each sentence has more than eight tokens with any tokenizer, so this many are enough to reach the limit.
    sentences = [phrases.RAMBLING[(start + index) % count] for index in range(max_tokens // 8 + 2)]
    return Draft(" ".join(sentences) + "\n\n" + draft.text)


def introduce(text: str, spec: ModelSpec, draws: Draws) -> str:
    """The text, which once in a while begins by naming its author."""
    if draws.chance("names itself", NAMES_ITSELF):
        return f"As {spec.name.rpartition(' ')[0]}, I have looked into this for you.\n\n{text}"
    return text


def _points(facts: Sequence[Fact], outcome: Outcome, draws: Draws) -> list[str]:
    points = [fact.right for fact in facts]
    if outcome == "wrong" or (outcome == "partly_wrong" and len(facts) == 1):
        points[0] = facts[0].wrong
        for index, fact in enumerate(facts[1:], 1):
            points[index] = fact.right if draws.chance(f"right {index}", STAYS_RIGHT) else fact.wrong
    elif outcome == "partly_wrong":
        spoilt = draws.choose("spoilt", range(1, len(facts)))
        points[spoilt] = "" if draws.chance("left out", LEFT_OUT) else facts[spoilt].wrong
    return [point for point in points if point]


def _lay_out(points: Sequence[str], spec: ModelSpec, context: str, draws: Draws) -> str:
    manner = phrases.register(spec.tier)
    openings, endings = phrases.GREETINGS, phrases.LETTER_ENDINGS
    if phrases.MEMO_MARK in context.lower():
        openings, endings = phrases.MEMO_OPENINGS, phrases.MEMO_ENDINGS
    body = {"opus": _at_length, "sonnet": _in_paragraphs, "haiku": _tersely}[manner](points, draws)
    parts = (draws.choose("opening", openings[manner]), body, draws.choose("ending phrase", endings[manner]))
    return "\n\n".join(part for part in parts if part)


def _at_length(points: Sequence[str], draws: Draws) -> str:
    aside = draws.choose("aside", phrases.ELABORATIONS)
    place = int(draws.uniform("aside place") * len(points))
    told = [f"{point} {aside}" if index == place else point for index, point in enumerate(points)]
    return "\n\n".join(told) if draws.chance("spread out", 0.6) else " ".join(told)


def _in_paragraphs(points: Sequence[str], draws: Draws) -> str:
    if len(points) > 2 and draws.chance("two paragraphs", 0.5):
        return points[0] + "\n\n" + " ".join(points[1:])
    return " ".join(points)


def _tersely(points: Sequence[str], draws: Draws) -> str:
    if len(points) > 1 and draws.chance("list", 0.35):
        return "\n".join(f"- {point}" for point in points)
    return " ".join(points)
