"""The run file keeps what it was told, refuses to change any of it, and says plainly when it cannot."""
# ruff: noqa: S608, S311  table names are constants, and chance is no secret

import json
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from analysis_builders import OPUS, run_of, write_run
from big_snapshots import big_snapshot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit import batch_rows, schema_check, store, worker_rows
from evalkit.cli import main
from evalkit.errors import EvalkitError, ExitCode, InfrastructureError, IntegrityError, UsageError
from evalkit.grading_records import Marking, Preference, RoundEvent
from evalkit.outcome_rows import outcome_rows
from evalkit.rates import Rates
from evalkit.records import (
    Attempt,
    AttemptStart,
    Correction,
    Grade,
    ItemRecord,
    PromptSize,
    Reply,
    Round,
    Session,
    Spec,
    Trial,
    TrialKey,
    Usage,
    Worker,
)
from evalkit.schema import MIGRATIONS, TABLES
from evalkit.store import RunFile
from tests.memory import traced

SPEC = Spec(
    name="tiny", dataset_sha256="d" * 64, rubric_sha256="r" * 64, prompt_sha256="p" * 64, models=("m1", "m2"),
    epochs=1, seed=1, context_tokens=None, limit=None, endpoint="http://127.0.0.1", simulated=True, max_tokens=64,
    rubric={"name": "tiny"}, package_version="0", prices_version="none", created_at="2026-11-22T14:00:00+00:00",
    rates={"m1": (Rates(0.1, 0.5), Rates(0.5, 2.5, above_tokens=100_000)), "m2": ()},
)  # fmt: skip
ITEMS = [ItemRecord(f"i{n}", n, f"Task {n}", None, None, None, ()) for n in range(3)]
ORDER = [TrialKey(item.id, model, 1) for item in ITEMS for model in SPEC.models]
SIZES = [PromptSize(item.id, model, 10, counted=True) for item in ITEMS for model in SPEC.models]
ROUND = Round(0, "r" * 64, ("checks",), True, 1, "2026-11-22T14:00:00+00:00")
WHEN = "2026-11-22T14:00:01+00:00"


def make(path: Path) -> RunFile:
    return RunFile.create(path, SPEC, ITEMS, {"doc.md": "A document"}, ORDER, SIZES)


def fill(run: RunFile) -> None:
    """One row at least in every table."""
    for final in (False, True):
        started = run.start_attempt(AttemptStart(1, 1 + final, WHEN, 0.0, None, None))
        run.finish_attempt(started, "trial/1", Reply("answered", 1.0, "Text"), final, 1.0, 0.01)
    round_ = run.add_round(ROUND, b"k" * 32)
    run.seal(round_.id, {"label": ("checks", 1)})
    run.add_grades([Grade(round_.id, "checks", 1, "right", 1)], WHEN)
    run.end_session(run.start_session(Session(0, WHEN, "here", "local", 8)), WHEN, 0.001, 0.002)
    run.add_corrections([Correction(1, "human ann", 4.5)], WHEN)
    with run.together() as db:
        batch_rows.accept(db, batch_rows.add(db, "nonce", WHEN, [1]), "msgbatch_1")
        worker = Worker(0, 1, WHEN, "there", "node", 7, 0.5, 0.001)
        worker_rows.end(db, replace(worker, id=worker_rows.start(db, worker), ended_at=WHEN, lost="killed"))
    run.add_event(RoundEvent("joined", 1, "ann", at=WHEN))
    run.add_marking(Marking(1, "ann", 1, "flag", {"on": True}, 1.5, WHEN), "nonce")
    run.add_preferences([Preference(1, "ann", 1, 2, "tie")], WHEN)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "tiny.db"


@pytest.fixture
def run(path: Path) -> Iterator[RunFile]:
    with make(path) as made:
        yield made


@pytest.fixture
def other(run: RunFile) -> Iterator[sqlite3.Connection]:
    """A connection that knows nothing of evalkit, to a file with rows in every table."""
    fill(run)
    with closing(sqlite3.connect(run.path, isolation_level=None)) as connection:
        yield connection


def rows(db: sqlite3.Connection, table: str) -> list[Any]:
    return db.execute(f"SELECT * FROM {table}").fetchall()


# --- append-only ----------------------------------------------------------------------------------------------


def test_the_listed_tables_are_those_of_the_file(other: sqlite3.Connection) -> None:
    found = other.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    assert {name for (name,) in found} == set(TABLES)
    assert all(rows(other, table) for table in TABLES)


WAYS = {
    "update": "UPDATE {table} SET {column} = {column}",
    "update or replace": "UPDATE OR REPLACE {table} SET {column} = {column}",
    "delete": "DELETE FROM {table}",
    "insert or replace": "INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
    "replace": "REPLACE INTO {table} SELECT * FROM {table}",
    "insert or ignore": "INSERT OR IGNORE INTO {table} SELECT * FROM {table}",
    "upsert": "INSERT INTO {table} SELECT * FROM {table} WHERE true ON CONFLICT DO UPDATE SET {column} = {column}",
    "upsert nothing": "INSERT INTO {table} SELECT * FROM {table} WHERE true ON CONFLICT DO NOTHING",
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("way", WAYS)
def test_no_connection_changes_or_removes_a_row(table: str, way: str, other: sqlite3.Connection) -> None:
    before = rows(other, table)
    columns = [column[1] for column in other.execute(f"PRAGMA table_info({table})")]
    for column in columns:
        with pytest.raises(sqlite3.IntegrityError, match=f"{table} is append-only"):
            other.execute(WAYS[way].format(table=table, column=column))
    assert rows(other, table) == before


UNIQUE = [(table, columns) for table, sets in {
    "trial": [["item_id", "model", "epoch"]],
    "sealed": [["round_id", "grader", "trial_id"]],
    "attempt": [["subject"]],
    "batch": [["nonce"]],
    "batch_accepted": [["server_id"]],
    "marking": [["nonce"]],
}.items() for columns in sets]  # fmt: skip


@pytest.mark.parametrize(("table", "unique"), UNIQUE)
def test_a_row_is_not_replaced_through_its_other_key_either(
    table: str, unique: list[str], other: sqlite3.Connection
) -> None:
    """REPLACE removes whatever row conflicts, also by a key that is not the primary one."""
    columns = [column[1] for column in other.execute(f"PRAGMA table_info({table})")]
    key = columns[0]
    fresh = {"label": "'another'"}.get(key, f"(SELECT max({key}) + 1 FROM {table})")
    if table == "attempt":
        other.execute("INSERT INTO attempt_start VALUES (99, 1, NULL, NULL, 3, 'now', 0, NULL, NULL, NULL, NULL)")
        fresh = "99"
    values = ", ".join([fresh, *columns[1:]])
    before = rows(other, table)
    where = "WHERE final = 1" if table == "attempt" else "LIMIT 1"
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(f"REPLACE INTO {table} SELECT {values} FROM {table} {where}")
    assert rows(other, table) == before


TEXT_KEYS = {("item", "id"), ("document", "name"), ("prompt_size", "model"), ("sealed", "label")}


@pytest.mark.parametrize("table", TABLES)
def test_a_row_is_not_replaced_through_its_hidden_number(table: str, other: sqlite3.Connection) -> None:
    before = rows(other, table)
    columns = [column[1] for column in other.execute(f"PRAGMA table_info({table})")]
    fresh = ", ".join(f"{c} || 'x'" if (table, c) in TEXT_KEYS else c for c in columns)
    names = ", ".join(columns)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(f"REPLACE INTO {table} (rowid, {names}) SELECT rowid, {fresh} FROM {table}")
    assert rows(other, table) == before


def test_positions_cannot_be_replaced(other: sqlite3.Connection) -> None:
    before = rows(other, "item"), rows(other, "trial")
    for statement in (
        "REPLACE INTO item VALUES ('new', 0, '{}')",
        "REPLACE INTO trial VALUES (99, 'i0', 'm9', 1, 0)",
        "REPLACE INTO item (rowid, id, position, content) VALUES (1, 'new', 77, '{}')",
        "REPLACE INTO trial (id, item_id, model, epoch, position) VALUES (1, 'i0', 'm9', 1, 77)",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            other.execute(statement)
    assert (rows(other, "item"), rows(other, "trial")) == before


def test_a_trial_has_one_final_attempt(run: RunFile) -> None:
    fill(run)
    again = run.start_attempt(AttemptStart(1, 3, WHEN, 0.0, None, None))
    with pytest.raises(IntegrityError, match="append-only"):
        run.finish_attempt(again, "trial/1", Reply("answered", 1.0), True, 1.0, None)
    assert [a.outcome for a in run.snapshot().attempts] == ["answered", "answered", None]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO attempt_start VALUES (NULL, 777, NULL, NULL, 1, 'now', 0, NULL, NULL, NULL, NULL)",
        "INSERT INTO attempt_start VALUES (NULL, 1, NULL, 'judge', 1, 'now', 0, NULL, NULL, NULL, NULL)",
        "INSERT INTO attempt_start VALUES (NULL, 1, NULL, NULL, 0, 'now', 0, NULL, NULL, NULL, NULL)",
        "INSERT INTO attempt_start VALUES (NULL, 1, NULL, NULL, 1, 'now', -1, NULL, NULL, NULL, NULL)",
        "INSERT INTO attempt_start VALUES (NULL, 1, NULL, NULL, 1, 'now', 0, NULL, NULL, -1, NULL)",
        "INSERT INTO attempt_start VALUES (NULL, 1, NULL, NULL, 1, 'now', 0, NULL, NULL, NULL, 2)",
        "INSERT INTO trial VALUES (NULL, 'nobody', 'm', 1, 77)",
        "INSERT INTO trial VALUES (NULL, 'i0', 'm', 0, 77)",
        "INSERT INTO prompt_size VALUES ('i0', 'm', -1, 1, NULL)",
        "INSERT INTO prompt_size VALUES ('i0', 'm', 2, 0, 1)",
        "INSERT INTO grade VALUES (NULL, 1, 'g', 1, 'c', 1, 'and a reason', '', 0, 'now')",
        "INSERT INTO grade VALUES (NULL, 1, 'g', 1, 'c', NULL, NULL, '', 0, 'now')",
        "INSERT INTO grade VALUES (NULL, 1, 'g', 1, 'c', 'good', NULL, '', 0, 'now')",
        "INSERT INTO item VALUES ('new', 77, 'not json')",
        "INSERT INTO spec VALUES (2, 'x', '{}')",
    ],
)
def test_a_row_that_makes_no_sense_is_refused(statement: str, other: sqlite3.Connection) -> None:
    other.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(sqlite3.IntegrityError):
        other.execute(statement)


# --- schema ---------------------------------------------------------------------------------------------------


def schema_of(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


def test_migrations_from_blank_give_the_schema_of_a_new_file(run: RunFile, tmp_path: Path) -> None:
    blank = tmp_path / "blank.db"
    with closing(sqlite3.connect(blank)) as db:
        for script in MIGRATIONS:
            db.executescript(script)
    assert schema_of(run.path) == schema_of(blank)
    with closing(sqlite3.connect(run.path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert db.execute("PRAGMA application_id").fetchone() == (int.from_bytes(b"evkt", "big"),)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        triggers = db.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'").fetchone()
    assert triggers == (3 * len(TABLES),)


def test_a_file_of_an_older_schema_is_brought_up_to_date_once_by_many(
    run: RunFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(run)
    before = run.snapshot()
    monkeypatch.setattr(
        store, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE extra (id INTEGER);\nINSERT INTO extra VALUES (1);\n")
    )
    errors: list[Exception] = []

    def open_it() -> None:
        try:
            with RunFile(run.path) as opened:
                assert opened.snapshot() == before
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with closing(sqlite3.connect(run.path)) as db:
        assert rows(db, "extra") == [(1,)]
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)


def test_a_file_of_the_first_schema_keeps_every_row_and_stays_append_only(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(MIGRATIONS[0])
        content = {
            name: value for name, value in asdict(SPEC).items() if name not in ("contexts", "cache", "condition")
        }
        db.execute("INSERT INTO spec VALUES (1, ?, ?)", (SPEC.sha256, json.dumps(content)))
        db.execute("INSERT INTO item VALUES ('i0', 0, ?)", (json.dumps(asdict(ITEMS[0])),))
        db.execute("INSERT INTO trial VALUES (1, 'i0', 'm1', 1, 0)")
        db.execute("INSERT INTO attempt_start VALUES (1, 1, NULL, NULL, 1, ?, 0.5)", (WHEN,))
        told = ("Text", "end_turn", "m1", "req", "{}", 0.01, 0.1, 1.5, 2.5, 200, None, None, 0)
        db.execute(f"INSERT INTO attempt VALUES (1, 'trial/1', 'answered', 1, {', '.join('?' * len(told))})", told)
        db.execute("PRAGMA user_version = 1")
        db.commit()
    with RunFile(path) as run:
        (attempt,) = run.snapshot().attempts
    assert (attempt.text, attempt.latency_s, attempt.felt_s, attempt.queued_s) == ("Text", 1.5, 2.5, 0.5)
    assert (attempt.session_id, attempt.in_flight, attempt.headers_s, attempt.reused) == (None, None, None, None)
    with closing(sqlite3.connect(path)) as db:
        for statement in ("DELETE FROM attempt", "UPDATE attempt_start SET number = 2"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                db.execute(statement)


def test_writes_together_are_one_transaction_or_none(run: RunFile) -> None:
    with suppress(ZeroDivisionError), run.together():
        run.start_attempt(AttemptStart(1, 1, WHEN))
        raise ZeroDivisionError
    assert run.snapshot().attempts == ()
    with run.together():
        for number in (1, 2):
            run.start_attempt(AttemptStart(1, number, WHEN))
    assert [attempt.number for attempt in run.snapshot().attempts] == [1, 2]


def test_outcomes_count_settled_trials_alone(run: RunFile) -> None:
    assert run.outcomes() == {}
    round_ = run.add_round(ROUND, b"k" * 32)
    rows = [
        (1, None, "answered", True),
        (2, None, "refused", True),
        (3, None, "errored", False),
        (4, None, "answered", True),
    ]
    rows += [(1, "judge x", "answered", True)]
    for trial_id, grader, outcome, final in rows:
        started = run.start_attempt(AttemptStart(trial_id, 1, WHEN, grader=grader, round_id=grader and round_.id))
        run.finish_attempt(started, f"{grader}/{trial_id}", Reply(outcome, 1.0, error_type="x"), final, 1.0, None)
    assert run.outcomes() == {"answered": 2, "refused": 1}


def test_a_session_that_was_killed_has_no_end(run: RunFile) -> None:
    first, second = (run.start_session(Session(0, WHEN, "here", "local", n)) for n in (4, 8))
    run.end_session(second, "later", 0.001, 0.5)
    ended = [(s.id, s.concurrency, s.ended_at, s.lag_p99_s, s.lag_max_s) for s in run.snapshot().sessions]
    assert ended == [(first, 4, None, None, None), (second, 8, "later", 0.001, 0.5)]


def test_what_people_did_comes_back_as_it_was_told(run: RunFile) -> None:
    round_ = run.add_round(ROUND, b"k" * 32)
    grade = Grade(round_.id, "ann", 1, "right", 1)
    run.add_grades([grade], WHEN)
    run.add_event(RoundEvent("joined", round_.id, "ann", at=WHEN))
    run.add_event(RoundEvent("joined", round_.id, "checks", at=WHEN))
    run.add_event(RoundEvent("shown", None, None, {"how": "report"}, at=WHEN))
    run.add_grades([grade], WHEN)
    marking = Marking(round_.id, "ann", 1, "note", {"text": "é"}, None, WHEN)
    assert [run.add_marking(marking, nonce) for nonce in ("a", "a", "b")] == [True, False, True]
    chosen = [Preference(round_.id, "ann", 1, 2, choice, "why") for choice in ("first", "tie", None)]
    run.add_preferences(chosen, WHEN)
    seen = run.snapshot()
    assert [(e.kind, e.round_id, e.grader, e.grades_before) for e in seen.events] == [
        ("joined", 1, "ann", 1), ("joined", 1, "checks", 1), ("shown", None, None, 1),
    ]  # fmt: skip
    assert seen.rounds[0].graders == ("checks", "ann"), "who joins later stands behind, and nobody twice"
    assert seen.markings == (marking, marking)
    assert seen.preferences == tuple(chosen)
    assert [g.after_results for g in seen.grades] == [False, True]


def test_a_closed_round_takes_no_grades(run: RunFile) -> None:
    first, second = (run.add_round(ROUND, b"k" * 32) for _ in range(2))
    run.add_event(RoundEvent("closed", first.id, None, {"why": "all graded"}, at=WHEN))
    assert [run.takes_grades(r.id) for r in (first, second)] == [False, True]


def test_a_file_from_before_corrections_takes_them(run: RunFile, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = run.snapshot()
    with monkeypatch.context() as patch:
        patch.setattr(store, "MIGRATIONS", MIGRATIONS[:1])
        rows_now = store._plan_rows
        patch.setattr(
            store, "_plan_rows", lambda *plan: [row for row in rows_now(*plan) if "prompt_size" not in row[0]]
        )
        path = run.path.with_name("older.db")
        RunFile.create(path, plan.spec, plan.items, {}, [trial.key for trial in plan.trials]).close()
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA user_version").fetchone() == (1,)
    with RunFile(path) as opened:
        assert opened.snapshot().corrections == ()
        opened.add_corrections([Correction(1, "human ann", 4.5), Correction(1, "human ann", 3.0)], WHEN)
        assert opened.snapshot().corrections == (Correction(1, "human ann", 4.5), Correction(1, "human ann", 3.0))
        with pytest.raises(IntegrityError, match="minutes >= 0"):
            opened.add_corrections([Correction(1, "human ann", -1.0)], WHEN)
    assert schema_of(path) == schema_of(run.path)


def test_a_migration_that_fails_changes_nothing(run: RunFile, monkeypatch: pytest.MonkeyPatch) -> None:
    before = schema_of(run.path)
    monkeypatch.setattr(
        store, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE extra (id);\nINSERT INTO nowhere VALUES (1);\n")
    )
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        RunFile(run.path)
    assert schema_of(run.path) == before


def test_a_file_of_a_newer_evalkit_is_refused_and_left_alone(run: RunFile) -> None:
    run.close()
    with closing(sqlite3.connect(run.path)) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = run.path.read_bytes()
    with pytest.raises(IntegrityError, match=r"newer evalkit.*update evalkit"):
        RunFile(run.path)
    assert run.path.read_bytes() == before


# --- reading without writing ----------------------------------------------------------------------------------


@pytest.fixture
def locked_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that may be filled, and that nobody may write to once `close_folder` was called."""
    folder = Path(tempfile.mkdtemp())
    yield folder
    if os.getuid() == 0:
        os.seteuid(0)
    folder.chmod(0o755)
    shutil.rmtree(folder)


def close_folder(folder: Path) -> None:
    """Take away the right to write; root, who needs none, becomes somebody else until the fixture ends."""
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    if os.getuid() == 0:
        os.seteuid(65534)


def test_a_run_file_in_a_folder_without_the_right_to_write_is_read(locked_folder: Path) -> None:
    with make(locked_folder / "a %?#.db") as made:
        fill(made)
        written = made.snapshot()
    close_folder(locked_folder)
    with RunFile(locked_folder / "a %?#.db", read_only=True) as run:
        assert run.snapshot() == written
    with pytest.raises(InfrastructureError, match=r"cannot be opened or written .*; check path and rights"):
        RunFile(locked_folder / "a %?#.db")


def test_a_log_that_cannot_be_read_is_not_passed_over(locked_folder: Path) -> None:
    with make(locked_folder / "a.db") as made:
        fill(made)
        log = (locked_folder / "a.db-wal").read_bytes()
    (locked_folder / "a.db-wal").write_bytes(log)
    close_folder(locked_folder)
    with pytest.raises(InfrastructureError, match="cannot be read with the log beside it"):
        RunFile(locked_folder / "a.db", read_only=True)


def test_a_reader_sees_what_a_writer_has_not_folded_in_yet_and_cannot_write(run: RunFile) -> None:
    fill(run)
    with RunFile(run.path, read_only=True) as reader:
        assert reader.snapshot() == run.snapshot()
        with pytest.raises(InfrastructureError):
            reader.start_attempt(AttemptStart(1, 1, "now"))


def test_a_reader_does_not_read_past_who_keeps_the_file_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its log an open file is an old one: to read it as if nobody wrote would leave out the last rows."""
    make(path).close()
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *where, **how: connect(*where, **{**how, "timeout": 0}))
    with closing(connect(path, isolation_level=None)) as alone:
        alone.execute("PRAGMA locking_mode = EXCLUSIVE")
        alone.execute("BEGIN EXCLUSIVE")
        with pytest.raises(InfrastructureError, match="locked"):
            RunFile(path, read_only=True)


@pytest.mark.parametrize("command", [["runs"], ["report", "-o", "r.json", "-q"], ["plan", "--run"]])
def test_commands_that_read_change_nothing(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_run(tmp_path / "runs" / "a.db", run_of({OPUS: [[True]] * 8}))
    path.chmod(0o444)
    before = path.read_bytes(), path.stat().st_mtime_ns, list(path.parent.glob("*"))
    assert main([*command, str(path)]) == 0, capsys.readouterr().err
    assert (path.read_bytes(), path.stat().st_mtime_ns, list(path.parent.glob("*"))) == before


def test_a_reader_brings_an_older_schema_up_to_date_in_memory(run: RunFile, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(run)
    before = run.snapshot()
    run.close()
    content = run.path.read_bytes()
    monkeypatch.setattr(store, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE extra (id INTEGER);\n"))
    with RunFile(run.path, read_only=True) as reader:
        assert reader.snapshot() == before
    assert run.path.read_bytes() == content


# --- files that are none --------------------------------------------------------------------------------------


def spoil(path: Path, kind: str) -> None:
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("name: not a database\n" * 100)
    elif kind == "empty":
        path.touch()
    elif kind == "another database":
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE bookmarks (url TEXT)")
            db.commit()
    elif kind != "missing":
        make(path).close()
        content = path.read_bytes()
        cut = {"cut": content[: len(content) // 2], "half a page": content[:700]}
        spoiled = {"damaged": content[:4096] + b"\xa5" * 40_000 + content[44_096:], **cut}[kind]
        path.write_bytes(spoiled)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("missing", ExitCode.USAGE),
        ("folder", ExitCode.USAGE),
        ("text", ExitCode.INTEGRITY),
        ("empty", ExitCode.INTEGRITY),
        ("another database", ExitCode.INTEGRITY),
        ("damaged", ExitCode.INTEGRITY),
        ("cut", ExitCode.INTEGRITY),
        ("half a page", ExitCode.INTEGRITY),
    ],
)
def test_what_is_no_run_file_is_one_clear_line_and_stays_as_it_is(
    kind: str, code: ExitCode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "broken.db"
    spoil(path, kind)
    before = path.read_bytes() if path.is_file() else None
    assert main(["report", str(path)]) == code
    error, ending = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ")
    assert str(path) in error
    assert "; " in error
    assert ending == f"exit {int(code)}: {code.name.lower()}"
    assert (path.read_bytes() if path.is_file() else None) == before


def test_flipped_bytes_are_never_a_traceback(tmp_path: Path) -> None:
    good, path = tmp_path / "good.db", tmp_path / "spoiled.db"
    with make(good) as run:
        fill(run)
    content, rng = good.read_bytes(), random.Random(7)
    refused = 0
    for _ in range(150):
        spoiled = bytearray(content)
        for _ in range(rng.randint(1, 60)):
            spoiled[rng.randrange(len(spoiled))] = rng.randrange(256)
        path.write_bytes(spoiled)
        try:
            with RunFile(path) as opened:
                opened.snapshot()
                opened.sealed_key(1)
        except EvalkitError:
            refused += 1
    assert refused > 10


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("DROP TRIGGER grade_no_update", "trigger grade_no_update is missing"),
        ("DROP INDEX one_final_attempt", "index one_final_attempt is missing"),
        ("DROP TABLE correction", "table correction is missing, and 3 more"),
        ("DROP TRIGGER grade_no_update; CREATE TRIGGER grade_no_update BEFORE UPDATE ON grade BEGIN SELECT 1; END",
         "trigger grade_no_update is not as it was made"),
        ("ALTER TABLE grade ADD COLUMN more TEXT", "table grade is not as it was made"),
        ("CREATE TABLE mine (x)", "table mine is not evalkit's"),
        ("CREATE TRIGGER t AFTER INSERT ON grade BEGIN SELECT 1; END", "trigger t is not evalkit's"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_without_its_guards_is_refused(
    change: str, told: str, read_only: bool, run: RunFile, other: sqlite3.Connection
) -> None:
    other.executescript(change)
    with pytest.raises(IntegrityError) as caught:
        RunFile(run.path, read_only=read_only)
    assert str(caught.value) == f"{run.path} has been altered ({told}); restore it from a copy"


@pytest.mark.parametrize("change", ["ANALYZE", "VACUUM", "REINDEX", "CREATE VIEW mine AS SELECT * FROM grade"])
def test_what_changes_no_fact_is_no_alteration(change: str, run: RunFile, other: sqlite3.Connection) -> None:
    before = run.snapshot()
    other.executescript(change)
    with RunFile(run.path) as again:
        assert again.snapshot() == before


def test_every_schema_is_known_without_making_it_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_check, "_made", None)
    assert len(schema_check.SCHEMA_SHA256) == len(MIGRATIONS)
    for version in range(1, len(MIGRATIONS) + 1):
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
            schema_check.migrate(db, MIGRATIONS[:version])
            assert schema_check.difference(db, MIGRATIONS[:version]) is None


def test_a_spec_that_was_tampered_with_is_detected(run: RunFile) -> None:
    for change in ("'$.seed', 2", "'$.simulated', json('false')", "'$.rubric.name', 'lax'", "'$.extra', 1"):
        with closing(sqlite3.connect(run.path)) as db:
            db.execute("BEGIN")
            db.execute("DROP TRIGGER spec_no_update")
            db.execute(f"UPDATE spec SET content = json_set(content, {change})")
            with pytest.raises(IntegrityError, match="restore it from a copy"):
                _spec_as_seen_by(db, run)


def _spec_as_seen_by(db: sqlite3.Connection, run: RunFile) -> Spec:
    """Read through the tampering transaction, which is then rolled back."""
    db.row_factory = sqlite3.Row
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run, "_db", db)
        return run.spec()


def test_when_and_by_which_version_a_run_was_made_is_not_part_of_its_identity() -> None:
    later = replace(SPEC, created_at="2027-01-01", package_version="9", prices_version="x", rates={})
    assert later.sha256 == SPEC.sha256
    changed = [
        replace(SPEC, seed=2), replace(SPEC, models=("m2", "m1")), replace(SPEC, simulated=False),
        replace(SPEC, endpoint="https://api.example.com"), replace(SPEC, max_tokens=65), replace(SPEC, epochs=2),
        replace(SPEC, rubric={"name": "other"}), replace(SPEC, limit=3), replace(SPEC, context_tokens=5),
    ]  # fmt: skip
    assert len({spec.sha256 for spec in [SPEC, *changed]}) == 1 + len(changed)


# --- round trip -----------------------------------------------------------------------------------------------

TEXT = st.text(max_size=30)
COUNT = st.integers(0, 2**40)
SECONDS = st.floats(0, 1e6)
MAYBE_TEXT = st.none() | TEXT
USAGE = st.builds(Usage, *[st.none() | COUNT] * 5, MAYBE_TEXT, MAYBE_TEXT, MAYBE_TEXT)
REPLY = st.builds(
    Reply, outcome=st.sampled_from(["answered", "refused", "truncated", "errored"]), latency_s=SECONDS, text=TEXT,
    ttft_s=st.none() | SECONDS, stop_reason=MAYBE_TEXT, served_model=MAYBE_TEXT, request_id=MAYBE_TEXT, usage=USAGE,
    status=st.none() | st.integers(100, 599), error_type=TEXT, error_message=MAYBE_TEXT, simulated=st.booleans(),
)  # fmt: skip
ITEM = st.builds(
    ItemRecord, id=TEXT, position=st.just(0), task=TEXT, system=MAYBE_TEXT, reference=MAYBE_TEXT,
    difficulty=MAYBE_TEXT, tags=st.lists(TEXT).map(tuple), documents=st.lists(TEXT).map(tuple),
    evidence_positions=st.lists(COUNT).map(tuple),
)  # fmt: skip
LEAF = st.none() | st.booleans() | COUNT | TEXT
PLAIN = LEAF | st.dictionaries(TEXT, LEAF | st.dictionaries(TEXT, LEAF, max_size=3), max_size=3)


@pytest.mark.long
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_snapshot_gives_back_every_record_as_it_was_told(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "round-trip.db"
    for part in tmp_path.glob("*round-trip*"):
        part.unlink()
    draw = data.draw
    spec = replace(
        SPEC, name=draw(TEXT), models=tuple(draw(st.lists(TEXT, max_size=3))), context_tokens=draw(st.none() | COUNT),
        limit=draw(st.none() | COUNT), simulated=draw(st.booleans()), rubric=draw(st.dictionaries(TEXT, PLAIN)),
    )  # fmt: skip
    items = [replace(x, position=n) for n, x in enumerate(draw(st.lists(ITEM, min_size=1, max_size=3, unique_by=_id)))]
    keys = draw(
        st.lists(
            st.builds(TrialKey, st.sampled_from([i.id for i in items]), TEXT, st.integers(1, 9)),
            unique=True,
            min_size=1,
        )
    )
    sizes = [
        PromptSize(items[0].id, model, draw(COUNT), draw(st.booleans())) for model in sorted({k.model for k in keys})
    ]
    documents = draw(st.dictionaries(TEXT, TEXT, max_size=3))
    rounds, attempts, grades = [], [], []
    with RunFile.create(path, spec, items, documents, keys, sizes) as run:
        rounds.append(
            run.add_round(replace(ROUND, graders=tuple(draw(st.lists(TEXT))), blind=draw(st.booleans())), b"k")
        )
        for number in range(1, draw(st.integers(0, 3)) + 1):
            grader = draw(MAYBE_TEXT)
            attempts.append(
                _record(run, number, grader, draw(st.none() | REPLY), draw(SECONDS), draw(st.none() | SECONDS))
            )
        for level in draw(st.lists(st.none() | COUNT, max_size=3)):
            reason = draw(TEXT) if level is None else None
            grades.append(Grade(1, draw(TEXT), 1, draw(TEXT), level, reason, draw(TEXT), draw(COUNT)))
        run.add_grades(grades, WHEN)
        run.seal(1, {"label": ("g", 1)})
        run.seal(1, {"label": ("g", 1)})
        seen = run.snapshot()
        assert run.sealed_key(1) == b"k"
    assert seen.spec == spec
    assert seen.items == tuple(items)
    assert seen.trials == tuple(Trial(n + 1, key, n) for n, key in enumerate(keys))
    assert seen.sizes == tuple(sizes)
    assert seen.documents == documents
    assert seen.rounds == tuple(rounds)
    assert seen.attempts == tuple(attempts)
    assert seen.grades == tuple(grades)


def _id(item: ItemRecord) -> str:
    return item.id


def _record(
    run: RunFile, number: int, grader: str | None, reply: Reply | None, queued_s: float, cost_usd: float | None
) -> Attempt:
    """Write one attempt, finished or lost, and say how it must be read."""
    round_id = None if grader is None else 1
    started = run.start_attempt(AttemptStart(1, number, WHEN, queued_s, grader, round_id))
    lost = Attempt(
        started, 1, grader, round_id, number, WHEN, None, False, "", None, None, None, Usage(), None, None, None,
        None, queued_s, None, None, None, False,
    )  # fmt: skip
    if reply is None:
        return lost
    run.finish_attempt(started, f"subject {number}", reply, number == 1, 2.5, cost_usd)
    return replace(
        lost, outcome=reply.outcome, final=number == 1, text=reply.text, stop_reason=reply.stop_reason,
        served_model=reply.served_model, request_id=reply.request_id, usage=reply.usage, cost_usd=cost_usd,
        ttft_s=reply.ttft_s, latency_s=reply.latency_s, felt_s=2.5, status=reply.status, error_type=reply.error_type,
        error_message=reply.error_message, simulated=reply.simulated, subject=f"subject {number}",
    )  # fmt: skip


def test_a_round_without_its_key_is_damage(run: RunFile) -> None:
    with pytest.raises(IntegrityError, match="no sealed key for round 7"):
        run.sealed_key(7)


def test_the_same_label_cannot_stand_for_two_outputs(run: RunFile) -> None:
    run.add_round(ROUND, b"k")
    with pytest.raises(IntegrityError):
        run.seal(1, {"label": ("checks", 1), "other": ("checks", 1)})
    run.seal(1, {"label": ("checks", 1)})


# --- whole or not at all --------------------------------------------------------------------------------------

CREATE = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_store import SPEC, ORDER, ITEMS
from dataclasses import replace
from evalkit.store import RunFile
items = [replace(ITEMS[0], id=f"i{{n}}", position=n, task="x" * 2000) for n in range({items})]
print("begin", flush=True)
RunFile.create(Path({path!r}), SPEC, items, {{}}, []).close()
print("end", flush=True)
"""


def creation(path: Path, items: int, **options: Any) -> "subprocess.Popen[bytes]":
    code = CREATE.format(tests=str(Path(__file__).parent), path=str(path), items=items)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


@pytest.mark.long
def test_a_creation_that_is_killed_leaves_nothing_and_can_be_repeated(path: Path) -> None:
    with creation(path, 60_000) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begin\n"
        draft = path.with_name(f".{path.name}.new")
        while not (draft.exists() and draft.stat().st_size):
            assert process.poll() is None, "it ended before it could be killed"
        process.kill()
        process.wait()
    assert not path.exists()
    with make(path) as run:
        assert len(run.snapshot().items) == len(ITEMS)
    assert not list(path.parent.glob("*.new*"))


@pytest.mark.long
def test_a_full_disk_makes_no_run_file_and_leaves_nothing_behind(path: Path) -> None:
    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    with creation(path, 2000, preexec_fn=little_room) as process:
        output, errors = process.communicate()
    assert (process.returncode, output) == (1, b"begin\n")
    assert b"NoRoomError" in errors
    assert b"cannot grow" in errors
    assert list(path.parent.iterdir()) == []


def test_a_plan_that_contradicts_itself_makes_no_file(path: Path) -> None:
    with pytest.raises(IntegrityError, match="refuses a record"):
        RunFile.create(path, SPEC, ITEMS, {}, [TrialKey("nobody", "m", 1)])
    assert not path.exists()


def test_an_existing_run_file_is_never_created_again(run: RunFile) -> None:
    fill(run)
    before = run.snapshot()
    with pytest.raises(IntegrityError, match=r"made by another `evalkit run` just now; run the command again"):
        make(run.path)
    assert run.snapshot() == before


@pytest.mark.long
def test_two_creations_at_once_make_one_file(path: Path) -> None:
    processes = [creation(path, 3000) for _ in range(2)]
    errors = b"".join(process.communicate()[1] for process in processes)
    codes = sorted(process.returncode for process in processes)
    assert codes == [0, 1]
    assert b"InUseError" in errors or b"by another `evalkit run` just now" in errors
    with RunFile(path) as run:
        assert len(run.snapshot().items) == 3000


@pytest.mark.parametrize("place", ["a file/runs/x.db", "/proc/evalkit/x.db"])
def test_a_folder_that_cannot_be_made_is_one_clear_line(place: str, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    with pytest.raises(InfrastructureError, match="cannot be written"):
        make(tmp_path / place)


# --- several at once ------------------------------------------------------------------------------------------

WRITE = """
import sys
from pathlib import Path
from evalkit.store import RunFile
from evalkit.records import AttemptStart, Reply
me = int(sys.argv[2])
with RunFile(Path(sys.argv[1])) as run:
    for n in range(40):
        started = run.start_attempt(AttemptStart(1, n + 1, "now", 0.0, None, None))
        run.finish_attempt(started, f"{me}/{n}", Reply("answered", 1.0, f"{me}/{n}"), True, 1.0, None)
"""


@pytest.mark.long
def test_several_processes_write_at_once_and_nothing_is_lost_or_torn(run: RunFile) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITE, str(run.path), str(n)]) for n in range(4)]
    while any(writer.poll() is None for writer in writers):
        seen = run.snapshot()
        assert all(attempt.outcome in (None, "answered") for attempt in seen.attempts)
    assert [writer.wait() for writer in writers] == [0] * 4
    texts = {attempt.text for attempt in run.snapshot().attempts}
    assert texts == {f"{me}/{n}" for me in range(4) for n in range(40)}


def test_one_kind_of_work_has_one_holder_and_may_be_nested(run: RunFile) -> None:
    with RunFile(run.path) as second, run.only_writer("run"):
        with run.only_writer("run"), second.only_writer("grade"):
            pass
        with pytest.raises(IntegrityError, match="in use by another evalkit command"), second.only_writer("run"):
            pass
    with RunFile(run.path) as second, second.only_writer("run"):
        pass


def test_a_file_has_one_holder_by_whatever_name_it_is_called(run: RunFile, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "link.db").symlink_to(run.path)
    with RunFile(folder / "link.db") as second, run.only_writer("run"):
        with pytest.raises(IntegrityError, match="in use by another evalkit command"), second.only_writer("run"):
            pass
        assert list(folder.iterdir()) == [folder / "link.db"]
    run.close()
    (folder / "hard.db").hardlink_to(run.path)
    with pytest.raises(UsageError, match="second name"):
        RunFile(folder / "hard.db")
    with RunFile(folder / "hard.db", read_only=True) as read:
        assert read.snapshot().spec


@pytest.mark.parametrize("removed", [True, False])
@pytest.mark.parametrize("other", [True, False])
def test_nothing_is_lost_of_a_file_that_is_moved_or_removed_while_it_is_written_on(
    removed: bool, other: bool, run: RunFile, tmp_path: Path
) -> None:
    def written_on() -> None:
        with run.only_writer("run"):
            first = run.start_attempt(AttemptStart(1, 1, WHEN))
            run.path.unlink() if removed else run.path.rename(tmp_path / "moved.db")
            if other:
                run.path.write_text("somebody's own", encoding="utf-8")
            with pytest.raises(IntegrityError, match="was moved or removed"):
                run.start_attempt(AttemptStart(1, 2, WHEN))
            run.finish_attempt(first, "trial/1", Reply("answered", 1.0, "Text"), True, 1.0, 0.25)

    with pytest.raises(IntegrityError, match="was moved or removed while it was written on"):
        written_on()
    anew = run.path.with_name(f"{run.path.stem}.rescued.db") if other else run.path
    with RunFile(anew) as found:
        (attempt,) = found.snapshot().attempts
        assert (attempt.outcome, attempt.cost_usd) == ("answered", 0.25)
    assert not other or run.path.read_text(encoding="utf-8") == "somebody's own"


def test_a_file_that_was_removed_while_it_was_open_is_not_written_on(run: RunFile) -> None:
    with RunFile(run.path) as second:
        with run.only_writer("run"):
            run.discard()
        assert list(run.path.parent.iterdir()) == [] or not run.path.exists()
        with pytest.raises(IntegrityError, match="was removed meanwhile; run the command again"):
            second.only_writer("run").__enter__()


def test_a_lock_that_cannot_be_had_is_one_clear_line(run: RunFile) -> None:
    run.path.with_name(f".{run.path.name}.run.lock").mkdir()
    with pytest.raises(InfrastructureError, match="cannot be locked"), run.only_writer("run"):
        pass


def locks(run: RunFile) -> list[str]:
    return [entry.name for entry in run.path.parent.iterdir() if entry.name.endswith(".lock")]


def test_a_lock_is_a_file_only_while_it_is_held(run: RunFile) -> None:
    with run.only_writer("run", "grade"):
        with run.only_writer("run"):
            pass
        assert sorted(locks(run)) == [".tiny.db.grade.lock", ".tiny.db.run.lock"]
    assert locks(run) == []


HOLD = """
import sys
from pathlib import Path
from evalkit.errors import IntegrityError
from evalkit.store import RunFile
inside = Path(sys.argv[2])
held = 0
with RunFile(Path(sys.argv[1])) as run:
    while held < 150:
        try:
            with run.only_writer("run"):
                inside.open("x").close()  # fails if another holds the lock too
                inside.unlink()
                held += 1
        except IntegrityError:
            pass
"""


@pytest.mark.long
def test_a_lock_whose_file_comes_and_goes_never_has_two_holders(run: RunFile, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(run.path), str(tmp_path / "inside")]
    holders = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
    assert [holder.communicate(timeout=300)[1] for holder in holders] == [b""] * 3
    assert locks(run) == []


def test_a_lock_that_was_removed_while_it_was_opened_is_looked_for_anew(
    run: RunFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, removed = os.fstat, []

    def removing(fd: int) -> os.stat_result:
        for name in locks(run) if not removed else ():
            run.path.with_name(name).unlink()
            removed.append(name)
        return whole(fd)

    monkeypatch.setattr(os, "fstat", removing)
    with run.only_writer("run"):
        assert (removed, locks(run)) == ([".tiny.db.run.lock"], [".tiny.db.run.lock"])


# --- SQLite's own words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raised", "becomes"),
    [
        (sqlite3.OperationalError("database or disk is full"), InfrastructureError),
        (sqlite3.OperationalError("disk I/O error"), InfrastructureError),
        (sqlite3.OperationalError("unable to open database file"), InfrastructureError),
        (sqlite3.OperationalError("attempt to write a readonly database"), InfrastructureError),
        (sqlite3.OperationalError("database is locked"), InfrastructureError),
        (sqlite3.DatabaseError("file is not a database"), IntegrityError),
        (sqlite3.DatabaseError("database disk image is malformed"), IntegrityError),
        (sqlite3.IntegrityError("CHECK constraint failed"), IntegrityError),
        (PermissionError(13, "Permission denied"), InfrastructureError),
        (sqlite3.OperationalError("near SELEKT: syntax error"), sqlite3.OperationalError),
        (sqlite3.DatabaseError("something new"), sqlite3.DatabaseError),
    ],
)
def test_what_a_user_can_mend_is_said_plainly_and_a_bug_keeps_its_name(
    raised: Exception, becomes: type[Exception], run: RunFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        in_transaction = False

        def execute(self, *_: object) -> None:
            raise raised

    with monkeypatch.context() as patched:
        patched.setattr(run, "_db", Failing())
        with pytest.raises(becomes):
            run.add_grades([], "now")
        with pytest.raises(EvalkitError):
            run.snapshot()


def test_a_writing_that_fails_is_undone_and_the_next_one_works(run: RunFile) -> None:
    with pytest.raises(IntegrityError, match="refuses a record"):
        run.start_attempt(AttemptStart(99_999, 1, "now", 0.0, None, None))
    before = len(run.snapshot().attempts)
    run.start_attempt(AttemptStart(1, 1, "now", 0.0, None, None))
    assert len(run.snapshot().attempts) == before + 1


@pytest.mark.long
def test_reading_a_run_of_many_trials_takes_two_kilobytes_of_each(path: Path) -> None:
    """Of what all of them share there is one copy, and rows are read one by one."""

    def held(trials: int) -> int:
        place = path.with_name(f"{trials}.db")
        snapshot = big_snapshot(trials // 3)
        items, order = snapshot.items, [trial.key for trial in snapshot.trials]
        graded = outcome_rows(snapshot.attempts, snapshot.rounds, snapshot.grades, WHEN)
        with RunFile.create(place, snapshot.spec, items, {}, order, (), graded) as run:
            return traced(run.snapshot)

    assert (held(1200) - held(300)) / 900 < 1900
