"""Marks: what people do on outputs one by one, what of it can be taken, and how an output stands after it."""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from evalkit.errors import UsageError
from evalkit.frozen import dataclass
from evalkit.grading_records import Choice, Marking, MarkKind
from evalkit.queues import Pile
from evalkit.rubric import Criterion

CANNOT_TELL = "the grader could not tell"
LONGEST_TEXT = 200_000
"""Characters of a note or an edited output that are taken at most."""


@dataclass(frozen=True)
class Mark:
    """What a person does: `nonce` names it once and for all, so that sending it again does nothing.

    `content` by `kind`: level {criterion, level}: None for cannot tell, absent to withdraw; flag {on}; note {text};
    edit {text}; author {guess}: None for cannot tell; prefer {over, choice}: over is the label of the other output,
    choice None takes it back; skip, done, time {}.
    `active_s`: seconds of attention given to the output since the last mark on it; None where nobody measured.
    """

    nonce: str
    label: str
    kind: MarkKind
    content: Mapping[str, Any] = field(default_factory=dict)
    active_s: float | None = None


@dataclass(frozen=True)
class Standing:
    """How an output stands with one person. A level None means that they cannot tell."""

    levels: Mapping[str, int | None] = field(default_factory=dict)
    flagged: bool = False
    note: str = ""
    skipped: int = 0
    done: bool = False
    edited: str | None = None
    author: str | None = None
    author_asked: bool = False
    preferred: Mapping[str, Choice] = field(default_factory=dict)
    active_s: float = 0.0
    edit_s: float = 0.0


def check(mark: Mark, pile: Pile, criteria: Sequence[Criterion], authors: Sequence[str]) -> None:
    """UsageError if a mark is none that can be made on this pile: what comes from a page or a sheet may be anything.

    `authors`: the answers offered to who wrote an output; none where that is not asked, or not yet.
    """
    content, kind = mark.content, mark.kind
    if mark.label not in pile.trials:
        raise UsageError(f"label {mark.label!r:.60} is none of the outputs on this pile; load it again")
    if mark.active_s is not None and not 0 <= mark.active_s < 86_400:
        raise UsageError(f"{mark.active_s!r} is no number of seconds; use 0 to 86,400")
    if kind == "level":
        _check_level(content, criteria)
    elif kind in ("note", "edit"):
        if not isinstance(content.get("text"), str) or len(content["text"]) > LONGEST_TEXT:
            raise UsageError(f"a {kind} needs a text of at most {LONGEST_TEXT:,} characters")
    elif kind == "flag" and not isinstance(content.get("on"), bool):
        raise UsageError("a flag is on or off")
    elif kind == "author" and not (authors and content.get("guess") in (*authors, None)):
        raise UsageError(f"{content.get('guess')!r:.60} is none of the answers offered")
    elif kind == "prefer":
        _check_preference(mark, pile)


def _check_level(content: Mapping[str, Any], criteria: Sequence[Criterion]) -> None:
    criterion = next((c for c in criteria if c.id == content.get("criterion")), None)
    if criterion is None:
        raise UsageError(f"{content.get('criterion')!r:.60} is no criterion that people grade")
    level = content.get("level")
    if level is not None and (type(level) is not int or level not in criterion.scale):
        offered = ", ".join(map(str, criterion.scale))
        raise UsageError(f"{level!r:.60} is no level of {criterion.id!r}; use {offered}")


def _check_preference(mark: Mark, pile: Pile) -> None:
    mine, other = pile.trials[mark.label], pile.trials.get(str(mark.content.get("over")))
    if other is None or other.id == mine.id or other.key.item_id != mine.key.item_id:
        raise UsageError("a preference is between two outputs of one item")
    if mark.content.get("choice", "") not in ("first", "second", "tie", None):
        raise UsageError(f"{mark.content.get('choice')!r:.60} is no choice; use first, second or tie")


def after(before: Standing, marking: Marking) -> Standing:
    """An output's standing after one more mark."""
    content, active_s = marking.content, marking.active_s or 0.0
    change: dict[str, Any] = {}
    match marking.kind:
        case "level":
            levels = {name: level for name, level in before.levels.items() if name != content["criterion"]}
            given = {content["criterion"]: content["level"]} if "level" in content else {}
            change = {"levels": levels | given, "done": before.done and bool(given)}
        case "flag":
            change = {"flagged": content["on"]}
        case "note":
            change = {"note": content["text"]}
        case "skip":
            change = {"skipped": before.skipped + 1}
        case "done":
            change = {"done": True}
        case "edit":
            change = {"edited": content["text"], "edit_s": before.edit_s + active_s}
        case "author":
            change = {"author": content["guess"], "author_asked": True}
        case "prefer":
            chosen = {**before.preferred, content["over"]: content["choice"]}
            change = {"preferred": {over: choice for over, choice in chosen.items() if choice is not None}}
    return replace(before, active_s=before.active_s + active_s, **change)


def changed(before: str, after: str) -> float:
    """Share of the words that differ between an output and its edited text, 0 to 1 (by insertions and removals)."""
    from rapidfuzz.distance import Indel  # some forty modules, for edited outputs alone

    return float(Indel.normalized_distance(before.split(), after.split()))
