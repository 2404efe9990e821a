"""One person grading in a terminal: keys in, screens out, every mark written before the next screen is drawn."""

import os
from collections.abc import Callable
from typing import TextIO

from rich.console import Console
from rich.text import Text

from evalkit.desk import Desk
from evalkit.tty.keys import GONE, Keys, key_by_key
from evalkit.tty.view import Body, body_of, body_room, frame, help_lines, wrapped
from evalkit.tty.walk import Walk

NO_EDITS = "Outputs are edited on the page only"
NARROWEST, SHORTEST = 40, 12
"""Columns and lines that a screen is drawn for at least."""


class Session:
    """The terminal while a person grades in it."""

    def __init__(self, desk: Desk, name: str, clock: Callable[[], float]) -> None:
        self._desk, self._name, self.walk = desk, name, Walk(desk, name, clock)
        self._console = Console(force_terminal=True, no_color=bool(os.environ.get("NO_COLOR")), highlight=False)
        self._top, self._evidence, self._sought = 0, -1, ""
        self._seen: tuple[int, int] = (-1, -1)
        self._asked: str | None = None
        self._drawn = (0, 0)
        self._wrapped: tuple[tuple[tuple[str, ...], int], Body] = (((), 0), Body((), (), ()))

    def grade(self, keyboard: int, out: TextIO) -> bool:
        """Take keys until there is nothing left or the person stops; whether they handed in."""
        self._desk.deal(self._name)
        self._keys, self._out = Keys(keyboard, self._fit), out
        with key_by_key(keyboard):
            self._out.write("\x1b[?1049h\x1b[?25l")
            try:
                return self._take_keys()
            except KeyboardInterrupt:
                return False
            finally:
                self._out.write("\x1b[?25h\x1b[?1049l")
                self._out.flush()
                self.walk.keep_time()

    def _take_keys(self) -> bool:
        while True:
            self._draw()
            key = self._keys.next()
            self.walk.noticed()
            self.walk.said = ""
            if key in ("q", "Q", GONE):
                return False
            if self.walk.finished and key == "enter":
                if not self.walk.last_question:
                    return True
                self.walk.ask()
                continue
            self._act(key if len(key) > 1 else key.lower())

    # what keys do

    def _act(self, key: str) -> None:
        walk = self.walk
        match key:
            case "?":
                self._help()
            case "u":
                walk.undo()
            case "l":
                self._go_to()
            case _ if walk.finished or walk.answer(key):
                pass
            case "enter":
                walk.next()
            case "s":
                walk.skip()
            case "f":
                walk.flag()
            case "n":
                self._note()
            case "e":
                walk.said = NO_EDITS
            case "up" | "down":
                walk.move(1 if key == "down" else -1)
            case "left" | "right":
                self._across(1 if key == "right" else -1)
            case _:
                self._read(key)

    def _note(self) -> None:
        text = self._line("Note: ", self.walk.stands(self.walk.cell.label).note)
        if text is not None:
            self.walk.note(text.strip())

    def _across(self, by: int) -> None:
        self.walk.move_across(by)
        labels = self.walk.screen.labels
        if len(labels) > 1:
            self._top = self._body().outputs[labels.index(self.walk.cell.label)]

    def _read(self, key: str) -> None:
        """Keys that only change what is seen."""
        match key:
            case "tab":
                first = self._body().outputs[0]
                self._top = 0 if self._top >= first else first
            case "j":
                self._to_evidence()
            case "/":
                self._search()
            case _:
                self._scroll(key)

    def _scroll(self, key: str) -> None:
        room = max(1, body_room(self.walk, *self._size()) - 1)
        last = len(self._body().lines)
        to = {
            "space": self._top + room, "page down": self._top + room, "b": self._top - room,
            "page up": self._top - room, "home": 0, "end": last,
        }  # fmt: skip
        self._top = to.get(key, self._top)

    def _to_evidence(self) -> None:
        places = self._body().evidence
        if not places:
            self.walk.said = "No document of this item is marked as evidence"
            return
        self._evidence = (self._evidence + 1) % len(places)
        self._top = places[self._evidence]

    def _search(self) -> None:
        sought = self._line("Search: ", "")
        if sought is None:
            return
        self._sought = sought.strip().lower() or self._sought
        lines = self._body().lines
        places = [n for n, (line, _) in enumerate(lines) if self._sought and self._sought in line.lower()]
        if not places:
            self.walk.said = "Not found"
            return
        self._top = next((n for n in places if n > self._top), places[0])
        self.walk.said = f"{places.index(self._top) + 1} of {len(places)}"

    def _go_to(self) -> None:
        wanted = self._line(f"Go to (1-{len(self.walk.screens)}): ", "")
        if wanted and wanted.strip().isdecimal() and 1 <= int(wanted) <= len(self.walk.screens):
            self.walk.show(int(wanted) - 1)
        elif wanted:
            self.walk.said = "There is none of that number"

    def _line(self, before: str, text: str) -> str | None:
        """A line that is written at the bottom; None if it is given up by Escape."""
        while True:
            self._asked = before + text
            self._draw()
            key = self._keys.next()
            self.walk.noticed()
            if key in ("enter", "escape", GONE):
                self._asked = None
                return text if key == "enter" else None
            text = text[:-1] if key == "backspace" else text + {"space": " "}.get(key, key if len(key) == 1 else "")

    def _help(self) -> None:
        width, height = self._size()
        self._put("\n".join(help_lines(width)[:height]))
        self._keys.next()

    # what is seen

    def _size(self) -> tuple[int, int]:
        found = os.get_terminal_size(self._out.fileno())
        return max(NARROWEST, found.columns), max(SHORTEST, found.lines)

    def _body(self) -> Body:
        """The texts of this screen, wrapped once for each width."""
        walk, width = self.walk, self._size()[0]
        labels = walk.screen.labels
        if self._wrapped[0] != (labels, width):
            names = [f"Output {walk.letter(label)}" if len(labels) > 1 else "Output" for label in labels]
            tasks = [self._desk.task(self._name, label) for label in labels]
            self._wrapped = (labels, width), body_of(tasks, names, width)
        return self._wrapped[1]

    def _draw(self) -> None:
        self._drawn = self._size()
        self._draw_at(*self._drawn)

    def _fit(self) -> None:
        """Draw again if the window has changed. The signal that says so may come in the middle of anything."""
        if self._drawn != self._size():
            self._draw()

    def _draw_at(self, width: int, height: int) -> None:
        if self.walk.finished:
            self._put("\n".join(wrapped(_finished(self.walk), width)))
            return
        body = self._body()
        if self._seen != (self.walk.at, self.walk.screen.sitting):
            same_item = self._seen[1] == self.walk.screen.sitting
            self._seen = (self.walk.at, self.walk.screen.sitting)
            self._top, self._evidence = body.outputs[0] if same_item else 0, -1
        room = body_room(self.walk, width, height)
        self._top = max(0, min(self._top, len(body.lines) - room))
        self._put(frame(self.walk, body, self._top, width, height, self._asked))

    def _put(self, content: Text | str) -> None:
        """Fill the screen; the last line has no line feed, which would scroll it."""
        self._console.width = self._size()[0]
        with self._console.capture() as captured:
            self._console.print(content, end="", markup=False, no_wrap=True, overflow="crop", soft_wrap=False)
        self._out.write("\x1b[H\x1b[2J" + captured.get())
        self._out.flush()


def _finished(walk: Walk) -> str:
    if not walk.screens:
        return "There is nothing for you to grade.\n\nEnter  leave"
    labels = {label for screen in walk.screens for label in screen.labels}
    total = sum(walk.stands(label).active_s for label in labels)
    done = f"That was the last one. {len(labels)} outputs graded, {total / 60:.1f} minutes in all.\n\n"
    if walk.last_question:
        return (
            f"{done}One question is left: which model wrote each of them?\n"
            "From then on your grades stand as they are.\n\n"
            "Enter  go on    U  undo    L  look at one again    Q  stop here"
        )
    return (
        f"{done}Everything is saved.\n\nEnter  hand in    U  undo    L  look at one again    Q  stop without handing in"
    )
