"""Batches in a run file: what was about to be submitted, and what the server calls it."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable

from evalkit.records import Batch


def add(db: sqlite3.Connection, nonce: str, created_at: str, attempts: Iterable[int]) -> int:
    """Record a batch that is about to be submitted, with its entries' attempts; returns its id."""
    cursor = db.execute("INSERT INTO batch VALUES (NULL, ?, ?)", (nonce, created_at))
    batch_id = int(cursor.lastrowid or 0)
    db.executemany("INSERT INTO batch_entry VALUES (?, ?)", ((attempt, batch_id) for attempt in attempts))
    return batch_id


def accept(db: sqlite3.Connection, batch_id: int, server_id: str) -> None:
    """Record that the server has the batch."""
    db.execute("INSERT INTO batch_accepted VALUES (?, ?)", (batch_id, server_id))


def read(db: sqlite3.Connection) -> tuple[Batch, ...]:
    """All batches, in the order in which they were recorded."""
    entries: dict[int, list[int]] = defaultdict(list)
    for row in db.execute("SELECT batch_id, attempt_id FROM batch_entry ORDER BY attempt_id"):
        entries[row["batch_id"]].append(row["attempt_id"])
    rows = db.execute("SELECT b.*, a.server_id FROM batch b LEFT JOIN batch_accepted a USING (id) ORDER BY b.id")
    return tuple(
        Batch(row["id"], row["nonce"], row["created_at"], row["server_id"], tuple(entries[row["id"]])) for row in rows
    )
