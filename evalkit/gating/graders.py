"""Whether the same people and judges graded both sides: another may be stricter, which no test tells from a loss."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from evalkit.analysis.contexts import at_context, production_size
from evalkit.analysis.trials import counting_grades
from evalkit.errors import IntegrityError
from evalkit.frozen import dataclass
from evalkit.gating.evidence import Epochs
from evalkit.gating.pairs import LEAST_KNOWN, UNLIKE
from evalkit.grader_names import GraderKind, judge_of, kind_of
from evalkit.records import Grade, ItemRecord, Snapshot
from evalkit.wording import listing

_ROUNDING = 1e-9
_HARDLY = 0.1
"""Who graded less than this part of their items on the other side has as good as not graded it."""
_DRAWS = 1999
_BY_CHANCE = 0.01
"""Shares of the two sides that are less likely than this by chance were not handed out by it."""
_ALL: Mapping[GraderKind, str] = {"human": "people", "judge": "judges"}


@dataclass(frozen=True)
class _Who:
    """Who of a kind `looked` at an item's outputs, and what share of those that anybody graded rests on whose word; a
    number: on that of so many, or more.

    What one of several could not tell rests on the others; what none of them could, as much on all who looked at it.
    What people have looked at rests on no judge: a gate reckons by itself with what they could not tell.
    """

    looked: frozenset[str] = frozenset()
    word: Mapping[str | int, float] = field(default_factory=dict)


_Graded = Mapping[GraderKind, Mapping[str, _Who]]
"""Of each kind of grader, who graded which item's outputs."""
_Words = tuple[Mapping[str | int, float], Mapping[str | int, float]]
"""Whose word each side of an item rests on."""
_NOBODY = _Who()


@dataclass(frozen=True)
class _Sides:
    """What both are called; the criterion asked about, where there are several; who could not tell some outputs of it;
    in how many criteria it is asked; and the items of each difficulty and tag (`kinds`), of which `slices` are asked of
    by themselves."""

    names: tuple[str, str]
    on: str
    unsure: Collection[str]
    criteria: int
    kinds: Mapping[str, frozenset[str]]
    slices: Collection[str]


def refuse_other_graders(
    then: Snapshot,
    baseline: str,
    now: Snapshot,
    candidate: str,
    halves: tuple[Epochs, Epochs] | None = None,
    slices: Collection[str] = (),
) -> None:
    """IntegrityError where people, or judges, who graded one side alone stand for more of it than may be missing.

    Only items whose outputs are graded on both sides are looked at: a side without answers has nothing to grade.
    People and judges are told apart, since people grade a sample of what a judge grades whole. Nor may anybody have
    graded far more of one side than of the other, of the items that somebody graded on both. `halves`: the epoch of
    each item that each side is of, where a model is compared with itself. Of a sweep the size that decides counts.
    `slices`: kinds of items that quality is asked of by themselves, of which fewer outputs decide.
    """
    names = (baseline, candidate) if baseline != candidate else (f"{baseline} in one run", "it in the other")
    if halves is not None:
        names = (f"one epoch of {baseline}", "its other")
    then, now = _decisive(then), _decisive(now)
    of_one, of_other = halves or (None, None)
    one, other = _graded(then, baseline, of_one), _graded(now, candidate, of_other)
    unsure = _unsure(then) | _unsure(now)
    criteria, kinds = dict.fromkeys((*one, *other)), _kinds(now.items)
    for criterion in criteria:
        on = f"on {criterion}, " if len(criteria) > 1 else ""
        could_not = {name for name, of in unsure if of == criterion}
        sides = _Sides(names, on, could_not, len(criteria), kinds, slices)
        _refuse_others(sides, one.get(criterion, {}), other.get(criterion, {}))


def _refuse_others(sides: _Sides, one: _Graded, other: _Graded) -> None:
    kinds = [kind for kind in one if one[kind].keys() & other.get(kind, {}).keys()]
    if one and other and not kinds:
        _refuse(sides.on, sides.names, {name for kind in one.values() for who in kind.values() for name in who.looked})
    for kind in kinds:
        both = one[kind].keys() & other[kind].keys()
        counts = [Counter(name for item in both for name in side[kind][item].looked) for side in (one, other)]
        for (here, there), names in ((counts, sides.names), (counts[::-1], sides.names[::-1])):
            alone = {name for name, items in here.items() if there[name] < _HARDLY * items}
            no_chance = {name for name in alone if 2 * 0.5 ** here[name] < _BY_CHANCE}  # to have all of one side
            if alone == here.keys() or sum(here[name] for name in no_chance) > (1 - LEAST_KNOWN) * here.total():
                _refuse(sides.on, names, alone)
    by_anybody = frozenset[str]().union(*one.values()) & frozenset[str]().union(*other.values())
    for kind in sorted({*one, *other}):
        _refuse_unlike_shares(sides, by_anybody, one.get(kind, {}), other.get(kind, {}), _ALL[kind])


def _refuse_unlike_shares(
    sides: _Sides, items: Collection[str], one: Mapping[str, _Who], other: Mapping[str, _Who], everybody: str
) -> None:
    """IntegrityError where somebody, or so many of a kind (`everybody`: all of it), graded so much more of one side as
    hardly comes of handing outputs out by chance.

    Of the items of which somebody graded more on one side, chance gives as many to each: a sign test for each.
    """
    graded = sorted(item for item in items if item in one or item in other)
    words = [(one.get(item, _NOBODY).word, other.get(item, _NOBODY).word) for item in graded]
    least = _HARDLY if everybody == _ALL["judge"] else UNLIKE  # what a judge cannot read is held against a pass
    names = sorted(
        {name for of in words for side in of for name in side}, key=lambda name: (isinstance(name, int), name)
    )
    for name in names:
        shares = [(here.get(name, 0.0), there.get(name, 0.0)) for here, there in words]
        here, there = (sum(share[side] for share in shares) for side in (0, 1))
        more, less = (sum(share[side] > share[1 - side] + _ROUNDING for share in shares) for side in (0, 1))
        by_chance = sides.criteria * len(names) * float(binomtest(more, more + less).pvalue) if more + less else 1.0
        if by_chance < _BY_CHANCE and abs(here - there) > least * len(graded):
            raise IntegrityError(
                f"{sides.on}{_called(name, everybody)} graded {here:,.0f} of {len(graded):,} items' outputs of"
                f" {sides.names[0]} and {there:,.0f} of {sides.names[1]}{_mended(name, sides.unsure)}"
            )
    _refuse_unlike_crowds(sides, dict(zip(graded, words, strict=True)), everybody, least)


def _refuse_unlike_crowds(sides: _Sides, words: Mapping[str, _Words], everybody: str, least: float) -> None:
    """IntegrityError where many, each of whom graded few outputs, graded so unlike parts of the two sides together as
    hardly comes of chance, of all items or of one kind: who changes places between kinds has graded as much of each
    side, and of the one side the hard items alone.

    The sum of everybody's squared differences against that with the sides of whole items exchanged at random, the
    largest over all kinds against the largest (Westfall and Young 1993). More than the `least` share of all items would
    have to change hands to make them alike, or of a slice's own: what one could not tell is as a rule of one topic.
    """
    names = sorted({name for of in words.values() for side in of for name in side if isinstance(name, str)})
    apart = {
        item: [one.get(name, 0.0) - other.get(name, 0.0) for name in names] for item, (one, other) in words.items()
    }
    moved = [item for item, of in apart.items() if any(abs(more) > _ROUNDING for more in of)]
    flips = np.random.default_rng(0).choice((-1.0, 1.0), (_DRAWS, len(moved)))
    largest, unlike = np.full(_DRAWS, -np.inf), []
    for kind, items in {"": words.keys(), **sides.kinds}.items():
        rows = [place for place, item in enumerate(moved) if item in items]
        if 2 * 0.5 ** len(rows) >= _BY_CHANCE:
            continue  # too few to tell
        differences = np.array([apart[moved[place]] for place in rows])
        found, drawn = _unlikeness(differences, flips[:, rows])
        largest = np.maximum(largest, drawn)
        of_kind, more = len(words.keys() & items), differences.sum(axis=0)
        if np.abs(more).sum() / 2 > least * (of_kind if kind in sides.slices else len(words)):
            unlike.append((found, kind, of_kind, more))
    for found, kind, of_kind, more in sorted(unlike, key=lambda one: (bool(one[1]), -one[0])):
        by_chance = (1 + np.count_nonzero(largest >= found - _ROUNDING)) / (1 + _DRAWS)
        if sides.criteria * by_chance < _BY_CHANCE:
            most = [names[place] for place in np.argsort(-np.abs(more), kind="stable")[:3].tolist()]
            others = f" and {len(names) - len(most):,} other {everybody}" if len(names) > len(most) else ""
            among = f"on the {of_kind:,} items of {kind!r}, " if kind else ""
            raise IntegrityError(
                f"{sides.on}{among}{listing(most)}{others} graded unlike shares of {sides.names[0]} and"
                f" {sides.names[1]}{_mended(1, sides.unsure)}"
            )


def _unlikeness(differences: NDArray[np.float64], flips: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """How far the sum of everybody's squared differences lies above what exchanges of sides make of it, in standard
    deviations of that; and how far each of those lies."""
    drawn = np.square(flips @ differences).sum(axis=1)
    mean, spread = float(drawn.mean()), max(float(drawn.std()), _ROUNDING)
    return (float(np.square(differences.sum(axis=0)).sum()) - mean) / spread, (drawn - mean) / spread


def _kinds(items: Iterable[ItemRecord]) -> Mapping[str, frozenset[str]]:
    """The items of each difficulty and tag, as a gate's slices are named."""
    found: dict[str, set[str]] = defaultdict(set)
    for item in items:
        for name in (item.difficulty, *item.tags):
            if name:
                found[name].add(item.id)
    return {name: frozenset(ids) for name, ids in sorted(found.items())}


def _called(name: str | int, everybody: str) -> str:
    if isinstance(name, str):
        return name
    return everybody if name == 1 else f"{name} {everybody} or more"


def _mended(name: str | int, unsure: Collection[str]) -> str:
    """What comes of unlike shares, and what to do; who could not tell would not the next time either."""
    so = "so that being strict looks like a loss, or like a gain"
    if name in unsure or (unsure and isinstance(name, int)):
        return (
            f", without what they could not tell, {so}; have people who can tell both sides grade them in a round of"
            " their own (`evalkit grade --close`, then `evalkit grade --blind`)"
        )
    return f", {so}; have the same people and judges grade both sides with `evalkit grade --blind`"


def _decisive(snapshot: Snapshot) -> Snapshot:
    return at_context(snapshot, production_size(snapshot)[0]) if snapshot.spec.contexts else snapshot


def _graded(snapshot: Snapshot, model: str, epochs: Epochs | None) -> Mapping[str, _Graded]:
    """Of each criterion, who graded a model's outputs, of one epoch of each item or of all."""
    of_model = (trial for trial in snapshot.trials if trial.key.model == model)
    of_side = (t for t in of_model if epochs is None or epochs(t.key.item_id) == t.key.epoch)
    items = {trial.id: trial.key.item_id for trial in of_side}
    outputs = Counter[tuple[str, str]]()
    looked: dict[tuple[str, GraderKind, str], set[str]] = defaultdict(set)
    words: dict[tuple[str, GraderKind, str], Counter[str | int]] = defaultdict(Counter)
    for trial_id, grades in counting_grades(snapshot).items():
        heard = _heard(grades) if trial_id in items else {}
        outputs.update({(criterion, items[trial_id]) for criterion, _ in heard})
        for (criterion, kind), by in heard.items():
            looked[criterion, kind, items[trial_id]].update(by)
            if kind == "human" or (criterion, "human") not in heard:
                told = [name for name, tells in by.items() if tells] or list(by)
                words[criterion, kind, items[trial_id]].update((*told, *range(1, len(told) + 1)))
    found: dict[str, dict[GraderKind, dict[str, _Who]]] = defaultdict(lambda: defaultdict(dict))
    for (criterion, kind, item), names in looked.items():
        word = {name: n / outputs[criterion, item] for name, n in words[criterion, kind, item].items()}
        found[criterion][kind][item] = _Who(frozenset(names), word)
    return found


def _heard(grades: Iterable[Grade]) -> Mapping[tuple[str, GraderKind], Mapping[str, bool]]:
    """By criterion and kind, who graded an output, and whether they could tell: people alone have graded it if not."""
    found: dict[tuple[str, GraderKind], dict[str, bool]] = defaultdict(dict)
    for grade in grades:
        kind, name, tells = kind_of(grade.grader), judge_of(grade.grader), grade.level is not None
        if kind == "human" or (kind == "judge" and tells):
            found[grade.criterion, kind][name] = tells or found[grade.criterion, kind].get(name, False)
    return found


def _unsure(snapshot: Snapshot) -> frozenset[tuple[str, str]]:
    """Who could not tell some output, and on which criterion."""
    grades = (grade for of in counting_grades(snapshot).values() for grade in of)
    return frozenset((g.grader, g.criterion) for g in grades if g.level is None and kind_of(g.grader) == "human")


def _refuse(on: str, sides: Sequence[str], alone: Collection[str]) -> None:
    model, other = sides
    raise IntegrityError(
        f"{on}outputs of {model} were graded by {listing(sorted(alone))}, who graded hardly any of {other}; have the"
        " same people and judges grade both sides with `evalkit grade --blind`"
    )
