"""A real pseudo-terminal with a command in it: keys go in, and what stands on the screen can be read."""

import codecs
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic

NEW_SCREEN = "\x1b[H\x1b[2J"
LIMIT_S = 120.0


class Terminal:
    """A terminal of a fixed size in which `evalkit` runs."""

    def __init__(
        self, arguments: list[str], columns: int, lines: int, cwd: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self._fd, inner = pty.openpty()
        self.resize(columns, lines)
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "", "LINES": ""}
        environment.pop("NO_COLOR", None)
        environment = {name: value for name, value in (environment | dict(env or {})).items() if value}
        command = [sys.executable, "-m", "evalkit", *arguments]
        self.process = subprocess.Popen(
            command, stdin=inner, stdout=inner, stderr=inner, cwd=cwd, env=environment, start_new_session=True,
            preexec_fn=_heard,  # noqa: PLW1509  nothing is locked that it needs
        )  # fmt: skip
        os.close(inner)
        self.seen = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a read may end within a character

    def resize(self, columns: int, lines: int) -> None:
        self.columns, self.lines = columns, lines
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def _read(self, limit_s: float) -> bool:
        ready, _, _ = select.select([self._fd], [], [], limit_s)
        if not ready:
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # how Linux says that the other side has closed
            return False
        self.seen += self._decoder.decode(data)
        return bool(data)

    def until(self, pattern: str) -> str:
        """Read until the screen shows this; returns the screen."""
        end = monotonic() + LIMIT_S
        while not re.search(pattern, self.screen()):
            assert monotonic() < end, f"never shown: {pattern}\n{self.screen()}"
            self._read(0.2)
            if self.process.poll() is not None:
                while self._read(0.2):
                    pass
                assert re.search(pattern, self.screen()), f"ended without {pattern}\n{self.screen()}"
        return self.screen()

    def screen(self) -> str:
        """What stands on the screen now, as text."""
        shown = re.split(r"\x1b\[H\x1b\[2J|\x1b\[\?1049l", self.seen)[-1]
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).replace("\r\n", "\n")

    def frames(self) -> list[str]:
        """Every screen there was, raw."""
        return self.seen.split(NEW_SCREEN)[1:]

    def end(self) -> int:
        """Wait for the command; returns its exit code."""
        end = monotonic() + LIMIT_S
        while self.process.poll() is None and monotonic() < end:
            self._read(0.2)
        while self._read(0.2):
            pass
        return self.process.wait(1)


def _heard() -> None:
    """A shell has what it runs in the background, and so these tests perhaps, ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def terminal(
    *arguments: str | Path, columns: int = 80, lines: int = 30, cwd: Path, env: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """`evalkit` with these arguments in a terminal of its own, ended in any case."""
    opened = Terminal([str(a) for a in arguments], columns, lines, cwd, env)
    try:
        yield opened
    finally:
        if opened.process.poll() is None:
            opened.process.kill()
            opened.process.wait(10)
        os.close(opened._fd)
