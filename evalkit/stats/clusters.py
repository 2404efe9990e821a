"""Several units of one item, as repeats are: which belong together, and what they come to."""

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from evalkit.stats.inputs import FloatArray, check_same_length
from evalkit.stats.rates import cluster_design

Codes = npt.NDArray[np.int64]
ItemNames = Sequence[Hashable] | None


def item_codes(items: ItemNames, units: Sequence[object] | npt.NDArray[np.generic]) -> Codes:
    """A number from 0 on for the item of each unit, in order of appearance; None: every unit is an item of its own.

    Raises ValueError unless there is one name a unit, and for what cannot name anything.
    """
    if items is None:
        return np.arange(len(units))
    check_same_length(units=units, items=items)
    if not all(isinstance(item, Hashable) for item in items):
        raise ValueError("items holds something that cannot name an item: texts or numbers are needed")
    codes: dict[Hashable, int] = {}
    return np.array([codes.setdefault(item, len(codes)) for item in items], dtype=np.int64)


def renumbered(codes: Codes) -> Codes:
    """The same items, numbered without gaps."""
    return np.asarray(np.unique(codes, return_inverse=True)[1])


def item_sums(parts: FloatArray, codes: Codes) -> FloatArray:
    """Sums of the units (first axis) of each item, items in the order of their codes, which have no gaps."""
    sums = np.zeros((int(codes.max(initial=-1)) + 1, *parts.shape[1:]))
    np.add.at(sums, codes, parts)
    return sums


def effective_units(flags: FloatArray, codes: Codes) -> float:
    """Independent units that these flags (0 or 1) are worth (`cluster_design`); 0 without any."""
    if not len(flags):
        return 0.0
    codes = renumbered(codes)
    return cluster_design(item_sums(flags, codes), item_sums(np.ones(len(flags)), codes)).n_eff
