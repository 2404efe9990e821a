"""`evalkit export`: run files, whole, from and to other places, and all trials of one as a table."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from evalkit import remote
from evalkit.cli import report_files, urls
from evalkit.cli.terminal import say
from evalkit.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Run file, or a folder of them with a slash.", show_default=False)
    ],
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="File to write, or a folder with a slash.", show_default=False)
    ],
    force: Annotated[bool, typer.Option("--force", help="Replace what is there; never a run file here.")] = False,
    redact: report_files.Redact = None,
) -> None:
    """Copy a run file from or to a URL, or write all its trials, texts included, as .jsonl, .csv or .parquet.

    A copy is consistent, also while the run goes on, and there whole or not at all. Run files are worked on here: what
    two people add to two copies stays in two files. --redact and evalkit.yaml's patterns hold for tables; a copy of a
    run file has all that it has.

    Examples:

      evalkit export runs/support-replies-1a2b3c4d.db s3://team/runs/

      evalkit export s3://team/runs/support-replies-1a2b3c4d.db runs/

      evalkit export runs/ s3://team/runs/ --force

      evalkit export runs/support-replies-1a2b3c4d.db s3://team/trials.parquet
    """
    run, target = urls.plain(run), urls.plain(target)
    if not _is_folder(target) and not target.endswith(".db"):
        if _is_folder(run):
            raise UsageError(f"{run} is a folder; name a folder to copy to as well, with a slash at its end")
        _write_table(run, target, force, redact)
        return
    if redact:
        raise UsageError("--redact holds for tables, a run file is copied whole; leave it out, or end the file in .csv")
    pairs = _pairs(run, target)
    taken = [to for _, to in pairs if _is_there(to)]
    kept = [to for to in taken if not urls.is_url(to)] if _is_folder(run) else []
    refused = [to for to in taken if to not in kept and not (force and urls.is_url(to))]
    if refused:
        how = "name another, or replace it with --force" if urls.is_url(refused[0]) else "name another"
        raise UsageError(f"{remote.shown(refused[0])} exists already; {how}")
    for to in kept:
        say(f"kept: {to} is here already")
    for source, to in pairs:
        if to not in kept:
            _copy(source, to)
            urls.forget()


def _copy(source: str, to: str) -> None:
    from evalkit.cli.places import router_file
    from evalkit.exporting import copy_run
    from evalkit.wording import plural

    path, copy = urls.readable_run(source), urls.writable(to)
    if router_file(path).is_file():  # what a small model said of its requests
        copy_run(router_file(path), router_file(copy))
        urls.deliver(router_file(copy))
    trials = copy_run(path, copy)
    urls.deliver(copy)
    say(f"exported: {urls.as_given(copy)} ({plural(trials, 'trial')})")


def _write_table(run: str, target: str, force: bool, redact: list[str] | None) -> None:
    from evalkit.analysis import analyze
    from evalkit.exporting import check_ending, write_table
    from evalkit.showing import snapshot_to_show
    from evalkit.wording import plural

    path = urls.writable(target)
    check_ending(path)
    if not force and _is_there(target):
        raise UsageError(f"{remote.shown(target)} exists already; name another, or replace it with --force")
    hidden = report_files.redaction(redact, no_outputs=False)
    source = urls.readable(run)
    snapshot = snapshot_to_show(source)
    write_table(path, report_files.shown(analyze(snapshot), snapshot, hidden, source))
    urls.deliver(path)
    say(f"exported: {urls.as_given(path)} ({plural(len(snapshot.trials), 'trial')})")


def _pairs(run: str, target: str) -> list[tuple[str, str]]:
    """Each run file and where its copy goes."""
    if not _is_folder(run):
        return [(run, _under(target, run.partition("?")[0].rpartition("/")[2]) if _is_folder(target) else target)]
    if not _is_folder(target):
        raise UsageError(f"{run} is a folder; name a folder to copy to as well, with a slash at its end")
    names = [name for name in _names(run) if name.endswith(".db") and name[0] != "." and "/" not in name]
    if not names:
        say(f"no run file in {remote.shown(run)}, nothing to export")
    return [(_under(run, name), _under(target, name)) for name in names]


def _names(folder: str) -> Iterator[str]:
    yield from (
        remote.names_in(folder) if urls.is_url(folder) else (path.name for path in sorted(Path(folder).glob("*")))
    )


def _under(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}"


def _is_folder(given: str) -> bool:
    return given.endswith("/") or (not urls.is_url(given) and Path(given).is_dir())


def _is_there(given: str) -> bool:
    return remote.exists(given) if urls.is_url(given) else Path(given).exists()
