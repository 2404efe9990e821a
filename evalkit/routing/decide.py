"""The declared rule: route, keep one model, or not enough data."""

from collections.abc import Sequence

from evalkit.analysis.routing import LEAST_ITEMS, PolicyValue, RoutingDecision, RoutingVerdict
from evalkit.routing.figures import worked_out_at
from evalkit.routing.value import Field
from evalkit.stats import items_to_clear
from evalkit.stats.power import items_to_show
from evalkit.wording import MOST_ITEMS, doubt, money, plural, stated

NOTABLE = 0.10
"""Share of the best single model's expected cost: a gain that is shown to be smaller is not worth a router."""
_TOGETHER = "{} with all routers looked at together"
RULE = (
    "Route where a router's expected total cost is below the best single model's, it may be lower by"
    f" {NOTABLE:.0%}, and its pass rate clears the bar if the single model's does, with all routers looked at together."
    f" Keep one model where no router can be {NOTABLE:.0%} cheaper in the end. Otherwise there is not enough data, and"
    " one model is kept meanwhile."
)


def decide(values: tuple[PolicyValue, ...], field: Field, bar: float) -> RoutingDecision:
    """The rule, applied; `bar` is that of the lower limit of a pass rate."""
    single = values[field.best]
    routers = [value for value in values if value.kind == "router"]

    def made(verdict: RoutingVerdict, policy: str, reason: str, settles: str = "") -> RoutingDecision:
        return RoutingDecision(verdict, policy, single.name, len(routers), reason, settles)

    if not routers:
        return made("keep", single.name, "there is no router to look at")
    if len(field.outcomes) < LEAST_ITEMS:
        few = f"{plural(len(field.outcomes), 'item')} cannot tell policies apart"
        return made("not_enough_data", single.name, few, f"at least {LEAST_ITEMS} items")
    notable = NOTABLE * (single.expected_usd.value or 0.0)
    cheaper = [v for v in routers if v.shown and _may_gain(v, notable)]
    if cheaper:
        open_ = [v for v in routers if v not in cheaper and _may_gain(v, notable) and not _is_below(v, bar)]
        return _among_cheaper(cheaper, open_, single, len(routers), bar)
    open_ = [value for value in routers if _may_gain(value, notable)]
    if not open_:
        return made("keep", single.name, f"no router can be cheaper by {NOTABLE:.0%}, unsatisfactory answers included")
    best = max(open_, key=lambda value: value.gain_usd.value or 0.0)
    if (best.gain_usd.value or 0.0) <= 0:
        reason = f"no router is seen to be cheaper than {single.phrase}, but these items cannot rule {NOTABLE:.0%} out"
        return made("not_enough_data", single.name, reason, _settles(best))
    limits = "" if best.gain_limits is None else f" ({_TOGETHER.format(doubt(best.gain_limits, 'money'))})"
    reason = (
        f"{best.phrase} may cost less than {single.phrase}, unsatisfactory answers included{limits}; these items do not"
        " show it"
    )
    return made("not_enough_data", single.name, reason, _settles(best))


def _among_cheaper(
    cheaper: Sequence[PolicyValue], open_: Sequence[PolicyValue], single: PolicyValue, compared: int, bar: float
) -> RoutingDecision:
    """Where routers are shown to be cheaper: the one that gains most of those that are good enough, if any is; else
    one model is kept for good where none of these may clear the bar, and no other is `open_`."""
    good = [value for value in cheaper if _good_enough(value, single, bar)]
    best = max(good or cheaper, key=lambda value: value.gain_usd.value or 0.0)
    gain = money(best.gain_usd.value or 0.0)
    reason = f"{best.phrase} costs {gain} less a request than {single.phrase}, unsatisfactory answers included"
    if good:
        return RoutingDecision("route", best.name, single.name, compared, reason)
    below = all(_is_below(value, bar) for value in cheaper)
    how = f"is {'below' if below else 'not shown to clear'} your {stated(bar)} bar, which {single.phrase} clears"
    reason = f"{reason}, but its pass rate {how} ({_TOGETHER.format(doubt(best.rate_together, 'percent', bar))})"
    verdict: RoutingVerdict = "keep" if below and not open_ else "not_enough_data"
    settles = "" if below else _settles_bar(best, bar)
    if below and open_:
        settles = _settles(max(open_, key=lambda value: value.gain_usd.value or 0.0))
    return RoutingDecision(verdict, single.name, single.name, compared, reason, settles, short_of_bar=True)


def _good_enough(value: PolicyValue, single: PolicyValue, bar: float) -> bool:
    """Whether a router clears the bar, where the single model does."""
    rates = value.rate_together, single.pass_rate
    clears = [rate.low is not None and rate.low >= bar for rate in rates]
    return clears[0] or not clears[1]


def _is_below(router: PolicyValue, bar: float) -> bool:
    high = router.rate_together.high
    return high is not None and high < bar


def _settles_bar(router: PolicyValue, bar: float) -> str:
    """About how many items would show with a chance of 80 % that the rate seen here clears the bar."""
    rate = router.rate_together
    level = worked_out_at(rate.confidence, tuned=router.tuned > 0)
    needed = None if rate.value is None else items_to_clear(rate.value, bar, level)
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
        return f"no number of items below {MOST_ITEMS:,}: the gain seen is too small to tell"
    rounded = round(needed, 2 - len(str(needed)))
    return f"about {rounded:,} items for an 80% chance to show it, if the gain is what it looks like here"
