"""Production logs against a run: growth of cost, escalations, feedback, and what a cheaper model could have taken."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from math import fsum

from evalkit import stats
from evalkit.analysis.evidence import State, by_interval
from evalkit.analysis.movable import moved
from evalkit.analysis.moves import Moved
from evalkit.analysis.priced_otherwise import FAST, IN_REGION
from evalkit.analysis.results import Analysis
from evalkit.analysis.savings import METHOD, monthly_saving
from evalkit.frozen import dataclass
from evalkit.import_costs import came_with_import
from evalkit.models import display_name
from evalkit.pricing import OWN_RATES, Prices
from evalkit.rates import Rates
from evalkit.stats import Estimate
from evalkit.stats.estimate import no_estimate
from evalkit.usage_log import UsageLine

FEWEST_WEEKS = 6
"""Whole weeks below which no trend is told."""
_T = "log-linear least squares, t"
_MISSED = 0.02
"""Share of a week's requests that a week may lack and be whole; of few requests three, or a quarter."""
_SLACK = timedelta(hours=1)
"""By how much a job of every day or week may begin later and end earlier than it did in other weeks, where the week
has half as many requests as those or more."""
_UNSAID = {FAST, IN_REGION}
"""Why answers cost more than their rates say, which a log has no field for."""


@dataclass(frozen=True)
class ModelUse:
    """One model in production: its requests, and the shares of them that were escalated or got a thumb down.

    `told`, `rated`, `timed`: requests that say whether they were, that have feedback, and a latency (seconds); shares
    and quantiles are of these.
    """

    model: str
    name: str
    requests: int
    told: int
    escalated: Estimate
    rated: int
    negative: Estimate
    timed: int
    latency_p50: Estimate
    latency_p95: Estimate


@dataclass(frozen=True)
class Production:
    """What a log says. `twice`: requests that are in every field as an earlier one, and counted all the same.

    `weeks`: whole ones; `growth` per week: of cost, of users, and of cost per user; `state`: whether cost grows faster
    than users. `spend_usd` None where a request is `unpriced`. `moved`: requests that a cheaper model has been shown to
    handle; `saving`: USD a month of moving them. `by_other_rates`: the log goes by other rates than the run,
    whose costs are then none of its own.
    """

    requests: int
    twice: int
    first: str
    last: str
    weeks: int
    users: int | None
    spend_usd: float | None
    unpriced: Mapping[str, int]
    growth: Mapping[str, Estimate]
    state: State
    models: tuple[ModelUse, ...]
    moved: Moved
    saving: Estimate
    by_other_rates: bool


def production(lines: Sequence[UsageLine], analysis: Analysis, prices: Prices) -> Production:
    """All figures of a log, which has at least one line, beside the run it is read with."""
    costs = [prices.price(line.model, line.usage, line.at).usd for line in lines]
    weeks = whole_weeks([line.at for line in lines])
    growth = _growth(lines, costs, weeks)
    found = moved(lines, analysis, weeks)
    refused = _by_other_rates(lines, found, analysis, prices)
    logged = sorted({line.model for line in lines})
    named = [line.user for line in lines if line.user is not None]
    return Production(
        requests=len(lines),
        twice=len(lines) - len(set(lines)),
        first=lines[0].at.isoformat(),
        last=lines[-1].at.isoformat(),
        weeks=len(weeks),
        users=len(set(named)) if len(named) == len(lines) else None,
        spend_usd=None if None in costs else fsum(c for c in costs if c is not None),
        unpriced=Counter(line.model for line, cost in zip(lines, costs, strict=True) if cost is None),
        growth=growth,
        state=by_interval(growth["cost per user"], 1.0),
        models=tuple(_use(model, lines, logged) for model in logged),
        moved=found,
        saving=refused or monthly_saving(lines, costs, found, weeks),
        by_other_rates=refused is not None,
    )


def _by_other_rates(lines: Sequence[UsageLine], found: Moved, analysis: Analysis, prices: Prices) -> Estimate | None:
    """That a log is priced by other rates than the run was, or by several: a ratio of the run's costs then says nothing
    of its own.

    By the rates of input and output, and those of caches where the log has any; costs that were imported have none.
    """
    spec, called = analysis.spec, defaultdict[str, set[str]](set)
    cached = any(line.usage.total_input_tokens != line.usage.input_tokens for line in lines)
    for line, move in zip(lines, found.lines, strict=True):
        if move is not None and not found.moves[move].ended:
            called[found.moves[move].current].add(line.model)
            called[found.moves[move].toward].add(found.moves[move].toward)
    differ, apart, dearer = [], [], dict[str, str]()
    for model, names in called.items():
        ran, logged = spec.rates.get(model), [prices.tiers(name, lines[-1].at) for name in names]
        now = [_figures(tiers, cached) for tiers in logged if tiers]
        called_so, otherwise = display_name(model, spec.models), set(analysis.priced_otherwise.get(model, ()))
        if any(one != now[0] for one in now):
            apart.append(called_so)
        if ran:
            other = bool(otherwise - _UNSAID) or any(one != _figures(ran, cached) for one in now)
        else:  # of a run file that does not keep its rates, but the version of its prices
            own = not names.isdisjoint(prices.own) or OWN_RATES in spec.prices_version
            other = own and not came_with_import(spec, model) and prices.version() != spec.prices_version
        if other:
            differ.append(called_so)
        elif otherwise:
            dearer[called_so] = " and ".join(sorted(otherwise))
    reason = ""
    if apart:  # no run has two price lists for one model
        reason = f"has {', '.join(sorted(apart))} under names of different rates: read it in parts, one for each name"
    elif differ:
        reason = f"goes by other rates of {', '.join(sorted(differ))} than the run did: repeat the run by these"
    elif dearer:  # nor does the log tell that its requests were not
        told = f"{', '.join(sorted(dearer))} were answered {' and '.join(sorted(set(dearer.values())))}"
        reason = f"does not say whether it was as the run, where {told}, which is dearer: repeat the run without"
    return no_estimate(f"the log {reason}", 0.95, METHOD) if reason else None


def _figures(tiers: Sequence[Rates], cached: bool) -> list[tuple[float | None, ...]]:
    """What of a model's rates prices a log."""
    return [
        (tier.above_tokens, tier.input, tier.output)
        + ((tier.cache_read, tier.cache_write_5m, tier.cache_write_1h) if cached else ())
        for tier in tiers
    ]


def whole_weeks(moments: Sequence[datetime]) -> tuple[date, ...]:
    """Mondays (UTC) of the calendar weeks that a log covers; `moments` of its requests, in order.

    A log need not begin at midnight, nor have requests every day: its first week is whole where few of the requests of
    the weeks between the first and the last come at times of the week before its own first one, and its last likewise.
    """
    times: dict[date, list[timedelta]] = defaultdict(list)
    for moment in moments:
        monday = moment.date() - timedelta(days=moment.weekday())
        times[monday].append(moment - datetime.combine(monday, time(), moment.tzinfo))
    first, last = moments[0].date(), moments[-1].date()
    first, last = first - timedelta(days=first.weekday()), last - timedelta(days=last.weekday())
    between = [first + timedelta(days=7 * n) for n in range(1, (last - first).days // 7)]
    inner = [at for monday in between for at in times[monday]]
    missed = max(_MISSED * len(inner), min(3 * len(between), len(inner) / 4))
    begun, ended = times[first][0].days == 0, times[last][-1].days == 6
    if inner:
        slack = [_SLACK if 2 * len(times[edge]) >= len(inner) / len(between) else timedelta() for edge in (first, last)]
        begun = sum(at < times[first][0] - slack[0] for at in inner) <= missed
        ended = sum(at > times[last][-1] + slack[1] for at in inner) <= missed
    if first == last:
        return (first,) * (begun and ended)
    return (*(first,) * begun, *between, *(last,) * ended)


def week_of(line: UsageLine) -> date:
    """The Monday of a request's week, UTC."""
    day = line.at.date()
    return day - timedelta(days=day.weekday())


def _growth(lines: Sequence[UsageLine], costs: Sequence[float | None], weeks: Sequence[date]) -> Mapping[str, Estimate]:
    """Factors per week. No figure where weeks are too few, or a request in them is unpriced or names no user."""
    whole = frozenset(weeks)
    inside = [(line, cost) for line, cost in zip(lines, costs, strict=True) if week_of(line) in whole]
    usd: dict[date, float] = defaultdict(float)
    users: dict[date, set[str]] = defaultdict(set)
    for line, cost in inside:
        usd[week_of(line)] += cost or 0.0
        users[week_of(line)].add(line.user or "")
    few = f"{len(weeks)} whole weeks, fewer than {FEWEST_WEEKS}" if len(weeks) < FEWEST_WEEKS else ""
    free = next((f"no cost in the week of {week}" for week in weeks if not usd[week]), "")
    idle = next((f"no request in the week of {week}" for week in weeks if not users[week]), "")
    unpriced = _lacking(sum(cost is None for _, cost in inside), len(inside), "are unpriced")
    unnamed = _lacking(sum(line.user is None for line, _ in inside), len(inside), "name no user")
    series: Mapping[str, tuple[str, Callable[[date], float]]] = {
        "cost": (few or unpriced or idle or free, lambda week: usd[week]),
        "users": (few or unnamed or idle, lambda week: len(users[week])),
        "cost per user": (few or unpriced or unnamed or idle or free, lambda week: usd[week] / len(users[week])),
    }
    return {
        name: no_estimate(reason, 0.95, _T, len(weeks)) if reason else stats.growth([value(week) for week in weeks])
        for name, (reason, value) in series.items()
    }


def _lacking(count: int, of: int, what: str) -> str:
    return f"{count:,} of {of:,} requests {what}" if count else ""


def _use(model: str, lines: Sequence[UsageLine], among: Sequence[str]) -> ModelUse:
    mine = [line for line in lines if line.model == model]
    escalated = [(line, line.escalated) for line in mine if line.escalated is not None]
    timed = [(line, line.latency_s) for line in mine if line.latency_s is not None]
    thumbs = [(line, line.feedback == "down") for line in mine if line.feedback is not None]
    return ModelUse(
        model,
        display_name(model, among),
        len(mine),
        len(escalated),
        share_by_user(escalated, "no request says whether it was escalated"),
        len(thumbs),
        share_by_user(thumbs, "no request has feedback"),
        len(timed),
        *(_latency(timed, q) for q in (0.5, 0.95)),
    )


def _latency(timed: Sequence[tuple[UsageLine, float]], q: float) -> Estimate:
    """A quantile of requests; those of one user are one cluster, where every one names its user."""
    users, seconds = [line.user for line, _ in timed], [latency for _, latency in timed]
    if not timed:
        return no_estimate("no request has a latency", 0.95, "order statistics")
    if None in users:
        return stats.quantile(seconds, q)
    return stats.quantile_clustered(seconds, users, q)


def share_by_user(flags: Sequence[tuple[UsageLine, bool]], reason: str) -> Estimate:
    """A share of requests; those of one user are one cluster, where every one names its user."""
    if not flags:
        return no_estimate(reason, 0.95, "Wilson")
    if any(line.user is None for line, _ in flags):
        return stats.rate(sum(flag for _, flag in flags), len(flags))
    by_user: dict[str, list[bool]] = defaultdict(list)
    for line, flag in flags:
        by_user[line.user or ""].append(flag)
    return stats.rate_clustered([sum(v) for v in by_user.values()], [len(v) for v in by_user.values()])
