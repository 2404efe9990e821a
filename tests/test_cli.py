"""The command line: main(argv) -> code, one line for what a user can mend, data on stdout only."""

import csv
import io
import json
import os
import pty
import re
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from analysis_builders import JUDGE, OPUS, SONNET, Book, answered, ended, failed, lost, round_, spec, write_run
from gates import BASELINE, CANDIDATE, run
from needs import DEV_FULL

from evalkit import __version__
from evalkit.cli import COMMANDS, main
from evalkit.cli.spending import warn_of_ids
from evalkit.errors import (
    BudgetError,
    ExitCode,
    InfrastructureError,
    IntegrityError,
    InterruptedRunError,
    InUseError,
    ProblemsError,
    UsageError,
)
from evalkit.records import Usage
from evalkit.sandbox.server import running
from evalkit.sandbox.settings import SandboxSettings


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every command runs in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("FORCE_COLOR", "NO_COLOR", "GITHUB_ACTIONS", "PY_COLORS", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


class Said:
    """What a command wrote, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def errors(self) -> list[str]:
        """The error lines, without their mark."""
        return [line.removeprefix("error: ") for line in self.err.splitlines() if line.startswith("error: ")]


Command = Callable[..., Said]


@pytest.fixture
def evalkit(capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process."""

    def run(*argv: object) -> Said:
        capfd.readouterr()
        code = main([str(word) for word in argv])
        return Said(code, *capfd.readouterr())

    return run


def process(*argv: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run a command in a process of its own."""
    command = [sys.executable, "-m", "evalkit", *argv]
    return subprocess.run(command, text=True, timeout=300, check=False, **{"capture_output": True, **options})


def _book() -> Book:
    """Sixteen items, two models: one passes all, the other half; a retry, a refusal and a lost attempt."""
    book = Book(spec((OPUS, SONNET)), rounds=[round_()])
    for i in range(16):
        book.trial(f"i{i:02d}", answered(0.04 + i / 1000), level=1)
        book.trial(f"i{i:02d}", answered(0.01), model=SONNET, level=i % 2)
    book.trial("retried", failed(0.005), answered(0.02), level=1)
    book.trial("retried", lost(), ended("refused", 0.01), model=SONNET)
    return book


@pytest.fixture
def run_file(project: Path) -> Path:
    return write_run(project / "runs" / "by-hand.db", _book().snapshot())


def _dataset(folder: Path, items: int = 3, **fields: Any) -> Path:
    """A dataset that a deterministic check grades, with its rubric."""
    (folder / "rubrics").mkdir(exist_ok=True)
    check = "{id: right, question: Right, kind: check, check: {type: contains}}"
    (folder / "rubrics" / "small.yaml").write_text(
        f"name: small\ncriteria:\n  - {check}\nsatisfactory: {{score: 1.0}}\n", encoding="utf-8"
    )
    levels = ("easy", "medium", "hard")
    rows = [
        {"id": f"i{i}", "input": f"Question {i} about topic {i * 7}, please?", "reference": "yes", **fields}
        | {"difficulty": levels[i % 3]}
        for i in range(items)
    ]
    path = folder / "small.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running(SandboxSettings(speed=0)) as url:
        yield url


# ---- help -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, evalkit: Command) -> None:
    said = evalkit(command, "--help")
    assert said.code == ExitCode.PASS
    assert "Example" in said.out
    assert f"evalkit {command}" in said.out.split("Example", 1)[1]
    assert said.err == ""


def test_help_lists_every_command(evalkit: Command) -> None:
    said = evalkit("--help")
    assert said.code == ExitCode.PASS
    for command in COMMANDS:
        assert f" {command} " in said.out
    assert evalkit("-h").out == said.out


def test_no_command_prints_the_help_and_is_a_usage_error(evalkit: Command) -> None:
    said = evalkit()
    assert said.code == ExitCode.USAGE
    assert "demo" in said.out
    assert said.err.splitlines() == ["exit 2: usage"]


def test_version(evalkit: Command) -> None:
    said = evalkit("--version")
    assert (said.code, said.out, said.err) == (0, f"evalkit {__version__}\n", "")


# ---- exit codes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        pytest.param(["nonsense"], "nonsense", id="unknown command"),
        pytest.param(["--nonsense"], "--nonsense", id="unknown option"),
        pytest.param(["check", "--nonsense", "x"], "--nonsense", id="unknown option of a command"),
        pytest.param(["check"], "dataset", id="missing argument"),
        pytest.param(["check", "a", "b"], "b", id="too many arguments"),
        pytest.param(["run", "x", "--epochs", "0"], "--epochs", id="out of range"),
        pytest.param(["run", "x", "--epochs", "many"], "--epochs", id="not a number"),
        pytest.param(["check", "nowhere.jsonl"], "nowhere.jsonl", id="no such dataset"),
        pytest.param(["runs", "nowhere.db"], "nowhere.db", id="no such run file"),
        pytest.param(["report", "nowhere.db"], "nowhere.db", id="no such run file to report"),
        pytest.param(["report"], "no run file", id="no run file at all"),
        pytest.param(["report", "x.db", "-o", "report.pdf"], "report.pdf", id="unknown format"),
        pytest.param(["sandbox", "--fault", "overloaded"], "overloaded", id="fault without a share"),
        pytest.param(["sandbox", "--fault", "overloaded=often"], "often", id="share that is no number"),
        pytest.param(["sandbox", "--fault", "flood=0.5"], "flood", id="unknown fault"),
        pytest.param(["sandbox", "--fault", "overloaded=2"], "2", id="share over 1"),
        pytest.param(["sandbox", "--without", "everything"], "everything", id="unknown part"),
        pytest.param(["sandbox", "--speed", "-1"], "--speed", id="negative speed"),
        pytest.param(["demo", "nowhere.jsonl"], "nowhere.jsonl", id="demo without its dataset"),
    ],
)
def test_what_a_user_can_mend_is_one_line(argv: Sequence[str], words: str, evalkit: Command) -> None:
    said = evalkit(*argv)
    assert said.code == ExitCode.USAGE
    assert said.out == ""
    assert len(said.errors) == 1
    assert words in said.errors[0]
    assert "; " in said.errors[0], "what to do stands after a semicolon"
    assert said.err.splitlines()[-1] == "exit 2: usage"
    assert len(said.err.splitlines()) == 2
    assert "Traceback" not in said.err


def test_an_exhausted_budget_is_4(evalkit: Command, project: Path, server: str) -> None:
    said = evalkit("run", _dataset(project), "--base-url", server, "--budget-usd", "0.0000001", "-m", OPUS, "-q")
    assert said.code == ExitCode.BUDGET
    assert said.err.splitlines()[-1] == "exit 4: budget"
    assert len(said.errors) == 1


def test_an_alias_is_warned_of_in_one_line_and_used_as_it_was_given(
    evalkit: Command, project: Path, server: str
) -> None:
    alias = "claude-haiku-4-5"
    said = evalkit("run", _dataset(project), "--base-url", server, "-m", alias, "-m", OPUS)
    warning = f"warning: model {alias!r} is an alias and may change between runs; use its pin '{alias}-20251001'"
    assert [line for line in said.err.splitlines() if "alias" in line] == [warning]
    assert json.loads(evalkit("runs", "--json").out)[0]["models"] == [alias, OPUS]
    (path,) = (project / "runs").glob("*.db")
    said = evalkit("grade", path, "--base-url", server, "--judge", alias, "-q")
    assert warning not in said.err, "nothing in this rubric needs a judge"


@pytest.mark.parametrize(
    ("priced", "told"),
    [
        ("claude-haiku-4-5", True),  # its alias
        ("claude-haku-4-5-20251001", True),
        ("claude-haiku-4-5-20251001", False),
        ("claude-haiku-5-5", False),  # another model, which another run may have
        ("claude-opus-4-5-20251001", False),
        ("bedrock:us.anthropic.claude-haiku-4-5-20251001-v1:0", False),
    ],
)
def test_prices_under_another_id_than_the_one_asked_for_are_told(
    priced: str, *, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    warn_of_ids(["claude-haiku-4-5-20251001"], {priced: None})
    said = capsys.readouterr().err
    assert (f"evalkit.yaml has prices of {priced!r}, which say nothing of" in said) is told
    assert bool(said) is told


def test_a_server_that_is_not_there_is_5(evalkit: Command, project: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        said = evalkit("run", _dataset(project), "--base-url", url, "-m", OPUS, "-q")
    assert said.code == ExitCode.PROVIDER
    assert said.err.splitlines()[-1] == "exit 5: provider"
    assert "Traceback" not in said.err


def test_a_port_that_is_taken_is_5(evalkit: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = evalkit("sandbox", "--port", taken.getsockname()[1])
    assert said.code == ExitCode.PROVIDER
    assert "choose another port" in said.errors[0]


@pytest.mark.parametrize("command", ["runs", "report", "grade"])
def test_a_file_that_is_no_run_file_is_6(command: str, evalkit: Command, project: Path) -> None:
    (project / "x.db").write_bytes(b"This is not a database at all. " * 50)
    said = evalkit(command, "x.db")
    assert said.code == ExitCode.INTEGRITY
    assert said.err.splitlines()[-1] == "exit 6: integrity"
    assert len(said.errors) == 1
    assert "x.db" in said.errors[0]


def test_a_bug_is_70_with_its_traceback(evalkit: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_folder: Path) -> list[Path]:
        raise RuntimeError("the sky is falling")

    monkeypatch.setattr("evalkit.cli.places.run_files", broken)
    said = evalkit("runs")
    assert said.code == 70
    assert "Traceback (most recent call last)" in said.err
    assert "RuntimeError: the sky is falling" in said.err
    assert said.err.splitlines()[-1] == "exit 70: bug"


def test_an_exit_that_nobody_planned_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def leaving(_folder: Path) -> list[Path]:
        raise SystemExit(3)

    monkeypatch.setattr("evalkit.cli.places.run_files", leaving)
    with pytest.raises(SystemExit):
        main(["runs"])


def test_an_interruption_is_130(evalkit: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_folder: Path) -> list[Path]:
        raise KeyboardInterrupt

    monkeypatch.setattr("evalkit.cli.places.run_files", interrupted)
    said = evalkit("runs")
    assert said.code == 130
    assert said.err.splitlines() == [
        "error: interrupted; the same command goes on from here",
        "exit 130: interrupted",
    ]


@pytest.mark.parametrize(
    ("error", "code", "name"),
    [
        (UsageError("x"), 2, "usage"),
        (ProblemsError(["x"]), 2, "usage"),
        (BudgetError("x"), 4, "budget"),
        (InfrastructureError("x"), 5, "provider"),
        (IntegrityError("x"), 6, "integrity"),
        (InUseError("x"), 6, "integrity"),
        (RuntimeError("x"), 70, "bug"),
        (InterruptedRunError("x"), 130, "interrupted"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_each_way_to_fail_has_the_exit_code_of_the_design_and_names_it_last(
    error: BaseException, code: int, name: str, evalkit: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_folder: Path) -> list[Path]:
        raise error

    monkeypatch.setattr("evalkit.cli.places.run_files", failing)
    said = evalkit("runs")
    assert (said.code, said.err.splitlines()[-1]) == (code, f"exit {code}: {name}")


def test_exit_codes_are_those_of_the_design_and_stand_in_the_readme(root: Path) -> None:
    """0, 1 and 3 are verdicts of a gate, whose tests are with it."""
    assert {code.name.lower(): int(code) for code in ExitCode} == {
        "pass": 0, "regression": 1, "usage": 2, "inconclusive": 3, "budget": 4, "provider": 5, "integrity": 6,
        "bug": 70, "interrupted": 130,
    }  # fmt: skip
    listed = re.findall(r"^\| (\d+) \| ", (root / "README.md").read_text(encoding="utf-8"), flags=re.M)
    assert list(map(int, listed)) == [int(code) for code in ExitCode]


def test_success_says_nothing_about_its_exit(evalkit: Command, run_file: Path) -> None:
    assert evalkit("runs", run_file).err == ""


# ---- output for machines and pipes ----------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["models"], ["models", "--json"], ["runs"], ["report"]])
def test_a_reader_that_has_seen_enough_is_no_error(argv: list[str], run_file: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = process(*argv, stdout=write, stderr=subprocess.PIPE, capture_output=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.long
@pytest.mark.parametrize("command", ["report", "compare"])
def test_files_are_written_also_where_nobody_reads_on(command: str, run_file: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    runs = [str(run_file)]
    if command == "compare":
        later = _book().snapshot()
        later = replace(later, spec=replace(later.spec, name="later"))
        runs.append(str(write_run(run_file.with_name("later.db"), later)))
    done = process(command, *runs, "-o", "found.html", "-o", "found.json", stdout=write, capture_output=False)
    os.close(write)
    assert done.returncode == 0
    assert json.loads(Path("found.json").read_bytes())
    assert Path("found.html").read_text(encoding="utf-8").rstrip().endswith("</html>")


@pytest.mark.parametrize(
    "argv", [["--help"], ["models"], ["runs"], ["runs", "runs/by-hand.db"], ["report"], ["check", "small.jsonl"], ["x"]]
)
def test_nothing_but_text_where_there_is_no_terminal(
    argv: list[str], evalkit: Command, run_file: Path, project: Path
) -> None:
    _dataset(project)
    said = evalkit(*argv)
    assert "\x1b" not in said.out + said.err


@pytest.mark.long
@pytest.mark.parametrize(("no_color", "plain"), [("1", True), ("", False)])
def test_no_color_means_no_escape_codes_on_a_terminal(no_color: str, plain: bool, run_file: Path) -> None:
    texts = []
    for argv in (["models"], ["--help"]):
        terminal, inside = pty.openpty()
        process(
            *argv,
            stdout=inside,
            stderr=inside,
            capture_output=False,
            env={**os.environ, "NO_COLOR": no_color, "TERM": "xterm", "CI": ""},
        )
        os.close(inside)
        texts.append(_read_all(terminal))
    assert "claude-opus-4-6" in texts[0]
    assert all(("\x1b" not in text) is plain for text in texts)


def _read_all(terminal: int) -> str:
    """Everything a pseudo-terminal still holds; it ends with an error or with nothing."""
    parts: list[bytes] = []
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            part = b""
        if not part:
            os.close(terminal)
            return b"".join(parts).decode()
        parts.append(part)


@pytest.mark.long
def test_tables_in_a_pipe_are_not_cut(evalkit: Command, run_file: Path) -> None:
    said = evalkit("report")
    assert "…" not in said.out
    assert "(" in said.out
    lines = evalkit("models").out.splitlines()
    assert any(line.startswith("claude-haiku-4-5-20251001 *") and "200,000" in line for line in lines)


# ---- runs -----------------------------------------------------------------------------------------------------


def test_runs_of_an_empty_folder(evalkit: Command) -> None:
    said = evalkit("runs")
    assert (said.code, said.out) == (0, "no run file in 'runs'; `evalkit run dataset.jsonl` makes one\n")
    assert json.loads(evalkit("runs", "--json").out) == []


def test_runs_are_listed_newest_first(evalkit: Command, run_file: Path, project: Path) -> None:
    older = write_run(project / "runs" / "older.db", Book(spec(simulated=True)).snapshot())
    os.utime(older, (1, 1))
    (project / "runs" / ".draft.db").touch()
    (project / "runs" / "broken.db").write_bytes(b"no database" * 100)
    said = evalkit("runs")
    assert said.code == ExitCode.PASS
    assert [line.split()[0] for line in said.out.splitlines()] == ["runs/by-hand.db", "runs/older.db"]
    assert "34/34 trials, 33 graded" in said.out.splitlines()[0]
    assert said.out.splitlines()[1].endswith("SIMULATED")
    assert "SIMULATED" not in said.out.splitlines()[0]
    assert "broken.db" in said.err
    assert "draft" not in said.err
    assert [run["name"] for run in json.loads(evalkit("runs", "--json").out)] == ["by-hand", "by-hand"]


def test_one_run_is_shown_with_what_was_spent(evalkit: Command, run_file: Path) -> None:
    facts = json.loads(evalkit("runs", run_file, "--json").out)
    spent = sum(0.04 + i / 1000 for i in range(16)) + 16 * 0.01 + 0.005 + 0.02 + 0.01
    assert facts["spend_usd"] == pytest.approx(spent)  # the failed attempt that was billed is in it
    assert (facts["attempts"], facts["failed_attempts"], facts["lost_attempts"]) == (36, 1, 1)
    assert facts["unknown_cost_attempts"] == 1
    assert (facts["trials"], facts["settled"], facts["graded"]) == (34, 34, 33)
    assert facts["models"] == [OPUS, SONNET]
    shown = evalkit("runs", run_file).out
    assert f"models                 {OPUS}, {SONNET}\n" in shown
    assert "context tokens         unknown\n" in shown


def test_one_run_is_shown_in_plain_lines(evalkit: Command, project: Path) -> None:
    book = _book()
    book.rounds += [round_(2, ("checks", "judge other"), blind=False)]
    book.judging(1, answered(0.25))
    shown = evalkit("runs", write_run(project / "runs" / "graded.db", book.snapshot())).out
    assert f"\nrounds                 1 by {JUDGE}, 2 by checks and judge other (NOT BLIND)\n" in shown
    assert "\nsimulated              no\n" in shown
    assert "\njudge spend usd        0.25\n" in shown
    assert not set("{}[]'_") & set(shown.partition("\n")[2].replace("runs/", ""))


def test_streams_that_were_cut_are_shown_apart(evalkit: Command, project: Path) -> None:
    book = Book()
    assert "cut_streams" not in json.loads(evalkit("runs", write_run(project / "y.db", book.snapshot()), "--json").out)
    began = failed(0.005, usage=Usage(input_tokens=900, output_tokens=1), text="An an")
    book.trial("a", began, answered(0.01))
    path = write_run(project / "x.db", book.snapshot())
    cut = {"attempts": 1, "input_tokens": 900, "output_tokens": 1, "received_tokens": 50, "cost_usd": 0.005}
    assert json.loads(evalkit("runs", path, "--json").out)["cut_streams"] == {OPUS: cut}
    said = f"cut streams            {OPUS} 1 (900 tokens in, 1 out told, about 50 received; USD 0.005 at least)\n"
    assert said in evalkit("runs", path).out


def test_an_unpriced_run_has_no_spend(evalkit: Command, project: Path) -> None:
    book = Book()
    book.trial("a", answered(0.01))
    book.trial("b", answered(None))
    path = write_run(project / "x.db", book.snapshot())
    assert json.loads(evalkit("runs", path, "--json").out)["spend_usd"] is None
    assert "rounds                 none" in evalkit("runs", path).out


# ---- models ---------------------------------------------------------------------------------------------------


def test_models_as_json(evalkit: Command) -> None:
    content = json.loads(evalkit("models", "--json").out)
    rows = {row["id"]: row for row in content["models"]}
    assert content["prices"].startswith("genai-prices ")
    assert [name for name, row in rows.items() if row["in_line_up"]] == [
        "claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5-20251001",
    ]  # fmt: skip
    assert (rows[OPUS]["input_usd_per_mtok"], rows[OPUS]["output_usd_per_mtok"]) == (5.0, 25.0)
    assert rows["claude-sonnet-4-5"]["pinned"] is False
    assert rows["claude-opus-5-5"]["newer"] == []
    assert rows["claude-haiku-5-5"]["price_cliff"] == {"above_tokens": 100_000, "factor": 5.0}
    assert rows[OPUS]["price_cliff"] is None
    assert "claude-haiku-5-5: every token 5 times as dear where a prompt" in evalkit("models").out


def test_a_model_without_a_price_is_unpriced_and_never_free(evalkit: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    prices = {OPUS: None, SONNET: (0.0, 0.0)}
    monkeypatch.setattr("evalkit.pricing.rates", lambda model, _when: prices.get(model, (1.0, 2.0)))
    rows = {row["id"]: row for row in json.loads(evalkit("models", "--json").out)["models"]}
    assert rows[OPUS]["input_usd_per_mtok"] is None
    assert rows[SONNET]["input_usd_per_mtok"] == 0.0
    lines = {line.split()[0]: line.split() for line in evalkit("models").out.splitlines()}
    assert lines[OPUS][3:5] == ["unpriced", "unpriced"]
    assert lines[SONNET][3:5] == ["0", "0"]


# ---- check ----------------------------------------------------------------------------------------------------


def test_a_sound_dataset_passes_with_its_warnings(evalkit: Command, project: Path) -> None:
    said = evalkit("check", _dataset(project))
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert "only 3 items" in lines[0]
    assert lines[-3].startswith("3 items: a satisfactory rate of 80 %")
    assert lines[-2].startswith("a gate without gate.yaml")
    assert "no errors, 1 warning; dataset " in lines[-1]
    assert ", rubric " in lines[-1]


def test_a_missing_rubric_is_a_warning(evalkit: Command, project: Path) -> None:
    path = _dataset(project, items=50)
    (project / "rubrics" / "small.yaml").unlink()
    said = evalkit("check", path)
    assert said.code == ExitCode.PASS
    assert f"{path}:1: warning: no rubric found" in said.out
    assert "no errors, 1 warning; dataset " in said.out
    assert ", rubric" not in said.out


def test_check_tells_every_problem_at_once(evalkit: Command, project: Path) -> None:
    rows = [
        {"id": "a", "input": "How long is the warranty on a kettle bought in May?", "difficulty": "easy"},
        {"id": "b", "input": "How long is the warranty on a kettle bought in May?", "difficulty": "easy"},
        {"id": "a", "input": "Where is my parcel, please, it was sent last week?", "difficulty": "easy"},
        {"id": "c", "input": "Where is my parcel, please, it was sent last week to me?", "dificulty": "easy"},
        {"id": "d", "input": "Which filter fits?", "documents": ["gone.md"], "attachments": ["gone.png", "x.exe"]},
        {"id": "e", "input": "Which plug fits?", "params": {"temperature": 0}},
        {"id": "f", "input": ""},
    ]  # fmt: skip
    lines = [json.dumps(row) for row in rows] + ["not json", '{"id": "g", "id": "h", "input": "Twice?"}']
    (project / "bad.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (project / "bad.yaml").write_text("context_tokens: 50000\nsistem: x\n", encoding="utf-8")
    (project / "rubric.yaml").write_text(
        "name: r\ncriteria:\n  - id: a\n    question: Q?\n    levels: {0: x, 1: y}\n    critical: 7\n"
        "satisfactory: {score: 2}\n",
        encoding="utf-8",
    )
    said = evalkit("check", "bad.jsonl", "--rubric", "rubric.yaml")
    assert said.code == ExitCode.USAGE
    expected = {
        "bad.jsonl:2": "same input",
        "bad.jsonl:3": "stands already on line 1",
        "bad.jsonl:4": "did you mean 'difficulty'?",
        "bad.jsonl:5": "gone.md",
        "bad.jsonl:6": "temperature",
        "bad.jsonl:7": "input",
        "bad.jsonl:8": "JSON",
        "bad.jsonl:9": "twice",
        "bad.yaml:2": "sistem",
        "rubric.yaml:6": "critical",
        "rubric.yaml:7": "score",
    }
    for place, words in expected.items():
        assert any(error.startswith(f"{place}: ") and words in error for error in said.errors), (place, words)
    assert any("gone.png" in error for error in said.errors)
    assert any("x.exe" in error for error in said.errors)
    assert all("; " in error for error in said.errors), "every problem has its remedy"
    assert "bad.jsonl:1: warning: " in said.out
    assert all("warning: " in line for line in said.out.splitlines()), "errors stand on stderr alone"
    assert "warning" not in said.err
    assert said.err.splitlines()[-1] == "exit 2: usage"
    places = [(e.split(":")[0], int(e.split(":")[1])) for e in said.errors]
    assert places == sorted(places)


def test_check_tells_of_every_file_whatever_is_wrong_with_another(evalkit: Command, project: Path) -> None:
    (project / "set.docs").mkdir()
    (project / "set.docs" / "latin.md").write_bytes("Grüße".encode("latin-1"))
    lines = [
        '{"id": "a", "input": "Which?", "documents": ["set.docs/latin.md"], "params": {"tool_choice": ',
        '{"type": "any"}}}\n{"id": "b", "input": "Gr\xfc\xdfe"}\n{"id": "b", "input": "Wo?"}\n{"id": "a"}\n',
    ]
    (project / "set.jsonl").write_bytes("".join(lines).encode("latin-1"))
    (project / "set.yaml").write_text("params:\n  tools: [{name: x, input_schema: {type: objct}}]\n", encoding="utf-8")
    (project / "evalkit.yaml").write_text("epochs: 0\nseed: .inf\n", encoding="utf-8")
    (project / "r.yaml").write_text(
        "name: r\ncriteria:\n  - {id: a, question: Q, kind: check, check: {type: exact}}\n"
        "  - {id: b, question: Q, weight: .inf}\nsatisfactory: {scor: 1}\n",
        encoding="utf-8",
    )
    said = evalkit("check", "set.jsonl", "--rubric", "r.yaml")
    assert said.code == ExitCode.USAGE
    assert [error.split("; ")[0].split(" (")[0] for error in said.errors] == [
        "evalkit.yaml:1: 'epochs' is 0",
        "evalkit.yaml:2: '.inf' is not a finite number",
        "r.yaml:4: '.inf' is not a finite number",
        "r.yaml:4: criterion 'b' has fewer than two levels",
        "r.yaml:5: key 'satisfactory.score' is missing",
        "r.yaml:5: unknown key 'scor'",
        "set.docs/latin.md:1: not UTF-8 text",
        "set.jsonl:1: item 'a' cannot be checked: the item has no reference to check against",
        "set.jsonl:2: not UTF-8 text",
        "set.jsonl:3: item 'b' cannot be checked: the item has no reference to check against",
        "set.jsonl:4: id 'a' stands already on line 1",
        "set.jsonl:4: key 'input' is missing",
        "set.yaml:2: 'input_schema of tool x' is not a JSON schema",
    ]
    (project / "set.yaml").write_text("description: sound\n", encoding="utf-8")
    assert any("'params.tool_choice' without 'params.tools'" in error for error in evalkit("check", "set.jsonl").errors)


def test_a_card_with_a_problem_hides_none_of_the_files_it_names(evalkit: Command, project: Path) -> None:
    (project / "set.jsonl").write_text('{"id": "a", "input": "x"}\n', encoding="utf-8")
    (project / "set.yaml").write_text(
        "params: {temperature: 0, max_tokens: .inf}\ndocuments: ..\ntemplate: gone.j2\ncontext_tokens: 5\n",
        encoding="utf-8",
    )
    said = evalkit("check", "set.jsonl")
    assert [error.split("; ")[0] for error in said.errors] == [
        "set.yaml:1: '.inf' is not a finite number",
        "set.yaml:1: 'params.temperature' is not a setting of the API any more",
        "set.yaml:2: folder '..' lies outside the dataset's folder",
        "set.yaml:3: template 'gone.j2' does not exist",
    ]


def test_a_rubric_that_is_not_there_hides_nothing_of_the_dataset(evalkit: Command, project: Path) -> None:
    (project / "set.jsonl").write_text('{"id": 1, "input": "x"}\n', encoding="utf-8")
    said = evalkit("check", "set.jsonl", "--rubric", "gone.yaml")
    assert said.errors == [
        "gone.yaml:1: rubric 'gone.yaml' does not exist; check the path",
        "set.jsonl:1: 'id' is 1; it must be text",
    ]
    assert (said.code, said.out) == (ExitCode.USAGE, "")


def test_check_warns_about_size_mix_and_references(evalkit: Command, project: Path) -> None:
    rows = [
        {"id": f"i{i}", "input": f"Question number {i} about thing {i * 3}?", "difficulty": "easy"} for i in range(4)
    ]
    (project / "thin.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    said = evalkit("check", "thin.jsonl")
    assert said.code == ExitCode.PASS
    for words in ("only 4 items", "100% of the items are easy", "no item is hard", "'i3' has no reference"):
        assert any("warning: " in line and words in line for line in said.out.splitlines()), words


def test_check_counts_lines_with_errors_as_items_and_tells_what_fits_no_window(evalkit: Command, project: Path) -> None:
    good = [json.dumps({"id": f"i{i}", "input": f"Question {i} about thing {i * 3}?"}) for i in range(48)]
    long = json.dumps({"id": "long", "input": "word " * 200_000})
    (project / "odd.jsonl").write_text("\n".join([*good, long, '{"id": "cut', ""]), encoding="utf-8")
    said = evalkit("check", "odd.jsonl")
    assert "odd.jsonl:50: not JSON (Unterminated string starting at column 8)" in said.err
    assert "only" not in said.out
    assert "odd.jsonl:49: warning: item 'long': about 238,095 tokens do not fit the window" in said.out


# ---- report ---------------------------------------------------------------------------------------------------


def test_report_writes_three_files_and_the_answer(evalkit: Command, run_file: Path, project: Path) -> None:
    said = evalkit("report")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[0] == "Use Opus 4.6."
    assert "Sonnet 4.6 is below the 80% bar" in said.out
    written = sorted(path.name for path in (project / "reports").iterdir())
    assert written == ["by-hand.html", "by-hand.json", "by-hand.md"]
    for name in written:
        assert f"reports/{name} (" in said.out
    assert (project / "reports" / "by-hand.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert json.loads((project / "reports" / "by-hand.json").read_text())["verdict"] == "pick"


def test_report_formats_follow_the_ending(evalkit: Command, run_file: Path, project: Path) -> None:
    said = evalkit("report", run_file, "-o", "new/a.csv", "-o", "b.md")
    assert [line.split(" (")[0] for line in said.out.splitlines()[-2:]] == ["new/a.csv", "b.md"]
    assert evalkit("report", run_file, "-o", "b.md", "-q").out == ""
    rows = list(csv.DictReader(io.StringIO((project / "new" / "a.csv").read_text(encoding="utf-8"))))
    assert len(rows) == 34
    assert rows[-1]["outcome"] == "refused"
    assert rows[-1]["cost_usd"] == "0.01"
    assert not (project / "reports").exists()


def test_warnings_and_simulation_are_told_on_the_terminal(evalkit: Command, project: Path) -> None:
    book = Book(spec(simulated=True))
    book.trial("a", answered(simulated=True), level=1)
    said = evalkit("report", write_run(project / "x.db", book.snapshot()), "-o", "x.json")
    assert said.out.splitlines()[0] == "SIMULATED"
    assert "! SIMULATED: the sandbox wrote these outputs" in said.out
    assert "! Only 1 item: " in said.out


def test_an_old_report_survives_a_full_disk(evalkit: Command, run_file: Path, project: Path) -> None:
    target = project / "report.html"
    target.write_text("the old report", encoding="utf-8")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))  # the report is larger
    try:
        said = evalkit("report", run_file, "-o", target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert said.code == ExitCode.PROVIDER
    assert "report.html" in said.errors[0]
    assert "Traceback" not in said.err
    assert target.read_text(encoding="utf-8") == "the old report"
    assert sorted(path.name for path in project.iterdir()) == ["report.html", "runs"]


def test_a_place_that_cannot_be_written_is_5(evalkit: Command, run_file: Path, project: Path) -> None:
    (project / "file").write_text("kept", encoding="utf-8")
    said = evalkit("report", run_file, "-o", "file/report.html")
    assert said.code == ExitCode.PROVIDER
    assert "-o" in said.errors[0]
    assert (project / "file").read_text(encoding="utf-8") == "kept"
    (project / "folder.html").mkdir()
    assert evalkit("report", run_file, "-o", "folder.html").code == ExitCode.PROVIDER


def test_nothing_is_written_if_one_format_fails(
    evalkit: Command, run_file: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_table: object) -> str:
        raise RuntimeError("no CSV today")

    monkeypatch.setattr("evalkit.analysis.trials_table.trials_csv", broken)
    assert evalkit("report", run_file, "-o", "a.md", "-o", "a.csv").code == ExitCode.BUG
    assert not (project / "a.md").exists()


# ---- sandbox --------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_the_sandbox_ends_quietly_on_ctrl_c() -> None:
    command = [sys.executable, "-m", "evalkit", "sandbox", "--port", "0", "--speed", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        server.send_signal(signal.SIGINT)
        _, errors = server.communicate(timeout=300)
    assert line.startswith("simulated Claude API at http://127.0.0.1:")
    assert (server.returncode, errors) == (0, "")


@pytest.mark.long
@DEV_FULL
@pytest.mark.parametrize("arguments", [["models"], ["--help"], ["runs"]])
def test_output_that_cannot_be_written_is_one_clear_line(arguments: list[str], tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "evalkit", *arguments],
            stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False,
        )  # fmt: skip
    if arguments == ["runs"]:
        assert "no run file" not in done.stderr
    assert done.returncode == ExitCode.PROVIDER
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
@pytest.mark.parametrize(("passed", "code"), [(60, 0), (0, 1), (58, 3)])
@pytest.mark.parametrize("both", [False, True], ids=["stdout", "stderr too"])
def test_a_gate_ends_with_its_own_code_where_nobody_reads_its_output(
    passed: int, code: int, both: bool, tmp_path: Path
) -> None:
    path = write_run(tmp_path / "x.db", run([[True]] * 60, [[True]] * passed + [[False]] * (60 - passed)))
    (tmp_path / "gate.yaml").write_text("quality: {margin: 0.05}")
    told = [sys.executable, "-m", "evalkit", "gate", str(path), "--policy", "gate.yaml"]
    told += ["--baseline", BASELINE, "--candidate", CANDIDATE]
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as unread:
        done = subprocess.run(
            told, stdout=unread, stderr=unread if both else subprocess.PIPE, cwd=tmp_path, check=False, timeout=300
        )
    assert done.returncode == code
    assert both or b"Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["signal.raise_signal(signal.SIGINT)", "130"], ids=["while told", "once told"])
def test_further_interrupts_do_not_change_how_the_process_ends(command: str) -> None:
    script = (
        "import gc, signal, evalkit.cli as cli; freeze = gc.freeze;"
        f"cli.main = lambda: {command};"
        "gc.freeze = lambda: (signal.raise_signal(signal.SIGINT), freeze());"
        "cli.run_and_exit()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (ExitCode.INTERRUPTED, "")


def test_an_interrupt_in_text_that_is_executed_is_130_also_of_a_module(tmp_path: Path) -> None:
    """As where a dataclass is made while something loads: Python then ends a module's process by a signal."""
    (tmp_path / "interrupted.py").write_text(
        "import evalkit.cli as cli\ncli.main = lambda: exec('raise KeyboardInterrupt')\ncli.run_and_exit()\n"
    )
    command = [sys.executable, "-m", "interrupted"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (ExitCode.INTERRUPTED, "")


@pytest.mark.parametrize("module", ["evalkit.cli", "typer", "evalkit.cli.runs", "evalkit.cli.places"])
def test_ctrl_c_while_a_command_loads_ends_it_quietly(module: str, tmp_path: Path) -> None:
    script = (
        "import signal, sys\n"
        "class Loading:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Loading())\n"
        "from evalkit.__main__ import start\n"
        "start()\n"
    )
    command = [sys.executable, "-c", script, "runs"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (ExitCode.INTERRUPTED, "")
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: interrupted")
    assert done.stderr.endswith("exit 130: interrupted\n")


def test_a_place_for_run_files_is_tried_before_anything_is_counted(
    tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    dataset = str(root / "datasets" / "ticket-routing.jsonl")
    code = main(["run", dataset, "--runs", str(tmp_path / "file" / "runs"), "--base-url", "http://127.0.0.1:9"])
    assert code == ExitCode.PROVIDER
    assert "cannot be written" in capsys.readouterr().err, "not that the server is out of reach"
