"""Paired comparisons: edge cases, p-values, effective counts."""

import math
from itertools import product

import numpy as np
import pytest
from scipy import optimize
from scipy import stats as scipy_stats

from evalkit.stats import (
    Estimate,
    discordance,
    holm,
    mcnemar_midp,
    paired,
    paired_means,
    paired_rates,
    paired_rates_clustered,
    sign_flip_p,
)
from evalkit.stats.paired import TANGO
from evalkit.stats.rates import two_sided_t, two_sided_z
from evalkit.stats.tango import tango_limits, tango_statistic


def numbers_of(estimate: Estimate) -> tuple[float | None, float | None, float | None]:
    return estimate.value, estimate.low, estimate.high


@pytest.mark.parametrize(("gain", "loss", "n", "difference"), [(3, 7, 40, -0.2), (0, 2, 30, 0.1), (9, 1, 25, 0.15)])
def test_tango_score_uses_the_constrained_likelihood_maximum(gain: int, loss: int, n: int, difference: float) -> None:
    def minus_log_likelihood(loss_rate: float) -> float:
        cells = [
            (gain, loss_rate + difference),
            (loss, loss_rate),
            (n - gain - loss, 1 - 2 * loss_rate - difference),
        ]
        return -sum(count * math.log(max(share, 1e-300)) for count, share in cells if count)

    bracket = (max(0.0, -difference), (1 - difference) / 2)
    best = optimize.minimize_scalar(minus_log_likelihood, bounds=bracket, method="bounded", options={"xatol": 1e-12}).x
    expected = (gain - loss - n * difference) / math.sqrt(n * (2 * best + difference * (1 - difference)))
    assert float(tango_statistic(gain, loss, n, difference)) == pytest.approx(expected, abs=1e-4)


def test_limits_are_where_the_score_equals_its_quantile() -> None:
    z = two_sided_z(0.95)
    low, high = tango_limits([4, 0, 12], [10, 3, 1], 60, z)
    assert tango_statistic([4, 0, 12], [10, 3, 1], 60, low) == pytest.approx([z] * 3, abs=1e-9)
    assert tango_statistic([4, 0, 12], [10, 3, 1], 60, high) == pytest.approx([-z] * 3, abs=1e-9)


@pytest.mark.parametrize("n", [1, 2, 5, 50, 100])
def test_no_discordant_pair_has_the_closed_form_limits(n: int) -> None:
    estimate, z2 = paired_rates(0, 0, n), two_sided_z(0.95) ** 2
    assert numbers_of(estimate) == pytest.approx((0.0, -z2 / (n + z2), z2 / (n + z2)), abs=1e-12)
    assert estimate.warnings == ("the two sides never differ: the interval rests on n alone",)


@pytest.mark.parametrize("n", [1, 2, 50])
def test_all_gains_or_all_losses_touch_the_edge(n: int) -> None:
    z2 = two_sided_z(0.95) ** 2
    assert numbers_of(paired_rates(n, 0, n)) == pytest.approx((1.0, (n - z2) / (n + z2), 1.0), abs=1e-12)
    assert numbers_of(paired_rates(0, n, n)) == pytest.approx((-1.0, -1.0, (z2 - n) / (n + z2)), abs=1e-12)
    assert paired_rates(n, 0, n).high == 1.0
    assert paired_rates(0, n, n).low == -1.0


def test_no_pairs_has_no_value() -> None:
    for estimate in (paired_rates(0, 0, 0), paired_rates_clustered([], []), paired_means([], [])):
        assert (*numbers_of(estimate), estimate.n, estimate.reason) == (None, None, None, 0, "no pairs")


@pytest.mark.parametrize(
    ("gain", "loss", "n", "message"),
    [
        (3, 3, 5, "gain = 3 [+] loss = 3 is more than n = 5"),
        (-1, 0, 5, "gain = -1 is not a whole number"),
        (1, 0.5, 5, "loss = 0.5 is not a whole number"),
        (0, 0, -2, "n = -2 is not a whole number"),
    ],
)
def test_bad_pair_counts_are_named(gain: int, loss: float, n: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        paired_rates(gain, loss, n)  # wrong on purpose


def test_discordance_counts_gains_and_losses() -> None:
    counts = discordance([1, 1, 0, 0, 1], [1, 0, 1, 0, 0])
    assert (counts.gain, counts.loss, counts.n, counts.share) == (2.0, 1.0, 5, 0.6)
    means = discordance([2 / 3, 1.0], [1 / 3, 1.0])
    assert (means.gain, means.loss) == pytest.approx((4 / 9, 1 / 9))
    assert discordance([], []).share is None


def test_clustered_difference_reduces_to_the_plain_one() -> None:
    candidate, baseline = [1, 1, 1, 0, 0] * 10, [1, 0, 1, 1, 0] * 10
    assert paired_rates_clustered(candidate, baseline) == paired_rates(10, 10, 50)
    assert paired_rates_clustered(candidate, baseline, epochs=1).method == TANGO


def test_clustered_difference_follows_its_formula() -> None:
    p = np.array([3, 2, 1, 3, 0, 2, 3, 3, 1, 2]) / 3
    b = np.array([3, 1, 1, 2, 0, 3, 3, 2, 0, 2]) / 3
    d, n, m = p - b, len(p), 3
    s = float((p * (1 - b) + b * (1 - p)).mean())
    n_eff = min(max(n * (s - d.mean() ** 2) / d.var(ddof=1), n), n * m)
    n_eff *= (two_sided_z(0.95) / two_sided_t(0.95, n - 1)) ** 2
    low, high = tango_limits(n_eff * (s + d.mean()) / 2, n_eff * (s - d.mean()) / 2, n_eff, two_sided_z(0.95))
    expected = (float(d.mean()), float(low), float(high))
    assert numbers_of(paired_rates_clustered(p, b)) == pytest.approx(expected, abs=1e-12)
    assert paired_rates_clustered(p, b) == paired_rates_clustered(p, b, epochs=3)


def test_epochs_add_nothing_when_nothing_ever_differs() -> None:
    flags = [1.0] * 45 + [0.0] * 5
    repeated = paired_rates_clustered(flags, flags, epochs=5)
    assert numbers_of(repeated) == numbers_of(paired_rates(0, 0, 50))
    assert repeated.warnings


def test_equal_differences_everywhere_count_every_epoch() -> None:
    n, m = 20, 2
    estimate = paired_rates_clustered([0.5] * n, [0.5] * n)
    n_eff = n * m * (two_sided_z(0.95) / two_sided_t(0.95, n - 1)) ** 2
    low, high = tango_limits(n_eff / 4, n_eff / 4, n_eff, two_sided_z(0.95))
    assert numbers_of(estimate) == pytest.approx((0.0, float(low), float(high)), abs=1e-12)


def test_one_clustered_pair_counts_once() -> None:
    estimate = paired_rates_clustered([2 / 3], [1 / 3])
    assert estimate.n == 1
    assert estimate.value == pytest.approx(1 / 3)
    assert (estimate.low, estimate.high) == pytest.approx(
        [float(x) for x in tango_limits(4 / 9, 1 / 9, 1, two_sided_z(0.95))]
    )


@pytest.mark.parametrize("epochs", [0, 1])
def test_epochs_that_the_means_contradict_are_named(epochs: int) -> None:
    with pytest.raises(ValueError, match=f"epochs = {epochs} does not fit item means with a denominator of 2"):
        paired_rates_clustered([0.5], [1.0], epochs=epochs)


def test_means_outside_the_unit_interval_are_named() -> None:
    with pytest.raises(ValueError, match=r"candidate\[0\] = 1.5"):
        paired_rates_clustered([1.5], [1.0])
    with pytest.raises(ValueError, match="lengths differ"):
        paired_rates_clustered([1.0], [])


@pytest.mark.parametrize(
    ("gain", "loss", "p"), [(0, 0, 1.0), (1, 1, 0.75), (1, 0, 0.5), (5, 0, 1 / 32), (6, 0, 1 / 64), (2, 2, 0.8125)]
)
def test_midp_by_hand(gain: int, loss: int, p: float) -> None:
    assert mcnemar_midp(gain, loss) == pytest.approx(p, abs=1e-15)


def test_midp_names_a_bad_count() -> None:
    with pytest.raises(ValueError, match="loss = -1"):
        mcnemar_midp(3, -1)


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ([], []),
        ([0.04], [0.04]),
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.5, 0.5, 0.9], [1.0, 1.0, 1.0]),
        ([0.02, 0.02], [0.04, 0.04]),
        ([0.0, 1.0], [0.0, 1.0]),
    ],
)
def test_holm_by_hand(p_values: list[float], adjusted: list[float]) -> None:
    assert holm(p_values) == pytest.approx(adjusted)


@pytest.mark.parametrize("bad", [float("nan"), -0.1, 1.1])
def test_holm_names_a_bad_p(bad: float) -> None:
    with pytest.raises(ValueError, match=r"p_values\[1\]"):
        holm([0.5, bad])


def test_paired_means_equals_scipy() -> None:
    rng = np.random.default_rng(3)
    candidate, baseline = rng.normal(size=30), rng.normal(size=30)
    expected = scipy_stats.ttest_rel(candidate, baseline).confidence_interval(0.9)
    estimate = paired_means(candidate, baseline, confidence=0.9)
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(
    ("candidate", "baseline", "value", "words"),
    [
        ([4.0], [3.0], 1.0, "one pair gives no interval"),
        ([3.0] * 50, [3.0] * 50, 0.0, "all 50 differences are 0: at most 0.071 of items differ"),
        ([4.0, 5.0], [3.0, 4.0], 1.0, "all 2 differences are equal: their spread cannot be estimated"),
        ([0.3, 0.4], [0.1, 0.2], 0.2, "all 2 differences are equal: their spread cannot be estimated"),
    ],
)
def test_means_without_spread_have_no_interval(
    candidate: list[float], baseline: list[float], value: float, words: str
) -> None:
    estimate = paired_means(candidate, baseline)
    assert numbers_of(estimate) == (pytest.approx(value), None, None)
    assert estimate.warnings == (words,)


def test_two_pairs_give_a_wide_interval() -> None:
    estimate = paired_means([1.0, 2.0], [0.0, 0.0])
    assert numbers_of(estimate) == pytest.approx((1.5, 1.5 - 12.7062047 / 2, 1.5 + 12.7062047 / 2))


def test_paired_means_names_a_bad_value() -> None:
    with pytest.raises(ValueError, match=r"baseline\[1\] = nan"):
        paired_means([1.0, 2.0], [1.0, float("nan")])


def exact_sign_flip(d: list[float]) -> float:
    observed = abs(sum(d))
    sums = [abs(sum(s * x for s, x in zip(signs, d, strict=True))) for signs in product((-1, 1), repeat=len(d))]
    return sum(total >= observed - 1e-12 for total in sums) / len(sums)


@pytest.mark.parametrize("d", [[1.0, 2.0, -0.5], [1.0, 1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 3.0, -1.0], [2.0, -2.0]])
def test_sign_flip_equals_full_enumeration(d: list[float]) -> None:
    assert sign_flip_p(d, [0.0] * len(d), seed=1) == pytest.approx(min(1.0, exact_sign_flip(d)))


@pytest.mark.parametrize(("d", "p"), [([], None), ([5.0], 1.0), ([0.0, 0.0, 0.0], 1.0), ([1.0, 1.0], 0.5)])
def test_sign_flip_edges(d: list[float], p: float | None) -> None:
    assert sign_flip_p(d, [0.0] * len(d), seed=1) == p


def test_sign_flip_by_sampling_is_reproducible_and_symmetric() -> None:
    rng = np.random.default_rng(8)
    candidate, baseline = rng.normal(0.4, 1, 40), np.zeros(40)
    p = sign_flip_p(candidate, baseline, seed=7)
    assert p is not None
    assert 0.1 < p < 0.3
    assert sign_flip_p(candidate, baseline, seed=7) == p
    assert sign_flip_p(baseline, candidate, seed=7) == pytest.approx(p)
    assert p == pytest.approx(float(scipy_stats.ttest_1samp(candidate, 0).pvalue), abs=0.02)


def test_narrow_numpy_integers_do_not_overflow() -> None:
    narrow = np.uint8(200), np.uint8(100)
    assert mcnemar_midp(*narrow) == mcnemar_midp(200, 100)
    with pytest.raises(ValueError, match="more than n"):
        paired_rates(*narrow, np.uint8(250))
    assert paired_rates(np.uint8(150), np.uint8(100), np.uint8(250)) == paired_rates(150, 100, 250)


def test_sign_flip_of_many_items_agrees_with_the_normal_law_and_ignores_equal_items() -> None:
    d = np.random.default_rng(1).normal(0.02, 1, 4000).round(1)
    normal = 2 * float(scipy_stats.norm.sf(abs(d.sum()) / np.sqrt((d * d).sum())))
    assert sign_flip_p(d, np.zeros(4000), seed=1) == pytest.approx(normal, abs=0.02)
    few = [3.0, 2.0, -1.0, 2.0]
    assert sign_flip_p([*few, *[0.0] * 20_000], [0.0] * 20_004, seed=1) == exact_sign_flip(few)


def test_sign_flips_are_made_in_blocks_of_one_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the items take twice the random bytes in twice the blocks: work grows with items alone."""
    rows: list[int] = []
    coins = paired._coins
    monkeypatch.setattr(paired, "_coins", lambda rng, n, k: rows.append(n * k) or coins(rng, n, k))
    for items in (2000, 4000):
        rows.clear()
        sign_flip_p(np.linspace(-1, 1.1, items), np.zeros(items), seed=1)
        assert sum(rows) == 9999 * items
        assert max(rows) <= 1_000_000


@pytest.mark.parametrize("epochs", [0, 1, 2, 3, 3.7, float("nan")])
def test_epochs_that_the_means_contradict_are_refused(epochs: float) -> None:
    with pytest.raises(ValueError, match="epochs = "):
        paired_rates_clustered([0.5, 0.5], [0.5, 0.25], epochs=epochs)  # wrong on purpose
    assert paired_rates_clustered([0.5, 0.5], [0.5, 0.25], epochs=4).value == 0.125
