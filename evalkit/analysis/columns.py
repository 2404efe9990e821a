"""One model's trials as columns of numbers, the trials of an item side by side: what figures are worked out from."""

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import get_args

import numpy as np
import numpy.typing as npt

from evalkit.analysis.trials import MEASURES, TrialResult
from evalkit.frozen import dataclass
from evalkit.records import Outcome

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
LEVEL = "level_"
"""What the name of a criterion's column begins with."""


@dataclass(frozen=True)
class Columns:
    """Trials, each with a place in every array.

    `items`: ids in ascending order, each of a trial; `item`: where that of each trial stands among them, ascending too.
    `outcome`: where each trial's stands among `OUTCOMES`, -1 for none yet. `numbers`: by name, nan where unknown.
    Epochs count from 1.
    """

    items: tuple[str, ...]
    item: IntArray
    epoch: IntArray
    outcome: IntArray
    numbers: Mapping[str, FloatArray]

    def __len__(self) -> int:
        return len(self.item)

    @cached_property
    def _begins(self) -> IntArray:
        """Where each item's trials begin, and last where all end."""
        return np.searchsorted(self.item, np.arange(len(self.items) + 1))

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {name: place for place, name in enumerate(self.items)}

    @cached_property
    def unpriced(self) -> bool:
        """Whether any trial that has ended has no price: then no money figure of the model can be given."""
        return bool(np.isnan(self.numbers["cost_usd"][self.outcome >= 0]).any())

    def of(self, items: Collection[str]) -> "Columns":
        """The trials of some items; takes as long as these are many."""
        places = sorted(self._places[name] for name in items if name in self._places)
        sizes = self._begins[1:][places] - self._begins[places]
        rows = np.repeat(self._begins[places] - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())
        return Columns(
            tuple(self.items[place] for place in places),
            np.repeat(np.arange(len(places)), sizes),
            self.epoch[rows],
            self.outcome[rows],
            {name: column[rows] for name, column in self.numbers.items()},
        )

    def by_item(self, name: str, among: npt.NDArray[np.bool_]) -> tuple[tuple[float, ...], ...]:
        """The numbers of the trials `among`, a tuple for each item that has any."""
        values, sizes = self.numbers[name][among].tolist(), np.bincount(self.item[among])
        ends = np.cumsum(sizes[sizes > 0]).tolist()
        return tuple(tuple(values[begin:end]) for begin, end in pairwise([0, *ends]))

    def means(self, name: str, among: npt.NDArray[np.bool_]) -> FloatArray:
        """The mean of the trials `among` of each item that has any."""
        items = self.item[among]
        sizes = np.bincount(items)
        return np.bincount(items, weights=self.numbers[name][among])[sizes > 0] / sizes[sizes > 0]

    def rate_if(self, ungraded: float) -> float:
        """The mean of the items' rates if each output without a verdict had this one; of trials that ended."""
        answered = self.outcome == OUTCOMES.index("answered")
        satisfied = np.where(answered, np.nan_to_num(self.numbers["satisfied"], nan=ungraded), 0.0)
        return float(replace(self, numbers={"satisfied": satisfied}).means("satisfied", self.outcome >= 0).mean())

    @cached_property
    def decided(self) -> "Decided":
        """The items with a verdict: the item is the unit."""
        return self._decided("satisfied")

    @cached_property
    def at_worst(self) -> "Decided":
        """The same with trials that failed on every attempt so far as failures."""
        return self._decided("at_worst")

    @cached_property
    def at_best(self) -> "Decided":
        """The same with these as satisfactory."""
        return self._decided("at_best")

    @cached_property
    def is_open(self) -> bool:
        """Whether any trial failed on every attempt so far."""
        return bool((np.isnan(self.numbers["satisfied"]) & ~np.isnan(self.numbers["at_worst"])).any())

    def _decided(self, name: str) -> "Decided":
        known = ~np.isnan(self.numbers[name])
        trials = np.bincount(self.item[known], minlength=len(self.items))
        items = tuple(self.items[place] for place in np.flatnonzero(trials).tolist())
        return Decided(items, self.means(name, known), self.means("cost_usd", known), trials[trials > 0])


@dataclass(frozen=True)
class Decided:
    """Items of one model that have a verdict: ids, ascending, and of each the share of `trials` that satisfied and
    their mean cost in USD, nan where one is unpriced."""

    items: tuple[str, ...]
    satisfied: FloatArray
    cost_usd: FloatArray
    trials: IntArray

    def __len__(self) -> int:
        return len(self.items)

    def among(self, items: Set[str]) -> "Decided":
        """Those that are among `items`."""
        kept = np.array([place for place, name in enumerate(self.items) if name in items], dtype=np.int64)
        names = tuple(self.items[place] for place in kept.tolist())
        return Decided(names, self.satisfied[kept], self.cost_usd[kept], self.trials[kept])


def in_all(sides: Sequence[Decided]) -> list[Decided]:
    """Each side on the items that all of them have."""
    if all(side.items == sides[0].items for side in sides[1:]):
        return list(sides)
    common = set(sides[0].items).intersection(*(side.items for side in sides[1:]))
    return [side.among(common) for side in sides]


def columns_of(results: Sequence[TrialResult], criteria: Iterable[str]) -> Columns:
    """The trials of one model, with a column for each of the `criteria`; an item's trials stay in their order."""
    items = sorted({result.key.item_id for result in results})
    places = {name: place for place, name in enumerate(items)}
    item = np.array([places[result.key.item_id] for result in results], dtype=np.int64)
    rows = np.argsort(item, kind="stable")
    codes = {outcome: code for code, outcome in enumerate(OUTCOMES)}
    outcome = np.array([-1 if r.outcome is None else codes[r.outcome] for r in results], dtype=np.int64)
    numbers = {name: [read(result) for result in results] for name, read in MEASURES.items()}
    numbers |= {f"{LEVEL}{name}": [result.levels.get(name) for result in results] for name in criteria}
    arrays = {name: np.array(values, dtype=np.float64)[rows] for name, values in numbers.items()}
    epoch = np.array([result.key.epoch for result in results], dtype=np.int64)
    return Columns(tuple(items), item[rows], epoch[rows], outcome[rows], arrays)
