"""The run file: one append-only SQLite database a run, each fact written when it happens."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit import snapshots
from evalkit.disk_errors import check_name, read_plainly, said_plainly
from evalkit.errors import InfrastructureError, IntegrityError
from evalkit.grading_records import Marking, Preference, RoundEvent
from evalkit.outcome_rows import Rows
from evalkit.records import (
    AttemptStart,
    Correction,
    Grade,
    ItemRecord,
    PromptSize,
    Reply,
    Round,
    Snapshot,
    Spec,
    TrialKey,
)
from evalkit.rescue import Place
from evalkit.schema import APPLICATION_ID, MIGRATIONS
from evalkit.schema_check import difference, migrate, number
from evalkit.session_records import Session

if TYPE_CHECKING:
    from filelock import FileLock


def _connect(path: Path | str, *, writes: bool = False) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False, uri=isinstance(path, str))
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA foreign_keys = ON")
    if writes:
        db.execute("PRAGMA cache_size = -500")  # kB: what a run reads again is what it wrote last
    return db


def _connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that writes nothing and needs no right to.

    Even readers keep a log beside the database; where none can be made, nobody writes, and all is in the file. Not
    `mode=ro`, which works where logs can be made, but leaves them behind.
    """
    log = path.with_name(f"{path.name}-wal")
    db = _connect(path)
    try:
        number(db, "user_version")
    except sqlite3.OperationalError as error:
        db.close()
        if "locked" in str(error):
            raise
        if log.exists() and log.stat().st_size:
            raise InfrastructureError(
                f"{path} cannot be read with the log beside it ({error}); free disk space or check rights"
            ) from error
        db = _connect(f"{path.resolve().as_uri()}?immutable=1")
    db.execute("PRAGMA query_only = ON")
    return db


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


class RunFile:
    """An open run file. Every writing method is one transaction; several processes may write at once."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open an existing run file and bring its tables up to date; `read_only` those of a copy in memory.

        Raises UsageError for none or one with two names, IntegrityError if it is damaged or from a newer evalkit.
        """
        check_name(path, writes=not read_only)
        self.path, self._place = path, Place(path)
        self._locks: dict[str, FileLock] = {}
        self._turn = threading.RLock()
        with said_plainly(path):
            self._db = _connect_to_read(path) if read_only else _connect(path, writes=True)
            try:
                self._check()
                self._make_current(read_only)
            except BaseException:
                self._db.close()
                raise

    @classmethod
    def create(
        cls,
        path: Path,
        spec: Spec,
        items: Sequence[ItemRecord],
        documents: Mapping[str, str],
        order: Iterable[TrialKey],
        sizes: Iterable[PromptSize] = (),
        outcomes: Rows = (),
    ) -> "RunFile":
        """A new run file with its plan, and with `outcomes` that are known already, whole or not at all.

        IntegrityError if another process made it meanwhile.
        """
        with said_plainly(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            from evalkit.locks import alone, lock

            with alone(lock(path, "run"), path):
                if path.exists():
                    raise IntegrityError(f"{path} was made by another `evalkit run` just now; run the command again")
                _write_whole(path.resolve(), [*_plan_rows(spec, items, documents, order, sizes), *outcomes])
        return cls(path)

    def _check(self) -> None:
        """Whether this is a run file, of a version that is known, and all of it, seen at one moment."""
        self._db.execute("BEGIN")
        try:
            self._check_schema()
        finally:
            self._db.rollback()  # nothing was written; damage may have ended it already

    def _check_schema(self) -> None:
        applied = number(self._db, "user_version")
        if number(self._db, "application_id") != APPLICATION_ID or applied < 1:
            raise IntegrityError(f"{self.path} is not a run file; name another, or restore it from a copy")
        if applied > len(MIGRATIONS):
            raise IntegrityError(f"{self.path} was written by a newer evalkit (schema {applied}); update evalkit")
        if (altered := difference(self._db, MIGRATIONS[:applied])) is not None:
            raise IntegrityError(f"{self.path} has been altered ({altered}); restore it from a copy")

    def _make_current(self, read_only: bool) -> None:
        old = number(self._db, "user_version") < len(MIGRATIONS)
        if read_only and old:
            with closing(self._db) as file:
                self._db = _connect(":memory:")
                file.backup(self._db)
        if not read_only:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
        if old:
            with _transaction(self._db):
                migrate(self._db, MIGRATIONS)

    @contextmanager
    def only_writer(self, *roles: str) -> Iterator[None]:
        """Hold the run file for these kinds of work, so that two processes never pay for the same request.

        May be nested. Raises IntegrityError if another process, or another open RunFile, holds it, or if it was moved.
        """
        from evalkit.locks import alone, lock  # which who only reads can do without

        with ExitStack() as held:
            for role in roles:
                held.enter_context(alone(self._locks.setdefault(role, lock(self.path, role)), self.path))
            if not self.path.exists():
                raise IntegrityError(f"{self.path} was removed meanwhile; run the command again")
            with self._place.kept(self._db):
                yield

    def discard(self) -> None:
        """Remove the run file. Only for its only writer, and where nothing is in it that anybody paid for."""
        self._place.leave()
        self._db.close()  # and so fold in the log beside it, which would stay
        self.path.unlink()

    def close(self) -> None:
        """Close the database; the write-ahead log is folded in when the last process closes."""
        self._db.close()

    def __enter__(self) -> "RunFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def together(self) -> Iterator[sqlite3.Connection]:
        """Make all that is written inside one transaction, durable when it ends; may be nested.

        One thread at a time: another one waits for its turn.
        """
        with self._turn, said_plainly(self.path):
            if self._db.in_transaction:
                yield self._db
                return
            with _transaction(self._db):
                yield self._db

    def start_attempt(self, start: AttemptStart) -> int:
        """Record that a request is about to be sent, if it can be found again; returns the attempt's id."""
        self._place.check()
        row = (
            start.trial_id, start.round_id, start.grader, start.number, start.sent_at, start.queued_s,
            start.session_id, start.in_flight, start.most_tokens, start.cached,
        )  # fmt: skip
        with self.together() as db:
            cursor = db.execute("INSERT INTO attempt_start VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            return int(cursor.lastrowid or 0)

    def finish_attempt(
        self, attempt_id: int, subject: str, reply: Reply, final: bool, felt_s: float | None, cost_usd: float | None
    ) -> None:
        """Record how an attempt ended. `subject` names what it settles: one trial, or one judge's view of it."""
        usage = {name: value for name, value in asdict(reply.usage).items() if value is not None}
        row = (
            attempt_id, subject, reply.outcome, int(final), reply.text, reply.stop_reason, reply.served_model,
            reply.request_id, _json(usage), cost_usd, reply.ttft_s, reply.latency_s, felt_s,
            reply.status, reply.error_type, reply.error_message, int(reply.simulated), reply.headers_s,
            None if reply.reused is None else int(reply.reused), reply.worker_id,
        )  # fmt: skip
        with self.together() as db:
            db.execute(f"INSERT INTO attempt VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608

    def start_session(self, session: Session) -> int:
        """Record that a command begins to send requests; returns the session's id."""
        begun = ("started_at", "host", "executor", "concurrency")
        content = {name: value for name, value in asdict(session).items() if name in begun}
        with self.together() as db:
            cursor = db.execute("INSERT INTO session VALUES (NULL, ?)", (_json(content),))
            return int(cursor.lastrowid or 0)

    def end_session(self, session_id: int, ended_at: str, lag_p99_s: float | None, lag_max_s: float | None) -> None:
        """Record how a session ended; one that was killed has no end."""
        content = {"ended_at": ended_at, "lag_p99_s": lag_p99_s, "lag_max_s": lag_max_s}
        with self.together() as db:
            db.execute("INSERT INTO session_end VALUES (?, ?)", (session_id, _json(content)))

    def add_round(self, round_: Round, key: bytes) -> Round:
        """Open a grading round under a new sealed key; returns it with its id."""
        with self.together() as db:
            number = int(db.execute("SELECT coalesce(max(id), 0) + 1 FROM round").fetchone()[0])
            opened = replace(round_, id=number)
            db.execute("INSERT INTO round VALUES (?, ?)", (number, _json(asdict(opened))))
            db.execute("INSERT INTO sealed_key VALUES (?, ?)", (number, key))
        return opened

    def sealed_key(self, round_id: int) -> bytes:
        """The key of a round's labels; only the grading stage asks for it, and it leaves the file nowhere."""
        with read_plainly(self.path):
            row = self._db.execute("SELECT key FROM sealed_key WHERE round_id = ?", (round_id,)).fetchone()
        if row is None:
            raise IntegrityError(f"{self.path} has no sealed key for round {round_id}; restore it from a copy")
        return bytes(row["key"])

    def seal(self, round_id: int, labels: Mapping[str, tuple[str, int]]) -> None:
        """Record which label stands for which (grader, trial); labels known already are left alone."""
        with self.together() as db:
            known = {row["label"] for row in db.execute("SELECT label FROM sealed WHERE round_id = ?", (round_id,))}
            rows = [(label, round_id, *what) for label, what in labels.items() if label not in known]
            db.executemany("INSERT INTO sealed VALUES (?, ?, ?, ?)", rows)

    def add_grades(self, grades: Sequence[Grade], graded_at: str) -> None:
        """Record the grades of one output by one grader together."""
        rows = [
            (
                grade.round_id, grade.grader, grade.trial_id, grade.criterion, grade.level, grade.ungraded_reason,
                grade.comment, grade.identity_marks, graded_at,
            )
            for grade in grades
        ]  # fmt: skip
        with self.together() as db:
            db.executemany("INSERT INTO grade VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def add_event(self, event: RoundEvent) -> None:
        """Record what happened around a round; where among the grades it falls is found here."""
        with self.together() as db:
            newest = int(db.execute("SELECT coalesce(max(id), 0) FROM grade").fetchone()[0])
            row = (event.kind, event.round_id, event.grader, _json(event.content), newest, event.at)
            db.execute("INSERT INTO round_event VALUES (NULL, ?, ?, ?, ?, ?, ?)", row)

    def takes_grades(self, round_id: int) -> bool:
        """Whether a round is open; asked before each mark, since another process may close it."""
        with read_plainly(self.path):
            closed = "SELECT 1 FROM round_event WHERE round_id = ? AND kind = 'closed'"
            return self._db.execute(closed, (round_id,)).fetchone() is None

    def add_marking(self, marking: Marking, nonce: str) -> bool:
        """Record what a person did, once: False, and nothing written, if that nonce is known already."""
        row = (
            nonce, marking.round_id, marking.grader, marking.trial_id, marking.kind, _json(marking.content),
            marking.active_s, marking.at,
        )  # fmt: skip
        with self.together() as db:
            if db.execute("SELECT 1 FROM marking WHERE nonce = ?", (nonce,)).fetchone():
                return False
            db.execute("INSERT INTO marking VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        return True

    def add_preferences(self, preferences: Sequence[Preference], at: str) -> None:
        """Record which of two outputs was preferred."""
        rows = [(*asdict(preference).values(), at) for preference in preferences]
        with self.together() as db:
            db.executemany("INSERT INTO preference VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", rows)

    def add_corrections(self, corrections: Sequence[Correction], measured_at: str) -> None:
        """Record measured minutes of correction."""
        rows = [(c.trial_id, c.grader, c.minutes, measured_at) for c in corrections]
        with self.together() as db:
            db.executemany("INSERT INTO correction VALUES (NULL, ?, ?, ?, ?)", rows)

    def spec(self) -> Spec:
        """What the run is; IntegrityError if its hash does not hold."""
        with read_plainly(self.path):
            row = self._db.execute("SELECT sha256, content FROM spec").fetchone()
            spec = snapshots.spec(json.loads(row["content"]))
        if spec.sha256 != row["sha256"]:
            raise IntegrityError(f"{self.path}: the spec does not match its hash; restore it from a copy")
        return spec

    def is_untouched(self) -> bool:
        """Whether no request has been recorded yet."""
        with read_plainly(self.path):
            return self._db.execute("SELECT 1 FROM attempt_start LIMIT 1").fetchone() is None

    def outcomes(self) -> dict[str, int]:
        """How many trials are settled, by outcome."""
        settling = "attempt JOIN attempt_start USING (id) WHERE final = 1 AND grader IS NULL"
        with read_plainly(self.path):
            found = self._db.execute(f"SELECT outcome, count(*) FROM {settling} GROUP BY outcome").fetchall()  # noqa: S608
        return {row[0]: row[1] for row in found}

    @contextmanager
    def still(self) -> Iterator[sqlite3.Connection]:
        """All that is read inside is as it stood at one moment, so that writers cannot tear it; may be nested."""
        with self._turn:
            if self._db.in_transaction:
                yield self._db
                return
            with read_plainly(self.path):
                self._db.execute("BEGIN")
            try:
                yield self._db
            finally:
                self._db.rollback()  # nothing was written; damage may have ended it already

    def snapshot(self) -> Snapshot:
        """Everything the file says now, read at one moment."""
        spec = self.spec()
        with self.still() as db, read_plainly(self.path):
            return snapshots.read(db, spec)


def _plan_rows(
    spec: Spec,
    items: Sequence[ItemRecord],
    documents: Mapping[str, str],
    order: Iterable[TrialKey],
    sizes: Iterable[PromptSize],
) -> Rows:
    """What a new run file holds, as insert statements with their rows."""
    trials = ((*key, position) for position, key in enumerate(order))
    return [
        ("INSERT INTO spec VALUES (1, ?, ?)", [(spec.sha256, _json(asdict(spec)))]),
        ("INSERT INTO document VALUES (?, ?)", documents.items()),
        ("INSERT INTO item VALUES (?, ?, ?)", ((item.id, item.position, _json(asdict(item))) for item in items)),
        ("INSERT INTO trial (item_id, model, epoch, position) VALUES (?, ?, ?, ?)", trials),
        ("INSERT INTO prompt_size VALUES (?, ?, ?, ?, ?)", map(_size_row, sizes)),
    ]


def _write_whole(path: Path, plan: Rows) -> None:
    """A draft beside `path` in one transaction, then renamed; without a write-ahead log, which stays behind."""
    draft = path.with_name(f".{path.name}.new")
    parts = (draft, draft.with_name(f"{draft.name}-journal"))
    for part in parts:
        part.unlink(missing_ok=True)
    try:
        with closing(_connect(draft, writes=True)) as db, _transaction(db):
            migrate(db, MIGRATIONS)
            for statement, rows in plan:
                db.executemany(statement, rows)
        draft.replace(path)
    except BaseException:
        for part in parts:
            part.unlink(missing_ok=True)
        raise


def _size_row(size: PromptSize) -> tuple[str, str, int, int, int | None]:
    return size.item_id, size.model, size.tokens, int(size.counted), size.most_tokens


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=True, sort_keys=True, allow_nan=False)
