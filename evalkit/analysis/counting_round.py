"""Which round of grading counts, where a run was graded in several."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import field

from evalkit.analysis.views import dropped_judges
from evalkit.frozen import dataclass
from evalkit.grader_names import judge_of, kind_of
from evalkit.records import Round, Snapshot
from evalkit.rounds import NEARLY_ALL, answered, left_at_closing, levelled_by_people, queue_is_graded
from evalkit.rubric import Rubric
from evalkit.standing_grades import counting

_FAR_MORE = 2
"""A later sample with so many times the grades of people that a queue has goes before it, though it needs the judge."""


def current_round(snapshot: Snapshot) -> Round | None:
    """The round that counts: any before one known not to be blind, then the one that graded most trials, first those
    with a level on every judged criterion, since fewer make no verdict.

    What checks alone say is looked at last, since it can be had beside any round. Where that leaves several, one with
    people's grades, then one known to be blind, then the newest. So a round for debugging, one that has only begun,
    or one whose grades cannot be read, never hides a complete one. A newer round no lower in blinding and people
    that has dealt with all that the chosen one has, some of it perhaps ungraded, takes its place: whoever grades anew
    means it, and an output that stayed ungraded must not undo that. What a dropped judge said is no work done: it hides
    no grade that stands. A round that people settled without a judge's word goes before others (`_settled`). None if no
    round has any grade, readable or not.
    """
    with_grades = {grade.round_id for grade in counting(snapshot.grades)}
    rounds = [round_ for round_ in snapshot.rounds if round_.id in with_grades]
    if len(rounds) < 2:
        return next(iter(rounds), None)
    work = _work(snapshot)

    def rank(r: Round) -> tuple[bool, bool, bool]:
        return r.blind is not False, work[r.id].people, r.blind is True

    def standing(r: Round) -> tuple[bool, int, int, int, bool, bool, int]:
        (fit, people, blind), done = rank(r), work[r.id]
        return fit, len(done.whole), len(done.levels), len(done.graded), people, blind, r.id

    def replaces(r: Round, other: Round) -> bool:
        no_lower = all(ours >= theirs for ours, theirs in zip(rank(r), rank(other), strict=True))
        return r.id > other.id and no_lower and work[r.id].covers(work[other.id])

    chosen = max(rounds, key=standing)
    newest = max([r for r in rounds if replaces(r, chosen)], key=lambda r: r.id, default=chosen)
    return _settled(snapshot, [r for r in rounds if r.blind is not False or newest.blind is False], newest)


def heard_round(snapshot: Snapshot, said: Iterable[tuple[int, str]]) -> int | None:
    """Of rounds in which people said something beside grades, each time of an item, the one that counts, else the one
    with most items, the newest of several: a round is done again because the one before is not to be relied on. None of
    none."""
    counting, items = current_round(snapshot), Counter(round_id for round_id, _ in set(said))
    return max(items, key=lambda id_: (counting is not None and id_ == counting.id, items[id_], id_), default=None)


def _settled(snapshot: Snapshot, rounds: list[Round], chosen: Round) -> Round:
    """The round to go by instead of `chosen`, since people settled it: they graded nearly all outputs there, or all
    that a judge told apart and some of the rest. What they found there needs no judge, and asking them for less anew,
    or judges, must not undo it; grading outputs that it never dealt with does, and asking people for far more.

    All outputs go before a part of them, then one known to be blind, then the one in which people dealt with most, then
    the newest.
    """
    outputs = answered(snapshot)
    dealt_with: dict[int, set[int]] = {round_.id: set() for round_ in snapshot.rounds}
    asked = deepcopy(dealt_with)  # of people
    for grade in counting(snapshot.grades):
        if grade.trial_id in outputs:
            dealt_with[grade.round_id].add(grade.trial_id)
            if kind_of(grade.grader) == "human":
                asked[grade.round_id].add(grade.trial_id)
    graded = {r.id: levelled_by_people(snapshot, r.id) & outputs.keys() for r in snapshot.rounds}
    for r in snapshot.rounds:  # what people were asked about and left is no output that the round never knew
        left = left_at_closing(snapshot, r.id)
        dealt_with[r.id] |= {trial.id for trial in snapshot.trials if trial.key in left} & outputs.keys()

    def is_whole(r: Round) -> bool:
        return len(graded[r.id]) >= NEARLY_ALL * len(outputs)

    settled = [
        r
        for r in rounds
        if dealt_with[r.id] >= dealt_with[chosen.id] and (is_whole(r) or queue_is_graded(snapshot, r.id))
    ]
    best = max(settled, key=lambda r: (is_whole(r), r.blind is True, len(asked[r.id]), r.id), default=chosen)
    outdone = chosen.id > best.id and not is_whole(best) and len(graded[chosen.id]) >= _FAR_MORE * len(graded[best.id])
    return chosen if outdone else best


@dataclass
class _Work:
    """What a round has done: trials with any level (`graded`); on which of the `judged` criteria each has a level, and
    which of them were dealt with, some perhaps ungraded; and whether people gave any level."""

    judged: frozenset[str]
    people: bool = False
    graded: set[int] = field(default_factory=set)
    levels: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    dealt_with: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    unreadable: int = 0
    readable: int = 0

    @property
    def whole(self) -> set[int]:
        """Trials with a level on every judged criterion."""
        return {trial for trial, names in self.levels.items() if names >= self.judged}

    @property
    def done(self) -> set[int]:
        """Trials of which every judged criterion was dealt with."""
        return {trial for trial, names in self.dealt_with.items() if names >= self.judged}

    def covers(self, other: "_Work") -> bool:
        """Whether it has dealt with all that the other has, and most of what it said can be read."""
        return (
            self.readable >= self.unreadable
            and bool(self.levels or not other.levels)
            and self.done >= other.done
            and self.dealt_with.keys() | self.graded >= other.dealt_with.keys() | other.graded
        )


def _work(snapshot: Snapshot) -> dict[int, _Work]:
    rubric, checked = Rubric.read_back(snapshot.spec.rubric), checked_criteria(snapshot)
    judged, dropped = frozenset(criterion.id for criterion in rubric.judged), dropped_judges(snapshot, rubric)
    found: dict[int, _Work] = defaultdict(lambda: _Work(judged))
    for grade in counting(snapshot.grades):
        work = found[grade.round_id]
        if judge_of(grade.grader) in dropped:
            continue
        if grade.level is not None:
            work.graded.add(grade.trial_id)
            work.people = work.people or kind_of(grade.grader) == "human"
        if grade.criterion in checked:
            continue
        work.dealt_with[grade.trial_id].add(grade.criterion)
        if grade.level is None:
            work.unreadable += 1
        else:
            work.readable += 1
            work.levels[grade.trial_id].add(grade.criterion)
    return found


def checked_criteria(snapshot: Snapshot) -> frozenset[str]:
    """The ids of the criteria that checks decide."""
    criteria = snapshot.spec.rubric.get("criteria", ())
    return frozenset(criterion["id"] for criterion in criteria if criterion.get("kind") == "check")
