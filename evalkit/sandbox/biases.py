"""Judges with a bias of known kind and size: how each bends the verdict that a fair one would give."""

from __future__ import annotations

from typing import Literal

from evalkit.sandbox import phrases
from evalkit.sandbox.seeds import Draws

Preferred = Literal["first", "second", "tie"]

POSITION_PULL = 0.7
"""Share of comparisons in which the judge with a bias for position takes the first output whatever they say."""

LENIENCE = 0.6
"""Share of levels below the top that the lenient judge lifts to it."""

GRUDGE = 0.5
"""Share of levels of others' outputs that the partial judge lowers by one; its own kind's are all the highest."""

LONG, SHORT = 1.6, 1.3
"""Words of an output to those of its reference: from here on it is long to the judge who likes length, or short."""

_OWN_MANNER = tuple(
    phrase
    for phrase in (
        *phrases.ELABORATIONS, *phrases.GREETINGS["opus"], *phrases.LETTER_ENDINGS["opus"],
        *phrases.MEMO_OPENINGS["opus"], *phrases.MEMO_ENDINGS["opus"],
    )
    if phrase
)  # fmt: skip
"""By these the partial judge knows outputs of its own kind; it sees no names."""


def bent_place(model: str, place: int, top: int, output: str, reference: str | None, draws: Draws) -> int:
    """The place of a level, from 0 to `top`, that this judge gives where a fair one gives `place`."""
    match model.removeprefix("sandbox-judge-"):
        case "verbosity":
            ratio = len(output.split()) / max(1, len((reference or "").split()))
            return top if ratio >= LONG else max(0, place - 1) if ratio < SHORT else place
        case "partial":
            return top if _is_of_its_kind(output) else max(0, place - draws.chance("grudge", GRUDGE))
        case "lenient":
            return top if draws.chance("lenient", LENIENCE) else place
        case "random":
            return int(draws.uniform("random") * (top + 1))
    return place


def bent_choice(model: str, fair: Preferred, first: str, second: str, draws: Draws) -> Preferred:
    """Which of two outputs this judge prefers where a fair one prefers `fair`."""
    match model.removeprefix("sandbox-judge-"):
        case "position":
            return "first" if draws.chance("position", POSITION_PULL) else fair
        case "verbosity":
            return _ahead(len(first.split()), len(second.split()))
        case "partial":
            return fair if _is_of_its_kind(first) == _is_of_its_kind(second) else _ahead(*_own(first, second))
        case "lenient":
            return "tie" if draws.chance("lenient", LENIENCE) else fair
        case "random":
            return draws.choose("random", ("first", "second", "tie"))
    return fair


def _own(first: str, second: str) -> tuple[int, int]:
    return int(_is_of_its_kind(first)), int(_is_of_its_kind(second))


def _is_of_its_kind(output: str) -> bool:
    return any(phrase in output for phrase in _OWN_MANNER)


def _ahead(first: float, second: float) -> Preferred:
    return "tie" if first == second else "first" if first > second else "second"
