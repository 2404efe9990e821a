"""Reading a run file on a full disk works, and what cannot be written is named by its own name."""

import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from needs import DEV_FULL
from servers import recorded
from test_run import run_files, settled, snapshot, write_tiny

from evalkit.cli import main
from evalkit.errors import ExitCode
from evalkit.executors.kept_back import KeptBack
from evalkit.records import AttemptStart
from evalkit.sandbox.server import SandboxSettings
from evalkit.store import RunFile

HAIKU = "claude-haiku-4-5-20251001"


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    with recorded() as server:
        assert main(["run", str(write_tiny(tmp_path, 2)), "-q", "-m", HAIKU, "--base-url", server.url]) == 0
    (path,) = run_files()
    return path


def without_room(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """A command that can make files but put nothing of weight into them."""

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))

    command = [sys.executable, "-B", "-m", "evalkit", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, preexec_fn=no_room)


@pytest.mark.long
def test_a_report_that_finds_no_room_is_named_and_the_run_file_is_not(ran: Path) -> None:
    before = ran.read_bytes()
    ended = without_room("report", str(ran), "-q", "-o", "answer.html")
    error, code = ended.stderr.splitlines()
    assert error.startswith("error: 'answer.html' cannot be written (")
    assert str(ran) not in error
    assert code == "exit 5: provider"
    assert not Path("answer.html").exists()
    assert ran.read_bytes() == before


@pytest.mark.long
def test_a_run_is_shown_on_a_full_disk(ran: Path) -> None:
    ended = without_room("runs", str(ran))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "tiny" in ended.stdout


@pytest.mark.long
def test_a_log_that_cannot_be_read_on_a_full_disk_is_not_passed_over(ran: Path) -> None:
    log = ran.with_name(f"{ran.name}-wal")
    log.write_bytes(b"\x37\x7f\x06\x82" + bytes(2000))  # as after a crash
    ended = without_room("report", str(ran), "-q", "-o", "answer.html")
    assert ended.stderr.startswith(f"error: {ran} cannot be read with the log beside it (")
    assert log.exists()


def filling_up(monkeypatch: pytest.MonkeyPatch, *, keeps: bool) -> None:
    """A disk that is full once twelve requests have been recorded, but for what is kept back, if anything is."""
    start, give_up, opened = RunFile.start_attempt, KeptBack.give_up, list[RunFile]()

    def started(run: RunFile, begun: AttemptStart) -> int:
        id_ = start(run, begun)
        if id_ == 12:
            (pages,) = run._db.execute("PRAGMA page_count").fetchone()
            run._db.execute(f"PRAGMA max_page_count = {pages}")
            opened.append(run)
        return id_

    def given_up(kept: KeptBack) -> bool:
        if keeps:
            for run in opened:
                run._db.execute("PRAGMA max_page_count = 100000")
        return give_up(kept) and keeps

    monkeypatch.setattr(RunFile, "start_attempt", started)
    monkeypatch.setattr(KeptBack, "give_up", given_up)


@pytest.mark.long
@pytest.mark.parametrize("keeps", [True, False])
def test_what_is_in_flight_when_the_disk_fills_up_is_recorded_or_told(
    keeps: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with recorded(SandboxSettings(speed=20)) as server:
        command = ["run", str(write_tiny(tmp_path, 60)), "-q", "-m", HAIKU, "--base-url", server.url, "-j", "8"]
        with monkeypatch.context() as patch:
            filling_up(patch, keeps=keeps)
            assert main(command) == ExitCode.PROVIDER
        said = capsys.readouterr().err
        assert "cannot grow (database or disk is full)" in said
        first, sent = snapshot(), len(server.messages())
        ended = [attempt for attempt in first.attempts if attempt.outcome is not None]
        lost = re.search(
            r"(\d+) answers that had come could not be recorded \(\$0\.\d+\) and will be asked for again", said
        )
        assert 12 <= sent < 60
        assert len(ended) + (int(lost[1]) if lost else 0) == sent
        assert (lost is None) == keeps
        assert main(command) == 0
        assert len(server.messages()) == 60 + sent - len(ended)
    assert settled(snapshot()) == {trial.id for trial in first.trials}
    assert [path.name for path in Path("runs").iterdir() if "kept" in path.name] == []


@DEV_FULL
def test_a_run_does_not_start_without_room_for_what_would_be_in_flight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".x.db.kept-back").symlink_to("/dev/full")
    with recorded() as server:
        command = ["run", str(write_tiny(tmp_path, 2)), "-q", "-m", HAIKU, "--base-url", server.url, "-j", "8"]
        assert main([*command, "-o", "x.db"]) == ExitCode.PROVIDER
        assert "less than 576 kB beside it for the answers of 8 requests at once" in capsys.readouterr().err
        assert server.messages() == []
        assert main([*command, "-o", "x.db"]) == 0


@pytest.mark.usefixtures("ran")
def test_room_is_kept_for_answers_as_long_as_an_item_allows() -> None:
    one = json.loads(Path("tiny.jsonl").read_text(encoding="utf-8").splitlines()[0])
    Path("tiny.jsonl").write_text(json.dumps(one | {"params": {"max_tokens": 60_000}}), encoding="utf-8")
    found: list[int] = []

    def looked(_: int, __: object) -> None:
        found.extend(path.stat().st_size for path in Path().glob(".x.db.kept-back"))

    with recorded(fault=looked) as server:
        assert main(["run", "tiny.jsonl", "-q", "-m", "claude-sonnet-4-6", "--base-url", server.url, "-o", "x.db"]) == 0
    assert found[0] > 8 * 200_000, "an answer of 60,000 tokens may have 200 kB and more, and eight may be in flight"
