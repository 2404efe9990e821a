"""Everything a run file says, read from its tables into one record."""

import sqlite3
from collections.abc import Iterable, Mapping
from math import inf
from typing import Any

from evalkit import batch_rows, rows, worker_rows
from evalkit.grading_records import RoundEvent
from evalkit.rates import Rates
from evalkit.records import Correction, Round, Snapshot, Spec


def spec(content: Mapping[str, Any]) -> Spec:
    """A spec as a run file holds it, in JSON; one from before the rates were kept has none."""
    lists = {name: tuple(content[name]) for name in ("models", "contexts", "dataset_files") if name in content}
    rates = {model: tuple(Rates(**tier) for tier in tiers) for model, tiers in content.get("rates", {}).items()}
    return Spec(**{**content, **lists, "rates": rates, "kept_sha256": None})  # a file has nothing hidden in it


def read(db: sqlite3.Connection, spec: Spec) -> Snapshot:
    """The file's content at the moment of the caller's transaction."""
    events = tuple(rows.event_of(row) for row in _rows(db, "round_event", "id"))
    shown = min((event.grades_before for event in events if event.kind == "shown"), default=inf)
    return Snapshot(
        spec=spec,
        items=tuple(rows.item_of(row) for row in _rows(db, "item", "position")),
        sizes=tuple(rows.size_of(row) for row in _rows(db, "prompt_size", "item_id, model")),
        trials=tuple(rows.trial_of(row) for row in _rows(db, "trial", "position")),
        attempts=tuple(rows.attempt_of(row) for row in _attempt_rows(db)),
        rounds=tuple(_rounds(db, events)),
        grades=tuple(rows.grade_of(row, shown) for row in _rows(db, "grade", "id")),
        documents={row["name"]: row["text"] for row in _rows(db, "document", "name")},
        sessions=tuple(rows.session_of(row) for row in _session_rows(db)),
        corrections=tuple(
            Correction(row["trial_id"], row["grader"], row["minutes"]) for row in _rows(db, "correction", "id")
        ),
        batches=batch_rows.read(db),
        workers=worker_rows.read(db),
        events=events,
        markings=tuple(rows.marking_of(row) for row in _rows(db, "marking", "id")),
        preferences=tuple(rows.preference_of(row) for row in _rows(db, "preference", "id")),
    )


def dealt(db: sqlite3.Connection, round_id: int) -> frozenset[tuple[str, int]]:
    """The outputs that were ever put before a grader in a round: (grader, trial)."""
    rows = db.execute("SELECT grader, trial_id FROM sealed WHERE round_id = ?", (round_id,))
    return frozenset((row["grader"], row["trial_id"]) for row in rows)


def _rounds(db: sqlite3.Connection, events: Iterable[RoundEvent]) -> Iterable[Round]:
    joined = [(event.round_id, event.grader) for event in events if event.grader is not None]
    for row in _rows(db, "round", "id"):
        yield rows.round_of(row, [grader for round_id, grader in joined if round_id == row["id"]])


def _rows(db: sqlite3.Connection, table: str, order: str) -> Iterable[sqlite3.Row]:
    """Row by row: a large run should not be in memory twice."""
    return db.execute(f"SELECT * FROM {table} ORDER BY {order}")  # noqa: S608  names are constants


def _attempt_rows(db: sqlite3.Connection) -> Iterable[sqlite3.Row]:
    joined = "attempt_start s LEFT JOIN attempt a ON a.id = s.id"
    return db.execute(f"SELECT s.id AS start_id, s.*, a.* FROM {joined} ORDER BY s.id")  # noqa: S608


def _session_rows(db: sqlite3.Connection) -> Iterable[sqlite3.Row]:
    columns = "s.id, s.content, e.content AS ended"
    return db.execute(f"SELECT {columns} FROM session s LEFT JOIN session_end e USING (id)")  # noqa: S608
