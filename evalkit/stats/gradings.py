"""Tables of grades, graders x items, with gaps."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from evalkit.frozen import dataclass
from evalkit.stats.clusters import Codes, ItemNames, item_codes, renumbered
from evalkit.stats.inputs import LARGEST, FloatArray, as_array, numbers

Grades = Sequence[Sequence[float | None]] | npt.NDArray[np.float64]

NO_VARIATION = "no variation; agreement cannot be assessed"
SINGLE_GRADER = "no item has two graders; agreement cannot be assessed"


def grade_table(ratings: Grades) -> FloatArray:
    """Ratings as a float array, graders x items, nan where a rating is missing; a row of a pandas table is a grader.

    Raises ValueError for rows of different lengths and for infinite or huge ratings.
    """
    by_grader = ratings.to_numpy() if hasattr(ratings, "to_numpy") else ratings  # a table of pandas names columns first
    rows = [as_array(f"ratings[{grader}]", row) for grader, row in enumerate(by_grader)]
    if any(row.ndim != 1 for row in rows):
        raise ValueError("ratings is not made of one flat list for each grader")
    sizes = {len(row) for row in rows}
    if len(sizes) > 1:
        raise ValueError(f"ratings has rows of {min(sizes)} to {max(sizes)} items; every grader needs the same items")
    table = np.array(rows, dtype=np.float64).reshape(len(rows), sizes.pop() if sizes else 0)
    bad = np.argwhere(np.abs(np.nan_to_num(table, posinf=np.inf, neginf=-np.inf)) > LARGEST)
    if len(bad):
        grader, item = bad[0]
        raise ValueError(f"ratings[{grader}][{item}] = {table[grader, item]} is not a finite number")
    return table


@dataclass(frozen=True, slots=True)
class GradeCounts:
    """How many graders gave each item each category.

    `counts`: units x categories; `categories`: their values, ascending; `codes`: the item of each unit, numbered
    without gaps. Units without a rating have no row.
    """

    counts: FloatArray
    categories: FloatArray
    codes: Codes

    @property
    def items(self) -> int:
        """Independent units: repeats of one item count once."""
        return int(self.codes.max(initial=-1)) + 1

    def paired(self) -> "GradeCounts":
        """Only the units with at least two ratings."""
        there = self.counts.sum(axis=1) >= 2
        return GradeCounts(self.counts[there], self.categories, renumbered(self.codes[there]))


def count_grades(ratings: Grades, categories: Sequence[float] | None = None, items: ItemNames = None) -> GradeCounts:
    """Count ratings per unit and category; the categories are those seen unless they are given.

    Raises ValueError for a rating outside the given categories.
    """
    table = grade_table(ratings)
    seen = np.unique(table[~np.isnan(table)])
    values = seen if categories is None else np.unique(numbers("categories", categories))
    stray = seen[~np.isin(seen, values)]
    if stray.size:
        raise ValueError(f"rating {stray[0]:g} is not one of the categories {values.tolist()}")
    counts = (table[:, :, None] == values).sum(axis=0).astype(np.float64)
    there = counts.sum(axis=1) > 0
    return GradeCounts(counts[there], values, renumbered(item_codes(items, table.T)[there]))


def refusal(grades: GradeCounts) -> str | None:
    """Why agreement cannot be assessed, or None: no item with two ratings, or one category only."""
    if not len(grades.paired().counts):
        return SINGLE_GRADER
    return NO_VARIATION if (grades.counts.sum(axis=0) > 0).sum() < 2 else None
