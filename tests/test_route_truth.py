"""Routing held against worlds whose truth is known: no false advantage, values without bias, intervals that cover."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from routing_worlds import GRADUAL, IDENTICAL, LONGEST, PLANTED, World

from evalkit.policies import signals
from evalkit.router import model_for
from evalkit.routing.crossfit import folds_of
from evalkit.routing.figures import Figures
from evalkit.routing.flows import chosen, joined, worth
from evalkit.routing.outcomes import FloatArray, Outcomes
from evalkit.routing.policy import Policy
from evalkit.routing.value import field_of, looked_at_together, values_of

WORDS = np.random.default_rng(5).integers(5, LONGEST, 20_000).astype(float)


def by_words(outcomes: Outcomes) -> Policy:
    found = [each for each in signals.policies(outcomes) if each.name == "by-words"]
    assert isinstance(found[0], Policy)
    return found[0]


def truth(world: World, rule: Mapping[str, Any]) -> tuple[float, float]:
    """Pass rate and total cost of a rule by length, over the whole population."""
    cuts, steps = rule["score"][0]["cuts"], [step["below"] for step in rule["steps"]]
    place = np.searchsorted(steps, np.searchsorted(cuts, WORDS, side="right") / len(cuts), side="right")
    chances: FloatArray = world.chances(WORDS, np.zeros(len(WORDS)))[np.arange(len(WORDS)), place]
    rate = float(chances.mean())
    return rate, float(np.array(world.costs)[place].mean()) + (1 - rate) * world.failure_usd


@pytest.mark.slow
def test_identical_models_give_no_router_a_shown_advantage_in_93_of_100_seeds() -> None:
    shown = 0
    for seed in range(200):
        field = field_of(IDENTICAL.draw(1000 + seed, 60))
        shown += any(value.shown for value in looked_at_together(values_of(field), field))
    assert shown <= 14, f"{shown} of 200"


@pytest.mark.slow
@pytest.mark.parametrize("n", [50, 100])
def test_cross_fitted_values_are_unbiased_and_covered(n: int) -> None:
    """B12, against the mean truth of the rules that the folds chose: within a point, covered in 92 of 100."""
    errors, covered, runs = np.zeros((600, 2)), np.zeros(2), 600
    for seed in range(runs):
        outcomes = GRADUAL.draw(seed, n)
        policy, folds = by_words(outcomes), folds_of(outcomes)
        fits = [policy.fit(folds != fold) for fold in range(5)]
        its, figures = worth(outcomes, joined([fit.flow for fit in fits], folds)), Figures(outcomes, tuned=True)
        true = np.mean([truth(GRADUAL, fit.rule or {}) for fit in fits], axis=0)
        for i, found in enumerate((figures.rate(its.satisfied), figures.mean_usd(-its.utility_usd))):
            assert found.value is not None
            assert found.low is not None
            assert found.high is not None
            errors[seed, i] = found.value - true[i]
            covered[i] += found.low <= true[i] <= found.high
    assert (np.abs(errors.mean(axis=0)) < 0.01).all(), errors.mean(axis=0)
    assert (covered / runs >= 0.92).all(), covered / runs


@pytest.mark.slow
def test_valuing_the_best_setting_on_the_items_that_chose_it_overstates_it() -> None:
    """The negative control: without cross-fitting, a pass rate by some points too high."""
    errors = []
    for seed in range(200):
        outcomes = GRADUAL.draw(seed, 50)
        fitted = by_words(outcomes).fit(np.ones(50, dtype=bool))
        errors.append(float(worth(outcomes, fitted.flow).satisfied.mean()) - truth(GRADUAL, fitted.rule or {})[0])
    assert float(np.mean(errors)) > 0.02


@pytest.mark.slow
def test_a_planted_signal_is_valued_within_its_interval() -> None:
    """What a policy is said to gain over the top model, against what it gains in truth."""
    world, covered = World(PLANTED.chances, (0.01, 0.5, 1.0), 3.0), 0
    populations = [world.draw(50_000 + i, 3000) for i in range(3)]
    for seed in range(100):
        outcomes = world.draw(seed, 200)
        field = field_of(outcomes)
        place = next(i for i, each in enumerate(field.valued) if each.policy.name == "signals")
        found = values_of(field)[place].gain_usd
        population = populations[seed % 3]
        rule = field.valued[place].fitted.rule
        assert rule is not None
        places = [population.place(model_for(rule, request)) for request in population.requests]
        best = worth(population, chosen(population, [field.best] * len(population))).utility_usd
        gain = float((worth(population, chosen(population, places)).utility_usd - best).mean())
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= gain <= found.high
    assert covered >= 88
