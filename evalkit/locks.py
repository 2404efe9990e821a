"""Locks beside a run file: one process at a time for each kind of work, and no file left behind."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from evalkit.errors import InfrastructureError, InUseError

_TRIES = 5
"""A lock whose file its last holder has just removed guards nothing, so it is not taken but looked for anew."""


def lock(path: Path, role: str) -> FileLock:
    """The lock of one kind of work on the run file at `path`, by whatever link it is called."""
    real = path.resolve()
    return FileLock(real.with_name(f".{real.name}.{role}.lock"))


@contextmanager
def alone(held: FileLock, path: Path) -> Iterator[None]:
    """Hold a lock beside the run file; it goes with its process, however that ends. May be nested."""
    try:
        _acquire(held)
    except Timeout as error:
        raise InUseError(f"{path} is in use by another evalkit command; wait until it ends") from error
    except OSError as error:
        raise InfrastructureError(f"{path} cannot be locked ({error.strerror}); check disk and rights") from error
    try:
        yield
    finally:
        if held.lock_counter == 1:
            with suppress(OSError):  # where it cannot be removed, it stays, and does no harm
                Path(held.lock_file).unlink()  # while it is held: who opened it meanwhile sees that it has no name
        held.release()


def is_held(path: Path, role: str) -> bool:
    """Whether another process does that kind of work on the run file now; False where nobody here could."""
    try:
        with alone(lock(path, role), path):
            return False
    except InUseError:
        return True
    except InfrastructureError:
        return False


def _acquire(held: FileLock) -> None:
    """Take a lock at once, or raise Timeout. The library refuses a file that has lost its name, as if it were held."""
    for _ in range(_TRIES - 1):
        with suppress(Timeout):
            held.acquire(blocking=False)
            return
    held.acquire(blocking=False)
