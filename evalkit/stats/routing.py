"""Value of a policy that chooses between sides item by item: cascade, hull, tuned threshold, oracle."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.frozen import dataclass
from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.inputs import (
    FloatArray,
    Table,
    Values,
    as_array,
    check_confidence,
    check_same_length,
    check_whole,
    is_constant,
    numbers,
)
from evalkit.stats.plain import Plain
from evalkit.stats.rates import two_sided_t

CROSS_FITTED = "cross-fitted, t one step wider than its label"
SPLIT_EPOCH = "split-epoch oracle, t"
FOLDS = 5
_DIGITS = 12
"""Decimals of an area: beyond them is rounding, in which one more policy would look like a gain."""


@dataclass(frozen=True, slots=True)
class Cascade(Plain):
    """Per item: `satisfied` in [0, 1], `cost` in the unit given, `escalated` True where the second side was asked."""

    satisfied: tuple[float, ...]
    cost: tuple[float, ...]
    escalated: tuple[bool, ...]


def cascade(
    first_satisfied: Values,
    first_cost: Values,
    score: Values,
    second_satisfied: Values,
    second_cost: Values,
    threshold: float,
) -> Cascade:
    """Outcomes of asking the first side and, where `score` is below `threshold`, the second one too; costs add up.

    One entry per item in the same order; satisfied in [0, 1], costs >= 0 (USD). `score` must be known when the
    product runs: it is not the grade. Evaluate the per-item outcomes like those of any side. No item: empty tuples.
    Raises ValueError for bad values or different lengths. Source: cascades as in FrugalGPT (Chen, Zaharia and Zou
    2023).
    """
    lists = {
        "first_satisfied": numbers("first_satisfied", first_satisfied, 0, 1),
        "first_cost": numbers("first_cost", first_cost, 0),
        "score": numbers("score", score),
        "second_satisfied": numbers("second_satisfied", second_satisfied, 0, 1),
        "second_cost": numbers("second_cost", second_cost, 0),
    }
    check_same_length(**lists)
    numbers("threshold", [threshold])
    escalated = lists["score"] < threshold
    satisfied = np.where(escalated, lists["second_satisfied"], lists["first_satisfied"])
    cost = lists["first_cost"] + escalated * lists["second_cost"]
    return Cascade(tuple(satisfied.tolist()), tuple(cost.tolist()), tuple(escalated.tolist()))


def hull_area(costs: Values, qualities: Values) -> float | None:
    """Mean quality, in its unit, over the cost range under the non-decreasing concave hull of the points.

    Area / (c_max - c_min), as in the text of RouterBench (Hu 2024); its code divides by c_max instead. Costs
    in any unit, one point per policy. None without two different costs. Points of equal cost count with
    their best quality. Scaling or shifting all costs keeps it. Raises ValueError for bad values or different
    lengths.
    """
    check_same_length(costs=costs, qualities=qualities)
    c, q = numbers("costs", costs), numbers("qualities", qualities)
    area = float(hull_areas(c[None], q[None])[0]) if len(c) else math.nan
    return None if math.isnan(area) else area


def hull_areas(costs: FloatArray, qualities: FloatArray) -> FloatArray:
    """`hull_area` of each row, nan where there is none; one column per policy."""
    order = np.lexsort((-qualities, costs))
    x, y = (np.take_along_axis(values, order, axis=1) for values in (costs, qualities))
    width = np.ptp(x, axis=1, keepdims=True)
    x, y = (x - x[:, :1]) / np.where(width > 0, width, 1), np.maximum.accumulate(y, axis=1)
    hull = y.copy()
    for left, right in combinations(range(x.shape[1]), 2):  # the hull is the highest of all chords
        run = x[:, right] - x[:, left]
        rise = (y[:, right] - y[:, left]) / np.where(run > 0, run, 1)
        between = slice(left + 1, right)
        chord = y[:, left, None] + rise[:, None] * (x[:, between] - x[:, left, None])
        hull[:, between] = np.maximum(hull[:, between], np.where(run[:, None] > 0, chord, -np.inf))
    area = (np.diff(x, axis=1) * (hull[:, 1:] + hull[:, :-1])).sum(axis=1) / 2
    return np.where(width[:, 0] > 0, np.round(area, _DIGITS), np.nan)


def cross_fitted_value(
    values: Table, seed: int, baseline: Values | None = None, confidence: float = 0.95, folds: int = FOLDS
) -> Estimate:
    """Mean value of the best of several settings, chosen on other items than those it is valued on.

    `values`: items x settings (thresholds), in any unit, higher is better. Items are dealt to `folds` by
    `seed`; in each fold the setting counts that is best (first of ties) on all others. With `baseline`, a
    value per item, the difference to it. The limits are t at half the error asked for (97.5 % for 95 %),
    since choosing links the folds (Bates, Hastie and Tibshirani 2024); so they may be trusted for at most two
    tuned numbers at 100 items. n = 0, or fewer than 2 items: no value. All item values equal: no bounds.
    Raises ValueError for bad values or lengths, no setting, folds below 2.
    """
    check_confidence(confidence)
    check_whole(folds=folds)
    table = _table("values", values, 2)
    n = len(table)
    if table.shape[1] == 0 or folds < 2:
        raise ValueError(f"{table.shape[1]} settings in {folds} folds: one or more, in two or more, are needed")
    compared = np.zeros(n) if baseline is None else numbers("baseline", baseline)
    check_same_length(values=table, baseline=compared)
    if n < 2:
        return no_estimate(f"{n} items: choosing and valuing need at least two", confidence, CROSS_FITTED, n)
    fold = np.random.default_rng(seed).permutation(n) % min(folds, n)
    chosen = np.empty(n)
    for part in range(min(folds, n)):
        held = fold == part
        chosen[held] = table[held, int(np.argmax(table[~held].mean(axis=0)))]
    return _t_estimate(chosen - compared, 1 - (1 - confidence) / 2, confidence, CROSS_FITTED)


def _t_estimate(values: FloatArray, level: float, confidence: float, method: str) -> Estimate:
    n, mean = len(values), float(values.mean())
    if n == 1 or is_constant(values, float(np.abs(values).max())):
        return Estimate(mean, None, None, confidence, n, method, ("no spread between items: no interval",))
    half = two_sided_t(level, n - 1) * float(values.std(ddof=1)) / n**0.5
    return Estimate(mean, mean - half, mean + half, confidence, n, method)


def realised_oracle(outcomes: Table) -> float | None:
    """Mean over items of the best outcome seen on any side: an upper bound, inflated by luck, never a target.

    `outcomes`: items x sides, one trial each, in any unit. Three equal sides with rate .8 give .992. None
    without items. Raises ValueError for bad values or no side.
    """
    table = _table("outcomes", outcomes, 2)
    if table.shape[1] == 0:
        raise ValueError("outcomes has no side")
    return float(table.max(axis=1).mean()) if len(table) else None


def split_epoch_oracle(outcomes: Sequence[Table] | npt.NDArray[Any], confidence: float = 0.95) -> Estimate:
    """Mean value of choosing the best side per item on one half of the epochs and valuing it on the other.

    `outcomes`: items x sides x epochs, at least two epochs, in any unit. Both halves serve both ways; of an
    odd number the larger half comes first; ties share. Equal sides give their common rate. t interval on
    items. n = 0: no value; n = 1 or no spread: no bounds. Raises ValueError for fewer epochs, no side, nan.
    """
    check_confidence(confidence)
    table = _table("outcomes", outcomes, 3)
    items, sides, epochs = table.shape
    if sides == 0 or epochs < 2:
        raise ValueError(f"{sides} sides with {epochs} epochs: one or more, with two or more, are needed")
    if items == 0:
        return no_estimate("no items", confidence, SPLIT_EPOCH)
    half = (epochs + 1) // 2
    first, second = table[:, :, :half].mean(axis=2), table[:, :, half:].mean(axis=2)
    return _t_estimate((_best(first, second) + _best(second, first)) / 2, confidence, confidence, SPLIT_EPOCH)


def _best(choose_by: FloatArray, value_by: FloatArray) -> FloatArray:
    best = choose_by >= choose_by.max(axis=1, keepdims=True) - 1e-12 * np.abs(choose_by).max(axis=1, keepdims=True)
    return np.asarray((best * value_by).sum(axis=1) / best.sum(axis=1))


def _table(name: str, values: Any, dimensions: int) -> FloatArray:
    array = as_array(name, values)
    if array.shape == (0,):  # no items, as an empty list has them: of one setting or side with two epochs, as it were
        array = array.reshape((0, 1, 2)[:dimensions])
    if array.ndim != dimensions:
        raise ValueError(f"{name} has {array.ndim} dimensions, not {dimensions}")
    numbers(name, array.ravel())
    return array
