"""The declared decision rule, applied: which option, or why none."""

from collections.abc import Sequence

from evalkit import stats
from evalkit.analysis.results import Decision, ModelResult, Verdict


def decide(models: Sequence[ModelResult], bar: float) -> Decision:
    """Among models whose pass rate's lower limit clears `bar`, the cheapest per satisfactory output.

    Of those that cost the same it is the one with the higher lower limit, and of those the first by id.
    `no_option` if every model is shown to be below the bar; `not_enough_data` if one may be above it and
    these items cannot show it, or if several are eligible and one has no price. One alone needs none.
    """
    reasons = {model.model: _reason(model, bar) for model in models}
    eligible = [m for m in models if m.pass_rate.low is not None and m.pass_rate.low >= bar]
    names = tuple(model.model for model in eligible)
    if not eligible:
        below = [m for m in models if m.pass_rate.high is not None and m.pass_rate.high < bar]
        verdict: Verdict = "no_option" if models and len(below) == len(models) else "not_enough_data"
        return Decision(verdict, None, bar, (), reasons)
    ranked = sorted(eligible, key=lambda model: model.model)
    prices = [m.cost_per_satisfactory.value for m in ranked if m.cost_per_satisfactory.value is not None]
    if len(ranked) == 1:
        return Decision("pick", ranked[0].model, bar, names, reasons)
    if len(prices) < len(ranked):
        return Decision("not_enough_data", None, bar, names, reasons)
    picked = ranked[stats.cheapest(prices, [m.pass_rate.low or 0.0 for m in ranked])]
    return Decision("pick", picked.model, bar, names, reasons)


def _reason(model: ModelResult, bar: float) -> str:
    """Why a model may or may not be picked, in words."""
    rate = model.pass_rate
    if rate.value is None or rate.low is None or rate.high is None:
        return rate.reason or "no interval can be given"
    told = f"{bar * 100:.10g}%"
    if rate.low >= bar:
        priced = model.cost_per_satisfactory.value is not None
        return f"clears the {told} bar" if priced else f"clears the {told} bar, but is unpriced"
    if rate.high < bar:
        return f"is below the {told} bar"
    if model.at_worst is not None:
        return f"may clear the {told} bar, but hangs on trials that failed on every attempt so far"
    return f"may clear the {told} bar, but {rate.n:,} item{'s' * (rate.n != 1)} cannot show it"
