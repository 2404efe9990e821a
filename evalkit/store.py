"""The run file: one append-only SQLite database a run, each fact written when it happens."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from evalkit.errors import InfrastructureError, IntegrityError, UsageError
from evalkit.records import (
    Attempt,
    Grade,
    ItemRecord,
    PromptSize,
    Reply,
    Round,
    Snapshot,
    Spec,
    Trial,
    TrialKey,
    Usage,
)
from evalkit.schema import MIGRATIONS
from evalkit.strict import content_sha256

_IDENTITY = tuple(sorted(set(Spec.__dataclass_fields__) - {"created_at", "package_version", "prices_version"}))


def spec_sha256(spec: Spec) -> str:
    """Hash of what makes a run this run; not of when it began or with which package version."""
    content = asdict(spec)
    return content_sha256({name: content[name] for name in _IDENTITY})


@contextmanager
def _said_plainly(path: Path) -> Iterator[None]:
    """SQLite's errors that a user can mend, as one line; a bug in our SQL keeps its traceback."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise IntegrityError(f"{path} refuses a record ({error}); nothing was changed") from error
    except sqlite3.OperationalError as error:
        message = str(error)
        if "full" in message or "I/O" in message:
            raise InfrastructureError(
                f"{path} cannot grow ({message}); free disk space and run the same command again"
            ) from error
        if any(word in message for word in ("unable to open", "readonly", "locked")):
            raise InfrastructureError(f"{path} cannot be written ({message}); check path and rights") from error
        raise
    except sqlite3.DatabaseError as error:
        if "not a database" in str(error) or "malformed" in str(error):
            raise IntegrityError(f"{path} is not a run file ({error}); restore it from a copy") from error
        raise


class RunFile:
    """An open run file. Every writing method is one transaction; several processes may write at once."""

    def __init__(self, path: Path) -> None:
        """Open an existing run file and bring its tables up to date.

        Raises UsageError if there is none, IntegrityError if it is damaged or from a newer evalkit.
        """
        if not path.is_file():
            raise UsageError(f"run file {str(path)!r} does not exist; `evalkit runs` lists those there are")
        self.path = path
        with _said_plainly(path):
            self._open()

    @classmethod
    def create(
        cls,
        path: Path,
        spec: Spec,
        items: Sequence[ItemRecord],
        documents: Mapping[str, str],
        order: Sequence[TrialKey],
        sizes: Iterable[PromptSize] = (),
    ) -> "RunFile":
        """A new run file with its plan, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            raise UsageError(f"run file {str(path)!r} exists already; choose another name")
        draft = path.with_name(f".{path.name}.new")
        for leftover in (draft, draft.with_name(draft.name + "-wal"), draft.with_name(draft.name + "-shm")):
            leftover.unlink(missing_ok=True)
        with _said_plainly(path):
            draft.touch()
            new = cls(draft)
            new._write_plan(spec, items, documents, order)
            new.add_sizes(sizes)
            new.close()
            draft.replace(path)
        return cls(path)

    def _open(self) -> None:
        self._db = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA foreign_keys = ON")
        applied = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        if applied > len(MIGRATIONS):
            raise IntegrityError(f"{self.path} was written by a newer evalkit (schema {applied}); update evalkit")
        for version, statements in enumerate(MIGRATIONS[applied:], start=applied + 1):
            self._db.executescript(f"BEGIN IMMEDIATE; {statements} PRAGMA user_version = {version}; COMMIT;")

    @contextmanager
    def only_writer(self, role: str) -> Iterator[None]:
        """Hold the run file for one kind of work, so that two processes never pay for the same request.

        The lock goes with its process, however that ends. Raises IntegrityError if another one holds it.
        """
        lock = FileLock(self.path.with_name(f".{self.path.name}.{role}.lock"))
        try:
            lock.acquire(blocking=False)
        except Timeout as error:
            raise IntegrityError(f"{self.path} is in use by another `evalkit {role}`; wait until it ends") from error
        except OSError as error:
            raise InfrastructureError(
                f"{self.path} cannot be locked ({error.strerror}); check disk and rights"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def close(self) -> None:
        """Close the database; the write-ahead log is folded in when the last process closes."""
        self._db.close()

    def __enter__(self) -> "RunFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with _said_plainly(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _write_plan(
        self, spec: Spec, items: Sequence[ItemRecord], documents: Mapping[str, str], order: Sequence[TrialKey]
    ) -> None:
        with self._writing() as db:
            db.execute("INSERT INTO spec VALUES (1, ?, ?)", (spec_sha256(spec), _json(asdict(spec))))
            db.executemany("INSERT INTO document VALUES (?, ?)", documents.items())
            rows = [(item.id, item.position, _json(asdict(item))) for item in items]
            db.executemany("INSERT INTO item VALUES (?, ?, ?)", rows)
            trials = [(*key, position) for position, key in enumerate(order)]
            db.executemany("INSERT INTO trial (item_id, model, epoch, position) VALUES (?, ?, ?, ?)", trials)

    def add_sizes(self, sizes: Iterable[PromptSize]) -> None:
        """Record prompt sizes."""
        rows = [(s.item_id, s.model, s.tokens, int(s.counted)) for s in sizes]
        with self._writing() as db:
            db.executemany("INSERT INTO prompt_size VALUES (?, ?, ?, ?)", rows)

    def start_attempt(
        self, trial_id: int, number: int, sent_at: str, queued_s: float, grader: str | None, round_id: int | None
    ) -> int:
        """Record that a request is about to be sent, before it is; returns the attempt's id."""
        with self._writing() as db:
            row = (trial_id, round_id, grader, number, sent_at, queued_s)
            cursor = db.execute("INSERT INTO attempt_start VALUES (NULL, ?, ?, ?, ?, ?, ?)", row)
            return int(cursor.lastrowid or 0)

    def finish_attempt(
        self, attempt_id: int, subject: str, reply: Reply, final: bool, felt_s: float, cost_usd: float | None
    ) -> None:
        """Record how an attempt ended. `subject` names what it settles: one trial, or one judge's view of it."""
        row = (
            attempt_id, subject, reply.outcome, int(final), reply.text, reply.stop_reason, reply.served_model,
            reply.request_id, _json(asdict(reply.usage)), cost_usd, reply.ttft_s, reply.latency_s, felt_s,
            reply.status, reply.error_type, reply.error_message, int(reply.simulated),
        )  # fmt: skip
        with self._writing() as db:
            db.execute(f"INSERT INTO attempt VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608

    def add_round(self, round_: Round, key: bytes) -> Round:
        """Open a grading round under a new sealed key; returns it with its id."""
        with self._writing() as db:
            number = int(db.execute("SELECT coalesce(max(id), 0) + 1 FROM round").fetchone()[0])
            opened = replace(round_, id=number)
            db.execute("INSERT INTO round VALUES (?, ?)", (number, _json(asdict(opened))))
            db.execute("INSERT INTO sealed_key VALUES (?, ?)", (number, key))
        return opened

    def sealed_key(self, round_id: int) -> bytes:
        """The key of a round's labels; only the grading stage asks for it, and it leaves the file nowhere."""
        row = self._db.execute("SELECT key FROM sealed_key WHERE round_id = ?", (round_id,)).fetchone()
        if row is None:
            raise IntegrityError(f"{self.path} has no sealed key for round {round_id}; restore it from a copy")
        return bytes(row["key"])

    def seal(self, round_id: int, labels: Mapping[str, tuple[str, int]]) -> None:
        """Record which label stands for which (grader, trial); labels known already are left alone."""
        sealed = self._db.execute("SELECT label FROM sealed WHERE round_id = ?", (round_id,))
        known = {row["label"] for row in sealed}
        rows = [(label, round_id, *what) for label, what in labels.items() if label not in known]
        with self._writing() as db:
            db.executemany("INSERT INTO sealed VALUES (?, ?, ?, ?)", rows)

    def add_grades(self, grades: Sequence[Grade], graded_at: str) -> None:
        """Record the grades of one output by one grader together."""
        rows = [(*asdict(grade).values(), graded_at) for grade in grades]
        with self._writing() as db:
            db.executemany("INSERT INTO grade VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def spec(self) -> Spec:
        """What the run is; IntegrityError if its hash does not hold."""
        with _said_plainly(self.path):
            row = self._db.execute("SELECT sha256, content FROM spec").fetchone()
        if row is None:
            raise IntegrityError(f"{self.path} is not a run file (no spec); restore it from a copy")
        content = json.loads(row["content"])
        spec = Spec(**{**content, "models": tuple(content["models"])})
        if spec_sha256(spec) != row["sha256"]:
            raise IntegrityError(f"{self.path}: the spec does not match its hash; restore it from a copy")
        return spec

    def snapshot(self) -> Snapshot:
        """Everything the file says now, read in one transaction so that writers cannot tear it."""
        with _said_plainly(self.path):
            spec = self.spec()
            self._db.execute("BEGIN")
            try:
                return Snapshot(
                    spec=spec,
                    items=tuple(_item(row) for row in self._rows("item", "position")),
                    sizes=tuple(
                        PromptSize(row["item_id"], row["model"], row["tokens"], bool(row["counted"]))
                        for row in self._rows("prompt_size", "item_id, model")
                    ),
                    trials=tuple(_trial(row) for row in self._rows("trial", "position")),
                    attempts=tuple(_attempt(row) for row in self._attempt_rows()),
                    rounds=tuple(_round(row) for row in self._rows("round", "id")),
                    grades=tuple(_grade(row) for row in self._rows("grade", "id")),
                    documents={row["name"]: row["text"] for row in self._rows("document", "name")},
                )
            finally:
                self._db.execute("COMMIT")

    def _rows(self, table: str, order: str) -> list[sqlite3.Row]:
        return self._db.execute(f"SELECT * FROM {table} ORDER BY {order}").fetchall()  # noqa: S608

    def _attempt_rows(self) -> list[sqlite3.Row]:
        joined = "attempt_start s LEFT JOIN attempt a ON a.id = s.id"
        return self._db.execute(f"SELECT s.id AS start_id, s.*, a.* FROM {joined} ORDER BY s.id").fetchall()  # noqa: S608


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=True, sort_keys=True, allow_nan=False)


def _item(row: sqlite3.Row) -> ItemRecord:
    content = json.loads(row["content"])
    lists = {name: tuple(content[name]) for name in ("tags", "documents", "evidence_positions")}
    return ItemRecord(**{**content, **lists})


def _trial(row: sqlite3.Row) -> Trial:
    return Trial(row["id"], TrialKey(row["item_id"], row["model"], row["epoch"]), row["position"])


def _attempt(row: sqlite3.Row) -> Attempt:
    lost = row["outcome"] is None
    return Attempt(
        id=row["start_id"], trial_id=row["trial_id"], grader=row["grader"], round_id=row["round_id"],
        number=row["number"], sent_at=row["sent_at"], outcome=row["outcome"], final=bool(row["final"]),
        text="" if lost else row["text"], stop_reason=row["stop_reason"], served_model=row["served_model"],
        request_id=row["request_id"], usage=Usage() if lost else Usage(**json.loads(row["usage"])),
        cost_usd=row["cost_usd"], ttft_s=row["ttft_s"], latency_s=row["latency_s"], felt_s=row["felt_s"],
        queued_s=row["queued_s"], status=row["status"], error_type=row["error_type"],
        error_message=row["error_message"], simulated=bool(row["simulated"]),
    )  # fmt: skip


def _round(row: sqlite3.Row) -> Round:
    content = json.loads(row["content"])
    return Round(**{**content, "graders": tuple(content["graders"])})


def _grade(row: sqlite3.Row) -> Grade:
    return Grade(
        row["round_id"], row["grader"], row["trial_id"], row["criterion"], row["level"], row["ungraded_reason"],
        row["comment"], row["identity_marks"],
    )  # fmt: skip
