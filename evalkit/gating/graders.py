"""Whether the same people and judges graded both sides: another may be stricter, which no test tells from a loss."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from scipy.stats import binomtest

from evalkit.analysis.trials import counting_grades
from evalkit.errors import IntegrityError
from evalkit.gating.evidence import LEAST_KNOWN
from evalkit.grader_names import GraderKind, judge_of, kind_of
from evalkit.records import Snapshot
from evalkit.wording import listing

_HARDLY = 0.1
"""Who graded less than this part of their items on the other side has as good as not graded it."""
_BY_CHANCE = 0.01
"""Shares of the two sides that are less likely than this by chance were not handed out by it."""
_Who = frozenset[str]
_Graded = Mapping[GraderKind, Mapping[str, _Who]]
"""Of each kind of grader, who graded which item's outputs."""


def refuse_other_graders(then: Snapshot, baseline: str, now: Snapshot, candidate: str) -> None:
    """IntegrityError where people, or judges, who graded one side alone stand for more of it than may be missing.

    Only items whose outputs somebody graded on both sides are looked at: a side without answers has nothing to grade.
    People and judges are told apart, since people grade a sample of what a judge grades whole. Nor may anybody have
    graded far more of one side than of the other.
    """
    names = (baseline, candidate) if baseline != candidate else (f"{baseline} in one run", "it in the other")
    one, other = _graded(then, baseline), _graded(now, candidate)
    both = frozenset[str]().union(*one.values()) & frozenset[str]().union(*other.values())
    if one and other and not both:
        _refuse(names, {name for kind in one.values() for who in kind.values() for name in who})
    for kind in sorted({*one, *other}):
        sides = [{item: side.get(kind, {}).get(item, _Who()) for item in both} for side in (one, other)]
        counts = [Counter(name for who in side.values() for name in who) for side in sides]
        for (here, there), called in ((counts, names), (counts[::-1], names[::-1])):
            alone = {name for name, items in here.items() if there[name] < _HARDLY * items}
            if sum(here[name] for name in alone) > (1 - LEAST_KNOWN) * max(here.total(), len(both)):
                _refuse(called, alone)
        _refuse_unlike_shares(names, *sides)


def _refuse_unlike_shares(sides: Sequence[str], one: Mapping[str, _Who], other: Mapping[str, _Who]) -> None:
    """IntegrityError where somebody graded so much more of one side as hardly comes of handing outputs out by chance.

    Of the items of which somebody graded one output only, chance gives as many to each side: a sign test for each.
    """
    both = [item for item in one if one[item] or other[item]]
    names = sorted(frozenset().union(*(one[item] | other[item] for item in both)))
    for name in names:
        here, there = (sum(name in side[item] for item in both) for side in (one, other))
        only = sum(name in one[item] - other[item] for item in both)
        apart = only + sum(name in other[item] - one[item] for item in both)
        by_chance = min(1.0, len(names) * float(binomtest(only, apart).pvalue)) if apart else 1.0
        if by_chance < _BY_CHANCE and abs(here - there) > _HARDLY * len(both):
            raise IntegrityError(
                f"{name} graded {here:,} of {len(both):,} items' outputs of {sides[0]} and {there:,} of {sides[1]}, so"
                " that being strict looks like a loss, or like a gain; have the same people and judges grade both sides"
                " with `evalkit grade --blind`"
            )


def _graded(snapshot: Snapshot, model: str) -> _Graded:
    items = {trial.id: trial.key.item_id for trial in snapshot.trials if trial.key.model == model}
    found: dict[GraderKind, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for trial_id, grades in counting_grades(snapshot).items():
        for grade in grades if trial_id in items else ():
            kind = kind_of(grade.grader)
            if kind != "check" and grade.level is not None:
                found[kind][items[trial_id]].add(judge_of(grade.grader))
    return {kind: {item: frozenset(who) for item, who in graded.items()} for kind, graded in found.items()}


def _refuse(sides: Sequence[str], alone: set[str]) -> None:
    model, other = sides
    raise IntegrityError(
        f"outputs of {model} were graded by {listing(sorted(alone))}, who graded hardly any of {other}; have the same"
        " people and judges grade both sides with `evalkit grade --blind`"
    )
