"""Where commands find their run files."""

from pathlib import Path

from evalkit.errors import UsageError

RUNS = Path("runs")


def run_files(folder: Path = RUNS) -> list[Path]:
    """Run files of a folder, newest first."""
    files = [path for path in folder.glob("*.db") if not path.name.startswith(".")]
    return sorted(files, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def find_run(named: Path | None) -> Path:
    """The named run file, or the newest one; UsageError if there is none."""
    if named is not None:
        return named
    files = run_files()
    if not files:
        raise UsageError(f"no run file in {str(RUNS)!r}; `evalkit run dataset.jsonl` makes one")
    return files[0]
