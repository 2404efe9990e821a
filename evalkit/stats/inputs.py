"""Checks of arguments: bad ones raise ValueError that names the value."""

import reprlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Values = Sequence[float] | npt.NDArray[Any]
Table = Sequence[Values] | npt.NDArray[Any]

LARGEST = 1e100  # squares and sums of squares of larger numbers would overflow
MOST_COUNT = 10**15  # larger counts are no longer exact, and take forever to count to
SMALLEST = 1e-100  # means below it count as 0: their ratios would overflow


def check_confidence(confidence: float) -> None:
    """Raise ValueError unless confidence is between 0 and 1, and at least 1e-9 away from both."""
    if not 1e-9 <= confidence <= 1 - 1e-9:
        raise ValueError(f"confidence = {confidence} is not between 0 and 1")


def check_share(name: str, share: float) -> None:
    """Raise ValueError unless share is between 0 and 1, and at least 1e-9 away from both."""
    if not 1e-9 <= share <= 1 - 1e-9:
        raise ValueError(f"{name} = {share} is not between 0 and 1")


def check_alpha(alpha: float) -> None:
    """Raise ValueError unless 0 < alpha < 1/2."""
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha = {alpha} is not between 0 and 0.5")


def check_quantile(q: float) -> None:
    """Raise ValueError unless q is between 0 and 1, and at least 1e-9 away from both."""
    if not 1e-9 <= q <= 1 - 1e-9:
        raise ValueError(f"q = {q} is not between 0 and 1")


def check_whole(**counts: float) -> None:
    """Raise ValueError unless every count, which may be a whole float, is from 0 to 10^15."""
    for name, count in counts.items():
        if not 0 <= count <= MOST_COUNT or count != int(count):
            raise ValueError(f"{name} = {reprlib.repr(count)} is not a whole number of at least 0{_at_most(count)}")


def _at_most(count: float) -> str:
    return f" and at most {MOST_COUNT:g}" if count > MOST_COUNT else ""


def check_within(n: int, **parts: float) -> None:
    """Raise ValueError unless n and all parts are whole, >= 0, and the parts sum to at most n."""
    check_whole(n=n, **parts)
    if sum(parts.values()) > n:
        named = " + ".join(f"{name} = {count}" for name, count in parts.items())
        raise ValueError(f"{named} is more than n = {n}")


def as_array(name: str, values: Any) -> FloatArray:
    """A float array of any shape, nan for None and pandas' NA; ValueError for what is no number or uneven rows."""
    try:
        array = np.asarray(values)
        if array.dtype.kind == "O":
            import pandas as pd  # only where there is an object that numpy cannot read

            array = np.where(pd.isna(array), np.nan, array)  # None, and pandas' NA, which is no float
        if array.dtype.kind in "biufO":
            return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        pass
    raise ValueError(f"{name} = {reprlib.repr(values)} is not made of numbers in rows of one length")


def whole_numbers(name: str, values: Values) -> FloatArray:
    """`numbers` that are whole and from 0 to 10^15."""
    array = numbers(name, values)
    broken = np.flatnonzero((array < 0) | (array != np.floor(array)) | (array > MOST_COUNT))
    if broken.size:
        first = array[broken[0]]
        raise ValueError(f"{name}[{broken[0]}] = {first} is not a whole number of at least 0{_at_most(first)}")
    return array


def numbers(name: str, values: Values, low: float = -LARGEST, high: float = LARGEST) -> FloatArray:
    """A one-dimensional float array of finite values in [low, high]; ValueError names the first offender."""
    array = as_array(name, values)
    if array.ndim != 1:
        raise ValueError(f"{name} has {array.ndim} dimensions; a flat list is needed")
    bad = np.flatnonzero(~((array >= low) & (array <= high)))
    if bad.size:
        raise ValueError(f"{name}[{bad[0]}] = {array[bad[0]]} is not a number from {low:g} to {high:g}")
    return array


def check_same_length(**lists: Sequence[Any] | npt.NDArray[Any]) -> None:
    """Raise ValueError unless all lists are equally long."""
    sizes = {name: len(values) for name, values in lists.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError("lengths differ: " + ", ".join(f"{name} has {size}" for name, size in sizes.items()))


def is_constant(values: FloatArray, scale: float) -> bool:
    """Whether values differ by no more than rounding, given the size of the numbers they were computed from."""
    return bool(np.ptp(values) <= 1e-12 * scale)


def trial_lists(costs: Sequence[Values], satisfied: Sequence[Values]) -> tuple[list[list[float]], list[list[float]]]:
    """Costs (>= 0) and successes (0 or 1), one list of trials per item; ValueError unless they fit together."""
    check_same_length(costs=costs, satisfied=satisfied)
    c = [numbers(f"costs[{i}]", row, 0).tolist() for i, row in enumerate(costs)]
    s = [numbers(f"satisfied[{i}]", row, 0, 1).tolist() for i, row in enumerate(satisfied)]
    for i, (row, flags) in enumerate(zip(c, s, strict=True)):
        check_same_length(**{f"costs[{i}]": row, f"satisfied[{i}]": flags})
        if not flags or any(flag not in (0, 1) for flag in flags):
            raise ValueError(f"satisfied[{i}] = {flags}: one or more trials, each 0 or 1, are needed")
    return c, s
