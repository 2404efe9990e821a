"""Evidence for gates, made by hand: two models on the same items, graded by people."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from evalkit.analysis import analyze
from evalkit.gating.evidence import Evidence, evidence_of
from evalkit.records import Attempt, Snapshot
from tests.analysis_builders import OPUS, SONNET, Book, answered, round_, spec

BASELINE, CANDIDATE = OPUS, SONNET
PERSON = "ann"
Side = Sequence[Sequence[bool | Attempt]]
"""For each item its epochs: whether the output is satisfactory, or how it ended without one."""


def table(gain: int, loss: int, both: int, neither: int = 0) -> tuple[list[list[bool]], list[list[bool]]]:
    """Baseline and candidate of one epoch, from the four counts."""
    baseline = [False] * gain + [True] * loss + [True] * both + [False] * neither
    candidate = [True] * gain + [False] * loss + [True] * both + [False] * neither
    return [[b] for b in baseline], [[c] for c in candidate]


def run(
    baseline: Side,
    candidate: Side,
    grader: str = PERSON,
    attempt: Callable[[str, int], Attempt] = lambda model, item: answered(served_model=model),
    difficulty: Callable[[int], str | None] = lambda item: None,
    **changes: Any,
) -> Snapshot:
    """A run of both models; `attempt` makes the request of a model on an item that was answered."""
    epochs = max(len(row) for row in (*baseline, *candidate))
    book = Book(spec((BASELINE, CANDIDATE), epochs=epochs, **changes), rounds=[round_(graders=(grader,))])
    for item, rows in enumerate(zip(baseline, candidate, strict=True)):
        book.item(f"item-{item:03d}", difficulty=difficulty(item))
        for model, row in zip((BASELINE, CANDIDATE), rows, strict=True):
            for epoch, ended in enumerate(row, start=1):
                sent = ended if isinstance(ended, Attempt) else attempt(model, item)
                trial = book.trial(f"item-{item:03d}", sent, model=model, epoch=epoch)
                if isinstance(ended, bool):
                    book.grade(trial, int(ended), grader=grader)
    return book.snapshot()


def evidence(baseline: Side, candidate: Side, **changes: Any) -> Evidence:
    """The evidence of such a run."""
    analysis = analyze(run(baseline, candidate, **changes))
    return evidence_of(analysis, analysis, BASELINE, CANDIDATE)


def without(analysed: Snapshot, **changes: Any) -> Snapshot:
    """The same run with another spec."""
    return replace(analysed, spec=replace(analysed.spec, **changes))
