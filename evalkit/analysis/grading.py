"""Who graded, by which rule, whether results were seen before the end, and what the judges cost."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import fsum

from evalkit.analysis.counting_round import current_round
from evalkit.analysis.graded_by import Grading, HowAsked
from evalkit.analysis.trials import TrialResult
from evalkit.analysis.views import dropped_judges
from evalkit.grader_names import JUDGE, judge_model, judge_of, kind_of, repeat_of
from evalkit.grading_records import MERGED, RoundEvent
from evalkit.judge_prompts import asked_in, outdated
from evalkit.records import Attempt, Round, Snapshot
from evalkit.rounds import Settings, being_graded, names_items, people_of, settings_of, told_apart
from evalkit.rubric import Rubric
from evalkit.standing_grades import counting

PEEK = "peek"
"""How results were shown while people were grading."""


def _usd(attempts: Iterable[Attempt]) -> float:
    return fsum(a.cost_usd or 0.0 for a in attempts)


def _unpriced(attempts: Iterable[Attempt]) -> int:
    return sum(a.cost_usd is None and a.outcome not in (None, "errored") for a in attempts)


def _of_one_round(judging: Sequence[Attempt], counting: Round | None) -> list[Attempt]:
    """Those of the round that counts; where no judge was asked there, those of the newest in which one was."""
    asked = {attempt.round_id for attempt in judging if attempt.round_id is not None}
    chosen = counting.id if counting is not None and counting.id in asked else max(asked, default=None)
    return [attempt for attempt in judging if attempt.round_id == chosen]


def grading_of(snapshot: Snapshot, results: Sequence[TrialResult], rubric: Rubric) -> Grading:
    """The round that counts, and what happened around it."""
    round_, counted = current_round(snapshot), counting(snapshot.grades)
    grades = [g for g in counted if round_ is not None and g.round_id == round_.id]
    joined, said = () if round_ is None else round_.graders, {g.grader for g in grades}
    attempts = [a for a in snapshot.attempts if a.grader is not None]
    of_round = _of_one_round(attempts, round_)
    unblind = {one.id for one in snapshot.rounds if one.blind is False}  # whose preferences nobody hears
    judges = sorted({judge_of(g.grader) for g in grades if kind_of(g.grader) == "judge"})
    elsewhere = bool(judges) and round_ is not None and round_.blind is None  # billed where nobody here can see
    old, settings = outdated(snapshot), Settings() if round_ is None else settings_of(snapshot, round_.id)
    reasons = Counter(reason for r in results if r.satisfied is None for reason in r.ungraded.values())
    return Grading(
        round=round_,
        judges=tuple(name.removeprefix(JUDGE) for name in judges),
        judge_usd=None if _unpriced(attempts) or elsewhere else _usd(attempts),
        judge_known_usd=_usd(attempts),
        judge_unpriced_attempts=_unpriced(attempts),
        round_usd=None if _unpriced(of_round) or elsewhere else _usd(of_round),
        judge_attempts=len(attempts),
        judge_failed_attempts=sum(a.outcome == "errored" for a in attempts),
        grades=len(grades),
        ungraded=dict(sorted(reasons.items())),
        identity_marks=sum(r.identity_marks for r in results),
        aggregate=rubric.aggregate,
        people=tuple(dict.fromkeys(g.grader for g in grades if kind_of(g.grader) == "human")),
        dropped={judge.removeprefix(JUDGE): why for judge, why in dropped_judges(snapshot, rubric, round_).items()},
        drifted=tuple(name.removeprefix(JUDGE) for name in judges if round_ is not None and (name, round_.id) in old),
        closed_at=_closed_at(snapshot, round_),
        open=_is_open(snapshot, round_),
        peeks=tuple(event.at for event in snapshot.events if _is_peek(event)),
        after_results=sum(g.after_results and kind_of(g.grader) == "human" for g in counted),
        graders=(*(name for name in joined if name in said), *sorted(said - set(joined))),
        merged=any(e.round_id == round_.id and e.content == MERGED for e in snapshot.events) if round_ else False,
        idle=tuple(name for name in joined if name not in said),
        answered_by=_answered_by(snapshot, judges),
        picked=round_ is not None and names_items(snapshot, round_.id),
        told_apart=told_apart(snapshot, round_.id) if round_ is not None else (),
        sample=settings.sample,
        overlap=settings.overlap,
        repeat_share=settings.repeat_share if round_ is not None and people_of(snapshot, round_.id) else None,
        asked_author=settings.ask_author,
        judge_lost_attempts=sum(a.outcome is None for a in attempts),
        side_by_side=settings.layout == "side",
        rounds=len(snapshot.rounds),
        at_work=being_graded(snapshot) is not None,
        judged=_asked(snapshot, ((g.round_id, g.grader) for g in grades)),
        compared=_asked(snapshot, ((p.round_id, p.grader) for p in snapshot.preferences if p.round_id not in unblind)),
    )


def _asked(snapshot: Snapshot, said: Iterable[tuple[int, str]]) -> tuple[HowAsked, ...]:
    """How judges were asked who said something in rounds, each in the newest of its own: one for all asked alike."""
    by_judges = sorted({(round_id, grader) for round_id, grader in said if kind_of(grader) == "judge"})
    newest = {judge_model(grader): round_id for round_id, grader in by_judges}
    alike: dict[tuple[int, int], list[str]] = defaultdict(list)
    for judge, newest_id in newest.items():
        own = [repeat_of(grader) for id_, grader in by_judges if (id_, judge_model(grader)) == (newest_id, judge)]
        alike[newest_id, max(own)].append(judge)
    return tuple(
        HowAsked(tuple(judges), repeats, *asked_in(snapshot, id_)) for (id_, repeats), judges in sorted(alike.items())
    )


def _answered_by(snapshot: Snapshot, judges: Collection[str]) -> Mapping[str, Mapping[str, Mapping[str, int]]]:
    """What answered for a judge, where it was more than one model: an alias that moved, a gateway that fell back.

    An output counts once a judge and repeat, by the newest answer.
    """
    graded = {trial.id: trial.key.model for trial in snapshot.trials}
    newest = {
        (a.grader, a.trial_id): a.served_model
        for a in snapshot.attempts
        if a.grader is not None and a.final and a.outcome == "answered" and a.served_model is not None
    }
    found: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for (grader, trial_id), served in newest.items():
        found[judge_of(grader)][graded[trial_id]][served] += 1
    return {
        judge.removeprefix(JUDGE): of_model
        for judge, of_model in found.items()
        if judge in judges and len({served for counts in of_model.values() for served in counts}) > 1
    }


def _closed_at(snapshot: Snapshot, round_: Round | None) -> str | None:
    closed = [e.at for e in snapshot.events if round_ is not None and (e.kind, e.round_id) == ("closed", round_.id)]
    return closed[0] if closed else None


def _is_open(snapshot: Snapshot, round_: Round | None) -> bool:
    return round_ is not None and bool(people_of(snapshot, round_.id)) and _closed_at(snapshot, round_) is None


def _is_peek(event: RoundEvent) -> bool:
    return event.kind == "shown" and event.content.get("how") == PEEK
