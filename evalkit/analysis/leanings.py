"""What sways people beside the quality of an output, and whether they gave it the time that it takes to read."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from evalkit import stats
from evalkit.analysis.counting_round import heard_round
from evalkit.analysis.preferred import Choices, choices_of_people, round_of_choices
from evalkit.analysis.trials import TrialResult
from evalkit.frozen import dataclass
from evalkit.grader_names import is_again
from evalkit.records import Snapshot
from evalkit.stats import Estimate
from evalkit.stats.estimate import no_estimate

FASTEST_WORDS_S = 1000 / 60
"""Four times as fast as people read in silence (238 words a minute: Brysbaert 2019)."""
_FEW_HASTY = 0.1
"""Share of items that a grader may know at a glance."""
_NO_CHOICE = "no output was preferred to another side by side"
_NO_TIME = "no time was measured"


@dataclass(frozen=True)
class Leaning:
    """One person. `first`, `longer`: of the preferences side by side, the share for the output shown first, and for
    the longer one (of two unequal ones). `hasty`: share of items on which the attention to their outputs was shorter
    than it takes to read them at FASTEST_WORDS_S; n counts items. `sways`: whether the place is shown to matter, all
    people who compared outputs allowed for (Bonferroni).
    """

    grader: str
    first: Estimate
    longer: Estimate
    hasty: Estimate
    sways: bool


def leanings(snapshot: Snapshot, results: Mapping[int, TrialResult]) -> tuple[Leaning, ...]:
    """Every person who compared outputs or whose attention was measured, by name."""
    texts = {trial: result.last.text for trial, result in results.items() if result.last is not None}
    choices, items = choices_of_people(snapshot), _hasty_items(snapshot, texts)
    return tuple(
        _leaning(grader, choices.get(grader, []), items.get(grader, []), texts, len(choices))
        for grader in sorted(set(choices) | set(items))
    )


def hasty_graders(found: Iterable[Leaning]) -> Iterator[str]:
    """Who is shown not to have read what they graded, of more than a few items."""
    for each in found:
        hasty = each.hasty
        if hasty.value is not None and hasty.low is not None and hasty.low > _FEW_HASTY:
            limits = f"{hasty.low:.0%} to {1.0 if hasty.high is None else hasty.high:.0%}"
            yield (
                f"Grader {each.grader} was faster than reading takes on {hasty.value:.0%} of the items ({limits}): have"
                " somebody else grade them before you rely on what they said; Attention in the report has more."
            )


def _leaning(grader: str, choices: Choices, hasty: list[bool], texts: Mapping[int, str], people: int) -> Leaning:
    first, longer = defaultdict[str, list[bool]](list), defaultdict[str, list[bool]](list)
    for item, one, other, lean in choices:
        sizes = len(texts.get(one, "")), len(texts.get(other, ""))
        if lean:
            first[item].append(lean > 0)
        if lean and sizes[0] != sizes[1]:
            longer[item].append((lean > 0) == (sizes[0] > sizes[1]))
    attention = stats.rate(sum(hasty), len(hasty)) if hasty else no_estimate(_NO_TIME, 0.95, "Wilson")
    return Leaning(
        grader, _share(first), _share(longer), attention, _is_apart(_share(first, 1 - 0.05 / max(1, people)))
    )


def _share(of_items: Mapping[str, list[bool]], confidence: float = 0.95) -> Estimate:
    if not of_items:
        return no_estimate(_NO_CHOICE, confidence, "Wilson on effective n")
    rows = list(of_items.values())
    return stats.rate_clustered([sum(row) for row in rows], [len(row) for row in rows], confidence)


def _is_apart(first: Estimate) -> bool:
    """Whether a share is shown not to be a half."""
    return (first.low is not None and first.low > 0.5) or (first.high is not None and first.high < 0.5)


def _hasty_items(snapshot: Snapshot, texts: Mapping[int, str]) -> Mapping[str, list[bool]]:
    """By person, whether each item's outputs got less attention than reading them takes.

    In the rounds that are heard. The item is looked at whole, since its outputs may stand side by side and are then
    read before the first mark. Time that goes into guessing authors is none of grading; of marks without a time, a
    level alone says that it is unknown.
    """
    items = {trial.id: trial.key.item_id for trial in snapshot.trials}
    by_people = [m for m in snapshot.markings if m.kind != "author" and m.trial_id in items and not is_again(m.grader)]
    heard = {
        heard_round(snapshot, ((mark.round_id, items[mark.trial_id]) for mark in by_people)),
        round_of_choices(snapshot),
    }
    spent: dict[tuple[str, int, str], dict[int, float | None]] = defaultdict(dict)
    for mark in by_people:
        untimed = mark.active_s is None and mark.kind != "level"
        if mark.round_id not in heard or untimed:
            continue
        of_item = spent[mark.grader, mark.round_id, items[mark.trial_id]]
        before = of_item.get(mark.trial_id, 0.0)
        known = mark.active_s is not None and before is not None
        of_item[mark.trial_id] = (before or 0.0) + (mark.active_s or 0.0) if known else None
    found: dict[str, list[bool]] = defaultdict(list)
    for (grader, _, _), times in spent.items():
        measured = [s for s in times.values() if s is not None]
        if len(measured) == len(times):
            words = sum(len(texts.get(trial, "").split()) for trial in times)
            found[grader].append(sum(measured) < words / FASTEST_WORDS_S)
    return found
