"""Logistic curve of a rate against the logarithm of a length, on repeated items (GEE)."""

from typing import Literal

import numpy as np

from evalkit.frozen import dataclass
from evalkit.stats.context import curve_table
from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.gee import logistic
from evalkit.stats.inputs import FloatArray, Table, Values, check_confidence
from evalkit.stats.logscale import scaled
from evalkit.stats.plain import Plain
from evalkit.stats.rates import two_sided_t

GEE = "logistic GEE, t"
SEPARATED = "the lengths separate success from failure, or all outcomes are alike: no curve, show the rates alone"
UNSETTLED = "the equations of the curve have no stable solution: no curve, show the rates alone"


@dataclass(frozen=True, slots=True)
class LogisticCurve(Plain):
    """log odds = intercept + slope * log2(length); the intercept holds at length 1.

    `*_error`: standard errors of the log odds. `odds_ratio` per doubling of length, > 0. `correlation`: working
    correlation of two lengths of one item. All but `odds_ratio` are None where no curve exists.
    """

    intercept: float | None
    slope: float | None
    intercept_error: float | None
    slope_error: float | None
    correlation: float | None
    odds_ratio: Estimate


def logistic_per_doubling(
    outcomes: Table,
    lengths: Values,
    confidence: float = 0.95,
    *,
    working: Literal["exchangeable", "independence"] = "exchangeable",
    bias_reduced: bool = True,
) -> LogisticCurve:
    """Odds ratio of success per doubling of length, from items tried at every length (Liang and Zeger 1986).

    `outcomes`: items x lengths, item means in [0, 1]; `lengths` > 0, ascending, at least two. Generalised
    estimating equations (`gee.logistic`) with the variance of Mancl and DeRouen (2001), t with items - 2 degrees of
    freedom; `bias_reduced=False` gives the plain robust errors, too small below 50 items. Rates of 0 or 1 that no
    finite curve fits, items that never change, and fewer than 3 items: no value and a reason. Raises ValueError for
    bad values.
    """
    check_confidence(confidence)
    table, x = curve_table(outcomes, lengths)
    if len(x) < 2:
        raise ValueError("lengths has one entry; a curve needs two")
    n = len(table)
    if n < 3:
        return _no_curve(f"{n} items: a curve needs at least three", confidence, n)
    if _separated(table.mean(axis=0)):
        return _no_curve(SEPARATED, confidence, n)
    fitted = _fit(table, np.log2(x), working == "exchangeable", bias_reduced)
    ratio = None if fitted is None else scaled(1.0, fitted[0][1])
    if fitted is None or ratio is None:
        return _no_curve(UNSETTLED, confidence, n)
    beta, errors, rho = fitted
    half = two_sided_t(confidence, n - 2) * errors[1]
    if errors[1] * (np.log2(x[-1]) - np.log2(x[0])) <= 1e-6:  # nothing but rounding
        odds = Estimate(ratio, None, None, confidence, n, GEE, ("all items change alike: no interval",))
    else:
        odds = Estimate(ratio, scaled(ratio, -half), scaled(ratio, half), confidence, n, GEE)
    return LogisticCurve(beta[0], beta[1], errors[0], errors[1], rho, odds)


def _no_curve(reason: str, confidence: float, n: int) -> LogisticCurve:
    return LogisticCurve(None, None, None, None, None, no_estimate(reason, confidence, GEE, n))


def _separated(rates: FloatArray) -> bool:
    """Whether a step somewhere, up or down, leaves only rates of 1 on one side of it and only 0 on the other.

    A step may stand on a length, whose rate is then free; beyond all lengths, it means that all rates are alike.
    """
    places = np.arange(len(rates))
    side = np.sign(places - np.arange(-1, len(rates), 0.5)[:, None])
    steps = [((side > 0) & (up < 1)) | ((side < 0) & (up > 0)) for up in (rates, 1 - rates)]
    return any(bool((~wrong.any(axis=1)).any()) for wrong in steps)


def _fit(
    table: FloatArray, x: FloatArray, exchangeable: bool, bias_reduced: bool
) -> tuple[list[float], list[float], float] | None:
    """Coefficients of 1 and x, their errors, and the working correlation; None where the fit does not settle."""
    items, centre, spread = len(table), x.mean(), np.ptp(x)
    design = np.tile(np.column_stack([np.ones(len(x)), (x - centre) / spread]), (items, 1))
    codes = np.repeat(np.arange(items), len(x))
    found = logistic(table.ravel(), design, codes, exchangeable=exchangeable, bias_reduced=bias_reduced)
    if found is None:
        return None
    back = np.array([[1, -centre / spread], [0, 1 / spread]])
    beta, variances = back @ found.beta, np.diag(back @ found.covariance @ back.T)
    return beta.tolist(), np.sqrt(np.maximum(variances, 0)).tolist(), float(np.clip(found.correlation, -1, 1))
