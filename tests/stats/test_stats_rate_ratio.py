"""Score limits for the ratio of two paired rates, and the ratio of two costs per success that rests on them."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from evalkit.stats import cost_ratio
from evalkit.stats.inputs import FloatArray
from evalkit.stats.rate_ratio import log_rate_distances, ratio_statistic
from evalkit.stats.rates import two_sided_t

LEVEL = 0.9


def flags_of(first: int, second: int, both: int, neither: int) -> tuple[FloatArray, FloatArray]:
    a = np.repeat([1.0, 0.0, 1.0, 0.0], [first, second, both, neither])
    b = np.repeat([0.0, 1.0, 1.0, 0.0], [first, second, both, neither])
    return a, b


@pytest.mark.parametrize("ratio", [0.4, 0.9, 1.3])
@pytest.mark.parametrize("table", [(5, 2, 30, 13), (0, 4, 20, 6), (3, 0, 2, 45), (1, 1, 48, 0)])
def test_statistic_takes_the_likeliest_rates_under_the_null_hypothesis(
    table: tuple[int, int, int, int], ratio: float
) -> None:
    """By search over all rates that fulfil it, where the product has a closed form."""
    first, second, both, neither = table
    n = sum(table)

    def rates(only_second: float, either: float) -> tuple[float, float, float]:
        """Only first, both, neither: rate 1 = ratio x rate 2 leaves two of the four free."""
        both_rate = (either - (1 + ratio) * only_second) / ratio
        only_first = ratio * (both_rate + only_second) - both_rate
        return only_first, both_rate, 1 - either

    def unlikely(only_second: float, either: float) -> float:
        cells = (*rates(only_second, either), only_second)
        counts = (first, both, neither, second)
        if any(cell < -1e-12 for cell in cells):
            return 1e9
        return -sum(c * math.log(max(cell, 1e-300)) for c, cell in zip(counts, cells, strict=True) if c)

    either = (first + second + both) / n  # what nobody passes is as likely under every ratio
    grid = np.linspace(0, either, 4001)
    start = min(grid, key=lambda x: unlikely(x, either))
    step = either / 4000
    found = minimize_scalar(
        lambda x: unlikely(x, either), bounds=(max(0, start - step), start + step), method="bounded",
        options={"xatol": 1e-13},
    )  # fmt: skip
    only_second = float(found.x)
    only_first = rates(only_second, either)[0]
    difference = (first + both) / n - ratio * (second + both) / n
    expected = math.sqrt(n) * difference / math.sqrt(ratio * (only_first + only_second))
    assert ratio_statistic(first, second, both, n, ratio) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("first", "second", "both", "neither"), [(5, 2, 30, 13), (0, 4, 20, 6), (3, 3, 2, 40)])
def test_limits_are_where_the_statistic_reaches_the_quantile(first: int, second: int, both: int, neither: int) -> None:
    a, b = flags_of(first, second, both, neither)
    below, above = log_rate_distances(a, b, LEVEL)
    ratio, n, t = a.mean() / b.mean(), len(a), two_sided_t(LEVEL, len(a) - 1)
    assert ratio_statistic(first, second, both, n, ratio * math.exp(-below)) == pytest.approx(t)
    assert ratio_statistic(first, second, both, n, ratio * math.exp(above)) == pytest.approx(-t)
    assert log_rate_distances(b, a, LEVEL) == pytest.approx((above, below))


def test_where_all_items_agree_the_doubt_is_that_of_the_successes_alone() -> None:
    a, b = flags_of(0, 0, 20, 30)
    expected = math.log1p(two_sided_t(LEVEL, 49) ** 2 / 20)
    assert log_rate_distances(a, b, LEVEL) == pytest.approx((expected, expected))


def test_epochs_tell_as_much_as_they_carry() -> None:
    rng = np.random.default_rng(5)
    chance = np.full(60, 0.8)
    once, often = (rng.binomial(m, chance, (2, 60)) / m for m in (1, 4))
    assert max(log_rate_distances(*often, LEVEL)) < 0.7 * min(log_rate_distances(*once, LEVEL))


def wrong(items: int, then: float, now: float, price: float, seed: int) -> tuple[dict[str, float], dict[str, float]]:
    """How often an upper limit lies below the truth, and a lower one above it: delta method alone, and as it is."""
    rng, runs = np.random.default_rng(seed), 1200
    below, above = {"delta": 0, "wider": 0}, {"delta": 0, "wider": 0}
    truth = price * then / now
    for _ in range(runs):
        easy = rng.random(items)
        sa, sb = (easy < now) * 1.0, (easy < then) * 1.0  # whoever is worse loses, and gains nothing
        base = 0.01 * (1 + 0.1 * (np.arange(items) % 5))
        ca, cb = (scale * base * np.exp(0.1 * rng.standard_normal(items)) for scale in (price, 1.0))
        found = cost_ratio(ca, sa, cb, sb, LEVEL)
        if found.value is None:
            continue
        parts = ca / ca.mean() - sa / sa.mean() - cb / cb.mean() + sb / sb.mean()
        half = two_sided_t(LEVEL, items - 1) * parts.std(ddof=1) / math.sqrt(items)
        limits = {
            "delta": (found.value * math.exp(-half), found.value * math.exp(half)),
            "wider": (found.low or 0.0, found.high or math.inf),
        }
        for name, (low, high) in limits.items():
            below[name] += high < truth
            above[name] += low > truth
    return {k: n / runs for k, n in below.items()}, {k: n / runs for k, n in above.items()}


@pytest.mark.parametrize(
    ("items", "then", "now", "price", "delta"),
    [(30, 0.8, 0.8 / 1.1, 1, 0.10), (50, 0.8, 0.8 / 1.1, 1, 0.08), (50, 0.08, 0.05, 1, 0.15), (100, 0.9, 0.8, 1, 0.06)],
)
def test_a_candidate_at_its_limit_passes_no_more_often_than_agreed(
    items: int, then: float, now: float, price: float, delta: float
) -> None:
    """The delta method, by which it passes twice as often and more, is the negative control."""
    below, above = wrong(items, then, now, price, 3)
    assert below["delta"] > delta
    assert below["wider"] <= 0.06
    assert above["wider"] <= 0.06


@pytest.mark.parametrize(("items", "then", "now", "price"), [(50, 0.05, 0.08, 1.6), (100, 0.8, 0.88, 1.1)])
def test_a_candidate_as_cheap_fails_no_more_often_than_agreed(
    items: int, then: float, now: float, price: float
) -> None:
    below, above = wrong(items, then, now, price, 4)
    assert above["delta"] > 0.07
    assert above["wider"] <= 0.06
    assert below["wider"] <= 0.06
