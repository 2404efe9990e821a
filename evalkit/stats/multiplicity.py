"""Adjusted p-values: Holm's for declared comparisons, false discovery rates for exploratory ones."""

import numpy as np

from evalkit.stats.inputs import FloatArray, Values, numbers


def holm(p_values: Values) -> list[float]:
    """Holm (1979) adjusted p-values, in the order given, each in [0, 1] and never below its own p.

    An empty list gives an empty list. Raises ValueError for a p outside [0, 1] or nan.
    """
    p = numbers("p_values", p_values, 0, 1)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(np.minimum(1, p[order] * np.arange(len(p), 0, -1)))
    return [float(x) for x in adjusted]


def benjamini_hochberg(p_values: Values) -> list[float]:
    """False discovery rate, adjusted p-values in the order given, each in [0, 1] (Benjamini and Hochberg 1995).

    For exploratory comparisons, to be labelled so. Never below its own p, never above Holm's. An empty list
    gives an empty list. Raises ValueError for a p outside [0, 1] or nan.
    """
    p = numbers("p_values", p_values, 0, 1)
    return _stepped_up(p, 1.0)


def benjamini_yekutieli(p_values: Values) -> list[float]:
    """`benjamini_hochberg` for tests that depend on each other in any way (Benjamini and Yekutieli 2001).

    An empty list gives an empty list. Raises ValueError for a p outside [0, 1] or nan.
    """
    p = numbers("p_values", p_values, 0, 1)
    return _stepped_up(p, float((1 / np.arange(1, len(p) + 1)).sum()))


def _stepped_up(p: FloatArray, factor: float) -> list[float]:
    """From the largest p down, each times tests / rank and `factor`, and never above the one before it."""
    order = np.argsort(p, kind="stable")[::-1]
    ranks = np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum.accumulate(np.minimum(1.0, p[order] * factor * len(p) / ranks))
    return [float(x) for x in adjusted]
