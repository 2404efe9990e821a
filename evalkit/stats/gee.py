"""Logistic regression on outputs that come item by item: generalised estimating equations (Liang and Zeger 1986)."""

import numpy as np

from evalkit.frozen import dataclass
from evalkit.stats.clusters import Codes, item_sums
from evalkit.stats.inputs import FloatArray

STEPS = 200
FARTHEST = 25.0  # log odds beyond it mean that the fit runs off to infinity
_CLOSE = 1e-10
_NOTHING = 1e-20


@dataclass(frozen=True)
class Fit:
    """Log odds of each column, their covariances, and the working correlation of two outputs of one item."""

    beta: FloatArray
    covariance: FloatArray
    correlation: float


def logistic(
    y: FloatArray, design: FloatArray, codes: Codes, *, exchangeable: bool = True, bias_reduced: bool = True
) -> Fit | None:
    """The coefficients of `design` (outputs x columns) for `y` in [0, 1]; `codes` numbers each output's item from 0.

    All items at once, to the figures of statsmodels, which takes longer to load than a report does to make. The working
    correlation is the same for any two outputs of an item, or none. The variance is that of Mancl and
    DeRouen (2001), which makes up for how far items draw the fit to themselves; `bias_reduced=False` gives the plain
    robust one, too small below 50 items. None where no finite fit exists.
    """
    with np.errstate(all="ignore"):  # of fits that run off, which are refused below
        try:
            return _fitted(y, design, codes, exchangeable, bias_reduced)
        except np.linalg.LinAlgError:  # separated: the weights have run off
            return None


def _fitted(y: FloatArray, design: FloatArray, codes: Codes, exchangeable: bool, bias_reduced: bool) -> Fit | None:
    beta, rho, moved = np.zeros(design.shape[1]), 0.0, np.inf
    for related in (False, True) if exchangeable else (False,):  # from where outputs are taken as unrelated
        moved = np.inf
        for _ in range(STEPS):
            score, information = _equations(y, design, codes, beta, rho)
            step = np.linalg.solve(information.sum(axis=0), score.sum(axis=0))
            beta = beta + step
            before, rho = rho, _correlation(y, design, codes, beta) if related else 0.0
            moved = max(float(np.abs(step).max()), abs(rho - before))
            if not moved > _CLOSE:
                break
    if not (moved <= _CLOSE and np.abs(design @ beta).max() < FARTHEST):
        return None
    score, information = _equations(y, design, codes, beta, rho)
    whole = information.sum(axis=0)
    others = whole - information if bias_reduced else np.broadcast_to(whole, information.shape)
    pulls = np.linalg.solve(others, score[..., None])[..., 0]  # Mancl and DeRouen's, by Woodbury's identity
    covariance = pulls.T @ pulls
    return Fit(beta, covariance, rho) if np.isfinite(covariance).all() else None


def _equations(
    y: FloatArray, design: FloatArray, codes: Codes, beta: FloatArray, rho: float
) -> tuple[FloatArray, FloatArray]:
    """Score and information of each item."""
    residual, spread = _residuals(y, design, beta)
    slopes = design * spread[:, None]
    shared = rho / ((1 - rho) * (1 + rho * (item_sums(np.ones(len(y)), codes) - 1)))
    sums = item_sums(slopes, codes)
    score = item_sums(slopes * residual[:, None], codes) / (1 - rho)
    information = item_sums(slopes[:, :, None] * slopes[:, None, :], codes) / (1 - rho)
    return (
        score - shared[:, None] * sums * item_sums(residual, codes)[:, None],
        information - shared[:, None, None] * sums[:, :, None] * sums[:, None, :],
    )


def _residuals(y: FloatArray, design: FloatArray, beta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Pearson residuals, and the standard deviation of each output."""
    chance = 1 / (1 + np.exp(-(design @ beta)))
    spread = np.sqrt(chance * (1 - chance))
    return (y - chance) / spread, spread


def _correlation(y: FloatArray, design: FloatArray, codes: Codes, beta: FloatArray) -> float:
    """By moments; 0 where there are no more pairs of outputs than columns."""
    residual, _ = _residuals(y, design, beta)
    sizes = item_sums(np.ones(len(y)), codes)
    columns, pairs = design.shape[1], float((sizes * (sizes - 1)).sum()) / 2
    if pairs <= columns:
        return 0.0
    squares = np.square(residual).sum()
    if squares <= _NOTHING * len(y):  # a perfect fit leaves nothing to relate
        return 0.0
    together = (np.square(item_sums(residual, codes)).sum() - squares) / 2
    return float(together / (squares / (len(y) - columns)) / (pairs - columns))
