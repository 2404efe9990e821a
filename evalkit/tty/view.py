"""What stands on the terminal: the item and its outputs to page through, and the questions below."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from evalkit.blind import GradingTask
from evalkit.frozen import dataclass
from evalkit.tty.walk import NOTHING, Question, Walk
from evalkit.wording import visible

if TYPE_CHECKING:
    from rich.text import Text

HINT = (
    "? keys",
    "Q quit",
    "Enter next",
    "U undo",
    "S skip",
    "F flag",
    "N note",
    "Space page on",
    "Tab output",
    "/ search",
)
KEYS = (
    ("0-9", "give that level, and go on to the next question"),
    ("C", "cannot tell"),
    ("Up Down", "another question"),
    ("Left Right", "another output, where several are asked about"),
    ("Enter", "done, next one"),
    ("U", "undo the last mark"),
    ("S", "skip: it comes again at the end"),
    ("F", "flag, to find it again"),
    ("N", "write a note"),
    ("E", "no edit box here: leave --tty out for the page, which has one"),
    ("L", "go to another one by its number"),
    ("Space B", "a page on, a page back (PgDn and PgUp too)"),
    ("Home End", "the beginning, the end"),
    ("Tab", "from the item to the output and back"),
    ("/", "search; empty for the next place"),
    ("J", "jump to the next document with evidence"),
    ("Q", "stop; everything is saved, and the same command goes on"),
)


@dataclass(frozen=True)
class Body:
    """The lines to page through. `outputs`: where each output begins; `evidence`: where such documents do."""

    lines: tuple[tuple[str, bool], ...]
    outputs: tuple[int, ...]
    evidence: tuple[int, ...]


def body_of(tasks: Sequence[GradingTask], names: Sequence[str], width: int) -> Body:
    """An item with these outputs, under these names, wrapped; headings are marked True."""
    lines: list[tuple[str, bool]] = []
    evidence: list[int] = []
    outputs: list[int] = []

    def add(heading: str, text: str) -> int:
        if lines:
            lines.append(("", False))
        at = len(lines)
        lines.append((next(wrapped(heading, width)), True))
        lines.extend((line, False) for line in wrapped(text, width))
        return at

    item = tasks[0]
    add("Input", item.task)
    if item.reference is not None:
        add("Reference answer", item.reference)
    for passage in item.documents:
        at = add(f"Document {passage.name}{' (evidence)' if passage.evidence else ''}", passage.text)
        if passage.evidence:
            evidence.append(at)
    for task, name in zip(tasks, names, strict=True):
        outputs.append(add(name, task.output))
    return Body(tuple(lines), tuple(outputs), tuple(evidence))


def wrapped(text: str, width: int) -> Iterator[str]:
    """Lines of at most so many columns, broken between words where there are any; nothing is left out or acts."""
    from rich.cells import cell_len, chop_cells

    for line in visible(text).expandtabs(4).split("\n"):
        rest = ""
        for word in line.split(" "):
            joined = f"{rest} {word}" if rest else word
            if cell_len(joined) <= width:
                rest = joined
                continue
            if rest:
                yield rest
            *full, rest = chop_cells(word, width) or [""]
            yield from full
        yield rest


def frame(walk: Walk, body: Body, top: int, width: int, height: int, asked: str | None) -> "Text":
    """A whole screen, `height` lines: where one is, the body from line `top`, the questions, and one line below.

    `asked`: a line that is being written, in place of the last.
    """
    from rich.text import Text

    below = panel(walk, width)[: max(0, height - 5)]
    room = body_room(walk, width, height)
    lines = [_head(walk, width, _reach(body, top, room))]
    for line, is_heading in body.lines[top : top + room]:
        lines.append(Text(line, style="bold underline" if is_heading else ""))
    lines += [Text("")] * (1 + room - len(lines))
    lines.append(Text("─" * width, style="dim"))
    lines += below
    lines.append(_last(walk, width, asked))
    shown = Text("\n").join(lines[:height])
    shown.highlight_regex(r"⟦U\+[0-9A-F]{4,6}⟧|\[name hidden\]", style="reverse")
    return shown


def body_room(walk: Walk, width: int, height: int) -> int:
    """How many lines of the body are seen at once."""
    return max(1, height - 3 - min(len(panel(walk, width)), max(0, height - 5)))


def _reach(body: Body, top: int, room: int) -> str:
    last = len(body.lines)
    return "all shown" if last <= room else f"line {top + 1}-{min(last, top + room)} of {last}"


def _head(walk: Walk, width: int, reach: str) -> "Text":
    from rich.text import Text

    stands = walk.stands(walk.cell.label)
    signs = [word for word, on in (("flagged", stands.flagged), ("note", stands.note), ("graded", stands.done)) if on]
    unit = "Item" if walk.side else "Output"
    left = f"{unit} {walk.at + 1} of {len(walk.screens)}" + "".join(f" · {sign}" for sign in signs)
    return Text(left.ljust(width - len(reach))[: width - len(reach)] + reach, style="bold")


def _last(walk: Walk, width: int, asked: str | None) -> "Text":
    from rich.text import Text

    if asked is not None:
        tail = [*wrapped(asked.replace("\n", "⏎") + "_", width)]
        return Text(tail[-1])
    if walk.said:
        return Text(walk.said[:width], style="bold")
    fits = [n for n in range(len(HINT) + 1) if len("  ".join(HINT[:n])) <= width]
    return Text("  ".join(HINT[: fits[-1]]), style="dim")


def panel(walk: Walk, width: int) -> "list[Text]":
    """The questions with what was answered, and the active one with its answers."""
    from rich.text import Text

    active = walk.question
    several = len(active.cells) > 1
    overview = Text()
    for question in walk.questions:
        if overview:
            overview.append("  ")
        overview.append(f"{question.name} {_answers(walk, question)}", style="bold" if question == active else "dim")
    lines = [Text(line, style="dim") for line in wrapped(overview.plain, width)]
    whose = f"Output {walk.letter(walk.cell.label)}: " if several else ""
    lines += [Text(line, style="bold") for line in wrapped(f"> {whose}{active.name}. {active.text}", width)]
    given = walk.value(walk.cell)
    for key, (value, text) in active.options.items():
        chosen = given is not NOTHING and value == given
        first, *more = wrapped(text, width - 6)
        style = "bold" if chosen else ""
        lines.append(Text(f"{'*' if chosen else ' '} {key.upper():<3} {first}", style=style))
        lines += [Text(f"      {line}", style=style) for line in more]
    return lines


def _answers(walk: Walk, question: Question) -> str:
    said = []
    for cell in question.cells:
        value = walk.value(cell)
        key = next((key for key, (one, _) in question.options.items() if value is not NOTHING and one == value), "-")
        said.append("?" if key == "c" else key)
    return "".join(said) if len(said) == 1 else "/".join(said)


def help_lines(width: int) -> Sequence[str]:
    """What each key does."""
    lines = ["Keys", ""]
    for key, does in KEYS:
        first, *more = wrapped(does, width - 14)
        lines += [f"  {key:<11} {first}", *(f"{'':14}{line}" for line in more)]
    return [*lines, "", "Every mark is saved as you make it. Any key goes back."]
