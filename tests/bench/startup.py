"""Bars 1 and 2: what a command costs before it does anything."""

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench.rig import INSTANT, ROUNDS, Cost, Row, Workload, alternated, middle, mock, paired, spend

PYTHON = sys.executable
EVALKIT = [PYTHON, "-m", "evalkit"]
FORBIDDEN = ("anthropic", "httpx2", "numpy", "pandas")
IMPORT_SDK = [PYTHON, "-c", "import anthropic"]
_TYPER_APP = """
import typer
app = typer.Typer()
@app.command()
def one(): "One."
@app.command()
def two(): "Two."
@app.command()
def three(): "Three."
app(["--help"])
"""
_LOADED = """
import contextlib, io, json, sys
from evalkit.cli import main
with contextlib.redirect_stdout(io.StringIO()):
    main([sys.argv[1]])
print(json.dumps([name for name in sys.argv[2].split() if name in sys.modules]))
"""
_COMMANDS = "from evalkit.cli import COMMANDS; print(*COMMANDS)"


def help_and_version() -> Iterator[Row]:
    """Bar 1."""
    folder = Path.cwd()
    for flag in ("--help", "--version"):
        sides = {"ours": [*EVALKIT, flag], "typer": [PYTHON, "-c", _TYPER_APP]}
        taken = alternated(2 * ROUNDS + 1, {name: lambda c=c: spend(c, folder) for name, c in sides.items()})
        yield _cpu_row("1", f"`evalkit {flag}` / a Typer app of three commands", taken, 1.25)
        loaded = json.loads(spend([PYTHON, "-c", _LOADED, flag, " ".join(FORBIDDEN)], folder).output)
        what = f"heavy packages that `{flag}` loads"
        yield Row("1", what, ", ".join(loaded) or "none", "", "", "none", not loaded)


def _cpu_row(bar: str, what: str, taken: Mapping[str, Sequence[Cost]], limit: float) -> Row:
    """By CPU seconds: one thread does all the work, and on a shared machine its wall time is mostly waiting."""
    ours, theirs = taken.values()
    ratio = paired(ours, theirs, "cpu_s")
    seconds = [f"{middle(side, 'cpu_s'):.2f} s" for side in (ours, theirs)]
    return Row(bar, what, *seconds, f"{ratio:.2f}", f"≤ {limit:g}", ratio <= limit)


def report_of_300() -> Iterator[Row]:
    """Bar 2: a graded run of 300 records, read and reported."""
    with tempfile.TemporaryDirectory() as name, mock() as server:
        folder = Path(name)
        server.script(INSTANT)
        _, path = Workload(folder, 100).evalkit(server, 32)
        spend([*EVALKIT, "grade", str(path), "-q"], folder)
        forms = {"all three formats": [], "Markdown": ["-o", "r.md"], "JSON": ["-o", "r.json"]}
        for form, output in forms.items():
            report = [*EVALKIT, "report", str(path), "-q", *output]
            sides = {"ours": lambda r=report: spend(r, folder), "sdk": lambda: spend(IMPORT_SDK, folder)}
            taken = alternated(ROUNDS, sides)
            yield _cpu_row("2", f"`evalkit report`, 300 records, {form} / `import anthropic`", taken, 0.35)


def every_command() -> Iterator[Row]:
    """Cold start of every command, for illustration."""
    names = spend([PYTHON, "-c", _COMMANDS], Path.cwd()).output.split()
    for name in names:
        sides = {"ours": [*EVALKIT, name, "--help"], "sdk": IMPORT_SDK}
        taken = alternated(ROUNDS, {side: lambda c=command: spend(c, Path.cwd()) for side, command in sides.items()})
        yield replace(
            _cpu_row("cold", f"`evalkit {name} --help` / `import anthropic`", taken, 0.35), limit="", met=None
        )
