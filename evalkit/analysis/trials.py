"""From a snapshot's rows to one row a trial: how it ended, what it cost, how it was graded."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Literal

from evalkit.analysis.aggregate import agreed
from evalkit.analysis.counting_round import checked_criteria, current_round
from evalkit.analysis.sampled import Ended, beyond_sample
from evalkit.analysis.views import dropped_judges
from evalkit.frozen import dataclass
from evalkit.grader_names import kind_of
from evalkit.records import Attempt, Grade, Outcome, Round, Snapshot, TrialKey
from evalkit.rubric import Rubric
from evalkit.standing_grades import counting

TIMEOUTS = frozenset({"timeout", "timeout_error", "modelTimeoutException"})
"""Kinds of failure that end a wait: the tool's own limit, the API's, Bedrock's."""

DecidedBy = Literal["people", "judge", "check"]
"""On whose word a verdict rests: a check's where no other is needed; a judge's if any level of it is; else people's."""


@dataclass(frozen=True)
class TrialResult:
    """One trial, settled or not. `outcome` None means that it has not been tried, that no answer is known, or that
    every attempt so far has failed, as in an outage, which says nothing of a model; but for one that timed out, which
    is as a user would have met it.

    `cost_usd` sums all its attempts; None if an answer has no price, or if no cost of its model is known at all.
    `unknown_cost_attempts` are failed or lost ones that may have been billed without anybody knowing how much; they
    are not in `cost_usd`. `judge_satisfied` is the verdict without people's grades, None where it needs them.
    `by_people`: criteria that people gave a level; `people_unsure`: those they were asked of, and none could tell.
    `given`: each grader's own level of criteria that several gave one.
    `in_sample`: False where it needs no grader, and stands for no output that graders were asked about.
    """

    trial_id: int
    key: TrialKey
    outcome: Outcome | None
    attempts: tuple[Attempt, ...]
    last: Attempt | None
    cost_usd: float | None
    unpriced: bool
    unknown_cost_attempts: int
    levels: Mapping[str, float] = field(default_factory=dict)
    comments: Mapping[str, str] = field(default_factory=dict)
    ungraded: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    satisfied: bool | None = None
    score: float | None = None
    identity_marks: int = 0
    decided_by: DecidedBy | None = None
    judge_satisfied: bool | None = None
    people_unsure: tuple[str, ...] = ()
    by_people: tuple[str, ...] = ()
    in_sample: bool = True

    @property
    def settled(self) -> bool:
        """Whether an attempt has ended it for good, so that nothing is left to try."""
        return any(attempt.final for attempt in self.attempts)

    @property
    def unanswered(self) -> bool:
        """Whether every attempt so far has failed, so that the same command tries again: it has no outcome yet."""
        return self.outcome is None and self.last is not None

    @property
    def known_usd(self) -> float | None:
        """What it is known to have cost; None before an attempt has ended, and if nobody knows of any of them."""
        unknown = self.last is None or all(attempt.cost_usd is None for attempt in self.attempts)
        return None if unknown else self.cost_usd

    @property
    def timed_out(self) -> bool:
        """Whether the last attempt was given up for taking too long: how long it would have taken is not known."""
        return self.outcome == "errored" and self.last is not None and self.last.error_type in TIMEOUTS

    @property
    def error(self) -> str | None:
        """What went wrong, for people; None for an answered trial."""
        if self.last is None or self.last.error_type is None:
            return None
        return f"{self.last.error_type}: {self.last.error_message}"


def counting_grades(snapshot: Snapshot) -> dict[int, list[Grade]]:
    """By trial, the grades of the round that counts, and checks of another round where it has none of its own."""
    return _grades_of(snapshot, current_round(snapshot))


def _grades_of(snapshot: Snapshot, round_: Round | None) -> dict[int, list[Grade]]:
    checked = checked_criteria(snapshot)
    found: dict[int, list[Grade]] = defaultdict(list)
    if round_ is None:
        return found
    grades = counting(snapshot.grades)
    own = {(g.trial_id, g.criterion) for g in grades if g.round_id == round_.id}
    for grade in grades:
        elsewhere = grade.criterion in checked and kind_of(grade.grader) == "check"
        if grade.round_id == round_.id or (elsewhere and (grade.trial_id, grade.criterion) not in own):
            found[grade.trial_id].append(grade)
    return found


def graded_by_sandbox(snapshot: Snapshot) -> bool:
    """Whether anything that the figures rest on came from the sandbox: an output, or a grade that counts."""
    round_ = current_round(snapshot)
    counting = (None, round_.id if round_ else None)
    return any(attempt.simulated for attempt in snapshot.attempts if attempt.round_id in counting)


def trial_results(snapshot: Snapshot, rubric: Rubric, *, all_heard: bool = False) -> tuple[TrialResult, ...]:
    """One result a planned trial, in planned order; `all_heard`: with the word of judges who would be dropped."""
    attempts: dict[int, list[Attempt]] = defaultdict(list)
    waiting = snapshot.in_batches  # no answer yet, and none lost
    for attempt in snapshot.attempts:
        if attempt.grader is None and attempt.id not in waiting:
            attempts[attempt.trial_id].append(attempt)
    round_ = current_round(snapshot)
    grades = _grades_of(snapshot, round_)
    dropped = {} if all_heard else dropped_judges(snapshot, rubric, round_)
    results = [_result(t.id, t.key, attempts[t.id], grades[t.id], rubric, dropped) for t in snapshot.trials]
    parts = {item.id: (item.difficulty or "", *sorted(item.tags)) for item in snapshot.items}
    return _held_back(_without_made_up_zeros(results), parts, rubric)


def _without_made_up_zeros(results: Sequence[TrialResult]) -> list[TrialResult]:
    """Failures of unknown cost leave a lower bound beside known costs; where none is known, they are no zero."""
    known = {r.key.model for r in results for attempt in r.attempts if attempt.cost_usd is not None}
    return [
        replace(r, cost_usd=None, unpriced=True) if r.outcome is not None and r.key.model not in known else r
        for r in results
    ]


def _held_back(
    results: Sequence[TrialResult], parts: Mapping[str, tuple[str, ...]], rubric: Rubric
) -> tuple[TrialResult, ...]:
    """Failures alone are no rate: while no output of a model (or of any) is graded, its failures have no verdict.

    Nor do failures that the same command would try again, while nothing at all is settled: an expired key is no
    property of a model. What timed out is as a user would have met it. Where only a sample of the outputs is graded,
    only as large a sample of the failures has a verdict, or the sample's rate would bear the failures of the whole run.
    An output that fails by what is known before graders were asked about all of it is a failure like the others,
    whether or not they were; one whose grade could not be read is of the sample.
    """
    models = {r.key.model for r in results}
    if not any(r.settled or r.timed_out for r in results):
        return tuple(replace(r, satisfied=None, decided_by=None) for r in results)
    fails = _fails_unasked(results, rubric)
    to_grade = [r for r in results if r.outcome == "answered" and not fails(r)]
    answered = {r.key.model for r in to_grade}
    graded = {r.key.model for r in to_grade if r.satisfied is not None}
    waiting = models if answered and not graded else answered - graded
    beyond = _beyond(results, {r.trial_id for r in to_grade}, parts) if graded else frozenset()
    return tuple(
        replace(r, satisfied=None, decided_by=None, in_sample=r.key not in beyond)
        if r.key.model in waiting or r.key in beyond
        else r
        for r in results
    )


def _fails_unasked(results: Sequence[TrialResult], rubric: Rubric) -> Callable[[TrialResult], bool]:
    """Whether an output fails by those criteria alone by which others did that graders were not asked all about."""
    judged = {criterion.id for criterion in rubric.judged}
    early = [
        r for r in results if r.outcome == "answered" and r.satisfied is False and judged - {*r.levels, *r.ungraded}
    ]
    first = set.intersection(*(set(r.levels) for r in early)) if early else set[str]()
    return lambda r: rubric.satisfied({name: level for name, level in r.levels.items() if name in first}) is False


def _beyond(
    results: Sequence[TrialResult], to_grade: Collection[int], parts: Mapping[str, tuple[str, ...]]
) -> frozenset[TrialKey]:
    """Of what failed, and of what failed on every attempt so far, each by itself."""
    found: frozenset[TrialKey] = frozenset()
    for open_ in (False, True):
        found |= beyond_sample(
            [
                Ended(r.key, r.trial_id in to_grade, _is_asked(r), parts.get(r.key.item_id, ("",)))
                for r in results
                if r.trial_id in to_grade or (r.unanswered if open_ else r.outcome is not None)
            ]
        )
    return found


def _is_asked(result: TrialResult) -> bool:
    return result.satisfied is not None or bool(result.ungraded)


def _result(
    trial_id: int,
    key: TrialKey,
    attempts: Sequence[Attempt],
    grades: Sequence[Grade],
    rubric: Rubric,
    dropped: Collection[str],
) -> TrialResult:
    ended = [attempt for attempt in attempts if attempt.outcome is not None]
    final = next((attempt for attempt in ended if attempt.final), None)
    last = final or (ended[-1] if ended else None)
    outcome: Outcome | None = final.outcome if final else None
    if last is not None and last.error_type in TIMEOUTS:
        outcome = "errored"
    unpriced = any(a.cost_usd is None and a.outcome not in (None, "errored") for a in attempts)
    unknown = sum(a.cost_usd is None and a.outcome in (None, "errored") for a in attempts)
    found = agreed(grades, rubric.aggregate, dropped)
    satisfied, by_people = _satisfied(outcome, found.levels, rubric), _levelled_by_people(grades)
    alone = (
        agreed([g for g in grades if kind_of(g.grader) != "human"], rubric.aggregate, dropped) if by_people else found
    )
    return TrialResult(
        trial_id=trial_id,
        key=key,
        outcome=outcome,
        attempts=tuple(attempts),
        last=last,
        cost_usd=None if unpriced else sum(a.cost_usd or 0.0 for a in attempts),
        unpriced=unpriced,
        unknown_cost_attempts=unknown,
        levels=found.levels,
        comments=found.comments,
        given=found.given,
        ungraded=found.ungraded,
        satisfied=satisfied,
        score=rubric.score(found.levels) if outcome == "answered" else None,
        identity_marks=max((grade.identity_marks for grade in grades), default=0),
        decided_by=None if satisfied is None else _decided_by(outcome, found.levels, by_people, rubric),
        judge_satisfied=_satisfied(outcome, alone.levels, rubric),
        by_people=tuple(sorted(by_people)),
        people_unsure=tuple(sorted({g.criterion for g in grades if kind_of(g.grader) == "human"} - by_people)),
    )


def _levelled_by_people(grades: Iterable[Grade]) -> frozenset[str]:
    return frozenset(g.criterion for g in grades if g.level is not None and kind_of(g.grader) == "human")


def _decided_by(
    outcome: Outcome | None, levels: Mapping[str, float], by_people: Collection[str], rubric: Rubric
) -> DecidedBy:
    judged = {criterion.id for criterion in rubric.judged}
    by_checks = {name: level for name, level in levels.items() if name not in judged}
    if outcome != "answered" or judged.isdisjoint(levels) or rubric.satisfied(by_checks) is False:
        return "check"
    return "people" if judged <= set(by_people) else "judge"


def _satisfied(outcome: Outcome | None, levels: Mapping[str, float], rubric: Rubric) -> bool | None:
    """Refused, truncated and errored trials are not satisfactory; an ungraded output is neither."""
    if outcome is None:
        return None
    if outcome != "answered":
        return False
    return rubric.satisfied(levels)


def _inter_token_s(attempt: Attempt) -> float | None:
    """Mean gap between output tokens after the first, seconds; None where it cannot be told."""
    tokens = attempt.usage.output_tokens
    if attempt.ttft_s is None or attempt.latency_s is None or tokens is None or tokens < 2:
        return None
    return max(0.0, attempt.latency_s - attempt.ttft_s) / (tokens - 1)


def _of_answer(read: Callable[[Attempt], float | None]) -> Callable[[TrialResult], float | None]:
    return lambda trial: read(trial.last) if trial.last is not None and trial.outcome == "answered" else None


def _ttft_s(trial: TrialResult) -> float | None:
    timed = trial.last is not None and (trial.outcome == "answered" or trial.timed_out)
    return trial.last.ttft_s if trial.last is not None and timed else None


MEASURES: Mapping[str, Callable[[TrialResult], float | None]] = {
    "satisfied": lambda trial: trial.satisfied,
    "at_worst": lambda trial: 0.0 if trial.unanswered and trial.in_sample else trial.satisfied,
    "at_best": lambda trial: 1.0 if trial.unanswered and trial.in_sample else trial.satisfied,
    "score": lambda trial: trial.score,
    "cost_usd": lambda trial: None if trial.outcome is None else trial.cost_usd,
    "ttft_s": _ttft_s,
    "latency_s": _of_answer(lambda last: last.latency_s),
    "itl_s": _of_answer(_inter_token_s),
    "felt_s": _of_answer(lambda last: last.felt_s),
}
"""Numbers of a trial by what they are called; None, never 0, for what is not known."""
