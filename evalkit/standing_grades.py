"""Grades that stand: what was taken back is gone, and second grades count for nothing but consistency."""

from collections.abc import Sequence

from evalkit.grader_names import is_again
from evalkit.grading_records import WITHDRAWN
from evalkit.records import Grade


def standing(grades: Sequence[Grade]) -> Sequence[Grade]:
    """Grades in the order they were given, without those that were taken back later, and without the taking back."""
    last = {_place(g): n for n, g in enumerate(grades) if g.ungraded_reason == WITHDRAWN}
    return [g for n, g in enumerate(grades) if last.get(_place(g), -1) < n] if last else grades


def _place(grade: Grade) -> tuple[int, str, int, str]:
    return grade.round_id, grade.grader, grade.trial_id, grade.criterion


def counting(grades: Sequence[Grade]) -> Sequence[Grade]:
    """Standing grades without those of outputs that came to a person again."""
    second = {grader for grader in {g.grader for g in grades} if is_again(grader)}
    stand = standing(grades)
    return [g for g in stand if g.grader not in second] if second else stand
