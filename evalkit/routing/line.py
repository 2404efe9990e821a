"""The line that every router must beat: random mixtures of single models, and the hull over policies."""

from collections.abc import Sequence

import numpy as np

from evalkit import stats
from evalkit.frozen import dataclass
from evalkit.routing.figures import Figures
from evalkit.routing.flows import Worth
from evalkit.routing.outcomes import FloatArray, Outcomes
from evalkit.stats import Estimate
from evalkit.stats.inputs import is_constant
from evalkit.stats.resamples import drawn
from evalkit.stats.routing import hull_areas
from evalkit.stats.sample_quantiles import percentile_interval

RESAMPLES = 1000
_CELLS = 1_000_000
"""Draws of items that are held at once."""
HULL = "percentile bootstrap over items, hull worked out anew, approximate"


@dataclass(frozen=True)
class Line:
    """Single models on the upper hull of pass rate over cost: their item means, the cheapest first."""

    outcomes: Outcomes
    cost_usd: tuple[FloatArray, ...]
    satisfied: tuple[FloatArray, ...]

    def above(self, worth: Worth, *, tuned: bool, confidence: float = 0.95) -> Estimate | None:
        """Pass rate over that of the mixture which costs the same, paired by item; None where none costs so little.

        Beyond the best model the line is flat: nobody pays more for less. The mixture's share is taken as known, which
        leaves its doubt out.
        """
        means = [self.outcomes.mean(cost) for cost in self.cost_usd]
        price = self.outcomes.mean(worth.cost_usd)
        if price < means[0]:
            return None
        upper = min(int(np.searchsorted(means, price, side="right")), len(means) - 1)
        low, high = means[max(0, upper - 1)], means[upper]
        part = min(1.0, (price - low) / (high - low)) if high > low else 1.0
        mixed = (1 - part) * self.satisfied[max(0, upper - 1)] + part * self.satisfied[upper]
        return Figures(self.outcomes, tuned, confidence).difference(worth.satisfied, mixed)


def line_of(outcomes: Outcomes, singles: Sequence[Worth]) -> Line:
    """The mixtures worth looking at: of neighbours on the upper hull of the single models."""
    points = [(outcomes.mean(one.cost_usd), outcomes.mean(one.satisfied), one) for one in singles]
    kept: list[tuple[float, float, Worth]] = []
    for point in sorted(points, key=lambda p: (p[0], -p[1])):
        if kept and point[1] <= kept[-1][1]:
            continue
        while len(kept) > 1 and _slope(kept[-2], kept[-1]) <= _slope(kept[-1], point):
            kept.pop()
        kept.append(point)
    return Line(outcomes, tuple(p[2].cost_usd for p in kept), tuple(p[2].satisfied for p in kept))


def _slope(a: tuple[float, float, Worth], b: tuple[float, float, Worth]) -> float:
    return (b[1] - a[1]) / (b[0] - a[0]) if b[0] > a[0] else float("inf")


def hull_area(outcomes: Outcomes, worths: Sequence[Worth], confidence: float = 0.95) -> Estimate | None:
    """Mean pass rate over the range of cost under the non-decreasing concave hull of policies; None without a range.

    Area / (largest cost - smallest cost), as in the text of RouterBench (Hu 2024).
    """
    return hull_areas_of(outcomes, [worths], confidence)[0]


def hull_areas_of(
    outcomes: Outcomes, parties: Sequence[Sequence[Worth]], confidence: float = 0.95
) -> list[Estimate | None]:
    """`hull_area` of several sets of policies, all on the same resamples."""
    weights = outcomes.weights / outcomes.weights.sum()
    costs, rates = (
        [np.stack([getattr(one, name) for one in worths]) for worths in parties] for name in ("cost_usd", "satisfied")
    )
    values = [stats.hull_area(c @ weights, r @ weights) for c, r in zip(costs, rates, strict=True)]
    if all(value is None for value in values):
        return [None for _ in values]
    resampled = _resampled_areas(weights, costs, rates, outcomes.seed)
    return [
        None if value is None else _estimate(value, areas, len(outcomes), confidence)
        for value, areas in zip(values, resampled, strict=True)
    ]


def _estimate(value: float, areas: FloatArray, n: int, confidence: float) -> Estimate:
    if n < 2 or np.isnan(areas).any():
        return Estimate(value, None, None, confidence, n, HULL, ("too few items to resample",))
    if is_constant(areas, 1.0):  # as where every policy satisfies on every item: more items would differ
        return Estimate(value, None, None, confidence, n, HULL, ("no spread between resamples",))
    low, high = percentile_interval(areas, confidence)
    return Estimate(value, min(low, value), max(high, value), confidence, n, HULL)


def _resampled_areas(
    weights: FloatArray, costs: Sequence[FloatArray], rates: Sequence[FloatArray], seed: int
) -> list[FloatArray]:
    """The area of each set in each resample, nan where it has no range; drawn in parts, so that memory is bounded."""
    rng, n = np.random.default_rng(seed), len(weights)
    rows, found = max(1, _CELLS // n), [np.empty(RESAMPLES) for _ in costs]
    for begin in range(0, RESAMPLES, rows):
        part = slice(begin, min(begin + rows, RESAMPLES))
        many = part.stop - begin
        shares = (rng.multinomial(n, weights, many) if np.ptp(weights) else drawn(rng, many, n)) / n
        for areas, c, r in zip(found, costs, rates, strict=True):
            areas[part] = hull_areas(shares @ c.T, shares @ r.T)
    return found
