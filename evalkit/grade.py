"""Grade: blind tasks from a run's outputs, findings from checks and judge, grades into the run file."""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from evalkit.bill import charged_usd, request_tokens, request_usd
from evalkit.blind import GradingTask, grading_order, label_for, scrub
from evalkit.errors import IntegrityError
from evalkit.executors.budget import Budget, payers
from evalkit.executors.ending import raise_if_stopped
from evalkit.executors.local import Limits, Progress, execute
from evalkit.executors.schedule import Call
from evalkit.executors.session import session
from evalkit.graders import Finding, checks, judge
from evalkit.pricing import LIST_PRICES, Prices
from evalkit.providers import Provider
from evalkit.records import Attempt, Grade, Reply, Round, Snapshot, Trial
from evalkit.rubric import Rubric
from evalkit.store import RunFile


@dataclass(frozen=True)
class Queue:
    """What one grader has to grade: tasks in its own order, and what the labels stand for (never shown)."""

    grader: str
    tasks: tuple[GradingTask, ...]
    trials: Mapping[str, Trial] = field(repr=False)
    identity_marks: Mapping[str, int] = field(repr=False)


def judge_name(model: str) -> str:
    """How a judge is called as a grader."""
    return f"judge {model}"


def graders_for(rubric: Rubric, judge_model: str | None) -> tuple[str, ...]:
    """Who grades by this rubric: the checks if it has any, and the judge if there is one."""
    checked = (checks.NAME,) if rubric.checked else ()
    return checked if judge_model is None else (*checked, judge_name(judge_model))


def rubric_of(snapshot: Snapshot) -> Rubric:
    """The rubric that was fixed before the run's first output; IntegrityError if it does not match its hash."""
    rubric = Rubric.model_validate_json(json.dumps(snapshot.spec.rubric))
    if rubric.sha256 != snapshot.spec.rubric_sha256:
        raise IntegrityError("the run file's rubric does not match its hash; restore the run file from a copy")
    return rubric


def open_round(run: RunFile, graders: Sequence[str], blind: bool) -> Round:
    """The round these graders work in: the newest one like it, else a new one under a new key."""
    round_ = preview_round(run.snapshot(), graders, blind)
    return round_ if round_.id else run.add_round(round_, secrets.token_bytes(32))


def preview_round(snapshot: Snapshot, graders: Sequence[str], blind: bool) -> Round:
    """The round these graders would work in: the newest one like it, else one that is not opened (id 0)."""
    for round_ in reversed(snapshot.rounds):
        if round_.graders == tuple(graders) and round_.blind == blind:
            return round_
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return Round(0, snapshot.spec.rubric_sha256, tuple(graders), blind, snapshot.spec.seed, created)


def answered_trials(snapshot: Snapshot) -> dict[int, Attempt]:
    """Trials that have an output, with the attempt that gave it."""
    return {a.trial_id: a for a in snapshot.attempts if a.grader is None and a.final and a.outcome == "answered"}


def build_queue(snapshot: Snapshot, round_: Round, grader: str, key: bytes) -> Queue:
    """One grader's tasks: labelled, ordered by seed and grader, and scrubbed of names if the round is blind.

    Outputs already graded by this grader in this round are left out.
    """
    rubric = rubric_of(snapshot)
    items = {item.id: item for item in snapshot.items}
    done = {grade.trial_id for grade in snapshot.grades if (grade.round_id, grade.grader) == (round_.id, grader)}
    outputs = answered_trials(snapshot)
    waiting = [trial for trial in snapshot.trials if trial.id in outputs and trial.id not in done]
    waiting.sort(key=lambda trial: grading_order(round_.seed, grader, trial.key.item_id, trial.id))
    names = tuple(sorted({*snapshot.spec.models, *(a.served_model for a in outputs.values() if a.served_model)}))
    tasks, trials, marks = [], {}, {}
    for trial in waiting:
        item = items[trial.key.item_id]
        label = label_for(key, grader, trial.id) if round_.blind else "/".join(map(str, trial.key))
        text = outputs[trial.id].text
        context = f"{item.task}\n{item.reference or ''}"
        text, marks[label] = scrub(text, names, context) if round_.blind else (text, 0)
        tasks.append(GradingTask(label, rubric.criteria, item.task, item.reference, text))
        trials[label] = trial
    return Queue(grader, tuple(tasks), trials, marks)


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
