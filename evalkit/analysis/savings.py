"""What moving requests to a cheaper model would save a month, from whole weeks of a log and the run's cost ratios."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from math import hypot, sqrt
from statistics import mean, stdev

import numpy as np

from evalkit import stats
from evalkit.analysis.moves import Move, Moved
from evalkit.analysis.sweep import HARDLY_WORSE
from evalkit.stats import Estimate
from evalkit.stats.distributions import t
from evalkit.stats.estimate import no_estimate
from evalkit.stats.inputs import is_constant
from evalkit.stats.logscale import FEWEST
from evalkit.usage_log import UsageLine

METHOD = "weekly means, t, with the run's cost ratio by delta"
FEWEST_WEEKS = 4
WEEKS_A_MONTH = 365.25 / 12 / 7


def monthly_saving(
    lines: Sequence[UsageLine], costs: Sequence[float | None], found: Moved, weeks: Sequence[date]
) -> Estimate:
    """USD of requests a month. A request that moves saves its own cost times (1 - cost ratio of the run).

    Moves that have ended save nothing to come, and weeks before a large one began, or a model was exchanged, say
    nothing of it. The weeks' savings vary, and so do the ratios: the two variances add up; a ratio that is the same on
    every item has none. No figure from fewer than four whole weeks, without anything to move, or where a request that
    would move has no price; no interval where a ratio rests on too few items for one, or all weeks save the same.
    """
    spent: dict[int, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    unpriced = 0
    for line, cost, move in zip(lines, costs, found.lines, strict=True):
        if move is None or found.moves[move].ended:
            continue
        unpriced += cost is None
        day = line.at.date()
        spent[move][day - timedelta(days=day.weekday())] += cost or 0.0
    weeks = [week for week in weeks if week.isoformat() >= found.since]
    reason = _why_none(found, unpriced, len(weeks))
    if reason:
        return no_estimate(reason, 0.95, METHOD, len(weeks))
    shares = [1 - (move.cost_ratio.value or 0.0) for move in found.moves]
    weekly = [sum(share * spent[i][week] for i, share in enumerate(shares)) for week in weeks]
    value, told = mean(weekly) * WEEKS_A_MONTH, (*_gaps(lines, weeks), *_trend(weekly))
    spread = _spread(found.moves, spent, weeks)
    if spread is None or is_constant(np.array(weekly), abs(value)):
        few = "a cost ratio rests on too few items for an interval"
        why = few if spread is None else f"all {len(weeks)} weeks save the same"
        return Estimate(value, None, None, 0.95, len(weeks), METHOD, (f"no interval: {why}", *told))
    half = float(t.isf(0.025, len(weeks) - 1)) * hypot(stdev(weekly) / sqrt(len(weeks)), spread) * WEEKS_A_MONTH
    return Estimate(value, value - half, value + half, 0.95, len(weeks), METHOD, told)


def _gaps(lines: Sequence[UsageLine], weeks: Sequence[date]) -> tuple[str, ...]:
    """That nothing was logged in some weeks, which may be that nothing was sent or that nothing was written down."""
    days = {line.at.date() for line in lines}
    empty = [week.isoformat() for week in weeks if not any(week + timedelta(days=n) in days for n in range(7))]
    return (f"no request in the week of {', '.join(empty)}, which counts as one without spending",) if empty else ()


def _trend(weekly: Sequence[float]) -> tuple[str, ...]:
    """That the weeks are no level, so that their mean is none of what comes."""
    if min(weekly) <= 0 or len(weekly) <= FEWEST_WEEKS:
        return ()
    growth = stats.growth(weekly)
    if growth.value is None or growth.low is None or growth.high is None or growth.low <= 1 <= growth.high:
        return ()
    lately = mean(weekly[-FEWEST_WEEKS:]) * WEEKS_A_MONTH
    return (
        f"it changes by {growth.value:.3g} times a week: the last {FEWEST_WEEKS} weeks alone come to ${lately:,.2f} a"
        " month",
    )


def _why_none(found: Moved, unpriced: int, weeks: int) -> str:
    if not found.moves:
        if found.unordered:
            return found.unordered
        cheaper = "model that costs less there" if found.no_cheaper else "cheaper model"
        apart = [f"{found.set_aside:,} set aside by the size of their prompt"] * bool(found.set_aside)
        apart += [f"{found.worse:,} on which it looks worse by what else they say"] * bool(found.worse)
        but = f" but {' and '.join(apart)}" if apart else ""
        few = f"; of parts of too few items, which {found.few:,} belong to, nothing is shown" if found.few else ""
        return f"no request{but} belongs to a part on which a {cheaper} is shown to be {HARDLY_WORSE}{few}"
    if all(move.ended for move in found.moves):
        return f"the requests that would move have ended: the last was on {max(move.last for move in found.moves)}"
    if unpriced:
        return f"{unpriced:,} of the requests that would move are unpriced"
    since = f" since {found.since}, when what would move changed" if found.since else ""
    whole = "1 whole week" if weeks == 1 else f"{weeks} whole weeks"
    return f"{whole}{since}, fewer than {FEWEST_WEEKS}" if weeks < FEWEST_WEEKS else ""


def _spread(moves: Sequence[Move], spent: Mapping[int, Mapping[date, float]], weeks: Sequence[date]) -> float | None:
    """Standard error of a week's saving from the ratios: added up, since they come from one run."""
    total = 0.0
    for i, move in enumerate(moves):
        if move.ended:
            continue
        low, high = move.cost_ratio.low, move.cost_ratio.high
        if low is None or high is None:
            if move.cost_ratio.n < FEWEST:
                return None
            continue
        quantile = float(t.isf(0.025, max(1, move.cost_ratio.n - 1)))
        total += mean(spent[i].get(week, 0.0) for week in weeks) * (high - low) / (2 * quantile)
    return total
