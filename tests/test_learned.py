"""Learned routers: what they learn, that their plain numbers say what scikit-learn says, and when they are refused."""

import json
import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from routing_worlds import GRADUAL, PLANTED
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from evalkit.analysis.routing import NotValued
from evalkit.policies import boosting, logistic
from evalkit.router import Request, expected_usd
from evalkit.routing import learned
from evalkit.routing.crossfit import folds_of, on_all, out_of_fold
from evalkit.routing.flows import worth
from evalkit.routing.learned import LEAST_TAGGED, inputs_of
from evalkit.routing.outcomes import Outcomes
from evalkit.routing.policy import Policy
from evalkit.routing.value import field_of

BOTH = [logistic, boosting]


def the_one(module, outcomes: Outcomes) -> Policy:
    (made,) = module.policies(outcomes)
    assert isinstance(made, Policy)
    return made


@cache
def not_valued(items: int) -> dict[str, str]:
    """Which policies are refused on so many items, and why."""
    return {each.name: each.reason for each in field_of(GRADUAL.draw(1, items)).not_valued}


def rng_data(n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    rows = np.stack([rng.integers(1, 400, n), rng.integers(0, 2, n), rng.lognormal(3, 2, n)], axis=1).astype(float)
    return rows, (rng.random(n) < 1 / (1 + np.exp(rows[:, 0] / 100 - 2))).astype(int), rng.uniform(0.2, 1, n)


NAMES = ("words", "tag:x", "own")


def chance(parts, row) -> float:
    """By the router's own code: what failing costs where nothing else does."""
    request = Request("", tags=("x",) if row[1] else (), own={"own": row[2], "words": row[0]})
    priced = {"fixed_usd": 0.0, "per_character_usd": 0.0, **parts}
    return 1 - expected_usd(priced, request, 1.0)


def test_the_numbers_of_the_trees_say_what_scikit_learn_says() -> None:
    rows, satisfied, weights = rng_data()
    parts = json.loads(json.dumps(boosting.learn(NAMES, rows, satisfied, weights)))
    model = GradientBoostingClassifier(
        n_estimators=boosting.TREES, max_depth=boosting.DEPTH, learning_rate=boosting.RATE, subsample=0.5,
        random_state=0,
    ).fit(rows, satisfied, sample_weight=weights)  # fmt: skip
    assert [chance(parts, row) for row in rows] == pytest.approx(model.predict_proba(rows)[:, 1], abs=1e-12)


def test_the_numbers_of_the_regression_say_what_scikit_learn_says() -> None:
    rows, satisfied, weights = rng_data()
    parts = json.loads(json.dumps(logistic.learn(NAMES, rows, satisfied, weights)))
    ranks = np.stack(
        [
            np.searchsorted(t["cuts"], rows[:, NAMES.index(t["feature"])], side="right") / len(t["cuts"])
            for t in parts["terms"]
        ],
        axis=1,
    )
    model = LogisticRegression(max_iter=1000).fit(ranks, satisfied, sample_weight=weights)
    assert [chance(parts, row) for row in rows] == pytest.approx(model.predict_proba(ranks)[:, 1], abs=1e-12)
    tag = next(t for t in parts["terms"] if t["feature"] == "tag:x")
    assert tag["cuts"] == [1.0], "a tag tells those that have it from those that do not"


@pytest.mark.parametrize("module", BOTH)
def test_all_requests_at_once_are_priced_as_the_router_prices_each(module) -> None:
    outcomes = PLANTED.draw(5, 120)
    rule = on_all(outcomes, the_one(module, outcomes)).rule
    assert rule is not None
    for each in rule["models"]:
        one_by_one = [expected_usd(each, request, rule["failure_usd"]) for request in outcomes.requests]
        assert learned.expected_usd(each, outcomes, inputs_of(outcomes)) == pytest.approx(one_by_one, rel=1e-12)


@pytest.mark.long
@pytest.mark.parametrize("module", BOTH)
def test_finds_a_planted_signal(module) -> None:
    outcomes = replace(PLANTED, costs=(0.01, 0.1, 0.2), failure_usd=3.0).draw(3, 400)
    made = the_one(module, outcomes)
    its = worth(outcomes, out_of_fold(outcomes, made, folds_of(outcomes)))
    assert its.utility_usd.mean() > outcomes.utility_usd.mean(axis=(0, 2)).max()
    sent = worth(outcomes, on_all(outcomes, made).flow).shares
    hard = (outcomes.features["words"] > 100) & (outcomes.features["conditionals"] > 0)
    assert sent[hard, 2].mean() > 0.8
    assert sent[~hard, 0].mean() > 0.5


@pytest.mark.parametrize("module", BOTH)
def test_learns_the_same_from_the_same_and_nothing_of_the_items_it_is_valued_on(module) -> None:
    outcomes = GRADUAL.draw(5, 150)
    train = folds_of(outcomes) != 0
    turned = outcomes.satisfied.copy()
    turned[~train] = 1 - turned[~train]
    rules = [the_one(module, o).fit(train).rule for o in (outcomes, outcomes, replace(outcomes, satisfied=turned))]
    assert rules[0] == rules[1] == rules[2]


@pytest.mark.parametrize("module", BOTH)
def test_a_model_that_always_or_never_satisfies_has_the_same_chance_for_all(module) -> None:
    outcomes = GRADUAL.draw(6, 120)
    flat = outcomes.satisfied.copy()
    flat[:, 2], flat[:, 0] = 1, 0
    rule = on_all(replace(outcomes, satisfied=flat), the_one(module, replace(outcomes, satisfied=flat))).rule
    assert rule is not None
    cheap, _, top = rule["models"]
    assert (cheap["terms"], cheap["trees"], top["terms"], top["trees"]) == ([], [], [], [])
    assert top["intercept"] == pytest.approx(math.log(120.5 / 0.5))
    assert cheap["intercept"] == pytest.approx(-math.log(120.5 / 0.5))


def test_what_a_model_charges_rises_with_the_size_of_the_request() -> None:
    outcomes = GRADUAL.draw(7, 200)
    size = outcomes.features["context_characters"]
    cost = outcomes.cost_usd.copy()
    cost[:, 1, 0], cost[:, 2, 0] = 0.02 + 1e-5 * size, 0.5 - 1e-5 * size
    rule = on_all(priced := replace(outcomes, cost_usd=cost), the_one(logistic, priced)).rule
    assert rule is not None
    _, rising, falling = rule["models"]
    assert (rising["fixed_usd"], rising["per_character_usd"]) == (pytest.approx(0.02), pytest.approx(1e-5))
    assert (falling["fixed_usd"], falling["per_character_usd"]) == (pytest.approx(cost[:, 2].mean()), 0.0)


def test_several_epochs_count_by_their_share() -> None:
    one = GRADUAL.draw(8, 150)
    twice = replace(one, satisfied=np.repeat(one.satisfied, 2, axis=2), cost_usd=np.repeat(one.cost_usd, 2, axis=2))
    rules = [on_all(o, the_one(logistic, o)).rule for o in (one, twice)]
    assert rules[0] == rules[1]


@pytest.mark.parametrize(("tagged", "used"), [(LEAST_TAGGED - 1, False), (LEAST_TAGGED, True), (195, False)])
def test_tags_are_looked_at_where_enough_items_have_them_and_lack_them(tagged: int, used: bool) -> None:
    outcomes = GRADUAL.draw(9, 200)
    requests = tuple(Request(r.query, tags=("refund",) if i < tagged else ()) for i, r in enumerate(outcomes.requests))
    assert ("tag:refund" in inputs_of(replace(outcomes, requests=requests))) == used


@pytest.mark.parametrize("module", BOTH)
def test_few_items_are_refused_with_the_reason(module) -> None:
    named = the_one(module, GRADUAL.draw(1, 40)).name
    assert "takes more than 100 items" in not_valued(100)[named]
    assert named not in not_valued(101)


@pytest.mark.parametrize("module", BOTH)
def test_without_scikit_learn_says_what_to_install(module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned, "find_spec", lambda name: None)
    (found,) = module.policies(GRADUAL.draw(1, 150))
    assert isinstance(found, NotValued)
    assert "pip install 'evalkit-claude[learn]'" in found.reason


@pytest.mark.parametrize("module", BOTH)
def test_requests_that_look_alike_teach_nothing(module) -> None:
    outcomes = GRADUAL.draw(1, 150)
    (found,) = module.policies(replace(outcomes, requests=(Request("Same?"),) * 150))
    assert isinstance(found, NotValued)
    assert found.reason == "every request looks the same"
