"""Every bar of coverage and error by simulation with fixed seeds; its naive method must fail it."""

import math
from pathlib import Path

import coverage_bars
import coverage_table
import numpy as np
import pytest
from scipy import stats as scipy_stats

from evalkit import stats
from evalkit.stats import cost_per_satisfactory_clustered, paired_rates_clustered, shows_noninferiority


@pytest.mark.slow
@pytest.mark.parametrize("name", coverage_bars.SIMULATED)
def test_simulated_bar_is_met_and_refuses_the_naive_method(name: str) -> None:
    for result in coverage_bars.measured(name):
        assert result.met_by(result.ours), result
        assert not result.met_by(result.naive), result


@pytest.mark.long
def test_enumerated_bar_is_met_by_a_gate_on_a_judge_and_refuses_the_nominal_margin() -> None:
    (result,) = coverage_bars.measured("B13")
    assert result.met_by(result.ours)
    assert not result.met_by(result.naive)
    assert max(result.naive) > 0.4


def test_bars_of_simulated_sets_use_what_the_public_functions_do() -> None:
    p, b = coverage_bars.paired_means(1, 50, 3, (0.85, 0.9), (3.0, 0.9), 25)
    n_eff = coverage_bars.paired_n_eff(p, b, 3, 0.95)
    gain, loss = n_eff * (p * (1 - b)).mean(axis=1), n_eff * (b * (1 - p)).mean(axis=1)
    low, high = coverage_bars.tango_limits(gain, loss, n_eff, coverage_bars.Z95)
    passes = coverage_bars.score_at(p, b, 3, -0.1, 0.05) > coverage_bars.Z90
    for i in range(25):
        estimate = paired_rates_clustered(p[i], b[i], epochs=3)
        assert (estimate.low, estimate.high) == pytest.approx((low[i], high[i]))
        assert shows_noninferiority(p[i], b[i], 0.1, epochs=3) is bool(passes[i])


@pytest.mark.parametrize("name", ["B1", "B3", "B13"])
def test_document_shows_what_is_measured(name: str, root: Path) -> None:
    document = (root / "docs" / "statistics.md").read_text(encoding="utf-8")
    for result in coverage_bars.measured(name):
        assert coverage_table.row(result) in document


def test_document_shows_every_bar(root: Path) -> None:
    document = (root / "docs" / "statistics.md").read_text(encoding="utf-8")
    table = document.partition(coverage_table.START)[2].partition(coverage_table.END)[0]
    assert {line.split()[1] for line in table.splitlines()[3:]} == {f"B{number}" for number in range(1, 15)}


def test_table_replaces_what_is_between_its_markers_only() -> None:
    text = f"a\n{coverage_table.START}\nold\n{coverage_table.END}\nb"
    assert coverage_table.replaced(text, ["new"]) == text.replace("old", "new")
    for broken in ("", text + text, coverage_table.START):
        with pytest.raises(ValueError, match="once each"):
            coverage_table.replaced(broken, [])


def test_table_refuses_a_bar_that_does_not_hold() -> None:
    missed = coverage_bars.Measured("B0", "f", "c", (0.5,), "n", (0.5,), least=0.9)
    with pytest.raises(SystemExit, match="the bar does not hold"):
        coverage_table.row(missed)


def test_document_names_every_public_function(root: Path) -> None:
    document = (root / "docs" / "statistics.md").read_text(encoding="utf-8")
    functions = [name for name in stats.__all__ if not isinstance(getattr(stats, name), type)]
    assert [name for name in functions if f"`{name}" not in document] == []


def test_a_bar_asks_for_least_mean_and_most() -> None:
    bar = coverage_bars.Measured("B0", "f", "c", (), "n", (), least=0.9, mean=0.95, most=0.99)
    assert bar.met_by((0.92, 0.98))
    assert not bar.met_by((0.89, 0.99))
    assert not bar.met_by((0.91, 0.92))
    assert not bar.met_by((0.95, 1.0))


@pytest.mark.slow
@pytest.mark.parametrize("epochs", [3, 5])
def test_clustered_cost_per_success_covers(epochs: int) -> None:
    rng, n, covered = np.random.default_rng(22), 50, []
    chances = scipy_stats.beta(1.6, 0.4)
    for _ in range(2000):
        p = chances.rvs(n, random_state=rng)
        flags = (rng.random((n, epochs)) < p[:, None]).astype(float)
        costs = np.exp(0.3 * rng.normal(size=(n, 1)) + 0.3 * rng.normal(size=(n, epochs)))
        estimate = cost_per_satisfactory_clustered(costs.tolist(), flags.tolist())
        covered.append(coverage_bars.covers(estimate, math.exp(0.09) / 0.8))
    assert sum(covered) / len(covered) >= 0.935
