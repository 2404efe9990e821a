"""Sheets as people fill them in: a workbook edited as a spreadsheet program would, and every byte of what left."""

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl

from evalkit.cli import main
from evalkit.models import KNOWN, LINE_UP
from evalkit.store import RunFile
from tests.people import SEALED

Rows = list[list[Any]]
NAMES = (*LINE_UP, *(model.id for model in KNOWN), "claude", "anthropic", "opus", "sonnet", "haiku")


def grade(*arguments: str | Path) -> int:
    """`evalkit grade` with these arguments."""
    return main(["grade", *map(str, arguments)])


def rows_of(path: Path) -> Rows:
    """The cells of a sheet."""
    if path.suffix == ".csv":
        return [list(row) for row in csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline=""))]
    return [[cell.value for cell in row] for row in openpyxl.load_workbook(path)["Grade"].iter_rows()]


def save(path: Path, rows: Rows) -> None:
    """Save cells as a spreadsheet program would: other rows may stand there now, in another order."""
    if path.suffix == ".csv":
        out = io.StringIO()
        csv.writer(out, lineterminator="\r\n").writerows(rows)
        path.write_bytes(b"\xef\xbb\xbf" + out.getvalue().encode())
        return
    book = openpyxl.load_workbook(path)
    sheet = book["Grade"]
    sheet.delete_rows(1, sheet.max_row)
    for row in rows:
        sheet.append(row)
    book.save(path)


def edit(path: Path, how: Callable[[Rows], Rows | None]) -> None:
    """Change a sheet's rows, in place or for others."""
    rows = rows_of(path)
    save(path, how(rows) or rows)


def every_byte(path: Path) -> bytes:
    """All that a file says: unpacked, with the names of what is in it."""
    if path.is_dir():
        return b"\n".join(str(one.name).encode() + b"\n" + one.read_bytes() for one in path.iterdir())
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return archive.comment + b"\n".join(name.encode() + b"\n" + archive.read(name) for name in archive.namelist())


def grades(path: Path) -> set[tuple[str, int, str, int | None, str | None]]:
    """The grades that count in a run file, whoever gave them and when."""
    with RunFile(path, read_only=True) as run:
        snapshot = run.snapshot()
    latest = {(g.grader, g.trial_id, g.criterion): g for g in snapshot.grades if g.round_id == snapshot.rounds[-1].id}
    return {(*key, grade.level, grade.ungraded_reason) for key, grade in latest.items()}


def told_of_authors(seen: bytes, run: Path) -> list[str]:
    """Which names of models and tiers, and which sealed facts of a run, stand in what left it."""
    with RunFile(run, read_only=True) as file:
        key, spec = file.sealed_key(1), file.snapshot().spec
    secrets = [*NAMES, *SEALED, key.hex(), str(run), spec.sha256]
    return [secret for secret in secrets if secret.lower().encode() in seen.lower()] + ["key"] * (key in seen)
