"""Keys of a terminal one by one, as names; a terminal that is gone reads as a wish to quit."""

import codecs
import os
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from select import select

_SEQUENCES = {
    "[A": "up", "[B": "down", "[C": "right", "[D": "left", "OA": "up", "OB": "down", "OC": "right", "OD": "left",
    "[5~": "page up", "[6~": "page down", "[H": "home", "[F": "end", "OH": "home", "OF": "end", "[1~": "home",
    "[4~": "end", "[Z": "back tab", "[3~": "delete",
}  # fmt: skip
_NAMES = {"\r": "enter", "\n": "enter", "\t": "tab", "\x7f": "backspace", "\x08": "backspace", " ": "space"}
GONE = "gone"
LOOK_UP_S = 0.25
"""How long to wait for keys before looking at what else may have changed."""


@contextmanager
def key_by_key(fd: int) -> Iterator[None]:
    """Let a terminal give each key at once and print none of them; Ctrl-C stays what it is."""
    before = termios.tcgetattr(fd)
    tty.setcbreak(fd)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


class Keys:
    """Reads keys: a printable character as itself, others by name, sequences nobody knows as nothing."""

    def __init__(self, fd: int, meanwhile: Callable[[], None] = lambda: None) -> None:
        """`meanwhile` is called every LOOK_UP_S seconds while no key comes."""
        self._fd, self._meanwhile = fd, meanwhile
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._waiting = ""

    def next(self) -> str:
        """The next key; waits for it."""
        while True:
            while not self._waiting:
                try:
                    while not select([self._fd], [], [], LOOK_UP_S)[0]:
                        self._meanwhile()
                    data = os.read(self._fd, 1024)
                except OSError:
                    return GONE
                if not data:
                    return GONE
                self._waiting = self._decoder.decode(data)
            key = self._take()
            if key:
                return key

    def _take(self) -> str:
        first, self._waiting = self._waiting[0], self._waiting[1:]
        if first != "\x1b":
            return _NAMES.get(first, first if first.isprintable() else "")
        if self._waiting[:1] not in ("[", "O") or len(self._waiting) < 2:
            return "escape"
        end = next((n for n, c in enumerate(self._waiting[1:], start=1) if "@" <= c <= "~"), len(self._waiting) - 1)
        sequence, self._waiting = self._waiting[: end + 1], self._waiting[end + 1 :]
        return _SEQUENCES.get(sequence, "")
