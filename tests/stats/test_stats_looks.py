"""How often a gate with planned looks errs over all of them: enumerated for one epoch, simulated beyond."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evalkit import stats
from evalkit.staging import first
from evalkit.stats.gate_power import simulated_means
from evalkit.stats.gate_rule import score_at
from evalkit.stats.paired import unseen_items
from evalkit.stats.tango import tango_statistic

ALPHA = 0.05
LOOKS = (0.5, 0.75, 1.0)
Table = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def plan(n: int, alpha: float = ALPHA) -> tuple[list[int], list[float]]:
    """Items and one-sided error of each look."""
    at = [first(share, n) for share in LOOKS]
    return at, stats.look_alphas([items / n for items in at], alpha)


@cache
def passes(n: int, margin: float, alpha: float) -> Table:
    """Tables [gain, loss] of n pairs that pass a look."""
    most = [-1 if most is None else most for most in stats.losses_allowed(n, margin, range(n + 1), alpha)]
    return np.arange(n + 1)[None, :] <= np.array(most)[:, None]


def fails(n: int, margin: float, alpha: float, fail_alpha: float) -> Table:
    """Tables that do not pass and show a loss by the limit alone: some more than fail, which the exact p may keep."""
    gain, loss = np.indices((n + 1, n + 1))
    with np.errstate(invalid="ignore"):
        worse = (loss > gain) & (tango_statistic(gain, loss, n, 0.0) <= -scipy_stats.norm.isf(fail_alpha))
    return worse & ~passes(n, margin, alpha)


def chance(n: int, gain: float, loss: float) -> Table:
    gains, losses = np.indices((n + 1, n + 1))
    rest = scipy_stats.binom.pmf(losses, np.maximum(n - gains, 0), loss / (1 - gain))
    return np.where(gains + losses <= n, scipy_stats.binom.pmf(gains, n, gain) * rest, 0)


def over_all_looks(stops: Sequence[Table], gain: float, loss: float) -> float:
    """Probability that a table stops at any look, each with its own tables that do."""
    from scipy.signal import fftconvolve  # a half second, which every worker would take to collect the tests

    state, before, stopped = np.ones((1, 1)), 0, 0.0
    for stop in stops:
        items = len(stop) - 1
        state = np.maximum(fftconvolve(state, chance(items - before, gain, loss)), 0)
        stopped += float(state[stop].sum())
        state, before = np.where(stop, 0, state), items
    return stopped


@pytest.mark.parametrize("n", [50, 100])
@pytest.mark.parametrize("margin", [0.05, 0.10])
def test_a_loss_of_the_margin_passes_at_any_look_in_at_most_alpha_of_all_runs(n: int, margin: float) -> None:
    at, alphas = plan(n)
    planned = [passes(items, margin, alpha) for items, alpha in zip(at, alphas, strict=True)]
    naive = [passes(items, margin, ALPHA) for items in at]  # the negative control: the fixed test, three times
    rates = np.linspace(margin, 0.5, 40)
    assert 0.03 < max(over_all_looks(planned, q - margin, q) for q in rates) <= ALPHA
    assert max(over_all_looks(naive, q - margin, q) for q in rates) > 0.075


@pytest.mark.parametrize("n", [50, 100])
def test_equal_models_fail_at_any_look_in_at_most_6_percent_of_all_runs(n: int) -> None:
    at, alphas = plan(n)
    shown = [fails(items, 0.10, alpha, alpha) for items, alpha in zip(at, alphas, strict=True)]
    halved = [fails(n_, 0.10, a, h) for n_, a, h in zip(at, alphas, plan(n, ALPHA / 2)[1], strict=True)]
    rates = np.linspace(0.005, 0.3, 30)
    assert max(over_all_looks(shown, q, q) for q in rates) <= 0.06
    assert max(over_all_looks(halved, q, q) for q in rates) <= 0.03  # what a fail-fast process leaves to the looks


@pytest.mark.parametrize(("n", "margin", "lost"), [(50, 0.10, 0.09), (80, 0.10, 0.04), (100, 0.10, 0.03)])
def test_looks_cost_a_little_power(n: int, margin: float, lost: float) -> None:
    at, alphas = plan(n)
    planned = [passes(items, margin, alpha) for items, alpha in zip(at, alphas, strict=True)]
    fixed = over_all_looks([passes(n, margin, ALPHA)], 0.05, 0.05)
    assert fixed - lost <= over_all_looks(planned, 0.05, 0.05) < fixed


def simulated(n: int, margin: float, epochs: int, discordance: float, alphas: Sequence[float], lasting: float) -> float:
    """Share of simulated runs at a true loss of the margin that pass at any look."""
    at, passed, runs = plan(n)[0], 0, 0
    for p, b, _ in simulated_means(n, 0.9, discordance, epochs, -margin, lasting, seed=3):
        stopped = np.zeros(len(p), dtype=bool)
        for items, alpha in zip(at, alphas, strict=True):
            score = score_at(p[:, :items], b[:, :items], epochs, -margin, alpha)
            stopped |= score > scipy_stats.norm.isf(alpha)
        passed, runs = passed + int(stopped.sum()), runs + len(p)
    return passed / runs


@pytest.mark.parametrize(("n", "margin", "epochs", "discordance"), [(100, 0.10, 3, 0.15), (100, 0.05, 2, 0.15)])
def test_with_epochs_it_passes_at_any_look_in_at_most_7_percent(
    n: int, margin: float, epochs: int, discordance: float
) -> None:
    assert simulated(n, margin, epochs, discordance, plan(n)[1], 0.1) <= 0.07
    assert simulated(n, margin, epochs, discordance, [ALPHA] * 3, 0.1) > 0.07


@pytest.mark.slow
@pytest.mark.parametrize("n", [50, 100])
@pytest.mark.parametrize("margin", [0.05, 0.10])
@pytest.mark.parametrize("epochs", [2, 3, 5])
@pytest.mark.parametrize("discordance", [0.10, 0.15])
@pytest.mark.parametrize("lasting", [0.0, 0.1, 0.5])
def test_with_epochs_the_same_holds_over_mixtures_of_items(
    n: int, margin: float, epochs: int, discordance: float, lasting: float
) -> None:
    assert simulated(n, margin, epochs, discordance, plan(n)[1], lasting) <= 0.07


def collapses(n: int, margin: float, epochs: int, noisy: float, chance: float, runs: int) -> tuple[float, float]:
    """Share of runs that pass at any look where a share of the items as large as the margin is lost whole and others
    differ by chance; and the negative control, each look reckoning with no more of an unseen item than one alone."""
    rng, (at, alphas) = np.random.default_rng(16), plan(n)
    drawn = rng.random((runs, n))
    chances = np.where(drawn < margin + noisy, chance, 1.0)
    baseline = rng.binomial(epochs, np.where(drawn < margin, 1.0, chances)) / epochs
    candidate = rng.binomial(epochs, np.where(drawn < margin, 0.0, chances)) / epochs
    passed, control = np.zeros(runs, dtype=bool), np.zeros(runs, dtype=bool)
    for items, alpha in zip(at, alphas, strict=True):
        p, b, z = candidate[:, :items], baseline[:, :items], scipy_stats.norm.isf(alpha)
        passed |= score_at(p, b, epochs, -margin, alpha) > z
        control |= score_at(p, b, epochs, -margin, alpha, max(0.5, 1 - 1.5 / epochs)) > z
    return float(passed.mean()), float(control.mean())


@pytest.mark.parametrize(("epochs", "noisy", "chance"), [(10, 0.9, 0.95), (40, 0.5, 0.5)])
def test_a_collapse_on_few_items_passes_at_any_look_in_at_most_7_percent(
    epochs: int, noisy: float, chance: float
) -> None:
    assert [unseen_items(epochs, alpha) / unseen_items(epochs) for alpha in (0.2, 0.05, 0.0056)] == pytest.approx(
        [1, 1, 2.378], abs=0.001
    )
    passed, control = collapses(100, 0.05, epochs, noisy, chance, 12_000)
    assert passed <= 0.07 < control


@pytest.mark.slow
@pytest.mark.parametrize("epochs", [3, 10, 40])
@pytest.mark.parametrize(("n", "margin"), [(50, 0.10), (80, 0.05), (100, 0.10), (150, 0.03), (150, 0.05)])
@pytest.mark.parametrize(("noisy", "chance"), [(0.2, 0.5), (0.5, 0.8), (0.85, 0.95)])
def test_the_same_holds_however_many_others_are_noisy(
    n: int, margin: float, epochs: int, noisy: float, chance: float
) -> None:
    assert collapses(n, margin, epochs, noisy, chance, 12_000)[0] <= 0.07


# --- the fail-fast process ---


def reached(n: int, difference: float, discordance: float, runs: int, wealth: float = 2 / ALPHA) -> float:
    """Share of runs in which it ends the gate at any time."""
    gain, loss = (discordance + difference) / 2, (discordance - difference) / 2
    drawn = np.random.default_rng(4).choice([1.0, -1.0, 0.0], (runs, n), p=[gain, loss, 1 - discordance])
    return sum(max(stats.worse_wealth(one)) >= wealth for one in drawn) / runs


@pytest.mark.parametrize("discordance", [0.1, 0.4])
def test_equal_models_fail_fast_in_at_most_half_of_alpha_of_all_runs(discordance: float) -> None:
    assert reached(100, 0.0, discordance, 400) <= ALPHA / 2


@pytest.mark.slow
@pytest.mark.parametrize("n", [50, 200, 1000])
@pytest.mark.parametrize("discordance", [0.05, 0.2, 0.4, 0.8])
def test_the_same_holds_at_any_time_of_long_runs(n: int, discordance: float) -> None:
    assert reached(n, 0.0, discordance, 3000) <= ALPHA / 2


def test_a_candidate_far_worse_fails_fast() -> None:
    assert reached(100, -0.25, 0.30, 200) > 0.95
    assert reached(100, -0.02, 0.10, 200) < 0.10
