"""Items that graders disagree on most: where the rubric, the reference or a grader needs a second look."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from math import comb
from statistics import fmean

from evalkit.analysis.views import Levels, verdicts_of
from evalkit.frozen import dataclass
from evalkit.grader_names import kind_of
from evalkit.records import Snapshot
from evalkit.rubric import Rubric


@dataclass(frozen=True)
class Dispute:
    """An item on which graders differ. `distance`: mean distance of two graders' levels, 0 to 1 of the scale.

    Over `outputs` that two or more graded, `split` of which one grader passes and another fails. `criterion`: the one
    they differ on most.
    """

    item_id: str
    distance: float
    outputs: int
    split: int
    criterion: str


def disputes(levels: Levels, snapshot: Snapshot, rubric: Rubric) -> tuple[Dispute, ...]:
    """The items that graders differ on, most disputed first; empty with fewer than two graders."""
    graders = sorted(grader for grader in levels if kind_of(grader) != "check")
    if len(graders) < 2:
        return ()
    verdicts = [verdicts_of(levels, grader, rubric) for grader in graders]
    of_item: dict[str, list[int]] = defaultdict(list)
    for trial in snapshot.trials:
        of_item[trial.key.item_id].append(trial.id)
    found = [_dispute(item, trials, [levels[g] for g in graders], verdicts, rubric) for item, trials in of_item.items()]
    return tuple(sorted((d for d in found if d is not None), key=lambda d: (-d.distance, -d.split, d.item_id)))


def _dispute(
    item: str,
    trials: Sequence[int],
    views: Sequence[Mapping[int, Mapping[str, int]]],
    verdicts: Sequence[Mapping[int, bool]],
    rubric: Rubric,
) -> Dispute | None:
    apart: dict[str, list[float]] = defaultdict(list)
    shared = set()
    for trial in trials:
        for criterion in rubric.judged:
            given = [view[trial][criterion.id] for view in views if criterion.id in view.get(trial, {})]
            if len(given) > 1:
                shared.add(trial)
                span = max(criterion.scale) - min(criterion.scale)
                total = sum(abs(a - b) for a, b in combinations(given, 2))
                apart[criterion.id].append(total / comb(len(given), 2) / span)
    if not any(map(sum, apart.values())):
        return None
    most = max(apart, key=lambda name: fmean(apart[name]))
    split = sum(len({said[trial] for said in verdicts if trial in said}) > 1 for trial in shared)
    return Dispute(item, fmean(x for each in apart.values() for x in each), len(shared), split, most)
