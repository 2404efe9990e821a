"""What a grading page is told, as plain JSON: a person's pile with how it stands, and one sitting of it to read.

A served page asks for it piece by piece; an offline packet holds all of it. Nothing here names a trial, an item or,
before all is graded and the author is asked for, a model.
"""

from collections.abc import Sequence
from typing import Any

from evalkit.blind import GradingTask, Passage
from evalkit.desk import Desk
from evalkit.marks import Standing
from evalkit.rubric import Criterion
from evalkit.web.safe_text import Node, marked, plain, rendered
from evalkit.wording import visible

TITLE_LENGTH = 90
"""Characters of an item's input that stand for it in the list."""


def pile_data(desk: Desk, grader: str) -> dict[str, Any]:
    """A person's whole pile without its texts: what is asked, in which order, and what they have said so far."""
    pile, standing = desk.deal(grader), desk.standing(grader)
    return {
        "grader": grader,
        "name": desk.rubric.name,
        "layout": desk.settings.layout,
        "criteria": [_criterion(criterion) for criterion in desk.criteria],
        "ask_author": desk.settings.ask_author,
        "authors": list(desk.authors(grader)),
        "sittings": [[task.label for task in sitting] for sitting in pile.sittings],
        "titles": [_title(sitting[0].task) for sitting in pile.sittings],
        "standing": {label: standing_data(stands) for label, stands in standing.items()},
    }


def standing_data(stands: Standing) -> dict[str, Any]:
    """How one output stands with its grader."""
    return {
        "levels": dict(stands.levels),
        "flagged": stands.flagged,
        "note": stands.note,
        "skipped": stands.skipped,
        "done": stands.done,
        "edited": stands.edited,
        "author": stands.author,
        "author_asked": stands.author_asked,
        "preferred": dict(stands.preferred),
        "active_s": round(stands.active_s, 1),
    }


def sitting_data(sitting: Sequence[GradingTask]) -> dict[str, Any]:
    """An item with its outputs, ready to be shown: every text as a tree of `safe_text`."""
    item = sitting[0]
    return {
        "input": plain(item.task),
        "reference": None if item.reference is None else rendered(item.reference),
        "documents": [_document(passage) for passage in item.documents],
        "outputs": [
            {"label": task.label, "text": task.output, "shown": rendered(task.output), "raw": plain(task.output)}
            for task in sitting
        ],
    }


def _criterion(criterion: Criterion) -> dict[str, Any]:
    own_digits = all(0 <= level <= 9 for level in criterion.scale)
    return {
        "id": criterion.id,
        "name": criterion.id.replace("_", " ").replace("-", " ").capitalize(),
        "question": visible(criterion.question),
        "levels": [
            {"level": level, "key": str(level if own_digits else place), "anchor": visible(anchor)}
            for place, (level, anchor) in enumerate(criterion.scale.items(), start=1)
        ],
    }


def _document(passage: Passage) -> dict[str, Any]:
    shown: Sequence[Node] = rendered(passage.text) if _reads_better_rendered(passage.name) else plain(passage.text)
    return {"name": marked(passage.name), "evidence": passage.evidence, "shown": shown}


def _reads_better_rendered(name: str) -> bool:
    return name.lower().endswith((".md", ".markdown", ".json"))


def _title(task: str) -> str:
    line = " ".join(visible(task[: 4 * TITLE_LENGTH]).split())
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "…"
