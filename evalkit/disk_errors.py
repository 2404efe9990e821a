"""What goes wrong with a run file on disk, as one line that says what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evalkit.errors import InfrastructureError, IntegrityError, NoRoomError, UsageError


def check_name(path: Path, *, writes: bool) -> None:
    """UsageError where no file is, or one to write on that goes by two names: neither a lock nor SQLite's log beside it
    is found by both."""
    if path.is_dir():
        raise UsageError(f"run file {str(path)!r} is a folder; name a file in it")
    if not path.is_file():
        raise UsageError(f"run file {str(path)!r} does not exist; `evalkit runs` lists those there are")
    if writes and path.stat().st_nlink > 1:
        raise UsageError(f"run file {str(path)!r} has a second name (a hard link); remove that, or use a copy")


@contextmanager
def said_plainly(path: Path) -> Iterator[None]:
    """Errors of the disk and of SQLite that a user can mend, as one line; a bug in our SQL keeps its traceback."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise IntegrityError(f"{path} refuses a record ({error}); nothing was changed") from error
    except sqlite3.DatabaseError as error:
        message = str(error)
        if any(word in message for word in ("full", "I/O")):
            raise NoRoomError(
                f"{path} cannot grow ({message}); free disk space and run the same command again"
            ) from error
        if any(word in message for word in ("unable to open", "readonly", "locked")):
            raise InfrastructureError(
                f"{path} cannot be opened or written ({message}); check path and rights"
            ) from error
        if any(word in message for word in ("not a database", "malformed", "unsupported file format")):
            raise IntegrityError(f"{path} is not a run file ({message}); restore it from a copy") from error
        raise
    except UnicodeDecodeError as error:  # SQLite quotes the damaged bytes in its own message
        raise IntegrityError(f"{path} is damaged; restore it from a copy") from error
    except OSError as error:
        raise InfrastructureError(f"{path} cannot be written ({error.strerror}); check path and rights") from error


@contextmanager
def read_plainly(path: Path) -> Iterator[None]:
    """The same for reading, where rows that are not as they were written mean that the file is damaged."""
    try:
        with said_plainly(path):
            yield
    except (ValueError, TypeError, KeyError, sqlite3.Error) as error:
        raise IntegrityError(f"{path} is damaged ({error}); restore it from a copy") from error
