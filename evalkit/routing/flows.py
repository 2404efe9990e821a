"""Flows: which models a policy asks for each trial, one after the other, and what comes of it item by item."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from evalkit.frozen import dataclass
from evalkit.routing.outcomes import BoolArray, FloatArray, Outcomes


@dataclass(frozen=True)
class Path:
    """Models asked in turn, by their place among `Outcomes.models`; the last one's output is used.

    `weight`, items x epochs: how often a trial takes this path, 0 or 1 unless the policy draws lots.
    """

    asked: tuple[int, ...]
    weight: FloatArray


@dataclass(frozen=True)
class Flow:
    """What a policy does with every trial: its paths' weights sum to 1 in each.

    `extra_usd`, `extra_s` (items x epochs, None for nothing): what deciding itself costs and takes.
    """

    paths: tuple[Path, ...]
    extra_usd: FloatArray | None = None
    extra_s: FloatArray | None = None


@dataclass(frozen=True)
class Worth:
    """What a flow comes to. `satisfied`, `cost_usd`, `utility_usd`: one mean an item; `shares` items x models, how
    often each model's output is used, `asked` how often it is called. `felt_s` (nan where unknown) lists what users
    would wait, with the item of each and its weight."""

    satisfied: FloatArray
    cost_usd: FloatArray
    utility_usd: FloatArray
    shares: FloatArray
    asked: FloatArray
    felt_s: FloatArray
    felt_item: FloatArray
    felt_weight: FloatArray


def chosen(outcomes: Outcomes, places: npt.ArrayLike) -> Flow:
    """The flow that asks one model for each item: its place among the models."""
    picked = np.asarray(places)
    ones = np.ones((len(outcomes), outcomes.epochs))
    return Flow(
        tuple(Path((m,), ones * (picked == m)[:, None]) for m in range(len(outcomes.models)) if (picked == m).any())
    )


def cascade(asked: Sequence[int], escalates: Sequence[BoolArray]) -> Flow:
    """The flow that asks models in turn, the next one where the trial escalates (items x epochs) from the one before.

    Models by their place; one of `escalates` for each of them but the last. What was asked in vain is paid for too.
    """
    paths, reached = [], np.ones(escalates[0].shape, dtype=bool)
    for step, up in enumerate(escalates, start=1):
        paths.append(Path(tuple(asked[:step]), (reached & ~up).astype(np.float64)))
        reached = reached & up
    return Flow((*paths, Path(tuple(asked), reached.astype(np.float64))))


def worth(outcomes: Outcomes, flow: Flow) -> Worth:
    """What a flow would have come to on these outcomes: exact, since every model answered every item."""
    n, models, epochs = outcomes.satisfied.shape
    satisfied, cost = np.zeros((n, epochs)), np.zeros((n, epochs))
    shares, asked = np.zeros((n, models)), np.zeros((n, models))
    waits, items, weights = [], [], []
    for path in flow.paths:
        satisfied += path.weight * outcomes.satisfied[:, path.asked[-1]]
        cost += path.weight * outcomes.cost_usd[:, path.asked].sum(axis=1)
        shares[:, path.asked[-1]] += path.weight.mean(axis=1)
        for model in path.asked:
            asked[:, model] += path.weight.mean(axis=1)
        taken = path.weight > 0
        wait = outcomes.waited_s[:, path.asked[:-1]].sum(axis=1) + outcomes.felt_s[:, path.asked[-1]]
        waits.append((wait if flow.extra_s is None else wait + flow.extra_s)[taken])
        items.append(np.nonzero(taken)[0])
        weights.append(path.weight[taken])
    if flow.extra_usd is not None:
        cost = cost + flow.extra_usd
    passed, paid = np.clip(satisfied.mean(axis=1), 0, 1), cost.mean(axis=1)  # lots of a ninth sum to more than 1
    return Worth(
        passed,
        paid,
        -outcomes.total_usd(paid, passed),
        shares,
        asked,
        np.concatenate(waits),
        np.concatenate(items).astype(np.float64),
        np.concatenate(weights),
    )


def joined(flows: Sequence[Flow], folds: npt.ArrayLike) -> Flow:
    """One flow made of several: an item takes what the flow of its fold does with it."""
    fold = np.asarray(folds)
    paths: dict[tuple[int, ...], FloatArray] = {}
    extra_usd = extra_s = None
    for place, flow in enumerate(flows):
        mine = (fold == place)[:, None]
        for path in flow.paths:
            paths[path.asked] = paths.get(path.asked, np.zeros(path.weight.shape)) + np.where(mine, path.weight, 0.0)
        extra_usd = _added(extra_usd, flow.extra_usd, mine)
        extra_s = _added(extra_s, flow.extra_s, mine)
    return Flow(tuple(Path(asked, weight) for asked, weight in paths.items()), extra_usd, extra_s)


def _added(total: FloatArray | None, part: FloatArray | None, mine: BoolArray) -> FloatArray | None:
    if part is None:
        return total
    return (np.zeros(part.shape) if total is None else total) + np.where(mine, part, 0.0)
