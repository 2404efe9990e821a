"""Start-up stays fast: commands that need no SDK and no scientific stack do not load them."""

import json
import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest
from analysis_builders import HAIKU, OPUS, run_of, write_run

from evalkit.cli import COMMANDS

HEAVY = (
    "anthropic",
    "asyncio",
    "httpx2",
    "pandas",
    "scipy",
    "numpy",
    "jinja2",
    "genai_prices",
    "uvicorn",
    "starlette",
    "scipy.stats",
    "fsspec",
    "obstore",
    "boto3",
)
"""What takes longest to load."""
OWN = ("web", "sections", "charts", "rendering", "analysis", "stats", "providers", "graders")
"""Parts of this package that only the commands load that need them."""
EFFECT_LINE = {"scipy", "numpy"}
"""What `check` may load, for the one line that says what a set of this size can show."""
REPORTER = """
import contextlib, io, json, sys
from evalkit.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    code = main(sys.argv[1:])
print(json.dumps({"code": code, "loaded": [name for name in %r if name in sys.modules]}))
"""


def loaded_by(*argv: str, folder: Path, names: Collection[str] = HEAVY) -> tuple[int, set[str]]:
    """The exit code of a command in a process of its own, and which heavy packages it loaded."""
    command = [sys.executable, "-c", REPORTER % (tuple(names),), *argv]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=300, check=True)
    answer: Mapping[str, object] = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(answer["code"], int)
    assert isinstance(answer["loaded"], list)
    return answer["code"], set(answer["loaded"])


@pytest.mark.parametrize(
    "argv",
    [
        ["--help"],
        ["--version"],
        ["run", "--help"],
        ["compare", "--help"],
        ["report", "--json-schema"],
        ["runs"],
        ["nonsense"],
        ["runs", "x.db"],
    ],
)
def test_light_commands_load_nothing_heavy(argv: list[str], tmp_path: Path) -> None:
    code, loaded = loaded_by(*argv, folder=tmp_path, names=(*HEAVY, *(f"evalkit.{part}" for part in OWN)))
    assert loaded == set(), "a quarter of a second is all that there is for help"
    assert code == (2 if argv[-1] in ("nonsense", "x.db") else 0)


@pytest.mark.long
def test_showing_a_run_file_loads_nothing_heavy(tmp_path: Path) -> None:
    write_run(tmp_path / "r.db", run_of({OPUS: [[True], [False]]}))
    assert loaded_by("runs", "r.db", folder=tmp_path) == (0, set())


@pytest.mark.long
def test_check_loads_only_what_its_effect_line_needs(root: Path, tmp_path: Path) -> None:
    code, loaded = loaded_by("check", str(root / "datasets" / "ticket-routing.jsonl"), folder=tmp_path)
    assert code == 0
    assert loaded <= EFFECT_LINE


def test_check_of_what_cannot_be_read_loads_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("not json\n", encoding="utf-8")
    assert loaded_by("check", "x.jsonl", folder=tmp_path) == (2, set())


@pytest.mark.long
@pytest.mark.parametrize(("output", "templates"), [((), {"jinja2"}), (("-o", "r.md", "-o", "r.json"), set())])
def test_a_report_loads_neither_the_sdk_nor_all_of_scipy(
    output: tuple[str, ...], templates: set[str], tmp_path: Path
) -> None:
    write_run(tmp_path / "r.db", run_of({OPUS: [[True], [False]], HAIKU: [[True], [True]]}))
    code, loaded = loaded_by("report", "r.db", "-q", *output, folder=tmp_path)
    assert code == 0
    assert loaded - {"numpy", "scipy", "genai_prices"} == templates


@pytest.mark.long
def test_the_reporter_sees_what_is_loaded(tmp_path: Path) -> None:
    """Negative control: a command that shows prices loads the price data."""
    assert "genai_prices" in loaded_by("models", folder=tmp_path)[1]


def test_a_command_loads_no_other_command(tmp_path: Path) -> None:
    script = "import sys; from evalkit.cli import main; main(['check', 'x.jsonl']); print(*sys.modules)"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300, check=True)
    assert {f"evalkit.cli.{module}" for module in COMMANDS.values()}.intersection(done.stdout.split()) == {
        "evalkit.cli.check"
    }


@pytest.mark.parametrize(("given", "threads"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")])
def test_libraries_are_told_to_be_brief_unless_the_user_says_otherwise(given: Mapping[str, str], threads: str) -> None:
    names = ("OPENBLAS_NUM_THREADS", "PYDANTIC_DISABLE_PLUGINS")
    code = (
        f"import atexit, os; atexit.register(lambda: print(*map(os.environ.get, {names})));"
        "from evalkit.cli import run_and_exit; run_and_exit()"
    )
    others = {name: value for name, value in os.environ.items() if name not in names}
    command = [sys.executable, "-c", code, "--version"]
    done = subprocess.run(command, capture_output=True, text=True, env=others | given, timeout=300, check=True)
    assert done.stdout.splitlines()[-1] == f"{threads} 1"


@pytest.mark.long
@pytest.mark.parametrize(("given", "looks"), [({}, "False"), ({"PYDANTIC_DISABLE_PLUGINS": "another"}, "True")])
def test_nothing_is_loaded_that_looks_for_plugins_unless_the_user_wants_some(
    given: Mapping[str, str], looks: str, tmp_path: Path
) -> None:
    code = (
        "import atexit, sys; atexit.register(lambda: print('importlib.metadata' in sys.modules));"
        "from evalkit.cli import run_and_exit; run_and_exit()"
    )
    others = {name: value for name, value in os.environ.items() if name != "PYDANTIC_DISABLE_PLUGINS"}
    command = [sys.executable, "-c", code, "report", "none.db"]
    done = subprocess.run(
        command, capture_output=True, text=True, env=others | given, cwd=tmp_path, timeout=300, check=False
    )
    assert done.stdout.splitlines()[-1] == looks
