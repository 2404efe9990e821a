"""New links while the page is open: whoever sits at its terminal asks for one with Enter, and nobody else can."""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence

from evalkit.cli.terminal import say

_BACK_S = 1.0
"""How long a command in the background waits before it looks whether it is in front again."""


def new_link_at_enter(names: Sequence[str], link: Callable[[str], str]) -> bool:
    """From now on, print a new link for each line typed at this terminal; False where there is no terminal.

    To be called in the event loop that serves the page.
    """
    if sys.platform == "win32" or not sys.stdin.isatty():  # there, a loop cannot wait for keys
        return False
    keyboard, loop = sys.stdin.fileno(), asyncio.get_running_loop()

    def watch() -> None:
        loop.add_reader(keyboard, typed)

    def typed() -> None:
        if not _in_front(keyboard):  # what is typed is the shell's, and reading it would stop this process
            loop.remove_reader(keyboard)
            loop.call_later(_BACK_S, watch)
            return
        try:
            data = os.read(keyboard, 4096)
        except OSError:
            data = b""
        if not data:
            loop.remove_reader(keyboard)
            return
        for line in data.decode("utf-8", "replace").splitlines():
            say(_answer(line.strip(), names, link))

    watch()
    return True


def _in_front(keyboard: int) -> bool:
    try:
        return os.tcgetpgrp(keyboard) == os.getpgrp()
    except OSError:
        return True  # no job control here, so nobody else reads


def _answer(line: str, names: Sequence[str], link: Callable[[str], str]) -> str:
    name = line or (names[0] if len(names) == 1 else "")
    if name in names:
        return f"{name}  {link(name)}  works once; a link for {name} that was not used yet is void"
    wrong = f"{name!r} does not take part; " if name else ""
    return f"{wrong}for a new link type a name and Enter: {', '.join(names)}"
