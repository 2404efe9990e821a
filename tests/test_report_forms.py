"""The forms of a report: endings, workbook, tables, side files, JSON and its schema, and what is on stdout."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from textwrap import wrap

import openpyxl
import pytest
from analysis_builders import OPUS, SONNET, Book, answered, ended, run_of, spec, write_run
from jsonschema import Draft202012Validator
from needs import lacking
from report_pages import made
from report_variants import VARIANTS

from evalkit.analysis import analyze
from evalkit.blocks import TEXT_LIMIT
from evalkit.cells import LONGEST_CELL
from evalkit.cli import main
from evalkit.forms import Shown, files_of
from evalkit.redaction import Redaction
from evalkit.report import json_schema, render_json
from evalkit.sections.items import side_file
from evalkit.workbook import _scores, workbook

SCHEMA = Path(__file__).parent.parent / "evalkit" / "schemas" / "report.schema.json"
SHEETS = ["Scorecard", "Pairs", "Slices", "Criteria", "Trials", "Grades", "Method"]
STARTS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "http://x.example/a", "'=1"]


def hostile() -> Book:
    """Ids, outputs and comments that a spreadsheet would run, follow or drop."""
    book = Book(spec((OPUS, SONNET)))
    for i, start in enumerate(STARTS):
        book.trial(start, answered(text=f"{start} output"))
        book.grade(i + 1, i % 2, comment=start)
    book.trial("long", answered(text="x" * 1_000_000), level=1)
    book.trial("astral", answered(text="\U0001f600" * 40_000), level=1)
    book.trial("refused", ended("refused", None, error_type="refusal", error_message="\x0b\x00 no"))
    return book


def sheets_of(path: Path) -> openpyxl.Workbook:
    return openpyxl.load_workbook(path)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "r.db", hostile().snapshot())
    return tmp_path


def test_a_workbook_runs_nothing_follows_nothing_and_loses_nothing(project: Path) -> None:
    assert main(["report", "r.db", "-q", "-o", "r.xlsx"]) == 0
    book = sheets_of(project / "r.xlsx")
    assert book.sheetnames == SHEETS
    for sheet in book:
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type != "f", f"{sheet.title} {cell.coordinate} is a formula"
                assert cell.hyperlink is None
                assert not isinstance(cell.value, str) or len(cell.value.encode("utf-16-le")) <= 2 * LONGEST_CELL
    head, *rows = book["Trials"].iter_rows(values_only=True)
    by_id = {row[0]: dict(zip(head, row, strict=True)) for row in rows}
    assert "=1+1" in by_id, "no quote is put before what no cell would run"
    assert by_id["=1+1"]["output"] == "=1+1 output"
    assert by_id["long"]["output"].endswith("⟦cut here; the whole text is in r-outputs/010-a.txt⟧")
    assert (project / "r-outputs" / "010-a.txt").read_text() == "x" * 1_000_000
    assert (project / "r-outputs" / "011-a.txt").read_text() == "\U0001f600" * 40_000
    assert by_id["refused"]["error"] == "refusal: ⟦U+000B⟧⟦U+0000⟧ no"
    assert by_id["refused"]["cost_usd"] is None, "unknown is empty, not 0"


def test_numbers_are_numbers_with_units_and_intervals_stand_in_two_columns(project: Path) -> None:
    assert main(["report", "r.db", "-q", "-o", "r.xlsx"]) == 0
    head, first, *_ = sheets_of(project / "r.xlsx")["Scorecard"].iter_rows(values_only=True)
    cells = dict(zip(head, first, strict=True))
    analysis = analyze(hostile().snapshot())
    rate = analysis.models[0].pass_rate
    shown = [cells[f"Pass rate (share){part}"] for part in ("", ", low", ", high")]
    assert shown == pytest.approx([rate.value, rate.low, rate.high])
    assert {"Cost per request (USD), low", "Felt latency p50 (s)", "Spend (USD)", "Input (tokens)"} <= set(head)
    assert "no upper limit" in str(cells["Why a figure is missing"])
    types = {type(cells[name]) for name in ("Items", "Trials planned", "Input (tokens)")}
    assert types <= {int, float}


def test_a_workbook_says_which_model_is_the_pick() -> None:
    analysis = made("whole")
    standing = {model.model: str(_scores(analysis, model)["Standing"]) for model in analysis.models}
    assert [model for model, told in standing.items() if told.startswith("pick: ")] == [analysis.decision.option]
    assert standing[analysis.decision.option or ""] == "pick: clears the 80% bar"


def test_a_workbook_prints_with_whole_headings_and_the_name_of_each_row_on_every_page(project: Path) -> None:
    assert main(["report", "r.db", "-q", "-o", "r.xlsx"]) == 0
    book = sheets_of(project / "r.xlsx")
    for sheet in book:
        assert (sheet.page_setup.orientation, sheet.print_title_rows, sheet.print_title_cols) == (
            "landscape", "$1:$1", "$A:$A",
        )  # fmt: skip
        assert 1 <= (sheet.page_setup.fitToWidth or 1) <= 4
        for heading in sheet[1]:
            lines = wrap(heading.value, int(sheet.column_dimensions[heading.column_letter].width))
            assert (sheet.row_dimensions[1].height or 15) >= 15 * len(lines), heading.value
    rates = [cell for cell in book["Scorecard"][2] if isinstance(cell.value, float) and cell.value % 1]
    assert rates
    assert {cell.number_format for cell in rates} == {"0.0###"}


@pytest.mark.parametrize("case", sorted(VARIANTS))
def test_every_run_makes_a_workbook_and_json_by_the_schema(case: str) -> None:
    analysis = made(case)
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(json.loads(render_json(analysis)))
    shown = Shown(analysis, run_of({OPUS: [[True]]}), Redaction())
    empty = shown.trials.head(0)
    book = openpyxl.load_workbook(io.BytesIO(workbook(analysis, shown.sections, empty, empty)))
    assert book.sheetnames == SHEETS
    heads = [next(sheet.iter_rows(values_only=True)) for sheet in book]
    assert all(("SIMULATED" in head) == analysis.simulated for head in heads)


def test_the_schema_is_the_records_own_and_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert SCHEMA.read_text() == json_schema(), "renew it with `make schema`"
    assert main(["report", "--json-schema"]) == 0
    assert capsys.readouterr().out == SCHEMA.read_text()


def test_the_schema_refuses_what_is_no_report() -> None:
    """Negative control."""
    validator, whole = (
        Draft202012Validator(json.loads(SCHEMA.read_text())),
        json.loads(render_json(made("whole"))),
    )
    for change in ({"schema_version": 2}, {"verdict": "maybe"}, {"analysis": {}}):
        assert not validator.is_valid({**whole, **change})
    assert not validator.is_valid({key: value for key, value in whole.items() if key != "findings"})


def test_json_is_alone_on_stdout_and_writes_only_what_was_asked_for(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "r.db", "--json"]) == 0
    said = capsys.readouterr()
    assert (json.loads(said.out)["schema_version"], said.err) == (1, "")
    assert not (project / "reports").exists()
    assert main(["report", "r.db", "--json", "-o", "r.csv"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["verdict"] == "not_enough_data"
    assert said.err.startswith("r.csv (")
    assert main(["report", "r.db", "--json", "-o", "r.doc"]) == 2
    assert capsys.readouterr().out == ""


def test_an_unknown_ending_names_those_there_are(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "r.db", "-o", "a.html", "-o", "r.pdf"]) == 2
    line = capsys.readouterr().err.splitlines()[0]
    assert line == "error: 'r.pdf': unknown format; end it in .html, .md, .json, .csv, .xlsx or .parquet"
    assert not (project / "a.html").exists()


def test_a_cut_output_is_whole_in_a_side_file_whose_name_tells_no_model(project: Path) -> None:
    assert main(["report", "r.db", "-q", "-o", "r.html"]) == 0
    page = (project / "r.html").read_text()
    assert f"Cut here: {1_000_000 - TEXT_LIMIT:,} more characters are in" in page
    assert '<a href="r-outputs/010-a.txt">010-a.txt</a>' in page
    files = sorted(path.name for path in (project / "r-outputs").iterdir())
    assert files == ["010-a.txt", "011-a.txt"], "only what was cut"
    assert all(re.fullmatch(r"\d{3}-[a-z]+\.txt", name) for name in files)


def test_no_side_file_where_nothing_is_cut(tmp_path: Path) -> None:
    write_run(tmp_path / "r.db", run_of({OPUS: [[True]]}))
    assert main(["report", str(tmp_path / "r.db"), "-q", "-o", str(tmp_path / "r.html")]) == 0
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".lock") == ["r.db", "r.html"]


@pytest.mark.parametrize(("place", "name"), [(0, "a"), (25, "z"), (26, "aa"), (51, "az"), (52, "ba"), (702, "aaa")])
def test_side_files_are_lettered_by_place(place: int, name: str) -> None:
    assert side_file("017", place) == f"017-{name}.txt"


@pytest.mark.long
def test_a_large_file_says_what_to_do_and_the_page_is_never_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Book()
    for i in range(510):
        book.trial(f"i{i}", answered(text=f"{i} " * 5_000), level=1)
    write_run(tmp_path / "r.db", book.snapshot())
    argv = ["report", str(tmp_path / "r.db"), "-q", "-o", str(tmp_path / "r.html"), "-o", str(tmp_path / "r.json")]
    assert main(argv) == 0
    told = capsys.readouterr().err
    assert "r.json is over 10 MB, which mail and browsers may refuse; `--no-outputs` leaves the texts out" in told
    assert "r.html is over" not in told
    page = (tmp_path / "r.html").read_text()
    assert len(page.encode()) < 10_000_000
    assert len(re.findall(r'<details class="item[ "]', page)) == 510
    assert len(list((tmp_path / "r-outputs").iterdir())) == 510
    monkeypatch.setattr("evalkit.shown_items.MOST_BYTES", 400_000)
    assert main(argv) == 0
    page = (tmp_path / "r.html").read_text()
    assert 'Every item with its outputs is in <a href="r.json">r.json</a>.' in page
    monkeypatch.undo()
    capsys.readouterr()
    assert main([*argv, "--no-outputs"]) == 0
    assert "over 10 MB" not in capsys.readouterr().err
    assert (tmp_path / "r.html").stat().st_size < 3_000_000
    assert "items are shown" not in (tmp_path / "r.html").read_text()


def test_a_cut_output_of_an_item_that_the_page_leaves_out_is_whole_beside_the_workbook(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evalkit.shown_items.MOST_BYTES", 1)
    assert main(["report", "r.db", "-q", "-o", "r.html", "-o", "r.xlsx"]) == 0
    assert 'class="item ' not in (project / "r.html").read_text()
    files = sorted(path.name for path in (project / "r-outputs").iterdir())
    assert files == ["010-a.txt", "011-a.txt"]


@pytest.mark.parametrize("ending", [".html", ".md", ".json", ".csv", ".xlsx"])
def test_the_same_run_gives_the_same_bytes(ending: str, project: Path) -> None:
    snapshot = hostile().snapshot()
    made = [files_of(Path(f"r{ending}"), Shown(analyze(snapshot), snapshot, Redaction())) for _ in range(2)]
    assert made[0] == made[1]


@pytest.mark.long
def test_parquet_has_the_columns_of_csv(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With pyarrow in a place of its own, since pandas keeps texts in another way where it finds it."""
    apart = Path(sys.prefix) / "parquet"
    if not (apart / "pyarrow").is_dir():
        lacking("pyarrow is not in .venv/parquet; `make test` puts it there")
    code = (
        "import sys; sys.path.append(sys.argv.pop(1)); from evalkit.cli import main; code = main(sys.argv[1:])\n"
        "import pandas; frame = pandas.read_parquet('r.parquet')\n"
        "print(list(frame), list(frame['item_id'])); sys.exit(code)"
    )
    argv = [str(apart), "report", "r.db", "-q", "-o", "r.parquet", "-o", "r.csv"]
    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    columns = next(csv.reader(io.StringIO((project / "r.csv").read_text(encoding="utf-8"))))
    assert str(columns) in done.stdout
    assert "['=1+1', '+1'," in done.stdout, "no quote is put before what nothing would run"


def test_parquet_without_pyarrow_is_one_clear_line(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["report", "r.db", "-o", "r.parquet"]) == 2
    line = capsys.readouterr().err.splitlines()[0]
    assert line == "error: 'r.parquet' needs pyarrow; install evalkit-claude[parquet], or write .csv or .xlsx"
