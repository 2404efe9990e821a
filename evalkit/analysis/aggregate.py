"""One level a criterion from what all graders say, by the rule that the rubric declares."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field
from statistics import fmean, median_low

from evalkit.frozen import dataclass
from evalkit.grader_names import judge_of, kind_of
from evalkit.records import Grade
from evalkit.rubric import Aggregate

DROPPED = "graded by a dropped judge alone"
"""Why an output has no level although a judge has given one."""


@dataclass(frozen=True)
class Agreed:
    """What the graders of one output come to: a level for each criterion, or why there is none.

    `given`: each grader's own level, a judge's repeats as one, of criteria that several gave one.
    """

    levels: Mapping[str, float] = field(default_factory=dict)
    ungraded: Mapping[str, str] = field(default_factory=dict)
    comments: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def agreed(grades: Iterable[Grade], rule: Aggregate, dropped: Collection[str] = ()) -> Agreed:
    """An output's grades as one; a grader's later grade replaces its earlier, and a person's level those of judges.

    `dropped`: judges that are not listened to.
    """
    latest = {(grade.criterion, grade.grader): grade for grade in grades}
    by_criterion: dict[str, list[Grade]] = defaultdict(list)
    for grade in latest.values():
        by_criterion[grade.criterion].append(grade)
    levels: dict[str, float] = {}
    ungraded: dict[str, str] = {}
    comments: dict[str, str] = {}
    given: dict[str, Mapping[str, int]] = {}
    for name, of_one in by_criterion.items():
        heard = _without_overruled([grade for grade in of_one if judge_of(grade.grader) not in dropped])
        views = by_judge(heard)
        if len(of_one) > 1 and len(each := views if len(heard) == len(of_one) else by_judge(of_one)) > 1:
            given[name] = each
        if views:
            levels[name] = combined(list(views.values()), rule)
        else:
            ungraded[name] = str(heard[0].ungraded_reason) if heard else DROPPED
        comments[name] = "; ".join(grade.comment for grade in heard or of_one if grade.comment)
    return Agreed(levels, ungraded, {name: text for name, text in comments.items() if text}, given)


def _without_overruled(grades: Sequence[Grade]) -> Sequence[Grade]:
    """Without the judges' where a person has given a level."""
    if len(grades) < 2 or not any(g.level is not None and kind_of(g.grader) == "human" for g in grades):
        return grades
    return [grade for grade in grades if kind_of(grade.grader) != "judge"]


def by_judge(grades: Sequence[Grade]) -> Mapping[str, int]:
    """Each grader's level, a judge's repeats as one: their lower median."""
    if len(grades) == 1:  # most outputs of a large run
        return {g.grader: g.level for g in grades if g.level is not None}
    views: dict[str, list[int]] = defaultdict(list)
    for grade in grades:
        if grade.level is not None:
            views[judge_of(grade.grader)].append(grade.level)
    return {grader: median_low(levels) for grader, levels in views.items()}


def combined(levels: Sequence[int], rule: Aggregate) -> float:
    """One level of several graders'; at least one is needed."""
    if rule == "mean":
        return fmean(levels)
    if rule == "all":
        return min(levels)
    if rule == "majority":
        counts = Counter(levels)
        return max(counts, key=lambda level: (counts[level], -level))
    return median_low(levels)
