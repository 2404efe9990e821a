"""How a rate falls along an ordered condition (input length) tried on the same items."""

from collections.abc import Sequence

import numpy as np

from evalkit.frozen import dataclass
from evalkit.stats.estimate import Estimate
from evalkit.stats.gate_rule import shows_noninferiority
from evalkit.stats.inputs import FloatArray, Table, Values, as_array, check_same_length, numbers
from evalkit.stats.paired import paired_means
from evalkit.stats.plain import Plain


@dataclass(frozen=True, slots=True)
class EffectiveLength(Plain):
    """`length`: the longest that holds, None without items. `held`: all that do. `failed_at`: the first that fails."""

    length: float | None
    held: tuple[float, ...]
    failed_at: float | None


def effective_length(
    outcomes: Table, lengths: Values, margin: float = 0.10, alpha: float = 0.05, epochs: int | None = None
) -> EffectiveLength:
    """The longest length at which the rate is shown not to be lower than at the shortest by `margin` or more.

    `outcomes`: items x lengths, item means in [0, 1]; `lengths` > 0, ascending, in any unit. Each length in turn is
    tested against the first with `shows_noninferiority`; the first failure ends it, so no correction is needed
    (fixed sequence). The shortest length always holds. n = 0 items: None. Raises ValueError for bad values, lengths
    that do not ascend or do not fit, and as `shows_noninferiority`. Source: fixed-sequence testing (Maurer, Hothorn
    and Lehmacher 1995).
    """
    table, x = curve_table(outcomes, lengths)
    held: list[float] = []
    for column, length in enumerate(x.tolist()):
        if not len(table):
            return EffectiveLength(None, (), None)
        if column and not shows_noninferiority(table[:, column], table[:, 0], margin, alpha, epochs):
            return EffectiveLength(held[-1], tuple(held), length)
        held.append(length)
    return EffectiveLength(held[-1], tuple(held), None)


def curve_table(outcomes: Table, lengths: Values) -> tuple[FloatArray, FloatArray]:
    """Outcomes (items x lengths, in [0, 1]) and ascending lengths (> 0); ValueError unless they fit together."""
    x = numbers("lengths", lengths, 1e-9)
    table = as_array("outcomes", outcomes)
    if table.size == 0:
        table = table.reshape(0, len(x))
    if not len(x) or (np.diff(x) <= 0).any():
        raise ValueError(f"lengths = {x.tolist()} must ascend, and be at least one")
    if table.ndim != 2 or table.shape[1] != len(x):
        raise ValueError(f"outcomes has shape {table.shape}; items x {len(x)} lengths are needed")
    numbers("outcomes", table.ravel(), 0, 1)
    return table, x


def isotonic_rates(rates: Values, weights: Values | None = None) -> list[float]:
    """The non-increasing rates closest to those given (weighted least squares, pooled neighbours).

    `rates` in [0, 1] in the order of the lengths; `weights` > 0 (items), default equal. Already non-increasing
    rates stay; none give an empty list. Raises ValueError for bad values or different lengths. Source: pooled
    adjacent violators (Ayer et al. 1955).
    """
    y = numbers("rates", rates, 0, 1)
    w = np.ones(len(y)) if weights is None else numbers("weights", weights, 1e-9)
    check_same_length(rates=y, weights=w)
    if not len(y):
        return []
    from scipy import optimize  # a quarter of a second, for context sweeps alone

    fitted = optimize.isotonic_regression(y, weights=w, increasing=False).x
    return [float(x) for x in np.clip(fitted, 0, 1)]


def slope_difference(candidate: Table, baseline: Table, lengths: Sequence[float], confidence: float = 0.95) -> Estimate:
    """By how much more (+) or less (-) the candidate's rate rises per doubling of length; paired t on items.

    Both: items x lengths in [0, 1], same items; at least two ascending lengths > 0. Per item the least-squares
    slope on log2(length), candidate minus baseline. n = 0, n = 1 and no spread as in `paired_means`. Swapping the
    sides negates it. Raises ValueError for bad values or shapes. Source: Student (1908), on item slopes.
    """
    tables = [curve_table(outcomes, lengths) for outcomes in (candidate, baseline)]
    x = np.log2(tables[0][1])
    if len(x) < 2:
        raise ValueError("lengths has one entry; a slope needs two")
    weights = (x - x.mean()) / float(((x - x.mean()) ** 2).sum())
    slopes = [table @ weights for table, _ in tables]
    return paired_means(slopes[0], slopes[1], confidence)
