"""Tables as a workbook: one sheet a table, numbers as numbers, every text as a text."""

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from textwrap import wrap
from typing import TYPE_CHECKING

from evalkit.cells import LONGEST_CELL, cut_to, new_workbook, put
from evalkit.frozen import dataclass
from evalkit.wording import visible

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet

Value = str | float | bool | None
_WIDEST, _NARROWEST, _SAMPLE = 60, 11, 50
"""Column widths in characters, and how many rows they are measured on."""
_FIGURE = "0.0###"
"""How a broken number is shown; the cell has all of its digits."""
_PAPER, _LINE_POINTS, _A4 = 170, 15, 9
"""Characters that a landscape page holds side by side and still can be read, height of a line, number of a paper."""


@dataclass(frozen=True)
class Sheet:
    """A named table."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


def render(title: str, sheets: Sequence[Sheet], marks: Mapping[str, str], whole: Mapping[str, str]) -> bytes:
    """The sheets as a workbook; the same content gives the same bytes.

    `marks` are columns that stand on every row of every sheet, so that no copied row is without them. `whole` names, by
    the text, the files that have what is too long for a cell.
    """
    buffer = BytesIO()
    with new_workbook(buffer, visible(title)) as book:
        head = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
        body, figure = book.add_format({"valign": "top"}), book.add_format({"valign": "top", "num_format": _FIGURE})
        for sheet in sheets:
            page, columns = book.add_worksheet(sheet.name), (*sheet.columns, *marks)
            widths = [
                _width(column, (row[place : place + 1] for row in sheet.rows[:_SAMPLE]))
                for place, column in enumerate(columns)
            ]
            for place, (column, width) in enumerate(zip(columns, widths, strict=True)):
                page.set_column(place, place, width)
                put(page, 0, place, _text(column), head)
            _lay_out(page, columns, widths)
            for number, row in enumerate(sheet.rows):
                for place, value in enumerate((*row, *marks.values())):
                    broken = isinstance(value, float) and not value.is_integer()
                    put(page, number + 1, place, _cell(value, whole), figure if broken else body)
            page.freeze_panes(1, 1)
            if columns:
                page.autofilter(0, 0, max(len(sheet.rows), 1), len(columns) - 1)
    return buffer.getvalue()


def _lay_out(page: "Worksheet", columns: Sequence[str], widths: Sequence[int]) -> None:
    """A heading that is read whole, and paper on which every page has it, and the name of each row."""
    lines = max((len(wrap(column, width)) for column, width in zip(columns, widths, strict=True)), default=1)
    page.set_row(0, _LINE_POINTS * lines)
    page.set_landscape()
    page.set_paper(_A4)
    page.fit_to_pages(max(1, round(sum(widths) / _PAPER)), 0)
    page.repeat_rows(0)
    page.repeat_columns(0)


def fits(text: str) -> bool:
    """Whether a cell holds the whole of a text."""
    shown = visible(text)
    return cut_to(shown, LONGEST_CELL, "cut here") == shown


def _cell(value: Value, whole: Mapping[str, str]) -> str | float | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _text(value, whole.get(value)) if isinstance(value, str) else value


def _text(text: str, whole: str | None = None) -> str:
    return cut_to(visible(text), LONGEST_CELL, f"cut here; the whole text is in {whole}" if whole else "cut here")


def _width(heading: str, cells: Iterable[Sequence[Value]]) -> int:
    longest = max((len(value) for cell in cells for value in cell if isinstance(value, str)), default=0)
    return min(_WIDEST, max(_NARROWEST, longest, len(heading) // 2))
