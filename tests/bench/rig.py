"""Starting the mock and the processes that are measured, and what all measurements share."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.request import ProxyHandler, Request, build_opener

from bench.mock_api import MODELS, Truth

HERE = Path(__file__).parent
QUICK = os.environ.get("QUICK") == "1"
ROUNDS = 1 if QUICK else int(os.environ.get("ROUNDS", "3"))
LIMIT_S = 1800
TIMED = "ttft=300 itl=10 tokens=50"
INSTANT = "tokens=20"
_OPENER = build_opener(ProxyHandler({}))


@dataclass(frozen=True)
class Cost:
    """What one whole process took."""

    code: int
    wall_s: float
    cpu_s: float
    rss_mb: float
    output: str = ""


@dataclass(frozen=True)
class Row:
    """One line of the table. `met` None: it illustrates, or could not be measured."""

    bar: str
    what: str
    ours: str
    yardstick: str
    ratio: str
    limit: str
    met: bool | None


def ratio_row(bar: str, what: str, ours: float, yardstick: float, unit: str, limit: float) -> Row:
    """A row for a ratio that must be at most `limit`."""
    ratio = ours / yardstick
    return Row(
        bar, what, f"{ours:.2f} {unit}", f"{yardstick:.2f} {unit}", f"{ratio:.2f}", f"≤ {limit:g}", ratio <= limit
    )


def environment() -> dict[str, str]:
    """No credentials and no proxy: everything stays on this machine. Nor settings of Python's.

    Where it is told to write no bytecode, an editable install would be compiled anew by every process, which no
    user's is.
    """
    others = ("ANTHROPIC_", "EVALKIT_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    return kept | {"NO_PROXY": "127.0.0.1,localhost", "PYTHONPATH": str(HERE.parent), "NO_COLOR": "1"}


def spend(command: Sequence[str], folder: Path, *, may_fail: bool = False) -> Cost:
    """Run a command to its end; RuntimeError with its output if it fails, unless it may."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report, tempfile.TemporaryFile("w+") as heard:
        launcher = [sys.executable, "-S", str(HERE / "launch.py"), report.name, str(LIMIT_S), *command]
        subprocess.run(launcher, check=True, cwd=folder, env=environment(), stdout=heard, stderr=subprocess.STDOUT)
        heard.seek(0)
        cost = Cost(**json.load(report), output=heard.read())
    if cost.code and not may_fail:
        raise RuntimeError(f"{' '.join(command)[:200]} ended with {cost.code}:\n{cost.output[-2000:]}")
    return cost


class Mock:
    """The mock server in a process of its own, and the rig's talk with it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def _ask(self, path: str, body: str = "") -> str:
        with _OPENER.open(Request(f"{self.url}/mock/{path}", body.encode()), timeout=60) as answer:  # noqa: S310
            text: str = answer.read().decode()
        return text

    def script(self, text: str) -> None:
        """Answer like this from now on, with an empty log."""
        self._ask("script", text)

    def log(self) -> list[Truth]:
        """Every request since the script was set."""
        return [Truth(**json.loads(line)) for line in self._ask("log").splitlines()]

    def ended(self) -> int:
        """How many answers have been sent whole."""
        return int(self._ask("ended"))


@contextmanager
def mock() -> Iterator[Mock]:
    """A mock server for the time of the block."""
    command = [sys.executable, "-m", "bench.mock_api"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(), cwd=HERE) as server:
        try:
            assert server.stdout is not None
            yield Mock(int(server.stdout.readline()))
        finally:
            server.terminate()


def span_s(log: Sequence[Truth]) -> float:
    """From the first request for an answer to the last byte of any."""
    answers = [truth for truth in log if truth.path == "/v1/messages"]
    return (max(t.t_end for t in answers if t.t_end) - min(t.t_rx for t in answers)) / 1e9


def alternated(rounds: int, sides: Mapping[str, Callable[[], Cost]]) -> dict[str, list[Cost]]:
    """Each side once a round, in turn, so that a busy moment meets them alike."""
    taken: dict[str, list[Cost]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            taken[name].append(run())
    return taken


def middle(costs: Sequence[Cost], what: str) -> float:
    """The median of one figure."""
    return median(getattr(cost, what) for cost in costs)


def paired(ours: Sequence[Cost], theirs: Sequence[Cost], what: str) -> float:
    """The median of the rounds' ratios."""
    return median(getattr(a, what) / getattr(b, what) for a, b in zip(ours, theirs, strict=True))


RUBRIC = """\
name: words
criteria:
  - id: said
    question: Does the answer say what it should?
    weight: 1
    kind: check
    check: {type: contains}
satisfactory:
  score: 1.0
"""


class Workload:
    """Items and a rubric in a folder, and the commands that send them."""

    def __init__(self, folder: Path, items: int, characters: int = 0, rubric: str = RUBRIC) -> None:
        self.folder = folder
        self.items = items
        self.data = folder / f"items{items}x{characters}.jsonl"
        with self.data.open("w", encoding="utf-8") as file:
            for number in range(items):
                file.write(json.dumps(_item(number, characters)) + "\n")
        self.rubric = folder / "rubric.yaml"
        self.rubric.write_text(rubric, encoding="utf-8")

    def naive(self, mock: Mock, in_flight: int, client: str = "naive") -> tuple[Cost, list[dict[str, object]]]:
        """The yardstick script (or another client with its arguments), and the lines it wrote."""
        output = self.folder / f"{client}.jsonl"
        command = [sys.executable, "-m", f"bench.{client}", str(self.data), mock.url, str(in_flight), str(output)]
        cost = spend([*command, *MODELS], self.folder)
        return cost, [json.loads(line) for line in output.read_text().splitlines()]

    def command(self, mock: Mock, in_flight: int, runs: Path) -> list[str]:
        """`evalkit run` of these items; with the same folder it resumes."""
        models = [word for name in MODELS for word in ("-m", name)]
        where = ["--rubric", str(self.rubric), "--base-url", mock.url, "--runs", str(runs)]
        return [
            sys.executable,
            "-m",
            "evalkit",
            "run",
            str(self.data),
            *where,
            *models,
            "-j",
            str(in_flight),
            "-y",
            "-q",
        ]

    def evalkit(self, mock: Mock, in_flight: int, *, may_fail: bool = False) -> tuple[Cost, Path]:
        """A run of its own, and its run file."""
        runs = self.new_runs()
        cost = spend(self.command(mock, in_flight, runs), self.folder, may_fail=may_fail)
        return cost, run_file(runs)

    def new_runs(self) -> Path:
        """An empty folder for run files."""
        return Path(tempfile.mkdtemp(prefix="runs-", dir=self.folder))


def run_file(runs: Path) -> Path:
    """The one run file in a folder."""
    (path,) = runs.glob("*.db")
    return path


def _item(number: int, characters: int) -> dict[str, object]:
    """An item unlike every other, with a marker that stands once in its prompt."""
    stride = 104_729 + 2 * number  # its own, so that no two items share three words in a row
    words = [f"w{(number * 7919 + place * stride) % 999_983:x}" for place in range(max(12, characters // 6))]
    text = f"<<mock id=q{number}>> marker-{number}-end Say what these have in common: {' '.join(words)}"
    difficulty = ("easy", "medium", "hard")[number % 3]
    task = text[:characters] if characters else text
    return {"id": f"q{number}", "input": task, "reference": "word", "difficulty": difficulty}
