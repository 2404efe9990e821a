"""What trials leave open that failed on every attempt so far: nothing is shown that holds only if they count so."""

from collections.abc import Callable, Mapping, Sequence
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
    def each(
        span: Callable[[Estimate, Estimate], Estimate], of: Mapping[str, Estimate], left: Mapping[str, Estimate]
    ) -> dict[str, Estimate]:
        return {model: span(found, left[model]) for model, found in of.items()}

    return replace(
        failed,
        pass_rate=each(_rate, failed.pass_rate, missing.pass_rate),
        cost_per_satisfactory=each(_span, failed.cost_per_satisfactory, missing.cost_per_satisfactory),
        human_fix=each(_span, failed.human_fix, missing.human_fix),
    )


def _pairs(failed: Sequence[_P], missing: Sequence[_P]) -> tuple[_P, ...]:
    return adjusted([_pair(a, b) for a, b in zip(failed, missing, strict=True)])


def _pair(failed: _P, missing: _P) -> _P:
    if failed.p_value is None or missing.p_value is None:
        return missing
    return replace(
        failed,
        p_value=max(failed.p_value, missing.p_value),
        difference=_span(failed.difference, missing.difference),
        cost_ratio=_span(failed.cost_ratio, missing.cost_ratio),
        extra_cost=_span(failed.extra_cost, missing.extra_cost),
        break_even=_span(failed.break_even, missing.break_even),
        saving=_span(failed.saving, missing.saving),
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
    low = None if failed.low is None or missing.low is None else min(failed.low, missing.low)
    high = None if failed.high is None or missing.high is None else max(failed.high, missing.high)
    return replace(failed, low=low, high=high)
