"""Whether a ratio is shown to stay below its limit, told as a check's result."""

import math
from collections.abc import Callable

from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Rules
from evalkit.stats import Estimate
from evalkit.stats.ratios import RATES_AND_COSTS
from evalkit.wording import interval, plural, value

_MOST_ITEMS = 1000
_FEWEST_ALIKE = 15
"""Items that a ratio which never varies must have been seen on to pass: fewer say nothing about the next one."""
_ROUNDING = 1e-9


def ratio_limit(at_most: float) -> str:
    """What is asked of a ratio, in words."""
    return f"below {at_most:g}×"


def ratio_result(
    name: str,
    what: str,
    ratio: Estimate,
    at_most: float,
    p_worse: float | None,
    gap: str | None,
    rules: Rules,
    of_more: Callable[[int], Estimate] | None = None,
) -> CheckResult:
    """Whether a ratio, candidate over baseline, is shown to stay below `at_most`; `gap`: why it may not pass.

    `of_more`: what it would be of so many items like these, where its limits do not shrink by the root of their number.
    """
    limit = ratio_limit(at_most)
    if ratio.value is None:
        return CheckResult(
            name,
            "inconclusive",
            f"{what}: {ratio.reason}",
            limit,
            ratio,
            "ratio",
            needs=f"what is missing: {ratio.reason}",
        )
    unlimited = ratio.low is None and ratio.high is None and ratio.n >= _FEWEST_ALIKE
    constant = unlimited and ratio.method != RATES_AND_COSTS  # of whose limits none is beyond all bounds
    high = ratio.value if constant else ratio.high
    within = high is not None and high < at_most * (1 - _ROUNDING)
    passed = within and gap is None
    doubt = f"{interval(ratio, 'ratio', at_most)}, {plural(ratio.n, 'item')}"
    finding = f"{what}: {value(ratio, 'ratio', at_most)} the baseline's ({doubt})"
    if constant and not passed:
        p_worse = 0.0 if ratio.value > 1 + _ROUNDING else None
    return CheckResult(
        name,
        "pass" if passed else "inconclusive",
        finding if gap is None else f"{finding}; {gap}",
        limit,
        ratio,
        "ratio",
        p_worse,
        needs=None
        if passed
        else _figures_needed(gap, rules) or rules.next_look or _ratio_needs(ratio, at_most, rules, of_more),
        warnings=ratio.warnings,
        within=within,
    )


def _figures_needed(gap: str | None, rules: Rules) -> str | None:
    return gap and f"{gap}: {rules.remedy}"


def fewest_items(fewest: int, ratio: Estimate, rules: Rules) -> str:
    """How many items a ratio lacks that may not pass on so few, whatever it is."""
    if rules.sampled:
        return _larger_sample(fewest)
    more = max(1, fewest - ratio.n)
    return f"at least {plural(more, 'more item')} ({fewest:,} in all), {rules.cost_of_more(more)}"


def _larger_sample(items: int) -> str:
    return f"a new run that streams {items:,} items or more (`--latency-sample {items}`)"


def _ratio_needs(
    ratio: Estimate, at_most: float, rules: Rules, of_more: Callable[[int], Estimate] | None = None
) -> str:
    if ratio.value is None or not 0 < ratio.value < at_most * (1 - _ROUNDING):
        return "no number of items, while the estimate stays at the limit or above it"
    if ratio.high is None and ratio.n >= _FEWEST_ALIKE:
        return "more items that are satisfactory on both sides: hardly any is, so the ratio may be anything"
    if ratio.high is None:  # too few to tell how it varies
        return fewest_items(_FEWEST_ALIKE, ratio, rules)
    needed = max(ratio.n + 1, _items_to_reach(ratio.n, ratio, math.log(at_most / ratio.value), of_more))
    if rules.sampled:
        return f"{_larger_sample(needed)}, if the ratio stays"
    more = max(1, needed - ratio.n)
    return f"about {plural(more, 'more item')} ({needed:,} in all), {rules.cost_of_more(more)}, if the ratio stays"


def _items_to_reach(items: int, ratio: Estimate, room: float, of_more: Callable[[int], Estimate] | None) -> int:
    """Items of which the upper limit lies `room` above the ratio on the log scale: by the root of their number, or,
    with `of_more`, as the limit shrinks from one doubling of all items to the next."""
    half = math.log((ratio.high or math.inf) / (ratio.value or 1.0))
    while of_more is not None and items <= _MOST_ITEMS:
        doubled = of_more(2 * items)
        narrower = math.log((doubled.high or math.inf) / (doubled.value or 1.0))
        if narrower <= room:
            return math.ceil(items * 2 ** (math.log(half / room) / math.log(half / narrower)))
        items, half = 2 * items, narrower
    return math.ceil(items * (half / room) ** 2)
