"""CSV sheets: written so that no spreadsheet takes a text for a formula, and read back whoever saved them."""

import csv
import io
from pathlib import Path

from evalkit.cells import guarded, unguarded
from evalkit.errors import UsageError
from evalkit.offline.grid import Grid
from evalkit.offline.table import LABEL, Cell, Table

_LONGEST_FIELD = 10_000_000


def csv_sheet(table: Table) -> str:
    """The table as CSV: a byte order mark, without which Excel takes UTF-8 for something else, and CRLF."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(table.headings)
    writer.writerows([_field(cell) for cell in row] for row in table.rows)
    return "\ufeff" + out.getvalue()


def _field(cell: Cell) -> str:
    return guarded(cell) if isinstance(cell, str) else "" if cell is None else str(cell)


def read_csv_sheet(path: Path, data: bytes) -> Grid:
    """The cells of a CSV sheet, with commas, semicolons or tabs between them; UsageError if it cannot be read."""
    text = _decoded(path, data)
    header = text.split("\n", 1)[0]
    separator = next((mark for mark in ",;\t" if LABEL in [part.strip(' "\r') for part in header.split(mark)]), ",")
    before = csv.field_size_limit(_LONGEST_FIELD)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise UsageError(f"{str(path)!r} cannot be read as CSV ({error}); save it again, or use .xlsx") from error
    finally:
        csv.field_size_limit(before)
    return [[unguarded(cell) for cell in row] for row in rows]


def _decoded(path: Path, data: bytes) -> str:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UsageError(f"{str(path)!r} is not UTF-8 text; save it as CSV UTF-8, or use .xlsx") from error
