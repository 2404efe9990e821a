"""Where commands find their run files."""

from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.cli import urls
from evalkit.errors import UsageError

if TYPE_CHECKING:
    from evalkit.records import Snapshot
    from evalkit.sent_lately import Lately

RUNS = Path("runs")


def run_files(folder: Path = RUNS) -> list[Path]:
    """Run files of a folder, newest first."""
    files = [path for path in folder.glob("*.db") if not path.name.startswith(".")]
    return sorted(files, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def router_file(run: Path) -> Path:
    """Where the run of a small model that classified a run's requests is kept: apart, since nobody grades it."""
    return run.parent / "routers" / run.name


def router_run(run: Path) -> "Snapshot | None":
    """What a small model said of a run's requests; None if it was not asked."""
    from evalkit.store import RunFile

    file = router_file(run)
    if not file.is_file():
        return None
    with RunFile(file, read_only=True) as kept:
        return kept.snapshot()


def just_sent(run: Path) -> "Lately":
    """What a run that may not be there has sent within the last minute."""
    from datetime import UTC, datetime

    from evalkit.sent_lately import sent_lately
    from evalkit.store import RunFile

    if not run.is_file():
        return {}
    with RunFile(run, read_only=True) as kept:
        return sent_lately(kept.snapshot(), datetime.now(UTC))


def check_output(path: Path) -> None:
    """UsageError for a new run file under a name by which no command would find it."""
    if path.suffix != ".db":
        raise UsageError(f"--output {urls.as_given(path)!r} is no name of a run file; let it end in .db")


def find_run(named: Path | None) -> Path:
    """The named run file, or the newest one; UsageError if there is none."""
    if named is not None:
        return named
    files = run_files()
    if not files:
        raise UsageError(f"no run file in {str(RUNS)!r}; `evalkit run dataset.jsonl` makes one")
    return files[0]
