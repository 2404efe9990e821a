"""Grading in a real pseudo-terminal: keys and marks as on the page, texts that cannot act, time, and resuming."""

import os
import re
import signal
from pathlib import Path

import pytest
from rich.cells import cell_len

from evalkit.desk import Desk, open_for_people
from evalkit.rounds import Settings, is_closed
from evalkit.store import RunFile
from evalkit.tty.view import wrapped
from evalkit.tty.walk import NOTHING, Walk
from tests import people
from tests.sheets import grade, grades, told_of_authors
from tests.terminals import Terminal, terminal

KEYS = ("2", "c", "\r")
"""One output: the first criterion, the second, done."""


def plain(frame: str) -> list[str]:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", frame).split("\r\n")


def grade_one(opened: Terminal, number: int, keys: tuple[str, ...] = KEYS) -> None:
    opened.until(rf"^Output {number} of ")
    for key in keys:
        opened.press(key)


@pytest.mark.long
@pytest.mark.parametrize("columns", [80, 60])
def test_a_pile_is_graded_by_keys_alone_and_fits_the_terminal(tmp_path: Path, columns: int) -> None:
    long = "Wide words and 漢字 in a long line. " * 60
    run = people.write(tmp_path / "run.db", 2, output=lambda n, model: people.confessing(n, model) + long)
    with terminal("grade", run, "--tty", "--grader", "ann", "--repeat-share", "0", columns=columns, cwd=tmp_path) as t:
        for number in range(1, 7):
            grade_one(t, number)
        t.until("That was the last one")
        t.press("\r")
        t.until("everybody has graded, and the round is closed")
        assert t.end() == 0
        frames = t.frames()
    assert len(frames) >= 18
    for frame in frames:
        lines = plain(frame.split("\x1b[?1049l")[0])
        assert len(lines) <= 30
        assert max(map(cell_len, lines)) <= columns
    assert {row[2:] for row in grades(run) if row[0] == "ann"} == {
        ("correct", 2, None), ("tone", None, "the grader could not tell"),
    }  # fmt: skip
    assert len([row for row in grades(run) if row[0] == "ann"]) == 12
    assert told_of_authors("".join(frame.split("\x1b[?1049l")[0] for frame in frames).encode(), run) == []
    with RunFile(run, read_only=True) as file:
        markings, closed = file.snapshot().markings, is_closed(file.snapshot(), 1)
    assert closed
    assert [m.kind for m in markings] == ["level", "level", "done"] * 6
    assert all(m.active_s is not None and m.active_s < 60 for m in markings)


@pytest.mark.long
def test_what_was_marked_is_there_after_a_kill_and_the_same_command_goes_on(tmp_path: Path) -> None:
    run = people.write(tmp_path / "run.db", 2)
    command = ("grade", run, "--tty", "--grader", "ann", "--repeat-share", "0")
    with terminal(*command, cwd=tmp_path) as t:
        grade_one(t, 1)
        grade_one(t, 2, ("1",))
        t.until("Correct 1  Tone -")
        t.process.send_signal(signal.SIGKILL)
        t.end()
    with terminal(*command, cwd=tmp_path) as t:
        t.until(r"^Output 2 of 6[^\f]*Correct 1  Tone -")  # a screen may come in several pieces
        t.press("q")
        assert t.end() == 130
        assert "5 outputs left" in t.screen()
        assert "--tty --grader ann" in t.screen()
    with terminal(*command, cwd=tmp_path) as t:
        t.until("^Output 2 of 6")
        os.kill(t.process.pid, signal.SIGINT)
        assert t.end() == 130


def test_undo_skip_flag_note_list_and_help(tmp_path: Path) -> None:
    run = people.write(tmp_path / "run.db", 2)
    with terminal("grade", run, "--tty", "--grader", "ann", "--repeat-share", "0", cwd=tmp_path) as t:
        grade_one(t, 1, ("\r",))
        t.until("2 left: Correct, Tone")
        t.press("1")
        t.until("Correct 1")
        t.press("u")
        t.until("Undone: Correct(.|\n)*Correct -|Correct -(.|\n)*Undone: Correct")
        t.press("f")
        t.until("Flagged")
        t.press("n2 late, ü\x7fö\r")
        t.until("Note saved")
        t.press("e")
        t.until("Outputs are edited on the page only")
        t.press("?")
        t.until("no edit box here(.|\n)*Any key goes back")
        t.press(" s")
        t.until("^Output 2 of 6")
        t.press("l1\r")
        t.until("^Output 1 of 6 · flagged · note")
        t.press("\x1b[B")
        t.until("> Tone")
        t.press("\x1b[A9")
        t.until("> Correct")
        t.resize(60, 24)
        t.until(r"(?m)^─{60}$")
        t.press("q")
        assert t.end() == 130
    with RunFile(run, read_only=True) as file:
        snapshot = file.snapshot()
    kinds = [(m.kind, dict(m.content)) for m in snapshot.markings if m.kind != "time"]
    assert kinds == [
        ("level", {"criterion": "correct", "level": 1}), ("level", {"criterion": "correct"}), ("flag", {"on": True}),
        ("note", {"text": "2 late, ö"}), ("skip", {}),
    ]  # fmt: skip


def hostile(item: int, model: str) -> str:
    return "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil\u2066\x00[bold]not bold[/bold] " + "x" * 300_000


@pytest.mark.long
def test_texts_cannot_act_on_the_terminal_and_long_ones_can_be_paged(tmp_path: Path) -> None:
    run = people.write(tmp_path / "run.db", 1, output=hostile)
    with terminal("grade", run, "--tty", "--grader", "ann", cwd=tmp_path) as t:
        screen = t.until("not bold")
        shown = "⟦U+001B⟧]0;owned⟦U+0007⟧⟦U+001B⟧[2J⟦U+009B⟧31m⟦U+202E⟧evil⟦U+2066⟧⟦U+0000⟧[bold]not bold[/bold]"
        assert shown in screen.replace("\n", "")
        t.press(" ")
        t.until(r"line [2-9]\d?-")
        t.press("b")
        t.until("line 1-")
        t.press("\x1b[F")
        t.until(r"line \d+-(\d+) of \1")
        t.press("j")
        t.until(r"\nDocument b.md \(evidence\)\n")
        t.press("/case 0\r")
        t.until("1 of 1")
        t.press("/nowhere\r")
        t.until("Not found")
        t.press("q")
        t.end()
        raw = t.seen
    codes = set(re.findall(r"\x1b[^a-zA-Z]*[a-zA-Z]", raw))
    assert {code for code in codes if not re.fullmatch(r"\x1b\[[0-9;]*m", code)} == {
        "\x1b[H", "\x1b[2J", "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25l", "\x1b[?25h",
    }  # fmt: skip
    assert not set(raw) & set("\x00\x07\x9b\u202e\u2066")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    with RunFile(people.write(tmp_path / "run.db", 2)) as run:
        made = Desk(run, open_for_people(run, True, Settings(layout="side", ask_author=True)))
        made.join("ann")
        yield made


def test_seconds_are_those_of_attention_and_a_pause_counts_for_a_minute(desk: Desk) -> None:
    now = 0.0
    walk = Walk(desk, "ann", lambda: now)
    label = walk.cell.label
    now = 12.5
    walk.answer("1")
    assert desk.standing("ann")[label].active_s == 12.5
    now += 4000
    walk.noticed()
    now += 5
    walk.flag()
    walk.note("x")
    assert desk.standing("ann")[walk.cell.label].active_s == 60 + 5
    now += 30
    walk.show(1)
    assert sum(stands.active_s for stands in desk.standing("ann").values()) == 12.5 + 65 + 30


def test_side_by_side_asks_for_each_output_and_pair_and_when_all_is_graded_for_the_authors(desk: Desk) -> None:
    walk = Walk(desk, "ann", lambda: 0.0)
    assert [len(question.cells) for question in walk.questions] == [3, 3, 1, 1, 1]
    first = walk.screen
    for _ in range(6):
        assert walk.answer("2")
    for key in ("1", "2", "3"):
        assert walk.answer(key)
    assert not walk.answer("7")
    walk.next()
    assert walk.at == 1
    for key in "210120123":
        walk.answer(key)
    assert not walk.last_question
    walk.next()
    assert (walk.finished, walk.last_question, walk.asking) == (True, True, False)
    walk.ask()
    assert (walk.at, walk.asking, walk.last_question) == (0, True, False)
    walk.undo()
    assert walk.said == "Nothing to undo"
    assert [walk.value(cell) for cell in walk.cells] == [NOTHING] * 3
    for key in ("1", "c", "2"):
        walk.answer(key)
    walk.undo()
    walk.answer("3")
    walk.next()
    assert walk.at == 1
    assert walk.is_done(first)
    a, b, c = (desk.standing("ann")[label] for label in first.labels)
    assert (dict(a.preferred), dict(b.preferred)) == (
        {first.labels[1]: "first", first.labels[2]: "tie"}, {first.labels[2]: "second"},
    )  # fmt: skip
    assert (a.author, b.author, c.author) == (desk.authors("ann")[0], None, desk.authors("ann")[2])
    assert a.done
    assert b.done
    assert c.done


def test_the_last_question_is_put_after_all_grades_and_no_screen_before_it_names_a_model(tmp_path: Path) -> None:
    run = people.write(tmp_path / "run.db", 1)
    more = ["--ask-author", "--repeat-share", "0"]
    with terminal("grade", run, "--tty", "--grader", "ann", *more, cwd=tmp_path) as t:
        for number in (1, 2, 3):
            t.until(rf"^Output {number} of 3")
            t.press("21\r")
        t.until("your grades stand as they are")
        assert told_of_authors(t.seen.encode(), run) == []
        t.press("\r")
        for number in (1, 2, 3):
            t.until(rf"^Output {number} of 3")
            t.press(f"{number}\r")
        t.until("Enter  hand in")
        t.press("\r")
        assert t.end() == 0
    with RunFile(run, read_only=True) as file:
        snapshot = file.snapshot()
    assert [m.content["guess"] for m in snapshot.markings if m.kind == "author"] == sorted(snapshot.spec.models)
    assert [e.kind for e in snapshot.events][-1] == "closed"


def test_skipped_ones_come_again_at_the_end(desk: Desk) -> None:
    walk = Walk(desk, "ann", lambda: 0.0)
    walk.skip()
    assert walk.at == 1
    walk.skip()
    assert walk.at == 0
    for _ in range(9):
        walk.answer("1")
    walk.next()
    for _ in range(3):
        walk.answer("c")
    walk.next()
    assert walk.at == 1
    walk.skip()
    assert walk.said == "This is the only one left"


@pytest.mark.parametrize("text", ["", "a b", "word " * 40, "x" * 95, "漢" * 33, "a\n\n  b  c\td"])
def test_wrapping_fits_and_loses_nothing(text: str) -> None:
    lines = list(wrapped(text, 20))
    assert max(map(cell_len, lines)) <= 20
    assert re.sub(r"\s", "", "".join(lines)) == re.sub(r"\s", "", text)


def test_without_a_terminal_it_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = people.write(tmp_path / "run.db", 1)
    assert grade(run, "--tty", "--grader", "ann") == 2
    assert "needs a terminal" in capsys.readouterr().err
    assert grade(run, "--tty", "--grader", "ann", "--grader", "ben") == 2
