"""Graders against each other: how much the grades can carry."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from evalkit import stats
from evalkit.analysis.trials import TrialResult
from evalkit.analysis.views import Levels, verdicts_of
from evalkit.frozen import dataclass
from evalkit.grader_names import kind_of
from evalkit.rubric import Rubric
from evalkit.stats import AgreementFlag, Estimate

OVERALL = "satisfactory"
_TOLERANCE_FLAG, _TOLERANCE_POINTS = 0.10, 0.25


@dataclass(frozen=True)
class Agreement:
    """How far graders agree on one criterion, or on the verdict (`criterion` "satisfactory").

    `outputs`: how many at least two of them graded; the item is the unit of every interval. `severity`: mean above
    (+, lenient) or below the average grader, in levels (or in share of outputs passed). `deviating`: graders to ask,
    with the reason. `kappa`: of two graders, with quadratic weights; None where they are more.
    """

    criterion: str
    graders: tuple[str, ...]
    outputs: int
    raw: Estimate
    alpha: Estimate
    ac: Estimate
    flag: AgreementFlag
    severity: Mapping[str, Estimate]
    deviating: Mapping[str, str]
    kappa: Estimate | None = None


def agreements(
    levels: Levels, results: Iterable[TrialResult], rubric: Rubric, picked: Collection[int] = ()
) -> tuple[Agreement, ...]:
    """Agreement on each judged criterion and on the verdict; empty with fewer than two people or judges.

    What checks alone graded is left out: they would say the same again. `picked`: trials that people were asked about
    for what a judge had said, where it and they are no measure of each other: several people are of one another.
    """
    people = [grader for grader in levels if kind_of(grader) == "human"]
    hidden = [g for g in levels if kind_of(g) == "judge"] if len(people) > 1 else people
    levels = {
        g: {t: given for t, given in of.items() if g not in hidden or t not in picked} for g, of in levels.items()
    }
    graders = tuple(sorted(grader for grader in levels if kind_of(grader) != "check" and levels[grader]))
    if len(graders) < 2:
        return ()
    item_of = {result.trial_id: result.key.item_id for result in results}
    trials = sorted({trial for grader in graders for trial in levels[grader]})
    items, found = [item_of[trial] for trial in trials], []
    for criterion in rubric.judged:
        table = [[levels[g].get(trial, {}).get(criterion.id) for trial in trials] for g in graders]
        if _checked(levels, criterion.id) and all(level is None for row in table for level in row):
            continue
        top = max(criterion.levels) if len(criterion.levels) == 2 else None  # two levels are a flag, as a verdict is
        found.append(_agreement(criterion.id, graders, table, items, top, overall=False))
    verdicts = {g: verdicts_of(levels, g, rubric) for g in graders}
    table = [[_number(verdicts[g].get(trial)) for trial in trials] for g in graders]
    return (*found, _agreement(OVERALL, graders, table, items, 1, overall=True))


def _checked(levels: Levels, criterion: str) -> bool:
    return any(criterion in of for g, given in levels.items() if kind_of(g) == "check" for of in given.values())


def _number(flag: bool | None) -> int | None:
    return None if flag is None else int(flag)


def _agreement(
    name: str,
    graders: tuple[str, ...],
    table: Sequence[Sequence[int | None]],
    items: Sequence[str],
    passing: int | None,
    *,
    overall: bool,
) -> Agreement:
    alpha = stats.krippendorff_alpha(table, "nominal" if overall else "ordinal", items=items)
    ac = stats.gwet_ac(table, "identity" if overall else "quadratic", items=items)
    given = [level for row in table for level in row if level is not None]
    passed = given.count(passing) / len(given) if passing is not None and given else None
    severity = dict(zip(graders, stats.grader_severity(table, items=items), strict=True))
    deviating: dict[str, str] = {}
    tolerance = _TOLERANCE_POINTS if passing is None else _TOLERANCE_FLAG
    for index, reason in stats.deviating_graders(table, tolerance, items=items):
        said = deviating.get(graders[index])
        deviating[graders[index]] = f"{said}; {reason}" if said else reason
    return Agreement(
        criterion=name,
        graders=graders,
        outputs=sum(sum(level is not None for level in column) >= 2 for column in zip(*table, strict=True)),
        raw=stats.raw_agreement(table, items=items),
        alpha=alpha,
        ac=ac,
        flag=stats.agreement_flag(alpha, ac, passed),
        severity=severity,
        deviating=deviating,
        kappa=stats.weighted_kappa(table[0], table[1], "identity" if overall else "quadratic", items=items)
        if len(table) == 2
        else None,
    )
