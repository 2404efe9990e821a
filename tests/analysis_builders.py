"""Snapshots made by hand, trial by trial, for the analysis; and as a run file, for the command line."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from evalkit.records import (
    Attempt,
    AttemptStart,
    Grade,
    ItemRecord,
    Outcome,
    PromptSize,
    Reply,
    Round,
    Snapshot,
    Spec,
    Trial,
    TrialKey,
    Usage,
)
from evalkit.store import RunFile

OPUS, SONNET, HAIKU = "claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5-20251001"
JUDGE = "judge claude-sonnet-5-5"
PASS_OR_FAIL: Mapping[str, Any] = {
    "name": "pass-or-fail",
    "criteria": [{"id": "right", "question": "Is it right?", "levels": {"0": "No.", "1": "Yes."}}],
    "satisfactory": {"score": 1.0},
    "economics": {"review_minutes": 0.5, "correction_minutes": 5.0, "hourly_rate_usd": 60.0},
    "decision": {"bar": 0.8},
}
"""One criterion: a level of 1 is satisfactory. Review costs $0.50, a correction $5."""
WEIGHTED: Mapping[str, Any] = {
    **PASS_OR_FAIL,
    "name": "weighted",
    "criteria": [
        {"id": "right", "question": "Right?", "weight": 3, "critical": 2, "levels": {"0": "a", "1": "b", "2": "c"}},
        {"id": "tone", "question": "Kind?", "weight": 1, "levels": {"1": "a", "3": "b", "5": "c"}},
    ],
    "satisfactory": {"score": 0.8},
}
"""Two criteria on different scales, one with a floor."""


def answered(cost_usd: float | None = 0.01, latency_s: float = 2.0, **changes: Any) -> Attempt:
    """An attempt that brought an output: 1,000 tokens in, 100 out."""
    usage = Usage(input_tokens=1000, output_tokens=100)
    made = ended("answered", cost_usd, latency_s=latency_s, ttft_s=latency_s / 4, felt_s=latency_s * 1.5, usage=usage)
    return replace(made, **{"text": "An answer.", **changes})


def ended(outcome: Outcome, cost_usd: float | None = 0.01, **changes: Any) -> Attempt:
    """An attempt that settles its trial in any way."""
    return replace(_EMPTY, outcome=outcome, final=True, cost_usd=cost_usd, **changes)


def failed(cost_usd: float | None = 0.0, **changes: Any) -> Attempt:
    """An attempt that failed in a way that may pass, so that another one follows."""
    return replace(_EMPTY, outcome="errored", cost_usd=cost_usd, status=529, error_type="overloaded_error", **changes)


def lost() -> Attempt:
    """An attempt whose process died before the answer came."""
    return _EMPTY


_EMPTY = Attempt(
    id=0, trial_id=0, grader=None, round_id=None, number=1, sent_at="2026-11-02T10:00:00+00:00", outcome=None,
    final=False, text="", stop_reason=None, served_model=None, request_id=None, usage=Usage(), cost_usd=None,
    ttft_s=None, latency_s=None, felt_s=None, queued_s=0.0, status=None, error_type=None, error_message=None,
    simulated=False,
)  # fmt: skip


def spec(models: Sequence[str] = (OPUS,), rubric: Mapping[str, Any] = PASS_OR_FAIL, **changes: Any) -> Spec:
    """What the run is."""
    made = Spec(
        name="by-hand", dataset_sha256="d" * 64, rubric_sha256="r" * 64, prompt_sha256="p" * 64,
        models=tuple(models), epochs=1, seed=7, context_tokens=None, limit=None, endpoint="api.anthropic.com",
        simulated=False, max_tokens=1024, rubric=rubric, package_version="0", prices_version="0",
        created_at="2026-11-02T10:00:00+00:00",
    )  # fmt: skip
    return replace(made, **changes)


def round_(number: int = 1, graders: Sequence[str] = (JUDGE,), blind: bool = True) -> Round:
    """A grading round."""
    return Round(number, "r" * 64, tuple(graders), blind, 7, "2026-11-02T11:00:00+00:00")


@dataclass
class Book:
    """A run in the making: name trials in the order in which they happen, then take the snapshot."""

    spec: Spec = field(default_factory=spec)
    rounds: list[Round] = field(default_factory=lambda: [round_()])
    items: dict[str, ItemRecord] = field(default_factory=dict)
    trials: dict[TrialKey, Trial] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    grades: list[Grade] = field(default_factory=list)
    sizes: list[PromptSize] = field(default_factory=list)

    def item(self, name: str, **changes: Any) -> None:
        """An item, if it needs a difficulty, tags or a reference; others come by themselves."""
        plain = ItemRecord(name, len(self.items), f"Question {name}?", None, None, None, ())
        self.items[name] = replace(plain, **changes)

    def trial(
        self,
        item: str,
        *attempts: Attempt,
        model: str = OPUS,
        epoch: int = 1,
        level: int | None = None,
        levels: Mapping[str, int] | None = None,
    ) -> int:
        """A trial with its attempts and, if a level is given, with the judge's grades; returns its id."""
        if item not in self.items:
            self.item(item)
        key = TrialKey(item, model, epoch)
        trial = self.trials[key] = Trial(len(self.trials) + 1, key, len(self.trials))
        for number, attempt in enumerate(attempts, start=1):
            self.attempts.append(replace(attempt, id=len(self.attempts) + 1, trial_id=trial.id, number=number))
        for criterion, value in (levels or ({} if level is None else {"right": level})).items():
            self.grade(trial.id, value, criterion=criterion)
        return trial.id

    def grade(
        self,
        trial_id: int,
        level: int | None,
        *,
        grader: str = JUDGE,
        round_id: int = 1,
        criterion: str = "right",
        **changes: Any,
    ) -> None:
        """A grade; a level of None is one that could not be read."""
        reason = "not readable" if level is None else None
        grade = Grade(round_id, grader, trial_id, criterion, level, reason)
        self.grades.append(replace(grade, **changes))

    def judging(self, trial_id: int, attempt: Attempt, round_id: int = 1, grader: str = JUDGE) -> None:
        """A request of a judge about a trial's output."""
        number = len(self.attempts) + 1
        self.attempts.append(replace(attempt, id=number, trial_id=trial_id, grader=grader, round_id=round_id))

    def snapshot(self, **changes: Any) -> Snapshot:
        """The run as it stands."""
        made = Snapshot(
            self.spec, tuple(self.items.values()), tuple(self.sizes), tuple(self.trials.values()),
            tuple(self.attempts), tuple(self.rounds if self.grades else ()), tuple(self.grades),
        )  # fmt: skip
        return replace(made, **changes)


def run_of(
    passes: Mapping[str, Sequence[Sequence[bool]]],
    costs: Mapping[str, float] | None = None,
    models: Sequence[str] | None = None,
) -> Snapshot:
    """A graded run from verdicts alone: for each model one list of epochs an item. Costs vary by item."""
    names = tuple(models or passes)
    book = Book(spec(names, epochs=max(len(row) for rows in passes.values() for row in rows)))
    numbers = range(max(len(rows) for rows in passes.values()))
    for i, model in itertools.product(numbers, names):
        for epoch, passed in enumerate(passes[model][i], start=1):
            usd = (costs or {}).get(model, 0.01) * (1 + (i % 5) / 10 + epoch / 50)
            book.trial(f"item-{i:03d}", answered(usd, 1 + i / 10), model=model, epoch=epoch, level=int(passed))
    return book.snapshot()


def write_run(path: Path, snapshot: Snapshot) -> Path:
    """A hand-made snapshot as a run file."""
    order = [trial.key for trial in snapshot.trials]
    with RunFile.create(path, snapshot.spec, snapshot.items, snapshot.documents, order, snapshot.sizes) as run:
        for round_ in snapshot.rounds:
            run.add_round(round_, b"k" * 32)
        for a in snapshot.attempts:
            number = run.start_attempt(
                AttemptStart(a.trial_id, a.number, a.sent_at, a.queued_s or 0.0, a.grader, a.round_id)
            )
            if a.outcome is not None:
                shared = {name: value for name, value in asdict(a).items() if name in Reply.__dataclass_fields__}
                reply = Reply(**{**shared, "latency_s": a.latency_s or 0.0, "usage": a.usage})
                subject = f"trial/{a.trial_id}" if a.grader is None else f"grade/{a.trial_id}"
                run.finish_attempt(number, subject, reply, a.final, a.felt_s or 0.0, a.cost_usd)
        for grade in snapshot.grades:
            run.add_grades([grade], "2026-11-02T12:00:00+00:00")
    return path
