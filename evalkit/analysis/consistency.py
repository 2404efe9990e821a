"""Whether graders say the same again: people on outputs that came to them twice, judges asked more than once."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from evalkit import stats
from evalkit.analysis.views import Levels, levels_with_repeats, verdicts_of
from evalkit.frozen import dataclass
from evalkit.grader_names import first_of, is_again, judge_of, kind_of
from evalkit.records import Snapshot
from evalkit.rubric import Rubric
from evalkit.stats import Estimate
from evalkit.stats.estimate import no_estimate

VERDICT = "satisfactory"
_ONLY_TWO = "asked more than twice: see AC"


@dataclass(frozen=True)
class Consistency:
    """One grader with itself, on one criterion or on the verdict (`criterion` "satisfactory"), over `outputs`.

    `views`: how often it was asked. `exact`: share of the same answers; `kappa` weighted by squared distance, of two
    views; `ac` Gwet's, of any number. n counts items.
    """

    grader: str
    criterion: str
    views: int
    outputs: int
    exact: Estimate
    kappa: Estimate
    ac: Estimate


def consistencies(snapshot: Snapshot, rubric: Rubric) -> tuple[Consistency, ...]:
    """Every grader that has seen an output more than once; empty if none has."""
    levels = levels_with_repeats(snapshot)
    views: dict[str, list[str]] = defaultdict(list)
    for name in sorted(levels):
        views[first_of(name) if is_again(name) else judge_of(name)].append(name)
    items = {trial.id: trial.key.item_id for trial in snapshot.trials}
    found = []
    for grader, names in views.items():
        if len(names) > 1 and kind_of(grader) != "check":
            found += _of_one(grader, names, levels, items, rubric)
    return tuple(found)


def _of_one(
    grader: str, names: Sequence[str], levels: Levels, items: Mapping[int, str], rubric: Rubric
) -> list[Consistency]:
    verdicts = [verdicts_of(levels, name, rubric) for name in names]
    said = [(VERDICT, [{trial: int(flag) for trial, flag in one.items()} for one in verdicts])]
    for criterion in rubric.judged:
        of_one = [{t: given[criterion.id] for t, given in levels[n].items() if criterion.id in given} for n in names]
        said.append((criterion.id, of_one))
    return [found for name, views in said if (found := _same_again(grader, name, views, items)) is not None]


def _same_again(
    grader: str, criterion: str, views: Sequence[Mapping[int, int]], items: Mapping[int, str]
) -> Consistency | None:
    times = Counter(trial for view in views for trial in view)
    twice = sorted(trial for trial, count in times.items() if count > 1)
    if not twice:
        return None
    table = [[view.get(trial) for trial in twice] for view in views]
    names = [items[trial] for trial in twice]
    kappa = (
        stats.weighted_kappa(table[0], table[1], "quadratic", items=names)
        if len(table) == 2
        else no_estimate(_ONLY_TWO, 0.95, "jackknife")
    )
    ac = stats.gwet_ac(table, "quadratic", items=names)  # of two categories the same as without weights
    return Consistency(grader, criterion, len(views), len(twice), stats.raw_agreement(table, items=names), kappa, ac)
