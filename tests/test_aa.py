"""A/A: two sides with the same chances are told apart about as rarely as promised, and not when epochs are pooled."""

from functools import cache

import numpy as np
import pytest
from analysis_builders import OPUS, SONNET, run_of

from evalkit.analysis import analyze
from evalkit.analysis.columns import Columns
from evalkit.analysis.compare import pairs
from evalkit.analysis.corrections import stated
from evalkit.analysis.pair_results import Pair
from evalkit.rubric import Economics

SEEDS = range(100)
ITEMS = 40
LASTING = 0.5
"""How far an item can favour one side for good, in favour of either side equally often."""

Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


def _two_sides(seed: int, epochs: int, apart: float) -> list[Flags]:
    """Verdicts, items x epochs, of two sides that are equally good: on every item, or (apart > 0) over items."""
    rng = np.random.default_rng(seed)
    chances, favour = rng.beta(1.6, 0.4, ITEMS), rng.choice([-1, 1], ITEMS) * apart
    return [rng.random((ITEMS, epochs)) < np.clip(chances + s, 0, 1)[:, None] for s in (favour, -favour)]


def _table(flags: Flags) -> Columns:
    items, epochs = flags.shape
    satisfied = dict.fromkeys(("satisfied", "at_worst", "at_best"), flags.ravel().astype(float))
    numbers = {**satisfied, "cost_usd": np.full(flags.size, np.nan)}
    return Columns(
        tuple(f"item-{i:03d}" for i in range(items)),
        np.repeat(np.arange(items), epochs),
        np.tile(np.arange(1, epochs + 1), items),
        np.zeros(flags.size, dtype=np.int64),
        numbers,
    )  # answered, and unpriced: what is told apart here is not the money


def _pair(sides: list[Flags], seed: int) -> Pair:
    (pair,) = pairs(
        {name: _table(flags) for name, flags in zip((OPUS, SONNET), sides, strict=True)}, seed, stated(Economics()).usd
    )
    return pair


@cache
def _false_alarms(epochs: int, apart: float, pooled: bool = False) -> tuple[float, float]:
    """Share of seeds with Holm's p below .05, and share whose interval excludes 0."""
    low_p, excludes = 0, 0
    for seed in SEEDS:
        sides = _two_sides(seed, epochs, apart)
        pair = _pair([flags.reshape(-1, 1) for flags in sides] if pooled else sides, seed)
        low, high = pair.difference.low, pair.difference.high
        assert pair.p_holm is not None
        assert low is not None
        assert high is not None
        low_p += pair.p_holm < 0.05
        excludes += not low <= 0 <= high
    return low_p / len(SEEDS), excludes / len(SEEDS)


@pytest.mark.parametrize("epochs", [1, 3])
def test_equal_sides_are_rarely_told_apart(epochs: int) -> None:
    low_p, excludes = _false_alarms(epochs, 0.0)
    assert low_p <= 0.06
    assert excludes <= 0.06


def test_pooling_epochs_would_tell_equal_sides_apart() -> None:
    """Negative control: with each epoch as a pair of its own, items that favour one side count three times.

    Sides with the same chances on every item would not show it, since their epochs do differ independently. Here the
    honest error is the nominal 5 % itself, so its bar lies two standard errors of that many seeds above.
    """
    bar = 0.05 + 2 * (0.05 * 0.95 / len(SEEDS)) ** 0.5
    assert max(_false_alarms(3, LASTING)) <= bar
    assert min(_false_alarms(3, LASTING, pooled=True)) > 1.5 * bar


def test_sides_that_differ_are_told_apart() -> None:
    """The other negative control: a comparison that never finds anything would pass all the above."""
    found = 0
    for seed in range(20):
        good, other = _two_sides(seed, 3, 0.0)
        worse = other & (np.random.default_rng(1000 + seed).random(other.shape) < 0.6)
        pair = _pair([good, worse], seed)
        found += pair.p_holm is not None and pair.p_holm < 0.05
    assert found >= 18


def test_a_whole_run_says_the_same() -> None:
    """The tables above are what the analysis makes of a run's verdicts."""
    for epochs in (1, 3):
        sides = _two_sides(5, epochs, 0.0)
        rows = dict(zip((OPUS, SONNET), (flags.tolist() for flags in sides), strict=True))
        whole, alone = analyze(run_of(rows)).pairs[0], _pair(sides, 7)  # the seed of every run made by hand
        assert (whole.difference, whole.p_value, whole.p_holm) == (alone.difference, alone.p_value, alone.p_holm)
        assert (whole.gain, whole.loss, whole.items) == (alone.gain, alone.loss, ITEMS)
