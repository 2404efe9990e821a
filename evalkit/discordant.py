"""What people must grade to need a judge's word no more: all that it tells apart, and a sample of the rest."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from itertools import accumulate
from math import ceil

from evalkit.analysis.contexts import production_size
from evalkit.analysis.counting_round import current_round
from evalkit.analysis.trials import trial_results
from evalkit.errors import UsageError
from evalkit.frozen import dataclass
from evalkit.grader_names import kind_of
from evalkit.records import Snapshot
from evalkit.rounds import in_drawing_order, is_closed, joined_by_people
from evalkit.rubric import Rubric

FEWEST = 10
"""Items drawn from those that the judge grades alike, unless there are fewer."""


@dataclass(frozen=True)
class Discordant:
    """Items with an output: those on which a judge's verdicts differ between models or are missing, and those `drawn`
    at random, by the run's seed, from the `alike`. `size`: that of a context sweep which a gate decides by, in tokens;
    its items alone are asked about. None without a sweep."""

    apart: tuple[str, ...]
    drawn: tuple[str, ...]
    alike: int
    size: int | None = None

    @property
    def items(self) -> tuple[str, ...]:
        """All that people are to grade."""
        return (*self.apart, *self.drawn)


def discordant_items(snapshot: Snapshot, rubric: Rubric, share: float, *, blind: bool = True) -> Discordant:
    """The items that people are to grade, with a `share` of those that the judge grades alike; the same every time.

    By the round that people work in, `blind` or not: what a judge said in another is not held against their grades.
    UsageError where no judge has graded yet, or not in that round.
    """
    by_judge = [round_ for round_ in snapshot.rounds if any(kind_of(name) == "judge" for name in round_.graders)]
    if not any(current_round(replace(snapshot, rounds=(round_,))) for round_ in by_judge):
        raise UsageError(
            "no judge has graded this run, so nothing is told apart; run `evalkit grade --by judges` first"
        )
    theirs = joined_by_people(snapshot, blind)
    snapshot = replace(snapshot, rounds=tuple(r for r in by_judge if r == theirs))
    if current_round(snapshot) is None:
        closed = all(is_closed(snapshot, round_.id) for round_ in by_judge)
        why = "is closed" if closed else f"is none that people can grade in {'blind' if blind else 'without blinding'}"
        raise UsageError(
            f"the judges' round {why}; run `evalkit grade {'--blind' if blind else '--no-blind'} --by judges`, which"
            " opens a new one and pays for no answer that is known, then this command again; people grade all of the"
            " new one"
        )
    said: dict[str, dict[str, list[bool | None]]] = defaultdict(lambda: defaultdict(list))
    answered, open_ = set(), set()
    size = production_size(snapshot)[0] if snapshot.spec.contexts else None
    place = {item.id: item.context_tokens for item in snapshot.items}
    for trial in trial_results(snapshot, rubric, all_heard=True):  # as it is once this queue is asked for
        if size is not None and place[trial.key.item_id] != size:
            continue
        if trial.outcome is not None:
            said[trial.key.item_id][trial.key.model].append(trial.judge_satisfied)
        if trial.outcome == "answered":
            answered.add(trial.key.item_id)
        if trial.outcome == "answered" and trial.decided_by != "check":
            open_.add(trial.key.item_id)
    apart = tuple(item for item in said if item in answered and tells_apart(said[item].values()))
    alike = [item for item in said if item in answered and item not in apart]
    drawn = in_drawing_order(alike, snapshot.spec.seed)
    enough = accumulate((item in open_ for item in drawn), initial=0)  # what checks decide is no part of a verdict
    least = next((n for n, count in enumerate(enough) if count == FEWEST), len(drawn))
    return Discordant(apart, tuple(drawn[: max(least, ceil(share * len(alike)))]), len(alike), size)


def tells_apart(by_model: Iterable[list[bool | None]]) -> bool:
    """Whether a judge's verdicts on an item, of each model those of all epochs, differ or are missing: None."""
    verdicts = list(by_model)
    if any(verdict is None for each in verdicts for verdict in each):
        return True
    shares = [sum(map(bool, each)) / len(each) for each in verdicts]
    return max(shares) - min(shares) > 1e-9
