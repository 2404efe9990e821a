"""Weighting the items to production's mix of difficulties."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from evalkit.analysis.routing import DifficultyMix
from evalkit.difficulty import DIFFICULTIES
from evalkit.errors import UsageError
from evalkit.routing.outcomes import Outcomes
from evalkit.strict import did_you_mean

LEAST_EFFECTIVE = 20
LEAST_IN_ONE = 5
"""Items of a difficulty below which its share of production rests on too little."""


def read_mix(text: str) -> Mapping[str, float]:
    """`easy=.7,medium=.25,hard=.05` as shares that sum to 1; UsageError for anything else."""
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, equals, number = (each.strip() for each in part.partition("="))
        if name not in DIFFICULTIES:
            raise UsageError(f"--mix {text!r}: unknown difficulty {name!r}; {did_you_mean(name, DIFFICULTIES)}")
        if name in shares:
            raise UsageError(f"--mix {text!r}: {name} stands twice; give each difficulty one share")
        shares[name] = _share(number, text) if equals else _share("", text)
    if abs(sum(shares.values()) - 1) > 0.001:
        raise UsageError(f"--mix {text!r}: the shares sum to {sum(shares.values()):g}, not to 1; mend them")
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()}


def _share(number: str, text: str) -> float:
    percent = number.endswith("%")
    try:
        share = float(number.removesuffix("%")) / (100 if percent else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError(f"--mix {text!r}: {number!r} is not a share from 0 to 1; write easy=.7,medium=.25,hard=.05")
    return share


def weighted(outcomes: Outcomes, shares: Mapping[str, float]) -> tuple[Outcomes, DifficultyMix]:
    """The outcomes, weighted to the mix, and what that leaves of them; UsageError where it leaves too little.

    Items of other difficulties, or of none, are left out.
    """
    names: list[str] = [name for name in DIFFICULTIES if shares.get(name, 0.0) > 0]
    counts: dict[str, int] = {name: sum(item.difficulty == name for item in outcomes.items) for name in names}
    for name, count in counts.items():
        if count < LEAST_IN_ONE:
            raise UsageError(
                f"--mix gives {name} items {shares[name]:.0%} of production, but {count} of the graded items are"
                f" {name}; add items until there are {LEAST_IN_ONE}, or leave --mix out"
            )
    kept = [i for i, item in enumerate(outcomes.items) if item.difficulty in counts]
    n = len(kept)
    strata = np.array([names.index(outcomes.items[i].difficulty or "") for i in kept])
    weights = np.array([shares[names[h]] * n / counts[names[h]] for h in strata])
    effective = float(weights.sum() ** 2 / (weights**2).sum())
    if effective < LEAST_EFFECTIVE:
        raise UsageError(
            f"--mix leaves {effective:.0f} items in effect ({n} weighted), and {LEAST_EFFECTIVE} are needed; add items"
            " of the difficulties that weigh most"
        )
    left_out = dict(outcomes.left_out)
    if n < len(outcomes):
        left_out["of a difficulty that --mix leaves out"] = len(outcomes) - n
    found = replace(
        outcomes.only(kept), weights=weights, strata=strata, shares=tuple(shares[name] for name in names),
        left_out=left_out,
    )  # fmt: skip
    return found, DifficultyMix({name: shares[name] for name in names}, counts, effective)
