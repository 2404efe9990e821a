"""The one place that reads input files and writes output files: whole or not at all."""

import codecs
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalkit.config import Config
from evalkit.dataset import NO_ITEMS, Attachment, Card, Dataset, Document, Item, TemplateText, parse_items
from evalkit.errors import InfrastructureError, ProblemsError, UsageError
from evalkit.rubric import Criterion, Rubric
from evalkit.strict import Problem, line_of, read_strict, shown, validated, value_in
from evalkit.wording import plural

MEDIA_TYPES = {
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
_BEGINNINGS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
_DOCUMENT_SUFFIXES = {".md", ".txt", ".html", ".csv", ".json", ".xml", ".rst"}


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
    for number, data in enumerate(_raw_lines(path, what), start=1):
        try:
            yield data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise NotUtf8Error(path, number) from error


def _raw_lines(path: Path, what: str) -> Iterator[bytes]:
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
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(temporary).chmod(0o666 & ~_umask())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InfrastructureError(
            f"{str(path)!r} cannot be written ({error.strerror}); free space or choose another place with -o"
        ) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


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
        content, _ = _readable(path, "rubric")
    except NotUtf8Error:
        return ()
    entries = value_in(content, "criteria")
    found = [validated(Criterion, entry) for entry in (entries if isinstance(entries, list) else ())]
    return tuple(criterion for criterion in found if isinstance(criterion, Criterion))


def find_rubric(dataset: Path, config: Config) -> Path:
    """The rubric that goes with a dataset unless one is named: the config's, else `rubrics/<dataset>.yaml`."""
    if config.rubric is not None:
        return Path(config.rubric)
    name = f"{dataset.stem}.yaml"
    for folder in (dataset.parent / "rubrics", dataset.parent.parent / "rubrics", Path("rubrics")):
        if (folder / name).exists():
            return folder / name
    raise UsageError(f"no rubric found for {str(dataset)!r}; name one with --rubric, or write rubrics/{name}")


def read_dataset(path: Path) -> Dataset:
    """A dataset with all it refers to; ProblemsError with every problem it has."""
    dataset, problems = load_dataset(path)
    if problems:
        raise ProblemsError([str(problem) for problem in problems])
    return dataset


def load_dataset(path: Path) -> tuple[Dataset, list[Problem]]:
    """A dataset, and every problem of its lines, its card and the files they name."""
    unreadable: list[int] = []
    items, problems = parse_items(_lines_of(path, unreadable), str(path))
    if unreadable:
        problems = [problem for problem in problems if problem.what != NO_ITEMS] + [_not_text(path, unreadable)]
    card, card_problems = _load_card(path.with_suffix(".yaml"))
    template, template_problems = _load_template(path.with_suffix(".yaml"), card)
    documents, pool_problems = _load_pool(path, card)
    problems += [*card_problems, *template_problems, *pool_problems]
    evidence: dict[str, tuple[str, ...]] = {}
    attachments: dict[str, Attachment] = {}
    for number, item in items:
        place = _Place(path, number)
        if item.documents:
            evidence[item.id] = _load_evidence(item, place, documents, problems)
        _load_attachments(item, place, attachments, problems)
    dataset = Dataset(
        name=path.stem,
        items=tuple(item for _, item in items),
        card=card,
        documents=documents,
        evidence=evidence,
        attachments=attachments,
        lines={item.id: number for number, item in items},
        template=template,
        card_is_whole=not card_problems,
    )
    return dataset, sorted(problems)


def _lines_of(path: Path, unreadable: list[int]) -> Iterator[str]:
    """A dataset's lines, one at a time; those that are no text are blank, and their numbers noted."""
    for number, data in enumerate(_raw_lines(path, "dataset"), start=1):
        try:
            yield data.removesuffix(b"\n").decode("utf-8")
        except UnicodeDecodeError:
            yield ""
            unreadable.append(number)


def _not_text(path: Path, numbers: Sequence[int]) -> Problem:
    problem, more = NotUtf8Error(path, numbers[0]).problem, len(numbers) - 1
    return replace(problem, what=f"{problem.what}, like {plural(more, 'line')} below it") if more else problem


class _Place:
    """Where a reference to another file stands, and what it is relative to."""

    def __init__(self, path: Path, line: int) -> None:
        self.file, self.line, self.folder = str(path), line, path.parent

    def file_of(self, kind: str, name: str) -> Path | Problem:
        """The file of that name; a problem if there is none, or if it is outside the dataset's folder."""
        try:
            file = self.folder / name
            if not _is_inside(file, self.folder):
                return self.problem(f"{kind} {shown(name)} lies outside the dataset's folder", "copy it into that")
            if file.is_file():
                return file
            if file.exists():
                return self.problem(f"{kind} {shown(name)} is no file", "name a file")
        except (OSError, ValueError):  # no name of a file, since it is too long, say
            pass
        return self.problem(f"{kind} {shown(name)} does not exist", "correct the path")

    def text_of(self, kind: str, name: str) -> str | Problem:
        """The text of the file of that name."""
        file = self.file_of(kind, name)
        try:
            return file if isinstance(file, Problem) else read_text(file, kind)
        except NotUtf8Error as error:
            return error.problem

    def problem(self, what: str, remedy: str) -> Problem:
        return Problem(self.file, self.line, what, remedy)


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether a path stays within a folder, whatever dots and links it goes through."""
    return path.resolve().is_relative_to(folder.resolve())


def _load_card(path: Path) -> tuple[Card, list[Problem]]:
    if not path.exists():
        return Card(), []
    try:
        card = read_strict(Card, read_text(path, "dataset card"), str(path))
    except NotUtf8Error as error:
        return Card(), [error.problem]
    return (_sound_part(path), card) if isinstance(card, list) else (card, [])


def _readable(path: Path, what: str) -> tuple[Any, Mapping[tuple[str | int, ...], int]]:
    """As much as can be read of a YAML file whose problems are told already, and the lines of its values."""
    from evalkit.yaml_text import parse_readable

    return parse_readable(read_text(path, what))


def _sound_part(path: Path) -> Card:
    """The keys that can be read of a card that cannot, so that the files they name are looked at too."""
    content = _readable(path, "dataset card")[0]
    pairs = content.items() if isinstance(content, dict) else ()
    sound = [found for key, value in pairs if isinstance(found := validated(Card, {key: value}), Card)]
    return Card(**{name: getattr(part, name) for part in sound for name in part.model_fields_set})


def _load_template(path: Path, card: Card) -> tuple[TemplateText | None, list[Problem]]:
    """The card's template: what stands in it, or the file that it names in one line without a brace."""
    if card.template is None:
        return None, []
    line = line_of(("template",), _readable(path, "dataset card")[1])
    if "\n" in card.template or "{" in card.template:
        return TemplateText(card.template, str(path), line + ("\n" in card.template)), []
    text = _Place(path, line).text_of("template", card.template)
    if isinstance(text, Problem):
        return None, [text]
    return TemplateText(text.replace("\r\n", "\n"), str(path.parent / card.template)), []


def _load_pool(path: Path, card: Card) -> tuple[dict[str, str], list[Problem]]:
    """Texts of the card's documents folder by their path relative to the dataset file."""
    if card.documents is None:
        return {}, []
    place, folder = _Place(path.with_suffix(".yaml"), _line_of_documents(path)), path.parent / card.documents
    if not _is_inside(folder, path.parent):
        what = f"folder {card.documents!r} lies outside the dataset's folder"
        return {}, [place.problem(what, "copy it into that")]
    if not folder.is_dir():
        return {}, [place.problem(f"folder {card.documents!r} does not exist", "create it or correct the path")]
    files = sorted(f for f in folder.rglob("*") if f.is_file() and f.suffix.lower() in _DOCUMENT_SUFFIXES)
    names = [file.relative_to(path.parent).as_posix() for file in files]
    found = {name: place.text_of("document", name) for name in names}
    texts = {name: text for name, text in found.items() if isinstance(text, str)}
    return texts, [problem for problem in found.values() if isinstance(problem, Problem)]


def _line_of_documents(path: Path) -> int:
    """Where the card names its documents folder."""
    return line_of(("documents",), _readable(path.with_suffix(".yaml"), "dataset card")[1])


def _load_evidence(item: Item, place: _Place, documents: dict[str, str], problems: list[Problem]) -> tuple[str, ...]:
    names: list[str] = []
    for entry in item.documents:
        name, text = (entry.name, entry.text) if isinstance(entry, Document) else (entry, None)
        name = name if text is not None else Path(name).as_posix()
        if text is None and name not in documents:
            found = place.text_of("document", name)
            if isinstance(found, Problem):
                if found not in problems:
                    problems.append(found)
                continue
            text = found
        if text is not None and documents.get(name, text) != text:
            problems.append(place.problem(f"document {name!r} has another text elsewhere", "rename one of them"))
        if text is not None:
            documents[name] = text
        if name in names:
            problems.append(place.problem(f"document {name!r} is named twice", "name it once"))
            continue
        names.append(name)
    return tuple(names)


def _load_attachments(item: Item, place: _Place, attachments: dict[str, Attachment], problems: list[Problem]) -> None:
    for name in item.attachments:
        media_type = MEDIA_TYPES.get(Path(name).suffix.lower())
        if media_type is None:
            kinds = ", ".join(sorted(MEDIA_TYPES))
            problems.append(place.problem(f"attachment {shown(name)} is of an unknown kind", f"use one of {kinds}"))
        elif isinstance(file := place.file_of("attachment", name), Problem):
            problems.append(file)
        else:
            data = read_bytes(file, "attachment")
            found = media_type_of(data)
            if found != media_type:
                what = f"attachment {shown(name)} is {found or 'neither a PDF nor an image'} inside, not {media_type}"
                problems.append(place.problem(what, "correct its ending, or replace it"))
            attachments[name] = Attachment(name, media_type, hashlib.sha256(data).hexdigest(), data)


def media_type_of(data: bytes) -> str | None:
    """What a file is by how it begins; None for nothing that can be attached."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if b"%PDF-" in data[:1024]:
        return "application/pdf"
    return next((kind for start, kind in _BEGINNINGS.items() if data.startswith(start)), None)
