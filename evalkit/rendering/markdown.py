"""The summary as Markdown: verdict, what speaks against it, one short table; all foreign text escaped."""

import html
import re
from collections.abc import Sequence

from evalkit.blocks import (
    Block,
    Cell,
    Definitions,
    Facts,
    Note,
    Row,
    Section,
    Span,
    Table,
    Text,
)
from evalkit.wording import NOT_MEASURED, UNKNOWN, UNPRICED, plural, shorten, visible

MOST_ROWS = 8
_MOST_SENTENCES = 12
_MOST_CHARACTERS = 60_000
"""Forges turn down comments from about 65,000 on; the rest is for what posts it."""
_TABLE_CHARACTERS = 25_000
_SPECIAL = re.compile(r"([\\`*_\[\]|~]|\$(?!\d)|^[-+#](?=[\s#]|$))")
"""What Markdown and formulas are made of, and what makes a heading or a list of a line that begins with it."""
_NUMBERED = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")
_NO_LINK = "\N{ZERO WIDTH NON-JOINER}"  # stops what a forge makes of @name, #123, !123, GH-123 and addresses
_REFERENCE = re.compile(r"[@#!](?=\w)|\bGH(?=-\d)", re.IGNORECASE)


def render(sections: Sequence[Section], footer: str, *, name: str, simulated: str) -> str:
    """The sections marked for the summary; the first one's heading is the first line that is seen.

    Before it stands a mark with `name`, by which a comment can be found and renewed. `simulated` says what the sandbox
    made, if anything. What would take it over 60,000 characters is left out whole, and counted.
    """
    parts: list[str] = []
    for section in (s for s in sections if s.summary):
        if not parts:
            mark = "SIMULATED: " if simulated and not section.heading.startswith("SIMULATED") else ""
            parts.append(f"### {mark}{escape(section.heading)}")
            parts.append(_text(section.lede))
        parts += _blocks(section, again=any(part.startswith("| ") for part in parts))
    if simulated:
        parts.insert(1, f"**SIMULATED: {simulated}**")
    mark = f"<!-- evalkit:{re.sub('[^A-Za-z0-9.:]+', '-', name)[:200]} -->\n"
    return mark + "\n\n".join(_fitting(parts, escape(footer))) + "\n"


def _fitting(parts: list[str], footer: str) -> list[str]:
    """As many of the first parts as there is room for, and how many are cut."""
    room = _MOST_CHARACTERS - len(footer) - 400
    for kept, part in enumerate(parts):
        room -= len(part) + 2
        if room < 0:
            return [*parts[:kept], f"{plural(len(parts) - kept, 'part')} more in the full report.", footer]
    return [*parts, footer]


def escape(text: str) -> str:
    """Foreign text on one line, without any power over Markdown, mentions, issue links or HTML."""
    line = " ".join(visible(text).split())
    line = _SPECIAL.sub(r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
    line = _unlinked(_NUMBERED.sub(r"\1\\\2", line))
    return line.replace("://", f":{_NO_LINK}//").replace("www.", f"www{_NO_LINK}.")


def _unlinked(line: str) -> str:
    return _REFERENCE.sub(lambda found: found[0] + _NO_LINK, line)


def _blocks(section: Section, again: bool) -> list[str]:
    """A section's blocks with its first table; `again`: one stands above, so the heading tells what this one says."""
    written: list[str] = []
    for block in section.blocks:
        text = _block(block)
        if text and not (isinstance(block, Table) and (again or any(part.startswith("| ") for part in written))):
            written.append(text)
    return [f"**{escape(section.heading)}**", *written] if again else written


def _block(block: Block) -> str:
    if isinstance(block, Facts):
        return "\n".join(f"- **{escape(fact.title)}**: {_text(fact.text)}" for fact in block.facts)
    if isinstance(block, Note):
        cut = len(block.sentences) - _MOST_SENTENCES
        told = [f"> {_text(sentence)}" for sentence in block.sentences[:_MOST_SENTENCES]]
        return "\n".join([*told, *([f"> {cut} more in the full report."] if cut > 0 else [])])
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Definitions) and block.brief:
        return "\n\n".join(_folded(term, text) for term, text in block.rows)
    return ""


def _folded(term: str, text: Text) -> str:
    """Inside the summary's tag a forge reads HTML, where a backslash would be seen."""
    links = _unlinked(html.escape(visible(shorten(term, 200))))
    listed = ", ".join(escape(shorten(span.text, 80)) for span in text if span.text.strip())
    return f"<details><summary>{links}</summary>\n\n{listed}\n\n</details>"


def _text(text: Text) -> str:
    return "".join(_span(span) for span in text)


def _span(span: Span) -> str:
    if not span.text.strip():
        return " " if span.text else ""
    lead = span.text[: len(span.text) - len(span.text.lstrip())] and " "
    tail = span.text[len(span.text.rstrip()) :] and " "
    words = escape(shorten(span.text, 600))
    return f"{lead}**{words}**{tail}" if span.tone == "strong" and words else f"{lead}{words}{tail}"


def _table(block: Table) -> str:
    """The brief columns only, whole rows only; how many rows were cut is said."""
    columns = [i for i, column in enumerate(block.columns) if column.brief]
    if not columns:
        return ""
    head = "| " + " | ".join(escape(block.columns[i].label) for i in columns) + " |"
    rule = "|" + "|".join("--:" if block.columns[i].align == "end" else ":--" for i in columns) + "|"
    kept = _kept(block.rows)
    below = _repeated([row.cells[i] for row in kept for i in columns])
    rows = [_row(row, columns, below) for row in kept]
    while sum(map(len, rows)) > _TABLE_CHARACTERS:
        rows.pop()
    cut = len(block.rows) - len(rows)
    notes = [f"{escape(what)}: {escape(why)}." for what, why in below]
    return "\n\n".join(["\n".join([head, rule, *rows]), *notes, *([f"{cut} more in the full report."] if cut else [])])


def _kept(rows: Sequence[Row]) -> list[Row]:
    """The rows that there is room for, in their order: what was picked, then by rank, of equals the first."""
    first = sorted(range(len(rows)), key=lambda place: (not rows[place].picked, rows[place].rank))[:MOST_ROWS]
    return [rows[place] for place in sorted(first)]


def _repeated(cells: Sequence[Cell]) -> list[tuple[str, str]]:
    """Missing figures and their reasons that stand in more than one cell: said once, below the table."""
    missing = [(_words(cell), cell.doubt) for cell in cells if _words(cell) in (UNKNOWN, UNPRICED, NOT_MEASURED)]
    return list(dict.fromkeys(pair for pair in missing if missing.count(pair) > 1 and pair[1]))


def _words(cell: Cell) -> str:
    return "".join(span.text for span in cell.text)


def _row(row: Row, columns: Sequence[int], below: Sequence[tuple[str, str]]) -> str:
    texts = []
    for i in columns:
        cell = row.cells[i]
        words = escape(_words(cell))
        shown = f"**{words}**" if row.picked or cell.badge else words
        doubt = "" if (_words(cell), cell.doubt) in below else cell.doubt
        texts.append(f"{shown} ({escape(doubt)})" if doubt else shown)
    return "| " + " | ".join(texts) + " |"
