"""Paired rates from labels of whole strata and of a sample: by hand, against what it reduces to, and simulated."""

import math

import numpy as np
import pytest

from evalkit import stats
from evalkit.stats.paired import paired_rates_clustered
from evalkit.stats.tango import tango_limits

Z90, T9 = 1.6448536269514722, 1.8331129326536335


def by_hand() -> tuple[list[int], list[int], list[int], list[int]]:
    """100 items: of 4 that the judge sees worse 3 are, 6 better ones are, and 10 of the 90 alike are labelled."""
    candidate = [0, 0, 0, 1, *[1] * 6, *[1] * 9, 0]
    baseline = [1, 1, 1, 1, *[0] * 6, *[1] * 10]
    return candidate, baseline, [0] * 4 + [1] * 6 + [2] * 10, [4, 6, 90]


def test_the_estimate_is_the_one_worked_out_by_hand() -> None:
    found = stats.paired_rates_stratified(*by_hand(), 0.90)
    # strata: weights .04 .06 .90; means -.75 1 -.1; shares that differ .75 1 .1; variances 3/16, 0, .1 (n - 1)
    d = 0.04 * -0.75 + 0.06 - 0.09
    s = 0.03 + 0.06 + 0.09
    within = 0.04 * 3 / 16 + 0.90 * 0.1
    between = 0.04 * (-0.75 - d) ** 2 + 0.06 * (1 - d) ** 2 + 0.90 * (-0.1 - d) ** 2
    variance = (within + between) / 99 + 0.90**2 * (1 / 10 - 1 / 90) * 0.1
    n_eff = (s - d * d) / variance * (Z90 / T9) ** 2
    low, high = tango_limits(n_eff * (s + d) / 2, n_eff * (s - d) / 2, n_eff, Z90)
    assert found.value == pytest.approx(d) == pytest.approx(-0.06)
    assert (found.low, found.high) == (pytest.approx(float(low), abs=1e-9), pytest.approx(float(high), abs=1e-9))
    assert found.n == 100


def test_a_sample_without_spread_is_not_certainty() -> None:
    candidate, baseline, strata, sizes = by_hand()
    found = stats.paired_rates_stratified([*candidate[:-1], 1], baseline, strata, sizes, 0.90)
    spread = 1 / 12  # 10 labels alike, and half a gain and half a loss in 12
    d, s = 0.03, 0.09 + 0.90 * spread
    between = 0.04 * (-0.75 - d) ** 2 + 0.06 * (1 - d) ** 2 + 0.90 * d**2
    variance = (0.0075 + 0.90 * spread + between) / 99 + 0.81 * (1 / 10 - 1 / 90) * spread
    n_eff = (s - d * d) / variance * (Z90 / T9) ** 2
    low, _ = tango_limits(n_eff * (s + d) / 2, n_eff * (s - d) / 2, n_eff, Z90)
    assert (found.value, found.low) == (pytest.approx(d), pytest.approx(float(low), abs=1e-9))


def test_with_every_label_it_is_the_clustered_form() -> None:
    rng = np.random.default_rng(4)
    candidate, baseline = rng.integers(0, 4, 40) / 3, rng.integers(0, 4, 40) / 3
    strata = rng.integers(0, 3, 40).tolist()
    found = stats.paired_rates_stratified(candidate, baseline, strata, [strata.count(h) for h in range(3)], 0.90)
    whole = paired_rates_clustered(candidate, baseline, 0.90, 3)
    assert found.value == pytest.approx(whole.value)
    assert (found.low, found.high) == (pytest.approx(whole.low, abs=1e-6), pytest.approx(whole.high, abs=1e-6))


@pytest.mark.parametrize("epochs", [3, 10])
def test_with_every_label_it_passes_where_the_clustered_form_does(epochs: int) -> None:
    rng, passed, beside = np.random.default_rng(5), 0, 0
    for _ in range(200):
        chances = rng.beta(3, 1, 60)
        candidate, baseline = rng.binomial(epochs, chances) / epochs, rng.binomial(epochs, chances) / epochs
        strata = rng.integers(0, 3, 60).tolist()
        sizes, margin = [strata.count(h) for h in range(3)], float(rng.choice([0.03, 0.05, 0.1]))
        shown = stats.shows_noninferiority(candidate, baseline, margin, 0.05, epochs)
        labels = (candidate, baseline, strata, sizes)
        assert stats.shows_noninferiority_stratified(*labels, margin, 0.05, epochs) == shown
        low = stats.paired_rates_stratified(*labels, 0.90).low
        passed, beside = passed + shown, beside + (not shown and low is not None and low > -margin)
    assert 20 < passed < 180
    assert beside > 0, "the interval alone would pass more"


def test_with_one_epoch_it_passes_where_the_lower_limit_does() -> None:
    candidate, baseline, strata, sizes = by_hand()
    low = stats.paired_rates_stratified(candidate, baseline, strata, sizes, 0.90).low
    assert low is not None
    for margin, shown in ((-low - 1e-6, False), (-low + 1e-6, True)):
        assert stats.shows_noninferiority_stratified(candidate, baseline, strata, sizes, margin) == shown
    assert not stats.shows_noninferiority_stratified([], [], [], [], 0.1)


@pytest.mark.parametrize("alpha", [0.025, 0.05])
def test_the_p_is_at_most_alpha_exactly_where_the_upper_limit_is_below_0(alpha: float) -> None:
    for losses in range(12):
        labels = ([0] * losses + [1] * 20, [1] * (losses + 20), [0] * losses + [1] * 20, [losses, 80])
        high = stats.paired_rates_stratified(*labels, 1 - 2 * alpha).high
        p = stats.worse_p_stratified(*labels, alpha)
        assert (p is not None and p <= alpha) == (high is not None and high < 0), losses


@pytest.mark.parametrize("epochs", [2, 10])
def test_with_every_label_the_p_is_that_of_the_clustered_form(epochs: int) -> None:
    rng, tested = np.random.default_rng(6), 0
    for _ in range(40):
        chances = rng.beta(3, 1, 60)
        candidate, baseline = rng.binomial(epochs, 0.9 * chances) / epochs, rng.binomial(epochs, chances) / epochs
        strata = rng.integers(0, 3, 60).tolist()
        p = stats.worse_p_stratified(candidate, baseline, strata, [strata.count(h) for h in range(3)], 0.05, epochs)
        paired = stats.worse_p(candidate, baseline, 0.05, epochs)
        assert p is not None
        assert paired is not None
        assert p == pytest.approx(paired, rel=1e-9)
        tested += 0.001 < p < 0.2
    assert tested > 5


@pytest.mark.parametrize(
    ("labels", "reason"),
    [(([], [], [], []), "no pairs"), (([1], [1], [0], [1, 5]), "a stratum has no label")],
)
def test_where_there_is_nothing_to_say_there_is_a_reason(labels: tuple[list[int], ...], reason: str) -> None:
    assert stats.paired_rates_stratified(*labels).reason == reason
    assert stats.worse_p_stratified(*labels) is None


def test_one_label_of_many_has_no_limits_and_wrong_labels_are_refused() -> None:
    found = stats.paired_rates_stratified([1], [1], [0], [50])
    assert (found.low, found.high) == (-1, 1)
    for strata, sizes in (([0, 0], [1]), ([0, 2], [1, 1]), ([0, 0.5], [2, 2])):
        with pytest.raises(ValueError, match=r"strata|labels"):
            stats.paired_rates_stratified([1, 1], [1, 1], strata, sizes)


def judged(rng: np.random.Generator, n: int, difference: float, discordance: float) -> tuple[np.ndarray, ...]:
    """Truth of both sides on n items (rate .9), and a judge of sensitivity .95 and specificity .60 on each."""
    gains, losses = (discordance + difference) / 2, (discordance - difference) / 2
    kind, shared = rng.random(n), rng.random(n) < (0.9 - losses) / (1 - discordance)
    baseline = np.where(kind < gains, 0, np.where(kind < gains + losses, 1, shared))
    candidate = np.where(kind < gains, 1, np.where(kind < gains + losses, 0, shared))
    said = [np.where(side == 1, rng.random(n) < 0.95, rng.random(n) > 0.60) for side in (baseline, candidate)]
    return candidate, baseline, np.where(said[1] > said[0], 1, np.where(said[1] < said[0], 0, 2))


def passes(
    n: int, share: float, repeats: int, difference: float = -0.10, discordance: float = 0.16
) -> dict[str, float]:
    """How often margin .10 passes, the 90 % interval holds the truth, and what took the unlabelled as alike passes."""
    rng, found = np.random.default_rng(n), {"passed": 0, "covered": 0, "naive": 0}
    for _ in range(repeats):
        candidate, baseline, strata = judged(rng, n, difference, discordance)
        alike, apart = np.flatnonzero(strata == 2), np.flatnonzero(strata < 2)
        labelled = np.concatenate([apart, rng.permutation(alike)[: max(10, math.ceil(share * len(alike)))]])
        sizes = [int((strata == h).sum()) for h in range(3)]
        e = stats.paired_rates_stratified(candidate[labelled], baseline[labelled], strata[labelled], sizes, 0.90)
        assert e.low is not None
        assert e.high is not None
        gain, loss = (int((candidate[apart] > baseline[apart]).sum()), int((candidate[apart] < baseline[apart]).sum()))
        naive = stats.paired_rates(gain, loss, n, 0.90).low
        assert naive is not None
        found["passed"] += e.low > -0.10
        found["covered"] += e.low <= difference <= e.high
        found["naive"] += naive > -0.10
    return {name: count / repeats for name, count in found.items()}


def test_hidden_losses_pass_no_gate_and_would_if_the_unlabelled_were_taken_as_alike() -> None:
    found = passes(100, 0.2, 300)
    assert found["passed"] <= 0.06
    assert found["naive"] > 0.15  # the judge's silence is no evidence


@pytest.mark.slow
@pytest.mark.parametrize("n", [50, 100, 200])
@pytest.mark.parametrize("share", [0.2, 0.4])
@pytest.mark.parametrize("difference", [-0.10, 0.0])
def test_a_sample_of_what_the_judge_sees_alike_covers(n: int, share: float, difference: float) -> None:
    found = passes(n, share, 1500, difference)
    assert found["covered"] >= 0.88  # 90 % less two standard errors; the worst cell seen: .889
    if difference < 0:
        assert found["passed"] <= 0.07
