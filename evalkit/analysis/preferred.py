"""Outputs side by side: which model's is preferred, and what of that survives the swap of places."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations, groupby

from evalkit import stats
from evalkit.analysis.counting_round import heard_round
from evalkit.frozen import dataclass
from evalkit.grader_names import is_again, judge_model, kind_of
from evalkit.grading_records import Preference
from evalkit.preferences import LEAN, in_both_orders, settled
from evalkit.records import Snapshot, TrialKey
from evalkit.stats import Estimate

PEOPLE = "people"
Choices = list[tuple[str, int, int, int]]
"""Item, the trials shown first and second, and 1 where the first of them is preferred, -1 the second, 0 a tie."""


@dataclass(frozen=True)
class Preferred:
    """How often outputs of model `b` are preferred to those of `a` by `grader`: a judge's model, or "people".

    Each of `items` counts once: to whom most preferences go, over graders and epochs. `difference` = share of items
    won by b - share won by a. Of a judge only preferences count that both orders agree on; others are ties.
    `p_holm`: two-sided, by McNemar's mid-p, adjusted over the grader's pairs of models.
    """

    grader: str
    a: str
    b: str
    items: int
    won_by_a: int
    won_by_b: int
    tied: int
    difference: Estimate
    p_holm: float


@dataclass(frozen=True)
class BothOrders:
    """A judge's choices on one pair of an item's outputs: 1 for the one shown first, -1 for the second, 0 for a tie."""

    item_id: str
    forth: int
    back: int


def preferred(snapshot: Snapshot) -> tuple[Preferred, ...]:
    """Each pair of models by people and by each judge; empty where nothing was compared."""
    keys = {trial.id: trial.key for trial in snapshot.trials}
    leaning: dict[tuple[str, str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for grader, one, other, lean in _settled(snapshot, keys):
        a, b = sorted((keys[one].model, keys[other].model), key=snapshot.spec.models.index)
        leaning[grader, a, b][keys[one].item_id] += lean if keys[other].model == b else -lean
    order = list(combinations(snapshot.spec.models, 2))
    pairs = sorted(leaning, key=lambda pair: (pair[0] != PEOPLE, pair[0], order.index(pair[1:])))
    found = []
    for _, of_grader in groupby(pairs, key=lambda pair: pair[0]):
        counts = [(pair, *_counts(list(leaning[pair].values()))) for pair in of_grader]
        adjusted = stats.holm([stats.mcnemar_midp(won_b, won_a) for _, won_a, won_b, _ in counts])
        found += [_of_pair(*counted, p_holm) for counted, p_holm in zip(counts, adjusted, strict=True)]
    return tuple(found)


def _counts(leanings: list[int]) -> tuple[int, int, int]:
    """Items won by a, by b, and all; leanings above 0 are towards a."""
    return sum(x > 0 for x in leanings), sum(x < 0 for x in leanings), len(leanings)


def _of_pair(pair: tuple[str, str, str], won_a: int, won_b: int, n: int, p_holm: float) -> Preferred:
    return Preferred(*pair, n, won_a, won_b, n - won_a - won_b, stats.paired_rates(won_b, won_a, n), p_holm)


def _settled(snapshot: Snapshot, keys: Mapping[int, TrialKey]) -> Iterator[tuple[str, int, int, int]]:
    """Grader, two trials, and 1 where the first of them is preferred, -1 the second, 0 a tie."""
    for choices in choices_of_people(snapshot).values():
        for _, one, other, lean in choices:
            yield PEOPLE, one, other, lean
    for grader, one, other, forth, back in _pairs(snapshot, keys):
        yield judge_model(grader), one, other, settled(forth, back)


def choices_of_people(snapshot: Snapshot) -> Mapping[str, Choices]:
    """By person, the last that they said of each pair of an item's outputs, unless they took it back.

    In the round that counts; where none is compared there, in the one in which people compared most.
    """
    keys = {trial.id: trial.key for trial in snapshot.trials}
    said, heard = _by_people(snapshot, keys), round_of_choices(snapshot)
    last: dict[tuple[str, frozenset[int]], Preference] = {}  # whichever of the two came first
    for p in (p for p in said if p.round_id == heard):
        last[p.grader, frozenset((p.first_trial_id, p.second_trial_id))] = p
    found: dict[str, Choices] = defaultdict(list)
    for p in last.values():
        if p.choice is not None:
            found[p.grader].append(
                (keys[p.first_trial_id].item_id, p.first_trial_id, p.second_trial_id, LEAN[p.choice])
            )
    return found


def round_of_choices(snapshot: Snapshot) -> int | None:
    """The round that these are of; None without any."""
    keys = {trial.id: trial.key for trial in snapshot.trials}
    said = _by_people(snapshot, keys)
    return heard_round(snapshot, ((p.round_id, keys[p.first_trial_id].item_id) for p in said))


def _by_people(snapshot: Snapshot, keys: Mapping[int, TrialKey]) -> list[Preference]:
    return [p for p in _of_two_models(snapshot, keys, "human") if not is_again(p.grader)]


def both_orders(snapshot: Snapshot) -> Mapping[str, list[BothOrders]]:
    """By judge's model, what each pair was judged in both orders."""
    keys = {trial.id: trial.key for trial in snapshot.trials}
    found: dict[str, list[BothOrders]] = defaultdict(list)
    for grader, one, _, forth, back in _pairs(snapshot, keys):
        found[judge_model(grader)].append(BothOrders(keys[one].item_id, forth, back))
    return found


def _pairs(snapshot: Snapshot, keys: Mapping[int, TrialKey]) -> Iterator[tuple[str, int, int, int, int]]:
    """Judges' choices on pairs that they have seen in both orders: the lower trial first, then the other."""
    return in_both_orders(_of_two_models(snapshot, keys, "judge"))


def _of_two_models(snapshot: Snapshot, keys: Mapping[int, TrialKey], kind: str) -> Iterator[Preference]:
    """What graders of a kind said of outputs of two models, as it came, in rounds not known to be unblind."""
    blind = {round_.id for round_ in snapshot.rounds if round_.blind is not False}
    for p in snapshot.preferences:
        one, other = keys.get(p.first_trial_id), keys.get(p.second_trial_id)
        if p.round_id in blind and kind_of(p.grader) == kind and one and other and one.model != other.model:
            yield p
