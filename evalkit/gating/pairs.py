"""Two sides of a comparison as item means, and what trials without a number could make of them."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from evalkit.frozen import dataclass

LEAST_KNOWN = 0.95
"""Share of each side's trials that a cost or a time must be known of to pass; a share needs no such rule (`worst`)."""

UNLIKE = 0.02
"""Part of the items by which unlike shares of people can hide a loss of a small margin."""
FEWEST_APART = 8
"""Items, all of one side, that hardly come of chance: p under 1 %."""


@dataclass(frozen=True)
class Paired:
    """Item means of both sides on the items that both have a number on, in one order; `epochs`: the most trials.

    Of the trials `planned` of each side, so many are `counted`. What is missing may be missing for a reason, so a cost
    or time passes only where little is (`gap`), and a share only if it also does at its `worst`: of all items, with
    each trial without a number taken for a failure of the candidate or a success of the baseline; None where none is.
    A trial that an item lacks beside others of its side is such a trial as well: which are left out may be a choice.
    It fails only if it also does at its `best`, the other way round: of the items that anything is known of, or that
    people looked at. What nobody has come to says nothing for the candidate, and would keep any loss from being told.
    """

    items: tuple[str, ...]
    baseline: tuple[float, ...]
    candidate: tuple[float, ...]
    epochs: int
    counted: tuple[int, int]
    planned: tuple[int, int]
    worst: "Paired | None" = None
    best: "Paired | None" = None

    def __len__(self) -> int:
        return len(self.items)

    @property
    def lacking(self) -> int:
        """Trials of both sides without a number."""
        return sum(self.planned) - sum(self.counted)

    def of(self, items: Collection[str]) -> "Paired":
        """The same of these items alone."""
        kept = [i for i, item in enumerate(self.items) if item in items]
        then, now = (tuple(side[i] for i in kept) for side in (self.baseline, self.candidate))
        return replace(self, items=tuple(self.items[i] for i in kept), baseline=then, candidate=now)

    @property
    def gap(self) -> str | None:
        """That too many trials are left out to pass on the rest; None if few are."""
        return gap(self.counted, self.planned)


def pairs_of(
    items: tuple[str, ...],
    then: Mapping[str, list[float]],
    now: Mapping[str, list[float]],
    counted: tuple[int, int],
    planned: tuple[int, int],
) -> Paired:
    """The item means of both sides, of these items, each of which has numbers on both."""
    epochs = max((len(side[item]) for side in (then, now) for item in items), default=1)
    baseline, candidate = (tuple(sum(side[i]) / len(side[i]) for i in items) for side in (then, now))
    return Paired(items, baseline, candidate, epochs, counted, planned)


def count(side: Mapping[str, list[float]], items: tuple[str, ...]) -> int:
    """The numbers that a side has on these items."""
    return sum(len(side[item]) for item in items)


def gap(counted: tuple[int, int], planned: tuple[int, int]) -> str | None:
    """That too many of either side's planned trials are left out to pass on the rest; None if few are."""
    for side, known, of in zip(("baseline", "candidate"), counted, planned, strict=True):
        if known < LEAST_KNOWN * of:
            return f"{of - known:,} of {of:,} trials of the {side} lack the figure on one side or both"
    return None
