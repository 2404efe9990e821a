"""Logistic curve of a rate against the logarithm of a length, on repeated items (GEE)."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from evalkit.stats.context import curve_table
from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.inputs import FloatArray, Table, Values, check_confidence
from evalkit.stats.logscale import scaled
from evalkit.stats.plain import Plain
from evalkit.stats.rates import two_sided_t

GEE = "logistic GEE, t"
SEPARATED = "the lengths separate success from failure, or all outcomes are alike: no curve, show the rates alone"
STEPS = 200
FARTHEST = 25.0  # log odds beyond it mean that the fit runs off to infinity


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
    estimating equations with the variance of Mancl and DeRouen (2001), t with items - 2 degrees of freedom;
    `bias_reduced=False` gives the plain robust errors, too small below 50 items. Rates of 0 or 1 that no
    finite curve fits, and fewer than 3 items: no value and a reason. Raises ValueError for bad values.
    """
    check_confidence(confidence)
    if working not in ("exchangeable", "independence"):
        raise ValueError(f"working = {working!r} is neither exchangeable nor independence")
    table, x = curve_table(outcomes, lengths)
    if len(x) < 2:
        raise ValueError("lengths has one entry; a curve needs two")
    n = len(table)
    if n < 3:
        return _no_curve(f"{n} items: a curve needs at least three", confidence, n)
    design = np.column_stack([np.ones(len(x)), np.log2(x)])
    fitted = _fit(table, design, working == "exchangeable")
    if fitted is None:
        return _no_curve(SEPARATED, confidence, n)
    beta, rho = fitted
    errors = np.sqrt(np.maximum(np.diag(_covariance(table, design, beta, rho, bias_reduced)), 0))
    ratio, half = math.exp(beta[1]), two_sided_t(confidence, n - 2) * float(errors[1])
    if errors[1] <= 1e-12:
        odds = Estimate(ratio, None, None, confidence, n, GEE, ("all items show the same fall: no interval",))
    else:
        odds = Estimate(ratio, scaled(ratio, -half), scaled(ratio, half), confidence, n, GEE)
    return LogisticCurve(float(beta[0]), float(beta[1]), float(errors[0]), float(errors[1]), rho, odds)


def _no_curve(reason: str, confidence: float, n: int) -> LogisticCurve:
    return LogisticCurve(None, None, None, None, None, no_estimate(reason, confidence, GEE, n))


def _fit(table: FloatArray, design: FloatArray, exchangeable: bool) -> tuple[FloatArray, float] | None:
    """Fisher scoring; all items share one design, so only their mean enters the equations."""
    centre = design[:, 1].mean()
    centred = design - [0, centre]
    mean, beta, rho = table.mean(axis=0), np.zeros(2), 0.0
    if np.ptp(mean) == 0 and mean[0] in (0, 1):
        return None
    for _ in range(STEPS):
        expected = special.expit(centred @ beta)
        rho = _working_correlation(table, expected) if exchangeable else 0.0
        slopes, inverse = _pieces(centred, expected, rho)
        step = np.linalg.solve(slopes.T @ inverse @ slopes, slopes.T @ inverse @ (mean - expected))
        beta = beta + step * min(1.0, 2 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(centred @ beta).max() > FARTHEST:
            return None
        if np.abs(step).max() < 1e-11:
            return np.array([beta[0] - beta[1] * centre, beta[1]]), rho
    return None


def _working_correlation(table: FloatArray, expected: FloatArray) -> float:
    """Moment estimate from the Pearson residuals, kept where the working matrix can be inverted."""
    items, k = table.shape
    residuals = (table - expected) / np.sqrt(expected * (1 - expected))
    scale = float((residuals**2).sum()) / (items * k - 2)
    pairs = items * k * (k - 1) / 2 - 2
    products = float((residuals.sum(axis=1) ** 2 - (residuals**2).sum(axis=1)).sum()) / 2
    return float(np.clip(products / pairs / scale, -0.9 / (k - 1), 0.95)) if scale > 0 else 0.0


def _pieces(design: FloatArray, expected: FloatArray, rho: float) -> tuple[FloatArray, FloatArray]:
    """Derivative of the means and inverse working covariance of one item."""
    variance = expected * (1 - expected)
    root = np.sqrt(variance)
    matrix = np.outer(root, root) * (rho + (1 - rho) * np.eye(len(root)))
    return design * variance[:, None], np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def _covariance(table: FloatArray, design: FloatArray, beta: FloatArray, rho: float, bias_reduced: bool) -> FloatArray:
    expected = special.expit(design @ beta)
    slopes, inverse = _pieces(design, expected, rho)
    bread = np.linalg.inv(len(table) * slopes.T @ inverse @ slopes)
    residuals = table - expected
    if bias_reduced:
        leverage = slopes @ bread @ slopes.T @ inverse
        residuals = residuals @ np.linalg.inv(np.eye(len(leverage)) - leverage).T
    scores = residuals @ inverse @ slopes
    return np.asarray(bread @ scores.T @ scores @ bread)
