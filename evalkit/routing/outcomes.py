"""What every model did with every item, as arrays that policies are valued on."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from evalkit.analysis.results import Analysis, ItemResult, OutputResult
from evalkit.analysis.without_batches import compared_usd
from evalkit.errors import UsageError
from evalkit.frozen import dataclass
from evalkit.router import Request
from evalkit.stats import Estimate
from evalkit.stats.totals import stated_usd

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


class NothingToRouteError(UsageError):
    """A run that offers nothing to choose between."""


@dataclass(frozen=True)
class Classified:
    """What a small model said of each trial's request, items x epochs; `levels` None where it named none.

    `cost_usd` and `felt_s` (nan where nobody knows) are those of all its attempts.
    """

    model: str
    levels: tuple[tuple[str | None, ...], ...]
    cost_usd: FloatArray
    felt_s: FloatArray

    def only(self, places: Sequence[int]) -> "Classified":
        """Of some items, by their place."""
        kept = list(places)
        return Classified(self.model, tuple(self.levels[i] for i in kept), self.cost_usd[kept], self.felt_s[kept])


@dataclass(frozen=True)
class Outcomes:
    """Complete items only: each has a verdict and a price in every epoch of every model.

    `satisfied` (0 or 1), `cost_usd`, `felt_s` (of answers, nan where nobody measured it) and `outputs` are items x
    models x epochs;
    `models` rise in mean cost. `weights`, an item each with mean 1, say how much of production it stands for.
    `failure_usd`: what an unsatisfactory answer costs (`measured_usd` where that was measured, with its doubt),
    `review_usd` what looking at any costs. `left_out` counts items by why they are not here. `scores`: what production
    can know of an output without a grade, items x models x epochs by name, nan where it is not known. `strata`: the
    stratum of each item whose `shares` of production the weights follow, None where all weigh alike. `classified`: what
    a small model said of the requests, None if it was not asked.
    """

    items: tuple[ItemResult, ...]
    models: tuple[str, ...]
    satisfied: FloatArray
    cost_usd: FloatArray
    felt_s: FloatArray
    outputs: tuple[tuple[tuple[OutputResult, ...], ...], ...]
    requests: tuple[Request, ...]
    weights: FloatArray
    failure_usd: float
    seed: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    scores: Mapping[str, FloatArray] = field(default_factory=dict)
    strata: IntArray | None = None
    shares: tuple[float, ...] = ()
    review_usd: float = 0.0
    classified: Classified | None = None
    measured_usd: Estimate | None = None

    def __len__(self) -> int:
        return len(self.items)

    @property
    def epochs(self) -> int:
        """Trials of an item by a model."""
        return int(self.satisfied.shape[2])

    @cached_property
    def features(self) -> Mapping[str, FloatArray]:
        """What is known of each item before any call, by name; a name that every request has."""
        names = set(self.requests[0].features) if self.requests else set()
        for request in self.requests:
            names &= set(request.features)
        return {name: np.array([request.features[name] for request in self.requests]) for name in sorted(names)}

    @cached_property
    def waited_s(self) -> FloatArray:
        """What a user waits for a trial's end, also where that is no answer; nan where nobody measured it."""
        waited = [[[each.felt_s for each in row] for row in item] for item in self.outputs]
        return np.where(np.isfinite(self.felt_s), self.felt_s, np.array(waited, dtype=np.float64))

    @property
    def failure(self) -> Estimate:
        """What an unsatisfactory answer costs, USD, with the doubt of it where it was measured."""
        return self.measured_usd or stated_usd(self.failure_usd)

    @cached_property
    def utility_usd(self) -> FloatArray:
        """Minus what each trial costs in the end, USD."""
        return -self.total_usd(self.cost_usd, self.satisfied)

    def total_usd(self, cost_usd: FloatArray, satisfied: FloatArray) -> FloatArray:
        """What it all comes to, USD: the price, looking the output over, and putting right what is no good."""
        return cost_usd + self.review_usd + (1 - satisfied) * self.failure_usd

    def mean(self, per_item: FloatArray) -> float:
        """Of one value an item, as production weighs the items."""
        return float(np.average(per_item, weights=self.weights))

    def only(self, places: Sequence[int]) -> "Outcomes":
        """Some of the items, by their place."""
        kept = list(places)
        return replace(
            self,
            items=tuple(self.items[i] for i in kept),
            satisfied=self.satisfied[kept],
            cost_usd=self.cost_usd[kept],
            felt_s=self.felt_s[kept],
            outputs=tuple(self.outputs[i] for i in kept),
            requests=tuple(self.requests[i] for i in kept),
            weights=self.weights[kept],
            scores={name: values[kept] for name, values in self.scores.items()},
            classified=None if self.classified is None else self.classified.only(kept),
        )

    def place(self, model: str) -> int:
        """Where a model stands among `models`."""
        return self.models.index(model)


def outcomes_of(
    analysis: Analysis, failure_usd: float, own: Mapping[str, Mapping[str, float]] | None = None
) -> Outcomes:
    """The complete items of an analysed run; NothingToRouteError without any, or with fewer than two models.

    `own`: the team's own features by item id.
    """
    models = [model.model for model in analysis.models]
    if len(models) < 2:
        raise NothingToRouteError("a run of one model has nothing to route between; run two or more on the same items")
    kept: list[ItemResult] = []
    left_out: Counter[str] = Counter()
    outputs = [replace(item, outputs=tuple(_as_compared(analysis, item))) for item in analysis.outputs]
    priced = {o.model for item in outputs for o in item.outputs if o.cost_usd is not None}
    for item in outputs:
        reason = _incomplete(item, models, analysis.spec.epochs, priced)
        if reason:
            left_out[reason] += 1
        else:
            kept.append(item)
    if not kept:
        told = ", ".join(f"{number} {reason}" for reason, number in left_out.most_common()) or "the run holds none"
        raise NothingToRouteError(
            f"no item can be routed: {told}; every model needs a graded and priced output of an item"
        )
    return _arrays(analysis, kept, models, failure_usd, dict(left_out), own or {})


def _as_compared(analysis: Analysis, item: ItemResult) -> Iterator[OutputResult]:
    """The outputs of an item, each at the price by which the run's models are compared."""
    return (replace(output, cost_usd=compared_usd(analysis, output)) for output in item.outputs)


def _incomplete(item: ItemResult, models: Sequence[str], epochs: int, priced: Collection[str]) -> str:
    """Why an item cannot be used; empty if it can.

    A failure of unknown cost is used like any other, at the least that it cost: left out, it would count as no failure.
    """
    if len(item.outputs) < len(models) * epochs or any(output.outcome is None for output in item.outputs):
        every = {output.model for output in item.outputs if output.outcome is not None} == set(models)
        return "not run in every epoch by every model" if every else "not run by every model"
    if any(output.satisfied is None for output in item.outputs):
        return "not graded for every model"
    unpriced = (o for o in item.outputs if o.cost_usd is None and not (o.outcome == "errored" and o.model in priced))
    return "unpriced for a model" if any(unpriced) else ""


def _arrays(
    analysis: Analysis,
    kept: Sequence[ItemResult],
    models: Sequence[str],
    failure_usd: float,
    left_out: Mapping[str, int],
    own: Mapping[str, Mapping[str, float]],
) -> Outcomes:
    shape = (len(kept), len(models), analysis.spec.epochs)
    cost = np.array([o.cost_usd or 0.0 for item in kept for o in item.outputs], dtype=np.float64).reshape(shape)
    order = np.argsort(cost.mean(axis=(0, 2)), kind="stable")
    felt = [_wait_s(analysis, o) if o.outcome == "answered" else None for item in kept for o in item.outputs]
    flags = np.array([output.satisfied for item in kept for output in item.outputs], dtype=np.float64)
    return Outcomes(
        items=tuple(kept),
        models=tuple(models[place] for place in order),
        satisfied=flags.reshape(shape)[:, order],
        cost_usd=cost[:, order],
        felt_s=np.array(felt, dtype=np.float64).reshape(shape)[:, order],
        outputs=tuple(_by_model(item, order.tolist(), analysis.spec.epochs) for item in kept),
        requests=tuple(request_of(item, analysis.documents, own.get(item.id, {})) for item in kept),
        weights=np.ones(len(kept)),
        failure_usd=failure_usd,
        seed=analysis.spec.seed,
        left_out=left_out,
        review_usd=analysis.review_usd,
    )


def _wait_s(analysis: Analysis, output: OutputResult) -> float | None:
    """Of outputs made elsewhere one knows at most how long the answer took, not what was waited between attempts."""
    return output.latency_s if analysis.spec.imported else output.felt_s


def _by_model(item: ItemResult, order: Sequence[int], epochs: int) -> tuple[tuple[OutputResult, ...], ...]:
    return tuple(tuple(item.outputs[place * epochs : (place + 1) * epochs]) for place in order)


def request_of(item: ItemResult, documents: Mapping[str, str], own: Mapping[str, float]) -> Request:
    """An item as production would see it before it asks a model."""
    return Request(item.task, tuple(documents.get(name, "") for name in item.documents), item.tags, own)
