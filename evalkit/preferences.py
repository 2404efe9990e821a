"""What two outputs' comparisons come to once both orders were asked."""

from collections.abc import Iterable, Iterator

from evalkit.grading_records import Choice, Preference

LEAN: dict[Choice, int] = {"first": 1, "second": -1, "tie": 0}
"""A choice as a number: 1 where the output shown first is preferred."""

Pair = tuple[str, int, int]
"""A grader and two trials, the lower id first."""


def in_both_orders(preferences: Iterable[Preference]) -> Iterator[tuple[str, int, int, int, int]]:
    """Pairs that were judged in both orders: grader, two trials, the lean with the lower one first, and then last.

    Pairs of which one order is missing or could not be read are left out.
    """
    said = {
        (p.round_id, p.grader, p.first_trial_id, p.second_trial_id): LEAN[p.choice] for p in preferences if p.choice
    }
    for (round_id, grader, first, second), forth in said.items():
        back = said.get((round_id, grader, second, first))
        if first < second and back is not None:
            yield grader, first, second, forth, back


def settled(forth: int, back: int) -> int:
    """The lean of a pair judged in both orders: a preference that does not survive the swap is a tie.

    It came from the place, not from the output.
    """
    return forth if forth == -back else 0


def survivors(preferences: Iterable[Preference]) -> dict[Pair, int | None]:
    """For each pair that was judged in both orders the trial preferred in both, None for a tie.

    A later round replaces an earlier one.
    """
    return {
        (grader, first, second): {1: first, -1: second, 0: None}[settled(forth, back)]
        for grader, first, second, forth, back in in_both_orders(preferences)
    }
