"""Whether the same people and judges graded both sides: another may be stricter, which no test tells from a loss."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from scipy.stats import binomtest

from evalkit.analysis.trials import counting_grades
from evalkit.errors import IntegrityError
from evalkit.gating.evidence import LEAST_KNOWN
from evalkit.grader_names import GraderKind, judge_of, kind_of
from evalkit.records import Snapshot
from evalkit.wording import listing

_ROUNDING = 1e-9
_HARDLY = 0.1
"""Who graded less than this part of their items on the other side has as good as not graded it."""
_BY_CHANCE = 0.01
"""Shares of the two sides that are less likely than this by chance were not handed out by it."""
_Who = Mapping[str, float]
"""Who graded an item's outputs, and what share of those that anybody graded; `_ANYBODY`: all of a kind together. A
person who could not tell has looked at it all the same."""
_ANYBODY = ""
_Graded = Mapping[GraderKind, Mapping[str, _Who]]
"""Of each kind of grader, who graded which item's outputs."""
_NOBODY: _Who = {}
_ALL = {"human": "people", "judge": "judges"}


def refuse_other_graders(then: Snapshot, baseline: str, now: Snapshot, candidate: str) -> None:
    """IntegrityError where people, or judges, who graded one side alone stand for more of it than may be missing.

    Only items whose outputs are graded on both sides are looked at: a side without answers has nothing to grade.
    People and judges are told apart, since people grade a sample of what a judge grades whole. Nor may anybody have
    graded far more of one side than of the other, of the items that somebody graded on both.
    """
    names = (baseline, candidate) if baseline != candidate else (f"{baseline} in one run", "it in the other")
    one, other = _graded(then, baseline), _graded(now, candidate)
    kinds = [kind for kind in one if one[kind].keys() & other.get(kind, {}).keys()]
    if one and other and not kinds:
        _refuse(names, {name for kind in one.values() for who in kind.values() for name in who if name})
    for kind in kinds:
        both = one[kind].keys() & other[kind].keys()
        counts = [Counter(name for item in both for name in side[kind][item] if name) for side in (one, other)]
        for (here, there), sides in ((counts, names), (counts[::-1], names[::-1])):
            alone = {name for name, items in here.items() if there[name] < _HARDLY * items}
            if sum(here[name] for name in alone) > (1 - LEAST_KNOWN) * here.total():
                _refuse(sides, alone)
    by_anybody = frozenset[str]().union(*one.values()) & frozenset[str]().union(*other.values())
    for kind in sorted({*one, *other}):
        _refuse_unlike_shares(names, by_anybody, one.get(kind, {}), other.get(kind, {}), _ALL[kind])


def _refuse_unlike_shares(
    sides: Sequence[str], items: Collection[str], one: Mapping[str, _Who], other: Mapping[str, _Who], everybody: str
) -> None:
    """IntegrityError where somebody, or `everybody` of a kind, graded so much more of one side as hardly comes of
    handing outputs out by chance.

    Of the items of which somebody graded more on one side, chance gives as many to each: a sign test for each.
    """
    graded = [item for item in items if item in one or item in other]
    who = [(one.get(item, _NOBODY), other.get(item, _NOBODY)) for item in graded]
    names = sorted({name for of in who for side in of for name in side}, key=lambda name: (name == _ANYBODY, name))
    for name in names:
        shares = [(here.get(name, 0.0), there.get(name, 0.0)) for here, there in who]
        here, there = (sum(share[side] for share in shares) for side in (0, 1))
        more, less = (sum(share[side] > share[1 - side] + _ROUNDING for share in shares) for side in (0, 1))
        by_chance = min(1.0, len(names) * float(binomtest(more, more + less).pvalue)) if more + less else 1.0
        if by_chance < _BY_CHANCE and abs(here - there) > _HARDLY * len(graded):
            raise IntegrityError(
                f"{name or everybody} graded {here:,.0f} of {len(graded):,} items' outputs of {sides[0]} and"
                f" {there:,.0f} of {sides[1]}, so that being strict looks like a loss, or like a gain; have the same"
                " people and judges grade both sides with `evalkit grade --blind`"
            )


def _graded(snapshot: Snapshot, model: str) -> _Graded:
    items = {trial.id: trial.key.item_id for trial in snapshot.trials if trial.key.model == model}
    found: dict[GraderKind, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    outputs = Counter[str]()
    for trial_id, grades in counting_grades(snapshot).items():
        heard = [g for g in grades if trial_id in items and (g.level is not None or kind_of(g.grader) == "human")]
        by = {judge_of(g.grader): kind_of(g.grader) for g in heard if kind_of(g.grader) != "check"}
        outputs[items.get(trial_id, "")] += bool(by)
        for kind in set(by.values()):
            found[kind][items[trial_id]][_ANYBODY] += 1
        for name, kind in by.items():
            found[kind][items[trial_id]][name] += 1
    return {
        kind: {item: {name: n / outputs[item] for name, n in who.items()} for item, who in graded.items()}
        for kind, graded in found.items()
    }


def _refuse(sides: Sequence[str], alone: set[str]) -> None:
    model, other = sides
    raise IntegrityError(
        f"outputs of {model} were graded by {listing(sorted(alone))}, who graded hardly any of {other}; have the same"
        " people and judges grade both sides with `evalkit grade --blind`"
    )
