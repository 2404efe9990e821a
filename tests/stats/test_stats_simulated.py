"""Coverage by simulation with fixed seeds, where enumeration is out of reach."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evalkit.stats import (
    Estimate,
    cost_per_satisfactory,
    cost_per_satisfactory_clustered,
    paired_rates_clustered,
    quantile,
    quantile_clustered,
    rate_clustered,
)

pytestmark = pytest.mark.slow

REPEATS = 2000


def covers(estimate: Estimate, truth: float) -> bool:
    """A missing bound reaches to infinity."""
    return (estimate.low is None or estimate.low <= truth) and (estimate.high is None or truth <= estimate.high)


def share_covering(covered: list[bool]) -> float:
    return sum(covered) / len(covered)


@pytest.mark.parametrize(
    ("rate", "spread", "bar"),
    [
        (0.98, 0.3, 0.94),
        (0.98, 0.5, 0.94),
        (0.90, 0.5, 0.94),
        (0.70, 0.5, 0.94),
        (0.40, 0.5, 0.94),
        (0.10, 0.5, 0.94),
        (0.05, 0.5, 0.94),
        (0.02, 0.3, 0.94),
        (0.70, 1.0, 0.925),
    ],
)
def test_cost_per_success_covers(rate: float, spread: float, bar: float) -> None:
    """Costs are lognormal and rise with difficulty, which lowers the chance of success."""
    rng, n, covered = np.random.default_rng(20), 50, []
    truth = math.exp(spread**2 / 2) / rate
    for _ in range(3 * REPEATS):
        difficulty = rng.normal(size=n)
        costs = np.exp(spread * (0.5 * difficulty + math.sqrt(0.75) * rng.normal(size=n)))
        latent = 0.6 * difficulty + 0.8 * rng.normal(size=n)
        covered.append(covers(cost_per_satisfactory(costs, latent < scipy_stats.norm.ppf(rate)), truth))
    assert share_covering(covered) >= bar


def test_cost_bar_refuses_dividing_by_the_rate_alone() -> None:
    """The mean cost over a Wald interval of the rate, as often done, misses four times in ten."""
    rng, n, covered = np.random.default_rng(21), 50, []
    truth = math.exp(0.125) / 0.9
    for _ in range(REPEATS):
        costs, flags = rng.lognormal(0, 0.5, n), rng.random(n) < 0.9
        p = flags.mean()
        half = 1.96 * math.sqrt(p * (1 - p) / n)
        low, high = costs.mean() / min(p + half, 1), costs.mean() / max(p - half, 1e-9)
        covered.append(bool(low <= truth <= high))
    assert share_covering(covered) < 0.8


@pytest.mark.parametrize("epochs", [3, 5])
def test_clustered_cost_per_success_covers(epochs: int) -> None:
    rng, n, covered = np.random.default_rng(22), 50, []
    chances = scipy_stats.beta(1.6, 0.4)
    for _ in range(REPEATS):
        p = chances.rvs(n, random_state=rng)
        flags = (rng.random((n, epochs)) < p[:, None]).astype(float)
        costs = np.exp(0.3 * rng.normal(size=(n, 1)) + 0.3 * rng.normal(size=(n, epochs)))
        estimate = cost_per_satisfactory_clustered(costs.tolist(), flags.tolist())
        covered.append(covers(estimate, math.exp(0.09) / 0.8))
    assert share_covering(covered) >= 0.935


@pytest.mark.parametrize("epochs", [3, 5])
@pytest.mark.parametrize(("rate", "bar"), [(0.8, 0.935), (0.9, 0.93), (0.96, 0.905)])
def test_clustered_rate_covers(rate: float, bar: float, epochs: int) -> None:
    """Strongly bimodal items: a logit-normal with standard deviation 3."""
    rng, n, covered = np.random.default_rng(23), 50, []
    latent = 3 * scipy_stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    shift = float(np.interp(rate, [float((1 / (1 + np.exp(-s - latent))).mean()) for s in GRID], GRID))
    for _ in range(REPEATS):
        p = 1 / (1 + np.exp(-shift - 3 * rng.normal(size=n)))
        covered.append(covers(rate_clustered(rng.binomial(epochs, p), [epochs] * n), rate))
    assert share_covering(covered) >= bar


GRID = np.linspace(-2, 10, 481)


@pytest.mark.parametrize("epochs", [3, 5])
@pytest.mark.parametrize("loss", [0.0, 0.1])
def test_clustered_difference_covers(loss: float, epochs: int) -> None:
    rng, n, covered = np.random.default_rng(24), 50, []
    for _ in range(REPEATS):
        p = rng.beta(4.5, 0.5, n)
        worse = p * (1 - loss / 0.9)
        candidate, baseline = rng.binomial(epochs, worse) / epochs, rng.binomial(epochs, p) / epochs
        covered.append(covers(paired_rates_clustered(candidate, baseline, epochs=epochs), -loss))
    assert share_covering(covered) >= 0.935


@pytest.mark.parametrize(("n", "q"), [(50, 0.5), (50, 0.9), (50, 0.95), (100, 0.5), (100, 0.9), (100, 0.95)])
def test_quantile_covers_and_no_limit_is_made_up(n: int, q: float) -> None:
    """Lognormal with one call in twenty stalled tenfold."""
    rng, covered, finite = np.random.default_rng(25), [], []
    pool = np.sort(np.exp(rng.normal(size=400_000)) * np.where(rng.random(400_000) < 0.05, 10, 1))
    truth = float(pool[int(q * len(pool))])
    for _ in range(REPEATS):
        x = np.exp(rng.normal(size=n)) * np.where(rng.random(n) < 0.05, 10, 1)
        estimate = quantile(x, q)
        covered.append(covers(estimate, truth))
        finite.append(estimate.high is not None)
    assert share_covering(covered) >= 0.94
    assert share_covering(finite) == (0 if (n, q) == (50, 0.95) else 1)


@pytest.mark.parametrize(("n", "epochs"), [(50, 3), (50, 5), (100, 3)])
@pytest.mark.parametrize("correlation", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("q", [0.5, 0.9, 0.95])
def test_clustered_quantile_covers(n: int, epochs: int, correlation: float, q: float) -> None:
    rng, covered = np.random.default_rng(26), []
    truth, items = math.exp(scipy_stats.norm.ppf(q)), np.repeat(np.arange(n), epochs).tolist()
    for _ in range(1000):
        inside = math.sqrt(1 - correlation) * rng.normal(size=(n, epochs))
        x = np.exp(math.sqrt(correlation) * rng.normal(size=(n, 1)) + inside)
        covered.append(covers(quantile_clustered(x.ravel(), items, q), truth))
    assert share_covering(covered) >= 0.945


def test_clustered_quantile_bar_refuses_pooling() -> None:
    rng, covered = np.random.default_rng(27), []
    for _ in range(1000):
        x = np.exp(math.sqrt(0.8) * rng.normal(size=(50, 1)) + math.sqrt(0.2) * rng.normal(size=(50, 5)))
        covered.append(covers(quantile(x.ravel(), 0.5), 1.0))
    assert share_covering(covered) < 0.85
