"""Grade: blind tasks from a run's outputs, findings from checks and judge, grades into the run file."""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from evalkit.bill import charged_usd, request_tokens, request_usd
from evalkit.blind import GradingTask
from evalkit.executors.budget import Budget, payers
from evalkit.executors.ending import raise_if_stopped
from evalkit.executors.local import Limits, Progress, execute
from evalkit.executors.schedule import Call
from evalkit.executors.session import session
from evalkit.grader_names import kind_of
from evalkit.graders import Finding, checks, judge
from evalkit.grading_records import RoundEvent
from evalkit.pricing import LIST_PRICES, Prices
from evalkit.providers import Provider
from evalkit.queues import Queue, build_queue
from evalkit.records import Attempt, Grade, Reply, Round, Snapshot
from evalkit.rounds import automatic, is_closed, people_of
from evalkit.rubric import Rubric
from evalkit.store import RunFile


def judge_name(model: str) -> str:
    """How a judge is called as a grader."""
    return f"judge {model}"


def graders_for(rubric: Rubric, judge_model: str | None) -> tuple[str, ...]:
    """Who grades by this rubric: the checks if it has any, and the judge if there is one."""
    checked = (checks.NAME,) if rubric.checked else ()
    return checked if judge_model is None else (*checked, judge_name(judge_model))


def open_round(run: RunFile, graders: Sequence[str], blind: bool) -> Round:
    """The round these checks and judges work in: the newest one like it, else a new one under a new key."""
    with run.together():
        round_ = preview_round(run.snapshot(), graders, blind)
        if not round_.id:
            return run.add_round(round_, secrets.token_bytes(32))
        for grader in graders:
            if grader not in round_.graders:
                run.add_event(RoundEvent("joined", round_.id, grader, at=_now()))
    return round_


def preview_round(snapshot: Snapshot, graders: Sequence[str], blind: bool) -> Round:
    """The round these checks and judges would work in; one that is not opened has id 0.

    It is the newest that is not closed, with the same ones or with people alone: two panels are never mixed.
    """
    for round_ in reversed(snapshot.rounds):
        there = automatic(round_)
        people_alone = people_of(snapshot, round_.id) and not any(kind_of(grader) == "judge" for grader in there)
        fits = there == tuple(graders) or people_alone
        if fits and round_.blind == blind and not is_closed(snapshot, round_.id):
            return round_
    return Round(0, snapshot.spec.rubric_sha256, tuple(graders), blind, snapshot.spec.seed, _now())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _record(run: RunFile, round_: Round, queue: Queue, label: str, findings: Mapping[str, Finding]) -> None:
    trial_id = queue.trials[label].id
    grades = [
        Grade(
            round_.id, queue.grader, trial_id, criterion, found.level, found.reason, found.comment,
            queue.identity_marks[label],
        )
        for criterion, found in findings.items()
    ]  # fmt: skip
    run.add_grades(grades, datetime.now(UTC).isoformat(timespec="milliseconds"))


def grade_by_checks(run: RunFile, round_: Round, tell: Callable[[int, int], None]) -> int:
    """Let the deterministic checks grade every output not graded yet; returns how many there were."""
    with run.only_writer("grade"):
        queue = build_queue(run.snapshot(), round_, checks.NAME, run.sealed_key(round_.id))
        _seal(run, round_, queue)
        for done, task in enumerate(queue.tasks, start=1):
            _record(run, round_, queue, task.label, checks.check(task))
            tell(done, len(queue.tasks))
    return len(queue.tasks)


def _seal(run: RunFile, round_: Round, queue: Queue) -> None:
    run.seal(round_.id, {label: (queue.grader, trial.id) for label, trial in queue.trials.items()})


@dataclass(frozen=True)
class JudgeBill:
    """What a judge may cost, USD; `worst_usd` None if its price is unknown."""

    requests: int
    input_tokens: int
    worst_usd: float | None


def judge_bill(snapshot: Snapshot, round_: Round, model: str, prices: Prices = LIST_PRICES) -> JudgeBill:
    """An upper bound of what grading the rest of a round costs; opens and writes nothing."""
    queue = build_queue(snapshot, round_, judge_name(model), secrets.token_bytes(32))
    now = datetime.now(UTC)
    tokens = [_request_tokens(model, task) for task in queue.tasks]
    worst = [request_usd(model, count, judge.MAX_TOKENS, now, prices) for count in tokens]
    known = [usd for usd in worst if usd is not None]
    return JudgeBill(len(tokens), sum(tokens), sum(known) if len(known) == len(worst) else None)


def _request_tokens(model: str, task: GradingTask) -> int:
    return request_tokens(judge.build_request(model, task))


async def grade_by_judge(
    run: RunFile,
    round_: Round,
    model: str,
    provider: Provider,
    limits: Limits,
    budget_usd: float | None,
    tell: Callable[[Progress], None],
    prices: Prices = LIST_PRICES,
) -> None:
    """Let an LLM grade every output it has not graded; an answer already paid for is read, not asked again.

    Raises like a run when it has to stop; the same command goes on from there.
    """
    with run.only_writer(*payers("grade", budget_usd)):
        queue = build_queue(run.snapshot(), round_, judge_name(model), run.sealed_key(round_.id))
        _seal(run, round_, queue)
        by_subject = {_subject(round_, queue, task): task for task in queue.tasks}
        paid = _paid_answers(run.snapshot(), round_, queue.grader)
        for task in queue.tasks:
            attempt = paid.get(queue.trials[task.label].id)
            if attempt is not None:
                _record(run, round_, queue, task.label, judge.read_reply(_as_reply(attempt), judge.judged(task)))

        snapshot = run.snapshot()
        calls = list(_judge_calls(model, round_, queue, snapshot, prices))
        dearest = max((call.worst_case_usd or 0.0 for call in calls), default=0.0)
        budget = Budget(budget_usd, charged_usd(snapshot, datetime.now(UTC), dearest, prices))
        async with session(run, "local", limits.concurrency) as opened:

            def on_progress(progress: Progress) -> None:
                if progress.final:
                    task = by_subject[progress.call.subject]
                    findings = judge.read_reply(progress.reply, judge.judged(task))
                    opened.ledger.write(partial(_record, run, round_, queue, task.label, findings))
                tell(progress)

            ending = await execute(calls, provider, opened.ledger, limits, budget, on_progress, opened.id, prices)
    heard = any(a.grader == queue.grader and a.outcome not in (None, "errored") for a in run.snapshot().attempts)
    raise_if_stopped(ending, budget, "grade", (model,) if heard else ())


def _subject(round_: Round, queue: Queue, task: GradingTask) -> str:
    return f"grade/{round_.id}/{queue.grader}/{queue.trials[task.label].id}"


def _judge_calls(model: str, round_: Round, queue: Queue, snapshot: Snapshot, prices: Prices) -> Iterator[Call]:
    """Calls for the outputs on which this judge has given no answer yet."""
    now, view = datetime.now(UTC), (round_.id, queue.grader)
    earlier = {a.trial_id: a.number for a in snapshot.attempts if (a.round_id, a.grader) == view}
    paid = _paid_answers(snapshot, round_, queue.grader)
    for task in queue.tasks:
        trial = queue.trials[task.label]
        if trial.id in paid:
            continue
        tokens = _request_tokens(model, task)
        worst = request_usd(model, tokens, judge.MAX_TOKENS, now, prices)
        request, subject = judge.build_request(model, task), _subject(round_, queue, task)
        yield Call(
            subject,
            trial.id,
            request,
            worst,
            earlier.get(trial.id, 0),
            queue.grader,
            round_.id,
            tokens,
        )


def _paid_answers(snapshot: Snapshot, round_: Round, grader: str) -> dict[int, Attempt]:
    return {a.trial_id: a for a in snapshot.attempts if a.final and (a.round_id, a.grader) == (round_.id, grader)}


def _as_reply(attempt: Attempt) -> Reply:
    outcome, latency_s = attempt.outcome or "errored", attempt.latency_s or 0.0
    return Reply(outcome, latency_s, attempt.text, error_type=attempt.error_type)
