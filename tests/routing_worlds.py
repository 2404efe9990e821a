"""Worlds with known truth to route in: how likely each model is to satisfy each kind of request, and at what cost."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evalkit.analysis.results import ItemResult, OutputResult
from evalkit.router import Request
from evalkit.routing.outcomes import FloatArray, Outcomes

MODELS = ("claude-haiku-4-5-20251001", "claude-sonnet-4-6", "claude-opus-4-6")
COSTS = (0.01, 0.03, 0.05)
LONGEST = 200

Chances = Callable[[FloatArray, FloatArray], FloatArray]
"""From the words and the conditions of some requests, items x models: how likely each model is to satisfy them."""


@dataclass(frozen=True)
class World:
    """A population of requests: lengths are uniform, and some set conditions."""

    chances: Chances
    costs: tuple[float, float, float] = COSTS
    failure_usd: float = 1.0

    def draw(self, seed: int, n: int, epochs: int = 1, difficulty: str | None = None) -> Outcomes:
        """Some requests with every model's graded answers."""
        rng = np.random.default_rng(seed)
        words, conditions = rng.integers(5, LONGEST, n), rng.integers(0, 3, n)
        chances = self.chances(words.astype(float), conditions.astype(float))
        satisfied = (rng.random((n, 3, epochs)) < chances[:, :, None]).astype(float)
        spread = np.exp(rng.normal(0, 0.2, (n, 3, epochs)))
        cost = np.array(self.costs)[None, :, None] * spread / spread.mean()
        items, requests = [], []
        for i in range(n):
            query = " ".join(["if"] * int(conditions[i]) + ["tell"] * int(words[i] - conditions[i]))
            outputs = tuple(_output(i, m, e, satisfied[i, m, e]) for m in range(3) for e in range(epochs))
            items.append(ItemResult(f"i{i}", query, None, difficulty, (), (), (), outputs))
            requests.append(Request(query))
        return Outcomes(
            tuple(items), MODELS, satisfied, cost, 1.0 + rng.random((n, 3, epochs)),
            tuple(tuple(item.outputs[m * epochs : (m + 1) * epochs] for m in range(3)) for item in items),
            tuple(requests), np.ones(n), self.failure_usd, seed,
        )  # fmt: skip


def _output(item: int, model: int, epoch: int, satisfied: float) -> OutputResult:
    return OutputResult(
        trial_id=item, model=MODELS[model], epoch=epoch + 1, outcome="answered", text="An answer.",
        satisfied=bool(satisfied), score=satisfied, levels={}, comments={}, ungraded={}, cost_usd=0.01, latency_s=1.0,
        ttft_s=0.5, attempts=1, error=None,
    )  # fmt: skip


def _flat(rate: float) -> Chances:
    return lambda words, _: np.full((len(words), 3), rate)


def _planted(words: FloatArray, conditions: FloatArray) -> FloatArray:
    """Long requests that set conditions need the top model; all models do the others well."""
    hard = (words > 100) & (conditions > 0)
    return np.stack([np.where(hard, 0.35, 0.95), np.where(hard, 0.5, 0.95), np.full(len(words), 0.95)], axis=1)


def _gradual(words: FloatArray, _: FloatArray) -> FloatArray:
    """The cheaper a model, the worse it copes with length."""
    length = words / LONGEST
    return np.stack([0.95 - 0.6 * length, 0.93 - 0.3 * length, 0.9 - 0.05 * length], axis=1)


IDENTICAL = World(_flat(0.8), costs=(0.03, 0.03, 0.03))
PLANTED = World(_planted)
GRADUAL = World(_gradual, costs=(0.01, 0.06, 0.2))
