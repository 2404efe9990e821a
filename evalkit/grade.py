"""Grade: blind tasks from a run's outputs, findings from checks and judges, grades into the run file."""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from evalkit import judge_prompts
from evalkit.bill import Line, shown_by_judges, total
from evalkit.claims import borne, claims
from evalkit.executors.budget import Budget, payers
from evalkit.executors.ending import raise_if_stopped
from evalkit.executors.lag import Believed
from evalkit.executors.local import Limits, Progress, execute
from evalkit.executors.schedule import Call
from evalkit.executors.session import session
from evalkit.frozen import dataclass
from evalkit.grader_names import judge_model, kind_of
from evalkit.graders import Finding, checks, judge
from evalkit.grading_records import Preference, RoundEvent
from evalkit.judge_bill import judge_lines, judges_seen
from evalkit.judging import Question, by_key, calls, is_reused, known_answers, labels, questions, sized, subject
from evalkit.models import same_model
from evalkit.panel import Panel
from evalkit.pricing import LIST_PRICES, Prices
from evalkit.providers import Provider
from evalkit.queues import Queue, build_queue
from evalkit.records import Attempt, Grade, Reply, Round, Snapshot
from evalkit.rounds import automatic, is_closed, people_of
from evalkit.rubric import Rubric
from evalkit.store import RunFile

REUSED = "[reused answer] "
"""What the comment on a grade begins with whose answer was paid for on another occasion."""


def graders_for(rubric: Rubric, panel: Panel | None) -> tuple[str, ...]:
    """Who grades by this rubric: the checks if it has any, and each repeat of each judge if there is a panel."""
    checked = (checks.NAME,) if rubric.checked else ()
    return checked if panel is None else (*checked, *(name for _, _, name in panel.views))


def own_judges(snapshot: Snapshot, judges: Sequence[str]) -> tuple[str, ...]:
    """The judges that are among the models compared, under whatever id: they would grade their own outputs."""
    served = {attempt.served_model for attempt in snapshot.attempts if attempt.grader is None}
    compared = {*snapshot.spec.models, *(name for name in served if name)}
    return tuple(model for model in judges if any(same_model(model, other) for other in compared))


def open_round(
    run: RunFile, graders: Sequence[str], blind: bool, panel: Panel | None = None, endpoint: str | None = None
) -> Round:
    """The round these checks and judges work in: the newest one like it, else a new one under a new key.

    `endpoint`: the judges' server, as runs record one.
    """
    with run.together():
        round_ = preview_round(run.snapshot(), graders, blind, panel)
        is_new = not round_.id
        if is_new:
            round_ = run.add_round(round_, secrets.token_bytes(32))
        asked: Mapping[str, str] = {}
        if panel is not None:
            asked = judge_prompts.content(judge.prompt_sha256(panel.context), panel.context, endpoint)
        for grader in graders:
            is_judge = kind_of(grader) == "judge"
            if grader not in round_.graders or (is_new and is_judge and asked):
                run.add_event(RoundEvent("joined", round_.id, grader, asked if is_judge else {}, at=_now()))
    return round_


def preview_round(snapshot: Snapshot, graders: Sequence[str], blind: bool, panel: Panel | None = None) -> Round:
    """The round these checks and judges would work in; one that is not opened has id 0.

    It is the newest that is not closed, with the same ones asked in the same way, or with people alone: two panels are
    never mixed. Judges who compare side by side may do so beside others of their round.
    """
    for round_ in reversed(snapshot.rounds):
        there = automatic(round_)
        people_alone = people_of(snapshot, round_.id) and not any(kind_of(grader) == "judge" for grader in there)
        beside = panel is not None and panel.side_by_side and set(graders) <= set(there)
        fits = (set(there) == set(graders) or people_alone or beside) and _asked_alike(snapshot, round_, panel)
        if fits and round_.blind == blind and not is_closed(snapshot, round_.id):
            return round_
    return Round(0, snapshot.spec.rubric_sha256, tuple(graders), blind, snapshot.spec.seed, _now())


def _asked_alike(snapshot: Snapshot, round_: Round, panel: Panel | None) -> bool:
    """Whether what the round's judges were sent, as far as it is recorded, is what this panel is sent."""
    asked = {prompt for (_, id_), prompt in judge_prompts.prompts_of(snapshot).items() if id_ == round_.id}
    return panel is None or asked <= {judge.prompt_sha256(panel.context)}


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
    """What the rest of a round's judging may cost: a line a judge. `reused` answers are there already and cost nothing.

    `outputs`: how many outputs there is still something to say about.
    """

    lines: tuple[Line, ...]
    outputs: int
    reused: int

    @property
    def requests(self) -> int:
        """All requests together."""
        return sum(line.requests for line in self.lines)

    @property
    def worst_usd(self) -> float | None:
        """The most they can cost together, USD; None if a price is unknown."""
        return total([line.worst_usd for line in self.lines])


def judge_bill(snapshot: Snapshot, round_: Round, panel: Panel, prices: Prices = LIST_PRICES) -> JudgeBill:
    """An upper bound of what judging the rest of a round costs; opens and writes nothing."""
    now, known = datetime.now(UTC), known_answers(snapshot, round_)
    asked = questions(snapshot, round_, panel, secrets.token_bytes(32))
    to_send = by_key(question for question in asked if question.key not in known)
    lines = judge_lines((size for _, size in sized(to_send, now, prices)), now, prices, judges_seen(snapshot))
    outputs = {trial_id for question in asked for trial_id in question.trial_ids}
    return JudgeBill(lines, len(outputs), len(asked) - len(to_send))


async def grade_by_judges(
    run: RunFile,
    round_: Round,
    panel: Panel,
    provider: Provider,
    limits: Limits,
    budget_usd: float | None,
    tell: Callable[[Progress], None],
    prices: Prices = LIST_PRICES,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Let a panel say all it has not said on every output; an answer already paid for is read, not asked again.

    Raises like a run when it has to stop; the same command goes on from there.
    """
    with run.only_writer(*payers("grade", budget_usd)):
        settles, to_send, budget = _left_to_ask(run, round_, panel, budget_usd, prices)
        if not settles:
            return
        async with session(run, "local", limits.concurrency) as opened:

            def on_progress(progress: Progress) -> None:
                if progress.final:
                    first, *same = settles[progress.call.subject]
                    opened.ledger.write(partial(_record_answer, run, round_, first, progress.reply, False))
                    for question in same:
                        opened.ledger.write(partial(_record_answer, run, round_, question, progress.reply, True))
                tell(progress)

            sends = Believed(provider, opened.lag)  # how long judges take is told while they work
            ending = await execute(to_send, sends, opened.ledger, limits, budget, on_progress, opened.id, prices, say)
    if ending.stopped or ending.unsettled:
        raise_if_stopped(ending, budget, "grade", _heard(run.snapshot()))


def _left_to_ask(
    run: RunFile, round_: Round, panel: Panel, budget_usd: float | None, prices: Prices
) -> tuple[dict[str, list[Question]], Iterator[Call], Budget]:
    """What is to be sent once known answers have been recorded: questions by what settles them, their calls, and what
    they may cost. Nothing else of a large run is kept while they are asked."""
    snapshot = run.snapshot()
    asked = questions(snapshot, round_, panel, run.sealed_key(round_.id))
    run.seal(round_.id, labels(asked))
    known = known_answers(snapshot, round_)
    for question in asked:
        attempt = known.get(question.key)
        if attempt is not None:
            _record_answer(run, round_, question, _as_reply(attempt), is_reused(question, round_, attempt))

    waiting, now = by_key(question for question in asked if question.key not in known), datetime.now(UTC)
    settles = {subject(round_, of_one[0]): of_one for of_one in waiting.values()}
    shown = shown_by_judges(snapshot)
    aside = claims(snapshot, now, prices, to_judges=shown)
    budget = Budget(budget_usd, borne(snapshot, aside), aside)
    return settles, calls(round_, waiting, snapshot, now, prices, None if budget_usd is None else shown), budget


def _heard(snapshot: Snapshot) -> set[str]:
    """Models that have answered as judges."""
    heard = [a.grader for a in snapshot.attempts if a.grader is not None and a.outcome not in (None, "errored")]
    return {judge_model(grader) for grader in heard}


def _record_answer(run: RunFile, round_: Round, question: Question, reply: Reply, reused: bool) -> None:
    """What a judge said, as grades of one output or as a preference between two."""
    at, mark = datetime.now(UTC).isoformat(timespec="milliseconds"), REUSED if reused else ""
    first = question.outputs[0]
    if len(question.outputs) == 2:
        choice, comment = judge.read_preference(reply)
        one, other = question.trial_ids
        preference = Preference(round_.id, question.grader, one, other, choice, mark + comment)
        run.add_preferences([preference], at)
        return
    findings = judge.read_reply(reply, judge.judged(first.task))
    grades = [
        Grade(
            round_.id, question.grader, first.trial.id, criterion, found.level,
            found.reason, mark + found.comment, first.identity_marks,
        )
        for criterion, found in findings.items()
    ]  # fmt: skip
    run.add_grades(grades, at)


def _as_reply(attempt: Attempt) -> Reply:
    outcome, latency_s = attempt.outcome or "errored", attempt.latency_s or 0.0
    return Reply(outcome, latency_s, attempt.text, error_type=attempt.error_type)
