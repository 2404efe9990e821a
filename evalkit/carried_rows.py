"""What run files say beside their plans, as rows of one file that holds them all: renumbered, and else as they were."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import merge as in_order
from itertools import accumulate
from pathlib import Path
from typing import Any

from evalkit.disk_errors import read_plainly
from evalkit.frozen import dataclass
from evalkit.grading_records import MERGED
from evalkit.outcome_rows import Rows

_TABLES = (
    "session", "session_end", "worker", "worker_end", "round", "sealed_key", "sealed", "attempt_start", "attempt",
    "grade", "correction", "batch", "batch_entry", "batch_accepted", "round_event", "marking", "preference",
)  # fmt: skip
"""In an order in which what is referred to is there already. The plan's tables are made anew."""
_COUNTED = {
    "session": "session", "session_end": "session", "worker": "worker", "worker_end": "worker",
    "attempt_start": "attempt", "attempt": "attempt", "batch": "batch", "batch_accepted": "batch",
}  # fmt: skip
"""Tables whose ids are moved past those of the files before, by the table that counts them."""
_REFERENCES = {"session_id": "session", "worker_id": "worker", "attempt_id": "attempt", "batch_id": "batch"}
_TRIALS = frozenset({"trial_id", "first_trial_id", "second_trial_id"})
SETTLED_APART = "apart"
"""In place of `judge` in the subject of a judge's answer that settles no question here, since it was given apart."""


@dataclass(frozen=True)
class Source:
    """An open run file to carry over. `trials`: new id by old; `whole`: old ids of trials on items that it alone holds
    with every model, whose judges' answers hold on."""

    path: Path
    db: sqlite3.Connection
    trials: Mapping[int, int]
    whole: frozenset[int]


def carried_rows(sources: Sequence[Source], at: str) -> Rows:
    """Insert statements for all that the sources hold; the rows are read as they are written.

    Their rounds take no more grades (closed `at`): what is graded from now on is graded together.
    """
    carriers = _carriers(sources)
    tables = [(_insert(sources[0], table), _rows(carriers, table)) for table in _TABLES]
    return [*tables, ("INSERT INTO round_event VALUES (NULL, 'closed', ?, NULL, ?, ?, ?)", _closings(carriers, at))]


def _insert(source: Source, table: str) -> str:
    columns = source.db.execute(f"PRAGMA table_info({table})").fetchall()
    return f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})"  # noqa: S608


def _rows(carriers: Sequence["_Carrier"], table: str) -> Iterator[tuple[Any, ...]]:
    for carrier in carriers:
        yield from carrier.rows(table)


def _closings(carriers: Sequence["_Carrier"], at: str) -> Iterator[tuple[Any, ...]]:
    grades = sum(carrier.grades.newest for carrier in carriers)
    for carrier in carriers:
        for round_id in carrier.rounds.values():
            yield round_id, json.dumps(MERGED), grades, at


@dataclass(frozen=True)
class _Grades:
    """New numbers of a file's grades. Those given before its results were `shown` come before all that were given after
    any were, so that whoever graded before knowing results is not said to have known them.

    `before` and `after`: what is added to the numbers of either kind; `last_before`: the newest of the first kind.
    """

    newest: int
    shown: int | None
    before: int = 0
    after: int = 0
    last_before: int = 0

    @property
    def unknowing(self) -> int:
        """How many were given before results were shown."""
        return self.newest if self.shown is None else min(self.shown, self.newest)

    def number(self, old: int) -> int:
        return old + (self.before if old <= self.unknowing else self.after)

    def moment(self, old: int) -> int:
        """The newest grade at the moment when, in the file, it was `old`."""
        if old == self.shown:
            return self.last_before
        return self.number(old) if old else 0


@dataclass(frozen=True)
class _Carrier:
    """One source with the numbers that its rows get."""

    source: Source
    added: Mapping[str, int]
    rounds: Mapping[int, int]
    grades: _Grades
    judged: Mapping[int, int]

    def rows(self, table: str) -> Iterator[tuple[Any, ...]]:
        for row in _read(self.source, f"SELECT * FROM {table} ORDER BY rowid"):  # noqa: S608
            with read_plainly(self.source.path):
                carried = tuple(self._value(table, column, row) for column in row.keys())  # noqa: SIM118
            yield carried

    def _value(self, table: str, column: str, row: sqlite3.Row) -> Any:
        value = row[column]
        if value is None:
            return None
        if column in _TRIALS:
            return self.source.trials[value]
        if column in _REFERENCES:
            return value + self.added[_REFERENCES[column]]
        special = _SPECIAL.get((table, column)) or _SPECIAL.get(("", column))
        return special(self, table, row) if special else value

    def _id(self, table: str, row: sqlite3.Row) -> int | None:
        counted = _COUNTED.get(table)
        return row["id"] + self.added[counted] if counted else None  # None: the next one that is free

    def _subject(self, _: str, row: sqlite3.Row) -> str:
        """`trial/ID` or `judge/ROUND/KEY`, which settles nothing where the other side's outputs were not at hand."""
        kind, _, rest = row["subject"].partition("/")
        if kind == "trial":
            return f"trial/{self.source.trials[int(rest)]}"
        round_id, _, key = rest.partition("/")
        if kind == "judge" and self.judged[row["id"]] in self.source.whole:
            return f"judge/{self.rounds[int(round_id)]}/{key}"
        return f"{SETTLED_APART}/{self._id('attempt', row)}/{key}"

    def _round(self, _: str, row: sqlite3.Row) -> int:
        return self.rounds[row["id" if "round_id" not in row.keys() else "round_id"]]  # noqa: SIM118

    def _content(self, _: str, row: sqlite3.Row) -> str:
        return json.dumps({**json.loads(row["content"]), "id": self.rounds[row["id"]]}, sort_keys=True)


_SPECIAL: Mapping[tuple[str, str], Callable[[_Carrier, str, sqlite3.Row], Any]] = {
    ("round", "id"): _Carrier._round,
    ("round", "content"): _Carrier._content,
    ("", "round_id"): _Carrier._round,
    ("grade", "id"): lambda carrier, _, row: carrier.grades.number(row["id"]),
    ("round_event", "grades_before"): lambda carrier, _, row: carrier.grades.moment(row["grades_before"]),
    ("attempt", "subject"): _Carrier._subject,
    ("", "id"): _Carrier._id,
}
"""What is no plain value, by table and column, or by column in any table."""


def _carriers(sources: Sequence[Source]) -> list[_Carrier]:
    rounds, grades = _rounds(sources), _grades(sources)
    newest = {table: [_newest(source, table) for source in sources] for table in set(_COUNTED.values()) - {"attempt"}}
    newest["attempt"] = [_newest(source, "attempt_start") for source in sources]
    return [
        _Carrier(
            source,
            {table: sum(counts[:place]) for table, counts in newest.items()},
            rounds[place],
            grades[place],
            {
                row["id"]: row["trial_id"]
                for row in _read(source, "SELECT id, trial_id FROM attempt_start WHERE grader IS NOT NULL")
            },
        )
        for place, source in enumerate(sources)
    ]


def _rounds(sources: Sequence[Source]) -> list[dict[int, int]]:
    """New numbers of each file's rounds: in the order they were opened, since the newest of like ones counts."""

    def opened(place: int, source: Source) -> Iterator[tuple[str, int, int]]:
        for row in _read(source, "SELECT id, content FROM round ORDER BY id"):
            yield json.loads(row["content"])["created_at"], place, row["id"]

    found: list[dict[int, int]] = [{} for _ in sources]
    each = [list(opened(place, source)) for place, source in enumerate(sources)]
    for number, (_, place, old) in enumerate(in_order(*each, key=lambda round_: round_[0]), start=1):
        found[place][old] = number
    return found


def _grades(sources: Sequence[Source]) -> list[_Grades]:
    shown = "SELECT min(grades_before) FROM round_event WHERE kind = 'shown'"
    counts = [_Grades(_newest(source, "grade"), _number(source, shown)) for source in sources]
    first = list(accumulate((each.unknowing for each in counts), initial=0))
    then = list(accumulate((each.newest - each.unknowing for each in counts), initial=first[-1]))
    return [
        _Grades(each.newest, each.shown, first[place], then[place] - each.unknowing, first[-1])
        for place, each in enumerate(counts)
    ]


def _newest(source: Source, table: str) -> int:
    return _number(source, f"SELECT max(id) FROM {table}") or 0  # noqa: S608


def _number(source: Source, query: str) -> int | None:
    for row in _read(source, query):
        return None if row[0] is None else int(row[0])
    return None


def _read(source: Source, query: str) -> Iterator[sqlite3.Row]:
    """Rows, with what is wrong with them said of the file that they come from."""
    with read_plainly(source.path):
        yield from source.db.execute(query)
