"""From an item to the request: which documents come along, in what order, and how they are laid out."""

import html
import random
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.base64_text import base64_of
from evalkit.cache_marks import with_marks
from evalkit.dataset import Dataset, Item, TemplateText
from evalkit.frozen import dataclass
from evalkit.params import CacheMarks
from evalkit.records import Request
from evalkit.strict import content_sha256

LAYOUT = "documents-then-task/1"
"""Name of the layout below; it changes whenever the same item would be sent in another form."""


@dataclass(frozen=True)
class Assembly:
    """The documents of one item's prompt in order, and where among them (from 0) its evidence stands."""

    documents: tuple[str, ...]
    evidence_positions: tuple[int, ...]


def assemble(
    evidence: Sequence[str], pool: Mapping[str, str], sizes: Mapping[str, float], room: float, seed: str
) -> Assembly:
    """Evidence always, then distractors from `pool` by `seed` while they fit into `room`.

    `sizes` and `room` share one unit (tokens or characters). Evidence stands at seeded, random places, since
    where it stands changes how well models find it. The same arguments give the same prompt.
    """
    rng = random.Random(seed)  # noqa: S311  sampling, not secrets
    left = room - sum(sizes[name] for name in evidence)
    chosen: list[str] = []
    distractors = sorted(name for name in pool if name not in evidence)
    rng.shuffle(distractors)
    for name in distractors:
        if sizes[name] <= left:
            chosen.append(name)
            left -= sizes[name]
    for name in evidence:
        chosen.insert(rng.randint(0, len(chosen)), name)
    return Assembly(tuple(chosen), tuple(chosen.index(name) for name in evidence))


def _document_block(index: int, name: str, text: str) -> str:
    return f'<document index="{index}" name="{html.escape(name)}">\n{text.strip()}\n</document>'


def document_text(names: Sequence[str], texts: Mapping[str, str]) -> str:
    """The documents as they stand at the head of the first user message; empty for none."""
    if not names:
        return ""
    blocks = [_document_block(index, name, texts[name]) for index, name in enumerate(names, start=1)]
    return "<documents>\n" + "\n".join(blocks) + "\n</documents>\n\n"


class _Documents(tuple[Mapping[str, str], ...]):
    """The documents of a prompt for a template: one by one, or printed as the block they make."""

    def __str__(self) -> str:
        names = [document["name"] for document in self]
        return document_text(names, {document["name"]: document["text"] for document in self})


def unmarked_documents(dataset: Dataset) -> list[str]:
    """Items whose documents cannot be marked for caching, since the template prints them otherwise than as one block.

    By their evidence alone. Raises TemplateError."""
    found = []
    for item in dataset.items if dataset.template is not None else ():
        evidence = dataset.evidence.get(item.id, ())
        if evidence and document_text(evidence, dataset.documents).rstrip() not in first_text(item, dataset, evidence):
            found.append(item.id)
    return found


def first_text(item: Item, dataset: Dataset, documents: Sequence[str]) -> str:
    """The text of the first user message: by the dataset's template, else the documents and then the input.

    The reference is out of a template's reach: no model may see the answer key. Raises TemplateError.
    """
    asked = item.turns[0].text
    if dataset.template is None:
        return document_text(documents, dataset.documents) + asked
    from evalkit.template import render

    rated = {} if item.difficulty is None else {"difficulty": item.difficulty}
    variables = {
        "item": {"id": item.id, "input": asked, "tags": list(item.tags), **rated},
        "documents": _Documents({"name": name, "text": dataset.documents[name]} for name in documents),
        "vars": dict(item.vars),
    }
    return render(dataset.template.text, variables)


def build_request(
    model: str,
    item: Item,
    dataset: Dataset,
    documents: Sequence[str],
    max_tokens: int,
    cache: CacheMarks | None = None,
) -> Request:
    """The request of one trial. Documents and attachments go into the first user message, before its text.

    `cache`: what to mark for caching; None sends no mark. Raises TemplateError.
    """
    content: Any = first_text(item, dataset, documents)
    if item.attachments:
        content = [*(_attachment_block(dataset, name) for name in item.attachments), {"type": "text", "text": content}]
    later = [turn.sent for turn in item.turns[1:]]
    params = dataset.params(item)
    asked = params.pop("max_tokens", max_tokens)
    request = Request(model, ({"role": "user", "content": content}, *later), asked, dataset.system(item), params)
    return with_marks(request, cache, document_text(documents, dataset.documents))


def _attachment_block(dataset: Dataset, name: str) -> dict[str, Any]:
    attachment = dataset.attachments[name]
    kind = "document" if attachment.media_type == "application/pdf" else "image"
    source = {"type": "base64", "media_type": attachment.media_type, "data": base64_of(attachment)}
    return {"type": kind, "source": source}


def prompt_sha256(max_tokens: int, template: TemplateText | None = None) -> str:
    """Hash of how a prompt is made, apart from what goes into it: the layout or the template, and the output cap."""
    layout = {"layout": LAYOUT} if template is None else {"template": template.text}
    return content_sha256({**layout, "max_tokens": max_tokens})
