"""What a panel of judges is asked about a run's outputs, in which order, and what is known of it already."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import chain, groupby, permutations, zip_longest

from evalkit.bill import judge_worst_usd
from evalkit.blind import GradingTask, grading_order
from evalkit.executors.schedule import Call
from evalkit.frozen import dataclass
from evalkit.graders import judge
from evalkit.judge_bill import Asked, JudgeSize, asked_by, sizes
from evalkit.panel import Panel
from evalkit.pricing import LIST_PRICES, Prices
from evalkit.queues import Outputs
from evalkit.records import Attempt, Request, Round, Snapshot, Trial
from evalkit.uncounted import ShownSizes, Unsure

_JUDGE = "judge"
"""What the subject of an attempt begins with that settles a question."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An output as a judge sees it: its blind task, whose it is (never shown), and the names hidden in it."""

    task: GradingTask
    trial: Trial
    identity_marks: int


@dataclass(frozen=True, slots=True)
class Question:
    """One thing a judge is to say: a grading of one output, or which of two it prefers, as they stand.

    `key` is the same for the same request and repeat, whatever round or output it is about: its answer is reused.
    The request is put together when it is sent, since all requests of a large run together would fill the memory.
    """

    grader: str
    outputs: tuple[Shown, ...]
    asked: Asked
    key: str

    @property
    def request(self) -> Request:
        """What the judge is sent."""
        return _request(self.asked.model, self.asked.shared, [shown.task for shown in self.outputs])

    @property
    def trial_ids(self) -> tuple[int, ...]:
        """What it is about."""
        return tuple(shown.trial.id for shown in self.outputs)


def questions(snapshot: Snapshot, round_: Round, panel: Panel, key: bytes) -> list[Question]:
    """All that the panel has not said in this round; of each judge what concerns one item back to back."""
    asking = _Asking(snapshot, round_, panel, Outputs(snapshot, round_, key))
    by_judge = [asking.of_judge(model) for model in panel.judges]
    return [question for turn in zip_longest(*by_judge) for question in turn if question is not None]


class _Asking:
    """Makes a panel's questions; an item's context is put together once, for it may be long."""

    def __init__(self, snapshot: Snapshot, round_: Round, panel: Panel, outputs: Outputs) -> None:
        self._round, self._panel, self._outputs = round_, panel, outputs
        graded = {(grade.grader, (grade.trial_id,)) for grade in snapshot.grades if grade.round_id == round_.id}
        compared = {
            (p.grader, (p.first_trial_id, p.second_trial_id)) for p in snapshot.preferences if p.round_id == round_.id
        }
        self._said: set[tuple[str, tuple[int, ...]]] = {*graded, *compared}
        self._shared: dict[str, tuple[str, bytes]] = {}

    def of_judge(self, model: str) -> list[Question]:
        """All questions to one judge: items in its own order, and an item's repeats one after the other."""
        views = [(repeat, name) for judge_model, repeat, name in self._panel.views if judge_model == model]
        seed, lead = self._round.seed, views[0][1]

        def place(trial: Trial) -> tuple[str, str]:
            return grading_order(seed, lead, trial.key.item_id, trial.id)[0], trial.key.item_id

        trials = sorted(self._outputs.trials(), key=place)
        by_item = [list(of_one) for _, of_one in groupby(trials, key=place)]
        return [
            question
            for of_one in by_item
            for repeat, name in views
            for question in self._of_item(model, repeat, name, of_one)
        ]

    def _of_item(self, model: str, repeat: int, grader: str, trials: Sequence[Trial]) -> Iterator[Question]:
        ordered = sorted(trials, key=lambda t: grading_order(self._round.seed, grader, t.key.item_id, t.id))
        sets: Iterable[tuple[Trial, ...]] = ((trial,) for trial in ordered)
        if self._panel.side_by_side:
            sets = (pair for pair in permutations(ordered, 2) if pair[0].key.epoch == pair[1].key.epoch)
        for about in sets:
            if (grader, tuple(trial.id for trial in about)) in self._said:
                continue
            shown = tuple(Shown(task, trial, marks) for trial in about for task, marks in [self._task(grader, trial)])
            asked, key = self._asked(model, shown)
            yield Question(grader, shown, asked, key if repeat == 1 else f"{key}#{repeat}")

    def _task(self, grader: str, trial: Trial) -> tuple[GradingTask, int]:
        return self._outputs.task(grader, trial)

    def _asked(self, model: str, shown: tuple[Shown, ...]) -> tuple[Asked, str]:
        item_id, first = shown[0].trial.key.item_id, shown[0].task
        if item_id not in self._shared:
            text = judge.shared_text(first, self._panel.context)
            self._shared[item_id] = text, hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        shared, digest = self._shared[item_id]
        request = _request(model, shared, [one.task for one in shown])
        own = (model, request.max_tokens, request.system, judge.parts_of(request)[1], request.params)
        return asked_by(request), hashlib.sha256(digest + repr(own).encode("utf-8", "surrogatepass")).hexdigest()


def _request(model: str, shared: str, tasks: Sequence[GradingTask]) -> Request:
    """The request for a grading of one output, or for a comparison of two."""
    if len(tasks) == 1:
        return judge.build_request(model, tasks[0], shared)
    return judge.build_comparison(model, tasks[0], tasks[1], shared)


def subject(round_: Round, question: Question) -> str:
    """What an attempt at a question settles: it once in this round, and with an answer the same one in any other."""
    return f"{_JUDGE}/{round_.id}/{question.key}"


def known_answers(snapshot: Snapshot, round_: Round) -> dict[str, Attempt]:
    """Attempts that settle a question, by its key: answers from any round, and this one's failures for good.

    Not answers that were given apart, before files were merged.
    """
    settled = [a for a in snapshot.attempts if a.final and str(a.subject).startswith(f"{_JUDGE}/")]
    return {
        str(attempt.subject).rpartition("/")[2]: attempt
        for attempt in settled
        if attempt.outcome == "answered" or attempt.round_id == round_.id
    }


def is_reused(question: Question, round_: Round, attempt: Attempt) -> bool:
    """Whether an answer was paid for on another occasion: for another output of the same text, or another round."""
    own = (round_.id, question.grader, question.trial_ids[0])
    return (attempt.round_id, attempt.grader, attempt.trial_id) != own


def by_key(asked: Iterable[Question]) -> dict[str, list[Question]]:
    """Questions that one answer settles, together."""
    found: dict[str, list[Question]] = {}
    for question in asked:
        found.setdefault(question.key, []).append(question)
    return found


def sized(
    asked: Mapping[str, Sequence[Question]], when: datetime, prices: Prices = LIST_PRICES
) -> Iterator[tuple[Question, JudgeSize]]:
    """The first question of each key, with the size of its request."""
    first = [of_one[0] for of_one in asked.values()]
    return zip(first, sizes([question.asked for question in first], when, prices), strict=True)


def calls(
    round_: Round,
    asked: Mapping[str, Sequence[Question]],
    snapshot: Snapshot,
    when: datetime,
    prices: Prices = LIST_PRICES,
    sizes_shown: ShownSizes | None = None,
) -> Iterator[Call]:
    """One call a key. The first about an item goes ahead of the others, which find its context in the cache.

    `sizes_shown`: what answers show of the sizes of prompts, where a budget hangs on it.
    """
    earlier = {
        (attempt.grader, attempt.trial_id): attempt.number
        for attempt in snapshot.attempts
        if attempt.grader is not None and attempt.round_id == round_.id
    }
    return _in_turn(round_, asked, earlier, when, prices, sizes_shown)


def _in_turn(
    round_: Round,
    asked: Mapping[str, Sequence[Question]],
    earlier: Mapping[tuple[str, int], int],
    when: datetime,
    prices: Prices,
    sizes_shown: ShownSizes | None,
) -> Iterator[Call]:
    """The calls, each made when its turn comes."""
    leading: dict[tuple[str, str], str] = {}
    for question, size in sized(asked, when, prices):
        request, name = question.request, subject(round_, question)
        context = (question.asked.model, question.asked.shared)
        after = leading.get(context) if size.place == "later" else None
        leading.setdefault(context, name)
        usd = partial(judge_worst_usd, size.model, when, prices, size.is_cached)
        yield Call(
            subject=name,
            trial_id=question.trial_ids[0],
            request=judge.marked(request) if size.is_cached else request,
            worst_case_usd=size.worst_usd(when, prices),
            earlier=earlier.get((question.grader, question.trial_ids[0]), 0),
            grader=question.grader,
            round_id=round_.id,
            input_tokens=size.tokens,
            after=after,
            unsure=None if sizes_shown is None else Unsure(size.model, size.most_tokens, usd, sizes_shown),
            most_tokens=size.most_tokens,
            cached=size.is_cached,
        )


def labels(asked: Iterable[Question]) -> dict[str, tuple[str, int]]:
    """What the labels of all that is asked stand for, to be sealed."""
    shown = chain.from_iterable(((question.grader, one) for one in question.outputs) for question in asked)
    return {one.task.label: (grader, one.trial.id) for grader, one in shown}
