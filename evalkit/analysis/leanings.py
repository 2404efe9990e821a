"""What sways people beside the quality of an output, and whether they gave it the time that it takes to read."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from evalkit import stats
from evalkit.analysis.counting_round import heard_round
from evalkit.analysis.preferred import Choices, choices_of_people, round_of_choices
from evalkit.analysis.trials import TrialResult
from evalkit.frozen import dataclass
from evalkit.grader_names import is_again
from evalkit.grading_records import Marking
from evalkit.records import Snapshot
from evalkit.stats import Estimate
from evalkit.stats.estimate import no_estimate

FASTEST_WORDS_S = 1000 / 60
"""Four times as fast as people read in silence (238 words a minute: Brysbaert 2019)."""
_FEW_HASTY = 0.1
"""Share of items that a grader may know at a glance."""
Rests = Literal["grades", "preferences", "both"]
_NO_CHOICE = "no output was preferred to another side by side"


@dataclass(frozen=True)
class Haste:
    """One person in one round. `share` of its items on which the attention to their outputs was shorter than it takes
    to read them at FASTEST_WORDS_S; n counts items. `rests`: what of the round is heard, `both` where no other is.
    """

    round_id: int
    rests: Rests
    share: Estimate


@dataclass(frozen=True)
class Leaning:
    """One person. `first`, `longer`: of the preferences side by side, the share for the output shown first, and for
    the longer one (of two unequal ones). `hasty`: by round that is heard, empty where no time was measured. `sways`:
    whether the place is shown to matter, all people who compared outputs allowed for (Bonferroni).
    """

    grader: str
    first: Estimate
    longer: Estimate
    hasty: tuple[Haste, ...]
    sways: bool


def leanings(snapshot: Snapshot, results: Mapping[int, TrialResult]) -> tuple[Leaning, ...]:
    """Every person who compared outputs or whose attention was measured, by name."""
    texts = {trial: result.last.text for trial, result in results.items() if result.last is not None}
    choices, hasty = choices_of_people(snapshot), _hasty(snapshot, texts)
    return tuple(
        _leaning(grader, choices.get(grader, []), tuple(hasty.get(grader, [])), texts, len(choices))
        for grader in sorted(set(choices) | set(hasty))
    )


def hasty_graders(found: Iterable[Leaning]) -> Iterator[str]:
    """Who is shown not to have read what they graded, of more than a few items."""
    for grader, haste in ((each.grader, haste) for each in found for haste in each.hasty):
        share, did = haste.share, "compare" if haste.rests == "preferences" else "grade"
        if share.value is not None and share.low is not None and share.low > _FEW_HASTY:
            limits = f"{share.low:.0%} to {1.0 if share.high is None else share.high:.0%}"
            which = "the items" if haste.rests == "both" else f"the {share.n:,} items {did}d in round {haste.round_id}"
            yield (
                f"Grader {grader} was faster than reading takes on {share.value:.0%} of {which} ({limits}): have"
                f" somebody else {did} them before you rely on what they said; Attention in the report has more."
            )


def _leaning(grader: str, choices: Choices, hasty: tuple[Haste, ...], texts: Mapping[int, str], people: int) -> Leaning:
    first, longer = defaultdict[str, list[bool]](list), defaultdict[str, list[bool]](list)
    for item, one, other, lean in choices:
        sizes = len(texts.get(one, "")), len(texts.get(other, ""))
        if lean:
            first[item].append(lean > 0)
        if lean and sizes[0] != sizes[1]:
            longer[item].append((lean > 0) == (sizes[0] > sizes[1]))
    return Leaning(grader, _share(first), _share(longer), hasty, _is_apart(_share(first, 1 - 0.05 / max(1, people))))


def _share(of_items: Mapping[str, list[bool]], confidence: float = 0.95) -> Estimate:
    if not of_items:
        return no_estimate(_NO_CHOICE, confidence, "Wilson on effective n")
    rows = list(of_items.values())
    return stats.rate_clustered([sum(row) for row in rows], [len(row) for row in rows], confidence)


def _is_apart(first: Estimate) -> bool:
    """Whether a share is shown not to be a half."""
    return (first.low is not None and first.low > 0.5) or (first.high is not None and first.high < 0.5)


def _hasty(snapshot: Snapshot, texts: Mapping[int, str]) -> Mapping[str, list[Haste]]:
    """By person, in the rounds that are heard: of grades the one that counts, of preferences perhaps another."""
    items = {trial.id: trial.key.item_id for trial in snapshot.trials}
    marks = [m for m in snapshot.markings if m.kind != "author" and m.trial_id in items and not is_again(m.grader)]
    of_choices = round_of_choices(snapshot)
    of_grades = heard_round(snapshot, ((mark.round_id, items[mark.trial_id]) for mark in marks))
    rounds: Mapping[int | None, Rests] = (
        {of_grades: "both"} if of_choices in (None, of_grades) else {of_choices: "preferences", of_grades: "grades"}
    )
    found: dict[str, list[Haste]] = defaultdict(list)
    for heard, rests in rounds.items():
        if heard is None:
            continue
        for grader, hasty in _hasty_items([m for m in marks if m.round_id == heard], items, texts).items():
            found[grader].append(Haste(heard, rests, stats.rate(sum(hasty), len(hasty))))
    return found


def _hasty_items(
    marks: Sequence[Marking], items: Mapping[int, str], texts: Mapping[int, str]
) -> Mapping[str, list[bool]]:
    """By person, whether each item's outputs got less attention than reading them takes, by the marks of a round.

    The item is looked at whole, since its outputs may stand side by side and are then read before the first mark. Time
    that goes into guessing authors is none of grading; of marks without a time, a level alone says that it is unknown.
    """
    spent: dict[tuple[str, str], dict[int, float | None]] = defaultdict(dict)
    for mark in marks:
        if mark.active_s is None and mark.kind != "level":
            continue
        of_item = spent[mark.grader, items[mark.trial_id]]
        before = of_item.get(mark.trial_id, 0.0)
        known = mark.active_s is not None and before is not None
        of_item[mark.trial_id] = (before or 0.0) + (mark.active_s or 0.0) if known else None
    found: dict[str, list[bool]] = defaultdict(list)
    for (grader, _), times in spent.items():
        measured = [s for s in times.values() if s is not None]
        if len(measured) == len(times):
            words = sum(len(texts.get(trial, "").split()) for trial in times)
            found[grader].append(sum(measured) < words / FASTEST_WORDS_S)
    return found
