"""A run file ready for people to grade: three models that name themselves, documents with evidence, two criteria."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from evalkit.models import LINE_UP
from evalkit.records import Usage
from evalkit.rubric import Rubric
from tests import builders
from tests.analysis_builders import Book, answered, spec, write_run

RUBRIC = builders.rubric(
    builders.judged("correct", question="Is everything that is said right?"),
    builders.judged("tone", question="Would you send it as it is?", critical=1),
    builders.checked("format"),
)

DOCUMENTS = {"a.md": "Nothing of use stands here.", "b.md": "Fees: ten EUR and one EUR for each case."}

SEALED = ("0.0374591", "41.1875", "10.296", "61.781", "req_sealed", "48131", "7919", "trial/")
"""What each request cost, how long it took, its tokens and its name: nothing of it may reach a grader."""


def confessing(item: int, model: str) -> str:
    """An output that names its author, as some do."""
    return f"As {model}, I say: the fee for case {item} is {10 + item} EUR."


def write(
    path: Path,
    items: int = 12,
    rubric: Rubric = RUBRIC,
    output: Callable[[int, str], str] = confessing,
    epochs: int = 1,
    documents: Mapping[str, str] = DOCUMENTS,
) -> Path:
    """A run file of so many items on the whole line-up."""
    book = Book(spec(LINE_UP, rubric.content(), rubric_sha256=rubric.sha256, epochs=epochs), rounds=[])
    for n in range(items):
        book.item(
            f"i{n}", task=f"What is the fee for case {n}?", reference=f"{10 + n} EUR", documents=tuple(documents),
            evidence_positions=(1,),
        )  # fmt: skip
        for model in LINE_UP:
            for epoch in range(1, epochs + 1):
                sent = replace(
                    answered(0.0374591, 41.1875), text=output(n, model), served_model=model, request_id="req_sealed",
                    usage=Usage(input_tokens=48131, output_tokens=7919),
                )  # fmt: skip
                book.trial(f"i{n}", sent, model=model, epoch=epoch)
    return write_run(path, book.snapshot(documents=documents))
