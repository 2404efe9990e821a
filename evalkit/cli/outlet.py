"""Output whose reader may stop early: the rest of it is dropped, and the command goes on to its own exit code."""

import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Outlet(io.FileIO):
    def write(self, data: "ReadableBuffer", /) -> int:
        """As a file does, but what nobody reads any more counts as written."""
        try:
            return super().write(data)
        except (BrokenPipeError, ConnectionResetError):
            return memoryview(data).nbytes


def open_closed() -> None:
    """Open those of the three standard streams that whoever started this process has closed (`2>&-`), to nowhere: the
    next file that is opened would take their number, and what is printed would be written into it."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def unheard(stream: io.TextIOWrapper, errors: str) -> io.TextIOWrapper:
    """The same output, of which `head` may read the beginning only: a gate that fails is to fail all the same.

    `errors`: how what cannot be encoded is written.
    """
    stream.flush()
    raw = _Outlet(stream.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
