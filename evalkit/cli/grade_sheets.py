"""Sheets and packets that people grade in: written for each of them, and read back with a word on what changes."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from evalkit.cli.terminal import in_shell, say
from evalkit.errors import InUseError, ProblemsError, UsageError

if TYPE_CHECKING:
    from evalkit.cli.grade_people import PeopleSession
    from evalkit.desk import Desk
    from evalkit.offline.grid import Grid
    from evalkit.offline.incoming import Changes, Incoming
    from evalkit.records import Round
    from evalkit.store import RunFile

SHEETS, PACKET, ANSWERS = (".xlsx", ".csv"), ".html", ".json"
_LARGE_BYTES = 10_000_000
_WAYS = ("--export", "--import", "--tty", "--close")
_MOST_NAMED = 20


def only_way(for_people: Mapping[str, Any]) -> None:
    """UsageError where two ways of grading were asked for at once, or an option that has no meaning for one."""
    asked = [name for name, wish in for_people.items() if wish is not None]
    ways = [name for name in _WAYS if name in asked]
    if "--round" in asked and ways != ["--close"]:
        raise UsageError("--round says what --close closes; a file that comes back is of its own round anyway")
    if len(ways) > 1:
        raise UsageError(f"{ways[0]} and {ways[1]} exclude each other; run the command once for each")
    if ways and ways != ["--close"]:
        fitting = {"--grader", *ways} if ways == ["--import"] else set(asked) - {"--port", "--no-browser"}
        wrong = [name for name in asked if name not in fitting]
        if wrong:
            raise UsageError(f"{wrong[0]} has no meaning with {ways[0]}; leave it out")


def hand_out(file: "RunFile", session: "PeopleSession", target: Path, names: Sequence[str]) -> None:
    """Write a sheet for each person, who takes part from now on; a file that exists is never written over.

    Beside an open page it is for those who take part already.
    """
    if target.suffix.lower() not in (*SHEETS, PACKET):
        raise UsageError(f"{str(target)!r}: unknown format; end it in {', '.join(SHEETS)} or {PACKET}")
    _refuse_existing(_targets(target, names))
    try:
        with file.only_writer("grade people"):
            desk = session.desk_for(names)
            written = _write_all(desk, target, names)
    except InUseError:
        desk = session.desk_beside(names)
        written = _write_all(desk, target, names)
    if not written:
        return
    for note in _not_asked(desk) if target.suffix.lower() in SHEETS else ():
        say(note, err=True)
    say(f"next, with what comes back: evalkit grade {in_shell(file.path)} --import FILE")


def _write_all(desk: "Desk", target: Path, names: Sequence[str]) -> int:
    """Write a file for each person there is something for; returns how many."""
    targets = _targets(target, names or desk.people)
    _refuse_existing(targets)
    piles = {name: len(desk.hand_out(name).trials) for name in targets}
    for name, outputs in piles.items():
        if outputs:
            _write(desk, name, targets[name], outputs)
        else:
            say(f"nothing to grade for {name}: no file written")
    return sum(outputs > 0 for outputs in piles.values())


def _targets(target: Path, names: Sequence[str]) -> dict[str, Path]:
    """Each person's file: the one named, or one of that name for each where they are several."""
    if len(names) == 1:
        return {names[0]: target}
    paths = {name: target.with_name(f"{target.stem}-{_as_file(name)}{target.suffix}") for name in names}
    if len(set(paths.values())) < len(paths):
        raise UsageError("two of the graders' names make the same file name; export their sheets one by one")
    return paths


def _as_file(name: str) -> str:
    return "".join(character if character.isalnum() or character in "-." else "_" for character in name)


def _refuse_existing(targets: Mapping[str, Path]) -> None:
    for path in (*targets.values(), *map(_folder, targets.values())):
        if path.exists():
            raise UsageError(f"{str(path)!r} exists and may hold grades; import it first, then move it or name another")


def _folder(path: Path) -> Path:
    return path.with_name(f"{path.stem}-texts")


def _write(desk: "Desk", name: str, path: Path, outputs: int) -> None:
    from evalkit.files import write_whole
    from evalkit.offline.packet import packet

    beside = ""
    if path.suffix.lower() == PACKET and desk.settings.ask_author:
        beside = _last_question(desk, name)
    if path.suffix.lower() == PACKET:
        write_whole(path, packet(desk, name))
    else:
        beside = _write_sheet(desk, name, path)
    size = path.stat().st_size
    say(f"{path} ({size / 1000:,.0f} kB): {outputs} outputs for {name}{beside}")
    if size > _LARGE_BYTES:
        say(f"{path} is large; some mail servers refuse it (zip it, or part the work with --overlap)", err=True)


def _last_question(desk: "Desk", name: str) -> str:
    """Ask who wrote what, if all is graded: a packet names the models, so it must not hold the question before."""
    if desk.outputs_left(name):
        return ", without the question who wrote them: export another packet once these are imported"
    desk.ask_who_wrote(name)
    return f", and who wrote them: the grades of {name} stand from now on"


def _write_sheet(desk: "Desk", name: str, path: Path) -> str:
    """Write a sheet and its side files; returns what is to be said of those."""
    from evalkit.files import write_whole
    from evalkit.offline.csv_sheet import csv_sheet
    from evalkit.offline.table import table_of
    from evalkit.offline.xlsx import workbook

    table = table_of(desk, name, _folder(path).name)
    for side_file, text in table.side_files.items():
        write_whole(_folder(path) / side_file, text)
    write_whole(path, workbook(table) if path.suffix.lower() == ".xlsx" else csv_sheet(table))
    return f", longer texts in {_folder(path)}" if table.side_files else ""


def _not_asked(desk: "Desk") -> list[str]:
    """What the round asks on a page and a sheet cannot."""
    left_out = []
    if desk.settings.layout == "side":
        left_out.append("which of two outputs is better")
    if desk.settings.ask_author:
        left_out.append("who wrote an output")
    return [f"a sheet asks the rubric's criteria only, not {' or '.join(left_out)}"] if left_out else []


def bring_in(file: "RunFile", path: Path, names: Sequence[str], yes: bool, dry_run: bool) -> None:
    """Read a file that came back: all of it or, with every problem named, nothing."""
    from evalkit.desk import Desk
    from evalkit.offline.incoming import try_out, write
    from evalkit.rounds import open_to_people

    if len(names) > 1:
        raise UsageError("--import takes one --grader: a sheet is one person's")
    with file.only_writer("grade people"):
        desks = [Desk(file, round_) for round_ in open_to_people(file.snapshot())]
        if not desks:
            raise UsageError(f"{file.path} has no open round of people, so no marks can come back; see `evalkit runs`")
        desk, incoming = _read(file, desks, path, names[0] if names else None)
        round_ = desk.round
        changes = try_out(file, round_, incoming)
        for line in _told(incoming, changes, path):
            say(line)
        if dry_run:
            say("nothing was written (--dry-run)")
            return
        if not changes.marks:
            say("nothing to do")
            return
        if changes.changed or changes.withdrawn:
            _ask(yes)
        desk = write(file, round_, incoming)
        where = f"round {round_.id} of {file.path}" if len(desks) > 1 else file.path
        say(f"imported: {changes.marks} marks of {incoming.grader} into {where}")
        _tell_what_is_left(file, desk, round_)


def _read(file: "RunFile", desks: "Sequence[Desk]", path: Path, name: str | None) -> "tuple[Desk, Incoming]":
    """What came back, and the desk of the round that it belongs to; `desks`: of every round that is open to people."""
    from evalkit.files import read_bytes
    from evalkit.offline.csv_sheet import read_csv_sheet
    from evalkit.offline.packet import read_answers
    from evalkit.offline.xlsx import read_workbook

    if path.suffix.lower() not in (*SHEETS, ANSWERS):
        ends = f"a sheet ends in {' or '.join(SHEETS)}, a packet's answers in {ANSWERS}"
        raise UsageError(f"{str(path)!r}: unknown format; {ends}")
    if name is not None and not any(name in desk.people for desk in desks):
        raise UsageError(f"{name!r} does not take part in this round; export a sheet for them first")
    data = read_bytes(path, "file")
    if path.suffix.lower() == ANSWERS:
        return read_answers(desks, name, data, str(path))
    grid = read_workbook(path, data) if path.suffix.lower() == ".xlsx" else read_csv_sheet(path, data)
    return _read_sheet(file, desks, grid, path, name)


def _read_sheet(
    file: "RunFile", desks: "Sequence[Desk]", grid: "Grid", path: Path, name: str | None
) -> "tuple[Desk, Incoming]":
    from evalkit.offline.incoming import desk_of_rows, from_rows, labels_of, marks_so_far
    from evalkit.offline.reading import label_column, label_problems, named, read_rows, whose

    rows, problems = read_rows(grid, desks[-1].criteria)
    desk = desk_of_rows(desks, rows)
    labels = labels_of(file, desk)
    grader = name or whose(rows, labels)
    column = label_column(grid)
    if column is not None:
        problems += label_problems(rows, column, grader or "anybody in this round", labels)
    if problems:
        raise ProblemsError(named(problems, str(path)))
    if grader is None:
        raise UsageError(f"{str(path)!r} has no row with anything in it; check that it is the sheet that came back")
    return desk, from_rows(desk, grader, rows, marks_so_far(file, desk, grader))


def _told(incoming: "Incoming", changes: "Changes", path: Path) -> list[str]:
    """What will change, before it does."""

    def said(level: int | None) -> str:
        return "cannot tell" if level is None else str(level)

    lines = [
        f"{path}: {incoming.grader}: {len(changes.new)} new grades, {len(changes.changed)} changed,"
        f" {len(changes.withdrawn)} taken back, notes and the like on {changes.other} outputs"
    ]
    changed = [
        f"  {label} {criterion}: {said(before)} becomes {said(after)}"
        for (label, criterion), (before, after) in changes.changed.items()
    ] + [f"  {label} {criterion}: taken back" for label, criterion in changes.withdrawn]
    lines += changed[:_MOST_NAMED]
    if len(changed) > _MOST_NAMED:
        lines.append(f"  and {len(changed) - _MOST_NAMED} more")
    if incoming.left_empty:
        lines.append(f"{incoming.left_empty} earlier grades have an empty cell here; they stay as they are")
    return lines


def _ask(yes: bool) -> None:
    """Before earlier grades are changed, where there is somebody to ask."""
    if not yes and sys.stdin.isatty() and sys.stderr.isatty() and not typer.confirm("Go on?", err=True):
        raise typer.Exit(0)


def _tell_what_is_left(file: "RunFile", desk: "Desk", round_: "Round") -> None:
    left = {name: count for name, count in desk.left().items() if count}
    if left:
        say("outputs left: " + ", ".join(f"{name} {count}" for name, count in left.items()))
        return
    unasked = [name for name in desk.people if not desk.is_through(name)] if desk.settings.ask_author else []
    if unasked:
        say(
            f"everybody has graded; who wrote them is still to be asked of {', '.join(unasked)}:"
            f" evalkit grade {in_shell(file.path)} --grader {unasked[0]}, or --export another packet"
        )
    else:
        say(f"everybody has graded; next: evalkit grade {in_shell(file.path)} --close, which ends round {round_.id}")
