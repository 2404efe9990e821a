"""What a spreadsheet makes of a text: no formula, no link, nothing dropped without a word."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

LONGEST_CELL = 32_767
"""What a spreadsheet keeps of a cell, in UTF-16 units; it drops the rest, or the whole cell, without a word."""
_STARTS_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
"""What makes a spreadsheet run a text of a CSV file as a formula (OWASP, CSV injection)."""


def guarded(text: str) -> str:
    """A text behind a quote if a spreadsheet would take it for a formula; `unguarded` is the way back."""
    return f"'{text}" if _STARTS_FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """A text as it was before `guarded`."""
    return text[1:] if text.startswith("'") and _STARTS_FORMULA.match(text) else text


def units(text: str) -> int:
    """The length of a text as spreadsheets count it."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut_to(text: str, most: int, why: str) -> str:
    """The beginning of a text with a visible mark where it ends too soon; the whole where it fits."""
    if units(text) <= most:
        return text
    mark = f"\n⟦{why}⟧"
    head = text[: most - units(mark)]
    while units(head) > most - units(mark):
        head = head[: len(head) - max(1, (units(head) + units(mark) - most) // 2)]
    return head + mark


@contextmanager
def new_workbook(buffer: BytesIO, title: str) -> Iterator["Workbook"]:
    """A workbook that is written to the buffer at the end; the same content gives the same bytes."""
    import xlsxwriter

    plain = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(buffer, plain) as book:
        book.set_properties({"title": title, "created": datetime(2000, 1, 1, tzinfo=UTC)})
        yield book


def put(sheet: "Worksheet", row: int, column: int, value: str | float | None, form: Any = None) -> None:
    """Write one cell as what it is: a text never becomes a formula, a link or a number, and none is lost."""
    if value is None:
        sheet.write_blank(row, column, None, form)
    elif isinstance(value, int | float):
        sheet.write_number(row, column, value, form)
    elif sheet.write_string(row, column, value, form) != 0:
        raise ValueError(f"row {row + 1}, column {column + 1}: a text of {len(value)} characters does not fit")
