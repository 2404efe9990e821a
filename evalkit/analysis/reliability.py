"""Judges against people: how far a judge errs, and otherwise on one model than on another."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from itertools import combinations

from evalkit import stats
from evalkit.analysis.trials import TrialResult
from evalkit.analysis.views import (
    Levels,
    accuracy,
    floor_verdicts,
    labelled_one_alone,
    panel_verdicts,
    verdicts_of,
    why_dropped,
)
from evalkit.frozen import dataclass
from evalkit.grader_names import JUDGE, kind_of
from evalkit.records import TrialKey
from evalkit.rubric import Criterion, Rubric
from evalkit.stats import Estimate, JudgeAccuracy
from evalkit.stats.estimate import no_estimate

PANEL = "panel of "
"""What the name of several judges taken as one begins with."""


@dataclass(frozen=True)
class Leniency:
    """Mid-p that a judge errs at the same rate on the outputs of two models, `a` and `b` in the order of their ids.

    `p_value`: on all outputs; `p_passed` and `p_failed`: on those that people pass, and on those that they fail, since
    errors of the two kinds can make up for each other; None where one model has none. `p_holm`: the smallest of the
    three, adjusted over those of all pairs of the judge's models; None where one of the two has no labels.
    """

    a: str
    b: str
    p_value: float
    p_passed: float | None = None
    p_failed: float | None = None
    p_holm: float | None = None


@dataclass(frozen=True)
class ItemErrors:
    """A judge less people (1, 0 or -1 a trial, the mean over epochs) on an item's outputs by two models, `a` and `b`: 0
    for a trial that failed without its word, on which it cannot err."""

    item_id: str
    a: float
    b: float


@dataclass(frozen=True)
class PairAccuracy:
    """A judge against people on the `outputs` of two models that both graded, `a` and `b` in the order of their ids.

    What it sees of a third one is no measure of how it tells these apart. `leaning`: how much more of `b`'s outputs
    than of `a`'s it passes beyond people, which it makes up of any difference between them; `errors`: the items that
    this is known from. `set_aside`: outputs graded by people who graded one of the two models alone, who may be
    stricter than others, and count for none of this; `by_model`: its errors on each of the two by the other labels,
    where any are set aside.
    """

    a: str
    b: str
    outputs: int
    accuracy: JudgeAccuracy
    leaning: Estimate
    errors: tuple[ItemErrors, ...] = ()
    set_aside: int = 0
    by_model: Mapping[str, JudgeAccuracy] = field(default_factory=dict)

    def leaning_on(self, items: Collection[str]) -> Estimate:
        """The leaning by the errors on these items alone: a judge may be stricter with a model on hard ones only."""
        return leaning_of([one for one in self.errors if one.item_id in items])


@dataclass(frozen=True)
class _Labels:
    """What people said of outputs (`all`), which of them each did (`of`), and what all but some said."""

    all: Mapping[int, bool]
    of: Mapping[str, Collection[int]]
    without: Callable[[Collection[str]], Mapping[int, bool]]


@dataclass(frozen=True)
class FloorValidity:
    """A judge against people on whether outputs reach a critical criterion's floor: the verdict may fail for other
    reasons, which a judge sees better or worse."""

    outputs: int
    accuracy: JudgeAccuracy
    by_model: Mapping[str, JudgeAccuracy] = field(default_factory=dict)
    by_pair: tuple[PairAccuracy, ...] = ()


@dataclass(frozen=True)
class JudgeValidity:
    """One judge, or a panel taken as one, against people on the outputs that both graded (`outputs`).

    `by_model`, `by_pair`: its errors on each model's outputs, and on those of every two. `dropped` says why its grades
    decide nothing, None if they do.
    `corrected`: each model's pass rate as people would have found it (double sampling, failures as failures).
    `worth_labels`: how many more human labels would have done as much as the judge. `leniency_p`: whether it errs alike
    on two models' outputs, for every two. `floors`: the same of each judged critical criterion by itself.
    """

    judge: str
    outputs: int
    accuracy: JudgeAccuracy
    corrected: Mapping[str, Estimate]
    worth_labels: Mapping[str, float | None]
    leniency_p: tuple[Leniency, ...]
    kappa: Estimate = field(default_factory=lambda: no_estimate("not computed", 0.95, "jackknife"))
    by_model: Mapping[str, JudgeAccuracy] = field(default_factory=dict)
    by_pair: tuple[PairAccuracy, ...] = ()
    dropped: str | None = None
    floors: Mapping[str, FloorValidity] = field(default_factory=dict)


def judge_validity(
    levels: Levels,
    results: Iterable[TrialResult],
    rubric: Rubric,
    seed: int,
    picked: Collection[int] = (),
    *,
    all_heard: bool = False,
) -> tuple[JudgeValidity, ...]:
    """Each judge against what people say together, and those that are listened to as one, last.

    Judges' errors go together, so a panel is one judge, not several graders. Empty where no person graded what a judge
    graded. `picked`: trials that people were asked about for what the judge had said; they are left out.
    `all_heard`: no judge is dropped, whatever its J.
    """
    people = _labels(levels, picked, lambda persons: panel_verdicts(levels, persons, rubric))
    results = tuple(results)
    keys = {result.trial_id: result.key for result in results}
    ended = [(r.key, r.decided_by != "check" or r.satisfied) for r in results if r.satisfied is not None]
    lost = [r.key for r in results if r.satisfied is False and r.decided_by == "check"]
    mute = [r.key for r in results if r.satisfied is not None and r.outcome != "answered"]
    judges = [g for g in sorted(levels) if kind_of(g) == "judge"]
    alone = [_validity(g, verdicts_of(levels, g, rubric), people, keys, ended, lost, seed) for g in judges]
    kept = [replace(one, dropped=None) if all_heard else one for one in alone if one is not None]
    found = [(one, [JUDGE + one.judge]) for one in kept]
    listened_to = [JUDGE + one.judge for one, _ in found if one.dropped is None]
    if len(listened_to) > 1:
        together = panel_verdicts(levels, listened_to, rubric)
        panel = _validity(f"{PANEL}{len(listened_to)}", together, people, keys, ended, lost, seed)
        found += [] if panel is None else [(panel, listened_to)]
    return tuple(replace(one, floors=_floors(levels, graders, rubric, keys, mute, picked)) for one, graders in found)


def _floors(
    levels: Levels,
    graders: Sequence[str],
    rubric: Rubric,
    keys: Mapping[int, TrialKey],
    mute: Sequence[TrialKey],
    picked: Collection[int],
) -> dict[str, FloorValidity]:
    items = {t: key.item_id for t, key in keys.items()}
    found = {}
    for criterion in rubric.judged:
        if criterion.critical is None:
            continue
        labels = _labels(levels, picked, partial(_floor_of, levels, criterion, rubric))
        people, said = labels.all, floor_verdicts(levels, graders, criterion, rubric)
        both = {t: flag for t, flag in said.items() if t in people}
        by_model = {
            model: accuracy({t: flag for t, flag in both.items() if keys[t].model == model}, people, items)
            for model in sorted({keys[t].model for t in both})
        }
        found[criterion.id] = FloorValidity(
            len(both), accuracy(both, people, items), by_model, _by_pair(said, labels, keys, mute)
        )
    return found


def _floor_of(levels: Levels, criterion: Criterion, rubric: Rubric, persons: Sequence[str]) -> dict[int, bool]:
    return floor_verdicts(levels, persons, criterion, rubric)


def _labels(
    levels: Levels, picked: Collection[int], verdicts: Callable[[Sequence[str]], Mapping[int, bool]]
) -> _Labels:
    """What people said of outputs that they were not asked about for what the judge had said (`picked`)."""
    persons = [grader for grader in sorted(levels) if kind_of(grader) == "human"]

    def without(left_out: Collection[str]) -> Mapping[int, bool]:
        said = verdicts([person for person in persons if person not in left_out])
        return {trial: flag for trial, flag in said.items() if trial not in picked}

    told = without(())
    return _Labels(told, {person: levels[person].keys() & told.keys() for person in persons}, without)


def _by_pair(
    said: Mapping[int, bool], labels: _Labels, keys: Mapping[int, TrialKey], mute: Sequence[TrialKey]
) -> tuple[PairAccuracy, ...]:
    items, found = {t: key.item_id for t, key in keys.items()}, []
    for a, b in combinations(sorted({keys[t].model for t in said.keys() & labels.all.keys()}), 2):
        of_pair = {t: flag for t, flag in said.items() if keys[t].model in (a, b)}
        alone = labelled_one_alone(labels.of, {t: keys[t].model for t in of_pair})
        people = labels.without(alone) if alone else labels.all
        both = {t: flag for t, flag in of_pair.items() if t in people}
        errors = _errors(both, people, keys, mute, (a, b))
        by_model = {
            model: accuracy({t: flag for t, flag in both.items() if keys[t].model == model}, people, items)
            for model in ((a, b) if alone else ())
        }
        set_aside = len(of_pair.keys() & labels.all.keys()) - len(both)
        of_both = accuracy(both, people, items)
        found.append(PairAccuracy(a, b, len(both), of_both, leaning_of(errors), errors, set_aside, by_model))
    return tuple(found)


def leaning_of(errors: Sequence[ItemErrors]) -> Estimate:
    """How much more of `b` than of `a` a judge passes beyond people, by its errors on items of both."""
    return stats.judge_leaning([one.a for one in errors], [one.b for one in errors])


def _errors(
    said: Mapping[int, bool],
    people: Mapping[int, bool],
    keys: Mapping[int, TrialKey],
    mute: Sequence[TrialKey],
    models: tuple[str, str],
) -> tuple[ItemErrors, ...]:
    """On the items of which people graded outputs of both models, or of one where the other failed without a judge's
    word (`mute`): without an output, or by a check."""
    found: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for trial, flag in sorted(said.items()):
        found[keys[trial].item_id][keys[trial].model].append(flag - people[trial])
    for key in mute:
        if key.item_id in found and key.model in models:
            found[key.item_id][key.model].append(0)
    a, b = models
    both = {item: of_model for item, of_model in found.items() if len(of_model) == len(models)}
    return tuple(ItemErrors(item, _mean(of_model[a]), _mean(of_model[b])) for item, of_model in both.items())


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values)


def _validity(
    judge: str,
    said: Mapping[int, bool],
    labels: _Labels,
    keys: Mapping[int, TrialKey],
    ended: Sequence[tuple[TrialKey, bool]],
    lost: Sequence[TrialKey],
    seed: int,
) -> JudgeValidity | None:
    people = labels.all
    both = sorted(set(said) & set(people))
    if not both:
        return None
    items_of, models = {t: key.item_id for t, key in keys.items()}, sorted({keys[trial].model for trial in said})
    found = accuracy(said, people, items_of)
    corrected, worth, errors = {}, {}, {}
    for model in models:
        everyone = [trial for trial in sorted(said) if keys[trial].model == model]
        labelled = [trial for trial in both if keys[trial].model == model]
        mine, theirs = [float(said[t]) for t in labelled], [float(people[t]) for t in labelled]
        items = [keys[t].item_id for t in labelled]
        rate = partial(
            stats.double_sampling,
            [float(said[t]) for t in everyone],
            mine,
            theirs,
            seed,
            items_all=[keys[t].item_id for t in everyone],
            items_labelled=items,
        )
        of_model = [(key.item_id, float(usable)) for key, usable in ended if key.model == model]
        corrected[model] = rate(usable=[flag for _, flag in of_model], items_usable=[item for item, _ in of_model])
        human_only = replace(stats.rate_clustered(*_by_item(theirs, items), small_sample=False), n=len(labelled))
        worth[model] = stats.worth_extra_labels(human_only, rate())
        errors[model] = _independent([float(a != b) for a, b in zip(mine, theirs, strict=True)], items)
    by_model = {m: accuracy({t: said[t] for t in both if keys[t].model == m}, people, items_of) for m in models}
    return JudgeValidity(
        judge=judge.removeprefix(JUDGE),
        outputs=len(both),
        accuracy=found,
        corrected=corrected,
        worth_labels=worth,
        leniency_p=_leniency(errors, by_model),
        kappa=stats.weighted_kappa(
            [float(said[t]) for t in both],
            [float(people[t]) for t in both],
            "identity",
            items=[items_of[t] for t in both],
        ),
        by_model=by_model,
        by_pair=_by_pair(said, labels, keys, lost),
        dropped=why_dropped(found, len(both)),
    )


def kinds_midp(one: JudgeAccuracy | None, other: JudgeAccuracy | None) -> tuple[float | None, float | None]:
    """Mid-p that a judge errs alike on two sides' outputs: on those that people pass, and on those that they fail.

    None where a side has no such output.
    """
    if one is None or other is None:
        return None, None
    passed, failed = (one.sensitivity, other.sensitivity), (one.specificity, other.specificity)
    return _errors_midp(*passed), _errors_midp(*failed)


def _errors_midp(one: Estimate, other: Estimate) -> float | None:
    if one.value is None or other.value is None:
        return None
    wrong = [(round((1 - share) * n), n) for share, n in ((one.value, one.n), (other.value, other.n))]
    return stats.leniency_midp(*wrong[0], *wrong[1])


def _leniency(errors: Mapping[str, tuple[int, int]], by_model: Mapping[str, JudgeAccuracy]) -> tuple[Leniency, ...]:
    """Every two models; Holm over each pair's tests of all errors and of the two kinds, as far as they can be made."""
    found = [
        Leniency(a, b, stats.leniency_midp(*errors[a], *errors[b]), *kinds_midp(by_model[a], by_model[b]))
        for a, b in combinations(errors, 2)
    ]
    tested = [
        [p for p in (one.p_value, one.p_passed, one.p_failed) if p is not None]
        if errors[one.a][1] and errors[one.b][1]
        else []
        for one in found
    ]
    adjusted = iter(stats.holm([p for of_pair in tested for p in of_pair]))
    of_pairs = [[next(adjusted) for _ in of_pair] for of_pair in tested]
    return tuple(replace(one, p_holm=min(p, default=None)) for one, p in zip(found, of_pairs, strict=True))


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
