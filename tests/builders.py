"""Small factories for the nouns: an item, a dataset, a rubric, a grading task, with what a test cares about."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.blind import GradingTask
from evalkit.dataset import Card, Dataset, Item
from evalkit.rubric import Check, Criterion, Rubric
from evalkit.strict import adapter

THREE_LEVELS = {0: "wrong", 1: "half right", 2: "right"}


def item(id: str = "a", input: Any = "What is due?", **fields: Any) -> Item:
    """An item as if read from a line."""
    return adapter(Item).validate_json(json.dumps({"id": id, "input": input, **fields}))


def dataset(
    *items: Item,
    card: Card | None = None,
    documents: Mapping[str, str] | None = None,
    evidence: Mapping[str, tuple[str, ...]] | None = None,
    **more: Any,
) -> Dataset:
    """A dataset of these items (one, if none is given), each on its own line."""
    rows = items or (item(),)
    lines = {row.id: number for number, row in enumerate(rows, start=1)}
    return Dataset("set", rows, card or Card(), documents or {}, evidence or {}, lines=lines, **more)


def judged(id: str = "correct", **fields: Any) -> Criterion:
    """A criterion that a person or a judge grades, with three levels."""
    return Criterion(**{"id": id, "question": "Is it right?", "levels": THREE_LEVELS, **fields})


def checked(id: str = "format", check: Check | None = None, **fields: Any) -> Criterion:
    """A criterion that a deterministic check grades."""
    test = check or Check(type="exact", value="yes")
    return Criterion(id=id, question="Does it pass?", kind="check", check=test, **fields)


def rubric(*criteria: Criterion, score: float = 0.75, **fields: Any) -> Rubric:
    """A rubric of these criteria (one judged, if none is given)."""
    rows = criteria or (judged(),)
    return Rubric(**{"name": "quality", "criteria": rows, "satisfactory": {"score": score}, **fields})


def rubric_yaml(criterion: str = "", rest: str = "") -> str:
    """A rubric file of one judged criterion; `criterion` are further lines of it, `rest` lines of the file."""
    lines = ["name: quality", "criteria:", "  - id: correct", "    question: Is it right?"]
    lines += [f"    {line}" for line in criterion.splitlines()]
    if "levels" not in criterion and "kind: check" not in criterion:
        lines += ["    levels: {0: wrong, 1: right}"]
    return "\n".join([*lines, "satisfactory: {score: 0.75}", *rest.splitlines(), ""])


def check_yaml(check: str) -> str:
    """A rubric file whose one criterion is this check, written as a flow mapping."""
    return rubric_yaml(f"kind: check\ncheck: {check}")


def task(
    output: str = "The fee is 12 EUR.",
    criteria: Sequence[Criterion] = (),
    reference: str | None = "12 EUR",
    task: str = "What is the fee?",
    label: str = "k3v9",
) -> GradingTask:
    """A grading task for this output."""
    return GradingTask(label, tuple(criteria) or (judged(),), task, reference, output)
