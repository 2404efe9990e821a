"""Exports: a run file as a whole and consistent copy, or all its trials with their texts as a table."""

import sqlite3
from contextlib import closing
from pathlib import Path

from evalkit.analysis.trials_table import trials_csv
from evalkit.disk_errors import read_plainly, said_plainly
from evalkit.errors import IntegrityError, UsageError
from evalkit.files import write_whole
from evalkit.forms import Shown, parquet, require_pyarrow
from evalkit.locks import alone, lock
from evalkit.store import RunFile
from evalkit.wording import listing

TABLES = (".jsonl", ".csv", ".parquet")


def check_ending(path: Path) -> None:
    """UsageError for a table that cannot be written here."""
    if path.suffix not in TABLES:
        offered = listing([".db", *TABLES], "or")
        raise UsageError(f"{str(path)!r}: unknown format; end it in {offered} (`evalkit report -o` writes others)")
    if path.suffix == ".parquet":
        require_pyarrow(path, ".csv or .jsonl")


def write_table(path: Path, shown: Shown) -> None:
    """One row a trial with its texts, in the format that the path's ending names."""
    table = shown.full_trials
    if path.suffix == ".parquet":
        write_whole(path, parquet(table))
    elif path.suffix == ".csv":
        write_whole(path, trials_csv(table))
    else:
        write_whole(path, table.to_json(orient="records", lines=True, force_ascii=False, double_precision=15))


def copy_run(source: Path, target: Path) -> int:
    """Copy a run file as it stands at one moment, also while others write it; returns its number of trials.

    The copy needs no log beside it, and is there whole or not at all. Raises UsageError if there is a file already,
    IntegrityError if the source is damaged.
    """
    with RunFile(source, read_only=True) as run, said_plainly(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with alone(lock(target, "run"), target):
            if target.exists():
                raise UsageError(f"{str(target)!r} exists already; name a new file")
            draft = target.with_name(f".{target.name}.new")
            draft.unlink(missing_ok=True)
            try:
                trials = _drafted(run, draft)
                draft.replace(target)
            finally:
                draft.unlink(missing_ok=True)
            return trials


def _drafted(run: RunFile, draft: Path) -> int:
    run.spec()
    with closing(sqlite3.connect(draft)) as copy:
        with run.still() as db, read_plainly(run.path):
            trials = int(db.execute("SELECT count(*) FROM trial").fetchone()[0])
            db.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        found = str(copy.execute("PRAGMA integrity_check(1)").fetchone()[0])
    if found != "ok":
        raise IntegrityError(f"{run.path} is damaged ({found}); restore it from a copy")
    return trials
