"""What happens in a grading round beside the grades, as plain records: events, marks, preferences."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from evalkit.frozen import dataclass

WITHDRAWN = "withdrawn"
"""Reason of a grade without a level that takes an earlier one back."""

MERGED = {"why": "merged"}
"""Content of the closing of a round whose file was merged with others: it never saw their outputs."""

EventKind = Literal["joined", "settings", "closed", "shown"]


@dataclass(frozen=True)
class RoundEvent:
    """What happened around a round: a grader joined, its settings were declared, it was closed, results were shown.

    `round_id` None for results shown before any round. `grades_before`: the newest grade's id at that moment, 0 for
    none, so that every grade is known to come before or after it.
    """

    kind: EventKind
    round_id: int | None
    grader: str | None = None
    content: Mapping[str, Any] = field(default_factory=dict)
    grades_before: int = 0
    at: str = ""


MarkKind = Literal["level", "flag", "note", "skip", "done", "edit", "author", "prefer", "time"]


@dataclass(frozen=True)
class Marking:
    """One thing a person did on an output, as it was done; `active_s`: seconds of attention since the last one.

    None where nobody measured. Levels stand in the grades as well, where every reader looks for them.
    """

    round_id: int
    grader: str
    trial_id: int
    kind: MarkKind
    content: Mapping[str, Any] = field(default_factory=dict)
    active_s: float | None = None
    at: str = ""


Choice = Literal["first", "second", "tie"]


@dataclass(frozen=True)
class Preference:
    """Which of two outputs of one item a grader prefers, as shown: `first` came first.

    `choice` None means that none could be read, with the reason in `comment`.
    """

    round_id: int
    grader: str
    first_trial_id: int
    second_trial_id: int
    choice: Choice | None
    comment: str = ""
