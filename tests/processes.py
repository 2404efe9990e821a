"""Commands in processes of their own, forked from one that has loaded the SDK: each would take seconds to load it."""

import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from evalkit.cli import run_and_exit

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["anthropic", "evalkit.cli.run", "evalkit.run", "evalkit.grade", "evalkit.analysis"])


class Process:
    """An evalkit command at work in the current folder and environment; of `subprocess.Popen`, what tests use.

    `first` is called in the new process before the command, so it must be something that can be imported there.
    """

    def __init__(self, arguments: list[str], first: Callable[[], object] = os.getpid) -> None:
        reader, writer = _FORKS.Pipe(duplex=False)
        self._process = _FORKS.Process(target=_work, args=(arguments, dict(os.environ), writer, first), daemon=True)
        self._process.start()
        writer.close()
        self.stderr = os.fdopen(os.dup(reader.fileno()), encoding="utf-8")
        reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:
            self._process.kill()
        self.wait()
        self.stderr.close()

    @property
    def returncode(self) -> int | None:
        """The exit code, negative after a signal; None while it is at work."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """As Ctrl-C and the like do."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def wait(self, timeout_s: float = 400) -> int:
        """The exit code, once it has one; AssertionError if it takes longer."""
        self._process.join(timeout_s)
        assert self.returncode is not None, f"not ended after {timeout_s} s"
        return self.returncode

    def errors(self) -> str:
        """All it writes to stderr until it ends, once."""
        with self.stderr:
            said = self.stderr.read()
        self.wait()
        return said


def _work(arguments: list[str], environment: dict[str, str], stderr: Connection, first: Callable[[], object]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = arguments
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  for as long as the process
    os.dup2(sys.stdout.fileno(), 1)
    os.dup2(stderr.fileno(), 2)
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115  the same
    stderr.close()
    first()
    run_and_exit()
