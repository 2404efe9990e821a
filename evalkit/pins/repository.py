"""The files of a folder or a git repository, now and at any of its commits."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, cast

from evalkit.errors import InfrastructureError, UsageError
from evalkit.frozen import dataclass

_SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "dist", "build"})
_TIMEOUT_S = 60
_SUBMODULE = "160000"


def files_of(paths: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    """Every file under the paths with its content: in a git repository those that git does not ignore.

    A link's content is where it leads, as it is for git.
    """
    for path in paths:
        if path.is_file():
            yield path.as_posix(), _content(path)
        elif path.is_dir():
            for file in _tracked(path) or _walked(path):
                if file.is_symlink():
                    yield file.as_posix(), os.fsencode(file.readlink())
                elif file.is_file():
                    yield file.as_posix(), _content(file)
        else:
            raise UsageError(f"{str(path)!r} does not exist; check the path")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InfrastructureError(f"{str(path)!r} cannot be read ({error.strerror}); check its rights") from error


def _tracked(folder: Path) -> list[Path]:
    """What git knows of in a folder, new files too; empty outside a repository."""
    listed = _run(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return [] if listed is None else [folder / name for name in sorted(set(_names(listed)))]


def ignored(paths: Sequence[Path]) -> list[str]:
    """Files and whole folders under the paths that git ignores, and `files_of` therefore passes over."""
    told = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
    folders = [(path, _run(path, *told) if _tracked(path) else None) for path in paths if path.is_dir()]
    return sorted({(folder / name).as_posix() for folder, listed in folders for name in _names(listed or b"")})


def _walked(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED and not name.startswith("."))
        yield from (
            Path(here) / name for name in sorted([*files, *(n for n in folders if (Path(here) / n).is_symlink())])
        )


def revisions(named: str, folder: Path) -> tuple[str, str]:
    """The two commits of `BASE..HEAD`, or of `BASE...HEAD` from where they parted; UsageError for others."""
    dots = "..." if "..." in named else ".."
    base, found, head = named.partition(dots)
    if not found or not base or base.startswith("-") or head.startswith("-"):
        raise UsageError(f"{named!r} is no range of commits; write BASE..HEAD")
    commits = [_commit(name or "HEAD", folder) for name in (base, head)]
    if dots == "...":
        parted = _run(folder, "merge-base", *commits)
        if parted is None:
            raise UsageError(f"{base!r} and {head or 'HEAD'!r} have no common commit; name two that do")
        commits[0] = parted.decode().strip()
    return commits[0], commits[1]


def _commit(name: str, folder: Path) -> str:
    found = _run(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if found is None:
        raise UsageError(f"{name!r} is no commit here; fetch it (actions/checkout needs fetch-depth: 0), or correct it")
    return found.decode().strip()


@dataclass(frozen=True)
class ChangedFile:
    """A file in which two commits differ: its modes and the ids of its contents, of zeros alone where it is not."""

    path: str
    modes: tuple[str, str]
    blobs: tuple[str, str]

    @property
    def is_submodule(self) -> bool:
        """Whether it is another repository, whose files neither commit holds."""
        return _SUBMODULE in self.modes


def changed_files(base: str, head: str, folder: Path) -> list[ChangedFile]:
    """All files in which two commits differ, deleted and new ones too, whatever attributes say."""
    as_listed = ("--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff", "--ignore-submodules=none")
    listed = _run(folder, "diff", *as_listed, base, head)
    if listed is None:
        raise UsageError(f"git cannot compare {base[:12]} with {head[:12]}; check the repository")
    fields = _names(listed)
    told = [told.removeprefix(":").split() for told in fields[::2]]
    return [ChangedFile(path, (one[0], one[1]), (one[2], one[3])) for one, path in zip(told, fields[1::2], strict=True)]


def contents(blobs: Sequence[str], folder: Path) -> Iterator[bytes]:
    """Contents by their ids, one after another; empty for one of zeros."""
    with subprocess.Popen(  # noqa: S603
        _git(folder, "cat-file", "--batch"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as git:
        asked, answered = cast("IO[bytes]", git.stdin), cast("IO[bytes]", git.stdout)
        for blob in blobs:
            if not blob.strip("0"):
                yield b""
                continue
            asked.write(f"{blob}\n".encode())
            asked.flush()
            told = answered.readline().decode().split()  # nothing where a partial clone cannot fetch it
            if len(told) != 3:
                raise UsageError(f"git has no content {blob[:12]} here; fetch the whole history (fetch-depth: 0)")
            yield answered.read(int(told[2]) + 1)[:-1]


def changed_lines(pattern: str, paths: Sequence[str], until: str, folder: Path) -> list[tuple[str, str]]:
    """Path and content id of each file as a commit left it that changed a matching line, in any case; newest first.

    Of one path also what it was called before: git follows only one at a time.
    """
    follow = ("--follow",) if len(paths) == 1 else ("--no-renames",)
    told = ("--format=", "--raw", "-z", "--no-abbrev", "--no-ext-diff", "--no-textconv", "--text", "-i", f"-G{pattern}")
    literal = [f":(top,literal){path}" for path in paths]
    fields = iter(_names(_run(folder, "log", *follow, *told, until, "--", *literal) or b""))
    found = []
    for field in fields:
        *_, blob, status = field.lstrip("\n").split()
        path = next(fields)
        found.append((next(fields) if status[0] in "RC" else path, blob))
    return found


def files_with(pattern: str, commit: str, folder: Path) -> list[str]:
    """Files of a commit with a line that matches."""
    top = (_run(folder, "rev-parse", "--show-toplevel") or b"").decode().rstrip("\n")
    listed = _run(Path(top), "grep", "-l", "-z", "-a", "-E", "-e", pattern, commit, "--")
    return [name.removeprefix(f"{commit}:") for name in _names(listed or b"")]


def content_at(commit: str, path: str, folder: Path) -> bytes:
    """A file as it was at a commit; empty where there was none."""
    return _run(folder, "show", f"{commit}:{path}") or b""


def _names(listed: bytes) -> list[str]:
    return [os.fsdecode(name) for name in listed.split(b"\0") if name]


def _git(folder: Path, *arguments: str) -> list[str]:
    return [
        "git",
        "-C",
        str(folder),
        "-c",
        "core.quotePath=false",
        "-c",
        "diff.relative=false",
        "-c",
        "color.ui=false",
        *arguments,
    ]


def _run(folder: Path, *arguments: str) -> bytes | None:
    """What git prints; None if it refuses, or if there is no git."""
    try:
        done = subprocess.run(_git(folder, *arguments), capture_output=True, timeout=_TIMEOUT_S, check=False)  # noqa: S603
    except FileNotFoundError:
        return None
    except subprocess.TimeoutExpired as error:
        raise InfrastructureError(f"git took longer than {_TIMEOUT_S} s; try again") from error
    return done.stdout if done.returncode == 0 else None
