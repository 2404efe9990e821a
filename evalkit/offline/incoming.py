"""Marks that come back from elsewhere: tried out first, all or none, and then written one by one at the desk."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from typing import Any

from evalkit.blind import label_for
from evalkit.desk import Desk
from evalkit.errors import ProblemsError, UsageError
from evalkit.frozen import dataclass
from evalkit.grader_names import again
from evalkit.grading_records import MarkKind
from evalkit.marks import Mark, Standing
from evalkit.offline.reading import Labels, Row
from evalkit.offline.table import note_cell
from evalkit.records import Round, Snapshot
from evalkit.rounds import answered, people_of
from evalkit.store import RunFile


@dataclass(frozen=True)
class Incoming:
    """A person's marks from elsewhere. `places`: where in the file each stands, by its nonce."""

    grader: str
    marks: tuple[Mark, ...]
    places: Mapping[str, str] = field(default_factory=dict)
    left_empty: int = 0


@dataclass(frozen=True)
class Changes:
    """What marks make of what stood before: grades by (label, criterion), changed ones with both levels.

    `other`: outputs of which something else changes, such as a note. `marks`: those that are not in the file yet.
    """

    new: tuple[tuple[str, str], ...]
    changed: Mapping[tuple[str, str], tuple[int | None, int | None]]
    withdrawn: tuple[tuple[str, str], ...]
    other: int
    marks: int


class _UndoneError(Exception):
    """Ends a trial, so that nothing of it stays."""


def try_out(run: RunFile, round_: Round, incoming: Incoming) -> Changes:
    """What writing these marks would change; nothing is written. ProblemsError with every mark that is not possible."""
    desk, problems = Desk(run, round_), list[str]()
    before, written = dict(desk.standing(incoming.grader)), 0
    with suppress(_UndoneError), run.together():
        for mark in incoming.marks:
            try:
                written += desk.take(incoming.grader, mark)
            except UsageError as error:
                problems.append(f"{incoming.places.get(mark.nonce, mark.label)}: {error}")
        raise _UndoneError
    if problems:
        raise ProblemsError(problems)
    return _changes(before, desk.standing(incoming.grader), written)


def write(run: RunFile, round_: Round, incoming: Incoming) -> Desk:
    """Write the marks, all of them or, if the program is stopped, none; returns the desk as it is then."""
    desk = Desk(run, round_)
    desk.pile(incoming.grader)
    with run.together():
        for mark in incoming.marks:
            desk.take(incoming.grader, mark)
    return desk


def _changes(before: Mapping[str, Standing], after: Mapping[str, Standing], written: int) -> Changes:
    new, changed, withdrawn, other = [], {}, [], 0
    for label, now in after.items():
        had = before[label].levels
        for criterion, level in now.levels.items():
            if criterion not in had:
                new.append((label, criterion))
            elif had[criterion] != level:
                changed[label, criterion] = had[criterion], level
        withdrawn += [(label, criterion) for criterion in had if criterion not in now.levels]
        other += _beside_levels(now) != _beside_levels(before[label])
    return Changes(tuple(new), changed, tuple(withdrawn), other, written)


def _beside_levels(stands: Standing) -> tuple[object, ...]:
    return stands.flagged, stands.note, stands.edited, stands.author, tuple(sorted(stands.preferred.items()))


def labels_of(run: RunFile, desk: Desk) -> Labels:
    """Whose label is whose: of this round by its piles, of the other ones by their keys."""
    owners = {label: grader for grader in desk.people for label in desk.pile(grader).trials}
    snapshot = run.snapshot()
    elsewhere = {}
    for round_ in snapshot.rounds:
        if round_.id != desk.round.id and round_.blind:
            elsewhere.update(_labels_of_round(run, snapshot, round_))
    return Labels(owners, elsewhere)


def desk_of_rows(desks: Sequence[Desk], rows: Sequence[Row]) -> Desk:
    """The desk of the round to which most rows belong; the last one where no label is known."""

    def known(desk: Desk) -> int:
        labels = {label for grader in desk.people for label in desk.pile(grader).trials}
        return sum(row.label in labels for row in rows)

    return max(reversed(desks), key=known)


def _labels_of_round(run: RunFile, snapshot: Snapshot, round_: Round) -> dict[str, int]:
    key, outputs = run.sealed_key(round_.id), answered(snapshot)
    names = [name for person in people_of(snapshot, round_.id) for name in (person, again(person))]
    return {label_for(key, name, trial): round_.id for name in names for trial in outputs}


def from_rows(desk: Desk, grader: str, rows: Sequence[Row], marked: Mapping[str, int]) -> Incoming:
    """The marks that bring a person's outputs to where their sheet has them; none for what stands so already.

    An empty cell leaves an earlier grade as it is: it cannot be told from a cell that was not looked at. `marked`:
    how many marks there are on each output, so that the same sheet after other marks makes new ones.
    """
    standing = desk.standing(grader)
    marks: list[Mark] = []
    places: dict[str, str] = {}
    left_empty = 0

    def add(row: Row, kind: MarkKind, value: object, content: Mapping[str, Any]) -> None:
        state = "\x1f".join(map(str, ("sheet", desk.round.id, row.label, kind, value, marked.get(row.label, 0))))
        nonce = hashlib.sha256(state.encode("utf-8", "backslashreplace")).hexdigest()[:32]
        marks.append(Mark(nonce, row.label, kind, content))
        places[nonce] = f"row {row.number}"

    for row in rows:
        stands = standing[row.label]
        for criterion, level in row.levels.items():
            if criterion not in stands.levels or stands.levels[criterion] != level:
                add(row, "level", (criterion, level), {"criterion": criterion, "level": level})
        if row.note and row.note != note_cell(stands.note).strip():
            add(row, "note", row.note, {"text": row.note})
        complete = {*stands.levels, *row.levels} >= {criterion.id for criterion in desk.criteria}
        if complete and row.levels and not stands.done:
            add(row, "done", "", {})
        left_empty += sum(name in stands.levels for name in row.empty)
    return Incoming(grader, tuple(marks), places, left_empty)


def marks_so_far(run: RunFile, desk: Desk, grader: str) -> dict[str, int]:
    """How many marks there are on each output of a person's pile."""
    pile = desk.pile(grader)
    counts = dict.fromkeys(pile.trials, 0)
    label_of = {(pile.graders[label], trial.id): label for label, trial in pile.trials.items()}
    for marking in run.snapshot().markings:
        label = label_of.get((marking.grader, marking.trial_id))
        if marking.round_id == desk.round.id and label is not None:
            counts[label] += 1
    return counts
