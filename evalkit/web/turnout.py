"""How far each person has come, in numbers that tell nothing of what they said, and when all of them are through."""

from collections.abc import Mapping

from evalkit.desk import Desk


class Turnout:
    """The people of a round at this desk. Who hands in says so; whoever had finished before need not come back."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._handed_in = {grader for grader in desk.people if desk.is_through(grader)}

    def hand_in(self, grader: str) -> bool:
        """Note that a person is through; False if they have something left."""
        if not self._desk.is_through(grader):
            return False
        self._handed_in.add(grader)
        return True

    def has_handed_in(self, grader: str) -> bool:
        """Whether a person is through."""
        return grader in self._handed_in

    def all_in(self) -> bool:
        """Whether everybody who takes part is through."""
        return set(self._desk.people) <= self._handed_in

    def counts(self) -> Mapping[str, tuple[int, int]]:
        """For each person, how many outputs are done and how many there are."""
        totals = {grader: len(self._desk.standing(grader)) for grader in self._desk.people}
        return {grader: (total - self._desk.outputs_left(grader), total) for grader, total in totals.items()}
