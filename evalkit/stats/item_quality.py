"""Whether the items can tell sides apart: ceiling, floor, difficulty, item-rest correlation."""

import numpy as np
import numpy.typing as npt

from evalkit.frozen import dataclass
from evalkit.stats.inputs import FloatArray, Table, as_array, numbers
from evalkit.stats.plain import Plain

FEWEST_CELLS = 9
ROUNDING = 1e-12  # correlations and spreads closer to 0 than this are 0 but for rounding


@dataclass(frozen=True, slots=True)
class ItemQuality(Plain):
    """What the items of a set are worth; shares in [0, 1] of the rated items, None without any.

    `ceiling`: every cell passes; `floor`: none does; `discriminating`: the rest. Per item, None where it has
    no rating: `difficulty` = 1 - mean pass, `item_rest` = correlation with the mean of the other items over
    the cells (None too where it cannot be computed or cells are too few). `check` lists the items whose
    correlation is below 0, by more than rounding: an ambiguous criterion or a wrong reference. `warnings` are
    whole sentences.
    """

    ceiling: float | None
    floor: float | None
    discriminating: float | None
    difficulty: tuple[float | None, ...]
    item_rest: tuple[float | None, ...]
    check: tuple[int, ...]
    warnings: tuple[str, ...]


def item_quality(outcomes: Table) -> ItemQuality:
    """Judge the items by their passes: `outcomes` is items x cells (side x epoch x grader), in [0, 1], nan = missing.

    Item-rest correlations need at least 9 cells. Fewer than 30 % discriminating items bring a warning. No item, or
    none with a rating: all None. Raises ValueError for values outside [0, 1] and other shapes. Source: classical
    test theory (Lord and Novick 1968).
    """
    table = as_array("outcomes", outcomes)
    table = table.reshape(len(table), 0) if table.size == 0 else table
    if table.ndim != 2:
        raise ValueError(f"outcomes has {table.ndim} dimensions; items x cells are needed")
    there = ~np.isnan(table)
    numbers("outcomes", table[there], 0, 1)
    sizes = there.sum(axis=1)
    means = np.where(there, table, 0).sum(axis=1) / np.maximum(sizes, 1)
    rated = sizes > 0
    difficulty = tuple(float(1 - m) if ok else None for m, ok in zip(means, rated, strict=True))
    enough = table.shape[1] >= FEWEST_CELLS
    rest = _item_rests(table) if enough else (None,) * len(table)
    check = tuple(i for i, r in enumerate(rest) if r is not None and r < -ROUNDING)
    if not rated.any():
        return ItemQuality(None, None, None, difficulty, rest, check, ("no item has a rating",))
    ceiling, floor = float((means[rated] == 1).mean()), float((means[rated] == 0).mean())
    between = float(((means[rated] > 0) & (means[rated] < 1)).mean())
    return ItemQuality(ceiling, floor, between, difficulty, rest, check, _warnings(between, enough, table.shape[1]))


def _warnings(discriminating: float, enough: bool, cells: int) -> tuple[str, ...]:
    warnings: tuple[str, ...] = ()
    if discriminating < 0.30:
        share = f"only {discriminating:.0%} of the items are" if discriminating else "no item is"
        few = f"{share} passed by some and failed by others"
        warnings += (f"{few}: this set can hardly tell sides apart",)
    if not enough:
        wanted = f"{cells}, at least {FEWEST_CELLS} are needed"
        warnings += (f"too few outputs of each item to tell which go against the rest: {wanted}",)
    return warnings


def _item_rests(table: FloatArray) -> tuple[float | None, ...]:
    """Each item's correlation with the mean of the others, from the sums over all items less its own part."""
    there = ~np.isnan(table)
    x = np.where(there, table, 0)
    others = there.sum(axis=0) - there
    shared = there & (others > 0)
    y = (x.sum(axis=0) - x) / np.maximum(others, 1)
    sizes = shared.sum(axis=1)
    dx, dy = (np.where(shared, side - _mean(side, shared, sizes), 0) for side in (x, y))
    size = np.sqrt((dx * dx).sum(axis=1) * (dy * dy).sum(axis=1))
    known = (sizes >= FEWEST_CELLS) & (size > ROUNDING)
    found = np.clip((dx * dy).sum(axis=1) / np.where(known, size, 1), -1, 1)
    return tuple(float(r) if ok else None for r, ok in zip(found, known, strict=True))


def _mean(side: FloatArray, shared: npt.NDArray[np.bool_], sizes: npt.NDArray[np.int64]) -> FloatArray:
    """Each item's mean over its shared cells, as a column."""
    return np.asarray((np.where(shared, side, 0).sum(axis=1) / np.maximum(sizes, 1))[:, None])
