"""Sizing: numbers and sentences about what a test set can show, before any money is spent."""

import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from evalkit import stats
from evalkit.sizing import MOST_EPOCHS, Assumptions, Sizing, likely_discordance, sentences, size_up


@cache
def sized(assumed: Assumptions) -> Sizing:
    """What `size_up` says; the search for more items takes seconds, so tests share it."""
    return size_up(assumed)


# ---- numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize(
    ("items", "margin", "allowed"),
    [
        pytest.param(50, 0.05, (None, 0, 0, 1, 1, 2, 2, 3, 4), id="50 items at 5 points"),
        pytest.param(50, 0.10, (1, 2, 2, 3, 3, 4, 5, 5, 6), id="50 items at 10 points"),
        pytest.param(100, 0.05, (1, 1, 2, 3, 3, 4, 4, 5, 6), id="100 items at 5 points"),
    ],
)
def test_losses_that_a_gate_allows(items: int, margin: float, allowed: tuple[int | None, ...]) -> None:
    assert sized(Assumptions(items, margin=margin)).losses_allowed == allowed


@pytest.mark.long
@pytest.mark.parametrize(
    ("margin", "epochs", "least"),
    [(0.05, 1, 59), (0.05, 3, 54), (0.10, 1, 29), (0.10, 2, 27)],
)
def test_the_fewest_items_that_pass_when_nothing_differs(margin: float, epochs: int, least: int) -> None:
    below, enough = (sized(Assumptions(n, epochs, margin=margin)) for n in (least - 1, least))
    assert below.least_items == enough.least_items == least
    assert (below.can_pass_without_difference, enough.can_pass_without_difference) == (False, True)


@pytest.mark.parametrize(
    ("items", "epochs", "margin", "power"),
    [
        (50, 1, 0.05, 0.18), (50, 1, 0.10, 0.56), (50, 3, 0.05, 0.43), (50, 3, 0.10, 0.90), (100, 1, 0.05, 0.35),
        (100, 1, 0.10, 0.84), (100, 3, 0.05, 0.70), (100, 5, 0.05, 0.83), (100, 3, 0.10, 1.0),
    ],
)  # fmt: skip
def test_power_is_near_an_independent_simulation(items: int, epochs: int, margin: float, power: float) -> None:
    """The simulation drew items from another model whose sides differ by chance on about 0.12 of the items.

    It reckoned with no unseen item, which costs power where few items have many epochs; its 0.57 for 50 items and 5
    epochs at 5 points is not asked for.
    """
    low, high = (stats.noninferiority_power(items, margin, 0.90, d, epochs) for d in (0.14, 0.10))
    assert low - 0.03 <= power <= high + 0.03


def test_the_power_shown_is_that_of_the_gate() -> None:
    assert sized(Assumptions(50, 3)).gate_power == stats.noninferiority_power(50, 0.10, 0.90, 0.10, 3)
    assert sized(Assumptions(50)).gate_power == stats.noninferiority_power(50, 0.10, 0.90, 0.10)


@pytest.mark.parametrize(
    ("items", "discordance", "points"),
    [(50, 0.05, 17.5), (50, 0.10, 21), (50, 0.20, 25.5), (100, 0.05, 10.5), (100, 0.10, 13), (100, 0.20, 16.5)],
)
def test_detectable_differences(items: int, discordance: float, points: float) -> None:
    rate = 0.85 if discordance == 0.20 else 0.90
    detectable = sized(Assumptions(items, rate=rate, discordance=discordance)).detectable
    assert detectable == pytest.approx(points / 100, abs=0.0051)


@pytest.mark.long
def test_epochs_count_in_the_difference_and_in_the_rate() -> None:
    one, three, five = (sized(Assumptions(50, m)) for m in (1, 3, 5))
    assert one.detectable is not None
    assert three.detectable is not None
    assert five.detectable is not None
    assert five.detectable < three.detectable < one.detectable
    assert five.rate.high is not None
    widths = [
        s.rate.high - s.rate.low for s in (one, three, five) if s.rate.low is not None and s.rate.high is not None
    ]
    assert widths[0] > widths[1] > widths[2]
    assert three.losses_allowed == ()
    said = " ".join(sentences(three))
    assert "one epoch" not in said
    assert "no count of lost items settles it" in said


@pytest.mark.long
def test_the_difference_said_to_show_with_epochs_does_in_four_of_five_sets() -> None:
    """An independent draw: items of one chance each for both sides, with the limits that the analysis gives."""
    n, m, rate, rng, found = 50, 3, 0.9, np.random.default_rng(5), 0
    difference = stats.detectable_difference(n, 0.10, epochs=m, rate=rate)
    assert difference is not None
    size = 1 / (1 - 0.10 / (2 * rate * (1 - rate))) - 1
    for _ in range(400):
        chance = rng.beta(rate * size, (1 - rate) * size, n)
        better, worse = rng.binomial(m, chance) / m, rng.binomial(m, chance * (1 - difference / rate)) / m
        high = stats.paired_rates_clustered(worse, better, epochs=m).high
        found += high is not None and high < 0
    assert 0.72 <= found / 400 <= 0.90


def test_the_rate_is_known_as_well_as_wilson_says() -> None:
    rate = sized(Assumptions(50)).rate
    assert (rate.value, rate.low, rate.high) == pytest.approx((0.9, 0.7864, 0.9565), abs=1e-4)


@pytest.mark.long
@pytest.mark.parametrize(("discordance", "about"), [(0.02, 44), (0.05, 52), (0.10, 80), (0.15, 104)])
def test_items_needed_at_ten_points(discordance: float, about: int) -> None:
    needed = sized(Assumptions(30, discordance=discordance)).items_needed
    assert needed is not None
    assert abs(needed - about) <= 0.06 * about
    assert stats.noninferiority_power(needed, 0.10, 0.90, discordance) >= 0.80


def test_enough_power_needs_nothing_more() -> None:
    sizing = sized(Assumptions(50, 3))
    assert sizing.gate_power >= 0.80
    assert (sizing.items_needed, sizing.epochs_needed) == (50, 3)
    assert "80 % power by" not in " ".join(sentences(sizing, (0.01,)))


@pytest.mark.long
def test_epochs_needed_is_the_first_number_that_does() -> None:
    sizing = sized(Assumptions(100, margin=0.05))
    assert sizing.epochs_needed is not None
    powers = [stats.noninferiority_power(100, 0.05, 0.90, 0.10, m) for m in range(1, sizing.epochs_needed + 1)]
    assert [power >= 0.80 for power in powers] == [False] * (len(powers) - 1) + [True]


@pytest.mark.parametrize(
    "assumed",
    [
        Assumptions(60, margin=0.08),
        pytest.param(Assumptions(100, 2, margin=0.05), marks=pytest.mark.slow),
        Assumptions(40, 3, 0.8, 0.2, margin=0.10),
        Assumptions(30, margin=0.05),
        pytest.param(Assumptions(50, MOST_EPOCHS, margin=0.03), marks=pytest.mark.slow),
    ],
)
def test_the_search_for_epochs_finds_what_a_plain_walk_finds(assumed: Assumptions) -> None:
    a = assumed
    walk = (
        m
        for m in range(a.epochs + 1, MOST_EPOCHS + 1)
        if stats.noninferiority_power(a.items, a.margin, a.rate, a.discordance, m, alpha=a.alpha) >= 0.80
    )
    assert sized(a).gate_power < 0.80
    assert sized(a).epochs_needed == next(walk, None)


@pytest.mark.parametrize(("items", "needed"), [(41, 42), (43, 44)])
def test_more_items_are_never_fewer(items: int, needed: int) -> None:
    """Power does not rise evenly: 40 items have 80 % here, 41 have not, and nobody wants to hear `take 40`."""
    sizing = sized(Assumptions(items, margin=0.15))
    assert sizing.gate_power < 0.80
    assert sizing.items_needed == needed
    assert f"{needed} items, about $0.02 more" in " ".join(sentences(sizing, (0.02,)))


def test_discordance_seen_is_capped_at_what_equal_sides_can_show() -> None:
    assert likely_discordance(0.9, 0.05) == 0.05
    assert likely_discordance(0.9, 0.4) == pytest.approx(0.162)
    assert likely_discordance(0.9, 0.0) == 0.001


# ---- what cannot be answered --------------------------------------------------------------------------------------

_REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"items": 0}, "at least one item"),
    ({"items": -1}, "at least one item"),
    ({"items": 1001}, "beyond exact enumeration"),
    ({"items": 50.5}, "whole number"),
    ({"items": math.nan}, "nan"),
    ({"items": 10_001, "epochs": 2}, "beyond simulation"),
    ({"epochs": 0}, "epochs = 0 is not from 1"),
    ({"rate": 0.0}, "rate"),
    ({"rate": 1.0}, "rate"),
    ({"rate": math.nan}, "rate"),
    ({"margin": 0.0}, "margin"),
    ({"margin": 1.0}, "margin"),
    ({"alpha": 0.0}, "alpha"),
    ({"alpha": 0.5}, "alpha"),
    ({"discordance": 0.0}, "discordance"),
    ({"discordance": 0.3, "epochs": 3}, "the most at a rate of 0.9"),
    ({"discordance": math.nan}, "discordance"),
]


@pytest.mark.parametrize(("changes", "words"), _REFUSED, ids=[str(changes) for changes, _ in _REFUSED])
def test_extreme_assumptions_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        size_up(replace(Assumptions(50), **changes))


# ---- sentences ----------------------------------------------------------------------------------------------------


def test_sentences_of_fifty_items_at_five_points() -> None:
    sizing = sized(Assumptions(50, margin=0.05))
    assert sentences(sizing, (0.02, 0.01)) == [
        "50 items, 1 epoch; assumed: 90% satisfactory, 10% of the items differ between two runs by chance.",
        "One model's rate will be known to within 79% to 96% (95 %).",
        "Between two models a difference of 21.0 points shows with 80 % power.",
        "A gate at 5 points passes an equally good candidate 20% of the time."
        " 50 items cannot pass when nothing differs; 59 can.",
        "Items it can afford to lose, by items won: 0 won: none can pass, 1 won: 0, 2 won: 0, 3 won: 1, 4 won: 1.",
        f"80 % power by items alone takes {sizing.items_needed} items, about ${0.03 * 215:,.2f} more.",
        "80 % power by epochs alone takes more than 10 epochs.",
    ]
    assert sizing.items_needed == 265


@pytest.mark.long
def test_costs_count_every_new_trial_of_every_model() -> None:
    sizing = sized(Assumptions(100, 2, margin=0.05))
    items, epochs = sizing.items_needed, sizing.epochs_needed
    assert items is not None
    assert epochs is not None
    said = sentences(sizing, (0.5, 0.25, 0.25))
    assert said[-2:] == [
        f"80 % power by items alone takes {items} items, about ${(items - 100) * 2:,.2f} more.",
        f"80 % power by epochs alone takes {epochs} epochs, about ${(epochs - 2) * 100:,.2f} more.",
    ]
    assert sentences(sizing)[-1] == f"80 % power by epochs alone takes {epochs} epochs."


def test_sentences_of_what_no_set_of_this_size_can_do() -> None:
    said = sentences(sized(Assumptions(1, 10, margin=0.001)), (0.01,))
    assert said[0].startswith("1 item, 10 epochs;")
    assert said[2] == "Between two models no difference shows with 80 % power."
    assert "1 item cannot pass when nothing differs;" in said[3]
    assert said[-1] == "80 % power by epochs alone takes more than 10 epochs."
    single = sentences(sized(Assumptions(50, margin=0.001)), (0.01,))
    assert "more than 1,000 can" in single[3]
    assert single[-2] == "80 % power by items alone takes more than 1,000 items."


def test_a_gate_that_can_pass_says_nothing_of_a_wall() -> None:
    assert not any("cannot pass" in line for line in sentences(sized(Assumptions(100, margin=0.05))))
