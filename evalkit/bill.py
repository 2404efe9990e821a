"""What the rest of a run will cost and how long it will take: counted where it can be, said where it is assumed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from statistics import fmean

from evalkit.blind import GradingTask
from evalkit.dataset import Dataset
from evalkit.graders import judge
from evalkit.plan import output_cap
from evalkit.pricing import price
from evalkit.records import ItemRecord, PromptSize, Request, Snapshot, Spec, TrialKey, Usage
from evalkit.rubric import Rubric

TYPICAL_OUTPUT_TOKENS = 400
"""Length of an answer before any has been seen; an assumption, and called one."""

_TYPICAL_FIRST_S, _TYPICAL_TOKENS_PER_S = 2.0, 60.0
_CHARACTERS_PER_TOKEN = 3.0
"""For judges' requests, which are not counted by the API: on the safe side."""


@dataclass(frozen=True)
class Line:
    """What one model's requests may cost, USD; None where its price is unknown.

    `expected_usd` supposes `output_tokens` an answer, `worst_usd` answers as long as allowed. `counted`: the API
    counted the input. `seen`: answers whose length and duration are supposed of the rest; 0 if both are assumed.
    """

    model: str
    requests: int
    input_tokens: int
    counted: bool
    output_tokens: float
    expected_usd: float | None
    worst_usd: float | None
    seconds: float
    seen: int = 0


@dataclass(frozen=True)
class Bill:
    """One line a model, and the judge's for grading every output once; `judge` None if nothing is judged."""

    lines: tuple[Line, ...]
    judge: Line | None = None

    def total_usd(self, kind: str) -> float | None:
        """Sum of `expected` or `worst`, the judge's included; None if any price is unknown: that makes no total."""
        amounts = [getattr(line, f"{kind}_usd") for line in (*self.lines, self.judge) if line is not None]
        return None if None in amounts else sum(amounts)

    def seconds(self, concurrency: int) -> float:
        """How long the models' requests take with so many in flight."""
        return sum(line.seconds * line.requests for line in self.lines) / concurrency


def request_usd(model: str, input_tokens: int, output_tokens: int, when: datetime) -> float | None:
    """What a request of this size costs; None if unpriced."""
    return price(model, Usage(input_tokens=input_tokens, output_tokens=output_tokens), when).usd


def run_bill(
    dataset: Dataset,
    records: Mapping[str, ItemRecord],
    keys: Sequence[TrialKey],
    spec: Spec,
    sizes: Sequence[PromptSize],
    when: datetime,
    seen: Snapshot | None = None,
) -> tuple[Line, ...]:
    """A line a model for the trials in `keys`; `seen` is what the run file holds already."""
    items = {item.id: item for item in dataset.items}
    by_place = {(size.item_id, size.model): size for size in sizes}
    lines = []
    for model in spec.models:
        places = [by_place[(key.item_id, model)] for key in keys if key.model == model]
        caps = [output_cap(items[dataset_id(records[p.item_id])], dataset, spec.max_tokens) for p in places]
        lines.append(_line(model, places, caps, when, seen))
    return tuple(lines)


def dataset_id(record: ItemRecord) -> str:
    """The id of the dataset's item that a record is made of."""
    return record.variant_of or record.id


def _line(model: str, places: Sequence[PromptSize], caps: Sequence[int], when: datetime, seen: Snapshot | None) -> Line:
    answers = [] if seen is None else _answers(seen, model)
    length = fmean(tokens for tokens, _ in answers) if answers else TYPICAL_OUTPUT_TOKENS
    lasting = fmean(s for _, s in answers) if answers else _TYPICAL_FIRST_S + length / _TYPICAL_TOKENS_PER_S
    expected = [
        request_usd(model, place.tokens, ceil(min(cap, length)), when) for place, cap in zip(places, caps, strict=True)
    ]
    worst = [request_usd(model, place.tokens, cap, when) for place, cap in zip(places, caps, strict=True)]
    return Line(
        model=model,
        requests=len(places),
        input_tokens=sum(place.tokens for place in places),
        counted=all(place.counted for place in places),
        output_tokens=length,
        expected_usd=_total(expected),
        worst_usd=_total(worst),
        seconds=lasting,
        seen=len(answers),
    )


def _answers(seen: Snapshot, model: str) -> list[tuple[int, float]]:
    """Output tokens and seconds of the answers there are."""
    trials = {trial.id for trial in seen.trials if trial.key.model == model}
    return [
        (a.usage.output_tokens, a.felt_s)
        for a in seen.attempts
        if a.final and a.grader is None and a.trial_id in trials and a.felt_s and a.usage.output_tokens
    ]


def judge_line(
    model: str, rubric: Rubric, records: Mapping[str, ItemRecord], outputs: Iterable[tuple[str, float]], when: datetime
) -> Line | None:
    """The judge's line for outputs given as (item id, expected tokens); None if the rubric has nothing to judge."""
    if not rubric.judged:
        return None
    tokens = [
        request_tokens(judge.build_request(model, _task(rubric, records[item_id], length)))
        for item_id, length in outputs
    ]
    expected = [request_usd(model, size, TYPICAL_OUTPUT_TOKENS, when) for size in tokens]
    worst = [request_usd(model, size, judge.MAX_TOKENS, when) for size in tokens]
    seconds = _TYPICAL_FIRST_S + TYPICAL_OUTPUT_TOKENS / _TYPICAL_TOKENS_PER_S
    return Line(model, len(tokens), sum(tokens), False, TYPICAL_OUTPUT_TOKENS, _total(expected), _total(worst), seconds)


def _task(rubric: Rubric, record: ItemRecord, tokens: float) -> GradingTask:
    return GradingTask("", rubric.criteria, record.task, record.reference, "x" * ceil(tokens * _CHARACTERS_PER_TOKEN))


def request_tokens(request: Request) -> int:
    """About how many tokens a request has that nobody has counted."""
    characters = sum(len(str(part)) for part in (request.system, request.messages, request.params))
    return round(characters / _CHARACTERS_PER_TOKEN)


def _total(amounts: Sequence[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None
