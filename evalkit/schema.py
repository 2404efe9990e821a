"""The run file's tables, as numbered migrations; every table is append-only."""

TABLES = (
    "spec",
    "item",
    "document",
    "prompt_size",
    "trial",
    "attempt_start",
    "attempt",
    "round",
    "sealed_key",
    "sealed",
    "grade",
    "session",
    "session_end",
    "correction",
    "batch",
    "batch_entry",
    "batch_accepted",
    "round_event",
    "marking",
    "preference",
    "worker",
    "worker_end",
)

_KEYS = {
    "spec": "id = NEW.id",
    "item": "id = NEW.id OR position = NEW.position",
    "document": "name = NEW.name",
    "prompt_size": "item_id = NEW.item_id AND model = NEW.model",
    "trial": (
        "id = NEW.id OR position = NEW.position OR (item_id = NEW.item_id AND model = NEW.model AND epoch = NEW.epoch)"
    ),
    "attempt_start": "id = NEW.id",
    "attempt": "id = NEW.id OR (final = 1 AND NEW.final = 1 AND subject = NEW.subject)",
    "round": "id = NEW.id",
    "sealed_key": "round_id = NEW.round_id",
    "sealed": "label = NEW.label OR (round_id = NEW.round_id AND grader = NEW.grader AND trial_id = NEW.trial_id)",
    "grade": "id = NEW.id",
    "session": "id = NEW.id",
    "session_end": "id = NEW.id",
    "correction": "id = NEW.id",
    "batch": "id = NEW.id OR nonce = NEW.nonce",
    "batch_entry": "attempt_id = NEW.attempt_id",
    "batch_accepted": "id = NEW.id OR server_id = NEW.server_id",
    "round_event": "id = NEW.id",
    "marking": "id = NEW.id OR nonce = NEW.nonce",
    "preference": "id = NEW.id",
    "worker": "id = NEW.id",
    "worker_end": "id = NEW.id",
}

APPLICATION_ID = 0x65766B74
"""`evkt` in the file's header: what tells a run file from any other SQLite database, or from an empty file."""

_VERSION_1 = f"""
PRAGMA application_id = {APPLICATION_ID};
CREATE TABLE spec (
    id INTEGER PRIMARY KEY CHECK (id = 1), sha256 TEXT NOT NULL, content TEXT NOT NULL CHECK (json_valid(content))
) STRICT;
CREATE TABLE item (
    id TEXT PRIMARY KEY, position INTEGER NOT NULL UNIQUE, content TEXT NOT NULL CHECK (json_valid(content))
) STRICT;
CREATE TABLE document (name TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT;
CREATE TABLE prompt_size (
    item_id TEXT NOT NULL REFERENCES item (id), model TEXT NOT NULL,
    tokens INTEGER NOT NULL CHECK (tokens >= 0), counted INTEGER NOT NULL CHECK (counted IN (0, 1)),
    PRIMARY KEY (item_id, model)
) STRICT;
CREATE TABLE trial (
    id INTEGER PRIMARY KEY, item_id TEXT NOT NULL REFERENCES item (id), model TEXT NOT NULL,
    epoch INTEGER NOT NULL CHECK (epoch >= 1), position INTEGER NOT NULL UNIQUE, UNIQUE (item_id, model, epoch)
) STRICT;
CREATE TABLE round (
    id INTEGER PRIMARY KEY, content TEXT NOT NULL CHECK (json_valid(content))
) STRICT;
CREATE TABLE attempt_start (
    id INTEGER PRIMARY KEY, trial_id INTEGER NOT NULL REFERENCES trial (id),
    round_id INTEGER REFERENCES round (id), grader TEXT, number INTEGER NOT NULL CHECK (number >= 1),
    sent_at TEXT NOT NULL, queued_s REAL NOT NULL CHECK (queued_s >= 0),
    CHECK ((round_id IS NULL) = (grader IS NULL))
) STRICT;
CREATE TABLE attempt (
    id INTEGER PRIMARY KEY REFERENCES attempt_start (id), subject TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('answered', 'refused', 'truncated', 'errored')),
    final INTEGER NOT NULL CHECK (final IN (0, 1)), text TEXT NOT NULL, stop_reason TEXT, served_model TEXT,
    request_id TEXT, usage TEXT NOT NULL CHECK (json_valid(usage)), cost_usd REAL CHECK (cost_usd >= 0),
    ttft_s REAL, latency_s REAL NOT NULL, felt_s REAL NOT NULL, status INTEGER, error_type TEXT,
    error_message TEXT, simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)),
    CHECK (outcome <> 'errored' OR error_type IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX one_final_attempt ON attempt (subject) WHERE final = 1;
CREATE INDEX attempt_start_trial ON attempt_start (trial_id);
CREATE TABLE sealed_key (round_id INTEGER PRIMARY KEY REFERENCES round (id), key BLOB NOT NULL) STRICT;
CREATE TABLE sealed (
    label TEXT PRIMARY KEY, round_id INTEGER NOT NULL REFERENCES round (id), grader TEXT NOT NULL,
    trial_id INTEGER NOT NULL REFERENCES trial (id), UNIQUE (round_id, grader, trial_id)
) STRICT;
CREATE TABLE grade (
    id INTEGER PRIMARY KEY, round_id INTEGER NOT NULL REFERENCES round (id), grader TEXT NOT NULL,
    trial_id INTEGER NOT NULL REFERENCES trial (id), criterion TEXT NOT NULL, level INTEGER,
    ungraded_reason TEXT, comment TEXT NOT NULL, identity_marks INTEGER NOT NULL CHECK (identity_marks >= 0),
    graded_at TEXT NOT NULL, CHECK ((level IS NULL) <> (ungraded_reason IS NULL))
) STRICT;
CREATE INDEX grade_trial ON grade (trial_id);
"""


def _append_only(table: str) -> str:
    """Triggers that refuse to change, remove or replace a row, whatever connection tries.

    INSERT OR REPLACE deletes without firing DELETE triggers, so a row that would take the place of another is
    refused as well: one with the same value of any key, the hidden rowid included.
    """
    return f"""
CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;
CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;
CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}
WHEN EXISTS (SELECT 1 FROM {table} WHERE rowid = NEW.rowid OR {_KEYS[table]})
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;
"""  # noqa: S608  table names are constants above


_VERSION_2 = """
CREATE TABLE session (id INTEGER PRIMARY KEY, content TEXT NOT NULL CHECK (json_valid(content))) STRICT;
CREATE TABLE session_end (
    id INTEGER PRIMARY KEY REFERENCES session (id), content TEXT NOT NULL CHECK (json_valid(content))
) STRICT;
CREATE TABLE attempt_start_2 (
    id INTEGER PRIMARY KEY, trial_id INTEGER NOT NULL REFERENCES trial (id),
    round_id INTEGER REFERENCES round (id), grader TEXT, number INTEGER NOT NULL CHECK (number >= 1),
    sent_at TEXT NOT NULL, queued_s REAL CHECK (queued_s >= 0), session_id INTEGER REFERENCES session (id),
    in_flight INTEGER CHECK (in_flight >= 1), CHECK ((round_id IS NULL) = (grader IS NULL))
) STRICT;
INSERT INTO attempt_start_2
    SELECT id, trial_id, round_id, grader, number, sent_at, queued_s, NULL, NULL FROM attempt_start;
CREATE TABLE attempt_2 (
    id INTEGER PRIMARY KEY REFERENCES attempt_start_2 (id), subject TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('answered', 'refused', 'truncated', 'errored')),
    final INTEGER NOT NULL CHECK (final IN (0, 1)), text TEXT NOT NULL, stop_reason TEXT, served_model TEXT,
    request_id TEXT, usage TEXT NOT NULL CHECK (json_valid(usage)), cost_usd REAL CHECK (cost_usd >= 0),
    ttft_s REAL, latency_s REAL, felt_s REAL, status INTEGER, error_type TEXT, error_message TEXT,
    simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)), headers_s REAL, reused INTEGER CHECK (reused IN (0, 1)),
    CHECK (outcome <> 'errored' OR error_type IS NOT NULL)
) STRICT;
INSERT INTO attempt_2
    SELECT id, subject, outcome, final, text, stop_reason, served_model, request_id, usage, cost_usd, ttft_s,
        latency_s, felt_s, status, error_type, error_message, simulated, NULL, NULL
    FROM attempt;
DROP TABLE attempt;
DROP TABLE attempt_start;
ALTER TABLE attempt_start_2 RENAME TO attempt_start;
ALTER TABLE attempt_2 RENAME TO attempt;
CREATE UNIQUE INDEX one_final_attempt ON attempt (subject) WHERE final = 1;
CREATE INDEX attempt_start_trial ON attempt_start (trial_id);
"""
"""Times may be unknown (a batch, an import), and each attempt belongs to the session that sent it."""


_VERSION_3 = """
CREATE TABLE correction (
    id INTEGER PRIMARY KEY, trial_id INTEGER NOT NULL REFERENCES trial (id), grader TEXT NOT NULL,
    minutes REAL NOT NULL CHECK (minutes >= 0), measured_at TEXT NOT NULL
) STRICT;
"""
"""Minutes that a person took to put an output right."""

_VERSION_4 = """
CREATE TABLE batch (
    id INTEGER PRIMARY KEY, nonce TEXT NOT NULL UNIQUE CHECK (nonce <> ''), created_at TEXT NOT NULL
) STRICT;
CREATE TABLE batch_entry (
    attempt_id INTEGER PRIMARY KEY REFERENCES attempt_start (id), batch_id INTEGER NOT NULL REFERENCES batch (id)
) STRICT;
CREATE TABLE batch_accepted (
    id INTEGER PRIMARY KEY REFERENCES batch (id), server_id TEXT NOT NULL UNIQUE CHECK (server_id <> '')
) STRICT;
"""
"""A batch stands in the file before it is submitted, and its name at the server once that is known."""

_VERSION_5 = """
CREATE TABLE round_event (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('joined', 'settings', 'closed', 'shown')),
    round_id INTEGER REFERENCES round (id), grader TEXT, content TEXT NOT NULL CHECK (json_valid(content)),
    grades_before INTEGER NOT NULL CHECK (grades_before >= 0), at TEXT NOT NULL,
    CHECK (round_id IS NOT NULL OR kind = 'shown'), CHECK ((grader IS NOT NULL) = (kind = 'joined'))
) STRICT;
CREATE TABLE marking (
    id INTEGER PRIMARY KEY, nonce TEXT NOT NULL UNIQUE CHECK (nonce <> ''),
    round_id INTEGER NOT NULL REFERENCES round (id), grader TEXT NOT NULL,
    trial_id INTEGER NOT NULL REFERENCES trial (id), kind TEXT NOT NULL,
    content TEXT NOT NULL CHECK (json_valid(content)), active_s REAL CHECK (active_s >= 0), at TEXT NOT NULL
) STRICT;
CREATE TABLE preference (
    id INTEGER PRIMARY KEY, round_id INTEGER NOT NULL REFERENCES round (id), grader TEXT NOT NULL,
    first_trial_id INTEGER NOT NULL REFERENCES trial (id), second_trial_id INTEGER NOT NULL REFERENCES trial (id),
    choice TEXT CHECK (choice IN ('first', 'second', 'tie')), comment TEXT NOT NULL, at TEXT NOT NULL,
    CHECK (first_trial_id <> second_trial_id)
) STRICT;
"""
"""People grade: who joined a round and when it closed, each mark with its time, and preferences between outputs."""

_VERSION_6 = """
CREATE TABLE worker (
    id INTEGER PRIMARY KEY, session_id INTEGER NOT NULL REFERENCES session (id),
    content TEXT NOT NULL CHECK (json_valid(content))
) STRICT;
CREATE TABLE worker_end (
    id INTEGER PRIMARY KEY REFERENCES worker (id), content TEXT NOT NULL CHECK (json_valid(content))
) STRICT;
ALTER TABLE attempt ADD COLUMN worker_id INTEGER REFERENCES worker (id);
"""
"""Which worker of a cluster sent an attempt, and what kind of clock it had."""

_VERSION_7 = "ALTER TABLE prompt_size ADD COLUMN most_tokens INTEGER CHECK (most_tokens >= tokens);\n"
"""How large a prompt may be that no server has counted, for a budget."""

_VERSION_8 = """
ALTER TABLE attempt_start ADD COLUMN most_tokens INTEGER CHECK (most_tokens >= 0);
ALTER TABLE attempt_start ADD COLUMN cached INTEGER CHECK (cached IN (0, 1));
"""
"""How large a judge's prompt may be, which no plan tells, and whether it is written to a cache."""


def _guarded(*tables: str) -> str:
    return "".join(_append_only(table) for table in tables)


_LATER = ("session", "session_end", "correction", "batch", "batch_entry", "batch_accepted")
_PEOPLE = ("round_event", "marking", "preference")
_CLUSTER = ("worker", "worker_end")

MIGRATIONS: tuple[str, ...] = (
    _VERSION_1 + _guarded(*(table for table in TABLES if table not in (*_LATER, *_PEOPLE, *_CLUSTER))),
    _VERSION_2 + _guarded("attempt_start", "attempt", "session", "session_end"),
    _VERSION_3 + _guarded("correction"),
    _VERSION_4 + _guarded("batch", "batch_entry", "batch_accepted"),
    _VERSION_5 + _guarded(*_PEOPLE),
    _VERSION_6 + _guarded(*_CLUSTER),
    _VERSION_7,
    _VERSION_8,
)
"""Statement blocks in order; a run file's `user_version` says how many have been applied."""
