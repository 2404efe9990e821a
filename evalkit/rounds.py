"""Grading rounds: who takes part, how people work in one, when it is over, and what may be shown before that."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields, replace
from hashlib import sha256
from itertools import takewhile
from typing import Any, Literal

from evalkit.assignment import assign
from evalkit.frozen import dataclass
from evalkit.grader_names import is_again, kind_of
from evalkit.grading_records import WITHDRAWN
from evalkit.records import Round, Snapshot, TrialKey
from evalkit.rubric import Rubric
from evalkit.standing_grades import counting

Layout = Literal["point", "side"]
HANDED_OUT = "handed_out"
"""In the content of a person's joining: the items they took away to grade elsewhere."""
ASKED = "asked"
"""In the content of a person's joining: that the question who wrote what was put to them, with the models named."""


REPEAT_SHARE = 0.05
"""Share of a person's outputs that come a second time unless another is asked for."""
NEARLY_ALL = 0.9
"""Share of a sample's items that have come back whole, from which on the others are no choice worth the name."""

FEWEST_ALIKE = 10
"""Items that a judge grades alike which people must have graded as well, unless there are fewer."""

LEFT = "left"
"""In the content of a closing: the trials that people were asked about and had not graded by then."""


@dataclass(frozen=True)
class Settings:
    """How people work in a round.

    `overlap`: how many people grade an item, None for all. `repeat_share`: share of a person's outputs that come a
    second time, unannounced. `ask_author`: whether they are asked, once all is graded, which model wrote an output.
    `layout`: one output after the other, or an item's outputs side by side. `sample`: about how many outputs are
    graded at all, None for all: those of items drawn at random, so that every model has as many as the others; `drawn`
    are these, in the order they were drawn, so that outputs which come later leave them what they are. `items`: the
    ones that are graded at all, beside those of a `sample`, None for all; `apart`: those of them that a judge told
    apart, where the others were drawn at random.
    """

    overlap: int | None = None
    repeat_share: float = 0.0
    ask_author: bool = False
    layout: Layout = "point"
    sample: int | None = None
    items: tuple[str, ...] | None = None
    apart: tuple[str, ...] | None = None
    drawn: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("items", "apart", "drawn"):
            if (value := getattr(self, name)) is not None:  # a list, where it comes from a run file
                object.__setattr__(self, name, tuple(value))

    def content(self) -> dict[str, Any]:
        """The settings as plain JSON."""
        return asdict(self)

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> "Settings":
        """The settings of a run file, without what only a later version knows."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in content.items() if name in known})


def settings_of(snapshot: Snapshot, round_id: int) -> Settings:
    """A round's settings as last declared."""
    return (declared(snapshot, round_id) or [Settings()])[-1]


def declared(snapshot: Snapshot, round_id: int | None = None) -> list[Settings]:
    """All settings that were ever declared, in a round or in any, oldest first."""
    said = (event for event in snapshot.events if event.kind == "settings" and event.round_id is not None)
    return [Settings.read(event.content) for event in said if round_id in (None, event.round_id)]


def people_of(snapshot: Snapshot, round_id: int) -> tuple[str, ...]:
    """The people who joined a round, in the order they came."""
    joined = [e.grader for e in snapshot.events if (e.kind, e.round_id) == ("joined", round_id) and e.grader]
    return tuple(dict.fromkeys(grader for grader in joined if kind_of(grader) == "human"))


def handed_out(snapshot: Snapshot, round_id: int) -> dict[str, tuple[str, ...]]:
    """The items that each person has taken away on a sheet or in a packet, so that nobody else is dealt them."""
    return {
        str(event.grader): tuple(event.content[HANDED_OUT])
        for event in snapshot.events
        if (event.kind, event.round_id) == ("joined", round_id) and HANDED_OUT in event.content
    }


def asked_who_wrote(snapshot: Snapshot, round_id: int) -> frozenset[str]:
    """The people who know which models took part: they have been asked who wrote what, and their grades stand."""
    joined = (e for e in snapshot.events if (e.kind, e.round_id) == ("joined", round_id))
    return frozenset(str(event.grader) for event in joined if event.content.get(ASKED))


def left_at_closing(snapshot: Snapshot, round_id: int) -> frozenset[TrialKey]:
    """Outputs that people were asked about and had not graded when their round was closed: it takes nothing on them
    any more. What was answered later, or was not in anybody's share, is not among them."""
    closings = (e.content for e in snapshot.events if (e.kind, e.round_id) == ("closed", round_id))
    return frozenset(TrialKey(*key) for content in closings for key in content.get(LEFT, ()))


def is_closed(snapshot: Snapshot, round_id: int) -> bool:
    """Whether a round takes no more grades."""
    return any((event.kind, event.round_id) == ("closed", round_id) for event in snapshot.events)


def automatic(round_: Round) -> tuple[str, ...]:
    """The checks and judges of a round."""
    return tuple(grader for grader in round_.graders if kind_of(grader) != "human")


def open_to_people(snapshot: Snapshot) -> tuple[Round, ...]:
    """The rounds in which people are at work, oldest first: a blind one may stand beside one that is not."""
    return tuple(r for r in snapshot.rounds if people_of(snapshot, r.id) and not is_closed(snapshot, r.id))


def joined_by_people(snapshot: Snapshot, blind: bool) -> Round | None:
    """The round people work in: the one they have begun, else the newest that is open to them; None if none is.

    A round that judges open meanwhile does not draw people away from theirs. None that was imported takes them: nobody
    knows whether its graders knew who wrote what.
    """
    open_ = [r for r in snapshot.rounds if r.blind is not None and not is_closed(snapshot, r.id)]
    return next((r for r in reversed([*open_, *open_to_people(snapshot)]) if r.blind == blind), None)


def being_graded(snapshot: Snapshot) -> Round | None:
    """The newest round in which people are at work; results shown now could tell them who wrote what."""
    return next(iter(reversed(open_to_people(snapshot))), None)


def answered(snapshot: Snapshot) -> dict[int, str]:
    """The outputs there are to grade: text by trial."""
    return {
        attempt.trial_id: attempt.text
        for attempt in snapshot.attempts
        if attempt.grader is None and attempt.final and attempt.outcome == "answered"
    }


def shares(snapshot: Snapshot, round_id: int) -> dict[str, tuple[str, ...]]:
    """The items each person of a round is to grade."""
    outputs = answered(snapshot)
    with_output = {trial.key.item_id for trial in snapshot.trials if trial.id in outputs}
    items = [item.id for item in snapshot.items if item.id in with_output]
    settings = settings_of(snapshot, round_id)
    drawn = _drawn(snapshot, settings)
    if settings.items is not None or settings.sample is not None:
        wanted = {*(settings.items or ()), *drawn}
        items = [item for item in items if item in wanted]
    item_of = {trial.id: trial.key.item_id for trial in snapshot.trials}
    begun: dict[str, list[str]] = defaultdict(list)
    for mark in snapshot.markings:
        if mark.round_id == round_id and not is_again(mark.grader):
            begun[item_of[mark.trial_id]].append(mark.grader)
    taken = handed_out(snapshot, round_id)
    for grader, items_out in taken.items():
        for item_id in items_out:
            begun[item_id].append(grader)
    people = people_of(snapshot, round_id)
    dealt = assign(items, people, {i: list(dict.fromkeys(g)) for i, g in begun.items()}, settings.overlap)
    return {grader: _with_taken(own, taken.get(grader, ()), with_output) for grader, own in dealt.items()}


def _with_taken(share: Sequence[str], taken: Sequence[str], there: Collection[str]) -> tuple[str, ...]:
    """A person's share with what they took away: it stays theirs, whatever has been drawn or asked for since."""
    return tuple(dict.fromkeys((*share, *(item for item in taken if item in there))))


def with_sample(snapshot: Snapshot, settings: Settings, before: Settings | None = None) -> Settings:
    """The settings with the items of their sample: those drawn `before`, then others at random by the run's seed, whole
    ones, until they have so many outputs. A smaller sample than before has the first of them."""
    if settings.sample is None:
        return settings
    kept = dict.fromkeys((before and before.drawn) or ())
    fewer = before is not None and before.sample is not None and settings.sample < before.sample
    of_item, chosen, found = _by_item(snapshot, answered(snapshot)), [], 0
    for item in dict.fromkeys((*kept, *in_drawing_order(list(of_item), snapshot.spec.seed))):
        if found >= settings.sample and (fewer or item not in kept):
            break
        chosen.append(item)
        found += len(of_item.get(item, ()))
    return replace(settings, drawn=tuple(chosen))


def _drawn(snapshot: Snapshot, settings: Settings) -> tuple[str, ...]:
    """The items of a sample; of run files that do not say so, drawn from what there is now."""
    found = settings if settings.drawn is not None else with_sample(snapshot, settings)
    return found.drawn or ()


def picked(snapshot: Snapshot) -> frozenset[int]:
    """Trials that people were asked about for what a judge had said of them: they show nothing of how often it errs.

    Where a round ever named its items, that is all of them but those of samples that rounds drew, or of all where a
    round asked for all, as far as these have come back whole: which of them do may be a choice as well.
    """
    every = declared(snapshot)
    if all(settings.items is None for settings in every):
        return frozenset()
    of_item = _by_item(snapshot, answered(snapshot))
    graded = {g.trial_id for g in snapshot.grades if kind_of(g.grader) == "human" and g.ungraded_reason != WITHDRAWN}
    whole = {item for item, trials in of_item.items() if graded.issuperset(trials)}
    everything = in_drawing_order(list(of_item), snapshot.spec.seed)
    drawn = set[str]()
    for settings in (*every, *_undeclared(snapshot)):
        alone = settings.items is None and settings.sample is None
        sample = everything if alone else [item for item in _drawn(snapshot, settings) if item in of_item]
        drawn |= _come_back(sample, whole)
    return frozenset(trial.id for trial in snapshot.trials if trial.key.item_id not in drawn)


def _undeclared(snapshot: Snapshot) -> list[Settings]:
    """The settings of rounds that people graded in without declaring any: they were asked about all."""
    said = {event.round_id for event in snapshot.events if event.kind == "settings"}
    by_people = {grade.round_id for grade in snapshot.grades if kind_of(grade.grader) == "human"}
    return [Settings()] * len(by_people - said)


def _come_back(sample: Sequence[str], whole: Collection[str]) -> set[str]:
    """The items of a sample that say what all of it would: those that came back whole, where nearly all did; else those
    up to the first that did not."""
    found = [item for item in sample if item in whole]
    return set(found if len(found) >= NEARLY_ALL * len(sample) else takewhile(whole.__contains__, sample))


def names_items(snapshot: Snapshot, round_id: int) -> bool:
    """Whether people of a round were ever asked about items for what a judge had said of them."""
    return any(settings.items is not None for settings in declared(snapshot, round_id))


def told_apart(snapshot: Snapshot, round_id: int) -> tuple[str, ...]:
    """The items that people of a round were asked about since a judge had told any models apart on them, as it was
    then; all that were ever named, where nobody kept which of them were drawn."""
    asked = declared(snapshot, round_id)
    named = (settings.items if settings.apart is None else settings.apart for settings in asked)
    return tuple(dict.fromkeys(item for items in named for item in items or ()))


def queue_is_graded(snapshot: Snapshot, round_id: int) -> bool:
    """Whether people were asked in a round about what a judge had told apart, if anything, and about some of the rest,
    and have dealt with all of the former there, graded nearly all of it, and of the latter as many items as a test by
    their grades takes."""
    of_item = _by_item(snapshot, answered(snapshot))
    people = (g for g in snapshot.grades if g.round_id == round_id and kind_of(g.grader) == "human")
    asked = {g.trial_id for g in people if g.ungraded_reason != WITHDRAWN}
    graded = levelled_by_people(snapshot, round_id)
    named = {item for each in declared(snapshot, round_id) for item in each.items or () if item in of_item}
    apart = named.intersection(told_apart(snapshot, round_id))
    done = {item for item in named if graded.issuperset(of_item[item])}
    return (
        bool(named)
        and all(asked.issuperset(of_item[item]) for item in apart)
        and len(done & apart) >= NEARLY_ALL * len(apart)
        and len(done - apart) >= min(FEWEST_ALIKE, len(named - apart))
    )


def levelled_by_people(snapshot: Snapshot, round_id: int) -> frozenset[int]:
    """Trials on which people together gave a level on every judged criterion in a round."""
    criteria = snapshot.spec.rubric.get("criteria", ())
    judged = {criterion["id"] for criterion in criteria if criterion.get("kind") != "check"}
    given: dict[int, set[str]] = defaultdict(set)
    for grade in counting(snapshot.grades):
        if grade.round_id == round_id and grade.level is not None and kind_of(grade.grader) == "human":
            given[grade.trial_id].add(grade.criterion)
    return frozenset(trial for trial, names in given.items() if judged <= names)


def in_drawing_order(items: Sequence[str], seed: int) -> list[str]:
    """Items as they come out of the urn by a run's seed: a larger sample is a smaller one and more."""
    return sorted(items, key=lambda item: sha256(f"{seed}\x1f{item}".encode()).digest())


def left_to_grade(snapshot: Snapshot, round_id: int, rubric: Rubric) -> dict[str, int]:
    """How many outputs of their share each person has not graded on every judged criterion."""
    return {grader: len(trials) for grader, trials in ungraded_shares(snapshot, round_id, rubric).items()}


def ungraded_shares(snapshot: Snapshot, round_id: int, rubric: Rubric) -> dict[str, tuple[int, ...]]:
    """The outputs of their share, by trial, that each person has not graded on every judged criterion."""
    outputs, judged = answered(snapshot), {criterion.id for criterion in rubric.judged}
    said: dict[tuple[str, int], set[str]] = defaultdict(set)
    for grade in snapshot.grades:
        if grade.round_id == round_id:
            on_output = said[grade.grader, grade.trial_id]
            (on_output.discard if grade.ungraded_reason == WITHDRAWN else on_output.add)(grade.criterion)
    trials: Mapping[str, Sequence[int]] = _by_item(snapshot, outputs)
    return {
        grader: tuple(trial for item in items for trial in trials[item] if not judged <= said[grader, trial])
        for grader, items in shares(snapshot, round_id).items()
    }


def _by_item(snapshot: Snapshot, outputs: Mapping[int, str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for trial in snapshot.trials:
        if trial.id in outputs:
            found[trial.key.item_id].append(trial.id)
    return found
