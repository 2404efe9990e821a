"""Workers in a run file: where each was, and how it ended."""

import json
import sqlite3
from dataclasses import asdict

from evalkit.session_records import Worker

_BEGUN = ("started_at", "host", "node", "pid", "clock_offset_s", "clock_error_s")
_ENDED = ("ended_at", "lost", "lag_p99_s", "lag_max_s")


def start(db: sqlite3.Connection, worker: Worker) -> int:
    """Record that a worker is there to send requests; returns its id."""
    row = worker.session_id, _json(worker, _BEGUN)
    return int(db.execute("INSERT INTO worker VALUES (NULL, ?, ?)", row).lastrowid or 0)


def end(db: sqlite3.Connection, worker: Worker) -> None:
    """Record how a worker ended; where the whole session was killed, there is no such record."""
    db.execute("INSERT INTO worker_end VALUES (?, ?)", (worker.id, _json(worker, _ENDED)))


def read(db: sqlite3.Connection) -> tuple[Worker, ...]:
    """All workers, in the order in which they were recorded."""
    rows = db.execute("SELECT w.*, e.content AS ended FROM worker w LEFT JOIN worker_end e USING (id) ORDER BY w.id")
    return tuple(
        Worker(row["id"], row["session_id"], **json.loads(row["content"]), **json.loads(row["ended"] or "{}"))
        for row in rows
    )


def _json(worker: Worker, names: tuple[str, ...]) -> str:
    content = {name: value for name, value in asdict(worker).items() if name in names}
    return json.dumps(content, sort_keys=True, allow_nan=False)
