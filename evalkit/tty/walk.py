"""A person's way through their pile: what is asked now, what a key answers, and the mark that each answer becomes.

It goes the way the grading page goes, question by question, and writes the same marks.
"""

import secrets
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Literal

from evalkit.desk import Desk
from evalkit.frozen import dataclass
from evalkit.grading_records import MarkKind
from evalkit.marks import Mark, Standing
from evalkit.web.pile_data import pile_data

IDLE_S = 60.0
"""A pause counts for this long at most."""
CANNOT_TELL = "c"


@dataclass(frozen=True)
class Screen:
    """What is graded together: one output, or all of an item's where they stand side by side."""

    sitting: int
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """One place for an answer. `over`: the other output of a preference."""

    kind: Literal["level", "prefer", "author"]
    label: str
    criterion: str = ""
    over: str = ""


@dataclass(frozen=True)
class Question:
    """What is asked, with a place to answer for each output or a single one. `options`: value and text by key."""

    name: str
    text: str
    cells: tuple[Cell, ...]
    options: Mapping[str, tuple[Any, str]]


@dataclass(frozen=True)
class _Step:
    at: int
    cell: Cell | None
    before: Any
    flagged: str = ""


NOTHING = object()
"""The value of a place that has not been answered; None is cannot tell."""


class Walk:
    """Where a person is in their pile. `clock`: seconds that only go up."""

    def __init__(self, desk: Desk, grader: str, clock: Callable[[], float]) -> None:
        self._desk, self._grader, self._clock = desk, grader, clock
        data = pile_data(desk, grader)
        self.side = data["layout"] == "side"
        self._criteria, self._sittings = data["criteria"], data["sittings"]
        self.screens = tuple(
            Screen(number, labels)
            for number, sitting in enumerate(self._sittings)
            for labels in ([tuple(sitting)] if self.side else [(label,) for label in sitting])
        )
        self.at, self.place, self.finished, self.said = -1, 0, False, ""
        self._past: list[_Step] = []
        self._seen_at, self._attention_s = clock(), 0.0
        self._onward()

    # what stands, and what is asked

    def stands(self, label: str) -> Standing:
        """How an output stands now."""
        return self._desk.standing(self._grader)[label]

    @property
    def screen(self) -> Screen:
        """What is on the table."""
        return self.screens[self.at]

    def letter(self, label: str) -> str:
        """How an output is called beside the others of its item."""
        return chr(ord("A") + self._sittings[self.screen.sitting].index(label))

    @property
    def asking(self) -> bool:
        """Whether all is graded and it is asked who wrote what."""
        return bool(self._desk.authors(self._grader))

    @property
    def last_question(self) -> bool:
        """Whether all is graded and that is still to be asked."""
        return self.finished and self._desk.settings.ask_author and not self.asking and bool(self.screens)

    @property
    def questions(self) -> list[Question]:
        """All that is asked on this screen."""
        labels = self.screen.labels
        if self.asking:
            return [self._author_question(label) for label in labels]
        asked = [
            Question(c["name"], c["question"], tuple(Cell("level", label, c["id"]) for label in labels), options)
            for c, options in self._level_options
        ]
        return [*asked, *self._preferences(labels)] if self.side else asked

    @cached_property
    def _level_options(self) -> list[tuple[dict[str, Any], dict[str, tuple[Any, str]]]]:
        found = []
        for criterion in self._criteria:
            options = {one["key"]: (one["level"], one["anchor"]) for one in criterion["levels"]}
            found.append((criterion, options | {CANNOT_TELL: (None, "Cannot tell")}))
        return found

    def _author_question(self, label: str) -> Question:
        authors = enumerate(self._desk.authors(self._grader), start=1)
        options: dict[str, tuple[Any, str]] = {str(n): (name, name) for n, name in authors}
        options[CANNOT_TELL] = (None, "Cannot tell")
        name = f"Who wrote {self.letter(label)}?" if self.side else "Who wrote it?"
        return Question(name, "Which model do you think wrote this output?", (Cell("author", label),), options)

    def _preferences(self, labels: tuple[str, ...]) -> list[Question]:
        asked = []
        for place, first in enumerate(labels):
            for second in labels[place + 1 :]:
                a, b = self.letter(first), self.letter(second)
                options = {
                    "1": ("first", f"{a} is better"),
                    "2": ("tie", "About the same"),
                    "3": ("second", f"{b} is better"),
                }
                cell = Cell("prefer", first, over=second)
                asked.append(Question(f"{a} or {b}", f"Which is better overall, {a} or {b}?", (cell,), options))
        return asked

    @property
    def cells(self) -> list[Cell]:
        """All places to answer on this screen, in the order of the questions."""
        return [cell for question in self.questions for cell in question.cells]

    @property
    def cell(self) -> Cell:
        """The active place."""
        return self.cells[self.place]

    @property
    def question(self) -> Question:
        """The active question."""
        return next(question for question in self.questions if self.cell in question.cells)

    def value(self, cell: Cell) -> Any:
        """What has been answered there; NOTHING if nothing yet."""
        stands = self.stands(cell.label)
        if cell.kind == "level":
            return stands.levels.get(cell.criterion, NOTHING)
        if cell.kind == "prefer":
            return stands.preferred.get(cell.over, NOTHING)
        return stands.author if stands.author_asked else NOTHING

    def is_done(self, screen: Screen) -> bool:
        """Whether nothing is left to do on a screen."""
        stands = [self.stands(label) for label in screen.labels]
        return all(one.author_asked if self.asking else one.done for one in stands)

    # attention

    def noticed(self) -> None:
        """Somebody has done something: the time since the last thing counts, a long pause for a minute."""
        now = self._clock()
        self._attention_s += min(now - self._seen_at, IDLE_S)
        self._seen_at = now

    def _seconds(self) -> float:
        self.noticed()
        seconds, self._attention_s = round(self._attention_s, 1), 0.0
        return seconds

    def keep_time(self) -> None:
        """Write the time spent since the last mark, so that leaving loses none of it."""
        self.noticed()
        if self._attention_s >= 1 and not self.finished and self.screens:
            self._mark(self.cell.label, "time", {}, self._seconds())

    # what a person does

    def _mark(self, label: str, kind: MarkKind, content: Mapping[str, Any], active_s: float | None = None) -> None:
        self._desk.take(self._grader, Mark(secrets.token_hex(16), label, kind, content, active_s))

    def answer(self, key: str) -> bool:
        """Answer the active place, and go on to the next open one; False if the key is none of its answers."""
        if key not in self.question.options:
            return False
        self._past.append(_Step(self.at, self.cell, self.value(self.cell)))
        self._answer(self.cell, self.question.options[key][0])
        open_ = [n for n, cell in enumerate(self.cells) if self.value(cell) is NOTHING]
        self.place = next((n for n in open_ if n > self.place), open_[0] if open_ else self.place)
        return True

    def _answer(self, cell: Cell, value: Any) -> None:
        if cell.kind == "level":
            level = {} if value is NOTHING else {"level": value}
            self._mark(cell.label, "level", {"criterion": cell.criterion, **level}, self._seconds())
        elif cell.kind == "prefer":
            choice = None if value is NOTHING else value
            self._mark(cell.label, "prefer", {"over": cell.over, "choice": choice}, self._seconds())
        elif value is not NOTHING:
            self._mark(cell.label, "author", {"guess": value}, self._seconds())

    def undo(self) -> None:
        """Take the last answer or flag back, and go to where it was given."""
        if not self._past:
            self.said = "Nothing to undo"
            return
        last = self._past.pop()
        if last.at != self.at or self.finished:
            self.show(last.at)
        if last.cell is None:
            self._mark(last.flagged, "flag", {"on": not self.stands(last.flagged).flagged})
            self.said = "Flag undone"
            return
        self._answer(last.cell, last.before)
        self.place = self.cells.index(last.cell)
        self.said = f"Undone: {self.question.name}"

    def next(self) -> None:
        """Finish this screen, if all of it is answered, and go on."""
        open_ = [cell for cell in self.cells if self.value(cell) is NOTHING]
        if open_:
            self.place = self.cells.index(open_[0])
            names = dict.fromkeys(question.name for question in self.questions for c in question.cells if c in open_)
            self.said = f"{len(open_)} left: {', '.join(names)}"
            return
        if not self.asking:
            share = round(self._seconds() / len(self.screen.labels), 1)
            for label in self.screen.labels:
                self._mark(label, "done", {}, share)
        self._onward()

    def ask(self) -> None:
        """Put the last question, who wrote what: what has been graded stands from now on."""
        self._desk.ask_who_wrote(self._grader)
        self._past.clear()
        self.at = -1
        self._onward()

    def skip(self) -> None:
        """Put this screen off to the end."""
        if self.asking:
            return
        share = round(self._seconds() / len(self.screen.labels), 1)
        for label in self.screen.labels:
            self._mark(label, "skip", {}, share)
        self._onward()

    def flag(self) -> None:
        """Flag the active output, or take the flag away."""
        label = self.cell.label
        self._past.append(_Step(self.at, None, None, label))
        self._mark(label, "flag", {"on": not self.stands(label).flagged})
        self.said = "Flagged" if self.stands(label).flagged else "Flag removed"

    def note(self, text: str) -> None:
        """Write a note on the active output."""
        if text != self.stands(self.cell.label).note:
            self._mark(self.cell.label, "note", {"text": text}, self._seconds())
            self.said = "Note saved" if text else "Note removed"

    def move(self, by: int) -> None:
        """To another question, for the same output where it is asked for each."""
        asked = self.questions
        here = asked.index(self.question)
        column = self.question.cells.index(self.cell)
        if 0 <= here + by < len(asked):
            cells = asked[here + by].cells
            self.place = self.cells.index(cells[min(column, len(cells) - 1)])

    def move_across(self, by: int) -> None:
        """To the same question about another output."""
        cells = self.question.cells
        to = cells.index(self.cell) + by
        if 0 <= to < len(cells):
            self.place = self.cells.index(cells[to])

    def show(self, at: int) -> None:
        """Put a screen on the table."""
        if at != self.at and self.screens:
            self.keep_time()
        self.at, self.finished = at, False
        open_ = (n for n, cell in enumerate(self.cells) if self.value(cell) is NOTHING)
        self.place = next(open_, 0)

    def _onward(self) -> None:
        """To the next screen to work on: those skipped least first, after this one and then from the beginning."""
        open_ = [n for n, screen in enumerate(self.screens) if not self.is_done(screen)]
        if not open_:
            self.finished = True
            return
        skips = {n: max(self.stands(label).skipped for label in self.screens[n].labels) for n in open_}
        best = [n for n in open_ if skips[n] == min(skips.values())]
        if len(open_) == 1 and skips[open_[0]]:
            self.said = "This is the only one left"
        self.show(next((n for n in best if n > self.at), best[0]))
