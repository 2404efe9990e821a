"""Results are withheld while people grade, a peek is on record, and so is every showing, once."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evalkit.cli import main
from evalkit.desk import Desk, Mark, close_round, open_for_people
from evalkit.records import RoundEvent, Snapshot
from evalkit.rounds import Settings
from evalkit.store import RunFile
from tests import people

ITEMS = 4


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return people.write(tmp_path / "run.db", ITEMS)


@pytest.fixture
def report(path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def run(*more: str) -> tuple[int, str]:
        code = main(["report", str(path), "-o", "r.html", "-o", "r.json", *more])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def graded(path: Path, outputs: int, *names: str, author: bool = False) -> None:
    """People join, and each of them grades so many of the outputs."""
    with RunFile(path) as run:
        desk = Desk(run, open_for_people(run, blind=True, settings=Settings(ask_author=author)))
        for person in names:
            desk.join(person)
            tasks = [task for sitting in desk.pile(person).sittings for task in sitting]
            for n, task in enumerate(tasks[:outputs]):
                for criterion in desk.criteria:
                    content = {"criterion": criterion.id, "level": 1}
                    desk.take(person, Mark(f"{person}{n}{criterion.id}", task.label, "level", content, 2.0))


def guessed(path: Path, person: str) -> None:
    with RunFile(path) as run:
        desk = Desk(run, open_for_people(run, blind=True))
        for label in desk.pile(person).trials:
            desk.take(person, Mark(f"done{label}", label, "done"))
        desk.ask_who_wrote(person)
        for label in desk.pile(person).trials:
            desk.take(person, Mark(f"{person}{label}", label, "author", {"guess": None}))


def snapshot(path: Path) -> Snapshot:
    with RunFile(path, read_only=True) as run:
        return run.snapshot()


def events(path: Path) -> list[tuple[str, int | None, str | None]]:
    happened: Iterator[RoundEvent] = (e for e in snapshot(path).events if e.kind in ("shown", "closed"))
    return [(e.kind, e.round_id, e.content.get("how", e.content.get("why"))) for e in happened]


def test_results_are_withheld_while_people_grade(path: Path, report: Callable[..., tuple[int, str]]) -> None:
    graded(path, 5, "ann", "ben")
    code, said = report()
    assert code == 2
    assert "round 1 is still being graded by people (14 of 24 outputs left)" in said
    assert "evalkit grade --close" in said
    assert "--peek, which is recorded" in said or "--peek`, which is recorded" in said
    assert not Path("r.html").exists()
    assert events(path) == []


@pytest.mark.parametrize("command", [["plan", "--run"], ["report", "-o", "r.csv", "--baseline"]])
def test_no_other_way_to_results(
    command: list[str], path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    graded(path, 5, "ann")
    other = people.write(tmp_path / "other.db", ITEMS)
    assert main([*command, str(path), *([str(other)] if "report" in command else [])]) == 2
    assert "still being graded by people" in capfd.readouterr().err


def test_a_comparison_is_withheld_and_peeked_at_by_its_own_command(
    path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    other = people.write(tmp_path / "other.db", ITEMS)
    graded(path, 5, "ann")
    for runs in ((path, other), (other, path)):
        assert main(["compare", *map(str, runs)]) == 2
        assert "look now with `evalkit compare --peek`, which is recorded" in capfd.readouterr().err
        assert events(path) == []
    page = path.with_name("c.html")
    assert main(["compare", str(path), str(other), "--peek", "-q", "-o", str(page)]) == 0
    assert len(re.findall(r"<code>evalkit compare [^<]+ --peek</code>", page.read_text())) == 1
    assert events(path) == [("shown", 1, "peek")]


def test_a_peek_shows_and_is_recorded_once_for_each_state(path: Path, report: Callable[..., tuple[int, str]]) -> None:
    graded(path, 5, "ann")
    code, said = report("--peek")
    assert code == 0
    assert "! PEEK: people are still grading" in said
    first = Path("r.html").read_bytes(), Path("r.json").read_bytes()
    assert report("--peek")[0] == 0
    assert (Path("r.html").read_bytes(), Path("r.json").read_bytes()) == first
    assert events(path) == [("shown", 1, "peek")]
    graded(path, 6, "ann")
    report("--peek")
    assert events(path) == [("shown", 1, "peek")] * 2
    assert [g.after_results for g in snapshot(path).grades] == [False] * 10 + [True] * 2


def test_when_everybody_has_finished_the_report_closes_the_round(
    path: Path, report: Callable[..., tuple[int, str]]
) -> None:
    graded(path, 5, "ann")
    report("--peek")
    graded(path, 3 * ITEMS, "ann")
    assert report()[0] == 0
    assert events(path) == [("shown", 1, "peek"), ("closed", 1, "everybody has finished"), ("shown", 1, "report")]
    first = Path("r.html").read_bytes()
    assert report()[0] == 0
    assert Path("r.html").read_bytes() == first
    assert len(events(path)) == 3
    grading = json.loads(Path("r.json").read_text())["analysis"]["grading"]
    closed = next(e.at for e in snapshot(path).events if e.kind == "closed")
    assert (grading["closed_at"], len(grading["peeks"]), grading["after_results"]) == (closed, 1, 14)
    page = Path("r.html").read_text()
    assert f"after the round was closed, {closed}" in page
    assert "looked at before with --peek" in page
    assert "14 grades by people came after results of this run had been shown" in page


def test_a_closed_round_is_shown_whoever_has_not_finished(path: Path, report: Callable[..., tuple[int, str]]) -> None:
    graded(path, 5, "ann")
    with RunFile(path) as run:
        close_round(run, 1, "closed by hand")
    assert report()[0] == 0
    assert "nobody peeked before" in Path("r.html").read_text()
    assert json.loads(Path("r.json").read_text())["analysis"]["grading"]["after_results"] == 0


def test_who_wrote_them_is_waited_for_where_it_is_asked(path: Path, report: Callable[..., tuple[int, str]]) -> None:
    graded(path, 3 * ITEMS, "ann", author=True)
    code, said = report()
    assert code == 2
    assert "who wrote them has not been answered for 12 of 12 outputs" in said
    guessed(path, "ann")
    assert report()[0] == 0


def test_a_file_that_cannot_be_written_is_shown_without_a_record_and_not_peeked_at(
    path: Path, report: Callable[..., tuple[int, str]]
) -> None:
    path.chmod(0o444)
    before = path.read_bytes()
    assert report()[0] == 0
    assert path.read_bytes() == before
    path.chmod(0o644)
    graded(path, 5, "ann")
    path.chmod(0o444)
    assert report()[0] == 2
    code, said = report("--peek")
    assert code == 5
    assert "is read-only, so a peek cannot be recorded" in said
    assert events(path) == []


def test_a_file_beside_which_no_log_can_be_kept_is_shown_and_not_peeked_at(
    path: Path, report: Callable[..., tuple[int, str]]
) -> None:
    path.with_name(f"{path.name}-shm").mkdir()
    assert report()[0] == 0
    assert report("--peek")[0] == 5
    path.with_name(f"{path.name}-shm").rmdir()
    assert events(path) == []


def test_a_report_before_any_grade_marks_those_to_come(path: Path, report: Callable[..., tuple[int, str]]) -> None:
    assert report()[0] == 0
    assert events(path) == [("shown", None, "report")]
    graded(path, 1, "ann")
    assert all(grade.after_results for grade in snapshot(path).grades)
