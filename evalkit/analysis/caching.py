"""Caching: how much of each model's input came from the cache, and what the same requests cost cold and warm."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from math import fsum, isclose

from evalkit.frozen import dataclass
from evalkit.models import display_name
from evalkit.pricing import Prices
from evalkit.records import Attempt, Usage

FAR_APART = 0.10
"""Hit rates that differ by more than this make costs and latencies of models hard to compare."""


@dataclass(frozen=True)
class CacheUse:
    """One model's answered requests. `hit_rate`: share of all input tokens read from the cache; `sessions` sent them.

    Costs are USD of all `requests` together: as they were billed, with nothing cached (`cold_usd`), and with every
    marked prefix in the cache already (`warm_usd`). None where one of them has no price, with the `reason`.
    """

    model: str
    name: str
    requests: int
    input_tokens: int
    read_tokens: int | None
    written_tokens: int | None
    cost_usd: float | None
    cold_usd: float | None
    warm_usd: float | None
    reason: str | None = None
    sessions: tuple[int, ...] = ()

    @property
    def hit_rate(self) -> float | None:
        """Share of the input tokens that came from the cache; None if the server did not report it."""
        return None if self.read_tokens is None or not self.input_tokens else self.read_tokens / self.input_tokens


def cache_costs(attempts: Mapping[str, Sequence[Attempt]], prices: Prices | None = None) -> tuple[CacheUse, ...]:
    """By model, from its production attempts; nothing if no request of any model touched a cache.

    `prices` must be those of the run: where they do not give what was billed, cold and warm costs are unknown.
    """
    answered = {model: [a for a in made if _has_answer(a)] for model, made in attempts.items()}
    if not any(_cached(a.usage) for made in answered.values() for a in made):
        return ()
    return tuple(_use(m, made, prices or Prices(), tuple(attempts)) for m, made in answered.items() if made)


def cache_warnings(uses: Sequence[CacheUse], *, marked: bool = False) -> tuple[str, ...]:
    """One sentence if models had the cache's help to very different degrees, or nothing of what was `marked` was
    cached."""
    if marked and not uses:
        return (
            "Sent with `--cache as-production`, and nothing was written to a cache or read from one: what is marked may"
            " be shorter than a model caches, or the server keeps no cache. Costs are those without one.",
        )
    rates = sorted((use.hit_rate, use.name) for use in uses if use.hit_rate is not None)
    if not rates or rates[-1][0] - rates[0][0] <= FAR_APART:
        return ()
    (low, less), (high, more) = rates[0], rates[-1]
    return (
        f"Cache hit rates differ: {more} read {high:.0%} of its input from the cache, {less} {low:.0%};"
        " compare their cold and warm costs, and mind that hits also shorten latency.",
    )


def warmed_apart(then: CacheUse | None, now: CacheUse | None) -> tuple[float, float] | None:
    """Hit rates too far apart for costs of two runs to be compared: one may have found what the other had left in the
    cache. None where they are near; a run without a cache read nothing from it.
    """
    first, second = ((use and use.hit_rate) or 0.0 for use in (then, now))
    return (first, second) if abs(first - second) > FAR_APART else None


def _has_answer(attempt: Attempt) -> bool:
    return attempt.outcome not in (None, "errored") and attempt.usage.total_input_tokens is not None


def _cached(usage: Usage) -> int:
    return sum(t or 0 for t in (usage.cache_read_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens))


def _cold(usage: Usage) -> Usage:
    return replace(
        usage,
        input_tokens=usage.total_input_tokens,
        cache_read_tokens=0,
        cache_write_5m_tokens=0,
        cache_write_1h_tokens=0,
    )


def _warm(usage: Usage) -> Usage:
    return replace(usage, cache_read_tokens=_cached(usage), cache_write_5m_tokens=0, cache_write_1h_tokens=0)


def _use(model: str, attempts: Sequence[Attempt], prices: Prices, among: Sequence[str]) -> CacheUse:
    billed, cold, warm, reason = _costs(model, attempts, prices)
    return CacheUse(
        model=model,
        name=display_name(model, among),
        requests=len(attempts),
        input_tokens=sum(a.usage.total_input_tokens or 0 for a in attempts),
        read_tokens=_sum([a.usage.cache_read_tokens for a in attempts]),
        written_tokens=_sum(
            [
                None if a.usage.cache_write_5m_tokens is None else _cached(replace(a.usage, cache_read_tokens=0))
                for a in attempts
            ]
        ),
        cost_usd=billed,
        cold_usd=cold,
        warm_usd=warm,
        reason=reason,
        sessions=tuple(sorted({a.session_id for a in attempts if a.session_id is not None})),
    )


def _costs(
    model: str, attempts: Sequence[Attempt], prices: Prices
) -> tuple[float | None, float | None, float | None, str | None]:
    billed = [a.cost_usd for a in attempts if a.cost_usd is not None]
    if len(billed) < len(attempts):
        return None, None, None, "a request is unpriced"
    cold, warm = [], []
    for attempt in attempts:
        when = datetime.fromisoformat(attempt.sent_at)
        same, without, full = (
            prices.price(model, usage, when).usd
            for usage in (attempt.usage, _cold(attempt.usage), _warm(attempt.usage))
        )
        if same is None or not isclose(same, attempt.cost_usd or 0.0, rel_tol=1e-6, abs_tol=1e-9):
            return fsum(billed), None, None, "the run was priced by other rates than these"
        if without is None or full is None:
            return fsum(billed), None, None, "a rate is not known"
        cold.append(without)
        warm.append(full)
    return fsum(billed), fsum(cold), fsum(warm), None


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
