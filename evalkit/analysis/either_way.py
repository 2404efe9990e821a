"""What trials leave open that failed on every attempt so far: nothing is shown that holds only if they count so."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from evalkit.analysis.compare import adjusted
from evalkit.analysis.decide import decide
from evalkit.analysis.pair_results import Against, Pair
from evalkit.analysis.results import Analysis, ModelResult, Slice
from evalkit.stats import Estimate

_P = TypeVar("_P", bound=Pair)


def hedged(failed: Analysis, missing: Analysis) -> Analysis:
    """One analysis of two that differ in the trials which nobody has answered yet: `failed` counts them as not
    satisfactory, `missing` leaves them out.

    An outage says nothing of a model, and one that never answers in time is of no use: which of the two it is nobody
    knows before they are tried again. Values are those of `failed`; intervals span both, so that what is shown is
    shown either way.
    """
    models = tuple(_model(a, b) for a, b in zip(failed.models, missing.models, strict=True))
    return replace(
        failed,
        models=models,
        pairs=_pairs(failed.pairs, missing.pairs),
        slices=tuple(_slice(a, b) for a, b in zip(failed.slices, missing.slices, strict=True)),
        decision=decide(models, failed.decision.bar),
        against=_against(failed.against, missing.against),
        item_quality=missing.item_quality,
        stability=failed.stability if failed.decision.option == missing.decision.option else None,
    )


def _model(failed: ModelResult, missing: ModelResult) -> ModelResult:
    return replace(
        failed,
        pass_rate=_rate(failed.pass_rate, missing.pass_rate),
        cost_per_satisfactory=_span(failed.cost_per_satisfactory, missing.cost_per_satisfactory),
        human_fix=_span(failed.human_fix, missing.human_fix),
    )


def _slice(failed: Slice, missing: Slice) -> Slice:
    def each(name: str) -> dict[str, Estimate]:
        span = _rate if name == "pass_rate" else _span
        return {m: span(found, getattr(missing, name)[m]) for m, found in getattr(failed, name).items()}

    return replace(failed, **{name: each(name) for name in ("pass_rate", "cost_per_satisfactory", "human_fix")})


def _pairs(failed: Sequence[_P], missing: Sequence[_P]) -> tuple[_P, ...]:
    return adjusted([_pair(a, b) for a, b in zip(failed, missing, strict=True)])


def _pair(failed: _P, missing: _P) -> _P:
    if failed.p_value is None or missing.p_value is None:
        return missing
    spans = ("difference", "cost_ratio", "extra_cost", "break_even", "saving")
    return replace(
        failed,
        p_value=max(failed.p_value, missing.p_value),
        **{name: _span(getattr(failed, name), getattr(missing, name)) for name in spans},
    )


def _against(failed: Sequence[Against], missing: Sequence[Against]) -> tuple[Against, ...]:
    return tuple(
        replace(
            found,
            then=_rate(a.then, b.then),
            now=_rate(a.now, b.now),
            improved=tuple(item for item in b.improved if item in set(a.improved)),
            regressed=tuple(item for item in b.regressed if item in set(a.regressed)),
        )
        for found, a, b in zip(_pairs(failed, missing), failed, missing, strict=True)
    )


def _rate(failed: Estimate, missing: Estimate) -> Estimate:
    """Of a share: where nothing is left it may be any."""
    if failed.value is not None and missing.value is None:
        return replace(failed, low=0.0, high=1.0)
    return _span(failed, missing)


def _span(failed: Estimate, missing: Estimate) -> Estimate:
    """The value of the one in an interval that holds both; a limit that either lacks is open."""
    if failed.value is None or missing.value is None:
        return missing if failed.value is not None else failed
    lows, highs = (failed.low, missing.low), (failed.high, missing.high)
    low = None if None in lows else min(lows)
    high = None if None in highs else max(highs)
    return replace(failed, low=low, high=high)
