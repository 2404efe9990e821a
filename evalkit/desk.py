"""The desk: where people grade, whether on a page, in a terminal or on a sheet; each mark is written as it is made."""

import hmac
import secrets
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

from evalkit.blind import GradingTask
from evalkit.errors import IntegrityError, UsageError
from evalkit.grader_names import CHECKS, is_again, kind_of
from evalkit.grading_records import WITHDRAWN, Marking, Preference, RoundEvent
from evalkit.lookalikes import as_read
from evalkit.marks import CANNOT_TELL, Mark, Standing, after, changed, check
from evalkit.queues import Outputs, Pile, build_pile, rubric_of
from evalkit.records import Correction, Grade, Round, Snapshot, TrialKey
from evalkit.rounds import (
    ASKED,
    HANDED_OUT,
    LEFT,
    Settings,
    asked_who_wrote,
    handed_out,
    joined_by_people,
    left_to_grade,
    people_of,
    settings_of,
    ungraded_shares,
    with_sample,
)
from evalkit.rubric import Criterion
from evalkit.snapshots import dealt
from evalkit.store import RunFile
from evalkit.wording import plural


def open_for_people(run: RunFile, blind: bool, settings: Settings | None = None) -> Round:
    """The round people work in (`joined_by_people`), else a new one; `settings` None leaves those of a round."""
    with run.together():
        snapshot = run.snapshot()
        round_ = joined_by_people(snapshot, blind)
        if round_ is None:
            checks = (CHECKS,) if rubric_of(snapshot).checked else ()
            fresh = Round(0, snapshot.spec.rubric_sha256, checks, blind, snapshot.spec.seed, _now())
            round_ = run.add_round(fresh, secrets.token_bytes(32))
        before = settings_of(snapshot, round_.id)
        if settings is not None and (wanted := with_sample(snapshot, settings, before)) != before:
            run.add_event(RoundEvent("settings", round_.id, None, wanted.content(), at=_now()))
    return round_


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _read_aloud(name: str) -> str:
    return as_read(name)[0].casefold()


class Desk:
    """One round of a run file, open for people. One desk a run file at a time: the caller holds `only_writer`."""

    def __init__(self, run: RunFile, round_: Round) -> None:
        self._run, self.round = run, round_
        self._key = run.sealed_key(round_.id)
        self._standing: dict[str, dict[str, Standing]] = {}
        self._piles: dict[str, Pile] = {}
        self._dealt: set[str] = set()
        self._read()

    def _read(self) -> None:
        self._snapshot = self._run.snapshot()
        self._outputs = Outputs(self._snapshot, self.round, self._key)
        self.rubric, self.settings = rubric_of(self._snapshot), settings_of(self._snapshot, self.round.id)
        self._asked = asked_who_wrote(self._snapshot, self.round.id)

    @property
    def people(self) -> tuple[str, ...]:
        """Who has joined."""
        return people_of(self._snapshot, self.round.id)

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        """What people grade."""
        return self.rubric.judged

    @property
    def is_open(self) -> bool:
        """Whether the round takes marks; it may be closed from elsewhere at any moment."""
        return self._run.takes_grades(self.round.id)

    def secret(self, purpose: str) -> bytes:
        """A key made from the round's sealed one, so that a restarted page knows its people again."""
        return hmac.digest(self._key, f"desk {purpose}".encode(), "sha256")

    def join(self, grader: str) -> None:
        """Let a person take part; the shares of all are dealt anew, leaving everybody what they have begun.

        UsageError if the name reads as a check's, a judge's, a repeat's or another's in the round, or is blank.
        """
        name = grader.strip()
        if not name or len(name) > 60 or not name.isprintable() or kind_of(name) != "human" or is_again(name):
            raise UsageError(f"grader name {grader!r} cannot be used; take a short plain one, such as a first name")
        if name != grader:
            raise UsageError(f"grader name {grader!r} has spaces around it; write {name!r}")
        if grader not in self.people:
            self._refuse_lookalike(grader)
            self._run.add_event(RoundEvent("joined", self.round.id, grader, at=_now()))
        self._read()
        self._piles.clear()

    def _refuse_lookalike(self, grader: str) -> None:
        """One person under two spellings would count as two who agree."""
        for other in self.people:
            if _read_aloud(other) == _read_aloud(grader):
                raise UsageError(
                    f"grader name {grader!r} looks like {other!r}, who takes part already;"
                    f" write {other!r}, or another name for another person"
                )

    def hand_out(self, grader: str) -> Pile:
        """A person's pile to be taken away: its items stay theirs, whoever joins before it comes back."""
        pile = self.deal(grader)
        items = sorted({trial.key.item_id for trial in pile.trials.values()})
        if handed_out(self._snapshot, self.round.id).get(grader) != tuple(items):
            self._run.add_event(RoundEvent("joined", self.round.id, grader, {HANDED_OUT: items}, at=_now()))
            self._read()
        return pile

    def authors(self, grader: str) -> tuple[str, ...]:
        """The models to choose from in the last question; none before it is put, so that nobody knows them earlier."""
        return tuple(sorted(self._snapshot.spec.models)) if grader in self._asked else ()

    def outputs_left(self, grader: str) -> int:
        """Outputs of a person's pile, those that come again included, that they have not finished."""
        return sum(not stands.done for stands in self.standing(grader).values())

    def is_through(self, grader: str) -> bool:
        """Whether nothing is left for a person, the last question included."""
        stands = self.standing(grader).values()
        asked = not self.settings.ask_author or all(one.author_asked for one in stands)
        return asked and not self.outputs_left(grader)

    def ask_who_wrote(self, grader: str) -> tuple[str, ...]:
        """Put the last question to a person: the models to choose from. Their grades stand from now on.

        UsageError where it is not asked, or while they have outputs left.
        """
        if not self.settings.ask_author:
            raise UsageError("nobody is asked in this round who wrote an output; use --ask-author")
        left = self.outputs_left(grader)
        if left:
            raise UsageError(f"{grader} has {plural(left, 'output')} left; who wrote them is asked last")
        if grader not in self._asked:
            self._run.add_event(RoundEvent("joined", self.round.id, grader, {ASKED: True}, at=_now()))
            self._read()
        return self.authors(grader)

    def pile(self, grader: str) -> Pile:
        """What a person has to grade, in their own order; UsageError if they have not joined."""
        if grader not in self.people:
            raise UsageError(f"{grader!r} does not take part in this round; name them with --grader")
        if grader not in self._piles:
            pile = build_pile(self._snapshot, self._outputs, self.round.id, grader, self._key, self._taken(grader))
            self._piles[grader] = pile
            self._standing[grader] = self._standing_of(pile)
        return self._piles[grader]

    def _taken(self, grader: str) -> frozenset[tuple[str, int]]:
        if grader not in handed_out(self._snapshot, self.round.id):
            return frozenset()
        with self._run.together() as db:
            return dealt(db, self.round.id)

    def deal(self, grader: str) -> Pile:
        """A person's pile, to be put before them now: what of it they do not grade they will have left."""
        pile = self.pile(grader)
        self._seal(pile, pile.trials)
        return pile

    def _seal(self, pile: Pile, labels: Iterable[str]) -> None:
        """Write what labels stand for, before anybody sees them or has said anything of them."""
        fresh = [label for label in labels if label not in self._dealt]
        if fresh:
            self._run.seal(self.round.id, {label: (pile.graders[label], pile.trials[label].id) for label in fresh})
            self._dealt.update(fresh)

    def standing(self, grader: str) -> Mapping[str, Standing]:
        """How each output of a person's pile stands with them."""
        self.pile(grader)
        return self._standing[grader]

    def _standing_of(self, pile: Pile) -> dict[str, Standing]:
        label_of = {(pile.graders[label], trial.id): label for label, trial in pile.trials.items()}
        standing = dict.fromkeys(pile.trials, Standing())
        for marking in self._snapshot.markings:
            label = label_of.get((marking.grader, marking.trial_id))
            if marking.round_id == self.round.id and label is not None:
                standing[label] = after(standing[label], marking)
        return standing

    def take(self, grader: str, mark: Mark) -> bool:
        """Write one mark, durably, before this returns; False if it was written before.

        UsageError if it is not one that this person can make, IntegrityError if the round has been closed.
        """
        pile = self.pile(grader)
        check(mark, pile, self.criteria, self.authors(grader))
        self._seal(pile, [mark.label])
        name, trial = pile.graders[mark.label], pile.trials[mark.label]
        content = dict(mark.content)
        if mark.kind == "edit":
            content["changed"] = changed(self._outputs.task(name, trial)[0].output, str(content["text"]))
        marking = Marking(self.round.id, name, trial.id, mark.kind, content, mark.active_s, _now())
        now = after(self._standing[grader][mark.label], marking)
        if mark.kind == "done" and any(criterion.id not in now.levels for criterion in self.criteria):
            raise UsageError("the output has criteria without a level; grade them, or say that you cannot tell")
        with self._run.together():
            if not self._run.takes_grades(self.round.id):
                raise IntegrityError("this round has been closed; ask who runs the grading to open another")
            if not self._run.add_marking(
                marking, f"{grader}\x1f{mark.nonce}"
            ):  # no one's nonce can hide another's mark
                return False
            if mark.kind in ("level", "prefer", "edit") and grader in self._asked:
                raise UsageError(f"{grader} has been asked who wrote what, so the grades stand as they were before")
            self._write_what_it_means(pile, mark, marking, now)
        self._standing[grader][mark.label] = now
        return True

    def _write_what_it_means(self, pile: Pile, mark: Mark, marking: Marking, now: Standing) -> None:
        """The rows in which other readers look: a grade, a preference, the minutes of a correction."""
        if mark.kind == "level":
            level = mark.content.get("level")
            reason = None if level is not None else CANNOT_TELL if "level" in mark.content else WITHDRAWN
            criterion, marks = str(mark.content["criterion"]), pile.identity_marks[mark.label]
            grade = Grade(self.round.id, marking.grader, marking.trial_id, criterion, level, reason, "", marks)
            self._run.add_grades([grade], marking.at)
        elif mark.kind == "prefer":
            other = pile.trials[str(mark.content["over"])]
            choice = mark.content["choice"]
            taken_back = WITHDRAWN if choice is None else ""
            shown = Preference(self.round.id, marking.grader, marking.trial_id, other.id, choice, taken_back)
            self._run.add_preferences([shown], marking.at)
        elif mark.kind == "edit" and mark.active_s is not None:
            fixed = Correction(marking.trial_id, marking.grader, now.edit_s / 60)
            self._run.add_corrections([fixed], marking.at)

    def left(self) -> Mapping[str, int]:
        """How many outputs each person still has to grade, repeats left out."""
        return left_to_grade(self._run.snapshot(), self.round.id, self.rubric)

    def task(self, grader: str, label: str) -> GradingTask:
        """One task of a person's pile."""
        return next(task for sitting in self.pile(grader).sittings for task in sitting if task.label == label)


def close_round(run: RunFile, round_id: int, why: str) -> None:
    """End a round: it takes no more grades, and its results may be shown."""
    with run.together() as db:
        if run.takes_grades(round_id):
            left = _left(run.snapshot(), round_id, dealt(db, round_id))
            run.add_event(RoundEvent("closed", round_id, None, {"why": why, LEFT: left}, at=_now()))


def _left(snapshot: Snapshot, round_id: int, piled: Collection[tuple[str, int]]) -> list[TrialKey]:
    """What people were dealt, as far as they took it away if they grade elsewhere, and did not grade."""
    taken, keys = handed_out(snapshot, round_id), {trial.id: trial.key for trial in snapshot.trials}
    left = {
        trial
        for grader, own in ungraded_shares(snapshot, round_id, rubric_of(snapshot)).items()
        for trial in own
        if (grader, trial) in piled and (grader not in taken or keys[trial].item_id in taken[grader])
    }
    return [trial.key for trial in snapshot.trials if trial.id in left]
