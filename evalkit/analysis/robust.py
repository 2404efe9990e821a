"""How far the decision can be trusted: on other items like these, and by what these items can tell."""

from collections.abc import Mapping, Sequence

import numpy as np

from evalkit import stats
from evalkit.analysis.columns import Columns, Decided, FloatArray, in_all
from evalkit.analysis.robust_results import Items, Stability

RESAMPLES = 2000


def stability(tables: Mapping[str, Columns], bar: float, seed: int) -> Stability:
    """The decision rule on paired resamples of the items that every model has a verdict on."""
    nothing = Stability(dict.fromkeys(tables), None, 0, 0)
    if not tables or any(table.unpriced and table.decided.satisfied.any() for table in tables.values()):
        return nothing
    by_id = sorted(tables)  # so that a tie falls as the decision lets it fall
    sides = in_all([tables[model].decided for model in by_id])
    if not len(sides[0]):
        return nothing
    found = stats.winner_shares(
        [side.satisfied for side in sides],
        [side.cost_usd if side.satisfied.any() else np.ones(len(side)) for side in sides],  # is never picked
        bar,
        [_n_eff(side) for side in sides],
        seed,
        RESAMPLES,
    )
    shares = dict(zip(by_id, found.shares, strict=True))
    return Stability({model: shares[model] for model in tables}, found.none, found.n, found.resamples)


def _n_eff(side: Decided) -> float:
    return stats.cluster_design(np.rint(side.satisfied * side.trials), side.trials, "item").adjusted_n_eff(0.95)


def item_quality(tables: Mapping[str, Columns], item_ids: Sequence[str]) -> Items:
    """Which items tell outputs apart, of those with all verdicts of every model; cells are model x epoch."""
    tried = [table for table in tables.values() if len(table)]
    if not tried:
        return Items(None, None, None, (), (), (), ())
    item_ids = _settled(tried, item_ids)
    found = stats.item_quality(_cells(tried, item_ids))
    means_ = [None if d is None else 1 - d for d in found.difficulty]
    return Items(
        ceiling=found.ceiling,
        floor=found.floor,
        discriminating=found.discriminating,
        discriminating_ids=tuple(i for i, m in zip(item_ids, means_, strict=True) if m is not None and 0 < m < 1),
        floor_ids=tuple(i for i, m in zip(item_ids, means_, strict=True) if m == 0),
        doubtful_ids=tuple(item_ids[index] for index in found.check),
        warnings=found.warnings,
    )


def _settled(tables: Sequence[Columns], item_ids: Sequence[str]) -> list[str]:
    """The items that every model was tried on and none has an output without a verdict on."""
    common = set(item_ids)
    for table in tables:
        waiting = np.isnan(table.numbers["satisfied"])
        common &= set(table.items) - {table.items[place] for place in set(table.item[waiting].tolist())}
    return [name for name in item_ids if name in common]


def _cells(tables: Sequence[Columns], item_ids: Sequence[str]) -> FloatArray:
    """Items x cells: whether each trial satisfied, nan where that is not known."""
    places = {name: place for place, name in enumerate(item_ids)}
    epochs = np.array(sorted({int(epoch) for table in tables for epoch in table.epoch}))
    cells = np.full((len(item_ids), len(tables), len(epochs)), np.nan)
    for model, table in enumerate(tables):
        asked = table.of(places.keys())
        row = np.array([places[name] for name in asked.items], dtype=np.int64)[asked.item]
        cells[row, model, np.searchsorted(epochs, asked.epoch)] = asked.numbers["satisfied"]
    return cells.reshape(len(item_ids), len(tables) * len(epochs))
