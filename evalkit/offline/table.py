"""A person's pile as a table, the same for a workbook and for CSV: one row an output, in the person's own order."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import field

from evalkit.blind import GradingTask, Passage
from evalkit.cells import LONGEST_CELL, cut_to, units
from evalkit.desk import Desk
from evalkit.frozen import dataclass
from evalkit.marks import Standing
from evalkit.rubric import Criterion
from evalkit.wording import visible

Cell = str | int | None

NUMBER, LABEL, INPUT, REFERENCE, DOCUMENTS, OUTPUT, NOTE = (
    "No.", "Label", "Input", "Reference", "Documents", "Output", "Note",
)  # fmt: skip
"""Headings; a criterion's column is headed by its id, which has no capital letters."""
TEXTS = (NUMBER, LABEL, INPUT, REFERENCE, DOCUMENTS, OUTPUT)
CANNOT_TELL = "cannot tell"
EMPTY = "⟦empty⟧"


@dataclass(frozen=True)
class Table:
    """What goes on a person's sheet. `side_files`: the whole of what was cut, by file name."""

    grader: str
    round_id: int
    rubric_name: str
    criteria: tuple[Criterion, ...]
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    folder: str
    side_files: Mapping[str, str] = field(default_factory=dict)


def table_of(desk: Desk, grader: str, folder: str) -> Table:
    """The table of a person's whole pile, with what they have said so far; `folder` is where side files will be."""
    pile, standing = desk.pile(grader), desk.standing(grader)
    cutter = _Cutter(folder)
    tasks = [task for sitting in pile.sittings for task in sitting]
    kept = [
        heading
        for heading in TEXTS
        if (heading != REFERENCE or any(task.reference is not None for task in tasks))
        and (heading != DOCUMENTS or any(task.documents for task in tasks))
    ]
    rows = []
    for number, task in enumerate(tasks, start=1):
        cells = _texts(number, task, cutter) | _answers(desk.criteria, standing[task.label])
        rows.append(tuple(cells[heading] for heading in (*kept, *(c.id for c in desk.criteria), NOTE)))
    return Table(
        grader, desk.round.id, desk.rubric.name, desk.criteria, (*kept, *(c.id for c in desk.criteria), NOTE),
        tuple(rows), folder, cutter.files,
    )  # fmt: skip


def _texts(number: int, task: GradingTask, cutter: "_Cutter") -> dict[str, Cell]:
    return {
        NUMBER: number,
        LABEL: task.label,
        INPUT: cutter.cut(task.task, INPUT),
        REFERENCE: None if task.reference is None else cutter.cut(task.reference, REFERENCE),
        DOCUMENTS: cutter.cut(_documents(task.documents), DOCUMENTS) if task.documents else None,
        OUTPUT: cutter.cut(task.output or EMPTY, OUTPUT),
    }


def _answers(criteria: Sequence[Criterion], stands: Standing) -> dict[str, Cell]:
    said: dict[str, Cell] = {}
    for criterion in criteria:
        level = stands.levels.get(criterion.id)
        said[criterion.id] = CANNOT_TELL if level is None and criterion.id in stands.levels else level
    return said | {NOTE: note_cell(stands.note) or None}


def note_cell(note: str) -> str:
    """A note as it stands in its cell."""
    return cut_to(visible(note), LONGEST_CELL, "cut here; the whole note is kept")


def _documents(passages: Sequence[Passage]) -> str:
    """All documents in one text, evidence first, where a cut does not reach it."""
    ordered = sorted(passages, key=lambda passage: not passage.evidence)
    return "\n\n".join(f"[{p.name}{', evidence' if p.evidence else ''}]\n{p.text}" for p in ordered)


class _Cutter:
    """Makes texts fit into cells; what does not fit goes whole into a side file, once for all rows that show it."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.files: dict[str, str] = {}

    def cut(self, text: str, heading: str) -> str:
        shown = visible(text)
        if units(shown) <= LONGEST_CELL:
            return shown
        name = f"{heading.lower()}-{hashlib.sha256(shown.encode('utf-8', 'backslashreplace')).hexdigest()[:10]}.txt"
        self.files[name] = shown
        return cut_to(shown, LONGEST_CELL, f"cut here; the whole text is in {self._folder}/{name}")
