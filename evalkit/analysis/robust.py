"""How far the decision can be trusted: on other items like these, and by what these items can tell."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from evalkit import stats
from evalkit.analysis.per_model import Counted, counted, means
from evalkit.analysis.results import Items, Stability
from evalkit.analysis.trials import has_unpriced

RESAMPLES = 2000


def stability(frames: Mapping[str, pd.DataFrame], bar: float, seed: int) -> Stability:
    """The decision rule on paired resamples of the items that every model has a verdict on."""
    nothing = Stability(dict.fromkeys(frames), None, 0, 0)
    tables = {model: frame[frame["satisfied"].notna()] for model, frame in frames.items()}
    if not frames or any(has_unpriced(frame) for frame in frames.values()):
        return nothing
    shared = set.intersection(*(set(table["item_id"]) for table in tables.values()))
    if not shared:
        return nothing
    by_id = sorted(tables)  # so that a tie falls as the decision lets it fall
    trials = {m: counted(tables[m][tables[m]["item_id"].isin(shared)]) for m in by_id}
    found = stats.winner_shares(
        [means(t.satisfied) for t in trials.values()],
        [means(t.costs or ()) for t in trials.values()],
        bar,
        [_n_eff(t) for t in trials.values()],
        seed,
        RESAMPLES,
    )
    shares = dict(zip(by_id, found.shares, strict=True))
    return Stability({model: shares[model] for model in frames}, found.none, found.n, found.resamples)


def _n_eff(trials: Counted) -> float:
    design = stats.cluster_design(
        [sum(flags) for flags in trials.satisfied], [len(flags) for flags in trials.satisfied]
    )
    return design.adjusted_n_eff(0.95)


def item_quality(frame: pd.DataFrame, item_ids: Sequence[str]) -> Items:
    """Which items tell outputs apart; cells are model x epoch."""
    if not len(frame):
        return Items(None, None, None, (), (), (), ())
    table = frame.pivot_table(index="item_id", columns=["model", "epoch"], values="satisfied", dropna=False)
    table = table.reindex(list(item_ids))
    found = stats.item_quality(table.to_numpy(dtype=np.float64))
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
