"""A run file that was moved or removed while it is written on: noticed before more is paid for, and written anew."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from evalkit.disk_errors import said_plainly
from evalkit.errors import IntegrityError


class Place:
    """Where an open run file stands: whether it is the one that its path leads to."""

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, _identity(path)

    def check(self) -> None:
        """IntegrityError where the path does not lead to the file any more: what is paid for now nobody would find."""
        if self._file is not None and _identity(self._path) != self._file:
            raise self._moved()

    def leave(self) -> None:
        """The file is not wanted any more, or has been written anew."""
        self._file = None

    @contextmanager
    def kept(self, db: sqlite3.Connection) -> Iterator[None]:
        """Whatever the end is, all of a file that was moved or removed is written anew; IntegrityError says so where
        nothing else was raised."""
        try:
            yield
        except BaseException:
            self._write_anew(db)
            raise
        if (error := self._write_anew(db)) is not None:
            raise error

    def _write_anew(self, db: sqlite3.Connection) -> IntegrityError | None:
        if self._file is None or _identity(self._path) == self._file:
            return None
        error, anew = self._moved(), self._anew()
        self.leave()
        with said_plainly(anew):
            anew.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(anew)) as copy:
                db.backup(copy)
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()  # or its log would spoil what stands there now
        return error

    def _anew(self) -> Path:
        """Its path, or one beside what stands there now."""
        path = self._path
        return path.with_name(f"{path.stem}.rescued{path.suffix}") if path.exists() else path

    def _moved(self) -> IntegrityError:
        return IntegrityError(
            f"{self._path} was moved or removed while it was written on; all of it stands in {self._anew()}, with which"
            " the same command goes on"
        )


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and number of a file, which stay when it is called otherwise; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
