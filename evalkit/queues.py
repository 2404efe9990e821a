"""What each grader has to grade: blind tasks in an order of their own, and what the labels stand for."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field
from itertools import groupby

from evalkit.blind import GradingTask, grading_order, label_for, lot, output_order, passages, person_order, scrub
from evalkit.errors import IntegrityError
from evalkit.frozen import dataclass
from evalkit.grader_names import again, kind_of
from evalkit.records import ItemRecord, Round, Snapshot, Trial
from evalkit.returning import with_repeats
from evalkit.rounds import answered, settings_of, shares
from evalkit.rubric import Rubric


@dataclass(frozen=True)
class Queue:
    """What one grader has to grade: tasks in its own order, and what the labels stand for (never shown)."""

    grader: str
    tasks: tuple[GradingTask, ...]
    trials: Mapping[str, Trial] = field(repr=False)
    identity_marks: Mapping[str, int] = field(repr=False)


@dataclass(frozen=True)
class Pile:
    """What one person has to grade, screen by screen: an item's outputs together, in this person's own order.

    `graders`: the name under which a label's grades are kept, which differs for an output that comes again.
    """

    sittings: tuple[tuple[GradingTask, ...], ...]
    trials: Mapping[str, Trial] = field(repr=False)
    identity_marks: Mapping[str, int] = field(repr=False)
    graders: Mapping[str, str] = field(repr=False)


def rubric_of(snapshot: Snapshot) -> Rubric:
    """The rubric that was fixed before the run's first output; IntegrityError if it does not match its hash."""
    rubric = Rubric.read_back(snapshot.spec.rubric)
    if rubric.sha256 != snapshot.spec.rubric_sha256:
        raise IntegrityError("the run file's rubric does not match its hash; restore the run file from a copy")
    return rubric


class Outputs:
    """The outputs of a run as graders may see them: scrubbed once, labelled for each grader anew."""

    def __init__(self, snapshot: Snapshot, round_: Round, key: bytes) -> None:
        self._snapshot, self._round, self._key = snapshot, round_, key
        self._rubric = rubric_of(snapshot)
        self._items = {item.id: item for item in snapshot.items}
        self._texts = answered(snapshot)
        served = {attempt.served_model for attempt in snapshot.attempts if attempt.grader is None}
        self._names = tuple(sorted({*snapshot.spec.models, *(name for name in served if name)}))
        self._scrubbed: dict[int, tuple[str, int]] = {}

    def trials(self) -> list[Trial]:
        """Trials that have an output, in planned order."""
        return [trial for trial in self._snapshot.trials if trial.id in self._texts]

    def task(self, grader: str, trial: Trial) -> tuple[GradingTask, int]:
        """An output as this grader sees it, and how many names of its author were hidden in it."""
        item = self._items[trial.key.item_id]
        label = label_for(self._key, grader, trial.id) if self._round.blind else _open_label(grader, trial)
        text, marks = self._text(trial, item)
        documents = passages(item, self._snapshot.documents)
        return GradingTask(label, self._rubric.criteria, item.task, item.reference, text, documents), marks

    def _text(self, trial: Trial, item: ItemRecord) -> tuple[str, int]:
        if not self._round.blind:
            return self._texts[trial.id], 0
        if trial.id not in self._scrubbed:
            context = f"{item.task}\n{item.reference or ''}"
            self._scrubbed[trial.id] = scrub(self._texts[trial.id], self._names, context)
        return self._scrubbed[trial.id]


def _open_label(grader: str, trial: Trial) -> str:
    """What an output is called where nothing is hidden: a person's own, and another when it comes to them again."""
    person = (grader,) if kind_of(grader) == "human" else ()
    return "/".join(map(str, (*trial.key, *person)))


def build_queue(snapshot: Snapshot, round_: Round, grader: str, key: bytes) -> Queue:
    """The tasks of a check or a judge: labelled, ordered by seed and grader, and scrubbed of names if blind.

    Outputs already graded by this grader in this round are left out.
    """
    outputs = Outputs(snapshot, round_, key)
    done = {grade.trial_id for grade in snapshot.grades if (grade.round_id, grade.grader) == (round_.id, grader)}
    waiting = [trial for trial in outputs.trials() if trial.id not in done]
    waiting.sort(key=lambda trial: grading_order(round_.seed, grader, trial.key.item_id, trial.id))
    found = [(*outputs.task(grader, trial), trial) for trial in waiting]
    return Queue(
        grader,
        tuple(task for task, _, _ in found),
        {task.label: trial for task, _, trial in found},
        {task.label: marks for task, marks, _ in found},
    )


def build_pile(
    snapshot: Snapshot,
    outputs: Outputs,
    round_id: int,
    grader: str,
    key: bytes,
    taken: Collection[tuple[str, int]] = (),
) -> Pile:
    """The outputs of a person's share, an item's epochs one after the other, and the repeats among the later half.

    `taken`: outputs, by grader and trial, that they took away to grade elsewhere. A repeat among them stays one though
    others are drawn by now, since more has been run: it may come back graded.
    """
    share = set(shares(snapshot, round_id).get(grader, ()))
    mine = [trial for trial in outputs.trials() if trial.key.item_id in share]
    mine.sort(key=lambda t: (person_order(key, grader, t.key.item_id), t.key.item_id, t.key.epoch))
    screens = [list(screen) for _, screen in groupby(mine, key=lambda t: (t.key.item_id, t.key.epoch))]
    ordered = [
        _in_order(screen, output_order(key, grader, rank, snapshot.spec.models)) for rank, screen in enumerate(screens)
    ]
    settings = settings_of(snapshot, round_id)

    def name_of(second: bool) -> str:
        return again(grader) if second else grader

    def draw(purpose: str, trial: Trial) -> str:
        return lot(key, grader, purpose, trial.id)

    sittings, trials, marks, graders = [], {}, {}, {}
    screens_of = with_repeats(ordered, settings.repeat_share, settings.layout == "side", draw)
    drawn = {trial.id for screen_of in screens_of for trial, second in screen_of if second}
    kept = [t for t in mine if (again(grader), t.id) in taken and t.id not in drawn]
    screens_of += [[(t, True) for t in screen] for _, screen in groupby(kept, key=lambda t: t.key.item_id)]
    for screen_of in screens_of:
        tasks = []
        for trial, second in screen_of:
            task, marks_in = outputs.task(name_of(second), trial)
            tasks.append(task)
            trials[task.label], marks[task.label], graders[task.label] = trial, marks_in, name_of(second)
        sittings.append(tuple(tasks))
    return Pile(tuple(sittings), trials, marks, graders)


def _in_order(screen: Iterable[Trial], models: Sequence[str]) -> list[Trial]:
    return sorted(screen, key=lambda trial: models.index(trial.key.model))
