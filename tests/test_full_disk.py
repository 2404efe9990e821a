"""Reading a run file on a full disk works, and what cannot be written is named by its own name."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from servers import recorded
from test_run import run_files, write_tiny

from evalkit.cli import main

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


def test_a_report_that_finds_no_room_is_named_and_the_run_file_is_not(ran: Path) -> None:
    before = ran.read_bytes()
    ended = without_room("report", str(ran), "-q", "-o", "answer.html")
    error, code = ended.stderr.splitlines()
    assert error.startswith("error: 'answer.html' cannot be written (")
    assert str(ran) not in error
    assert code == "exit 5: provider"
    assert not Path("answer.html").exists()
    assert ran.read_bytes() == before


def test_a_run_is_shown_on_a_full_disk(ran: Path) -> None:
    ended = without_room("runs", str(ran))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "tiny" in ended.stdout


def test_a_log_that_cannot_be_read_on_a_full_disk_is_not_passed_over(ran: Path) -> None:
    log = ran.with_name(f"{ran.name}-wal")
    log.write_bytes(b"\x37\x7f\x06\x82" + bytes(2000))  # as after a crash
    ended = without_room("report", str(ran), "-q", "-o", "answer.html")
    assert ended.stderr.startswith(f"error: {ran} cannot be read with the log beside it (")
    assert log.exists()
