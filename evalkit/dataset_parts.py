"""The files that a dataset at a URL names beside itself, fetched to where its copy lies."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from evalkit import remote
from evalkit.dataset import Card, Item, parse_items
from evalkit.files import read_lines, read_text
from evalkit.strict import read_strict


def fetch_parts(folder: str, path: Path) -> None:
    """Fetch from the URL `folder`, which ends in a slash, what the dataset at `path` needs of it.

    What is not there is left for whoever reads the dataset to tell, and so is what lies outside the folder.
    """
    card_file = path.with_suffix(".yaml")
    _fetch(folder, path.parent, card_file.name)
    card = read_strict(Card, read_text(card_file, "dataset card"), str(card_file)) if card_file.exists() else Card()
    items, _ = parse_items(read_lines(path, "dataset"), str(path))
    names = [name for _, item in items for name in _named(item)]
    if isinstance(card, Card):
        names += _named_by(card, folder)
    for name in dict.fromkeys(names):
        _fetch(folder, path.parent, name)


def _named(item: Item) -> Iterator[str]:
    yield from (document for document in item.documents if isinstance(document, str))
    yield from item.attachments


def _named_by(card: Card, folder: str) -> Iterator[str]:
    """The file of the template, if it is one, and all documents to fill prompts up from."""
    if card.template is not None and not any(mark in card.template for mark in "\n{"):
        yield card.template
    if card.documents is not None and _is_inside(card.documents):
        yield from (f"{card.documents}/{name}" for name in remote.names_in(f"{folder}{card.documents}", deep=True))


def _fetch(folder: str, here: Path, name: str) -> None:
    if _is_inside(name) and not (here / name).exists() and remote.exists(f"{folder}{name}"):
        remote.fetch(f"{folder}{name}", here / name)


def _is_inside(name: str) -> bool:
    return not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts
