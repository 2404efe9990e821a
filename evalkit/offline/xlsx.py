"""Workbooks: a table written so that only grades and notes can be filled in, and any workbook read as plain cells."""

import warnings
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.cells import LONGEST_CELL, cut_to, new_workbook, put
from evalkit.errors import UsageError
from evalkit.offline.grid import Formula, Grid
from evalkit.offline.table import CANNOT_TELL, INPUT, LABEL, NOTE, NUMBER, OUTPUT, TEXTS, Table
from evalkit.rubric import Criterion
from evalkit.wording import visible

if TYPE_CHECKING:
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

GRADE, RUBRIC, READ_ME = "Grade", "Rubric", "Read me"
_WIDTHS: Mapping[str, int] = {NUMBER: 5, LABEL: 20, INPUT: 45, OUTPUT: 70, NOTE: 36}
_LOWEST, _HIGHEST = 60, 400
"""Heights of a row, in points: a spreadsheet takes no more than 409."""
LARGEST_BYTES = 500_000_000
"""Unpacked size above which a workbook is not read: a sheet of ours is a tenth of it at most."""


def workbook(table: Table) -> bytes:
    """A workbook with the sheets Grade, Rubric and Read me; the same table gives the same bytes."""
    buffer = BytesIO()
    with new_workbook(buffer, f"Grading sheet: {table.rubric_name}") as book:
        grade, rubric, read_me = (book.add_worksheet(name) for name in (GRADE, RUBRIC, READ_ME))
        lists = _write_rubric(book, rubric, table.criteria)
        _write_grade(book, grade, table, lists)
        _write_read_me(book, read_me, table)
    return buffer.getvalue()


def _write_grade(book: "Workbook", sheet: "Worksheet", table: Table, lists: Mapping[str, str]) -> None:
    head = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
    text = book.add_format({"text_wrap": True, "valign": "top"})
    answer = {"valign": "top", "locked": False, "bg_color": "#FFF9E5", "border": 1, "border_color": "#D9D2B8"}
    level, note = book.add_format({**answer, "align": "center"}), book.add_format({**answer, "text_wrap": True})
    last = len(table.rows)
    for column, heading in enumerate(table.headings):
        form = text if heading in TEXTS else note if heading == NOTE else level
        sheet.set_column(column, column, _WIDTHS.get(heading, 45 if heading in TEXTS else 14), form)
        put(sheet, 0, column, heading, head)
        for row, cells in enumerate(table.rows, start=1):
            put(sheet, row, column, cells[column], form)
        if heading in lists and last:
            criterion = next(one for one in table.criteria if one.id == heading)
            sheet.data_validation(1, column, last, column, _dropdown(criterion, lists[heading]))
    shown = table.headings.index(OUTPUT)
    for row, cells in enumerate(table.rows, start=1):
        sheet.set_row(row, _height(str(cells[shown]), _WIDTHS[OUTPUT]))
    sheet.freeze_panes(1, table.headings.index(LABEL) + 1)
    sheet.autofilter(0, 0, last, len(table.headings) - 1)
    allowed = ("sort", "autofilter", "format_columns", "format_rows", "select_locked_cells", "select_unlocked_cells")
    sheet.protect("", dict.fromkeys(allowed, True))
    sheet.activate()


def _dropdown(criterion: Criterion, source: str) -> dict[str, Any]:
    anchors = "\n".join(f"{level}: {visible(anchor)}" for level, anchor in criterion.scale.items())
    return {
        "validate": "list",
        "source": source,
        "input_title": criterion.id[:32],
        "input_message": cut_to(f"{visible(criterion.question)}\n{anchors}", 255, "more on the sheet Rubric"),
        "error_title": "Not a level",
        "error_message": f"Choose a level from the list, or {CANNOT_TELL!r}.",
    }


def _height(text: str, width: int) -> int:
    lines = sum(1 + len(line) // width for line in text.split("\n"))
    return min(_HIGHEST, max(_LOWEST, 15 * lines))


def _write_rubric(book: "Workbook", sheet: "Worksheet", criteria: tuple[Criterion, ...]) -> dict[str, str]:
    """What each level means; returns where the levels of each criterion stand, as a range for its dropdown."""
    bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
    text = book.add_format({"text_wrap": True, "valign": "top", "align": "left"})
    sheet.set_column(0, 1, 18, text)
    sheet.set_column(2, 2, 100, text)
    row, lists = 0, {}
    for criterion in criteria:
        put(sheet, row, 0, criterion.id, bold)
        put(sheet, row, 2, cut_to(visible(criterion.question), LONGEST_CELL, "cut here"), bold)
        meanings: list[tuple[int | str, str]] = [
            *criterion.scale.items(),
            (CANNOT_TELL, "There is no saying from what is here."),
        ]
        for place, (level, meaning) in enumerate(meanings, start=row + 1):
            put(sheet, place, 1, level, text)
            put(sheet, place, 2, cut_to(visible(meaning), LONGEST_CELL, "cut here"), text)
        lists[criterion.id] = f"={RUBRIC}!$B${row + 2}:$B${row + 1 + len(meanings)}"
        row += len(meanings) + 2
    sheet.protect()
    return lists


def _write_read_me(book: "Workbook", sheet: "Worksheet", table: Table) -> None:
    text = book.add_format({"text_wrap": True, "valign": "top"})
    sheet.set_column(0, 0, 100, text)
    for row, line in enumerate(read_me(table)):
        put(sheet, row, 0, line, text)
    sheet.protect()


def read_me(table: Table) -> list[str]:
    """What a person needs to know who has only the sheet."""
    lines = [
        f"This sheet is for {visible(table.grader)}: {len(table.rows)} outputs to grade, round {table.round_id}.",
        "Read the input and its documents, then the output, and choose a level in each yellow column; the sheet Rubric"
        " says what the levels mean.",
        f"Choose {CANNOT_TELL!r} where you cannot say. Leave empty what you have not looked at.",
        "Nobody who grades knows which model wrote what. Some outputs may stand twice: grade each row by itself.",
        "Sort, filter, hide and delete rows as you like, and send the sheet back half done if you want: each row is"
        " known by its label. Do not change labels or headings. Texts are not read back, only levels and notes.",
        "Emptying a cell does not take back a grade that was handed in before; choose another level for that.",
        "Hidden characters are spelled out, as in ⟦U+200B⟧.",
    ]
    if table.side_files:
        lines.append(f"Texts too long for a cell end in a mark; the folder {table.folder} beside the sheet has them.")
    return [*lines, "Whoever gave you the sheet reads it with: evalkit grade --import FILE"]


def read_workbook(path: Path, data: bytes) -> Grid:
    """The cells of a workbook's sheet Grade; UsageError if there is none."""
    try:
        unpacked = _unpacked_bytes(data)
        cells = _cells(data) if unpacked <= LARGEST_BYTES else []
    except Exception as error:  # a damaged workbook fails in its reader in many ways, none of them ours
        raise UsageError(
            f"{str(path)!r} cannot be read as a workbook ({type(error).__name__}); save it again as .xlsx, or as .csv"
        ) from error
    if unpacked > LARGEST_BYTES:
        raise UsageError(f"{str(path)!r} unpacks to {unpacked:,} bytes, which is no grading sheet; check the file")
    if cells is None:
        raise UsageError(f"{str(path)!r} has no sheet {GRADE!r}; give the one that was exported its name back")
    return cells


def _unpacked_bytes(data: bytes) -> int:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def _cells(data: bytes) -> Grid | None:
    import openpyxl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the reader says what it leaves out: styles, lists of other programs
        book = openpyxl.load_workbook(BytesIO(data), read_only=True, keep_links=False)
        if GRADE not in book.sheetnames:
            return None
        sheet = book[GRADE]
        sheet.reset_dimensions()
        return [[Formula(str(c.value)) if c.data_type == "f" else c.value for c in row] for row in sheet.iter_rows()]
