"""Looks: which part of a planned run a gate may judge before its end, and how much error each look may spend."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Annotated

from pydantic import Field, model_validator

from evalkit import stats
from evalkit.errors import IntegrityError, UsageError
from evalkit.frozen import dataclass
from evalkit.records import Snapshot
from evalkit.staging import first, staged_order
from evalkit.strict import StrictModel

_LEAST_ALPHA = 1e-9
"""What a look may spend less than is as good as nothing, and beyond what intervals can be computed at."""
_MOST_LOOKS = 5


class Sequential(StrictModel):
    """`looks`: shares of the planned items at which the gate may stop. `fail_fast`: whether a clear loss of quality
    may end it at any time in between."""

    looks: Annotated[tuple[Annotated[float, Field(ge=0.05, le=1)], ...], Field(strict=False)] = (0.5, 0.75, 1.0)
    fail_fast: bool = False

    @model_validator(mode="after")
    def _ascends_to_the_end(self) -> "Sequential":
        if self.looks[-1:] != (1.0,) or any(later - look < 0.01 for look, later in pairwise(self.looks)):
            raise ValueError("'looks' does not ascend to 1; write e.g. looks: [0.5, 0.75, 1.0]")
        if len(self.looks) > _MOST_LOOKS:
            raise ValueError(f"'looks' names {len(self.looks)} shares, and {_MOST_LOOKS} are the most")
        return self


@dataclass(frozen=True)
class Look:
    """Where a gate stands in its plan of looks.

    `number` counts from 1; 0 before the first look's items are run. Of each look: the `shares` and `items` of the
    plan, the one-sided error `alphas` it is tested at, and what is `spent` by then of the error of all together.
    `open_trials` of the next look are still to be run, `ungraded` outputs of it to be graded. `wealth` of the
    fail-fast process on the first `watched` items, None where it is not followed, and the wealth that ends the gate,
    None where it was not asked for; `made_up`: a judge may have made up the loss that it watches.
    """

    number: int
    shares: tuple[float, ...]
    items: tuple[int, ...]
    alphas: tuple[float, ...]
    spent: tuple[float, ...]
    open_trials: int = 0
    wealth: float | None = None
    wealth_needed: float | None = None
    watched: int = 0
    made_up: bool = False
    ungraded: int = 0

    @property
    def alpha(self) -> float:
        """What this look is tested at; before the first, what that will be."""
        return self.alphas[max(0, self.number - 1)]

    @property
    def is_last(self) -> bool:
        """Whether nothing is left to go on to."""
        return self.number == len(self.items)

    @property
    def next_share(self) -> float | None:
        """The share of the items that the next look needs; None after the last."""
        return None if self.is_last else self.shares[self.number]

    def overall_p(self, p: float) -> float:
        """A p-value of this look at the error of all looks together."""
        return stats.looks_p(p, max(1, self.number), [n / self.items[-1] for n in self.items])

    def __str__(self) -> str:
        of = f"at look {self.number}" if self.number else "before look 1"
        return f"{of} of {len(self.items)} ({self.items[max(0, self.number - 1)]:,} of {self.items[-1]:,} items)"


def look_of(
    sides: Sequence[tuple[Snapshot, str]], asked: Sequential, alpha: float, ungraded: Sequence[str] = ()
) -> Look:
    """The last look whose items have been run, all epochs of them, by the models of both sides, and graded.

    `ungraded`: the item of each output that still waits for a verdict. What was run or graded beyond the look does not
    count before the next one is whole, so calling at other moments changes nothing. Raises IntegrityError for runs
    whose orders differ, UsageError for a context sweep.
    """
    orders = {order_of(snapshot) for snapshot, _ in sides}
    if len(orders) > 1:
        raise IntegrityError("baseline and candidate have other seeds, so their looks hold other items; use one seed")
    order = orders.pop()
    by_items = {first(share, len(order)): share for share in asked.looks}  # a tiny set may have fewer looks
    at = tuple(by_items)
    information = [n / len(order) for n in at]
    places = {item: place for place, item in enumerate(order)}
    unsettled = [places[item] for snapshot, model in sides for item in _unsettled(snapshot, model)]
    waiting = [places[item] for item in ungraded]
    whole = min((*unsettled, *waiting), default=len(order))
    number = sum(n <= whole for n in at)
    return Look(
        number=number,
        shares=tuple(by_items.values()),
        items=at,
        alphas=tuple(max(_LEAST_ALPHA, one) for one in stats.look_alphas(information, alpha)),
        spent=tuple(stats.alpha_spent(information, alpha)),
        open_trials=0 if number == len(at) else sum(place < at[number] for place in unsettled),
        ungraded=0 if number == len(at) else sum(place < at[number] for place in waiting),
    )


def order_of(snapshot: Snapshot) -> tuple[str, ...]:
    """The items in the order in which looks take them; UsageError for a context sweep."""
    if snapshot.spec.contexts:
        raise UsageError("looks do not go with a context sweep; gate a run of one size, or drop `sequential`")
    return staged_order(snapshot.items, snapshot.spec.seed)


def up_to(snapshot: Snapshot, look: Look) -> Snapshot:
    """The part of a run that a look may judge."""
    kept = set(order_of(snapshot)[: look.items[look.number - 1]])
    trials = tuple(trial for trial in snapshot.trials if trial.key.item_id in kept)
    ids = {trial.id for trial in trials}
    return replace(
        snapshot,
        items=tuple(item for item in snapshot.items if item.id in kept),
        sizes=tuple(size for size in snapshot.sizes if size.item_id in kept),
        trials=trials,
        attempts=tuple(attempt for attempt in snapshot.attempts if attempt.trial_id in ids),
        grades=tuple(grade for grade in snapshot.grades if grade.trial_id in ids),
        corrections=tuple(one for one in snapshot.corrections if one.trial_id in ids),
        markings=tuple(one for one in snapshot.markings if one.trial_id in ids),
        preferences=tuple(one for one in snapshot.preferences if {one.first_trial_id, one.second_trial_id} <= ids),
    )


def _unsettled(snapshot: Snapshot, model: str) -> list[str]:
    """The item of each trial of a model that is still to be run, or to be tried again."""
    settled = {attempt.trial_id for attempt in snapshot.attempts if attempt.final and attempt.grader is None}
    return [t.key.item_id for t in snapshot.trials if t.key.model == model and t.id not in settled]
