"""Cross-fitting: what a policy does with each item when its numbers were set on other items."""

import numpy as np

from evalkit.routing.flows import Flow, joined
from evalkit.routing.outcomes import IntArray, Outcomes
from evalkit.routing.policy import Fitted, Policy
from evalkit.stats.routing import FOLDS


def folds_of(outcomes: Outcomes) -> IntArray:
    """The fold of each item, dealt by the run's seed; all policies share them, so that they stay paired."""
    n = len(outcomes)
    return np.random.default_rng(outcomes.seed).permutation(n) % min(FOLDS, n)


def out_of_fold(outcomes: Outcomes, policy: Policy, folds: IntArray) -> Flow:
    """The flow in which no item helped to set the numbers that it is valued by."""
    if not policy.tuned:
        return policy.fit(np.ones(len(outcomes), dtype=bool)).flow
    return joined([policy.fit(folds != fold).flow for fold in range(int(folds.max()) + 1)], folds)


def on_all(outcomes: Outcomes, policy: Policy) -> Fitted:
    """The policy as it is exported: its numbers set on all items."""
    return policy.fit(np.ones(len(outcomes), dtype=bool))
