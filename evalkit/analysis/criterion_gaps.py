"""Criteria between models: paired on the items that both have a level on, and corrected for the number of tests."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations

import numpy as np

from evalkit import stats
from evalkit.analysis.columns import LEVEL, Columns, FloatArray
from evalkit.frozen import dataclass
from evalkit.rubric import Criterion, Rubric


@dataclass(frozen=True)
class CriterionGap:
    """How far one model is behind another on a criterion, if at all: `difference` of mean scores (0 to 1) over `items`.

    `p_value`: McNemar's mid-p where each item has one of two levels, else of a sign-flip permutation of item means;
    `p_holm`: adjusted over all criteria and pairs of models.
    """

    criterion: str
    worse: str
    better: str
    items: int
    difference: float
    p_value: float
    p_holm: float


def criterion_gaps(tables: Mapping[str, Columns], rubric: Rubric, seed: int) -> tuple[CriterionGap, ...]:
    """Every criterion and pair of models with a level on the same items."""
    found = []
    for criterion in rubric.criteria:
        scores = {model: _scores(table, criterion) for model, table in tables.items()}
        found += [gap for a, b in combinations(tables, 2) if (gap := _gap(criterion, a, b, scores, seed)) is not None]
    adjusted = stats.holm([gap.p_value for gap in found])
    return tuple(replace(gap, p_holm=p) for gap, p in zip(found, adjusted, strict=True))


def _scores(table: Columns, criterion: Criterion) -> Mapping[str, float]:
    """Each item's mean score, of the items that have any."""
    column, low, high = f"{LEVEL}{criterion.id}", min(criterion.scale), max(criterion.scale)
    among = ~np.isnan(table.numbers[column])
    means: FloatArray = (table.means(column, among) - low) / (high - low)
    return dict(zip((table.items[place] for place in np.unique(table.item[among])), means.tolist(), strict=True))


def _gap(
    criterion: Criterion, a: str, b: str, scores: Mapping[str, Mapping[str, float]], seed: int
) -> CriterionGap | None:
    both = [item for item in scores[a] if item in scores[b]]
    of_a, of_b = ([scores[model][item] for item in both] for model in (a, b))
    if not both:
        return None
    difference = float(np.mean(of_b) - np.mean(of_a))
    if {*of_a, *of_b} <= {0.0, 1.0}:
        found = stats.discordance(of_b, of_a)
        p_value = stats.mcnemar_midp(round(found.gain), round(found.loss))
    else:
        p_value = stats.sign_flip_p(of_b, of_a, seed) or 1.0
    worse, better = (a, b) if difference > 0 else (b, a)
    return CriterionGap(criterion.id, worse, better, len(both), abs(difference), p_value, p_value)
