"""What two outputs' comparisons come to once both orders were asked."""

from collections.abc import Iterable

from evalkit.grading_records import Choice, Preference

Pair = tuple[str, int, int]
"""A grader and two trials, the lower id first."""


def survivors(preferences: Iterable[Preference]) -> dict[Pair, int | None]:
    """For each pair that was judged in both orders the trial preferred in both, None for a tie.

    A preference that does not survive the swap is a tie: it came from the place, not from the output. Pairs of which
    one order is missing or could not be read are left out; a later round replaces an earlier one.
    """
    said = {(p.round_id, p.grader, p.first_trial_id, p.second_trial_id): p for p in preferences}
    found: dict[Pair, int | None] = {}
    for (round_id, grader, first, second), forth in said.items():
        back = said.get((round_id, grader, second, first))
        if first < second and back is not None and forth.choice and back.choice:
            ahead = _preferred(forth, forth.choice)
            found[grader, first, second] = ahead if ahead == _preferred(back, back.choice) else None
    return found


def _preferred(preference: Preference, choice: Choice) -> int | None:
    return {"first": preference.first_trial_id, "second": preference.second_trial_id, "tie": None}[choice]
