"""Adjusted p-values: Holm's for declared comparisons, false discovery rates for exploratory ones."""

import numpy as np
from scipy import stats

from evalkit.stats.inputs import Values, numbers


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
    return [float(x) for x in stats.false_discovery_control(p, method="bh")] if len(p) else []


def benjamini_yekutieli(p_values: Values) -> list[float]:
    """`benjamini_hochberg` for tests that depend on each other in any way (Benjamini and Yekutieli 2001)."""
    p = numbers("p_values", p_values, 0, 1)
    return [float(x) for x in stats.false_discovery_control(p, method="by")] if len(p) else []
