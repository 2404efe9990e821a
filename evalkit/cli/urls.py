"""What a command line names by URL: fetched before it is read, and sent once it has been written.

Parsers of options, so that commands know local paths alone; a path that is no URL stays as it is. Local copies are
removed when the command has ended, and messages name the URLs that they stand for.
"""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from evalkit import remote
from evalkit.cli.terminal import in_shell
from evalkit.errors import UsageError
from evalkit.frozen import dataclass

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory


@dataclass(frozen=True)
class _Folder:
    """A folder here that stands for one at a URL, which ends in a slash."""

    path: Path
    url: str
    to_write: bool


_folders: list[_Folder] = []
_held: "list[TemporaryDirectory[str]]" = []
"""What those of this command lie in, made for the first URL."""


def is_url(given: str | Path) -> bool:
    """Whether something is named by URL; `file://` names a path."""
    return isinstance(given, str) and "://" in given and not given.startswith("file://")


def plain(given: str) -> str:
    """What is named as the name of a path, if it is one."""
    return unquote(given.removeprefix("file://")) if given.startswith("file://") else given


def readable(given: str | Path) -> Path:
    """A file to read."""
    return _fetched(str(given), _here(str(given), to_write=False)) if is_url(given) else _local(given)


def _fetched(given: str, path: Path) -> Path:
    remote.fetch(given, path)
    path.chmod(0o400)  # what was written into it would be lost
    return path


def readable_run(given: str | Path) -> Path:
    """A run file to read, and what a small model said of its requests, which is kept beside it."""
    from evalkit.cli.places import router_file

    path = readable(given)
    if is_url(given) and remote.exists(_url(router_file(path)), readable=True):
        remote.fetch(_url(router_file(path)), router_file(path))
    return path


def readable_dataset(given: str | Path) -> Path:
    """A dataset to read, with the card and the files that it names, and its rubric."""
    path = readable_with_rubric(given)
    if is_url(given):
        from evalkit.dataset_parts import fetch_parts

        fetch_parts(f"{_url(path.parent).rstrip('/')}/", path)
    return path


def readable_with_rubric(given: str | Path) -> Path:
    """A file to read, with the rubric that would be found for it by path."""
    if not is_url(given):
        return _local(given)
    from evalkit.files import rubric_places

    path = _fetched(str(given), _here_below(str(given)))
    for place in rubric_places(path):
        if _folder_of(place) is not None and remote.exists(_url(place), readable=True):
            remote.fetch(_url(place), place)
            break
    return path


def readable_or_name(given: str) -> str:
    """A run file to read, or the name of a model."""
    return str(readable_run(given)) if is_url(given) else given


def writable(given: str | Path) -> Path:
    """A file to write; `deliver` sends it."""
    return _here(str(given), to_write=True) if is_url(given) else _local(given)


def writable_new(given: str | Path) -> Path:
    """The same with what is there already, for commands that overwrite nothing."""
    path = writable(given)
    if is_url(given) and remote.exists(str(given)):
        remote.fetch(str(given), path)
    return path


def local(given: str | Path) -> Path:
    """A path on this machine; UsageError for a URL."""
    if is_url(given):
        raise UsageError(
            f"{remote.shown(str(given))} is elsewhere, and what is worked on must be here; name a file on this machine"
            " (`evalkit export` copies run files from URLs and to them)"
        )
    return _local(given)


def deliver(*paths: Path) -> None:
    """Send what has been written for URLs, in this order; paths that stand for none stay where they are."""
    for path in paths:
        if _folder_of(path) is not None:
            remote.send(path, _url(path))


def names_in(folder: Path) -> list[str]:
    """Names of the files in a folder, here or where it will be."""
    return (
        sorted(path.name for path in folder.glob("*")) if _folder_of(folder) is None else remote.names_in(_url(folder))
    )


def as_given(said: object) -> str:
    """A text in which copies here are called by their URLs."""
    text = str(said)
    for folder in _folders:
        text = text.replace(f"{folder.path}/", remote.shown(folder.url))
    return text


def next_here(command: str, path: Path) -> str:
    """How to go on with a run file by a command that writes into it, which it must be here for."""
    if _folder_of(path) is None:
        return f"{command} {in_shell(path)}"
    return f"export {as_given(path)} runs/, then evalkit {command} {in_shell(f'runs/{path.name}')}"


def forget() -> None:
    """Remove the copies; the last thing a command does."""
    _folders.clear()
    while _held:
        _held.pop().cleanup()


def _here(url: str, *, to_write: bool) -> Path:
    """Where the copy of a file goes: in a folder of its own, or in one with all that is written into the same."""
    above, _, name = remote.place_of(url).rpartition("/")
    if name in ("", ".", "..") or above.endswith((":/", "://")):
        raise UsageError(f"{remote.shown(url)} names no file; write one after the bucket and its folders")
    known = next((one for one in _folders if to_write and one.to_write and one.url == f"{above}/"), None)
    return (known or _new_folder(f"{above}/", to_write)).path / name


def _here_below(url: str) -> Path:
    """The same to read, in a folder that stands for the one above, from which a dataset may have its rubric."""
    above, _, name = remote.place_of(url).rpartition("/")
    higher, _, last = above.rpartition("/")
    if name in ("", ".", "..") or last in ("", ".", "..") or higher.endswith((":/", "://")):
        return _here(url, to_write=False)
    folder = _new_folder(f"{higher}/", to_write=False).path / last
    folder.mkdir()
    return folder / name


def _new_folder(url: str, to_write: bool) -> _Folder:
    if not _held:
        from tempfile import TemporaryDirectory

        _held.append(TemporaryDirectory(prefix="evalkit-"))
    folder = _Folder(Path(_held[0].name) / str(len(_folders)), url, to_write)
    folder.path.mkdir()
    _folders.append(folder)
    return folder


def _folder_of(path: Path) -> _Folder | None:
    return next((folder for folder in _folders if path.is_relative_to(folder.path)), None)


def _url(path: Path) -> str:
    """What a path in one of the folders stands for; of a folder with a slash."""
    folder = next(folder for folder in _folders if path.is_relative_to(folder.path))
    return folder.url if path == folder.path else f"{folder.url}{path.relative_to(folder.path).as_posix()}"


def _local(given: str | Path) -> Path:
    return Path(plain(given)) if isinstance(given, str) else given
