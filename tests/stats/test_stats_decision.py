"""Decision stability, break-even points, and how many more items would settle it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.stats import (
    Estimate,
    cluster_design,
    discordance,
    paired_means,
    paired_rates,
    paired_rates_clustered,
    paired_worth,
    rate,
    rate_clustered,
)
from evalkit.stats.cost import break_even
from evalkit.stats.means import mean_share
from evalkit.stats.power import items_to_clear, items_to_separate, items_to_show, worth_by_limits
from evalkit.stats.rates import lower_limit
from evalkit.stats.stability import cheapest, winner_shares


@pytest.mark.parametrize(("n", "passed"), [(n, k) for n in range(1, 25) for k in range(n + 1)])
def test_one_limit_decides_everywhere(n: int, passed: int) -> None:
    """What the analysis prints, and what the resamples ask."""
    low = float(lower_limit(passed, n))
    assert rate(passed, n, method="clopper-pearson" if n < 15 else "wilson").low == pytest.approx(low, abs=1e-9)
    for bar in (low - 1e-6, low + 1e-6):
        cleared = low >= bar
        if 0 < bar < 1:
            assert winner_shares([[passed / n] * n], [[1.0] * n], bar, [n], 1).shares == (float(cleared),)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.8])
def test_a_rate_not_above_the_bar_never_clears_it(share: float) -> None:
    assert items_to_clear(share, 0.8) is None


@pytest.mark.parametrize("bad", [(1.1, 0.8), (-0.1, 0.8), (0.9, 0.0), (0.9, 1.0), (float("nan"), 0.8)])
def test_items_to_clear_refuses_what_is_no_share(bad: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r"rate|bar"):
        items_to_clear(*bad)


def test_equal_gains_and_losses_never_separate() -> None:
    assert items_to_separate(3, 3, 60) is None
    assert items_to_separate(0, 0, 60) is None
    assert items_to_separate(0, 0, 0) is None


@pytest.mark.parametrize("bad", [(-1, 0, 10), (6, 6, 10), (11, 0, 10)])
def test_items_to_separate_refuses_impossible_counts(bad: tuple[float, float, int]) -> None:
    with pytest.raises(ValueError, match="gain"):
        items_to_separate(*bad)


def between(value: float, half: float) -> Estimate:
    return Estimate(value, value - half, value + half, 0.95, 60, "an interval")


def test_a_break_even_of_known_costs_takes_its_limits_from_the_gain() -> None:
    known = Estimate(0.08, None, None, 0.95, 60, "constant", ("no spread",))
    found = break_even(known, Estimate(0.2, 0.1, 0.4, 0.95, 60, "Tango"))
    assert (found.value, found.low, found.high) == pytest.approx((0.4, 0.2, 0.8))
    assert found.n == 60


def test_doubt_about_the_costs_widens_the_break_even() -> None:
    sure, unsure = (break_even(between(0.08, half), between(0.2, 0.1)) for half in (0.001, 0.05))
    assert sure.low is not None
    assert sure.high is not None
    assert unsure.low is not None
    assert unsure.high is not None
    assert unsure.low < sure.low < sure.high < unsure.high


def test_a_gain_that_may_be_nothing_leaves_the_break_even_open() -> None:
    found = break_even(between(0.08, 0.01), Estimate(0.1, -0.05, 0.2, 0.95, 60, "Tango"))
    assert found.value == pytest.approx(0.8)
    assert found.high is None


def test_a_gain_that_is_nothing_up_to_rounding_leaves_it_open_too() -> None:
    gain = Estimate(0.010000000000000002, 1.7e-18, 0.02, 0.95, 60, "Tango")
    assert break_even(Estimate(1.0, 0.0, 2.0, 0.95, 60, "t"), gain).high is None


def test_an_extra_cost_that_may_be_nothing_has_zero_as_lower_limit() -> None:
    assert break_even(between(0.01, 0.02), between(0.2, 0.1)).low == 0.0


@pytest.mark.parametrize(
    ("extra", "gain", "shown"),
    [
        (0.08, -0.1, True), (-0.08, 0.1, True), (0.08, -0.09, False), (0.005, -0.1, False), (0.0, 0.1, False),
        (0.08, 0.0, False),
    ],
    ids=["dearer and worse", "cheaper and better", "perhaps better", "perhaps cheaper", "same cost", "same rate"],
)  # fmt: skip
def test_a_side_that_is_never_overtaken_has_no_break_even(extra: float, gain: float, shown: bool) -> None:
    for sign in (1, -1):
        found = break_even(between(sign * extra, 0.01), between(sign * gain, 0.1))
        assert found.value is None
        assert (found.reason == "one of the two is never overtaken") == shown
        assert ((found.reason or "").startswith("no proven case")) == (not shown)


def test_an_unknown_difference_has_no_break_even() -> None:
    nothing = Estimate(None, None, None, 0.95, 0, "Tango", reason="no pairs")
    assert break_even(between(0.1, 0.01), nothing).reason == "no pairs"
    assert break_even(nothing, between(0.1, 0.01)).reason == "no pairs"


@given(st.floats(0.001, 5), st.floats(0.01, 0.9), st.floats(0.001, 0.2), st.floats(0.0001, 2))
def test_swapping_the_sides_keeps_the_break_even(extra: float, gain: float, half: float, cost_half: float) -> None:
    there = break_even(between(extra, cost_half), between(gain, half))
    back = break_even(between(-extra, cost_half), between(-gain, half))
    assert (there.value, there.low, there.high) == (back.value, back.low, back.high)
    assert there.low is not None
    assert there.value is not None
    assert there.low <= there.value
    assert there.high is None or there.value <= there.high * (1 + 1e-9)


def test_the_break_even_interval_holds_the_truth_where_the_costs_are_uncertain() -> None:
    """95 % nominal; with the costs taken as known it held in 81 % of such samples."""
    rng, truth, held, rounds = np.random.default_rng(1), 0.08 / 0.4, 0, 400
    for _ in range(rounds):
        dear, cheap = (mean * np.exp(rng.normal(size=50) - 0.5) for mean in (0.1, 0.02))
        better, worse = rng.random(50) < 0.9, rng.random(50) < 0.5
        gain = paired_rates(int((better & ~worse).sum()), int((worse & ~better).sum()), 50)
        found = break_even(paired_means(list(dear), list(cheap)), gain)
        assert found.low is not None
        held += found.low <= truth and (found.high is None or truth <= found.high)
    assert held / rounds >= 0.915


def flags(seed: int, n: int, *shares: float) -> list[list[float]]:
    rng = np.random.default_rng(seed)
    return [list((rng.random(n) < share).astype(float)) for share in shares]


def test_a_clear_winner_wins_nearly_every_resample() -> None:
    rates = flags(1, 200, 0.95, 0.60)
    found = winner_shares(rates, [[0.1] * 200, [0.1] * 200], 0.8, [200, 200], 1)
    assert found.shares[0] is not None
    assert found.shares[0] > 0.95
    assert found.shares[1] == 0.0


def test_the_cheaper_of_two_alike_wins_all_that_either_wins() -> None:
    rates = flags(2, 60, 0.95)
    found = winner_shares([rates[0], rates[0]], [[0.2] * 60, [0.1] * 60], 0.8, [60, 60], 1)
    assert found.shares[0] == 0.0
    assert found.shares[1] is not None
    assert found.none is not None
    assert found.shares[1] + found.none == pytest.approx(1.0)


def test_a_tie_goes_to_the_earlier_option() -> None:
    found = winner_shares([[1.0] * 60] * 2, [[0.1] * 60] * 2, 0.8, [60, 60], 1)
    assert found.shares == (1.0, 0.0)


def test_of_those_that_cost_the_same_the_surer_one_wins_as_in_the_decision() -> None:
    rates = [[0.0] + [1.0] * 59, [1.0] * 60]
    costs = [[0.1 * flag for flag in each] for each in rates]  # a success costs 0.1 in every resample
    drawn = 1 - (59 / 60) ** 60  # the item that the first fails
    assert winner_shares(rates, costs, 0.8, [60, 60], 1).shares[1] == pytest.approx(drawn, abs=0.03)


@pytest.mark.parametrize(
    ("prices", "limits", "winner"),
    [
        ([0.2, 0.1], [0.9, 0.8], 1),
        ([0.3, 0.1 + 0.2], [0.8, 0.9], 1),
        ([0.1 + 0.2, 0.3], [0.8, 0.8 + 1e-16], 0),
        ([0.0, 0.0, 0.0], [0.1, 0.2, 0.2], 1),
        ([0.1], [0.0], 0),
    ],
)
def test_a_level_price_is_settled_by_the_limit_then_by_the_order(
    prices: list[float], limits: list[float], winner: int
) -> None:
    assert cheapest(prices, limits) == winner


def test_nobody_above_the_bar_is_always_none() -> None:
    found = winner_shares([[0.0, 1.0] * 30], [[0.1] * 60], 0.8, [60], 1)
    assert found == found.__class__((0.0,), 1.0, 60, 2000)


@pytest.mark.parametrize(("rates", "costs", "n_eff"), [([], [], []), ([[]], [[]], [1.0])])
def test_nothing_to_resample_has_no_shares(
    rates: list[list[float]], costs: list[list[float]], n_eff: list[float]
) -> None:
    found = winner_shares(rates, costs, 0.8, n_eff, 1)
    assert found.none is None
    assert set(found.shares) <= {None}
    assert found.resamples == 0


def test_shares_depend_on_the_seed_only_a_little_and_not_on_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    rates, costs = flags(3, 60, 0.9, 0.92), [[0.1] * 60, [0.2] * 60]
    one, two = (winner_shares(rates, costs, 0.8, [60, 60], seed) for seed in (1, 2))
    assert one.shares[0] == pytest.approx(two.shares[0], abs=0.06)
    monkeypatch.setattr("evalkit.stats.stability._CHUNK_CELLS", 600)
    assert winner_shares(rates, costs, 0.8, [60, 60], 1).shares == one.shares


@pytest.mark.parametrize(
    ("rates", "costs", "n_eff"),
    [([[1.0]], [[1.0, 2.0]], [1.0]), ([[1.0], [1.0, 0.0]], [[1.0], [1.0]], [1.0, 1.0]), ([[2.0]], [[1.0]], [1.0])],
)
def test_winner_shares_refuses_lists_that_do_not_fit(
    rates: list[list[float]], costs: list[list[float]], n_eff: list[float]
) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  any of several messages
        winner_shares(rates, costs, 0.8, n_eff, 1)


def test_mean_share_is_cut_to_the_scale() -> None:
    found = mean_share([1.0, 1.0, 1.0, 0.9])
    assert found.high == 1.0
    assert found.low is not None
    assert 0.8 < found.low < 0.975


@pytest.mark.parametrize("values", [[], [0.5], [1.0, 1.0]])
def test_mean_share_without_spread_has_no_limits(values: list[float]) -> None:
    found = mean_share(values)
    assert bool(found.warnings) is bool(values)
    assert (found.low, found.high) == (None, None)
    assert (found.value is None) == (not values)


def test_a_rate_estimate_is_what_items_to_clear_speaks_of() -> None:
    now = rate(54, 60)
    assert now.low is not None
    assert now.low < 0.8
    assert items_to_clear(54 / 60, 0.8) == 108


@pytest.mark.parametrize(("gain", "loss", "n"), [(8, 2, 60), (12, 5, 60), (2, 9, 100)])
def test_items_to_separate_do_so_in_four_of_five_sets(gain: int, loss: int, n: int) -> None:
    needed = items_to_separate(gain, loss, n)
    assert needed is not None
    assert items_to_separate(loss, gain, n) == needed
    draws = np.random.default_rng(1).multinomial(needed, [gain / n, loss / n, 1 - (gain + loss) / n], size=4000)
    won, lost = draws[:, 0], draws[:, 1]
    shown = np.sign(gain - loss) * (won - lost) > 1.959964 * np.sqrt(won + lost)
    assert shown.mean() == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize(("rate_", "bar"), [(0.88, 0.8), (0.9, 0.8), (0.7, 0.6)])
def test_items_to_clear_do_so_in_four_of_five_sets(rate_: float, bar: float) -> None:
    needed = items_to_clear(rate_, bar)
    assert needed is not None
    passed = np.random.default_rng(2).binomial(needed, rate_, size=4000)
    assert (lower_limit(passed, np.full(4000, needed)) >= bar).mean() == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize(("epochs", "alike"), [(3, 1.0), (5, 2.0), (5, 50.0)])
def test_items_of_several_epochs_clear_in_four_of_five_sets(epochs: int, alike: float) -> None:
    """The formula of one epoch asks for up to five times as many. Items' own rates: Beta(.86 alike, .14 alike)."""
    rng = np.random.default_rng(5)
    chances = rng.beta(0.86 * alike, 0.14 * alike, 100_000)
    tried = np.full(20_000, epochs)
    passed = rng.binomial(epochs, chances[:20_000])
    share, worth = float(passed.mean() / epochs), cluster_design(passed, tried).worth
    needed, of_one = items_to_clear(share, 0.8, worth=worth), items_to_clear(share, 0.8)
    assert needed is not None
    assert of_one is not None
    assert 1.2 < of_one / needed < epochs
    sets = (rng.binomial(epochs, rng.choice(chances, needed)) for _ in range(300))
    shown = [(rate_clustered(each, np.full(needed, epochs)).low or 0) >= 0.8 for each in sets]
    assert np.mean(shown) == pytest.approx(0.8, abs=0.07)


@pytest.mark.parametrize(("epochs", "alike"), [(3, 1.0), (5, 4.0)])
def test_items_of_several_epochs_separate_in_four_of_five_sets(epochs: int, alike: float) -> None:
    rng = np.random.default_rng(6)
    low = rng.beta(0.6 * alike, 0.4 * alike, 100_000)
    high = low + 0.15 * (1 - low) * rng.random(100_000)
    some = slice(0, 50_000)
    one, other = rng.binomial(epochs, low[some]) / epochs, rng.binomial(epochs, high[some]) / epochs
    worth, counts = paired_worth(other, one, epochs), discordance(other, one)
    needed = items_to_separate(counts.gain, counts.loss, counts.n, worth=worth)
    of_one = items_to_separate(counts.gain, counts.loss, counts.n)
    assert needed is not None
    assert of_one is not None
    assert 1.5 < of_one / needed <= epochs
    shown = 0
    for _ in range(300):
        drawn = rng.integers(0, 100_000, needed)
        sides = (rng.binomial(epochs, chances[drawn]) / epochs for chances in (high, low))
        shown += (paired_rates_clustered(*sides, epochs=epochs).low or 0) > 0
    assert shown / 300 == pytest.approx(0.8, abs=0.07)


def test_an_items_worth_is_that_of_its_trials() -> None:
    assert paired_worth([1.0], [0.5], 4) == 1
    assert paired_worth([1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 1.0, 1.0], 1) == 1  # one trial an item
    assert cluster_design([3, 0, 3, 0], [3, 3, 3, 3]).worth == 1  # repeats that add nothing
    assert cluster_design([2, 2, 2, 2], [4, 4, 4, 4]).worth == 4


@pytest.mark.parametrize(("passed", "n"), [(17, 20), (54, 60), (60, 60)])
def test_the_limits_of_one_trial_an_item_say_that_it_is_worth_one(passed: int, n: int) -> None:
    assert worth_by_limits(rate(passed, n), 0.95) == pytest.approx(1)


def test_the_limits_of_several_trials_say_what_an_item_is_worth() -> None:
    passed = [3, 3, 2, 3, 1, 3, 3, 2, 3, 3, 3, 3, 2, 3, 3, 3, 3, 1, 3, 3] * 5
    tried = [3] * len(passed)
    design = cluster_design(passed, tried)
    found = worth_by_limits(rate_clustered(passed, tried), 0.95)
    assert found == pytest.approx(design.adjusted_n_eff(0.95) / len(passed))
    assert found == pytest.approx(design.worth, rel=0.05)
    assert worth_by_limits(rate_clustered(passed[:10], tried[:10]), 0.95) == 1
    assert worth_by_limits(rate(0, 60), 0.95) == 1


@pytest.mark.parametrize(("value", "half_width", "n"), [(0.2, 0.4, 50), (0.5, 0.6, 60), (-0.3, 0.5, 100)])
def test_items_to_show_do_so_in_four_of_five_sets(value: float, half_width: float, n: int) -> None:
    needed, spread = items_to_show(value, half_width, n), half_width * n**0.5 / 1.959964
    draws = np.random.default_rng(3).normal(value, spread, size=(2000, needed))
    half = 1.959964 * draws.std(axis=1, ddof=1) / needed**0.5
    assert (np.sign(value) * draws.mean(axis=1) > half).mean() == pytest.approx(0.8, abs=0.03)


def test_nothing_shows_a_value_of_0() -> None:
    with pytest.raises(ValueError, match="value = 0"):
        items_to_show(0.0, 0.1, 50)
