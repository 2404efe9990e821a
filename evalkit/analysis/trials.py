"""From a snapshot's rows to one row a trial: how it ended, what it cost, how it was graded."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median_low

import pandas as pd

from evalkit.records import Attempt, Grade, Outcome, Round, Snapshot, TrialKey
from evalkit.rubric import Rubric


@dataclass(frozen=True)
class TrialResult:
    """One trial, settled or not. `outcome` None means that it has not been tried, or that no answer is known.

    `cost_usd` sums all its attempts; None if an answer has no price. `unknown_cost_attempts` are failed or lost
    ones that may have been billed without anybody knowing how much; they are not in `cost_usd`.
    """

    trial_id: int
    key: TrialKey
    outcome: Outcome | None
    attempts: tuple[Attempt, ...]
    last: Attempt | None
    cost_usd: float | None
    unpriced: bool
    unknown_cost_attempts: int
    levels: Mapping[str, int] = field(default_factory=dict)
    comments: Mapping[str, str] = field(default_factory=dict)
    ungraded: Mapping[str, str] = field(default_factory=dict)
    satisfied: bool | None = None
    score: float | None = None
    identity_marks: int = 0

    @property
    def error(self) -> str | None:
        """What went wrong, for people; None for an answered trial."""
        if self.last is None or self.last.error_type is None:
            return None
        return f"{self.last.error_type}: {self.last.error_message}"


def current_round(snapshot: Snapshot) -> Round | None:
    """The round that counts: blind before not blind, then the one that graded most trials, then the newest.

    So a round for debugging, one that has only begun, or one whose grades cannot be read, never hides a
    complete blind one. None if no round has any grade, readable or not.
    """
    graded: dict[int, set[int]] = defaultdict(set)
    for grade in snapshot.grades:
        if grade.level is not None:
            graded[grade.round_id].add(grade.trial_id)
    begun = {grade.round_id for grade in snapshot.grades}
    rounds = [round_ for round_ in snapshot.rounds if round_.id in begun]
    return max(rounds, key=lambda r: (r.blind, len(graded[r.id]), r.id), default=None)


def graded_by_sandbox(snapshot: Snapshot) -> bool:
    """Whether anything that the figures rest on came from the sandbox: an output, or a grade that counts."""
    round_ = current_round(snapshot)
    counting = (None, round_.id if round_ else None)
    return any(attempt.simulated for attempt in snapshot.attempts if attempt.round_id in counting)


def trial_results(snapshot: Snapshot, rubric: Rubric) -> tuple[TrialResult, ...]:
    """One result a planned trial, in planned order."""
    attempts: dict[int, list[Attempt]] = defaultdict(list)
    waiting = snapshot.in_batches  # no answer yet, and none lost
    for attempt in snapshot.attempts:
        if attempt.grader is None and attempt.id not in waiting:
            attempts[attempt.trial_id].append(attempt)
    round_ = current_round(snapshot)
    grades: dict[int, list[Grade]] = defaultdict(list)
    for grade in snapshot.grades:
        if round_ is not None and grade.round_id == round_.id:
            grades[grade.trial_id].append(grade)
    return _held_back([_result(t.id, t.key, attempts[t.id], grades[t.id], rubric) for t in snapshot.trials])


def _held_back(results: Sequence[TrialResult]) -> tuple[TrialResult, ...]:
    """Failures alone are no rate: while no output of a model (or of any) is graded, its failures have no verdict.

    Nor do failures that the same command would try again, while nothing at all is settled: an expired key is no
    property of a model.
    """
    models = {r.key.model for r in results}
    if not any(attempt.final for r in results for attempt in r.attempts):
        return tuple(replace(r, satisfied=None) for r in results)
    answered = {r.key.model for r in results if r.outcome == "answered"}
    graded = {r.key.model for r in results if r.outcome == "answered" and r.satisfied is not None}
    waiting = models if answered and not graded else answered - graded
    return tuple(replace(r, satisfied=None) if r.key.model in waiting else r for r in results)


def _result(
    trial_id: int,
    key: TrialKey,
    attempts: Sequence[Attempt],
    grades: Sequence[Grade],
    rubric: Rubric,
) -> TrialResult:
    ended = [attempt for attempt in attempts if attempt.outcome is not None]
    final = next((attempt for attempt in ended if attempt.final), None)
    last = final or (ended[-1] if ended else None)
    outcome: Outcome | None = final.outcome if final else ("errored" if ended else None)
    unpriced = any(a.cost_usd is None and a.outcome not in (None, "errored") for a in attempts)
    unknown = sum(a.cost_usd is None and a.outcome in (None, "errored") for a in attempts)
    levels, ungraded, comments = _agreed(grades)
    return TrialResult(
        trial_id=trial_id,
        key=key,
        outcome=outcome,
        attempts=tuple(attempts),
        last=last,
        cost_usd=None if unpriced else sum(a.cost_usd or 0.0 for a in attempts),
        unpriced=unpriced,
        unknown_cost_attempts=unknown,
        levels=levels,
        comments=comments,
        ungraded=ungraded,
        satisfied=_satisfied(outcome, levels, rubric),
        score=rubric.score(levels) if outcome == "answered" else None,
        identity_marks=max((grade.identity_marks for grade in grades), default=0),
    )


def _satisfied(outcome: Outcome | None, levels: Mapping[str, int], rubric: Rubric) -> bool | None:
    """Refused, truncated and errored trials are not satisfactory; an ungraded output is neither."""
    if outcome is None:
        return None
    if outcome != "answered":
        return False
    return rubric.satisfied(levels)


def _agreed(grades: Sequence[Grade]) -> tuple[dict[str, int], dict[str, str], dict[str, str]]:
    """Each criterion's level over graders (a grader's later grade replaces its earlier; the lower median)."""
    latest = {(grade.criterion, grade.grader): grade for grade in grades}
    by_criterion: dict[str, list[Grade]] = defaultdict(list)
    for grade in latest.values():
        by_criterion[grade.criterion].append(grade)
    levels = {
        name: median_low([g.level for g in of_one if g.level is not None])
        for name, of_one in by_criterion.items()
        if any(g.level is not None for g in of_one)
    }
    ungraded = {n: str(of_one[0].ungraded_reason) for n, of_one in by_criterion.items() if n not in levels}
    comments = {n: "; ".join(g.comment for g in of_one if g.comment) for n, of_one in by_criterion.items()}
    return levels, ungraded, {name: text for name, text in comments.items() if text}


def trials_frame(results: Iterable[TrialResult], rubric: Rubric) -> pd.DataFrame:
    """Trials as a table: one row a trial, for grouping and for export. Unknown values are missing, never 0."""
    numbers = [*_NUMBERS, *(f"level_{criterion.id}" for criterion in rubric.criteria)]
    frame = pd.DataFrame([_row(result) for result in results], columns=[*_WORDS, *numbers])
    return frame.astype(dict.fromkeys(numbers, "float64"))


_WORDS = ("item_id", "model", "outcome", "simulated")
_NUMBERS = (
    "epoch", "satisfied", "score", "cost_usd", "attempts", "ttft_s", "latency_s", "itl_s", "felt_s",
    "input_tokens", "output_tokens",
)  # fmt: skip


def _inter_token_s(attempt: Attempt) -> float | None:
    """Mean gap between output tokens after the first, seconds; None where it cannot be told."""
    tokens = attempt.usage.output_tokens
    if attempt.ttft_s is None or attempt.latency_s is None or tokens is None or tokens < 2:
        return None
    return max(0.0, attempt.latency_s - attempt.ttft_s) / (tokens - 1)


def _row(result: TrialResult) -> dict[str, object]:
    last, answered = result.last, result.outcome == "answered"
    return {
        "item_id": result.key.item_id,
        "model": result.key.model,
        "epoch": result.key.epoch,
        "outcome": result.outcome,
        "simulated": any(attempt.simulated for attempt in result.attempts),
        "satisfied": None if result.satisfied is None else float(result.satisfied),
        "score": result.score,
        "cost_usd": result.cost_usd if result.outcome is not None else None,
        "attempts": len(result.attempts),
        "ttft_s": last.ttft_s if last and answered else None,
        "latency_s": last.latency_s if last and answered else None,
        "itl_s": _inter_token_s(last) if last and answered else None,
        "felt_s": last.felt_s if last and answered else None,
        "input_tokens": last.usage.total_input_tokens if last else None,
        "output_tokens": last.usage.output_tokens if last else None,
        **{f"level_{name}": level for name, level in result.levels.items()},
    }


def has_unpriced(frame: pd.DataFrame) -> bool:
    """Whether any trial that has ended has no price: then no money figure of its model can be given."""
    return bool(frame[frame["outcome"].notna()]["cost_usd"].isna().any())
