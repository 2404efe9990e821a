"""A dataset with its card, template, documents and attachments, read from their files."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from evalkit.dataset import NO_ITEMS, Attachment, Card, Dataset, Document, Item, TemplateText, parse_items
from evalkit.errors import ProblemsError
from evalkit.files import NotUtf8Error, raw_lines, read_bytes, read_text, readable
from evalkit.strict import Problem, line_of, read_strict, shown, validated
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
    for number, data in enumerate(raw_lines(path, "dataset"), start=1):
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


def _sound_part(path: Path) -> Card:
    """The keys that can be read of a card that cannot, so that the files they name are looked at too."""
    content = readable(path, "dataset card")[0]
    pairs = content.items() if isinstance(content, dict) else ()
    sound = [found for key, value in pairs if isinstance(found := validated(Card, {key: value}), Card)]
    return Card(**{name: getattr(part, name) for part in sound for name in part.model_fields_set})


def _load_template(path: Path, card: Card) -> tuple[TemplateText | None, list[Problem]]:
    """The card's template: what stands in it, or the file that it names in one line without a brace."""
    if card.template is None:
        return None, []
    line = line_of(("template",), readable(path, "dataset card")[1])
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
    return line_of(("documents",), readable(path.with_suffix(".yaml"), "dataset card")[1])


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
