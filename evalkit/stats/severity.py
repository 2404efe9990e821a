"""How strict each grader is, and whether graders differ in their pass rates."""

import numpy as np

from evalkit.frozen import dataclass
from evalkit.stats import distributions as stats
from evalkit.stats.clusters import ItemNames, item_codes, item_sums, renumbered
from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.gradings import SINGLE_GRADER, Grades, grade_table
from evalkit.stats.inputs import FloatArray, check_confidence, is_constant
from evalkit.stats.jackknife import jackknife_error
from evalkit.stats.plain import Plain
from evalkit.stats.rates import two_sided_t

SEVERITY = "additive items and graders, leave-one-item-out jackknife, t"
NOT_LINKED = "the graders are not linked by common items; their severity cannot be compared"


def grader_severity(ratings: Grades, confidence: float = 0.95, *, items: ItemNames = None) -> list[Estimate]:
    """Each grader's mean above (+, lenient) or below (-, strict) the average grader, in rating units.

    `ratings`: graders x items, nan or None = missing. Least squares of rating on item and grader, which for a
    complete table is the grader's mean minus the grand mean; interval by leaving out one item at a time, t with
    items - 1 degrees of freedom; `items` names each column's where some have several. n counts items with two
    ratings. Fewer than two such items, or no spread between items: values without bounds. No such item, or graders
    that share no items: no values and a reason. No grader: an empty list. Raises ValueError for ragged or infinite
    ratings. Source: jackknife (Tukey 1958).
    """
    check_confidence(confidence)
    table = grade_table(ratings)
    there = ~np.isnan(table)
    paired = there.sum(axis=0) >= 2
    y, there = np.nan_to_num(table[:, paired]), there[:, paired]
    codes = renumbered(item_codes(items, table.T)[paired])
    graders, n = len(y), int(codes.max(initial=-1)) + 1
    if n == 0:
        return [no_estimate(SINGLE_GRADER, confidence, SEVERITY)] * graders
    links, sums = (item_sums(part, codes) for part in _normal_equations(y, there))
    if np.linalg.matrix_rank(links.sum(axis=0)) < graders - 1:
        return [no_estimate(NOT_LINKED, confidence, SEVERITY, n)] * graders
    values = _effects(links.sum(axis=0), sums.sum(axis=0))
    left_out = _effects(links.sum(axis=0) - links, sums.sum(axis=0) - sums)
    return [_one(values[g], left_out[:, g], float(np.abs(y).max()), confidence) for g in range(graders)]


def _normal_equations(
    y: FloatArray, there: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
) -> tuple[FloatArray, FloatArray]:
    """Per unit, its share of the normal equations of the grader effects once item effects are eliminated."""
    present = there.T.astype(np.float64)
    sizes = present.sum(axis=1)
    links = present[:, :, None] * np.eye(len(y)) - present[:, :, None] * present[:, None, :] / sizes[:, None, None]
    means = (y.T * present).sum(axis=1) / sizes
    return links, (y.T - means[:, None]) * present


def _effects(links: FloatArray, sums: FloatArray) -> FloatArray:
    """The solution of least length, whose effects sum to 0; leading axes hold one system each."""
    effects: FloatArray = np.matvec(np.linalg.pinv(links, hermitian=True), sums)
    return effects


def _one(value: float, left_out: FloatArray, size: float, confidence: float) -> Estimate:
    n = len(left_out)
    if n == 1 or is_constant(left_out, size):
        warning = "one item gives no interval" if n == 1 else "all items show the same difference: no interval"
        return Estimate(float(value), None, None, confidence, n, SEVERITY, (warning,))
    half = two_sided_t(confidence, n - 1) * float(jackknife_error(left_out))
    return Estimate(float(value), float(value) - half, float(value) + half, confidence, n, SEVERITY)


@dataclass(frozen=True, slots=True)
class CochranQ(Plain):
    """`statistic` >= 0, its chi-squared p-value in [0, 1], `df` >= 1, and `items` that every grader rated."""

    statistic: float
    p: float
    df: int
    items: int


def cochran_q(flags: Grades) -> CochranQ | None:
    """Cochran's (1950) Q: do graders (or any conditions) have one pass rate on the same items?

    `flags`: graders x items, 0 or 1, nan or None = missing; items with a gap are left out. None when fewer
    than two graders, no complete item, or every item unanimous, since then nothing can be tested. Raises
    ValueError for other values than 0 and 1.
    """
    table = grade_table(flags)
    wrong = table[~np.isnan(table) & ~np.isin(table, (0.0, 1.0))]
    if wrong.size:
        raise ValueError(f"flag {wrong[0]:g} is neither 0 nor 1")
    x = table[:, ~np.isnan(table).any(axis=0)]
    k, n = x.shape
    rows, columns = x.sum(axis=1), x.sum(axis=0)
    spread = float(k * columns.sum() - (columns**2).sum())
    if k < 2 or spread == 0:
        return None
    statistic = float((k - 1) * (k * (rows**2).sum() - rows.sum() ** 2)) / spread
    return CochranQ(statistic, float(stats.chi2.sf(statistic, k - 1)), k - 1, n)
