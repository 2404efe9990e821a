"""The terminal prints names as they are: nothing in them is markup, an emoji, or a sign that steers what follows."""

import ast
import io
import re
from pathlib import Path

import pytest
from analysis_builders import HAIKU, SONNET, Book, answered, spec, write_run
from rich.table import Table
from rich.text import Text

from evalkit.cli import main
from evalkit.cli.progress_table import drawing, screen
from evalkit.cli.tally import Ahead, Tally
from evalkit.cli.terminal import WIDE, console, in_shell, say
from evalkit.errors import ExitCode
from evalkit.tty.view import wrapped

NAMES = ("qwen[int8]", "qwen[int4]", "llama[/b]", ":warning:-x", "\u202eledom\u2066")
TAG = "[/refund]"
SPELLED = str.maketrans({"\u202e": "⟦U+202E⟧", "\u2066": "⟦U+2066⟧"})


def graded(path: Path, models: tuple[str, ...], later: int = 0, items: int = 20) -> Path:
    """Items, some of them with a tag; the models pass by turns, one more of the `later` ones."""
    book = Book(spec(models))
    for i in range(items):
        book.item(f"i{i}", difficulty="hard" if i % 2 else "easy", tags=(f"x={TAG}",) if i % 4 < 2 else ())
        for place, model in enumerate(models):
            level = int(i % (place + 2) > 0 or i < later)
            book.trial(f"i{i}", answered(0.01 * (place + 1) + i / 1e4, 1 + i / 10), model=model, level=level)
    return write_run(path, book.snapshot())


@pytest.mark.long
@pytest.mark.parametrize("command", ["report", "compare", "route", "signals"])
def test_every_table_of_a_run_has_the_names_as_they_are(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = [str(graded(tmp_path / "now[1].db", NAMES, later=3))]
    if command == "compare":
        runs.insert(0, str(graded(tmp_path / "then.db", NAMES)))
    assert main([command, *runs, *(["-o", "out[x].md"] if command == "report" else [])]) == ExitCode.PASS
    shown = capsys.readouterr().out
    named = NAMES if command != "signals" else ()
    assert [name for name in named if name.translate(SPELLED) not in shown] == []
    assert not {"\u202e", "\u2066"} & set(shown)
    assert command != "report" or "out[x].md" in shown


def test_a_tag_is_shown_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["signals", str(graded(tmp_path / "run.db", (HAIKU, SONNET), items=60))]) == ExitCode.PASS
    assert TAG in capsys.readouterr().out


def printed(*cells: str) -> str:
    table = Table(*cells, caption=cells[0], title=cells[0])
    table.add_row(*cells)
    stream = io.StringIO()
    console(file=stream).print(table)
    return stream.getvalue()


@pytest.mark.parametrize("text", [*NAMES, "[bold]x[/bold]", "[link=http://x.example]x[/link]", "\x1b[31mred", "\\[b]"])
def test_no_part_of_a_table_reads_text_as_anything_else(text: str) -> None:
    spelled = text.translate(SPELLED).replace("\x1b", "⟦U+001B⟧")
    assert printed(text, "y").count(spelled) == 4, "title, heading, cell, caption"


def test_lines_the_live_table_and_the_grading_screen_spell_out_what_is_invisible(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say("a\u202eb\x1b[2J")
    assert capsys.readouterr().out == "a⟦U+202E⟧b⟦U+001B⟧[2J\n"
    live = screen()
    live.width = WIDE
    tally = Tally({"qwen[int8]\u202e": Ahead(3)})
    live.print(drawing(tally, 1.0, "said [/b] \u202e", live))
    shown = capsys.readouterr().err
    assert "qwen[int8]⟦U+202E⟧" in shown
    assert "said [/b] ⟦U+202E⟧" in shown
    assert [*wrapped("What\u202e?", 80)] == ["What⟦U+202E⟧?"]


@pytest.mark.long
def test_no_command_prints_past_the_one_place_that_knows_this(root: Path) -> None:
    """A console, or a line that is no JSON, made elsewhere would be the next to read a name as markup."""
    found = []
    for file in sorted((root / "evalkit" / "cli").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if file.name == "terminal.py" or not isinstance(node, ast.Call):
                continue
            called, whole = ast.unparse(node.func), ast.unparse(node)
            machine = re.search(r"json|JSON|schemas|_rendered", whole)
            if called in ("Console", "Text.from_markup", "rich.print") or (called == "typer.echo" and not machine):
                found.append(f"{file.name}:{node.lineno}: {whole}")
            if called == "Text" and not re.match(r"Text\((visible\(|check\.outcome)", whole):
                found.append(f"{file.name}:{node.lineno}: {whole}")
    assert found == []
    assert str(Text("[b]")) == "[b]"


@pytest.mark.parametrize(
    ("path", "typed"),
    [("runs/a.db", "runs/a.db"), ("-a.db", "./-a.db"), ("-a b.db", "'./-a b.db'"), ("it's", "'it'\"'\"'s'")],
)
def test_a_path_is_printed_as_it_is_to_be_typed(path: str, typed: str) -> None:
    assert in_shell(Path(path)) == typed
