"""From an item to the request: which documents come along, in what order, and how they are laid out."""

import base64
import html
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.dataset import Dataset, Item
from evalkit.records import Request
from evalkit.strict import content_sha256

DEFAULT_MAX_TOKENS = 1024
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


def build_request(model: str, item: Item, dataset: Dataset, documents: Sequence[str], max_tokens: int) -> Request:
    """The request of one trial. Documents and attachments go into the first user message, before its text."""
    turns = [("user", item.input)] if isinstance(item.input, str) else [(m.role, m.content) for m in item.input]
    head = document_text(documents, dataset.documents)
    messages: list[dict[str, Any]] = [{"role": role, "content": text} for role, text in turns]
    messages[0]["content"] = head + messages[0]["content"]
    if item.attachments:
        blocks = [_attachment_block(dataset, name) for name in item.attachments]
        messages[0]["content"] = [*blocks, {"type": "text", "text": messages[0]["content"]}]
    params = dataset.params(item)
    asked = params.pop("max_tokens", max_tokens)
    return Request(model, tuple(messages), asked, dataset.system(item), params)


def _attachment_block(dataset: Dataset, name: str) -> dict[str, Any]:
    attachment = dataset.attachments[name]
    kind = "document" if attachment.media_type == "application/pdf" else "image"
    data = base64.b64encode(attachment.data).decode("ascii")
    return {"type": kind, "source": {"type": "base64", "media_type": attachment.media_type, "data": data}}


def prompt_sha256(max_tokens: int) -> str:
    """Hash of everything about the prompt that is not in the dataset: the layout and the output cap."""
    return content_sha256({"layout": LAYOUT, "max_tokens": max_tokens})
