"""Each grader's own view of the outputs: levels, verdicts, what people say, and which judges are not listened to."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import median_low

from evalkit import stats
from evalkit.analysis.aggregate import combined
from evalkit.grader_names import judge_of, kind_of
from evalkit.grading_records import MERGED
from evalkit.judge_prompts import outdated
from evalkit.records import Round, Snapshot
from evalkit.rounds import names_items, picked
from evalkit.rubric import Criterion, Rubric
from evalkit.standing_grades import counting, standing
from evalkit.stats import JudgeAccuracy
from evalkit.stats.one_sided import one_sided_samples

Levels = Mapping[str, Mapping[int, Mapping[str, int]]]
"""grader -> trial -> criterion -> level"""
FEWEST_LABELS = 30
LEAST_YOUDEN = 0.3
"""A judge whose J is not shown to be above it, on that many labels, decides nothing."""


def levels_by_grader(snapshot: Snapshot) -> dict[str, dict[int, dict[str, int]]]:
    """The newest level of each grader on each criterion of each output, over all rounds not known to be unblind.

    A judge's repeats are one view, their lower median; a person's second grades are left out, and so is what a judge
    said when it was asked otherwise than it was last. So is what people said in a file that was merged with others, but
    where they graded all models there are: who labels some alone may be stricter, and saw no other.
    """
    return _as_one(_given(_without_rounds_of_some_models(snapshot), again=False))


def _without_rounds_of_some_models(snapshot: Snapshot) -> Snapshot:
    merged = {event.round_id for event in snapshot.events if event.content == MERGED}
    if not merged or len(snapshot.spec.models) == 1:
        return snapshot
    model_of = {trial.id: trial.key.model for trial in snapshot.trials}
    seen: dict[int, set[str]] = defaultdict(set)
    for grade in snapshot.grades:
        if grade.round_id in merged and kind_of(grade.grader) == "human":
            seen[grade.round_id].add(model_of[grade.trial_id])
    apart = {round_id for round_id, models in seen.items() if models != set(snapshot.spec.models)}
    kept = (g for g in snapshot.grades if g.round_id not in apart or kind_of(g.grader) != "human")
    return replace(snapshot, grades=tuple(kept)) if apart else snapshot


def levels_with_repeats(snapshot: Snapshot) -> dict[str, dict[int, dict[str, int]]]:
    """The same with every repeat under its own name, as they stand in the run file."""
    return _given(snapshot, again=True)


def _given(snapshot: Snapshot, *, again: bool) -> dict[str, dict[int, dict[str, int]]]:
    blind, old = {round_.id for round_ in snapshot.rounds if round_.blind is not False}, outdated(snapshot)
    found: dict[str, dict[int, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for grade in (standing if again else counting)(snapshot.grades):
        if old and (judge_of(grade.grader), grade.round_id) in old:
            continue
        if grade.round_id in blind and grade.level is not None:
            found[grade.grader][grade.trial_id][grade.criterion] = grade.level
    return {grader: dict(trials) for grader, trials in found.items()}


def _as_one(levels: dict[str, dict[int, dict[str, int]]]) -> dict[str, dict[int, dict[str, int]]]:
    repeats: dict[str, list[str]] = defaultdict(list)
    for grader in levels:
        repeats[judge_of(grader)].append(grader)
    return {
        judge: levels[names[0]] if len(names) == 1 else _median([levels[name] for name in names])
        for judge, names in repeats.items()
    }


def _median(views: Sequence[Mapping[int, Mapping[str, int]]]) -> dict[int, dict[str, int]]:
    said: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for view in views:
        for trial, given in view.items():
            for criterion, level in given.items():
                said[trial][criterion].append(level)
    return {trial: {name: median_low(each) for name, each in given.items()} for trial, given in said.items()}


def verdicts_of(levels: Levels, grader: str, rubric: Rubric) -> dict[int, bool]:
    """Satisfactory or not by one grader alone, with the checks' levels beside its own, where that can be said.

    What checks alone make unsatisfactory is left out: there is nothing to be right or wrong about, or to agree on.
    """
    return _verdicts(levels.get(grader, {}), levels, rubric)


def _verdicts(said: Mapping[int, Mapping[str, float]], levels: Levels, rubric: Rubric) -> dict[int, bool]:
    checked = _checked(levels)
    verdicts = {
        trial: rubric.satisfied({**checked.get(trial, {}), **own})
        for trial, own in said.items()
        if rubric.satisfied(checked.get(trial, {})) is not False
    }
    return {trial: verdict for trial, verdict in verdicts.items() if verdict is not None}


def _checked(levels: Levels) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for grader in (grader for grader in levels if kind_of(grader) == "check"):
        for trial, given in levels[grader].items():
            found[trial].update(given)
    return found


def people_verdicts(levels: Levels, rubric: Rubric) -> dict[int, bool]:
    """What people say of each output, several of them by the rubric's rule for one level of many.

    The rule that decides the rates: what a judge is held against is what it stands in for, and no output is left out
    because people differ on it, which would leave the easy ones.
    """
    return panel_verdicts(levels, sorted(grader for grader in levels if kind_of(grader) == "human"), rubric)


def panel_verdicts(levels: Levels, graders: Sequence[str], rubric: Rubric) -> dict[int, bool]:
    """What graders together say of each output by the rubric's rule, with the checks' levels beside theirs."""
    said: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for grader in graders:
        for trial, given in levels[grader].items():
            for name, level in given.items():
                said[trial][name].append(level)
    together = {
        trial: {name: combined(each, rubric.aggregate) for name, each in given.items()} for trial, given in said.items()
    }
    return _verdicts(together, levels, rubric)


def floor_verdicts(levels: Levels, graders: Sequence[str], criterion: Criterion, rubric: Rubric) -> dict[int, bool]:
    """Whether each output reaches a critical criterion's floor, as graders together see it."""
    said: dict[int, list[int]] = defaultdict(list)
    for grader in graders:
        for trial, given in levels[grader].items():
            if criterion.id in given:
                said[trial].append(given[criterion.id])
    return {trial: combined(each, rubric.aggregate) >= (criterion.critical or 0) for trial, each in said.items()}


def labelled_one_alone(people: Mapping[str, Iterable[int]], model_of: Mapping[int, str]) -> frozenset[str]:
    """Who of the people labelled one of two models' outputs and hardly any of the other's (`model_of`: of each output
    that may be labelled), as hardly comes of a sample of all: who labels one alone may be stricter, and saw no other.
    """
    outputs = Counter(model_of.values())
    if len(outputs) != 2:
        return frozenset()
    one, other = sorted(outputs)
    labels = {
        name: Counter(model_of[trial] for trial in trials if trial in model_of) for name, trials in people.items()
    }
    names = [name for name, of_person in labels.items() if of_person]
    if len(names) < 2:
        return frozenset()  # one person is as strict with either
    counts = [(labels[name][one], labels[name][other]) for name in names]
    return frozenset(names[place] for place in one_sided_samples(counts, (outputs[one], outputs[other])))


def dropped_judges(snapshot: Snapshot, rubric: Rubric, round_: Round | None = None) -> dict[str, str]:
    """Judges that are not listened to, each with the reason: people's labels do not show that they know enough.

    None is in a round (`round_`) in which people were asked about outputs for what a judge had said: without its word
    on the others, what they graded would be left alone, and that is a choice of its making.
    """
    kinds = {kind_of(grader) for grader in {grade.grader for grade in snapshot.grades}}
    if not {"human", "judge"} <= kinds or (round_ is not None and names_items(snapshot, round_.id)):
        return {}
    levels = _as_one(_given(snapshot, again=False))  # one model's labels can tell how little a judge knows, too
    items = {trial.id: trial.key.item_id for trial in snapshot.trials}
    left_out = picked(snapshot)
    people = {trial: said for trial, said in people_verdicts(levels, rubric).items() if trial not in left_out}
    reasons = {judge: _reason(verdicts_of(levels, judge, rubric), people, items) for judge in levels}
    return {judge: why for judge, why in reasons.items() if why and kind_of(judge) == "judge"}


def _reason(said: Mapping[int, bool], people: Mapping[int, bool], items: Mapping[int, str]) -> str | None:
    both = sorted(set(said) & set(people))
    return why_dropped(accuracy(said, people, items), len(both))


def accuracy(said: Mapping[int, bool], people: Mapping[int, bool], items: Mapping[int, str]) -> JudgeAccuracy:
    """A judge against people on the outputs that both graded; an item's outputs are not independent."""
    both = sorted(set(said) & set(people))
    mine, theirs = [float(said[t]) for t in both], [float(people[t]) for t in both]
    return stats.judge_accuracy(mine, theirs, items=[items[t] for t in both])


def why_dropped(found: JudgeAccuracy, labels: int) -> str | None:
    """Why a judge decides nothing; None while too few labels say so, or J cannot be known."""
    low = found.youden.low
    if labels < FEWEST_LABELS or low is None or low > LEAST_YOUDEN:
        return None
    told, limit = (f"{round(x, 2) + 0.0:.2f}".replace("-", "\N{MINUS SIGN}") for x in (found.youden.value or 0.0, low))
    return f"J {told}, lower limit {limit} on {labels} labels, not above {LEAST_YOUDEN}"
