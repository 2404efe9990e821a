"""Graders against each other, and judges against people: how much the grades can carry."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from evalkit import stats
from evalkit.analysis.trials import TrialResult
from evalkit.grader_names import JUDGE, kind_of
from evalkit.records import Grade, Snapshot, TrialKey
from evalkit.rubric import Rubric
from evalkit.stats import AgreementFlag, Estimate, JudgeAccuracy

OVERALL = "satisfactory"
_TOLERANCE_FLAG, _TOLERANCE_POINTS = 0.10, 0.25


@dataclass(frozen=True)
class Agreement:
    """How far graders agree on one criterion, or on the verdict (`criterion` "satisfactory").

    `outputs`: how many at least two of them graded; the item is the unit of every interval. `severity`: mean above
    (+, lenient) or below the average grader, in levels (or in share of outputs passed). `deviating`: graders to ask,
    with the reason.
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


@dataclass(frozen=True)
class JudgeValidity:
    """One judge against people on the outputs that both graded (`outputs`).

    `corrected`: each model's pass rate as people would have found it (double sampling). `worth_labels`: how many
    more human labels would have done as much as the judge. `leniency_p`: mid-p that its error rates are equal
    on two models' outputs.
    """

    judge: str
    outputs: int
    accuracy: JudgeAccuracy
    corrected: Mapping[str, Estimate]
    worth_labels: Mapping[str, float | None]
    leniency_p: Mapping[tuple[str, str], float]


_Levels = Mapping[str, Mapping[int, Mapping[str, int]]]
"""grader -> trial -> criterion -> level"""


def levels_by_grader(snapshot: Snapshot) -> dict[str, dict[int, dict[str, int]]]:
    """The newest level of each grader on each criterion of each output, over all rounds not known to be unblind."""
    blind = {round_.id for round_ in snapshot.rounds if round_.blind is not False}
    found: dict[str, dict[int, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for grade in snapshot.grades:
        if grade.round_id in blind and grade.level is not None:
            _put(found, grade, grade.level)
    return {grader: dict(trials) for grader, trials in found.items()}


def _put(found: dict[str, dict[int, dict[str, int]]], grade: Grade, level: int) -> None:
    found[grade.grader][grade.trial_id][grade.criterion] = level


def agreements(levels: _Levels, results: Iterable[TrialResult], rubric: Rubric) -> tuple[Agreement, ...]:
    """Agreement on each judged criterion and on the verdict; empty with fewer than two people or judges."""
    graders = tuple(sorted(grader for grader in levels if kind_of(grader) != "check"))
    if len(graders) < 2:
        return ()
    item_of = {result.trial_id: result.key.item_id for result in results}
    trials = sorted({trial for grader in graders for trial in levels[grader]})
    items, found = [item_of[trial] for trial in trials], []
    for criterion in rubric.judged:
        table = [[levels[g].get(trial, {}).get(criterion.id) for trial in trials] for g in graders]
        found.append(_agreement(criterion.id, graders, table, items, overall=False))
    verdicts = {g: verdicts_of(levels, g, rubric) for g in graders}
    table = [[_number(verdicts[g].get(trial)) for trial in trials] for g in graders]
    return (*found, _agreement(OVERALL, graders, table, items, overall=True))


def _number(flag: bool | None) -> int | None:
    return None if flag is None else int(flag)


def _agreement(
    name: str, graders: tuple[str, ...], table: Sequence[Sequence[int | None]], items: Sequence[str], *, overall: bool
) -> Agreement:
    alpha = stats.krippendorff_alpha(table, "nominal" if overall else "ordinal", items=items)
    ac = stats.gwet_ac(table, "identity" if overall else "quadratic", items=items)
    given = [level for row in table for level in row if level is not None]
    passed = sum(given) / len(given) if overall and given else None
    severity = dict(zip(graders, stats.grader_severity(table, items=items), strict=True))
    deviating: dict[str, str] = {}
    tolerance = _TOLERANCE_FLAG if overall else _TOLERANCE_POINTS
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
    )


def verdicts_of(levels: _Levels, grader: str, rubric: Rubric) -> dict[int, bool]:
    """Satisfactory or not by one grader alone, with the checks' levels beside its own, where that can be said."""
    checked, names = _checked(levels), [criterion.id for criterion in rubric.criteria]
    known: dict[tuple[int | None, ...], bool | None] = {}  # the rule looks at the levels alone, and they recur
    verdicts: dict[int, bool] = {}
    for trial, own in levels.get(grader, {}).items():
        given = {**checked.get(trial, {}), **own}
        key = tuple(given.get(name) for name in names)
        if key not in known:
            known[key] = rubric.satisfied(given)
        verdict = known[key]
        if verdict is not None:
            verdicts[trial] = verdict
    return verdicts


def _checked(levels: _Levels) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for grader in (grader for grader in levels if kind_of(grader) == "check"):
        for trial, given in levels[grader].items():
            found[trial].update(given)
    return found


def judge_validity(
    levels: _Levels, results: Iterable[TrialResult], rubric: Rubric, seed: int
) -> tuple[JudgeValidity, ...]:
    """Each judge against the people's majority verdict; empty where no person graded what a judge graded."""
    people = _majority([verdicts_of(levels, g, rubric) for g in sorted(levels) if kind_of(g) == "human"])
    keys = {result.trial_id: result.key for result in results}
    judges = [g for g in sorted(levels) if kind_of(g) == "judge"]
    found = [_validity(g, verdicts_of(levels, g, rubric), people, keys, seed) for g in judges]
    return tuple(validity for validity in found if validity is not None)


def _majority(verdicts: Sequence[Mapping[int, bool]]) -> dict[int, bool]:
    """What more than half of the people say; an even split says nothing."""
    votes: dict[int, list[bool]] = defaultdict(list)
    for one in verdicts:
        for trial, verdict in one.items():
            votes[trial].append(verdict)
    return {t: sum(given) * 2 > len(given) for t, given in votes.items() if sum(given) * 2 != len(given)}


def _validity(
    judge: str, said: Mapping[int, bool], people: Mapping[int, bool], keys: Mapping[int, TrialKey], seed: int
) -> JudgeValidity | None:
    both = sorted(set(said) & set(people))
    if not both:
        return None
    models = sorted({keys[trial].model for trial in said})
    corrected, worth, errors = {}, {}, {}
    for model in models:
        everyone = [trial for trial in sorted(said) if keys[trial].model == model]
        labelled = [trial for trial in both if keys[trial].model == model]
        mine, theirs = [float(said[t]) for t in labelled], [float(people[t]) for t in labelled]
        items = [keys[t].item_id for t in labelled]
        corrected[model] = stats.double_sampling(
            [float(said[t]) for t in everyone],
            mine,
            theirs,
            seed,
            items_all=[keys[t].item_id for t in everyone],
            items_labelled=items,
        )
        human_only = replace(stats.rate_clustered(*_by_item(theirs, items), small_sample=False), n=len(labelled))
        worth[model] = stats.worth_extra_labels(human_only, corrected[model])
        errors[model] = _independent([float(a != b) for a, b in zip(mine, theirs, strict=True)], items)
    return JudgeValidity(
        judge=judge.removeprefix(JUDGE),
        outputs=len(both),
        accuracy=stats.judge_accuracy(
            [float(said[t]) for t in both],
            [float(people[t]) for t in both],
            items=[keys[t].item_id for t in both],
        ),
        corrected=corrected,
        worth_labels=worth,
        leniency_p={(a, b): stats.leniency_midp(*errors[a], *errors[b]) for a, b in combinations(models, 2)},
    )


def _by_item(flags: Sequence[float], items: Sequence[str]) -> tuple[list[float], list[float]]:
    """Each item's sum of flags and number of outputs: repeats of an item are no further items."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for flag, item in zip(flags, items, strict=True):
        sums[item][0] += flag
        sums[item][1] += 1
    return [total for total, _ in sums.values()], [number for _, number in sums.values()]


def _independent(flags: Sequence[float], items: Sequence[str]) -> tuple[int, int]:
    """About how many of how many independent outputs these flags are worth."""
    if not flags:
        return 0, 0
    n_eff = stats.cluster_design(*_by_item(flags, items)).n_eff
    return round(n_eff * sum(flags) / len(flags)), round(n_eff)
