"""A returned sheet as answers: each label, heading and level that cannot be right is named by its cell, all at once."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.frozen import dataclass
from evalkit.offline.grid import Formula, Grid, address, is_blank
from evalkit.offline.table import CANNOT_TELL, LABEL, NOTE, TEXTS
from evalkit.rubric import Criterion
from evalkit.strict import did_you_mean, shown

_NUMBER = re.compile(r"[+-]?\d{1,9}(?:\.0+)?", re.ASCII)


Problem = tuple[int, int, str]
"""Row and column from 0, and what is wrong there."""


@dataclass(frozen=True)
class Row:
    """What stands in one row: levels (None for cannot tell), a note, and the criteria whose cells are empty."""

    number: int
    label: str
    levels: Mapping[str, int | None]
    empty: tuple[str, ...]
    note: str


@dataclass(frozen=True)
class Labels:
    """What is known of labels: whose they are in the round that is read into, and of which round others are."""

    owners: Mapping[str, str]
    elsewhere: Mapping[str, int]


def read_rows(grid: Grid, criteria: Sequence[Criterion]) -> tuple[list[Row], list[Problem]]:
    """The rows of a sheet in which something stands, and every problem of headings and cells."""
    columns, problems = _columns(grid, [criterion.id for criterion in criteria])
    by_id = {criterion.id: criterion for criterion in criteria}
    rows = []
    for number, cells in enumerate(grid[1:], start=2):
        answers = {name: cells[at] if at < len(cells) else None for name, at in columns.items()}
        if all(is_blank(answers[name]) for name in answers if name not in TEXTS or name == LABEL):
            continue
        levels: dict[str, int | None] = {}
        for name, criterion in by_id.items():
            if name not in answers or is_blank(answers[name]):
                continue
            level = _level(answers[name], criterion)
            if isinstance(level, str):
                problems.append((number - 1, columns[name], level))
            else:
                levels[name] = level
        note, label = _text(answers.get(NOTE)), _text(answers.get(LABEL))
        if not label and LABEL in columns:
            problems.append((number - 1, columns[LABEL], "this row has no label; put its label back, or empty it"))
        empty = tuple(name for name in by_id if name in answers and is_blank(answers[name]))
        rows.append(Row(number, label, levels, empty, note))
    return rows, problems


def _text(value: Any) -> str:
    if value is None:
        return ""
    return (value.text if isinstance(value, Formula) else str(value)).replace("\r\n", "\n").strip()


def _columns(grid: Grid, criteria: Sequence[str]) -> tuple[dict[str, int], list[Problem]]:
    """Where each known heading stands, and what is wrong with the others."""
    known, found, problems = (*TEXTS, *criteria, NOTE), dict[str, int](), list[Problem]()
    for at, cell in enumerate(grid[0] if grid else ()):
        heading = _text(cell)
        if not heading:
            if any(at < len(cells) and not is_blank(cells[at]) for cells in grid[1:]):
                problems.append((0, at, "this column has no heading but something in it; head it, or empty it"))
        elif heading not in known:
            problems.append((0, at, f"{shown(heading)} is no column of this sheet; {did_you_mean(heading, known)}"))
        elif heading in found:
            problems.append((0, at, f"{heading!r} heads {address(0, found[heading])} as well; remove one of them"))
        else:
            found[heading] = at
    if LABEL not in found:
        problems.append(
            (0, 0, f"no column is headed {LABEL!r}, by which rows are known; put the headings back in row 1")
        )
    return found, problems


def _level(value: Any, criterion: Criterion) -> int | str | None:
    """A level, None for cannot tell, or as a text what is wrong."""
    offered = ", ".join(map(str, criterion.scale))
    if isinstance(value, Formula):
        return f"{shown(value.text)} is a formula; put the level itself: {offered} or {CANNOT_TELL}"
    text = _text(value)
    if text.casefold() == CANNOT_TELL:
        return None
    if not isinstance(value, bool) and _NUMBER.fullmatch(text) and int(float(text)) in criterion.scale:
        return int(float(text))
    return f"{shown(text)} is no level of {criterion.id!r}; use {offered} or {CANNOT_TELL}"


def whose(rows: Sequence[Row], labels: Labels) -> str | None:
    """The person to whom most labels belong; None if not one is known."""
    owners = [labels.owners[row.label] for row in rows if row.label in labels.owners]
    return max(owners, key=owners.count) if owners else None


def label_problems(rows: Sequence[Row], column: int, grader: str, labels: Labels) -> list[Problem]:
    """Labels that are not this person's, or stand twice, each by its cell."""
    mine = [label for label, owner in labels.owners.items() if owner == grader]
    missing = set(mine) - {row.label for row in rows}
    first: dict[str, int] = {}
    problems = []
    for row in rows:
        what = ""
        if row.label in first:
            what = f"stands in row {first[row.label]} as well; keep one of the two rows"
        elif row.label and labels.owners.get(row.label) != grader:
            what = _foreign(row.label, grader, labels, sorted(missing))
        if what:
            problems.append((row.number - 1, column, f"label {shown(row.label)} {what}"))
        elif row.label:
            first[row.label] = row.number
    return problems


def _foreign(label: str, grader: str, labels: Labels, missing: Sequence[str]) -> str:
    if label in labels.owners:
        return f"belongs to {labels.owners[label]}, not to {grader}; import the sheet of each person by itself"
    if label in labels.elsewhere:
        return f"belongs to round {labels.elsewhere[label]}; a sheet is of one round that is open, so export a new one"
    near = did_you_mean(label, missing) if missing else ""
    hint = near if near.startswith("did you mean") else "put back the label that was exported, or remove the row"
    return f"is none of {grader}'s; {hint}"


def label_column(grid: Grid) -> int | None:
    """Where the labels stand; None if nowhere."""
    return next((at for at, cell in enumerate(grid[0] if grid else ()) if _text(cell) == LABEL), None)


def named(problems: Sequence[Problem], file: str) -> list[str]:
    """Problems as lines, in the order of the sheet."""
    return [f"{file}:{address(row, column)}: {what}" for row, column, what in sorted(problems)]
