"""`evalkit grade` by people on the command line: who is asked, what is refused, how it ends."""

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from evalkit.cli import main
from evalkit.cli.grade_people import PORT, default_grader
from evalkit.desk import Desk, Mark, open_for_people
from evalkit.errors import InfrastructureError
from evalkit.listening import listen
from evalkit.rounds import people_of, settings_of
from evalkit.store import RunFile
from tests import builders, people


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return people.write(tmp_path / "run.db", 2)


def finish(path: Path, *names: str) -> None:
    """Let people grade all there is, without a page."""
    with RunFile(path) as run:
        desk = Desk(run, open_for_people(run, blind=True))
        for name in names:
            desk.join(name)
            for label in desk.pile(name).trials:
                for criterion in desk.criteria:
                    mark = Mark(f"{label}{criterion.id}", label, "level", {"criterion": criterion.id, "level": 1})
                    desk.take(name, mark)
                desk.take(name, Mark(f"{label}done", label, "done"))


def interrupted(path: Path, links: int, *options: str, before: str = "") -> tuple[int, str, str]:
    """Run the command, after a line of Python, until so many links are there, then Ctrl-C."""
    start = f"import sys, signal\n{before}\nfrom evalkit.cli import main\nsys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", start, "grade", str(path), "--no-browser", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = "".join(process.stdout.readline() for _ in range(links))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
        return process.returncode, first + out, err


@pytest.mark.long
def test_each_person_gets_a_link_and_ctrl_c_says_how_to_go_on(path: Path) -> None:
    code, out, err = interrupted(path, 2, "--grader", "ann", "--grader", "ben", "--overlap", "1", "--side-by-side")
    assert code == 130
    links = re.findall(r"(\w+) +http://127\.0\.0\.1:(\d+)/login\?t=[\w-]{22} +(\d+) of \d+ outputs", out)
    assert [name for name, _, _ in links] == ["ann", "ben"]
    assert re.search(r"outputs left: ann \d, ben \d; go on with `evalkit grade \S+ --port \d+ --by people`", err)
    with RunFile(path, read_only=True) as run:
        settings = settings_of(run.snapshot(), 1)
    assert (settings.overlap, settings.layout, settings.repeat_share) == (1, "side", 0.05)
    code, out, _ = interrupted(path, 2, "--by", "people", "--ask-author")
    assert [line.split()[0] for line in out.splitlines()] == ["ann", "ben"]
    with RunFile(path, read_only=True) as run:
        again = settings_of(run.snapshot(), 1)
    assert (again.overlap, again.layout, again.ask_author) == (1, "side", True)


@pytest.mark.long
def test_a_page_in_a_scripts_background_is_interrupted_and_its_round_stays_open(path: Path) -> None:
    ignored = "signal.signal(signal.SIGINT, signal.SIG_IGN)"  # as a shell starts what ends in &
    code, out, err = interrupted(path, 1, "--grader", "ann", before=ignored)
    assert (code, "closed" in out) == (130, False)
    assert re.search(r"outputs left: ann \d+; go on with", err)
    with RunFile(path, read_only=True) as run:
        assert "closed" not in [event.kind for event in run.snapshot().events]


@pytest.mark.long
def test_enter_at_the_pages_terminal_prints_a_new_link_and_voids_an_unused_one(path: Path) -> None:
    keyboard, terminal = pty.openpty()
    command = [sys.executable, "-m", "evalkit", "grade", str(path), "--no-browser", "--port", "0"]
    with subprocess.Popen(
        [*command, "--grader", "ann", "--grader", "ben"], stdin=terminal, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            first = [process.stdout.readline().split()[1] for _ in range(2)]
            said = []
            for line in (b"\n", b"cy\n", b"ben\n", b"ben\n"):
                os.write(keyboard, line)
                said.append(process.stdout.readline())
            links = [first[1], *(line.split()[1] for line in said[2:])]
            answers = [httpx2.get(link, follow_redirects=False).status_code for link in (*links, links[2], first[0])]
        finally:
            process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=300)[1]
    os.close(keyboard)
    os.close(terminal)
    assert said[0] == "for a new link type a name and Enter: ann, ben\n"
    assert said[1].startswith("'cy' does not take part; ")
    assert len(set(links)) == 3
    assert answers == [401, 401, 303, 401, 303]
    assert "a name and Enter prints a new one" in err


def test_when_all_is_graded_the_round_is_closed(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finish(path, "ann")
    assert main(["grade", str(path), "--by", "people", "--no-browser", "--port", "0"]) == 0
    assert f"next: evalkit report {path}" in capsys.readouterr().out
    with RunFile(path, read_only=True) as run:
        assert [event.kind for event in run.snapshot().events][-1] == "closed"


def test_whoever_gives_no_name_gets_one_that_is_theirs_and_not_their_login(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Graders are named in reports, which tell nothing of the machine or its users."""
    names = []
    for login, host in (("zaphod", "one"), ("trillian", "one"), ("zaphod", "other"), ("zaphod", "one")):
        monkeypatch.setattr("getpass.getuser", lambda login=login: login)
        monkeypatch.setattr("socket.gethostname", lambda host=host: host)
        names.append(default_grader())
    assert main(["grade", str(path), "--by", "people", "--export", str(path.with_name("s.csv"))]) == 0
    assert names[0] == names[3]
    assert len(set(names)) == 3, "nobody who knows a login alone can tell whose name it is"
    with RunFile(path, read_only=True) as run:
        assert people_of(run.snapshot(), 1) == (names[0],)
    assert re.fullmatch(r"grader-[0-9a-f]{4}", names[0])


def test_a_round_is_closed_by_hand_once(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RunFile(path) as run:
        Desk(run, open_for_people(run, blind=True)).join("ann")
    assert main(["grade", str(path), "--close"]) == 0
    assert "closed: round 1" in (said := capsys.readouterr().out)
    assert "with ungraded outputs: ann 6" in said
    assert main(["grade", str(path), "--close"]) == 2
    assert "no open round of people" in capsys.readouterr().err


def test_of_two_open_rounds_the_one_to_close_is_named(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RunFile(path) as run:
        for blind, name in ((True, "ann"), (False, "ben")):
            Desk(run, open_for_people(run, blind)).join(name)
    told = "say which with --close --round 1 (blind: ann) or --round 2 (not blind: ben)"
    for more, what in (((), "2 rounds are open to people"), (("--round", "3"), "round 3 is not open to people")):
        assert main(["grade", str(path), "--close", *more]) == 2
        assert f"{what}; {told}" in capsys.readouterr().err
    assert main(["grade", str(path), "--close", "--round", "1"]) == 0
    assert "closed: round 1" in (said := capsys.readouterr().out)
    assert "still open to people: round 2" in said
    assert main(["grade", str(path), "--close"]) == 0
    assert "closed: round 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--grader", "ann", "--judge", "m"], "--grader is for people and --judge for judges"),
        (["--by", "people", "--budget-usd", "3"], "--budget-usd has no meaning when people grade"),
        (["--by", "judges", "--overlap", "2"], "--overlap has no meaning when judges grade"),
        (["--grader", "judge x"], "cannot be used"),
        (["--by", "nobody"], "'nobody' is not one of"),
    ],
)
def test_options_that_do_not_go_together_are_named(
    options: list[str], told: str, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["grade", str(path), *options]) == 2
    assert told in capsys.readouterr().err


def test_the_page_is_served_on_this_machine_alone_and_no_option_says_otherwise(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = []

    def refused(host: str, port: int) -> None:
        hosts.append((host, port))
        raise InfrastructureError("not here; elsewhere")

    monkeypatch.setattr("evalkit.listening.listen", refused)
    monkeypatch.setattr("evalkit.cli.grade_people.listen", refused, raising=False)
    assert main(["grade", str(path), "--grader", "ann", "--no-browser", "--port", "0"]) == 5
    assert hosts == [("127.0.0.1", 0)]
    assert main(["grade", str(path), "--host", "0.0.0.0"]) == 2  # noqa: S104  which is what must not be possible
    assert "No such option: --host" in capsys.readouterr().err


def test_a_taken_port_and_a_run_in_use_are_one_line(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert main(["grade", str(path), "--grader", "ann", "--no-browser", "--port", str(port)]) == 5
    assert f"cannot listen on 127.0.0.1:{port} (Address already in use); choose another" in capsys.readouterr().err
    with RunFile(path) as other, other.only_writer("grade people"):
        assert main(["grade", str(path), "--grader", "ann", "--no-browser", "--port", "0"]) == 6
    assert "is in use by another evalkit command" in capsys.readouterr().err
    assert PORT > 1024


def test_a_rubric_of_checks_alone_has_nothing_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = people.write(tmp_path / "run.db", 1, builders.rubric(builders.checked("format")))
    assert main(["grade", str(path), "--by", "people"]) == 2
    assert "nothing for people to grade" in capsys.readouterr().err
