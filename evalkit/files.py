"""The one place that reads input files and writes output files: whole or not at all."""

import codecs
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evalkit.config import Config
from evalkit.errors import InfrastructureError, ProblemsError, UsageError
from evalkit.rubric import Criterion, Rubric
from evalkit.strict import Problem, read_strict, validated, value_in

_ELSEWHERE = "PATH"


class NotUtf8Error(UsageError):
    """A file that should be text is none; `problem` says where."""

    def __init__(self, path: Path, line: int) -> None:
        self.problem = Problem(str(path), line, "not UTF-8 text", "save the file as UTF-8")
        super().__init__(str(self.problem))


def read_text(path: Path, what: str) -> str:
    """A text file as UTF-8 (a byte-order mark is dropped); one clear line if it cannot be read."""
    data = read_bytes(path, what)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotUtf8Error(path, data[: error.start].count(b"\n") + 1) from error


def read_lines(path: Path, what: str) -> Iterator[str]:
    """The lines of a text file as UTF-8, one at a time, so that a large file is never in memory as a whole."""
    for number, data in enumerate(raw_lines(path, what), start=1):
        try:
            yield data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise NotUtf8Error(path, number) from error


def raw_lines(path: Path, what: str) -> Iterator[bytes]:
    """The lines of a file without its byte-order mark, one at a time."""
    try:
        with path.open("rb") as file:
            for number, data in enumerate(file):
                yield data if number else data.removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        read_bytes(path, what)
        raise InfrastructureError(f"{what} {str(path)!r} cannot be read ({error.strerror}); check it") from error


def read_bytes(path: Path, what: str) -> bytes:
    """A file's content; `what` is how a message calls it. UsageError if there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"{what} {str(path)!r} does not exist; check the path") from error
    except IsADirectoryError as error:
        raise UsageError(f"{what} {str(path)!r} is a folder; name a file in it") from error
    except OSError as error:
        raise InfrastructureError(f"{what} {str(path)!r} cannot be read ({error.strerror}); check it") from error


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, never a part."""
    data = content if isinstance(content, bytes) else content.encode("utf-8", errors="backslashreplace")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with temporary.open("xb") as file:
                file.write(data)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InfrastructureError(
            f"{str(path)!r} cannot be written ({error.strerror}); free space or choose another place with -o"
        ) from error


def read_config(path: Path) -> Config:
    """`evalkit.yaml`, or the defaults where there is none."""
    if not path.exists():
        return Config()
    config = read_strict(Config, read_text(path, "config"), str(path))
    if isinstance(config, list):
        raise ProblemsError([str(problem) for problem in config])
    return config


def read_rubric(path: Path) -> Rubric:
    """A rubric file; ProblemsError with every problem it has."""
    rubric = load_rubric(path)
    if isinstance(rubric, list):
        raise ProblemsError([str(problem) for problem in rubric])
    return rubric


def load_rubric(path: Path) -> Rubric | list[Problem]:
    """A rubric file, or every problem it has."""
    try:
        return read_strict(Rubric, read_text(path, "rubric"), str(path))
    except NotUtf8Error as error:
        return [error.problem]


def sound_criteria(path: Path) -> tuple[Criterion, ...]:
    """The criteria that can be read of a rubric that cannot, so that a dataset can be held against them."""
    try:
        content, _ = readable(path, "rubric")
    except NotUtf8Error:
        return ()
    entries = value_in(content, "criteria")
    found = [validated(Criterion, entry) for entry in (entries if isinstance(entries, list) else ())]
    return tuple(criterion for criterion in found if isinstance(criterion, Criterion))


def readable(path: Path, what: str) -> tuple[Any, Mapping[tuple[str | int, ...], int]]:
    """As much as can be read of a YAML file whose problems are told already, and the lines of its values."""
    from evalkit.yaml_text import parse_readable

    return parse_readable(read_text(path, what))


def find_rubric(dataset: Path, config: Config) -> Path:
    """The rubric that goes with a dataset unless one is named: the config's, else `rubrics/<dataset>.yaml`."""
    if config.rubric is not None:
        return Path(config.rubric)
    places = rubric_places(dataset)
    for path in places:
        if path.exists():
            return path
    raise UsageError(f"no rubric found for {str(dataset)!r}; name one with --rubric, or write {places[-1].as_posix()}")


def is_elsewhere(file: str) -> bool:
    """Whether a path of `without_machine` is of a file outside the working folder."""
    return file.startswith(f"{_ELSEWHERE}/")


def without_machine(path: Path) -> str:
    """A path as it may stand in a report: from the working folder; of a file elsewhere the name, for a `PATH` to fill
    in, since its folders are this machine's."""
    here = Path.cwd()
    for place in (Path(os.path.normpath(here / path)), path.resolve()):  # a working folder may be reached by a link
        if place.is_relative_to(here):
            return place.relative_to(here).as_posix()
    return f"{_ELSEWHERE}/{path.name}"


def rubric_places(dataset: Path) -> tuple[Path, ...]:
    """Where a dataset's rubric may be, the first place that has one first."""
    folders = (dataset.parent / "rubrics", dataset.parent.parent / "rubrics", Path("rubrics"))
    return tuple(folder / f"{dataset.stem}.yaml" for folder in folders)
