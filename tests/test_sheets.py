"""Sheets: what leaves, what a spreadsheet makes of it, what may come back, and that all of it or nothing counts."""

import re
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.cells import LONGEST_CELL, cut_to, guarded, unguarded
from evalkit.desk import Desk, open_for_people
from evalkit.marks import Mark
from evalkit.offline.table import table_of
from evalkit.offline.xlsx import workbook
from evalkit.rounds import Settings
from evalkit.store import RunFile
from tests import people
from tests.sheets import Rows, edit, every_byte, grade, grades, rows_of, told_of_authors

BOTH = pytest.mark.parametrize("kind", ["xlsx", "csv"])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return people.write(tmp_path / "run.db", 4)


def exported(run: Path, kind: str = "xlsx", *more: str) -> Path:
    sheet = run.parent / f"sheet.{kind}"
    assert grade(run, "--export", sheet, "--grader", "ann", "--repeat-share", "0", *more) == 0
    return sheet


def fill(rows: Rows) -> None:
    """Every level of the first criterion 1, of the second 0 and "cannot tell" in turns, and a note or two."""
    correct, tone, note = (rows[0].index(name) for name in ("correct", "tone", "Note"))
    for n, row in enumerate(rows[1:]):
        row[correct], row[tone] = 1, 0 if n % 2 else "cannot tell"
        row[note] = "=late" if n == 0 else None


def marks_in(run: Path) -> int:
    with RunFile(run, read_only=True) as file:
        return len(file.snapshot().markings)


@BOTH
def test_a_sheet_comes_back_whole_and_a_second_time_changes_nothing(
    run: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = exported(run, kind)
    edit(sheet, fill)
    capsys.readouterr()
    assert grade(run, "--import", sheet) == 0
    said = capsys.readouterr().out
    assert "ann: 24 new grades, 0 changed" in said
    assert "everybody has graded" in said
    mine = [row for row in grades(run) if row[0] == "ann"]
    assert len(mine) == 24
    assert {(criterion, level) for _, _, criterion, level, _ in mine} == {("correct", 1), ("tone", 0), ("tone", None)}
    with RunFile(run, read_only=True) as file:
        markings = file.snapshot().markings
    assert {m.active_s for m in markings} == {None}
    assert [m.content["text"] for m in markings if m.kind == "note"] == ["=late"]
    assert sum(m.kind == "done" for m in markings) == 12
    assert grade(run, "--import", sheet) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert marks_in(run) == len(markings)


@BOTH
def test_rows_may_be_sorted_left_out_and_half_filled(run: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = exported(run, kind)

    def some(rows: Rows) -> Rows:
        fill(rows)
        tone = rows[0].index("tone")
        rows[2][tone] = None
        kept = [rows[0], *reversed(rows[2:5])]
        return [[cell for at, cell in enumerate(row) if rows[0][at] != "Output"] for row in kept] + [[None, " "]]

    edit(sheet, some)
    assert grade(run, "--import", sheet) == 0
    assert "5 new grades" in capsys.readouterr().out
    assert marks_in(run) == 5 + 2


@pytest.mark.long
def test_an_emptied_cell_leaves_the_grade_and_another_level_changes_it(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = exported(run)
    edit(sheet, fill)
    assert grade(run, "--import", sheet) == 0

    def later(rows: Rows) -> None:
        correct = rows[0].index("correct")
        rows[1][correct], rows[2][correct] = None, 2

    edit(sheet, later)
    before = marks_in(run)
    capsys.readouterr()
    assert grade(run, "--import", sheet, "--dry-run") == 0
    assert "--dry-run" in capsys.readouterr().out
    assert marks_in(run) == before
    assert grade(run, "--import", sheet) == 0
    said = capsys.readouterr().out
    assert "1 changed" in said
    assert re.search(r"\w{16} correct: 1 becomes 2", said)
    assert "1 earlier grades have an empty cell here; they stay" in said
    assert sorted(level for _, _, criterion, level, _ in grades(run) if criterion == "correct" and level) == [
        1
    ] * 11 + [2]


@pytest.mark.long
def test_what_was_changed_elsewhere_in_between_is_set_again_by_the_same_sheet(run: Path) -> None:
    sheet = exported(run)
    edit(sheet, fill)
    assert grade(run, "--import", sheet) == 0
    first = grades(run)
    for nonce in ("a", "b"):
        with RunFile(run) as file:
            desk = Desk(file, open_for_people(file, True))
            label = str(rows_of(sheet)[1][1])
            assert desk.take("ann", Mark(nonce, label, "level", {"criterion": "correct", "level": 0}))
        assert grades(run) != first
        assert grade(run, "--import", sheet) == 0
        assert grades(run) == first


@BOTH
def test_everything_wrong_is_named_by_its_cell_and_nothing_is_imported(
    run: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = exported(run, kind)
    other = run.parent / f"ben.{kind}"
    assert grade(run, "--export", other, "--grader", "ben") == 0
    foreign = rows_of(other)[1]

    def spoil(rows: Rows) -> None:
        fill(rows)
        label, correct, tone = (rows[0].index(name) for name in ("Label", "correct", "tone"))
        rows[0][rows[0].index("Note")] = "Notes"
        rows[0][rows[0].index("Input")] = None
        rows[1][label] = str(rows[1][label])[:-1] + "!"
        rows[3][label] = rows[2][label]
        rows[4][correct], rows[4][tone] = 7, "good"
        rows[5][label] = None
        rows[6][correct] = "=1+1"
        rows.append([*foreign[:correct], 1, *foreign[correct + 1 :]])

    edit(sheet, spoil)
    capsys.readouterr()
    assert grade(run, "--import", sheet, "--grader", "ann") == 2
    told = [line.removeprefix(f"error: {sheet}:") for line in capsys.readouterr().err.splitlines()]
    assert [line.split(": ")[0] for line in told[:-1]] == ["C1", "I1", "B2", "B4", "G5", "H5", "B6", "G7", "B14"]
    for line, words in zip(told, (
        "no heading", "'Notes' is no column of this sheet; did you mean 'Note'?", "did you mean", "stands in row 3",
        "'7' is no level of 'correct'; use 0, 1, 2 or cannot tell", "'good' is no level", "no label", "'=1+1' is",
        "belongs to ben, not to ann",
    ), strict=False):  # fmt: skip
        assert words in line
    assert marks_in(run) == 0


def test_a_sheet_of_a_round_that_was_closed_is_told_as_that(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = exported(run)
    edit(sheet, fill)
    assert grade(run, "--close") == 0
    assert grade(run, "--import", sheet) == 2
    assert "no open round" in capsys.readouterr().err
    assert grade(run, "--export", run.parent / "second.csv", "--grader", "ann") == 0
    assert grade(run, "--import", sheet) == 2
    assert "B2: label " in (told := capsys.readouterr().err)
    assert "belongs to round 1" in told


def test_of_two_open_rounds_each_sheet_goes_to_its_own(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blind, open_ = (run.parent / f"{name}.csv" for name in ("blind", "open"))
    assert grade(run, "--export", blind, "--grader", "ann") == 0
    assert grade(run, "--export", open_, "--grader", "ann", "--grader", "ben", "--no-blind") == 0
    open_ = run.parent / "open-ann.csv"
    for sheet, round_id in ((blind, 1), (open_, 2)):
        edit(sheet, fill)
        assert grade(run, "--import", sheet) == 0
        assert f"of ann into round {round_id} of" in capsys.readouterr().out
    with RunFile(run, read_only=True) as file:
        rounds = [mark.round_id for mark in file.snapshot().markings]
    assert rounds == sorted(rounds)
    assert set(rounds) == {1, 2}
    second = rows_of(open_)[1]

    def wrong(rows: Rows) -> None:
        rows[1][1] = "edited"
        rows[2] = [second[1] if at == 1 else cell for at, cell in enumerate(rows[2])]

    edit(blind, wrong)
    assert grade(run, "--import", blind) == 2
    told = capsys.readouterr().err
    assert "blind.csv:B2: label 'edited' is none of ann's" in told
    assert "blind.csv:B3: label " in told


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("s.xlsx", b"PK\x03\x04rubbish", "cannot be read as a workbook"),
        ("s.xlsx", b"", "cannot be read as a workbook"),
        ("s.csv", b"Label,correct\n\xff\xfe,1\n", "save it as CSV UTF-8"),
        ("s.csv", b'Label,correct\n"x', "cannot be read as CSV"),
        ("s.csv", b"", "no column is headed 'Label'"),
        ("s.csv", b"one,two\n1,2\n", "no column is headed 'Label'"),
        ("s.csv", b"Label,correct\n", "has no row"),
        ("s.ods", b"", "unknown format"),
    ],
)
def test_what_is_no_sheet_is_one_clear_line(
    run: Path, name: str, data: bytes, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exported(run)
    (run.parent / name).write_bytes(data)
    capsys.readouterr()
    assert grade(run, "--import", run.parent / name) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(("encoding", "separator"), [("utf-8", ","), ("utf-8-sig", ";"), ("utf-16", "\t")])
def test_a_csv_is_read_as_spreadsheets_of_other_countries_save_it(run: Path, encoding: str, separator: str) -> None:
    sheet = exported(run, "csv")
    rows = rows_of(sheet)
    fill(rows)
    lines = [separator.join((str(row[1]), str(row[rows[0].index("correct")]))) for row in rows]
    sheet.write_bytes("\r\n".join(lines).encode(encoding))
    assert grade(run, "--import", sheet) == 0
    assert len([row for row in grades(run) if row[0] == "ann"]) == 12


def hostile(item: int, model: str) -> str:
    starts = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=x", "\r=x", '=HYPERLINK("http://x")', "http://example.org")
    return starts[item % len(starts)] + "\x0b\x1b[31m\u202e\u200b\x00 _x000D_"


def test_texts_stay_texts_and_what_is_hidden_is_shown(tmp_path: Path) -> None:
    run = people.write(tmp_path / "run.db", 8, output=hostile)
    sheet = exported(run)
    book = openpyxl.load_workbook(sheet)
    cells = [cell for row in book["Grade"].iter_rows(min_row=2) for cell in row]
    assert {cell.data_type for cell in cells} <= {"s", "n"}
    assert not any(cell.hyperlink for cell in cells)
    outputs = [str(row[5].value) for row in book["Grade"].iter_rows(min_row=2)]
    assert all("⟦U+000B⟧⟦U+001B⟧[31m⟦U+202E⟧⟦U+200B⟧⟦U+0000⟧" in text for text in outputs)
    assert b"<f>" not in every_byte(sheet)
    raw = exported(run, "csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert b"\r\n" in raw
    assert not [cell for row in rows_of(tmp_path / "sheet.csv") for cell in row if cell[:1] in tuple("=+-@\t\r")]


@settings(max_examples=60)
@given(st.text(alphabet=st.sampled_from("'=+-@\t\ra \n"), max_size=6))
def test_the_guard_before_formulas_can_be_undone(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert guarded(text)[:1] not in ("=", "+", "-", "@", "\t", "\r")


@settings(max_examples=40)
@given(st.text(max_size=80), st.integers(30, 60))
def test_a_cut_text_fits_and_says_so(text: str, most: int) -> None:
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    shown = cut_to(text, most, "cut here")
    assert len(shown.encode("utf-16-le", "surrogatepass")) // 2 <= most
    assert (shown == text) if units <= most else shown.endswith("⟦cut here⟧")


@BOTH
def test_a_text_too_long_for_a_cell_is_whole_in_a_side_file(tmp_path: Path, kind: str) -> None:
    long = "𝒳" * 20_000 + "the end"
    run = people.write(tmp_path / "run.db", 1, output=lambda item, model: long)
    sheet = exported(run, kind)
    output = str(rows_of(sheet)[1][5])
    assert len(output.encode("utf-16-le")) // 2 <= LONGEST_CELL
    name = re.search(r"⟦cut here; the whole text is in (sheet-texts/output-\w+\.txt)⟧$", output)
    assert name is not None
    assert (tmp_path / name[1]).read_text(encoding="utf-8") == long
    assert len(list((tmp_path / "sheet-texts").iterdir())) == 1


def test_only_grades_and_notes_can_be_filled_in_and_levels_come_from_a_list(run: Path) -> None:
    sheet = exported(run)
    book = openpyxl.load_workbook(sheet)
    assert book.sheetnames == ["Grade", "Rubric", "Read me"]
    page = book["Grade"]
    assert page.freeze_panes == "C2"
    assert page.protection.sheet
    assert page.protection.password is None
    headings = [cell.value for cell in page[1]]
    assert headings == ["No.", "Label", "Input", "Reference", "Documents", "Output", "correct", "tone", "Note"]
    assert [cell.protection.locked for cell in page[2]] == [True] * 6 + [False] * 3
    lists = {str(rule.sqref): rule.formula1 for rule in page.data_validations.dataValidation}
    assert set(lists) == {"G2:G13", "H2:H13"}
    offered = [cell.value for (cell,) in book["Rubric"][str(lists["G2:G13"]).split("!")[1].replace("$", "")]]
    assert offered == [0, 1, 2, "cannot tell"]
    assert all(book[name].protection.sheet for name in book.sheetnames)


def test_rows_stand_in_the_persons_own_order_with_what_was_said_before(run: Path) -> None:
    with RunFile(run) as file:
        desk = Desk(file, open_for_people(file, True, Settings(repeat_share=0.05)))
        desk.join("ann")
        labels = [task.label for sitting in desk.pile("ann").sittings for task in sitting]
        desk.take("ann", Mark("1", labels[1], "level", {"criterion": "tone", "level": None}))
        desk.take("ann", Mark("2", labels[1], "note", {"text": "-see b"}))
        table = table_of(desk, "ann", "x")
        assert workbook(table) == workbook(table)
    assert [row[1] for row in table.rows] == labels
    assert table.rows[1][-3:] == (None, "cannot tell", "-see b")
    assert len(labels) == 15  # three come again


@BOTH
def test_no_byte_of_a_sheet_tells_who_wrote_what(tmp_path: Path, kind: str) -> None:
    long = "Sure. " * 8000
    run = people.write(tmp_path / "run.db", 4, output=lambda n, m: people.confessing(n, m) + (long if n == 1 else ""))
    sheet = exported(run, kind)
    seen = b"\n".join(every_byte(path) for path in (sheet, tmp_path / "sheet-texts"))
    assert b"[name hidden]" in seen
    assert told_of_authors(seen, run) == []


def test_several_people_get_a_sheet_each_and_what_is_out_stays_theirs(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = run.parent / "s.csv"
    assert grade(run, "--export", sheet, "--grader", "ann", "--grader", "b/n", "--overlap", "1") == 0
    ann = run.parent / "s-ann.csv"
    assert grade(run, "--export", run.parent / "c.csv", "--grader", "cat") == 0
    assert not (run.parent / "c.csv").exists(), "all items are out with the others"
    assert "nothing to grade for cat: no file written" in capsys.readouterr().out
    edit(ann, fill)
    assert grade(run, "--import", ann) == 0
    sizes = [len(rows_of(path)) - 1 for path in (ann, run.parent / "s-b_n.csv")]
    assert sum(sizes) >= 12
    assert min(sizes) >= 6


def test_beside_an_open_page_those_who_take_part_get_their_sheets_and_nobody_joins(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run.parent
    with RunFile(run) as page, page.only_writer("grade people"):
        assert grade(run, "--export", folder / "a.csv", "--grader", "ann") == 6
        assert "such as an open page, and 'ann' does not take part yet" in capsys.readouterr().err
        desk = Desk(page, open_for_people(page, True, Settings(overlap=1)))
        desk.join("ann")
        desk.join("ben")
        shares = {name: set(desk.pile(name).trials) for name in ("ann", "ben")}
        assert grade(run, "--export", folder / "a.csv", "--grader", "ann") == 0
        assert grade(run, "--export", folder / "b.csv", "--grader", "cy") == 6
        assert "'cy' does not take part yet; end that one" in capsys.readouterr().err
        assert grade(run, "--export", folder / "b.csv", "--grader", "ben", "--overlap", "2") == 6
        assert "other overlap than the round's are asked for" in capsys.readouterr().err
        assert grade(run, "--export", folder / "all.csv") == 0
        assert desk.is_open
        assert desk.take("ann", Mark("n", min(shares["ann"]), "flag", {"on": True}))
    assert {row[1] for row in rows_of(folder / "a.csv")[1:]} == shares["ann"]
    assert {row[1] for row in rows_of(folder / "all-ben.csv")[1:]} == shares["ben"]
    with RunFile(run) as again:
        later = Desk(again, open_for_people(again, True))
        assert {name: set(later.pile(name).trials) for name in later.people} == shares


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--export", "s.pdf"), "end it in .xlsx, .csv or .html"),
        (("--export", "s.xlsx", "--import", "s.xlsx"), "exclude each other"),
        (("--import", "s.xlsx", "--round", "1"), "--round says what --close closes"),
        (("--round", "1"), "--round says what --close closes"),
        (("--export", "s.xlsx", "--port", "0"), "--port has no meaning with --export"),
        (("--import", "s.xlsx", "--overlap", "2"), "--overlap has no meaning with --import"),
        (("--import", "s.xlsx", "--grader", "a", "--grader", "b"), "one --grader"),
        (("--export", "s.xlsx", "--judge", "m"), "is for people"),
        (("--export", "s.csv", "--grader", "a b", "--grader", "a_b"), "same file name"),
    ],
)
def test_options_that_do_not_go_together(
    run: Path, arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert grade(run, *arguments) == 2
    assert words in capsys.readouterr().err


def test_a_sheet_is_never_written_over(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = exported(run, "csv")
    before = sheet.read_bytes()
    assert grade(run, "--export", sheet, "--grader", "ann") == 2
    assert "may hold grades" in capsys.readouterr().err
    assert sheet.read_bytes() == before
