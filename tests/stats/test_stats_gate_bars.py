"""How often the gate errs, exactly where that can be enumerated: bars B5, B6, B7, B13 and B14."""

from bisect import bisect_left

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evalkit import stats
from evalkit.stats.gate_rule import score_at
from evalkit.stats.paired import paired_n_eff, unseen_gains, unseen_items
from evalkit.stats.tango import tango_statistic

ALPHA, Z = 0.05, 1.6448536269514722


def allowed(n: int, margin: float) -> np.ndarray:
    """Tables [gain, loss] of n pairs that pass."""
    most = [-1 if most is None else most for most in stats.losses_allowed(n, margin, range(n + 1), ALPHA)]
    return np.arange(n + 1)[None, :] <= np.array(most)[:, None]


def chance(n: int, gain: float, loss: float) -> np.ndarray:
    """Probability of each table [gain, loss] of n pairs."""
    gains, losses = np.indices((n + 1, n + 1))
    first = scipy_stats.binom.pmf(gains, n, gain)
    return np.where(
        gains + losses <= n, first * scipy_stats.binom.pmf(losses, np.maximum(n - gains, 0), loss / (1 - gain)), 0
    )


@pytest.mark.parametrize("n", [50, 100])
@pytest.mark.parametrize("margin", [0.05, 0.10])
def test_a_loss_of_the_margin_passes_in_at_most_alpha_of_all_runs_whatever_the_discordance(
    n: int, margin: float
) -> None:
    passed = allowed(n, margin)
    worst = max(float(chance(n, q - margin, q)[passed].sum()) for q in np.linspace(margin, 0.5, 60))
    assert 0.02 < worst <= ALPHA
    by_wald = np.fromfunction(
        lambda g, x: (g - x) / n - Z * np.sqrt(np.maximum((g + x) / n - ((g - x) / n) ** 2, 0) / n) > -margin,
        passed.shape,
    )  # the negative control
    assert max(float(chance(n, q - margin, q)[by_wald].sum()) for q in np.linspace(margin, 0.5, 60)) > 0.09


@pytest.mark.parametrize("n", [50, 100])
def test_the_table_of_what_passes_is_what_the_rule_says(n: int) -> None:
    passed = allowed(n, 0.10)
    for gain, loss in ((0, 1), (0, 2), (2, 5), (3, 3), (4, 9), (8, 8), (0, 6)):
        then = [0] * gain + [1] * (n - gain)
        now = [1] * gain + [0] * loss + [1] * (n - gain - loss)
        assert stats.shows_noninferiority(now, then, 0.10, ALPHA, 1) == bool(passed[gain, loss])
        worse = stats.worse_p(now, then, ALPHA, 1)
        assert worse is not None
        assert (worse <= ALPHA) <= bool(tango_statistic(gain, loss, n, 0.0) <= -Z)


def shown_worse(n: int, alpha: float = ALPHA) -> np.ndarray:
    """Tables [gain, loss] of n pairs that show a loss."""
    found = np.zeros((n + 1, n + 1), dtype=bool)
    for gain in range(n // 2 + 1):  # p falls as losses grow
        least = bisect_left(range(n - gain + 1), True, lo=gain, key=lambda loss: shows_loss(gain, loss, n, alpha))
        found[gain, least : n - gain + 1] = True
    return found


def shows_loss(gain: int, loss: int, n: int, alpha: float) -> bool:
    p = stats.worse_p([1] * gain + [0] * (n - gain), [0] * gain + [1] * loss + [0] * (n - gain - loss), alpha, 1)
    return p is not None and p <= alpha


@pytest.mark.long
@pytest.mark.parametrize("n", [29, 50, 52, 72, 100])
def test_two_equal_models_and_one_against_itself_fail_in_at_most_alpha_of_all_runs(n: int) -> None:
    rates = np.linspace(0.005, 0.499, 60)
    gains, losses = np.indices((n + 1, n + 1))
    by_score = tango_statistic(gains, losses, n, 0.0) <= -Z  # the negative control: 3 losses of 29 items are enough
    worst, control = (max(float(chance(n, q, q)[f].sum()) for q in rates) for f in (shown_worse(n), by_score))
    assert 0.03 < worst <= ALPHA
    assert control > (0.06 if n in (29, 52, 72) else ALPHA)


def through_judge(difference: float, discordance: float, sensitivity: float, specificity: float) -> tuple[float, float]:
    """Share of pairs that such a judge calls gains and losses, where the baseline's true rate is .9."""
    gain, loss = (discordance + difference) / 2, (discordance - difference) / 2
    truth = {(0, 1): gain, (1, 0): loss, (1, 1): 0.9 - loss, (0, 0): 0.1 - gain}  # (baseline, candidate)
    good = {1: sensitivity, 0: 1 - specificity}
    return (
        sum(share * (1 - good[b]) * good[c] for (b, c), share in truth.items()),
        sum(share * good[b] * (1 - good[c]) for (b, c), share in truth.items()),
    )


@pytest.mark.parametrize("n", [50, 100])
@pytest.mark.parametrize("discordance", [0.10, 0.16])
def test_a_noisy_judge_passes_no_regression_once_the_margin_shrinks_with_it(n: int, discordance: float) -> None:
    seen = through_judge(-0.10, discordance, 0.95, 0.60)
    assert seen[0] - seen[1] == pytest.approx(-0.10 * 0.55)
    assert float(chance(n, *seen)[allowed(n, 0.10 * 0.55)].sum()) <= 0.06
    if n == 100:
        assert float(chance(n, *seen)[allowed(n, 0.10)].sum()) > 0.15  # the nominal margin: the negative control


@pytest.mark.parametrize(("n", "epochs"), [(60, 1), (100, 1), (60, 3)])
def test_a_candidate_15_points_worse_passes_a_margin_of_5_in_no_seed(n: int, epochs: int) -> None:
    for seed in range(300):
        rng = np.random.default_rng(seed)
        easy = rng.beta(4, 0.6, n)
        then, now = (
            rng.binomial(epochs, easy, n) / epochs,
            rng.binomial(epochs, easy * (1 - 0.15 / easy.mean()), n) / epochs,
        )
        assert not stats.shows_noninferiority(now, then, 0.05, ALPHA, epochs)


@pytest.mark.parametrize(
    ("n", "margin", "epochs", "discordance"), [(50, 0.10, 3, 0.15), (100, 0.05, 3, 0.10), (50, 0.10, 5, 0.10)]
)
def test_with_epochs_a_loss_of_the_margin_passes_in_at_most_7_percent(
    n: int, margin: float, epochs: int, discordance: float
) -> None:
    assert stats.noninferiority_power(n, margin, 0.9, discordance, epochs, difference=-margin) <= 0.07


@pytest.mark.slow
@pytest.mark.parametrize("n", [50, 100])
@pytest.mark.parametrize("margin", [0.05, 0.10])
@pytest.mark.parametrize("epochs", [2, 3, 5])
@pytest.mark.parametrize("discordance", [0.10, 0.15])
@pytest.mark.parametrize("lasting", [0.0, 0.1, 0.5])
def test_with_epochs_the_same_holds_over_mixtures_of_items(
    n: int, margin: float, epochs: int, discordance: float, lasting: float
) -> None:
    asked = {"difference": -margin, "lasting": lasting, "seed": 3}
    assert stats.noninferiority_power(n, margin, 0.9, discordance, epochs, **asked) <= 0.07


@pytest.mark.parametrize(("n", "margin", "power"), [(50, 0.10, 0.85), (100, 0.05, 0.65)])
def test_equal_models_pass_often_enough_with_3_epochs(n: int, margin: float, power: float) -> None:
    assert stats.noninferiority_power(n, margin, 0.9, 0.10, 3) >= power


def test_the_better_items_are_measured_the_more_of_an_unseen_one_counts() -> None:
    """30 items, 10 epochs, 5 points: half an item, enough for 3 epochs, lets 8.8 % pass."""
    assert [unseen_items(epochs) for epochs in (1, 2, 3, 5, 10, 40)] == pytest.approx(
        [0, 0.5, 0.5, 0.7, 1, 1.6], abs=0.01
    )
    rng, shape = np.random.default_rng(11), (8000, 30)
    lost, chances = rng.random(shape) < 0.05, rng.beta(0.79, 0.21, shape)
    baseline = rng.binomial(10, np.where(lost, 1.0, chances)) / 10
    candidate = rng.binomial(10, np.where(lost, 0.0, chances)) / 10
    assert float((score_at(candidate, baseline, 10, -0.05, ALPHA) > Z).mean()) <= 0.07
    n_eff = paired_n_eff(candidate, baseline, 10, 1 - 2 * ALPHA, 0.5)
    gain, loss = (candidate * (1 - baseline)).mean(axis=-1), (baseline * (1 - candidate)).mean(axis=-1)
    assert float((tango_statistic(n_eff * gain, n_eff * loss, n_eff, -0.05) > Z).mean()) > 0.075


@pytest.mark.parametrize("alpha", [0.05, 0.08, 0.1, 0.2, 0.4])
@pytest.mark.parametrize(("margin", "sizes"), [(0.05, (15, 22, 33, 54, 80)), (0.02, (82, 135)), (0.15, (13, 40))])
def test_with_epochs_no_larger_alpha_passes_more_losses_of_the_margin(
    alpha: float, margin: float, sizes: tuple[int, ...]
) -> None:
    """Exact: items are lost whole, as many as binomial chance draws of them, and nothing else ever fails."""
    for n in sizes:
        lost = 0
        while stats.shows_noninferiority([0.0] * lost + [1.0] * (n - lost), [1.0] * n, margin, alpha, 3):
            lost += 1
        assert scipy_stats.binom.cdf(lost - 1, n, margin) <= 0.07, (n, lost)
    assert stats.noninferiority_power(15, 0.05, 0.9, 0.1, 3, alpha=alpha) <= 0.07
    least = stats.smallest_passing_n(0.05, alpha, score_only=True)
    assert least == 54
    labels = [0] * 33
    assert not stats.shows_noninferiority_stratified([1.0] * 33, [1.0] * 33, labels, [33], 0.05, alpha, 3)


@pytest.mark.parametrize("epochs", [2, 3, 5])
@pytest.mark.parametrize("apart", [0.0, 0.1])
def test_the_share_of_differences_that_last_is_found_from_epochs(epochs: int, apart: float) -> None:
    rng, shares = np.random.default_rng(5), []
    for _ in range(300):
        drawn, chances = rng.random(100), rng.beta(2, 0.4, 100)
        candidate = rng.binomial(epochs, np.where(drawn < apart, drawn < apart / 2, chances)) / epochs
        baseline = rng.binomial(epochs, np.where(drawn < apart, drawn >= apart / 2, chances)) / epochs
        shares.append(stats.lasting_share(candidate, baseline, epochs))
    by_chance = (1 - apart) * 2 * (2 / 2.4 - (2 * 3) / (2.4 * 3.4))
    assert np.mean(shares) == pytest.approx(max(0.1, apart / (apart + by_chance)), abs=0.03)
    assert stats.lasting_share([1.0, 0.0, 1.0], [0.0, 1.0, 1.0], epochs) == 1.0
    assert stats.lasting_share([1.0, 1.0], [1.0, 1.0], epochs) == stats.lasting_share([1.0], [0.0], 1) == 0.1


def test_items_that_always_tell_the_sides_apart_take_more_of_them() -> None:
    """100 items of 3 epochs at a rate of .7, 5 gained and 5 lost in every epoch: 114 items would pass in 46 %."""
    needed = stats.noninferiority_items(0.05, 0.7, 0.1, 3, lasting=1.0)
    assert needed is not None
    assert needed > 2 * (stats.noninferiority_items(0.05, 0.7, 0.1, 3) or 0)
    rng, passed = np.random.default_rng(6), 0
    for _ in range(400):
        drawn = rng.random(needed)
        both = (drawn >= 0.4).astype(float)
        passed += stats.shows_noninferiority(
            np.where(drawn < 0.05, 1.0, both), np.where((drawn >= 0.05) & (drawn < 0.1), 1.0, both), 0.05, 0.05, 3
        )
    assert passed / 400 == pytest.approx(0.8, abs=0.07)


@pytest.mark.parametrize(
    ("n", "epochs", "gained", "losing"), [(30, 5, 0.08, 0.92), (50, 3, 0.05, 0.4), (50, 10, 0.05, 0.95)]
)
def test_gains_on_few_items_that_were_not_drawn_seldom_make_a_loss_of_small_ones(
    n: int, epochs: int, gained: float, losing: float
) -> None:
    """Equal in all: a share of the items gained whole, a little lost on many others; part of an item is not enough."""
    rng, shape = np.random.default_rng(12), (12_000, n)
    drawn = rng.random(shape)
    baseline = rng.binomial(epochs, np.where(drawn < gained, 0.0, 1.0)) / epochs
    lost = np.where((drawn >= gained) & (drawn < gained + losing), gained / losing, 0.0)
    candidate = rng.binomial(epochs, 1 - lost) / epochs
    worse = [stats.worse_p(c, b, ALPHA, epochs) or 1 for c, b in zip(candidate[:200], baseline[:200], strict=True)]
    failed, part = (
        score_at(baseline, candidate, epochs, 0.0, ALPHA, unseen) > Z
        for unseen in (unseen_gains(epochs), unseen_items(epochs))
    )
    assert [p <= ALPHA for p in worse] == failed[:200].tolist()
    assert float(failed.mean()) <= 0.06
    assert float(part.mean()) > 0.07


@pytest.mark.parametrize(("n", "least"), [(50, 0.92), (100, 0.99)])
def test_a_candidate_15_points_worse_fails_all_the_same(n: int, least: float) -> None:
    rng, shape = np.random.default_rng(13), (8000, n)
    baseline, candidate = rng.binomial(3, 0.9, shape) / 3, rng.binomial(3, 0.75, shape) / 3
    assert float((score_at(baseline, candidate, 3, 0.0, ALPHA, unseen_gains(3)) > Z).mean()) >= least


@pytest.mark.slow
@pytest.mark.parametrize("epochs", [3, 5, 10, 40])
@pytest.mark.parametrize(
    ("n", "margin"), [(20, 0.10), (30, 0.05), (50, 0.05), (50, 0.10), (100, 0.05), (100, 0.10), (150, 0.03)]
)
def test_a_collapse_on_few_items_is_not_hidden_by_well_measured_others(n: int, margin: float, epochs: int) -> None:
    """The candidate loses some items whole, by the margin in all; other items differ by chance alone."""
    rng, worst, plain = np.random.default_rng(7), 0.0, 0.0
    for chances in (np.full((4000, n), 0.5), np.full((4000, n), 0.9), rng.beta(0.3, 0.1, (4000, n))):
        lost = rng.random(chances.shape) < margin / float(chances.mean())
        baseline = rng.binomial(epochs, chances) / epochs
        candidate = rng.binomial(epochs, np.where(lost, 0.0, chances)) / epochs
        worst = max(worst, float((score_at(candidate, baseline, epochs, -margin, ALPHA) > Z).mean()))
        n_eff = paired_n_eff(candidate, baseline, epochs, 1 - 2 * ALPHA)  # the negative control: nothing unseen
        gain, loss = (candidate * (1 - baseline)).mean(axis=-1), (baseline * (1 - candidate)).mean(axis=-1)
        plain = max(plain, float((tango_statistic(n_eff * gain, n_eff * loss, n_eff, -margin) > Z).mean()))
    assert worst <= 0.078  # 0.07 and two standard errors
    if (n, margin) == (30, 0.05) and epochs > 3:
        assert plain > 0.1
