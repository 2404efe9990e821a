"""Disk space kept back while requests are in flight, so that a full disk does not lose answers that are paid for."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evalkit.errors import InfrastructureError

_LEAST_BYTES = 64 * 1024
"""What the end of an attempt takes beside a long answer: each page of the file that it changes."""

_PER_TOKEN_BYTES = 8
"""What a token of an answer may take; of most texts it has four to five bytes."""

_MOST_ANSWERS = 256


class KeptBack:
    """Space beside a run file until it is given up; none of it is kept where there is no path."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    def give_up(self) -> bool:
        """Let the space be used; False if there is none any more."""
        if self._path is None:
            return False
        self._path.unlink(missing_ok=True)
        self._path = None
        return True


@contextmanager
def kept_back(run_file: Path, answers: int, tokens: int) -> Iterator[KeptBack]:
    """Keep back what the ends of so many requests may take, each with an answer of up to so many tokens.

    Raises InfrastructureError if there is less.
    """
    path, count = run_file.with_name(f".{run_file.name}.kept-back"), min(answers, _MOST_ANSWERS)
    each = _LEAST_BYTES + _PER_TOKEN_BYTES * tokens
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(count):
                file.write(os.urandom(each))  # which no file system makes small
    except OSError as error:
        if error.errno != errno.EFBIG:  # a limit on each file says nothing of the room there is
            path.unlink(missing_ok=True)
            raise InfrastructureError(
                f"{run_file} has less than {count * each // 1024:,} kB beside it for the answers of {count}"
                f" requests at once ({error.strerror}); free disk space, or lower -j"
            ) from error
    kept = KeptBack(path)
    try:
        yield kept
    finally:
        kept.give_up()
