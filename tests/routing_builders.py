"""Runs whose outputs a test writes out, for what routing makes of texts, endings and a team's own numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis_builders import HAIKU, OPUS, PASS_OR_FAIL, SONNET, Book, answered, ended, spec

from evalkit.analysis import Analysis, analyze
from evalkit.records import Outcome
from evalkit.route import Asked, outcomes_for
from evalkit.routing.outcomes import Outcomes

USD = {HAIKU: 1.0, SONNET: 3.0, OPUS: 10.0}
SECONDS = {HAIKU: 1.0, SONNET: 2.0, OPUS: 4.0}


@dataclass(frozen=True)
class Said:
    """One output: whether it is good, what it says, and how it ended (`answered` or another outcome)."""

    good: bool = True
    text: str = "The fee is 12 EUR."
    ended: Outcome = "answered"


def run(
    said: Mapping[str, Sequence[Said | Sequence[Said]]],
    rubric: Mapping[str, Any] = PASS_OR_FAIL,
    usd: Mapping[str, float] = USD,
    **of_spec: Any,
) -> Analysis:
    """A graded run: for each model one output an item, or one an epoch. Costs and waits are the model's own."""
    epochs = max(1 if isinstance(one, Said) else len(one) for rows in said.values() for one in rows)
    book = Book(spec(tuple(said), rubric, epochs=epochs, **of_spec))
    for i in range(len(next(iter(said.values())))):
        book.item(f"item-{i:02d}", task=f"Question {i}?", difficulty=("easy", "medium", "hard")[i % 3])
        for model, rows in said.items():
            each = rows[i]
            for epoch, one in enumerate([each] if isinstance(each, Said) else each, start=1):
                _trial(book, f"item-{i:02d}", model, epoch, one, usd[model])
    return analyze(book.snapshot())


def _trial(book: Book, item: str, model: str, epoch: int, one: Said, usd: float) -> None:
    if one.ended == "answered":
        reply = answered(usd, text=one.text, felt_s=SECONDS.get(model, 1.0))
        book.trial(item, reply, model=model, epoch=epoch, level=int(one.good))
    else:
        reply = ended(one.ended, usd, text=one.text, felt_s=SECONDS.get(model, 1.0))
        book.trial(item, reply, model=model, epoch=epoch)


def outcomes(analysis: Analysis, **asked: Any) -> Outcomes:
    """What policies are valued on."""
    return outcomes_for(analysis, Asked(**asked))
