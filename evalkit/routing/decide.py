"""The declared rule: route, keep one model, or not enough data."""

from collections.abc import Sequence
from dataclasses import replace

from evalkit.analysis.routing import LEAST_ITEMS, PolicyValue, RoutingDecision, RoutingVerdict
from evalkit.frozen import dataclass
from evalkit.routing.figures import worked_out_at
from evalkit.routing.value import Field
from evalkit.stats import items_to_clear
from evalkit.stats.power import items_to_show, worth_by_limits
from evalkit.wording import MOST_ITEMS, NO_NUMBER, doubt, money, plural, stated

NOTABLE = 0.10
"""Share of the best single model's expected cost: a gain that is shown to be smaller is not worth a router."""
_TOGETHER = "{} with all routers looked at together"


@dataclass(frozen=True)
class _Bar:
    """The bar that a router has to clear where a model does: `held_by` is that model, None where none does, so that
    nothing is asked."""

    rate: float
    held_by: PolicyValue | None

    def lets_pass(self, router: PolicyValue) -> bool:
        return self.held_by is None or _clears(router, self.rate)

    def keeps_out(self, router: PolicyValue) -> bool:
        """Whether it is shown to be below, so that no number of items makes it clear the bar."""
        return self.held_by is not None and self.is_above(router)

    def is_above(self, router: PolicyValue) -> bool:
        """Whether a router is shown to be below, whether or not the bar is asked of it."""
        high = router.rate_together.high
        return high is not None and high < self.rate

    def told(self, router: PolicyValue) -> str:
        rate = _TOGETHER.format(doubt(router.rate_together, "percent", self.rate))
        held = "" if self.held_by is None else f", which {self.held_by.title.removeprefix('Always ')} clears"
        return f"your {stated(self.rate)} bar{held} ({rate})"


def _bar_of(values: Sequence[PolicyValue], single: PolicyValue, rate: float) -> _Bar:
    clearing = [value for value in values if value.kind == "single" and _clears(value, rate)]
    cheapest = min(clearing, key=lambda value: (value is not single, value.expected_usd.value or 0.0), default=None)
    return _Bar(rate, cheapest)


def _clears(value: PolicyValue, bar: float) -> bool:
    low = value.rate_together.low
    return low is not None and low >= bar


def decide(values: tuple[PolicyValue, ...], field: Field, bar: float, picked: str | None = None) -> RoutingDecision:
    """The rule, applied; `bar` is that of the lower limit of a pass rate, `picked` the model that the run's rule picks.

    Route where a router's expected total cost is below the best single model's, it may be lower by `NOTABLE`, and its
    pass rate clears the bar if any model's does, with all routers looked at together. Keep one model where no router
    can be that much cheaper, or all that may be are below that bar. Otherwise there is not enough data. The model to
    keep is the picked one, else the one with the lowest total.
    """
    decision = _by_total(values, field, bar)
    kept = f"always-{picked}"
    if decision.verdict == "route" or all(value.name != kept for value in values):
        return decision
    return replace(decision, policy=kept)


def _by_total(values: tuple[PolicyValue, ...], field: Field, bar: float) -> RoutingDecision:
    single = values[field.best]
    named = [value for value in values if value.kind == "router"]
    routers = _able(named, field)

    def made(verdict: RoutingVerdict, reason: str, settles: str = "") -> RoutingDecision:
        return RoutingDecision(verdict, single.name, single.name, len(routers), reason, settles)

    if not routers:
        why = "every router asks a model that never answered" if named else "there is no router to look at"
        return made("keep", why)
    if len(field.outcomes) < LEAST_ITEMS:
        few = f"{plural(len(field.outcomes), 'item')} cannot tell policies apart"
        return made("not_enough_data", few, f"at least {LEAST_ITEMS} items")
    notable = NOTABLE * (single.expected_usd.value or 0.0)
    may_gain = [value for value in routers if _may_gain(value, notable)]
    if not may_gain:
        return made("keep", f"no router can be cheaper by {NOTABLE:.0%}, unsatisfactory answers included")
    asked = _bar_of(values, single, bar)
    below = [value for value in may_gain if asked.keeps_out(value)]
    open_ = [value for value in may_gain if value not in below]
    if any(value.shown for value in open_):
        return _cheaper(open_, single, len(routers), asked)
    if not open_ or any(value.shown for value in below):
        return _below(below, open_, single, len(routers), asked)
    best = _most_gain(open_)
    seen = (best.gain_usd.value or 0.0) > 0
    return replace(
        made("not_enough_data", _not_shown(best, single, seen=seen), _settles(best)), router=best.name if seen else ""
    )


def _able(routers: Sequence[PolicyValue], field: Field) -> list[PolicyValue]:
    """Those that have something to choose from: one with a model that answered no request is the other, behind calls in
    vain, and so are all where one model alone answered any."""
    outputs = (output for item in field.outcomes.outputs for of_model in item for output in of_model)
    answered = {output.model for output in outputs if output.outcome == "answered"}
    silent = [model for model in field.outcomes.models if model not in answered]
    return [each for each in routers if len(answered) > 1 and not any(each.asked.get(model) for model in silent)]


def _not_shown(best: PolicyValue, single: PolicyValue, *, seen: bool) -> str:
    """That the router which gains most by the estimates is not shown to gain anything, or not even seen to."""
    if not seen:
        return (
            f"no router is seen to be cheaper than {single.phrase}, unsatisfactory answers included, but these items"
            f" cannot rule {NOTABLE:.0%} out"
        )
    limits = "" if best.gain_limits is None else f" (by {_TOGETHER.format(doubt(best.gain_limits, 'money'))})"
    return (
        f"{best.phrase} may cost less than {single.phrase}, unsatisfactory answers included{limits}; these items do not"
        " show it"
    )


def _cheaper(open_: Sequence[PolicyValue], single: PolicyValue, compared: int, bar: _Bar) -> RoutingDecision:
    """Where some of the `open_` are shown to be cheaper and may clear the bar: the one that gains most of those that
    do."""
    cheaper = [value for value in open_ if value.shown]
    good = [value for value in cheaper if bar.lets_pass(value)]
    best = _most_gain(good or cheaper)
    reason = _costs_less(best, single)
    if good and not _clears(best, bar.rate):
        state = "below" if bar.is_above(best) else "not shown to clear"
        reason = f"{reason}; its pass rate is {state} {bar.told(best)}, which no model is shown to clear"
    if good:
        return RoutingDecision("route", best.name, single.name, compared, reason, router=best.name)
    reason = f"{reason}, but its pass rate is not shown to clear {bar.told(best)}"
    settles = _settles_bar(best, bar.rate)
    clearing = [v for v in open_ if not v.shown and bar.lets_pass(v) and (v.gain_usd.value or 0.0) > 0]
    if clearing:
        best = _most_gain(clearing)
        reason, settles = f"{reason}; {best.phrase} clears it and is not shown to cost less", _settles(best)
    return RoutingDecision(
        "not_enough_data", single.name, single.name, compared, reason, settles, short_of_bar=True, router=best.name
    )


def _below(
    below: Sequence[PolicyValue], open_: Sequence[PolicyValue], single: PolicyValue, compared: int, bar: _Bar
) -> RoutingDecision:
    """Where those that are shown to be cheaper, or all that may be, are shown to be below the bar: one model is kept
    for good unless others are `open_`."""
    best = _most_gain([value for value in below if value.shown] or below)
    costs = _costs_less(best, single) if best.shown else f"{best.phrase} may cost less than {single.phrase}"
    reason = f"{costs}, but its pass rate is below {bar.told(best)}"
    if not open_:
        return RoutingDecision("keep", single.name, single.name, compared, reason, short_of_bar=True, router=best.name)
    other = _most_gain(open_)
    reason = f"{reason}, and {other.phrase} is not shown to cost less"
    return RoutingDecision(
        "not_enough_data", single.name, single.name, compared, reason, _settles(other), short_of_bar=True,
        router=other.name,
    )  # fmt: skip


def _most_gain(routers: Sequence[PolicyValue]) -> PolicyValue:
    return max(routers, key=lambda value: value.gain_usd.value or 0.0)


def _costs_less(router: PolicyValue, single: PolicyValue) -> str:
    gain = money(router.gain_usd.value or 0.0)
    return f"{router.phrase} costs {gain} less a request than {single.phrase}, unsatisfactory answers included"


def _settles_bar(router: PolicyValue, bar: float) -> str:
    """About how many items would show with a chance of 80 % that the rate seen here clears the bar."""
    rate = router.rate_together
    level = worked_out_at(rate.confidence, tuned=router.tuned > 0)
    needed = None if rate.value is None else items_to_clear(rate.value, bar, level, worth_by_limits(rate, level))
    if needed is None:
        return "more items, though its rate here is not above the bar"
    rounded = round(needed, 2 - len(str(needed)))
    return f"about {rounded:,} items for an 80% chance to show that it clears the bar, if that is its rate"


def _may_gain(value: PolicyValue, notable: float) -> bool:
    limits = value.gain_limits
    if limits is None or limits.value is None:
        return False
    high = limits.value if limits.high is None else limits.high
    return high >= notable and high > 0


def _settles(best: PolicyValue) -> str:
    """About how many items would show the gain seen here with a chance of 80 %, were it the true one."""
    limits = best.gain_limits
    if limits is None or limits.value is None or limits.low is None or limits.value <= 0:
        return "more items, though no gain is seen so far"
    needed = items_to_show(limits.value, limits.value - limits.low, limits.n, limits.confidence)
    if needed > MOST_ITEMS:
        return f"{NO_NUMBER}: the gain seen is too small to tell"
    rounded = round(needed, 2 - len(str(needed)))
    return f"about {rounded:,} items for an 80% chance to show it, if the gain is what it looks like here"
